/* tool_choose.c: documents with the addresses of the VFs that they ask for, and with what profiles give
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include "hypervisor/provision_profile.h"

#include <stdlib.h>
#include <string.h>

static void
addNamed(GArray *named, virDomainPtr domain)
{
    g_autofree char *xml = virtToolDomainXml(domain, VIR_DOMAIN_XML_INACTIVE, NULL);
    g_autoptr(virtDomainConf) conf = NULL;

    if (xml && (conf = virtDomainConfParseDevices(xml, strlen(xml), NULL)) && conf->devices->len > 0)
        g_array_append_vals(named, conf->devices->data, conf->devices->len);
}

/* The host's devices that stored domains name, but for the domain @except (NULL: none): virtHandle, for
 * g_array_unref(). A domain that cannot be read names none: what it has is found out again when it starts.
 */
GArray *
virtToolListNamed(virConnectPtr conn, const char *except, GError **error)
{
    g_autoptr(GArray) named = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(conn, &domains, VIR_CONNECT_LIST_DOMAINS_PERSISTENT);

    if (n < 0) {
        virtToolLibvirtError(error, "libvirt does not list its domains");
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        if (g_strcmp0(virDomainGetName(domains[i]), except) != 0)
            addNamed(named, domains[i]);
        virDomainFree(domains[i]);
    }
    free(domains);
    return g_steal_pointer(&named);
}

/* The name of the domain in a document, for g_free(); NULL: it has none. */
static char *
readName(const char *xml, gsize len, guint flags)
{
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(xml, len, NULL, flags, NULL);

    if (!domain)
        return NULL;
    return g_strdup(domain->name);
}

/* The document that was read last, with the address of each VF that it asks for, and with what profiles give; the
 * caller frees it. Where there is a choice, VFs that other domains name come last; without libvirt nobody knows of any.
 *
 * @flags: VIRT_DOMAIN_…
 */
char *
virtToolGrantWishes(virtTool *tool, const char *xml, gsize len, guint flags, GError **error)
{
    g_autoptr(GArray) wishes = virtDomainListWishes(xml, len, tool->file, flags, error);
    g_autoptr(GArray) named = NULL;
    g_autoptr(virConnect) conn = NULL;
    g_autofree char *name = NULL, *granted = NULL;
    virtAffinity affinity;
    virtChooseMode mode = {.given = true, .affinity = &affinity};

    if (!wishes)
        return NULL;
    if (wishes->len == 0)
        return virtProvisionProfileApply(tool->host, xml, len, tool->file, flags, error);
    virtAffinityReadXml(xml, len, &affinity);
    if (virtWishListIsOpen(wishes) && (conn = virtToolConnect(tool, true, NULL))) {
        name = readName(xml, len, flags);
        named = virtToolListNamed(conn, name, NULL);
    }
    mode.named = named;
    if (!virtProvisionChoose(tool->host, wishes, &mode, error))
        return NULL;
    if (!(granted = virtDomainGrantWishes(xml, len, tool->file, flags, wishes, error)))
        return NULL;
    return virtProvisionProfileApply(tool->host, granted, strlen(granted), tool->file, flags, error);
}

/* A domain, or a device alone, with the VFs that it asks for.
 * @flags: VIRT_DOMAIN_…
 */
virtDomainConf *
virtToolReadDomain(virtTool *tool, const char *file, guint flags, GError **error)
{
    gsize len;
    g_autofree char *xml = virtToolReadFile(tool, file, &len, error);
    g_autofree char *found = NULL;

    if (!xml || !(found = virtToolGrantWishes(tool, xml, len, flags, error)))
        return NULL;
    return virtDomainConfParse(found, strlen(found), tool->file, flags, error);
}

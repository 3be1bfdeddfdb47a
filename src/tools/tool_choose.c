/* tool_choose.c: documents with the addresses of the VFs that they ask for, and with what profiles give
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "tools/tool.h"

#include "conf/address_conf.h"
#include "hypervisor/provision_profile.h"

#include <stdlib.h>
#include <string.h>

#include "util/virerror.h"

static void
addStored(GPtrArray *stored, virDomainPtr domain)
{
    g_autofree char *xml = virtToolDomainXml(domain, VIR_DOMAIN_XML_INACTIVE, NULL);
    virtDomainConf *conf = NULL;

    if (xml && (conf = virtDomainConfParseDevices(xml, strlen(xml), NULL)))
        g_ptr_array_add(stored, conf);
}

/* The stored domains, but for @except (NULL: none): virtDomainConf with their devices. One that cannot be read is left
 * out: what it has is found out again when it starts. */
static GPtrArray *
listStored(virConnectPtr conn, const char *except, GError **error)
{
    g_autoptr(GPtrArray) stored = g_ptr_array_new_with_free_func((GDestroyNotify)virtDomainConfFree);
    virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(conn, &domains, VIR_CONNECT_LIST_DOMAINS_PERSISTENT);

    if (n < 0) {
        virtToolLibvirtError(error, "libvirt does not list its domains");
        return NULL;
    }
    for (int i = 0; i < n; i++) {
        if (g_strcmp0(virDomainGetName(domains[i]), except) != 0)
            addStored(stored, domains[i]);
        virDomainFree(domains[i]);
    }
    free(domains);
    return g_steal_pointer(&stored);
}

/* The host's devices that stored domains name, but for the domain @except (NULL: none): virtHandle, for
 * g_array_unref().
 */
GArray *
virtToolListNamed(virConnectPtr conn, const char *except, GError **error)
{
    g_autoptr(GPtrArray) stored = listStored(conn, except, error);
    GArray *named;

    if (!stored)
        return NULL;
    named = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    for (guint i = 0; i < stored->len; i++) {
        const GArray *devices = ((const virtDomainConf *)stored->pdata[i])->devices;

        if (devices->len > 0)
            g_array_append_vals(named, devices->data, devices->len);
    }
    return named;
}

static bool
checkOne(virtTool *tool, const virtHandle *handle, const GPtrArray *stored, GError **error)
{
    for (guint i = 0; i < stored->len; i++) {
        const virtDomainConf *domain = stored->pdata[i];

        if (!virtHandleIsIn(domain->devices, handle))
            continue;
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_BUSY,
                    "%s: %s %s is a device of domain '%s' (%s): write another %s, or none, to have one generated",
                    tool->file, virtHandleGetNoun(handle), handle->name, domain->name, domain->uuid,
                    virtHandleGetElement(handle));
        return false;
    }
    return true;
}

/* Can libvirt have the domain of @stock, in stock form: can it do what is wanted of its devices, and is none that is to
 * be made another stored domain's? */
bool
virtToolCheckStock(virtTool *tool, virConnectPtr conn, const char *stock, GError **error)
{
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(stock, strlen(stock), tool->file, 0, error);
    g_autoptr(GPtrArray) stored = NULL;
    unsigned long version = 0;

    if (!domain)
        return false;
    if (virConnectGetLibVersion(conn, &version) < 0) {
        virtToolLibvirtError(error, "libvirt does not tell its version");
        return false;
    }
    for (guint i = 0; i < domain->hostdevs->len; i++) {
        const virtHostdev *hostdev = domain->hostdevs->pdata[i];
        virtPCIAddress address;

        if (!virtProvisionCheckLibvirt(hostdev, version, error) ||
            !virtProvisionCheckKernel(tool->host, hostdev, error))
            return false;

        if (virtHandleGetPCI(&hostdev->handle, &address))
            continue;
        if ((!stored && !(stored = listStored(conn, domain->name, error))) ||
            !checkOne(tool, &hostdev->handle, stored, error))
            return false;
    }
    return true;
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

/* daemon_domain.c: a domain as libvirt tells it: its devices, our metadata, and whether it is at rest
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "daemon/daemon.h"

#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

/* libvirt's last error about @dom. Even asking for the name would clear it. */
static void
setError(GError **error, const char *what, virDomainPtr dom)
{
    g_autofree char *why = g_strdup(virGetLastErrorMessage());

    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "%s domain '%s': %s", what, virDomainGetName(dom), why);
}

static bool
isGone(void)
{
    return virGetLastErrorCode() == VIR_ERR_NO_DOMAIN;
}

/* Reads a document of libvirt's; *ret_isOurs: whether it may have anything of ours in it. */
static virtDomainConf *
getXml(virDomainPtr dom, guint flags, bool *ret_isOurs, GError **error)
{
    char *xml = virDomainGetXMLDesc(dom, flags);
    virtDomainConf *domain = NULL;

    if (xml) {
        *ret_isOurs = virtDomainMentionsUs(xml, strlen(xml));
        domain = virtDomainConfParseDevices(xml, strlen(xml), error);
    } else if (!isGone()) {
        setError(error, "Cannot read the XML of", dom);
    }
    free(xml);
    if (error && *error)
        g_prefix_error(error, "Domain '%s': ", virDomainGetName(dom));
    return domain;
}

/* Whether a domain that has just been looked at as running is also defined. */
static bool
getConfig(virtDaemonDomain *domain, GError **error)
{
    g_autoptr(GError) local = NULL;

    if (virDomainIsPersistent(domain->dom) <= 0)
        return true;
    domain->config = getXml(domain->dom, VIR_DOMAIN_XML_INACTIVE, &domain->configIsOurs, &local);
    if (local)
        g_propagate_error(error, g_steal_pointer(&local));
    return domain->config || (error && !*error);
}

static bool
getDomain(virtDaemonDomain *domain, GError **error)
{
    g_autoptr(GError) local = NULL;
    bool mayBeOurs = false;
    virtDomainConf *now = getXml(domain->dom, 0, &mayBeOurs, &local);

    if (local) {
        g_propagate_error(error, g_steal_pointer(&local));
        return false;
    }
    if (now && now->active) {
        domain->live = now;
        domain->liveIsOurs = mayBeOurs;
        return getConfig(domain, error);
    }
    domain->config = now;
    domain->configIsOurs = mayBeOurs;
    return true;
}

/* The domain @uuid now, running or not; one that libvirt does not know has no dom.
 *
 * Returns NULL where libvirt does not tell (VIRT_ERROR_HOST) or tells what cannot be read (VIRT_ERROR_INVALID).
 */
virtDaemonDomain *
virtDaemonDomainGet(virConnectPtr conn, const char *uuid, GError **error)
{
    g_autoptr(virtDaemonDomain) domain = g_new0(virtDaemonDomain, 1);
    g_autoptr(GError) local = NULL;

    domain->dom = virDomainLookupByUUIDString(conn, uuid);
    if (!domain->dom && !isGone()) {
        virtDaemonLibvirtError(error, "Cannot look up domain", uuid);
        return NULL;
    }
    if (domain->dom && !getDomain(domain, &local)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return NULL;
    }
    return g_steal_pointer(&domain);
}

void
virtDaemonDomainFree(virtDaemonDomain *domain)
{
    if (!domain)
        return;
    if (domain->dom)
        virDomainFree(domain->dom);
    virtDomainConfFree(domain->live);
    virtDomainConfFree(domain->config);
    g_free(domain);
}

/* ---- metadata ---- */

/* Our metadata (virtHostdev), an empty list where there is none.
 * @impact: VIR_DOMAIN_AFFECT_LIVE or VIR_DOMAIN_AFFECT_CONFIG
 *
 * Errors: VIRT_ERROR_HOST, and VIRT_ERROR_INVALID where it is not as we write it.
 */
GPtrArray *
virtDaemonMetadataGet(virDomainPtr dom, guint impact, GError **error)
{
    char *xml = virDomainGetMetadata(dom, VIR_DOMAIN_METADATA_ELEMENT, VIRT_NS, impact);
    GPtrArray *hostdevs = NULL;

    if (xml)
        hostdevs = virtMetadataParse(xml, strlen(xml), error);
    else if (virGetLastErrorCode() == VIR_ERR_NO_DOMAIN_METADATA)
        hostdevs = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    else
        setError(error, "Cannot read the metadata of", dom);
    free(xml);
    return hostdevs;
}

/* @xml: NULL removes it */
static int
setMetadata(virDomainPtr dom, const char *xml, guint impact)
{
    const char *prefix = NULL;

    if (xml)
        prefix = "lh";
    return virDomainSetMetadata(dom, VIR_DOMAIN_METADATA_ELEMENT, xml, prefix, VIRT_NS, impact);
}

/* Errors: VIRT_ERROR_HOST. */
bool
virtDaemonMetadataSet(virDomainPtr dom, const GPtrArray *hostdevs, guint impact, GError **error)
{
    g_autofree char *xml = virtMetadataFormat(hostdevs);

    if (setMetadata(dom, xml, impact) == 0)
        return true;
    setError(error, "Cannot write the metadata of", dom);
    return false;
}

/* ---- the barrier ---- */

/* A filter that died may have a call in libvirtd's socket, in its queue, or at work. The first two are over once its
 * event loop has come round: it reads each socket in each round, so two replies prove it. The third holds the domain's
 * job, so a call that takes the job too ends behind it. Setting our metadata to what it is takes the job, and nothing
 * else. */
static bool
takeJob(virDomainPtr dom, GError **error)
{
    char *xml = virDomainGetMetadata(dom, VIR_DOMAIN_METADATA_ELEMENT, VIRT_NS, VIR_DOMAIN_AFFECT_LIVE);
    int code = 0;

    if (!xml)
        code = virGetLastErrorCode();
    if (code == VIR_ERR_NO_DOMAIN_METADATA)
        code = 0;
    /* Not where it could not be read: writing nothing would remove it. */
    if (code == 0 && setMetadata(dom, xml, VIR_DOMAIN_AFFECT_LIVE) < 0)
        code = virGetLastErrorCode();
    free(xml);
    if (code == 0 || code == VIR_ERR_NO_DOMAIN || code == VIR_ERR_OPERATION_INVALID)
        return true; /* or it has stopped, and its jobs with it */
    setError(error, "libvirt is still busy with", dom);
    return false;
}

/* Waits until libvirt is through with the calls about domain @uuid that somebody who died may have left behind.
 *
 * Errors: VIRT_ERROR_HOST: it cannot be told; the caller has to try again before it believes anything.
 */
bool
virtDaemonBarrier(virConnectPtr conn, const char *uuid, GError **error)
{
    g_autoptr(virDomain) dom = NULL;
    unsigned long version;

    for (guint i = 0; i < 2; i++) {
        if (virConnectGetLibVersion(conn, &version) < 0) {
            virtDaemonLibvirtError(error, "libvirt does not answer about domain", uuid);
            return false;
        }
    }
    dom = virDomainLookupByUUIDString(conn, uuid);
    if (!dom && !isGone()) {
        virtDaemonLibvirtError(error, "Cannot look up domain", uuid);
        return false;
    }
    return !dom || virDomainIsActive(dom) == 0 || takeJob(dom, error);
}

/* ---- all of them ---- */

static bool
mayBeOurs(virDomainPtr dom)
{
    /* Live and config differ; a domain that does not run gives the same twice, which costs little. */
    static const guint flags[] = {0, VIR_DOMAIN_XML_INACTIVE};
    bool ours = false;

    for (guint i = 0; i < G_N_ELEMENTS(flags) && !ours; i++) {
        char *xml = virDomainGetXMLDesc(dom, flags[i]);

        ours = xml && virtDomainMentionsUs(xml, strlen(xml));
        free(xml);
    }
    return ours;
}

/* The UUIDs of all domains that may have metadata of ours.
 *
 * Errors: VIRT_ERROR_HOST.
 */
GPtrArray *
virtDaemonListOurs(virConnectPtr conn, GError **error)
{
    virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(conn, &domains, 0);
    GPtrArray *uuids;

    if (n < 0) {
        virtDaemonLibvirtError(error, "Cannot list", "all domains");
        return NULL;
    }
    uuids = g_ptr_array_new_with_free_func(g_free);
    for (int i = 0; i < n; i++) {
        char uuid[VIR_UUID_STRING_BUFLEN];

        if (mayBeOurs(domains[i]) && virDomainGetUUIDString(domains[i], uuid) == 0)
            g_ptr_array_add(uuids, g_strdup(uuid));
        virDomainFree(domains[i]);
    }
    free(domains);
    return uuids;
}

/* qemu_hostdev.c: what a QEMU domain wants of the host's devices, and what is done about it at each step of its life
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt's document says what is wanted, src/hypervisor does it. Nothing here asks libvirt: it waits for whoever
 * calls.
 */
#include "qemu/qemu_hostdev.h"

#include <string.h>

#include "hypervisor/provision_choose.h"
#include "hypervisor/provision_drift.h"
#include "util/virerror.h"

/* A device that is given away may be the PF of VFs that others have; that is for every domain with such a device. */
static bool
checkGivenPFs(virtHost *host, const char *xml, gsize len, GError **error)
{
    g_autoptr(virtDomainConf) domain = NULL;

    if (!virtDomainFindWord(xml, len, "hostdev", strlen("hostde")))
        return true;
    domain = virtDomainConfParseDevices(xml, len, error);
    return domain && virtProvisionCheckPFs(host, domain->devices, error);
}

/* Of a domain's devices those whose VFs libvirt takes from a network, or all others: virtHostdev of @domain. */
static GPtrArray *
pick(const virtDomainConf *domain, bool ofNetworks)
{
    GPtrArray *picked = g_ptr_array_new();

    for (guint i = 0; i < domain->hostdevs->len; i++) {
        virtHostdev *hostdev = domain->hostdevs->pdata[i];

        if (virtHandleIsNetwork(&hostdev->handle) == ofNetworks)
            g_ptr_array_add(picked, hostdev);
    }
    return picked;
}

/* Give @owner's @hostdevs what they are to have. */
static bool
prepare(virtHost *host, const virtDomainConf *domain, const char *name, const GPtrArray *hostdevs, guint64 starter,
        GError **error)
{
    g_autoptr(virtOwner) owner = NULL;

    if (hostdevs->len == 0)
        return true;
    if (!domain->uuid) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "The XML of domain '%s' has no <uuid>, so its devices would belong to nobody", name);
        return false;
    }
    owner = virtOwnerNew(name, domain->uuid);
    virtOwnerSetStarter(owner, starter);
    return virtProvisionPrepare(host, owner, hostdevs, error);
}

/* Before a domain starts: gives it all that its devices are to have, or nothing. Those whose VFs libvirt has yet to
 * take from a network come later: virtQemuHostdevStartDomain().
 *
 * @xml: as libvirt has written it. What is longer than VIRT_XML_WRITTEN_MAX is not read to its end and may have
 * netdevs: it is not the same as a domain without
 * @starter: the process that starts the domain (libvirt's daemon), for virtOwnerSetStarter()
 */
bool
virtQemuHostdevPrepareDomain(virtHost *host, const char *name, const char *xml, gsize len, guint64 starter,
                             GError **error)
{
    g_autoptr(virtDomainConf) domain = NULL;
    g_autoptr(GPtrArray) hostdevs = NULL;

    if (len > VIRT_XML_WRITTEN_MAX) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_INVALID,
            "The XML of domain '%s' has more than %d bytes, so it is unknown whether it has netdevs. Shorten its <description> or <metadata>",
            name, VIRT_XML_WRITTEN_MAX);
        return false;
    }
    if (!checkGivenPFs(host, xml, len, error))
        return false;
    if (!virtDomainMentionsUs(xml, len))
        return true;
    if (!(domain = virtDomainConfParse(xml, len, NULL, VIRT_DOMAIN_WRITTEN, error)))
        return false;
    hostdevs = pick(domain, false);
    return virtProvisionChooseCheck(host, name, hostdevs, error) &&
           prepare(host, domain, name, hostdevs, starter, error);
}

/* Just before QEMU runs: libvirt has taken the VFs of interfaces from their networks, bound them to vfio-pci and set
 * what it sets of them. Gives them the rest, or nothing.
 *
 * @xml, @starter: as for virtQemuHostdevPrepareDomain()
 */
bool
virtQemuHostdevStartDomain(virtHost *host, const char *name, const char *xml, gsize len, guint64 starter,
                           GError **error)
{
    g_autoptr(virtDomainConf) domain = NULL;
    g_autoptr(GPtrArray) interfaces = NULL, hostdevs = NULL;

    if (len > VIRT_XML_WRITTEN_MAX || !virtDomainMentionsUs(xml, len))
        return true; /* prepare has judged it */
    if (!(domain = virtDomainConfParse(xml, len, NULL, VIRT_DOMAIN_WRITTEN, error)))
        return false;
    for (guint i = 0; i < domain->hostdevs->len; i++) {
        if (!virtProvisionCheckTaken(host, domain->hostdevs->pdata[i], error))
            return false;
    }
    interfaces = pick(domain, true);
    hostdevs = virtDomainConfLocate(domain, interfaces);
    for (guint i = 0; i < hostdevs->len; i++) {
        const virtHostdev *hostdev = hostdevs->pdata[i];

        if (hostdev->fromNetwork)
            continue;
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_INVALID,
            "The <interface type='network'> with the MAC address %s has netdevs, but its network gives it no VF: name a network with <forward mode='hostdev'/>, or remove the <netdev> elements and all other attributes that stock libvirt does not know",
            hostdev->handle.name);
        return false;
    }
    return prepare(host, domain, name, hostdevs, starter, error);
}

/* Before a domain comes from another host or from a file: looks for the VFs that it asks for, since their addresses
 * there, or then, say nothing here and now.
 *
 * @ret_xml: the domain's XML with what was found, for g_free(); NULL: it stays as it is
 */
bool
virtQemuHostdevChooseDomain(virtHost *host, const char *xml, gsize len, char **ret_xml, GError **error)
{
    virtAffinity affinity;
    const virtChooseMode mode = {.affinity = &affinity};
    g_autoptr(GArray) wishes = NULL;
    g_autofree char *text = NULL;

    *ret_xml = NULL;
    if (len > VIRT_XML_WRITTEN_MAX || !virtDomainMentionsUs(xml, len))
        return true; /* prepare follows, and judges */
    if (!(wishes = virtDomainListWishes(xml, len, NULL, VIRT_DOMAIN_WRITTEN, error)))
        return false;
    if (wishes->len == 0)
        return true;
    virtAffinityReadXml(xml, len, &affinity);
    if (!virtProvisionChoose(host, wishes, &mode, error) ||
        !(text = virtDomainGrantWishes(xml, len, NULL, VIRT_DOMAIN_WRITTEN, wishes, error)))
        return false;
    if (strlen(text) != len || memcmp(text, xml, len) != 0)
        *ret_xml = g_steal_pointer(&text);
    return true;
}

/* The UUID of the domain @name: what its XML says or, where that cannot be read, what a record does. NULL: it is no
 * domain with records. */
static char *
uuidOf(const virtDomainConf *domain, const GPtrArray *records, const char *name)
{
    if (domain && domain->uuid)
        return g_ascii_strdown(g_strstrip(domain->uuid), -1);
    for (guint i = 0; i < records->len; i++) {
        const virtRecord *record = records->pdata[i];

        if (record->owner.uuid && g_strcmp0(record->owner.name, name) == 0)
            return g_strdup(record->owner.uuid);
    }
    return NULL;
}

/* The domain had a VF whose settings from before an earlier owner wait: they go back now. What fails is not this
 * domain's failure. */
static void
restoreWaiting(virtHost *host, const GPtrArray *records, const GArray *devices)
{
    for (guint i = 0; i < records->len; i++) {
        const virtRecord *record = records->pdata[i];
        g_autoptr(GError) error = NULL;

        if (virtHandleIsIn(devices, &record->handle) && virtProvisionRecordIsLeft(host, record) &&
            !virtProvisionReleaseOne(host, record, &error))
            virtHostWarn(host, "%s", error->message);
    }
}

/* When a domain has ended, or its start has failed: puts back all that it had. The XML is asked for UUID and addresses
 * alone: devices may have been unplugged, and nothing that has since become wrong in it, nor its length, may keep a VF
 * from going back.
 *
 * @xml: NULL: it could not be read
 * @last: libvirt has nothing more to do with the devices
 */
bool
virtQemuHostdevReleaseDomain(virtHost *host, const char *name, const char *xml, gsize len, bool last, GError **error)
{
    g_autoptr(GPtrArray) records = virtProvisionRecordList(host, error);
    g_autoptr(virtDomainConf) domain = NULL;
    g_autoptr(virtOwner) owner = NULL;
    g_autofree char *uuid = NULL;
    virtRestoreStage stage = VIRT_RESTORE_STOPPED;
    const GArray *devices = NULL;
    bool ok;

    if (!records)
        return false;
    if (records->len == 0)
        return true;
    if (xml)
        domain = virtDomainConfParseDevices(xml, len, NULL);
    if (!(uuid = uuidOf(domain, records, name)))
        return true; /* not a domain's: what was set by hand under its name is not the hook's to put back */
    owner = virtOwnerNew(name, uuid);
    if (last)
        stage = VIRT_RESTORE_RELEASED;
    else if (domain)
        devices = domain->devices; /* which libvirt is about to give back to their drivers; by the last call it has */
    ok = virtProvisionRelease(host, owner, devices, stage, error);
    if (last && domain)
        restoreWaiting(host, records, domain->devices);
    return ok;
}

static void
sayDrift(virtHost *host, const virtDrift *drift, void *opaque)
{
    (void)opaque;
    if (drift->problem)
        virtHostWarn(host, "%s", drift->problem->message);
    for (guint i = 0; i < drift->rows->len; i++) {
        const virtPlanRow *row = drift->rows->pdata[i];

        if (row->differs)
            virtDriftLog(drift, row);
    }
}

/* libvirt's daemon is back and has found the guest running: says what is not as it was set.
 */
void
virtQemuHostdevReconnectDomain(virtHost *host, const char *xml, gsize len)
{
    g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)virtRecordFree);
    g_autoptr(virtDomainConf) domain = NULL;
    g_autoptr(GPtrArray) hostdevs = NULL;
    g_autoptr(GError) error = NULL;

    if (len <= VIRT_XML_WRITTEN_MAX && !virtDomainMentionsUs(xml, len))
        return;
    if (!(domain = virtDomainConfParse(xml, len, NULL, VIRT_DOMAIN_WRITTEN, &error))) {
        virtHostWarn(host, "%s", error->message);
        return;
    }
    hostdevs = virtDomainConfLocate(domain, domain->hostdevs);
    for (guint i = 0; i < hostdevs->len; i++) {
        const virtHostdev *hostdev = hostdevs->pdata[i];
        g_autoptr(GError) local = NULL;
        virtRecord *record;

        if (virtSettingsAreEmpty(&hostdev->settings))
            continue;
        if ((record = virtProvisionRecordLoad(host, &hostdev->handle, &local)))
            g_ptr_array_add(records, record);
        else
            virtHostWarn(
                host,
                "Domain '%s' runs with %s %s, whose previous settings were not recorded (%s): they will not be restored",
                domain->name, virtHandleGetNoun(&hostdev->handle), hostdev->handle.name, local->message);
    }
    virtProvisionDrift(host, records, sayDrift, NULL);
}

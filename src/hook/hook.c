/* hook.c: virt-hostdev-hook, called by libvirt's QEMU driver at each step of a domain's life
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   virt-hostdev-hook DOMAIN OPERATION SUB-OPERATION EXTRA < domain XML
 *
 * What libvirt does with us decides what we do:
 *   prepare begin   set. The VF still has its host driver. A failure aborts the start, and our stderr is what
 *                   the user reads.
 *   stopped end     put back. QEMU is gone and vfio-pci still holds the VF, so the host's driver will find the
 *                   old MAC when it probes.
 *   release end     put back what is still not: also follows a start that failed.
 *   reconnect begin look, and say what is wrong; a failure here would kill the guest.
 *   others          nothing. `migrate` and `restore` would take our stdout for the domain's new XML.
 *
 * libvirt waits for us without a time-out and would deadlock if we called it.
 */
#include "config.h"
#include "hypervisor/provision_drift.h"
#include "hypervisor/provision_log.h"
#include "util/virerror.h"

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Whole, or up to one byte more than libvirt may write. */
static char *
readInput(gsize *ret_len, GError **error)
{
    char *xml = virtHostReadAll(STDIN_FILENO, VIRT_XML_WRITTEN_MAX, ret_len, error);

    if (!xml)
        g_prefix_error(error, "Cannot read the domain XML from libvirt: ");
    return xml;
}

/* The journal where there is one; libvirt shows our stderr only when we fail. */
static GLogWriterOutput
logToJournal(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer opaque)
{
    (void)opaque;
    if (level & G_LOG_LEVEL_DEBUG)
        return G_LOG_WRITER_HANDLED;
    return g_log_writer_journald(level, fields, n, NULL);
}

static void
warnUser(virtHost *host, const char *message)
{
    (void)host;
    fprintf(stderr, "virt-hostdev: warning: %s\n", message);
    g_log_structured("libvirt-hostdev", G_LOG_LEVEL_WARNING, "MESSAGE_ID", VIRT_MESSAGE_ID_WARNING, "MESSAGE", "%s",
                     message);
}

/* A device that is given away may be the PF of VFs that others have; that is for every domain with such a device. */
static bool
checkPFs(virtHost *host, const char *xml, gsize len, GError **error)
{
    g_autoptr(virtDomain) domain = NULL;

    if (!memmem(xml, len, "hostdev", strlen("hostdev")))
        return true;
    domain = virtDomainParseDevices(xml, len, error);
    return domain && virtProvisionCheckPFs(host, domain->devices, error);
}

/* What is not read to its end may have netdevs: it is not the same as a domain without. */
static bool
prepare(virtHost *host, const char *name, const char *xml, gsize len, GError **error)
{
    g_autoptr(virtDomain) domain = NULL;
    g_autoptr(virtOwner) owner = NULL;

    if (len > VIRT_XML_WRITTEN_MAX) {
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_INVALID,
            "The XML of domain '%s' has more than %d bytes, so whether it has netdevs cannot be told. Shorten its <description> or <metadata>.",
            name, VIRT_XML_WRITTEN_MAX);
        return false;
    }
    if (!checkPFs(host, xml, len, error))
        return false;
    if (!virtDomainMentionsUs(xml, len))
        return true;
    if (!(domain = virtDomainParse(xml, len, NULL, VIRT_DOMAIN_WRITTEN, error)))
        return false;
    if (domain->hostdevs->len == 0)
        return true;
    if (!domain->uuid) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "The XML of domain '%s' has no <uuid>, so its devices would belong to nobody", name);
        return false;
    }
    owner = virtOwnerNew(name, domain->uuid);
    virtOwnerSetStarter(owner, (guint64)getppid());
    return virtProvisionPrepare(host, owner, domain->hostdevs, error);
}

/* The UUID of the domain @name: what its XML says or, where that cannot be read, what a record does. NULL: it is no
 * domain with records. */
static char *
uuidOf(const virtDomain *domain, const GPtrArray *records, const char *name)
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

        if (virtPCIAddressIsIn(devices, &record->address) && virtProvisionRecordIsLeft(host, record) &&
            !virtProvisionReleaseOne(host, record, &error))
            virtHostWarn(host, "%s", error->message);
    }
}

/* The XML is asked for UUID and addresses alone: devices may have been unplugged, and nothing that has since become
 * wrong in it, nor its length, may keep a VF from going back.
 *
 * @xml: NULL: it could not be read
 * @last: libvirt has nothing more to do with the devices
 */
static bool
release(virtHost *host, const char *name, const char *xml, gsize len, bool last, GError **error)
{
    g_autoptr(GPtrArray) records = virtProvisionRecordList(host, error);
    g_autoptr(virtDomain) domain = NULL;
    g_autoptr(virtOwner) owner = NULL;
    g_autofree char *uuid = NULL;
    bool ok;

    if (!records)
        return false;
    if (records->len == 0)
        return true;
    domain = xml ? virtDomainParseDevices(xml, len, NULL) : NULL;
    if (!(uuid = uuidOf(domain, records, name)))
        return true; /* not a domain's: what was set by hand under its name is not the hook's to put back */
    owner = virtOwnerNew(name, uuid);
    ok = virtProvisionRelease(host, owner, domain ? domain->devices : NULL, error);
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

/* libvirtd is back and found the guest running. */
static void
lookAgain(virtHost *host, const char *xml, gsize len)
{
    g_autoptr(GPtrArray) records = g_ptr_array_new_with_free_func((GDestroyNotify)virtRecordFree);
    g_autoptr(virtDomain) domain = NULL;
    g_autoptr(GError) error = NULL;

    if (len <= VIRT_XML_WRITTEN_MAX && !virtDomainMentionsUs(xml, len))
        return;
    if (!(domain = virtDomainParse(xml, len, NULL, VIRT_DOMAIN_WRITTEN, &error))) {
        virtHostWarn(host, "%s", error->message);
        return;
    }
    for (guint i = 0; i < domain->hostdevs->len; i++) {
        const virtHostdev *hostdev = domain->hostdevs->pdata[i];
        g_autoptr(GError) local = NULL;
        char vfName[VIRT_PCI_ADDRESS_LEN];
        virtRecord *record;

        virtPCIAddressFormat(&hostdev->address, vfName);
        if ((record = virtProvisionRecordLoad(host, vfName, &local)))
            g_ptr_array_add(records, record);
        else
            virtHostWarn(
                host,
                "Domain '%s' runs with VF %s, but what that VF was before is not recorded (%s): it will not be put back",
                domain->name, vfName, local->message);
    }
    virtProvisionDrift(host, records, sayDrift, NULL);
}

int
main(int argc, char **argv)
{
    g_autoptr(virtHost) host = NULL;
    g_autoptr(GError) error = NULL;
    g_autofree char *xml = NULL;
    gsize len = 0;
    bool ok = true;

    setlocale(LC_ALL, "");
    g_log_set_writer_func(logToJournal, NULL, NULL);
    if (argc < 4) {
        fprintf(stderr, "usage: virt-hostdev-hook DOMAIN OPERATION SUB-OPERATION EXTRA < XML\n"
                        "libvirt calls this; see virt-hostdev-hook(8)\n");
        return 2;
    }
    host = virtHostNew("");
    host->warn = warnUser;
    if (g_str_equal(argv[2], "prepare") && g_str_equal(argv[3], "begin"))
        ok = (xml = readInput(&len, &error)) && prepare(host, argv[1], xml, len, &error);
    else if (g_str_equal(argv[3], "end") && (g_str_equal(argv[2], "stopped") || g_str_equal(argv[2], "release"))) {
        xml = readInput(&len, NULL);
        ok = release(host, argv[1], xml, len, g_str_equal(argv[2], "release"), &error);
    } else if (g_str_equal(argv[2], "reconnect") && (xml = readInput(&len, &error)))
        lookAgain(host, xml, len);
    else if (error)
        virtHostWarn(host, "%s", error->message);
    if (ok)
        return 0;
    fprintf(stderr, "virt-hostdev: error: %s\n", error->message);
    g_log_structured("libvirt-hostdev", G_LOG_LEVEL_WARNING, "MESSAGE_ID", VIRT_MESSAGE_ID_FAILED, "DOMAIN_NAME",
                     argv[1], "MESSAGE", "%s", error->message);
    return 1;
}

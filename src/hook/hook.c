/* hook.c: virt-hostdev-hook, called by libvirt's QEMU driver at each step of a domain's life: which step means what
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
#include "hypervisor/provision_log.h"
#include "qemu/qemu_hostdev.h"

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

/* Does what the operation asks for; false with an error aborts it. */
static bool
runOperation(virtHost *host, char **argv, GError **error)
{
    const char *domain = argv[1], *operation = argv[2], *sub = argv[3];
    bool isRelease = g_str_equal(operation, "release");
    g_autoptr(GError) local = NULL;
    g_autofree char *xml = NULL;
    gsize len = 0;

    if (g_str_equal(operation, "prepare") && g_str_equal(sub, "begin")) {
        xml = readInput(&len, error);
        return xml && virtQemuHostdevPrepareDomain(host, domain, xml, len, (guint64)getppid(), error);
    }
    if (g_str_equal(sub, "end") && (isRelease || g_str_equal(operation, "stopped"))) {
        xml = readInput(&len, NULL);
        return virtQemuHostdevReleaseDomain(host, domain, xml, len, isRelease, error);
    }
    if (!g_str_equal(operation, "reconnect"))
        return true;
    xml = readInput(&len, &local);
    if (xml)
        virtQemuHostdevReconnectDomain(host, xml, len);
    else
        virtHostWarn(host, "%s", local->message);
    return true;
}

int
main(int argc, char **argv)
{
    g_autoptr(virtHost) host = NULL;
    g_autoptr(GError) error = NULL;

    setlocale(LC_ALL, "");
    g_log_set_writer_func(logToJournal, NULL, NULL);
    if (argc < 4) {
        fprintf(stderr, "usage: virt-hostdev-hook DOMAIN OPERATION SUB-OPERATION EXTRA < XML\n"
                        "libvirt calls this; see virt-hostdev-hook(8)\n");
        return 2;
    }
    host = virtHostNew("");
    host->warn = warnUser;
    if (runOperation(host, argv, &error))
        return 0;
    fprintf(stderr, "virt-hostdev: error: %s\n", error->message);
    g_log_structured("libvirt-hostdev", G_LOG_LEVEL_WARNING, "MESSAGE_ID", VIRT_MESSAGE_ID_FAILED, "DOMAIN_NAME",
                     argv[1], "MESSAGE", "%s", error->message);
    return 1;
}

/* hook_domain.c: what is done at each step of a domain's life: the part of virt-hostdev-hook that is loaded when there
 * is something to do (hook.c)
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What libvirt does with us decides what we do:
 *   prepare begin   set. The VF still has its host driver. A failure aborts the start, and our stderr is what
 *                   the user reads.
 *   start begin     the same for VFs that libvirt has taken from a network meanwhile. VFIO has them, and libvirt has
 *                   set what it sets; both do not mind what is set through the PF. And is the driver that libvirt has
 *                   chosen one that can migrate a VF that is to be migratable?
 *   stopped end     put back. QEMU is gone and vfio-pci still holds the VF, so the host's driver will find the
 *                   old MAC when it probes.
 *   release end     put back what is still not: also follows a start that failed.
 *   reconnect begin look, and say what is wrong; a failure here would kill the guest.
 *   migrate begin   (on the host that a guest comes to) and
 *   restore begin   find the VFs that the domain asks for: what is on our stdout is the domain's new XML.
 *   others          nothing.
 *
 * libvirt waits for us without a time-out and would deadlock if we called it.
 */
#include "hook/hook.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <unistd.h>

#include "config.h"
#include "hypervisor/provision_log.h"
#include "qemu/qemu_hostdev.h"
#include "util/virerror.h"

/* NULL: libvirt's document could not be read, which @error says. */
static const char *
documentOf(const virtHookInput *input, GError **error)
{
    if (!input->xml)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read the domain XML from libvirt: %s",
                    g_strerror(input->problem));
    return input->xml;
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
warnOnHook(virtHost *host, const char *message)
{
    (void)host;
    fprintf(stderr, "virt-hostdev: warning: %s\n", message);
    g_log_structured("libvirt-hostdev", G_LOG_LEVEL_WARNING, "MESSAGE_ID", VIRT_MESSAGE_ID_WARNING, "MESSAGE", "%s",
                     message);
}

/* Prints the domain's XML where libvirt is to take another. */
static bool
chooseDomain(virtHost *host, const virtHookInput *input, GError **error)
{
    g_autofree char *xml = NULL;

    if (!documentOf(input, error) || !virtQemuHostdevChooseDomain(host, input->xml, input->len, &xml, error))
        return false;
    if (!xml || (fputs(xml, stdout) >= 0 && fflush(stdout) == 0))
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot write the domain XML for libvirt: %s", g_strerror(errno));
    return false;
}

/* Does what the operation asks for; false with an error aborts it. */
static bool
runOperation(virtHost *host, char **argv, const virtHookInput *input, GError **error)
{
    const char *domain = argv[1], *operation = argv[2], *sub = argv[3];
    bool isRelease = g_str_equal(operation, "release");
    g_autoptr(GError) local = NULL;

    if (g_str_equal(operation, "prepare") && g_str_equal(sub, "begin"))
        return documentOf(input, error) &&
               virtQemuHostdevPrepareDomain(host, domain, input->xml, input->len, (guint64)getppid(), error);
    if (g_str_equal(operation, "start") && g_str_equal(sub, "begin"))
        return documentOf(input, error) &&
               virtQemuHostdevStartDomain(host, domain, input->xml, input->len, (guint64)getppid(), error);
    if (g_str_equal(sub, "end") && (isRelease || g_str_equal(operation, "stopped")))
        return virtQemuHostdevReleaseDomain(host, domain, input->xml, input->len, isRelease, error);
    if (g_str_equal(sub, "begin") && (g_str_equal(operation, "migrate") || g_str_equal(operation, "restore")))
        return chooseDomain(host, input, error);
    if (!g_str_equal(operation, "reconnect"))
        return true;
    if (documentOf(input, &local))
        virtQemuHostdevReconnectDomain(host, input->xml, input->len);
    else
        virtHostWarn(host, "%s", local->message);
    return true;
}

/* The hook's main(), where there may be something to do.
 * @input: what libvirt has written; without operation it may be NULL
 */
__attribute__((visibility("default"))) int
virtHookRun(int argc, char **argv, const virtHookInput *input)
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
    host->warn = warnOnHook;
    if (runOperation(host, argv, input, &error))
        return 0;
    fprintf(stderr, "virt-hostdev: error: %s\n", error->message);
    g_log_structured("libvirt-hostdev", G_LOG_LEVEL_WARNING, "MESSAGE_ID", VIRT_MESSAGE_ID_FAILED, "DOMAIN_NAME",
                     argv[1], "MESSAGE", "%s", error->message);
    return 1;
}

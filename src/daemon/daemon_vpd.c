/* daemon_vpd.c: what a card tells about itself, for a client that libvirt has shown its node device
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Some clients (Nova, each minute) read all node devices of a host, one after the other. All VFs of a PF have the VPD
 * of one card, which may take a second to tell it. So what it has told is good for a while. All this is done by one
 * thread, and what that keeps is its own.
 */
#include "daemon/daemon.h"
#include "conf/nodedev_conf.h"
#include "util/virpci.h"
#include "util/virpcicard.h"

#define FRESH (10 * G_TIME_SPAN_SECOND) /* a card that has taken another's place in a slot is seen that late */

/* What the card of a PF has told: one of the two. */
typedef struct {
    char *capability;
    GError *failure;
    gint64 until; /* monotonic microseconds */
} Told;

static void
toldFree(gpointer opaque)
{
    Told *told = opaque;

    g_free(told->capability);
    g_clear_error(&told->failure);
    g_free(told);
}

/* @again: it has been asked before, and what it does not tell has been logged. */
static Told *
askCard(virtHost *host, const virtPCIAddress *pf, bool again)
{
    Told *told = g_new0(Told, 1);
    const char *from;
    g_autoptr(virtPCIVPD) vpd = NULL;

    if (again)
        host->warn = NULL;
    vpd = virtPCICardReadVPD(host, pf, &from, &told->failure);
    if (vpd)
        told->capability = virtNodeDevFormatVPD(vpd, VIRT_BROKER_VPD_MAX);
    if (vpd && !told->capability)
        g_set_error_literal(&told->failure, VIRT_ERROR, VIRT_ERROR_NOT_FOUND, "The card's VPD says nothing");
    told->until = g_get_monotonic_time() + FRESH;
    return told;
}

/* libvirt's <capability type='vpd'> for a PF or VF: what the card of the PF tells, at most VIRT_BROKER_VPD_MAX bytes.
 *
 * Returns text for g_free(), or NULL: VIRT_ERROR_NOT_FOUND where the card tells nothing, VIRT_ERROR_INVALID where the
 * device is neither PF nor VF, VIRT_ERROR_HOST.
 */
char *
virtDaemonVPDGet(virtDaemon *daemon, const virtHandle *handle, GError **error)
{
    g_autoptr(virtHost) host = virtDaemonHostNew();
    virtPCIAddress address, pf;
    virtHandle key;
    const Told *told;

    if (!virtHandleGetPCI(handle, &address)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s is not a PCI device", handle->name);
        return NULL;
    }
    if (!virtPCIFindPF(host, &address, &pf, error))
        return NULL;
    if (!daemon->vpds)
        daemon->vpds = g_hash_table_new_full(virtHandleHash, virtHandleEqual, g_free, toldFree);
    virtHandleSetPCI(&key, &pf);
    told = g_hash_table_lookup(daemon->vpds, &key);
    if (!told || g_get_monotonic_time() >= told->until) {
        g_hash_table_replace(daemon->vpds, g_memdup2(&key, sizeof(key)), askCard(host, &pf, told != NULL));
        told = g_hash_table_lookup(daemon->vpds, &key);
    }
    if (told->failure)
        g_propagate_error(error, g_error_copy(told->failure));
    return g_strdup(told->capability);
}

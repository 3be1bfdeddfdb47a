/* filter_nodedev.c: the XML of a PF or VF, with its card's VPD where libvirt shows none
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt shows no VPD of a VF, and none of a card that is careless with it (virpcivpd.c). Clients look there for the
 * serial number of the card: Nova, to find the DPU that a VF is on.
 *
 * libvirt's driver "test" shows what its client has written, and another host's devices are not on these cards. So a
 * client that has asked for anything but a hypervisor of this host, whether it got it or not, sees what libvirt shows.
 *
 * libvirt first: only when it has shown the device to this client, and has shown no VPD of it, is the broker asked for
 * that, since only root may read it. Whatever comes of it, the client has libvirt's reply; where there is something to
 * add, with that.
 */
#include "conf/nodedev_conf.h"
#include "filter/filter_priv.h"
#include "util/virerror.h"

#include <string.h>

typedef struct {
    virtFilter *filter;
    virtRpcHeader header;
    GByteArray *reply; /* libvirt's */
} NodeDev;

/* Where the XML stands in the reply, and in @ret_end where it ends there; NULL where there is none. */
static const char *
findXml(const GByteArray *reply, gsize *ret_len, gsize *ret_end)
{
    virtXdr xdr = virtRpcMessageOpen(reply->data, reply->len);
    const char *xml = virtXdrGetString(&xdr, ret_len);

    *ret_end = xdr.at;
    return xml;
}

/* Put the VPD into the reply, which is left as it is where that fails. */
static bool
putVPD(NodeDev *nodedev, const char *capability, GError **error)
{
    g_autoptr(GByteArray) reply =
        virtRpcMessageNew(nodedev->header.proc, VIRT_RPC_REPLY, nodedev->header.serial, VIRT_RPC_OK);
    gsize len = 0, end = 0;
    const char *xml = findXml(nodedev->reply, &len, &end);
    g_autofree char *text = virtNodeDevPutVPD(xml, len, capability, error);

    if (!text)
        return false;
    virtXdrPutString(reply, text, strlen(text));
    g_byte_array_append(reply, nodedev->reply->data + end, nodedev->reply->len - (guint)end);
    if (!virtRpcMessageEnd(reply, error))
        return false;
    g_byte_array_unref(nodedev->reply);
    nodedev->reply = g_steal_pointer(&reply);
    return true;
}

/* Who reads all devices of a host asks for each: the first failure is news. */
static void
logFailure(virtFilter *filter, const GError *failure)
{
    if (!filter->vpdFailed)
        virtFilterLog("Showing a node device as libvirt does, without the VPD of its card: %s", failure->message);
    filter->vpdFailed = true;
}

static void
gotVPD(gpointer opaque, const char *capability, const GError *failure)
{
    g_autofree NodeDev *nodedev = opaque;
    g_autoptr(GError) error = NULL;

    if (capability && !putVPD(nodedev, capability, &error))
        failure = error;
    if (failure && !g_error_matches(failure, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        logFailure(nodedev->filter, failure);
    virtFilterReply(nodedev->filter, nodedev->reply);
    virtFilterHeldDone(nodedev->filter);
}

/* Hold libvirt's reply about a PF or a VF of which it shows no VPD, until the broker has told that.
 *
 * @message: taken over where this returns true; else it goes to the client as it is
 */
bool
virtFilterHoldNodeDev(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    virtBrokerRequest request = {.verb = VIRT_BROKER_VPD};
    gsize len = 0, end = 0;
    const char *xml = findXml(message, &len, &end);
    NodeDev *nodedev;

    (void)proc;
    if (header->type != VIRT_RPC_REPLY || !xml || filter->elsewhere || virtFilterHeld(filter) >= VIRT_FILTER_HELD_MAX ||
        !virtNodeDevLacksVPD(xml, len, &request.handle))
        return false;
    nodedev = g_new0(NodeDev, 1);
    *nodedev = (NodeDev){filter, *header, message};
    virtFilterHeldAdd(filter);
    virtFilterAskVPD(filter, &request, gotVPD, nodedev);
    return true;
}

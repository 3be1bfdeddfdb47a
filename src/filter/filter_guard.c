/* filter_guard.c: no client writes our metadata, at any address; one that is damaged may be removed
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Our metadata is where the netdevs live, and is shown as <netdev>; as itself there is none. The namespace in a call's
 * arguments is not all that counts: libvirt gives it only to elements that have none, so what is set under another one
 * may have ours by itself, and would then stand there as a second element of ours.
 */
#include "conf/domain_conf.h"
#include "filter/filter_priv.h"
#include "util/virerror.h"

#include <libvirt/libvirt.h>
#include <string.h>

/* struct remote_domain_set_metadata_args */
typedef struct {
    virtRpcDomain domain;
    guint32 type; /* virDomainMetadataType */
    const char *text;
    gsize textLen;
    guint32 flags; /* virDomainModificationImpact */
} Set;

static bool
readSet(const GByteArray *message, Set *ret)
{
    virtXdr xdr = virtRpcMessageOpen(message->data, message->len);

    virtXdrGetDomain(&xdr, &ret->domain);
    ret->type = virtXdrGetUInt(&xdr);
    ret->text = virtXdrGetOptString(&xdr, &ret->textLen);
    virtXdrGetOptString(&xdr, NULL); /* key */
    virtXdrGetOptString(&xdr, NULL); /* uri */
    ret->flags = virtXdrGetUInt(&xdr);
    return !xdr.bad;
}

static void
refuseMetadata(virtFilter *filter, const virtRpcHeader *header, const GError *error)
{
    virtFilterReply(filter, virtRpcErrorReply(header->proc, header->serial, error));
}

static GError *
keptError(void)
{
    return g_error_new(
        VIRT_ERROR, VIRT_ERROR_BUSY,
        "the metadata of " VIRT_NS
        " is managed by virthostdevd. Write <netdev> in <hostdev> instead: define the domain, or attach, detach or update the device");
}

/* ---- removing what is damaged ---- */

typedef struct {
    virtFilter *filter;
    virtRpcHeader header;
    GByteArray *message; /* the client's call */
} Removal;

static void
removalFree(Removal *removal)
{
    virtFilterHeldDone(removal->filter);
    g_clear_pointer(&removal->message, g_byte_array_unref);
    g_free(removal);
}

/* Can what the domain has of ours be read? Where libvirt does not show it, the removal is libvirt's to refuse. */
static bool
isSound(const virtRpcHeader *header, const GByteArray *message)
{
    virtXdr xdr = virtRpcMessageOpen(message->data, message->len);
    gsize len = 0;
    const char *xml = virtXdrGetString(&xdr, &len);
    g_autoptr(virtDomainConf) domain = NULL;

    if (header->status != VIRT_RPC_OK || !xml)
        return false;
    domain = virtDomainConfParse(xml, len, NULL, 0, NULL);
    return domain != NULL;
}

static void
removalGotDomain(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Removal *removal = opaque;
    g_autoptr(GError) error = keptError();

    if (header && isSound(header, message))
        refuseMetadata(removal->filter, &removal->header, error);
    else if (header)
        virtFilterForward(removal->filter, g_steal_pointer(&removal->message));
    removalFree(removal); /* without a header libvirt is gone, and the client's connection with it */
}

/* Takes @message. */
static void
removeDamaged(virtFilter *filter, const virtRpcHeader *header, GByteArray *message, const Set *set)
{
    Removal *removal = g_new0(Removal, 1);
    g_autoptr(GByteArray) call = virtRpcMessageNew(VIRT_RPC_PROC_DOMAIN_GET_XML_DESC, VIRT_RPC_CALL, 0, VIRT_RPC_OK);
    g_autoptr(GError) error = NULL;
    guint flags = 0;

    *removal = (Removal){filter, *header, message};
    virtFilterHeldAdd(filter);
    if (set->flags & VIR_DOMAIN_AFFECT_CONFIG)
        flags = VIR_DOMAIN_XML_INACTIVE;
    virtXdrPutDomain(call, &set->domain);
    virtXdrPutUInt(call, flags);
    if (virtFilterHeld(filter) > VIRT_FILTER_HELD_MAX)
        error = virtFilterTooMany();
    else if (virtRpcMessageEnd(call, &error))
        virtFilterCall(filter, g_byte_array_ref(call), removalGotDomain, removal);
    if (!error)
        return;
    refuseMetadata(filter, header, error);
    removalFree(removal);
}

/* ---- all calls ---- */

/* A call about metadata in our namespace; *message: taken, or left where it goes to libvirt. */
static void
guardOurs(virtFilter *filter, const virtRpcHeader *header, GByteArray **message)
{
    g_autoptr(GError) error = NULL;
    Set set;

    if (header->proc == VIRT_RPC_PROC_DOMAIN_GET_METADATA) /* libvirt's own words, from src/conf/domain_conf.c */
        error = g_error_new(VIRT_ERROR, VIRT_ERROR_NOT_FOUND, "Requested metadata element is not present");
    else if (header->type == VIRT_RPC_CALL && readSet(*message, &set) && !set.text)
        removeDamaged(filter, header, g_steal_pointer(message), &set);
    else
        error = keptError();
    if (!error)
        return;
    g_clear_pointer(message, g_byte_array_unref);
    refuseMetadata(filter, header, error);
}

/* A METADATA_GUARD call of the client's. *message: NULL where libvirt is not to have it, or not yet.
 */
void
virtFilterGuardMetadata(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray **message)
{
    g_autoptr(GError) error = NULL;
    Set set;

    if (virtRpcIsOurMetadata(proc, (*message)->data, (*message)->len)) {
        guardOurs(filter, header, message);
        return;
    }
    if (header->proc != VIRT_RPC_PROC_DOMAIN_SET_METADATA || !readSet(*message, &set) ||
        set.type != VIR_DOMAIN_METADATA_ELEMENT || !set.text ||
        virtMetadataCheckForeign(set.text, strnlen(set.text, set.textLen), &error))
        return;
    g_clear_pointer(message, g_byte_array_unref);
    refuseMetadata(filter, header, error);
}

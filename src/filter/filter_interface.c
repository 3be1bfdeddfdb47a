/* filter_interface.c: calls that name an interface, and statistics that count them
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. An <interface type='hostdev'> that is stored as a <hostdev> is no interface to libvirt. libvirt
 * has the call first all the same, and so decides whether the client may make it; most are about other interfaces, and
 * end there. Only where it knows no interface of that name is the domain looked at, with the client's rights, and if
 * the name is that of one of these, the answer is the one that libvirt gives for such interfaces of its own (9.0 to
 * 12.8; the lab's scenario legacy compares them):
 *
 *   statistics            counters of the VF, which the broker reads
 *   parameters, to read   what its <bandwidth> says
 *   parameters, to set    refused: libvirt limits no VF
 *   announcing            done, for there is nothing to do: QEMU does not send for a VF
 *
 * Statistics of many domains come without these interfaces; rpc_stats.c puts them in.
 */
#include "filter/filter_priv.h"
#include "util/virerror.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <string.h>

typedef struct {
    virtFilter *filter;
    const virtRpcProc *proc;
    virtRpcHeader header;
    GByteArray *message; /* the client's call */
    GByteArray *reply;   /* what libvirt said to it */
    /* INTERFACE */
    virtRpcDomain domain; /* its name is in message */
    char *name;
    guint flags;
    /* STATS */
    GArray *records;       /* virtRpcStats, in reply */
    GPtrArray *interfaces; /* of each record that has been looked at: virtInterfaceShown, or NULL */
} Named;

static void
namedFree(Named *named)
{
    virtFilterHeldDone(named->filter);
    g_clear_pointer(&named->message, g_byte_array_unref);
    g_clear_pointer(&named->reply, g_byte_array_unref);
    g_clear_pointer(&named->records, g_array_unref);
    g_clear_pointer(&named->interfaces, g_ptr_array_unref);
    g_free(named->name);
    g_free(named);
}

/* The client's one reply; taken over. */
static void
finishNamed(Named *named, GByteArray *reply)
{
    virtFilterReply(named->filter, reply);
    namedFree(named);
}

/* What libvirt said stands. */
static void
leaveNamed(Named *named)
{
    finishNamed(named, g_steal_pointer(&named->reply));
}

static GByteArray *
namedNewReply(const Named *named)
{
    return virtRpcMessageNew(named->proc->proc, VIRT_RPC_REPLY, named->header.serial, VIRT_RPC_OK);
}

static void
finishNamedWith(Named *named, GByteArray *reply)
{
    virtRpcMessageEnd(reply, NULL); /* they are short */
    finishNamed(named, reply);
}

static void
namedAskForXml(Named *named, const virtRpcDomain *domain, guint flags, virtFilterReplyFunc done)
{
    GByteArray *call = virtRpcMessageNew(VIRT_RPC_PROC_DOMAIN_GET_XML_DESC, VIRT_RPC_CALL, 0, VIRT_RPC_OK);

    virtXdrPutDomain(call, domain);
    virtXdrPutUInt(call, flags);
    virtRpcMessageEnd(call, NULL); /* a domain's name came in a message that was not too long */
    virtFilterCall(named->filter, call, done, named);
}

/* The interfaces of the domain whose XML libvirt has sent; NULL where it has not, or, with an error, where it cannot be
 * read. */
static GPtrArray *
readInterfaces(const virtRpcHeader *header, const GByteArray *message, GError **error)
{
    virtXdr xdr = virtRpcMessageOpen(message->data, message->len);
    const char *xml;
    gsize len;

    if (header->status != VIRT_RPC_OK || !(xml = virtXdrGetString(&xdr, &len)))
        return NULL;
    return virtInterfaceListShown(xml, len, error);
}

/* ---- one interface ---- */

static void
gotCounters(gpointer opaque, const virtNetdevStats *stats, const GError *failure)
{
    /* virDomainInterfaceStatsStruct; -1 is what libvirt does not know, as of its own. */
    const guint64 unknown = G_MAXUINT64;
    Named *named = opaque;
    GByteArray *reply;

    if (failure) {
        finishNamed(named, virtRpcErrorReply(named->proc->proc, named->header.serial, failure));
        return;
    }
    reply = namedNewReply(named);
    virtXdrPutHyper(reply, stats->of[VIRT_NETDEV_RX_BYTES]);
    virtXdrPutHyper(reply, stats->of[VIRT_NETDEV_RX_PACKETS]);
    virtXdrPutHyper(reply, unknown); /* errors */
    virtXdrPutHyper(reply, unknown); /* drops */
    virtXdrPutHyper(reply, stats->of[VIRT_NETDEV_TX_BYTES]);
    virtXdrPutHyper(reply, stats->of[VIRT_NETDEV_TX_PACKETS]);
    virtXdrPutHyper(reply, unknown);
    virtXdrPutHyper(reply, unknown);
    finishNamedWith(named, reply);
}

static void
tellCounters(Named *named, const virtInterfaceShown *shown)
{
    virtBrokerRequest request = {.verb = VIRT_BROKER_STATS, .handle = shown->handle};

    virtRpcUuidFormat(named->domain.uuid, request.uuid);
    virtFilterAskStats(named->filter, &request, gotCounters, named);
}

static void
tellRates(Named *named, const virtInterfaceShown *shown)
{
    static const char *const names[VIRT_INTERFACE_RATES] = {
        [VIRT_INTERFACE_IN_AVERAGE] = VIR_DOMAIN_BANDWIDTH_IN_AVERAGE,
        [VIRT_INTERFACE_IN_PEAK] = VIR_DOMAIN_BANDWIDTH_IN_PEAK,
        [VIRT_INTERFACE_IN_BURST] = VIR_DOMAIN_BANDWIDTH_IN_BURST,
        [VIRT_INTERFACE_IN_FLOOR] = VIR_DOMAIN_BANDWIDTH_IN_FLOOR,
        [VIRT_INTERFACE_OUT_AVERAGE] = VIR_DOMAIN_BANDWIDTH_OUT_AVERAGE,
        [VIRT_INTERFACE_OUT_PEAK] = VIR_DOMAIN_BANDWIDTH_OUT_PEAK,
        [VIRT_INTERFACE_OUT_BURST] = VIR_DOMAIN_BANDWIDTH_OUT_BURST,
    };
    GByteArray *reply = namedNewReply(named);
    guint count = MIN(virtRpcInterfaceRoom(named->message->data, named->message->len), VIRT_INTERFACE_RATES);

    virtXdrPutUInt(reply, count);
    for (guint i = 0; i < count; i++) {
        virtXdrPutString(reply, names[i], strlen(names[i]));
        virtXdrPutUInt(reply, VIR_TYPED_PARAM_UINT);
        virtXdrPutUInt(reply, shown->rates[i]);
    }
    virtXdrPutUInt(reply, count);
    finishNamedWith(named, reply);
}

static void
refuseRates(Named *named, const virtInterfaceShown *shown)
{
    /* libvirt's own words, from src/hypervisor/qemu_driver.c */
    finishNamed(named,
                virtRpcUnsupportedReply(named->proc->proc, named->header.serial,
                                        "setting bandwidth on interfaces of type 'hostdev' is not implemented yet"));
}

static void
announce(Named *named, const virtInterfaceShown *shown)
{
    finishNamedWith(named, namedNewReply(named));
}

static const struct {
    guint32 proc;
    void (*answer)(Named *named, const virtInterfaceShown *shown);
} answers[] = {
    {VIRT_RPC_PROC_DOMAIN_INTERFACE_STATS, tellCounters},
    {VIRT_RPC_PROC_DOMAIN_SET_INTERFACE_PARAMETERS, refuseRates},
    {VIRT_RPC_PROC_DOMAIN_GET_INTERFACE_PARAMETERS, tellRates},
    {VIRT_RPC_PROC_DOMAIN_ANNOUNCE_INTERFACE, announce},
};

static void
namedGotDomain(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Named *named = opaque;
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) list = NULL;
    const virtInterfaceShown *shown = NULL;

    if (!header) {
        namedFree(named); /* libvirt is gone, and the client's connection with it */
        return;
    }
    list = readInterfaces(header, message, &error);
    if (list)
        shown = virtInterfaceListFind(list, named->name);
    if (g_error_matches(error, VIRT_ERROR, VIRT_ERROR_TOO_LARGE)) {
        finishNamed(named, virtRpcErrorReply(named->proc->proc, named->header.serial, error));
        return;
    }
    for (guint i = 0; shown && i < G_N_ELEMENTS(answers); i++) {
        if (answers[i].proc == named->proc->proc) {
            answers[i].answer(named, shown);
            return;
        }
    }
    leaveNamed(named);
}

/* Does libvirt know no interface of that name? The code stands for other mistakes too; only then it names the name. */
static bool
isUnknown(const Named *named)
{
    return virtRpcErrorCode(named->reply->data, named->reply->len) == VIR_ERR_INVALID_ARG && *named->name &&
           memmem(named->reply->data, named->reply->len, named->name, strlen(named->name));
}

static void
gotInterface(Named *named)
{
    guint flags = 0;

    if (named->flags & VIR_DOMAIN_AFFECT_CONFIG)
        flags = VIR_DOMAIN_XML_INACTIVE;
    if (isUnknown(named))
        namedAskForXml(named, &named->domain, flags, namedGotDomain);
    else
        leaveNamed(named);
}

/* ---- all of many domains ---- */

static void lookAtNext(Named *named);

static void
gotOneOfMany(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Named *named = opaque;
    g_autoptr(GError) error = NULL;
    GPtrArray *list;

    if (!header) {
        namedFree(named);
        return;
    }
    list = readInterfaces(header, message, &error);
    if (error) /* of one domain, whose owner may have made it so: the others are counted all the same */
        virtFilterLog("Counting the interfaces of a domain as libvirt does: %s", error->message);
    if (list && list->len == 0)
        g_clear_pointer(&list, g_ptr_array_unref);
    g_ptr_array_add(named->interfaces, list);
    lookAtNext(named);
}

static void
finishStats(Named *named)
{
    g_autoptr(GError) error = NULL;
    GByteArray *reply =
        virtRpcStatsWrite(named->reply->data, named->reply->len, named->records, named->interfaces, &error);

    if (reply)
        finishNamed(named, reply);
    else
        finishNamed(named, virtRpcErrorReply(named->proc->proc, named->header.serial, error));
}

static void
lookAtNext(Named *named)
{
    while (named->interfaces->len < named->records->len) {
        const virtRpcStats *record = &g_array_index(named->records, virtRpcStats, named->interfaces->len);

        if (record->hasInterfaces) {
            namedAskForXml(named, &record->domain, 0, gotOneOfMany);
            return;
        }
        g_ptr_array_add(named->interfaces, NULL);
    }
    finishStats(named);
}

static void
listFree(gpointer list)
{
    if (list)
        g_ptr_array_unref(list);
}

static void
gotStats(Named *named)
{
    named->records = virtRpcStatsRead(named->reply->data, named->reply->len);
    named->interfaces = g_ptr_array_new_with_free_func(listFree);
    if (named->records)
        lookAtNext(named);
    else
        leaveNamed(named);
}

/* ---- taking a call ---- */

static void
namedGotReply(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Named *named = opaque;

    if (!header) {
        namedFree(named);
        return;
    }
    named->reply = virtFilterRelay(&named->header, message);
    if (named->proc->action == VIRT_RPC_INTERFACE)
        gotInterface(named);
    else if (header->status == VIRT_RPC_OK)
        gotStats(named);
    else
        leaveNamed(named);
}

/* Hold a call (INTERFACE, STATS) until it is known whether libvirt's answer is all there is to say.
 *
 * @message: taken over where this returns true
 *
 * False where the call names no interface, or has descriptors: it is forwarded as it is.
 */
bool
virtFilterHoldInterface(virtFilter *filter, const virtRpcProc *proc, const virtRpcHeader *header, GByteArray *message)
{
    g_autofree char *name = NULL;
    g_autoptr(GError) error = NULL;
    virtRpcDomain domain = {0};
    guint flags = 0;
    GByteArray *call;
    Named *named;

    if (header->type != VIRT_RPC_CALL)
        return false;
    if (proc->action == VIRT_RPC_INTERFACE &&
        !virtRpcReadInterface(proc, message->data, message->len, &domain, &name, &flags))
        return false;
    named = g_new0(Named, 1);
    *named = (Named){.filter = filter, .proc = proc, .header = *header, .message = message, .domain = domain};
    named->name = g_steal_pointer(&name);
    named->flags = flags;
    virtFilterHeldAdd(filter);
    if (virtFilterHeld(filter) > VIRT_FILTER_HELD_MAX) {
        error = virtFilterTooMany();
        finishNamed(named, virtRpcErrorReply(proc->proc, header->serial, error));
        return true;
    }
    call = g_byte_array_sized_new(message->len);
    g_byte_array_append(call, message->data, message->len);
    virtFilterCall(filter, call, namedGotReply, named);
    return true;
}

/* filter_profile.c: a call whose XML has VFs, with what profiles give them
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The broker tells which profiles are for the VFs, one after the other. Which of them are for the domain, the document
 * says; one that is to be attached has none of the domain in it, so libvirt is asked for that, with the client's
 * rights.
 *
 * A profile that cannot be read, or that nobody can tell whom it is for, is an error: without its VLAN a guest would be
 * in another's network.
 */
#include "filter/filter_priv.h"

#include <string.h>

#include "conf/profile_conf.h"
#include "util/virerror.h"

typedef struct {
    virtFilter *filter;
    const virtRpcProc *proc;
    GByteArray *message; /* the call */
    virtBrokerRequest request;
    GPtrArray *uses; /* virtProfileUse */
    virtFilterProfiledFunc done;
    gpointer opaque;
} Asking;

static void askNext(Asking *asking);

static void
finishAsking(Asking *asking, GByteArray *message, const GError *failure)
{
    asking->done(asking->opaque, message, failure);
    virtBrokerRequestClear(&asking->request);
    g_byte_array_unref(asking->message);
    g_ptr_array_unref(asking->uses);
    g_free(asking);
}

/* @domain: of a device that is to be attached; NULL: it is not needed */
static void
apply(Asking *asking, const char *domain, gsize len)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GByteArray) message =
        virtRpcApplyProfiles(asking->proc, asking->message->data, asking->message->len, virtFilterFlags(asking->filter),
                             asking->uses, domain, len, &error);

    finishAsking(asking, message, error);
}

static void
gotDomain(gpointer opaque, const virtRpcHeader *header, const GByteArray *message)
{
    Asking *asking = opaque;
    g_autoptr(GError) error = NULL;
    const char *xml = NULL;
    gsize len = 0;

    if (header && header->status == VIRT_RPC_OK) {
        virtXdr xdr = virtRpcMessageOpen(message->data, message->len);

        xml = virtXdrGetString(&xdr, &len);
    }
    if (xml) {
        apply(asking, xml, len);
        return;
    }
    error =
        g_error_new(VIRT_ERROR, VIRT_ERROR_HOST,
                    "libvirt does not show the domain to this client, so nobody can tell which profiles are for the "
                    "device. The client needs the permission to read the domain");
    finishAsking(asking, NULL, error);
}

static bool
needsDomain(const Asking *asking)
{
    for (guint i = 0; i < asking->uses->len; i++) {
        const virtProfileUse *use = asking->uses->pdata[i];

        if (asking->proc->action == VIRT_RPC_ATTACH && use->profile->domains->len > 0)
            return true;
    }
    return false;
}

/* All that are for the VFs are known. */
static void
gotAll(Asking *asking)
{
    GByteArray *call;
    virtRpcDomain domain;

    if (!needsDomain(asking) ||
        !virtRpcReadDomain(asking->proc, asking->message->data, asking->message->len, &domain)) {
        apply(asking, NULL, 0);
        return;
    }
    call = virtRpcMessageNew(VIRT_RPC_PROC_DOMAIN_GET_XML_DESC, VIRT_RPC_CALL, 0, VIRT_RPC_OK);
    virtXdrPutDomain(call, &domain);
    virtXdrPutUInt(call, 0);
    virtRpcMessageEnd(call, NULL);
    virtFilterCall(asking->filter, call, gotDomain, asking);
}

static virtProfileUse *
useNew(GArray *fits, const char *xml, GError **error)
{
    g_autoptr(virtProfileUse) use = g_new0(virtProfileUse, 1);

    use->fits = g_array_ref(fits);
    if (!(use->profile = virtProfileParse(xml, strlen(xml), NULL, error)))
        return NULL;
    return g_steal_pointer(&use);
}

static void
gotProfile(gpointer opaque, GArray *fits, const char *xml, const GError *failure)
{
    Asking *asking = opaque;
    g_autoptr(GError) error = NULL;
    virtProfileUse *use;

    if (g_error_matches(failure, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        gotAll(asking);
    } else if (failure) {
        finishAsking(asking, NULL, failure);
    } else if (!(use = useNew(fits, xml, &error))) {
        finishAsking(asking, NULL, error);
    } else {
        g_ptr_array_add(asking->uses, use);
        g_strlcpy(asking->request.after, use->profile->name, sizeof(asking->request.after));
        askNext(asking);
    }
}

static void
askNext(Asking *asking)
{
    g_autoptr(GError) error = NULL;

    if (!virtFilterAskProfile(asking->filter, &asking->request, gotProfile, asking, &error))
        finishAsking(asking, NULL, error);
}

/* The VFs in the XML of a call that profiles may be for: virtWish; NULL: none. A client that may have opened another
 * host's devices has them as he writes them. */
static GArray *
listDevices(const virtFilter *filter, const virtRpcProc *proc, const GByteArray *message)
{
    if (filter->elsewhere || (proc->action != VIRT_RPC_TO_STOCK && proc->action != VIRT_RPC_ATTACH))
        return NULL;
    return virtRpcListProfiled(proc, message->data, message->len, virtFilterFlags(filter));
}

/* Whether a call has a VF that profiles may be for. */
bool
virtFilterHasProfiled(const virtFilter *filter, const virtRpcProc *proc, const GByteArray *message)
{
    g_autoptr(GArray) devices = listDevices(filter, proc, message);

    return devices != NULL;
}

/* Have the VFs of a call given what profiles say.
 *
 * @done: called once, perhaps before this returns: with the call as it is to be, which is lent, or with a failure
 *
 * False, and @done is not called, where the call has no VF; what is wrong with it is told when it is rewritten.
 */
bool
virtFilterAskProfiles(virtFilter *filter, const virtRpcProc *proc, GByteArray *message, virtFilterProfiledFunc done,
                      gpointer opaque)
{
    g_autoptr(GArray) devices = listDevices(filter, proc, message);
    Asking *asking;

    if (!devices)
        return false;
    asking = g_new0(Asking, 1);
    *asking = (Asking){filter, proc, g_byte_array_ref(message), {.verb = VIRT_BROKER_PROFILE}, .done = done};
    asking->opaque = opaque;
    asking->request.wishes = g_steal_pointer(&devices);
    asking->uses = g_ptr_array_new_with_free_func((GDestroyNotify)virtProfileUseFree);
    askNext(asking);
    return true;
}

/* daemon_choose.c: the VFs that a client's domain asks for by card, PF or pool
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What is chosen for a call is kept from others until libvirt has answered that call: by then a record or libvirt's own
 * files say whose it is, or nobody wants it any more. So of many domains that are started at a time each is given
 * another VF. One thread chooses at a time.
 *
 * A domain that does not run has nothing, but names what it was given last: another is given that only where there is
 * nothing else. Only who chooses asks libvirt for that.
 */
#include "daemon/daemon.h"

#include "conf/address_conf.h"
#include "hypervisor/provision_choose.h"

#include <stdlib.h>
#include <string.h>

/* One VF that a call has been given. */
typedef struct {
    const virtDaemonClient *client; /* never looked into */
    char uuid[sizeof(((virtBrokerRequest *)NULL)->uuid)];
    virtHandle handle;
} Chosen;

static GMutex choosing; /* held by who chooses, however long that takes */
static GMutex lock;     /* of daemon->chosen; the main loop takes it, too */

static bool
isFor(const Chosen *chosen, const virtDaemonClient *client, const char *uuid)
{
    return chosen->client == client && (!uuid || g_str_equal(chosen->uuid, uuid));
}

/* The calls of @client about the domain @uuid (NULL: all of them) have been answered. */
void
virtDaemonChooseForget(virtDaemon *daemon, const virtDaemonClient *client, const char *uuid)
{
    g_mutex_lock(&lock);
    for (guint i = daemon->chosen ? daemon->chosen->len : 0; i-- > 0;) {
        if (isFor(&g_array_index(daemon->chosen, Chosen, i), client, uuid))
            g_array_remove_index_fast(daemon->chosen, i);
    }
    g_mutex_unlock(&lock);
}

/* What other calls have been given: virtHandle. */
static GArray *
listTaken(const virtDaemon *daemon)
{
    GArray *taken = g_array_new(FALSE, FALSE, sizeof(virtHandle));

    g_mutex_lock(&lock);
    for (guint i = 0; daemon->chosen && i < daemon->chosen->len; i++)
        g_array_append_val(taken, g_array_index(daemon->chosen, Chosen, i).handle);
    g_mutex_unlock(&lock);
    return taken;
}

static void
keep(virtDaemon *daemon, const virtDaemonClient *client, const virtBrokerRequest *request)
{
    g_mutex_lock(&lock);
    if (!daemon->chosen)
        daemon->chosen = g_array_new(FALSE, FALSE, sizeof(Chosen));
    for (guint i = 0; i < request->wishes->len; i++) {
        const virtWish *wish = &g_array_index(request->wishes, virtWish, i);
        Chosen chosen = {.client = client, .handle = wish->handle};

        if (wish->choice.by == VIRT_CHOICE_NONE)
            continue;
        g_strlcpy(chosen.uuid, request->uuid, sizeof(chosen.uuid));
        g_array_append_val(daemon->chosen, chosen);
    }
    g_mutex_unlock(&lock);
}

static void
addStored(GPtrArray *stored, virDomainPtr domain)
{
    char *xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
    virtDomainConf *conf = NULL;

    if (xml && (conf = virtDomainConfParseDevices(xml, strlen(xml), NULL)))
        g_ptr_array_add(stored, conf);
    free(xml);
}

/* The stored domains, but for @uuid: virtDomainConf with their devices. Where libvirt does not tell, none: what a
 * domain names is found out again when it starts. */
static GPtrArray *
listStored(virConnectPtr conn, const char *uuid)
{
    GPtrArray *stored = g_ptr_array_new_with_free_func((GDestroyNotify)virtDomainConfFree);
    virDomainPtr *domains = NULL;
    int n = virConnectListAllDomains(conn, &domains, VIR_CONNECT_LIST_DOMAINS_PERSISTENT);

    for (int i = 0; i < n; i++) {
        char its[VIR_UUID_STRING_BUFLEN] = "";

        if (virDomainGetUUIDString(domains[i], its) == 0 && strcmp(its, uuid) != 0)
            addStored(stored, domains[i]);
        virDomainFree(domains[i]);
    }
    free(domains);
    return stored;
}

/* What they name: virtHandle. */
static GArray *
listNamed(const GPtrArray *stored)
{
    GArray *named = g_array_new(FALSE, FALSE, sizeof(virtHandle));

    for (guint i = 0; i < stored->len; i++) {
        const GArray *devices = ((const virtDomainConf *)stored->pdata[i])->devices;

        if (devices->len > 0)
            g_array_append_vals(named, devices->data, devices->len);
    }
    return named;
}

/* A device that is to be made for a domain is no other's. Its name is told to whoever may define domains, as libvirt
 * itself tells that of the domain whose UUID or device is asked for. */
static bool
checkMade(const virtHandle *handle, const GPtrArray *stored, GError **error)
{
    for (guint i = 0; i < stored->len; i++) {
        const virtDomainConf *domain = stored->pdata[i];

        if (!virtHandleIsIn(domain->devices, handle))
            continue;
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "%s %s is a device of domain '%s' (%s): write another %s, or none, to have one generated",
                    virtHandleGetNoun(handle), handle->name, domain->name, domain->uuid, virtHandleGetElement(handle));
        return false;
    }
    return true;
}

static bool
isToBeMade(const virtWish *wish)
{
    virtPCIAddress address;

    return wish->choice.by == VIRT_CHOICE_NONE && !virtHandleGetPCI(&wish->handle, &address);
}

static bool
isAnyToBeMade(const GArray *wishes)
{
    for (guint i = 0; i < wishes->len; i++) {
        if (isToBeMade(&g_array_index(wishes, virtWish, i)))
            return true;
    }
    return false;
}

static bool
checkAllMade(const GArray *wishes, const GPtrArray *stored, GError **error)
{
    for (guint i = 0; i < wishes->len; i++) {
        const virtWish *wish = &g_array_index(wishes, virtWish, i);

        if (isToBeMade(wish) && !checkMade(&wish->handle, stored, error))
            return false;
    }
    return true;
}

/* Adds to @taken what the domain has, and is stored with, where one of its devices is to be attached. */
static bool
addOwn(virConnectPtr conn, const char *uuid, GArray *taken, GError **error)
{
    g_autoptr(virtDaemonDomain) domain = virtDaemonDomainGet(conn, uuid, error);

    if (!domain)
        return false;
    if (domain->live && domain->live->devices->len)
        g_array_append_vals(taken, domain->live->devices->data, domain->live->devices->len);
    if (domain->config && domain->config->devices->len)
        g_array_append_vals(taken, domain->config->devices->data, domain->config->devices->len);
    return true;
}

/* Where the guest is that a device is to be attached to. */
static void
readAffinity(virConnectPtr conn, const char *uuid, virtAffinity *ret)
{
    g_autoptr(virDomain) dom = virDomainLookupByUUIDString(conn, uuid);
    char *xml = NULL;

    if (dom)
        xml = virDomainGetXMLDesc(dom, 0);
    if (xml)
        virtAffinityReadXml(xml, strlen(xml), ret);
    free(xml);
}

static bool
choose(virtDaemon *daemon, const virtDaemonClient *client, virtBrokerRequest *request, virConnectPtr conn,
       GError **error)
{
    g_autoptr(virtHost) host = virtDaemonHostNew();
    g_autoptr(GArray) named = NULL, taken = NULL;
    g_autoptr(GPtrArray) stored = NULL;
    virtChooseMode mode = {.given = request->mode != VIRT_BROKER_FOR_START, .affinity = &request->affinity};

    virtDaemonChooseForget(daemon, client, request->uuid); /* an earlier try */
    taken = listTaken(daemon);
    if (virtWishListIsOpen(request->wishes) || isAnyToBeMade(request->wishes))
        stored = listStored(conn, request->uuid);
    if (stored && mode.given && !checkAllMade(request->wishes, stored, error))
        return false;
    if (stored)
        named = listNamed(stored);
    if (request->mode == VIRT_BROKER_FOR_ATTACH) {
        if (!addOwn(conn, request->uuid, taken, error))
            return false;
        readAffinity(conn, request->uuid, &request->affinity);
    }
    mode.taken = taken;
    mode.named = named;
    if (!virtProvisionChoose(host, request->wishes, &mode, error))
        return false;
    keep(daemon, client, request);
    return true;
}

/* ---- stored domains, again ---- */

static bool
areSame(const GArray *a, const GArray *b)
{
    for (guint i = 0; i < a->len; i++) {
        if (!virtHandleEqual(&g_array_index(a, virtWish, i).handle, &g_array_index(b, virtWish, i).handle))
            return false;
    }
    return true;
}

/* Look for those of @wishes that are no longer at their addresses. What other domains name is asked for only then. */
static bool
chooseAgain(virtDaemon *daemon, virConnectPtr conn, const char *uuid, const virtAffinity *affinity, GArray *wishes,
            GError **error)
{
    g_autoptr(GPtrArray) stored = NULL;
    g_autoptr(virtHost) host = virtDaemonHostNew();
    g_autoptr(GArray) taken = listTaken(daemon), tried = g_array_copy(wishes), named = NULL;
    virtChooseMode mode = {.taken = taken, .affinity = affinity, .keep = true};

    if (!virtProvisionChoose(host, tried, &mode, error))
        return false;
    if (areSame(tried, wishes))
        return true;
    stored = listStored(conn, uuid);
    named = listNamed(stored);
    mode.named = named;
    return virtProvisionChoose(host, wishes, &mode, error);
}

/* What is stored of @dom, for g_free(). */
static char *
getStored(virDomainPtr dom, guint flags, GError **error)
{
    char *xml = virDomainGetXMLDesc(dom, VIR_DOMAIN_XML_INACTIVE | flags);
    char *copy = g_strdup(xml);

    if (!xml)
        virtDaemonLibvirtError(error, "Cannot read", "its XML");
    free(xml); /* libvirt's is malloc's, ours is GLib's */
    return copy;
}

/* Between reading and defining nothing else is done: who defines the domain meanwhile loses what he has changed. */
static bool
defineWith(virDomainPtr dom, const GArray *wishes, GError **error)
{
    g_autofree char *stored = getStored(dom, VIR_DOMAIN_XML_SECURE, error), *text = NULL;
    g_autoptr(virDomain) defined = NULL;

    if (!stored || !(text = virtDomainGrantWishes(stored, strlen(stored), NULL, 0, wishes, error)))
        return false;
    defined = virDomainDefineXML(virDomainGetConnect(dom), text);
    if (!defined)
        virtDaemonLibvirtError(error, "Cannot define", "it with what was found");
    return defined != NULL;
}

static void
tellMoved(virDomainPtr dom, const char *uuid, const GArray *wishes, const GArray *were)
{
    const char *name = virDomainGetName(dom);

    for (guint i = 0; i < wishes->len; i++) {
        const virtWish *wish = &g_array_index(wishes, virtWish, i);
        const virtHandle *was = &g_array_index(were, virtWish, i).handle;
        const virtDaemonAbout about = {.uuid = uuid, .name = name, .handle = &wish->handle};
        g_autofree char *what = NULL;

        if (virtHandleEqual(&wish->handle, was))
            continue;
        what = virtChoiceDescribe(&wish->choice);
        virtDaemonLog(VIRT_LOG_RECONCILE, G_LOG_LEVEL_INFO, &about, "Domain '%s': %s is now %s, no longer %s", name,
                      what, wish->handle.name, was->name);
    }
}

static bool
resolve(virtDaemon *daemon, virDomainPtr dom, const char *uuid, GError **error)
{
    g_autofree char *xml = getStored(dom, 0, error);
    g_autoptr(GArray) wishes = NULL, were = NULL;
    virtAffinity affinity;

    if (!xml || !(wishes = virtDomainListWishes(xml, strlen(xml), NULL, 0, error)))
        return false;
    were = g_array_copy(wishes);
    if (wishes->len == 0)
        return true;
    virtAffinityReadXml(xml, strlen(xml), &affinity);
    if (!chooseAgain(daemon, virDomainGetConnect(dom), uuid, &affinity, wishes, error))
        return false;
    if (areSame(wishes, were) || virDomainIsActive(dom) != 0)
        return true;
    if (!defineWith(dom, wishes, error))
        return false;
    tellMoved(dom, uuid, wishes, were);
    return true;
}

/* Look again for what the domain @uuid asks for, and define it with what is found where its addresses are gone or
 * another card's. A domain that runs, or that nobody has stored, is left alone. The caller holds the domain's lock.
 *
 * Errors: those of virtProvisionChoose(); VIRT_ERROR_HOST where libvirt does not tell, or refuses.
 */
bool
virtDaemonChooseStored(virtDaemon *daemon, const char *uuid, GError **error)
{
    virConnectPtr conn = virtDaemonLibvirtBorrow(daemon, error);
    g_autoptr(virDomain) dom = NULL;
    bool ok = conn != NULL;

    if (conn)
        dom = virDomainLookupByUUIDString(conn, uuid);
    if (dom && virDomainIsPersistent(dom) == 1 && virDomainIsActive(dom) == 0) {
        g_mutex_lock(&choosing);
        ok = resolve(daemon, dom, uuid, error);
        g_mutex_unlock(&choosing);
    }
    g_clear_pointer(&dom, virDomainFree);
    virtDaemonLibvirtReturn(daemon, conn);
    return ok;
}

/* ---- what a domain has ---- */

/* The device among @hostdevs (NULL: none) that asks for @choice. */
static bool
findAsked(const GPtrArray *hostdevs, const virtChoice *choice, virtHandle *ret, GError **error)
{
    for (guint i = 0; hostdevs && i < hostdevs->len; i++) {
        const virtHostdev *hostdev = hostdevs->pdata[i];
        g_autofree char *what = NULL;

        if (!virtChoiceEqual(&hostdev->choice, choice))
            continue;
        if (virtHandleIsNone(ret) || virtHandleEqual(ret, &hostdev->handle)) {
            *ret = hostdev->handle;
            continue;
        }
        what = virtChoiceDescribe(choice);
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "The domain has several devices that ask for %s: say which one is meant with its <address>", what);
        return false;
    }
    return true;
}

/* Which of the domain's devices asks for the same as the one wish of @request. */
static bool
findAttached(virConnectPtr conn, const virtBrokerRequest *request, GError **error)
{
    g_autoptr(virtDaemonDomain) domain = virtDaemonDomainGet(conn, request->uuid, error);
    virtWish *wish = &g_array_index(request->wishes, virtWish, 0);
    g_autoptr(GPtrArray) live = NULL, config = NULL;
    g_autofree char *what = virtChoiceDescribe(&wish->choice);

    if (!domain)
        return false;
    if ((domain->live && !(live = virtDaemonMetadataGet(domain->dom, VIR_DOMAIN_AFFECT_LIVE, error))) ||
        (domain->config && !(config = virtDaemonMetadataGet(domain->dom, VIR_DOMAIN_AFFECT_CONFIG, error))))
        return false;
    memset(&wish->handle, 0, sizeof(wish->handle));
    if (!findAsked(live, &wish->choice, &wish->handle, error) ||
        (virtHandleIsNone(&wish->handle) && !findAsked(config, &wish->choice, &wish->handle, error)))
        return false;
    if (virtHandleIsNone(&wish->handle))
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND, "The domain has no device that asks for %s", what);
    return !virtHandleIsNone(&wish->handle);
}

/* Finds what the wishes of @request ask for, whose handles are filled in. */
bool
virtDaemonChoose(virtDaemon *daemon, const virtDaemonClient *client, virtBrokerRequest *request, GError **error)
{
    g_autoptr(virConnect) conn = virtDaemonLibvirtGet(daemon, error);
    bool ok;

    if (!conn)
        return false;
    if (request->mode == VIRT_BROKER_FOR_DETACH)
        return findAttached(conn, request, error);
    g_mutex_lock(&choosing);
    ok = choose(daemon, client, request, conn, error);
    g_mutex_unlock(&choosing);
    return ok;
}

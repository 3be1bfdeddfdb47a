/* daemon_request.c: what a filter has asked for is done, if what the daemon itself reads agrees
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "daemon/daemon.h"
#include "hypervisor/provision_drift.h"

#include <string.h>

static bool
refuseDevice(GError **error, int code, const virtBrokerRequest *request, const virtDaemonDomain *domain,
             const char *why)
{
    const char *name = request->uuid;

    if (domain->live)
        name = domain->live->name;
    else if (domain->config)
        name = domain->config->name;
    g_set_error(error, VIRT_ERROR, code, "Cannot set %s %s for domain '%s': %s", virtHandleGetNoun(&request->handle),
                request->handle.name, name, why);
    return false;
}

/* What the live metadata says about the device; NULL where nothing, and it is not to be touched. */
static virtHostdev *
findWanted(const virtBrokerRequest *request, const virtDaemonDomain *domain, GPtrArray *metadata, GError **error)
{
    virtHostdev *wanted = virtHostdevListFind(metadata, &request->handle);

    if (!wanted)
        refuseDevice(error, VIRT_ERROR_INVALID, request, domain, "its metadata says nothing about this device");
    return wanted;
}

/* The guest has the VF that libvirt has taken for it from a network; the rest of that is set now. */
static bool
prepareInterface(virtHost *host, const virtBrokerRequest *request, const virtDaemonDomain *domain, virtOwner *owner,
                 virtHostdev *wanted, GError **error)
{
    g_autoptr(GPtrArray) one = g_ptr_array_new(), located = NULL;
    g_autoptr(virtRecord) record = NULL;
    const virtHostdev *hostdev;

    g_ptr_array_add(one, wanted);
    located = virtDomainConfLocate(domain->live, one);
    hostdev = located->pdata[0];
    if (!hostdev->fromNetwork)
        return refuseDevice(error, VIRT_ERROR_INVALID, request, domain,
                            "its network gives it no VF. Name a network with <forward mode='hostdev'/>");
    record = virtProvisionRecordLoad(host, &hostdev->handle, NULL);
    if (record && virtOwnerEqual(owner, &record->owner) && record->phase == VIRT_PHASE_ACTIVE)
        return refuseDevice(error, VIRT_ERROR_INVALID, request, domain, "its VF was set when it was attached");
    owner->hasGuest = true;
    return virtProvisionPrepare(host, owner, located, error);
}

static bool
prepareDevice(virtHost *host, const virtBrokerRequest *request, const virtDaemonDomain *domain, virtOwner *owner,
              virtHostdev *wanted, GError **error)
{
    g_autoptr(GPtrArray) one = g_ptr_array_new();

    if (virtHandleIsNetwork(&request->handle))
        return prepareInterface(host, request, domain, owner, wanted, error);
    if (virtDomainConfHas(domain->live, &request->handle))
        return refuseDevice(error, VIRT_ERROR_INVALID, request, domain,
                            "it already has that device. To change it, use update-device");
    g_ptr_array_add(one, wanted);
    return virtProvisionPrepare(host, owner, one, error);
}

static bool
updateDevice(virtHost *host, const virtBrokerRequest *request, const virtDaemonDomain *domain, const virtOwner *owner,
             const virtHostdev *wanted, GError **error)
{
    if (!virtDomainConfHas(domain->live, &request->handle))
        return refuseDevice(error, VIRT_ERROR_INVALID, request, domain,
                            "it has no such device. To add it, use attach-device");
    return virtProvisionUpdate(host, owner, wanted, error);
}

static bool
setDevice(virtDaemon *daemon, const virtBrokerRequest *request, GError **error)
{
    g_autoptr(virtHost) host = virtDaemonHostNew();
    g_autoptr(virConnect) conn = virtDaemonLibvirtGet(daemon, error);
    g_autoptr(virtDaemonDomain) domain = NULL;
    g_autoptr(GPtrArray) metadata = NULL;
    g_autoptr(virtOwner) owner = NULL;
    virtHostdev *wanted;

    if (!conn || !(domain = virtDaemonDomainGet(conn, request->uuid, error)))
        return false;
    if (!domain->live)
        return refuseDevice(error, VIRT_ERROR_INVALID, request, domain, "the domain is not running");
    if (!(metadata = virtDaemonMetadataGet(domain->dom, VIR_DOMAIN_AFFECT_LIVE, error)) ||
        !(wanted = findWanted(request, domain, metadata, error)))
        return false;
    owner = virtOwnerNew(domain->live->name, request->uuid);
    if (request->verb == VIRT_BROKER_PREPARE)
        return prepareDevice(host, request, domain, owner, wanted, error);
    return updateDevice(host, request, domain, owner, wanted, error);
}

/* ---- the end of an attach ---- */

/* A virtDriftFunc: what keeps the VF from being as it was set; *opaque is a GString. */
static void
addDrift(virtHost *host, const virtDrift *drift, void *opaque)
{
    GString *wrong = opaque;

    (void)host;
    if (drift->problem)
        g_string_append_printf(wrong, "it cannot be read: %s", drift->problem->message);
    for (guint i = 0; i < drift->rows->len; i++) {
        const virtPlanRow *row = drift->rows->pdata[i];

        if (!row->differs)
            continue;
        if (wrong->len)
            g_string_append(wrong, ", ");
        if (row->port)
            g_string_append_printf(wrong, "port %u: ", row->port);
        g_string_append_printf(wrong, "%s was set to %s and is now %s", row->title, row->to, row->from);
    }
}

/* What is wrong with a device that libvirt has attached to @live, empty: nothing. */
static void
addWrong(const virtBrokerRequest *request, const virtDomainConf *live, virtHostdev *entry, GString *wrong)
{
    g_autoptr(virtHost) host = virtDaemonHostNew();
    g_autoptr(GPtrArray) one = g_ptr_array_new(), located = NULL;
    g_autoptr(GError) error = NULL;
    const virtHostdev *hostdev;
    g_autoptr(virtRecord) record = NULL;

    if (!entry) {
        g_string_append(wrong, "the domain's metadata no longer has its settings");
        return;
    }
    if (virtSettingsAreEmpty(&entry->settings))
        return;
    g_ptr_array_add(one, entry);
    located = virtDomainConfLocate(live, one);
    hostdev = located->pdata[0];
    if (!(record = virtProvisionRecordLoad(host, &hostdev->handle, &error))) {
        g_string_append_printf(wrong, "it has no record and will not be restored: %s", error->message);
    } else if (g_strcmp0(record->owner.uuid, request->uuid) != 0 || record->phase != VIRT_PHASE_ACTIVE ||
               !virtProvisionAgrees(hostdev, record)) {
        g_string_append(wrong, "its record does not match the domain's metadata");
    } else if (!virtProvisionCheckTaken(host, hostdev, &error)) {
        g_string_append(wrong, error->message);
    } else {
        one->pdata[0] = record;
        virtProvisionDrift(host, one, addDrift, wrong);
    }
}

/* Are device, metadata, record and the VF itself as an attach has them when it is told to have worked? */
static bool
verifyAttached(virtDaemon *daemon, const virtBrokerRequest *request, GError **error)
{
    g_autoptr(virConnect) conn = virtDaemonLibvirtGet(daemon, error);
    g_autoptr(virtDaemonDomain) domain = NULL;
    g_autoptr(GPtrArray) metadata = NULL;
    g_autoptr(GString) wrong = g_string_new(NULL);
    const char *noun = virtHandleGetNoun(&request->handle), *name = request->handle.name;

    if (!conn || !(domain = virtDaemonDomainGet(conn, request->uuid, error)))
        return false;
    if (!domain->live || !virtDomainConfHas(domain->live, &request->handle)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
                    "%s %s is not among the devices of domain %s: it was restored", noun, name, request->uuid);
        return false;
    }
    if (!(metadata = virtDaemonMetadataGet(domain->dom, VIR_DOMAIN_AFFECT_LIVE, error)))
        return false;
    addWrong(request, domain->live, virtHostdevListFind(metadata, &request->handle), wrong);
    if (wrong->len == 0)
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED,
                "%s %s was attached to domain '%s', but %s. Detach it and attach it again", noun, name,
                domain->live->name, wrong->str);
    return false;
}

/* Does what @request asks for.
 * @barrier: begin only: whether libvirt may still be busy for somebody who is gone
 *
 * Errors: VIRT_ERROR_INVALID where the domain is not as asked, VIRT_ERROR_HOST where libvirt does not tell, and those
 * of src/hypervisor. A VF left over that cannot be put back keeps nobody from beginning, but is told at the end; at the
 * end of an attach it is only logged, and what is told is whether that device is as it should be.
 */
bool
virtDaemonRequestRun(virtDaemon *daemon, const virtBrokerRequest *request, bool barrier, GError **error)
{
    g_autoptr(GError) local = NULL;
    bool again = false;

    if (request->verb == VIRT_BROKER_PREPARE || request->verb == VIRT_BROKER_UPDATE)
        return setDevice(daemon, request, error);
    virtDaemonReconcile(daemon, request->uuid, barrier && request->verb == VIRT_BROKER_BEGIN, &again, &local);
    if (request->verb == VIRT_BROKER_END && !virtHandleIsNone(&request->handle) &&
        (!local || g_error_matches(local, VIRT_ERROR, VIRT_ERROR_REFUSED)))
        return verifyAttached(daemon, request, error);
    if (!local || (request->verb == VIRT_BROKER_BEGIN && g_error_matches(local, VIRT_ERROR, VIRT_ERROR_REFUSED)))
        return true;
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

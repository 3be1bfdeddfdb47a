/* daemon_request.c: what a filter has asked for is done, if what the daemon itself reads agrees
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "remote/daemon.h"

#include <string.h>

static bool
refuse(GError **error, int code, const virtBrokerRequest *request, const virtDaemonDomain *domain, const char *why)
{
    const virtDomain *known = domain->live ? domain->live : domain->config;
    char address[VIRT_PCI_ADDRESS_LEN];

    virtPCIAddressFormat(&request->address, address);
    g_set_error(error, VIRT_ERROR, code, "Cannot set VF %s for domain '%s': %s", address,
                known ? known->name : request->uuid, why);
    return false;
}

/* What the live metadata says about the VF; NULL where nothing, and it is not to be touched. */
static virtHostdev *
findWanted(const virtBrokerRequest *request, const virtDaemonDomain *domain, GPtrArray *metadata, GError **error)
{
    virtHostdev *wanted = virtHostdevListFind(metadata, &request->address);

    if (!wanted)
        refuse(error, VIRT_ERROR_INVALID, request, domain, "its metadata names no netdevs for this device");
    return wanted;
}

static bool
prepare(virtHost *host, const virtBrokerRequest *request, const virtDaemonDomain *domain, const virtOwner *owner,
        virtHostdev *wanted, GError **error)
{
    g_autoptr(GPtrArray) one = g_ptr_array_new();

    if (virtDaemonDomainHas(domain->live, &request->address))
        return refuse(error, VIRT_ERROR_INVALID, request, domain,
                      "it has that device already. To change it, use update-device.");
    g_ptr_array_add(one, wanted);
    return virtQemuHostdevPrepare(host, owner, one, error);
}

static bool
update(virtHost *host, const virtBrokerRequest *request, const virtDaemonDomain *domain, const virtOwner *owner,
       const virtHostdev *wanted, GError **error)
{
    if (!virtDaemonDomainHas(domain->live, &request->address))
        return refuse(error, VIRT_ERROR_INVALID, request, domain,
                      "it has no such device. To add it, use attach-device.");
    return virtQemuHostdevUpdate(host, owner, wanted, error);
}

static bool
setVF(virtDaemon *daemon, const virtBrokerRequest *request, GError **error)
{
    g_autoptr(virtHost) host = virtDaemonHostNew();
    g_autoptr(virConnect) conn = virtDaemonLibvirtGet(daemon, error);
    g_autoptr(virtDaemonDomain) domain = conn ? virtDaemonDomainGet(conn, request->uuid, error) : NULL;
    g_autoptr(GPtrArray) metadata = NULL;
    g_autoptr(virtOwner) owner = NULL;
    virtHostdev *wanted;

    if (!domain)
        return false;
    if (!domain->live)
        return refuse(error, VIRT_ERROR_INVALID, request, domain, "the domain is not running");
    if (!(metadata = virtDaemonMetadataGet(domain->dom, VIR_DOMAIN_AFFECT_LIVE, error)) ||
        !(wanted = findWanted(request, domain, metadata, error)))
        return false;
    owner = virtOwnerNew(domain->live->name, request->uuid);
    if (request->verb == VIRT_BROKER_PREPARE)
        return prepare(host, request, domain, owner, wanted, error);
    return update(host, request, domain, owner, wanted, error);
}

/* Does what @request asks for.
 * @barrier: begin only: whether libvirt may still be busy for somebody who is gone
 *
 * Errors: VIRT_ERROR_INVALID where the domain is not as asked, VIRT_ERROR_HOST where libvirt does not tell, and those
 * of src/qemu. A VF left over that cannot be put back keeps nobody from beginning, but is told at the end.
 */
bool
virtDaemonRequestRun(virtDaemon *daemon, const virtBrokerRequest *request, bool barrier, GError **error)
{
    g_autoptr(GError) local = NULL;
    bool again = false;

    if (request->verb == VIRT_BROKER_PREPARE || request->verb == VIRT_BROKER_UPDATE)
        return setVF(daemon, request, error);
    if (virtDaemonSettle(daemon, request->uuid, barrier && request->verb == VIRT_BROKER_BEGIN, &again, &local) ||
        (request->verb == VIRT_BROKER_BEGIN && g_error_matches(local, VIRT_ERROR, VIRT_ERROR_REFUSED)))
        return true;
    g_propagate_error(error, g_steal_pointer(&local));
    return false;
}

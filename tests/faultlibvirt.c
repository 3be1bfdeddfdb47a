/* faultlibvirt.c: a libvirt with two domains, for the daemon's and the tool's code as it is; its calls are steps
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * This program is not linked with libvirt: these are the calls that src/daemon and src/tools make here, and what the
 * daemon's files need of their neighbours.
 */
#include "faultstep.h"
#include "daemon/daemon.h"
#include "util/virerror.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdlib.h>
#include <string.h>

struct _virDomain {
    char uuid[VIR_UUID_STRING_BUFLEN];
};

static struct {
    fakeHost *fake;
    const char *pf;
    int code; /* of the last error */
} libvirt;

static char connection; /* there is but one */

virConnectPtr
faultLibvirtConnect(void)
{
    return faultState->guest.away ? NULL : (virConnectPtr)(void *)&connection;
}

void
faultLibvirtInit(fakeHost *fake, const char *pf)
{
    libvirt.fake = fake;
    libvirt.pf = pf;
}

/* Does this call go wrong? One that was done and whose answer is lost is done all the same. */
static bool
lose(int code, bool *ret_done)
{
    int problem = faultBegin(FAULT_LIBVIRT, FAULT_CALL);

    libvirt.code = problem ? VIR_ERR_RPC : code;
    *ret_done = problem == 0 || problem == ECONNRESET;
    return problem != 0;
}

static bool
fails(int code)
{
    bool done;
    bool lost = lose(code, &done);

    faultEnd();
    return lost || code != VIR_ERR_OK;
}

static bool
isGuest(virDomainPtr dom)
{
    return g_str_equal(dom->uuid, UUID_A);
}

int
virGetLastErrorCode(void)
{
    return libvirt.code;
}

const char *
virGetLastErrorMessage(void)
{
    return libvirt.code == VIR_ERR_RPC ? "Cannot recv data: Connection reset by peer" : "no such thing";
}

int
virConnectClose(virConnectPtr conn)
{
    return 0;
}

int
virConnectGetLibVersion(virConnectPtr conn, unsigned long *version)
{
    *version = 9000000;
    return fails(VIR_ERR_OK) ? -1 : 0;
}

int
virConnectListAllDomains(virConnectPtr conn, virDomainPtr **domains, unsigned int flags)
{
    g_assert_not_reached();
}

virDomainPtr
virDomainLookupByUUIDString(virConnectPtr conn, const char *uuid)
{
    bool known = g_str_equal(uuid, UUID_A) || g_str_equal(uuid, UUID_B);
    virDomainPtr dom;

    if (fails(known ? VIR_ERR_OK : VIR_ERR_NO_DOMAIN))
        return NULL;
    dom = g_new0(struct _virDomain, 1);
    g_strlcpy(dom->uuid, uuid, sizeof(dom->uuid));
    return dom;
}

int
virDomainFree(virDomainPtr dom)
{
    g_free(dom);
    return 0;
}

const char *
virDomainGetName(virDomainPtr dom)
{
    return isGuest(dom) ? "a" : "b";
}

int
virDomainGetUUIDString(virDomainPtr dom, char *text)
{
    g_strlcpy(text, dom->uuid, VIR_UUID_STRING_BUFLEN);
    return 0;
}

virConnectPtr
virDomainGetConnect(virDomainPtr dom)
{
    return (virConnectPtr)(void *)&connection;
}

int
virDomainIsActive(virDomainPtr dom)
{
    return fails(VIR_ERR_OK) ? -1 : !isGuest(dom) || faultState->guest.running;
}

int
virDomainIsPersistent(virDomainPtr dom)
{
    return fails(VIR_ERR_OK) ? -1 : 0;
}

static void
addDevice(GString *xml, guint vf)
{
    virtPCIAddress address;

    g_assert_true(virtPCIAddressParse(fakeHostVFAddress(libvirt.fake, libvirt.pf, vf), &address, NULL));
    if (faultState->guest.ofNetwork)
        g_string_append_printf(xml, "<interface type='hostdev' managed='yes'><mac address='52:54:00:00:00:0%u'/>", vf);
    else
        g_string_append(xml, "<hostdev mode='subsystem' type='pci' managed='yes'>");
    g_string_append_printf(
        xml, "<source><address type='pci' domain='0x%04x' bus='0x%02x' slot='0x%02x' function='0x%x'/></source>",
        address.domain, address.bus, address.slot, address.function);
    g_string_append(xml, faultState->guest.ofNetwork ? "</interface>" : "</hostdev>");
}

char *
virDomainGetXMLDesc(virDomainPtr dom, unsigned int flags)
{
    g_autoptr(GString) xml = g_string_new(NULL);
    bool running = !isGuest(dom) || faultState->guest.running;

    if (fails(VIR_ERR_OK))
        return NULL;
    g_string_append_printf(xml, "<domain type='kvm'%s><name>%s</name><uuid>%s</uuid><metadata>%s</metadata><devices>",
                           running ? " id='1'" : "", virDomainGetName(dom), dom->uuid,
                           isGuest(dom) ? faultState->guest.live : "");
    for (guint vf = 0; vf < 2 && isGuest(dom); vf++) {
        if (faultState->guest.has[vf])
            addDevice(xml, vf);
    }
    g_string_append(xml, "</devices></domain>");
    return strdup(xml->str);
}

char *
virDomainGetMetadata(virDomainPtr dom, int type, const char *uri, unsigned int flags)
{
    if (fails(*faultState->guest.live ? VIR_ERR_OK : VIR_ERR_NO_DOMAIN_METADATA))
        return NULL;
    return strdup(faultState->guest.live);
}

int
virDomainSetMetadata(virDomainPtr dom, int type, const char *metadata, const char *key, const char *uri,
                     unsigned int flags)
{
    bool done;
    bool lost = lose(VIR_ERR_OK, &done);

    if (done)
        g_strlcpy(faultState->guest.live, metadata ? metadata : "", sizeof(faultState->guest.live));
    faultEnd();
    return lost ? -1 : 0;
}

/* ---- the daemon's own ---- */

virtHost *
virtDaemonHostNew(void)
{
    return faultHostNew();
}

virConnectPtr
virtDaemonLibvirtGet(virtDaemon *daemon, GError **error)
{
    return (virConnectPtr)(void *)&connection;
}

virConnectPtr
virtDaemonLibvirtBorrow(virtDaemon *daemon, GError **error)
{
    return virtDaemonLibvirtGet(daemon, error);
}

void
virtDaemonLibvirtReturn(virtDaemon *daemon, virConnectPtr conn)
{
}

void
virtDaemonLibvirtError(GError **error, const char *what, const char *uuid)
{
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "%s %s: %s", what, uuid, virGetLastErrorMessage());
}

void
virtDaemonLog(virtDaemonLogKind kind, GLogLevelFlags level, const virtDaemonAbout *about, const char *format, ...)
{
}

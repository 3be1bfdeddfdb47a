/* faultoperation.c: the host of the fault machine, and the operations that go wrong on it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One PF with two ports and four VFs. Domain a wants VF 0, both ports, and VF 1, of which port 2 is never spoken of.
 * VF 2 is nobody's and was set by hand. VF 3 is the running domain b's.
 */
#include "faulttest.h"
#include "tools/tool.h"

#include "rpc/broker.h"
#include "util/virstatefile.h"
#include "testrecord.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Of daemon/daemon.h, which cannot be included beside tools/tool.h. */
typedef struct _virtDaemon virtDaemon;
bool virtDaemonRequestRun(virtDaemon *daemon, const virtBrokerRequest *request, bool barrier, GError **error);
bool virtDaemonReconcile(virtDaemon *daemon, const char *uuid, bool barrier, bool *ret_again, GError **error);

#define LINK_ENABLE 1

static fakeVF pristine[8]; /* port by port */
static char *otherRecord;

/* ---- the host ---- */

static void
addMessage(virtHost *host, const char *message)
{
    faultTell(message);
}

void
faultTell(const char *text)
{
    g_strlcat(faultState->message, text, sizeof(faultState->message));
    g_strlcat(faultState->message, "\n", sizeof(faultState->message));
}

static void
dontSleep(gulong microseconds)
{
}

static const char *root;

virtHost *
faultHostNew(void)
{
    virtHost *host = virtHostNew(root);

    host->sleep = dontSleep;
    host->warn = addMessage;
    if (faultDeviceInit)
        faultDeviceInit(host);
    return host;
}

static virtNetdev *
addNetdev(GPtrArray *netdevs, guint vf, guint port, guint vlan)
{
    const guint8 mac[6] = {0x52, 0x54, 0, 0xaa, (guint8)vf, (guint8)port};
    virtNetdev *netdev = virtNetdevNew(port);

    memcpy(netdev->mac, mac, sizeof(mac));
    netdev->vlan.id = (guint16)vlan;
    netdev->vlan.protocol = 0x8100;
    netdev->present = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) | VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    g_ptr_array_add(netdevs, netdev);
    return netdev;
}

static virtHostdev *
newHostdev(fakeHost *fake, guint vf)
{
    virtHostdev *hostdev = g_new0(virtHostdev, 1);

    testSetHandle(&hostdev->handle, fakeHostVFAddress(fake, FAULT_PF, vf));
    virtSettingsInit(&hostdev->settings);
    return hostdev;
}

/* What a wants of VF 0 and, if so many are meant, of VF 1; see setLook(). */
static GPtrArray *
newHostdevs(fakeHost *fake, guint n, bool updated)
{
    GPtrArray *hostdevs = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    virtHostdev *both = newHostdev(fake, 0);
    virtNetdev *first = addNetdev(VIRT_NETDEVS(both), 0, 1, updated ? 300 : 100);
    virtNetdev *second = addNetdev(VIRT_NETDEVS(both), 0, 2, 200);

    first->present |= VIRT_NETDEV_BIT(updated ? VIRT_NETDEV_LINK : VIRT_NETDEV_SPOOFCHECK);
    first->link = LINK_ENABLE;
    second->present |= updated ? VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST) : 0;
    second->trust = 1;
    if (faultFileWant)
        faultFileWant(both, updated);
    g_ptr_array_add(hostdevs, both);
    if (n > 1) {
        virtHostdev *one = newHostdev(fake, 1);
        addNetdev(VIRT_NETDEVS(one), 1, 1, 101);
        g_ptr_array_add(hostdevs, one);
    }
    if (n > 1 && faultDeviceWant)
        faultDeviceWant(hostdevs);
    return hostdevs;
}

/* The same in the kernel's words. */
static void
setLook(fakeVF *table, guint vf, faultLook look)
{
    fakeVF *first = &table[vf], *second = &table[4 + vf];
    const guint8 mac[6] = {0x52, 0x54, 0, 0xaa, (guint8)vf, 1};

    if (look == AS_BEFORE)
        return;
    memcpy(first->mac, mac, sizeof(mac));
    first->vlan = look == UPDATED ? 300 : (guint16)(100 + vf);
    first->qos = 0;
    if (vf > 0)
        return;
    first->spoofchk = look == UPDATED ? first->spoofchk : 0;
    first->link = look == UPDATED ? LINK_ENABLE : first->link;
    memcpy(second->mac, mac, sizeof(mac));
    second->mac[5] = 2;
    second->vlan = 200;
    second->qos = 0;
    second->trust = look == UPDATED ? 1 : second->trust;
}

/* What the kernel must have of all VFs, where those of a are like this; port by port. */
void
faultTableMake(fakeHost *fake, const faultLook look[2], fakeVF *ret)
{
    memcpy(ret, pristine, sizeof(pristine));
    setLook(ret, 0, look[0]);
    setLook(ret, 1, look[1]);
}

static void
setByHand(fakeHost *fake)
{
    fakeHostRandomMac(fake, FAULT_PF, 1, 0, "2e:11:22:33:44:55");
    fakeHostVF(fake, FAULT_PF, 2, 0)->vlan = 7;
    fakeHostVF(fake, FAULT_PF, 2, 0)->qos = 5;
    fakeHostVF(fake, FAULT_PF, 1, 1)->vlan = 9;
    memcpy(fakeHostVF(fake, FAULT_PF, 1, 1)->mac, "\x02\x01\x02\x03\x04\x05", 6);
    fakeHostVF(fake, FAULT_PF, 2, 1)->vlan = 10;
    fakeHostVF(fake, FAULT_PF, 2, 2)->vlan = 33;
    memcpy(fakeHostVF(fake, FAULT_PF, 2, 2)->mac, "\x02\x0a\x0b\x0c\x0d\x0e", 6);
}

#define STATUS                                                                                                         \
    "<domstatus state='running' pid='4242'><domain type='kvm' id='1'><name>%s</name><uuid>%s</uuid></domain></domstatus>"

static void
setRuns(fakeHost *fake, const char *name, const char *uuid)
{
    g_autofree char *text = uuid ? g_strdup_printf(STATUS, name, uuid) : NULL;

    fakeHostFile(fake, text, "run/libvirt/qemu/%s.xml", name);
}

/* Domain b takes VF 3. @starter: of it, or 0 */
static void
giveOther(fakeHost *fake, guint64 starter)
{
    g_autoptr(virtHost) host = faultHostNew();
    g_autoptr(virtOwner) b = virtOwnerNew("b", UUID_B);
    g_autoptr(GPtrArray) hostdevs = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    virtHostdev *hostdev = newHostdev(fake, 3);

    virtOwnerSetStarter(b, starter);
    addNetdev(VIRT_NETDEVS(hostdev), 3, 1, 103);
    g_ptr_array_add(hostdevs, hostdev);
    g_assert_true(virtProvisionPrepare(host, b, hostdevs, NULL));
}

fakeHost *
faultHostMake(void)
{
    fakeHost *fake = fakeHostNew();

    root = fake->host->root;
    fakeHostAddPF(fake, FAULT_PF, 2, 4, "dual");
    setByHand(fake);
    faultKernelInit(fake);
    fake->judgeOpaque = (void *)FAULT_PF;
    faultLibvirtInit(fake, FAULT_PF);
    giveOther(fake, 0);
    otherRecord = fakeHostRead(fake, VIRT_STATE_DIR "/%s", fakeHostVFAddress(fake, FAULT_PF, 3));
    memcpy(pristine, fakeHostVF(fake, FAULT_PF, 1, 0), sizeof(pristine));
    return fake;
}

/* All as at first, in all that an operation can change. */
void
faultHostReset(fakeHost *fake)
{
    g_autofree char *state = virtHostPath(fake->host, VIRT_STATE_DIR);
    g_autoptr(GDir) dir = g_dir_open(state, 0, NULL);
    const char *other = fakeHostVFAddress(fake, FAULT_PF, 3), *name;
    g_autofree char *record = g_build_filename(state, other, NULL);

    while ((name = g_dir_read_name(dir))) {
        g_autofree char *path = g_build_filename(state, name, NULL);
        g_assert_cmpint(unlink(path), ==, 0);
    }
    fakeHostFile(fake, otherRecord, VIRT_STATE_DIR "/%s", other);
    g_assert_cmpint(chmod(record, 0600), ==, 0);
    memcpy(fakeHostVF(fake, FAULT_PF, 1, 0), pristine, sizeof(pristine));
    for (guint vf = 0; vf < 2; vf++)
        fakeHostSetDriver(fake, fakeHostVFAddress(fake, FAULT_PF, vf), "dualvf");
    if (faultFileReset)
        faultFileReset(fake);
    if (faultDeviceReset)
        faultDeviceReset(fake);
    setRuns(fake, "a", NULL);
    setRuns(fake, "b", UUID_B);
    memset(&faultState->guest, 0, sizeof(faultState->guest));
}

/* ---- operations ---- */

static bool
prepareThese(fakeHost *fake, guint n, bool starts, GError **error)
{
    g_autoptr(virtHost) host = faultHostNew();
    g_autoptr(virtOwner) a = virtOwnerNew("a", UUID_A);
    g_autoptr(GPtrArray) hostdevs = newHostdevs(fake, n, false);

    if (starts)
        virtOwnerSetStarter(a, (guint64)getpid());
    return virtProvisionPrepare(host, a, hostdevs, error);
}

static bool
release(fakeHost *fake, GError **error)
{
    g_autoptr(virtHost) host = faultHostNew();
    g_autoptr(virtOwner) a = virtOwnerNew("a", UUID_A);

    return testRelease(host, a, NULL, error);
}

static bool
prepare(fakeHost *fake, GError **error)
{
    return prepareThese(fake, 2, true, error);
}

/* A whole life of another guest with the same VFs. */
bool
faultLiveAgain(fakeHost *fake, GError **error)
{
    return prepareThese(fake, 2, false, error) && release(fake, error);
}

static void
setNothing(fakeHost *fake)
{
}

/* The last setting but one of a start; what was set before it goes back. */
static void
refuseOne(fakeHost *fake)
{
    fake->failAttr = 6;
}

static void
writeMetadata(fakeHost *fake, bool updated, guint n)
{
    g_autoptr(GPtrArray) hostdevs = newHostdevs(fake, n, updated);
    g_autofree char *xml = virtMetadataFormat(hostdevs);

    g_strlcpy(faultState->guest.live, xml, sizeof(faultState->guest.live));
}

/* Domain a runs, with both VFs. */
static void
startGuest(fakeHost *fake)
{
    g_assert_true(prepareThese(fake, 2, false, NULL));
    setRuns(fake, "a", UUID_A);
    writeMetadata(fake, false, 2);
    faultState->guest.running = true;
    faultState->guest.has[0] = faultState->guest.has[1] = true;
}

static void
stopGuest(fakeHost *fake)
{
    startGuest(fake);
    setRuns(fake, "a", NULL);
    faultState->guest.running = false;
}

static void
stopGuestWithoutLibvirt(fakeHost *fake)
{
    stopGuest(fake);
    faultState->guest.away = true;
}

static bool
update(fakeHost *fake, GError **error)
{
    g_autoptr(virtHost) host = faultHostNew();
    g_autoptr(virtOwner) a = virtOwnerNew("a", UUID_A);
    g_autoptr(GPtrArray) hostdevs = newHostdevs(fake, 1, true);

    return virtProvisionUpdate(host, a, hostdevs->pdata[0], error);
}

static void
startGuestAndRefuse(fakeHost *fake)
{
    startGuest(fake);
    fake->failAttr = 3;
}

/* Updating again, to what the guest had. */
static bool
updateBack(fakeHost *fake, GError **error)
{
    g_autoptr(virtHost) host = faultHostNew();
    g_autoptr(virtOwner) a = virtOwnerNew("a", UUID_A);
    g_autoptr(GPtrArray) hostdevs = newHostdevs(fake, 1, false);

    return virtProvisionUpdate(host, a, hostdevs->pdata[0], error);
}

static bool
reconcile(fakeHost *fake, GError **error)
{
    bool again;

    return virtDaemonReconcile(NULL, UUID_A, true, &again, error);
}

/* The guest has given VF 1 back. */
static void
unplug(fakeHost *fake)
{
    startGuest(fake);
    faultState->guest.has[1] = false;
}

/* A client has changed the metadata and died. */
static void
changeMetadata(fakeHost *fake)
{
    startGuest(fake);
    writeMetadata(fake, true, 2);
}

/* Domain a runs with VF 0; VF 1 is in the metadata, to be attached. */
static void
beginAttach(fakeHost *fake)
{
    g_assert_true(prepareThese(fake, 1, false, NULL));
    setRuns(fake, "a", UUID_A);
    writeMetadata(fake, false, 2);
    faultState->guest.running = true;
    faultState->guest.has[0] = true;
}

static bool
attach(fakeHost *fake, GError **error)
{
    virtBrokerRequest request = {.verb = VIRT_BROKER_PREPARE, .uuid = UUID_A};

    testSetHandle(&request.handle, fakeHostVFAddress(fake, FAULT_PF, 1));
    return virtDaemonRequestRun(NULL, &request, false, error);
}

/* A domain that died long ago has left VF 0 set; it was otherwise the same. */
static void
leaveOne(fakeHost *fake)
{
    g_autoptr(virtHost) host = faultHostNew();
    g_autoptr(virtOwner) gone = virtOwnerNew("c", "33333333-2222-3333-4444-555555555555");
    g_autoptr(GPtrArray) hostdevs = newHostdevs(fake, 1, false);

    g_assert_true(virtProvisionPrepare(host, gone, hostdevs, NULL));
}

static bool
prepareOthers(fakeHost *fake, GError **error)
{
    g_autoptr(virtHost) host = faultHostNew();
    g_autoptr(virtOwner) a = virtOwnerNew("a", UUID_A);
    g_autoptr(GPtrArray) hostdevs = newHostdevs(fake, 1, false);
    virtHostdev *others = newHostdev(fake, 3);

    addNetdev(VIRT_NETDEVS(others), 3, 1, 100);
    g_ptr_array_add(hostdevs, others);
    return virtProvisionPrepare(host, a, hostdevs, error);
}

/* Domain b is only being started: nothing tells of it but the process that does that. */
static void
startOther(fakeHost *fake)
{
    g_autofree char *path = virtHostPath(fake->host, VIRT_STATE_DIR "/%s", fakeHostVFAddress(fake, FAULT_PF, 3));

    g_assert_cmpint(unlink(path), ==, 0);
    setRuns(fake, "b", NULL);
    giveOther(fake, (guint64)getppid());
}

/* ---- the tool ---- */

virConnectPtr
virtToolConnect(virtTool *tool, bool readOnly, GError **error)
{
    return faultLibvirtConnect();
}

bool
virtToolOptions(virtTool *tool, const GOptionEntry *entries, int *argc, char ***argv, int min, int max, GError **error)
{
    return true;
}

/* virt-hostdev recover */
bool
faultRestore(fakeHost *fake, GError **error)
{
    char *argv[] = {(char *)"recover", NULL};
    virtTool tool = {.host = faultHostNew()};
    bool ok = virtCmdRecover(&tool, 1, argv, error);

    virtHostFree(tool.host);
    return ok;
}

/* clang-format off */
const faultOperation faultOperations[] = {
    {"prepare", setNothing, prepare, NULL, {AS_BEFORE, AS_BEFORE}, {ATTACHED, ATTACHED}},
    {"prepare, refused by the driver", refuseOne, prepare, NULL, {AS_BEFORE, AS_BEFORE}, {AS_BEFORE, AS_BEFORE},
     .mustFail = true},
    {"prepare, after a domain that died", leaveOne, prepare, NULL, {ATTACHED, AS_BEFORE}, {ATTACHED, ATTACHED},
     .leftOver = true},
    {"prepare, of a running domain's VF", setNothing, prepareOthers, NULL, {AS_BEFORE, AS_BEFORE},
     {AS_BEFORE, AS_BEFORE}, .mustFail = true},
    {"prepare, of a starting domain's VF", startOther, prepareOthers, NULL, {AS_BEFORE, AS_BEFORE},
     {AS_BEFORE, AS_BEFORE}, .mustFail = true},
    {"release", stopGuest, release, NULL, {ATTACHED, ATTACHED}, {AS_BEFORE, AS_BEFORE}, .putsBack = true},
    {"update", startGuest, update, updateBack, {ATTACHED, ATTACHED}, {UPDATED, ATTACHED}, {ATTACHED, ATTACHED}},
    {"update, refused by the driver", startGuestAndRefuse, update, updateBack, {ATTACHED, ATTACHED},
     {ATTACHED, ATTACHED}, {ATTACHED, ATTACHED}, .mustFail = true},
    {"attach by the daemon", beginAttach, attach, reconcile, {ATTACHED, AS_BEFORE}, {ATTACHED, ATTACHED},
     {ATTACHED, AS_BEFORE}},
    {"detach by the daemon", unplug, reconcile, reconcile, {ATTACHED, ATTACHED}, {ATTACHED, AS_BEFORE},
     {ATTACHED, AS_BEFORE}, .putsBack = true},
    {"reconcile with the metadata", changeMetadata, reconcile, reconcile, {ATTACHED, ATTACHED}, {UPDATED, ATTACHED},
     {UPDATED, ATTACHED}},
    {"restore", stopGuest, faultRestore, NULL, {ATTACHED, ATTACHED}, {AS_BEFORE, AS_BEFORE}, .putsBack = true},
    {"restore, libvirt away", stopGuestWithoutLibvirt, faultRestore, NULL, {ATTACHED, ATTACHED},
     {AS_BEFORE, AS_BEFORE}, .putsBack = true},
    {NULL},
};
/* clang-format on */

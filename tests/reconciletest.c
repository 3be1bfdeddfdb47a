/* reconciletest.c: a running domain whose metadata and VF do not agree, where the NIC refuses what would make them
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The daemon's own code on a made-up host, with faultlibvirt.c for libvirt. That each step may fail is tested by
 * faulttest.c; here none does, but the NIC may refuse a VLAN.
 */
#include "daemonguest.h"
#include "util/virerror.h"
#include "testrecord.h"

#include <string.h>

#define PF "0000:01:00.0"

/* What the metadata says, of one VF or two. */
static void
writeMetadata(virtHostdev *first, virtHostdev *second)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    g_autofree char *xml = NULL;

    g_ptr_array_add(list, first);
    if (second)
        g_ptr_array_add(list, second);
    xml = virtMetadataFormat(list);
    g_strlcpy(faultState->guest.live, xml, sizeof(faultState->guest.live));
}

static void
setUp(daemonGuest *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func((GDestroyNotify)virtHostdevFree);
    g_autoptr(virtOwner) owner = virtOwnerNew("a", UUID_A);

    daemonGuestKernel = f->fake = fakeHostNew();
    fakeHostAddPF(f->fake, PF, 2, 4, "dual");
    f->vf = fakeHostVFAddress(f->fake, PF, 0);
    g_ptr_array_add(list, daemonGuestHostdev(f->vf, 100));
    g_assert_true(virtProvisionPrepare(f->fake->host, owner, list, NULL));
    faultLibvirtInit(f->fake, PF);
    memset(faultState, 0, sizeof(*faultState));
    faultState->guest.running = faultState->guest.has[0] = true;
}

static void
tearDown(daemonGuest *f, gconstpointer opaque)
{
    fakeHostFree(f->fake);
}

static bool
reconcile(GError **error)
{
    bool again;

    return virtDaemonReconcile(NULL, UUID_A, true, &again, error);
}

/* That reconciling fails, and names the NIC's refusal. */
static void
assertRefused(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(reconcile(&error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED);
    g_assert_nonnull(strstr(error->message, "VLAN 300"));
}

/* The VLANs that the metadata, the record and the daemonGuestKernel have for VF 0. */
static void
assertVlans(daemonGuest *f, guint inMetadata, guint inRecord, guint inKernel)
{
    g_autoptr(GPtrArray) metadata = virtMetadataParse(faultState->guest.live, strlen(faultState->guest.live), NULL);
    g_autoptr(virtRecord) record = testRecordLoad(f->fake->host, f->vf, NULL);

    g_assert_nonnull(metadata);
    g_assert_nonnull(record);
    const virtHostdev *entry = metadata->pdata[0];
    g_assert_cmpuint(((virtNetdev *)VIRT_NETDEVS(entry)->pdata[0])->vlan.id, ==, inMetadata);
    g_assert_cmpuint(((virtNetdev *)WANTED(record)->pdata[0])->vlan.id, ==, inRecord);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->vlan, ==, inKernel);
}

/* An update wrote its record and died before it set the first VF. */
static void
cutUpdateOff(daemonGuest *f, guint16 vlan)
{
    g_autoptr(virtRecord) record = testRecordLoad(f->fake->host, f->vf, NULL);

    ((virtNetdev *)WANTED(record)->pdata[0])->vlan.id = vlan;
    g_assert_true(virtProvisionRecordSave(f->fake->host, record, VIRT_PHASE_SETTING, NULL));
}

/* ---- tests ---- */

/* The metadata goes back to what the VF has, without what it kept of the interface that was promised. */
static void
testRefused(daemonGuest *f, gconstpointer opaque)
{
    virtHostdev *entry = daemonGuestHostdev(f->vf, 300);
    g_autoptr(GPtrArray) metadata = NULL;

    entry->interface = g_new0(virtInterface, 1);
    entry->interface->opaque = g_strdup("<bandwidth><inbound average='5'/></bandwidth><model type='virtio'/>");
    writeMetadata(entry, NULL);
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    assertRefused();
    assertVlans(f, 100, 100, 100);
    metadata = virtMetadataParse(faultState->guest.live, strlen(faultState->guest.live), NULL);
    entry = metadata->pdata[0];
    g_assert_cmpstr(entry->interface->opaque, ==, "<model type='virtio'/>");
    g_assert_true(reconcile(NULL));
}

/* What a record wants that was never reached is nobody's promise: the metadata stays, and is what is tried again. */
static void
testCutOffRefused(daemonGuest *f, gconstpointer opaque)
{
    writeMetadata(daemonGuestHostdev(f->vf, 300), NULL);
    cutUpdateOff(f, 200);
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    assertRefused();
    assertVlans(f, 300, 200, 100);
    fakeHostHeal(f->fake);
    g_assert_true(reconcile(NULL));
    assertVlans(f, 300, 300, 300);
}

/* The update that was cut off wanted what the metadata says: that it is half way is reason enough to set it. */
static void
testCutOff(daemonGuest *f, gconstpointer opaque)
{
    writeMetadata(daemonGuestHostdev(f->vf, 300), NULL);
    cutUpdateOff(f, 300);
    g_assert_true(reconcile(NULL));
    assertVlans(f, 300, 300, 300);
}

/* One VF's refusal keeps nobody from cleaning up behind another. */
static void
testStaleBeside(daemonGuest *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) metadata = NULL;

    writeMetadata(daemonGuestHostdev(f->vf, 300), daemonGuestHostdev(fakeHostVFAddress(f->fake, PF, 1), 7));
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    assertRefused();
    metadata = virtMetadataParse(faultState->guest.live, strlen(faultState->guest.live), NULL);
    g_assert_cmpuint(metadata->len, ==, 1);
    assertVlans(f, 100, 100, 100);
}

/* Whatever a client has written there, ours or not, well-formed for expat or not: the VF that the guest no longer has
 * goes back, and only then is the metadata complained about. */
static void
testDamaged(daemonGuest *f, gconstpointer opaque)
{
    static const char *const texts[] = {
        "<lh:hostdevs xmlns:lh='urn:libvirt-hostdev:1'><lh:nonsense/></lh:hostdevs>",
        "<f:x xmlns:f='urn:f'><q:undeclared/></f:x>",
        "<f:x xmlns:f='urn:f'><\xe2\x84\x82/>&undeclared;</f:x>",
        "<f:x xmlns:f='urn:f'><![CDATA[</metadata><devices>]]><!-- </metadata></domain> --></f:x>",
    };

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autoptr(GError) error = NULL;

        if (i > 0) {
            tearDown(f, NULL);
            setUp(f, NULL);
        }
        faultState->guest.has[0] = false;
        g_strlcpy(faultState->guest.live, texts[i], sizeof(faultState->guest.live));
        g_assert_true(reconcile(&error) == (i > 0));
        if (i == 0)
            g_assert_nonnull(strstr(error->message, "nonsense"));
        g_assert_null(testRecordLoad(f->fake->host, f->vf, NULL));
        g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->vlan, ==, 0);
    }
}

/* Damaged metadata of a device that the guest has changes nothing of it. */
static void
testDamagedHas(daemonGuest *f, gconstpointer opaque)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = NULL;

    g_strlcpy(faultState->guest.live, "<hostdevs xmlns='urn:libvirt-hostdev:1'><nonsense/></hostdevs>",
              sizeof(faultState->guest.live));
    g_assert_false(reconcile(&error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_REFUSED);
    record = testRecordLoad(f->fake->host, f->vf, NULL);
    g_assert_nonnull(record);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->vlan, ==, 100);
}

/* What the end of an attach tells; the address says that VF 0 was prepared. */
static void
assertEnd(daemonGuest *f, int code, const char *words)
{
    virtBrokerRequest request = {.verb = VIRT_BROKER_END, .uuid = UUID_A};
    g_autoptr(GError) error = NULL;

    testSetHandle(&request.handle, f->vf);
    if (!words) {
        g_assert_true(virtDaemonRequestRun(NULL, &request, false, &error));
        g_assert_no_error(error);
        return;
    }
    g_assert_false(virtDaemonRequestRun(NULL, &request, false, &error));
    g_assert_error(error, VIRT_ERROR, code);
    g_assert_nonnull(strstr(error->message, words));
}

/* libvirt has attached the device: the client hears so only if all that belongs to it is there. */
static void
testAttached(daemonGuest *f, gconstpointer opaque)
{
    fakeVF *vf = fakeHostVF(f->fake, PF, 1, 0);
    g_autoptr(virtRecord) record = testRecordLoad(f->fake->host, f->vf, NULL);

    fakeHostFile(f->fake, UUID_A, "run/libvirt/qemu/a.xml");
    writeMetadata(daemonGuestHostdev(f->vf, 100), NULL);
    assertEnd(f, 0, NULL);
    vf->vlan = 7;
    assertEnd(f, VIRT_ERROR_REFUSED, "VLAN was set to 100 and is now 7. Detach it");
    vf->vlan = 100;
    faultState->guest.live[0] = '\0';
    assertEnd(f, VIRT_ERROR_REFUSED, "metadata no longer has its settings");
    writeMetadata(daemonGuestHostdev(f->vf, 100), NULL);
    g_assert_true(virtProvisionRecordRemove(f->fake->host, record, NULL));
    assertEnd(f, VIRT_ERROR_REFUSED, "it has no record");
    faultState->guest.has[0] = false;
    assertEnd(f, VIRT_ERROR_NOT_FOUND, "is not among the devices");
}

/* ---- a VF that libvirt has taken from a network ---- */

/* VF @number as metadata has it: by the MAC address of its interface, with a VLAN at port 2. */
static virtHostdev *
ofNetwork(guint number, guint16 vlan)
{
    g_autofree char *handle = g_strdup_printf("network/52:54:00:00:00:0%u", number);
    virtHostdev *hostdev = daemonGuestHostdev(handle, vlan);

    ((virtNetdev *)VIRT_NETDEVS(hostdev)->pdata[0])->port = 2;
    return hostdev;
}

/* Does the daemon what a filter asks for? If not, its reason has @words. */
static bool
ask(virtBrokerVerb verb, guint number, const char *words)
{
    virtBrokerRequest request = {.verb = verb, .uuid = UUID_A};
    g_autofree char *handle = g_strdup_printf("network/52:54:00:00:00:0%u", number);
    g_autoptr(GError) error = NULL;
    bool ok;

    request.handle = testHandle(handle);
    ok = virtDaemonRequestRun(NULL, &request, false, &error);
    if (!ok && !(words && strstr(error->message, words)))
        g_error("'%s' instead of '%s'", error->message, words);
    return ok;
}

/* Domain a has VF 0 from a network, as an attach leaves it. */
static void
attachOfNetwork(daemonGuest *f)
{
    g_autoptr(virtRecord) record = testRecordLoad(f->fake->host, f->vf, NULL);

    g_assert_true(virtProvisionReleaseOne(f->fake->host, record, NULL));
    fakeHostFile(f->fake, "<domstatus><domain><uuid>" UUID_A "</uuid></domain></domstatus>", "run/libvirt/qemu/a.xml");
    faultState->guest.ofNetwork = true;
    writeMetadata(ofNetwork(0, 100), NULL);
    g_assert_true(ask(VIRT_BROKER_PREPARE, 0, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 100);
}

/* Its record is the VF's, and its entry the interface's: they agree, follow each other, and go together. */
static void
testOfNetwork(daemonGuest *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) metadata = NULL;
    g_autoptr(GError) error = NULL;

    attachOfNetwork(f);
    writeMetadata(ofNetwork(0, 300), ofNetwork(1, 7));
    reconcile(&error);
    g_assert_no_error(error);
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 300);
    metadata = virtMetadataParse(faultState->guest.live, strlen(faultState->guest.live), NULL);
    g_assert_cmpuint(metadata->len, ==, 1); /* it has no other */
    writeMetadata(ofNetwork(0, 301), NULL);
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    g_assert_false(reconcile(NULL));
    g_assert_nonnull(strstr(faultState->guest.live, "<mac address='52:54:00:00:00:00'/>"));
    g_assert_nonnull(strstr(faultState->guest.live, "<tag id='300'/>"));
    g_assert_null(strstr(faultState->guest.live, "port='1'")); /* that is libvirt's */
    fakeHostHeal(f->fake);
    faultState->guest.has[0] = false;
    g_assert_true(reconcile(NULL));
    g_assert_cmpstr(faultState->guest.live, ==, "");
    g_assert_null(testRecordLoad(f->fake->host, f->vf, NULL));
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 2, 0)->vlan, ==, 0);
}

/* What an attach asks for once libvirt has carried it out: that VF is set, no other, and once. */
static void
testAttachedOfNetwork(daemonGuest *f, gconstpointer opaque)
{
    fakeVF *vf = fakeHostVF(f->fake, PF, 2, 0);

    attachOfNetwork(f);
    g_assert_false(ask(VIRT_BROKER_PREPARE, 0, "its VF was set when it was attached"));
    faultState->guest.has[1] = true;
    g_assert_false(ask(VIRT_BROKER_PREPARE, 1, "its metadata says nothing about this device"));
    g_assert_true(ask(VIRT_BROKER_END, 0, NULL));
    vf->vlan = 8;
    g_assert_false(ask(VIRT_BROKER_END, 0, "VLAN was set to 100 and is now 8"));
    vf->vlan = 100;
    faultState->guest.has[0] = false;
    g_assert_false(ask(VIRT_BROKER_END, 0, "is not among the devices"));
    g_assert_cmpuint(vf->vlan, ==, 0);
    writeMetadata(ofNetwork(0, 100), NULL);
    g_assert_false(ask(VIRT_BROKER_PREPARE, 0, "its network gives it no VF"));
}

#define ADD(name, test) g_test_add("/reconcile/" name, daemonGuest, NULL, setUp, test, tearDown)

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("refused", testRefused);
    ADD("cut-off", testCutOff);
    ADD("cut-off-refused", testCutOffRefused);
    ADD("stale-beside", testStaleBeside);
    ADD("damaged", testDamaged);
    ADD("damaged-has", testDamagedHas);
    ADD("attached", testAttached);
    ADD("of-network", testOfNetwork);
    ADD("attached-of-network", testAttachedOfNetwork);
    return g_test_run();
}

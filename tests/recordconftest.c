/* recordconftest.c: records to text and back, what hardware says in them, and what is refused
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "conf/record_conf.h"
#include "util/virerror.h"
#include "util/virstatefile.h"
#include "testfiles.h"
#include "testrecord.h"

#define OWNER "  <owner name='vm1' uuid='8a1f4c70-0e5e-4d5e-8b7f-3d1f0b6a9c11' pid='612' start='81532'/>\n"
#define PLACE "  <source handle='pci/0000:06:02.0'/>\n  <target parent='pci/0000:06:00.0' index='3'/>\n"
#define FIRST_PLACE                                                                                                    \
    "  <source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>\n"                            \
    "  <pf index='3'><address domain='0x0000' bus='0x06' slot='0x00' function='0x0'/></pf>\n"
#define LISTS "  <before></before>\n  <wanted></wanted>\n"
#define RECORD(phase, owner, place, lists) "<hostdev version='2' phase='" phase "'>\n" owner place lists "</hostdev>\n"
#define FIRST_RECORD(phase, owner, place, lists) "<hostdev phase='" phase "'>\n" owner place lists "</hostdev>\n"

/* Texts in the one form that is written: they come back byte for byte. */
static const char *const canonical[] = {
    RECORD("setting", OWNER, PLACE, LISTS),
    RECORD("active", "  <owner name='by hand'/>\n", PLACE, LISTS),
    RECORD("restoring", "  <owner name='a&amp;b&lt;&#252;'/>\n", PLACE, LISTS),
    /* A host's driver had it; and whether the MAC address was set could not be told. */
    RECORD("active", OWNER, PLACE,
           "  <driver name='igbvf' override='igbvf'/>\n"
           "  <before><netdev port='1' spoofCheck='yes'/><netdev port='2'/></before>\n"
           "  <unknown><netdev port='1'><mac address='b6:01:02:03:04:05'/></netdev></unknown>\n"
           "  <wanted></wanted>\n"),
    /* What only hardware says. */
    RECORD("active", OWNER, PLACE,
           "  <before>"
           "<netdev port='1' trustGuestRxFilters='no' spoofCheck='yes'>"
           "<mac address='00:00:00:00:00:00'/>"
           "<vlan><tag id='0'/></vlan>"
           "<virtualport type='802.1Qbh'><parameters profileid=''/></virtualport>"
           "<link state='auto'/>"
           "<bandwidth><outbound average='0'/></bandwidth>"
           "<guid node='00:00:00:00:00:00:00:00' port='00:00:00:00:00:00:00:00'/>"
           "</netdev>"
           "<netdev port='2'><mac address='ff:ff:ff:ff:ff:ff'/></netdev>"
           "</before>\n"
           "  <wanted>"
           "<netdev port='2'>"
           "<vlan><tag id='4094' priority='7' protocol='802.1ad'/></vlan>"
           "<bandwidth><outbound average='1' peak='2' floor='3'/></bandwidth>"
           "</netdev>"
           "</wanted>\n"),
};

static void
testRoundTrip(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(canonical); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(virtRecord) record = virtRecordParse(canonical[i], NULL, &error);
        g_autofree char *text = NULL;

        g_assert_no_error(error);
        text = virtRecordFormat(record);
        g_assert_cmpstr(text, ==, canonical[i]);
    }
}

/* What an older version has left is read, and becomes the form that is written now. */
static void
testFirstVersion(void)
{
    static const char old[] = FIRST_RECORD("active", OWNER, FIRST_PLACE, LISTS);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = virtRecordParse(old, NULL, &error);
    g_autofree char *text = NULL;

    g_assert_no_error(error);
    text = virtRecordFormat(record);
    g_assert_cmpstr(text, ==, RECORD("active", OWNER, PLACE, LISTS));
}

/* A device that is no PCI function, at a parent that does not count its devices. */
static void
testOtherBus(void)
{
    static const char text[] = RECORD("active", OWNER,
                                      "  <source handle='mdev/c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11'/>\n"
                                      "  <target parent='pci/0000:3d:00.0'/>\n",
                                      LISTS);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) record = virtRecordParse(text, NULL, &error);
    g_autofree char *again = NULL;

    g_assert_no_error(error);
    g_assert_cmpstr(record->handle.bus, ==, "mdev");
    g_assert_cmpint(record->index, ==, -1);
    again = virtRecordFormat(record);
    g_assert_cmpstr(again, ==, text);
}

static void
testModel(void)
{
    g_autoptr(virtRecord) record = virtRecordParse(canonical[4], NULL, NULL);
    g_autoptr(virtRecord) free = virtRecordParse(canonical[1], NULL, NULL);
    const virtNetdev *before = BEFORE(record)->pdata[0];

    g_assert_cmpint(record->phase, ==, VIRT_PHASE_ACTIVE);
    g_assert_cmpstr(virtPhaseName(record->phase), ==, "active");
    g_assert_cmpstr(record->owner.name, ==, "vm1");
    g_assert_cmpstr(record->owner.uuid, ==, "8a1f4c70-0e5e-4d5e-8b7f-3d1f0b6a9c11");
    g_assert_cmpuint(record->owner.pid, ==, 612);
    g_assert_cmpuint(record->owner.start, ==, 81532);
    g_assert_cmpuint(testAddress(&record->handle).slot, ==, 2);
    g_assert_cmpuint(testAddress(&record->parent).slot, ==, 0);
    g_assert_cmpuint(record->index, ==, 3);
    virtTestCompareAttrs(before->present, VIRT_NETDEV_BIT(VIRT_NETDEV_ATTR_LAST) - 1);
    g_assert_cmpuint(WANTED(record)->len, ==, 1);
    g_assert_null(free->owner.uuid);
    g_assert_cmpuint(free->owner.pid, ==, 0);
}

static const struct {
    const char *text;
    const char *message;
} refused[] = {
    {"", "r:1: the document has no complete element: is it empty or cut off?"},
    {"<hostdev phase='setting'>\n  <ow",
     "r:2: the document ends before the <hostdev> of line 1 is closed: is it cut off?"},
    {"<domain/>", "r:1: a record is a <hostdev>, not a <domain>"},
    {"<hostdev/>", "r:1: <hostdev> lacks its attribute 'phase'"},
    {RECORD("done", OWNER, PLACE, LISTS), "r:1: phase='done' in <hostdev>: not setting, active or restoring"},
    {RECORD("active", "", PLACE, LISTS), "r:1: <hostdev> lacks its <owner>"},
    {RECORD("active", OWNER OWNER, PLACE, LISTS), "r:3: a second <owner> in <hostdev>: drop one"},
    {RECORD("active", "<owner/>", PLACE, LISTS), "r:2: <owner> lacks its attribute 'name'"},
    {RECORD("active", "<owner name='x' pid='0'/>", PLACE, LISTS),
     "r:2: pid='0' in <owner>: not a number from 1 to 2147483647"},
    {RECORD("active", "<owner name='x' pid='99999999999'/>", PLACE, LISTS),
     "r:2: pid='99999999999' in <owner>: not a number from 1 to 2147483647"},
    {RECORD("active", OWNER, "", LISTS), "r:1: <hostdev> lacks its <source>"},
    {RECORD("active", OWNER, PLACE, "<before/>"), "r:1: <hostdev> lacks its <wanted>"},
    {RECORD("active", OWNER, PLACE, LISTS "<after/>"),
     "r:7: <hostdev> has no child <after> (known: <owner>, <source>, <target>, <driver>, <before>, <unknown>, <wanted>): drop or correct it"},
    {FIRST_RECORD("active", OWNER, "<source><address/></source>", LISTS),
     "r:3: <address> lacks its attribute 'domain'"},
    {RECORD("active", OWNER, FIRST_PLACE, LISTS), "r:3: <source> lacks its attribute 'handle'"},
    {RECORD("active", OWNER, "<source handle='0000:06:02.x'/><target parent='pci/0000:06:00.0'/>", LISTS),
     "r:3: handle='0000:06:02.x' in <source>: expected a device such as pci/0000:06:02.0"},
    {"<hostdev version='3' phase='active'/>",
     "r:1: version='3' in <hostdev>: not a number from 2 to 2; a newer version of libvirt-hostdev wrote it"},
    {FIRST_RECORD("active", OWNER, FIRST_PLACE, LISTS "<target/>"),
     "r:7: <hostdev> has no child <target> (known: <owner>, <source>, <pf>, <driver>, <before>, <unknown>, <wanted>): drop or correct it"},
    {RECORD("active", OWNER, PLACE, "<before><netdev port='1'/><netdev port='1'/></before><wanted/>"),
     "r:5: port='1' in <netdev>: an earlier <netdev> of this device has the same port; each port has one"},
    {RECORD("active", OWNER, PLACE,
            "<before><netdev port='1'><vlan><tag id='4095'/></vlan></netdev></before><wanted/>"),
     "r:5: port 1: id='4095' in <tag>: not a number from 0 to 4094"},
    {RECORD("active", OWNER, PLACE, "<before><hostdev/></before><wanted/>"),
     "r:5: <before> has no child <hostdev> (known: <netdev>, <mdev>, <vgpu>, <function>, <vdpa>): drop or correct it"},
    {RECORD("active", OWNER, PLACE, "<before>x</before><wanted/>"),
     "r:5: text 'x' inside <before> has no meaning: drop it"},
};

static void
testRefused(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(refused); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(virtRecord) record = virtRecordParse(refused[i].text, "r", &error);

        g_assert_null(record);
        g_assert_error(error, VIRT_ERROR, VIRT_ERROR_INVALID);
        g_assert_cmpstr(error->message, ==, refused[i].message);
    }
}

/* A phase behind the record counts when it is whole; what a crash has left of one does not, whatever follows it. */
static void
testMarks(void)
{
    static const struct {
        const char *tail;
        virtPhase phase;
    } cases[] = {
        {"", VIRT_PHASE_SETTING},
        {"<!-- phase: active -->\n", VIRT_PHASE_ACTIVE},
        {"<!-- phase: active -->", VIRT_PHASE_SETTING},
        {"<!-- phase: ac", VIRT_PHASE_SETTING},
        {"<!-- phase: active -->\n<!-- phase: restoring -->\n", VIRT_PHASE_RESTORING},
        {"<!-- phase: restoring -->\n<!-- phase: active -->\n", VIRT_PHASE_ACTIVE},
        {"<!-- phase: active -->\n<!-- phase: rest", VIRT_PHASE_ACTIVE},
        {"<!-- phase: act<!-- phase: restoring -->\n", VIRT_PHASE_RESTORING},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *text = g_strconcat(RECORD("setting", OWNER, PLACE, LISTS), cases[i].tail, NULL);
        g_autoptr(GError) error = NULL;
        g_autoptr(virtRecord) record = virtRecordParse(text, NULL, &error);

        g_assert_no_error(error);
        g_assert_cmpint(record->phase, ==, cases[i].phase);
    }
    for (virtPhase phase = VIRT_PHASE_SETTING; phase <= VIRT_PHASE_RESTORING; phase++) {
        g_autofree char *text = g_strconcat(RECORD("setting", OWNER, PLACE, LISTS), virtRecordPhaseMark(phase), NULL);
        g_autoptr(virtRecord) record = virtRecordParse(text, NULL, NULL);

        g_assert_cmpint(record->phase, ==, phase);
    }
}

static void
testTooLong(void)
{
    g_autofree char *text = g_strnfill(VIRT_STATE_MAX + 1, ' ');
    g_autoptr(GError) error = NULL;

    g_assert_null(virtRecordParse(text, "r", &error));
    g_assert_cmpstr(error->message, ==, "r: the record is longer than 262144 bytes");
}

/* The largest record that documents can lead to fits the file it is kept in. */
static void
testLargest(void)
{
    g_autoptr(virtRecord) record = virtRecordParse(canonical[4], NULL, NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtRecord) again = NULL;
    g_autofree char *text = NULL;

    g_ptr_array_set_size(BEFORE(record), 0);
    g_ptr_array_set_size(WANTED(record), 0);
    for (guint port = 1; port <= VIRT_NETDEV_PORT_MAX; port++) {
        virtNetdev *netdev = virtNetdevNew(port);

        netdev->present = VIRT_NETDEV_BIT(VIRT_NETDEV_ATTR_LAST) - 1;
        netdev->vlan.id = 4094;
        netdev->vlan.priority = 7;
        netdev->bandwidth.average = netdev->bandwidth.peak = netdev->bandwidth.floor = G_MAXUINT32;
        memset(netdev->profileid, '&', VIRT_NETDEV_PROFILE_LEN - 1);
        g_ptr_array_add(BEFORE(record), netdev);
        g_ptr_array_add(WANTED(record), virtNetdevCopy(netdev));
    }
    text = virtRecordFormat(record);
    g_test_message("%u ports make a record of %zu bytes", VIRT_NETDEV_PORT_MAX, strlen(text));
    again = virtRecordParse(text, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(WANTED(again)->len, ==, VIRT_NETDEV_PORT_MAX);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/recordconf/round-trip", testRoundTrip);
    g_test_add_func("/recordconf/first-version", testFirstVersion);
    g_test_add_func("/recordconf/other-bus", testOtherBus);
    g_test_add_func("/recordconf/model", testModel);
    g_test_add_func("/recordconf/refused", testRefused);
    g_test_add_func("/recordconf/marks", testMarks);
    g_test_add_func("/recordconf/too-long", testTooLong);
    g_test_add_func("/recordconf/largest", testLargest);
    return g_test_run();
}

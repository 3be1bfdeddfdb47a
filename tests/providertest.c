/* providertest.c: a second and a third kind of settings through the engine, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * filekind.h has them. Nothing here is theirs alone: what is said of netdevs in other tests must hold of any kind.
 */
#include "hypervisor/provision_log.h"
#include "twoguests.h"
#include "testrecord.h"
#include "util/virerror.h"

#include <string.h>
#include <unistd.h>

#define MDEV "c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11"
#define DOMAIN                                                                                                         \
    "<domain type='kvm'><name>a</name><uuid>" UUID_A "</uuid><devices>"                                                \
    "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x01' slot='0x10' "      \
    "function='0x0'/></source><netdev port='1'><mac address='52:54:00:aa:00:01'/></netdev>%s</hostdev>"                \
    "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='" MDEV "'/></source>%s</hostdev>"   \
    "</devices></domain>"

/* The devices of DOMAIN with these elements in them. */
static GPtrArray *
want(const char *mark, const char *file)
{
    g_autofree char *xml = g_strdup_printf(DOMAIN, mark, file);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(xml, strlen(xml), NULL, 0, &error);

    g_assert_no_error(error);
    return g_ptr_array_ref(domain->hostdevs);
}

static char *
contentOf(twoGuests *f, const char *name)
{
    g_autofree char *path = virtHostPath(f->fake->host, "run/test-provider/%s", name);
    char *text = NULL;

    g_file_get_contents(path, &text, NULL, NULL);
    return text;
}

/* @mark, @file: NULL: there is none */
static void
assertFiles(twoGuests *f, const char *mark, const char *file)
{
    g_autofree char *marked = contentOf(f, "mark-0000:01:10.0");
    g_autofree char *made = contentOf(f, "file-" MDEV);

    g_assert_cmpstr(marked, ==, mark);
    g_assert_cmpstr(made, ==, file);
}

static virtRecord *
recordOf(twoGuests *f, const char *handle)
{
    return testRecordLoad(f->fake->host, handle, NULL);
}

static void
makeRoom(twoGuests *f)
{
    fakeHostFile(f->fake, "", "run/test-provider/there");
}

static void
prepare(twoGuests *f, const GPtrArray *wanted)
{
    g_autoptr(GError) error = NULL;

    virtProvisionPrepare(f->fake->host, f->a, wanted, &error);
    g_assert_no_error(error);
}

/* All kinds are set, and recorded together; what goes back when the guest has stopped does, and the rest later. */
static void
testCycle(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = want("<mark text='hello'/>", "<file text='there'/>");
    g_autoptr(virtRecord) vf = NULL;
    g_autoptr(virtRecord) mdev = NULL;
    g_autoptr(GError) error = NULL;

    makeRoom(f);
    prepare(f, wanted);
    assertFiles(f, "hello", "there");
    g_assert_cmpuint(fakeHostVF(f->fake, PF, 1, 0)->mac[3], ==, 0xaa);
    vf = recordOf(f, "0000:01:10.0");
    mdev = recordOf(f, "mdev/" MDEV);
    g_assert_cmpuint(vf->wanted.of[0]->len, ==, 1);
    g_assert_cmpuint(vf->wanted.of[1]->len, ==, 1);
    g_assert_cmpuint(vf->before.of[1]->len, ==, 1);
    g_assert_cmpint(vf->index, ==, 0);
    g_assert_cmpint(mdev->index, ==, -1);
    g_assert_true(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_STOPPED, &error));
    assertFiles(f, NULL, "there");
    g_assert_null(recordOf(f, "0000:01:10.0"));
    g_assert_true(virtProvisionRelease(f->fake->host, f->a, NULL, VIRT_RESTORE_RELEASED, &error));
    assertFiles(f, NULL, NULL);
    guestsAssertAsBefore(f);
}

/* What was there before is there after, whoever made it. */
static void
testWasThere(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = want("", "<file text='mine'/>");
    g_autoptr(GError) error = NULL;

    fakeHostFile(f->fake, "theirs", "run/test-provider/file-" MDEV);
    prepare(f, wanted);
    assertFiles(f, NULL, "mine");
    g_assert_true(testRelease(f->fake->host, f->a, NULL, &error));
    assertFiles(f, NULL, "theirs");
    guestsAssertAsBefore(f);
}

/* One of several kinds fails: those that are set before it go back, and so do other devices. */
static void
testRollback(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = want("<mark text='hello'/>", "<file text='there'/>");
    g_autoptr(GPtrArray) refused = want("<mark text='hello'/>", "<file text='refused'/>");
    g_autoptr(GError) error = NULL;

    /* There is no room: the netdev was set, and the mark cannot be. */
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_REFUSED, "run/test-provider/mark-0000:01:10.0");
    assertFiles(f, NULL, NULL);
    guestsAssertAsBefore(f);
    g_clear_error(&error);
    makeRoom(f);
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, refused, &error));
    guestsAssertError(error, VIRT_ERROR_HOST, "its text is one that is refused");
    assertFiles(f, NULL, NULL);
    guestsAssertAsBefore(f);
    /* The netdev is refused: what is set after it is not there to be seen. */
    f->fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_MAC);
    g_clear_error(&error);
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    f->fake->refused = 0;
    guestsAssertError(error, VIRT_ERROR_REFUSED, "MAC address");
    assertFiles(f, NULL, NULL);
    guestsAssertAsBefore(f);
}

/* Nobody else has what a domain has. */
static void
testOwner(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = want("", "<file text='there'/>");
    g_autoptr(virtOwner) hand = virtOwnerNew("hand", NULL);
    g_autoptr(GError) error = NULL;

    makeRoom(f);
    g_assert_true(virtProvisionPrepare(f->fake->host, hand, wanted, &error));
    g_assert_false(virtProvisionPrepare(f->fake->host, f->a, wanted, &error));
    guestsAssertError(error, VIRT_ERROR_BUSY, "is in use by 'hand'");
    g_clear_error(&error);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, &error));
    assertFiles(f, NULL, "there");
    g_assert_true(testRelease(f->fake->host, hand, NULL, &error));
    guestsAssertAsBefore(f);
}

static void
testUpdate(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = want("<mark text='one'/>", "");
    g_autoptr(GPtrArray) other = want("<mark text='two'/>", "");
    g_autoptr(GPtrArray) none = want("", "");
    g_autoptr(GError) error = NULL;

    makeRoom(f);
    prepare(f, wanted);
    g_assert_true(virtProvisionUpdate(f->fake->host, f->a, other->pdata[0], &error));
    g_assert_no_error(error);
    assertFiles(f, "two", NULL);
    g_assert_false(virtProvisionUpdate(f->fake->host, f->a, none->pdata[0], &error));
    guestsAssertError(error, VIRT_ERROR_INVALID, "Cannot take away the <mark> of 0000:01:10.0");
    assertFiles(f, "two", NULL);
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    assertFiles(f, NULL, NULL);
    guestsAssertAsBefore(f);
}

static const virtPlanRow *
findRow(const GPtrArray *rows, const char *device, const char *attr)
{
    for (guint i = 0; i < rows->len; i++) {
        const virtPlanRow *row = rows->pdata[i];

        if (g_str_equal(row->device, device) && g_strcmp0(row->attr, attr) == 0)
            return row;
    }
    g_error("no row for %s of %s", attr, device);
}

/* A plan says it all beforehand, and a start does what it says. */
static void
testPlan(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = want("<mark text='hello'/>", "<file text='there'/>");
    g_autoptr(GPtrArray) rows = NULL;

    makeRoom(f);
    rows = virtProvisionPlan(f->fake->host, f->a, wanted);
    g_assert_cmpstr(findRow(rows, MDEV, "exists")->from, ==, "absent");
    g_assert_cmpstr(findRow(rows, MDEV, "exists")->to, ==, "present");
    g_assert_true(findRow(rows, MDEV, "text")->differs);
    g_assert_cmpstr(findRow(rows, "0000:01:10.0", "text")->to, ==, "hello");
    g_assert_cmpuint(findRow(rows, "0000:01:10.0", "mac")->port, ==, 1);
    prepare(f, wanted);
    assertFiles(f, "hello", "there");
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    guestsAssertAsBefore(f);
}

static void
countDrift(virtHost *host, const virtDrift *drift, void *opaque)
{
    (void)host;
    g_assert_no_error(drift->problem);
    *(guint *)opaque += testCountDrifted(drift);
}

static guint
lookForDrift(twoGuests *f)
{
    g_autoptr(GPtrArray) records = virtProvisionRecordList(f->fake->host, NULL);
    guint n = 0;

    virtProvisionDrift(f->fake->host, records, countDrift, &n);
    return n;
}

static void
testDrift(twoGuests *f, gconstpointer opaque)
{
    g_autoptr(GPtrArray) wanted = want("<mark text='hello'/>", "<file text='there'/>");
    g_autoptr(virtDriftMonitor) monitor = virtDriftMonitorNew();

    makeRoom(f);
    virtOwnerSetStarter(f->a, (guint64)getpid());
    prepare(f, wanted);
    g_assert_cmpuint(lookForDrift(f), ==, 0);
    fakeHostFile(f->fake, "changed", "run/test-provider/file-" MDEV);
    g_assert_cmpuint(lookForDrift(f), ==, 1);
    fakeHostFile(f->fake, "changed", "run/test-provider/mark-0000:01:10.0");
    g_assert_cmpuint(lookForDrift(f), ==, 2);
    g_assert_true(virtDriftMonitorLook(monitor, f->fake->host, NULL, true, 1, NULL));
    assertFiles(f, "hello", "there");
    g_assert_true(testRelease(f->fake->host, f->a, NULL, NULL));
    guestsAssertAsBefore(f);
}

/* Documents of all kinds: there and back. */
static void
testDocuments(twoGuests *f, gconstpointer opaque)
{
    g_autofree char *xml = g_strdup_printf(DOMAIN, "<mark text='hello'/>", "<file text='a&lt;b'/>");
    g_autoptr(GError) error = NULL;
    g_autofree char *stock = virtDomainToStock(xml, strlen(xml), NULL, 0, &error);
    g_autofree char *shown = NULL;
    g_autofree char *again = NULL;

    g_assert_no_error(error);
    g_assert_nonnull(strstr(stock, "<lh:file text='a&lt;b'/>"));
    g_assert_nonnull(strstr(stock, "<lh:source><lh:address uuid='" MDEV "'/></lh:source>"));
    g_assert_null(strstr(stock, "<file"));
    shown = virtDomainFormat(stock, strlen(stock), NULL, VIRT_DOMAIN_FORM_WRITTEN, &error);
    g_assert_no_error(error);
    g_assert_nonnull(strstr(shown, "<file text='a&lt;b'/>"));
    again = virtDomainToStock(shown, strlen(shown), NULL, 0, &error);
    g_assert_cmpstr(again, ==, stock);
}

static void
assertRefused(const char *mark, const char *file, const char *part)
{
    g_autofree char *xml = g_strdup_printf(DOMAIN, mark, file);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(xml, strlen(xml), NULL, 0, &error);

    g_assert_null(domain);
    guestsAssertError(error, VIRT_ERROR_INVALID, part);
}

static void
testRefused(twoGuests *f, gconstpointer opaque)
{
    assertRefused("<file text='x'/>", "", "<file> needs <hostdev mode='subsystem' type='mdev'>; this one has");
    assertRefused("", "<mark text='x'/>", "<mark> needs <hostdev mode='subsystem' type='pci'>; this one has");
    assertRefused("", "<file/><file/>", "a second <file>: a device has one");
    assertRefused("", "<file size='1'/>", "<file> has no attribute 'size'");
    assertRefused("", "</hostdev><hostdev type='mdev'><source><address uuid='" MDEV "'/></source><file/>",
                  "a mediated device may be assigned only once");
}

/* The tables say the same of each row. */
static void
testTables(twoGuests *f, gconstpointer opaque)
{
    guint k;

    for (k = 0; virtSettingKinds[k]; k++) {
        g_assert_nonnull(virtProviders[k]);
        g_assert_true(virtProviders[k]->kind == virtSettingKinds[k]);
        g_assert_nonnull(virtSettingTags[k]);
        g_assert_cmpstr(virtSettingTags[k] + 1, ==, virtSettingKinds[k]->info->name);
        for (guint attr = 0; attr < virtSettingKinds[k]->info->count; attr++) {
            const virtSettingAttr *row = &virtSettingKinds[k]->info->attrs[attr];

            g_assert_true(row->name && row->title && row->remedy && row->format && row->size > 0);
        }
    }
    g_assert_null(virtProviders[k]);
    g_assert_null(virtSettingTags[k]);
}

static const guestsTest tests[] = {
    {"/provider/tables", testTables},     {"/provider/cycle", testCycle}, {"/provider/was-there", testWasThere},
    {"/provider/rollback", testRollback}, {"/provider/owner", testOwner}, {"/provider/update", testUpdate},
    {"/provider/plan", testPlan},         {"/provider/drift", testDrift}, {"/provider/documents", testDocuments},
    {"/provider/refused", testRefused},
};

/* What is told of drift is not looked at here. */
static GLogWriterOutput
swallow(GLogLevelFlags level, const GLogField *fields, gsize n, gpointer opaque)
{
    (void)level, (void)fields, (void)n, (void)opaque;
    return G_LOG_WRITER_HANDLED;
}

int
main(int argc, char **argv)
{
    g_log_set_writer_func(swallow, NULL, NULL);
    return guestsRun(tests, G_N_ELEMENTS(tests), argc, argv);
}

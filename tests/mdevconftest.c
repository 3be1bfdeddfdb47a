/* mdevconftest.c: mediated devices in documents and records: UUIDs that are generated, and what only records say
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a document may say is in genericxml2xmlin/mdev.
 */
#include "conf/domain_conf.h"
#include "conf/mdev_conf.h"
#include "conf/record_conf.h"
#include "testfiles.h"
#include "util/virerror.h"

#include <string.h>

#define UUID "c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11"
#define ROW 1 /* of virtSettingKinds */
#define MDEV "<mdev parent='mtty'><type id='mtty-1'/></mdev>"
#define HOSTDEV                                                                                                        \
    "    <hostdev mode='subsystem' type='mdev' managed='yes' model='vfio-pci'>\n%s"                                    \
    "      <mdev parent='mtty'>\n        <type id='mtty-1'/>\n      </mdev>\n    </hostdev>\n"
#define DOMAIN                                                                                                         \
    "<domain type='kvm'>\n  <name>a</name>\n  <devices>\n%s  </devices>\n"                                             \
    "</domain>\n"

static char *
document(const char *source)
{
    g_autofree char *hostdev = g_strdup_printf(HOSTDEV, source);

    return g_strdup_printf(DOMAIN, hostdev);
}

static char *
stockOf(const char *xml)
{
    g_autoptr(GError) error = NULL;
    char *text = virtDomainToStock(xml, strlen(xml), NULL, 0, &error);

    g_assert_no_error(error);
    return text;
}

/* The UUID of the one device of @xml; the caller frees it. */
static char *
uuidOf(const char *xml)
{
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(xml, strlen(xml), NULL, 0, NULL);
    const virtHostdev *hostdev;

    g_assert_nonnull(domain);
    g_assert_cmpuint(domain->hostdevs->len, ==, 1);
    hostdev = domain->hostdevs->pdata[0];
    g_assert_cmpstr(hostdev->handle.bus, ==, "mdev");
    return g_strdup(hostdev->handle.name);
}

/* However it is left out, the document is the same as if the UUID had been written, and another each time. */
static void
testGenerate(void)
{
    static const char *const sources[] = {"", "      <source/>\n", "      <source></source>\n",
                                          "      <source>\n      </source>\n"};
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);

    for (guint i = 0; i < G_N_ELEMENTS(sources); i++) {
        g_autofree char *written = document(sources[i]);
        g_autofree char *stored = stockOf(written);
        g_autofree char *uuid = uuidOf(stored);
        g_autofree char *again = stockOf(stored);
        g_autofree char *source =
            g_strdup_printf("      <source>\n        <address uuid='%s'/>\n      </source>\n", uuid);
        g_autofree char *expected = document(source);
        g_autofree char *stock = stockOf(expected);
        g_autofree char *shown = virtDomainFormat(stored, strlen(stored), NULL, VIRT_DOMAIN_FORM_WRITTEN, NULL);

        g_assert_true(g_uuid_string_is_valid(uuid));
        g_assert_cmpstr(stored, ==, stock);
        g_assert_cmpstr(again, ==, stored);
        g_assert_cmpstr(shown, ==, expected);
        g_assert_true(g_hash_table_add(seen, g_steal_pointer(&uuid)));
    }
}

/* On one line, and as a device on its own. */
static void
testGenerateLone(void)
{
    static const char device[] =
        "<hostdev mode='subsystem' type='mdev' managed='yes' model='vfio-pci'>" MDEV "</hostdev>";
    virtHostdev *hostdev = NULL;
    g_autofree char *stock = virtHostdevToStock(device, strlen(device), 0, &hostdev, NULL);
    g_autofree char *expected = NULL;

    g_assert_nonnull(stock);
    expected = g_strdup_printf("<hostdev mode='subsystem' type='mdev' managed='yes' model='vfio-pci'><source>"
                               "<address uuid='%s'/></source></hostdev>",
                               hostdev->handle.name);
    g_assert_cmpstr(stock, ==, expected);
    virtHostdevFree(hostdev);
}

/* A document that takes the place of a domain's own keeps the UUID that its guest has. */
static void
testReplaced(void)
{
    g_autofree char *domain = document("      <source>\n        <address uuid='" UUID "'/>\n      </source>\n");
    g_autofree char *stored = stockOf(domain);
    g_autofree char *given = document("");
    g_autoptr(GError) error = NULL;
    g_autofree char *stock = virtDomainToStockABI(given, strlen(given), stored, strlen(stored), &error);

    g_assert_no_error(error);
    g_assert_cmpstr(stock, ==, stored);
}

/* Libvirt alone has nothing to say about it, and what it loses is named. */
static void
testRevert(void)
{
    g_autofree char *domain = document("      <source>\n        <address uuid='" UUID "'/>\n      </source>\n");
    g_autofree char *stored = stockOf(domain);
    g_autoptr(GPtrArray) lost = NULL;
    g_autofree char *left = virtDomainRevert(stored, strlen(stored), &lost, NULL);

    g_assert_cmpuint(lost->len, ==, 1);
    g_assert_cmpstr(lost->pdata[0], ==, UUID ": <mdev>");
    g_assert_null(strstr(left, "mtty"));
    g_assert_nonnull(strstr(left, UUID));
}

#define RECORD(before)                                                                                                  \
    "<hostdev version='2' phase='active' began='1'>\n  <owner name='a' uuid='11111111-2222-3333-4444-555555555555'/>\n" \
    "  <source handle='mdev/" UUID "'/>\n  <target parent='parent/mtty'/>\n  <before>" before "</before>\n"             \
    "  <wanted><mdev parent='mtty'><type id='mtty-1'/><attr name='a' value='1'/></mdev></wanted>\n</hostdev>\n"

static virtRecord *
parseRecord(const char *text)
{
    g_autoptr(GError) error = NULL;
    virtRecord *record = virtRecordParse(text, NULL, &error);
    g_autofree char *again = NULL;

    g_assert_no_error(error);
    again = virtRecordFormat(record);
    g_assert_cmpstr(again, ==, text);
    return record;
}

static void
testRecord(void)
{
    g_autoptr(virtRecord) none = parseRecord(RECORD("<mdev/>"));
    g_autoptr(virtRecord) some =
        parseRecord(RECORD("<mdev parent='mtty'><type id='mtty-2'/><attr name='a'/><attr name='b' value=''/></mdev>"));
    const virtMdev *absent = none->before.of[ROW]->pdata[0], *there = some->before.of[ROW]->pdata[0];

    g_assert_false(virtMdevExists(absent));
    g_assert_false(virtSettingHas(absent, VIRT_MDEV_ATTRS));
    g_assert_cmpstr(there->made.type, ==, "mtty-2");
    g_assert_true(there->attrs.of[0].unread);
    g_assert_false(there->attrs.of[1].unread);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/mdevconf/generate", testGenerate);
    g_test_add_func("/mdevconf/generate-lone", testGenerateLone);
    g_test_add_func("/mdevconf/replaced", testReplaced);
    g_test_add_func("/mdevconf/revert", testRevert);
    g_test_add_func("/mdevconf/record", testRecord);
    return g_test_run();
}

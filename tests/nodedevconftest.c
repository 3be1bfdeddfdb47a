/* nodedevconftest.c: the VPD of a card: formatted, and put into documents of node devices
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A case is nodedevxml2xmlin/NAME.xml, and nodedevxml2xmlout/NAME.xml where something is put into it.
 */
#include "conf/nodedev_conf.h"
#include "conf/xml_tree.h"
#include "testfiles.h"
#include "util/virerror.h"

#include <string.h>

#define MIN_CASES 15
#define CAPABILITY(inner) "<capability type='vpd'>" inner "</capability>"
#define READ_ONLY(inner) "<fields access='readonly'>" inner "</fields>"
#define READ_WRITE(inner) "<fields access='readwrite'>" inner "</fields>"

typedef struct {
    const char *keyword;
    bool writable;
    char *value;
} Field;

/* By hand, for what reads VPD is not linked here, as in the filter. */
static virtPCIVPD *
makeVPD(const char *name, const Field *fields, guint count)
{
    virtPCIVPD *vpd = g_new0(virtPCIVPD, 1);

    vpd->name = g_strdup(name);
    vpd->fields = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; i < count; i++) {
        virtPCIVPDField *field = g_new0(virtPCIVPDField, 1);

        g_strlcpy(field->keyword, fields[i].keyword, sizeof(field->keyword));
        field->writable = fields[i].writable;
        field->value = fields[i].value;
        g_ptr_array_add(vpd->fields, field);
    }
    return vpd;
}

static void
freeVPD(virtPCIVPD *vpd)
{
    g_ptr_array_unref(vpd->fields);
    g_free(vpd->name);
    g_free(vpd);
}

static const Field all[] = {
    {"V1", true, (char *)"spare"},
    {"SN", false, (char *)"FIRST"},
    {"YB", true, (char *)"rack"},
    {"V0", false, (char *)"PCIeGen4 x8"},
    {"MN", false, (char *)"15B3"},
    {"YA", true, (char *)"asset 7"},
    {"PN", false, (char *)"<MCX&'623\"106>"},
    {"VZ", false, (char *)""},
    {"EC", false, (char *)"A7"},
    {"SN", false, (char *)"SECOND"},
    {"V1", true, (char *)"last"},
    {"Y1", true, (char *)"slot"},
    {"ZZ", true, (char *)"not known"},
};

/* libvirt's order, its escapes, and the last of two. */
static const char allText[] = CAPABILITY(
    "<name>ConnectX-6 Dx  EN</name>" READ_ONLY(
        "<change_level>A7</change_level><manufacture_id>15B3</manufacture_id>"
        "<part_number>&lt;MCX&amp;&apos;623&quot;106&gt;</part_number><serial_number>SECOND</serial_number>"
        "<vendor_field index='0'>PCIeGen4 x8</vendor_field><vendor_field index='Z'></vendor_field>")
        READ_WRITE("<asset_tag>asset 7</asset_tag><vendor_field index='1'>last</vendor_field>"
                   "<system_field index='B'>rack</system_field><system_field index='1'>slot</system_field>"));

static void
testAll(void)
{
    virtPCIVPD *vpd = makeVPD("ConnectX-6 Dx  EN", all, G_N_ELEMENTS(all));
    g_autofree char *text = virtNodeDevFormatVPD(vpd, 10000);

    g_assert_cmpstr(text, ==, allText);
    freeVPD(vpd);
}

static void
expectFormat(const char *name, const Field *fields, guint count, const char *wanted)
{
    virtPCIVPD *vpd = makeVPD(name, fields, count);
    g_autofree char *text = virtNodeDevFormatVPD(vpd, 10000);

    g_assert_cmpstr(text, ==, wanted);
    freeVPD(vpd);
}

static void
testPart(void)
{
    static const Field empty = {"SN", false, (char *)""};
    static const Field writable = {"YA", true, (char *)"7"};
    static const Field unknown = {"SN", true, (char *)"7"};

    expectFormat(NULL, NULL, 0, NULL);
    expectFormat(NULL, &unknown, 1, NULL);
    expectFormat("X", NULL, 0, CAPABILITY("<name>X</name>"));
    expectFormat(NULL, &empty, 1, CAPABILITY(READ_ONLY("<serial_number></serial_number>")));
    expectFormat(NULL, &writable, 1, CAPABILITY(READ_WRITE("<asset_tag>7</asset_tag>")));
}

/* With each number of bytes: never more, always XML, and the serial number goes last, the name before the part number.
 */
static void
testRoom(void)
{
    static const char *const order[] = {"<serial_number>", "<part_number>", "<name>"};
    virtPCIVPD *vpd = makeVPD("ConnectX-6 Dx  EN", all, G_N_ELEMENTS(all));
    guint seen = 0;

    for (gsize max = 0; max < 1000; max++) {
        g_autofree char *text = virtNodeDevFormatVPD(vpd, max);
        g_autoptr(virtXmlDoc) doc = NULL;

        if (!text) {
            g_assert_cmpuint(seen, ==, 0);
            continue;
        }
        g_assert_cmpuint(strlen(text), <=, max);
        doc = virtXmlParse(text, strlen(text), NULL, NULL);
        g_assert_nonnull(doc);
        while (seen < G_N_ELEMENTS(order) && strstr(text, order[seen]))
            seen++;
        if (seen == G_N_ELEMENTS(order))
            continue;
        for (guint i = 0; i < seen; i++)
            g_assert_nonnull(strstr(text, order[i]));
    }
    g_assert_cmpuint(seen, ==, G_N_ELEMENTS(order));
    freeVPD(vpd);
}

/* A name of 32 KiB, as a card may have it, is left out, and what comes behind it is not. */
static void
testLongName(void)
{
    static const Field serial = {"SN", false, (char *)"S1"};
    g_autofree char *name = g_strnfill(32000, '&');

    expectFormat(name, &serial, 1, CAPABILITY(READ_ONLY("<serial_number>S1</serial_number>")));
}

/* ---- documents ---- */

static void
checkCase(const char *name)
{
    g_autofree char *inPath = virtTestPath("nodedevxml2xmlin/%s.xml", name);
    g_autofree char *outPath = virtTestPath("nodedevxml2xmlout/%s.xml", name);
    g_autofree char *xml = virtTestRead(inPath);
    g_autofree char *text = NULL, *again = NULL;
    g_autoptr(GError) error = NULL, refused = NULL;
    virtHandle handle = {""};

    g_test_message("%s", name);
    if (!virtNodeDevLacksVPD(xml, strlen(xml), &handle)) {
        virtTestRemove(outPath);
        g_assert_true(virtHandleIsNone(&handle));
        return;
    }
    g_assert_cmpstr(handle.bus, ==, "pci");
    text = virtNodeDevPutVPD(xml, strlen(xml), allText, &error);
    g_assert_no_error(error);
    virtTestCompare(outPath, text);
    g_assert_false(virtNodeDevLacksVPD(text, strlen(text), &handle)); /* and so it is not put there again */
    again = virtNodeDevPutVPD(text, strlen(text), allText, &refused);
    g_assert_null(again);
}

static void
testCases(void)
{
    g_autoptr(GPtrArray) names = virtTestCases("nodedevxml2xmlin");

    g_assert_cmpuint(names->len, >=, MIN_CASES);
    for (guint i = 0; i < names->len; i++)
        checkCase(names->pdata[i]);
}

static void
testHandle(void)
{
    static const char *const wanted[][2] = {
        {"vf", "0000:01:10.0"}, {"pf", "0000:01:00.0"}, {"domain-vmd", "10000:01:10.0"}};

    for (guint i = 0; i < G_N_ELEMENTS(wanted); i++) {
        g_autofree char *path = virtTestPath("nodedevxml2xmlin/%s.xml", wanted[i][0]);
        g_autofree char *xml = virtTestRead(path);
        virtHandle handle;

        g_assert_true(virtNodeDevLacksVPD(xml, strlen(xml), &handle));
        g_assert_cmpstr(handle.name, ==, wanted[i][1]);
    }
}

/* Only a capability of that type is put into a document, and only where that may be spliced into. */
static void
testOther(void)
{
    static const char *const capabilities[] = {"",           "x", "<a/>", "<capability/>", "<capability type='pci'/>",
                                               "<capability"};
    g_autofree char *path = virtTestPath("nodedevxml2xmlin/vf.xml");
    g_autofree char *xml = virtTestRead(path);
    g_autofree char *utf16 = g_strconcat("<?xml version='1.0' encoding='UTF-16'?>", xml, NULL);
    g_autoptr(GString) large = g_string_new(xml);
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(capabilities); i++) {
        g_assert_null(virtNodeDevPutVPD(xml, strlen(xml), capabilities[i], &error));
        g_assert_error(error, VIRT_ERROR, VIRT_ERROR_INVALID);
        g_clear_error(&error);
    }
    g_assert_null(virtNodeDevPutVPD(utf16, strlen(utf16), allText, &error));
    g_clear_error(&error);
    while (large->len < VIRT_XML_MAX)
        g_string_append_c(large, '\n');
    g_assert_null(virtNodeDevPutVPD(large->str, large->len, allText, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_TOO_LARGE);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/nodedev/all", testAll);
    g_test_add_func("/nodedev/part", testPart);
    g_test_add_func("/nodedev/room", testRoom);
    g_test_add_func("/nodedev/long-name", testLongName);
    g_test_add_func("/nodedev/cases", testCases);
    g_test_add_func("/nodedev/handle", testHandle);
    g_test_add_func("/nodedev/other", testOther);
    return g_test_run();
}

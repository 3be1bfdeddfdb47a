/* secrettest.c: no message quotes a password that stands in a document
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   secrettest SCHEMADIR
 *
 * Messages go to logs and to whoever called. So documents with passwords in them are spoilt in every way that the
 * golden cases know, at every place, and at every byte, and all that reads documents is asked what it thinks of them.
 */
#include <string.h>

#include "conf/domain_conf.h"
#include "conf/record_conf.h"
#include "conf/schema.h"
#include "testfiles.h"

#define PART "hunter2"
#define PASSWORD PART "-" PART /* so that one part is whole where the other is cut */
/* Where libvirt's documents have them: formatdomain, VIR_DOMAIN_XML_SECURE. */
#define GRAPHICS                                                                                                       \
    "<graphics type='vnc' port='-1' passwd='" PASSWORD "' passwdValidTo='2030-01-01T00:00:00'/>"                       \
    "<graphics type='spice' autoport='yes' passwd='" PASSWORD "'/>"

static const char *schemas;
static guint messages;

static void
check(GError **error)
{
    if (!*error)
        return;
    messages++;
    if (strstr((*error)->message, PART))
        g_error("a message tells the password: %s", (*error)->message);
    g_clear_error(error);
}

/* Everything that reads a document from outside. */
static void
readAllWays(const char *xml)
{
    gsize len = strlen(xml);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtDomainConf) domain G_GNUC_UNUSED =
        virtDomainConfParse(xml, len, "x.xml", VIRT_DOMAIN_INTERFACES, &error);
    g_autofree char *stock = NULL, *shown = NULL, *reverted = NULL, *device = NULL, *like = NULL;
    virtHostdev *hostdev = NULL;
    g_autoptr(GPtrArray) metadata = NULL, lost = NULL;
    g_autoptr(virtRecord) record = NULL;

    check(&error);
    stock = virtDomainToStock(xml, len, NULL, VIRT_DOMAIN_ALL_INTERFACES, &error);
    check(&error);
    shown = virtDomainFormat(xml, len, NULL, VIRT_DOMAIN_FORM_WRITTEN, &error);
    check(&error);
    reverted = virtDomainRevert(xml, len, &lost, &error);
    check(&error);
    like = virtDomainToStockABI(xml, len, xml, len, &error);
    check(&error);
    device = virtHostdevToStock(xml, len, 0, &hostdev, &error);
    virtHostdevFree(hostdev);
    check(&error);
    virtHostdevIsIn(xml, len, xml, len, &error);
    check(&error);
    metadata = virtMetadataParse(xml, len, &error);
    check(&error);
    record = virtRecordParse(xml, "record", &error);
    check(&error);
}

/* @xml with @what behind the first @mark; NULL where that is not in it. */
static char *
insert(const char *xml, const char *mark, const char *what)
{
    const char *at = strstr(xml, mark);

    if (!at)
        return NULL;
    g_autofree char *head = g_strndup(xml, (gsize)(at - xml) + strlen(mark));
    return g_strconcat(head, what, at + strlen(mark), NULL);
}

/* Whatever is wrong with a golden case, with passwords before and beside it. */
static void
testCases(void)
{
    g_autoptr(GPtrArray) names = virtTestCases("genericxml2xmlin");

    messages = 0;
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = virtTestPath("genericxml2xmlin/%s.xml", (char *)names->pdata[i]);
        g_autofree char *xml = virtTestRead(path);
        g_autofree char *beside = insert(xml, "<devices>", GRAPHICS);
        g_autofree char *inside = insert(xml, "</source>", GRAPHICS);

        if (beside)
            readAllWays(beside);
        if (inside)
            readAllWays(inside);
    }
    g_assert_cmpuint(messages, >, 1000);
}

static const char document[] =
    "<domain type='kvm'><name>x</name><memory>1024</memory><os><type>hvm</type></os><devices>" GRAPHICS
    "<hostdev mode='subsystem' type='pci'><source><address bus='6' slot='2' function='0'/></source>"
    "<netdev port='1'/></hostdev></devices></domain>";

/* Cut off, or with a byte in it that is wrong there, at every byte. */
static void
testEveryByte(void)
{
    static const char bytes[] = "<>&'\"/=\x01\xff ";

    messages = 0;
    for (gsize at = 0; at < sizeof(document) - 1; at++) {
        g_autofree char *cut = g_strndup(document, at);

        readAllWays(cut);
        for (const char *byte = bytes; *byte; byte++) {
            g_autofree char *xml = g_strdup(document);

            xml[at] = *byte;
            readAllWays(xml);
        }
    }
    g_assert_cmpuint(messages, >, 10000);
}

/* The schema's complaints, about what is beside a password and about where it stands. */
static void
testSchema(void)
{
    static const char *const marks[] = {"<domain type='kvm'>", "<devices>",    "port='-1' ",
                                        "autoport='yes' ",     "function='0'", "<netdev port='1'"};
    static const char *const wrongs[] = {"<wrong passwd='" PASSWORD "'/>", " wrong='" PASSWORD "' ",
                                         "<graphics type='" PASSWORD "'/><a/>", "<memory>" PASSWORD "</memory>"};
    g_autoptr(GError) error = NULL;

    g_assert_true(virtSchemaValidate(schemas, document, strlen(document), NULL, &error));
    messages = 0;
    for (guint i = 0; i < G_N_ELEMENTS(marks); i++) {
        for (guint j = 0; j < G_N_ELEMENTS(wrongs); j++) {
            g_autofree char *xml = insert(document, marks[i], wrongs[j]);
            g_autofree char *twice = insert(xml, "<os>", wrongs[j]);

            virtSchemaValidate(schemas, xml, strlen(xml), NULL, &error);
            check(&error);
            virtSchemaValidate(schemas, twice, strlen(twice), NULL, &error);
            check(&error);
        }
    }
    g_assert_cmpuint(messages, ==, 2 * G_N_ELEMENTS(marks) * G_N_ELEMENTS(wrongs));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    schemas = argv[1];
    g_test_add_func("/secret/cases", testCases);
    g_test_add_func("/secret/every-byte", testEveryByte);
    g_test_add_func("/secret/schema", testSchema);
    return g_test_run();
}

/* schematest.c: the schema agrees with the parser about every golden document
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   schematest SCHEMADIR
 *
 * What a case shows (genericxml2xmlout, or its input where that is the same) must validate when it is a whole
 * domain. A refused case must not, unless it is of a kind that no schema can express.
 */
#include <string.h>
#include <unistd.h>

#include "conf/schema.h"
#include "conf/xml_tree.h"
#include "testfiles.h"
#include "util/virerror.h"

#define MIN_VALID 100
#define MIN_INVALID 100

static const char *schemas;
static guint valid, invalid;

/* Well-formed for the schema, yet wrong for a reason that takes comparing values, or looking into <metadata>. */
static const char *const inexpressible[] = {
    "bad-address-twice",
    "bad-address-twice-other-without",
    "bad-address-twice-spelled-otherwise",
    "bad-bandwidth-floor-over-average",
    "bad-bandwidth-floor-over-peak",
    "bad-bandwidth-peak-under-average",
    "bad-both-places",
    "bad-choice-also-stored",
    "bad-choice-same-device",
    "bad-choice-stored-interface",
    "bad-choice-unresolved*",
    "bad-interface-also-in-metadata",
    "bad-interface-boot-network-port",
    "bad-interface-choice-unresolved",
    "bad-interface-encoding", /* the programs write UTF-8 only, libxml2 reads others too */
    "bad-interface-hostdev-same-source",
    "bad-interface-hostdev-with-netdev-same-source",
    "bad-interface-netdev-lower",
    "bad-interface-netdev-port-1",
    "bad-interface-stock-*",
    "bad-interface-twice",
    "bad-mdev-attr-name-driver",
    "bad-mdev-attr-name-remove",
    "bad-mdev-attrs-33",
    "bad-mdev-defined-no-uuid",
    "bad-mdev-lxc",
    "bad-mdev-managed-no",
    "bad-mdev-same-uuid",
    "bad-mdev-same-uuid-plain",
    "bad-mdev-stored-parent",
    "bad-mdev-twice-in-metadata",
    "bad-metadata-*",
    "bad-network-also-in-metadata",
    "bad-network-inbound", /* an <interface type='hostdev'> may have it */
    "bad-network-netdev-port-1",
    "bad-network-no-mac",
    "bad-network-source-pool", /* an <interface type='hostdev'> may ask for it so */
    "bad-network-stock-*",
    "bad-network-tag-*", /* the same */
    "bad-network-twice",
    "bad-port-twice",
    "bad-function-lxc",
    "bad-function-empty",
    "bad-vdpa-lxc",
    "bad-vdpa-mac-zero",
    "bad-vdpa-same-source*",
    "bad-vdpa-stored-*",
    "bad-vdpa-written-and-stored",
    "bad-vgpu-lxc",
    "bad-vgpu-managed-yes",
    "bad-vgpu-stored-managed-yes",
    "bad-vgpu-twice-in-metadata",
    "bad-port-twice-spelled-otherwise",
    "bad-virtualport-long-profile-bytes", /* the schema counts characters */
    "bad-port-plus",
    "bad-port-space",    /* white space and plus are part of a number there */
    "bad-address-octal", /* libvirt's schema takes 08 for hexadecimal */
    "bad-netdev-prefixed-child",
    "bad-xml-*",
    "bad-hostdev-alone",
    "bad-place-inactive-domain",
};

/* What libvirt's parser takes or ignores, but its schema does not know; and what is left to it to refuse. */
static const char *const unknownToSchema[] = {
    "interface-left-wrong",     "address-upper-case",     "address-with-type",    "layout-cdata-in-hostdev",
    "layout-gt-in-attribute",   "layout-text-in-hostdev", "metadata-no-head",     "metadata-second-of-others",
    "others-netdev-in-hostdev", "two-devices-elements",   "interface-left-alone", "interface-stock-kept-special",
};

/* Whether the case @name, without its folder, matches one of @patterns. */
static bool
matchesAny(const char *name, const char *const *patterns, guint n)
{
    g_autofree char *base = g_path_get_basename(name);

    for (guint i = 0; i < n; i++) {
        if (g_pattern_match_simple(patterns[i], base))
            return true;
    }
    return false;
}

/* What the tests leave out since it is beside their point, but the schema asks for. */
static char *
complete(const char *xml)
{
    g_autoptr(GRegex) regex = g_regex_new("(\\s*)<devices>", G_REGEX_RAW, 0, NULL);
    GString *lacking = g_string_new(NULL);
    g_autofree char *with = NULL;

    if (!strstr(xml, "<memory"))
        g_string_append(lacking, "<memory>219136</memory>");
    if (!strstr(xml, "<os>"))
        g_string_append(lacking, "<os><type>hvm</type></os>");
    with = g_strconcat(lacking->str, "\\0", NULL);
    g_string_free(lacking, TRUE);
    return g_regex_replace(regex, xml, -1, 0, with, 0, NULL);
}

static bool
isDomain(const char *xml)
{
    g_autoptr(virtXmlDoc) doc = virtXmlParse(xml, strlen(xml), NULL, NULL);

    return doc && virtXmlIs(doc->root, NULL, "domain");
}

static void
testValid(const char *name, const char *input)
{
    g_autofree char *shownPath = virtTestPath("genericxml2xmlout/%s.xml", name);
    g_autofree char *shown = virtTestRead(shownPath);
    g_autofree char *xml = complete(shown ? shown : input);
    g_autoptr(GError) error = NULL;
    bool ok;

    if (!isDomain(xml) || matchesAny(name, unknownToSchema, G_N_ELEMENTS(unknownToSchema)))
        return;
    ok = virtSchemaValidate(schemas, xml, strlen(xml), name, &error);
    if (!ok) {
        g_test_message("%s", error->message);
        g_test_fail();
    }
    valid++;
}

/* The schema's complaint must be about the same place as the parser's, or what is just around it. */
static void
checkLine(const char *name, const char *message)
{
    g_autofree char *path = virtTestPath("genericxml2xmlin/%s.err", name);
    g_autofree char *wanted = virtTestRead(path);
    gint64 wantedLine = g_ascii_strtoll(strchr(wanted, ':') + 1, NULL, 10);
    gint64 line = g_ascii_strtoll(strchr(message, ':') + 1, NULL, 10);

    if (line <= wantedLine && line >= wantedLine - 6)
        return;
    if (g_str_equal(name,
                    "mdev/bad-mdev-no-parent")) /* one without may be empty: to the schema, what is in it is wrong */
        return;
    g_test_message("%s is not about line %" G_GINT64_FORMAT, message, wantedLine);
    g_test_fail();
}

static void
testInvalid(const char *name, const char *input)
{
    g_autofree char *xml = complete(input);
    g_autoptr(GError) error = NULL;

    if (!isDomain(xml) || matchesAny(name, inexpressible, G_N_ELEMENTS(inexpressible)))
        return;
    if (virtSchemaValidate(schemas, xml, strlen(xml), name, &error)) {
        g_test_message("%s is refused by the parser but not by the schema", name);
        g_test_fail();
        return;
    }
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_INVALID);
    checkLine(name, error->message);
    g_test_message("%s", error->message);
    invalid++;
}

static void
testCase(gconstpointer opaque)
{
    const char *name = opaque;
    g_autofree char *path = virtTestPath("genericxml2xmlin/%s.xml", name);
    g_autofree char *errPath = virtTestPath("genericxml2xmlin/%s.err", name);
    g_autofree char *input = virtTestRead(path);

    if (g_file_test(errPath, G_FILE_TEST_EXISTS))
        testInvalid(name, input);
    else
        testValid(name, input);
}

static void
testCounts(void)
{
    g_assert_cmpuint(valid, >=, MIN_VALID);
    g_assert_cmpuint(invalid, >=, MIN_INVALID);
}

static void
testMissing(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(virtSchemaValidate("/nonexistent", "<domain/>", 9, "x.xml", &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_HOST);
    g_assert_nonnull(strstr(error->message, "/nonexistent/domaincommon.rng"));
}

static void
testNotXml(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(virtSchemaValidate(schemas, "<domain>\n</x>", 13, "x.xml", &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_INVALID);
    g_assert_true(g_str_has_prefix(error->message, "x.xml:2: "));
}

/* ---- documents that mean harm: what libxml2 would do with them is not to be found out ---- */

static void
assertRefused(const char *xml, const char *expected)
{
    g_autoptr(GError) error = NULL;

    g_assert_false(virtSchemaValidate(schemas, xml, strlen(xml), "x.xml", &error));
    g_assert_true(g_error_matches(error, VIRT_ERROR, VIRT_ERROR_INVALID) ||
                  g_error_matches(error, VIRT_ERROR, VIRT_ERROR_TOO_LARGE));
    if (!strstr(error->message, expected))
        g_error("\"%s\" does not say \"%s\"", error->message, expected);
}

static void
testEntities(void)
{
    assertRefused("<!DOCTYPE domain [<!ENTITY a 'x'>]><domain><name>&a;</name></domain>",
                  "entity 'a', which is refused");
    assertRefused("<!DOCTYPE domain [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><domain><name>&a;</name></domain>",
                  "entity 'a', which is refused");
    assertRefused("<!DOCTYPE domain [<!ENTITY % a SYSTEM 'http://127.0.0.1/'> %a;]><domain/>",
                  "entity 'a', which is refused");
    assertRefused("<!DOCTYPE domain SYSTEM 'domain.dtd'><domain><name>&a;</name></domain>", "entity 'a' is not known");
}

static void
testDeep(void)
{
    g_autoptr(GString) xml = g_string_new(NULL);

    for (guint i = 0; i <= VIRT_XML_DEPTH_MAX; i++)
        g_string_append(xml, "<domain>");
    for (guint i = 0; i <= VIRT_XML_DEPTH_MAX; i++)
        g_string_append(xml, "</domain>");
    assertRefused(xml->str, "nested deeper than 256");
}

static void
testLarge(void)
{
    g_autofree char *space = g_strnfill(VIRT_XML_MAX, ' ');
    g_autofree char *xml = g_strconcat("<domain>", space, "</domain>", NULL);

    assertRefused(xml, "libvirt takes at most");
}

/* A document type outside the document is known by name only: whether it could be had makes no difference. */
static void
testOutsideDocumentType(void)
{
    g_autofree char *path = g_build_filename(g_get_tmp_dir(), "schematest-XXXXXX", NULL);
    g_autofree char *xml = NULL;
    g_autoptr(GError) error = NULL;
    int fd = g_mkstemp(path);

    g_assert_cmpint(fd, >=, 0);
    g_assert_true(g_file_set_contents(path, "<!ATTLIST domain type CDATA 'kvm'>", -1, NULL));
    xml =
        g_strdup_printf("<!DOCTYPE domain SYSTEM '%s'><domain><name>x</name><memory>1</memory><os><type>hvm</type></os>"
                        "</domain>",
                        path);
    g_assert_false(virtSchemaValidate(schemas, xml, strlen(xml), "x.xml", &error)); /* for want of a type */
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_INVALID);
    unlink(path);
    close(fd);
}

int
main(int argc, char **argv)
{
    g_autoptr(GPtrArray) names = NULL;

    g_test_init(&argc, &argv, NULL);
    schemas = argv[1];
    names = virtTestCases("genericxml2xmlin");
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_strdup_printf("/schema/%s", (char *)names->pdata[i]);
        g_test_add_data_func(path, names->pdata[i], testCase);
    }
    /* A folder of its own: GLib runs them in order, after the cases that stand in none. */
    g_test_add_func("/schema/all/counted", testCounts);
    g_test_add_func("/schema/missing", testMissing);
    g_test_add_func("/schema/not-xml", testNotXml);
    g_test_add_func("/schema/entities", testEntities);
    g_test_add_func("/schema/deep", testDeep);
    g_test_add_func("/schema/large", testLarge);
    g_test_add_func("/schema/outside-document-type", testOutsideDocumentType);
    return g_test_run();
}

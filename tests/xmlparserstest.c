/* xmlparserstest.c: expat and libxml2 see the same documents, or virtXmlParse() refuses those that they do not
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *   xmlparserstest           all documents below tests/: golden files, and the corpora of the fuzz targets
 *   xmlparserstest LIST      a file with the name of one document a line
 *
 * The second is for libvirt's own test documents (libvirt-testdata.sh).
 */
#include <stdio.h>
#include <string.h>

#include "conf/xml_tree.h"
#include "testfiles.h"
#include "xmlparsers.h"

/* So that the test cannot pass by testing nothing: about nine tenths of what there is. */
#define MIN_FILES 1350
#define MIN_EVENTS 28000
#define MIN_LIST_FILES 3000

/* Why virtXmlParse() refuses what libxml2 takes: a piece of the message. Each has a golden file, bad-xml-….xml. */
static const char *const stricter[] = {
    "declares the entity '",
    "the entity '",
    "a prefix that no xmlns:",
    "a ':' that is not",
    "which no name may have",
    "a namespace with a line break",
    "outside of text and values",
    "nested deeper than",
    " attributes",
    " elements",
    "takes at most",
    "contains a zero byte",
    "reserved prefix",
};

typedef struct {
    guint files, events, failed;
    guint verdicts[VIRT_XML_PARSERS_DIFFER + 1];
} Counts;

static bool
isKnown(const char *message)
{
    for (guint i = 0; i < G_N_ELEMENTS(stricter); i++) {
        if (strstr(message, stricter[i]))
            return true;
    }
    return false;
}

/* A document of a corpus may be anything, as bytes of a message; XML begins with a '<', or a mark of UTF-8. */
static bool
isXml(const char *text)
{
    const char *at = g_str_has_prefix(text, "\xef\xbb\xbf") ? text + 3 : text;

    return at[strspn(at, " \t\r\n")] == '<';
}

static void
compareText(Counts *counts, const char *name, const char *text, gsize len)
{
    g_autofree char *why = NULL;
    virtXmlParsersVerdict verdict;
    guint events = 0;

    if (!isXml(text))
        return;
    verdict = virtXmlParsersCompare(text, len, &events, &why);
    counts->files++;
    counts->events += events;
    counts->verdicts[verdict]++;
    if (verdict != VIRT_XML_PARSERS_DIFFER && (verdict != VIRT_XML_PARSERS_STRICTER || isKnown(why)))
        return;
    counts->failed++;
    g_test_message("%s: %s", name, why);
}

static void
compareFile(Counts *counts, const char *path)
{
    g_autofree char *text = NULL;
    g_autoptr(GError) error = NULL;
    gsize len = 0;

    g_file_get_contents(path, &text, &len, &error);
    g_assert_no_error(error);
    compareText(counts, path, text, len);
}

/* The bytes that a line of a corpus stands for (fuzz/corpus.py). */
static void
addLine(GString *out, const char *line)
{
    for (const char *at = line + 1; *at; at++) {
        if (*at != '\\') {
            g_string_append_c(out, *at);
        } else if (at[1] == 'x') {
            g_string_append_c(out, (char)(g_ascii_xdigit_value(at[2]) * 16 + g_ascii_xdigit_value(at[3])));
            at += 3;
        } else {
            g_string_append_c(out, *++at);
        }
    }
    if (*line == '|')
        g_string_append_c(out, '\n');
}

static void
compareCorpus(Counts *counts, const char *path)
{
    g_autofree char *archive = virtTestRead(path);
    g_auto(GStrv) lines = g_strsplit(archive, "\n", -1);
    g_autoptr(GString) text = g_string_new(NULL);
    const char *name = path;

    for (guint i = 0; lines[i]; i++) {
        if (g_str_has_prefix(lines[i], "input ") || !*lines[i]) {
            compareText(counts, name, text->str, text->len);
            g_string_truncate(text, 0);
            name = lines[i];
        } else {
            addLine(text, lines[i]);
        }
    }
}

static void
compareBelow(Counts *counts, const char *path)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDir) dir = g_dir_open(path, 0, &error);
    const char *name;

    g_assert_no_error(error);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *child = g_build_filename(path, name, NULL);

        if (g_file_test(child, G_FILE_TEST_IS_DIR))
            compareBelow(counts, child);
        else if (g_str_has_suffix(name, ".txt"))
            compareCorpus(counts, child);
        else if (!g_str_has_suffix(name, ".err"))
            compareFile(counts, child);
    }
}

static void
testTree(void)
{
    static const char *const dirs[] = {"genericxml2xmlin", "genericxml2xmlout", "qemuxml2argvdata", "fuzz/corpus"};
    Counts counts = {0};

    for (guint i = 0; i < G_N_ELEMENTS(dirs); i++) {
        g_autofree char *path = virtTestPath("%s", dirs[i]);

        compareBelow(&counts, path);
    }
    g_test_message("%u documents, %u tags: the same in %u, refused by virtXmlParse() alone %u, converted %u",
                   counts.files, counts.events, counts.verdicts[VIRT_XML_PARSERS_AGREE],
                   counts.verdicts[VIRT_XML_PARSERS_STRICTER], counts.verdicts[VIRT_XML_PARSERS_CONVERTED]);
    g_assert_cmpuint(counts.failed, ==, 0);
    g_assert_cmpuint(counts.files, >=, MIN_FILES);
    g_assert_cmpuint(counts.events, >=, MIN_EVENTS);
}

/* What the tree has no document for. */
static void
testKinds(void)
{
    static const struct {
        const char *text;
        virtXmlParsersVerdict verdict;
    } cases[] = {
        {"<a/>", VIRT_XML_PARSERS_AGREE},
        {"\xef\xbb\xbf<a>\r\n<b c=' &amp;&#38;&lt;\r\n'>&#13;<![CDATA[<]]></b ></a>\n<!-- - -->",
         VIRT_XML_PARSERS_AGREE},
        {"<!DOCTYPE a [<!ATTLIST a b NMTOKENS ' c  d '>]><a x='1'/>", VIRT_XML_PARSERS_AGREE},
        {"<?xml version='1.1'?><a/>", VIRT_XML_PARSERS_AGREE},
        {"<?xml version='2.0'?><a/>", VIRT_XML_PARSERS_AGREE}, /* both refuse it, and the next ones */
        {"<?xml version='1.x'?><a/>", VIRT_XML_PARSERS_AGREE},
        {"<a>&b;</a>", VIRT_XML_PARSERS_AGREE},
        {"<a b='&c;'/>", VIRT_XML_PARSERS_AGREE},
        {"<a>\xff</a>", VIRT_XML_PARSERS_AGREE},
        {"<a", VIRT_XML_PARSERS_AGREE},
        {"", VIRT_XML_PARSERS_AGREE},
        {"<!DOCTYPE a SYSTEM 'b'><a b='&c;'/>", VIRT_XML_PARSERS_STRICTER},
        {"<a xmlns:xml='b'/>", VIRT_XML_PARSERS_STRICTER},
        {"<?xml version='1.0' encoding='KOI8-R'?><a>\xc1</a>", VIRT_XML_PARSERS_AGREE},
        {"<?xml version='1.0' encoding='ISO-8859-1'?><a b='\xe4'>\xe4</a>", VIRT_XML_PARSERS_AGREE},
        {"<?xml version='1.0' encoding='none-such'?><a/>", VIRT_XML_PARSERS_CONVERTED},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree char *shown = g_strescape(cases[i].text, NULL);
        g_autofree char *why = NULL;
        guint events;

        g_test_message("%s", shown);
        g_assert_cmpint(virtXmlParsersCompare(cases[i].text, strlen(cases[i].text), &events, &why), ==,
                        cases[i].verdict);
    }
}

/* Lines are what a user's editor shows, whichever breaks the document has. */
static void
testLines(void)
{
    static const char text[] = "\xef\xbb\xbf<a>\r<b/>\r\n<c\n x='\r'/>\n\r<d/><d/>\n\n<e/></a>";
    static const guint lines[] = {2, 3, 7, 7, 9};
    g_autoptr(GError) error = NULL;
    g_autoptr(virtXmlDoc) doc = virtXmlParse(text, strlen(text), NULL, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(doc->root->line, ==, 1);
    g_assert_cmpuint(doc->root->children->len, ==, G_N_ELEMENTS(lines));
    for (guint i = 0; i < G_N_ELEMENTS(lines); i++)
        g_assert_cmpuint(((virtXmlNode *)doc->root->children->pdata[i])->line, ==, lines[i]);
}

static int
compareList(const char *list)
{
    g_autofree char *names = virtTestRead(list);
    g_auto(GStrv) lines = g_strsplit(names ? names : "", "\n", -1);
    Counts counts = {0};

    for (guint i = 0; lines[i]; i++) {
        if (*lines[i])
            compareFile(&counts, lines[i]);
    }
    printf("both parsers: %u documents, %u tags; %u passed, %u failed, 0 skipped\n", counts.files, counts.events,
           counts.files - counts.failed, counts.failed);
    return counts.failed || counts.files < MIN_LIST_FILES;
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (argc > 1)
        return compareList(argv[1]);
    g_test_add_func("/xmlparsers/kinds", testKinds);
    g_test_add_func("/xmlparsers/lines", testLines);
    g_test_add_func("/xmlparsers/tree", testTree);
    return g_test_run();
}

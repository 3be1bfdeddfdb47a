/* genericxml2xmltest.c: documents to stock form and back, or the message that refuses them
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A case is genericxml2xmlin/SUBJECT/NAME.xml and either NAME.err beside it, the exact message, or
 * genericxml2xmlout/SUBJECT/NAME.stock.xml and, where showing it again differs from the input, NAME.xml there.
 *
 * In the cases of interface, convert and network an <interface type='hostdev'> is converted too; and NAME.as-netdev and
 * NAME.as-interface are what conversion on purpose gives, text or message.
 */
#include <stdlib.h>
#include <string.h>

#include "conf/domain_conf.h"
#include "testfiles.h"

#define MIN_CASES 420
#define MIN_REFUSED_SHARE 3 /* one of three */

static GPtrArray *messages; /* of refused cases, without file and line */

static guint flags; /* of the running case */

static guint
flagsFor(const char *name)
{
    if (g_str_has_prefix(name, "interface/") || g_str_has_prefix(name, "convert/") ||
        g_str_has_prefix(name, "network/"))
        return VIRT_DOMAIN_INTERFACES;
    return 0;
}

static char *
stock(const char *xml, const char *file)
{
    g_autoptr(GError) error = NULL;
    char *text = virtDomainToStock(xml, strlen(xml), file, flags, &error);

    g_assert_no_error(error);
    return text;
}

static char *
show(const char *xml, const char *file)
{
    g_autoptr(GError) error = NULL;
    char *text = virtDomainFormat(xml, strlen(xml), file, VIRT_DOMAIN_FORM_WRITTEN, &error);

    g_assert_no_error(error);
    return text;
}

/* What must hold for every document, whatever its expectations say. */
static void
checkProperties(const char *input, const char *stored, const char *shown, const char *file)
{
    g_autofree char *storedAgain = stock(shown, file);
    g_autofree char *shownAgain = show(storedAgain, file);
    g_autofree char *storedTwice = stock(stored, file);
    g_autofree char *shownTwice = show(shown, file);
    g_autofree char *inputSkeleton = virtTestSkeleton(input);
    g_autofree char *storedSkeleton = virtTestSkeleton(stored);
    g_autofree char *shownSkeleton = virtTestSkeleton(shown);
    g_autofree char *inputMeaning = virtTestMeaning(input);
    g_autofree char *storedMeaning = virtTestMeaning(stored);
    g_autofree char *direct = show(input, file);
    g_autofree char *directStored = stock(direct, file);
    g_autofree char *directMeaning = virtTestMeaning(direct);

    g_assert_cmpstr(shownAgain, ==, shown);
    g_assert_cmpstr(storedTwice, ==, stored);
    g_assert_cmpstr(shownTwice, ==, shown);
    /* What was in stock form from the start may be laid out in another way than ours; so may an interface. */
    if (!g_str_equal(stored, input) && (!flags || g_str_equal(shown, input))) {
        g_assert_cmpstr(storedAgain, ==, stored);
        g_assert_cmpstr(directStored, ==, stored);
    }
    /* An interface is neither cut out by the skeleton nor a hostdev before it is stored. */
    if (flags)
        return;
    g_assert_cmpstr(directMeaning, ==, inputMeaning);
    g_assert_cmpstr(storedSkeleton, ==, inputSkeleton);
    g_assert_cmpstr(shownSkeleton, ==, inputSkeleton);
    g_assert_cmpstr(storedMeaning, ==, inputMeaning);
    if (!virtDomainConcernsUs(input, strlen(input), 0))
        g_assert_cmpstr(stored, ==, input);
}

static void
checkAccepted(const char *name, const char *input, const char *stored)
{
    g_autofree char *file = virtTestFile(name);
    g_autofree char *shown = show(stored, file);
    g_autofree char *errPath = virtTestPath("genericxml2xmlin/%s.err", name);
    g_autofree char *stockPath = virtTestPath("genericxml2xmlout/%s.stock.xml", name);
    g_autofree char *shownPath = virtTestPath("genericxml2xmlout/%s.xml", name);

    virtTestRemove(errPath);
    virtTestCompare(stockPath, stored);
    if (g_str_equal(shown, input))
        virtTestRemove(shownPath);
    else
        virtTestCompare(shownPath, shown);
    checkProperties(input, stored, shown, file);
}

static gint
compareLines(gconstpointer a, gconstpointer b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What a document means, whatever the order of its devices: a hostdev that becomes an interface moves. An interface has
 * no word for port 1, and a <netdev> none for the one that the VF has. */
static char *
sortedMeaning(const char *xml)
{
    g_autofree char *meaning = virtTestMeaning(xml);
    g_auto(GStrv) lines = g_strsplit(meaning, "\n", -1);

    for (guint i = 0; lines[i]; i++) {
        char *port = strstr(lines[i], "netdev port='1'");

        if (port)
            memmove(port + strlen("netdev"), port + strlen("netdev port='1'"),
                    strlen(port) - strlen("netdev port='1'") + 1);
    }

    qsort(lines, g_strv_length(lines), sizeof(*lines), compareLines);
    return g_strjoinv("\n", lines);
}

/* Conversion on purpose; what it gives means the same device, whose stock form says so. */
static void
checkConverted(const char *name, const char *input, const char *stored, virtDomainForm to)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *path =
        virtTestPath("genericxml2xmlout/%s.as-%s", name, to == VIRT_DOMAIN_FORM_NETDEV ? "netdev" : "interface");
    g_autofree char *file = virtTestFile(name);
    g_autofree char *text = virtDomainConvert(input, strlen(input), file, to, &error);
    g_autofree char *message = text ? NULL : g_strdup_printf("%s\n", error->message);
    g_autofree char *again = text ? virtDomainConvert(text, strlen(text), file, to, &error) : NULL;
    g_autofree char *storedAgain = text ? stock(text, file) : NULL;
    g_autofree char *wanted = sortedMeaning(stored), *found = text ? sortedMeaning(storedAgain) : NULL;

    virtTestCompare(path, text ? text : message);
    if (!text)
        return;
    g_assert_no_error(error);
    g_assert_cmpstr(again, ==, text);
    g_assert_cmpstr(found, ==, wanted);
}

static void
checkRefused(const char *name, const char *message)
{
    g_autofree char *text = g_strdup_printf("%s\n", message);
    g_autofree char *file = virtTestFile(name);
    g_autofree char *head = g_strconcat(file, ":", NULL);
    g_autofree char *errPath = virtTestPath("genericxml2xmlin/%s.err", name);
    g_autofree char *stockPath = virtTestPath("genericxml2xmlout/%s.stock.xml", name);
    g_autofree char *shownPath = virtTestPath("genericxml2xmlout/%s.xml", name);

    virtTestCompare(errPath, text);
    virtTestRemove(stockPath);
    virtTestRemove(shownPath);
    g_assert_true(g_str_has_prefix(message, head));
    g_ptr_array_add(messages, g_strdup(message + strlen(head)));
}

static void
testCase(gconstpointer opaque)
{
    const char *name = opaque;
    g_autofree char *path = virtTestPath("genericxml2xmlin/%s.xml", name);
    g_autofree char *file = virtTestFile(name);
    g_autofree char *input = virtTestRead(path);
    g_autoptr(GError) error = NULL;
    g_autofree char *stored = NULL;

    flags = flagsFor(name);
    stored = virtDomainToStock(input, strlen(input), file, flags, &error);
    if (stored)
        checkAccepted(name, input, stored);
    if (stored && flags) {
        checkConverted(name, input, stored, VIRT_DOMAIN_FORM_NETDEV);
        checkConverted(name, input, stored, VIRT_DOMAIN_FORM_INTERFACE);
    }
    if (!stored)
        checkRefused(name, error->message);
}

/* Two causes with one message would leave the user guessing. */
static void
testMessages(gconstpointer opaque)
{
    const GPtrArray *names = opaque;
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    g_assert_cmpuint(names->len, >=, MIN_CASES);
    g_assert_cmpuint(messages->len * MIN_REFUSED_SHARE, >, names->len);
    for (guint i = 0; i < messages->len; i++) {
        const char *sentence = strchr(messages->pdata[i], ' ');

        if (!g_hash_table_add(seen, (char *)sentence)) {
            g_test_message("two cases are refused with:%s", sentence);
            g_test_fail();
        }
    }
}

int
main(int argc, char **argv)
{
    g_autoptr(GPtrArray) names = NULL;
    int status;

    g_test_init(&argc, &argv, NULL);
    messages = g_ptr_array_new_with_free_func(g_free);
    names = virtTestCases("genericxml2xmlin");
    for (guint i = 0; i < names->len; i++) {
        g_autofree char *path = g_strdup_printf("/genericxml2xml/%s", (char *)names->pdata[i]);
        g_test_add_data_func(path, names->pdata[i], testCase);
    }
    /* A folder of its own: GLib runs them in order, after the cases that stand in none. */
    g_test_add_data_func("/genericxml2xml/all/messages", names, testMessages);
    status = g_test_run();
    g_ptr_array_unref(messages);
    return status;
}

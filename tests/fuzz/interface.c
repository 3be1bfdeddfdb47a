/* interface.c: fuzz target: a document with <interface type='hostdev'>, stored, shown, and converted on purpose
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/domain_conf.h"
#include "oracle.h"
#include "testfiles.h"

#include <stdlib.h>
#include <string.h>

static char *
stock(const char *xml, guint flags)
{
    g_autoptr(GError) error = NULL;
    char *text = virtDomainToStock(xml, strlen(xml), NULL, flags, &error);

    if (!text)
        fuzzFail("what we have written has no stock form: %s\n%s", error->message, xml);
    return text;
}

static char *
show(const char *xml)
{
    g_autoptr(GError) error = NULL;
    char *text = virtDomainFormat(xml, strlen(xml), NULL, VIRT_DOMAIN_FORM_WRITTEN, &error);

    if (!text)
        fuzzFail("what we have written cannot be shown: %s\n%s", error->message, xml);
    return text;
}

static int
compareLines(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Whatever the order of the devices: a hostdev that becomes an interface moves. And whatever port is the device's to
 * say: as a <netdev> that is port 1. */
static char *
sortedMeaning(const char *xml)
{
    g_autofree char *meaning = virtTestMeaning(xml);
    g_autoptr(GRegex) lacking = g_regex_new("<netdev(?! port=)", 0, 0, NULL);
    g_autofree char *text = g_regex_replace_literal(lacking, meaning, -1, 0, "<netdev port='1'", 0, NULL);
    g_auto(GStrv) lines = g_strsplit(text, "\n", -1);

    qsort(lines, g_strv_length(lines), sizeof(*lines), compareLines);
    return g_strjoinv("\n", lines);
}

static void
checkStock(const char *input, const char *stored)
{
    g_autofree char *shown = show(stored), *storedAgain = stock(shown, VIRT_DOMAIN_INTERFACES);
    g_autofree char *shownAgain = show(storedAgain), *storedTwice = stock(stored, VIRT_DOMAIN_INTERFACES);
    g_autofree char *shownTwice = show(shown);

    fuzzXmlKept(input, stored, FUZZ_DEVICES, "brought to stock form");
    fuzzXmlKept(input, shown, FUZZ_DEVICES, "shown");
    fuzzSame(shownAgain, shown, "shown, stored and shown again");
    fuzzSame(storedTwice, stored, "stored twice");
    fuzzSame(shownTwice, shown, "shown twice");
    if (!g_str_equal(stored, input) && g_str_equal(shown, input))
        fuzzSame(storedAgain, stored, "stored, shown and stored again");
}

static void
checkConverted(const char *input, const char *stored, virtDomainForm to)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *text = virtDomainConvert(input, strlen(input), NULL, to, NULL);
    g_autofree char *again = text ? virtDomainConvert(text, strlen(text), NULL, to, &error) : NULL;
    g_autofree char *textStored = NULL, *wanted = NULL, *found = NULL;

    if (!text)
        return;
    if (!again)
        fuzzFail("converted, it cannot be converted: %s\n%s", error->message, text);
    fuzzXmlKept(input, text, FUZZ_DEVICES, "converted");
    fuzzSame(again, text, "converted twice");
    if (!stored) /* a lone device */
        return;
    textStored = stock(text, VIRT_DOMAIN_INTERFACES);
    wanted = sortedMeaning(stored);
    found = sortedMeaning(textStored);
    fuzzSame(found, wanted, "converted, the netdevs are not the same");
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    g_autofree char *input = g_strndup((const char *)data, size);
    g_autofree char *stored = NULL, *all = NULL;

    if (memchr(data, 0, size))
        return 0;
    fuzzXmlParsersAgree((const char *)data, size);
    stored = virtDomainToStock((const char *)data, size, NULL, VIRT_DOMAIN_INTERFACES, NULL);
    all = virtDomainToStock((const char *)data, size, NULL, VIRT_DOMAIN_ALL_INTERFACES, NULL);
    if (stored)
        checkStock(input, stored);
    if (all)
        fuzzSame(all, stored, "with all interfaces, and with those that can be");
    checkConverted(input, stored, VIRT_DOMAIN_FORM_NETDEV);
    checkConverted(input, stored, VIRT_DOMAIN_FORM_INTERFACE);
    return 0;
}

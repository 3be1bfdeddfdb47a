/* viraffinity.c: where a guest's processors or memory are, by which VFs are near to it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/viraffinity.h"

#include <string.h>

static const char *const words[] = {"cpus", "nodes"};

bool
virtAffinityIsNone(const virtAffinity *affinity)
{
    static const guint8 none[sizeof(affinity->bits)];

    return memcmp(affinity->bits, none, sizeof(none)) == 0;
}

/* Whether @number, any, is one of them. */
bool
virtAffinityHas(const virtAffinity *affinity, guint number)
{
    return number < VIRT_AFFINITY_MAX && affinity->bits[number / 8] >> number % 8 & 1;
}

static void
setRange(virtAffinity *affinity, guint64 first, guint64 last, bool on)
{
    for (guint64 n = first; n <= last && n < VIRT_AFFINITY_MAX; n++) {
        guint8 bit = (guint8)(1u << n % 8);

        if (on)
            affinity->bits[n / 8] |= bit;
        else
            affinity->bits[n / 8] &= (guint8)~bit;
    }
}

/* "3", "0-3", or "^3": not that */
static bool
addPart(virtAffinity *affinity, const char *part)
{
    bool on = *part != '^';
    g_auto(GStrv) ends = g_strsplit(part + !on, "-", 3);
    guint n = g_strv_length(ends);
    guint64 first, last;

    if (n < 1 || n > 2 || !g_ascii_string_to_unsigned(ends[0], 10, 0, G_MAXUINT, &first, NULL))
        return false;
    last = first;
    if (n == 2 && !g_ascii_string_to_unsigned(ends[1], 10, first, G_MAXUINT, &last, NULL))
        return false;
    setRange(affinity, first, last, on);
    return true;
}

/* Add those of a list of numbers as the kernel and libvirt write it: "0-3,8,^2". False where it is none. */
bool
virtAffinityAddList(virtAffinity *affinity, const char *list)
{
    g_auto(GStrv) parts = g_strsplit(list, ",", -1);
    virtAffinity more = {0};
    bool ok = parts[0] != NULL;

    for (guint i = 0; ok && parts[i]; i++)
        ok = addPart(&more, g_strstrip(parts[i]));
    for (gsize i = 0; ok && i < sizeof(more.bits); i++)
        affinity->bits[i] |= more.bits[i];
    return ok;
}

/* In one word without blanks, for virtAffinityParse(); the caller frees it. @affinity is not none. */
char *
virtAffinityFormat(const virtAffinity *affinity)
{
    g_autoptr(GString) digits = g_string_new(NULL);
    const char *first;

    for (gsize i = sizeof(affinity->bits); i-- > 0;)
        g_string_append_printf(digits, "%02x", affinity->bits[i]);
    first = digits->str + strspn(digits->str, "0");
    return g_strdup_printf("%s/%s", words[affinity->nodes], first);
}

static bool
readDigits(const char *digits, virtAffinity *ret)
{
    gsize len = strlen(digits);

    if (len == 0 || len > 2 * sizeof(ret->bits))
        return false;
    for (gsize i = 0; i < len; i++) {
        gint digit = g_ascii_xdigit_value(digits[len - 1 - i]);

        if (digit < 0)
            return false;
        ret->bits[i / 2] |= (guint8)(digit << i % 2 * 4);
    }
    return true;
}

/* Read what virtAffinityFormat() writes, and nothing else; @ret is set only then. */
bool
virtAffinityParse(const char *text, virtAffinity *ret)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 2);
    g_autofree char *again = NULL;
    virtAffinity affinity = {0};

    if (g_strv_length(parts) != 2 || !readDigits(parts[1], &affinity))
        return false;
    affinity.nodes = g_str_equal(parts[0], words[1]);
    again = virtAffinityFormat(&affinity);
    if (!g_str_equal(again, text) || virtAffinityIsNone(&affinity))
        return false;
    *ret = affinity;
    return true;
}

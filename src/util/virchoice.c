/* virchoice.c: a VF that is asked for by something else than its address, as text
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virchoice.h"

#include <string.h>

static const char *const words[] = {
    [VIRT_CHOICE_SERIAL] = "serial", [VIRT_CHOICE_DEV] = "dev", [VIRT_CHOICE_POOL] = "pool"};

static bool
isName(const char *name)
{
    gsize len = strlen(name);

    for (gsize i = 0; i < len; i++) {
        if (!g_ascii_isprint(name[i]))
            return false;
    }
    return len > 0 && len <= VIRT_CHOICE_NAME_MAX;
}

/* Set all of a choice. False, and nothing is set, where @name is empty, too long or not printable ASCII. */
bool
virtChoiceSet(virtChoice *choice, virtChoiceBy by, const char *name, gint function, gint vf)
{
    if (!isName(name))
        return false;
    *choice = (virtChoice){.by = by, .function = function, .vf = vf};
    g_strlcpy(choice->name, name, sizeof(choice->name));
    return true;
}

bool
virtChoiceEqual(const virtChoice *a, const virtChoice *b)
{
    return a->by == b->by && a->function == b->function && a->vf == b->vf && g_str_equal(a->name, b->name);
}

/* Whether there is one VF alone that it means. */
bool
virtChoiceIsExact(const virtChoice *choice)
{
    return choice->by != VIRT_CHOICE_NONE && choice->vf != VIRT_CHOICE_ANY;
}

/* Whether somebody has to choose between several VFs for one of @wishes (virtWish). */
bool
virtWishListIsOpen(const GArray *wishes)
{
    for (guint i = 0; i < wishes->len; i++) {
        const virtChoice *choice = &g_array_index(wishes, virtWish, i).choice;

        if (choice->by != VIRT_CHOICE_NONE && !virtChoiceIsExact(choice))
            return true;
    }
    return false;
}

/* "3", or @any. */
static void
appendNumber(GString *out, gint number, const char *any)
{
    if (number == VIRT_CHOICE_ANY)
        g_string_append_printf(out, "/%s", any);
    else
        g_string_append_printf(out, "/%d", number);
}

/* In one word without blanks, for virtChoiceParse(); the caller frees it. @choice asks for something. */
char *
virtChoiceFormat(const virtChoice *choice)
{
    g_autofree char *name = g_uri_escape_string(choice->name, NULL, FALSE);
    GString *out = g_string_new(words[choice->by]);

    g_string_append_printf(out, "/%s", name);
    if (choice->by == VIRT_CHOICE_SERIAL)
        appendNumber(out, choice->function, "-");
    if (choice->by != VIRT_CHOICE_POOL)
        appendNumber(out, choice->vf, "any");
    return g_string_free(out, FALSE);
}

static bool
readNumber(const char *word, const char *any, gint max, gint *ret)
{
    guint64 number;

    *ret = VIRT_CHOICE_ANY;
    if (g_str_equal(word, any))
        return true;
    if (!g_ascii_string_to_unsigned(word, 10, 0, (guint64)max, &number, NULL))
        return false;
    *ret = (gint)number;
    return true;
}

static bool
readWords(char *const *parts, virtChoice *ret)
{
    static const guint counts[] = {[VIRT_CHOICE_SERIAL] = 4, [VIRT_CHOICE_DEV] = 3, [VIRT_CHOICE_POOL] = 2};
    guint n = g_strv_length((char **)parts);
    virtChoiceBy by = VIRT_CHOICE_SERIAL;
    gint function = VIRT_CHOICE_ANY, vf = VIRT_CHOICE_ANY;
    g_autofree char *name = NULL;

    while (by < VIRT_CHOICE_POOL && n > 0 && !g_str_equal(parts[0], words[by]))
        by++;
    if (n != counts[by] || !g_str_equal(parts[0], words[by]) ||
        (by == VIRT_CHOICE_SERIAL && !readNumber(parts[2], "-", 7, &function)) ||
        (by != VIRT_CHOICE_POOL && !readNumber(parts[n - 1], "any", G_MAXUINT16, &vf)))
        return false;
    name = g_uri_unescape_string(parts[1], NULL);
    return name && virtChoiceSet(ret, by, name, function, vf);
}

/* Read what virtChoiceFormat() writes, and nothing else; @ret is set only then. */
bool
virtChoiceParse(const char *text, virtChoice *ret)
{
    g_auto(GStrv) parts = g_strsplit(text, "/", 5);
    g_autofree char *again = NULL;
    virtChoice choice;

    if (!readWords(parts, &choice))
        return false;
    again = virtChoiceFormat(&choice);
    if (!g_str_equal(again, text))
        return false;
    *ret = choice;
    return true;
}

/* For messages: "VF 3 of function 0 of card MT2113X00001", "any VF of ens1f0", "any VF of pool 'blue'"; the caller
 * frees it. @choice asks for something. */
char *
virtChoiceDescribe(const virtChoice *choice)
{
    GString *out = g_string_new("any VF of ");

    if (virtChoiceIsExact(choice))
        g_string_printf(out, "VF %d of ", choice->vf);
    if (choice->by == VIRT_CHOICE_POOL) {
        g_string_append_printf(out, "pool '%s'", choice->name);
    } else if (choice->by == VIRT_CHOICE_DEV) {
        g_string_append_printf(out, "PF %s", choice->name);
    } else {
        if (choice->function != VIRT_CHOICE_ANY)
            g_string_append_printf(out, "function %d of ", choice->function);
        g_string_append_printf(out, "card %s", choice->name);
    }
    return g_string_free(out, FALSE);
}

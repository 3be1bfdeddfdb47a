/* pool_conf.c: a pool of VFs, as its file says it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/pool_conf.h"

#include <string.h>

#include "conf/address_conf.h"
#include "conf/choice_conf.h"

static const virtXmlRule rules[] = {
    {"pool", "order", "name! description pf* vf* match*", NULL, NULL},
    {"pf", "serial function dev vfs", "address", NULL, NULL},
    {"vf", "", "address!", NULL, NULL},
    {"address", "domain bus slot function", "", NULL, NULL},
    {"match", "vendor product driver node link trusted", "", NULL, NULL},
    {NULL},
};
static const virtXmlGrammar grammar = {rules, NULL, NULL};

static void
memberFree(gpointer opaque)
{
    virtPoolMember *member = opaque;

    g_clear_pointer(&member->ranges, g_array_unref);
    g_free(member->match.driver);
    g_free(member);
}

void
virtPoolFree(virtPool *pool)
{
    if (!pool)
        return;
    g_free(pool->name);
    g_free(pool->description);
    g_ptr_array_unref(pool->members);
    g_free(pool);
}

/* "3" or "0-3"; false for anything else. */
static bool
readRange(const char *word, virtPoolRange *ret)
{
    g_auto(GStrv) ends = g_strsplit(word, "-", 3);
    guint n = g_strv_length(ends);
    guint64 first, last;

    if (n < 1 || n > 2 || !g_ascii_string_to_unsigned(ends[0], 10, 0, G_MAXUINT16, &first, NULL))
        return false;
    last = first;
    if (n == 2 && !g_ascii_string_to_unsigned(ends[1], 10, first, G_MAXUINT16, &last, NULL))
        return false;
    *ret = (virtPoolRange){(guint)first, (guint)last};
    return true;
}

static bool
parseRanges(const virtXmlDoc *doc, const virtXmlNode *node, GArray **ret, GError **error)
{
    const char *vfs = virtXmlGet(node, "vfs");
    g_auto(GStrv) words = NULL;
    virtPoolRange range;

    if (!vfs)
        return true;
    *ret = g_array_new(FALSE, FALSE, sizeof(virtPoolRange));
    words = g_strsplit(vfs, ",", -1);
    for (guint i = 0; words[i]; i++) {
        if (!readRange(g_strstrip(words[i]), &range)) {
            virtXmlBadValue(doc, node, "vfs", error, "not indexes of VFs like 0-3,7, each from 0 to %u", G_MAXUINT16);
            return false;
        }
        g_array_append_val(*ret, range);
    }
    if ((*ret)->len == 0)
        virtXmlBadValue(doc, node, "vfs", error, "it names no VF; leave it out for all VFs of the PF");
    return (*ret)->len > 0;
}

/* Whether @index is in one of @ranges (virtPoolRange); NULL has all. */
bool
virtPoolRangesHave(const GArray *ranges, guint index)
{
    for (guint i = 0; ranges && i < ranges->len; i++) {
        const virtPoolRange *range = &g_array_index(ranges, virtPoolRange, i);

        if (index >= range->first && index <= range->last)
            return true;
    }
    return !ranges;
}

static bool
parsePF(const virtXmlDoc *doc, const virtXmlNode *node, virtPoolMember *member, GError **error)
{
    const virtXmlNode *address = virtXmlChild(node, "address");

    if (!parseRanges(doc, node, &member->ranges, error))
        return false;
    if (!address)
        return virtChoiceParsePF(doc, node, VIRT_CHOICE_ANY, &member->pf, error);
    if (virtXmlGet(node, "serial") || virtXmlGet(node, "dev")) {
        virtXmlError(doc, node, error, "<pf> has an <address> beside its serial number or netdev: drop one of the two");
        return false;
    }
    return virtPCIAddressParseXml(doc, address, &member->address, error);
}

/* 0 or 1 for the first or the second of @words; -1 where the attribute is not there. */
static bool
parseEither(const virtXmlDoc *doc, const virtXmlNode *node, const char *name, const char *const *words, gint *ret,
            GError **error)
{
    const char *value = virtXmlGet(node, name);

    *ret = -1;
    if (!value)
        return true;
    *ret = g_str_equal(value, words[1]);
    if (*ret == 1 || g_str_equal(value, words[0]))
        return true;
    virtXmlBadValue(doc, node, name, error, "not '%s' or '%s'", words[1], words[0]);
    return false;
}

static bool
parseMatch(const virtXmlDoc *doc, const virtXmlNode *node, virtPoolMatch *ret, GError **error)
{
    static const virtXmlRange id = {0, 0, G_MAXUINT16, "a PCI id"}, number = {10, 0, G_MAXUINT16, "a NUMA node"};
    static const char *const up[] = {"down", "up"}, *const yes[] = {"no", "yes"};
    guint64 vendor = G_MAXUINT64, product = G_MAXUINT64, node_ = G_MAXUINT64;

    if (node->attrCount == 0) {
        virtXmlError(doc, node, error,
                     "<match> asks for nothing, and every VF of the host would do: give an attribute");
        return false;
    }
    if (!parseEither(doc, node, "link", up, &ret->linkUp, error) ||
        !parseEither(doc, node, "trusted", yes, &ret->trusted, error) ||
        !virtXmlGetUInt(doc, node, "vendor", &id, &vendor, error) ||
        !virtXmlGetUInt(doc, node, "product", &id, &product, error) ||
        !virtXmlGetUInt(doc, node, "node", &number, &node_, error))
        return false;
    ret->vendor = vendor == G_MAXUINT64 ? -1 : (gint)vendor;
    ret->product = product == G_MAXUINT64 ? -1 : (gint)product;
    ret->node = node_ == G_MAXUINT64 ? -1 : (gint)node_;
    ret->driver = g_strdup(virtXmlGet(node, "driver"));
    return true;
}

static bool
parseMember(const virtXmlDoc *doc, const virtXmlNode *node, virtPoolMember *member, GError **error)
{
    member->line = node->line;
    if (g_str_equal(node->name, "pf")) {
        member->kind = VIRT_POOL_PF;
        return parsePF(doc, node, member, error);
    }
    if (g_str_equal(node->name, "vf")) {
        member->kind = VIRT_POOL_VF;
        return virtPCIAddressParseXml(doc, virtXmlChild(node, "address"), &member->address, error);
    }
    member->kind = VIRT_POOL_MATCH;
    return parseMatch(doc, node, &member->match, error);
}

static bool
parseOrder(const virtXmlDoc *doc, virtPool *pool, GError **error)
{
    const char *order = virtXmlGet(doc->root, "order");

    pool->listed = g_strcmp0(order, "listed") == 0;
    if (!order || pool->listed || g_str_equal(order, "near"))
        return true;
    virtXmlBadValue(doc, doc->root, "order", error, "not 'near' or 'listed'");
    return false;
}

static bool
parseMembers(const virtXmlDoc *doc, virtPool *pool, GError **error)
{
    for (guint i = 0; i < doc->root->children->len; i++) {
        const virtXmlNode *node = doc->root->children->pdata[i];
        virtPoolMember *member;

        if (g_str_equal(node->name, "name") || g_str_equal(node->name, "description"))
            continue;
        member = g_new0(virtPoolMember, 1);
        g_ptr_array_add(pool->members, member);
        if (!parseMember(doc, node, member, error))
            return false;
    }
    if (pool->members->len > 0)
        return true;
    virtXmlError(doc, doc->root, error, "<pool> has no VFs: name some with <pf>, <vf> or <match>");
    return false;
}

/* Read a pool.
 *
 * @file: for messages, may be NULL
 *
 * Returns it, for virtPoolFree(); or NULL with VIRT_ERROR_INVALID.
 */
virtPool *
virtPoolParse(const char *xml, gsize len, const char *file, GError **error)
{
    g_autoptr(virtXmlDoc) doc = virtXmlParse(xml, len, file, error);
    g_autoptr(virtPool) pool = NULL;
    const char *description;

    if (!doc)
        return NULL;
    if (!virtXmlIs(doc->root, NULL, "pool")) {
        g_autofree char *name = virtXmlQuote(doc->root->name);

        virtXmlError(doc, doc->root, error, "the root of a pool's file is <pool>, not <%s>", name);
        return NULL;
    }
    pool = g_new0(virtPool, 1);
    pool->members = g_ptr_array_new_with_free_func(memberFree);
    if (!virtXmlCheck(doc, doc->root, &grammar, error))
        return NULL;
    pool->name = g_strstrip(g_strdup(virtXmlText(virtXmlChild(doc->root, "name"))));
    if (!virtChoiceIsPool(pool->name)) {
        g_autofree char *quoted = virtXmlQuote(pool->name);

        virtXmlError(doc, virtXmlChild(doc->root, "name"), error, "'%s' in <name> is not the name of a pool: %s",
                     quoted, VIRT_CHOICE_POOL_NAMES);
        return NULL;
    }
    description = virtXmlText(virtXmlChild(doc->root, "description"));
    if (*description)
        pool->description = g_strdup(description);
    if (!parseOrder(doc, pool, error) || !parseMembers(doc, pool, error))
        return NULL;
    return g_steal_pointer(&pool);
}

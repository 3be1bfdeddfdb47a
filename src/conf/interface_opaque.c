/* interface_opaque.c: what metadata remembers of an <interface> that became a <hostdev>
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Two things: at which place among the domain's interfaces it stood, and its children that mean nothing to a VF, or
 * more than a netdev can say, as the text that is to be shown again. Whoever may write metadata may write this too, so
 * it is checked like an <interface> of a document.
 */
#include "conf/domain_locate.h"

#include <string.h>

/* What metadata keeps of an interface, as it may stand there itself. */
static const virtXmlRule keptRules[] = {
    {"interface", "", VIRT_INTERFACE_OPAQUE, NULL, NULL},
    {"link", "state!", "", NULL, NULL},
    {NULL},
};
static const virtXmlGrammar keptGrammar = {keptRules, virtInterfaceRefusals, virtInterfaceRules};

void
virtInterfaceFree(virtInterface *interface)
{
    if (!interface)
        return;
    g_free(interface->opaque);
    g_free(interface);
}

/* A copy for virtInterfaceFree(); NULL for NULL. */
virtInterface *
virtInterfaceCopy(const virtInterface *interface)
{
    virtInterface *copy;

    if (!interface)
        return NULL;
    copy = g_memdup2(interface, sizeof(*interface));
    copy->opaque = g_strdup(interface->opaque);
    return copy;
}

/* What @interface (may be NULL) has kept, as a tree below an element of no meaning, for virtXmlDocFree(); its text
 * is *ret_text, for g_free() after that. */
virtXmlDoc *
virtInterfaceParseOpaque(const virtInterface *interface, char **ret_text, GError **error)
{
    const char *opaque = "";

    if (interface)
        opaque = interface->opaque;
    *ret_text = g_strdup_printf("<interface>%s</interface>", opaque);
    return virtXmlParse(*ret_text, strlen(*ret_text), NULL, error);
}

/* Does @kept say more than @netdev, and nothing else? To the last unit, for it is shown in its place. */
static bool
keptAgrees(const virtXmlDoc *doc, const virtNetdev *kept, const virtNetdev *netdev, GError **error)
{
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        const virtSettingAttr *info = &virtNetdevAttrs[attr];

        if (!virtNetdevHas(kept, attr) ||
            (virtNetdevHas(netdev, attr) &&
             memcmp((const char *)kept + info->offset, (const char *)netdev + info->offset, info->size) == 0))
            continue;
        virtXmlError(doc, doc->root, error, "its %s is not that of its <netdev>", info->title);
        return false;
    }
    return true;
}

/* Whoever writes metadata might have something kept that then makes another interface of it, or none of ours; or that
 * libvirt would write in another way. */
static bool
checkOpaque(virtInterface *interface, const virtNetdev *netdev, GError **error)
{
    g_autofree virtNetdev *says = NULL;
    g_autofree char *text = NULL;
    g_autoptr(virtXmlDoc) kept = virtInterfaceParseOpaque(interface, &text, error);
    g_autoptr(GString) written = g_string_new(NULL);

    if (!kept || !virtXmlCheck(kept, kept->root, &keptGrammar, error) ||
        !(says = virtInterfaceParseNetdev(kept, kept->root, error)) || !keptAgrees(kept, says, netdev, error))
        return false;
    for (guint i = 0; i < kept->root->children->len; i++)
        virtInterfaceFormatChild(written, kept->root->children->pdata[i]);
    g_free(interface->opaque);
    interface->opaque = g_strdup(written->str);
    return true;
}

/* The shape of @entry has been checked. */
static virtInterface *
readOpaque(const virtXmlDoc *doc, const virtXmlNode *entry, GError **error)
{
    static const virtXmlRange range = {10, 0, G_MAXINT, "it says how many interfaces come before this one"};
    static const virtXmlLayout layout = {"", "", ""};
    virtInterface *interface;
    GString *kept;
    guint64 index = G_MAXUINT64;

    if (!virtXmlGetUInt(doc, entry, "index", &range, &index, error))
        return NULL;
    kept = g_string_new(NULL);
    for (guint i = 0; i < entry->children->len; i++)
        virtXmlFormatNode(kept, entry->children->pdata[i], &layout);
    if (kept->len > VIRT_INTERFACE_OPAQUE_MAX) {
        virtXmlError(doc, entry, error, "what the metadata stores of this <interface> has more than %d bytes",
                     VIRT_INTERFACE_OPAQUE_MAX);
        g_string_free(kept, TRUE);
        return NULL;
    }
    interface = g_new0(virtInterface, 1);
    interface->index = -1;
    if (index <= G_MAXINT)
        interface->index = (gint)index;
    interface->opaque = g_string_free(kept, FALSE);
    return interface;
}

/* Read the <interface> of @node, a <hostdev> of our metadata that has @netdevs; *ret stays NULL where it has none. The
 * shape has been checked.
 *
 * False with VIRT_ERROR_INVALID.
 */
bool
virtInterfaceParseEntry(const virtXmlDoc *doc, const virtXmlNode *node, const GPtrArray *netdevs, virtInterface **ret,
                        GError **error)
{
    const virtXmlNode *entry = NULL;
    g_autoptr(virtInterface) interface = NULL;
    g_autoptr(GError) why = NULL;

    for (guint i = 0; i < node->children->len && !entry; i++) {
        const virtXmlNode *child = node->children->pdata[i];

        if (g_str_equal(child->name, "interface"))
            entry = child;
    }
    if (!entry)
        return true;
    if (!(interface = readOpaque(doc, entry, error)))
        return false;
    if (netdevs->len == 0) {
        virtXmlError(doc, node, error, "the metadata's <hostdev> is an <interface>, which has a netdev, and has none");
        return false;
    }
    if (!checkOpaque(interface, netdevs->pdata[0], &why)) {
        virtXmlError(doc, entry, error, "what the metadata stores of this <interface> is invalid: %s",
                     virtXmlErrorSentence(why));
        return false;
    }
    virtInterfaceSetUntagged(netdevs->pdata[0]);
    *ret = g_steal_pointer(&interface);
    return true;
}

/* Append the <interface> of a <hostdev> of our metadata. */
void
virtInterfaceFormatEntry(GString *out, const virtInterface *interface, const virtXmlLayout *layout)
{
    g_autofree char *text = NULL;
    g_autoptr(virtXmlDoc) kept = virtInterfaceParseOpaque(interface, &text, NULL);
    g_autofree char *inner = g_strconcat(layout->indent, layout->step, NULL);
    const virtXmlLayout deeper = {layout->prefix, inner, layout->step};

    g_string_append_printf(out, "%s<%sinterface", layout->indent, layout->prefix);
    if (interface->index >= 0)
        g_string_append_printf(out, " index='%d'", interface->index);
    if (!kept || kept->root->children->len == 0) {
        g_string_append(out, "/>");
        return;
    }
    g_string_append_c(out, '>');
    for (guint i = 0; i < kept->root->children->len; i++)
        virtXmlFormatNode(out, kept->root->children->pdata[i], &deeper);
    g_string_append_printf(out, "%s</%sinterface>", layout->indent, layout->prefix);
}

/* Of what a netdev says in part, only the rest is in the way. */
static void
appendName(GString *names, const virtXmlNode *node)
{
    if (names->len)
        g_string_append(names, ", ");
    if (g_str_equal(node->name, "mac"))
        g_string_append(names, "type and check of <mac>");
    else if (g_str_equal(node->name, "bandwidth"))
        g_string_append(names, "<inbound> and burst of <bandwidth>");
    else
        g_string_append_printf(names, "<%s>", node->name);
}

/* "<script>, <model>": the elements that were kept; "" for none or no @interface. For g_free(). */
char *
virtInterfaceListOpaque(const virtInterface *interface)
{
    g_autofree char *text = NULL;
    g_autoptr(virtXmlDoc) kept = virtInterfaceParseOpaque(interface, &text, NULL);
    GString *names = g_string_new(NULL);

    for (guint i = 0; kept && i < kept->root->children->len; i++)
        appendName(names, kept->root->children->pdata[i]);
    return g_string_free(names, FALSE);
}

/* Forget what @interface (may be NULL) has kept as elements called @name, or, with NULL, of any name; returns their
 * names, as virtInterfaceListOpaque(). */
char *
virtInterfaceDropOpaque(virtInterface *interface, const char *name)
{
    static const virtXmlLayout layout = {"", "", ""};
    g_autofree char *text = NULL;
    g_autoptr(virtXmlDoc) kept = virtInterfaceParseOpaque(interface, &text, NULL);
    g_autoptr(GString) left = g_string_new(NULL);
    GString *names = g_string_new(NULL);

    for (guint i = 0; kept && i < kept->root->children->len; i++) {
        const virtXmlNode *child = kept->root->children->pdata[i];

        if (name && !g_str_equal(child->name, name))
            virtXmlFormatNode(left, child, &layout);
        else
            appendName(names, child);
    }
    if (interface) {
        g_free(interface->opaque);
        interface->opaque = g_strdup(left->str);
    }
    return g_string_free(names, FALSE);
}

/* The name of what @given keeps and @has (may be NULL) does not, or not so: "model", for g_free(); NULL: nothing.
 * Beside what a netdev says, of which the whole is kept: <mac>, <bandwidth>, <link>. */
char *
virtInterfaceFindOther(const virtInterface *has, const virtInterface *given)
{
    static const char *const others[] = {"mac", "bandwidth", "link", NULL};
    g_autofree char *text = NULL;
    g_autoptr(virtXmlDoc) kept = virtInterfaceParseOpaque(given, &text, NULL);

    for (guint i = 0; kept && i < kept->root->children->len; i++) {
        const virtXmlNode *child = kept->root->children->pdata[i];
        g_autoptr(GString) one = g_string_new(NULL);

        virtInterfaceFormatChild(one, child);
        if (!g_strv_contains(others, child->name) && !(has && strstr(has->opaque, one->str)))
            return g_strdup(child->name);
    }
    return NULL;
}

/* xml_edit.c: put text into a document without touching the rest of it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/xml_tree.h"

#include <string.h>

#include "util/virerror.h"

#define INDENT_MAX 256 /* bytes; VIRT_XML_DEPTH_MAX levels of a column each */

typedef struct {
    gsize from, to; /* bytes [from, to) of the original are replaced */
    guint order;    /* of the call: two texts put at one place stand in this order */
    char *with;
} Edit;

struct _virtXmlEdits {
    GArray *edits; /* Edit */
    /* Bytes of their texts: past VIRT_XML_MAX the document is too long whatever is cut, and none is kept. */
    gsize grown;
};

static void
editClear(gpointer opaque)
{
    g_free(((Edit *)opaque)->with);
}

/* An empty collection. */
virtXmlEdits *
virtXmlEditsNew(void)
{
    virtXmlEdits *edits = g_new0(virtXmlEdits, 1);

    edits->edits = g_array_new(FALSE, FALSE, sizeof(Edit));
    g_array_set_clear_func(edits->edits, editClear);
    return edits;
}

void
virtXmlEditsFree(virtXmlEdits *edits)
{
    if (!edits)
        return;
    g_array_unref(edits->edits);
    g_free(edits);
}

/* Note that @with (NULL: nothing) shall stand for the bytes [@from, @to) of the original; equal positions insert.
 * Edits may come in any order but may not overlap. */
void
virtXmlReplace(virtXmlEdits *edits, gsize from, gsize to, const char *with)
{
    Edit edit = {from, to, edits->edits->len, NULL};

    if (with)
        edits->grown += strlen(with);
    if (!with || edits->grown > VIRT_XML_MAX)
        with = "";
    edit.with = g_strdup(with);
    g_array_append_val(edits->edits, edit);
}

static int
editCompare(gconstpointer a, gconstpointer b)
{
    const Edit *x = a, *y = b;

    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return (x->order > y->order) - (x->order < y->order);
}

/* Whether ASCII text may be spliced into the document byte for byte. */
static bool
virtXmlIsAsciiBased(const virtXmlDoc *doc)
{
    static const char *const known[] = {"UTF-8", "UTF8", "US-ASCII", "ASCII", "ISO-8859-1"};

    for (guint i = 0; doc->encoding && i < G_N_ELEMENTS(known); i++) {
        if (g_ascii_strcasecmp(doc->encoding, known[i]) == 0)
            return true;
    }
    return !doc->encoding;
}

/* The bytes [@from, @to) of @doc with all @edits made, which are in there; the caller frees them.
 *
 * Fails when there is something to put into a document whose encoding may not be spliced into, and when the
 * text would grow past what libvirt takes.
 */
char *
virtXmlApplyTo(const virtXmlEdits *edits, const virtXmlDoc *doc, gsize from, gsize to, GError **error)
{
    g_autoptr(GString) out = NULL;
    gsize done = from;

    if (edits->edits->len && !virtXmlIsAsciiBased(doc)) {
        g_autofree char *quoted = virtXmlQuote(doc->encoding);

        virtXmlError(doc, doc->root, error, "the document is in the encoding '%s': save it as UTF-8", quoted);
        return NULL;
    }
    g_array_sort(edits->edits, editCompare);
    out = g_string_sized_new(to - from + 1024);
    for (guint i = 0; i < edits->edits->len; i++) {
        const Edit *edit = &g_array_index(edits->edits, Edit, i);

        g_assert(edit->from >= done && edit->to >= edit->from && edit->to <= to);
        g_string_append_len(out, doc->text + done, edit->from - done);
        g_string_append(out, edit->with);
        done = edit->to;
    }
    g_string_append_len(out, doc->text + done, to - done);
    if (out->len > VIRT_XML_MAX || edits->grown > VIRT_XML_MAX) {
        virtXmlTooLarge(doc, error,
                        "in the form libvirt keeps, the document would have %" G_GSIZE_FORMAT
                        " bytes; it takes at most %d",
                        MAX(out->len, edits->grown), VIRT_XML_MAX);
        return NULL;
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* As virtXmlApplyTo(), of all of @doc. */
char *
virtXmlApply(const virtXmlEdits *edits, const virtXmlDoc *doc, GError **error)
{
    return virtXmlApplyTo(edits, doc, 0, doc->len, error);
}

/* The name of the reference to a character that is markup, as libvirt writes it; or NULL. */
static const char *
referenceTo(gunichar c)
{
    switch (c) {
    case '&':
        return "amp";
    case '<':
        return "lt";
    case '>':
        return "gt";
    case '\'':
        return "apos";
    case '"':
        return "quot";
    default:
        return NULL;
    }
}

/* Append @value so that it may stand in an attribute with any quotes and in any encoding: what is not plain
 * ASCII becomes a numeric reference. What XML cannot carry at all (control characters, bytes that are not
 * UTF-8, as a driver may report them) becomes '?'. */
void
virtXmlEscape(GString *out, const char *value)
{
    for (const char *p = value; *p;) {
        gunichar c;
        bool valid;

        if (*p >= ' ' && *p < 0x7f && !referenceTo((guchar)*p)) {
            g_string_append_c(out, *p++);
            continue;
        }
        c = g_utf8_get_char_validated(p, -1);
        valid = c != (gunichar)-1 && c != (gunichar)-2;
        if (!valid || (c < 0x20 && !strchr("\t\n\r", c)) || c == 0xfffe || c == 0xffff)
            g_string_append_c(out, '?');
        else if (referenceTo(c))
            g_string_append_printf(out, "&%s;", referenceTo(c));
        else if (c < 0x20 || c >= 0x7f)
            g_string_append_printf(out, "&#%u;", c);
        p = valid ? g_utf8_next_char(p) : p + 1;
    }
}

/* Append " name='number'". */
void
virtXmlAddNumber(GString *out, const char *name, guint64 number)
{
    char digits[21], *first = digits + sizeof(digits) - 1;

    *first = '\0';
    do
        *--first = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    virtXmlAddText(out, name, first);
}

/* The start of the white space that ends at @pos. */
gsize
virtXmlSpaceBefore(const virtXmlDoc *doc, gsize pos)
{
    while (pos > 0 && strchr(" \t\r\n", doc->text[pos - 1]))
        pos--;
    return pos;
}

/* The line break and the indentation before @node, "" where it does not begin its line, or so far right that every line
 * put beside it would take more room than what it says; for g_free(). */
char *
virtXmlIndentOf(const virtXmlDoc *doc, const virtXmlNode *node)
{
    gsize from = virtXmlSpaceBefore(doc, node->start), at = node->start;

    while (at > from && doc->text[at - 1] != '\n')
        at--;
    if (at == from)
        return g_strdup("");
    at--;
    if (at > from && doc->text[at - 1] == '\r')
        at--;
    if (node->start - at > INDENT_MAX)
        return g_strdup("");
    return g_strndup(doc->text + at, node->start - at);
}

/* How much deeper the node that stands behind @indent is than @parent; for g_free(). */
char *
virtXmlStepFrom(const virtXmlDoc *doc, const virtXmlNode *parent, const char *indent)
{
    const char *blanks = indent + strspn(indent, "\r\n");
    g_autofree char *outer = NULL;
    const char *outerBlanks;

    if (!*indent)
        return g_strdup("");
    if (virtXmlSpaceBefore(doc, parent->start) > 0)
        outer = virtXmlIndentOf(doc, parent);
    else
        outer = g_strndup(doc->text, parent->start);
    outerBlanks = outer + strspn(outer, "\r\n");
    if (!g_str_has_prefix(blanks, outerBlanks))
        return g_strdup("  ");
    return g_strdup(blanks + strlen(outerBlanks));
}

/* Cut @node with the white space before it. */
void
virtXmlCut(virtXmlEdits *edits, const virtXmlDoc *doc, const virtXmlNode *node)
{
    virtXmlReplace(edits, virtXmlSpaceBefore(doc, node->start), node->end, NULL);
}

/* Where an attribute stands in the start tag of @node, from the white space before it to behind its closing quote.
 * False where it is not written there without a prefix. */
bool
virtXmlFindAttr(const virtXmlDoc *doc, const virtXmlNode *node, const char *attr, gsize *ret_from, gsize *ret_to)
{
    const char *p = doc->text + node->start, *end = doc->text + node->startEnd;

    p += strcspn(p, " \t\r\n/>");
    while (p < end) {
        const char *from = p, *name = p + strspn(p, " \t\r\n");
        gsize len = strcspn(name, " \t\r\n=/>");
        const char *quote = name + len + strcspn(name + len, "'\"/>");
        const char *close = NULL;

        if (quote < end && strchr("'\"", *quote))
            close = strchr(quote + 1, *quote);
        if (!close)
            return false;
        p = close + 1;
        if (strlen(attr) == len && strncmp(attr, name, len) == 0) {
            *ret_from = (gsize)(from - doc->text);
            *ret_to = (gsize)(p - doc->text);
            return true;
        }
    }
    return false;
}

static void
formatNodeAttrs(GString *out, const virtXmlNode *node)
{
    for (guint i = 0; i < node->attrCount; i++) {
        if (strchr(node->attrs[i].name, ' '))
            continue; /* a foreign namespace's */
        g_string_append_printf(out, " %s='", node->attrs[i].name);
        virtXmlEscape(out, node->attrs[i].value);
        g_string_append_c(out, '\'');
    }
}

/* Append @node and all below it, in the layout and with the prefix of @layout: its own white space, comments, and
 * attributes and elements of foreign namespaces are not kept. Ends once @out is longer than any document may be. */
void
virtXmlFormatNode(GString *out, const virtXmlNode *node, const virtXmlLayout *layout)
{
    g_autofree char *inner = g_strconcat(layout->indent, layout->step, NULL);
    g_autofree char *text = g_strstrip(g_strdup(virtXmlText(node)));
    const virtXmlLayout deeper = {layout->prefix, inner, layout->step};

    if (out->len > VIRT_XML_MAX)
        return;
    g_string_append_printf(out, "%s<%s%s", layout->indent, layout->prefix, node->name);
    formatNodeAttrs(out, node);
    if (!*text && node->children->len == 0) {
        g_string_append(out, "/>");
        return;
    }
    g_string_append_c(out, '>');
    virtXmlEscape(out, text);
    for (guint i = 0; i < node->children->len; i++) {
        const virtXmlNode *child = node->children->pdata[i];

        if (!child->ns || g_strcmp0(child->ns, node->ns) == 0)
            virtXmlFormatNode(out, child, &deeper);
    }
    if (node->children->len > 0)
        g_string_append(out, layout->indent);
    g_string_append_printf(out, "</%s%s>", layout->prefix, node->name);
}

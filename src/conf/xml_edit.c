/* xml_edit.c: put text into a document without touching the rest of it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include <string.h>

#include "conf/xml_tree.h"
#include "util/virerror.h"

typedef struct {
    gsize from, to; /* bytes [from, to) of the original are replaced */
    guint order;    /* of the call: two texts put at one place stand in this order */
    char *with;
} Edit;

struct _virtXmlEdits {
    GArray *edits; /* Edit */
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

/* Free @edits; NULL is allowed. */
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
    Edit edit = {from, to, edits->edits->len, g_strdup(with ? with : "")};

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
    return x->order < y->order ? -1 : x->order > y->order;
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

/* The text of @doc with all @edits made; the caller frees it.
 *
 * Fails when there is something to put into a document whose encoding may not be spliced into, and when the
 * document would grow past what libvirt takes.
 */
char *
virtXmlApply(const virtXmlEdits *edits, const virtXmlDoc *doc, GError **error)
{
    g_autoptr(GString) out = g_string_sized_new(doc->len + 1024);
    gsize done = 0;

    if (edits->edits->len && !virtXmlIsAsciiBased(doc)) {
        g_autofree char *quoted = virtXmlQuote(doc->encoding);
        virtXmlError(doc, doc->root, error, "the document is in the encoding '%s': save it as UTF-8", quoted);
        return NULL;
    }
    g_array_sort(edits->edits, editCompare);
    for (guint i = 0; i < edits->edits->len; i++) {
        const Edit *edit = &g_array_index(edits->edits, Edit, i);

        g_assert(edit->from >= done && edit->to >= edit->from && edit->to <= doc->len);
        g_string_append_len(out, doc->text + done, edit->from - done);
        g_string_append(out, edit->with);
        done = edit->to;
    }
    g_string_append_len(out, doc->text + done, doc->len - done);
    if (out->len > VIRT_XML_MAX) {
        virtXmlError(doc, doc->root, error,
                     "in the form libvirt keeps, the document would have %" G_GSIZE_FORMAT
                     " bytes; it takes at most %d",
                     out->len, VIRT_XML_MAX);
        return NULL;
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* Append @value so that it may stand in an attribute with any quotes and in any encoding: what is not plain
 * ASCII becomes a numeric reference. What XML cannot carry at all (control characters, bytes that are not
 * UTF-8, as a driver may report them) becomes '?'. */
void
virtXmlEscape(GString *out, const char *value)
{
    for (const char *p = value; *p;) {
        gunichar c = g_utf8_get_char_validated(p, -1);
        bool valid = c != (gunichar)-1 && c != (gunichar)-2;

        if (!valid || (c < 0x20 && !strchr("\t\n\r", c)) || c == 0xfffe || c == 0xffff)
            g_string_append_c(out, '?');
        else if (c < 0x20 || c >= 0x7f || strchr("&<>'\"", c))
            g_string_append_printf(out, "&#%u;", c);
        else
            g_string_append_c(out, (char)c);
        p = valid ? g_utf8_next_char(p) : p + 1;
    }
}

/* xml_tree.c: a document as a tree whose nodes know the bytes they came from
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: expat calls back at each tag, and at that moment knows which bytes of its input the tag
 * is. One handler opens a node, one closes it; the first thing that is wrong sets the error and stops expat.
 * Entity declarations are refused, so no text comes from anywhere but the document and no small text grows.
 */
#include <expat.h>
#include <stdarg.h>
#include <string.h>

#include "conf/xml_tree.h"
#include "util/virerror.h"

/* Between URI and name in expat's reports. A URI with this character in it is refused by expat. */
#define SEPARATOR '\n'

typedef struct {
    XML_Parser expat;
    virtXmlDoc *doc;
    virtXmlNode *node; /* the innermost open element */
    guint depth, count;
    GError *error;
} Builder;

static void
virtXmlNodeFree(gpointer opaque)
{
    virtXmlNode *node = opaque;

    if (!node)
        return;
    g_free(node->ns);
    g_free(node->name);
    g_array_unref(node->attrs);
    g_ptr_array_unref(node->children);
    if (node->text)
        g_string_free(node->text, TRUE);
    g_free(node);
}

static void
virtXmlAttrClear(gpointer opaque)
{
    virtXmlAttr *attr = opaque;

    g_free(attr->name);
    g_free(attr->value);
}

/* Free @doc and its tree, not the text; NULL is allowed. */
void
virtXmlDocFree(virtXmlDoc *doc)
{
    if (!doc)
        return;
    virtXmlNodeFree(doc->root);
    g_free(doc->encoding);
    g_free(doc);
}

/* A piece of the document as it may stand in a message: short, and without what could confuse a terminal or a
 * log. The caller frees it. */
char *
virtXmlQuote(const char *value)
{
    GString *out = g_string_new(NULL);
    guint chars = 0;

    for (const char *p = value; *p && chars < 60; chars++) {
        gunichar c = g_utf8_get_char_validated(p, -1);
        bool valid = c != (gunichar)-1 && c != (gunichar)-2;

        g_string_append_unichar(out, valid && g_unichar_isprint(c) ? c : '?');
        p = valid ? g_utf8_next_char(p) : p + 1;
    }
    return g_string_free(chars < 60 ? out : g_string_append(out, "..."), FALSE);
}

G_GNUC_PRINTF(4, 0)
static void
virtXmlErrorAt(const virtXmlDoc *doc, guint line, GError **error, const char *format, va_list args)
{
    g_autofree char *sentence = g_strdup_vprintf(format, args);

    if (doc->file)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s:%u: %s", doc->file, line, sentence);
    else
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "line %u: %s", line, sentence);
}

/* Set @error to the sentence made from @format, headed by the file and the line of @node's start tag. */
void
virtXmlError(const virtXmlDoc *doc, const virtXmlNode *node, GError **error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    virtXmlErrorAt(doc, node->line, error, format, args);
    va_end(args);
}

G_GNUC_PRINTF(2, 3)
static void
builderFail(Builder *b, const char *format, ...)
{
    va_list args;

    if (b->error)
        return;
    va_start(args, format);
    virtXmlErrorAt(b->doc, XML_GetCurrentLineNumber(b->expat), &b->error, format, args);
    va_end(args);
    XML_StopParser(b->expat, XML_FALSE);
}

/* Take "URI\nname" or "name" apart. */
static char *
localName(const char *name, char **ret_ns)
{
    const char *sep = strchr(name, SEPARATOR);

    *ret_ns = sep ? g_strndup(name, sep - name) : NULL;
    return g_strdup(sep ? sep + 1 : name);
}

static bool
builderAddAttrs(Builder *b, virtXmlNode *node, const char **attrs)
{
    for (; *attrs; attrs += 2) {
        virtXmlAttr attr = {g_strdup(attrs[0]), g_strdup(attrs[1])};

        g_strdelimit(attr.name, "\n", ' ');
        g_array_append_val(node->attrs, attr);
        if (node->attrs->len > VIRT_XML_ATTRS) {
            builderFail(b, "an element has more than %d attributes", VIRT_XML_ATTRS);
            return false;
        }
    }
    return true;
}

static void
onStart(void *opaque, const char *name, const char **attrs)
{
    Builder *b = opaque;
    virtXmlNode *node;

    if (b->error)
        return;
    if (++b->depth > VIRT_XML_DEPTH) {
        builderFail(b, "elements are nested deeper than %d", VIRT_XML_DEPTH);
        return;
    }
    if (++b->count > VIRT_XML_NODES) {
        builderFail(b, "the document has more than %d elements", VIRT_XML_NODES);
        return;
    }
    node = g_new0(virtXmlNode, 1);
    node->name = localName(name, &node->ns);
    node->attrs = g_array_new(FALSE, FALSE, sizeof(virtXmlAttr));
    g_array_set_clear_func(node->attrs, virtXmlAttrClear);
    node->children = g_ptr_array_new_with_free_func(virtXmlNodeFree);
    node->line = XML_GetCurrentLineNumber(b->expat);
    node->start = XML_GetCurrentByteIndex(b->expat);
    node->startEnd = node->start + XML_GetCurrentByteCount(b->expat);
    node->parent = b->node;
    if (b->node)
        g_ptr_array_add(b->node->children, node);
    else
        b->doc->root = node;
    b->node = node;
    builderAddAttrs(b, node, attrs);
}

static void
onEnd(void *opaque, const char *name)
{
    Builder *b = opaque;
    virtXmlNode *node = b->node;

    if (b->error)
        return;
    /* For <empty/> expat reports an end tag of no bytes, behind the start tag. */
    node->endStart = XML_GetCurrentByteIndex(b->expat);
    node->end = node->endStart + XML_GetCurrentByteCount(b->expat);
    b->node = node->parent;
    b->depth--;
}

static void
onCharacters(void *opaque, const char *text, int len)
{
    Builder *b = opaque;

    if (b->error || !b->node)
        return;
    if (!b->node->text)
        b->node->text = g_string_new(NULL);
    g_string_append_len(b->node->text, text, len);
}

static void
onDeclaration(void *opaque, const char *version, const char *encoding, int standalone)
{
    Builder *b = opaque;

    g_free(b->doc->encoding);
    b->doc->encoding = g_strdup(encoding);
}

static void
onEntity(void *opaque, const char *name, int isParameter, const char *value, int len, const char *base,
         const char *systemId, const char *publicId, const char *notation)
{
    g_autofree char *quoted = virtXmlQuote(name);

    builderFail(opaque, "the document declares the entity '%s', which is refused: write its text where it is used",
                quoted);
}

/* An entity that a DTD outside the document might declare: its text is not to be had. */
static void
onSkipped(void *opaque, const char *name, int isParameter)
{
    g_autofree char *quoted = virtXmlQuote(name);

    builderFail(opaque, "the entity '%s' is not known: write its text where it is used", quoted);
}

/* Read encodings expat does not know as if they were Latin-1: markup is ASCII in nearly all of them, and
 * virtXmlApply() refuses to put anything into such a text. */
static int
onEncoding(void *opaque, const char *name, XML_Encoding *info)
{
    for (int i = 0; i < 256; i++)
        info->map[i] = i;
    info->data = NULL;
    info->convert = NULL;
    info->release = NULL;
    return XML_STATUS_OK;
}

static XML_Parser
builderOpen(Builder *b)
{
    XML_Parser expat = XML_ParserCreateNS(NULL, SEPARATOR);

    XML_SetUserData(expat, b);
    XML_SetElementHandler(expat, onStart, onEnd);
    XML_SetCharacterDataHandler(expat, onCharacters);
    XML_SetXmlDeclHandler(expat, onDeclaration);
    XML_SetEntityDeclHandler(expat, onEntity);
    XML_SetSkippedEntityHandler(expat, onSkipped);
    XML_SetUnknownEncodingHandler(expat, onEncoding, NULL);
    return expat;
}

/* What is wrong, in words that say what to look for where expat has only "invalid token". */
static char *
describeError(const Builder *b, enum XML_Error code)
{
    XML_Index at = XML_GetCurrentByteIndex(b->expat);
    guchar c = at >= 0 && (gsize)at < b->doc->len ? b->doc->text[at] : ' ';

    if (code != XML_ERROR_INVALID_TOKEN)
        return g_strdup(XML_ErrorString(code));
    /* expat points behind what began as a reference. */
    while (at > 0 && g_ascii_isalnum(b->doc->text[at - 1]))
        at--;
    if (at > 0 && b->doc->text[at - 1] == '&')
        return g_strdup("a bare '&', write &amp;");
    if (c >= ' ' && c < 0x7f)
        return g_strdup("invalid token");
    if (c >= 0x80)
        return g_strdup_printf("a byte 0x%02x that is not UTF-8", c);
    return g_strdup_printf("a control character 0x%02x, which XML does not allow", c);
}

/* Say what expat found wrong, with the element it was in: "mismatched tag" alone sends people searching. */
static void
builderExplain(Builder *b)
{
    enum XML_Error code = XML_GetErrorCode(b->expat);
    g_autofree char *what = describeError(b, code);
    bool truncated = code == XML_ERROR_NO_ELEMENTS || code == XML_ERROR_UNCLOSED_TOKEN ||
                     code == XML_ERROR_PARTIAL_CHAR || code == XML_ERROR_UNCLOSED_CDATA_SECTION;
    g_autofree char *name = b->node ? virtXmlQuote(b->node->name) : NULL;

    if (truncated && name)
        builderFail(b, "the document ends before the <%s> of line %u is closed: is it cut off?", name, b->node->line);
    else if (truncated)
        builderFail(b, "the document has no complete element: is it empty or cut off?");
    else if (name)
        builderFail(b, "not well-formed XML: %s, inside the <%s> of line %u", what, name, b->node->line);
    else
        builderFail(b, "not well-formed XML: %s", what);
}

/* What can be said before parsing. */
static bool
virtXmlCheckText(const virtXmlDoc *doc, GError **error)
{
    g_autofree char *where = doc->file ? g_strdup_printf("%s: ", doc->file) : g_strdup("");

    if (doc->len > VIRT_XML_MAX) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "%sthe document has %" G_GSIZE_FORMAT " bytes, libvirt takes at most %d", where, doc->len,
                    VIRT_XML_MAX);
        return false;
    }
    if (memchr(doc->text, '\0', doc->len)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "%sthe document contains a zero byte: it is not XML, or in UTF-16 (save it as UTF-8)", where);
        return false;
    }
    return true;
}

/* Parse a whole document.
 *
 * @text: @len bytes; must live as long as what is returned
 * @file: name for messages, or NULL; must live as long as what is returned
 *
 * Returns the tree, or NULL with VIRT_ERROR_INVALID and the line.
 */
virtXmlDoc *
virtXmlParse(const char *text, gsize len, const char *file, GError **error)
{
    g_autoptr(virtXmlDoc) doc = g_new0(virtXmlDoc, 1);
    Builder b = {.doc = doc};

    doc->text = text;
    doc->len = len;
    doc->file = file;
    if (!virtXmlCheckText(doc, error))
        return NULL;
    b.expat = builderOpen(&b);
    if (XML_Parse(b.expat, text, (int)len, XML_TRUE) != XML_STATUS_OK)
        builderExplain(&b);
    XML_ParserFree(b.expat);
    if (b.error) {
        g_propagate_error(error, b.error);
        return NULL;
    }
    return g_steal_pointer(&doc);
}

/* The value of @node's attribute @attr, owned by the node, or NULL. */
const char *
virtXmlGet(const virtXmlNode *node, const char *attr)
{
    for (guint i = 0; i < node->attrs->len; i++) {
        const virtXmlAttr *a = &g_array_index(node->attrs, virtXmlAttr, i);

        if (g_str_equal(a->name, attr))
            return a->value;
    }
    return NULL;
}

/* The first child called @name, in no namespace or in that of @node, or NULL. */
virtXmlNode *
virtXmlChild(const virtXmlNode *node, const char *name)
{
    for (guint i = 0; i < node->children->len; i++) {
        virtXmlNode *child = node->children->pdata[i];

        if (g_str_equal(child->name, name) && (!child->ns || g_strcmp0(child->ns, node->ns) == 0))
            return child;
    }
    return NULL;
}

/* Whether @node is the element @name of the namespace @ns (NULL: none). */
bool
virtXmlIs(const virtXmlNode *node, const char *ns, const char *name)
{
    return g_strcmp0(node->ns, ns) == 0 && g_str_equal(node->name, name);
}

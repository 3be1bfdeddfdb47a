/* xml_tree.c: a document as a tree whose nodes know the bytes they came from
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: expat calls back at each tag, and at that moment knows which bytes of its input the tag
 * is. One handler opens a node, one closes it; the first thing that is wrong sets the error and stops expat.
 * Entity declarations are refused, so no text comes from anywhere but the document and no small text grows.
 */
#include "conf/xml_tree.h"

#include <expat.h>
#include <stdarg.h>
#include <string.h>

#include "util/virerror.h"

/* Between URI and name in expat's reports. A URI with this character in it is refused by expat. */
#define SEPARATOR '\n'

typedef struct {
    XML_Parser expat;
    virtXmlDoc *doc;
    virtXmlNode *node; /* the innermost open element */
    guint depth, count;
    gsize counted; /* of these bytes, the line breaks are in @line */
    guint line;
    bool hasDoctype;
    GError *error;
} Builder;

/* Memory that is freed all at once, with the document: a tree is thousands of small things. */
struct _virtXmlBlock {
    virtXmlBlock *next;
    gsize size, used; /* bytes of @data */
    guint64 data[];   /* aligned for all that a tree is made of */
};

#define BLOCK_SIZE 16320 /* bytes; with the header and malloc's own, 16 KiB */

static gpointer
allocate(virtXmlDoc *doc, gsize size)
{
    gsize rounded = (size + sizeof(guint64) - 1) & ~(sizeof(guint64) - 1);
    virtXmlBlock *block = doc->blocks;
    gpointer ret;

    if (!block || block->size - block->used < rounded) {
        gsize room = MAX(rounded, BLOCK_SIZE);

        block = g_malloc(sizeof(*block) + room);
        *block = (virtXmlBlock){doc->blocks, room, 0};
        doc->blocks = block;
    }
    ret = (char *)block->data + block->used;
    block->used += rounded;
    return ret;
}

static char *
copyText(virtXmlDoc *doc, const char *text, gsize len)
{
    char *copy = allocate(doc, len + 1);

    memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

/* Only what does not lie in the document's blocks. */
static void
virtXmlNodeFree(gpointer opaque)
{
    virtXmlNode *node = opaque;

    if (!node)
        return;
    g_ptr_array_unref(node->children);
    if (node->text)
        g_string_free(node->text, TRUE);
}

/* Free @doc and its tree, not the text; NULL is allowed. */
void
virtXmlDocFree(virtXmlDoc *doc)
{
    if (!doc)
        return;
    virtXmlNodeFree(doc->root);
    g_ptr_array_unref(doc->childless);
    for (virtXmlBlock *next, *block = doc->blocks; block; block = next) {
        next = block->next;
        g_free(block);
    }
    g_free(doc->encoding);
    g_free(doc);
}

/* A piece of the document as it may stand in a message: short, and without what could confuse a terminal or a
 * log; "" for NULL. The caller frees it. */
char *
virtXmlQuote(const char *value)
{
    GString *out = g_string_new(NULL);
    guint chars = 0;

    for (const char *p = value; p && *p && chars < 60; chars++) {
        gunichar c = g_utf8_get_char_validated(p, -1);
        bool valid = c != (gunichar)-1 && c != (gunichar)-2;

        if (!valid || !g_unichar_isprint(c))
            c = '?';
        g_string_append_unichar(out, c);
        p = valid ? g_utf8_next_char(p) : p + 1;
    }
    if (chars == 60)
        g_string_append(out, "...");
    return g_string_free(out, FALSE);
}

static void
setSentence(const virtXmlDoc *doc, guint line, int code, GError **error, const char *port, const char *sentence)
{
    if (doc->file)
        g_set_error(error, VIRT_ERROR, code, "%s:%u: %s%s", doc->file, line, port, sentence);
    else
        g_set_error(error, VIRT_ERROR, code, "line %u: %s%s", line, port, sentence);
}

/* "port 2: " for what stands inside a <netdev port='2'>, "" elsewhere: a client that sends a document by RPC has no
 * use for a line alone. */
static char *
portOf(const virtXmlNode *node)
{
    const virtXmlNode *at = node->parent;
    g_autofree char *quoted = NULL;

    while (at && !g_str_equal(at->name, "netdev"))
        at = at->parent;
    if (!at || !virtXmlGet(at, "port"))
        return g_strdup("");
    quoted = virtXmlQuote(virtXmlGet(at, "port"));
    return g_strdup_printf("port %s: ", quoted);
}

/* Set @error to the sentence made from @format, headed by the file, the line of @node's start tag, and
 * the port of its netdev. */
void
virtXmlError(const virtXmlDoc *doc, const virtXmlNode *node, GError **error, const char *format, ...)
{
    g_autofree char *port = portOf(node);
    g_autofree char *sentence = NULL;
    va_list args;

    va_start(args, format);
    sentence = g_strdup_vprintf(format, args);
    va_end(args);
    setSentence(doc, node->line, VIRT_ERROR_INVALID, error, port, sentence);
}

/* The same for a document that is, or would become, too large. */
void
virtXmlTooLarge(const virtXmlDoc *doc, GError **error, const char *format, ...)
{
    g_autofree char *sentence = NULL;
    va_list args;

    va_start(args, format);
    sentence = g_strdup_vprintf(format, args);
    va_end(args);
    setSentence(doc, doc->root->line, VIRT_ERROR_TOO_LARGE, error, "", sentence);
}

/* What is wrong in a document that has no name, without the line; owned by @error. */
const char *
virtXmlErrorSentence(const GError *error)
{
    const char *colon = strstr(error->message, ": ");

    if (!colon || !g_str_has_prefix(error->message, "line "))
        return error->message;
    return colon + strlen(": ");
}

static void
builderStop(Builder *b, int code, const char *sentence)
{
    if (b->error)
        return;
    setSentence(b->doc, XML_GetCurrentLineNumber(b->expat), code, &b->error, "", sentence);
    XML_StopParser(b->expat, XML_FALSE);
}

G_GNUC_PRINTF(2, 3)
static void
builderFail(Builder *b, const char *format, ...)
{
    g_autofree char *sentence = NULL;
    va_list args;

    va_start(args, format);
    sentence = g_strdup_vprintf(format, args);
    va_end(args);
    builderStop(b, VIRT_ERROR_INVALID, sentence);
}

/* Take "URI\nname" or "name" apart. */
static char *
localName(virtXmlDoc *doc, const char *name, char **ret_ns)
{
    const char *sep = strchr(name, SEPARATOR);
    const char *local = name;

    *ret_ns = NULL;
    if (sep) {
        *ret_ns = copyText(doc, name, sep - name);
        local = sep + 1;
    }
    return copyText(doc, local, strlen(local));
}

/* An entity that a DTD outside the document might declare: its text is not to be had. */
static void
onSkipped(void *opaque, const char *name, int isParameter)
{
    g_autofree char *quoted = virtXmlQuote(name);

    builderFail(opaque, "the entity '%s' is not known: write its text where it is used", quoted);
}

static void
onDoctype(void *opaque, const char *name, const char *systemId, const char *publicId, int hasInternal)
{
    Builder *b = opaque;

    b->hasDoctype = true;
}

/* In a value expat leaves such an entity out without a word, and libvirt need not. */
static void
checkReferences(Builder *b, const virtXmlNode *node)
{
    static const char *const known[] = {"amp", "lt", "gt", "apos", "quot", NULL};
    const char *at = b->doc->text + node->start, *end = b->doc->text + node->startEnd;

    while ((at = memchr(at, '&', (gsize)(end - at)))) {
        const char *name = at + 1, *semicolon = memchr(name, ';', (gsize)(end - name));
        g_autofree char *copy = NULL;

        if (semicolon)
            copy = g_strndup(name, (gsize)(semicolon - name));
        if (copy && *copy && *copy != '#' && !g_strv_contains(known, copy))
            onSkipped(b, copy, 0);
        at = name;
    }
}

static void
builderAddAttrs(Builder *b, virtXmlNode *node, const char **attrs)
{
    guint count = 0;

    while (attrs[2 * count])
        count++;
    if (count > VIRT_XML_ATTRS_MAX) {
        builderStop(b, VIRT_ERROR_TOO_LARGE, "an element has more than " G_STRINGIFY(VIRT_XML_ATTRS_MAX) " attributes");
        return;
    }
    node->attrs = allocate(b->doc, count * sizeof(*node->attrs));
    node->attrCount = count;
    for (guint i = 0; i < count; i++) {
        const char *name = attrs[2 * i], *value = attrs[2 * i + 1];

        node->attrs[i] = (virtXmlAttr){copyText(b->doc, name, strlen(name)), copyText(b->doc, value, strlen(value))};
        if (strchr(name, SEPARATOR))
            g_strdelimit(node->attrs[i].name, "\n", ' ');
    }
}

/* Open a node as the last child of the innermost one. */
static virtXmlNode *
builderAdd(Builder *b, const char *name)
{
    virtXmlNode *node = allocate(b->doc, sizeof(*node));

    *node = (virtXmlNode){.parent = b->node, .children = g_ptr_array_ref(b->doc->childless)};
    node->name = localName(b->doc, name, &node->ns);
    if (!b->node) {
        b->doc->root = node;
    } else {
        if (b->node->children == b->doc->childless) {
            g_ptr_array_unref(b->node->children);
            b->node->children = g_ptr_array_new_with_free_func(virtXmlNodeFree);
        }
        g_ptr_array_add(b->node->children, node);
    }
    b->node = node;
    return node;
}

/* The line of byte @at, behind what has been counted: as XML_GetCurrentLineNumber(), which takes several times as long.
 * XML has three line breaks: LF, CR LF and CR. */
static guint
builderLine(Builder *b, gsize at)
{
    const char *from = b->doc->text + b->counted, *end = b->doc->text + at;

    for (const char *lf = from; (lf = memchr(lf, '\n', (gsize)(end - lf))); lf++)
        b->line++;
    for (const char *cr = from; (cr = memchr(cr, '\r', (gsize)(end - cr))); cr++) {
        if (cr[1] != '\n')
            b->line++;
    }
    b->counted = at;
    return b->line;
}

static void
builderOnStart(void *opaque, const char *name, const char **attrs)
{
    Builder *b = opaque;
    virtXmlNode *node;

    if (b->error)
        return;
    if (++b->depth > VIRT_XML_DEPTH_MAX) {
        builderStop(b, VIRT_ERROR_TOO_LARGE, "elements are nested deeper than " G_STRINGIFY(VIRT_XML_DEPTH_MAX));
        return;
    }
    if (++b->count > VIRT_XML_NODES_MAX) {
        builderStop(b, VIRT_ERROR_TOO_LARGE, "the document has more than " G_STRINGIFY(VIRT_XML_NODES_MAX) " elements");
        return;
    }
    node = builderAdd(b, name);
    node->start = XML_GetCurrentByteIndex(b->expat);
    node->line = builderLine(b, node->start);
    node->startEnd = node->start + XML_GetCurrentByteCount(b->expat);
    if (b->hasDoctype)
        checkReferences(b, node);
    builderAddAttrs(b, node, attrs);
}

static void
builderOnEnd(void *opaque, const char *name)
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
builderOnCharacters(void *opaque, const char *text, int len)
{
    Builder *b = opaque;

    if (b->error || !b->node)
        return;
    if (!b->node->text)
        b->node->text = g_string_sized_new(64);
    g_string_append_len(b->node->text, text, len);
}

/* expat takes any version, libxml2, and so libvirt, none but these. */
static bool
isVersion1(const char *version)
{
    return g_str_has_prefix(version, "1.") && version[strspn(version, "0123456789.")] == '\0';
}

static void
onDeclaration(void *opaque, const char *version, const char *encoding, int standalone)
{
    Builder *b = opaque;

    g_free(b->doc->encoding);
    b->doc->encoding = g_strdup(encoding);
    if (version && !isVersion1(version)) {
        g_autofree char *quoted = virtXmlQuote(version);

        builderFail(b, "the document is declared as XML %s, which libvirt does not read: write version='1.0'", quoted);
    }
}

static void
onEntity(void *opaque, const char *name, int isParameter, const char *value, int len, const char *base,
         const char *systemId, const char *publicId, const char *notation)
{
    g_autofree char *quoted = virtXmlQuote(name);

    builderFail(opaque, "the document declares the entity '%s', which is refused: write its text where it is used",
                quoted);
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
    XML_SetElementHandler(expat, builderOnStart, builderOnEnd);
    XML_SetCharacterDataHandler(expat, builderOnCharacters);
    XML_SetXmlDeclHandler(expat, onDeclaration);
    XML_SetStartDoctypeDeclHandler(expat, onDoctype);
    XML_SetEntityDeclHandler(expat, onEntity);
    XML_SetSkippedEntityHandler(expat, onSkipped);
    XML_SetUnknownEncodingHandler(expat, onEncoding, NULL);
    return expat;
}

/* What expat calls an invalid token, at byte @at: where it stopped reading, or behind what began as a reference. */
static char *
describeToken(const virtXmlDoc *doc, gsize at)
{
    guchar c = ' ';
    gunichar whole = ' ';
    gsize word = at;

    if (at < doc->len) {
        c = (guchar)doc->text[at];
        whole = g_utf8_get_char_validated(doc->text + at, (gssize)(doc->len - at));
    }

    while (word > 0 && g_ascii_isalnum(doc->text[word - 1]))
        word--;
    if (word > 0 && doc->text[word - 1] == '&')
        return g_strdup("a bare '&', write &amp;");
    if (c == ':' || (at > 0 && doc->text[at - 1] == ':'))
        return g_strdup("a ':' that is not between a prefix and a name");
    if (c >= ' ' && c < 0x7f)
        return g_strdup("invalid token");
    if (c < 0x80)
        return g_strdup_printf("a control character 0x%02x, which XML does not allow", c);
    if (doc->encoding && g_ascii_strcasecmp(doc->encoding, "UTF-8") != 0)
        return g_strdup_printf("a byte 0x%02x outside of text and values, save the document as UTF-8", c);
    if (whole < 0x110000)
        return g_strdup_printf("the character U+%04X, which no name may have", whole);
    return g_strdup_printf("a byte 0x%02x that is not UTF-8", c);
}

/* What is wrong, in words that say what to look for and what to do where expat's do not. */
static char *
describeError(const Builder *b, enum XML_Error code)
{
    XML_Index at = XML_GetCurrentByteIndex(b->expat);
    gsize from = b->doc->len;
    g_autofree char *encoding = virtXmlQuote(b->doc->encoding);

    if (at >= 0)
        from = (gsize)at;
    switch (code) {
    case XML_ERROR_INVALID_TOKEN:
        return describeToken(b->doc, from);
    case XML_ERROR_UNBOUND_PREFIX:
        return g_strdup("a prefix that no xmlns:PREFIX='URI' declares, declare it or drop it");
    case XML_ERROR_UNDEFINED_ENTITY:
        return g_strdup("an entity that is not known, write its text where it is used");
    case XML_ERROR_INCORRECT_ENCODING:
        return g_strdup_printf("it is declared as '%s' and is not, save it as UTF-8", encoding);
    case XML_ERROR_SYNTAX:
        if (from + 1 < b->doc->len && b->doc->text[from] == '<' && b->doc->text[from + 1] != '!')
            return g_strdup("a namespace with a line break in it, remove it"); /* SEPARATOR */
        break;
    default:
        break;
    }
    return g_strdup(XML_ErrorString(code));
}

/* Say what expat found wrong, with the element it was in: "mismatched tag" alone sends people searching. */
static void
builderExplain(Builder *b)
{
    enum XML_Error code = XML_GetErrorCode(b->expat);
    g_autofree char *what = describeError(b, code);
    bool truncated = code == XML_ERROR_NO_ELEMENTS || code == XML_ERROR_UNCLOSED_TOKEN ||
                     code == XML_ERROR_PARTIAL_CHAR || code == XML_ERROR_UNCLOSED_CDATA_SECTION;
    g_autofree char *name = NULL;

    if (b->node)
        name = virtXmlQuote(b->node->name);

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
virtXmlCheckText(const virtXmlDoc *doc, gsize max, GError **error)
{
    g_autofree char *where = NULL;

    if (doc->file)
        where = g_strdup_printf("%s: ", doc->file);
    else
        where = g_strdup("");

    if (doc->len > max) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_TOO_LARGE,
                    "%sthe document has %" G_GSIZE_FORMAT " bytes, libvirt takes at most %" G_GSIZE_FORMAT, where,
                    doc->len, max);
        return false;
    }
    if (memchr(doc->text, '\0', doc->len)) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "%sthe document contains a zero byte: it is not XML, or in UTF-16 (save it as UTF-8)", where);
        return false;
    }
    return true;
}

static virtXmlDoc *
parseText(const char *text, gsize len, gsize max, const char *file, GError **error)
{
    g_autoptr(virtXmlDoc) doc = g_new0(virtXmlDoc, 1);
    Builder b = {.doc = doc, .line = 1};

    doc->text = text;
    doc->len = len;
    doc->file = file;
    doc->childless = g_ptr_array_new();
    if (!virtXmlCheckText(doc, max, error))
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

/* Parse a whole document.
 *
 * @text: @len bytes; must live as long as what is returned
 * @file: name for messages, or NULL; must live as long as what is returned
 *
 * Returns the tree, or NULL with VIRT_ERROR_INVALID and the line, or VIRT_ERROR_TOO_LARGE and the bound.
 */
virtXmlDoc *
virtXmlParse(const char *text, gsize len, const char *file, GError **error)
{
    return parseText(text, len, VIRT_XML_MAX, file, error);
}

/* The same for what libvirt has written, up to VIRT_XML_WRITTEN_MAX bytes.
 */
virtXmlDoc *
virtXmlParseWritten(const char *text, gsize len, const char *file, GError **error)
{
    return parseText(text, len, VIRT_XML_WRITTEN_MAX, file, error);
}

/* The value of @node's attribute @attr, owned by the node, or NULL. */
const char *
virtXmlGet(const virtXmlNode *node, const char *attr)
{
    for (guint i = 0; node && i < node->attrCount; i++) {
        if (g_str_equal(node->attrs[i].name, attr))
            return node->attrs[i].value;
    }
    return NULL;
}

/* The first child called @name, in no namespace or in that of @node, or NULL. */
virtXmlNode *
virtXmlChild(const virtXmlNode *node, const char *name)
{
    for (guint i = 0; node && i < node->children->len; i++) {
        virtXmlNode *child = node->children->pdata[i];

        if (g_str_equal(child->name, name) && (!child->ns || g_strcmp0(child->ns, node->ns) == 0))
            return child;
    }
    return NULL;
}

/* The character data directly inside @node, owned by the node; "" for none. */
const char *
virtXmlText(const virtXmlNode *node)
{
    if (!node || !node->text)
        return "";
    return node->text->str;
}

/* Whether @node is the element @name of the namespace @ns (NULL: none). */
bool
virtXmlIs(const virtXmlNode *node, const char *ns, const char *name)
{
    return g_strcmp0(node->ns, ns) == 0 && g_str_equal(node->name, name);
}

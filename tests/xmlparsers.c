/* xmlparsers.c: do expat and libxml2 see the same document? libvirt reads with the latter
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * virtXmlParse() makes a tree with expat. libxml2 then reads the same bytes and calls back at each tag; a cursor goes
 * through the tree as it does, and at each step both must have the same: namespace, name, attributes, text, and the
 * bytes of the tag. libxml2 has no function that says where a tag begins. But it calls back when it has read as far as
 * the tag's end, and neither a start tag nor an end tag holds another '<'.
 */
#include "xmlparsers.h"
#include "conf/xml_tree.h"

#include <libxml/SAX2.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <string.h>

typedef struct {
    xmlParserCtxt *libxml;
    const virtXmlDoc *doc;   /* NULL: nothing to compare with */
    const virtXmlNode *node; /* the innermost open element */
    GArray *child;           /* guint: how many children each open element has had */
    GPtrArray *texts;        /* GString: the text of each open element */
    bool sameBytes;          /* libxml2 has not converted the text, so its positions are those of the document */
    guint events;
    char *why; /* the first difference */
} Walk;

static void G_GNUC_PRINTF(3, 4) differ(Walk *walk, const virtXmlNode *node, const char *format, ...)
{
    va_list args;
    g_autofree char *what = NULL;

    if (walk->why)
        return;
    va_start(args, format);
    what = g_strdup_vprintf(format, args);
    va_end(args);
    walk->why = node ? g_strdup_printf("<%s> of line %u: %s", node->name, node->line, what) : g_strdup(what);
}

/* How many bytes libxml2 has read. */
static gsize
readSoFar(const Walk *walk)
{
    const xmlParserInput *input = walk->libxml->input;

    return input->consumed + (gsize)(input->cur - input->base);
}

static gsize
tagBefore(const Walk *walk, gsize end)
{
    while (end > 0 && walk->doc->text[end - 1] != '<')
        end--;
    return end ? end - 1 : 0;
}

/* @libxmlTo: where the tag ends that begins with the '<' before it. */
static void
compareBytes(Walk *walk, const char *tag, gsize from, gsize to, gsize libxmlTo)
{
    gsize libxmlFrom = from == to ? libxmlTo : tagBefore(walk, libxmlTo);

    if (from != libxmlFrom || to != libxmlTo)
        differ(walk, walk->node,
               "%s tag at %" G_GSIZE_FORMAT "-%" G_GSIZE_FORMAT ", for libxml2 at %" G_GSIZE_FORMAT "-%" G_GSIZE_FORMAT,
               tag, from, to, libxmlFrom, libxmlTo);
}

/* The element that opens now. */
static const virtXmlNode *
nextNode(const Walk *walk)
{
    guint n;

    if (!walk->node)
        return walk->doc->root;
    n = g_array_index(walk->child, guint, walk->child->len - 1);
    return n < walk->node->children->len ? walk->node->children->pdata[n] : NULL;
}

/* A value as libxml2 gives it to a SAX handler: that must be able to tell an & from a reference to an entity, so each
 * stands there as &#38;. */
static char *
unescape(const xmlChar *from, gssize len)
{
    GString *value = g_string_new_len((const char *)from, len);

    g_string_replace(value, "&#38;", "&", 0);
    return g_string_free(value, FALSE);
}

/* @attrs: five for each: local name, prefix, URI, value, end of the value. */
static void
compareAttrs(Walk *walk, const virtXmlNode *node, guint count, const xmlChar **attrs)
{
    if (node->attrCount != count) {
        differ(walk, node, "%u attributes, for libxml2 %u", node->attrCount, count);
        return;
    }
    for (guint i = 0; i < count; i++, attrs += 5) {
        const virtXmlAttr *attr = &node->attrs[i];
        g_autofree char *value = unescape(attrs[3], attrs[4] - attrs[3]);
        g_autofree char *ns = attrs[2] ? unescape(attrs[2], -1) : NULL;
        g_autofree char *name = NULL;

        if (ns)
            name = g_strdup_printf("%s %s", ns, (const char *)attrs[0]);
        else
            name = g_strdup((const char *)attrs[0]);
        if (!g_str_equal(attr->name, name) || (walk->sameBytes && !g_str_equal(attr->value, value)))
            differ(walk, node, "%s='%s', for libxml2 %s='%s'", attr->name, attr->value, name, value);
    }
}

static void
onStart(void *opaque, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri, int namespaceCount,
        const xmlChar **namespaces, int attrCount, int defaulted, const xmlChar **attrs)
{
    Walk *walk = ((xmlParserCtxt *)opaque)->_private;
    g_autofree char *ns = uri ? unescape(uri, -1) : NULL;
    const virtXmlNode *node;
    gsize to = readSoFar(walk);
    guint none = 0;

    if (!walk->doc || walk->why)
        return;
    if (!(node = nextNode(walk))) {
        differ(walk, walk->node, "only libxml2 sees a <%s> here", (const char *)name);
        return;
    }
    walk->events++;
    if (walk->child->len > 0)
        g_array_index(walk->child, guint, walk->child->len - 1)++;
    g_array_append_val(walk->child, none);
    g_ptr_array_add(walk->texts, g_string_new(NULL));
    walk->node = node;
    if (!g_str_equal(node->name, (const char *)name) || g_strcmp0(node->ns, ns) != 0)
        differ(walk, node, "of '%s', for libxml2 <%s> of '%s'", node->ns, (const char *)name, ns);
    compareAttrs(walk, node, (guint)attrCount, attrs);
    if (walk->sameBytes) /* it has read as far as the '>' or '/>' */
        compareBytes(walk, "start", node->start, node->startEnd, to + (walk->doc->text[to] == '/' ? 2 : 1));
}

static void
onEnd(void *opaque, const xmlChar *name, const xmlChar *prefix, const xmlChar *uri)
{
    Walk *walk = ((xmlParserCtxt *)opaque)->_private;
    const virtXmlNode *node = walk->node;
    gsize to = readSoFar(walk);
    const GString *text;

    if (!walk->doc || walk->why)
        return;
    walk->events++;
    text = walk->texts->pdata[walk->texts->len - 1];
    if (walk->sameBytes && !g_str_equal(node->text ? node->text->str : "", text->str))
        differ(walk, node, "its text is '%s', for libxml2 '%s'", node->text ? node->text->str : "", text->str);
    if (node->children->len != g_array_index(walk->child, guint, walk->child->len - 1))
        differ(walk, node, "has more elements than libxml2 sees");
    if (walk->sameBytes)
        compareBytes(walk, "end", node->endStart, node->end, to);
    g_array_set_size(walk->child, walk->child->len - 1);
    g_ptr_array_set_size(walk->texts, (int)walk->texts->len - 1);
    walk->node = node->parent;
}

static void
onCharacters(void *opaque, const xmlChar *text, int len)
{
    Walk *walk = ((xmlParserCtxt *)opaque)->_private;

    if (walk->texts->len > 0 && !walk->why)
        g_string_append_len(walk->texts->pdata[walk->texts->len - 1], (const char *)text, len);
}

static void
ignoreError(void *opaque, const char *format, ...)
{
    (void)opaque;
    (void)format;
}

static void
stringFree(gpointer opaque)
{
    g_string_free(opaque, TRUE);
}

/* As libvirt does it (virXMLParseHelper()): no network, entities are not replaced, and what is not well-formed is
 * refused, whatever is wrong with its namespaces. */
static bool
libxmlReads(Walk *walk, const char *text, gsize len)
{
    xmlParserCtxt *libxml = xmlCreateMemoryParserCtxt(text, (int)len);
    bool ok;

    if (!libxml) /* nothing in it */
        return false;
    walk->libxml = libxml;
    libxml->_private = walk;
    xmlSetGenericErrorFunc(NULL, ignoreError); /* of encodings, which XML_PARSE_NOERROR does not silence */
    xmlCtxtUseOptions(libxml, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    libxml->sax->startElementNs = onStart;
    libxml->sax->endElementNs = onEnd;
    libxml->sax->characters = onCharacters;
    libxml->sax->ignorableWhitespace = onCharacters;
    libxml->sax->cdataBlock = onCharacters;
    libxml->sax->comment = NULL;
    libxml->sax->processingInstruction = NULL;
    libxml->sax->reference = NULL;
    xmlParseDocument(libxml);
    ok = libxml->wellFormed;
    if (!ok) {
        const xmlError *error = xmlCtxtGetLastError(libxml);

        g_free(walk->why);
        walk->why = g_strdup_printf("libxml2 refuses it: %s", error && error->message ? error->message : "no reason");
    }
    xmlFreeDoc(libxml->myDoc);
    xmlFreeParserCtxt(libxml);
    return ok;
}

static bool
isUtf8(const virtXmlDoc *doc)
{
    return !doc->encoding || g_ascii_strcasecmp(doc->encoding, "UTF-8") == 0;
}

/* Read @text with both.
 *
 * @ret_events: how many tags they agree about
 * @ret_why: what differs, or why virtXmlParse() refuses it; NULL where they agree. The caller frees it
 */
virtXmlParsersVerdict
virtXmlParsersCompare(const char *text, gsize len, guint *ret_events, char **ret_why)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtXmlDoc) doc = virtXmlParseWritten(text, len, NULL, &error);
    g_autoptr(GArray) child = g_array_new(FALSE, FALSE, sizeof(guint));
    g_autoptr(GPtrArray) texts = g_ptr_array_new_with_free_func(stringFree);
    Walk walk = {.doc = doc, .child = child, .texts = texts, .sameBytes = doc && isUtf8(doc)};
    bool taken = libxmlReads(&walk, text, len);

    *ret_events = walk.events;
    *ret_why = walk.why;
    if (doc && (!taken || walk.why))
        return walk.sameBytes ? VIRT_XML_PARSERS_DIFFER : VIRT_XML_PARSERS_CONVERTED;
    g_free(walk.why);
    *ret_why = !doc && taken ? g_strdup(error->message) : NULL;
    return !doc && taken ? VIRT_XML_PARSERS_STRICTER : VIRT_XML_PARSERS_AGREE;
}

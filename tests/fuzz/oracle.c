/* oracle.c: what a rewritten document must still be, found out by other means than the code under test
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libxml2 says whether a document is well-formed and what its elements are; a scanner, which may be simple because that
 * is known already, says where they stand. The Nth start tag of the one is the Nth element of the other. What is ours
 * is cut out of the bytes, and the rest of two forms of a document must be the same.
 */
#include "oracle.h"
#include "conf/netdev_conf.h"
#include "xmlparsers.h"

#include <libxml/parser.h>
#include <string.h>

typedef struct {
    const xmlNode *node;
    gsize start, startEnd, endStart, end;
} Element;

typedef struct {
    const char *text;
    xmlDoc *doc;
    GArray *elements; /* Element, in document order */
    GArray *open;     /* guint: those not closed yet, while scanning */
    const xmlNode *next;
} Scan;

static void
ignoreError(void *opaque, const char *format, ...)
{
    (void)opaque;
    (void)format;
}

static xmlDoc *
parse(const char *text, gsize len)
{
    xmlSetGenericErrorFunc(NULL, ignoreError);
    return xmlReadMemory(text, (int)len, NULL, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
}

/* What virtXmlParse() takes, libxml2 takes too, and sees the same in it. */
void
fuzzXmlParsersAgree(const char *text, gsize len)
{
    g_autofree char *why = NULL;
    guint events;

    if (virtXmlParsersCompare(text, len, &events, &why) == VIRT_XML_PARSERS_DIFFER)
        fuzzFail("expat and libxml2 see different documents: %s", why);
}

bool
fuzzXmlIsGood(const char *text, gsize len)
{
    xmlDoc *doc = parse(text, len);

    xmlFreeDoc(doc);
    return doc;
}

/* ---- scanning ---- */

static const char *
behind(const char *at, const char *what)
{
    const char *found = strstr(at, what);

    if (!found)
        fuzzFail("the scanner is lost at: %.60s", at);
    return found + strlen(what);
}

/* Behind the '>' of a start tag. */
static const char *
skipTag(const char *at)
{
    while (*at != '>')
        at = *at == '"' || *at == '\'' ? behind(at + 1, *at == '"' ? "\"" : "'") : at + 1;
    return at + 1;
}

static const char *
skipDoctype(const char *at)
{
    guint depth = 0;

    for (at += strlen("<!DOCTYPE"); depth || *at != '>';) {
        if (g_str_has_prefix(at, "<!--"))
            at = behind(at + 4, "-->");
        else if (g_str_has_prefix(at, "<?"))
            at = behind(at, "?>");
        else if (*at == '"' || *at == '\'')
            at = behind(at + 1, *at == '"' ? "\"" : "'");
        else
            depth += *at == '[' ? 1 : *at == ']' ? -1u : 0, at++;
    }
    return at + 1;
}

/* The element behind @node in document order. */
static const xmlNode *
nextElement(const xmlNode *node)
{
    const xmlNode *next = node->type == XML_ELEMENT_NODE ? node->children : NULL;

    do {
        while (!next && node) {
            next = node->next;
            node = next ? node : node->parent;
        }
        node = next;
        next = NULL;
    } while (node && node->type != XML_ELEMENT_NODE);
    return node;
}

static const char *
takeStartTag(Scan *scan, const char *at)
{
    const char *end = skipTag(at);
    Element element = {scan->next, (gsize)(at - scan->text), (gsize)(end - scan->text), 0, 0};

    if (!scan->next)
        fuzzFail("the scanner sees more elements than libxml2, at: %.60s", at);
    scan->next = nextElement(scan->next);
    element.endStart = element.end = element.startEnd;
    if (end[-2] != '/')
        g_array_append_val(scan->open, scan->elements->len);
    g_array_append_val(scan->elements, element);
    return end;
}

static const char *
takeEndTag(Scan *scan, const char *at)
{
    const char *end = behind(at, ">");
    guint last = g_array_index(scan->open, guint, scan->open->len - 1);
    Element *element = &g_array_index(scan->elements, Element, last);

    g_array_set_size(scan->open, scan->open->len - 1);
    element->endStart = (gsize)(at - scan->text);
    element->end = (gsize)(end - scan->text);
    return end;
}

static void
scanText(Scan *scan)
{
    const char *at = scan->text;

    while ((at = strchr(at, '<'))) {
        if (g_str_has_prefix(at, "<!--"))
            at = behind(at + 4, "-->");
        else if (g_str_has_prefix(at, "<![CDATA["))
            at = behind(at, "]]>");
        else if (g_str_has_prefix(at, "<?"))
            at = behind(at, "?>");
        else if (g_str_has_prefix(at, "<!DOCTYPE"))
            at = skipDoctype(at);
        else
            at = at[1] == '/' ? takeEndTag(scan, at) : takeStartTag(scan, at);
    }
    if (scan->next)
        fuzzFail("libxml2 sees an element <%s> that the scanner does not", scan->next->name);
}

/* ---- what is ours ---- */

static bool
isChild(const xmlNode *node, const char *name, const char *parent)
{
    return g_str_equal(node->name, name) && node->parent && node->parent->type == XML_ELEMENT_NODE &&
           g_str_equal(node->parent->name, parent);
}

static bool
hasType(const xmlNode *node, const char *type)
{
    xmlChar *value = xmlGetNoNsProp(node, (const xmlChar *)"type");
    bool same = value && g_str_equal(value, type);

    xmlFree(value);
    return same;
}

/* An interface stays where it is, but says less: its start tag, and these of its children. */
static bool
isInterface(const xmlNode *node)
{
    return g_str_equal(node->name, "interface") && hasType(node, "network");
}

static bool
isOfInterface(const xmlNode *node)
{
    static const char *const names[] = {"mac", "netdev", "bandwidth", "link", "guid", NULL};

    return g_strv_contains(names, (const char *)node->name) && node->parent && node->parent->type == XML_ELEMENT_NODE &&
           isInterface(node->parent);
}

/* Of the device that a <vdpa> stands in: what is ours, and what is added where it is missing. */
static bool
isOfVdpa(const xmlNode *node)
{
    static const char *const names[] = {"vdpa", "mtu", "mac", "model", "source", NULL};
    const xmlNode *device = node->parent;

    return g_strv_contains(names, (const char *)node->name) && device && device->type == XML_ELEMENT_NODE &&
           ((g_str_equal(device->name, "interface") && hasType(device, "vdpa")) ||
            (g_str_equal(device->name, "disk") && hasType(device, "vhostvdpa")));
}

static bool
isOurs(const xmlNode *node, fuzzOurs ours)
{
    if (isOfInterface(node) || isOfVdpa(node))
        return true;
    for (guint k = 0; virtSettingKinds[k]; k++) {
        if (isChild(node, virtSettingKinds[k]->info->name, "hostdev"))
            return true;
    }
    if (isChild(node, "hostdevs", "metadata"))
        return node->ns && g_str_equal(node->ns->href, VIRT_NS);
    if (isChild(node, "source", "hostdev")) /* what it asks for comes and goes; its meaning is compared elsewhere */
        return true;
    if (ours == FUZZ_NETDEVS)
        return false;
    return (g_str_equal(node->name, "hostdev") && (hasType(node, "pci") || hasType(node, "mdev"))) ||
           (g_str_equal(node->name, "interface") && hasType(node, "hostdev"));
}

static bool
isSpace(const Scan *scan, gsize from, gsize to)
{
    while (from < to && strchr(" \t\r\n", scan->text[from]))
        from++;
    return from == to;
}

/* A <metadata> with nothing but ours in it: it comes and goes with that. */
static bool
isEmptied(const Scan *scan, guint index, fuzzOurs ours)
{
    const Element *metadata = &g_array_index(scan->elements, Element, index);
    gsize from = metadata->startEnd;

    if (!g_str_equal(metadata->node->name, "metadata"))
        return false;
    for (guint i = index + 1; i < scan->elements->len; i++) {
        const Element *child = &g_array_index(scan->elements, Element, i);

        if (child->node->parent != metadata->node)
            continue;
        if (!isOurs(child->node, ours) || !isSpace(scan, from, child->start))
            return false;
        from = child->end;
    }
    return isSpace(scan, from, metadata->endStart);
}

/* Copy the text without what is ours. */
static void
copyRest(GString *out, const Scan *scan, fuzzOurs ours)
{
    gsize from = 0;

    for (guint i = 0; i < scan->elements->len; i++) {
        const Element *element = &g_array_index(scan->elements, Element, i);
        gsize end = element->start;
        bool tagOnly = isInterface(element->node);

        if (element->start < from || (!tagOnly && !isOurs(element->node, ours) && !isEmptied(scan, i, ours)))
            continue;
        while (end > from && strchr(" \t\r\n", scan->text[end - 1]))
            end--;
        g_string_append_len(out, scan->text + from, (gssize)(end - from));
        from = element->end;
        if (tagOnly)
            from = element->startEnd;
    }
    g_string_append(out, scan->text + from);
}

/* All of a document that is not ours; NULL where libxml2 does not take it. For g_free(). */
char *
fuzzXmlRest(const char *text, fuzzOurs ours)
{
    Scan scan = {text, parse(text, strlen(text)), g_array_new(FALSE, FALSE, sizeof(Element)),
                 g_array_new(FALSE, FALSE, sizeof(guint)), NULL};
    GString *out = scan.doc ? g_string_new(NULL) : NULL;

    if (scan.doc) {
        scan.next = xmlDocGetRootElement(scan.doc);
        scanText(&scan);
        copyRest(out, &scan, ours);
    }
    g_array_unref(scan.elements);
    g_array_unref(scan.open);
    xmlFreeDoc(scan.doc);
    return out ? g_string_free(out, FALSE) : NULL;
}

/* What libxml2 takes before, it takes after, and all that is not ours is the same byte for byte. */
void
fuzzXmlKept(const char *before, const char *after, fuzzOurs ours, const char *what)
{
    g_autofree char *rest = fuzzXmlRest(before, ours);
    g_autofree char *restAfter = rest ? fuzzXmlRest(after, ours) : NULL;

    if (rest && !restAfter)
        fuzzFail("%s: libxml2 does not take any more:\n%s", what, after);
    fuzzSame(rest, restAfter, what);
}

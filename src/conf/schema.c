/* schema.c: validate a domain in netdev form against libvirt's schema and ours
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: about most mistakes in a domain, libxml2 only says "Extra element devices in interleave",
 * without a line. So where validation fails, the mistake is searched for: the innermost element or attribute
 * without which the document is valid.
 */
#include <libxml/catalog.h>
#include <libxml/parser.h>
#include <libxml/relaxng.h>
#include <libxml/xmlerror.h>

#include "config.h"
#include "conf/schema.h"
#include "conf/xml_tree.h"
#include "util/virerror.h"

#define TRIES_MAX 2000 /* validations while searching, each of some milliseconds at most */

G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlRelaxNG, xmlRelaxNGFree)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlRelaxNGParserCtxt, xmlRelaxNGFreeParserCtxt)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlRelaxNGValidCtxt, xmlRelaxNGFreeValidCtxt)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlDoc, xmlFreeDoc)
G_DEFINE_AUTOPTR_CLEANUP_FUNC(xmlParserCtxt, xmlFreeParserCtxt)

#if LIBXML_VERSION >= 21200
typedef const xmlError *ErrorArg;
#else
typedef xmlErrorPtr ErrorArg;
#endif

static const char *
messageOf(ErrorArg report, const char *none)
{
    if (report && report->message)
        return report->message;
    return none;
}

/* Keep the first report in *@opaque, a string that the caller frees. */
static void
onError(void *opaque, ErrorArg report)
{
    char **first = opaque;

    if (!*first)
        *first = g_strchomp(g_strdup(messageOf(report, "no reason given")));
}

static void
onErrorIgnore(void *opaque, ErrorArg report)
{
}

static bool
complain(const char *file, long line, const char *sentence, GError **error)
{
    if (file)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s:%ld: %s", file, line, sentence);
    else
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "line %ld: %s", line, sentence);
    return false;
}

/* Entities are not resolved and nothing is fetched. And xml_tree.c comes first, so libxml2 sees no document with
 * entities, nor one beyond our bounds. */
static xmlDoc *
readDocument(const char *xml, gsize len, const char *file, GError **error)
{
    g_autoptr(virtXmlDoc) bounded = virtXmlParse(xml, len, file, error);
    g_autoptr(xmlParserCtxt) parser = NULL;
    xmlDoc *doc;

    if (!bounded)
        return NULL;
    parser = xmlNewParserCtxt();
    doc =
        xmlCtxtReadMemory(parser, xml, (int)len, file, NULL, XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
    if (!doc) {
        ErrorArg last = xmlCtxtGetLastError(parser);
        g_autofree char *reason = g_strchomp(g_strdup(messageOf(last, "not XML")));
        int line = 1;

        if (last)
            line = last->line;
        complain(file, line, reason, error);
    }
    return doc;
}

/* Where libvirt's schema is, which domaincommon.rng includes by a name that does not depend on that. */
static void
addCatalog(void)
{
    static gsize added;

    if (!g_once_init_enter(&added))
        return;
    xmlInitializeCatalog();
    xmlCatalogAdd(BAD_CAST "uri", BAD_CAST "urn:libvirt:schemas:domain.rng",
                  BAD_CAST VIRT_LIBVIRT_SCHEMAS "/domain.rng");
    g_once_init_leave(&added, 1);
}

static xmlRelaxNG *
loadSchema(const char *dir, GError **error)
{
    g_autofree char *path = g_build_filename(dir, "domaincommon.rng", NULL);
    g_autofree char *reason = NULL;
    const char *why = "no such file";
    g_autoptr(xmlRelaxNGParserCtxt) parser = NULL;
    xmlRelaxNG *schema = NULL;

    addCatalog();
    if (g_file_test(path, G_FILE_TEST_EXISTS) && (parser = xmlRelaxNGNewParserCtxt(path))) {
        xmlRelaxNGSetParserStructuredErrors(parser, onError, &reason);
        schema = xmlRelaxNGParse(parser);
    }
    if (reason)
        why = reason;
    if (!schema)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                    "Cannot load the schema %s: %s. Are it and libvirt's own installed?", path, why);
    return schema;
}

typedef struct {
    xmlRelaxNGValidCtxt *context;
    xmlDoc *doc;
    guint tries;
} Search;

static bool
isValid(Search *search)
{
    return search->tries++ < TRIES_MAX && xmlRelaxNGValidateDoc(search->context, search->doc) == 0;
}

/* Whether the document is valid without the element or attribute @node, which is put back. */
static bool
isValidWithout(Search *search, xmlNode *node)
{
    xmlNode *parent = node->parent, *next = node->next;
    bool valid;

    if (node->type == XML_ATTRIBUTE_NODE) {
        xmlAttr **link = &parent->properties;

        if (node->prev)
            link = (xmlAttr **)&node->prev->next;
        *link = (xmlAttr *)next;
        valid = isValid(search);
        *link = (xmlAttr *)node;
        return valid;
    }
    xmlUnlinkNode(node);
    valid = isValid(search);
    if (next)
        xmlAddPrevSibling(next, node);
    else
        xmlAddChild(parent, node);
    return valid;
}

/* The innermost child or attribute below @node without which the document is valid; NULL: there is none. */
static xmlNode *
findMistake(Search *search, xmlNode *node)
{
    for (xmlAttr *attr = node->properties; attr; attr = attr->next) {
        if (isValidWithout(search, (xmlNode *)attr))
            return (xmlNode *)attr;
    }
    for (xmlNode *child = node->children; child; child = child->next) {
        if (child->type == XML_ELEMENT_NODE && isValidWithout(search, child)) {
            xmlNode *inner = findMistake(search, child);

            if (inner)
                return inner;
            return child;
        }
    }
    return NULL;
}

/* Say where the document is wrong. What libxml2 said about it is left out: it quotes values, and one may be a password.
 */
static bool
explain(Search *search, const char *file, GError **error)
{
    xmlNode *node = findMistake(search, xmlDocGetRootElement(search->doc));
    g_autofree char *sentence = NULL;
    long line = 1;

    if (!node)
        sentence = g_strdup("the schema does not allow this document, for more than one reason");
    else if (node->type == XML_ATTRIBUTE_NODE)
        sentence = g_strdup_printf("the schema does not allow the attribute '%.60s' of <%.60s> as it is", node->name,
                                   node->parent->name);
    else
        sentence =
            g_strdup_printf("the schema does not allow <%.60s> in <%.60s> as it is", node->name, node->parent->name);
    if (node && node->type == XML_ATTRIBUTE_NODE)
        node = node->parent;
    if (node)
        line = xmlGetLineNo(node);
    return complain(file, line, sentence, error);
}

/* Validate a domain in netdev form.
 *
 * @dir: where domaincommon.rng is; NULL: where it is installed
 * @file: for messages, may be NULL
 *
 * Returns true, or false with VIRT_ERROR_INVALID and the line, or VIRT_ERROR_HOST when the schema is missing.
 */
bool
virtSchemaValidate(const char *dir, const char *xml, gsize len, const char *file, GError **error)
{
    g_autoptr(xmlDoc) doc = readDocument(xml, len, file, error);
    g_autoptr(xmlRelaxNG) schema = NULL;
    g_autoptr(xmlRelaxNGValidCtxt) context = NULL;
    Search search = {NULL, doc, 0};

    if (!dir)
        dir = VIRT_SCHEMA_DIR;
    if (!doc || !(schema = loadSchema(dir, error)))
        return false;
    context = xmlRelaxNGNewValidCtxt(schema);
    search.context = context;
    xmlRelaxNGSetValidStructuredErrors(context, onErrorIgnore, NULL);
    return isValid(&search) || explain(&search, file, error);
}

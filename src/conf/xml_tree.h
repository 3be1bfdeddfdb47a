/* xml_tree.h: a document as a tree whose nodes know the bytes they came from
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rewriting a user's document must leave every byte that is not ours alone, so each element remembers where
 * its tags begin and end in the text. expat reports these positions exactly; libxml2 only nearly.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define VIRT_XML_MAX (4 * 1024 * 1024) /* bytes: the longest string libvirt's RPC carries (remote_protocol.x) */
#define VIRT_XML_DEPTH 256             /* nested elements: what libxml2, and so libvirt, accepts */
#define VIRT_XML_NODES 262144          /* elements: bounds the tree's memory to some 25 times the text */
#define VIRT_XML_ATTRS 256             /* attributes of one element: libvirt's largest has about 20 */

typedef struct {
    char *name; /* local name; prefixed and foreign attributes as "URI name" */
    char *value;
} virtXmlAttr;

typedef struct _virtXmlNode virtXmlNode;
struct _virtXmlNode {
    char *ns;   /* namespace URI, NULL for none */
    char *name; /* local name */
    virtXmlAttr *attrs;
    guint attrCount;
    GPtrArray *children; /* elements, owned; those without any share an empty list */
    virtXmlNode *parent;
    GString *text;         /* character data directly inside, entities resolved; NULL for none */
    guint line;            /* of the start tag, from 1 */
    gsize start, startEnd; /* bytes [start, startEnd) are the start tag */
    gsize endStart, end;   /* [endStart, end) the end tag; both equal startEnd for <empty/> */
};

typedef struct _virtXmlBlock virtXmlBlock;

typedef struct {
    const char *text; /* not owned: must outlive the tree */
    gsize len;
    virtXmlNode *root;
    const char *file; /* for messages, not owned; NULL: none */
    char *encoding;   /* as declared; NULL: none, which means UTF-8 */
    /* private */
    virtXmlBlock *blocks; /* hold the nodes, their names and attributes */
    GPtrArray *childless; /* the empty list */
} virtXmlDoc;

virtXmlDoc *virtXmlParse(const char *text, gsize len, const char *file, GError **error);
void virtXmlDocFree(virtXmlDoc *doc);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtXmlDoc, virtXmlDocFree)

const char *virtXmlGet(const virtXmlNode *node, const char *attr);
virtXmlNode *virtXmlChild(const virtXmlNode *node, const char *name);
bool virtXmlIs(const virtXmlNode *node, const char *ns, const char *name);

/* "FILE:LINE: " or "line LINE: " and the sentence: every complaint about a document looks alike. */
void virtXmlError(const virtXmlDoc *doc, const virtXmlNode *node, GError **error, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
char *virtXmlQuote(const char *value);

/* Edits, collected by position and applied in one pass; positions are those of the original text. */
typedef struct _virtXmlEdits virtXmlEdits;
virtXmlEdits *virtXmlEditsNew(void);
void virtXmlEditsFree(virtXmlEdits *edits);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtXmlEdits, virtXmlEditsFree)
void virtXmlReplace(virtXmlEdits *edits, gsize from, gsize to, const char *with);
char *virtXmlApply(const virtXmlEdits *edits, const virtXmlDoc *doc, GError **error);

void virtXmlEscape(GString *out, const char *value);

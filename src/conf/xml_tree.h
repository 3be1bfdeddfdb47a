/* xml_tree.h: a document as a tree whose nodes know the bytes they came from
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Rewriting a user's document must leave every byte that is not ours alone, so each element remembers where
 * its tags begin and end in the text, which expat reports. libvirt reads with libxml2: a document in which that would
 * see another one is refused.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>
#include <string.h>

#define VIRT_XML_MAX (4 * 1024 * 1024) /* bytes: the longest string libvirt's RPC carries (remote_protocol.x) */
/* Bytes of what libvirt itself writes for a hook: what it has taken grows where it is escaped (' becomes &apos;) and
 * indented. As much as a message of its RPC may have (VIR_NET_MESSAGE_MAX). */
#define VIRT_XML_WRITTEN_MAX (32 * 1024 * 1024)
#define VIRT_XML_DEPTH_MAX 256    /* nested elements: what libxml2, and so libvirt, accepts */
#define VIRT_XML_NODES_MAX 262144 /* elements: bounds the tree's memory to some 25 times the text */
#define VIRT_XML_ATTRS_MAX 256    /* attributes of one element: libvirt's largest has about 20 */

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
virtXmlDoc *virtXmlParseWritten(const char *text, gsize len, const char *file, GError **error);
void virtXmlDocFree(virtXmlDoc *doc);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtXmlDoc, virtXmlDocFree)

/* For no node, the first two give NULL and the third "". */
const char *virtXmlGet(const virtXmlNode *node, const char *attr);
virtXmlNode *virtXmlChild(const virtXmlNode *node, const char *name);
const char *virtXmlText(const virtXmlNode *node);
bool virtXmlIs(const virtXmlNode *node, const char *ns, const char *name);

/* "FILE:LINE: " or "line LINE: " and the sentence: every complaint about a document looks alike. */
const char *virtXmlErrorSentence(const GError *error);
void virtXmlError(const virtXmlDoc *doc, const virtXmlNode *node, GError **error, const char *format, ...)
    G_GNUC_PRINTF(4, 5);
void virtXmlTooLarge(const virtXmlDoc *doc, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
char *virtXmlQuote(const char *value);

/* Edits, collected by position and applied in one pass; positions are those of the original text. */
typedef struct _virtXmlEdits virtXmlEdits;
virtXmlEdits *virtXmlEditsNew(void);
void virtXmlEditsFree(virtXmlEdits *edits);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtXmlEdits, virtXmlEditsFree)
void virtXmlReplace(virtXmlEdits *edits, gsize from, gsize to, const char *with);
char *virtXmlApply(const virtXmlEdits *edits, const virtXmlDoc *doc, GError **error);
char *virtXmlApplyTo(const virtXmlEdits *edits, const virtXmlDoc *doc, gsize from, gsize to, GError **error);

void virtXmlEscape(GString *out, const char *value);

/* g_string_append(), which GLib before 2.76 makes a detour through g_string_insert_len(): that took most of the time
 * that the records of many VFs take (bench/). */
static inline void
virtXmlAdd(GString *out, const char *text)
{
    gsize len = strlen(text);

    if (out->len + len >= out->allocated_len) {
        g_string_append_len(out, text, (gssize)len);
        return;
    }
    memcpy(out->str + out->len, text, len + 1);
    out->len += len;
}

/* Append " name='value'", where the value needs no escapes. */
static inline void
virtXmlAddText(GString *out, const char *name, const char *value)
{
    virtXmlAdd(out, " ");
    virtXmlAdd(out, name);
    virtXmlAdd(out, "='");
    virtXmlAdd(out, value);
    virtXmlAdd(out, "'");
}
void virtXmlAddNumber(GString *out, const char *name, guint64 number);

/* The white space of a document, so that what is put in looks like what is there. */
gsize virtXmlSpaceBefore(const virtXmlDoc *doc, gsize pos);
char *virtXmlIndentOf(const virtXmlDoc *doc, const virtXmlNode *node);
char *virtXmlStepFrom(const virtXmlDoc *doc, const virtXmlNode *parent, const char *indent);
void virtXmlCut(virtXmlEdits *edits, const virtXmlDoc *doc, const virtXmlNode *node);
bool virtXmlFindAttr(const virtXmlDoc *doc, const virtXmlNode *node, const char *attr, gsize *ret_from, gsize *ret_to);

/* How a piece of XML is laid out: @prefix before each element name ("" or "lh:"), @indent the white space that
 * stands before the outermost element, with its newline, and @step one more level of it; both "" put all on one line.
 */
typedef struct {
    const char *prefix;
    const char *indent;
    const char *step;
} virtXmlLayout;

void virtXmlFormatNode(GString *out, const virtXmlNode *node, const virtXmlLayout *layout);

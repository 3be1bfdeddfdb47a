/* xml_check.h: the shape an element of ours must have, as data
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/xml_tree.h"

/* One kind of element. Lists are names with a space between; a name ends in '!' where it must be given and in
 * '*' where a child may be given more than once. A child without a rule of its own is left unread. */
typedef struct {
    const char *name;
    const char *attrs;
    const char *children;
    const char *hint; /* closes complaints about missing or repeated children; may be NULL */
    /* Looks at the element's own attributes before its children are; may be NULL. */
    bool (*check)(const virtXmlDoc *doc, const virtXmlNode *node, GError **error);
} virtXmlRule;

/* Why a well-known name is not taken: a better answer than "unknown". */
typedef struct {
    const char *element;
    const char *name; /* child, or attribute with '@' before it */
    const char *reason;
} virtXmlRefusal;

typedef struct {
    const virtXmlRule *rules;       /* the last has no name */
    const virtXmlRefusal *refusals; /* the last has no element; may be NULL */
    const virtXmlRule *shared;      /* rules for what @rules leaves open; may be NULL */
} virtXmlGrammar;

bool virtXmlCheck(const virtXmlDoc *doc, const virtXmlNode *node, const virtXmlGrammar *grammar, GError **error);

/* What a number in an attribute may be. */
typedef struct {
    guint base; /* 10, or 0 for what libvirt reads in addresses (0x1f, 017, 31) */
    guint64 min, max;
    const char *advice; /* closes a complaint: the unit, or what to do instead; may be NULL */
} virtXmlRange;

bool virtXmlGetUInt(const virtXmlDoc *doc, const virtXmlNode *node, const char *attr, const virtXmlRange *range,
                    guint64 *ret, GError **error);
void virtXmlBadValue(const virtXmlDoc *doc, const virtXmlNode *node, const char *attr, GError **error,
                     const char *format, ...) G_GNUC_PRINTF(5, 6);

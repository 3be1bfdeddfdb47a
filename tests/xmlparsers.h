/* xmlparsers.h: do expat and libxml2 see the same document? libvirt reads with the latter
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>

typedef enum {
    VIRT_XML_PARSERS_AGREE,     /* both take it and see the same, or both refuse it */
    VIRT_XML_PARSERS_STRICTER,  /* virtXmlParse() refuses what libxml2 takes */
    VIRT_XML_PARSERS_CONVERTED, /* its encoding is one that nothing is put into: only names and attributes' names agree
                                 */
    VIRT_XML_PARSERS_DIFFER,    /* they see different documents, or only virtXmlParse() takes it */
} virtXmlParsersVerdict;

virtXmlParsersVerdict virtXmlParsersCompare(const char *text, gsize len, guint *ret_events, char **ret_why);

/* oracle.h: what a rewritten document must still be, found out by other means than the code under test
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "fuzz.h"

/* What may differ between two forms of a document, each element with the white space before it. */
typedef enum {
    FUZZ_NETDEVS, /* <netdev> in <hostdev>, our element of <metadata>, and a <metadata> that then has nothing else */
    FUZZ_DEVICES, /* also each <hostdev> of type 'pci' and each <interface> of type 'hostdev': interfaces move */
} fuzzOurs;

void fuzzXmlParsersAgree(const char *text, gsize len);
bool fuzzXmlIsGood(const char *text, gsize len); /* does libxml2 take it? */
char *fuzzXmlRest(const char *text, fuzzOurs ours);
void fuzzXmlKept(const char *before, const char *after, fuzzOurs ours, const char *what);

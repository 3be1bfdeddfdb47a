/* like.c: fuzz target: a document that is to take a domain's place, the line "=====", and the domain
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/domain_conf.h"
#include "oracle.h"

#include <string.h>

#define SEPARATOR "\n=====\n"

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    const char *text = (const char *)data, *end = text + size;
    const char *middle = size ? memmem(data, size, SEPARATOR, strlen(SEPARATOR)) : NULL;
    const char *domain = middle ? middle + strlen(SEPARATOR) : end;
    gsize len = (gsize)((middle ? middle : end) - text), domainLen = (gsize)(end - domain);
    g_autofree char *input = g_strndup(text, len);
    g_autofree char *stored = NULL, *again = NULL;

    if (memchr(data, 0, size))
        return 0;
    virtHostdevIsIn(text, len, domain, domainLen, NULL);
    stored = virtDomainToStockABI(text, len, domain, domainLen, NULL);
    if (!stored)
        return 0;
    fuzzXmlKept(input, stored, FUZZ_DEVICES, "in the domain's place");
    again = virtDomainToStockABI(stored, strlen(stored), domain, domainLen, NULL);
    fuzzSame(again, stored, "in the domain's place, twice");
    return 0;
}

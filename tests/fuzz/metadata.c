/* metadata.c: fuzz target: our element of <metadata> on its own, as libvirt gives it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/domain_conf.h"
#include "oracle.h"

#include <string.h>

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    g_autoptr(GPtrArray) list = virtMetadataParse((const char *)data, size, NULL), read = NULL;
    g_autofree char *text = list ? virtMetadataFormat(list) : NULL, *again = NULL;
    g_autoptr(GError) error = NULL;

    if (!memchr(data, 0, size))
        fuzzXmlParsersAgree((const char *)data, size);
    if (!text)
        return 0;
    if (!fuzzXmlIsGood(text, strlen(text)))
        fuzzFail("libxml2 does not take: %s", text);
    if (!(read = virtMetadataParse(text, strlen(text), &error)))
        fuzzFail("metadata that we write, we do not read: %s\n%s", error->message, text);
    again = virtMetadataFormat(read);
    fuzzSame(again, text, "metadata read and written again");
    for (guint i = 0; i < list->len; i++) {
        virtHostdev *copy = virtHostdevCopy(list->pdata[i]);

        virtHostdevGenerateMacs(copy);
        virtHostdevFree(copy);
    }
    return 0;
}

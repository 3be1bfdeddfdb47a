/* rpc_cache.c: documents in netdev form, and the last few of them remembered
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Who watches domains asks for the same documents again and again. What one becomes depends on nothing but its bytes,
 * so one that comes again need not be parsed again, which takes as long as libvirt's whole answer does.
 */
#include "rpc/rpc_procs.h"

#include "conf/domain_conf.h"

#include <string.h>

#define REMEMBERED 8        /* documents: with LONGEST, some 1 MiB a client at most */
#define LONGEST (64u << 10) /* bytes: most domains have less than 16 KiB */

typedef struct {
    char *xml, *text;
    gsize len; /* of xml */
} Shown;

static Shown remembered[REMEMBERED];

/* Where @xml is, or, where it is not, the one whose turn it is to be forgotten. */
static Shown *
find(const char *xml, gsize len, bool *ret_found)
{
    static guint turn;

    for (guint i = 0; i < REMEMBERED; i++) {
        *ret_found = remembered[i].xml && remembered[i].len == len && memcmp(remembered[i].xml, xml, len) == 0;
        if (*ret_found)
            return &remembered[i];
    }
    return &remembered[turn++ % REMEMBERED];
}

static void
replace(Shown *shown, const char *xml, gsize len, const char *text)
{
    g_free(shown->xml);
    g_free(shown->text);
    shown->xml = g_memdup2(xml, len);
    shown->len = len;
    shown->text = g_strdup(text);
}

/* Bring a document to netdev form.
 *
 * Returns the text, which the caller frees; or NULL with VIRT_ERROR_INVALID. For one thread only.
 */
char *
virtRpcShow(const char *xml, gsize len, GError **error)
{
    bool found;
    Shown *shown = find(xml, len, &found);
    char *text;

    if (found)
        return g_strdup(shown->text);
    text = virtDomainFormat(xml, len, NULL, VIRT_DOMAIN_FORM_WRITTEN, error);
    if (text && len <= LONGEST)
        replace(shown, xml, len, text);
    return text;
}

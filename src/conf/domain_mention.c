/* domain_mention.c: may a document hold anything of this project's? A look at its bytes
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * With libc alone: virt-hostdev-hook looks before it loads anything else.
 */
#include "conf/domain_conf.h"

#include <string.h>

/* The first @word in @text, or NULL: memmem() for markup. glibc's takes some ten instructions for each byte, which was
 * nine tenths of what a reply without netdevs costs the filter; memchr() takes an eighth of one.
 *
 * @rare: the byte of @word, from 0, that documents have least of
 */
const char *
virtDomainFindWord(const char *text, gsize len, const char *word, gsize rare)
{
    const char *end = text + len, *at = text + MIN(rare, len);
    gsize size = strlen(word);

    while ((at = memchr(at, word[rare], (gsize)(end - at)))) {
        const char *from = at - rare;

        if ((gsize)(end - from) >= size && memcmp(from, word, size) == 0)
            return from;
        at++;
    }
    return NULL;
}

/* Does one of the elements that are settings begin at @text? */
static bool
isSetting(const char *text, gsize len)
{
    for (const char *const *tag = virtSettingTags; *tag; tag++) {
        if (len > 1 && text[1] == (*tag)[1] && len >= strlen(*tag) && memcmp(text, *tag, strlen(*tag)) == 0)
            return true;
    }
    return false;
}

/* Whether a document that libvirt has written may hold anything of ours: a quick look at the bytes, which may say yes
 * for a comment but never no for a <netdev> or for our metadata. libvirt resolves what a client has written in another
 * way, so in its own output, as it comes in replies and to hooks, each name stands as it is. */
bool
virtDomainMentionsUs(const char *xml, gsize len)
{
    if (virtDomainFindWord(xml, len, VIRT_NS, strlen("urn"))) /* it stands near the beginning */
        return true;
    for (const char *end = xml + len; (xml = memchr(xml, '<', (gsize)(end - xml))); xml++) { /* once for all of them */
        if (isSetting(xml, (gsize)(end - xml)))
            return true;
    }
    return false;
}

static bool
startsWith(const char *text, const char *end, const char *word)
{
    return (gsize)(end - text) >= strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

/* Whether a name may be written so that a look at the bytes does not find it: by a character reference, or by a default
 * that a document type gives. Comments and CDATA hide nothing. */
static bool
hidesNames(const char *xml, gsize len)
{
    const char *end = xml + len;

    if (virtDomainFindWord(xml, len, "&#", 0))
        return true;
    while ((xml = virtDomainFindWord(xml, (gsize)(end - xml), "<!", 1))) {
        xml += 2;
        if (!startsWith(xml, end, "--") && !startsWith(xml, end, "[CDATA["))
            return true;
    }
    return false;
}

/* Whether the <source> of a device may ask for it by more than its address. A disk's may have a pool, too. */
static bool
mayChoose(const char *xml, gsize len)
{
    return virtDomainFindWord(xml, len, "<pf", 2) || virtDomainFindWord(xml, len, "<vf", 2) ||
           (virtDomainFindWord(xml, len, "hostdev", strlen("hostde")) && virtDomainFindWord(xml, len, "pool", 0));
}

/* Whether the rest of a start tag <interface … may have attributes that libvirt does not know, or is that of an
 * interface that @flags speak of. */
static bool
isTagOfOurs(const char *tag, gsize len, guint flags)
{
    return memmem(tag, len, "spoofCheck", strlen("spoofCheck")) || memmem(tag, len, "port", strlen("port")) ||
           ((flags & (VIRT_DOMAIN_INTERFACES | VIRT_DOMAIN_ALL_INTERFACES)) &&
            memmem(tag, len, "hostdev", strlen("hostdev")));
}

/* Whether a document that a client has written may hold anything of ours and so has to be parsed: as
 * virtDomainMentionsUs(), where it hides names or asks for a device by more than its address, where an interface has
 * words of its own netdev that libvirt does not know, and where @flags (VIRT_DOMAIN_…) may find an interface to
 * convert: a start tag <interface … that has "hostdev" in it. */
bool
virtDomainConcernsUs(const char *xml, gsize len, guint flags)
{
    const char *end = xml + len;

    if (virtDomainMentionsUs(xml, len) || hidesNames(xml, len) || mayChoose(xml, len) ||
        virtDomainFindWord(xml, len, "<guid", strlen("<g")))
        return true;
    while ((xml = virtDomainFindWord(xml, (gsize)(end - xml), "<interface", strlen("<inter")))) {
        const char *next;

        xml += strlen("<interface");
        next = memchr(xml, '<', (gsize)(end - xml));
        if (!next)
            next = end;
        if (isTagOfOurs(xml, (gsize)(next - xml), flags))
            return true;
    }
    return false;
}

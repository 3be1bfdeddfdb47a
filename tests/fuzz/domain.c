/* domain.c: fuzz target: a document with <netdev>, to stock form and back, and to what libvirt alone takes
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/domain_conf.h"
#include "oracle.h"
#include "testfiles.h"

#include <string.h>

static char *
stock(const char *xml, guint flags)
{
    g_autoptr(GError) error = NULL;
    char *text = virtDomainToStock(xml, strlen(xml), NULL, flags, &error);

    if (!text)
        fuzzFail("what we have written has no stock form: %s\n%s", error->message, xml);
    return text;
}

static char *
show(const char *xml)
{
    g_autoptr(GError) error = NULL;
    char *text = virtDomainFormat(xml, strlen(xml), NULL, VIRT_DOMAIN_FORM_WRITTEN, &error);

    if (!text)
        fuzzFail("what we have written cannot be shown: %s\n%s", error->message, xml);
    return text;
}

static void
sameMeaning(const char *a, const char *b)
{
    g_autofree char *one = virtTestMeaning(a), *other = virtTestMeaning(b);

    fuzzSame(one, other, "the netdevs are not the same");
}

/* There and back, from @input's stock form. */
static void
checkStock(const char *input, const char *stored)
{
    g_autofree char *shown = show(stored), *storedAgain = stock(shown, 0), *shownAgain = show(storedAgain);
    g_autofree char *storedTwice = stock(stored, 0), *shownTwice = show(shown);

    fuzzXmlKept(input, stored, FUZZ_NETDEVS, "brought to stock form");
    fuzzXmlKept(input, shown, FUZZ_NETDEVS, "shown");
    sameMeaning(input, stored);
    sameMeaning(input, shown);
    fuzzSame(shownAgain, shown, "shown, stored and shown again");
    fuzzSame(storedTwice, stored, "stored twice");
    fuzzSame(shownTwice, shown, "shown twice");
    if (!g_str_equal(stored, input)) /* else it may be laid out in another way than ours */
        fuzzSame(storedAgain, stored, "stored, shown and stored again");
    else if (!virtDomainMentionsUs(input, strlen(input)))
        fuzzSame(shown, input, "nothing of it is ours");
}

static void
checkShown(const char *input, const char *shown)
{
    g_autofree char *again = show(shown);

    fuzzXmlKept(input, shown, FUZZ_NETDEVS, "shown directly");
    sameMeaning(input, shown);
    fuzzSame(again, shown, "shown directly, twice");
}

static void
checkGenerated(const char *input, const char *stored)
{
    g_autofree char *again = stock(stored, VIRT_DOMAIN_GENERATE_MAC);
    g_autoptr(virtDomainConf) domain = virtDomainConfParse(stored, strlen(stored), NULL, 0, NULL);

    fuzzXmlKept(input, stored, FUZZ_NETDEVS, "brought to stock form with MAC addresses");
    fuzzSame(again, stored, "MAC addresses, generated twice");
    if (g_str_equal(stored, input)) /* it was in stock form, and stays as it is */
        return;
    for (guint i = 0; domain && i < domain->hostdevs->len; i++) {
        const virtHostdev *hostdev = domain->hostdevs->pdata[i];

        if (virtHandleIsNetwork(&hostdev->handle)) /* whose own netdev has the interface's */
            continue;
        for (guint j = 0; j < VIRT_NETDEVS(hostdev)->len; j++) {
            const virtNetdev *netdev = VIRT_NETDEVS(hostdev)->pdata[j];

            if (!virtNetdevHas(netdev, VIRT_NETDEV_MAC) && !virtNetdevHas(netdev, VIRT_NETDEV_NODE_GUID) &&
                !virtNetdevHas(netdev, VIRT_NETDEV_PORT_GUID))
                fuzzFail("port %u got no MAC address", netdev->port);
        }
    }
}

static void
checkReverted(const char *stored)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) lost = NULL, lostAgain = NULL;
    g_autofree char *reverted = virtDomainRevert(stored, strlen(stored), &lost, &error);
    g_autofree char *again = reverted ? virtDomainRevert(reverted, strlen(reverted), &lostAgain, &error) : NULL;
    g_autoptr(virtDomainConf) domain = again ? virtDomainConfParse(again, strlen(again), NULL, 0, &error) : NULL;

    if (!reverted && !virtDomainMentionsUs(stored, strlen(stored)))
        return; /* not even XML */
    if (!again)
        fuzzFail("cannot be reverted: %s", error->message);
    fuzzXmlKept(stored, reverted, FUZZ_DEVICES, "reverted");
    fuzzSame(again, reverted, "reverted twice");
    if (lostAgain->len || (domain && domain->hostdevs->len))
        fuzzFail("reverted, it still has netdevs:\n%s", reverted);
}

/* Does a device lack its UUID, so that each look at it generates another? */
static bool
generatesUuid(const char *input)
{
    g_autofree char *one = virtTestMeaning(input), *other = virtTestMeaning(input);

    return !g_str_equal(one, other);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    const char *raw = (const char *)data;
    g_autofree char *input = g_strndup(raw, size);
    g_autofree char *stored = NULL, *generated = NULL, *shown = NULL;
    g_autoptr(GError) error = NULL;

    /* What was an interface is shown as one: that is for the target interface.c. */
    if (memchr(data, 0, size) || (strstr(input, VIRT_NS) && strstr(input, "interface")))
        return 0;
    fuzzXmlParsersAgree((const char *)data, size);
    /* These need no NUL behind their text. */
    stored = virtDomainToStock(raw, size, NULL, 0, &error);
    shown = virtDomainFormat(raw, size, NULL, VIRT_DOMAIN_FORM_WRITTEN, NULL);
    generated = virtDomainToStock(raw, size, NULL, VIRT_DOMAIN_GENERATE_MAC, NULL);
    if (!stored && generated && strstr(error->message, "<interface> lacks its <mac>"))
        return 0;
    if (!stored != !generated || (stored && !shown))
        fuzzFail("brought to stock form %d, with MAC addresses %d, shown %d", !!stored, !!generated, !!shown);
    if (stored && generatesUuid(input)) {
        g_autofree char *settled = show(stored);

        fuzzXmlKept(input, stored, FUZZ_NETDEVS, "brought to stock form with UUIDs");
        if (generatesUuid(settled))
            fuzzFail("a device has no UUID:\n%s", settled);
        return LLVMFuzzerTestOneInput((const guint8 *)settled, strlen(settled));
    }
    if (shown)
        checkShown(input, shown);
    if (!stored)
        return 0;
    checkStock(input, stored);
    checkGenerated(input, generated);
    checkReverted(stored);
    return 0;
}

/* domain_convert.c: a document rewritten on purpose: all its netdevs as <netdev>, as interfaces, or for libvirt alone
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/domain_locate.h"
#include "conf/netdev_attr.h"
#include "conf/vdpa_conf.h"

#include <string.h>

/* A lone device is converted inside of a domain like this, and taken out again. */
#define LONE_BEGIN "<domain><devices>"
#define LONE_END "</devices></domain>"

/* ---- to <netdev>, to <interface> ---- */

static bool
checkAsNetdev(const virtXmlDoc *doc, const virtHostdevRef *hostdev, GError **error)
{
    g_autofree char *names = virtInterfaceListOpaque(hostdev->interface);
    const char *them = "it";

    if (!*names)
        return true;
    if (strchr(names, ' '))
        them = "them";
    virtXmlError(doc, hostdev->node, error,
                 "%s of this <interface> cannot be expressed in a <hostdev> with <netdev>: drop %s", names, them);
    return false;
}

/* Has the device nothing but netdevs, wherever that stands? */
static bool
checkNetdevsAlone(const virtXmlDoc *doc, const virtHostdevRef *hostdev, GError **error)
{
    for (guint k = 0; virtSettingKinds[k]; k++) {
        if (k == VIRT_SETTING_NETDEV || hostdev->settings.of[k]->len == 0)
            continue;
        virtXmlError(doc, hostdev->node, error,
                     "<%s> of this <hostdev> cannot be expressed in an <interface>: keep the <hostdev>",
                     virtSettingKinds[k]->info->name);
        return false;
    }
    return true;
}

static bool
checkAsInterface(const virtXmlDoc *doc, const virtHostdevRef *hostdev, GError **error)
{
    guint netdevs = VIRT_NETDEVS(hostdev)->len;

    if (netdevs == 0) {
        virtXmlError(doc, hostdev->node, error,
                     "this <hostdev> has no netdev and an <interface> has one: keep the <hostdev>");
        return false;
    }
    if (netdevs > 1 && !hostdev->interface) {
        virtXmlError(doc, hostdev->node, error,
                     "this <hostdev> has %u netdevs and an <interface> has one: keep the <hostdev>", netdevs);
        return false;
    }
    return checkNetdevsAlone(doc, hostdev, error) && virtHostdevRefFitsInterface(doc, hostdev, error);
}

static bool
checkSites(const virtXmlDoc *doc, const GPtrArray *refs, virtDomainForm show, GError **error)
{
    for (guint i = 0; i < refs->len; i++) {
        const virtDomainRef *ref = refs->pdata[i];

        for (guint j = 0; j < ref->hostdevs->len; j++) {
            const virtHostdevRef *hostdev = ref->hostdevs->pdata[j];
            bool ok;

            if (virtHostdevRefIsNetwork(hostdev) || virtVdpaIsDevice(hostdev->node)) /* which stays what it is */
                continue;
            if (!virtHostdevRefCheckFound(doc, hostdev, error))
                return false;
            if (show == VIRT_DOMAIN_FORM_NETDEV)
                ok = checkAsNetdev(doc, hostdev, error);
            else
                ok = checkAsInterface(doc, hostdev, error);
            if (!ok)
                return false;
        }
    }
    return true;
}

/* An interface that is to be one stays as and where it is. */
static char *
convertDomains(const char *xml, gsize len, virtDomainForm show, GError **error)
{
    guint flags = VIRT_DOMAIN_INTERFACES;
    g_autoptr(virtXmlDoc) doc = virtXmlParse(xml, len, NULL, error);
    g_autoptr(GPtrArray) refs = NULL;
    g_autofree char *stock = NULL;

    if (show == VIRT_DOMAIN_FORM_INTERFACE)
        flags = 0;
    if (!doc || !(refs = virtDomainRefsFind(doc, flags, error)) || !(stock = virtDomainRefsToStock(doc, refs, error)))
        return NULL;
    return virtDomainFormat(stock, strlen(stock), NULL, show, error);
}

/* The device keeps the blanks before it on its line, which its children are laid out by. */
static char *
convertLone(const virtXmlDoc *doc, virtDomainForm show, GError **error)
{
    const virtXmlNode *root = doc->root;
    g_autofree char *before = NULL, *device = NULL, *domain = NULL, *converted = NULL;
    const char *begin;
    gsize from = root->start;

    while (from > 0 && strchr(" \t", doc->text[from - 1]))
        from--;
    before = g_strndup(doc->text, from);
    device = g_strndup(doc->text + from, root->end - from);
    domain = g_strconcat(LONE_BEGIN "\n", device, LONE_END, NULL);
    if (!(converted = convertDomains(domain, strlen(domain), show, error)))
        return NULL;
    converted[strlen(converted) - strlen(LONE_END)] = '\0';
    begin = converted + strlen(LONE_BEGIN);
    begin += *begin == '\n'; /* gone where the blanks behind it were more than an indent */
    return g_strconcat(before, begin, doc->text + root->end, NULL);
}

/* Write every device of ours as <hostdev> with <netdev>, or every one as <interface type='hostdev'>.
 *
 * @xml: of any kind and in any form, with a NUL behind its @len bytes
 * @file: for messages, may be NULL
 * @show: VIRT_DOMAIN_FORM_NETDEV or VIRT_DOMAIN_FORM_INTERFACE
 *
 * Returns the text, for g_free(); or NULL with VIRT_ERROR_INVALID where something cannot be said that way.
 */
char *
virtDomainConvert(const char *xml, gsize len, const char *file, virtDomainForm show, GError **error)
{
    g_autoptr(virtXmlDoc) doc = NULL;
    g_autoptr(GPtrArray) refs = NULL;
    guint flags = VIRT_DOMAIN_INTERFACES;

    if (show == VIRT_DOMAIN_FORM_NETDEV)
        flags = VIRT_DOMAIN_ALL_INTERFACES;

    if (!virtDomainConcernsUs(xml, len, flags))
        return g_strndup(xml, len);
    if (!(doc = virtXmlParse(xml, len, file, error)) || !(refs = virtDomainRefsFind(doc, flags, error)) ||
        !checkSites(doc, refs, show, error))
        return NULL;
    if (refs->len == 1 && virtDomainRefIsLone(refs->pdata[0]))
        return convertLone(doc, show, error);
    return convertDomains(xml, len, show, error);
}

/* ---- for libvirt alone ---- */

G_GNUC_PRINTF(2, 3)
static void
lose(GPtrArray *lost, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_ptr_array_add(lost, g_strdup_vprintf(format, args));
    va_end(args);
}

/* @kept: what stock libvirt sets of it: "42", or NULL for nothing */
static void
loseAttr(GPtrArray *lost, const char *device, const virtNetdev *netdev, virtNetdevAttr attr, const char *kept)
{
    const virtSettingAttr *row = &virtNetdevAttrs[attr];
    g_autofree char *value = row->format(netdev);
    GString *text = g_string_new(device);

    if (netdev->port)
        g_string_append_printf(text, " port %u", netdev->port);
    g_string_append_printf(text, ": %s %s", row->title, value);
    if (kept)
        g_string_append_printf(text, ", and keeps %s %s", row->title, kept);
    g_ptr_array_add(lost, g_string_free(text, FALSE));
}

/* Leave of one attribute what stock libvirt reads and starts with in an <interface>. */
static void
revertAttr(virtNetdev *netdev, const virtNetdevRow *row, bool fits, const char *device, GPtrArray *lost)
{
    virtNetdev was = *netdev;
    g_autofree char *kept = NULL;
    bool set = fits && row->stock == VIRT_NETDEV_STOCK_SETS;

    if (row->makeStock)
        row->makeStock(netdev);
    if (set && !virtNetdevEqualAttr(&was, netdev, row->attr))
        kept = virtNetdevAttrs[row->attr].format(netdev);
    if (!set || kept)
        loseAttr(lost, device, &was, row->attr, kept);
    if (row->stock == VIRT_NETDEV_STOCK_DROPS || row->stock == VIRT_NETDEV_STOCK_REFUSES)
        netdev->present &= ~VIRT_NETDEV_BIT(row->attr);
}

/* Leave of a netdev that is shown as an interface what stock libvirt reads and starts with.
 *
 * @fits: it can be shown as one
 */
static void
revertNetdev(virtNetdev *netdev, bool fits, const char *device, GPtrArray *lost)
{
    virtNetdevDropUntagged(netdev); /* libvirt does that by itself */
    for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
        if (virtNetdevHas(netdev, attr))
            revertAttr(netdev, virtNetdevRowFind(attr), fits, device, lost);
    }
    if (netdev->port == 1)
        netdev->port = VIRT_NETDEV_PORT_ANY; /* stock libvirt knows no port= */
}

/* What it asks for has been found, and stock libvirt keeps the address of that. */
static void
revertChoice(virtChoice *choice, const char *device, GPtrArray *lost)
{
    g_autofree char *what = NULL;

    if (choice->by == VIRT_CHOICE_NONE)
        return;
    what = virtChoiceDescribe(choice);
    lose(lost, "%s: <source> that asks for %s", device, what);
    choice->by = VIRT_CHOICE_NONE;
}

static void
revertHostdev(const virtXmlDoc *doc, virtHostdevRef *hostdev, GPtrArray *lost)
{
    bool fits = virtHostdevRefFitsStock(doc, hostdev);
    g_autofree char *dropped = NULL;

    revertChoice(&hostdev->choice, hostdev->handle.name, lost);
    if (fits)
        dropped = virtInterfaceDropOpaque(hostdev->interface, "bandwidth");
    else
        dropped = virtInterfaceDropOpaque(hostdev->interface, NULL);

    for (guint i = 0; i < VIRT_NETDEVS(hostdev)->len; i++)
        revertNetdev(VIRT_NETDEVS(hostdev)->pdata[i], fits && i == 0, hostdev->handle.name, lost);
    if (fits)
        g_ptr_array_set_size(VIRT_NETDEVS(hostdev), 1);
    for (guint k = 0; virtSettingKinds[k]; k++) {
        if (k != VIRT_SETTING_NETDEV && hostdev->settings.of[k]->len > 0)
            lose(lost, "%s: <%s>", hostdev->handle.name, virtSettingKinds[k]->info->name);
    }
    if (*dropped)
        lose(lost, "%s: %s of its <interface>", hostdev->handle.name, dropped);
}

/* Write a domain so that libvirt without us starts it: a device with one netdev at port 1 as <interface
 * type='hostdev'>, another as a plain <hostdev>, and nothing in <metadata>.
 *
 * @xml: in stock form, as libvirt gives it
 * @ret_lost: char *: each setting that stock libvirt will not make ("0000:06:02.0 port 2: VLAN 43"), for
 *            g_ptr_array_unref(); set only together with a text
 *
 * Returns the text, for g_free(), the same byte for byte where nothing is ours; or NULL with VIRT_ERROR_INVALID.
 */
char *
virtDomainRevert(const char *xml, gsize len, GPtrArray **ret_lost, GError **error)
{
    g_autoptr(virtXmlDoc) doc = virtXmlParse(xml, len, NULL, error);
    g_autoptr(GPtrArray) refs = NULL, lost = g_ptr_array_new_with_free_func(g_free);
    char *text;

    if (!doc || !(refs = virtDomainRefsFind(doc, 0, error)))
        return NULL;
    for (guint i = 0; i < refs->len; i++) {
        const virtDomainRef *ref = refs->pdata[i];

        for (guint j = 0; j < ref->hostdevs->len; j++)
            revertHostdev(doc, ref->hostdevs->pdata[j], lost);
    }
    if ((text = virtDomainRefsFormat(doc, refs, VIRT_DOMAIN_FORM_STOCK, error)))
        *ret_lost = g_steal_pointer(&lost);
    return text;
}

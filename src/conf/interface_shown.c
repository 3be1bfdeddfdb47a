/* interface_shown.c: the interfaces of a domain, as clients see them, and which of them libvirt does not know as such
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "conf/domain_locate.h"

#include "conf/xml_check.h"

/* In the order of virtInterfaceRate. */
static const struct {
    const char *direction, *attr;
} rates[VIRT_INTERFACE_RATES] = {
    [VIRT_INTERFACE_IN_AVERAGE] = {"inbound", "average"},   [VIRT_INTERFACE_IN_PEAK] = {"inbound", "peak"},
    [VIRT_INTERFACE_IN_BURST] = {"inbound", "burst"},       [VIRT_INTERFACE_IN_FLOOR] = {"inbound", "floor"},
    [VIRT_INTERFACE_OUT_AVERAGE] = {"outbound", "average"}, [VIRT_INTERFACE_OUT_PEAK] = {"outbound", "peak"},
    [VIRT_INTERFACE_OUT_BURST] = {"outbound", "burst"},
};

static void
shownFree(gpointer opaque)
{
    virtInterfaceShown *shown = opaque;

    g_free(shown->target);
    g_free(shown);
}

static const char *
childAttr(const virtXmlNode *node, const char *child, const char *attr)
{
    return virtXmlGet(virtXmlChild(node, child), attr);
}

/* Has @ref, the domain in stock form, a <hostdev> in the place of the interface @node? */
static bool
isStoredAsHostdev(const virtXmlDoc *doc, const virtXmlNode *node, const virtDomainRef *ref, virtHandle *ret)
{
    if (!virtInterfaceIs(node) || !virtDomainDeviceReadHandle(doc, node, ret, NULL))
        return false;
    for (guint i = 0; i < ref->hostdevs->len; i++) {
        const virtHostdevRef *hostdev = ref->hostdevs->pdata[i];

        if (!hostdev->written && virtHandleEqual(&hostdev->handle, ret))
            return true;
    }
    return false;
}

static virtInterfaceShown *
readShown(const virtXmlDoc *doc, const virtXmlNode *node, const virtDomainRef *ref)
{
    virtInterfaceShown *shown = g_new0(virtInterfaceShown, 1);
    const virtXmlNode *bandwidth = virtXmlChild(node, "bandwidth");
    const char *mac = childAttr(node, "mac", "address");

    shown->isHostdev = isStoredAsHostdev(doc, node, ref, &shown->handle);
    shown->hasMac = mac && virtMacParse(mac, shown->mac);
    shown->target = g_strdup(childAttr(node, "target", "dev"));
    for (guint i = 0; bandwidth && i < VIRT_INTERFACE_RATES; i++) {
        const char *rate = childAttr(bandwidth, rates[i].direction, rates[i].attr);

        if (rate)
            shown->rates[i] = (guint32)MIN(g_ascii_strtoull(rate, NULL, 10), G_MAXUINT32);
    }
    return shown;
}

/* The interfaces of a domain.
 *
 * @xml: a domain in stock form, as libvirt gives it
 *
 * Returns virtInterfaceShown in document order, for g_ptr_array_unref(); an empty list where nothing in the domain is
 * ours; or NULL with VIRT_ERROR_INVALID.
 */
GPtrArray *
virtInterfaceListShown(const char *xml, gsize len, GError **error)
{
    g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(shownFree), refs = NULL;
    g_autoptr(virtXmlDoc) doc = NULL, seen = NULL;
    g_autofree char *text = NULL;
    const virtXmlNode *devices = NULL;

    if (!virtDomainMentionsUs(xml, len))
        return g_steal_pointer(&list);
    if (!(doc = virtXmlParse(xml, len, "domain", error)) || !(refs = virtDomainRefsFind(doc, 0, error)) ||
        !(text = virtDomainRefsFormat(doc, refs, VIRT_DOMAIN_FORM_WRITTEN, error)) ||
        !(seen = virtXmlParse(text, strlen(text), "domain", error)))
        return NULL;
    if (refs->len > 0)
        devices = virtXmlChild(seen->root, "devices");
    for (guint i = 0; devices && i < devices->children->len; i++) {
        if (virtXmlIs(devices->children->pdata[i], NULL, "interface"))
            g_ptr_array_add(list, readShown(seen, devices->children->pdata[i], refs->pdata[0]));
    }
    return g_steal_pointer(&list);
}

/* The interface of @list that @name means for libvirt: a MAC address, or the name of a <target>; NULL where there is
 * none, or where libvirt knows it itself.
 */
const virtInterfaceShown *
virtInterfaceListFind(const GPtrArray *list, const char *name)
{
    guint8 mac[6];
    bool isMac = virtMacParse(name, mac);

    for (guint i = 0; i < list->len; i++) {
        const virtInterfaceShown *shown = list->pdata[i];
        bool found;

        if (isMac)
            found = shown->hasMac && memcmp(shown->mac, mac, sizeof(mac)) == 0;
        else
            found = g_strcmp0(shown->target, name) == 0;
        if (found && shown->isHostdev)
            return shown;
        if (found)
            return NULL;
    }
    return NULL;
}

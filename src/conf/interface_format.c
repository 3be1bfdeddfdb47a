/* interface_format.c: children of an <interface>, written as libvirt writes them
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: libvirt stores what it has read, not what was written: numbers without leading zeros, attributes
 * and children in its own order, nothing where an attribute is empty, no name of a target that it could have made up
 * itself. The children that metadata keeps never get to libvirt, so the same is done to them here. An element's
 * attributes are rows, in libvirt's order (src/conf/domain_conf.c and netdev_bandwidth_conf.c, 9.0 to 12); an element
 * of which nothing is left is not written.
 */
#include "conf/domain_locate.h"

#include <string.h>

/* ---- values; for g_free(), NULL for one that libvirt drops ---- */

static char *
asWritten(const char *value)
{
    return g_strdup(value);
}

static char *
asText(const char *value)
{
    if (!*value)
        return NULL;
    return g_strdup(value);
}

static char *
asLowerCase(const char *value)
{
    return g_ascii_strdown(value, -1);
}

static char *
asNumber(const char *value)
{
    return g_strdup_printf("%" G_GUINT64_FORMAT, g_ascii_strtoull(value, NULL, 10));
}

static char *
asNumberNotZero(const char *value)
{
    if (value[strspn(value, "0")] == '\0')
        return NULL;
    return asNumber(value);
}

/* One slash for many, but for two at the beginning, and none at the end. */
static char *
asPath(const char *value)
{
    GString *out = g_string_new(NULL);

    if (g_str_has_prefix(value, "//") && value[2] != '/')
        g_string_append(out, "//");

    for (const char *p = value + out->len; *p; p++) {
        if (*p != '/' || (p[1] != '/' && (p[1] || !out->len)))
            g_string_append_c(out, *p);
    }
    return g_string_free(out, FALSE);
}

/* Names that libvirt gives to host interfaces that it makes are not kept: another start may give another. */
static char *
asTarget(const char *value)
{
    static const char *const prefixes[] = {"vnet", "macvtap", "macvlan"};

    for (guint i = 0; i < G_N_ELEMENTS(prefixes); i++) {
        if (g_str_has_prefix(value, prefixes[i]))
            return NULL;
    }
    return g_strdup(value);
}

/* libvirt finds the models that it knows whatever their case, and keeps others as they are. */
static char *
asModel(const char *value)
{
    static const char *const models[] = {"netfront",
                                         "rtl8139",
                                         "virtio",
                                         "e1000",
                                         "e1000e",
                                         "usb-net",
                                         "spapr-vlan",
                                         "lan9118",
                                         "vlance",
                                         "vmxnet",
                                         "vmxnet2",
                                         "vmxnet3",
                                         "82540EM",
                                         "82545EM",
                                         "82543GC",
                                         "Am79C970A",
                                         "Am79C973",
                                         "virtio-transitional",
                                         "virtio-non-transitional",
                                         "scm91c111"};

    for (guint i = 0; i < G_N_ELEMENTS(models); i++) {
        if (g_ascii_strcasecmp(value, models[i]) == 0)
            return g_strdup(models[i]);
    }
    return g_strdup(value);
}

/* ---- elements ---- */

static const struct {
    const char *element, *attr;
    char *(*format)(const char *value);
} attrs[] = {
    {"mac", "address", asLowerCase},
    {"mac", "type", asWritten},
    {"mac", "check", asWritten},
    {"inbound", "average", asNumber},
    {"inbound", "peak", asNumberNotZero},
    {"inbound", "burst", asNumberNotZero},
    {"outbound", "average", asNumber},
    {"outbound", "peak", asNumberNotZero},
    {"outbound", "burst", asNumberNotZero},
    {"script", "path", asText},
    {"downscript", "path", asText},
    {"backenddomain", "name", asText},
    {"target", "dev", asTarget},
    {"guest", "dev", asWritten},
    {"guest", "actual", asWritten},
    {"model", "type", asModel},
    {"backend", "tap", asPath},
    {"link", "state", asWritten},
};
static const char *const children[] = {"inbound", "outbound", "sndbuf"};

static void
formatKeptAttrs(GString *out, const virtXmlNode *node)
{
    for (guint i = 0; i < G_N_ELEMENTS(attrs); i++) {
        const char *value = virtXmlGet(node, attrs[i].attr);
        g_autofree char *text = NULL;

        if (value && g_str_equal(attrs[i].element, node->name))
            text = attrs[i].format(value);
        if (!text)
            continue;
        g_string_append_printf(out, " %s='", attrs[i].attr);
        virtXmlEscape(out, text);
        g_string_append_c(out, '\'');
    }
}

static const virtXmlNode *
findChild(const virtXmlNode *node, const char *name)
{
    for (guint i = 0; i < node->children->len; i++) {
        const virtXmlNode *child = node->children->pdata[i];

        if (g_str_equal(child->name, name))
            return child;
    }
    return NULL;
}

/* Append @node, a child of an <interface> that is kept, on one line and as libvirt would show it; nothing where libvirt
 * would not. The shape has been checked, whatever its namespace. */
void
virtInterfaceFormatChild(GString *out, const virtXmlNode *node)
{
    g_autofree char *text = g_strstrip(g_strdup(virtXmlText(node)));
    g_autofree char *number = NULL;
    g_autoptr(GString) inside = g_string_new(NULL), inner = g_string_new(NULL);

    if (out->len > VIRT_XML_MAX)
        return;
    if (*text) {
        number = asNumber(text);
        g_string_append(inner, number);
    }
    formatKeptAttrs(inside, node);
    for (guint i = 0; i < G_N_ELEMENTS(children); i++) {
        const virtXmlNode *child = findChild(node, children[i]);

        if (child)
            virtInterfaceFormatChild(inner, child);
    }
    if (inner->len)
        g_string_append_printf(out, "<%s%s>%s</%s>", node->name, inside->str, inner->str, node->name);
    else if (inside->len)
        g_string_append_printf(out, "<%s%s/>", node->name, inside->str);
}

/* mdev_conf.c: the <mdev> element: parse, validate, format
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     <mdev parent='mtty'>
 *       <type id='mtty-1'/>
 *       <attr name='nvidia/vgpu_params' value='frame_rate_limiter=0'/>
 *     </mdev>
 *
 * <mdev/> is a device that is defined on the host. In a record it is none: there was no such device. There an <attr>
 * may also have no value: what it was cannot be read.
 */
#include "conf/mdev_conf.h"

#include <string.h>

#define NAME_CHARS G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_.:+-"

static bool
isName(const char *name)
{
    return g_ascii_isalnum(*name) && strlen(name) <= VIRT_MDEV_NAME_MAX && !name[strspn(name, NAME_CHARS)];
}

static bool
checkMdev(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    guint attrs = 0;

    if (!isName(virtXmlGet(node, "parent"))) {
        virtXmlBadValue(
            doc, node, "parent", error,
            "not the name of a parent: a node device such as pci_0000_3d_00_0, a PCI address or a name in /sys/class/mdev_bus, of at most %d characters",
            VIRT_MDEV_NAME_MAX);
        return false;
    }
    for (guint i = 0; i < node->children->len; i++)
        attrs += virtXmlIs(node->children->pdata[i], node->ns, "attr");
    if (attrs <= VIRT_MDEV_ATTRS_MAX)
        return true;
    virtXmlError(doc, node, error, "<mdev> has %u <attr>, and may have at most %d", attrs, VIRT_MDEV_ATTRS_MAX);
    return false;
}

static bool
checkType(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    if (isName(virtXmlGet(node, "id")))
        return true;
    virtXmlBadValue(doc, node, "id", error,
                    "not the name of a type, such as nvidia-63, of at most %d characters; virt-hostdev list shows them",
                    VIRT_MDEV_NAME_MAX);
    return false;
}

static bool
isValue(const char *value)
{
    for (const char *p = value; *p; p++) {
        if (!g_ascii_isprint(*p))
            return false;
    }
    return *value && strlen(value) <= VIRT_MDEV_VALUE_MAX;
}

static bool
checkAttr(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    if (!virtMdevIsAttribute(virtXmlGet(node, "name"))) {
        virtXmlBadValue(
            doc, node, "name", error,
            "not an attribute that the driver gives its mediated devices: a file in the device's directory in sysfs, or in a folder there, of at most %d characters",
            VIRT_MDEV_NAME_MAX);
        return false;
    }
    if (isValue(virtXmlGet(node, "value")))
        return true;
    virtXmlBadValue(doc, node, "value", error, "an attribute is set to 1 to %d printable ASCII characters",
                    VIRT_MDEV_VALUE_MAX);
    return false;
}

static const virtXmlRule rules[] = {
    {"mdev", "parent!", "type! attr*", "a mediated device is of one type: write one <type id='...'/>", checkMdev},
    {"type", "id!", "", NULL, checkType},
    {"attr", "name! value!", "", NULL, checkAttr},
    {NULL},
};

static const virtXmlRefusal refusals[] = {
    {"mdev", "uuid", "it is the <address uuid='...'/> in the <source> of the <hostdev>"},
    {"mdev", "@uuid", "it is the <address uuid='...'/> in the <source> of the <hostdev>"},
    {"mdev", "@type", "write <type id='...'/> in <mdev>"},
    {"mdev", "capability", "write the <type> and the <attr> of the node device's XML directly in <mdev>"},
    {"mdev", "parent", "write it as the attribute 'parent' of <mdev>"},
    {"mdev", "source", "it belongs to the <hostdev>"},
    {"mdev", "address", "it belongs to the <hostdev>, or to its <source>"},
    {"type", "name", "it only describes the type; drop it"},
    {"type", "deviceAPI", "it only describes the type; the <hostdev> says it as its attribute 'model'"},
    {"type", "availableInstances", "it only describes the type; drop it"},
    {NULL},
};

static const virtXmlGrammar grammar = {rules, refusals, NULL};

/* Does @node leave it to the host what the device is? */
static bool
isOpen(const virtXmlNode *node)
{
    return node->children->len == 0 && node->attrCount == 0;
}

/* What only records say. */
static const virtXmlRule recordRules[] = {
    {"mdev", "parent", "type attr*", NULL, NULL},
    {"type", "id!", "", NULL, checkType},
    {"attr", "name! value", "", NULL, NULL},
    {NULL},
};
static const virtXmlGrammar recordGrammar = {recordRules, NULL, NULL};

static void
readAttr(virtMdev *mdev, const virtXmlNode *node)
{
    const char *given = virtXmlGet(node, "value");
    virtMdevValue *value;

    if (mdev->attrs.count == VIRT_MDEV_ATTRS_MAX) /* of a record, since a user's is refused */
        return;
    value = &mdev->attrs.of[mdev->attrs.count++];
    g_strlcpy(value->name, virtXmlGet(node, "name"), sizeof(value->name));
    value->unread = !given;
    if (given)
        g_strlcpy(value->value, given, sizeof(value->value));
}

/* Read one <mdev>; of a record's that is of no use the device is left as it is. */
static virtMdev *
parseOne(const virtXmlDoc *doc, const virtXmlNode *node, virtSettingMode mode, GError **error)
{
    g_autofree virtMdev *mdev = virtSettingNew(&virtMdevInfo, 0);
    const virtXmlGrammar *shape = &grammar;
    const virtXmlNode *type = virtXmlChild(node, "type");

    if (mode == VIRT_SETTING_PARSE_STATE)
        shape = &recordGrammar;
    if (mode != VIRT_SETTING_PARSE_STATE && isOpen(node))
        return g_steal_pointer(&mdev);
    if (!virtXmlCheck(doc, node, shape, error))
        return NULL;
    mdev->setting.present = VIRT_SETTING_BIT(VIRT_MDEV_TYPE);
    if (type && virtXmlGet(node, "parent")) {
        g_strlcpy(mdev->made.parent, virtXmlGet(node, "parent"), sizeof(mdev->made.parent));
        g_strlcpy(mdev->made.type, virtXmlGet(type, "id"), sizeof(mdev->made.type));
    }
    for (guint i = 0; i < node->children->len; i++) {
        if (virtXmlIs(node->children->pdata[i], node->ns, "attr"))
            readAttr(mdev, node->children->pdata[i]);
    }
    if (mdev->attrs.count > 0)
        mdev->setting.present |= VIRT_SETTING_BIT(VIRT_MDEV_ATTRS);
    return g_steal_pointer(&mdev);
}

static GPtrArray *
parse(const virtXmlDoc *doc, const virtXmlNode *parent, virtSettingMode mode, GError **error)
{
    g_autoptr(GPtrArray) list = virtSettingListNew();

    for (guint i = 0; i < parent->children->len; i++) {
        const virtXmlNode *node = parent->children->pdata[i];
        virtMdev *mdev;

        if (!g_str_equal(node->name, "mdev") || (node->ns && g_strcmp0(node->ns, parent->ns) != 0))
            continue;
        if (list->len > 0) {
            virtXmlError(doc, node, error, "a second <mdev>: a device is made once; drop one");
            return NULL;
        }
        if (!(mdev = parseOne(doc, node, mode, error)))
            return NULL;
        g_ptr_array_add(list, mdev);
    }
    return g_steal_pointer(&list);
}

static void
addTag(GString *out, const virtXmlLayout *layout, const char *open, const char *name)
{
    virtXmlAdd(out, layout->indent);
    virtXmlAdd(out, open);
    virtXmlAdd(out, layout->prefix);
    virtXmlAdd(out, name);
}

static void
addText(GString *out, const char *name, const char *value)
{
    virtXmlAdd(out, " ");
    virtXmlAdd(out, name);
    virtXmlAdd(out, "='");
    virtXmlEscape(out, value);
    virtXmlAdd(out, "'");
}

/* In its one canonical form: parsing and formatting again gives the same text. */
static void
format(GString *out, gconstpointer setting, virtSettingForm form, const virtXmlLayout *layout)
{
    const virtMdev *mdev = setting;
    g_autofree char *inner = g_strconcat(layout->indent, layout->step, NULL);
    const virtXmlLayout deeper = {layout->prefix, inner, layout->step};

    (void)form;
    addTag(out, layout, "<", "mdev");
    if (!virtMdevExists(mdev) || !virtSettingHas(mdev, VIRT_MDEV_TYPE)) {
        virtXmlAdd(out, "/>");
        return;
    }
    addText(out, "parent", mdev->made.parent);
    virtXmlAdd(out, ">");
    addTag(out, &deeper, "<", "type");
    addText(out, "id", mdev->made.type);
    virtXmlAdd(out, "/>");
    for (guint i = 0; i < mdev->attrs.count; i++) {
        addTag(out, &deeper, "<", "attr");
        addText(out, "name", mdev->attrs.of[i].name);
        if (!mdev->attrs.of[i].unread)
            addText(out, "value", mdev->attrs.of[i].value);
        virtXmlAdd(out, "/>");
    }
    addTag(out, layout, "</", "mdev>");
}

const virtSettingKind virtMdevKind = {&virtMdevInfo, "mdev", false, true, false, parse, format};

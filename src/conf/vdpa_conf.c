/* vdpa_conf.c: the <vdpa> element: parse, validate, format
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     <interface type='vdpa'>
 *       <mac address='52:54:00:01:02:05'/>
 *       <source dev='/run/libvirt-hostdev/vdpa/blue'/>
 *       <vdpa parent='pci/0000:41:00.2' features='0x300020020'/>
 *       <mtu size='9000'/>
 *       <driver queues='4'/>
 *     </interface>
 *
 * or in a <disk type='vhostvdpa'>, without MTU and queues. libvirt has its own words for a MAC address and queues, and
 * what they say of the device of a domain that it has stored is what counts. It takes no <mtu> there, so that is kept
 * with <vdpa>. Metadata and records have all of it in <vdpa>:
 *
 *     <vdpa parent='pci/0000:41:00.2' class='net'><mac address='…'/><mtu size='9000'/><driver queues='4'/></vdpa>
 *
 * In a record, <vdpa/> is none: there was no such device. With sfnum='7', parent is a PF, of which that sub-function is
 * made first; class='none' is a sub-function without a device.
 */
#include "conf/vdpa_conf.h"

#include <string.h>

#include "util/virhandle.h"
#include "util/virnetdev.h"

static const virtXmlRange pairsRange = {10, 1, VIRT_VDPA_PAIRS_MAX, "the number of queue pairs that the device has"};
static const virtXmlRange mtuRange = {10, VIRT_VDPA_MTU_MIN, VIRT_VDPA_MTU_MAX, "the size is in bytes"};
static const virtXmlRange featuresRange = {
    0, 1, G_MAXUINT64, "a mask of virtio's feature bits; virt-hostdev list shows what a parent offers"};
static const virtXmlRange sfRange = {10, 0, G_MAXUINT32, "the number that the sub-function is made with"};
static const virtXmlRange recordPairs = {10, 0, G_MAXUINT16, NULL};
static const virtXmlRange recordMtu = {10, 0, G_MAXUINT16, NULL};
static const virtXmlRange recordFeatures = {0, 0, G_MAXUINT64, NULL};

/* Is @node a device of libvirt's that is, or may be, a vDPA device? */
bool
virtVdpaIsDevice(const virtXmlNode *node)
{
    const char *type = NULL;

    if (virtXmlIs(node, NULL, "interface"))
        type = "vdpa";
    else if (virtXmlIs(node, NULL, "disk"))
        type = "vhostvdpa";
    return type && g_strcmp0(virtXmlGet(node, "type"), type) == 0;
}

/* Is @node a part of the setting that stands beside <vdpa>, and that libvirt would refuse there? */
bool
virtVdpaIsPart(const virtXmlNode *node)
{
    return virtXmlIs(node, NULL, "mtu") && virtXmlIs(node->parent, NULL, "interface") && virtVdpaIsDevice(node->parent);
}

static bool
isPF(const char *parent)
{
    virtHandle handle;
    virtPCIAddress address;
    char name[VIRT_HANDLE_LEN];

    if (!virtHandleParse(parent, &handle, NULL) || !virtHandleGetPCI(&handle, &address))
        return false;
    virtHandleFormat(&handle, name);
    return g_str_equal(parent, name); /* as the kernel writes it */
}

static bool
checkVdpa(const virtXmlDoc *doc, const virtXmlNode *node, GError **error)
{
    const char *parent = virtXmlGet(node, "parent");

    if (virtXmlGet(node, "sfnum") && !isPF(parent)) {
        virtXmlBadValue(doc, node, "parent", error,
                        "with 'sfnum' it is the PF of which the sub-function is made, such as pci/0000:41:00.0");
        return false;
    }
    if (virtVdpaIsParent(parent))
        return true;
    virtXmlBadValue(
        doc, node, "parent", error,
        "not the name of a management device, such as pci/0000:41:00.2 or vdpasim_net, of at most %d characters; virt-hostdev list shows them, as vdpa mgmtdev show does",
        VIRT_VDPA_NAME_MAX);
    return false;
}

static const virtXmlRule rules[] = {
    {"vdpa", "parent! sfnum features", "", NULL, checkVdpa},
    {NULL},
};

static const virtXmlRefusal refusals[] = {
    {"vdpa", "@mac", "write it as the <mac address='...'/> of the <interface>"},
    {"vdpa", "@mtu", "write it as the <mtu size='...'/> of the <interface>"},
    {"vdpa", "@queues", "write them as the <driver queues='...'/> of the <interface>"},
    {"vdpa", "@max_vqp", "write it as the <driver queues='...'/> of the <interface>"},
    {"vdpa", "@name", "the device has the last part of <source dev='...'/> as its name"},
    {"vdpa", "@class", "an <interface> is a net device, and a <disk> a block device; drop it"},
    {"vdpa", "@sf", "write it as the attribute 'sfnum'"},
    {"vdpa", "@mgmtdev", "write it as the attribute 'parent'"},
    {"vdpa", "@pool", "a pool is of VFs; write which management device the 'parent' is"},
    {"vdpa", "mac", "it belongs to the <interface>, beside <vdpa>"},
    {"vdpa", "mtu", "it belongs to the <interface>, beside <vdpa>"},
    {"vdpa", "driver", "it belongs to the <interface>, beside <vdpa>"},
    {"vdpa", "source", "it belongs to the <interface> or the <disk>, beside <vdpa>"},
    {NULL},
};

static const virtXmlGrammar grammar = {rules, refusals, NULL};

/* What metadata and records say. */
static const virtXmlRule partRules[] = {
    {"mac", "address!", "", NULL, NULL},
    {"mtu", "size!", "", NULL, NULL},
    {"driver", "queues!", "", NULL, NULL},
    {NULL},
};
static const virtXmlRule entryRules[] = {
    {"vdpa", "parent! sfnum class! features", "mac mtu driver", NULL, checkVdpa},
    {NULL},
};
static const virtXmlRule recordRules[] = {
    {"vdpa", "parent sfnum class features", "mac mtu driver", NULL, NULL},
    {NULL},
};

static const virtXmlGrammar entryGrammar = {entryRules, NULL, partRules};
static const virtXmlGrammar recordGrammar = {recordRules, NULL, partRules};

static void
give(virtVdpa *vdpa, virtVdpaAttr attr)
{
    vdpa->setting.present |= VIRT_SETTING_BIT(attr);
}

static bool
readMac(const virtXmlDoc *doc, const virtXmlNode *node, bool any, virtVdpa *vdpa, GError **error)
{
    const char *text = virtXmlGet(node, "address");

    if (!text)
        return true;
    if (!virtMacParse(text, vdpa->mac)) {
        virtXmlBadValue(doc, node, "address", error, "six bytes in hexadecimal, as in 52:54:00:01:02:05");
        return false;
    }
    if (!any && (virtMacIsZero(vdpa->mac) || virtMacIsMulticast(vdpa->mac))) {
        virtXmlBadValue(doc, node, "address", error,
                        "not the address of a device, which is unicast and not zero; the kernel would take it");
        return false;
    }
    give(vdpa, VIRT_VDPA_MAC);
    return true;
}

static bool
readNumber(const virtXmlDoc *doc, const virtXmlNode *node, const char *attr, const virtXmlRange *range,
           virtVdpaAttr number, virtVdpa *vdpa, guint64 *ret, GError **error)
{
    *ret = 0;
    if (!node || !virtXmlGet(node, attr))
        return true;
    if (!virtXmlGetUInt(doc, node, attr, range, ret, error))
        return false;
    give(vdpa, number);
    return true;
}

/* What the parts of @parent say, which is the device itself or a <vdpa> that has all of it. */
static bool
readParts(const virtXmlDoc *doc, const virtXmlNode *parent, bool any, virtVdpa *vdpa, GError **error)
{
    const virtXmlNode *mac = virtXmlChild(parent, "mac"), *mtu = virtXmlChild(parent, "mtu");
    const virtXmlNode *driver = virtXmlChild(parent, "driver");
    const virtXmlRange *pairs = any ? &recordPairs : &pairsRange;
    const virtXmlRange *size = any ? &recordMtu : &mtuRange;
    guint64 number;

    if (vdpa->made.id != VIRT_VDPA_NET)
        return true;
    if (mac && !readMac(doc, mac, any, vdpa, error))
        return false;
    if (!readNumber(doc, mtu, "size", size, VIRT_VDPA_MTU, vdpa, &number, error))
        return false;
    if (mtu)
        vdpa->mtu = (guint16)number;
    if (!readNumber(doc, driver, "queues", pairs, VIRT_VDPA_QUEUES, vdpa, &number, error))
        return false;
    if (virtSettingHas(vdpa, VIRT_VDPA_QUEUES) && driver && virtXmlGet(driver, "queues"))
        vdpa->pairs = (guint16)number;
    return true;
}

static bool
readClass(const virtXmlDoc *doc, const virtXmlNode *node, virtVdpa *vdpa, GError **error)
{
    const char *name = virtXmlGet(node, "class");
    static const guint32 ids[] = {VIRT_VDPA_NET, VIRT_VDPA_BLOCK, VIRT_VDPA_NONE};

    for (guint i = 0; name && i < G_N_ELEMENTS(ids); i++) {
        if (!g_str_equal(name, virtVdpaGetClassName(ids[i])))
            continue;
        vdpa->made.id = ids[i];
        return true;
    }
    if (!name)
        return true;
    virtXmlBadValue(doc, node, "class", error, "not net or block");
    return false;
}

static guint32
classOf(const virtXmlNode *device)
{
    if (virtXmlIs(device, NULL, "disk"))
        return VIRT_VDPA_BLOCK;
    return VIRT_VDPA_NET;
}

static virtVdpa *
parseOne(const virtXmlDoc *doc, const virtXmlNode *node, virtSettingMode mode, GError **error)
{
    static const virtXmlGrammar *const grammars[] = {
        [VIRT_SETTING_PARSE_USER] = &grammar,
        [VIRT_SETTING_PARSE_ENTRY] = &entryGrammar,
        [VIRT_SETTING_PARSE_STATE] = &recordGrammar,
    };
    g_autofree virtVdpa *vdpa = virtSettingNew(&virtVdpaInfo, 0);
    const virtXmlRange *range = mode == VIRT_SETTING_PARSE_STATE ? &recordFeatures : &featuresRange;
    const virtXmlNode *parts = node;
    guint64 features, sf = 0;

    if (!virtXmlCheck(doc, node, grammars[mode], error))
        return NULL;
    give(vdpa, VIRT_VDPA_DEVICE);
    vdpa->made.isSF = virtXmlGet(node, "sfnum") != NULL;
    if (vdpa->made.isSF && !virtXmlGetUInt(doc, node, "sfnum", &sfRange, &sf, error))
        return NULL;
    vdpa->made.sf = (guint32)sf;
    if (virtXmlGet(node, "parent"))
        g_strlcpy(vdpa->made.parent, virtXmlGet(node, "parent"), sizeof(vdpa->made.parent));
    if (mode == VIRT_SETTING_PARSE_USER) {
        vdpa->made.id = classOf(node->parent);
        parts = node->parent;
    }
    if (!readClass(doc, node, vdpa, error) ||
        !readNumber(doc, node, "features", range, VIRT_VDPA_FEATURES, vdpa, &features, error) ||
        !readParts(doc, parts, mode == VIRT_SETTING_PARSE_STATE, vdpa, error))
        return NULL;
    vdpa->features = features;
    return g_steal_pointer(&vdpa);
}

static GPtrArray *
parse(const virtXmlDoc *doc, const virtXmlNode *parent, virtSettingMode mode, GError **error)
{
    g_autoptr(GPtrArray) list = virtSettingListNew();

    for (guint i = 0; i < parent->children->len; i++) {
        const virtXmlNode *node = parent->children->pdata[i];
        virtVdpa *vdpa;

        if (!g_str_equal(node->name, "vdpa") || (node->ns && g_strcmp0(node->ns, parent->ns) != 0))
            continue;
        if (list->len > 0) {
            virtXmlError(doc, node, error, "a second <vdpa>: a device is made of one parent; drop one");
            return NULL;
        }
        if (!(vdpa = parseOne(doc, node, mode, error)))
            return NULL;
        g_ptr_array_add(list, vdpa);
    }
    return g_steal_pointer(&list);
}

/* What libvirt's own words say by now of a device whose setting is in metadata. */
static bool
complete(const virtXmlDoc *doc, const virtXmlNode *device, GPtrArray *list, GError **error)
{
    for (guint i = 0; i < list->len; i++) {
        virtVdpa *vdpa = list->pdata[i];

        vdpa->made.id = classOf(device);
        vdpa->setting.present &= ~VIRT_SETTING_BIT(VIRT_VDPA_QUEUES);
        vdpa->pairs = 0;
        if (!readParts(doc, device, false, vdpa, error))
            return false;
    }
    return true;
}

/* Give the device of @list a MAC address that is not in the set @macs (text), and add it there. Nothing happens where
 * it has one, or is no netdev. */
void
virtVdpaGiveMac(GPtrArray *list, GHashTable *macs)
{
    virtVdpa *vdpa = virtSettingListFind(list, 0);
    char text[18];

    if (!vdpa || vdpa->made.id != VIRT_VDPA_NET || virtSettingHas(vdpa, VIRT_VDPA_MAC))
        return;
    do {
        virtMacGenerate(vdpa->mac);
        virtMacFormat(vdpa->mac, text);
    } while (!g_hash_table_add(macs, g_strdup(text)));
    give(vdpa, VIRT_VDPA_MAC);
}

static void
addPart(GString *out, const virtXmlLayout *layout, const char *name, const char *attr, const char *value)
{
    virtXmlAdd(out, layout->indent);
    virtXmlAdd(out, "<");
    virtXmlAdd(out, layout->prefix);
    virtXmlAdd(out, name);
    virtXmlAddText(out, attr, value);
    virtXmlAdd(out, "/>");
}

/* The parts, of which libvirt has its own words for all but the MTU. */
static void
formatParts(GString *out, const virtVdpa *vdpa, bool all, const virtXmlLayout *layout)
{
    static const struct {
        virtVdpaAttr attr;
        const char *name, *key;
    } parts[] = {
        {VIRT_VDPA_MAC, "mac", "address"},
        {VIRT_VDPA_MTU, "mtu", "size"},
        {VIRT_VDPA_QUEUES, "driver", "queues"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_autofree char *value = NULL;

        if (!virtSettingHas(vdpa, parts[i].attr) || (!all && parts[i].attr != VIRT_VDPA_MTU))
            continue;
        value = virtVdpaInfo.attrs[parts[i].attr].format(vdpa);
        addPart(out, layout, parts[i].name, parts[i].key, value);
    }
}

static bool
hasParts(const virtVdpa *vdpa)
{
    return virtSettingHas(vdpa, VIRT_VDPA_MAC) || virtSettingHas(vdpa, VIRT_VDPA_MTU) ||
           virtSettingHas(vdpa, VIRT_VDPA_QUEUES);
}

/* In its one canonical form: parsing and formatting again gives the same text. */
static void
format(GString *out, gconstpointer setting, virtSettingForm form, const virtXmlLayout *layout)
{
    const virtVdpa *vdpa = setting;
    g_autofree char *inner = g_strconcat(layout->indent, layout->step, NULL);
    const virtXmlLayout deeper = {layout->prefix, inner, layout->step};
    bool shown = form == VIRT_SETTING_FORMAT_SHOWN;

    virtXmlAdd(out, layout->indent);
    virtXmlAdd(out, "<");
    virtXmlAdd(out, layout->prefix);
    virtXmlAdd(out, "vdpa");
    if (virtVdpaExists(vdpa))
        virtXmlAddText(out, "parent", vdpa->made.parent);
    if (vdpa->made.isSF) {
        g_autofree char *sf = g_strdup_printf("%u", vdpa->made.sf);

        virtXmlAddText(out, "sfnum", sf);
    }
    if (virtVdpaExists(vdpa) && !shown)
        virtXmlAddText(out, "class", virtVdpaGetClassName(vdpa->made.id));
    if (virtSettingHas(vdpa, VIRT_VDPA_FEATURES)) {
        g_autofree char *features = virtVdpaInfo.attrs[VIRT_VDPA_FEATURES].format(vdpa);

        virtXmlAddText(out, "features", features);
    }
    if (shown || !hasParts(vdpa)) {
        virtXmlAdd(out, "/>");
        formatParts(out, vdpa, false, layout);
        return;
    }
    virtXmlAdd(out, ">");
    formatParts(out, vdpa, true, &deeper);
    virtXmlAdd(out, layout->indent);
    virtXmlAdd(out, "</");
    virtXmlAdd(out, layout->prefix);
    virtXmlAdd(out, "vdpa>");
}

const virtSettingKind virtVdpaKind = {&virtVdpaInfo, "vdpa", false, true, false, parse, format, complete};

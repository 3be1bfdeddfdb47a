/* vgpu_conf.c: the <vgpu> element: parse, validate, format
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     <vgpu type='63'/>
 *
 * A record may also have type='0': there was no vGPU.
 */
#include "conf/vgpu_conf.h"

static const virtXmlRange userRange = {10, 1, G_MAXUINT32,
                                       "as the vendor's driver numbers its types; virt-hostdev list shows them"};
static const virtXmlRange recordRange = {10, 0, G_MAXUINT32, NULL};

static const virtXmlRule rules[] = {
    {"vgpu", "type!", "", NULL, NULL},
    {NULL},
};

static const virtXmlRefusal refusals[] = {
    {"vgpu", "type", "write it as the attribute 'type' of <vgpu>"},
    {"vgpu", "@id", "write it as the attribute 'type'"},
    {"vgpu", "@name", "a type is asked for by its number, the attribute 'type'"},
    {"vgpu", "@parent", "a vGPU is created at the VF that the <source> of the <hostdev> names"},
    {"vgpu", "source", "it belongs to the <hostdev>"},
    {"vgpu", "address", "it belongs to the <hostdev>, or to its <source>"},
    {NULL},
};

static const virtXmlGrammar grammar = {rules, refusals, NULL};

static virtVgpu *
parseOne(const virtXmlDoc *doc, const virtXmlNode *node, virtSettingMode mode, GError **error)
{
    g_autofree virtVgpu *vgpu = virtSettingNew(&virtVgpuInfo, 0);
    const virtXmlRange *range = &userRange;
    guint64 type;

    if (mode == VIRT_SETTING_PARSE_STATE)
        range = &recordRange;
    if (!virtXmlCheck(doc, node, &grammar, error) || !virtXmlGetUInt(doc, node, "type", range, &type, error))
        return NULL;
    vgpu->setting.present = VIRT_SETTING_BIT(VIRT_VGPU_TYPE);
    vgpu->is.type = (guint32)type;
    return g_steal_pointer(&vgpu);
}

static GPtrArray *
parse(const virtXmlDoc *doc, const virtXmlNode *parent, virtSettingMode mode, GError **error)
{
    g_autoptr(GPtrArray) list = virtSettingListNew();

    for (guint i = 0; i < parent->children->len; i++) {
        const virtXmlNode *node = parent->children->pdata[i];
        virtVgpu *vgpu;

        if (!g_str_equal(node->name, "vgpu") || (node->ns && g_strcmp0(node->ns, parent->ns) != 0))
            continue;
        if (list->len > 0) {
            virtXmlError(doc, node, error, "a second <vgpu>: a VF has one vGPU; drop one");
            return NULL;
        }
        if (!(vgpu = parseOne(doc, node, mode, error)))
            return NULL;
        g_ptr_array_add(list, vgpu);
    }
    return g_steal_pointer(&list);
}

static void
format(GString *out, gconstpointer setting, virtSettingForm form, const virtXmlLayout *layout)
{
    const virtVgpu *vgpu = setting;

    (void)form;
    virtXmlAdd(out, layout->indent);
    g_string_append_printf(out, "<%svgpu type='%u'/>", layout->prefix, vgpu->is.type);
}

const virtSettingKind virtVgpuKind = {&virtVgpuInfo, "pci", false, false, true, parse, format};

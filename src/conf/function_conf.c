/* function_conf.c: the <function> element: parse, validate, format
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     <function roce='no' migratable='yes' maxIoEqs='8'/>
 *
 * Of all ports of a VF. A record has one for each of them, with its `port`.
 */
#include "conf/function_conf.h"

#include "conf/netdev_conf.h"

#define FLAGS "roce migratable ipsecCrypto ipsecPacket"

static const char *const flagNames[] = {
    [VIRT_FUNCTION_ROCE] = "roce",
    [VIRT_FUNCTION_MIGRATABLE] = "migratable",
    [VIRT_FUNCTION_IPSEC_CRYPTO] = "ipsecCrypto",
    [VIRT_FUNCTION_IPSEC_PACKET] = "ipsecPacket",
};

G_STATIC_ASSERT(G_N_ELEMENTS(flagNames) == VIRT_FUNCTION_FLAGS);

static const virtXmlRange portRange = {10, 1, VIRT_NETDEV_PORT_MAX, NULL};
static const virtXmlRange eqsRange = {10, 1, G_MAXUINT32,
                                      "the number of event queues that the function's driver may have for I/O"};
static const virtXmlRange recordRange = {10, 0, G_MAXUINT32, NULL};

static const virtXmlRule rules[] = {
    {"function", "profile " FLAGS " maxIoEqs", "", NULL, NULL},
    {NULL},
};
static const virtXmlRule recordRules[] = {
    {"function", "port! profile " FLAGS " maxIoEqs", "", NULL, NULL},
    {NULL},
};

static const virtXmlRefusal refusals[] = {
    {"function", "@port", "a <function> is for all ports of the VF; drop it"},
    {"function", "@mac", "write <netdev port='...'><mac address='...'/></netdev> beside the <function>"},
    {"function", "@state", "the function of a VF has no state; drop it"},
    {"function", "@sfnum",
     "a sub-function is no PCI device, and cannot be a <hostdev>; write an <interface type='vdpa'> with <vdpa parent='pci/...' sfnum='...'/>"},
    {"function", "mac", "write <netdev port='...'><mac address='...'/></netdev> beside the <function>"},
    {"function", "bandwidth", "write <netdev port='...'><bandwidth>...</bandwidth></netdev> beside the <function>"},
    {"function", "source", "it belongs to the <hostdev>"},
    {"function", "address", "it belongs to the <hostdev>, or to its <source>"},
    {NULL},
};

static const virtXmlGrammar grammar = {rules, refusals, NULL};
static const virtXmlGrammar recordGrammar = {recordRules, NULL, NULL};

static bool
parseFlag(const virtXmlDoc *doc, const virtXmlNode *node, virtFunctionAttr attr, virtFunction *function, GError **error)
{
    const char *value = virtXmlGet(node, flagNames[attr]);

    if (!value)
        return true;
    if (!g_str_equal(value, "yes") && !g_str_equal(value, "no")) {
        virtXmlBadValue(doc, node, flagNames[attr], error, "not yes or no; drop it to leave the function as it is");
        return false;
    }
    virtFunctionSetFlag(function, attr, value[0] == 'y');
    return true;
}

static bool
parseEqs(const virtXmlDoc *doc, const virtXmlNode *node, const virtXmlRange *range, virtFunction *function,
         GError **error)
{
    guint64 max = 0;

    if (!virtXmlGet(node, "maxIoEqs"))
        return true;
    if (!virtXmlGetUInt(doc, node, "maxIoEqs", range, &max, error))
        return false;
    virtFunctionSetMaxIoEqs(function, (guint32)max);
    return true;
}

/* A <hostdev> of a user's may say which driver its device gets; nobody can migrate it with vfio-pci. */
static bool
checkDriver(const virtXmlDoc *doc, const virtXmlNode *node, const virtFunction *function, GError **error)
{
    const virtXmlNode *driver = virtXmlChild(node->parent, "driver");
    const char *model = NULL;

    if (driver)
        model = virtXmlGet(driver, "model");
    if (g_strcmp0(model, "vfio-pci") != 0 || !virtSettingHas(function, VIRT_FUNCTION_MIGRATABLE) ||
        !function->flags[VIRT_FUNCTION_MIGRATABLE])
        return true;
    virtXmlError(
        doc, driver, error,
        "<driver model='vfio-pci'> in a <hostdev> with migratable='yes': that driver cannot migrate a device; drop one of the two");
    return false;
}

static virtFunction *
parseOne(const virtXmlDoc *doc, const virtXmlNode *node, virtSettingMode mode, GError **error)
{
    g_autofree virtFunction *function = virtSettingNew(&virtFunctionInfo, 0);
    const virtXmlGrammar *shape = &grammar;
    const virtXmlRange *range = &eqsRange;
    guint64 port = 0;

    if (mode == VIRT_SETTING_PARSE_STATE) {
        shape = &recordGrammar;
        range = &recordRange;
    }
    if (!virtXmlCheck(doc, node, shape, error) || !virtXmlGetUInt(doc, node, "port", &portRange, &port, error))
        return NULL;
    function->setting.number = (guint)port;
    for (virtFunctionAttr attr = 0; attr < VIRT_FUNCTION_FLAGS; attr++) {
        if (!parseFlag(doc, node, attr, function, error))
            return NULL;
    }
    if (!parseEqs(doc, node, range, function, error) ||
        !virtSettingParseProfile(doc, node, &function->setting, error) || !checkDriver(doc, node, function, error))
        return NULL;
    if (mode == VIRT_SETTING_PARSE_STATE || function->setting.present)
        return g_steal_pointer(&function);
    virtXmlError(doc, node, error,
                 "<function> sets nothing: give it 'roce', 'migratable', 'ipsecCrypto', 'ipsecPacket' or 'maxIoEqs'");
    return NULL;
}

static bool
checkSecond(const virtXmlDoc *doc, const virtXmlNode *node, const GPtrArray *list, const virtFunction *function,
            GError **error)
{
    if (!virtSettingListFind(list, function->setting.number))
        return true;
    virtXmlError(doc, node, error, "a second <function>: one is for all ports of the VF; drop one");
    return false;
}

static GPtrArray *
parse(const virtXmlDoc *doc, const virtXmlNode *parent, virtSettingMode mode, GError **error)
{
    g_autoptr(GPtrArray) list = virtSettingListNew();

    for (guint i = 0; i < parent->children->len; i++) {
        const virtXmlNode *node = parent->children->pdata[i];
        g_autofree virtFunction *function = NULL;

        if (!g_str_equal(node->name, "function") || (node->ns && g_strcmp0(node->ns, parent->ns) != 0))
            continue;
        if (!(function = parseOne(doc, node, mode, error)) || !checkSecond(doc, node, list, function, error))
            return NULL;
        g_ptr_array_add(list, g_steal_pointer(&function));
    }
    virtSettingListSort(list);
    return g_steal_pointer(&list);
}

static void
formatFlag(GString *out, const virtFunction *function, virtFunctionAttr attr)
{
    const char *value = "no";

    if (!virtSettingHas(function, attr))
        return;
    if (function->flags[attr])
        value = "yes";
    virtXmlAddText(out, flagNames[attr], value);
}

static void
format(GString *out, gconstpointer setting, virtSettingForm form, const virtXmlLayout *layout)
{
    const virtFunction *function = setting;

    (void)form;
    virtXmlAdd(out, layout->indent);
    virtXmlAdd(out, "<");
    virtXmlAdd(out, layout->prefix);
    virtXmlAdd(out, "function");
    if (function->setting.number != 0)
        virtXmlAddNumber(out, "port", function->setting.number);
    if (*function->setting.profile)
        virtXmlAddText(out, "profile", function->setting.profile);
    for (virtFunctionAttr attr = 0; attr < VIRT_FUNCTION_FLAGS; attr++)
        formatFlag(out, function, attr);
    if (virtSettingHas(function, VIRT_FUNCTION_MAX_IO_EQS))
        virtXmlAddNumber(out, "maxIoEqs", function->maxIoEqs);
    virtXmlAdd(out, "/>");
}

const virtSettingKind virtFunctionKind = {&virtFunctionInfo, "pci", true, false, false, parse, format};

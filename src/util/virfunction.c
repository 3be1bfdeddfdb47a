/* virfunction.c: the function behind a port of a VF as a setting: how it is compared and shown
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/virfunction.h"

#include <stddef.h>

static char *
flagFormat(gconstpointer setting, virtFunctionAttr attr)
{
    const virtFunction *function = setting;

    if (function->flags[attr])
        return g_strdup("yes");
    return g_strdup("no");
}

static char *
roceFormat(gconstpointer setting)
{
    return flagFormat(setting, VIRT_FUNCTION_ROCE);
}

static char *
migratableFormat(gconstpointer setting)
{
    return flagFormat(setting, VIRT_FUNCTION_MIGRATABLE);
}

static char *
ipsecCryptoFormat(gconstpointer setting)
{
    return flagFormat(setting, VIRT_FUNCTION_IPSEC_CRYPTO);
}

static char *
ipsecPacketFormat(gconstpointer setting)
{
    return flagFormat(setting, VIRT_FUNCTION_IPSEC_PACKET);
}

static char *
maxIoEqsFormat(gconstpointer setting)
{
    return g_strdup_printf("%u", ((const virtFunction *)setting)->maxIoEqs);
}

#define FLAG(attr) offsetof(virtFunction, flags[attr]), sizeof(guint8)
#define FIXED "it can change only while the function has no driver"

static const virtSettingAttr attrs[] = {
    [VIRT_FUNCTION_ROCE] = {"roce", "RoCE", "Drop the attribute 'roce' to leave it as it is", FIXED,
                            FLAG(VIRT_FUNCTION_ROCE), NULL, roceFormat, NULL},
    [VIRT_FUNCTION_MIGRATABLE] = {"migratable", "migratable", "Drop the attribute 'migratable' to leave it as it is",
                                  FIXED, FLAG(VIRT_FUNCTION_MIGRATABLE), NULL, migratableFormat, NULL},
    [VIRT_FUNCTION_IPSEC_CRYPTO] = {"ipsec-crypto", "IPsec crypto offload",
                                    "Drop the attribute 'ipsecCrypto' to leave it as it is", FIXED,
                                    FLAG(VIRT_FUNCTION_IPSEC_CRYPTO), NULL, ipsecCryptoFormat, NULL},
    [VIRT_FUNCTION_IPSEC_PACKET] = {"ipsec-packet", "IPsec packet offload",
                                    "Drop the attribute 'ipsecPacket' to leave it as it is", FIXED,
                                    FLAG(VIRT_FUNCTION_IPSEC_PACKET), NULL, ipsecPacketFormat, NULL},
    [VIRT_FUNCTION_MAX_IO_EQS] = {"max-io-eqs", "number of I/O event queues",
                                  "Write a smaller 'maxIoEqs', or drop it to leave it as it is", FIXED,
                                  offsetof(virtFunction, maxIoEqs), sizeof(guint32), NULL, maxIoEqsFormat, NULL},
};

G_STATIC_ASSERT(G_N_ELEMENTS(attrs) == VIRT_FUNCTION_ATTR_LAST);

const virtSettingInfo virtFunctionInfo = {"function", sizeof(virtFunction), attrs, VIRT_FUNCTION_ATTR_LAST};

/* Have @function say of @attr, one of those that are on or off, which it is. */
void
virtFunctionSetFlag(virtFunction *function, virtFunctionAttr attr, bool on)
{
    function->flags[attr] = on;
    function->setting.present |= VIRT_SETTING_BIT(attr);
}

/* Have @function say how many event queues there are. */
void
virtFunctionSetMaxIoEqs(virtFunction *function, guint32 max)
{
    function->maxIoEqs = max;
    function->setting.present |= VIRT_SETTING_BIT(VIRT_FUNCTION_MAX_IO_EQS);
}

/* Is any of @list (virtFunction) to be migratable? */
bool
virtFunctionListMigrates(const GPtrArray *list)
{
    for (guint i = 0; i < list->len; i++) {
        const virtFunction *function = list->pdata[i];

        if (virtSettingHas(function, VIRT_FUNCTION_MIGRATABLE) && function->flags[VIRT_FUNCTION_MIGRATABLE])
            return true;
    }
    return false;
}

/* What @list says for each of @ports (guint, ascending): what is meant for all of them as one setting a port.
 *
 * Returns a list for g_ptr_array_unref().
 */
GPtrArray *
virtFunctionListExpand(const GPtrArray *list, const GArray *ports)
{
    GPtrArray *all = virtSettingListNew();

    for (guint i = 0; i < list->len; i++) {
        const virtFunction *function = list->pdata[i];

        if (function->setting.number != 0)
            g_ptr_array_add(all, virtSettingCopy(&virtFunctionInfo, function));
        for (guint p = 0; function->setting.number == 0 && p < ports->len; p++) {
            virtFunction *one = virtSettingCopy(&virtFunctionInfo, function);

            one->setting.number = g_array_index(ports, guint, p);
            g_ptr_array_add(all, one);
        }
    }
    virtSettingListSort(all);
    return all;
}

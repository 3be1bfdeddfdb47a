/* rpc_stats.c: statistics of domains (CONNECT_GET_ALL_DOMAIN_STATS), with the interfaces that libvirt does not count
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * libvirt tells "net.count", and of interface N what it knows as "net.N.…". An <interface type='hostdev'> that is a
 * <hostdev> to it is missing there. Its own of that kind have a number, and a name where they have a <target>, but no
 * counters: so have ours (libvirt 9.0 to 12.8).
 */
#include "rpc/rpc_procs.h"

#include <libvirt/libvirt.h>
#include <stdlib.h>
#include <string.h>

#include "util/virerror.h"

#define COUNT "net.count"
#define NET "net."

typedef struct {
    const char *name; /* not terminated */
    gsize nameLen;
    gsize start, value, end; /* in the message: the whole parameter; from its type on */
    guint32 number;          /* its value, where that is a number of four bytes */
} Param;

static bool
isCount(const Param *param)
{
    return param->nameLen == strlen(COUNT) && memcmp(param->name, COUNT, param->nameLen) == 0;
}

/* Reads remote_typed_param. */
static Param
readStatsParam(virtXdr *xdr)
{
    Param param = {.start = xdr->at};
    virtXdr value;

    param.name = virtXdrGetString(xdr, &param.nameLen);
    param.value = xdr->at;
    value = *xdr;
    if (virtXdrGetUInt(&value) == VIR_TYPED_PARAM_UINT)
        param.number = virtXdrGetUInt(&value);
    virtXdrSkipTyped(xdr);
    param.end = xdr->at;
    return param;
}

/* Read the reply as far as it concerns interfaces.
 *
 * Returns virtRpcStats, whose domains' names lie in @message, for g_array_unref(); NULL where it cannot be read.
 */
GArray *
virtRpcStatsRead(const guint8 *message, gsize len)
{
    virtXdr xdr = virtRpcMessageOpen(message, len);
    guint32 count = virtXdrGetUInt(&xdr);
    g_autoptr(GArray) records = g_array_new(FALSE, FALSE, sizeof(virtRpcStats));

    for (guint32 i = 0; i < count && !xdr.bad; i++) {
        virtRpcStats record = {.start = xdr.at};
        guint32 params;

        virtXdrGetDomain(&xdr, &record.domain);
        record.params = xdr.at;
        params = virtXdrGetUInt(&xdr);
        for (guint32 j = 0; j < params && !xdr.bad; j++) {
            Param param = readStatsParam(&xdr);

            record.hasInterfaces |= !xdr.bad && isCount(&param);
        }
        record.end = xdr.at;
        g_array_append_val(records, record);
    }
    if (xdr.bad)
        return NULL;
    return g_steal_pointer(&records);
}

/* ---- writing ---- */

static GArray *
readStatsParams(const guint8 *message, gsize len, const virtRpcStats *record)
{
    virtXdr xdr = virtRpcMessageOpen(message, len);
    GArray *params = g_array_new(FALSE, FALSE, sizeof(Param));
    guint32 count;

    xdr.at = record->params;
    count = virtXdrGetUInt(&xdr);
    for (guint32 i = 0; i < count; i++) {
        Param param = readStatsParam(&xdr);

        g_array_append_val(params, param);
    }
    return params;
}

/* What stands behind "net.@number." in the name of @param; NULL: it is another. */
static const char *
restOf(const Param *param, guint number)
{
    g_autofree char *prefix = g_strdup_printf(NET "%u.", number);
    gsize len = strlen(prefix);

    if (param->nameLen <= len || memcmp(param->name, prefix, len) != 0)
        return NULL;
    return param->name + len;
}

static void
putName(GByteArray *out, guint number, const char *rest, gsize restLen)
{
    g_autofree char *name = g_strdup_printf(NET "%u.%.*s", number, (int)restLen, rest);

    virtXdrPutString(out, name, strlen(name));
}

/* What libvirt says of its interface @from becomes what is said of @to. Returns how many parameters. */
static guint
putRenumbered(GByteArray *out, const guint8 *message, const GArray *params, guint from, guint to)
{
    guint put = 0;

    for (guint i = 0; i < params->len; i++) {
        const Param *param = &g_array_index(params, Param, i);
        const char *rest = restOf(param, from);

        if (!rest)
            continue;
        putName(out, to, rest, param->nameLen - (gsize)(rest - param->name));
        g_byte_array_append(out, message + param->value, (guint)(param->end - param->value));
        put++;
    }
    return put;
}

static guint
putInterfaces(GByteArray *out, const guint8 *message, const GArray *params, const GPtrArray *interfaces)
{
    guint known = 0, put = 1;

    virtXdrPutString(out, COUNT, strlen(COUNT));
    virtXdrPutUInt(out, VIR_TYPED_PARAM_UINT);
    virtXdrPutUInt(out, interfaces->len);
    for (guint i = 0; i < interfaces->len; i++) {
        const virtInterfaceShown *shown = interfaces->pdata[i];

        if (!shown->isHostdev) {
            put += putRenumbered(out, message, params, known++, i);
        } else if (shown->target) {
            putName(out, i, "name", strlen("name"));
            virtXdrPutUInt(out, VIR_TYPED_PARAM_STRING);
            virtXdrPutString(out, shown->target, strlen(shown->target));
            put++;
        }
    }
    return put;
}

/* Are the interfaces that libvirt counts those of @interfaces that it knows? Not where one came or went meanwhile. */
static bool
agree(const GArray *params, const GPtrArray *interfaces)
{
    guint known = 0;

    for (guint i = 0; i < interfaces->len; i++)
        known += !((const virtInterfaceShown *)interfaces->pdata[i])->isHostdev;
    for (guint i = 0; i < params->len; i++) {
        if (isCount(&g_array_index(params, Param, i)))
            return g_array_index(params, Param, i).number == known;
    }
    return false;
}

/* A record whose interfaces are @interfaces. */
static void
putRecord(GByteArray *out, const guint8 *message, gsize len, const virtRpcStats *record, const GPtrArray *interfaces)
{
    g_autoptr(GArray) params = readStatsParams(message, len, record);
    guint countAt = out->len + (guint)(record->params - record->start), put = 0;
    guint32 wire;

    if (!agree(params, interfaces)) {
        g_byte_array_append(out, message + record->start, (guint)(record->end - record->start));
        return;
    }
    g_byte_array_append(out, message + record->start, (guint)(record->params - record->start));
    virtXdrPutUInt(out, 0);
    for (guint i = 0; i < params->len; i++) {
        const Param *param = &g_array_index(params, Param, i);

        if (isCount(param)) {
            put += putInterfaces(out, message, params, interfaces);
        } else if (param->nameLen < strlen(NET) || memcmp(param->name, NET, strlen(NET)) != 0) {
            g_byte_array_append(out, message + param->start, (guint)(param->end - param->start));
            put++;
        }
    }
    wire = GUINT32_TO_BE(put);
    memcpy(out->data + countAt, &wire, sizeof(wire));
}

/* Write the reply with all interfaces in it.
 *
 * @records: as virtRpcStatsRead() found them in @message
 * @interfaces: for each of them GPtrArray of virtInterfaceShown, or NULL where it stays as it is
 *
 * Returns a message, for g_byte_array_unref(); NULL with VIRT_ERROR_TOO_LARGE where it would be longer than a message
 * may be.
 */
GByteArray *
virtRpcStatsWrite(const guint8 *message, gsize len, const GArray *records, const GPtrArray *interfaces, GError **error)
{
    g_autoptr(GByteArray) out = g_byte_array_sized_new((guint)len);
    gsize copied = 0;

    for (guint i = 0; i < records->len; i++) {
        const virtRpcStats *record = &g_array_index(records, virtRpcStats, i);

        if (!interfaces->pdata[i])
            continue;
        g_byte_array_append(out, message + copied, (guint)(record->start - copied));
        putRecord(out, message, len, record, interfaces->pdata[i]);
        copied = record->end;
    }
    g_byte_array_append(out, message + copied, (guint)(len - copied));
    if (virtRpcMessageEnd(out, NULL))
        return g_steal_pointer(&out);
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_TOO_LARGE,
        "The statistics would be %u bytes long with all interfaces; libvirt's messages have at most %u. Request fewer domains or kinds of statistics at a time",
        out->len, VIRT_RPC_MESSAGE_MAX);
    return NULL;
}

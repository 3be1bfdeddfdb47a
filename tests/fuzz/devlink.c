/* devlink.c: fuzz target: what devlink answers
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Input: a datagram with answers. Each is read as one about a port, a rate and the card, all of them as a dump, and the
 * datagram as news.
 */
#include "fuzz.h"
#include "util/virdevlink.h"
#include "util/virnetlink.h"

#include <netlink/msg.h>
#include <string.h>

static GPtrArray *answers; /* struct nl_msg */
static guint which;        /* of them is the answer to a request */

static int
answerOne(virtHost *host, const char *family, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    *ret_reply = nlmsg_convert(nlmsg_hdr(answers->pdata[which]));
    return 0;
}

static int
answerAll(virtHost *host, const char *family, struct nl_msg *request, GPtrArray *replies, char **ret_reason)
{
    for (guint i = 0; i < answers->len; i++)
        g_ptr_array_add(replies, nlmsg_convert(nlmsg_hdr(answers->pdata[i])));
    return 0;
}

static void
checkPort(const virtDevlinkPort *port)
{
    if (!memchr(port->netdev, '\0', sizeof(port->netdev)))
        fuzzFail("a netdev's name has no end");
    if (port->function.setting.present >> VIRT_FUNCTION_ATTR_LAST)
        fuzzFail("an attribute that there is not is known: %x", port->function.setting.present);
    for (virtFunctionAttr attr = 0; attr < VIRT_FUNCTION_ATTR_LAST; attr++)
        g_free(virtFunctionInfo.attrs[attr].format(&port->function));
}

static void
countNews(const char *name, void *opaque)
{
    if (!*name)
        fuzzFail("news of nothing");
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    g_autoptr(virtHost) host = virtHostNew("/nonexistent");
    g_autofree guint8 *copy = g_memdup2(data, size), *news = g_memdup2(data, size);
    g_autofree char *reason = NULL;
    g_autoptr(GArray) ports = NULL;
    virtDevlinkPort sf;
    bool disturbed = false, found;
    virtHandle card;

    answers = g_ptr_array_new_with_free_func((GDestroyNotify)nlmsg_free);
    virtNetlinkParseDump(copy, (int)size, 7, answers, &disturbed, &reason);
    virtNetlinkWatchParseDevlink(news, (int)size, countNews, NULL);
    host->requestGeneric = answerOne;
    host->dumpGeneric = answerAll;
    g_assert(virtHandleSet(&card, "pci", "0000:02:00.0", NULL));
    ports = virtDevlinkListVFPorts(host, &card, NULL);
    for (guint i = 0; i < ports->len; i++)
        checkPort(&g_array_index(ports, virtDevlinkPort, i));
    if (virtDevlinkFindSF(host, &card, 7, &found, &sf, NULL) && found)
        checkPort(&sf);
    for (which = 0; which < answers->len; which++) {
        virtDevlinkPort port;
        virtDevlinkRate rate;
        bool is;

        g_free(virtDevlinkGetBoardSerial(host, &card, NULL));
        if (virtDevlinkReadPort(host, &card, which, &port, NULL))
            checkPort(&port);
        virtDevlinkReadRate(host, &card, which, &rate, NULL);
        virtDevlinkIsSwitchdev(host, &card, &is, NULL);
        virtDevlinkReadSwitch(host, &card, "enable_vnet", &is, NULL);
    }
    g_ptr_array_unref(answers);
    return 0;
}

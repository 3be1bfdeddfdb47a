/* devlinktest.c: devlink's answers, as a kernel has given them
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "util/virdevlink.h"
#include "util/virerror.h"
#include "util/virnetlink.h"

#include <errno.h>
#include <linux/devlink.h>
#include <netlink/genl/genl.h>
#include <netlink/msg.h>
#include <string.h>

#define CARD "0000:02:00.0"
#define SEQUENCE 7 /* with which they were asked for */

/* struct nl_msg of a dump of ports, of one of rates, and of answers about the card, its mode, and a parameter of a
 * sub-function that is off, and on */
static GPtrArray *recorded[6];
static const char *const names[] = {"ports ", "rates ", "info ", "mode ", "off ", "on "};
enum { PORTS, RATES, INFO, MODE, OFF, ON };
static guint parameter = OFF;

static void
readLine(const char *line)
{
    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const char *hex = line + strlen(names[i]);
        g_autoptr(GByteArray) data = g_byte_array_new();
        g_autofree char *reason = NULL;
        bool disturbed = false;

        if (!g_str_has_prefix(line, names[i]))
            continue;
        for (; hex[0] && hex[1]; hex += 2) {
            guint8 byte = (guint8)(g_ascii_xdigit_value(hex[0]) << 4 | g_ascii_xdigit_value(hex[1]));

            g_byte_array_append(data, &byte, 1);
        }
        virtNetlinkParseDump(data->data, (int)data->len, SEQUENCE, recorded[i], &disturbed, &reason);
        g_assert_false(disturbed);
    }
}

static void
readRecorded(const char *file)
{
    g_autofree char *path = g_build_filename(g_getenv("SRCDIR"), "devlink", file, NULL);
    g_autofree char *text = NULL;
    g_auto(GStrv) lines = NULL;

    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; i < G_N_ELEMENTS(recorded); i++) {
        g_clear_pointer(&recorded[i], g_ptr_array_unref);
        recorded[i] = g_ptr_array_new_with_free_func((GDestroyNotify)nlmsg_free);
    }
    for (guint i = 0; lines[i]; i++)
        readLine(lines[i]);
}

/* The recorded answer about one port, or about the card. */
static int
answerOne(virtHost *host, const char *family, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    guint8 command = genlmsg_hdr(nlmsg_hdr(request))->cmd;
    struct nlattr *index = nlmsg_find_attr(nlmsg_hdr(request), GENL_HDRLEN, DEVLINK_ATTR_PORT_INDEX);
    const GPtrArray *from = recorded[PORTS];

    if (command == DEVLINK_CMD_INFO_GET)
        from = recorded[INFO];
    else if (command == DEVLINK_CMD_RATE_GET)
        from = recorded[RATES];
    else if (command == DEVLINK_CMD_ESWITCH_GET)
        from = recorded[MODE];
    else if (command == DEVLINK_CMD_PARAM_GET)
        from = recorded[parameter];
    for (guint i = 0; i < from->len; i++) {
        struct nlmsghdr *header = nlmsg_hdr(from->pdata[i]);
        struct nlattr *its = nlmsg_find_attr(header, GENL_HDRLEN, DEVLINK_ATTR_PORT_INDEX);

        if (index && (!its || nla_get_u32(its) != nla_get_u32(index)))
            continue;
        *ret_reply = nlmsg_convert(header);
        return 0;
    }
    return -ENODEV;
}

static int
answerAll(virtHost *host, const char *family, struct nl_msg *request, GPtrArray *replies, char **ret_reason)
{
    for (guint i = 0; i < recorded[PORTS]->len; i++)
        g_ptr_array_add(replies, nlmsg_convert(nlmsg_hdr(recorded[PORTS]->pdata[i])));
    return 0;
}

static virtHost *
hostNew(void)
{
    virtHost *host = virtHostNew("/nonexistent");

    host->requestGeneric = answerOne;
    host->dumpGeneric = answerAll;
    return host;
}

static virtHandle
cardOf(const char *name)
{
    virtHandle handle;

    g_assert_true(virtHandleSet(&handle, "pci", name, NULL));
    return handle;
}

static void
assertFunction(const virtDevlinkPort *port)
{
    const virtFunction *function = &port->function;

    g_assert_cmpuint(function->setting.present, ==, VIRT_SETTING_BIT(VIRT_FUNCTION_ATTR_LAST) - 1);
    g_assert_true(function->flags[VIRT_FUNCTION_ROCE]);
    g_assert_false(function->flags[VIRT_FUNCTION_MIGRATABLE]);
    g_assert_false(function->flags[VIRT_FUNCTION_IPSEC_CRYPTO]);
    g_assert_false(function->flags[VIRT_FUNCTION_IPSEC_PACKET]);
    g_assert_cmpuint(function->maxIoEqs, ==, 8);
}

/* The ports of this host's VFs, with all that the driver shows of their functions. */
static void
testPorts(void)
{
    static const struct {
        guint32 index;
        guint16 pf, vf;
        const char *netdev, *mac;
    } expected[] = {
        {1, 0, 0, "eth0", "00:00:00:00:00:00"},
        {2, 1, 0, "eth1", "02:11:22:33:44:55"},
        {5, 0, 1, "eth6", "00:00:00:00:00:00"},
        {6, 1, 1, "eth7", "00:00:00:00:00:00"},
    };
    g_autoptr(virtHost) host = hostNew();
    g_autoptr(GError) error = NULL;
    virtHandle card = cardOf(CARD), other = cardOf("0000:03:00.0");
    g_autoptr(GArray) ports = virtDevlinkListVFPorts(host, &card, &error), none = NULL;

    g_assert_no_error(error);
    g_assert_cmpuint(ports->len, ==, G_N_ELEMENTS(expected));
    for (guint i = 0; i < ports->len; i++) {
        const virtDevlinkPort *port = &g_array_index(ports, virtDevlinkPort, i);
        virtDevlinkPort alone;
        char mac[18];

        g_assert_cmpuint(port->index, ==, expected[i].index);
        g_assert_cmpuint(port->pf, ==, expected[i].pf);
        g_assert_cmpuint(port->vf, ==, expected[i].vf);
        g_assert_cmpstr(port->netdev, ==, expected[i].netdev);
        g_assert_true(port->hasMac);
        virtMacFormat(port->mac, mac);
        g_assert_cmpstr(mac, ==, expected[i].mac);
        assertFunction(port);
        g_assert_true(virtDevlinkReadPort(host, &card, port->index, &alone, NULL));
        g_assert_cmpmem(&alone, sizeof(alone), port, sizeof(*port));
    }
    none = virtDevlinkListVFPorts(host, &other, NULL);
    g_assert_cmpuint(none->len, ==, 0);
}

/* Those of another host are external, and show nothing. */
static void
testExternal(void)
{
    g_autoptr(virtHost) host = hostNew();
    virtHandle card = cardOf(CARD);
    virtDevlinkPort port;

    g_assert_true(virtDevlinkReadPort(host, &card, 9, &port, NULL));
    g_assert_true(port.isVF && port.isExternal);
    g_assert_false(port.hasMac);
    g_assert_cmpuint(port.function.setting.present, ==, 0);
}

static void
testOthers(void)
{
    g_autoptr(virtHost) host = hostNew();
    g_autofree char *serial = NULL;
    virtHandle card = cardOf(CARD);
    g_autoptr(GError) error = NULL;
    virtDevlinkRate rate = {7, 7};

    g_assert_true(virtDevlinkReadRate(host, &card, 5, &rate, NULL));
    g_assert_cmpuint(rate.share, ==, 0);
    g_assert_cmpuint(rate.max, ==, 0);
    g_assert_false(virtDevlinkReadRate(host, &card, 9, &rate, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND);
    serial = virtDevlinkGetBoardSerial(host, &card, NULL);
    g_assert_cmpstr(serial, ==, "DP" CARD);
}

/* A sub-function shows its address and its states, and its own instance a parameter. */
static void
checkSubfunctions(const char *file, const char *name)
{
    static const struct {
        guint32 number, index;
        bool active;
        const char *mac;
    } expected[] = {{7, 65536, true, "02:00:00:00:00:07"}, {88, 65537, false, "00:00:00:00:00:00"}};
    g_autoptr(virtHost) host = hostNew();
    virtHandle card = cardOf(CARD), device;
    virtDevlinkPort port;
    bool found, on;

    readRecorded(file);
    parameter = OFF;
    for (guint i = 0; i < G_N_ELEMENTS(expected); i++) {
        char mac[18];

        g_assert_true(virtDevlinkFindSF(host, &card, expected[i].number, &found, &port, NULL));
        g_assert_true(found && port.isSF && !port.isVF && !port.isExternal);
        g_assert_cmpuint(port.index, ==, expected[i].index);
        g_assert_true(port.isActive == expected[i].active && port.isAttached == expected[i].active);
        virtMacFormat(port.mac, mac);
        g_assert_cmpstr(mac, ==, expected[i].mac);
    }
    g_assert_true(virtDevlinkFindSF(host, &card, 8, &found, &port, NULL));
    g_assert_false(found);
    g_assert_true(virtDevlinkIsSwitchdev(host, &card, &on, NULL));
    g_assert_true(on);
    g_assert_true(virtHandleSet(&device, "auxiliary", name, NULL));
    g_assert_true(virtDevlinkReadSwitch(host, &device, "enable_vnet", &on, NULL));
    g_assert_false(on);
    parameter = ON;
    g_assert_true(virtDevlinkReadSwitch(host, &device, "enable_vnet", &on, NULL));
    g_assert_true(on);
}

static void
testSubfunctions(void)
{
    checkSubfunctions("linux-6.12-sf.txt", "dualport.sf.0");
}

/* Linux 6.1 shows less of a function, and in a list calls its answers by another command. */
static void
testOld(void)
{
    g_autoptr(virtHost) host = hostNew();
    g_autoptr(GArray) ports = NULL;
    virtHandle card = cardOf(CARD);
    virtDevlinkRate rate;
    virtDevlinkPort port;
    char mac[18];

    checkSubfunctions("linux-6.1.txt", "rec61.sf.0");
    ports = virtDevlinkListVFPorts(host, &card, NULL);
    g_assert_cmpuint(ports->len, ==, 4);
    port = g_array_index(ports, virtDevlinkPort, 1);
    g_assert_cmpuint(port.index, ==, 2);
    g_assert_cmpuint(port.pf, ==, 1);
    g_assert_cmpstr(port.netdev, ==, "eth1");
    g_assert_cmpuint(port.function.setting.present, ==, 0);
    virtMacFormat(port.mac, mac);
    g_assert_cmpstr(mac, ==, "02:11:22:33:44:55");
    g_assert_true(virtDevlinkReadRate(host, &card, 6, &rate, NULL));
    g_assert_cmpuint(rate.share, ==, 12500000);
    g_assert_cmpuint(rate.max, ==, 125000000);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    readRecorded("linux-6.12.txt");
    g_test_add_func("/devlink/ports", testPorts);
    g_test_add_func("/devlink/external", testExternal);
    g_test_add_func("/devlink/others", testOthers);
    g_test_add_func("/devlink/subfunctions", testSubfunctions);
    g_test_add_func("/devlink/linux-6.1", testOld);
    return g_test_run();
}

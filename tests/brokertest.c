/* brokertest.c: requests to the broker and its answers: there and back, and nothing else is taken
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "rpc/broker.h"

#include <string.h>

#define UUID "11111111-2222-3333-4444-55555555abcd"

static const char *const requests[] = {
    "begin 1 " UUID,
    "end 4294967295 " UUID,
    "verify 3 " UUID,
    "prepare 7 " UUID " pci/0000:06:02.0",
    "update 8 " UUID " pci/10000:06:1f.7",
    "check 9 " UUID " pci/0000:06:00.0",
    "stats 9 " UUID " pci/0000:06:02.0",
    "prepare 7 " UUID " mdev/c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11",
    "prepare 7 " UUID " vdpa/blue_0.1",
    "vpd 10 pci/0000:06:02.0",
    "forget 11 " UUID,
    "choose 12 " UUID " define -=pool/blue",
    "choose 12 " UUID " define cpus/f0 -=pool/blue",
    "profile 13 - pci/0000:06:02.0=-",
    "profile 13 - +pci/0000:06:02.0=-",
    "profile 13 second-port pci/0000:06:02.0=- pci/0000:06:02.1=-",
    "choose 12 " UUID " start pci/0000:06:02.0=serial/A%201/0/3 pci/0000:06:02.1=- -=dev/ens1f0/any",
};

static const char *const notRequests[] = {
    "",
    "begin",
    "begin 1",
    "begin 1 ",
    "begin 0 " UUID,
    "begin 01 " UUID,
    "begin +1 " UUID,
    "begin -1 " UUID,
    "begin 4294967296 " UUID,
    "begin  1 " UUID,
    " begin 1 " UUID,
    "begin 1 " UUID " ",
    "begin 1 " UUID "\n",
    "begin 1 " UUID " pci/0000:06:02.0",
    "BEGIN 1 " UUID,
    "release 1 " UUID,
    "begin 1 11111111-2222-3333-4444-55555555ABCD",
    "begin 1 11111111222233334444555555555555",
    "begin 1 11111111-2222-3333-4444-55555555abc",
    "begin 1 11111111-2222-3333-4444-55555555abcde",
    "begin 1 g1111111-2222-3333-4444-55555555abcd",
    "check 1 " UUID,
    "choose 1 " UUID,
    "profile 1 -",
    "profile 1 - ",
    "profile 1  pci/0000:06:02.0=-",
    "profile 1 - pci/0000:06:02.0",
    "profile 1 - ++pci/0000:06:02.0=-",
    "profile 1 - +",
    "profile 1 a23456789012345678901234567890123456789012345678901234567890abcd pci/0000:06:02.0=-",
    "profile 1 " UUID " - pci/0000:06:02.0=-",
    "choose 1 " UUID " define",
    "choose 1 " UUID " define ",
    "choose 1 " UUID " look -=pool/blue",
    "choose 1 " UUID " define cpus/f0",
    "choose 1 " UUID " define cpus/0f0 -=pool/blue",
    "choose 1 " UUID " define -=pool/blue cpus/f0",
    "choose 1 " UUID " define -=pool/blue ",
    "choose 1 " UUID " define -=pool/blue  -=pool/blue",
    "choose 1 " UUID " define =pool/blue",
    "choose 1 " UUID " define pool/blue",
    "choose 1 " UUID " define -=pool",
    "choose 1 " UUID " define 0000:06:02.0=pool/blue",
    "forget 1 " UUID " pci/0000:06:02.0",
    "vpd 1 " UUID,
    "vpd 1 " UUID " pci/0000:06:02.0",
    "vpd 1 pci/0000:06:02.0 ",
    "vpd 1 0000:06:02.0",
    "vpd 1",
    "prepare 1 " UUID,
    "prepare 1 " UUID " ",
    "prepare 1 " UUID " 0000:06:02.0",
    "prepare 1 " UUID " pci/06:02.0",
    "prepare 1 " UUID " pci/0000:06:02.8",
    "prepare 1 " UUID " pci/0000:06:20.0",
    "prepare 1 " UUID " pci/0000:06:02.0 ",
    "prepare 1 " UUID " pci/0000:0A:02.0",
    "prepare 1 " UUID " pci/",
    "prepare 1 " UUID " /0000:06:02.0",
    "prepare 1 " UUID " PCI/0000:06:02.0",
    "prepare 1 " UUID " ../../etc",
    "prepare 1 " UUID " vdpa/../../etc",
    "prepare 1 " UUID " vdpa/.hidden",
    "prepare 1 " UUID " vdpa/a..b",
    "prepare 1 " UUID " vdpa/a/b",
    "prepare 1 " UUID " abcdefghijkl/a",
    "prepare 1 " UUID " vdpa/0123456789012345678901234567890123456789012345678901",
    "prepare 1 ../../../../etc/passwd pci/0000:06:02.0",
};

static void
testRequests(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(requests); i++) {
        g_autoptr(GError) error = NULL;
        g_auto(virtBrokerRequest) request = {0};
        g_autofree char *again = NULL;

        g_assert_true(virtBrokerRequestParse(requests[i], strlen(requests[i]), &request, &error));
        g_assert_no_error(error);
        g_assert_true(g_str_has_prefix(requests[i], virtBrokerVerbName(request.verb)));
        g_assert_cmpstr(request.uuid, ==, strstr(requests[i], UUID) ? UUID : "");
        again = virtBrokerRequestFormat(&request);
        g_assert_cmpstr(again, ==, requests[i]);
    }
}

static void
testNotRequests(void)
{
    virtBrokerRequest untouched = {.id = 77}, request = untouched;
    g_autofree char *many = g_strnfill(VIRT_BROKER_PACKET_MAX + 1, 'x');
    g_autoptr(GError) tooLong = NULL;

    for (guint i = 0; i < G_N_ELEMENTS(notRequests); i++) {
        g_autoptr(GError) error = NULL;

        if (virtBrokerRequestParse(notRequests[i], strlen(notRequests[i]), &request, &error))
            g_error("taken: %s", notRequests[i]);
        g_assert_error(error, VIRT_ERROR, VIRT_ERROR_INVALID);
        g_assert_cmpmem(&request, sizeof(request), &untouched, sizeof(untouched));
    }
    g_assert_false(virtBrokerRequestParse(many, strlen(many), &request, &tooLong));
    g_assert_cmpuint(strlen(tooLong->message), <, 200);
}

/* Each byte of a good packet replaced by each other byte, and each prefix of it, is that packet or none. */
static void
testEveryByte(void)
{
    const char *good = requests[3];
    gsize len = strlen(good);

    for (gsize at = 0; at < len; at++) {
        virtBrokerRequest request;

        g_assert_false(virtBrokerRequestParse(good, at, &request, NULL));
        for (guint byte = 0; byte < 256; byte++) {
            g_autofree char *packet = g_strdup(good);
            g_autofree char *again = NULL;

            packet[at] = (char)byte;
            if (!virtBrokerRequestParse(packet, len, &request, NULL))
                continue;
            again = virtBrokerRequestFormat(&request);
            g_assert_cmpmem(again, strlen(again), packet, len);
        }
    }
}

static void
expectAnswer(const GError *failure, int code, const char *message)
{
    g_autofree char *packet = virtBrokerAnswerFormat(12, failure);
    g_autoptr(GError) told = NULL;
    g_autoptr(GError) error = NULL;
    guint id = 0;

    g_assert_true(virtBrokerAnswerParse(packet, strlen(packet), &id, &told, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(id, ==, 12);
    if (!failure) {
        g_assert_no_error(told);
        return;
    }
    g_assert_error(told, VIRT_ERROR, code);
    g_assert_cmpstr(told->message, ==, message);
}

static void
testStats(void)
{
    const virtNetdevStats stats = {{1, 0, G_MAXUINT64, 4}};
    static const char *const not [] = {"stats",           "stats 7",          "stats 7 1 2 3",    "stats 7 1 2 3 4 5",
                                       "stats 0 1 2 3 4", "stats 7 1 2 3 04", "stats 7 1 2 3 -4", "ok 7 1 2 3 4",
                                       "stats 7 1 2 3 ",  "stats 7 1 2 3 4 ", "stats 7 1  2 3 4"};
    g_autofree char *packet = virtBrokerStatsFormat(7, &stats);
    virtNetdevStats read = {{0}};
    guint id = 0;

    g_assert_cmpstr(packet, ==, "stats 7 1 0 18446744073709551615 4");
    g_assert_true(virtBrokerStatsParse(packet, strlen(packet), &id, &read));
    g_assert_cmpuint(id, ==, 7);
    g_assert_cmpmem(&read, sizeof(read), &stats, sizeof(stats));
    for (guint i = 0; i < G_N_ELEMENTS(not ); i++)
        g_assert_false(virtBrokerStatsParse(not [i], strlen(not [i]), &id, &read));
}

/* Of each length up to the longest that a packet has room for. */
static void
testVPD(void)
{
    static const char *const not [] = {"vpd",         "vpd 7",           "vpd 7 ",         "vpd 0 <a/>",
                                       "vpd 07 <a/>", "vpd 7 <a>\n</a>", "vpd 7 <a>ü</a>", "ok 7 <a/>"};
    g_autofree char *longest = g_strnfill(VIRT_BROKER_VPD_MAX, 'x');
    const char *const texts[] = {"<capability type='vpd'><name>a  b</name></capability>", longest};
    g_autofree char *tooLong = g_strdup_printf("vpd 7 %sxxxxxxxxxx", longest);
    g_autofree char *read = NULL;
    guint id = 0;

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        g_autofree char *packet = virtBrokerVPDFormat(G_MAXUINT, texts[i]), *again = NULL;

        g_assert_cmpuint(strlen(packet), <=, VIRT_BROKER_PACKET_MAX);
        g_assert_true(virtBrokerVPDParse(packet, strlen(packet), &id, &again));
        g_assert_cmpuint(id, ==, G_MAXUINT);
        g_assert_cmpstr(again, ==, texts[i]);
    }
    for (guint i = 0; i < G_N_ELEMENTS(not ); i++)
        g_assert_false(virtBrokerVPDParse(not [i], strlen(not [i]), &id, &read));
    g_assert_false(virtBrokerVPDParse("vpd 7 <a/>\0b", 12, &id, &read));
    g_assert_false(virtBrokerVPDParse(tooLong, strlen(tooLong), &id, &read));
}

static void
testChosen(void)
{
    static const char good[] = "chosen 7 pci/0000:06:02.0 pci/0000:06:02.1";
    static const char *const wrong[] = {"chosen 7",   "chosen 0 pci/0000:06:02.0",  "chosen 7 pci/0000:06:02.0 ",
                                        "chosen 7 -", "chosen 7  pci/0000:06:02.0", "ok 7"};
    g_autoptr(GArray) handles = NULL, wishes = g_array_new(FALSE, FALSE, sizeof(virtWish));
    g_autofree char *again = NULL;
    guint id = 0;

    g_assert_true(virtBrokerChosenParse(good, strlen(good), &id, &handles));
    g_assert_cmpuint(id, ==, 7);
    for (guint i = 0; i < handles->len; i++) {
        const virtWish wish = {.handle = g_array_index(handles, virtHandle, i)};

        g_array_append_val(wishes, wish);
    }
    again = virtBrokerChosenFormat(7, wishes);
    g_assert_cmpstr(again, ==, good);
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++)
        g_assert_false(virtBrokerChosenParse(wrong[i], strlen(wrong[i]), &id, &handles));
    g_assert_false(virtBrokerChosenParse("chosen 7 pci/0000:06:02.0\0", 26, &id, &handles));
}

static void
testProfile(void)
{
    static const char good[] = "profile 7 0,2 <profile>\n  <name>a b</name>\n</profile>\n";
    static const char *const wrong[] = {
        "profile 7 0",      "profile 7 0 ",      "profile 7 ,0 <p/>", "profile 7 0,,2 <p/>", "profile 7  <p/>",
        "profile 0 0 <p/>", "profile 7 00 <p/>", "profile 7 -1 <p/>", "profile 7 9999 ",     "chosen 7 0 <p/>"};
    g_autoptr(GArray) fits = NULL;
    g_autofree char *xml = NULL, *again = NULL;
    guint id = 0;

    g_assert_true(virtBrokerProfileParse(good, strlen(good), &id, &fits, &xml));
    g_assert_cmpuint(id, ==, 7);
    g_assert_cmpuint(fits->len, ==, 2);
    g_assert_cmpuint(g_array_index(fits, guint, 1), ==, 2);
    again = virtBrokerProfileFormat(7, fits, xml);
    g_assert_cmpstr(again, ==, good);
    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++)
        g_assert_false(virtBrokerProfileParse(wrong[i], strlen(wrong[i]), &id, &fits, &xml));
}

static void
testAnswers(void)
{
    g_autoptr(GError) busy = g_error_new(VIRT_ERROR, VIRT_ERROR_BUSY, "VF 0000:06:02.0 is in use.\n Two lines, ü");
    g_autoptr(GError) other = g_error_new(G_FILE_ERROR, 20, "no memory");
    g_autoptr(GError) empty = g_error_new_literal(VIRT_ERROR, VIRT_ERROR_INVALID, "");

    expectAnswer(NULL, 0, NULL);
    expectAnswer(busy, VIRT_ERROR_BUSY, busy->message);
    expectAnswer(other, VIRT_ERROR_HOST, "no memory");
    expectAnswer(empty, VIRT_ERROR_INVALID, "");
}

/* A long text of two-byte characters is cut to the packet and stays text. */
static void
testLongAnswer(void)
{
    for (guint shift = 0; shift < 2; shift++) {
        g_autoptr(GString) text = g_string_new(shift ? "x" : "");
        g_autoptr(GError) failure = NULL;
        g_autoptr(GError) told = NULL;
        g_autofree char *packet = NULL;
        guint id;

        while (text->len < 2 * VIRT_BROKER_PACKET_MAX)
            g_string_append(text, "ü");
        failure = g_error_new_literal(VIRT_ERROR, VIRT_ERROR_HOST, text->str);
        packet = virtBrokerAnswerFormat(1, failure);
        g_assert_cmpuint(strlen(packet), >=, VIRT_BROKER_PACKET_MAX - 1);
        g_assert_cmpuint(strlen(packet), <=, VIRT_BROKER_PACKET_MAX);
        g_assert_true(virtBrokerAnswerParse(packet, strlen(packet), &id, &told, NULL));
        g_assert_true(g_str_has_prefix(text->str, told->message));
    }
}

static void
testNotAnswers(void)
{
    static const char *const wrong[] = {"",
                                        "ok",
                                        "ok 0",
                                        "ok 01",
                                        "ok 1 ",
                                        "ok 1 x",
                                        "no 1",
                                        "error 1",
                                        "error 1 0",
                                        "error 1 9 text",
                                        "error 1 -1 text",
                                        "error 1 01 text",
                                        "error 0 1 text",
                                        "error 1 1 \xff",
                                        ("begin 1 " UUID)};

    for (guint i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autoptr(GError) told = NULL;
        g_autoptr(GError) error = NULL;
        guint id = 77;

        if (virtBrokerAnswerParse(wrong[i], strlen(wrong[i]), &id, &told, &error))
            g_error("taken: %s", wrong[i]);
        g_assert_error(error, VIRT_ERROR, VIRT_ERROR_INVALID);
        g_assert_null(told);
        g_assert_cmpuint(id, ==, 77);
    }
    guint id;
    GError *told = NULL;
    g_assert_false(virtBrokerAnswerParse("ok 1\0", 5, &id, &told, NULL));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/broker/request/there-and-back", testRequests);
    g_test_add_func("/broker/request/nothing-else", testNotRequests);
    g_test_add_func("/broker/request/every-byte", testEveryByte);
    g_test_add_func("/broker/answer/there-and-back", testAnswers);
    g_test_add_func("/broker/answer/stats", testStats);
    g_test_add_func("/broker/answer/vpd", testVPD);
    g_test_add_func("/broker/answer/chosen", testChosen);
    g_test_add_func("/broker/answer/profile", testProfile);
    g_test_add_func("/broker/answer/long", testLongAnswer);
    g_test_add_func("/broker/answer/nothing-else", testNotAnswers);
    return g_test_run();
}

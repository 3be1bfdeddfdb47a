/* broker.c: fuzz target: a packet between filter and broker, in either direction
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fuzz.h"
#include "rpc/broker.h"

#include <string.h>

static void
checkRequest(const char *packet, size_t size)
{
    virtBrokerRequest request;
    g_autofree char *again = NULL;

    if (!virtBrokerRequestParse(packet, size, &request, NULL))
        return;
    again = virtBrokerRequestFormat(&request);
    if (strlen(again) != size || memcmp(again, packet, size) != 0)
        fuzzFail("a request was taken that is none: %s", again);
}

static void
checkAnswer(const char *packet, size_t size)
{
    g_autoptr(GError) failure = NULL;
    g_autofree char *again = NULL;
    guint id;

    if (!virtBrokerAnswerParse(packet, size, &id, &failure, NULL))
        return;
    again = virtBrokerAnswerFormat(id, failure);
    if (strlen(again) != size || memcmp(again, packet, size) != 0)
        fuzzFail("an answer was taken that is none: %s", again);
}

static void
checkStats(const char *packet, size_t size)
{
    virtNetdevStats stats;
    g_autofree char *again = NULL;
    guint id;

    if (!virtBrokerStatsParse(packet, size, &id, &stats))
        return;
    again = virtBrokerStatsFormat(id, &stats);
    if (strlen(again) != size || memcmp(again, packet, size) != 0)
        fuzzFail("statistics were taken that are none: %s", again);
}

static void
checkVPD(const char *packet, size_t size)
{
    g_autofree char *capability = NULL;
    g_autofree char *again = NULL;
    guint id;

    if (!virtBrokerVPDParse(packet, size, &id, &capability))
        return;
    again = virtBrokerVPDFormat(id, capability);
    if (strlen(again) != size || memcmp(again, packet, size) != 0)
        fuzzFail("VPD was taken that is none: %s", again);
}

/* Whatever went wrong, it can be said. */
static void
checkFailure(const char *text, guint code)
{
    g_autoptr(GError) failure = g_error_new_literal(VIRT_ERROR, (int)code, text), read = NULL, error = NULL;
    g_autofree char *answer = virtBrokerAnswerFormat(7, failure);
    guint id = 0;

    if (!virtBrokerAnswerParse(answer, strlen(answer), &id, &read, &error))
        fuzzFail("an answer that we write, we do not read: %s", error->message);
    if (id != 7 || !read || read->code != (int)code)
        fuzzFail("error %u of request 7 became another: %s", code, answer);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    g_autofree char *text = g_strndup((const char *)data, size);

    checkRequest((const char *)data, size);
    checkAnswer((const char *)data, size);
    checkStats((const char *)data, size);
    checkVPD((const char *)data, size);
    checkFailure(text, size % (VIRT_ERROR_NOT_FOUND + 1));
    return 0;
}

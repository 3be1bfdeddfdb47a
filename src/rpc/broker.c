/* broker.c: requests of a filter to the daemon, and its answers, as text
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A packet is taken only as this file itself would write it: one spelling of each number, UUID and address, single
 * blanks, nothing behind. So parsing ends with writing again and comparing, and no second grammar has to be kept.
 */
#include "rpc/broker.h"

#include <string.h>

/* What follows the ID. */
typedef struct {
    const char *name;
    bool uuid, handle, wishes; /* before the wishes is a word of their own */
} Verb;

static const Verb verbs[] = {
    [VIRT_BROKER_BEGIN] = {"begin", true, false},
    [VIRT_BROKER_PREPARE] = {"prepare", true, true},
    [VIRT_BROKER_UPDATE] = {"update", true, true},
    [VIRT_BROKER_END] = {"end", true, false},
    [VIRT_BROKER_VERIFY] = {"verify", true, false},
    [VIRT_BROKER_CHECK] = {"check", true, true},
    [VIRT_BROKER_STATS] = {"stats", true, true},
    [VIRT_BROKER_VPD] = {"vpd", false, true},
    [VIRT_BROKER_FORGET] = {"forget", true, false},
    [VIRT_BROKER_CHOOSE] = {"choose", true, false, true},
    [VIRT_BROKER_PROFILE] = {"profile", false, false, true},
};

static const char *const modes[] = {
    [VIRT_BROKER_FOR_DEFINE] = "define",
    [VIRT_BROKER_FOR_ATTACH] = "attach",
    [VIRT_BROKER_FOR_START] = "start",
    [VIRT_BROKER_FOR_DETACH] = "detach",
};

/* The word that stands for @verb in a packet, for messages too. */
const char *
virtBrokerVerbName(virtBrokerVerb verb)
{
    return verbs[verb].name;
}

static bool
parseVerb(const char *word, virtBrokerVerb *ret)
{
    for (guint i = 0; i < G_N_ELEMENTS(verbs); i++) {
        if (g_str_equal(word, verbs[i].name)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* 0 is nobody's: what a zeroed request or answer has. */
static bool
parseId(const char *word, guint *ret)
{
    guint64 id;

    if (!g_ascii_string_to_unsigned(word, 10, 1, G_MAXUINT, &id, NULL))
        return false;
    *ret = (guint)id;
    return true;
}

/* In the one spelling of a UUID that is taken. */
static bool
isUuidChar(char c, char shape)
{
    if (shape == '-')
        return c == '-';
    return g_ascii_isxdigit(c) && !g_ascii_isupper(c);
}

static bool
isUuid(const char *word)
{
    static const char shape[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (strlen(word) != sizeof(shape) - 1)
        return false;
    for (guint i = 0; shape[i]; i++) {
        if (!isUuidChar(word[i], shape[i]))
            return false;
    }
    return true;
}

/* Free what belongs to @request. */
void
virtBrokerRequestClear(virtBrokerRequest *request)
{
    g_clear_pointer(&request->wishes, g_array_unref);
}

/* ---- wishes ---- */

/* " pci/0000:06:02.0=pool/blue", with a "+" before one that is to be migratable */
static void
appendWish(GString *packet, const virtWish *wish)
{
    g_autofree char *choice = NULL;
    char handle[VIRT_HANDLE_LEN] = "-";

    if (!virtHandleIsNone(&wish->handle))
        virtHandleFormat(&wish->handle, handle);
    if (wish->choice.by != VIRT_CHOICE_NONE)
        choice = virtChoiceFormat(&wish->choice);
    g_string_append_printf(packet, " %s%s=%s", wish->migrates ? "+" : "", handle, choice ? choice : "-");
}

/* The word that a verb with wishes has before them. */
static const char *
wordOf(const virtBrokerRequest *request)
{
    if (request->verb != VIRT_BROKER_PROFILE)
        return modes[request->mode];
    if (*request->after)
        return request->after;
    return "-";
}

/* The word, and the affinity where there is one. */
static void
appendWord(GString *packet, const virtBrokerRequest *request)
{
    g_autofree char *affinity = NULL;

    g_string_append_printf(packet, " %s", wordOf(request));
    if (virtAffinityIsNone(&request->affinity))
        return;
    affinity = virtAffinityFormat(&request->affinity);
    g_string_append_printf(packet, " %s", affinity);
}

static bool
readWish(const char *word, virtWish *ret)
{
    g_auto(GStrv) parts = NULL;

    memset(ret, 0, sizeof(*ret));
    ret->migrates = *word == '+';
    parts = g_strsplit(word + ret->migrates, "=", 2);
    return g_strv_length(parts) == 2 && (g_str_equal(parts[0], "-") || virtHandleParse(parts[0], &ret->handle, NULL)) &&
           (g_str_equal(parts[1], "-") || virtChoiceParse(parts[1], &ret->choice));
}

static bool
readMode(const char *word, virtBrokerChooseMode *ret)
{
    for (guint i = 0; i < G_N_ELEMENTS(modes); i++) {
        if (g_str_equal(word, modes[i])) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* How many words it takes: 0 or 1. */
static guint
readAffinity(const char *word, virtBrokerRequest *ret)
{
    return ret->verb == VIRT_BROKER_CHOOSE && word && virtAffinityParse(word, &ret->affinity);
}

/* "-" stands for none: no profile is called so. */
static bool
readAfter(const char *word, char ret[VIRT_BROKER_NAME_MAX + 1])
{
    if (g_str_equal(word, "-"))
        return true;
    return *word && g_strlcpy(ret, word, VIRT_BROKER_NAME_MAX + 1) <= VIRT_BROKER_NAME_MAX;
}

/* The word that the verb has, and behind it the affinity, which has no "=", and the wishes. */
static bool
readWishes(const char *word, const char *rest, virtBrokerRequest *ret)
{
    g_auto(GStrv) words = g_strsplit(rest, " ", -1);
    bool ok;

    if (ret->verb == VIRT_BROKER_PROFILE)
        ok = readAfter(word, ret->after);
    else
        ok = readMode(word, &ret->mode);
    if (!ok)
        return false;
    ret->wishes = g_array_new(FALSE, FALSE, sizeof(virtWish));
    for (guint i = readAffinity(words[0], ret); words[i]; i++) {
        virtWish wish;

        if (!readWish(words[i], &wish))
            return false;
        g_array_append_val(ret->wishes, wish);
    }
    return ret->wishes->len > 0;
}

/* ---- requests ---- */

/* @request as a packet; the caller frees it. Its length is that of the string: no NUL is sent. */
char *
virtBrokerRequestFormat(const virtBrokerRequest *request)
{
    const Verb *verb = &verbs[request->verb];
    char handle[VIRT_HANDLE_LEN];
    GString *packet = g_string_new(NULL);

    g_string_printf(packet, "%s %u", verb->name, request->id);
    if (verb->uuid)
        g_string_append_printf(packet, " %s", request->uuid);
    if (verb->handle) {
        virtHandleFormat(&request->handle, handle);
        g_string_append_printf(packet, " %s", handle);
    }
    if (verb->wishes)
        appendWord(packet, request);
    for (guint i = 0; verb->wishes && request->wishes && i < request->wishes->len; i++)
        appendWish(packet, &g_array_index(request->wishes, virtWish, i));
    return g_string_free(packet, FALSE);
}

static bool
readWords(char **words, virtBrokerRequest *ret)
{
    guint n = g_strv_length(words);
    const Verb *verb;

    if (n < 3 || !parseVerb(words[0], &ret->verb) || !parseId(words[1], &ret->id))
        return false;
    verb = &verbs[ret->verb];
    words += 2;
    if (n != 2u + verb->uuid + verb->handle + 2u * verb->wishes || (verb->uuid && !isUuid(*words)))
        return false;
    if (verb->uuid)
        g_strlcpy(ret->uuid, *words++, sizeof(ret->uuid));
    if (verb->wishes)
        return readWishes(words[0], words[1], ret);
    return !verb->handle || virtHandleParse(*words, &ret->handle, NULL);
}

/* Bytes of a peer in a message: escaped, and not too many. */
static char *
quote(const char *packet, gsize len)
{
    g_autofree char *text = g_strndup(packet, MIN(len, 80));

    return g_strescape(text, NULL);
}

/* Its words; wishes are one. */
static char **
splitRequest(const char *text)
{
    virtBrokerVerb verb;
    g_auto(GStrv) first = g_strsplit(text, " ", 2);

    if (*first && parseVerb(*first, &verb) && verbs[verb].wishes)
        return g_strsplit(text, " ", 4 + verbs[verb].uuid);
    return g_strsplit(text, " ", 5);
}

/* Reads a request of @len bytes, which need no NUL behind them.
 *
 * @ret: for virtBrokerRequestClear()
 *
 * Errors: VIRT_ERROR_INVALID for anything but what virtBrokerRequestFormat() writes; @ret is then untouched.
 */
bool
virtBrokerRequestParse(const char *packet, gsize len, virtBrokerRequest *ret, GError **error)
{
    virtBrokerRequest request = {0};
    g_autofree char *quoted = NULL;

    if (len <= VIRT_BROKER_PACKET_MAX) {
        g_autofree char *text = g_strndup(packet, len);
        g_auto(GStrv) words = splitRequest(text);
        g_autofree char *again = NULL;

        if (readWords(words, &request))
            again = virtBrokerRequestFormat(&request);
        if (again && strlen(again) == len && memcmp(again, packet, len) == 0) {
            *ret = request;
            return true;
        }
    }
    virtBrokerRequestClear(&request);
    quoted = quote(packet, len);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "\"%s\" is not a valid broker request", quoted);
    return false;
}

/* The answer to request @id; the caller frees it.
 * @failure: what went wrong, NULL for ok. Of an error of another domain only the text is told, as VIRT_ERROR_HOST.
 *
 * A text that would not fit a packet is cut between two characters.
 */
char *
virtBrokerAnswerFormat(guint id, const GError *failure)
{
    g_autofree char *text = NULL;
    g_autofree char *answer = NULL;
    int code = VIRT_ERROR_HOST;
    const char *end;

    if (!failure)
        return g_strdup_printf("ok %u", id);
    if (failure->domain == VIRT_ERROR)
        code = failure->code;
    text = g_utf8_make_valid(failure->message, -1);
    answer = g_strdup_printf("error %u %d %s", id, code, text);
    if (strlen(answer) > VIRT_BROKER_PACKET_MAX) {
        g_utf8_validate(answer, VIRT_BROKER_PACKET_MAX, &end);
        answer[end - answer] = '\0';
    }
    return g_steal_pointer(&answer);
}

static bool
readAnswer(const char *text, guint *ret_id, GError **ret_failure)
{
    g_auto(GStrv) words = g_strsplit(text, " ", 4);
    guint n = g_strv_length(words);
    guint64 code;

    if (n < 2 || !parseId(words[1], ret_id))
        return false;
    if (n == 2)
        return g_str_equal(words[0], "ok");
    if (n != 4 || !g_str_equal(words[0], "error") ||
        !g_ascii_string_to_unsigned(words[2], 10, 0, VIRT_ERROR_TOO_LARGE, &code, NULL))
        return false;
    g_set_error_literal(ret_failure, VIRT_ERROR, (int)code, words[3]);
    return true;
}

/* Reads an answer of @len bytes, which need no NUL behind them.
 *
 * @ret_failure: what the answer tells, NULL for ok; the caller frees it
 *
 * Errors: VIRT_ERROR_INVALID for anything but what virtBrokerAnswerFormat() writes; nothing is then returned.
 */
bool
virtBrokerAnswerParse(const char *packet, gsize len, guint *ret_id, GError **ret_failure, GError **error)
{
    g_autoptr(GError) failure = NULL;
    g_autofree char *quoted = NULL;
    guint id = 0;

    if (len <= VIRT_BROKER_PACKET_MAX && g_utf8_validate_len(packet, len, NULL)) {
        g_autofree char *text = g_strndup(packet, len);
        g_autofree char *again = NULL;

        if (readAnswer(text, &id, &failure))
            again = virtBrokerAnswerFormat(id, failure);
        if (again && strlen(again) == len && memcmp(again, packet, len) == 0) {
            *ret_id = id;
            *ret_failure = g_steal_pointer(&failure);
            return true;
        }
    }
    quoted = quote(packet, len);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "\"%s\" is not a valid broker answer", quoted);
    return false;
}

/* Those of the counters that libvirt has for an interface, in the order of the answer. */
static const virtNetdevCounter sent[] = {VIRT_NETDEV_RX_BYTES, VIRT_NETDEV_RX_PACKETS, VIRT_NETDEV_TX_BYTES,
                                         VIRT_NETDEV_TX_PACKETS};

/* The answer to a request for statistics, where there are some; the caller frees it. */
char *
virtBrokerStatsFormat(guint id, const virtNetdevStats *stats)
{
    GString *packet = g_string_new(NULL);

    g_string_printf(packet, "stats %u", id);
    for (guint i = 0; i < G_N_ELEMENTS(sent); i++)
        g_string_append_printf(packet, " %" G_GUINT64_FORMAT, stats->of[sent[i]]);
    return g_string_free(packet, FALSE);
}

/* Reads such an answer. False for anything but what virtBrokerStatsFormat() writes; nothing is then returned. */
bool
virtBrokerStatsParse(const char *packet, gsize len, guint *ret_id, virtNetdevStats *ret)
{
    g_autofree char *text = g_strndup(packet, MIN(len, VIRT_BROKER_PACKET_MAX));
    g_auto(GStrv) words = g_strsplit(text, " ", 7);
    virtNetdevStats stats = {{0}};
    g_autofree char *again = NULL;
    guint id;

    if (g_strv_length(words) != 2 + G_N_ELEMENTS(sent) || !g_str_equal(words[0], "stats") || !parseId(words[1], &id))
        return false;
    for (guint i = 0; i < G_N_ELEMENTS(sent); i++) {
        if (!g_ascii_string_to_unsigned(words[2 + i], 10, 0, G_MAXUINT64, &stats.of[sent[i]], NULL))
            return false;
    }
    again = virtBrokerStatsFormat(id, &stats);
    if (strlen(again) != len || memcmp(again, packet, len) != 0)
        return false;
    *ret_id = id;
    *ret = stats;
    return true;
}

/* The answer to choose: the handles of @wishes (virtWish); the caller frees it. */
char *
virtBrokerChosenFormat(guint id, const GArray *wishes)
{
    GString *packet = g_string_new(NULL);

    g_string_printf(packet, "chosen %u", id);
    for (guint i = 0; i < wishes->len; i++) {
        char handle[VIRT_HANDLE_LEN];

        virtHandleFormat(&g_array_index(wishes, virtWish, i).handle, handle);
        g_string_append_printf(packet, " %s", handle);
    }
    return g_string_free(packet, FALSE);
}

/* Reads such an answer; @ret_handles (virtHandle) is for g_array_unref(). False for anything but what
 * virtBrokerChosenFormat() writes; nothing is then returned. */
bool
virtBrokerChosenParse(const char *packet, gsize len, guint *ret_id, GArray **ret_handles)
{
    g_autofree char *text = g_strndup(packet, MIN(len, VIRT_BROKER_PACKET_MAX));
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    g_autoptr(GArray) handles = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    guint id, n = g_strv_length(words);

    if (strlen(text) != len || n < 3 || !g_str_equal(words[0], "chosen") || !parseId(words[1], &id))
        return false;
    for (guint i = 2; i < n; i++) {
        virtHandle handle;

        if (!virtHandleParse(words[i], &handle, NULL))
            return false;
        g_array_append_val(handles, handle);
    }
    *ret_id = id;
    *ret_handles = g_steal_pointer(&handles);
    return true;
}

/* "0,2", at least one; NULL for anything else. */
static GArray *
readFits(const char *word)
{
    g_auto(GStrv) numbers = g_strsplit(word, ",", -1);
    g_autoptr(GArray) fits = g_array_new(FALSE, FALSE, sizeof(guint));

    for (guint i = 0; numbers[i]; i++) {
        guint64 number;
        guint index;

        if (!g_ascii_string_to_unsigned(numbers[i], 10, 0, VIRT_BROKER_PACKET_MAX, &number, NULL))
            return NULL;
        index = (guint)number;
        g_array_append_val(fits, index);
    }
    if (fits->len == 0)
        return NULL;
    return g_steal_pointer(&fits);
}

/* The answer to profile; the caller frees it.
 * @fits: guint, not empty: indexes of wishes
 */
char *
virtBrokerProfileFormat(guint id, const GArray *fits, const char *xml)
{
    GString *packet = g_string_new(NULL);

    g_string_printf(packet, "profile %u ", id);
    for (guint i = 0; i < fits->len; i++)
        g_string_append_printf(packet, "%s%u", i > 0 ? "," : "", g_array_index(fits, guint, i));
    g_string_append_printf(packet, " %s", xml);
    return g_string_free(packet, FALSE);
}

/* Reads such an answer; @ret_fits is for g_array_unref(), @ret_xml for g_free(). False for anything but what
 * virtBrokerProfileFormat() writes; nothing is then returned. */
bool
virtBrokerProfileParse(const char *packet, gsize len, guint *ret_id, GArray **ret_fits, char **ret_xml)
{
    g_autofree char *text = g_strndup(packet, MIN(len, VIRT_BROKER_PACKET_MAX));
    g_auto(GStrv) words = g_strsplit(text, " ", 4);
    g_autoptr(GArray) fits = NULL;
    g_autofree char *again = NULL;
    guint id;

    if (g_strv_length(words) != 4 || !g_str_equal(words[0], "profile") || !parseId(words[1], &id) || !*words[3] ||
        !(fits = readFits(words[2])))
        return false;
    again = virtBrokerProfileFormat(id, fits, words[3]);
    if (strlen(again) != len || memcmp(again, packet, len) != 0)
        return false;
    *ret_id = id;
    *ret_fits = g_steal_pointer(&fits);
    *ret_xml = g_steal_pointer(&words[3]);
    return true;
}

/* The answer to a request for VPD, where there is one; the caller frees it.
 * @capability: at most VIRT_BROKER_VPD_MAX bytes, all of them printable ASCII
 */
char *
virtBrokerVPDFormat(guint id, const char *capability)
{
    return g_strdup_printf("vpd %u %s", id, capability);
}

static bool
isPrintable(const char *text)
{
    while (g_ascii_isprint(*text))
        text++;
    return *text == '\0';
}

/* Reads such an answer; @ret_capability is for g_free(). False for anything but what virtBrokerVPDFormat() writes;
 * nothing is then returned. */
bool
virtBrokerVPDParse(const char *packet, gsize len, guint *ret_id, char **ret_capability)
{
    g_autofree char *text = g_strndup(packet, MIN(len, VIRT_BROKER_PACKET_MAX));
    g_auto(GStrv) words = g_strsplit(text, " ", 3);
    g_autofree char *again = NULL;
    guint id;

    if (g_strv_length(words) != 3 || !g_str_equal(words[0], "vpd") || !parseId(words[1], &id) || !*words[2] ||
        !isPrintable(words[2]))
        return false;
    again = virtBrokerVPDFormat(id, words[2]);
    if (strlen(again) != len || memcmp(again, packet, len) != 0)
        return false;
    *ret_id = id;
    *ret_capability = g_steal_pointer(&words[2]);
    return true;
}

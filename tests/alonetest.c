/* alonetest.c: what is done in a process of its own, and what becomes of that
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "util/viralone.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WITHIN 60000 /* milliseconds: of what comes back */
#define SHORT 20     /* of what does not */

/* Has this process no other of its own, not even one that has ended? */
static bool
isWithoutChildren(void)
{
    return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static void
sayText(int answer, void *text)
{
    g_assert_cmpint(write(answer, text, strlen(text)), ==, strlen(text));
}

static void
testAnswer(void)
{
    g_autoptr(GByteArray) answer = g_byte_array_new();

    g_byte_array_append(answer, (const guint8 *)"to ", 3);
    g_assert_cmpint(virtAloneRun(WITHIN, sayText, (gpointer) "be", answer), ==, 0);
    g_assert_cmpmem(answer->data, answer->len, "to be", 5);
    g_assert_true(isWithoutChildren());
}

static void
dieSaying(int answer, void *text)
{
    sayText(answer, text);
    kill(getpid(), SIGKILL);
}

/* What it has said by then is all. */
static void
testKilled(void)
{
    g_autoptr(GByteArray) answer = g_byte_array_new();

    g_assert_cmpint(virtAloneRun(WITHIN, dieSaying, (gpointer) "a", answer), ==, 0);
    g_assert_cmpmem(answer->data, answer->len, "a", 1);
    g_assert_true(isWithoutChildren());
}

/* What does not come back, but says who it is. */
static void
stay(int answer, void *opaque)
{
    gint *pid = opaque;

    (void)answer;
    g_atomic_int_set(pid, (gint)getpid());
    for (;;)
        pause();
}

/* End a process that was left behind, when it has begun, without taking note of that. */
static void
kill9(const gint *pid)
{
    siginfo_t info;

    while (g_atomic_int_get(pid) == 0)
        g_usleep(1000);
    g_assert_cmpint(kill((pid_t)*pid, SIGKILL), ==, 0);
    g_assert_cmpint(waitid(P_PID, (id_t)*pid, &info, WEXITED | WNOWAIT), ==, 0);
}

/* They are left behind, and a later call takes note of their end. */
static void
testLeft(void)
{
    g_autoptr(GByteArray) answer = g_byte_array_new();
    gint *pids = mmap(NULL, 2 * sizeof(gint), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    g_assert_true(pids != MAP_FAILED);
    for (guint i = 0; i < 2; i++)
        g_assert_cmpint(virtAloneRun(SHORT, stay, &pids[i], answer), ==, -ETIMEDOUT);
    for (guint i = 0; i < 2; i++)
        kill9(&pids[i]);
    g_assert_false(isWithoutChildren());
    g_assert_cmpint(virtAloneRun(WITHIN, sayText, (gpointer) "", answer), ==, 0);
    g_assert_true(isWithoutChildren());
    munmap(pids, 2 * sizeof(gint));
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/alone/answer", testAnswer);
    g_test_add_func("/alone/killed", testKilled);
    g_test_add_func("/alone/left", testLeft);
    return g_test_run();
}

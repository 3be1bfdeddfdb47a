/* cmd_top_screen.c: the terminal of virt-hostdev top: drawn over, waited at, and given back as it was
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Control sequences are those of ECMA-48 that every terminal emulator has; no database of terminals is needed for them.
 */
#include "tools/cmd_top.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define CLEAR "\033[2J"
#define HOME "\033[H"
#define CLEAR_REST_OF_LINE "\033[K"
#define CLEAR_BELOW "\033[J"
/* Without a cursor, and with long lines cut at the margin; and as before. */
#define TAKE "\033[?25l\033[?7l"
#define GIVE_BACK "\033[?7h\033[?25h"

/* Where the terminal does not say: that of a VT100. */
#define ROWS 24
#define COLUMNS 80

struct _virtTopScreen {
    bool hasKeys; /* standard input is a terminal as well */
};

/* For the signal handler too. */
static struct termios saved;
static volatile sig_atomic_t isSaved;

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};

static void
giveBack(void)
{
    static const char text[] = GIVE_BACK "\n";

    if (write(STDOUT_FILENO, text, sizeof(text) - 1) < 0 && errno == EBADF)
        return;
    if (isSaved)
        tcsetattr(STDIN_FILENO, TCSANOW, &saved);
    isSaved = 0;
}

/* Whatever is waited for, a lock of a PF perhaps: end here. write() and tcsetattr() may be called (signal-safety(7)).
 */
static void
endBySignal(int number)
{
    giveBack();
    signal(number, SIG_DFL);
    raise(number);
}

/* Keys come one by one and are not shown; ^C still is a signal. */
static bool
takeKeys(void)
{
    struct termios raw;

    if (!isatty(STDIN_FILENO) || tcgetattr(STDIN_FILENO, &saved) < 0)
        return false;
    isSaved = 1;
    raw = saved;
    raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    return tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
}

/* NULL where standard output is not a terminal. */
virtTopScreen *
virtTopScreenOpen(void)
{
    struct sigaction action = {.sa_handler = endBySignal};
    virtTopScreen *screen;

    if (!isatty(STDOUT_FILENO))
        return NULL;
    screen = g_new0(virtTopScreen, 1);
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        sigaction(signals[i], &action, NULL);
    screen->hasKeys = takeKeys();
    fputs(TAKE CLEAR, stdout);
    fflush(stdout);
    return screen;
}

void
virtTopScreenClose(virtTopScreen *screen)
{
    if (!screen)
        return;
    giveBack();
    for (guint i = 0; i < G_N_ELEMENTS(signals); i++)
        signal(signals[i], SIG_DFL);
    g_free(screen);
}

void
virtTopScreenGetSize(const virtTopScreen *screen, guint *ret_rows, guint *ret_columns)
{
    struct winsize size;

    *ret_rows = G_MAXUINT;
    *ret_columns = G_MAXUINT;
    if (!screen)
        return;
    *ret_rows = ROWS;
    *ret_columns = COLUMNS;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
        *ret_rows = size.ws_row;
        *ret_columns = size.ws_col;
    }
}

/* @text: lines; on a terminal, in place of those before. It is not cleared first, which would flicker. */
void
virtTopScreenDraw(const virtTopScreen *screen, const char *text)
{
    g_auto(GStrv) lines = NULL;

    if (!screen) {
        fputs(text, stdout);
    } else {
        lines = g_strsplit(text, "\n", -1);
        fputs(HOME, stdout);
        for (guint i = 0; lines[i] && lines[i + 1]; i++)
            printf("%s" CLEAR_REST_OF_LINE "\n", lines[i]);
        fputs(CLEAR_BELOW, stdout);
    }
    fflush(stdout);
}

/* Returns false when q was pressed. Other keys do not shorten the time. */
bool
virtTopScreenWait(const virtTopScreen *screen, double seconds)
{
    gint64 until = g_get_monotonic_time() + (gint64)(seconds * G_USEC_PER_SEC);
    struct pollfd fd = {.fd = -1, .events = POLLIN};
    gint64 left;

    if (screen && screen->hasKeys)
        fd.fd = STDIN_FILENO;
    while ((left = until - g_get_monotonic_time()) > 0) {
        char key;

        if (poll(&fd, 1, (int)(left / 1000) + 1) <= 0)
            continue;
        if (read(fd.fd, &key, 1) <= 0)
            fd.fd = -1; /* the terminal is gone: SIGHUP is on its way */
        else if (key == 'q' || key == 'Q')
            return false;
    }
    return true;
}

/* cmd_top.h: the terminal of virt-hostdev top
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

/* cmd_top_screen.c. NULL is standard output where it is no terminal: what is drawn follows what was drawn before. */
typedef struct _virtTopScreen virtTopScreen;

virtTopScreen *virtTopScreenOpen(void);
void virtTopScreenClose(virtTopScreen *screen);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtTopScreen, virtTopScreenClose)
void virtTopScreenGetSize(const virtTopScreen *screen, guint *ret_rows, guint *ret_columns);
void virtTopScreenDraw(const virtTopScreen *screen, const char *text);
bool virtTopScreenWait(const virtTopScreen *screen, double seconds);

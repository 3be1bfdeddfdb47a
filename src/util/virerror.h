/* virerror.h: the error rule of this project
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A function that can fail returns bool or a pointer and takes GError **error last. The layer that knows what
 * went wrong sets the whole sentence: what, which device and port, why, what to do. A layer above may prefix
 * one context; the edge (hook, tool, daemon) reports once.
 */
#pragma once

#include <glib.h>

typedef enum {
    VIRT_ERROR_INVALID,   /* what the caller gave: a document, an address, a value */
    VIRT_ERROR_HOST,      /* the host cannot: no such device, PF down, a file unreadable */
    VIRT_ERROR_REFUSED,   /* the kernel or a driver refused or ignored a setting */
    VIRT_ERROR_BUSY,      /* somebody else owns it */
    VIRT_ERROR_NOT_FOUND, /* nothing there, and the caller may not mind */
    VIRT_ERROR_TOO_LARGE, /* a document that is longer, deeper or wider than any that is read or written */
} virtErrorCode;

#define VIRT_ERROR (virtErrorQuark())
GQuark virtErrorQuark(void);

/* hook.h: what the program that libvirt runs hands to the part that is loaded when there is something to do
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include <stddef.h>

#define VIRT_HOOK_MODULE "libvirthostdevhook.so"
#define VIRT_HOOK_RUN "virtHookRun"

typedef struct {
    char *xml;   /* what libvirt has written, and a NUL; NULL: it could not be read */
    size_t len;  /* of more than VIRT_XML_WRITTEN_MAX bytes one more has been read than that */
    int problem; /* errno, why it could not */
} virtHookInput;

int virtHookRun(int argc, char **argv, const virtHookInput *input);

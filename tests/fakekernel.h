/* fakekernel.h: the rtnetlink of a fakeHost
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "fakehost.h"

typedef struct {
    char *name;
    guint ports, vfs;
    char **ifnames; /* of each port, as it was made */
    char **renamed; /* what it is called now, or NULL */
    guint *ifindex;
    char **vfNames; /* PCI addresses */
    guint *only;    /* of each VF: the one port that it has; 0: all */
    fakeVF *table;  /* port by port: (port - 1) * vfs + vf */
} fakePF;

int fakeKernelRequest(virtHost *host, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason);
int fakeKernelChange(fakeHost *fake, fakePF *pf, guint port, guint vf, virtNetdevAttr attr, const fakeVF *wanted);

/* fakedevlink.c */
int fakeDevlinkRequest(virtHost *host, const char *family, struct nl_msg *request, struct nl_msg **ret_reply,
                       char **ret_reason);
int fakeDevlinkDump(virtHost *host, const char *family, struct nl_msg *request, GPtrArray *replies, char **ret_reason);

/* fakesubfunction.h: the sub-functions of a fakeHost: their ports, their devices, and what those do
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A port becomes attached or detached when it has been asked about once more. A device is a parent of vDPA devices when
 * its parameter is on; with the knob sfIdle only after a reload, as with mlx5 since Linux 6.5.
 *
 * All state is in files, so that a process that a test forks off changes the same.
 */
#pragma once

#include "fakehost.h"

struct nl_msg;

/* As an administrator would: made, and active where it is @attached. */
void fakeSubfunctionMake(fakeHost *fake, const char *pf, guint32 number, bool attached);
/* All are as if there never had been one. */
void fakeSubfunctionReset(fakeHost *fake, const char *pf);
/* Each one's number, MAC address and state; the caller frees it. */
char *fakeSubfunctionDump(fakeHost *fake, const char *pf);

bool fakeSubfunctionKnows(struct nl_msg *request);
int fakeSubfunctionRequest(fakeHost *fake, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason);
void fakeSubfunctionList(fakeHost *fake, const char *pf, GPtrArray *replies);

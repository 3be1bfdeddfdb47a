/* fakevdpa.h: vDPA of a fakeHost: management devices, and the devices that they make as they are told
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     fakeVdpaAddParent(fake, "vdpasim_net", 1 << 1, 3, 0x300020020, 1 << 10 | 1 << 13 | 1 << 20);
 *     fakeVdpaLoad(fake, "vhost_vdpa");
 *
 * All state is in files, so that a process that a test forks off changes the same.
 */
#pragma once

#include "fakehost.h"

/* @classes: a bit for each virtio id that it makes
 * @takes: a bit for each attribute (of linux/vdpa.h) that may be given to a device */
void fakeVdpaAddParent(fakeHost *fake, const char *name, guint64 classes, guint queues, guint64 features,
                       guint64 takes);
/* Load a driver of the bus: the first takes each new device. */
void fakeVdpaLoad(fakeHost *fake, const char *driver);
/* As an administrator would; @mac: text, or NULL. */
void fakeVdpaMake(fakeHost *fake, const char *parent, const char *name, const char *mac);
void fakeVdpaRemove(fakeHost *fake, const char *name);
void fakeVdpaSetMac(fakeHost *fake, const char *name, const char *mac);
/* Each device, what it is and its driver, and the links to nodes; the caller frees it. */
char *fakeVdpaDump(fakeHost *fake);
/* The process @pid has the device's node open. */
void fakeVdpaHold(fakeHost *fake, const char *name, guint pid);

int fakeVdpaRequest(fakeHost *fake, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason);
int fakeVdpaList(fakeHost *fake, struct nl_msg *request, GPtrArray *replies);
/* What the bus does when @text has been written to @path. */
int fakeVdpaWritten(fakeHost *fake, const char *path, const char *text);

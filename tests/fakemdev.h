/* fakemdev.h: mediated devices of a fakeHost: parents in its sysfs, which make and remove devices as they are told
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     fakeMdevAddParent(fake, "mtty");
 *     fakeMdevAddType(fake, "mtty", "mtty-1", 24);
 *
 * All state is in files, so that a process that a test forks off changes the same.
 */
#pragma once

#include "fakehost.h"

/* A PCI device that there is, or another name: then one of a class of that name, as the kernel's samples are. */
void fakeMdevAddParent(fakeHost *fake, const char *name);
void fakeMdevAddType(fakeHost *fake, const char *parent, const char *type, guint instances);
/* Each device of @type that is made from now on has the attribute @name. One that begins with "wo-" can only be
 * written, one that begins with "ro-" keeps its value, and one with "hex-" shows 16 as 0x10. */
void fakeMdevAddAttr(fakeHost *fake, const char *parent, const char *type, const char *name, const char *value);

/* As an administrator would. */
void fakeMdevMake(fakeHost *fake, const char *parent, const char *type, const char *uuid);
void fakeMdevRemove(fakeHost *fake, const char *uuid);
/* Each device and its attributes, and what is free of each type; the caller frees it. */
char *fakeMdevDump(fakeHost *fake);
/* The process @pid has the device's group open. */
void fakeMdevHold(fakeHost *fake, const char *uuid, guint pid);

/* What the kernel does when @text is written to @path. Returns 0 or -errno. */
int fakeMdevWritten(fakeHost *fake, const char *path, const char *text);
int fakeMdevWrite(virtHost *host, const char *path, const char *value, guint within);
int fakeMdevTryOpen(virtHost *host, const char *path);

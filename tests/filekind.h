/* filekind.h: two more kinds of settings, which exist only in tests: each makes a file, and removes it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a new kind of device takes, at its smallest; docs/architecture.rst goes through it step by step. A program that
 * is linked with this file has its tables instead of setting_kinds.c, setting_tags.c and providers.c, and nothing else
 * of it is another: the engine, the hook, the daemon and the commands do not know that there is a new kind.
 *
 *   <hostdev mode='subsystem' type='mdev'>              <mark text='hello'/> in a <hostdev type='pci'> is the same, set
 *     <source><address uuid='…'/></source>              after the netdevs and put back before them, when the guest has
 *     <file text='hello'/>                              ended; <file> goes back when libvirt has let go of the device
 *   </hostdev>
 *
 * A setting of the device DEVICE is the file /run/test-provider/KIND-DEVICE, whose content is the text.
 */
#pragma once

#include "conf/netdev_conf.h"

#define FILE_TEXT_LEN 40 /* bytes, with the NUL */

/* Existence is a setting like any other. */
enum { FILE_EXISTS, FILE_TEXT, FILE_ATTR_LAST };

typedef struct {
    virtSetting setting;
    guint8 exists;
    char text[FILE_TEXT_LEN];
} fileSetting;

extern const virtSettingKind fileMarkKind;
extern const virtSettingKind fileFileKind;

/* virmdev.h: a mediated device as a setting: whether it exists, as what, and with which attributes
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a user writes as <mdev>, what <metadata> and records hold, and what is read from sysfs. A device that does not
 * exist has no type: to restore that is to remove it.
 */
#pragma once

#include "util/virsetting.h"

#define VIRT_MDEV_NAME_MAX 63   /* bytes of the name of a parent, a type or an attribute */
#define VIRT_MDEV_VALUE_MAX 255 /* bytes of an attribute's value */
#define VIRT_MDEV_ATTRS_MAX 32  /* attributes: twice this many still fit a state file */

typedef enum {
    VIRT_MDEV_TYPE, /* with the parent: an existing device can change neither */
    VIRT_MDEV_ATTRS,
    VIRT_MDEV_ATTR_LAST
} virtMdevAttr;

/* One file of the device in sysfs. The same name may be given twice: some drivers take one value after the other. */
typedef struct {
    char name[VIRT_MDEV_NAME_MAX + 1]; /* "nvidia/vgpu_params": relative to the device */
    char value[VIRT_MDEV_VALUE_MAX + 1];
    bool unread; /* of what is read: the driver does not show it, or a later one has its name */
} virtMdevValue;

/* Plain data: copied by assignment, freed by g_free. */
typedef struct {
    virtSetting setting;
    struct {
        char parent[VIRT_MDEV_NAME_MAX + 1]; /* as it was written; "": the device does not exist */
        char type[VIRT_MDEV_NAME_MAX + 1];   /* "mtty-1" */
        guint64 free; /* instances that the parent has left, for people; 0: not known. Says nothing of the device */
    } made;
    struct {
        guint count;
        virtMdevValue of[VIRT_MDEV_ATTRS_MAX];
    } attrs;
} virtMdev;

extern const virtSettingInfo virtMdevInfo;

bool virtMdevExists(const virtMdev *mdev);
bool virtMdevIsAttribute(const char *name);
bool virtMdevValueIs(const char *one, const char *other);

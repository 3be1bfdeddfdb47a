/* virsetting.h: what all kinds of settings of a device have in common
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A kind ("netdev") is a struct that begins with a virtSetting, and a table of its attributes. What reads, compares,
 * records and restores settings needs no more than that table.
 */
#pragma once

#include <glib.h>
#include <stdbool.h>

#define VIRT_SETTING_PROFILE_MAX 63 /* bytes: what the name of a file may have, as a pool's */

/* Plain data: copied by assignment, freed by g_free. */
typedef struct {
    guint number;  /* which of the device's things this is about: a port; 0: the device has one, or says which */
    guint present; /* a bit for each attribute that is given; others are not touched */
    guint unknown; /* of these, what is shown, but whether anybody has set it cannot be told: never written as it
                    * stands. Only in what is read, and in what a record remembers of that */
    char profile[VIRT_SETTING_PROFILE_MAX + 1]; /* which profile gives it; "": the user himself */
} virtSetting;

#define VIRT_SETTING_BIT(attr) (1u << (attr))

/* One row an attribute: all that the layers below XML know of it. A value of zero bytes is "none". */
typedef struct {
    const char *name;                                /* in plans, JSON and logs: "vlan" */
    const char *title;                               /* in sentences: "VLAN" */
    const char *remedy;                              /* what a user can do when it is refused: a sentence */
    const char *fixed;                               /* why it cannot change under a running guest; NULL: it can */
    size_t offset, size;                             /* of the value in the kind's struct */
    bool (*equal)(gconstpointer a, gconstpointer b); /* NULL: the bytes are */
    char *(*format)(gconstpointer setting);          /* for people: "42 (priority 3, 802.1ad)" or "none" */
    bool (*isNone)(gconstpointer setting); /* is it wanted to be none, which counts as done where it cannot be taken
                                            * away? NULL: nobody can want that */
} virtSettingAttr;

typedef struct {
    const char *name;             /* of one: "netdev", which is its element's name too */
    size_t size;                  /* of its struct */
    const virtSettingAttr *attrs; /* by their bits */
    guint count;                  /* of attrs */
} virtSettingInfo;

gpointer virtSettingNew(const virtSettingInfo *info, guint number);
gpointer virtSettingCopy(const virtSettingInfo *info, gconstpointer setting);
bool virtSettingHas(gconstpointer setting, guint attr);
bool virtSettingIsUnknown(gconstpointer setting, guint attr);
bool virtSettingIsNone(const virtSettingInfo *info, gconstpointer setting, guint attr);
void virtSettingCopyAttr(const virtSettingInfo *info, gpointer to, gconstpointer from, guint attr);
void virtSettingClearAttr(const virtSettingInfo *info, gpointer setting, guint attr);
bool virtSettingEqualAttr(const virtSettingInfo *info, gconstpointer a, gconstpointer b, guint attr);
guint virtSettingDiff(const virtSettingInfo *info, gconstpointer wanted, gconstpointer present);
guint virtSettingFixed(const virtSettingInfo *info);

/* Lists: GPtrArray of one kind's structs, sorted by number. */
GPtrArray *virtSettingListNew(void);
GPtrArray *virtSettingListCopy(const virtSettingInfo *info, const GPtrArray *list);
gpointer virtSettingListFind(const GPtrArray *list, guint number);
gpointer virtSettingListMatch(const GPtrArray *list, guint number);
void virtSettingListSort(GPtrArray *list);
bool virtSettingListEqual(const virtSettingInfo *info, const GPtrArray *a, const GPtrArray *b);
char *virtSettingJoinNumbers(const GArray *numbers, const char *last);

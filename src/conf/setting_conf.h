/* setting_conf.h: the kinds of settings that a device may have, and what a document says of all of them
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Private to no layer: those above conf know the kinds through this table alone.
 */
#pragma once

#include "conf/xml_check.h"
#include "conf/xml_tree.h"
#include "util/virsetting.h"

#define VIRT_NS "urn:libvirt-hostdev:1"

/* What a document may say: a user's is held to the ranges of docs/formatdomain.rst, a state file may also
 * hold what hardware says ("no VLAN" is <tag id='0'/>, "no admin MAC" is 00:00:00:00:00:00). */
typedef enum {
    VIRT_SETTING_PARSE_USER,
    VIRT_SETTING_PARSE_ENTRY, /* a user's, in our metadata: the one of an <interface> may leave its number to the device
                               */
    VIRT_SETTING_PARSE_STATE,
} virtSettingMode;

/* How one is written. */
typedef enum {
    VIRT_SETTING_FORMAT_ALL,
    VIRT_SETTING_FORMAT_WRITTEN, /* without what no document has a word for */
    VIRT_SETTING_FORMAT_SHOWN,   /* the same, as a child of <hostdev>, which says all that it may leave to the device */
} virtSettingForm;

/* One kind, whose element is named as its info is. */
typedef struct {
    const virtSettingInfo *info;
    const char *bus; /* of the devices that it is for: "pci" */
    bool several;    /* a device may have more than one */
    bool makes;      /* it makes the device, of a <hostdev> where managed='yes' asks for that: without an address,
                      * that is one that has not been used before */
    bool bound;      /* the device keeps the host's driver: managed='yes' and settings of other kinds are refused */
    /* All children of that name of @parent, sorted; an empty list where there are none. NULL with the reason. */
    GPtrArray *(*parse)(const virtXmlDoc *doc, const virtXmlNode *parent, virtSettingMode mode, GError **error);
    void (*format)(GString *out, gconstpointer setting, virtSettingForm form, const virtXmlLayout *layout);
    /* Has @list, which metadata has of the device at @node, say what libvirt's own words there say by now. NULL: it has
     * none for anything of that. */
    bool (*complete)(const virtXmlDoc *doc, const virtXmlNode *node, GPtrArray *list, GError **error);
} virtSettingKind;

/* The rows' order is that in which they are set; they go back in reverse. Ends with NULL. */
extern const virtSettingKind *const virtSettingKinds[]; /* setting_kinds.c */
extern const char *const virtSettingTags[];             /* setting_tags.c: how their elements begin; ends with NULL */

/* Rows that others know by their number. */
enum { VIRT_SETTING_NETDEV, VIRT_SETTING_VDPA = 4 };

#define VIRT_SETTING_KINDS_MAX 8 /* rows */

/* All that one device has: a list a row, never NULL up to the last row; all NULL where it was never read. */
typedef struct {
    GPtrArray *of[VIRT_SETTING_KINDS_MAX];
} virtSettings;

void virtSettingsInit(virtSettings *settings);
void virtSettingsClear(virtSettings *settings);
void virtSettingsCopy(virtSettings *to, const virtSettings *from);
void virtSettingsShare(virtSettings *to, const virtSettings *from);
bool virtSettingsAreEmpty(const virtSettings *settings);
bool virtSettingsAreEqual(const virtSettings *a, const virtSettings *b);
bool virtSettingsParse(const virtXmlDoc *doc, const virtXmlNode *parent, virtSettingMode mode, virtSettings *ret,
                       GError **error);
void virtSettingsFormat(GString *out, const virtSettings *settings, virtSettingForm form, const virtXmlLayout *layout);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(virtSettings, virtSettingsClear)

bool virtSettingParseProfile(const virtXmlDoc *doc, const virtXmlNode *node, virtSetting *setting, GError **error);

const virtSettingKind *virtSettingKindFind(const virtXmlNode *node);
const virtXmlNode *virtSettingKindFindIn(const virtXmlNode *parent);
char *virtSettingKindListChildren(void);

/* virnetdevquirk.h: what drivers do otherwise than one would think, and what is done about it: one table
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virnetdev.h"
#include "util/virpci.h"

typedef enum {
    VIRT_QUIRK_WAIT,    /* refused for the moment: ask again, for up to @patience */
    VIRT_QUIRK_INSTEAD, /* write @instead */
    VIRT_QUIRK_LIFT,    /* take @behind away, write, put it back */
    VIRT_QUIRK_NOTE,    /* nothing to look up: every driver is treated as @remedy says */
} virtNetdevQuirkAction;

/* One quirk. Whoever shows it is treated so, whatever the driver's name: drivers change, and cards are sold with
 * drivers of their own. */
typedef struct {
    const char *name;    /* in docs and in the lab: "vlan-behind-rate" */
    const char *drivers; /* of which it is known, for people */
    virtNetdevQuirkAction action;
    guint attrs;           /* VIRT_NETDEV_BITs: which settings it concerns */
    int refusal[2];        /* WAIT, INSTEAD, LIFT: errnos of the refused write, positive; 0 no further one */
    bool ofNone;           /* only where "none" was to be written */
    virtNetdevAttr behind; /* LIFT: the setting in the way; only while it is not none */
    virtNetdev instead;    /* INSTEAD: has the value */
    bool same;             /* INSTEAD: that value means "none" too, also where it is read */
    guint patience;        /* WAIT: milliseconds */
    const char *behaviour; /* what the drivers do */
    const char *remedy;    /* what is done about it */
    const char *source;    /* where the fact is from; paths are of Linux 6.12, below drivers/net/ethernet */
} virtNetdevQuirk;

extern const virtNetdevQuirk virtNetdevQuirks[]; /* ends with a row without a name */

guint virtNetdevQuirkPatience(int rc, guint attrs);
const virtNetdevQuirk *virtNetdevQuirkFind(virtNetdevAttr attr, int rc, const virtNetdev *wanted,
                                           const virtNetdev *present);
bool virtNetdevQuirkHas(const char *name, const char *driver);
bool virtNetdevQuirkMeansNone(virtNetdevAttr attr, const virtNetdev *read);
bool virtNetdevQuirkNeedsProbe(const GPtrArray *vfPorts, const GPtrArray *before, const GPtrArray *wanted);

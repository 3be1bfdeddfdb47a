/* provider.h: how one kind of settings reaches the host: the table that the engine goes by
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The engine (provision*.c) knows what a start, a restore, an update, a plan and a look for drift are. A provider knows
 * a kind: how its devices are found, what they say now, and how they are made to say something else. Nothing of a kind
 * is known outside its provider.
 */
#pragma once

#include "conf/domain_conf.h"
#include "conf/record_conf.h"
#include "util/virhost.h"

typedef struct _virtProvider virtProvider;

/* One device, as one provider sees it, and what is to be made of it. */
typedef struct {
    const virtProvider *provider;
    guint kind; /* row of virtSettingKinds and virtProviders */
    virtHandle handle;
    virtHandle parent; /* whose lock serialises changes: the PF */
    gint index;        /* of the VF there. Those between two that are in their places are in theirs, as SR-IOV's VF
                        * stride has it. -1: the parent does not count */
    gpointer device;   /* the provider's own */

    GPtrArray *wanted;  /* the kind's settings: what each gives is set, nothing else is touched. In a restore, what was
                         * there  before */
    GPtrArray *present; /* what the same numbers, and those of @candidates, say now. NULL: not read */
    GArray *candidates; /* guint: numbers, one of which is meant by the only one wanted, and nobody says which, so that
                         * the first is tried. NULL: it is certain */
    bool leave;         /* libvirt binds it to another driver: the one that it had need not have it back */
    bool fromNetwork;   /* libvirt has taken the device from a network, and set some of it */
    guint redirectedTo; /* where a try has shown that another of them is meant; undone there. 0: no */
} virtTarget;

/* When what was set is restored; in this order. */
typedef enum {
    VIRT_RESTORE_STOPPED,  /* when the guest has ended: libvirt still has the device */
    VIRT_RESTORE_RELEASED, /* when libvirt has let go of it */
} virtRestoreStage;

/* One row. A function may be NULL where it says so; "which" are settings whose numbers count, and nothing else. */
struct _virtProvider {
    const virtSettingKind *kind;
    virtRestoreStage restoreAt;

    /* Finds out what has to be known of @target->handle to take its parent's lock: parent and index, and of device what
     * isStill() needs. */
    bool (*locate)(virtHost *host, virtTarget *target, GError **error);
    /* Finds the device of @target->handle, with the lock held, for @owner's settings: fills in parent, index and
     * device. What is wanted is there already, as a document or a record says it. */
    bool (*open)(virtHost *host, const virtOwner *owner, virtTarget *target, GError **error);
    void (*close)(virtTarget *target);
    /* Is it still in its place, now that the parent's lock is held? NULL: it cannot move. */
    bool (*isStill)(virtHost *host, const virtTarget *target, GError **error);
    /* Whether the device of @record, and with it all settings, has gone. NULL: absent is a setting like any other. */
    bool (*isGone)(virtHost *host, const virtRecord *record, bool *ret, GError **error);

    /* Completes what is wanted with what only the device can tell: gives it its numbers, where a document leaves them
     * to the device, and sets @target->candidates where it cannot tell; replaces @target->wanted. NULL: there is
     * nothing to complete. */
    void (*resolve)(virtHost *host, const virtOwner *owner, virtTarget *target);
    /* The same for a device whose record has @recorded: returns what is wanted, for g_ptr_array_unref(). NULL: as is.
     */
    GPtrArray *(*follow)(const GPtrArray *wanted, const GPtrArray *recorded);

    /* Can @setting be used there at all, by what open() has found? */
    bool (*check)(const virtTarget *target, gconstpointer setting, GError **error);
    /* May the device be taken from whatever on the host uses it? NULL: nothing can. */
    bool (*checkHost)(virtHost *host, const virtTarget *target, GError **error);
    /* Can this host's kernel do what is @wanted, whoever has the device now? NULL: only the device itself tells. */
    bool (*checkKernel)(virtHost *host, const virtHandle *handle, const GPtrArray *wanted, GError **error);
    /* Can a guest use what is @wanted with the driver that has the device for it by now? NULL: with any. */
    bool (*checkTaken)(virtHost *host, const virtHandle *handle, const GPtrArray *wanted, GError **error);
    /* Can libvirt of @version (as virConnectGetLibVersion() says it) give a device, @managed by it or not, a driver
     * with which a guest can use what is @wanted? NULL: each that is supported can. */
    bool (*checkLibvirt)(const GPtrArray *wanted, bool managed, unsigned long version, GError **error);
    /* Has the device all that the numbers of @wanted speak of? Asked after it was read. NULL: it has one of each. */
    bool (*checkNumbers)(virtHost *host, const virtTarget *target, const GPtrArray *wanted, GError **error);

    /* What is there now, a setting for each of @which, with all attributes that can be told. */
    GPtrArray *(*read)(virtHost *host, const virtTarget *target, const GPtrArray *which, GError **error);
    /* Makes all of @targets what is wanted of them, and reads back that they are. Stops at the first failure; what was
     * set until then stays. */
    bool (*set)(virtHost *host, virtTarget *const *targets, guint n, GError **error);
    /* Makes many what is wanted, as far as that goes together; restore() then completes it. NULL: nothing does. */
    void (*tryRestoreMany)(virtHost *host, virtTarget *const *targets, guint n);
    /* Makes the device what @before says, as far as it can, and reads that back. */
    bool (*restore)(virtHost *host, const virtTarget *target, const GPtrArray *before, GError **error);
    /* What the host's driver still needs before it sees what was restored. NULL: nothing.
     * @resumed: an earlier try may have been cut off in it */
    bool (*afterRestore)(virtHost *host, const virtRecord *record, bool resumed, GError **error);

    /* Why @attr of @wanted would be refused, where that is known without trying; else NULL. NULL: never. */
    char *(*foresee)(virtHost *host, const virtTarget *target, gconstpointer wanted, gconstpointer present, guint attr);
    /* What else a change means for the device, as the end of "yes, …"; the caller frees it. NULL: nothing. */
    char *(*foreseeEffect)(virtHost *host, const virtTarget *target);
    /* Of @bits, attributes that differ from what was set, those that somebody else has changed. NULL: all.
     * @before: what the record remembers, or NULL */
    guint (*findDrift)(virtHost *host, const virtTarget *target, gconstpointer wanted, gconstpointer before,
                       gconstpointer present, guint bits);
    /* Of a device that libvirt has taken from a network: which of @present libvirt has set, and so restores, itself.
     * NULL: nothing. */
    guint (*findOfLibvirt)(const virtTarget *target, gconstpointer present);
    /* Says what will become of that of @before which cannot be told. NULL: everything can.
     * @wanted: NULL where it is set already */
    void (*warnUnknown)(virtHost *host, const virtTarget *target, gconstpointer before, gconstpointer wanted);

    /* "port 1 (VF 3 of 0000:06:00.0, 0000:06:02.0)"; of number 0, "0000:06:02.0 (VF 3 of 0000:06:00.0)". */
    char *(*describe)(const virtTarget *target, guint number);
    /* The netdev on the host through which @number is set, for lists; the caller frees it. NULL: there is none. */
    char *(*getNetdev)(const virtTarget *target, guint number);
};

/* The same rows as virtSettingKinds; ends with NULL. */
extern const virtProvider *const virtProviders[]; /* providers.c */

/* provider.c */
virtTarget *virtTargetLocate(virtHost *host, guint kind, const virtHandle *handle, const GPtrArray *wanted,
                             GError **error);
virtTarget *virtTargetOpen(virtHost *host, const virtOwner *owner, guint kind, const virtHandle *handle,
                           const GPtrArray *wanted, GError **error);
void virtTargetFree(virtTarget *target);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtTarget, virtTargetFree)
char *virtTargetDescribe(const virtTarget *target, guint number);
const virtSettingInfo *virtTargetInfo(const virtTarget *target);
GPtrArray *virtTargetRead(virtHost *host, const virtTarget *target, const GPtrArray *which, GError **error);
bool virtTargetSet(virtHost *host, virtTarget *target, GError **error);
bool virtTargetCheckHost(virtHost *host, const virtTarget *target, GError **error);
bool virtTargetIsStill(virtHost *host, const virtTarget *target, GError **error);
bool virtTargetCheckNumbers(virtHost *host, const virtTarget *target, const GPtrArray *wanted, GError **error);
void virtTargetWarnUnknown(virtHost *host, const virtTarget *target, gconstpointer before, gconstpointer wanted);
void virtTargetResolve(virtHost *host, const virtOwner *owner, virtTarget *target);
GPtrArray *virtTargetFollow(guint kind, const GPtrArray *wanted, const GPtrArray *recorded);

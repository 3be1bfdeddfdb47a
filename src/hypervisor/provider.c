/* provider.c: a device as one provider sees it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What may be missing in a provider's row is taken care of here, so that nobody else has to ask.
 */
#include "hypervisor/provider.h"

static virtTarget *
targetNew(guint kind, const virtHandle *handle, const GPtrArray *wanted)
{
    virtTarget *target = g_new0(virtTarget, 1);

    target->provider = virtProviders[kind];
    target->kind = kind;
    target->handle = *handle;
    target->index = -1;
    target->wanted = g_ptr_array_ref((GPtrArray *)wanted);
    return target;
}

/* The device at @handle as far as it has to be known to take its parent's lock. */
virtTarget *
virtTargetLocate(virtHost *host, guint kind, const virtHandle *handle, const GPtrArray *wanted, GError **error)
{
    g_autoptr(virtTarget) target = targetNew(kind, handle, wanted);

    if (!target->provider->locate(host, target, error))
        return NULL;
    return g_steal_pointer(&target);
}

/* The device at @handle, by the provider of @kind, which is to make @wanted of it for @owner. */
virtTarget *
virtTargetOpen(virtHost *host, const virtOwner *owner, guint kind, const virtHandle *handle, const GPtrArray *wanted,
               GError **error)
{
    g_autoptr(virtTarget) target = targetNew(kind, handle, wanted);

    if (!target->provider->open(host, owner, target, error))
        return NULL;
    return g_steal_pointer(&target);
}

void
virtTargetFree(virtTarget *target)
{
    if (!target)
        return;
    if (target->device)
        target->provider->close(target);
    g_clear_pointer(&target->wanted, g_ptr_array_unref);
    g_clear_pointer(&target->present, g_ptr_array_unref);
    g_clear_pointer(&target->candidates, g_array_unref);
    g_free(target);
}

/* @number of the device in words, or the device itself for 0; the caller frees it. */
char *
virtTargetDescribe(const virtTarget *target, guint number)
{
    return target->provider->describe(target, number);
}

/* The table of the kind's attributes. */
const virtSettingInfo *
virtTargetInfo(const virtTarget *target)
{
    return target->provider->kind->info;
}

GPtrArray *
virtTargetRead(virtHost *host, const virtTarget *target, const GPtrArray *which, GError **error)
{
    return target->provider->read(host, target, which, error);
}

/* Makes @target what is wanted of it, and reads back that it is. */
bool
virtTargetSet(virtHost *host, virtTarget *target, GError **error)
{
    return target->provider->set(host, &target, 1, error);
}

bool
virtTargetCheckHost(virtHost *host, const virtTarget *target, GError **error)
{
    return !target->provider->checkHost || target->provider->checkHost(host, target, error);
}

bool
virtTargetIsStill(virtHost *host, const virtTarget *target, GError **error)
{
    return !target->provider->isStill || target->provider->isStill(host, target, error);
}

bool
virtTargetCheckNumbers(virtHost *host, const virtTarget *target, const GPtrArray *wanted, GError **error)
{
    return !target->provider->checkNumbers || target->provider->checkNumbers(host, target, wanted, error);
}

void
virtTargetWarnUnknown(virtHost *host, const virtTarget *target, gconstpointer before, gconstpointer wanted)
{
    if (target->provider->warnUnknown)
        target->provider->warnUnknown(host, target, before, wanted);
}

/* Gives what is wanted its numbers; @target->wanted is the document's list until then. */
void
virtTargetResolve(virtHost *host, const virtOwner *owner, virtTarget *target)
{
    g_clear_pointer(&target->candidates, g_array_unref);
    if (target->provider->resolve)
        target->provider->resolve(host, owner, target);
}

/* What is @wanted of a device whose record has @recorded, with a number for each; for g_ptr_array_unref(). */
GPtrArray *
virtTargetFollow(guint kind, const GPtrArray *wanted, const GPtrArray *recorded)
{
    if (virtProviders[kind]->follow)
        return virtProviders[kind]->follow(wanted, recorded);
    return g_ptr_array_ref((GPtrArray *)wanted);
}

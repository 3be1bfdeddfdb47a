/* testrecord.h: records as tests ask for them: by a VF's address, and for its netdevs
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "hypervisor/provision_drift.h"

#define BEFORE(record) ((record)->before.of[VIRT_SETTING_NETDEV])
#define WANTED(record) ((record)->wanted.of[VIRT_SETTING_NETDEV])

static inline virtHandle
testHandle(const char *name)
{
    virtHandle handle;

    g_assert_true(virtHandleParse(name, &handle, NULL));
    return handle;
}

static inline virtRecord *
testRecordLoad(virtHost *host, const char *name, GError **error)
{
    const virtHandle handle = testHandle(name);

    return virtProvisionRecordLoad(host, &handle, error);
}

/* All that @owner has, as when its domain has gone. */
static inline bool
testRelease(virtHost *host, const virtOwner *owner, const GArray *listed, GError **error)
{
    return virtProvisionRelease(host, owner, listed, VIRT_RESTORE_RELEASED, error);
}

/* Make a device of a document the VF at @name. */
static inline void
testSetHandle(virtHandle *handle, const char *name)
{
    *handle = testHandle(name);
}

static inline virtPCIAddress
testAddress(const virtHandle *handle)
{
    virtPCIAddress address;

    g_assert_true(virtHandleGetPCI(handle, &address));
    return address;
}

/* Settings of netdevs that differ from what was set. */
static inline guint
testCountDrifted(const virtDrift *drift)
{
    guint n = 0;

    for (guint i = 0; drift->targets && i < drift->targets->len; i++)
        n += ((const virtTarget *)drift->targets->pdata[i])->wanted->len;
    return n;
}

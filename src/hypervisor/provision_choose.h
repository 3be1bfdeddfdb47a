/* provision_choose.h: which VF is it that a device of a domain asks for?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/affinity_conf.h"
#include "conf/domain_conf.h"
#include "conf/pool_conf.h"
#include "util/virhost.h"

#define VIRT_POOL_DIR "etc/libvirt/hostdev/pools"

/* What is known about whom a VF is for, beside what the host shows. */
typedef struct {
    const GArray *taken;          /* virtHandle: not to be given out; NULL: none */
    const GArray *named;          /* virtHandle: domains that do not run name them, so they come last; NULL: none */
    const virtAffinity *affinity; /* of the guest: a pool's VFs near to it come first; NULL: nobody knows */
    bool given; /* an address that is there was given by a user, and has to agree; else it may change */
    bool keep;  /* .. but only where it is no longer what is asked for, not where somebody else has it now */
} virtChooseMode;

bool virtProvisionChoose(virtHost *host, GArray *wishes, const virtChooseMode *mode, GError **error);
bool virtProvisionChooseCheck(virtHost *host, const char *domain, const GPtrArray *hostdevs, GError **error);

bool virtProvisionChooseHas(virtHost *host, const virtChoice *choice, const virtHandle *handle, bool *ret,
                            GError **error);

/* A kind of XML files that an administrator writes, each named after what it describes. */
typedef struct {
    const char *dir;  /* below the root */
    const char *noun; /* "pool", for messages and commands */
    guint max;        /* bytes of a file */
} virtProvisionStored;

extern const virtProvisionStored virtProvisionPools;

char *virtProvisionReadStored(virtHost *host, const virtProvisionStored *stored, const char *name, char **ret_path,
                              gsize *ret_len, GError **error);
GPtrArray *virtProvisionListStored(virtHost *host, const virtProvisionStored *stored, GError **error);
bool virtProvisionCheckStored(const virtProvisionStored *stored, const char *name, const char *path, const char *inside,
                              GError **error);

/* One VF of a pool. */
typedef struct {
    virtHandle handle;
    char *user; /* who has it, in words; NULL: nobody */
} virtPoolVF;

virtPool *virtProvisionPoolLoad(virtHost *host, const char *name, GError **error);
GPtrArray *virtProvisionPoolListVFs(virtHost *host, const virtPool *pool, GError **error);

/* provision_profile.h: which profiles are for the VFs of a domain?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/profile_conf.h"
#include "hypervisor/provision_choose.h"
#include "util/virhost.h"

#define VIRT_PROFILE_DIR "etc/libvirt/hostdev/profiles"

extern const virtProvisionStored virtProvisionProfiles;

char *virtProvisionProfileApply(virtHost *host, const char *xml, gsize len, const char *file, guint flags,
                                GError **error);
virtProfile *virtProvisionProfileLoad(virtHost *host, const char *name, GError **error);
bool virtProvisionProfileNext(virtHost *host, const char *after, const GArray *wishes, virtProfileUse **ret,
                              GError **error);

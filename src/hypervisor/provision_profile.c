/* provision_profile.c: which profiles are for the VFs of a domain?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * That is a question to the host: whose VF an address is. For which domains a profile is, and what it gives, its
 * document says to who has the domain's (conf/domain_profile.c). So only what concerns a domain's devices leaves here.
 *
 * A profile that cannot be read is an error of every domain with a VF: nobody knows whom it is for, and a guest without
 * its VLAN would be in another's network.
 */
#include "hypervisor/provision_profile.h"

#include <string.h>

#include "util/virerror.h"
#include "util/virpci.h"

const virtProvisionStored virtProvisionProfiles = {VIRT_PROFILE_DIR, "profile", VIRT_PROFILE_MAX};

static virtProfile *
load(virtHost *host, const char *name, char **ret_xml, GError **error)
{
    g_autofree char *path = NULL;
    g_autoptr(virtProfile) profile = NULL;
    gsize len;

    if (!(*ret_xml = virtProvisionReadStored(host, &virtProvisionProfiles, name, &path, &len, error)) ||
        !(profile = virtProfileParse(*ret_xml, len, path, error)) ||
        !virtProvisionCheckStored(&virtProvisionProfiles, name, path, profile->name, error))
        return NULL;
    return g_steal_pointer(&profile);
}

/* Read the profile @name.
 *
 * Errors: VIRT_ERROR_NOT_FOUND where there is none, VIRT_ERROR_INVALID where its file is wrong, VIRT_ERROR_HOST.
 */
virtProfile *
virtProvisionProfileLoad(virtHost *host, const char *name, GError **error)
{
    g_autofree char *xml = NULL;

    return load(host, name, &xml, error);
}

/* Is @handle a VF that @profile names? */
static bool
fitsDevice(virtHost *host, const virtProfile *profile, const virtHandle *handle, bool *ret, GError **error)
{
    virtPCIAddress address, pf;

    *ret = false;
    if (!virtHandleGetPCI(handle, &address)) /* who asks may name anything */
        return true;
    *ret = virtPCIFindPF(host, &address, &pf, NULL) && profile->devices->len == 0;
    for (guint i = 0; i < profile->devices->len && !*ret; i++) {
        const virtChoice *choice = &g_array_index(profile->devices, virtChoice, i);

        if (!virtProvisionChooseHas(host, choice, handle, ret, error)) {
            g_prefix_error(error, "Profile '%s': ", profile->name);
            return false;
        }
    }
    return true;
}

/* The indexes of those of @wishes that @profile is for; NULL with the reason where that cannot be told. */
static GArray *
listFits(virtHost *host, const virtProfile *profile, const GArray *wishes, GError **error)
{
    g_autoptr(GArray) fits = g_array_new(FALSE, FALSE, sizeof(guint));

    for (guint i = 0; i < wishes->len; i++) {
        bool does;

        if (!fitsDevice(host, profile, &g_array_index(wishes, virtWish, i).handle, &does, error))
            return NULL;
        if (does)
            g_array_append_val(fits, i);
    }
    return g_steal_pointer(&fits);
}

static virtProfileUse *
useNew(virtHost *host, const char *name, const GArray *wishes, GError **error)
{
    g_autoptr(virtProfileUse) use = g_new0(virtProfileUse, 1);

    if (!(use->profile = load(host, name, &use->xml, error)) ||
        !(use->fits = listFits(host, use->profile, wishes, error)))
        return NULL;
    return g_steal_pointer(&use);
}

/* Find the next profile, in the order of their names, that is for any of the VFs of @wishes (virtWish).
 *
 * @after: the name of the one before; "": the first is wanted
 * @ret: for virtProfileUseFree(); NULL: there is no other
 *
 * Errors: VIRT_ERROR_INVALID where a profile's file is wrong, or what it says of the device is ambiguous;
 * VIRT_ERROR_HOST.
 */
bool
virtProvisionProfileNext(virtHost *host, const char *after, const GArray *wishes, virtProfileUse **ret, GError **error)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GPtrArray) names = virtProvisionListStored(host, &virtProvisionProfiles, error);

    *ret = NULL;
    for (guint i = 0; names && i < names->len && !*ret; i++) {
        g_autoptr(virtProfileUse) use = NULL;

        if (strcmp(names->pdata[i], after) <= 0)
            continue;
        if (!(use = useNew(host, names->pdata[i], wishes, error)))
            return false;
        if (use->fits->len > 0)
            *ret = g_steal_pointer(&use);
    }
    return names != NULL;
}

/* Give the devices of a document, a domain's or a lone one, what the host's profiles say.
 *
 * @file: for messages, may be NULL
 * @flags: VIRT_DOMAIN_…
 *
 * Returns the text, for g_free(). Errors: those of virtProvisionProfileNext(), and VIRT_ERROR_INVALID.
 */
char *
virtProvisionProfileApply(virtHost *host, const char *xml, gsize len, const char *file, guint flags, GError **error)
{
    g_autoptr(GArray) devices = virtDomainListProfiled(xml, len, file, flags, error);
    g_autoptr(GPtrArray) uses = g_ptr_array_new_with_free_func((GDestroyNotify)virtProfileUseFree);
    virtProfileUse *use = NULL;
    const char *after = "";

    if (!devices)
        return NULL;
    if (devices->len == 0)
        return g_strndup(xml, len);
    for (;;) {
        if (!virtProvisionProfileNext(host, after, devices, &use, error))
            return NULL;
        if (!use)
            break;
        g_ptr_array_add(uses, use);
        after = use->profile->name;
    }
    return virtDomainApplyProfiles(xml, len, file, flags, uses, NULL, 0, error);
}

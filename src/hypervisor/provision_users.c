/* provision_users.c: who has a device now?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. Every write to a VF asks this first, whether it is for a new owner or puts back what an old one
 * has left. A record says who had the VF set. It does not say who has it: a VF may be given to a domain without
 * <netdev>, to a QEMU or DPDK started by hand, before it was set or after its owner has gone; to write to it then is to
 * write under that guest. Two more know: libvirt, which keeps a file of each running domain with its devices, and the
 * kernel, which knows what processes have open (virvfio.c).
 *
 * A record whose VF somebody else has waits. Nothing is written, and what it remembers from before its owner goes back
 * when that user has ended.
 */
#include "hypervisor/provision.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "util/virerror.h"
#include "util/virpci.h"
#include "util/virvfio.h"

#define GUESTS_DIR "run/libvirt/qemu"

/* ---- libvirt's running domains ---- */

/* One that has PCI devices of the host. */
typedef struct {
    virtDomainConf *domain;
    guint64 pid; /* of its QEMU; 0: not known */
} Guest;

static void
guestFree(Guest *guest)
{
    virtDomainConfFree(guest->domain);
    g_free(guest);
}

/* <domstatus state='running' reason='booted' pid='4711'>, then in it the domain as it runs */
static guint64
readPid(const char *text, const char *end)
{
    static const char attr[] = " pid='";
    const char *tag = memmem(text, (gsize)(end - text), "<domstatus", strlen("<domstatus"));
    const char *pid = NULL;

    if (tag)
        pid = memmem(tag, (gsize)(end - tag), attr, strlen(attr));
    if (!pid)
        return 0;
    return g_ascii_strtoull(pid + strlen(attr), NULL, 10);
}

static const char *
findDomain(const char *text, gsize len)
{
    static const char tag[] = "<domain";
    const char *at = memmem(text, len, tag, strlen(tag));

    if (!at || !strchr(" >", at[strlen(tag)]))
        return NULL;
    return at;
}

/* Adds the domain of @text, libvirt's file about it, to @guests, if it has any device of the host. */
static bool
addGuest(GPtrArray *guests, const char *text, gsize len, GError **error)
{
    static const char close[] = "</domain>";
    const char *from = findDomain(text, len);
    const char *to = NULL;
    virtDomainConf *domain;
    Guest *guest;

    if (from)
        to = g_strrstr_len(from, (gssize)(text + len - from), close);

    if (!to) {
        g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_INVALID, "it has no complete <domain>");
        return false;
    }
    if (!memmem(from, (gsize)(to - from), "hostdev", strlen("hostdev")))
        return true;
    if (!(domain = virtDomainConfParseDevices(from, (gsize)(to - from) + strlen(close), error)))
        return false;
    guest = g_new0(Guest, 1);
    guest->domain = domain;
    guest->pid = readPid(text, from);
    g_ptr_array_add(guests, guest);
    return true;
}

static bool
readGuest(virtHost *host, GPtrArray *guests, const char *name, GError **error)
{
    g_autofree char *path = virtHostPath(host, GUESTS_DIR "/%s", name);
    g_autofree char *text = NULL;
    g_autoptr(GError) local = NULL;
    gsize len;

    if (!g_file_get_contents(path, &text, &len, &local) && g_error_matches(local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return true; /* the domain has just ended */
    if (!local && addGuest(guests, text, len, &local))
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST,
                "Cannot tell which devices the running domains have, because libvirt's %s cannot be read: %s", path,
                local->message);
    return false;
}

/* The domains that run with PCI devices of the host, by what libvirt leaves on disk: NAME.xml from just after QEMU was
 * started until it is gone, written again after each attach and detach. While a virtHostReads is open they are the
 * host's, and looked up once. The caller gives its reference back. */
static GPtrArray *
listGuests(virtHost *host, GError **error)
{
    g_autoptr(GPtrArray) names = NULL;
    g_autoptr(GPtrArray) guests = NULL;

    if (host->guests)
        return g_ptr_array_ref(host->guests);
    if (!(names = virtHostListDir(host, error, GUESTS_DIR)))
        return NULL;
    guests = g_ptr_array_new_with_free_func((GDestroyNotify)guestFree);
    for (guint i = 0; i < names->len; i++) {
        if (g_str_has_suffix(names->pdata[i], ".xml") && !readGuest(host, guests, names->pdata[i], error))
            return NULL;
    }
    if (host->reads > 0)
        host->guests = g_ptr_array_ref(guests);
    return g_steal_pointer(&guests);
}

static bool
hasDevice(const Guest *guest, const virtHandle *handle)
{
    return virtHandleIsIn(guest->domain->devices, handle);
}

static bool
isOwner(const Guest *guest, const virtOwner *owner)
{
    return owner->uuid && g_strcmp0(guest->domain->uuid, owner->uuid) == 0;
}

/* Has the QEMU of @guest ended? Its file is still there when libvirt calls the hooks for that. A process that waits to
 * be reaped has ended, and no program any more (proc_pid_exe(5)). */
static bool
hasEnded(virtHost *host, const Guest *guest)
{
    g_autofree char *program = virtHostPath(host, "proc/%" G_GUINT64_FORMAT "/exe", guest->pid);

    return guest->pid > 0 && access(program, F_OK) < 0 && errno == ENOENT;
}

/* The domain of @guests, but for @owner, that runs and has the device @handle, or NULL. */
static const Guest *
findOther(virtHost *host, const GPtrArray *guests, const virtHandle *handle, const virtOwner *owner)
{
    for (guint i = 0; i < guests->len; i++) {
        const Guest *guest = guests->pdata[i];

        if (!isOwner(guest, owner) && hasDevice(guest, handle) && !hasEnded(host, guest))
            return guest;
    }
    return NULL;
}

/* Is @pid the QEMU of a domain that has the device @handle? */
static bool
isGuestOf(const GPtrArray *guests, guint64 pid, const virtHandle *handle)
{
    for (guint i = 0; i < guests->len; i++) {
        const Guest *guest = guests->pdata[i];

        if (guest->pid == pid && hasDevice(guest, handle))
            return true;
    }
    return false;
}

/* ---- who has a device ---- */

/* Is the group of @name open for another device of it, as it may well be for several VFs of one domain? Then that says
 * nothing about this one. A record of one that has ended says nothing either. */
static bool
isGroupOfOther(virtHost *host, const GPtrArray *guests, const char *name, guint64 pid)
{
    g_autoptr(GPtrArray) devices = virtHostListDir(host, NULL, "sys/bus/pci/devices/%s/iommu_group/devices", name);

    for (guint i = 0; devices && i < devices->len; i++) {
        g_autoptr(virtRecord) record = NULL;
        virtHandle other;

        if (g_str_equal(devices->pdata[i], name) || !virtHandleParse(devices->pdata[i], &other, NULL))
            continue;
        record = virtProvisionRecordLoad(host, &other, NULL);
        if ((record && !virtProvisionRecordIsLeft(host, record)) || isGuestOf(guests, pid, &other))
            return true;
    }
    return false;
}

static char *
describeProcess(virtHost *host, const virtVFIOUser *user)
{
    g_autofree char *comm = virtHostRead(host, NULL, "proc/%" G_GUINT64_FORMAT "/comm", user->pid);
    g_autofree char *shown = NULL;

    if (!comm)
        comm = g_strdup("?");
    shown = virtXmlQuote(comm);

    return g_strdup_printf("process %" G_GUINT64_FORMAT " (%s), which has %s open", user->pid, shown, user->file);
}

/* The pid of the QEMU of @owner, who is a domain; 0 where that is not known. */
static guint64
pidOf(const GPtrArray *guests, const virtOwner *owner)
{
    for (guint i = 0; i < guests->len; i++) {
        const Guest *guest = guests->pdata[i];

        if (isOwner(guest, owner))
            return guest->pid;
    }
    return 0;
}

/* The process that has a device open through VFIO, in words, which the caller frees; NULL: none.
 *
 * @except: a process that does not count
 */
static bool
findOpen(virtHost *host, const GPtrArray *guests, const virtHandle *handle, guint64 except, char **ret, GError **error)
{
    g_auto(virtVFIOUser) user = {0};

    if (!virtVFIOFindUser(host, handle, except, &user, error))
        return false;
    if (user.pid && !(user.byGroup && isGroupOfOther(host, guests, handle->name, user.pid)))
        *ret = describeProcess(host, &user);
    return true;
}

/* Who has the device @handle now, by libvirt and the kernel? @owner's own entry in libvirt's list does not
 * count: it may be on its way in or out.
 *
 * @own: whether @owner's own process counts too
 * @ret: a domain or a process in words, which the caller frees; NULL: nobody
 *
 * Errors: VIRT_ERROR_HOST where that cannot be told.
 */
static bool
findUser(virtHost *host, const virtHandle *handle, const virtOwner *owner, bool own, char **ret, GError **error)
{
    g_autoptr(GPtrArray) guests = listGuests(host, error);
    const Guest *guest;
    guint64 pid = 0;

    *ret = NULL;
    if (!guests)
        return false;
    if ((guest = findOther(host, guests, handle, owner))) {
        *ret = g_strdup_printf("domain '%s' (%s)", guest->domain->name, guest->domain->uuid);
        return true;
    }
    if (!own && !(pid = pidOf(guests, owner))) /* whose process is the owner's cannot be told */
        return true;
    return findOpen(host, guests, handle, pid, ret, error);
}

static void
setUnknown(GError **error, const virtHandle *handle, GError *why)
{
    g_propagate_prefixed_error(error, why, "Cannot tell whether %s %s is in use, so nothing was changed: ",
                               virtHandleGetNoun(handle), handle->name);
}

/* Is the device @handle free for @owner? That is: has no running domain it but @owner, who may be about to get it, and
 * has no process it open? The answer is of the moment, so it is for refusing early; only VFIO itself keeps two users
 * apart.
 *
 * Errors: VIRT_ERROR_BUSY, which names the user; VIRT_ERROR_HOST where that cannot be told.
 */
bool
virtProvisionCheckUnused(virtHost *host, const virtHandle *handle, const virtOwner *owner, GError **error)
{
    const char *noun = virtHandleGetNoun(handle);
    g_autofree char *user = NULL;
    GError *local = NULL;

    if (!findUser(host, handle, owner, true, &user, &local)) {
        setUnknown(error, handle, local);
        return false;
    }
    if (user)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_BUSY,
                    "%s %s is in use by %s. Stop that, detach the %s from it, or use another %s", noun, handle->name,
                    user, noun, noun);
    return !user;
}

/* Has nobody but @owner, whose guest it is, the device @handle?
 *
 * Errors: as for virtProvisionCheckUnused().
 */
bool
virtProvisionCheckOwn(virtHost *host, const virtHandle *handle, const virtOwner *owner, GError **error)
{
    g_autofree char *holder = virtOwnerDescribe(owner);
    g_autofree char *user = NULL;
    GError *local = NULL;

    if (!findUser(host, handle, owner, false, &user, &local)) {
        setUnknown(error, handle, local);
        return false;
    }
    if (user)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_BUSY,
                    "%s %s was set for %s, but is now in use by %s: nothing was changed", virtHandleGetNoun(handle),
                    handle->name, holder, user);
    return !user;
}

/* May the device of @record be put back? Not while anybody has it, the record's owner included.
 *
 * Errors: as for virtProvisionCheckUnused().
 */
bool
virtProvisionCheckReturn(virtHost *host, const virtRecord *record, GError **error)
{
    g_autofree char *holder = virtOwnerDescribe(&record->owner);
    g_autofree char *user = NULL;
    GError *local = NULL;

    if (!findUser(host, &record->handle, &record->owner, true, &user, &local)) {
        setUnknown(error, &record->handle, local);
        return false;
    }
    if (user)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_BUSY,
                    "%s %s waits: it is in use by %s. Its settings from before %s will be restored when that ends",
                    virtHandleGetNoun(&record->handle), record->handle.name, user, holder);
    return !user;
}

/* Does @record wait for somebody else, who has its device, though its owner is gone? Returns that in a sentence, which
 * the caller frees, or NULL.
 */
char *
virtProvisionWaits(virtHost *host, const virtRecord *record)
{
    g_autoptr(GError) error = NULL;

    if (!virtProvisionRecordIsLeft(host, record) || virtProvisionCheckReturn(host, record, &error))
        return NULL;
    return g_strdup(error->message);
}

/* ---- PFs ---- */

/* Adds to @users who keeps the PF of the VF at @vf from being given away, if anybody. */
static bool
addUser(virtHost *host, const GArray *devices, const virtPCIAddress *vf, GString *users, GError **error)
{
    static const virtOwner nobody = {0};
    g_autofree char *user = NULL;
    g_autoptr(virtRecord) record = NULL;
    virtHandle handle;

    virtHandleSetPCI(&handle, vf);
    if (virtProvisionRecordExists(host, &handle) && !(record = virtProvisionRecordLoad(host, &handle, error)))
        return false;
    if (record)
        user = virtOwnerDescribe(&record->owner);
    else if (virtHandleIsIn(devices, &handle))
        user = g_strdup("this domain itself");
    else if (!findUser(host, &handle, &nobody, true, &user, error))
        return false;
    if (!user)
        return true;
    if (users->len > 0)
        g_string_append(users, ", ");
    g_string_append_printf(users, "%s by %s", handle.name, user);
    return true;
}

/* May the device @handle be given to a guest, as far as VFs are concerned? Not a PF whose VFs are set or used: they
 * would go with the PF's driver, under their guests and with what is recorded of them. A PF that VFIO has already
 * keeps its VFs, which nobody could have set.
 *
 * @devices: virtHandle, all that the guest is to have
 *
 * Errors: VIRT_ERROR_BUSY, which names the VFs and who has them; others where that cannot be told.
 */
bool
virtProvisionCheckPF(virtHost *host, const virtHandle *handle, const GArray *devices, GError **error)
{
    g_autoptr(GPtrArray) vfs = NULL;
    g_autoptr(GString) users = g_string_new(NULL);
    g_autofree char *driver = NULL;
    virtPCIAddress address;

    if (!virtHandleGetPCI(handle, &address))
        return true;
    vfs = virtPCIListVFs(host, &address);
    if (vfs->len == 0)
        return true;
    driver = virtPCIGetDriver(host, &address);
    if (g_strcmp0(driver, "vfio-pci") == 0)
        return true;
    for (guint i = 0; i < vfs->len; i++) {
        if (!addUser(host, devices, vfs->pdata[i], users, error))
            return false;
    }
    if (users->len == 0)
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_BUSY,
        "PF %s cannot be assigned to a guest, because its VFs would disappear and some are in use: %s. Stop their users; virt-hostdev recover restores what stopped domains have left",
        handle->name, users->str);
    return false;
}

/* The same for all of @devices (virtHandle).
 */
bool
virtProvisionCheckPFs(virtHost *host, const GArray *devices, GError **error)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);

    for (guint i = 0; i < devices->len; i++) {
        if (!virtProvisionCheckPF(host, &g_array_index(devices, virtHandle, i), devices, error))
            return false;
    }
    return true;
}

/* Look again at who has which VF when that is asked next: time has passed.
 */
void
virtProvisionForgetUsers(virtHost *host)
{
    g_clear_pointer(&host->guests, g_ptr_array_unref);
    virtVFIOForget(host);
}

/* provision_choose.c: which VF is it that a device of a domain asks for?
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. A wish (virchoice.h) has candidates: the one VF that it names, the VFs of a PF, or those of a
 * pool. A wish with one candidate has that, whoever uses it: the start will say so. Of several, one is chosen that
 * nobody has: no record says so, no running domain, no process has it open, no driver for guests holds it, and the host
 * does not use its netdev. What was found last stays as long as it is free, so that a domain keeps its VF.
 *
 * Choosing changes nothing. Who chooses for several domains at a time holds what he has chosen against the others,
 * until a record does.
 */
#include "hypervisor/provision_choose.h"

#include <string.h>

#include "hypervisor/provider_netdev.h"
#include "hypervisor/provision.h"
#include "util/virerror.h"
#include "util/virnuma.h"
#include "util/virpci.h"
#include "util/virpcicard.h"

#define TOLD 5 /* VFs of which an error says who has them */

/* What is looked up once for all wishes of a domain. */
typedef struct {
    virtHost *host;
    const virtAffinity *affinity; /* of the guest; NULL: nobody knows */
    GPtrArray *cards;             /* virtPCICard; NULL: not yet */
} Chooser;

static void
chooserClear(Chooser *chooser)
{
    g_clear_pointer(&chooser->cards, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Chooser, chooserClear)

/* ---- cards and PFs ---- */

static const virtPCIAddress *
pfOf(const virtPCICard *card, guint i)
{
    return &g_array_index(card->pfs, virtPCIAddress, i);
}

/* "0000:06:00.0, 0000:06:00.1" */
static char *
listPFs(const virtPCICard *card)
{
    GString *out = g_string_new(NULL);
    char name[VIRT_PCI_ADDRESS_LEN];

    for (guint i = 0; i < card->pfs->len; i++) {
        virtPCIAddressFormat(pfOf(card, i), name);
        g_string_append_printf(out, "%s%s", i > 0 ? ", " : "", name);
    }
    return g_string_free(out, FALSE);
}

static void
complainTwins(const virtPCICard *a, const virtPCICard *b, GError **error)
{
    g_autofree char *one = listPFs(a), *other = listPFs(b);

    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_INVALID,
        "Two cards of this host have the serial number '%s', with the PFs %s and %s, so it names neither. Use <pf dev=> or an <address>",
        a->serial, one, other);
}

/* The one card with the serial number @serial. */
static const virtPCICard *
findCard(Chooser *chooser, const char *serial, GError **error)
{
    const virtPCICard *found = NULL;

    if (!chooser->cards)
        chooser->cards = virtPCICardList(chooser->host);
    for (guint i = 0; i < chooser->cards->len; i++) {
        const virtPCICard *card = chooser->cards->pdata[i];

        if (g_strcmp0(card->serial, serial) != 0)
            continue;
        if (found) {
            complainTwins(found, card, error);
            return NULL;
        }
        found = card;
    }
    if (!found)
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
            "This host has no card with the serial number '%s'. virt-hostdev list shows the serial numbers that there are",
            serial);
    return found;
}

static bool
findOnCard(Chooser *chooser, const virtChoice *choice, virtPCIAddress *ret, GError **error)
{
    const virtPCICard *card = findCard(chooser, choice->name, error);
    g_autofree char *pfs = NULL;

    if (!card)
        return false;
    *ret = *pfOf(card, 0);
    if (choice->function == VIRT_CHOICE_ANY && card->pfs->len == 1)
        return true;
    for (guint i = 0; i < card->pfs->len; i++) {
        *ret = *pfOf(card, i);
        if ((gint)ret->function == choice->function)
            return true;
    }
    pfs = listPFs(card);
    if (choice->function == VIRT_CHOICE_ANY)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "Card '%s' has several PFs, %s. Say which one is meant: the attribute 'function' of <pf>",
                    card->serial, pfs);
    else
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND, "Card '%s' has no PF that is its function %d. It has: %s",
                    card->serial, choice->function, pfs);
    return false;
}

static bool
findPF(Chooser *chooser, const virtChoice *choice, virtPCIAddress *ret, GError **error)
{
    if (choice->by == VIRT_CHOICE_SERIAL)
        return findOnCard(chooser, choice, ret, error);
    return virtPCIFindByNetdev(chooser->host, choice->name, ret, error);
}

/* ---- candidates ---- */

static void
candidatesFree(gpointer candidates)
{
    if (candidates)
        g_array_unref(candidates);
}

static void
addVF(GArray *list, const virtPCIAddress *vf)
{
    virtHandle handle;

    virtHandleSetPCI(&handle, vf);
    if (!virtHandleIsIn(list, &handle))
        g_array_append_val(list, handle);
}

/* Adds those of @pf's VFs whose indexes are in @ranges (NULL: all). */
static void
addVFs(virtHost *host, const virtPCIAddress *pf, const GArray *ranges, GArray *list)
{
    g_autoptr(GPtrArray) vfs = virtPCIListVFs(host, pf);

    for (guint i = 0; i < vfs->len; i++) {
        if (virtPoolRangesHave(ranges, i))
            addVF(list, vfs->pdata[i]);
    }
}

/* Is the number in @file of a PCI device @wanted? -1: it does not matter. */
static bool
hasNumber(virtHost *host, const char *device, const char *file, gint wanted)
{
    g_autofree char *text = NULL;

    if (wanted < 0)
        return true;
    text = virtHostRead(host, NULL, "sys/bus/pci/devices/%s/%s", device, file);
    return text && g_ascii_strtoll(text, NULL, 0) == wanted;
}

/* A link that cannot be told is neither. */
static bool
hasLink(virtHost *host, const virtPCIAddress *pf, gint wanted)
{
    bool up;

    return wanted < 0 || (virtPCIIsUp(host, pf, &up, NULL) && up == (wanted == 1));
}

/* While a guest has the VF, the guest's settings do not count: what they were before is what it is without one. */
static bool
hasTrust(virtHost *host, const virtPCIAddress *vf, gint wanted)
{
    g_autoptr(virtRecord) record = NULL;
    const virtSettings *before = NULL;
    virtHandle handle;

    if (wanted < 0)
        return true;
    virtHandleSetPCI(&handle, vf);
    if (virtProvisionRecordExists(host, &handle) && (record = virtProvisionRecordLoad(host, &handle, NULL)))
        before = &record->before;
    return virtProviderNetdevAreTrusted(host, vf, before, wanted == 1);
}

static void
addMatchingVFs(virtHost *host, const virtPCIAddress *pf, const virtPoolMatch *match, GArray *list)
{
    g_autofree char *driver = virtPCIGetDriver(host, pf);
    g_autoptr(GPtrArray) vfs = NULL;

    if ((match->driver && g_strcmp0(driver, match->driver) != 0) || !hasLink(host, pf, match->linkUp))
        return;
    vfs = virtPCIListVFs(host, pf);
    for (guint i = 0; i < vfs->len; i++) {
        char name[VIRT_PCI_ADDRESS_LEN];

        virtPCIAddressFormat(vfs->pdata[i], name);
        if (hasNumber(host, name, "vendor", match->vendor) && hasNumber(host, name, "device", match->product) &&
            hasNumber(host, name, "numa_node", match->node) && hasTrust(host, vfs->pdata[i], match->trusted))
            addVF(list, vfs->pdata[i]);
    }
}

/* A PF that is not there has no VFs; the pool's others are as good. */
static bool
addMember(Chooser *chooser, const virtPool *pool, const virtPoolMember *member, GArray *list, GError **error)
{
    g_autoptr(GPtrArray) pfs = NULL;
    g_autoptr(GError) problem = NULL;
    virtPCIAddress pf = member->address;

    switch (member->kind) {
    case VIRT_POOL_VF:
        if (virtPCIFindPF(chooser->host, &member->address, &pf, NULL))
            addVF(list, &member->address);
        return true;
    case VIRT_POOL_MATCH:
        pfs = virtPCIListPFs(chooser->host);
        for (guint i = 0; i < pfs->len; i++)
            addMatchingVFs(chooser->host, pfs->pdata[i], &member->match, list);
        return true;
    case VIRT_POOL_PF:
    default:
        break;
    }
    if (member->pf.by == VIRT_CHOICE_NONE || findPF(chooser, &member->pf, &pf, &problem)) {
        addVFs(chooser->host, &pf, member->ranges, list);
        return true;
    }
    if (problem && !g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_prefixed_error(error, g_steal_pointer(&problem), "Pool '%s', line %u: ", pool->name, member->line);
        return false;
    }
    if (problem)
        virtHostWarn(chooser->host, "Pool '%s', line %u: %s", pool->name, member->line, problem->message);
    return true;
}

/* The VFs of @pool that the host has, in its order: virtHandle. */
static GArray *
listPool(Chooser *chooser, const virtPool *pool, GError **error)
{
    g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(virtHandle));

    for (guint i = 0; i < pool->members->len; i++) {
        if (!addMember(chooser, pool, pool->members->pdata[i], list, error))
            return NULL;
    }
    return g_steal_pointer(&list);
}

/* Put those that are near to the guest first; both parts stay in order. */
static void
preferNear(Chooser *chooser, GArray *list)
{
    g_autoptr(GArray) far = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    virtAffinity nodes;
    guint near = 0;

    if (!chooser->affinity || virtAffinityIsNone(chooser->affinity))
        return;
    virtNumaFindNodes(chooser->host, chooser->affinity, &nodes);
    for (guint i = 0; i < list->len; i++) {
        const virtHandle handle = g_array_index(list, virtHandle, i);
        virtPCIAddress address;

        virtHandleGetPCI(&handle, &address);
        if (virtNumaIsNear(chooser->host, &nodes, &address))
            g_array_index(list, virtHandle, near++) = handle;
        else
            g_array_append_val(far, handle);
    }
    g_array_set_size(list, near);
    g_array_append_vals(list, far->data, far->len);
}

/* The VF with the index @index of @pf. */
static bool
addIndex(virtHost *host, const virtPCIAddress *pf, gint index, GArray *list, GError **error)
{
    g_autoptr(GPtrArray) vfs = virtPCIListVFs(host, pf);
    char name[VIRT_PCI_ADDRESS_LEN];

    virtPCIAddressFormat(pf, name);
    if ((guint)index < vfs->len)
        addVF(list, vfs->pdata[index]);
    else if (vfs->len == 0)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
                    "PF %s has no VFs. They appear when its sriov_numvfs is written", name);
    else
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
                    "PF %s has no VF %d: its VFs are 0 to %u. Ask for one of those, or write its sriov_numvfs for more",
                    name, index, vfs->len - 1);
    return (guint)index < vfs->len;
}

/* What @choice may be: virtHandle, in the order in which they are given out. */
static GArray *
listCandidates(Chooser *chooser, const virtChoice *choice, GError **error)
{
    g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    g_autoptr(virtPool) pool = NULL;
    virtPCIAddress pf;

    if (choice->by == VIRT_CHOICE_POOL) {
        if (!(pool = virtProvisionPoolLoad(chooser->host, choice->name, error)))
            return NULL;
        g_array_unref(list);
        list = listPool(chooser, pool, error);
        if (list && !pool->listed)
            preferNear(chooser, list);
        return g_steal_pointer(&list);
    }
    if (!findPF(chooser, choice, &pf, error))
        return NULL;
    if (!virtChoiceIsExact(choice))
        addVFs(chooser->host, &pf, NULL, list);
    else if (!addIndex(chooser->host, &pf, choice->vf, list, error))
        return NULL;
    return g_steal_pointer(&list);
}

/* ---- who has it ---- */

static char *
describeHolder(virtHost *host, const virtHandle *handle, const virtPCIAddress *address)
{
    static const virtOwner nobody = {0};
    g_autofree char *driver = virtPCIGetDriver(host, address);
    g_autoptr(GError) error = NULL;

    if (!virtProvisionCheckUnused(host, handle, &nobody, &error))
        return g_strdup(error->message);
    if (driver && virtPCIIsForGuests(driver))
        return g_strdup_printf("%s is bound to %s, and nobody knows for whom", handle->name, driver);
    if (!virtPCICheckNetdevs(host, address, &error))
        return g_strdup(error->message);
    return NULL;
}

/* Who has the VF, or why that cannot be told; NULL: nobody. What a domain that has ended left waits to be restored,
 * which whoever takes it does first. */
static char *
describeUser(virtHost *host, const virtHandle *handle)
{
    g_autoptr(virtRecord) record = NULL;
    g_autoptr(GError) error = NULL;
    virtPCIAddress address;

    virtHandleGetPCI(handle, &address);
    if (!virtProvisionRecordExists(host, handle))
        return describeHolder(host, handle, &address);
    if (!(record = virtProvisionRecordLoad(host, handle, &error)))
        return g_strdup(error->message);
    if (!virtProvisionRecordIsLeft(host, record))
        return virtOwnerDescribe(&record->owner);
    if (!virtProvisionCheckReturn(host, record, &error))
        return g_strdup(error->message);
    return NULL;
}

/* ---- choosing ---- */

static bool
mayHave(virtHost *host, const virtHandle *handle, const GArray *taken)
{
    g_autofree char *user = NULL;

    if (virtHandleIsIn(taken, handle))
        return false;
    user = describeUser(host, handle);
    return !user;
}

/* All of @candidates are taken: says by whom, of the first. */
static void
complainTaken(virtHost *host, const virtWish *wish, const GArray *candidates, const GArray *taken, GError **error)
{
    g_autofree char *what = virtChoiceDescribe(&wish->choice);
    g_autoptr(GString) told = g_string_new(NULL);

    for (guint i = 0; i < candidates->len && i < TOLD; i++) {
        const virtHandle *handle = &g_array_index(candidates, virtHandle, i);
        g_autofree char *user = describeUser(host, handle);

        if (!user || virtHandleIsIn(taken, handle))
            g_string_append_printf(told, "; %s: another device that is being started", handle->name);
        else
            g_string_append_printf(told, "; %s: %s", handle->name, user);
    }
    if (candidates->len > TOLD)
        g_string_append(told, "; …");
    if (candidates->len == 0)
        g_string_assign(told, ": this host has none of them");
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_BUSY,
                "No VF is free for a device that asks for %s%s. Stop one of the users, or let there be more VFs", what,
                told->str);
}

/* The first of @candidates that is free, those that domains name last. */
static const virtHandle *
findFree(virtHost *host, const GArray *candidates, const GArray *taken, const GArray *named)
{
    for (guint pass = 0; pass < 2; pass++) {
        for (guint i = 0; i < candidates->len; i++) {
            const virtHandle *handle = &g_array_index(candidates, virtHandle, i);
            bool isNamed = named && virtHandleIsIn(named, handle);

            if (isNamed == (pass == 1) && mayHave(host, handle, taken))
                return handle;
        }
        if (!named)
            break;
    }
    return NULL;
}

/* The address that a user has given beside what he asks for. */
static bool
checkGiven(const virtWish *wish, const GArray *candidates, GError **error)
{
    g_autofree char *what = virtChoiceDescribe(&wish->choice);

    if (virtHandleIsIn(candidates, &wish->handle))
        return true;
    if (virtChoiceIsExact(&wish->choice))
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                    "<source> has the <address> %s and asks for %s, which is %s: drop the one that is wrong",
                    wish->handle.name, what, g_array_index(candidates, virtHandle, 0).name);
    else
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_INVALID,
            "<source> has the <address> %s and asks for %s, to which that does not belong: drop the one that is wrong",
            wish->handle.name, what);
    return false;
}

/* What each of @wishes may be: an array of GArray, NULL where it is named by its address. */
static GPtrArray *
listAllCandidates(Chooser *chooser, const GArray *wishes, const virtChooseMode *mode, GError **error)
{
    g_autoptr(GPtrArray) lists = g_ptr_array_new_with_free_func(candidatesFree);

    for (guint i = 0; i < wishes->len; i++) {
        const virtWish *wish = &g_array_index(wishes, virtWish, i);
        GArray *candidates = NULL;

        if (wish->choice.by != VIRT_CHOICE_NONE && !(candidates = listCandidates(chooser, &wish->choice, error)))
            return NULL;
        g_ptr_array_add(lists, candidates);
        if (candidates && mode->given && !virtHandleIsNone(&wish->handle) && !checkGiven(wish, candidates, error))
            return NULL;
    }
    return g_steal_pointer(&lists);
}

/* Does a device that may have several VFs keep the one that it has? */
static bool
stays(virtHost *host, const virtWish *wish, const GArray *candidates, const virtChooseMode *mode, const GArray *taken)
{
    if (virtHandleIsNone(&wish->handle) || !virtHandleIsIn(candidates, &wish->handle))
        return false;
    if (mode->given)
        return true;
    if (mode->keep)
        return !virtHandleIsIn(taken, &wish->handle);
    return mayHave(host, &wish->handle, taken);
}

typedef enum {
    PASS_EXACT, /* who can have one VF alone comes before who can have any .. */
    PASS_STAYS, /* .. and who keeps what he has, before who looks for another */
    PASS_FREE,
    PASSES
} Pass;

/* The VF of @wish, if this is the pass in which it gets one. */
static const virtHandle *
findInPass(virtHost *host, Pass pass, const virtWish *wish, const GArray *candidates, const virtChooseMode *mode,
           const GArray *taken)
{
    if (virtChoiceIsExact(&wish->choice) != (pass == PASS_EXACT))
        return NULL;
    if (pass == PASS_EXACT)
        return &g_array_index(candidates, virtHandle, 0);
    if (pass == PASS_FREE)
        return findFree(host, candidates, taken, mode->named);
    if (stays(host, wish, candidates, mode, taken))
        return &wish->handle;
    return NULL;
}

/* @taken gets what is found; of @lists what is through is dropped. */
static bool
chooseInPass(virtHost *host, Pass pass, GArray *wishes, GPtrArray *lists, const virtChooseMode *mode, GArray *taken,
             GError **error)
{
    for (guint i = 0; i < wishes->len; i++) {
        virtWish *wish = &g_array_index(wishes, virtWish, i);
        const virtHandle *found = NULL;

        if (lists->pdata[i])
            found = findInPass(host, pass, wish, lists->pdata[i], mode, taken);
        if (lists->pdata[i] && !found && pass == PASS_FREE) {
            complainTaken(host, wish, lists->pdata[i], taken, error);
            return false;
        }
        if (!found)
            continue;
        wish->handle = *found;
        g_array_append_val(taken, wish->handle);
        candidatesFree(g_steal_pointer(&lists->pdata[i]));
    }
    return true;
}

/* Find a VF for each of @wishes (virtWish), the devices of one domain: their handles are filled in, or replaced where
 * they are no longer right. Nothing is changed on the host.
 *
 * Errors: VIRT_ERROR_NOT_FOUND where the host has no such card, PF, VF or pool; VIRT_ERROR_BUSY where all are taken;
 * VIRT_ERROR_INVALID where a wish is ambiguous, or an address that was given does not agree with it.
 */
bool
virtProvisionChoose(virtHost *host, GArray *wishes, const virtChooseMode *mode, GError **error)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_autoptr(GArray) taken = g_array_new(FALSE, FALSE, sizeof(virtHandle));
    g_auto(Chooser) chooser = {host, mode->affinity, NULL};
    g_autoptr(GPtrArray) lists = listAllCandidates(&chooser, wishes, mode, error);

    if (!lists)
        return false;
    if (mode->taken)
        g_array_append_vals(taken, mode->taken->data, mode->taken->len);
    for (guint i = 0; i < wishes->len; i++) {
        if (!lists->pdata[i])
            g_array_append_val(taken, g_array_index(wishes, virtWish, i).handle);
    }
    for (Pass pass = PASS_EXACT; pass < PASSES; pass++) {
        if (!chooseInPass(host, pass, wishes, lists, mode, taken, error))
            return false;
    }
    return true;
}

static bool
checkOne(Chooser *chooser, const char *domain, const virtHostdev *hostdev, GError **error)
{
    g_autofree char *what = virtChoiceDescribe(&hostdev->choice);
    g_autoptr(GArray) candidates = listCandidates(chooser, &hostdev->choice, error);

    if (!candidates)
        return false;
    if (virtHandleIsIn(candidates, &hostdev->handle))
        return true;
    if (virtChoiceIsExact(&hostdev->choice))
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "It asks for %s, which was %s when it was last looked for and is now %s. Run: virt-hostdev resolve %s",
            what, hostdev->handle.name, g_array_index(candidates, virtHandle, 0).name, domain);
    else
        g_set_error(
            error, VIRT_ERROR, VIRT_ERROR_HOST,
            "It asks for %s, and %s, which was found when it was last looked for, is no such VF now. Run: virt-hostdev resolve %s",
            what, hostdev->handle.name, domain);
    return false;
}

/* Are the devices of a domain that is about to start still what they ask for? Where not, starting it with what is at
 * their addresses now would give it somebody else's VF.
 *
 * @hostdevs: virtHostdev; those that are asked for by their address are not looked at
 *
 * Errors: VIRT_ERROR_HOST, which says what mends it; those of virtProvisionChoose().
 */
bool
virtProvisionChooseCheck(virtHost *host, const char *domain, const GPtrArray *hostdevs, GError **error)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_auto(Chooser) chooser = {host, NULL, NULL};

    for (guint i = 0; i < hostdevs->len; i++) {
        const virtHostdev *hostdev = hostdevs->pdata[i];

        if (hostdev->choice.by == VIRT_CHOICE_NONE || checkOne(&chooser, domain, hostdev, error))
            continue;
        virtProvisionPrefix(error, hostdev);
        return false;
    }
    return true;
}

/* Is @handle one of the VFs that @choice may mean? What the host does not have, has none.
 *
 * Errors: those of virtProvisionChoose(), but for VIRT_ERROR_NOT_FOUND.
 */
bool
virtProvisionChooseHas(virtHost *host, const virtChoice *choice, const virtHandle *handle, bool *ret, GError **error)
{
    g_auto(Chooser) chooser = {host, NULL};
    g_autoptr(GError) problem = NULL;
    g_autoptr(GArray) candidates = listCandidates(&chooser, choice, &problem);

    *ret = candidates && virtHandleIsIn(candidates, handle);
    if (candidates || g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        return true;
    g_propagate_error(error, g_steal_pointer(&problem));
    return false;
}

/* ---- files of an administrator ---- */

const virtProvisionStored virtProvisionPools = {VIRT_POOL_DIR, "pool", VIRT_POOL_MAX};

static gint
compareNames(gconstpointer a, gconstpointer b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of those that the host has, sorted, for g_ptr_array_unref(). */
GPtrArray *
virtProvisionListStored(virtHost *host, const virtProvisionStored *stored, GError **error)
{
    static const char suffix[] = ".xml";
    g_autoptr(GError) problem = NULL;
    g_autoptr(GPtrArray) files = virtHostListDir(host, &problem, "%s", stored->dir);
    GPtrArray *names;

    if (!files && !g_error_matches(problem, VIRT_ERROR, VIRT_ERROR_NOT_FOUND)) {
        g_propagate_error(error, g_steal_pointer(&problem));
        return NULL;
    }
    names = g_ptr_array_new_with_free_func(g_free);
    for (guint i = 0; files && i < files->len; i++) {
        const char *file = files->pdata[i];

        if (*file != '.' && g_str_has_suffix(file, suffix))
            g_ptr_array_add(names, g_strndup(file, strlen(file) - strlen(suffix)));
    }
    g_ptr_array_sort(names, compareNames);
    return names;
}

/* Read the file of @name.
 *
 * @ret_path: where it is, for messages and g_free(), set in any case
 *
 * Returns its text, for g_free().
 * Errors: VIRT_ERROR_NOT_FOUND, VIRT_ERROR_INVALID where it is too long, VIRT_ERROR_HOST.
 */
char *
virtProvisionReadStored(virtHost *host, const virtProvisionStored *stored, const char *name, char **ret_path,
                        gsize *ret_len, GError **error)
{
    g_autoptr(GError) problem = NULL;
    g_autofree char *text = NULL;

    *ret_path = virtHostPath(host, "%s/%s.xml", stored->dir, name);
    if (!g_file_get_contents(*ret_path, &text, ret_len, &problem)) {
        if (g_error_matches(problem, G_FILE_ERROR, G_FILE_ERROR_NOENT))
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND,
                        "This host has no %s '%s'. virt-hostdev %s-list shows those that there are", stored->noun, name,
                        stored->noun);
        else
            g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read %s: %s", *ret_path, problem->message);
        return NULL;
    }
    if (*ret_len > stored->max) {
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s has more than %u bytes", *ret_path, stored->max);
        return NULL;
    }
    return g_steal_pointer(&text);
}

/* A file is found by its name, so that and the name inside have to be the same. */
bool
virtProvisionCheckStored(const virtProvisionStored *stored, const char *name, const char *path, const char *inside,
                         GError **error)
{
    if (g_str_equal(inside, name))
        return true;
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_INVALID, "%s is named after the %s '%s' and has the <name> '%s'", path,
                stored->noun, name, inside);
    return false;
}

/* Read the pool @name.
 *
 * Errors: VIRT_ERROR_NOT_FOUND where there is none, VIRT_ERROR_INVALID where its file is wrong, VIRT_ERROR_HOST.
 */
virtPool *
virtProvisionPoolLoad(virtHost *host, const char *name, GError **error)
{
    g_autofree char *path = NULL, *text = NULL;
    g_autoptr(virtPool) pool = NULL;
    gsize len;

    if (!(text = virtProvisionReadStored(host, &virtProvisionPools, name, &path, &len, error)) ||
        !(pool = virtPoolParse(text, len, path, error)) ||
        !virtProvisionCheckStored(&virtProvisionPools, name, path, pool->name, error))
        return NULL;
    return g_steal_pointer(&pool);
}

static void
poolVFFree(gpointer opaque)
{
    virtPoolVF *vf = opaque;

    g_free(vf->user);
    g_free(vf);
}

/* The VFs of a pool that the host has, in the order in which they are given out.
 *
 * Returns virtPoolVF, for g_ptr_array_unref(); or NULL with an error of virtProvisionChoose().
 */
GPtrArray *
virtProvisionPoolListVFs(virtHost *host, const virtPool *pool, GError **error)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    g_auto(Chooser) chooser = {host, NULL, NULL};
    g_autoptr(GArray) list = listPool(&chooser, pool, error);
    GPtrArray *vfs;

    if (!list)
        return NULL;
    vfs = g_ptr_array_new_with_free_func(poolVFFree);
    for (guint i = 0; i < list->len; i++) {
        virtPoolVF *vf = g_new0(virtPoolVF, 1);

        vf->handle = g_array_index(list, virtHandle, i);
        vf->user = describeUser(host, &vf->handle);
        g_ptr_array_add(vfs, vf);
    }
    return vfs;
}

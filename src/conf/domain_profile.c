/* domain_profile.c: what profiles give to the devices of a document
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A profile adds what the document does not speak of, and says so by the attribute 'profile'. So it can be told from
 * what the user has written: the next time the document passes, it is taken out, and what profiles then give is put in.
 * Everything else works with the document as if its user had written it all.
 *
 * For which devices a profile is, the host says (src/hypervisor); for which domains, the document.
 */
#include "conf/domain_locate.h"
#include "conf/function_conf.h"
#include "conf/profile_conf.h"

#include <string.h>

/* A document, its one domain or lone device, and what is done to it. */
typedef struct {
    virtXmlDoc *doc;
    GPtrArray *refs;
    const virtDomainRef *ref; /* NULL: none that profiles are for */
    virtXmlEdits *edits;
    GHashTable *macs;          /* those that the document has, as text */
    const GPtrArray *uses;     /* virtProfileUse */
    const virtXmlNode *domain; /* of the device; NULL: not known */
} Applying;

static void
applyingClear(Applying *a)
{
    g_clear_pointer(&a->macs, g_hash_table_unref);
    g_clear_pointer(&a->edits, virtXmlEditsFree);
    g_clear_pointer(&a->refs, g_ptr_array_unref);
    g_clear_pointer(&a->doc, virtXmlDocFree);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Applying, applyingClear)

/* A snapshot or checkpoint is of what a domain was, and gets nothing. */
static bool
applyingOpen(Applying *a, const char *xml, gsize len, const char *file, guint flags, GError **error)
{
    if (!(a->doc = virtXmlParse(xml, len, file, error)) || !(a->refs = virtDomainRefsFind(a->doc, flags, error)))
        return false;
    if (a->refs->len == 1 && ((const virtDomainRef *)a->refs->pdata[0])->node == a->doc->root)
        a->ref = a->refs->pdata[0];
    return true;
}

/* ---- which devices ---- */

/* A VF that profiles may be for: its address is known, and what it has is written in the device itself. */
static bool
mayGet(const virtXmlDoc *doc, const virtXmlNode *node, const virtHostdevRef *ref, virtHandle *ret)
{
    if (ref) {
        *ret = ref->handle;
        return ref->written && !virtHandleIsNone(ret) && g_str_equal(ret->bus, "pci");
    }
    return virtDomainDeviceIsHostdev(node) && virtDomainDeviceReadHandle(doc, node, ret, NULL) &&
           g_str_equal(ret->bus, "pci");
}

typedef void (*DeviceFunc)(Applying *a, const virtXmlNode *node, const virtHostdevRef *ref, const virtHandle *handle,
                           gpointer opaque);

static void
visit(Applying *a, const virtXmlNode *node, DeviceFunc func, gpointer opaque)
{
    const virtHostdevRef *ref = virtDomainRefFindDevice(a->ref, node);
    virtHandle handle;

    if (mayGet(a->doc, node, ref, &handle))
        func(a, node, ref, &handle, opaque);
}

static void
forEachDevice(Applying *a, DeviceFunc func, gpointer opaque)
{
    if (!a->ref)
        return;
    if (virtDomainRefIsLone(a->ref)) {
        visit(a, a->ref->node, func, opaque);
        return;
    }
    for (guint i = 0; i < a->ref->node->children->len; i++) {
        const virtXmlNode *devices = a->ref->node->children->pdata[i];

        for (guint j = 0; virtXmlIs(devices, NULL, "devices") && j < devices->children->len; j++)
            visit(a, devices->children->pdata[j], func, opaque);
    }
}

static bool
migrates(const virtHostdevRef *ref)
{
    for (guint k = 0; ref && virtSettingKinds[k]; k++) {
        if (virtSettingKinds[k] == &virtFunctionKind && virtFunctionListMigrates(ref->settings.of[k]))
            return true;
    }
    return false;
}

static void
addToList(Applying *a, const virtXmlNode *node, const virtHostdevRef *ref, const virtHandle *handle, gpointer opaque)
{
    const virtWish wish = {.handle = *handle, .migrates = migrates(ref)};

    (void)a;
    (void)node;
    g_array_append_val((GArray *)opaque, wish);
}

/* The devices of a document that profiles may be for.
 *
 * @file: for messages, may be NULL
 * @flags: VIRT_DOMAIN_…
 *
 * Returns virtWish, of which only the choice says nothing, in document order, for g_array_unref(); NULL with
 * VIRT_ERROR_INVALID where the document is wrong.
 */
GArray *
virtDomainListProfiled(const char *xml, gsize len, const char *file, guint flags, GError **error)
{
    g_autoptr(GArray) list = g_array_new(FALSE, FALSE, sizeof(virtWish));
    g_auto(Applying) a = {0};

    if (!virtDomainFindWord(xml, len, "hostdev", strlen("hostde")))
        return g_steal_pointer(&list);
    if (!applyingOpen(&a, xml, len, file, flags, error))
        return NULL;
    forEachDevice(&a, addToList, list);
    return g_steal_pointer(&list);
}

/* ---- what they get ---- */

static bool
isFor(const virtProfileUse *use, guint index, const virtXmlNode *domain)
{
    for (guint i = 0; i < use->fits->len; i++) {
        if (g_array_index(use->fits, guint, i) == index)
            return virtProfileFitsDomain(use->profile, domain);
    }
    return false;
}

/* What the user himself has written of @ref (may be NULL), and what profiles gave it before. */
static void
separate(const virtHostdevRef *ref, virtSettings *users, virtSettings *old)
{
    virtSettingsInit(users);
    virtSettingsInit(old);
    for (guint k = 0; ref && virtSettingKinds[k]; k++) {
        const GPtrArray *list = ref->settings.of[k];

        for (guint i = 0; i < list->len; i++) {
            const virtSetting *setting = list->pdata[i];
            virtSettings *to = users;

            if (*setting->profile)
                to = old;
            g_ptr_array_add(to->of[k], virtSettingCopy(virtSettingKinds[k]->info, setting));
        }
    }
}

/* An <interface> is its VF's first netdev itself, and can only have others behind it. */
static bool
hasRoom(const virtXmlNode *node, guint kind, const virtSetting *setting, const virtSettings *users)
{
    if (virtDomainDeviceIsHostdev(node))
        return true;
    return kind == VIRT_SETTING_NETDEV &&
           setting->number > MAX(((const virtSetting *)VIRT_NETDEVS_OF(users)->pdata[0])->number, 1);
}

/* Add what @profile gives and neither the user nor an earlier profile does. */
static void
addFrom(const virtProfile *profile, const virtXmlNode *node, const virtSettings *users, virtSettings *added)
{
    for (guint k = 0; virtSettingKinds[k]; k++) {
        const GPtrArray *list = profile->settings.of[k];

        for (guint i = 0; i < list->len; i++) {
            const virtSetting *setting = list->pdata[i];
            virtSetting *copy;

            if (virtSettingListFind(users->of[k], setting->number) ||
                virtSettingListFind(added->of[k], setting->number) || !hasRoom(node, k, setting, users))
                continue;
            copy = virtSettingCopy(virtSettingKinds[k]->info, setting);
            g_strlcpy(copy->profile, profile->name, sizeof(copy->profile));
            g_ptr_array_add(added->of[k], copy);
        }
        virtSettingListSort(added->of[k]);
    }
}

/* Of what the MAC addresses that a device is given are made: of the one that it has, which stays; or of the domain and
 * the VF. So a client that defines its domain again and again gives its guest the same. */
static char *
makeKey(const virtSettings *users, const virtXmlNode *domain, const virtHandle *handle)
{
    const GPtrArray *netdevs = VIRT_NETDEVS_OF(users);
    g_autofree char *name = g_strstrip(g_strdup(virtXmlText(virtXmlChild(domain, "name"))));
    char mac[18];

    for (guint i = 0; i < netdevs->len; i++) {
        const virtNetdev *netdev = netdevs->pdata[i];

        if (!virtNetdevHas(netdev, VIRT_NETDEV_MAC))
            continue;
        virtMacFormat(netdev->mac, mac);
        return g_strdup(mac);
    }
    return g_strdup_printf("%s/%s", name, handle->name);
}

static void
giveMacs(Applying *a, GPtrArray *added, const GPtrArray *old, const char *key)
{
    for (guint i = 0; i < added->len; i++) {
        virtNetdev *netdev = added->pdata[i];
        const virtNetdev *before = virtNetdevListFind(old, netdev->port);

        if (before && virtNetdevHas(before, VIRT_NETDEV_MAC))
            virtNetdevCopyAttr(netdev, before, VIRT_NETDEV_MAC);
        else
            virtNetdevDeriveMac(netdev, key, a->macs);
    }
}

/* ---- writing ---- */

/* Cut the elements that profiles have given before. */
static void
cutOld(Applying *a, const virtXmlNode *node)
{
    for (guint i = 0; i < node->children->len; i++) {
        const virtXmlNode *child = node->children->pdata[i];

        if (virtSettingKindFind(child) && virtXmlGet(child, "profile"))
            virtXmlCut(a->edits, a->doc, child);
    }
}

static void
insertAdded(Applying *a, const virtXmlNode *node, const virtSettings *added)
{
    g_autofree char *inner = virtXmlIndentOf(a->doc, virtXmlChild(node, "source"));
    g_autofree char *step = virtXmlStepFrom(a->doc, node, inner);
    const virtXmlLayout layout = {"", inner, step};
    g_autoptr(GString) text = g_string_new(NULL);
    gsize at = virtXmlSpaceBefore(a->doc, node->endStart);

    virtSettingsFormat(text, added, VIRT_SETTING_FORMAT_WRITTEN, &layout);
    virtXmlReplace(a->edits, at, at, text->str);
}

static void
applyTo(Applying *a, const virtXmlNode *node, const virtHostdevRef *ref, const virtHandle *handle, gpointer opaque)
{
    guint *index = opaque;
    g_auto(virtSettings) users = {0}, old = {0}, added = {0};
    g_autofree char *key = NULL;

    separate(ref, &users, &old);
    virtSettingsInit(&added);
    for (guint i = 0; i < a->uses->len; i++) {
        const virtProfileUse *use = a->uses->pdata[i];

        if (isFor(use, *index, a->domain))
            addFrom(use->profile, node, &users, &added);
    }
    (*index)++;
    cutOld(a, node);
    if (virtSettingsAreEmpty(&added))
        return;
    key = makeKey(&users, a->domain, handle);
    giveMacs(a, VIRT_NETDEVS_OF(&added), VIRT_NETDEVS_OF(&old), key);
    insertAdded(a, node, &added);
}

/* Give the devices of a document what profiles say, in the place of what they have from profiles by now.
 *
 * @flags: those that virtDomainListProfiled() was given
 * @uses: virtProfileUse, for what that has returned; of two that give the same, the first counts
 * @domain: the domain that a lone device is for; NULL: not known, or the document is a domain itself
 *
 * Returns the text, for g_free(), the same byte for byte where nothing changes; or NULL with VIRT_ERROR_INVALID.
 */
char *
virtDomainApplyProfiles(const char *xml, gsize len, const char *file, guint flags, const GPtrArray *uses,
                        const char *domain, gsize domainLen, GError **error)
{
    g_autoptr(virtXmlDoc) owner = NULL;
    g_auto(Applying) a = {.uses = uses};
    guint index = 0;

    if (!applyingOpen(&a, xml, len, file, flags, error) ||
        (domain && !(owner = virtXmlParse(domain, domainLen, "domain", error))))
        return NULL;
    if (owner)
        a.domain = owner->root;
    else if (a.ref && !virtDomainRefIsLone(a.ref))
        a.domain = a.ref->node;
    a.edits = virtXmlEditsNew();
    a.macs = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    virtDomainCollectMacs(a.doc->root, a.macs);
    forEachDevice(&a, applyTo, &index);
    return virtXmlApply(a.edits, a.doc, error);
}

/* Give @settings what profiles gave @old, a device that they take the place of, and they do not speak of: who replaces
 * a device does not know of it. */
void
virtSettingsKeepProfiled(virtSettings *settings, const virtSettings *old)
{
    GPtrArray *netdevs = VIRT_NETDEVS_OF(settings);

    for (guint k = 0; virtSettingKinds[k]; k++) {
        for (guint i = 0; i < old->of[k]->len; i++) {
            const virtSetting *setting = old->of[k]->pdata[i];

            if (*setting->profile && !virtSettingListFind(settings->of[k], setting->number))
                g_ptr_array_add(settings->of[k], virtSettingCopy(virtSettingKinds[k]->info, setting));
        }
        virtSettingListSort(settings->of[k]);
    }
    if (netdevs->len > 1 && ((const virtNetdev *)netdevs->pdata[0])->port == VIRT_NETDEV_PORT_ANY)
        ((virtNetdev *)netdevs->pdata[0])->port = 1;
}

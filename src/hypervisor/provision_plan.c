/* provision_plan.c: compare what is wanted with what the host says before a start, and change nothing
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "hypervisor/provision_plan.h"

#include "util/virerror.h"

void
virtPlanRowFree(virtPlanRow *row)
{
    if (!row)
        return;
    g_free(row->ports);
    g_free(row->profile);
    g_free(row->ifname);
    g_free(row->from);
    g_free(row->to);
    g_free(row->effect);
    g_free(row->problem);
    g_free(row);
}

/* What @row is about, in a sentence: "port 1 (VF 3 of ens1f0, 0000:06:02.0)"; the caller frees it.
 * @port: the word for a port, as the sentence needs it: "port", "Port" */
char *
virtPlanRowDescribe(const virtPlanRow *row, const char *port)
{
    if (!row->port || !row->ifname)
        return g_strdup_printf("%s %s", row->noun, row->device);
    return g_strdup_printf("%s %u (VF %u of %s, %s)", port, row->port, row->vf, row->ifname, row->device);
}

/* @target: NULL where the device could not be found */
static virtPlanRow *
addPlanRow(GPtrArray *rows, const virtHandle *handle, const virtTarget *target, guint number)
{
    virtPlanRow *row = g_new0(virtPlanRow, 1);

    row->noun = virtHandleGetNoun(handle);
    g_strlcpy(row->device, handle->name, sizeof(row->device));
    row->port = number;
    if (target && target->index >= 0)
        row->vf = (guint)target->index;
    if (target && number > 0 && target->provider->getNetdev)
        row->ifname = target->provider->getNetdev(target, number);
    g_ptr_array_add(rows, row);
    return row;
}

static void
addProblem(GPtrArray *rows, const virtTarget *target, guint number, const GError *error)
{
    addPlanRow(rows, &target->handle, target, number)->problem = g_strdup(error->message);
}

/* NULL where it is not reported; a value that may or may not have been set, as such. */
static char *
formatPresent(const virtSettingInfo *info, const virtSetting *present, guint attr)
{
    g_autofree char *value = NULL;

    if (virtSettingHas(present, attr))
        value = info->attrs[attr].format(present);
    if (virtSettingIsUnknown(present, attr))
        return g_strdup_printf("? (%s is shown)", value);
    return g_steal_pointer(&value);
}

/* Adds a row about one attribute of @wanted, with what @present says of it; whether that is right is for the caller. */
virtPlanRow *
virtPlanRowAdd(GPtrArray *rows, const virtTarget *target, const virtSetting *wanted, const virtSetting *present,
               guint attr)
{
    const virtSettingInfo *info = virtTargetInfo(target);
    virtPlanRow *row = addPlanRow(rows, &target->handle, target, wanted->number);

    row->attr = info->attrs[attr].name;
    row->title = info->attrs[attr].title;
    row->from = formatPresent(info, present, attr);
    row->to = info->attrs[attr].format(wanted);
    if (*wanted->profile)
        row->profile = g_strdup(wanted->profile);
    return row;
}

static void
addAttrs(virtHost *host, GPtrArray *rows, const virtTarget *target, const virtSetting *wanted,
         const virtSetting *present)
{
    const virtSettingInfo *info = virtTargetInfo(target);
    guint differing = virtSettingDiff(info, wanted, present) | (wanted->present & present->unknown);

    for (guint attr = 0; attr < info->count; attr++) {
        virtPlanRow *row;

        if (!virtSettingHas(wanted, attr))
            continue;
        row = virtPlanRowAdd(rows, target, wanted, present, attr);
        row->differs = (differing & VIRT_SETTING_BIT(attr)) != 0;
        /* Of what is wanted to be none, a refusal is no problem. */
        if (row->differs && !virtSettingIsNone(info, wanted, attr) && target->provider->foresee)
            row->problem = target->provider->foresee(host, target, wanted, present, attr);
        if (row->differs && target->provider->foreseeEffect)
            row->effect = target->provider->foreseeEffect(host, target);
    }
    virtTargetWarnUnknown(host, target, present, wanted);
}

/* The record that there is of a device already. */
typedef struct {
    const virtRecord *record; /* NULL: none */
    bool over;                /* what it remembers goes back first; else its owner goes on with it */
} Past;

/* What a setting that says @present will say when what @before remembers has been put back. */
static void
foreseeBack(const virtSettingInfo *info, virtSetting *present, const virtSetting *before)
{
    for (guint attr = 0; attr < info->count; attr++) {
        bool unknown = virtSettingIsUnknown(before, attr);

        if (!virtSettingHas(before, attr) || !virtSettingHas(present, attr) ||
            (unknown && virtSettingEqualAttr(info, before, present, attr)))
            continue;
        virtSettingCopyAttr(info, present, before, attr);
        if (unknown) /* that is taken away */
            virtSettingClearAttr(info, present, attr);
        present->unknown &= ~VIRT_SETTING_BIT(attr);
    }
}

/* What @which of a device will say when a start begins to set them. */
static GPtrArray *
foreseePresent(virtHost *host, const virtTarget *target, const GPtrArray *which, const Past *past, GError **error)
{
    const virtSettingInfo *info = virtTargetInfo(target);
    GPtrArray *present = virtTargetRead(host, target, which, error);

    if (present && past->record && !past->over)
        virtBeforeBelieve(info, past->record->wanted.of[target->kind], present);
    for (guint i = 0; past->over && present && i < present->len; i++) {
        virtSetting *setting = present->pdata[i];
        const virtSetting *before = virtSettingListFind(past->record->before.of[target->kind], setting->number);

        if (before)
            foreseeBack(info, setting, before);
    }
    return present;
}

/* Whether @setting can be used there; adds a row where it cannot. */
static bool
planUse(GPtrArray *rows, const virtTarget *target, const virtHostdev *hostdev, const virtSetting *setting)
{
    g_autoptr(GError) error = NULL;

    if (target->provider->check(target, setting, &error))
        return true;
    virtProvisionPrefix(&error, hostdev);
    addProblem(rows, target, setting->number, error);
    return false;
}

static void
planSetting(virtHost *host, GPtrArray *rows, const virtTarget *target, const virtHostdev *hostdev, const Past *past,
            virtSetting *wanted)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) one = g_ptr_array_new();
    g_autoptr(GPtrArray) present = NULL;
    bool usable;

    g_ptr_array_add(one, wanted);
    usable = planUse(rows, target, hostdev, wanted);
    if (!(present = foreseePresent(host, target, one, past, &error))) {
        if (usable) /* else it has been said */
            addProblem(rows, target, wanted->number, error);
        return;
    }
    addAttrs(host, rows, target, wanted, virtSettingListFind(present, wanted->number));
    if (!virtTargetCheckNumbers(host, target, one, &error)) {
        virtProvisionPrefix(&error, hostdev);
        addProblem(rows, target, wanted->number, error);
    }
}

/* The rows from @end on are of another number than the same ones before them: what both say now is what is said. */
static void
joinRows(GPtrArray *rows, guint first, guint end)
{
    for (guint i = first; i < end; i++) {
        virtPlanRow *row = rows->pdata[i];
        const virtPlanRow *other = rows->pdata[end + i - first];

        if (g_strcmp0(row->from, other->from) != 0)
            g_clear_pointer(&row->from, g_free);
        row->differs |= other->differs;
    }
    g_ptr_array_set_size(rows, (gint)end);
}

/* A copy of the one that is wanted, for each number that it may be. */
static GPtrArray *
listMaybe(const virtTarget *target)
{
    GPtrArray *all = virtSettingListNew();

    for (guint i = 0; i < target->candidates->len; i++) {
        virtSetting *setting = virtSettingCopy(virtTargetInfo(target), target->wanted->pdata[0]);

        setting->number = g_array_index(target->candidates, guint, i);
        g_ptr_array_add(all, setting);
    }
    return all;
}

/* What is wanted is of one of several numbers, the first of which a start tries; what keeps it from that is a problem,
 * whichever it is. */
static void
planMaybe(virtHost *host, GPtrArray *rows, const virtTarget *target, const virtHostdev *hostdev, const Past *past)
{
    const virtSetting *wanted = target->wanted->pdata[0];
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) all = listMaybe(target);
    g_autoptr(GPtrArray) present = NULL;
    guint first, end;

    planUse(rows, target, hostdev, wanted);
    if (!(present = foreseePresent(host, target, all, past, &error))) {
        addProblem(rows, target, wanted->number, error);
        return;
    }
    first = rows->len;
    end = first;
    for (guint i = 0; i < all->len; i++) {
        addAttrs(host, rows, target, all->pdata[i], present->pdata[i]);
        if (i > 0)
            joinRows(rows, first, end);
        end = rows->len;
    }
    for (guint i = first; i < end; i++) {
        virtPlanRow *row = rows->pdata[i];

        row->port = 0;
        row->ports = virtSettingJoinNumbers(target->candidates, " or ");
        g_clear_pointer(&row->ifname, g_free);
    }
}

/* Can what @left remembers be put back first, as far as reading tells? */
static void
planReturn(virtHost *host, GPtrArray *rows, const virtTarget *target, const virtRecord *left)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) present = virtTargetRead(host, target, left->before.of[target->kind], &error);

    if (!present)
        addProblem(rows, target, 0, error);
}

static void
planTarget(virtHost *host, GPtrArray *rows, const virtTarget *target, const virtHostdev *hostdev, const Past *past)
{
    if (past->over)
        planReturn(host, rows, target, past->record);
    if (target->candidates) {
        planMaybe(host, rows, target, hostdev, past);
        return;
    }
    for (guint i = 0; i < target->wanted->len; i++)
        planSetting(host, rows, target, hostdev, past, target->wanted->pdata[i]);
}

/* Adds a row if something on the host uses the device. */
static bool
planHost(virtHost *host, const GPtrArray *targets, GError **error)
{
    for (guint i = 0; i < targets->len; i++) {
        if (!virtTargetCheckHost(host, targets->pdata[i], error))
            return false;
    }
    return true;
}

static void
planHostdev(virtHost *host, GPtrArray *rows, const virtOwner *owner, const virtHostdev *hostdev)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) targets = virtProvisionOpen(host, owner, hostdev, &error);
    g_autoptr(virtRecord) old = NULL;
    Past past = {NULL, false};

    if (!targets) {
        addPlanRow(rows, &hostdev->handle, NULL, 0)->problem = g_strdup(error->message);
        return;
    }
    for (guint i = 0; i < targets->len; i++)
        virtTargetResolve(host, owner, targets->pdata[i]);
    if (!virtProvisionMayTake(host, owner, targets, &old, &past.over, &error) || !planHost(host, targets, &error))
        addProblem(rows, targets->pdata[0], 0, error);
    past.record = old;
    past.over = past.over && old;
    for (guint i = 0; i < targets->len; i++)
        planTarget(host, rows, targets->pdata[i], hostdev, &past);
}

/* Only the start will show which device it is: nothing can be said but what will be set. */
static void
planLater(GPtrArray *rows, const virtHostdev *hostdev, guint kind)
{
    const virtSettingInfo *info = virtSettingKinds[kind]->info;
    const GPtrArray *wanted = hostdev->settings.of[kind];

    for (guint i = 0; i < wanted->len; i++) {
        const virtSetting *setting = wanted->pdata[i];

        for (guint attr = 0; attr < info->count; attr++) {
            virtPlanRow *row;

            if (!virtSettingHas(setting, attr))
                continue;
            row = addPlanRow(rows, &hostdev->handle, NULL, setting->number);
            row->attr = info->attrs[attr].name;
            row->title = info->attrs[attr].title;
            row->to = info->attrs[attr].format(setting);
            if (*setting->profile)
                row->profile = g_strdup(setting->profile);
            row->differs = true;
            row->later = true;
        }
    }
}

/* What virtProvisionPrepare would do for @owner, attribute by attribute, and every
 * reason it would have to refuse, not just the first. What a driver is known not to do counts as such a reason here
 * only: prepare asks the kernel.
 *
 * Returns (transfer full): virtPlanRow, in the order of @hostdevs.
 */
GPtrArray *
virtProvisionPlan(virtHost *host, const virtOwner *owner, const GPtrArray *hostdevs)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);
    GPtrArray *rows = g_ptr_array_new_with_free_func((GDestroyNotify)virtPlanRowFree);

    for (guint i = 0; i < hostdevs->len; i++) {
        const virtHostdev *hostdev = hostdevs->pdata[i];

        for (guint k = 0; virtHandleIsNetwork(&hostdev->handle) && virtSettingKinds[k]; k++)
            planLater(rows, hostdev, k);
        if (!virtHandleIsNetwork(&hostdev->handle) && !virtSettingsAreEmpty(&hostdev->settings))
            planHostdev(host, rows, owner, hostdev);
    }
    return rows;
}

/* Adds to @rows which of @devices (virtHandle, all of the host's that the domain is to have) is a PF that cannot be
 * given away.
 */
void
virtProvisionPlanPFs(virtHost *host, GPtrArray *rows, const GArray *devices)
{
    g_autoptr(virtHostReads) reads G_GNUC_UNUSED = virtHostReadOnce(host);

    for (guint i = 0; i < devices->len; i++) {
        const virtHandle *handle = &g_array_index(devices, virtHandle, i);
        g_autoptr(GError) error = NULL;

        if (!virtProvisionCheckPF(host, handle, devices, &error))
            addPlanRow(rows, handle, NULL, 0)->problem = g_strdup(error->message);
    }
}

/* Adds to @rows which of @hostdevs libvirt of @version (as virConnectGetLibVersion() says it) cannot give a driver that
 * does what is wanted.
 */
void
virtProvisionPlanLibvirt(GPtrArray *rows, const GPtrArray *hostdevs, unsigned long version)
{
    for (guint i = 0; i < hostdevs->len; i++) {
        const virtHostdev *hostdev = hostdevs->pdata[i];
        g_autoptr(GError) error = NULL;

        if (!virtProvisionCheckLibvirt(hostdev, version, &error))
            addPlanRow(rows, &hostdev->handle, NULL, 0)->problem = g_strdup(error->message);
    }
}

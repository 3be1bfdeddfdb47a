/* faulttest.c: every step of every operation goes wrong, or is the last one of its process; what is left is judged
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation. An operation runs once undisturbed, which finds its steps. Then, for each step and each way in
 * which it can go wrong, it runs again on a host made anew, in a process of its own, which may die of it. What outlives
 * the process (the kernel's table of VFs, the state directory, libvirt's idea of the guest) is judged here, by means of
 * our own: files by their names, VFs by the kernel's table, messages by their words. Then, in another process, the
 * daemon reconciles where it would; then the guest ends, and `virt-hostdev recover` runs; and then the host must be as
 * it was before, without a record or anything else of the guest's.
 *
 *   D   done: success was reported, and all is as wanted
 *   U   undone: a failure was reported, and all is as before the operation
 *   K   kept: a failure was reported that names each VF that is not as it should be, and what of it; its record is
 *       there. Or a warning: restore leaves VFs to domains that it cannot find out about, and says so
 *   T   told: all is as wanted, and yet a failure was reported
 *   B   put back: the process died; what the daemon does next, or restore, made all as it should be
 *   ?   anything else, and the test has failed
 */
#include "faulttest.h"
#include "testfiles.h"
#include "util/virstatefile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNKNOWN '?'
#define STEP_WIDTH 33 /* characters: the first columns of the table, a step and its places */
#define SHOWN_MAX 30  /* of what went wrong in an unknown way */

static const faultLook nothing[2] = {AS_BEFORE, AS_BEFORE};
static fakeHost *fake;
static guint shown;

/* One way in which an operation goes wrong. */
typedef struct {
    const faultOperation *operation;
    faultHow how;
    guint step;
    faultKind kind;
    int error;
} Case;

/* ---- in a process of its own ---- */

static guint
countDescriptors(void)
{
    DIR *dir = opendir("/proc/self/fd");
    guint n = 0;

    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

/* Locks that are held by anybody. */
static guint
countLocks(void)
{
    g_autofree char *path = virtHostPath(fake->host, VIRT_STATE_DIR);
    DIR *dir = opendir(path);
    guint n = 0;

    for (struct dirent *entry; (entry = readdir(dir));) {
        int fd = g_str_has_suffix(entry->d_name, ".lock") ? openat(dirfd(dir), entry->d_name, O_RDWR) : -1;

        n += fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0;
        if (fd >= 0)
            close(fd);
    }
    closedir(dir);
    return n;
}

static void
report(bool ok, const GError *error)
{
    faultState->ok = ok;
    if (!ok)
        faultTell(error ? error->message : "(no message)");
    if (ok == (error != NULL))
        g_strlcpy(faultState->violation, "the result and the error disagree", sizeof(faultState->violation));
}

static void G_GNUC_NORETURN
runCase(const Case *c)
{
    g_autoptr(GError) error = NULL;
    guint before;
    bool ok;

    c->operation->setUp(fake);
    g_autofree char *other = fakeHostRead(fake, VIRT_STATE_DIR "/%s", fakeHostVFAddress(fake, FAULT_PF, 3));
    g_strlcpy(faultState->stranger, other, sizeof(faultState->stranger));
    *faultState->message = '\0';
    before = countDescriptors();
    faultArm(fake->host->root, c->how, c->step, c->kind, c->error);
    ok = c->operation->run(fake, &error);
    faultDisarm();
    report(ok, error);
    faultState->leaks = countDescriptors() - before;
    faultState->locks = countLocks();
    _exit(0);
}

static void G_GNUC_NORETURN
runLater(bool (*run)(fakeHost *host, GError **error))
{
    g_autoptr(GError) error = NULL;
    bool ok;

    *faultState->message = '\0';
    faultArm(fake->host->root, FAULT_ONCE, 0, (faultKind){FAULT_ELSEWHERE, 0}, 0); /* for its view of what is on disk */
    ok = run(fake, &error);
    faultDisarm();
    report(ok, error);
    _exit(0);
}

/* What the tool prints is no line of ours. */
static pid_t
forkQuietly(void)
{
    fflush(stdout);
    pid_t child = fork();

    g_assert_cmpint(child, >=, 0);
    if (child == 0)
        g_assert_nonnull(freopen("/dev/null", "w", stdout));
    return child;
}

static int
waitFor(pid_t child)
{
    int status;

    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

/* ---- judging ---- */

static void G_GNUC_PRINTF(2, 3) complain(GString *why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    g_string_append_vprintf(why, format, args);
    va_end(args);
    g_string_append(why, "; ");
}

static bool
hasRecord(guint vf)
{
    g_autofree char *path = virtHostPath(fake->host, VIRT_STATE_DIR "/%s", fakeHostVFAddress(fake, FAULT_PF, vf));

    return access(path, F_OK) == 0;
}

/* The bits of the attributes in which one VF at one port is not as wanted. */
static guint
compareVF(const fakeVF *now, const fakeVF *wanted)
{
    guint bits = 0;

    bits |= memcmp(now->mac, wanted->mac, 6) ? VIRT_NETDEV_BIT(VIRT_NETDEV_MAC) : 0;
    if (now->vlan != wanted->vlan || now->qos != wanted->qos || now->protocol != wanted->protocol)
        bits |= VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
    if (now->maxRate != wanted->maxRate || now->minRate != wanted->minRate)
        bits |= VIRT_NETDEV_BIT(VIRT_NETDEV_BANDWIDTH);
    bits |= now->spoofchk != wanted->spoofchk ? VIRT_NETDEV_BIT(VIRT_NETDEV_SPOOFCHECK) : 0;
    bits |= now->link != wanted->link ? VIRT_NETDEV_BIT(VIRT_NETDEV_LINK) : 0;
    bits |= now->trust != wanted->trust ? VIRT_NETDEV_BIT(VIRT_NETDEV_TRUST) : 0;
    return bits;
}

/* As above. The MAC address that VF 0 shows at port 1 is its driver's own: none, written back, is as it was. */
static guint
differs(guint vf, guint port, faultLook look)
{
    const faultLook looks[2] = {look, look};
    const fakeVF *now = fakeHostVF(fake, FAULT_PF, port, vf);
    fakeVF table[8];

    faultTableMake(fake, looks, table);
    fakeVF *wanted = &table[(port - 1) * 4 + vf];
    if (look == AS_BEFORE && vf == 0 && port == 1 && virtMacIsZero(now->mac))
        memset(wanted->mac, 0, sizeof(wanted->mac));
    return compareVF(now, wanted);
}

/* The host's driver may be bound anew, and must be there again in the end. */
static bool
hasDriver(guint vf)
{
    g_autofree char *path =
        virtHostPath(fake->host, "sys/bus/pci/devices/%s/driver", fakeHostVFAddress(fake, FAULT_PF, vf));

    return access(path, F_OK) == 0;
}

static bool
looks(guint vf, faultLook look)
{
    if (look == AS_BEFORE && !hasDriver(vf))
        return false;
    if (vf == 0 && faultFileLooks && !faultFileLooks(fake, look))
        return false;
    return !differs(vf, 1, look) && !differs(vf, 2, look) && hasRecord(vf) == (look != AS_BEFORE);
}

static bool
deviceHasRecord(void)
{
    g_autofree char *path = virtHostPath(fake->host, VIRT_STATE_DIR "/%s", faultDeviceRecord);

    return access(path, F_OK) == 0;
}

/* Where there is one. */
static bool
deviceLooks(faultLook look)
{
    return !faultDeviceLooks || (faultDeviceLooks(fake, look) && deviceHasRecord() == (look != AS_BEFORE));
}

static bool
bothLook(const faultLook look[2])
{
    if (!deviceLooks(look[1]))
        return false;
    return looks(0, look[0]) && looks(1, look[1]);
}

/* Nobody's VF 2, and VF 3 with its record, are touched by nothing that domain a does. */
static void
checkOthers(GString *why)
{
    g_autofree char *path = virtHostPath(fake->host, VIRT_STATE_DIR "/%s", fakeHostVFAddress(fake, FAULT_PF, 3));
    g_autofree char *record = virtTestRead(path);

    for (guint vf = 2; vf < 4; vf++) {
        for (guint port = 1; port <= 2; port++) {
            if (differs(vf, port, AS_BEFORE))
                complain(why, "port %u of VF %u, which is another's, was changed", port, vf);
        }
    }
    if (g_strcmp0(record, faultState->stranger) != 0)
        complain(why, "the record of VF 3 was changed");
}

/* A file in the state directory that is no lock and not the record of VF 3; NULL: none. */
static char *
findLeftover(void)
{
    g_autofree char *path = virtHostPath(fake->host, VIRT_STATE_DIR);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    const char *name;

    while ((name = g_dir_read_name(dir))) {
        if (!g_str_has_suffix(name, ".lock") && !g_str_equal(name, fakeHostVFAddress(fake, FAULT_PF, 3)))
            return g_strdup(name);
    }
    return NULL;
}

static char *
describe(virtNetdevAttr attr, const fakeVF *vf)
{
    char mac[18];
    const bool none = attr == VIRT_NETDEV_MAC ? virtMacIsZero(vf->mac) : attr == VIRT_NETDEV_VLAN && vf->vlan == 0;

    virtMacFormat(vf->mac, mac);
    if (attr == VIRT_NETDEV_MAC)
        return g_strdup_printf("MAC address %s", none ? "none" : mac);
    if (attr == VIRT_NETDEV_VLAN && none)
        return g_strdup("VLAN none");
    return attr == VIRT_NETDEV_VLAN ? g_strdup_printf("VLAN %u", vf->vlan) : g_strdup(virtNetdevAttrs[attr].title);
}

/* One VF is not as it should be: is it named, with what it lacks where anything of it was tried, and is its record
 * there? */
static void
checkTold(GString *why, guint vf, faultLook look)
{
    const char *address = fakeHostVFAddress(fake, FAULT_PF, vf), *message = faultState->message;
    const faultLook both[2] = {look, look};
    g_autofree char *name = g_strdup_printf("VF %u of %s", vf, fakeHostIfname(fake, FAULT_PF, 1));
    /* Else nobody knows which records there are, or what the domain has. */
    bool listed = !strstr(message, "state directory") && !strstr(message, "domain 'a'") && !strstr(message, UUID_A);
    fakeVF table[8];

    faultTableMake(fake, both, table);
    if (!hasRecord(vf))
        complain(why, "VF %u is not as it should be, and has no record", vf);
    if (listed && !strstr(message, address) && !strstr(message, name))
        complain(why, "VF %u is not as it should be, and no message names it", vf);
    if (look == AS_BEFORE && vf == 0)
        memset(table[0].mac, 0, sizeof(table[0].mac)); /* the driver's own: there was none */
    for (guint port = 1; port <= 2; port++) {
        guint bits = differs(vf, port, look);

        for (virtNetdevAttr attr = 0; attr < VIRT_NETDEV_ATTR_LAST; attr++) {
            g_autofree char *what = describe(attr, &table[(port - 1) * 4 + vf]);
            g_autofree char *sentence = g_strdup_printf("Cannot restore %s", what);
            bool tried = g_regex_match_simple("Cannot restore [^:]* on port", message, 0, 0);

            if (bits & VIRT_NETDEV_BIT(attr) && tried && !strstr(message, sentence))
                complain(why, "no message says: %s on port %u", sentence, port);
        }
    }
}

/* The same of the device, which its record is called by, behind the bus. */
static void
checkDeviceTold(GString *why)
{
    const char *message = faultState->message, *dash = strchr(faultDeviceRecord, '-'), *name = faultDeviceRecord;
    bool listed = !strstr(message, "state directory") && !strstr(message, "domain 'a'");

    if (dash)
        name = dash + 1;
    if (!deviceHasRecord())
        complain(why, "the device is not as it should be, and has no record");
    if (listed && !strstr(message, name))
        complain(why, "the device is not as it should be, and no message names it");
}

/* What came of a case whose process lived. */
static char
judgeReport(const faultOperation *operation, GString *why)
{
    const faultLook *wanted = operation->leftOver ? nothing : operation->putsBack ? operation->end : operation->start;

    if (faultState->leaks)
        complain(why, "%d descriptors are left open", (int)faultState->leaks);
    if (faultState->locks)
        complain(why, "a lock is left");
    if (faultState->ok) {
        if (operation->mustFail)
            complain(why, "it must fail");
        if (bothLook(operation->end))
            return 'D';
        if (!operation->putsBack || !*faultState->message)
            complain(why, "success was reported, and not all is as wanted");
    }
    if (!operation->putsBack && (bothLook(operation->start) || (operation->leftOver && bothLook(nothing))))
        return 'U';
    if (bothLook(operation->end))
        return 'T';
    for (guint vf = 0; vf < 2; vf++) {
        if (!looks(vf, wanted[vf]))
            checkTold(why, vf, wanted[vf]);
    }
    if (!deviceLooks(wanted[1]))
        checkDeviceTold(why);
    return 'K';
}

/* ---- a case ---- */

static void
runOther(bool (*run)(fakeHost *host, GError **error), const char *what, GString *why)
{
    pid_t child = forkQuietly();

    if (child == 0)
        runLater(run);
    if (waitFor(child) != 0 || !faultState->ok)
        complain(why, "%s failed: %s", what, faultState->message);
    checkOthers(why);
}

static void
reconcileLater(const faultOperation *operation, GString *why)
{
    faultLook wanted[2] = {operation->reconciled[0], operation->reconciled[1]};

    runOther(operation->reconcile, "reconciling", why);
    /* Where a VF cannot be set as the metadata says, the daemon makes the metadata say what is. */
    if (wanted[0] == UPDATED && strstr(faultState->guest.live, "'100'"))
        wanted[0] = ATTACHED;
    if (!bothLook(wanted))
        complain(why, "reconciling did not help");
}

/* The guest is gone, and so is libvirt. */
static void
restoreLater(GString *why)
{
    fakeHostFile(fake, NULL, "run/libvirt/qemu/a.xml");
    faultState->guest.running = false;
    faultState->guest.away = true;
    runOther(faultRestore, "restore", why);
    if (!bothLook(nothing))
        complain(why, "the host is not as before");
}

/* Nothing is left in the state directory; of a process that died while it wrote a record, that unfinished file, which
 * is in nobody's way and goes with the next record of that VF. */
static void
checkLeftovers(bool died, GString *why)
{
    g_autofree char *first = findLeftover();

    if (!first)
        return;
    if (died && *first == '.')
        runOther(faultLiveAgain, "the next guest", why);
    g_autofree char *last = findLeftover();
    if (last || !bothLook(nothing))
        complain(why, "%s is left in the state directory", last ? last : first);
}

static void
show(const Case *c, const char *message, const GString *why)
{
    static const char *const hows[] = {"undisturbed", "once",        "from then on",
                                       "dies before", "dies within", "dies after"};

    static faultKind last = {FAULT_ELSEWHERE, 0};

    g_test_fail();
    if (last.place == c->kind.place && last.call == c->kind.call) /* one of a kind is enough to begin with */
        return;
    last = c->kind;
    if (shown++ < SHOWN_MAX)
        printf("# %s, step %u: %s, %s, %s, %s\n#   %s\n#   it said: %s\n", c->operation->name, c->step,
               c->kind.place < FAULT_ELSEWHERE ? faultPlaces[c->kind.place] : "", faultCalls[c->kind.call].name,
               hows[c->how], c->error == FAULT_SHORT ? "half" : g_strerror(c->error), why->str, message);
}

/* Run one case from a fresh host to the end of the guest. Returns the outcome. */
static char
tryCase(const Case *c)
{
    g_autoptr(GString) why = g_string_new(NULL);
    bool dies = c->how >= FAULT_BEFORE;
    char outcome = 'B';

    faultHostReset(fake);
    *faultState->violation = *faultState->message = '\0';
    pid_t child = forkQuietly();
    if (child == 0)
        runCase(c);
    int code = waitFor(child);
    g_autofree char *message = g_strdup(faultState->message);
    guint steps = faultState->steps;

    if (code != (dies ? FAULT_DIED : 0))
        complain(why, "it ended with %d", code);
    else if (!dies)
        outcome = judgeReport(c->operation, why);
    checkOthers(why);
    if (c->operation->reconcile && outcome != 'D')
        reconcileLater(c->operation, why);
    if (dies || !bothLook(nothing)) /* else there is nothing to do */
        restoreLater(why);
    checkLeftovers(dies, why);
    if (*faultState->violation)
        complain(why, "%s", faultState->violation);
    faultState->steps = steps;
    if (why->len == 0)
        return outcome;
    show(c, message, why);
    return UNKNOWN;
}

/* Of how many cases one is tried: $FAULT_EVERY, or all of them. */
static guint
getEvery(void)
{
    const char *every = g_getenv("FAULT_EVERY");

    if (!every)
        return 1;
    return MAX(1, (guint)g_ascii_strtoull(every, NULL, 10));
}

/* Try @c, if it is its turn, and enter in the table what came of it. */
static void
addCase(const Case *c)
{
    static guint cases;

    if (cases++ % getEvery() == 0)
        faultTableAdd(c->operation, c->kind, c->how, c->error, tryCase(c));
}

static void
tryErrors(const Case *base)
{
    const faultCallInfo *info = &faultCalls[base->kind.call];
    Case c = *base;

    for (guint i = 0; i < G_N_ELEMENTS(info->errnos) && info->errnos[i]; i++) {
        c.how = FAULT_ONCE;
        c.error = info->errnos[i];
        addCase(&c);
    }
    c.how = FAULT_ALWAYS;
    c.error = info->errnos[0];
    addCase(&c);
}

static void
tryDeaths(const Case *base)
{
    const faultHow hows[] = {FAULT_BEFORE, FAULT_WITHIN, FAULT_AFTER};
    Case c = *base;

    c.error = 0;
    for (guint i = 0; i < G_N_ELEMENTS(hows); i++) {
        c.how = hows[i];
        bool dies = c.how == FAULT_BEFORE || faultCalls[c.kind.call].deadly == FAULT_DIES;
        if (dies && (c.how != FAULT_WITHIN || c.kind.call == FAULT_WRITE))
            addCase(&c);
    }
}

static void
testOperation(gconstpointer opaque)
{
    const faultOperation *operation = opaque;
    Case c = {operation, FAULT_NONE, 0, {FAULT_ELSEWHERE, 0}, 0};

    g_assert_cmpint(tryCase(&c), ==, operation->mustFail ? 'U' : 'D');
    guint steps = faultState->steps;
    g_autofree faultKind *kinds = g_memdup2(faultState->kinds, sizeof(faultState->kinds));
    g_assert_cmpuint(steps, >, 20);
    for (c.step = 1; c.step <= steps; c.step++) {
        c.kind = kinds[c.step];
        faultTableCount(operation, c.kind);
        tryErrors(&c);
        if (faultCalls[c.kind.call].deadly)
            tryDeaths(&c);
    }
}

/* A line of the table when only some cases were tried: the same steps, and no other outcomes. */
static bool
isPartOf(const char *some, const char *all)
{
    if (strncmp(some, all, STEP_WIDTH) != 0)
        return false;
    for (some += MIN(STEP_WIDTH, strlen(some)); *some; some++) {
        if (g_ascii_isupper(*some) && !strchr(all + STEP_WIDTH, *some))
            return false;
    }
    return true;
}

/* No line of @table has an outcome that the line of docs/tables/faults.rst lacks. */
static void
comparePart(const char *table)
{
    g_autofree char *path = virtTestPath("../docs/tables/faults.rst");
    g_autofree char *page = virtTestRead(path);
    g_auto(GStrv) some = g_strsplit(table, "\n", -1);
    g_auto(GStrv) all = g_strsplit(strstr(page, "\n::\n") + 1, "\n", -1);

    for (guint i = 0; some[i] && some[i + 1]; i++) {
        if (!all[i] || !isPartOf(some[i], all[i]))
            g_error("the table has \"%s\" where this found \"%s\"", all[i], some[i]);
    }
}

/* The table is the one in docs/tables/faults.rst. */
static void
testTable(void)
{
    g_autofree char *table = faultTableFormat();
    g_autofree char *path = g_build_filename(g_getenv("BUILDDIR") ? g_getenv("BUILDDIR") : ".", "faults.txt", NULL);

    g_assert_null(strchr(table, UNKNOWN));
    g_assert_true(g_file_set_contents(path, table, -1, NULL)); /* scripts/check prints it */
    if (getEvery() > 1)
        comparePart(table);
    else
        virtTestSection("../docs/tables/faults.rst", "faults", table);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    faultState = mmap(NULL, sizeof(*faultState), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert_true(faultState != MAP_FAILED);
    fake = faultHostMake();
    for (const faultOperation *operation = faultOperations; operation->name; operation++) {
        g_autofree char *path = g_strdup_printf("/fault/%s", operation->name);
        g_test_add_data_func(path, operation, testOperation);
    }
    g_test_add_func("/fault/table", testTable); /* the last of its suite */
    int rc = g_test_run();
    fakeHostFree(fake);
    return rc;
}

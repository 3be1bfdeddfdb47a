/* fakehost.c: the sysfs tree of fakehost.h and its life; the kernel is fakekernel.c
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "fakekernel.h"
#include "fakemdev.h"
#include "fakevdpa.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <ftw.h>
#include <linux/if_ether.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

static guint64 *sleeper; /* host->sleep knows no host: the last one made counts */

static void
fakeSleep(gulong microseconds)
{
    *sleeper += microseconds;
}

static char *
fakeReadIPv4(virtHost *host, const char *ifname)
{
    const fakeHost *fake = host->opaque;

    return g_strcmp0(ifname, fake->ipv4Netdev) == 0 ? g_strdup("192.0.2.7") : NULL;
}

static void
fakeWarn(virtHost *host, const char *message)
{
    fakeHost *fake = host->opaque;

    g_ptr_array_add(fake->warnings, g_strdup(message));
}

static size_t
tableSize(const fakePF *pf)
{
    return (pf->ports * pf->vfs + 1) * sizeof(*pf->table);
}

static void
pfFree(gpointer data)
{
    fakePF *pf = data;

    g_free(pf->name);
    g_strfreev(pf->vfNames);
    g_strfreev(pf->ifnames);
    for (guint port = 0; port < pf->ports; port++)
        g_free(pf->renamed[port]);
    g_free(pf->renamed);
    g_free(pf->ifindex);
    g_free(pf->only);
    munmap(pf->table, tableSize(pf));
    g_free(pf);
}

static int
requestGeneric(virtHost *host, const char *family, struct nl_msg *request, struct nl_msg **ret_reply, char **ret_reason)
{
    if (g_str_equal(family, "vdpa"))
        return fakeVdpaRequest(host->opaque, request, ret_reply, ret_reason);
    return fakeDevlinkRequest(host, family, request, ret_reply, ret_reason);
}

static int
dumpGeneric(virtHost *host, const char *family, struct nl_msg *request, GPtrArray *replies, char **ret_reason)
{
    if (g_str_equal(family, "vdpa"))
        return fakeVdpaList(host->opaque, request, replies);
    return fakeDevlinkDump(host, family, request, replies, ret_reason);
}

fakeHost *
fakeHostNew(void)
{
    fakeHost *fake = g_new0(fakeHost, 1);
    /* In memory where there is such a place: a card with 400 VFs is ten thousand files. */
    const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : g_get_tmp_dir();
    g_autofree char *root = g_build_filename(base, "fakehost-XXXXXX", NULL);

    g_assert_nonnull(g_mkdtemp(root));
    fake->host = virtHostNew(root);
    fake->host->request = fakeKernelRequest;
    fake->host->requestGeneric = requestGeneric;
    fake->host->dumpGeneric = dumpGeneric;
    fake->host->write = fakeMdevWrite;
    fake->host->tryOpen = fakeMdevTryOpen;
    fake->host->sleep = fakeSleep;
    fake->host->readIPv4 = fakeReadIPv4;
    fake->host->warn = fakeWarn;
    fake->host->opaque = fake;
    fake->warnings = g_ptr_array_new_with_free_func(g_free);
    fake->log = g_string_new(NULL);
    fake->pfs = g_ptr_array_new_with_free_func(pfFree);
    fake->nextIfindex = 2; /* 1 is lo */
    sleeper = &fake->slept;
    fakeHostFile(fake, "", "sys/bus/pci/drivers_probe");
    fakeHostFile(fake, "4c4c4544-0042-3510-8054-b4c04f564433\n", "sys/class/dmi/id/product_uuid");
    return fake;
}

static int
removeEntry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    return remove(path);
}

void
fakeHostFree(fakeHost *fake)
{
    if (!fake)
        return;
    nftw(fake->host->root, removeEntry, 16, FTW_DEPTH | FTW_PHYS);
    virtHostFree(fake->host);
    g_ptr_array_unref(fake->warnings);
    g_ptr_array_unref(fake->pfs);
    g_string_free(fake->log, TRUE);
    g_free(fake);
}

/* Not g_file_set_contents(), which syncs: thousands of files would take a minute. */
static void
writeFile(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, text, strlen(text)), ==, (gssize)strlen(text));
    close(fd);
}

void
fakeHostFile(fakeHost *fake, const char *text, const char *format, ...)
{
    va_list args;
    g_autofree char *relative = NULL;
    g_autofree char *path = NULL;
    g_autofree char *dir = NULL;

    va_start(args, format);
    relative = g_strdup_vprintf(format, args);
    va_end(args);
    path = virtHostPath(fake->host, "%s", relative);
    dir = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(dir, 0755), ==, 0);
    if (!text)
        unlink(path);
    else
        writeFile(path, text);
}

char *
fakeHostRead(fakeHost *fake, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    g_autofree char *relative = NULL;
    g_autofree char *path = NULL;

    va_start(args, format);
    relative = g_strdup_vprintf(format, args);
    va_end(args);
    path = virtHostPath(fake->host, "%s", relative);
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    return text;
}

static void G_GNUC_PRINTF(3, 4) makeLink(fakeHost *fake, const char *target, const char *format, ...)
{
    va_list args;
    g_autofree char *relative = NULL;
    g_autofree char *path = NULL;
    g_autofree char *dir = NULL;

    va_start(args, format);
    relative = g_strdup_vprintf(format, args);
    va_end(args);
    path = virtHostPath(fake->host, "%s", relative);
    dir = g_path_get_dirname(path);
    g_assert_cmpint(g_mkdir_with_parents(dir, 0755), ==, 0);
    unlink(path);
    g_assert_cmpint(symlink(target, path), ==, 0);
}

static void
bindDriver(fakeHost *fake, const char *address, const char *driver)
{
    g_autofree char *target = g_strdup_printf("../../../bus/pci/drivers/%s", driver);

    makeLink(fake, target, "sys/devices/pci0000:00/%s/driver", address);
    fakeHostFile(fake, "", "sys/bus/pci/drivers/%s/bind", driver);
    fakeHostFile(fake, "", "sys/bus/pci/drivers/%s/unbind", driver);
}

/* A PCI device as sysfs shows it: a directory under /sys/devices and a link to it under /sys/bus/pci. */
static void
addDevice(fakeHost *fake, const char *address, const char *driver)
{
    g_autofree char *target = g_strdup_printf("../../../devices/pci0000:00/%s", address);

    makeLink(fake, target, "sys/bus/pci/devices/%s", address);
    fakeHostFile(fake, "(null)\n", "sys/devices/pci0000:00/%s/driver_override", address);
    fakeHostFile(fake, "0x8086\n", "sys/devices/pci0000:00/%s/vendor", address);
    bindDriver(fake, address, driver);
}

/* "enp1s0f0" of 0000:01:00.0, "enp1s0f0d1" of its second port */
static char *
makeIfname(const char *address, guint port)
{
    virtPCIAddress pci;

    g_assert_true(virtPCIAddressParse(address, &pci, NULL));
    if (port == 1)
        return g_strdup_printf("enp%us%uf%u", pci.bus, pci.slot, pci.function);
    return g_strdup_printf("enp%us%uf%ud%u", pci.bus, pci.slot, pci.function, port - 1);
}

static void G_GNUC_PRINTF(5, 6)
    netFile(fakeHost *fake, const char *address, const char *ifname, const char *attribute, const char *format, ...)
{
    va_list args;
    g_autofree char *text = NULL;

    va_start(args, format);
    text = g_strdup_vprintf(format, args);
    va_end(args);
    fakeHostFile(fake, text, "sys/devices/pci0000:00/%s/net/%s/%s", address, ifname, attribute);
}

/* A netdev that is up. Returns its ifindex. */
static guint
addNetdev(fakeHost *fake, const char *address, const char *ifname, guint port, bool vf)
{
    guint ifindex = fake->nextIfindex++;
    g_autofree char *target = g_strdup_printf("../../devices/pci0000:00/%s/net/%s", address, ifname);

    netFile(fake, address, ifname, "ifindex", "%u\n", ifindex);
    netFile(fake, address, ifname, "dev_port", "%u\n", port - 1);
    netFile(fake, address, ifname, "dev_id", "0x0\n");
    netFile(fake, address, ifname, "flags", "0x1003\n");
    netFile(fake, address, ifname, "addr_assign_type", "%d\n", vf ? 1 : 0);
    netFile(fake, address, ifname, "address", "%s:%02x:%02x\n", vf ? "02:fa:00:00" : "00:1b:21:00", ifindex >> 8,
            ifindex & 0xff);
    makeLink(fake, target, "sys/class/net/%s", ifname);
    return ifindex;
}

void
fakeHostAddDevice(fakeHost *fake, const char *address, guint ports, const char *driver)
{
    addDevice(fake, address, driver);
    for (guint port = 1; port <= ports; port++) {
        g_autofree char *ifname = makeIfname(address, port);

        addNetdev(fake, address, ifname, port, false);
    }
}

void
fakeHostAddNetdev(fakeHost *fake, const char *address, const char *ifname)
{
    addNetdev(fake, address, ifname, 1, false);
}

static char *
makeVFName(const char *pf, guint vf)
{
    virtPCIAddress address;
    char name[VIRT_PCI_ADDRESS_LEN];
    guint id;

    g_assert_true(virtPCIAddressParse(pf, &address, NULL));
    id = (address.bus << 8 | address.slot << 3 | address.function) + 0x80 + vf * 2;
    address.bus = id >> 8;
    address.slot = id >> 3 & 0x1f;
    address.function = id & 7;
    virtPCIAddressFormat(&address, name);
    return g_strdup(name);
}

static void
addVF(fakeHost *fake, const fakePF *pf, guint vf, const char *driver)
{
    const char *name = pf->vfNames[vf];
    g_autofree char *bound = g_strconcat(driver, "vf", NULL);
    g_autofree char *up = g_strdup_printf("../%s", pf->name);
    g_autofree char *down = g_strdup_printf("../%s", name);

    addDevice(fake, name, bound);
    makeLink(fake, up, "sys/devices/pci0000:00/%s/physfn", name);
    makeLink(fake, down, "sys/devices/pci0000:00/%s/virtfn%u", pf->name, vf);
    for (guint port = 1; port <= pf->ports; port++) {
        g_autofree char *ifname = makeIfname(name, port);
        fakeVF *state = &pf->table[(port - 1) * pf->vfs + vf];

        addNetdev(fake, name, ifname, port, true);
        state->protocol = ETH_P_8021Q;
        state->spoofchk = 1;
    }
}

void
fakeHostAddPF(fakeHost *fake, const char *name, guint ports, guint vfs, const char *driver)
{
    fakePF *pf = g_new0(fakePF, 1);
    g_autofree char *count = g_strdup_printf("%u\n", vfs);

    pf->name = g_strdup(name);
    pf->ports = ports;
    pf->vfs = vfs;
    pf->ifnames = g_new0(char *, ports + 1);
    pf->renamed = g_new0(char *, ports + 1);
    pf->ifindex = g_new0(guint, ports + 1);
    pf->vfNames = g_new0(char *, vfs + 1);
    pf->only = g_new0(guint, vfs + 1);
    /* A kernel outlives the processes that talk to it: one that a test forks off changes the same table. */
    pf->table = mmap(NULL, tableSize(pf), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert_true(pf->table != MAP_FAILED);
    g_ptr_array_add(fake->pfs, pf);
    addDevice(fake, name, driver);
    fakeHostFile(fake, count, "sys/devices/pci0000:00/%s/sriov_totalvfs", name);
    fakeHostFile(fake, count, "sys/devices/pci0000:00/%s/sriov_numvfs", name);
    for (guint port = 1; port <= ports; port++) {
        pf->ifnames[port - 1] = makeIfname(name, port);
        pf->ifindex[port - 1] = addNetdev(fake, name, pf->ifnames[port - 1], port, false);
    }
    for (guint vf = 0; vf < vfs; vf++) {
        pf->vfNames[vf] = makeVFName(name, vf);
        addVF(fake, pf, vf, driver);
    }
}

static fakePF *
getPF(fakeHost *fake, const char *name)
{
    for (guint i = 0; i < fake->pfs->len; i++) {
        fakePF *pf = fake->pfs->pdata[i];

        if (g_str_equal(pf->name, name))
            return pf;
    }
    g_error("no PF %s on the fake host", name);
}

const char *
fakeHostVFAddress(fakeHost *fake, const char *name, guint vf)
{
    fakePF *pf = getPF(fake, name);

    g_assert_cmpuint(vf, <, pf->vfs);
    return pf->vfNames[vf];
}

const char *
fakeHostIfname(fakeHost *fake, const char *name, guint port)
{
    fakePF *pf = getPF(fake, name);

    g_assert_cmpuint(port - 1, <, pf->ports);
    return pf->ifnames[port - 1];
}

void
fakeHostRename(fakeHost *fake, const char *name, guint port, const char *ifname)
{
    fakePF *pf = getPF(fake, name);
    const char *known = pf->renamed[port - 1] ? pf->renamed[port - 1] : pf->ifnames[port - 1];
    g_autofree char *old = virtHostPath(fake->host, "sys/devices/pci0000:00/%s/net/%s", name, known);
    g_autofree char *new = virtHostPath(fake->host, "sys/devices/pci0000:00/%s/net/%s", name, ifname);
    g_autofree char *link = virtHostPath(fake->host, "sys/class/net/%s", known);
    g_autofree char *target = g_strdup_printf("../../devices/pci0000:00/%s/net/%s", name, ifname);

    g_assert_cmpint(rename(old, new), ==, 0);
    g_assert_cmpint(unlink(link), ==, 0);
    makeLink(fake, target, "sys/class/net/%s", ifname);
    g_free(pf->renamed[port - 1]);
    pf->renamed[port - 1] = g_strdup(ifname);
}

fakeVF *
fakeHostVF(fakeHost *fake, const char *name, guint port, guint vf)
{
    fakePF *pf = getPF(fake, name);

    g_assert_cmpuint(port - 1, <, pf->ports);
    g_assert_cmpuint(vf, <, pf->vfs);
    return &pf->table[(port - 1) * pf->vfs + vf];
}

virtVF *
fakeHostLookup(fakeHost *fake, const char *pf, guint vf)
{
    virtPCIAddress address;
    g_autoptr(GError) error = NULL;
    virtVF *found;

    g_assert_true(virtPCIAddressParse(fakeHostVFAddress(fake, pf, vf), &address, NULL));
    found = virtVFLookup(fake->host, &address, &error);
    g_assert_no_error(error);
    return found;
}

void
fakeHostBindVFIO(fakeHost *fake, const char *address)
{
    g_autofree char *net = virtHostPath(fake->host, "sys/devices/pci0000:00/%s/net", address);
    g_autoptr(GPtrArray) names = virtHostListDir(fake->host, NULL, "sys/bus/pci/devices/%s/net", address);

    for (guint i = 0; i < names->len; i++) {
        g_autofree char *class = virtHostPath(fake->host, "sys/class/net/%s", (const char *)names->pdata[i]);

        unlink(class);
    }
    nftw(net, removeEntry, 16, FTW_DEPTH | FTW_PHYS);
    bindDriver(fake, address, "vfio-pci");
}

void
fakeHostSetDriver(fakeHost *fake, const char *address, const char *driver)
{
    g_autofree char *there = virtHostPath(fake->host, "sys/devices/pci0000:00/%s/net", address);
    g_autofree char *away = virtHostPath(fake->host, "sys/devices/pci0000:00/%s/unbound", address);
    g_autofree char *link = virtHostPath(fake->host, "sys/devices/pci0000:00/%s/driver", address);

    if (!driver) {
        unlink(link);
        rename(there, away);
        return;
    }
    rename(away, there);
    bindDriver(fake, address, driver);
}

void
fakeHostRandomMac(fakeHost *fake, const char *pf, guint port, guint vf, const char *mac)
{
    const char *name = fakeHostVFAddress(fake, pf, vf);
    g_autofree char *ifname = makeIfname(name, port);

    g_assert_true(virtMacParse(mac, fakeHostVF(fake, pf, port, vf)->mac));
    netFile(fake, name, ifname, "address", "%s\n", mac);
    netFile(fake, name, ifname, "addr_assign_type", "1\n");
}

void
fakeHostOnlyPort(fakeHost *fake, const char *pf, guint vf, guint port)
{
    fakePF *of = getPF(fake, pf);
    const char *name = fakeHostVFAddress(fake, pf, vf);

    for (guint other = 1; other <= of->ports; other++) {
        g_autofree char *ifname = makeIfname(name, other);
        g_autofree char *dir = virtHostPath(fake->host, "sys/devices/pci0000:00/%s/net/%s", name, ifname);

        if (other == port)
            netFile(fake, name, ifname, "dev_port", "0\n");
        else
            nftw(dir, removeEntry, 16, FTW_DEPTH | FTW_PHYS);
    }
    of->only[vf] = port;
}

void
fakeHostPhysPortIds(fakeHost *fake, const char *pf)
{
    const fakePF *of = getPF(fake, pf);

    for (guint vf = 0; vf <= of->vfs; vf++) {
        const char *name = vf < of->vfs ? of->vfNames[vf] : pf;

        for (guint port = 1; port <= of->ports; port++) {
            g_autofree char *ifname = makeIfname(name, port);
            g_autofree char *dir = virtHostPath(fake->host, "sys/devices/pci0000:00/%s/net/%s", name, ifname);

            if (g_file_test(dir, G_FILE_TEST_IS_DIR))
                netFile(fake, name, ifname, "phys_port_id", "0002c90300%02x%02x\n", of->ifindex[0], port);
        }
    }
}

void
fakeHostSwapVFs(fakeHost *fake, const char *name, guint a, guint b)
{
    fakePF *pf = getPF(fake, name);
    char *first = pf->vfNames[a];
    const guint both[] = {a, b};

    pf->vfNames[a] = pf->vfNames[b];
    pf->vfNames[b] = first;
    for (guint i = 0; i < 2; i++) {
        g_autofree char *target = g_strdup_printf("../%s", pf->vfNames[both[i]]);

        makeLink(fake, target, "sys/devices/pci0000:00/%s/virtfn%u", name, both[i]);
    }
}

void
fakeHostHeal(fakeHost *fake)
{
    const size_t from = offsetof(fakeHost, faultPort), to = offsetof(fakeHost, gets);

    memset((char *)fake + from, 0, to - from);
    fake->failedPort = 0;
}

char *
fakeHostTakeLog(fakeHost *fake)
{
    char *text = g_strdup(fake->log->str);

    g_string_truncate(fake->log, 0);
    return text;
}

static void
dumpVF(GString *text, const char *ifname, guint index, const fakeVF *vf)
{
    char mac[18];

    virtMacFormat(vf->mac, mac);
    g_string_append_printf(
        text,
        "%s vf %u mac %s vlan %u qos %u proto %04x rate %u-%u spoofchk %d link %u trust %d guids %" G_GINT64_MODIFIER
        "x %" G_GINT64_MODIFIER "x profile %s\n",
        ifname, index, mac, vf->vlan, vf->qos, vf->protocol, vf->minRate, vf->maxRate, (int)vf->spoofchk, vf->link,
        (int)vf->trust, vf->nodeGuid, vf->portGuid, vf->profile);
}

char *
fakeHostDump(fakeHost *fake)
{
    GString *text = g_string_new(NULL);

    for (guint i = 0; i < fake->pfs->len; i++) {
        const fakePF *pf = fake->pfs->pdata[i];

        for (guint j = 0; j < pf->ports * pf->vfs; j++)
            dumpVF(text, pf->ifnames[j / pf->vfs], j % pf->vfs, &pf->table[j]);
    }
    return g_string_free(text, FALSE);
}

void
fakeHostModules(fakeHost *fake, const char *aliases)
{
    struct utsname kernel;

    g_assert_cmpint(uname(&kernel), ==, 0);
    fakeHostFile(fake, aliases, "lib/modules/%s/modules.alias", kernel.release);
}

/* A driver is unbound or bound as sysfs is told; a VF's is called after its PF's. */
static int
writeDriver(virtHost *host, const char *path, const char *value, guint within)
{
    fakeHost *fake = host->opaque;
    int rc = fakeMdevWrite(host, path, value, within);
    g_autofree char *directory = g_path_get_dirname(path);
    g_autofree char *driver = g_path_get_basename(directory);

    if (rc == 0 && g_str_has_suffix(path, "/unbind"))
        fakeHostSetDriver(fake, value, NULL);
    else if (rc == 0 && g_str_has_suffix(path, "/bind"))
        fakeHostSetDriver(fake, value, driver);
    return rc;
}

void
fakeHostAddCapabilities(fakeHost *fake, const char *pf)
{
    static const guint all = VIRT_SETTING_BIT(VIRT_FUNCTION_ATTR_LAST) - 1;

    fake->host->write = writeDriver;
    for (guint i = 0; i < fake->pfs->len; i++) {
        fakePF *found = fake->pfs->pdata[i];

        for (guint n = 0; g_str_equal(found->name, pf) && n < found->ports * found->vfs; n++) {
            found->table[n].function.setting.present = all;
            found->table[n].function.flags[VIRT_FUNCTION_ROCE] = true;
            found->table[n].function.maxIoEqs = 24;
        }
    }
}

void
fakeHostSwitchdev(fakeHost *fake, const char *pf)
{
    for (guint i = 0; i < fake->pfs->len; i++) {
        const fakePF *found = fake->pfs->pdata[i];

        for (guint port = 1; g_str_equal(found->name, pf) && port <= found->ports; port++)
            fakeHostFile(fake, "b8cef60300a1b2c3\n", "sys/class/net/%s/phys_switch_id", found->ifnames[port - 1]);
    }
    fake->functions = true;
}

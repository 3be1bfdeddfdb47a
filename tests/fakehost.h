/* fakehost.h: a host for unit tests: a sysfs tree in a temporary directory and an rtnetlink kernel in memory
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     g_autoptr(fakeHost) fake = fakeHostNew();
 *     fakeHostAddPF(fake, "0000:01:00.0", 2, 4, "mlx4_core");      two ports, four VFs, each with two netdevs
 *     fake->refused = VIRT_NETDEV_BIT(VIRT_NETDEV_VLAN);
 *     codeUnderTest(fake->host);
 *     g_assert_cmpuint(fakeHostVF(fake, "0000:01:00.0", 2, 3)->vlan, ==, 42);
 *
 * Names follow udev: port 1 of 0000:01:00.0 is enp1s0f0, port 2 enp1s0f0d1. VF addresses follow the 82576: VF N
 * of 0000:01:00.0 is N * 2 functions after 0000:01:10.0, so that two functions of one card do not collide.
 */
#pragma once

#include "util/virfunction.h"
#include "util/virnetdev.h"
#include "util/virpci.h"

/* What the kernel remembers of one VF at one port of its PF; in the kernel's units. */
typedef struct {
    guint8 mac[6];
    guint16 vlan, qos, protocol; /* protocol in host order */
    guint32 maxRate, minRate;    /* Mb/s */
    guint32 spoofchk, trust;     /* G_MAXUINT32: the driver does not support it */
    guint32 link;
    guint64 nodeGuid, portGuid;
    char profile[VIRT_NETDEV_PROFILE_LEN];
    guint8 instance[16], hostUuid[16];
    guint16 response; /* PORT_VDP_RESPONSE_SUCCESS … of linux/if_link.h */
    guint pending;    /* so many reads yet say PORT_PROFILE_RESPONSE_INPROGRESS */
    virtNetdevStats stats;
    virtNetdevStats growth; /* what is added to stats whenever they have been read */
    bool hidden;            /* the driver's call fails: left out of every list */
    virtFunction function;  /* of the port, in switchdev mode: what the driver shows of it */
} fakeVF;

typedef struct _fakeHost fakeHost;
struct _fakeHost {
    virtHost *host; /* what the code under test gets */

    /* Knobs; all zero at first. An attribute is a virtNetdevAttr, a set of them VIRT_NETDEV_BITs. */
    guint faultPort;    /* the refusals below concern this port only; 0 every port */
    int failErrno;      /* what a refusal says, EPERM when 0 */
    const char *extack; /* the kernel's words with every refusal, or NULL */
    guint failRequest;  /* this SETLINK (1.. from now on) is refused whole, once */
    guint failAttr;     /* this attribute written (1.. from now on) is refused, and the same attribute
                         * of the same VF and port from then on, until fakeHostHeal() */
    guint refused;      /* attributes always refused */
    guint ignored;      /* attributes acknowledged and dropped */
    guint busy;         /* so many SETLINK more are answered EAGAIN */
    guint getErrno;     /* every GETLINK is refused so */
    guint listed;       /* at most so many VFs in a list; 0 no limit but the kernel's 64 KiB */
    bool refuseZeroMac;
    bool refuseVlanZero;       /* only 4095 takes a VLAN away */
    bool vlanNone4095;         /* "no VLAN" reads as 4095 (mlx4) */
    bool vlanNeedsNoRate;      /* no VLAN change while a maximum rate is set (mlx4) */
    bool noMinRate;            /* EPROTONOSUPPORT (mlx4) */
    bool macNeedsNoSpoofcheck; /* no MAC is taken away while spoof check is on: EPERM (mlx4) */
    guint lacksPort;        /* no VF has this port: what is written for it goes to the next or the one before (mlx4) */
    bool silent;            /* no list of VFs: the driver has no ndo_get_vf_config (enic) */
    const char *ipv4Netdev; /* has the address 192.0.2.7 */
    bool guids;             /* the driver reports GUIDs */
    bool profiles;          /* the driver knows 802.1Qbh port profiles */
    guint mdevBusy;         /* so many more mediated devices are refused, with mdevErrno */
    int mdevErrno;          /* EAGAIN when 0 */
    int mdevOpen;           /* the group's file cannot be opened: this is why */
    int mdevStays;          /* no device can be removed: this is why; ETIMEDOUT: it is, and the write does not return */
    bool mdevNoGroup;       /* no VFIO driver takes a device */
    void (*mdevRace)(fakeHost *fake, const char *uuid); /* called before a device is made */
    guint vgpuRoom;                                     /* so many VFs of a PF may have a vGPU; 0: all */
    int vgpuErrno;                                      /* what each write to a vGPU's type is refused with */
    bool vgpuDeaf;                                      /* such a write is acknowledged and dropped */
    bool vgpuTaken;                                     /* it comes after the driver has taken the vGPU away itself */
    const char *boardSerial; /* of every PCI device, over devlink; NULL: their drivers do not know devlink */
    guint externals;         /* so many ports for functions of another host come before those, with the same numbers */
    guint lacksFunction;     /* no VF has one at this port */
    bool noRates, noMacs;    /* functions lack them */
    bool leavesForget;       /* rates that were set in another mode: none is shown */
    int devlinkErrno;        /* what each request about ports is refused with */
    guint functionRefused;   /* so many attributes of functions are set, and the next one is not; 0: none is refused */
    bool functionDeaf;       /* they are acknowledged and dropped */
    int vdpaErrno;           /* what each request about vDPA is refused with */
    int vdpaMakeErrno;       /* what making a vDPA device is refused with */
    int vdpaDeleteErrno;     /* what deleting one is refused with */
    int vdpaStatsErrno;      /* what asking for statistics is refused with */
    int vdpaOpen;            /* no node of a vDPA device can be opened: this is why */
    bool vdpaOld;            /* as Linux 6.1 answers */
    bool vdpaDeaf;           /* a MAC address is acknowledged and dropped */
    bool vdpaNoNode;         /* vhost_vdpa makes no node */
    void (*vdpaRace)(fakeHost *fake, const char *name); /* called before a device is made */
    int sfRefused; /* this command of devlink is refused where it is about a sub-function, in the words of extack */
    bool sfIdle;   /* sub-functions do no vDPA at first */
    bool sfNoSwitch, sfNoVdpa; /* their driver has no parameter for it; it cannot do it */
    bool sfStuck;              /* they do not become attached or detached */
    bool sfDeaf;               /* their MAC address is acknowledged and dropped */
    void (*sfRace)(fakeHost *fake, const char *pf, guint32 number); /* called before one is made */
    /* Called before an attribute is applied; a positive errno refuses it. */
    int (*judge)(void *opaque, guint port, guint vf, virtNetdevAttr attr, const fakeVF *wanted);
    void *judgeOpaque;
    /* Called with each GETLINK answer before it is handed over: garble it. */
    void (*garble)(void *opaque, struct nl_msg *reply);
    void *garbleOpaque;

    /* What happened. */
    guint gets, sets, attrs; /* GETLINK with VFs, SETLINK, attributes tried */
    guint looks;             /* GETLINK without VFs */
    guint devlinkAsked;      /* devlink's requests about ports */
    guint vdpaAsked;         /* requests about vDPA */
    guint64 slept;           /* microseconds of host->sleep; no time really passes */
    guint mdevRemoved;       /* devices that were removed by a write */
    guint vgpuWrites;        /* to a vGPU's type, also where it was refused */
    GPtrArray *warnings;     /* texts of virtHostWarn */
    GString *log;            /* "enp1s0f0 vf 3 vlan=42 …\n", see fakeHostTakeLog */

    bool functions; /* see fakeHostSwitchdev() */
    GPtrArray *pfs; /* private */
    guint nextIfindex, failedPort, failedVF, failedAttr;
};

fakeHost *fakeHostNew(void);
void fakeHostFree(fakeHost *fake); /* removes the tree too */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(fakeHost, fakeHostFree)

/* A PF that is up, with @ports netdevs (dev_port 0..), @vfs VFs bound to "@drivervf" with as many netdevs each. */
void fakeHostAddPF(fakeHost *fake, const char *pf, guint ports, guint vfs, const char *driver);
/* A PCI device without SR-IOV, and without netdevs when @ports is 0. */
void fakeHostAddDevice(fakeHost *fake, const char *address, guint ports, const char *driver);

/* The ports of the PF belong to an eswitch from now on, where each port of each VF has a function with a MAC address
 * and a rate, over devlink. */
void fakeHostSwitchdev(fakeHost *fake, const char *pf);
/* And their functions have all attributes of a virtFunction, which can be set while a VF has no driver. VFs are unbound
 * and bound as sysfs is told. */
void fakeHostAddCapabilities(fakeHost *fake, const char *pf);
/* The modules of the running kernel have these aliases. */
void fakeHostModules(fakeHost *fake, const char *aliases);

/* One more netdev of a device: somebody's representor, if it gets files that say so. */
void fakeHostAddNetdev(fakeHost *fake, const char *address, const char *ifname);

const char *fakeHostVFAddress(fakeHost *fake, const char *pf, guint vf); /* owned by @fake */
const char *fakeHostIfname(fakeHost *fake, const char *pf, guint port);  /* of the PF; owned by @fake */
fakeVF *fakeHostVF(fakeHost *fake, const char *pf, guint port, guint vf);
virtVF *fakeHostLookup(fakeHost *fake, const char *pf, guint vf); /* virtVFLookup that must succeed */

void fakeHostBindVFIO(fakeHost *fake, const char *address); /* its netdevs go */
/* Unbind the host's driver of a VF (NULL), or bind it again. */
void fakeHostSetDriver(fakeHost *fake, const char *address, const char *driver);
void fakeHostRandomMac(fakeHost *fake, const char *pf, guint port, guint vf, const char *mac); /* as igb shows one */
/* A VF with one port of several, as mlx4's num_vfs=a,b makes them: it has one netdev, which says dev_port 0; what is
 * written for it at another port goes there. */
void fakeHostOnlyPort(fakeHost *fake, const char *pf, guint vf, guint port);
void fakeHostPhysPortIds(fakeHost *fake, const char *pf); /* the netdevs that the PF and its VFs have now get one */
void fakeHostSwapVFs(fakeHost *fake, const char *pf, guint a, guint b); /* virtfnA and virtfnB swap places */
/* Write or (NULL) remove a file under the root: fakeHostFile(fake, "0\n", "sys/class/net/%s/dev_port", name). */
void fakeHostFile(fakeHost *fake, const char *text, const char *format, ...) G_GNUC_PRINTF(3, 4);
char *fakeHostRead(fakeHost *fake, const char *format, ...) G_GNUC_PRINTF(2, 3);

/* Give the PF's netdev of @port another name; log and dump keep the first one. */
void fakeHostRename(fakeHost *fake, const char *pf, guint port, const char *ifname);

void fakeHostHeal(fakeHost *fake);     /* all refusals and oddities off; tables, log and counters stay */
char *fakeHostTakeLog(fakeHost *fake); /* the log so far, which then is empty; caller frees */
char *fakeHostDump(fakeHost *fake);    /* every VF's settings as text, to compare states; caller frees */

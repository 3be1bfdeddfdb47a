/* domain_conf.h: domain XML: its PCI hostdevs, their netdevs, and the two forms of a document
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * netdev form: what the user writes: <netdev> children in <hostdev>.
 * stock form:  what libvirt stores: plain <hostdev>, and the netdevs in <metadata>.
 */
#pragma once

#include "conf/netdev_conf.h"
#include "util/virchoice.h"
#include "util/virhandle.h"

/* What a <hostdev> has that is written and shown as <interface type='hostdev'>, beyond itself and its one netdev. */
typedef struct {
    gint index;   /* how many interfaces stand before it; -1: behind all */
    char *opaque; /* the children that neither <hostdev> nor <netdev> has room for, on one line */
} virtInterface;

typedef struct {
    virtHandle handle; /* none where it is asked for by @choice and nobody has looked for it yet; of an <interface
                          type='network'>, what virtHandleIsNetwork() tells, without a
                          name as long as it has no MAC address */
    virtChoice choice; /* how it is asked for; NONE: by its address */
    bool managed;      /* managed='yes' */
    guint line;
    virtSettings settings;    /* may be empty where there is a @choice */
    virtInterface *interface; /* NULL: it is written as a <hostdev>, or comes from a network */
    bool fromNetwork;         /* an <interface type='network'>, by now with the handle of its VF */
} virtHostdev;

void virtHostdevFree(virtHostdev *hostdev);
const char *virtHostdevGetElement(const virtHostdev *hostdev);

/* An <interface> that libvirt knows as one. */
typedef struct {
    virtHandle key;  /* its MAC address: virtHandleSetNetwork() */
    virtHandle vf;   /* none: it has no VF, or, before its domain runs, none yet */
    guint16 vlan;    /* 1..4094; 0: none */
    bool hasProfile; /* a <virtualport>, with the VLAN that the switch gives it */
} virtInterfaceVF;

typedef struct {
    char *name;          /* NULL in a document that gives none */
    char *uuid;          /* canonical lower case with dashes, or NULL */
    bool active;         /* has an id='…': the XML of a running domain */
    GPtrArray *hostdevs; /* virtHostdev: only those that have settings or a choice, in document order */
    GArray *devices;     /* virtHandle of each device of the host, <hostdev> or <interface>, with settings or not */
    GArray *interfaces;  /* virtInterfaceVF of each that has a MAC address */
} virtDomainConf;

/* What may be done to a document beside reading it. */
enum {
    VIRT_DOMAIN_GENERATE_MAC = 1 << 0, /* for each netdev that has neither that nor a GUID */
    VIRT_DOMAIN_INTERFACES = 1 << 1,   /* an <interface type='hostdev'> counts as a <hostdev> with one netdev; one that
                                          says what that cannot is left to libvirt */
    VIRT_DOMAIN_ALL_INTERFACES = 1 << 2, /* ... and one that does is an error */
    VIRT_DOMAIN_WRITTEN = 1 << 3,        /* libvirt's QEMU driver wrote it, for its hook: up to VIRT_XML_WRITTEN_MAX
                                            bytes, and a domain of any type */
};

virtDomainConf *virtDomainConfParse(const char *xml, gsize len, const char *file, guint flags, GError **error);
/* Of libvirt's own output only name, UUID, whether it runs, and `devices`; metadata is never a reason to fail. */
virtDomainConf *virtDomainConfParseDevices(const char *xml, gsize len, GError **error);
bool virtDomainConfHas(const virtDomainConf *domain, const virtHandle *handle);
bool virtDomainConfFindVF(const virtDomainConf *domain, const virtHandle *handle, virtHandle *ret);
void virtInterfaceLeaveToLibvirt(GPtrArray *netdevs);
GPtrArray *virtDomainConfLocate(const virtDomainConf *domain, const GPtrArray *hostdevs);
void virtDomainConfFree(virtDomainConf *domain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtDomainConf, virtDomainConfFree)

const char *virtDomainFindWord(const char *text, gsize len, const char *word, gsize rare);
bool virtDomainMentionsUs(const char *xml, gsize len);
bool virtDomainConcernsUs(const char *xml, gsize len, guint flags);
char *virtDomainToStock(const char *xml, gsize len, const char *file, guint flags, GError **error);
char *virtDomainToStockABI(const char *xml, gsize len, const char *domain, gsize domainLen, GError **error);

/* How a device with netdevs is shown. */
typedef enum {
    VIRT_DOMAIN_FORM_WRITTEN,   /* as its user wrote it */
    VIRT_DOMAIN_FORM_NETDEV,    /* <hostdev> with <netdev> */
    VIRT_DOMAIN_FORM_INTERFACE, /* <interface type='hostdev'>, where it has one netdev */
    VIRT_DOMAIN_FORM_STOCK,     /* the same, but with nothing that stock libvirt does not know */
} virtDomainForm;

char *virtDomainFormat(const char *xml, gsize len, const char *file, virtDomainForm show, GError **error);
char *virtDomainConvert(const char *xml, gsize len, const char *file, virtDomainForm show, GError **error);
char *virtDomainRevert(const char *xml, gsize len, GPtrArray **ret_lost, GError **error);

/* ---- domain_choice.c: devices that are not asked for by their address ---- */

GArray *virtDomainListWishes(const char *xml, gsize len, const char *file, guint flags, GError **error);
char *virtDomainGrantWishes(const char *xml, gsize len, const char *file, guint flags, const GArray *wishes,
                            GError **error);

/* ---- one device at a time: hot-plug ---- */

/* The <hostdev> of a device document without its netdevs, as libvirt takes it; *ret_hostdev is what it was. NULL
 * without an error: no <hostdev>, or one without <netdev>: libvirt's alone. A misplaced <netdev> is an error. */
char *virtHostdevToStock(const char *xml, gsize len, guint flags, virtHostdev **ret_hostdev, GError **error);
/* The host's device that a device document gives to a guest, whether it has settings or not. */
bool virtDeviceFindHandle(const char *xml, gsize len, virtHandle *ret);
/* Does all that the device document @device says, but for netdevs, also stand at the same <hostdev> of @domain? What
 * differs is named in the error. */
bool virtHostdevIsIn(const char *device, gsize deviceLen, const char *domain, gsize domainLen, GError **error);

/* Our element of <metadata>, on its own as virDomainGetMetadata gives and virDomainSetMetadata takes it. */
GPtrArray *virtMetadataParse(const char *xml, gsize len, GError **error); /* virtHostdev, in document order */
char *virtMetadataFormat(const GPtrArray *hostdevs);                      /* NULL for an empty list */
/* Has metadata that is set under another namespace nothing in ours? */
bool virtMetadataCheckForeign(const char *xml, gsize len, GError **error);
char *virtHostdevFormatStock(const virtHostdev *hostdev);
virtHostdev *virtHostdevListFind(const GPtrArray *hostdevs, const virtHandle *handle); /* or NULL */
/* A MAC address for each netdev that has neither that nor a GUID. */
void virtHostdevGenerateMacs(virtHostdev *hostdev);
virtHostdev *virtHostdevCopy(const virtHostdev *hostdev);

/* Does an <interface> use words of ours, which libvirt would drop? */
bool virtInterfaceTextMentionsUs(const char *xml, gsize len);
char *virtInterfaceListWords(void); /* those words: "port, spoofCheck", for g_free() */
/* Which device of a domain in stock form an <interface> means, as for detaching. */
virtHostdev *virtInterfaceFind(const char *xml, gsize len, const char *domain, gsize domainLen, GError **error);

/* An <interface> in the place of another, in what libvirt has stored. */
bool virtInterfaceIsSame(const char *device, gsize deviceLen, const char *domain, gsize domainLen);
char *virtInterfaceReplace(const char *domain, gsize domainLen, const virtHandle *old, const char *device,
                           gsize deviceLen, GError **error);

/* ---- interface_shown.c ---- */

/* Rates of a <bandwidth>, in the order in which libvirt tells them. */
typedef enum {
    VIRT_INTERFACE_IN_AVERAGE,
    VIRT_INTERFACE_IN_PEAK,
    VIRT_INTERFACE_IN_BURST,
    VIRT_INTERFACE_IN_FLOOR,
    VIRT_INTERFACE_OUT_AVERAGE,
    VIRT_INTERFACE_OUT_PEAK,
    VIRT_INTERFACE_OUT_BURST,
    VIRT_INTERFACE_RATES
} virtInterfaceRate;

/* An <interface> as a client sees it. */
typedef struct {
    bool isHostdev;    /* libvirt has a <hostdev> in its place, and does not know it as an interface */
    virtHandle handle; /* of its VF, where isHostdev */
    bool hasMac;
    guint8 mac[6];
    char *target;                        /* <target dev>; NULL: none */
    guint32 rates[VIRT_INTERFACE_RATES]; /* KiB/s, and KiB for a burst; 0: none */
} virtInterfaceShown;

GPtrArray *virtInterfaceListShown(const char *xml, gsize len, GError **error);
const virtInterfaceShown *virtInterfaceListFind(const GPtrArray *list, const char *name);

/* ---- interface_opaque.c ---- */

virtInterface *virtInterfaceCopy(const virtInterface *interface); /* NULL for NULL */
void virtInterfaceFree(virtInterface *interface);
char *virtInterfaceFindOther(const virtInterface *has, const virtInterface *given);
char *virtInterfaceDropOpaque(virtInterface *interface, const char *name);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtInterface, virtInterfaceFree)

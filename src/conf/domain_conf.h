/* domain_conf.h: domain XML: its PCI hostdevs, their netdevs, and the two forms of a document
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * netdev form: what the user writes: <netdev> children in <hostdev>.
 * stock form:  what libvirt stores: plain <hostdev>, and the netdevs in <metadata>.
 */
#pragma once

#include "conf/netdev_conf.h"

typedef struct {
    virtPCIAddress address;
    bool managed; /* managed='yes' */
    guint line;
    GPtrArray *netdevs; /* virtNetdev, sorted by port; not empty */
} virtHostdev;

void virtHostdevFree(virtHostdev *hostdev);

typedef struct {
    char *name;          /* NULL in a document that gives none */
    char *uuid;          /* canonical lower case with dashes, or NULL */
    bool active;         /* has an id='…': the XML of a running domain */
    GPtrArray *hostdevs; /* virtHostdev: only those that have netdevs, in document order */
    GArray *devices;     /* virtPCIAddress of each host PCI device, <hostdev> or <interface>, with netdevs or not */
} virtDomain;

virtDomain *virtDomainParse(const char *xml, gsize len, const char *file, GError **error);
void virtDomainFree(virtDomain *domain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtDomain, virtDomainFree)

bool virtDomainMentionsUs(const char *xml, gsize len);
char *virtDomainToStock(const char *xml, gsize len, const char *file, bool generateMac, GError **error);
char *virtDomainToNetdev(const char *xml, gsize len, const char *file, GError **error);

/* ---- one device at a time: hot-plug ---- */

/* The <hostdev> of a device document without its netdevs, as libvirt takes it; *ret_hostdev is what it was. NULL
 * without an error: no <hostdev>, or one without <netdev>: libvirt's alone. A misplaced <netdev> is an error. */
char *virtHostdevToStock(const char *xml, gsize len, virtHostdev **ret_hostdev, GError **error);
/* Does all that the device document @device says, but for netdevs, <alias> and the guest's <address>, also stand at
 * the same <hostdev> of @domain? What differs is named in the error. */
bool virtHostdevIsIn(const char *device, gsize deviceLen, const char *domain, gsize domainLen, GError **error);

/* Our element of <metadata>, on its own as virDomainGetMetadata gives and virDomainSetMetadata takes it. */
GPtrArray *virtMetadataParse(const char *xml, gsize len, GError **error); /* virtHostdev, in document order */
char *virtMetadataFormat(const GPtrArray *hostdevs);                      /* NULL for an empty list */
virtHostdev *virtHostdevListFind(const GPtrArray *hostdevs, const virtPCIAddress *address); /* or NULL */
/* A MAC address for each netdev that has neither that nor a GUID. */
void virtHostdevGenerateMacs(virtHostdev *hostdev);
virtHostdev *virtHostdevCopy(const virtHostdev *hostdev);

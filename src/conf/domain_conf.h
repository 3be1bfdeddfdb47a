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
    GPtrArray *hostdevs; /* virtHostdev: only those that have netdevs, in document order */
} virtDomain;

virtDomain *virtDomainParse(const char *xml, gsize len, const char *file, GError **error);
void virtDomainFree(virtDomain *domain);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtDomain, virtDomainFree)

bool virtDomainMentionsUs(const char *xml, gsize len);
char *virtDomainToStock(const char *xml, gsize len, const char *file, bool generateMac, GError **error);
char *virtDomainToNetdev(const char *xml, gsize len, const char *file, GError **error);

/* domain_tree.h: where in a document its domains, their PCI hostdevs and our metadata stand
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Private to src/conf.
 */
#pragma once

#include "conf/netdev_conf.h"

/* A <hostdev> that has netdevs, wherever they are written. */
typedef struct {
    const virtXmlNode *node;
    const virtXmlNode *source;
    virtPCIAddress address;
    GPtrArray *netdevs; /* virtNetdev, sorted; not empty */
    bool written;       /* as children of @node; otherwise in metadata */
} virtHostdevSite;

typedef struct {
    const virtXmlNode *node;     /* <domain>, <inactiveDomain>, or a lone <hostdev> */
    const virtXmlNode *metadata; /* may be NULL, like the next */
    const virtXmlNode *ours;     /* in metadata */
    GPtrArray *hostdevs;         /* virtHostdevSite, in document order */
} virtDomainSite;

bool virtDomainSiteIsLone(const virtDomainSite *site);
GPtrArray *virtDomainSitesFind(const virtXmlDoc *doc, GError **error);

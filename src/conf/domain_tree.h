/* domain_tree.h: where in a document its domains, their PCI hostdevs and our metadata stand
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Private to src/conf.
 */
#pragma once

#include "conf/domain_conf.h"

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

/* ---- domain_tree.c ---- */
bool virtDomainSiteIsLone(const virtDomainSite *site);
GPtrArray *virtDomainSitesFind(const virtXmlDoc *doc, GError **error);
bool virtDomainCheckPlaces(const virtXmlDoc *doc, const virtXmlNode *node, GError **error);
GArray *virtDomainSiteListDevices(const virtXmlDoc *doc, const virtDomainSite *site);
const virtXmlNode *virtDomainSiteFindHostdev(const virtXmlDoc *doc, const virtDomainSite *site,
                                             const virtPCIAddress *address);

/* ---- domain_form.c ---- */
void virtHostdevCutNetdevs(virtXmlEdits *edits, const virtXmlDoc *doc, const virtXmlNode *hostdev);

/* ---- metadata_conf.c ---- */
GPtrArray *virtMetadataRead(const virtXmlDoc *doc, const virtXmlNode *ours, GError **error);
void virtMetadataFormatEntry(GString *out, const virtPCIAddress *address, const GPtrArray *netdevs,
                             const virtXmlLayout *layout);
guint virtPCIAddressHash(gconstpointer address);
gboolean virtPCIAddressEqual(gconstpointer a, gconstpointer b);

/* ---- hostdev_conf.c ---- */
virtHostdev *virtHostdevFromSite(const virtHostdevSite *site);
void virtNetdevGiveMac(virtNetdev *netdev, GHashTable *macs);

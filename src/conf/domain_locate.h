/* domain_locate.h: where in a document its domains, their PCI hostdevs and our metadata stand
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Private to src/conf.
 */
#pragma once

#include "conf/choice_conf.h"
#include "conf/domain_conf.h"

/* A <hostdev> that has netdevs or is not asked for by its address alone, wherever that is written; an <interface
 * type='hostdev'> that is to become one; an <interface type='network'> with words of ours; or an <interface> or <disk>
 * whose vDPA device is made. */
typedef struct {
    const virtXmlNode *node;
    const virtXmlNode *source;
    const virtXmlNode *behind; /* an interface: the <hostdev> before which it has to go; NULL: it stands well */
    const virtXmlNode *after;  /* the same, behind which; NULL: see behind */
    virtHandle handle;
    virtChoice choice;
    virtSettings settings;    /* may be empty where there is a @choice */
    virtInterface *interface; /* NULL: a <hostdev>, and always was; or an <interface> that stays one */
    bool written;             /* settings and choice are in @node; otherwise in metadata */
    bool generated;           /* @node gives no address, and handle was made up for it */
} virtHostdevRef;

typedef struct {
    const virtXmlNode *node;     /* <domain>, <inactiveDomain>, or a lone <hostdev> */
    const virtXmlNode *metadata; /* may be NULL, like the next */
    const virtXmlNode *ours;     /* in metadata */
    GPtrArray *hostdevs;         /* virtHostdevRef, in document order */
    guint flags;                 /* VIRT_DOMAIN_… */
} virtDomainRef;

/* Beside VIRT_DOMAIN_…: the document goes to libvirt with its interfaces as they are. */
#define VIRT_DOMAIN_LEAVE_INTERFACES (1u << 16)

/* ---- domain_device.c ---- */
bool virtDomainIs(const virtXmlNode *node);
void virtHostdevRefFree(gpointer opaque);
bool virtHostdevRefIsNetwork(const virtHostdevRef *ref);
const virtNetdev *virtHostdevRefGetOwnNetdev(const virtHostdevRef *ref);
bool virtDomainDeviceIsHostdev(const virtXmlNode *node);
char *virtDomainDeviceDescribePlace(const virtSettingKind *kind);
bool virtDomainDeviceMayHave(const virtXmlNode *node, const virtSettingKind *kind, guint flags);
bool virtDomainDeviceMayChoose(const virtXmlNode *node);
bool virtDomainDeviceReadHandle(const virtXmlDoc *doc, const virtXmlNode *node, virtHandle *ret, GError **error);
bool virtDomainDeviceRead(const virtXmlDoc *doc, const virtXmlNode *node, guint flags, GHashTable *entries,
                          virtHostdevRef **ret, GError **error);
bool virtDomainDeviceMentionsUs(const virtXmlNode *node);

/* ---- domain_locate.c ---- */
static inline bool
virtDomainWantsInterfaces(guint flags)
{
    return flags & (VIRT_DOMAIN_INTERFACES | VIRT_DOMAIN_ALL_INTERFACES);
}
/* @flags of a document that goes to libvirt. */
static inline guint
virtDomainToStockFlags(guint flags)
{
    if (virtDomainWantsInterfaces(flags))
        return flags;
    return flags | VIRT_DOMAIN_LEAVE_INTERFACES;
}
bool virtDomainRefIsLone(const virtDomainRef *ref);
GPtrArray *virtDomainRefsFind(const virtXmlDoc *doc, guint flags, GError **error);
bool virtDomainCheckPlaces(const virtXmlDoc *doc, const virtXmlNode *node, guint flags, GError **error);
GArray *virtDomainRefListDevices(const virtXmlDoc *doc, const virtDomainRef *ref);
const virtHostdevRef *virtDomainRefFindDevice(const virtDomainRef *domain, const virtXmlNode *node);
GArray *virtDomainRefListInterfaces(const virtXmlDoc *doc, const virtDomainRef *ref);
const virtXmlNode *virtDomainRefFindHostdev(const virtXmlDoc *doc, const virtDomainRef *ref, const virtHandle *handle);

/* ---- domain_stock.c ---- */
bool virtHostdevRefCheckFound(const virtXmlDoc *doc, const virtHostdevRef *hostdev, GError **error);
bool virtHostdevRefToStock(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *hostdev, GError **error);
void virtDomainRefsGenerateMacs(const virtXmlDoc *doc, const GPtrArray *refs);
char *virtDomainRefsToStock(const virtXmlDoc *doc, const GPtrArray *refs, GError **error);
void virtDomainCollectMacs(const virtXmlNode *node, GHashTable *macs);
bool virtDomainRefIsShared(const virtXmlDoc *doc, const virtDomainRef *ref);

/* ---- interface_conf.c ---- */
extern const virtXmlRule virtInterfaceRules[];
extern const virtXmlRefusal virtInterfaceRefusals[];
bool virtInterfaceIs(const virtXmlNode *node);
GPtrArray *virtInterfaceParse(const virtXmlDoc *doc, const virtXmlNode *node, virtInterface **ret_interface,
                              GError **error);
bool virtInterfaceToHostdev(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *ref, GError **error);
void virtInterfaceFormat(GString *out, const virtXmlDoc *doc, const virtHostdevRef *hostdev);
bool virtInterfaceHasNoAddress(const virtXmlNode *node);
bool virtInterfaceHasRoom(const virtXmlDoc *doc, const virtXmlNode *hostdev, GError **error);

/* ---- interface_netdev.c ---- */
bool virtInterfaceMentionsUs(const virtXmlNode *node);
void virtInterfaceSetUntagged(virtNetdev *netdev);
virtNetdev *virtInterfaceParseNetdev(const virtXmlDoc *doc, const virtXmlNode *node, GError **error);

/* ---- interface_network.c ---- */
bool virtInterfaceIsNetwork(const virtXmlNode *node);
bool virtInterfaceReadKey(const virtXmlNode *node, virtHandle *ret);
void virtInterfaceVFSetVlan(virtInterfaceVF *interface, const char *id);
bool virtInterfaceOwnsNetdev(const virtNetdev *netdev);
GPtrArray *virtInterfaceParseNetwork(const virtXmlDoc *doc, const virtXmlNode *node, GError **error);
bool virtInterfaceCheckNetworkEntry(const virtXmlDoc *doc, const virtXmlNode *node, const virtHostdev *entry,
                                    GError **error);
bool virtInterfaceNetworkToStock(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *ref, GError **error);
void virtInterfaceShowNetwork(virtXmlEdits *edits, const virtXmlDoc *doc, const virtHostdevRef *ref);

/* ---- interface_format.c ---- */
void virtInterfaceFormatChild(GString *out, const virtXmlNode *node);

/* ---- interface_opaque.c ---- */

/* The children of an interface that metadata may have to keep, as a list for virtXmlRule. */
#define VIRT_INTERFACE_OPAQUE "mac bandwidth script downscript backenddomain target guest model backend tune link"
/* Bytes; escaping makes it longer than it was written. Such text is parsed again. */
#define VIRT_INTERFACE_OPAQUE_MAX (VIRT_XML_MAX / 4)

virtXmlDoc *virtInterfaceParseOpaque(const virtInterface *interface, char **ret_text, GError **error);
bool virtInterfaceParseEntry(const virtXmlDoc *doc, const virtXmlNode *node, const GPtrArray *netdevs,
                             virtInterface **ret, GError **error);
void virtInterfaceFormatEntry(GString *out, const virtInterface *interface, const virtXmlLayout *layout);
char *virtInterfaceListOpaque(const virtInterface *interface);

/* ---- domain_abi.c ---- */
bool virtDomainRefHasMac(const virtDomainRef *domain, const virtNetdev *netdev);

/* ---- domain_format.c ---- */
bool virtHostdevRefFitsStock(const virtXmlDoc *doc, const virtHostdevRef *hostdev);
bool virtHostdevRefFitsInterface(const virtXmlDoc *doc, const virtHostdevRef *hostdev, GError **error);
char *virtDomainRefsFormat(const virtXmlDoc *doc, const GPtrArray *refs, virtDomainForm show, GError **error);

/* ---- metadata_conf.c ---- */
GPtrArray *virtMetadataRead(const virtXmlDoc *doc, const virtXmlNode *ours, GError **error);
void virtMetadataFormatEntry(GString *out, const virtHostdev *hostdev, const virtXmlLayout *layout);

/* ---- hostdev_conf.c ---- */
virtHostdev *virtHostdevFromRef(const virtHostdevRef *ref);
void virtNetdevGiveMac(virtNetdev *netdev, GHashTable *macs);
void virtNetdevDeriveMac(virtNetdev *netdev, const char *key, GHashTable *macs);
void virtNetdevListGiveMacs(const GPtrArray *netdevs, bool ofNetwork, GHashTable *macs);

/* pool_conf.h: a pool of VFs, as /etc/libvirt/hostdev/pools/NAME.xml says it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     <pool>
 *       <name>blue</name>
 *       <description>the rack's second switch</description>
 *       <pf serial='MT2113X00001' function='0' vfs='0-3,7'/>
 *       <pf dev='ens2f0'/>
 *       <pf><address domain='0x0000' bus='0x41' slot='0x00' function='0x0'/></pf>
 *       <vf><address domain='0x0000' bus='0x06' slot='0x02' function='0x3'/></vf>
 *       <match vendor='0x15b3' product='0x101e' driver='mlx5_core' node='0' link='up' trusted='no'/>
 *     </pool>
 *
 * VFs are given out in this order, those of a PF by their indexes; but unless it has order='listed', those near to the
 * guest come first.
 */
#pragma once

#include "conf/xml_tree.h"
#include "util/virchoice.h"
#include "util/virpciaddress.h"

#define VIRT_POOL_MAX 65536 /* bytes of a file; a member takes about a hundred */

typedef enum {
    VIRT_POOL_PF,   /* VFs of a PF */
    VIRT_POOL_VF,   /* one VF */
    VIRT_POOL_MATCH /* VFs that have something in common */
} virtPoolMemberKind;

typedef struct {
    guint first, last; /* indexes of VFs */
} virtPoolRange;

/* What <match> asks for; -1 and NULL: not for that. */
typedef struct {
    gint vendor, product; /* of the VF; its PCI ids */
    gint node;            /* of the VF: NUMA node */
    char *driver;         /* of the PF */
    gint linkUp;          /* of any port of the PF: 1 up, 0 down */
    gint trusted;         /* of the VF, at each port of the PF: 1 yes, 0 no */
} virtPoolMatch;

typedef struct {
    virtPoolMemberKind kind;
    virtChoice pf;          /* PF: by serial number or netdev; NONE: by @address */
    virtPCIAddress address; /* of the PF, or of the VF */
    GArray *ranges;         /* virtPoolRange of a PF; NULL: all its VFs */
    virtPoolMatch match;
    guint line;
} virtPoolMember;

typedef struct {
    char *name;
    char *description;  /* NULL: none */
    bool listed;        /* nothing comes before their order, not what is near to a guest */
    GPtrArray *members; /* virtPoolMember; not empty */
} virtPool;

virtPool *virtPoolParse(const char *xml, gsize len, const char *file, GError **error);
bool virtPoolRangesHave(const GArray *ranges, guint index);
void virtPoolFree(virtPool *pool);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtPool, virtPoolFree)

/* cmd_list.h: what virt-hostdev list shows, as a tree or as a picture
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "tools/tool.h"
#include "util/virpci.h"
#include "util/virpcicard.h"

/* One place in the tree: a card (pf ""), one of its PFs (port and vf NULL), one of that's ports (vf NULL), or a VF at
 * that port. */
typedef struct {
    const virtPCICard *card;
    char pf[VIRT_PCI_ADDRESS_LEN];
    const virtPort *port;
    const virtVF *vf;
    const virtNetdev *netdev; /* of vf at port; NULL: could not be read */
    const char *driver;
    const char *owner;
    const char *variant; /* the VFIO driver that can migrate vf; NULL: this kernel has none, or cannot tell */
} virtListPlace;

typedef void (*virtListFunc)(const virtListPlace *place, void *opaque);

/* cmd_list_visit.c. A card, then each of its PFs, then each of its ports, with all VFs of the PF after it, by index. */
void virtListVisit(virtHost *host, virtListFunc func, void *opaque);
/* Who has a device set, by its record, for g_free(); NULL: nobody. */
char *virtListFindOwner(virtHost *host, const virtHandle *handle);
/* What a card says about itself, for g_free(): "ConnectX-6, part MCX62, serial MT2113 (VPD)"; "": nothing. */
char *virtListDescribeCard(const virtPCICard *card);

/* cmd_list_mdev.c: parents of mediated devices, in each its types, in each its devices; for virtToolPrintTables(). */
struct libscols_table *virtListMakeMdevTable(virtTool *tool);

/* cmd_list_vgpu.c: PFs whose VFs can have vGPUs, in each its types and its VFs; for virtToolPrintTables(). */
struct libscols_table *virtListMakeVgpuTable(virtTool *tool);

/* cmd_list_vdpa.c: management devices, in each its vDPA devices; for virtToolPrintTables(). */
struct libscols_table *virtListMakeVdpaTable(virtTool *tool);

/* cmd_list_picture.c */
void virtListDraw(virtHost *host);

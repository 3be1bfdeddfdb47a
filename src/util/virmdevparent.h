/* virmdevparent.h: devices that mediated devices can be made of, and the types that they offer
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhandle.h"
#include "util/virhost.h"

typedef struct {
    char *name;         /* "mtty-1" */
    char *title;        /* what its driver calls it; NULL: nothing */
    char *api;          /* "vfio-pci"; NULL: not known */
    guint64 free;       /* how many more can be made; of several types that share a device, each counts for itself */
    GPtrArray *devices; /* char *: UUIDs, sorted */
} virtMdevType;

typedef struct {
    char *name;        /* in /sys/class/mdev_bus: "0000:3d:00.0", "mtty" */
    char *nodedev;     /* as libvirt calls it: "pci_0000_3d_00_0", "mtty_mtty" */
    virtHandle handle; /* whose lock serialises changes */
    GPtrArray *types;  /* virtMdevType, sorted by name */
} virtMdevParent;

GPtrArray *virtMdevParentList(virtHost *host, GError **error);
virtMdevParent *virtMdevParentFind(virtHost *host, const char *written, GError **error);
virtMdevParent *virtMdevParentFindOf(virtHost *host, const char *uuid, GError **error);
bool virtMdevParentIs(const virtMdevParent *parent, const char *written);
const virtMdevType *virtMdevParentGetType(const virtMdevParent *parent, const char *name);
char *virtMdevParentDescribeTypes(const virtMdevParent *parent);
void virtMdevParentFree(virtMdevParent *parent);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtMdevParent, virtMdevParentFree)

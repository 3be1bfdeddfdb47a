/* virhandle.h: which device of the host, of whatever kind, in devlink's notation: BUS/NAME
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     pci/0000:06:02.0                             a function of a PCI card
 *     mdev/c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11    a mediated device
 *     network/52:54:00:01:02:03                    an <interface>: the VF that libvirt takes for it from a network
 */
#pragma once

#include "util/virpciaddress.h"

#define VIRT_HANDLE_BUS_MAX 11  /* bytes, without the NUL */
#define VIRT_HANDLE_NAME_MAX 51 /* the same; a UUID has 36. Both fit the name of a state file */
#define VIRT_HANDLE_LEN (VIRT_HANDLE_BUS_MAX + VIRT_HANDLE_NAME_MAX + 2)

/* Plain data: copied by assignment. All zero is no device. */
typedef struct {
    char bus[VIRT_HANDLE_BUS_MAX + 1];   /* "pci" */
    char name[VIRT_HANDLE_NAME_MAX + 1]; /* on that bus: "0000:06:02.0" */
} virtHandle;

bool virtHandleSet(virtHandle *handle, const char *bus, const char *name, GError **error);
void virtHandleSetNetwork(virtHandle *handle, const guint8 *mac);
bool virtHandleIsNetwork(const virtHandle *handle);
void virtHandleSetPCI(virtHandle *handle, const virtPCIAddress *address);
bool virtHandleGetPCI(const virtHandle *handle, virtPCIAddress *ret);
bool virtHandleParse(const char *text, virtHandle *ret, GError **error);
void virtHandleFormat(const virtHandle *handle, char ret[VIRT_HANDLE_LEN]);
bool virtHandleIsNone(const virtHandle *handle);
int virtHandleCompare(const virtHandle *a, const virtHandle *b);
bool virtHandleIsIn(const GArray *list, const virtHandle *handle);
const char *virtHandleGetNoun(const virtHandle *handle);

/* For hash tables keyed by virtHandle. */
guint virtHandleHash(gconstpointer handle);
gboolean virtHandleEqual(gconstpointer a, gconstpointer b);

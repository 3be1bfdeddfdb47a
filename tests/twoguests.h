/* twoguests.h: two domains that want VFs of one dual-port PF, on a made-up host
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "fakehost.h"
#include "hypervisor/provision.h"
#include "util/virerror.h"

#define PF "0000:01:00.0"
#define UUID_A "11111111-2222-3333-4444-555555555555"
#define UUID_B "99999999-2222-3333-4444-555555555555"

typedef struct {
    fakeHost *fake; /* PF has four VFs; VF 0 has VLAN 7 at port 2 */
    virtOwner *a, *b;
    char *before; /* dump: without a guest */
} twoGuests;

typedef struct {
    const char *name;
    void (*run)(twoGuests *f, gconstpointer opaque);
} guestsTest;
int guestsRun(const guestsTest *tests, guint n, int argc, char **argv);

/* VFs 0..@vfs-1, two netdevs each: MAC 52:54:00:TAG:VF:PORT, VLAN 100 * port + VF */
GPtrArray *guestsWant(twoGuests *f, guint vfs, guint tag);
void guestsAssertAsBefore(twoGuests *f);
void guestsAssertError(GError *error, int code, const char *part);

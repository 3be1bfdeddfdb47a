/* updateguest.h: a running guest with a dual-port VF on a made-up host, and what it may be given next
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "fakehost.h"
#include "hypervisor/provision.h"
#include "util/virerror.h"

#define PF "0000:01:00.0"
#define UUID_A "11111111-2222-3333-4444-555555555555"

typedef struct {
    fakeHost *fake;
    virtOwner *a, *b;
    const char *vf;          /* address of VF 0, which a's guest has */
    virtHostdev *old, *new;  /* what it was given, and what a test wants it to have; equal at first */
    char *before, *attached; /* dumps: without a guest, and with it */
    char *record;            /* on disk, with the guest */
} updateGuest;

typedef struct {
    const char *name;
    void (*run)(updateGuest *f, gconstpointer opaque);
} updateTest;
int updateRun(const updateTest *tests, guint n, int argc, char **argv);

/* Two netdevs: MAC, VLAN 100 * port; port 2 also has a rate. */
virtHostdev *updateNewHostdev(const char *address);
void updateAttach(updateGuest *f);
virtNetdev *updateNetdev(virtHostdev *hostdev, guint port);

/* A bit of everything: port 1 changes its VLAN and gets a link state; port 2 loses its VLAN, gets another rate and
 * has spoof checking turned off. */
void updateChangeAll(updateGuest *f);
void updateAssertAllChanged(updateGuest *f);

void updateAssertError(GError **error, int code, const char *part); /* and clear it */
void updateAssertHardware(updateGuest *f, const char *dump);
void updateAssertRecord(updateGuest *f, virtPhase phase, const virtHostdev *wanted);
void updateReleaseAndCheck(updateGuest *f);
/* The update fails, and neither the VF nor its record has changed. */
void updateRefuse(updateGuest *f, const virtOwner *owner, const virtHostdev *hostdev, int code, const char *part);

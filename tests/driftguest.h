/* driftguest.h: a guest with a VF on a made-up host, and the journal of what happens to it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "fakehost.h"
#include "hypervisor/provision_drift.h"
#include "util/virstatefile.h"

#define PF "0000:01:00.0"
#define UUID_A "11111111-2222-3333-4444-555555555555"
#define SECOND G_USEC_PER_SEC

typedef struct {
    fakeHost *fake;
    virtOwner *a;
    const char *vf; /* address of VF 0, which a's guest has */
    virtHostdev *hostdev;
    virtDriftMonitor *watch;
    gint64 now;
    char *set; /* dump: as we set it */
} driftGuest;

typedef struct {
    const char *name;
    void (*run)(driftGuest *f, gconstpointer opaque);
} driftTest;
int driftRun(const driftTest *tests, guint n, int argc, char **argv);

/* "ID SETTING WANTED FOUND\n": ID is its name in driftguest.c, what is missing "-"; and the messages. */
extern GString *driftJournal, *driftSentences;
void driftForget(void);
void driftAssertTold(const char *what); /* since it was asked last */

/* Port 1 has every attribute but a port profile, which port 2 has. */
virtHostdev *driftNewHostdev(const char *address);
void driftStart(driftGuest *f, virtHostdev *hostdev);
void driftLook(driftGuest *f, bool enforce); /* a second later */
fakeVF *driftVF(driftGuest *f, guint port);
void driftChangeVlan(fakeVF *vf); /* from 42 to 99 */
void driftAssertWritten(driftGuest *f, const char *log);
void driftAssertAsSet(driftGuest *f);
guint64 driftCounted(driftGuest *f, virtCount count);

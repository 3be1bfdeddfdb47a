/* virpcivpd.h: what a PCI card says about itself: its Vital Product Data (VPD)
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhost.h"
#include "util/virpciaddress.h"

/* One field: a keyword and a value. */
typedef struct {
    char keyword[3]; /* "SN"; upper case and digits */
    bool writable;   /* it stands in the read-write section */
    char *value;     /* printable ASCII without blanks around it, perhaps empty */
} virtPCIVPDField;

typedef struct {
    char *name;        /* NULL: none, or one that is not printable */
    GPtrArray *fields; /* virtPCIVPDField, in their order */
    char *flaw;        /* why libvirt shows nothing of it: "its checksum is wrong"; NULL: it shows the same */
} virtPCIVPD;

virtPCIVPD *virtPCIVPDNew(void);
void virtPCIVPDAdd(virtPCIVPD *vpd, const char *keyword, bool writable, const char *value);
virtPCIVPD *virtPCIVPDRead(virtHost *host, const virtPCIAddress *address, GError **error);
const char *virtPCIVPDGet(const virtPCIVPD *vpd, const char *keyword);
void virtPCIVPDFree(virtPCIVPD *vpd);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtPCIVPD, virtPCIVPDFree)

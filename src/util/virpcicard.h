/* virpcicard.h: the cards that a host's PFs are on, and their serial numbers
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "util/virhost.h"
#include "util/virpciaddress.h"
#include "util/virpcivpd.h"

typedef struct {
    GArray *pfs;      /* virtPCIAddress, sorted; not empty */
    char *serial;     /* of the board; NULL: it is not known */
    const char *from; /* who says so: "VPD" or "devlink"; NULL as above */
    char *part;       /* its part number; NULL: VPD has none, like the next two */
    char *product;    /* its name */
    char *flaw;       /* why libvirt shows no VPD of it, as in virtPCIVPD; NULL: it does, or there is none */
} virtPCICard;

virtPCIVPD *virtPCICardReadVPD(virtHost *host, const virtPCIAddress *pf, const char **ret_from, GError **error);
GPtrArray *virtPCICardList(virtHost *host);
void virtPCICardFree(virtPCICard *card);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(virtPCICard, virtPCICardFree)

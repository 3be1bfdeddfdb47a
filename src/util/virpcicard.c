/* virpcicard.c: the cards that a host's PFs are on, and their serial numbers
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The functions of a card have one bus and one slot, and repeat the same VPD. A serial number names a card, not a PF,
 * and not always one card: clones, and memories that nobody has written, have the same. Two cards with one number stay
 * two here.
 *
 * Where VPD has no serial number, the driver may tell one over devlink. VFs have none; theirs is their PF's.
 */
#include "util/virpcicard.h"

#include "util/virdevlink.h"
#include "util/virerror.h"
#include "util/virpci.h"
#include "util/virpcivpd.h"

void
virtPCICardFree(virtPCICard *card)
{
    if (!card)
        return;
    g_array_unref(card->pfs);
    g_free(card->serial);
    g_free(card->part);
    g_free(card->product);
    g_free(card->flaw);
    g_free(card);
}

static bool
isOnCard(const virtPCICard *card, const virtPCIAddress *pf)
{
    const virtPCIAddress *first = &g_array_index(card->pfs, virtPCIAddress, 0);

    return first->domain == pf->domain && first->bus == pf->bus && first->slot == pf->slot;
}

static void
takeVPD(virtPCICard *card, const virtPCIVPD *vpd)
{
    const char *serial = virtPCIVPDGet(vpd, "SN");

    if (serial && *serial) {
        card->serial = g_strdup(serial);
        card->from = "VPD";
    }
    card->part = g_strdup(virtPCIVPDGet(vpd, "PN"));
    card->product = g_strdup(vpd->name);
    card->flaw = g_strdup(vpd->flaw);
}

/* What its first PF says. A card that cannot be asked is one without a serial number, and somebody is told. */
static void
identify(virtHost *host, virtPCICard *card)
{
    const virtPCIAddress *pf = &g_array_index(card->pfs, virtPCIAddress, 0);
    g_autoptr(GError) error = NULL;
    g_autoptr(virtPCIVPD) vpd = virtPCIVPDRead(host, pf, &error);
    virtHandle handle;

    if (vpd)
        takeVPD(card, vpd);
    else if (!g_error_matches(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        virtHostWarn(host, "%s", error->message);
    g_clear_error(&error);
    if (card->serial)
        return;
    virtHandleSetPCI(&handle, pf);
    card->serial = virtDevlinkGetBoardSerial(host, &handle, &error);
    if (card->serial)
        card->from = "devlink";
    else if (!g_error_matches(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        virtHostWarn(host, "%s", error->message);
}

/* The cards of all PFs, in the order of their addresses: an array of virtPCICard for g_ptr_array_unref(). Reading VPD
 * takes a card some milliseconds.
 */
GPtrArray *
virtPCICardList(virtHost *host)
{
    g_autoptr(GPtrArray) pfs = virtPCIListPFs(host);
    g_autoptr(GPtrArray) cards = g_ptr_array_new_with_free_func((GDestroyNotify)virtPCICardFree);

    for (guint i = 0; i < pfs->len; i++) {
        const virtPCIAddress *pf = pfs->pdata[i];
        virtPCICard *card = NULL;

        if (cards->len > 0)
            card = cards->pdata[cards->len - 1];
        if (!card || !isOnCard(card, pf)) {
            card = g_new0(virtPCICard, 1);
            card->pfs = g_array_new(FALSE, FALSE, sizeof(virtPCIAddress));
            g_ptr_array_add(cards, card);
        }
        g_array_append_val(card->pfs, *pf);
    }
    for (guint i = 0; i < cards->len; i++)
        identify(host, cards->pdata[i]);
    return g_steal_pointer(&cards);
}

/* The card of a PF, or NULL. */
const virtPCICard *
virtPCICardListFind(const GPtrArray *cards, const virtPCIAddress *pf)
{
    for (guint i = 0; i < cards->len; i++) {
        const virtPCICard *card = cards->pdata[i];

        for (guint n = 0; n < card->pfs->len; n++) {
            if (virtPCIAddressCompare(&g_array_index(card->pfs, virtPCIAddress, n), pf) == 0)
                return card;
        }
    }
    return NULL;
}

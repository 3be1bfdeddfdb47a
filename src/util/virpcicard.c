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
    if (card->from)
        card->serial = g_strdup(virtPCIVPDGet(vpd, "SN"));
    card->part = g_strdup(virtPCIVPDGet(vpd, "PN"));
    card->product = g_strdup(vpd->name);
    card->flaw = g_strdup(vpd->flaw);
}

/* Something that could have been there is there, and cannot be read. */
static bool
isProblem(const GError *error)
{
    return error && !g_error_matches(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND);
}

static void
warnOfProblem(virtHost *host, const GError *error)
{
    if (isProblem(error))
        virtHostWarn(host, "%s", error->message);
}

static bool
hasSerial(const virtPCIVPD *vpd)
{
    const char *serial = virtPCIVPDGet(vpd, "SN");

    return serial && *serial;
}

/* What a card says about itself through a PF: its VPD. Where that has no serial number, or cannot be read, the board's
 * that the driver tells over devlink stands in its field SN.
 *
 * @ret_from: who told the serial number, "VPD" or "devlink"; NULL: nobody did
 *
 * Errors: VIRT_ERROR_NOT_FOUND where nobody says anything, VIRT_ERROR_HOST where that cannot be told. Where only a part
 * can be told, there is a warning.
 */
virtPCIVPD *
virtPCICardReadVPD(virtHost *host, const virtPCIAddress *pf, const char **ret_from, GError **error)
{
    g_autoptr(GError) unread = NULL, untold = NULL;
    g_autoptr(virtPCIVPD) vpd = virtPCIVPDRead(host, pf, &unread);
    g_autofree char *serial = NULL;
    virtHandle handle;

    *ret_from = NULL;
    if (vpd && hasSerial(vpd)) {
        *ret_from = "VPD";
        return g_steal_pointer(&vpd);
    }
    virtHandleSetPCI(&handle, pf);
    serial = virtDevlinkGetBoardSerial(host, &handle, &untold);
    if (!vpd && !serial) {
        if (isProblem(unread))
            g_propagate_error(error, g_steal_pointer(&unread));
        else
            g_propagate_error(error, g_steal_pointer(&untold));
        return NULL;
    }
    warnOfProblem(host, unread);
    warnOfProblem(host, untold);
    if (!vpd)
        vpd = virtPCIVPDNew();
    if (serial) {
        virtPCIVPDAdd(vpd, "SN", false, serial);
        *ret_from = "devlink";
    }
    return g_steal_pointer(&vpd);
}

/* What its first PF says. A card that cannot be asked is one without a serial number, and somebody is told. */
static void
identify(virtHost *host, virtPCICard *card)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(virtPCIVPD) vpd =
        virtPCICardReadVPD(host, &g_array_index(card->pfs, virtPCIAddress, 0), &card->from, &error);

    if (vpd)
        takeVPD(card, vpd);
    else
        warnOfProblem(host, error);
}

static GPtrArray *
readCards(virtHost *host)
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

/* The cards of all PFs, in the order of their addresses: an array of virtPCICard for g_ptr_array_unref(). Reading VPD
 * takes a card some milliseconds, and is done once while a virtHostReads is open.
 */
GPtrArray *
virtPCICardList(virtHost *host)
{
    GPtrArray *cards;

    if (host->cards)
        return g_ptr_array_ref(host->cards);
    cards = readCards(host);
    if (host->reads > 0)
        host->cards = g_ptr_array_ref(cards);
    return cards;
}

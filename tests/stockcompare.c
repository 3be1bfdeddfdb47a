/* stockcompare.c: a domain with <interface type='hostdev'> at stock libvirt alone, and at the same libvirt through us
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: what libvirt says of a document (its dumpxml) has everything that it makes up: MAC and guest
 * addresses, UUID. So that is the document to go through us, byte for byte: stock form, stored by libvirt, shown again.
 * (libvirt orders controllers anew when it reads what it has written, so it is asked twice.)
 * The document as it was written goes the same way, and must end as the same but for what is made up twice.
 */
#include <string.h>

#include "conf/domain_conf.h"
#include "stockcompare.h"

#define FLAGS (VIRT_DOMAIN_GENERATE_MAC | VIRT_DOMAIN_INTERFACES)

/* Define a domain; returns what libvirt then says it is, for g_free(), or NULL with libvirt's error set. */
char *
virtStockStore(virConnectPtr conn, const char *xml, unsigned int flags)
{
    virDomainPtr domain = virDomainDefineXMLFlags(conn, xml, flags);
    char *text;

    if (!domain)
        return NULL;
    text = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE | VIR_DOMAIN_XML_SECURE);
    virDomainUndefineFlags(domain, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | VIR_DOMAIN_UNDEFINE_NVRAM |
                                       VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
                                       VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA);
    virDomainFree(domain);
    return text;
}

static char *
problem(const char *what, const char *found, const char *wanted)
{
    return g_strdup_printf("%s\n---- this\n%s\n---- instead of\n%s", what, found ? found : virGetLastErrorMessage(),
                           wanted);
}

static GRegex *
makeRegex(const char *pattern)
{
    g_autoptr(GError) error = NULL;
    GRegex *regex = g_regex_new(pattern, G_REGEX_MULTILINE | G_REGEX_DOTALL, 0, &error);

    g_assert_no_error(error);
    return regex;
}

static gboolean
maskMac(const GMatchInfo *match, GString *out, gpointer written)
{
    g_autofree char *all = g_match_info_fetch(match, 0), *mac = g_match_info_fetch(match, 1);

    g_string_append(out, strstr(written, mac) ? all : "<mac");
    return FALSE;
}

/* Without what libvirt makes up where @written leaves it open. */
static char *
maskMadeUp(const char *said, const char *written)
{
    g_autoptr(GRegex) macs = makeRegex("<mac address='([^']*)'");
    g_autoptr(GRegex) rest = makeRegex("<uuid>[^<]*</uuid>|<genid>[^<]*</genid>|<nvram[^>]*>[^<]*</nvram>");
    g_autofree char *lower = g_ascii_strdown(written, -1);
    g_autofree char *masked = g_regex_replace_eval(macs, said, -1, 0, 0, maskMac, lower, NULL);

    return g_regex_replace_literal(rest, masked, -1, 0, "", 0, NULL);
}

/* Also without guest addresses, and the bridges that libvirt puts in for them. */
static char *
maskGuestAddresses(const char *text)
{
    g_autoptr(GRegex) regex =
        makeRegex("^      <address type='pci'[^>]*>\n|^    <controller type='pci'.*?</controller>\n");

    return g_regex_replace_literal(regex, text, -1, 0, "", 0, NULL);
}

/* What libvirt has said goes through us, and comes back as the same bytes; writing it again stores the same again. */
static char *
compareSaid(virConnectPtr conn, const char *said, guint *fate)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GPtrArray) lost = NULL;
    g_autofree char *stock = virtDomainToStock(said, strlen(said), NULL, FLAGS, &error);
    g_autofree char *stored = stock ? virtStockStore(conn, stock, 0) : NULL;
    g_autofree char *shown =
        stored ? virtDomainFormat(stored, strlen(stored), NULL, VIRT_DOMAIN_FORM_WRITTEN, &error) : NULL;
    g_autofree char *again = shown ? virtDomainToStock(shown, strlen(shown), NULL, FLAGS, &error) : NULL;
    g_autofree char *storedAgain = again ? virtStockStore(conn, again, 0) : NULL;
    g_autofree char *reverted = stored ? virtDomainRevert(stored, strlen(stored), &lost, &error) : NULL;
    g_autofree char *revertedSaid = reverted ? virtStockStore(conn, reverted, 0) : NULL;

    if (error)
        return g_strdup(error->message);
    if (!stored)
        return problem("libvirt refuses the stock form", NULL, stock);
    if (g_strcmp0(shown, said) != 0)
        return problem("users see", shown, said);
    if (g_strcmp0(storedAgain, stored) != 0)
        return problem("written again, it is stored as", storedAgain, stored);
    if (!revertedSaid)
        return problem("libvirt refuses what revert gives", NULL, reverted);
    if (lost->len == 0 && (!g_str_equal(reverted, said) || !g_str_equal(revertedSaid, said)))
        return problem("revert gives", reverted, said);
    *fate |= lost->len == 0 ? VIRT_STOCK_REVERTED : 0;
    return NULL;
}

/* The document as it was written. */
static char *
compareWritten(virConnectPtr conn, const char *xml, const char *stock, const char *said, guint *fate)
{
    g_autofree char *stored = virtStockStore(conn, stock, 0);
    g_autofree char *shown =
        stored ? virtDomainFormat(stored, strlen(stored), NULL, VIRT_DOMAIN_FORM_WRITTEN, NULL) : NULL;
    g_autofree char *found = shown ? maskMadeUp(shown, xml) : NULL, *wanted = maskMadeUp(said, xml);
    g_autofree char *foundRest = NULL, *wantedRest = NULL;
    g_autofree char *valid = virtStockStore(conn, xml, VIR_DOMAIN_DEFINE_VALIDATE);

    if (!found)
        return problem("libvirt refuses the stock form of what was written", NULL, stock);
    if (!g_str_equal(found, wanted)) {
        foundRest = maskGuestAddresses(found);
        wantedRest = maskGuestAddresses(wanted);
        if (!g_str_equal(foundRest, wantedRest))
            return problem("users see of what they wrote", found, wanted);
        *fate |= VIRT_STOCK_READDRESSED;
    }
    if (valid) {
        g_autofree char *stockValid = virtStockStore(conn, stock, VIR_DOMAIN_DEFINE_VALIDATE);

        if (!stockValid)
            return problem("libvirt's schema is not for the stock form", NULL, stock);
        *fate |= VIRT_STOCK_VALID;
    }
    return NULL;
}

/* Hold what we make of @xml, a domain, to what libvirt makes of it alone.
 *
 * @ret_fate: virtStockFate
 *
 * Returns what is not the same, for g_free(); NULL: nothing.
 */
char *
virtStockCompare(virConnectPtr conn, const char *xml, guint *ret_fate)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *said = virtStockStore(conn, xml, 0);
    g_autofree char *refusal = said ? NULL : g_strdup(virGetLastErrorMessage());
    g_autofree char *stock = virtDomainToStock(xml, strlen(xml), NULL, FLAGS, &error);
    g_autofree char *whenRefused = NULL, *reconciled = NULL;
    char *different;

    *ret_fate = 0;
    if (!stock)
        return g_strdup(error->message);
    *ret_fate = g_str_equal(stock, xml) ? 0 : VIRT_STOCK_CONVERTED;
    if (!said) {
        whenRefused = virtStockStore(conn, stock, 0);
        *ret_fate |= VIRT_STOCK_REFUSED;
        return whenRefused ? problem("libvirt refuses the interface, but not the stock form", whenRefused, refusal)
                           : NULL;
    }
    if ((different = compareWritten(conn, xml, stock, said, ret_fate)))
        return different;
    reconciled = virtStockStore(conn, said, 0);
    return reconciled ? compareSaid(conn, reconciled, ret_fate) : NULL;
}

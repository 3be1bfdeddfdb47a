/* vpdtest.c: VPD of careful and careless cards, as lab/guest/vpdgen.py makes it; and which cards there are
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "util/virerror.h"
#include "util/virpci.h"
#include "util/virpcicard.h"
#include "util/virpcivpd.h"

#include <glib/gstdio.h>
#include <string.h>

#define PF "0000:01:00.0"

#define USUAL "PN=MCX623106AS-CDAT EC=A7 SN=MT2113X00001 V0=PCIeGen4 x8"
#define CARD "ConnectX-6 Dx EN: "

/* What each says, a field that anybody may write with a '+'; and what libvirt does not like about it. */
static const struct {
    const char *variant;
    const char *says; /* NULL: nothing */
    const char *flaw;
} rows[] = {
    {"good", CARD USUAL " +YA=asset 7 +V1=spare +Y1=rack", NULL},
    {"checksum", CARD USUAL, "its checksum is wrong"},
    {"no-rv", CARD USUAL, "it has no checksum (field RV)"},
    {"behind-rv", CARD "PN=MCX623106AS-CDAT EC=A7 SN=LATE", "there is something behind its checksum (field RV)"},
    {"no-end", CARD USUAL, "it has no end tag (0x78)"},
    {"only-writable", CARD "+YA=asset 7 +V1=spare +Y1=rack", "it has no read-only section (tag 0x90)"},
    {"overrun", CARD "SN=MT2113X00001", "a field is longer than its section"},
    {"longer", CARD "SN=MT2113X00001 PN=X1", "it ends in the middle of a section"},
    {"name-longer", NULL, NULL},
    {"no-name", USUAL, NULL},
    {"odd-name", USUAL, "its name is not printable ASCII"},
    {"blanks", CARD "PN=X1 SN=MT 123-4,=<&>", NULL},
    {"nuls", CARD "PN=X1 SN=MT123", NULL},
    {"not-text", CARD "PN=X1", NULL},
    {"empty", CARD "PN=X1 SN=", NULL},
    {"twice", CARD "PN=X1 SN=FIRST SN=SECOND", NULL},
    {"lower-case", CARD "PN=X1", NULL},
    {"other-tag", CARD USUAL, "it has a resource that is not known (tag 0x84)"},
    {"only-end", NULL, NULL},
    {"zeros", NULL, NULL},
    {"ones", NULL, NULL},
    {"one-byte", NULL, NULL},
};

/* The bytes of a variant, of the file that @opaque names. */
static GByteArray *
readVariant(const char *file, const char *variant)
{
    GByteArray *bytes = g_byte_array_new();
    g_autofree char *text = NULL;
    g_autofree char *start = g_strdup_printf("%s ", variant);
    g_auto(GStrv) lines = NULL;

    g_assert_true(g_file_get_contents(file, &text, NULL, NULL));
    lines = g_strsplit(text, "\n", -1);
    for (guint i = 0; lines[i]; i++) {
        if (!g_str_has_prefix(lines[i], start))
            continue;
        for (const char *p = lines[i] + strlen(start); p[0] && p[1]; p += 2) {
            guint8 byte = (guint8)(g_ascii_xdigit_value(p[0]) << 4 | g_ascii_xdigit_value(p[1]));

            g_byte_array_append(bytes, &byte, 1);
        }
    }
    g_assert_cmpuint(bytes->len, >, 0);
    return bytes;
}

static void
putVPD(fakeHost *fake, const guint8 *data, gsize len)
{
    g_autofree char *path = virtHostPath(fake->host, "sys/bus/pci/devices/" PF "/vpd");

    g_assert_true(g_file_set_contents(path, (const char *)data, (gssize)len, NULL));
}

static virtPCIVPD *
readVPD(fakeHost *fake, GError **error)
{
    virtPCIAddress address;

    g_assert_true(virtPCIAddressParse(PF, &address, NULL));
    return virtPCIVPDRead(fake->host, &address, error);
}

static char *
describe(const virtPCIVPD *vpd)
{
    GString *out = g_string_new(NULL);

    if (vpd->name)
        g_string_append_printf(out, "%s: ", vpd->name);
    for (guint i = 0; i < vpd->fields->len; i++) {
        const virtPCIVPDField *field = vpd->fields->pdata[i];

        if (i > 0)
            g_string_append_c(out, ' ');
        if (field->writable)
            g_string_append_c(out, '+');
        g_string_append_printf(out, "%s=%s", field->keyword, field->value);
    }
    return g_string_free(out, FALSE);
}

static void
testVariants(gconstpointer file)
{
    g_autoptr(fakeHost) fake = fakeHostNew();

    fakeHostAddPF(fake, PF, 1, 1, "igb");
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        g_autoptr(GByteArray) bytes = readVariant(file, rows[i].variant);
        g_autoptr(virtPCIVPD) vpd = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *says = NULL;

        g_test_message("%s", rows[i].variant);
        putVPD(fake, bytes->data, bytes->len);
        vpd = readVPD(fake, &error);
        if (!rows[i].says) {
            g_assert_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND);
            continue;
        }
        g_assert_no_error(error);
        says = describe(vpd);
        g_assert_cmpstr(says, ==, rows[i].says);
        g_assert_cmpstr(vpd->flaw, ==, rows[i].flaw);
    }
}

/* Wherever it is cut off, what is whole is read, and nothing behind it. */
static void
testCut(gconstpointer file)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GByteArray) bytes = readVariant(file, "good");

    fakeHostAddPF(fake, PF, 1, 1, "igb");
    for (guint len = 0; len <= bytes->len; len++) {
        g_autofree guint8 *part = g_memdup2(bytes->data, len); /* of that size, for the sanitizer */
        g_autoptr(virtPCIVPD) vpd = NULL;
        g_autofree char *says = NULL;

        putVPD(fake, part, len);
        vpd = readVPD(fake, NULL);
        if (!vpd)
            continue;
        says = describe(vpd);
        g_assert_true(g_str_has_prefix(CARD USUAL " +YA=asset 7 +V1=spare +Y1=rack", says));
        g_assert_cmpint(vpd->flaw == NULL, ==, len == bytes->len);
    }
}

static void
testOfSeveral(gconstpointer file)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GByteArray) bytes = readVariant(file, "twice");
    g_autoptr(virtPCIVPD) vpd = NULL;

    fakeHostAddPF(fake, PF, 1, 1, "igb");
    putVPD(fake, bytes->data, bytes->len);
    vpd = readVPD(fake, NULL);
    g_assert_cmpstr(virtPCIVPDGet(vpd, "SN"), ==, "SECOND");
    g_assert_null(virtPCIVPDGet(vpd, "EC"));
}

/* As many bytes as an address can name, and no tag among them that ends it. */
static void
testEndless(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autofree guint8 *bytes = g_malloc(65536);
    g_autoptr(virtPCIVPD) vpd = NULL;
    g_autoptr(GError) error = NULL;

    for (guint i = 0; i < 65536; i += 4)
        memcpy(bytes + i, "\x82\x01\x00N", 4);
    fakeHostAddPF(fake, PF, 1, 1, "igb");
    putVPD(fake, bytes, 65536);
    vpd = readVPD(fake, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(vpd->name, ==, "N");
    g_assert_cmpstr(vpd->flaw, ==, "it has no end tag (0x78)");
}

static void
testNone(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GError) error = NULL;

    fakeHostAddPF(fake, PF, 1, 1, "igb");
    g_assert_null(readVPD(fake, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND);
}

/* Three PFs on two cards; the driver of all knows devlink. */
static void
testCards(gconstpointer file)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GByteArray) bytes = readVariant(file, "checksum");
    g_autoptr(GPtrArray) cards = NULL;
    const virtPCICard *card;

    fakeHostAddPF(fake, PF, 1, 1, "igb");
    fakeHostAddPF(fake, "0000:01:00.1", 1, 1, "igb");
    fakeHostAddPF(fake, "0000:02:00.0", 1, 1, "igb");
    putVPD(fake, bytes->data, bytes->len);
    fake->boardSerial = " B-17 ";
    cards = virtPCICardList(fake->host);
    g_assert_cmpuint(cards->len, ==, 2);
    card = cards->pdata[0];
    g_assert_cmpuint(card->pfs->len, ==, 2);
    g_assert_cmpstr(card->serial, ==, "MT2113X00001");
    g_assert_cmpstr(card->from, ==, "VPD");
    g_assert_cmpstr(card->part, ==, "MCX623106AS-CDAT");
    g_assert_cmpstr(card->product, ==, "ConnectX-6 Dx EN");
    g_assert_cmpstr(card->flaw, ==, "its checksum is wrong");
    card = cards->pdata[1];
    g_assert_cmpstr(card->serial, ==, "B-17");
    g_assert_cmpstr(card->from, ==, "devlink");
    g_assert_null(card->part);
    g_assert_null(card->flaw);
    g_assert_cmpuint(fake->warnings->len, ==, 0);
}

/* What no card and no driver tells, and what is no text. */
static void
testNoSerial(gconstpointer file)
{
    static const char *const serials[] = {NULL, "", "  ", "B\n17", "\xff"};
    g_autoptr(GByteArray) bytes = readVariant(file, "empty");

    for (guint i = 0; i < G_N_ELEMENTS(serials); i++) {
        g_autoptr(fakeHost) fake = fakeHostNew();
        g_autoptr(GPtrArray) cards = NULL;
        const virtPCICard *card;

        fakeHostAddPF(fake, PF, 1, 1, "igb");
        putVPD(fake, bytes->data, bytes->len);
        fake->boardSerial = serials[i];
        cards = virtPCICardList(fake->host);
        card = cards->pdata[0];
        g_assert_null(card->serial);
        g_assert_null(card->from);
        g_assert_cmpstr(card->part, ==, "X1");
        g_assert_cmpuint(fake->warnings->len, ==, 0);
    }
}

/* A VPD that cannot be read is not one that is absent. */
static void
testUnread(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autoptr(GPtrArray) cards = NULL;
    g_autofree char *path = virtHostPath(fake->host, "sys/bus/pci/devices/" PF "/vpd");

    fakeHostAddPF(fake, PF, 1, 1, "igb");
    g_assert_cmpint(g_mkdir(path, 0755), ==, 0); /* EISDIR */
    fake->boardSerial = "B-17";
    cards = virtPCICardList(fake->host);
    g_assert_cmpstr(((const virtPCICard *)cards->pdata[0])->serial, ==, "B-17");
    g_assert_cmpuint(fake->warnings->len, ==, 1);
    g_assert_nonnull(strstr(fake->warnings->pdata[0], "/vpd: Is a directory"));
}

/* ---- of a PF or VF ---- */

static virtPCIVPD *
readCard(fakeHost *fake, const char **ret_from, GError **error)
{
    virtPCIAddress address;

    g_assert_true(virtPCIAddressParse(PF, &address, NULL));
    return virtPCICardReadVPD(fake->host, &address, ret_from, error);
}

/* Where VPD has a serial number, devlink is not asked; where it has none, its other fields stay. */
static void
testBoth(gconstpointer file)
{
    static const struct {
        const char *variant, *board;
        const char *says, *from;
    } cases[] = {
        {"checksum", "B-17", CARD USUAL, "VPD"},
        {"empty", "B-17", CARD "PN=X1 SN= SN=B-17", "devlink"},
        {"lower-case", "B-17", CARD "PN=X1 SN=B-17", "devlink"},
        {"only-end", "B-17", "SN=B-17", "devlink"},
        {"empty", NULL, CARD "PN=X1 SN=", NULL},
        {"only-end", NULL, NULL, NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(fakeHost) fake = fakeHostNew();
        g_autoptr(GByteArray) bytes = readVariant(file, cases[i].variant);
        g_autoptr(virtPCIVPD) vpd = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *says = NULL;
        const char *from;

        fakeHostAddPF(fake, PF, 1, 1, "igb");
        putVPD(fake, bytes->data, bytes->len);
        fake->boardSerial = cases[i].board;
        vpd = readCard(fake, &from, &error);
        g_assert_cmpstr(from, ==, cases[i].from);
        g_assert_cmpuint(fake->warnings->len, ==, 0);
        if (!cases[i].says) {
            g_assert_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND);
            continue;
        }
        g_assert_no_error(error);
        says = describe(vpd);
        g_assert_cmpstr(says, ==, cases[i].says);
    }
}

/* Nobody tells anything, and one cannot be asked: that is no absence. */
static void
testNobody(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();
    g_autofree char *path = virtHostPath(fake->host, "sys/bus/pci/devices/" PF "/vpd");
    g_autoptr(GError) error = NULL;
    const char *from;

    fakeHostAddPF(fake, PF, 1, 1, "igb");
    g_assert_cmpint(g_mkdir(path, 0755), ==, 0); /* EISDIR */
    g_assert_null(readCard(fake, &from, &error));
    g_assert_error(error, VIRT_ERROR, VIRT_ERROR_HOST);
    g_assert_null(from);
    g_assert_cmpuint(fake->warnings->len, ==, 0);
}

static void
expectPF(fakeHost *fake, const char *name, const char *pf)
{
    virtPCIAddress address, found;
    char text[VIRT_PCI_ADDRESS_LEN];
    g_autoptr(GError) error = NULL;

    g_assert_true(virtPCIAddressParse(name, &address, NULL));
    if (!virtPCIFindPF(fake->host, &address, &found, &error)) {
        g_assert_null(pf);
        g_assert_error(error, VIRT_ERROR, VIRT_ERROR_INVALID);
        return;
    }
    virtPCIAddressFormat(&found, text);
    g_assert_cmpstr(text, ==, pf);
}

static void
testPF(void)
{
    g_autoptr(fakeHost) fake = fakeHostNew();

    fakeHostAddPF(fake, PF, 1, 2, "igb");
    fakeHostAddDevice(fake, "0000:02:00.0", 1, "e1000e");
    expectPF(fake, PF, PF);
    expectPF(fake, fakeHostVFAddress(fake, PF, 1), PF);
    expectPF(fake, "0000:02:00.0", NULL);
    expectPF(fake, "0000:03:00.0", NULL);
}

int
main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(argc, ==, 2);
    g_test_add_data_func("/vpd/variants", argv[1], testVariants);
    g_test_add_data_func("/vpd/cut", argv[1], testCut);
    g_test_add_data_func("/vpd/of-several", argv[1], testOfSeveral);
    g_test_add_func("/vpd/endless", testEndless);
    g_test_add_func("/vpd/none", testNone);
    g_test_add_data_func("/card/several", argv[1], testCards);
    g_test_add_data_func("/card/no-serial", argv[1], testNoSerial);
    g_test_add_func("/card/unread", testUnread);
    g_test_add_data_func("/card/both", argv[1], testBoth);
    g_test_add_func("/card/nobody", testNobody);
    g_test_add_func("/card/pf", testPF);
    return g_test_run();
}

/* vpd.c: fuzz target: the VPD of a card
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#include "fakehost.h"
#include "fuzz.h"
#include "util/virerror.h"
#include "util/virpcivpd.h"

#include <string.h>
#include <unistd.h>

#define PF "0000:01:00.0"

static void
checkText(const char *text)
{
    for (const char *p = text; *p; p++) {
        if (!g_ascii_isprint(*p))
            fuzzFail("a value with byte 0x%02x was taken", (guint8)*p);
    }
    if (g_ascii_isspace(*text) || (*text && g_ascii_isspace(text[strlen(text) - 1])))
        fuzzFail("blanks around '%s' were kept", text);
}

static void
check(const virtPCIVPD *vpd, size_t size)
{
    gsize total = 0;

    if (vpd->name)
        checkText(vpd->name);
    for (guint i = 0; i < vpd->fields->len; i++) {
        const virtPCIVPDField *field = vpd->fields->pdata[i];

        checkText(field->value);
        total += strlen(field->value) + 3;
        if (strlen(field->keyword) != 2 || !virtPCIVPDGet(vpd, field->keyword))
            fuzzFail("a field has the keyword '%s'", field->keyword);
    }
    if (total > size)
        fuzzFail("%zu bytes have become %zu", size, total);
}

int
LLVMFuzzerTestOneInput(const guint8 *data, size_t size)
{
    static fakeHost *fake;
    g_autofree char *path = NULL;
    g_autoptr(virtPCIVPD) vpd = NULL;
    g_autoptr(GError) error = NULL;
    virtPCIAddress address;

    if (!fake) {
        fake = fakeHostNew();
        fakeHostAddPF(fake, PF, 1, 1, "igb");
    }
    path = virtHostPath(fake->host, "sys/bus/pci/devices/" PF "/vpd");
    unlink(path);
    if (symlink(fuzzFile(data, size), path) < 0)
        fuzzFail("no link");
    virtPCIAddressParse(PF, &address, NULL);
    vpd = virtPCIVPDRead(fake->host, &address, &error);
    if (vpd)
        check(vpd, size);
    else if (!g_error_matches(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND))
        fuzzFail("it is not just absent: %s", error->message);
    return 0;
}

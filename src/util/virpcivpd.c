/* virpcivpd.c: the Vital Product Data of a PCI card, read from sysfs
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * VPD (PCI Local Bus 3.0, appendix I) is a row of resources: a tag, two bytes of length, data. Three count: the card's
 * name, a section that only the vendor writes, and one that anybody may. Each section is a row of fields: two letters,
 * a byte of length, data. A tag 0x78 ends it all.
 *
 * Cards are careless with it, and libvirt then shows nothing at all, without saying why. So this reads what is there as
 * long as it can be told where it is, and says what libvirt does not like. It never reads past what a length promises,
 * nor past what the card gives, whatever the length says.
 *
 * Each dword is a request to the card, for which the kernel waits up to 125 ms, and a file without an end tag is 32 KiB
 * long: so only what the tags ask for is read, and nothing twice.
 */
#include "util/virpcivpd.h"

#include "util/virerror.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define VPD_MAX 32768 /* bytes: an address has 15 bits */
#define DWORD 4

enum {
    TAG_END = 0x78,
    TAG_HAS_LENGTH = 0x80, /* a bit */
    TAG_NAME = 0x82,
    TAG_READ_ONLY = 0x90,
    TAG_READ_WRITE = 0x91,
    TAG_HEADER = 3,   /* bytes: the tag and its length */
    FIELD_HEADER = 3, /* the keyword and its length */
};

typedef struct {
    int fd;
    guint8 bytes[VPD_MAX];
    guint8 have[VPD_MAX / DWORD]; /* bytes of each dword: the last one may be short */
    int problem;                  /* errno of a read that failed; 0: none did */
} Reader;

static void
readDword(Reader *reader, guint n)
{
    ssize_t got;

    if (reader->have[n] > 0)
        return;
    do
        got = pread(reader->fd, reader->bytes + (gsize)n * DWORD, DWORD, (off_t)n * DWORD);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        reader->problem = errno;
    else
        reader->have[n] = (guint8)got;
}

/* The @len bytes at @at; NULL where the VPD does not have them all. */
static const guint8 *
getBytes(Reader *reader, guint at, guint len)
{
    guint end = at + len;

    if (end > VPD_MAX)
        return NULL;
    for (guint n = at / DWORD; n * DWORD < end; n++) {
        readDword(reader, n);
        if (n * DWORD + reader->have[n] < MIN(end, (n + 1) * DWORD))
            return NULL;
    }
    return reader->bytes + at;
}

/* ---- values ---- */

/* Those of the specification, and vendors' own; others are numbers that only programs read. */
static bool
isTextField(const guint8 *keyword, bool writable)
{
    static const char *const readOnly[] = {"EC", "MN", "PN", "SN", NULL};
    char name[3] = {(char)keyword[0], (char)keyword[1], '\0'};

    if (!g_ascii_isdigit(name[1]) && !g_ascii_isupper(name[1]))
        return false;
    if (name[0] == 'V')
        return true;
    if (writable)
        return name[0] == 'Y';
    return g_strv_contains(readOnly, name);
}

static void
fieldFree(gpointer opaque)
{
    virtPCIVPDField *field = opaque;

    g_free(field->value);
    g_free(field);
}

/* One without a name and without fields. */
virtPCIVPD *
virtPCIVPDNew(void)
{
    virtPCIVPD *vpd = g_new0(virtPCIVPD, 1);

    vpd->fields = g_ptr_array_new_with_free_func(fieldFree);
    return vpd;
}

/* @value: printable ASCII without blanks around it; copied, as is the keyword */
void
virtPCIVPDAdd(virtPCIVPD *vpd, const char *keyword, bool writable, const char *value)
{
    virtPCIVPDField *field = g_new0(virtPCIVPDField, 1);

    g_strlcpy(field->keyword, keyword, sizeof(field->keyword));
    field->writable = writable;
    field->value = g_strdup(value);
    g_ptr_array_add(vpd->fields, field);
}

static void
addField(virtPCIVPD *vpd, const guint8 *header, bool writable, const guint8 *data)
{
    const char keyword[] = {(char)header[0], (char)header[1], '\0'};
    g_autofree char *value = virtHostMakeText(data, header[2]);

    if (value && isTextField(header, writable))
        virtPCIVPDAdd(vpd, keyword, writable, value);
}

/* ---- sections ---- */

static void
setFlaw(virtPCIVPD *vpd, const char *flaw)
{
    if (!vpd->flaw)
        vpd->flaw = g_strdup(flaw);
}

/* All bytes of the VPD up to and with the first one of field RV add up to 0. */
static bool
isSumRight(Reader *reader, guint last)
{
    const guint8 *bytes = getBytes(reader, 0, last + 1);
    guint8 sum = 0;

    for (guint i = 0; bytes && i <= last; i++)
        sum = (guint8)(sum + bytes[i]);
    return bytes && sum == 0;
}

/* Field RV is to be the last of its section. */
static void
checkRV(Reader *reader, virtPCIVPD *vpd, guint at, guint len, guint end)
{
    if (len == 0 || !isSumRight(reader, at + FIELD_HEADER))
        setFlaw(vpd, "its checksum is wrong");
    if (at + FIELD_HEADER + len != end)
        setFlaw(vpd, "there is something behind its checksum (field RV)");
}

/* The fields of the section from @at to before @end. */
static void
readSection(Reader *reader, virtPCIVPD *vpd, guint at, guint end, bool writable)
{
    bool hasSum = writable; /* only the other section has to have one */

    while (at < end) {
        const guint8 *header = getBytes(reader, at, FIELD_HEADER);
        const guint8 *data;

        if (at + FIELD_HEADER > end || (header && at + FIELD_HEADER + header[2] > end)) {
            setFlaw(vpd, "a field is longer than its section");
            return;
        }
        /* The rest of the section, which is free. */
        if (header && writable && memcmp(header, "RW", 2) == 0)
            return;
        data = NULL;
        if (header)
            data = getBytes(reader, at + FIELD_HEADER, header[2]);
        if (!data) {
            setFlaw(vpd, "it ends in the middle of a section");
            return;
        }
        if (!writable && memcmp(header, "RV", 2) == 0) {
            checkRV(reader, vpd, at, header[2], end);
            hasSum = true;
        } else {
            addField(vpd, header, writable, data);
        }
        at += FIELD_HEADER + header[2];
    }
    if (!hasSum)
        setFlaw(vpd, "it has no checksum (field RV)");
}

static void
readName(Reader *reader, virtPCIVPD *vpd, guint at, guint len)
{
    const guint8 *data = getBytes(reader, at, len);
    g_autofree char *name = NULL;

    if (!data || vpd->name)
        return;
    name = virtHostMakeText(data, len);
    if (!name)
        setFlaw(vpd, "its name is not printable ASCII");
    else if (*name)
        vpd->name = g_steal_pointer(&name);
}

/* One that other bytes than these three begin is passed over, if it can be. */
static void
readResource(Reader *reader, virtPCIVPD *vpd, guint tag, guint at, guint len)
{
    g_autofree char *unknown = NULL;

    if (tag == TAG_NAME) {
        readName(reader, vpd, at, len);
    } else if (tag == TAG_READ_ONLY || tag == TAG_READ_WRITE) {
        readSection(reader, vpd, at, at + len, tag == TAG_READ_WRITE);
    } else {
        unknown = g_strdup_printf("it has a resource that is not known (tag 0x%02x)", tag);
        setFlaw(vpd, unknown);
    }
}

static void
readResources(Reader *reader, virtPCIVPD *vpd)
{
    bool hasReadOnly = false;
    const guint8 *header;
    guint at = 0;

    while ((header = getBytes(reader, at, TAG_HEADER)) && (header[0] & TAG_HAS_LENGTH)) {
        guint tag = header[0], len = header[1] | (guint)header[2] << 8;

        at += TAG_HEADER;
        readResource(reader, vpd, tag, at, len);
        hasReadOnly |= tag == TAG_READ_ONLY;
        at += len;
    }
    header = getBytes(reader, at, 1);
    if (!header || *header != TAG_END)
        setFlaw(vpd, "it has no end tag (0x78)");
    if (!hasReadOnly)
        setFlaw(vpd, "it has no read-only section (tag 0x90)");
}

/* ---- all ---- */

void
virtPCIVPDFree(virtPCIVPD *vpd)
{
    if (!vpd)
        return;
    g_free(vpd->name);
    g_free(vpd->flaw);
    g_ptr_array_unref(vpd->fields);
    g_free(vpd);
}

/* The value of a field, or NULL. Of several, the last, as in libvirt; with an empty serial number, "". */
const char *
virtPCIVPDGet(const virtPCIVPD *vpd, const char *keyword)
{
    for (guint i = vpd->fields->len; i > 0; i--) {
        const virtPCIVPDField *field = vpd->fields->pdata[i - 1];

        if (g_str_equal(field->keyword, keyword))
            return field->value;
    }
    return NULL;
}

static void
setUnread(const char *path, int problem, GError **error)
{
    /* A device without VPD has no such file; to the kernel, zeros at its start are an empty memory. */
    if (problem == ENOENT || problem == ENODEV)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND, "%s: the card has no VPD", path);
    else if (problem == ETIMEDOUT)
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read %s: the card does not answer (%s)", path,
                    g_strerror(problem));
    else
        g_set_error(error, VIRT_ERROR, VIRT_ERROR_HOST, "Cannot read %s: %s", path, g_strerror(problem));
}

/* The VPD of the device at @address, a PF: VFs have none. Only root may read it.
 *
 * Errors: VIRT_ERROR_NOT_FOUND where there is none, VIRT_ERROR_HOST where that cannot be told.
 */
virtPCIVPD *
virtPCIVPDRead(virtHost *host, const virtPCIAddress *address, GError **error)
{
    char name[VIRT_PCI_ADDRESS_LEN];
    g_autofree Reader *reader = g_new0(Reader, 1);
    g_autofree char *path = NULL;
    g_autoptr(virtPCIVPD) vpd = virtPCIVPDNew();

    virtPCIAddressFormat(address, name);
    path = virtHostPath(host, "sys/bus/pci/devices/%s/vpd", name);
    reader->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (reader->fd < 0) {
        setUnread(path, errno, error);
        return NULL;
    }
    readResources(reader, vpd);
    close(reader->fd);
    if (reader->problem) {
        setUnread(path, reader->problem, error);
        return NULL;
    }
    if (vpd->name || vpd->fields->len > 0)
        return g_steal_pointer(&vpd);
    g_set_error(error, VIRT_ERROR, VIRT_ERROR_NOT_FOUND, "%s: the card's VPD says nothing", path);
    return NULL;
}

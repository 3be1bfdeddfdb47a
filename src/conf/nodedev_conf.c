/* nodedev_conf.c: libvirt's node devices: the VPD of a card, where libvirt shows none
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The capability, its place in the document and the order of its children are libvirt's (virNodeDeviceCapVPDFormat()
 * and virNodeDeviceCapPCIDefFormat() in src/conf/node_device_conf.c, 9.0 to 12.8):
 *
 *     <capability type='vpd'>
 *       <name>…</name>
 *       <fields access='readonly'><change_level>…</change_level> … </fields>
 *       <fields access='readwrite'><asset_tag>…</asset_tag> … </fields>
 *     </capability>
 *
 * A card may say more than there is room for. Then what names it stays, and others are left out as a whole.
 */
#include "conf/nodedev_conf.h"

#include "conf/domain_conf.h"
#include "conf/xml_tree.h"
#include "util/virerror.h"

/* ---- to be sent ---- */

#define FRAME                                                                                                          \
    "<capability type='vpd'><fields access='readonly'></fields><fields access='readwrite'></fields></capability>"

enum { NAME, READ_ONLY, READ_WRITE, SECTIONS };

static const char *const accesses[SECTIONS] = {[READ_ONLY] = "readonly", [READ_WRITE] = "readwrite"};

/* In libvirt's order. A keyword of one letter stands for all that begin with it and have no row before it: the second
 * letter is the index. */
static const struct {
    guint section;
    const char *keyword;
    const char *element;
    guint rank; /* 0 is the first to stay */
} rows[] = {
    {NAME, "", "name", 2},
    {READ_ONLY, "EC", "change_level", 3},
    {READ_ONLY, "MN", "manufacture_id", 3},
    {READ_ONLY, "PN", "part_number", 1},
    {READ_ONLY, "SN", "serial_number", 0},
    {READ_ONLY, "V", "vendor_field", 3},
    {READ_WRITE, "YA", "asset_tag", 3},
    {READ_WRITE, "V", "vendor_field", 3},
    {READ_WRITE, "Y", "system_field", 3},
};

#define RANKS 4

/* An element that may be sent. */
typedef struct {
    guint row;
    const virtPCIVPDField *field; /* NULL: the name */
    GString *xml;
    bool fits;
} Piece;

static void
pieceFree(gpointer opaque)
{
    Piece *piece = opaque;

    g_string_free(piece->xml, TRUE);
    g_free(piece);
}

static GString *
formatElement(guint row, const char *keyword, const char *value)
{
    GString *out = g_string_new(NULL);

    g_string_printf(out, "<%s", rows[row].element);
    if (strlen(rows[row].keyword) == 1)
        g_string_append_printf(out, " index='%c'", keyword[1]);
    g_string_append_c(out, '>');
    virtXmlEscape(out, value);
    g_string_append_printf(out, "</%s>", rows[row].element);
    return out;
}

static bool
findRow(const virtPCIVPDField *field, guint *ret)
{
    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        if (rows[i].section != NAME && (rows[i].section == READ_WRITE) == field->writable &&
            g_str_has_prefix(field->keyword, rows[i].keyword)) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* Of several fields with one keyword the last counts, in the place of the first, as in libvirt. */
static Piece *
findPiece(const GPtrArray *pieces, const virtPCIVPDField *field)
{
    for (guint i = 0; i < pieces->len; i++) {
        Piece *piece = pieces->pdata[i];

        if (piece->field && piece->field->writable == field->writable &&
            g_str_equal(piece->field->keyword, field->keyword))
            return piece;
    }
    return NULL;
}

static Piece *
addPiece(GPtrArray *pieces, guint row)
{
    Piece *piece = g_new0(Piece, 1);

    piece->row = row;
    g_ptr_array_add(pieces, piece);
    return piece;
}

static GPtrArray *
listPieces(const virtPCIVPD *vpd)
{
    GPtrArray *pieces = g_ptr_array_new_with_free_func(pieceFree);

    if (vpd->name)
        addPiece(pieces, 0)->xml = formatElement(0, "", vpd->name);
    for (guint i = 0; i < vpd->fields->len; i++) {
        const virtPCIVPDField *field = vpd->fields->pdata[i];
        Piece *piece = findPiece(pieces, field);
        guint row;

        if (!findRow(field, &row))
            continue;
        if (piece)
            g_string_free(piece->xml, TRUE);
        else
            piece = addPiece(pieces, row);
        piece->field = field;
        piece->xml = formatElement(row, field->keyword, field->value);
    }
    return pieces;
}

/* False where there is room for none. */
static bool
choosePieces(const GPtrArray *pieces, gsize room)
{
    bool any = false;

    for (guint rank = 0; rank < RANKS; rank++) {
        for (guint i = 0; i < pieces->len; i++) {
            Piece *piece = pieces->pdata[i];

            if (rows[piece->row].rank != rank || piece->xml->len > room)
                continue;
            room -= piece->xml->len;
            piece->fits = any = true;
        }
    }
    return any;
}

static void
addSection(GString *out, const GPtrArray *pieces, guint section)
{
    g_autoptr(GString) inner = g_string_new(NULL);

    for (guint row = 0; row < G_N_ELEMENTS(rows); row++) {
        for (guint i = 0; rows[row].section == section && i < pieces->len; i++) {
            const Piece *piece = pieces->pdata[i];

            if (piece->row == row && piece->fits)
                virtXmlAdd(inner, piece->xml->str);
        }
    }
    if (inner->len > 0 && accesses[section])
        g_string_append_printf(out, "<fields access='%s'>%s</fields>", accesses[section], inner->str);
    else
        virtXmlAdd(out, inner->str);
}

/* The capability that says the same as @vpd, on one line and in printable ASCII.
 *
 * @max: bytes that it may have; what does not fit is left out, and the serial number, the part number and the name are
 * the last of that
 *
 * Returns text for g_free(); NULL where there is nothing to say, or no room for it.
 */
char *
virtNodeDevFormatVPD(const virtPCIVPD *vpd, gsize max)
{
    g_autoptr(GPtrArray) pieces = listPieces(vpd);
    GString *out;

    if (max <= strlen(FRAME) || !choosePieces(pieces, max - strlen(FRAME)))
        return NULL;
    out = g_string_new("<capability type='vpd'>");
    for (guint section = 0; section < SECTIONS; section++)
        addSection(out, pieces, section);
    virtXmlAdd(out, "</capability>");
    return g_string_free(out, FALSE);
}

/* ---- in a document ---- */

static virtXmlNode *
findCapability(const virtXmlNode *parent, const char *type)
{
    for (guint i = 0; parent && i < parent->children->len; i++) {
        virtXmlNode *child = parent->children->pdata[i];

        if (virtXmlIs(child, NULL, "capability") && g_strcmp0(virtXmlGet(child, "type"), type) == 0)
            return child;
    }
    return NULL;
}

/* The <capability type='pci'> of a PF or VF that has no VPD; else NULL. */
static virtXmlNode *
findPlace(const virtXmlDoc *doc)
{
    virtXmlNode *pci = NULL;

    if (virtXmlIs(doc->root, NULL, "device"))
        pci = findCapability(doc->root, "pci");
    if (!pci || findCapability(pci, "vpd"))
        return NULL;
    if (findCapability(pci, "phys_function") || findCapability(pci, "virt_functions"))
        return pci;
    return NULL;
}

static bool
readNumber(const virtXmlNode *pci, const char *child, guint max, guint *ret)
{
    guint64 number;

    if (!g_ascii_string_to_unsigned(virtXmlText(virtXmlChild(pci, child)), 10, 0, max, &number, NULL))
        return false;
    *ret = (guint)number;
    return true;
}

/* Whether a document of libvirt's is about a PF or a VF, and shows no VPD of it.
 *
 * @ret: the device; only then
 */
bool
virtNodeDevLacksVPD(const char *xml, gsize len, virtHandle *ret)
{
    g_autoptr(virtXmlDoc) doc = NULL;
    const virtXmlNode *pci;
    virtPCIAddress address;

    if (!virtDomainFindWord(xml, len, "_function", 0)) /* the end of one type, and a part of the other */
        return false;
    doc = virtXmlParse(xml, len, NULL, NULL);
    if (!doc || !(pci = findPlace(doc)) || !readNumber(pci, "domain", G_MAXUINT32, &address.domain) ||
        !readNumber(pci, "bus", 0xff, &address.bus) || !readNumber(pci, "slot", 0x1f, &address.slot) ||
        !readNumber(pci, "function", 7, &address.function))
        return false;
    virtHandleSetPCI(ret, &address);
    return true;
}

/* Where libvirt puts it: before the first of these, or behind all else. */
static gsize
findPosition(const virtXmlDoc *doc, const virtXmlNode *pci)
{
    static const char *const behind[] = {"iommuGroup", "numa", "pci-express", NULL};

    for (guint i = 0; i < pci->children->len; i++) {
        const virtXmlNode *child = pci->children->pdata[i];

        if (!child->ns && g_strv_contains(behind, child->name))
            return virtXmlSpaceBefore(doc, child->start);
    }
    return virtXmlSpaceBefore(doc, pci->endStart);
}

/* A document for which virtNodeDevLacksVPD() holds, with a VPD, laid out as the document is; all other bytes stay.
 *
 * @capability: what virtNodeDevFormatVPD() has written
 *
 * Returns text for g_free(), or NULL: VIRT_ERROR_INVALID where either is something else, VIRT_ERROR_TOO_LARGE.
 */
char *
virtNodeDevPutVPD(const char *xml, gsize len, const char *capability, GError **error)
{
    g_autoptr(virtXmlDoc) doc = virtXmlParse(xml, len, "node device", error);
    g_autoptr(virtXmlDoc) vpd = NULL;
    g_autoptr(virtXmlEdits) edits = virtXmlEditsNew();
    g_autoptr(GString) text = g_string_new(NULL);
    g_autofree char *indent = NULL, *step = NULL;
    const virtXmlNode *pci;
    gsize at;

    if (!doc || !(vpd = virtXmlParse(capability, strlen(capability), "VPD", error)))
        return NULL;
    pci = findPlace(doc);
    if (!pci || !virtXmlIs(vpd->root, NULL, "capability") || g_strcmp0(virtXmlGet(vpd->root, "type"), "vpd") != 0) {
        g_set_error_literal(error, VIRT_ERROR, VIRT_ERROR_INVALID,
                            "libvirt's document has no place for a card's VPD, or what is to be put there is not one");
        return NULL;
    }
    indent = virtXmlIndentOf(doc, pci->children->pdata[0]);
    step = virtXmlStepFrom(doc, pci, indent);
    virtXmlFormatNode(text, vpd->root, &(virtXmlLayout){"", indent, step});
    at = findPosition(doc, pci);
    virtXmlReplace(edits, at, at, text->str);
    return virtXmlApply(edits, doc, error);
}

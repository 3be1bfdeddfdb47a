/* choice_conf.c: the <source> of a device that is asked for by its card, its PF or a pool
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 *     <source><pf serial='MT2113X00001' function='0'/><vf index='3'/></source>
 *     <source><pf dev='ens1f0'/><vf index='any'/></source>
 *     <source pool='blue'/>
 *
 * An <address> beside it is the device that was last found so. Who looks for it knows the host: src/hypervisor.
 */
#include "conf/choice_conf.h"

#include <string.h>

#define DEV_LEN 15  /* bytes: IFNAMSIZ without the NUL */
#define POOL_LEN 63 /* bytes; with ".xml" behind it, a file */

static const virtXmlRange functionRange = {10, 0, 7, NULL};
static const virtXmlRange indexRange = {10, 0, G_MAXUINT16, "or 'any'"};

static const virtXmlRule rules[] = {
    {"pf", "serial function dev", "", NULL, NULL}, {"vf", "index!", "", NULL, NULL}, {NULL}};
static const virtXmlGrammar grammar = {rules, NULL, NULL};

/* Whether @source (may be NULL) says more than an address. */
bool
virtChoiceIsWritten(const virtXmlNode *source)
{
    return virtXmlGet(source, "pool") || virtXmlChild(source, "pf") || virtXmlChild(source, "vf");
}

/* Is each of @source's <pf> and <vf> as it should be, and the only one? */
static bool
checkChildren(const virtXmlDoc *doc, const virtXmlNode *source, GError **error)
{
    for (guint i = 0; i < source->children->len; i++) {
        const virtXmlNode *child = source->children->pdata[i];

        if (virtXmlChild(source, "pf") != child && virtXmlChild(source, "vf") != child) {
            if (!g_str_equal(child->name, "pf") && !g_str_equal(child->name, "vf"))
                continue;
            virtXmlError(doc, child, error, "a second <%s> in <source>: a device is one VF of one PF; drop one",
                         child->name);
            return false;
        }
        if (!virtXmlCheck(doc, child, &grammar, error))
            return false;
    }
    return true;
}

/* A name of a file, of a netdev or of a pool, that is not hidden and leads nowhere else. */
static bool
isPlainName(const char *name, gsize max)
{
    return *name && *name != '.' && strlen(name) <= max &&
           !name[strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_.@-")];
}

/* Whether a pool may be called so. */
bool
virtChoiceIsPool(const char *name)
{
    return isPlainName(name, POOL_LEN);
}

static bool
parsePool(const virtXmlDoc *doc, const virtXmlNode *source, virtChoice *ret, GError **error)
{
    const char *pool = virtXmlGet(source, "pool");

    if (virtXmlChild(source, "pf") || virtXmlChild(source, "vf")) {
        virtXmlError(
            doc, source, error,
            "<source> has both the attribute 'pool' and a <pf> or <vf>: a pool chooses the VF; drop one of the two");
        return false;
    }
    if (!virtChoiceIsPool(pool)) {
        virtXmlBadValue(doc, source, "pool", error, "not the name of a pool: " VIRT_CHOICE_POOL_NAMES);
        return false;
    }
    return virtChoiceSet(ret, VIRT_CHOICE_POOL, pool, VIRT_CHOICE_ANY, VIRT_CHOICE_ANY);
}

/* 3, or ANY for "any". */
static bool
parseIndex(const virtXmlDoc *doc, const virtXmlNode *vf, gint *ret, GError **error)
{
    guint64 index = 0;

    *ret = VIRT_CHOICE_ANY;
    if (g_str_equal(virtXmlGet(vf, "index"), "any"))
        return true;
    if (!virtXmlGetUInt(doc, vf, "index", &indexRange, &index, error))
        return false;
    *ret = (gint)index;
    return true;
}

static bool
parseSerial(const virtXmlDoc *doc, const virtXmlNode *pf, gint vf, virtChoice *ret, GError **error)
{
    guint64 number = 0;
    gint function = VIRT_CHOICE_ANY;

    if (!virtXmlGetUInt(doc, pf, "function", &functionRange, &number, error))
        return false;
    if (virtXmlGet(pf, "function"))
        function = (gint)number;
    if (virtChoiceSet(ret, VIRT_CHOICE_SERIAL, virtXmlGet(pf, "serial"), function, vf))
        return true;
    virtXmlBadValue(doc, pf, "serial", error,
                    "a card's serial number has 1 to %d printable ASCII characters; virt-hostdev list shows them",
                    VIRT_CHOICE_NAME_MAX);
    return false;
}

static bool
parseDev(const virtXmlDoc *doc, const virtXmlNode *pf, gint vf, virtChoice *ret, GError **error)
{
    const char *dev = virtXmlGet(pf, "dev");

    if (virtXmlGet(pf, "function")) {
        virtXmlError(doc, pf, error,
                     "attribute 'function' of <pf> goes with 'serial': a netdev belongs to one function; drop it");
        return false;
    }
    if (isPlainName(dev, DEV_LEN))
        return virtChoiceSet(ret, VIRT_CHOICE_DEV, dev, VIRT_CHOICE_ANY, vf);
    virtXmlBadValue(doc, pf, "dev", error,
                    "the name of a PF's netdev, of at most %d characters; virt-hostdev list shows them", DEV_LEN);
    return false;
}

/* Read which PF the element @pf names, by the serial number of its card or by its netdev.
 *
 * @vf: which of its VFs: an index, or VIRT_CHOICE_ANY
 */
bool
virtChoiceParsePF(const virtXmlDoc *doc, const virtXmlNode *pf, gint vf, virtChoice *ret, GError **error)
{
    const char *serial = virtXmlGet(pf, "serial"), *dev = virtXmlGet(pf, "dev");

    if (serial && dev) {
        virtXmlError(doc, pf, error,
                     "<pf> has both 'serial' and 'dev', which may name different PFs: drop one of the two");
        return false;
    }
    if (serial)
        return parseSerial(doc, pf, vf, ret, error);
    if (dev)
        return parseDev(doc, pf, vf, ret, error);
    virtXmlError(doc, pf, error,
                 "<pf> names no PF: give the serial number of its card as 'serial', or its netdev as 'dev'");
    return false;
}

/* Read what @source asks for; virtChoiceIsWritten() says that there is something. */
bool
virtChoiceParseXml(const virtXmlDoc *doc, const virtXmlNode *source, virtChoice *ret, GError **error)
{
    const virtXmlNode *pf = virtXmlChild(source, "pf"), *vf = virtXmlChild(source, "vf");
    gint index;

    if (!checkChildren(doc, source, error))
        return false;
    if (virtXmlGet(source, "pool"))
        return parsePool(doc, source, ret, error);
    if (!pf || !vf) {
        virtXmlError(doc, source, error,
                     "<source> has <%s> without <%s>: a VF is named by both; index='any' is any free one",
                     pf ? "pf" : "vf", pf ? "vf" : "pf");
        return false;
    }
    return parseIndex(doc, vf, &index, error) && virtChoiceParsePF(doc, pf, index, ret, error);
}

/* Append what stands in the start tag of <source>, with the blank before it: a pool, or nothing. */
void
virtChoiceFormatAttr(GString *out, const virtChoice *choice)
{
    if (choice->by == VIRT_CHOICE_POOL)
        virtXmlAddText(out, "pool", choice->name);
}

/* Append the children of <source> that ask for something, each behind @indent: <pf> and <vf>, or none for a pool. */
void
virtChoiceFormatXml(GString *out, const virtChoice *choice, const char *prefix, const char *indent)
{
    if (choice->by != VIRT_CHOICE_SERIAL && choice->by != VIRT_CHOICE_DEV)
        return;
    g_string_append_printf(out, "%s<%spf %s='", indent, prefix, choice->by == VIRT_CHOICE_SERIAL ? "serial" : "dev");
    virtXmlEscape(out, choice->name);
    g_string_append_c(out, '\'');
    if (choice->function != VIRT_CHOICE_ANY)
        virtXmlAddNumber(out, "function", (guint64)choice->function);
    g_string_append_printf(out, "/>%s<%svf", indent, prefix);
    if (choice->vf == VIRT_CHOICE_ANY)
        virtXmlAddText(out, "index", "any");
    else
        virtXmlAddNumber(out, "index", (guint64)choice->vf);
    g_string_append(out, "/>");
}

/* Leave of @source what libvirt knows: its address. */
void
virtChoiceCut(virtXmlEdits *edits, const virtXmlDoc *doc, const virtXmlNode *source)
{
    static const char *const names[] = {"pf", "vf"};
    gsize from, to;

    for (guint i = 0; i < G_N_ELEMENTS(names); i++) {
        const virtXmlNode *child = virtXmlChild(source, names[i]);

        if (child)
            virtXmlCut(edits, doc, child);
    }
    if (virtXmlFindAttr(doc, source, "pool", &from, &to))
        virtXmlReplace(edits, from, to, NULL);
}

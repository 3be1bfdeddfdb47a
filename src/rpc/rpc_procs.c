/* rpc_procs.c: which procedures carry XML, where, and what is done to it
 * SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Theory of operation: a message's fields are read as far as its last XML, by the layout of its procedure. Only
 * when all of them could be read is any XML converted; then the message is copied, with the converted strings in
 * place of theirs. All other bytes, known to us or not, stay.
 */
#include "rpc/rpc_procs.h"

#include "conf/profile_conf.h"

#include <libvirt/libvirt.h>
#include <string.h>

#include "conf/domain_conf.h"
#include "util/virerror.h"

/* Most parameters of one call: REMOTE_DOMAIN_MIGRATE_PARAM_LIST_MAX and REMOTE_DOMAIN_SAVE_PARAMS_MAX. */
#define PARAMS_MAX 64

/* Fields: struct remote_…_args, _ret and _msg of src/remote/remote_protocol.x, libvirt 9.0.0. They are libvirt's ABI
 * and never change. tests/lab/guest/rpc-procedures.txt lists every procedure, to libvirt 12.8, and what
 * it carries. A letter a field:
 *
 *   d  domain: name, UUID, id                  x  string: XML
 *   s  string, or opaque data                  X  string that may be left out: XML
 *   o  string that may be left out             p  typed parameters; those named in xmlParams are XML
 *   u  number of four bytes                    t  number: virDomainMetadataType
 *   h  number of eight bytes                   n  string that may be left out: namespace of metadata
 *   i  string: MAC address or name of an       f  number: virDomainModificationImpact
 *      interface; I: it may be left out       c  string that may be left out: URI of a connection
 *
 * A layout ends with the last field that anybody here looks at.
 *
 * Not here: the replies to 213 and 302 (migrate begin), since XML stays in stock form between two hosts; 306 and 307
 * (finish, confirm), whose parameters may hold XML that libvirt no longer reads; and XML that never holds a domain.
 * Starts that have no row: 54 (restore), which says only in which file the domain is; 233 and 441, which do so too; and
 * the replies to 63, 109, 217 and 307 (migrate finish). Told that these have failed, the other host lets its guest go
 * on, while the one here has run already: see filter_start.c. */
static const virtRpcProc procs[] = {
    {VIRT_RPC_PROC_CONNECT_OPEN, VIRT_RPC_CALL, VIRT_RPC_OPEN, "c"},
    {VIRT_RPC_PROC_DOMAIN_ATTACH_DEVICE, VIRT_RPC_CALL, VIRT_RPC_ATTACH, "dx"},
    {VIRT_RPC_PROC_DOMAIN_CREATE, VIRT_RPC_CALL, VIRT_RPC_START, "d"},
    {VIRT_RPC_PROC_DOMAIN_CREATE_XML, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK, "x"},
    {VIRT_RPC_PROC_DOMAIN_CREATE_XML, VIRT_RPC_REPLY, VIRT_RPC_STARTED, "d"},
    {VIRT_RPC_PROC_DOMAIN_DEFINE_XML, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK, "x"},
    {VIRT_RPC_PROC_DOMAIN_DETACH_DEVICE, VIRT_RPC_CALL, VIRT_RPC_DETACH, "dx"},
    {VIRT_RPC_PROC_DOMAIN_GET_XML_DESC, VIRT_RPC_REPLY, VIRT_RPC_TO_NETDEV, "x"},
    {VIRT_RPC_PROC_DOMAIN_INTERFACE_STATS, VIRT_RPC_CALL, VIRT_RPC_INTERFACE, "di"},
    {VIRT_RPC_PROC_DOMAIN_MIGRATE_PREPARE2, VIRT_RPC_CALL, VIRT_RPC_MIGRATED, "ohohx"},
    {VIRT_RPC_PROC_NODE_DEVICE_GET_XML_DESC, VIRT_RPC_REPLY, VIRT_RPC_NODE_DEVICE, "x"},
    {VIRT_RPC_PROC_CONNECT_DOMAIN_XML_TO_NATIVE, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK, "sx"},
    {VIRT_RPC_PROC_DOMAIN_MIGRATE_PREPARE_TUNNEL, VIRT_RPC_CALL, VIRT_RPC_MIGRATED, "hohx"},
    {VIRT_RPC_PROC_DOMAIN_ATTACH_DEVICE_FLAGS, VIRT_RPC_CALL, VIRT_RPC_ATTACH, "dxu"},
    {VIRT_RPC_PROC_DOMAIN_DETACH_DEVICE_FLAGS, VIRT_RPC_CALL, VIRT_RPC_DETACH, "dxu"},
    {VIRT_RPC_PROC_DOMAIN_UPDATE_DEVICE_FLAGS, VIRT_RPC_CALL, VIRT_RPC_UPDATE, "dxu"},
    {VIRT_RPC_PROC_DOMAIN_SNAPSHOT_CREATE_XML, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK, "dx"},
    {VIRT_RPC_PROC_DOMAIN_SNAPSHOT_GET_XML_DESC, VIRT_RPC_REPLY, VIRT_RPC_TO_NETDEV, "x"},
    {VIRT_RPC_PROC_DOMAIN_REVERT_TO_SNAPSHOT, VIRT_RPC_CALL, VIRT_RPC_START, "sd"}, /* name of the snapshot */
    {VIRT_RPC_PROC_DOMAIN_CREATE_WITH_FLAGS, VIRT_RPC_CALL, VIRT_RPC_START, "d"},
    {VIRT_RPC_PROC_DOMAIN_CREATE_WITH_FLAGS, VIRT_RPC_REPLY, VIRT_RPC_STARTED, "d"},
    {VIRT_RPC_PROC_DOMAIN_MIGRATE_BEGIN3, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK_ABI, "dX",
     VIRT_RPC_PROC_DOMAIN_GET_XML_DESC},
    {VIRT_RPC_PROC_DOMAIN_MIGRATE_PREPARE3, VIRT_RPC_CALL, VIRT_RPC_MIGRATED, "sohohx"},
    {VIRT_RPC_PROC_DOMAIN_MIGRATE_PREPARE_TUNNEL3, VIRT_RPC_CALL, VIRT_RPC_MIGRATED, "shohx"},
    {VIRT_RPC_PROC_DOMAIN_MIGRATE_PERFORM3, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK_ABI, "dX",
     VIRT_RPC_PROC_DOMAIN_GET_XML_DESC},
    {VIRT_RPC_PROC_DOMAIN_SAVE_FLAGS, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK_ABI, "dsX", VIRT_RPC_PROC_DOMAIN_GET_XML_DESC},
    {VIRT_RPC_PROC_DOMAIN_RESTORE_FLAGS, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK_ABI, "sX",
     VIRT_RPC_PROC_DOMAIN_SAVE_IMAGE_GET_XML_DESC},
    {VIRT_RPC_PROC_DOMAIN_SAVE_IMAGE_GET_XML_DESC, VIRT_RPC_REPLY, VIRT_RPC_TO_NETDEV, "x"},
    {VIRT_RPC_PROC_DOMAIN_SAVE_IMAGE_DEFINE_XML, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK_ABI, "sx",
     VIRT_RPC_PROC_DOMAIN_SAVE_IMAGE_GET_XML_DESC},
    {VIRT_RPC_PROC_DOMAIN_SET_INTERFACE_PARAMETERS, VIRT_RPC_CALL, VIRT_RPC_INTERFACE, "dipf"},
    {VIRT_RPC_PROC_DOMAIN_GET_INTERFACE_PARAMETERS, VIRT_RPC_CALL, VIRT_RPC_INTERFACE, "diuf"},
    {VIRT_RPC_PROC_DOMAIN_SET_METADATA, VIRT_RPC_CALL, VIRT_RPC_METADATA_GUARD, "dtoon"}, /* metadata, key, uri */
    {VIRT_RPC_PROC_DOMAIN_GET_METADATA, VIRT_RPC_CALL, VIRT_RPC_METADATA_GUARD, "dtn"},
    {VIRT_RPC_PROC_DOMAIN_MIGRATE_BEGIN3_PARAMS, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK_ABI, "dp",
     VIRT_RPC_PROC_DOMAIN_GET_XML_DESC},
    {VIRT_RPC_PROC_DOMAIN_MIGRATE_PREPARE3_PARAMS, VIRT_RPC_CALL, VIRT_RPC_MIGRATED, "p"},
    {VIRT_RPC_PROC_DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS, VIRT_RPC_CALL, VIRT_RPC_MIGRATED, "p"},
    {VIRT_RPC_PROC_DOMAIN_MIGRATE_PERFORM3_PARAMS, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK_ABI, "dop",
     VIRT_RPC_PROC_DOMAIN_GET_XML_DESC},
    {VIRT_RPC_PROC_DOMAIN_CREATE_XML_WITH_FILES, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK, "x"},
    {VIRT_RPC_PROC_DOMAIN_CREATE_XML_WITH_FILES, VIRT_RPC_REPLY, VIRT_RPC_STARTED, "d"},
    {VIRT_RPC_PROC_DOMAIN_CREATE_WITH_FILES, VIRT_RPC_CALL, VIRT_RPC_START, "d"},
    {VIRT_RPC_PROC_DOMAIN_CREATE_WITH_FILES, VIRT_RPC_REPLY, VIRT_RPC_STARTED, "d"},
    {VIRT_RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS, VIRT_RPC_CALL, VIRT_RPC_STATS, ""},
    {VIRT_RPC_PROC_DOMAIN_DEFINE_XML_FLAGS, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK, "x"},
    {VIRT_RPC_PROC_DOMAIN_EVENT_CALLBACK_METADATA_CHANGE, VIRT_RPC_MESSAGE, VIRT_RPC_METADATA_EVENT,
     "udtn"}, /* callback id */
    {VIRT_RPC_PROC_DOMAIN_MANAGED_SAVE_GET_XML_DESC, VIRT_RPC_REPLY, VIRT_RPC_TO_NETDEV, "x"},
    {VIRT_RPC_PROC_DOMAIN_MANAGED_SAVE_DEFINE_XML, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK_ABI, "dX",
     VIRT_RPC_PROC_DOMAIN_MANAGED_SAVE_GET_XML_DESC},
    {VIRT_RPC_PROC_DOMAIN_DETACH_DEVICE_ALIAS, VIRT_RPC_CALL, VIRT_RPC_DETACH_ALIAS, "dsu"},
    {VIRT_RPC_PROC_DOMAIN_CHECKPOINT_CREATE_XML, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK, "dx"},
    {VIRT_RPC_PROC_DOMAIN_CHECKPOINT_GET_XML_DESC, VIRT_RPC_REPLY, VIRT_RPC_TO_NETDEV, "x"},
    {VIRT_RPC_PROC_DOMAIN_BACKUP_BEGIN, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK, "dxX"}, /* backup, checkpoint */
    {VIRT_RPC_PROC_DOMAIN_BACKUP_GET_XML_DESC, VIRT_RPC_REPLY, VIRT_RPC_TO_NETDEV, "x"},
    {VIRT_RPC_PROC_DOMAIN_SAVE_PARAMS, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK_ABI, "dp", VIRT_RPC_PROC_DOMAIN_GET_XML_DESC},
    {VIRT_RPC_PROC_DOMAIN_RESTORE_PARAMS, VIRT_RPC_CALL, VIRT_RPC_TO_STOCK_ABI, "p",
     VIRT_RPC_PROC_DOMAIN_SAVE_IMAGE_GET_XML_DESC},
    {VIRT_RPC_PROC_DOMAIN_ANNOUNCE_INTERFACE, VIRT_RPC_CALL, VIRT_RPC_INTERFACE, "dI"},
};

static const char *const xmlParams[] = {VIR_DOMAIN_SAVE_PARAM_DXML, VIR_MIGRATE_PARAM_DEST_XML,
                                        VIR_MIGRATE_PARAM_PERSIST_XML};

/* Finds the row of a message, with or without descriptors: libvirt takes any call either way, and so must we.
 *
 * Returns it, never freed; NULL: forward the message without looking. The status of calls does not matter, since
 * libvirt refuses those that are not OK.
 */
const virtRpcProc *
virtRpcProcFind(const virtRpcHeader *header)
{
    virtRpcType kind = virtRpcHeaderKind(header);

    if (header->prog != VIRT_RPC_REMOTE || header->vers != VIRT_RPC_VERSION ||
        (kind == VIRT_RPC_REPLY && header->status != VIRT_RPC_OK))
        return NULL;
    for (guint i = 0; i < G_N_ELEMENTS(procs); i++) {
        if (procs[i].proc == header->proc && procs[i].type == kind)
            return &procs[i];
    }
    return NULL;
}

/* ---- reading fields ---- */

typedef struct {
    const char *text;
    gsize len;
    gsize start, end; /* in the message, from the length word to behind the padding */
    bool future;      /* what the next start will use; need not be like the domain that runs */
} virtRpcXml;

typedef struct {
    virtXdr xdr;
    GArray *xmls; /* virtRpcXml */
    guint32 metadataType;
    const char *ns; /* of metadata; NULL: none */
    gsize nsLen;
    virtRpcDomain domain;
    const char *interface; /* as the call names it; NULL: it names none */
    gsize interfaceLen;
    guint32 flags;
    const char *uri; /* of a connection; NULL: none is given */
    gsize uriLen;
    const char *path; /* of a saved image: the first string, or a parameter; NULL: none */
    gsize pathLen;
} virtRpcFields;

static void
readXml(virtRpcFields *fields, bool future)
{
    virtRpcXml xml = {.start = fields->xdr.at, .future = future};

    xml.text = virtXdrGetString(&fields->xdr, &xml.len);
    xml.end = fields->xdr.at;
    if (xml.text && fields->xmls)
        g_array_append_val(fields->xmls, xml);
}

/* Whether a string is @word for libvirt, which takes strings as ending at their first NUL. */
static bool
isWord(const char *text, gsize len, const char *word)
{
    return text && strnlen(text, len) == strlen(word) && memcmp(text, word, strlen(word)) == 0;
}

static bool
isXmlParam(const char *name, gsize len)
{
    for (guint i = 0; i < G_N_ELEMENTS(xmlParams); i++) {
        if (isWord(name, len, xmlParams[i]))
            return true;
    }
    return false;
}

/* struct remote_typed_param */
static void
readParam(virtRpcFields *fields)
{
    gsize len = 0;
    const char *name = virtXdrGetString(&fields->xdr, &len);
    virtXdr text = fields->xdr; /* where the value is a string */

    virtXdrSkipTyped(&fields->xdr);
    if (fields->xdr.bad || virtXdrGetUInt(&text) != VIR_TYPED_PARAM_STRING)
        return;
    fields->xdr = text;
    if (isXmlParam(name, len))
        readXml(fields, isWord(name, len, VIR_MIGRATE_PARAM_PERSIST_XML));
    else if (isWord(name, len, VIR_DOMAIN_SAVE_PARAM_FILE))
        fields->path = virtXdrGetString(&fields->xdr, &fields->pathLen);
    else
        virtXdrGetString(&fields->xdr, NULL);
}

static void
readParams(virtRpcFields *fields)
{
    guint32 count = virtXdrGetUInt(&fields->xdr);

    if (count > PARAMS_MAX)
        fields->xdr.bad = true;
    for (guint32 i = 0; i < count && !fields->xdr.bad; i++)
        readParam(fields);
}

static void
readField(virtRpcFields *fields, char letter)
{
    virtXdr *xdr = &fields->xdr;

    switch (letter) {
    case 'd':
        virtXdrGetDomain(xdr, &fields->domain);
        break;
    case 's':
        fields->path = virtXdrGetString(xdr, &fields->pathLen);
        break;
    case 'o':
        virtXdrGetOptString(xdr, NULL);
        break;
    case 'c':
        fields->uri = virtXdrGetOptString(xdr, &fields->uriLen);
        break;
    case 'u':
        virtXdrGetUInt(xdr);
        break;
    case 'h':
        virtXdrGetHyper(xdr);
        break;
    case 'x':
        readXml(fields, false);
        break;
    case 'X':
        if (virtXdrGetUInt(xdr))
            readXml(fields, false);
        break;
    case 'p':
        readParams(fields);
        break;
    case 'i':
        fields->interface = virtXdrGetString(xdr, &fields->interfaceLen);
        break;
    case 'I':
        fields->interface = virtXdrGetOptString(xdr, &fields->interfaceLen);
        break;
    case 'f':
        fields->flags = virtXdrGetUInt(xdr);
        break;
    case 't':
        fields->metadataType = virtXdrGetUInt(xdr);
        break;
    case 'n':
        fields->ns = virtXdrGetOptString(xdr, &fields->nsLen);
        break;
    default:
        g_assert_not_reached(); /* a slip in the table */
    }
}

/* Reads what @proc says that @message has. @xmls gets the XML; NULL: nobody wants it.
 *
 * Returns false where the message has something else.
 */
static bool
readFields(const virtRpcProc *proc, const guint8 *message, gsize len, GArray *xmls, virtRpcFields *ret)
{
    *ret = (virtRpcFields){.xdr = virtRpcMessageOpen(message, len), .xmls = xmls};
    for (const char *letter = proc->layout; *letter && !ret->xdr.bad; letter++)
        readField(ret, *letter);
    return !ret->xdr.bad;
}

/* ---- rewriting ---- */

/* What is known beside the message. */
typedef struct {
    guint flags;        /* VIRT_DOMAIN_… */
    const char *domain; /* what the XML is to be like; NULL: nothing in particular */
    gsize domainLen;
} Context;

static char *
convertText(const virtRpcProc *proc, const virtRpcXml *xml, const Context *context, GError **error)
{
    if (proc->action == VIRT_RPC_TO_NETDEV)
        return virtRpcShow(xml->text, xml->len, error);
    if (context->domain && !xml->future)
        return virtDomainToStockABI(xml->text, xml->len, context->domain, context->domainLen, error);
    return virtDomainToStock(xml->text, xml->len, NULL, VIRT_DOMAIN_GENERATE_MAC | context->flags, error);
}

/* May anything of it be ours? What libvirt has written hides no names. */
static bool
concernsUs(const virtRpcProc *proc, const virtRpcXml *xml, const Context *context)
{
    if (proc->action == VIRT_RPC_TO_NETDEV)
        return virtDomainMentionsUs(xml->text, xml->len);
    return context->domain || virtDomainConcernsUs(xml->text, xml->len, context->flags);
}

/* Converts one XML. *ret_text: NULL where every byte stays. Returns false with VIRT_ERROR_INVALID. */
static bool
convert(const virtRpcProc *proc, const virtRpcXml *xml, const Context *context, char **ret_text, GError **error)
{
    g_autofree char *text = NULL;

    G_STATIC_ASSERT(VIRT_XML_MAX <= VIRT_RPC_STRING_MAX); /* which conf therefore looks after */
    *ret_text = NULL;
    if (!concernsUs(proc, xml, context))
        return true;
    text = convertText(proc, xml, context, error);
    if (!text)
        return false;
    if (strlen(text) != xml->len || memcmp(text, xml->text, xml->len) != 0)
        *ret_text = g_steal_pointer(&text);
    return true;
}

/* Copies @message with all of @xmls converted. *ret_message: NULL where every byte stays. */
static bool
rewrite(const virtRpcProc *proc, const guint8 *message, gsize len, const Context *context, const GArray *xmls,
        GByteArray **ret_message, GError **error)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    gsize copied = 0;

    for (guint i = 0; i < xmls->len; i++) {
        const virtRpcXml *xml = &g_array_index(xmls, virtRpcXml, i);
        g_autofree char *text = NULL;

        if (!convert(proc, xml, context, &text, error))
            return false;
        if (!text)
            continue;
        g_byte_array_append(out, message + copied, (guint)(xml->start - copied));
        virtXdrPutString(out, text, strlen(text));
        copied = xml->end;
    }
    if (copied == 0)
        return true;
    g_byte_array_append(out, message + copied, (guint)(len - copied));
    if (!virtRpcMessageEnd(out, error))
        return false;
    *ret_message = g_steal_pointer(&out);
    return true;
}

/* What becomes of a call that cannot be read. libvirt refuses what is malformed, in its own words, so it may have it.
 * But a newer libvirt may read more than we do, and would then drop a <netdev> without a word: a domain without its
 * settings. So where there may be one, we refuse. Stock form loses nothing on its way there; on its way back, the
 * client would take a domain with netdevs for one without.
 */
static bool
refuseUnread(const virtRpcProc *proc, const guint8 *message, gsize len, GError **error)
{
    const char *what = "Call", *sign = "<netdev";

    if (proc->action == VIRT_RPC_TO_NETDEV) {
        what = "libvirt's reply to call";
        sign = VIRT_NS;
    }
    if (!memmem(message, len, sign, strlen(sign)))
        return true;
    g_set_error(
        error, VIRT_ERROR, VIRT_ERROR_INVALID,
        "%s %u has settings of devices and cannot be decoded: it is truncated, has a string of more than %u bytes or more than %u parameters, or is newer than this virthostdevd. Use virt-hostdev(1) instead",
        what, proc->proc, VIRT_RPC_STRING_MAX, PARAMS_MAX);
    return false;
}

/* Bring the XML in a message to the form that it is to have beyond us.
 *
 * @message: a whole one, for which virtRpcProcFind() gave @proc
 * @flags: VIRT_DOMAIN_INTERFACES or 0
 * @ret_message: the rewritten one, which the caller frees; NULL where every byte of it stays
 *
 * Returns false with VIRT_ERROR_INVALID where a call's XML is wrong or cannot be found, VIRT_ERROR_TOO_LARGE where it
 * is, or would become, larger than is read and written here. A reply fails where it is too large, or has something of
 * ours and cannot be read. When somebody has broken our metadata, it does not: the domain must be shown to the one who
 * is to mend it, and is then shown as it is.
 */
bool
virtRpcRewrite(const virtRpcProc *proc, const guint8 *message, gsize len, guint flags, GByteArray **ret_message,
               GError **error)
{
    Context context = {0};
    g_autoptr(GArray) xmls = g_array_new(FALSE, FALSE, sizeof(virtRpcXml));
    g_autoptr(GError) failure = NULL;
    virtRpcFields fields;

    *ret_message = NULL;
    if (proc->action > VIRT_RPC_TO_NETDEV)
        return true;
    if (proc->action == VIRT_RPC_TO_STOCK)
        context.flags = flags;
    if (!readFields(proc, message, len, xmls, &fields))
        return refuseUnread(proc, message, len, error);
    if (rewrite(proc, message, len, &context, xmls, ret_message, &failure))
        return true;
    if (proc->action == VIRT_RPC_TO_NETDEV && !g_error_matches(failure, VIRT_ERROR, VIRT_ERROR_TOO_LARGE)) {
        g_warning("Showing XML in libvirt's own form: %s", failure->message);
        return true;
    }
    g_propagate_error(error, g_steal_pointer(&failure));
    if (proc->action == VIRT_RPC_TO_NETDEV)
        g_prefix_error(error, "The XML cannot be shown with its netdevs. Shorten it through libvirt's own socket: ");
    return false;
}

/* The call with @text in the place of @xml, one of its documents. */
static GByteArray *
replaceXml(const guint8 *message, gsize len, const virtRpcXml *xml, const char *text, GError **error)
{
    g_autoptr(GByteArray) out = g_byte_array_new();

    g_byte_array_append(out, message, (guint)xml->start);
    virtXdrPutString(out, text, strlen(text));
    g_byte_array_append(out, message + xml->end, (guint)(len - xml->end));
    if (!virtRpcMessageEnd(out, error))
        return NULL;
    return g_steal_pointer(&out);
}

/* ---- profiles ---- */

/* The one XML of a call that profiles may be for; false where it has none or several, or cannot be read. */
static bool
findProfiled(const virtRpcProc *proc, const guint8 *message, gsize len, virtRpcXml *ret)
{
    g_autoptr(GArray) xmls = g_array_new(FALSE, FALSE, sizeof(virtRpcXml));
    virtRpcFields fields;

    if (!readFields(proc, message, len, xmls, &fields) || xmls->len != 1)
        return false;
    *ret = g_array_index(xmls, virtRpcXml, 0);
    return true;
}

/* The devices in the XML of a call that profiles may be for: virtWish, for g_array_unref(); NULL where there are none,
 * or the XML is wrong, which is told when it is rewritten.
 */
GArray *
virtRpcListProfiled(const virtRpcProc *proc, const guint8 *message, gsize len, guint flags)
{
    g_autoptr(GArray) list = NULL;
    virtRpcXml xml;

    if (!findProfiled(proc, message, len, &xml) ||
        !(list = virtDomainListProfiled(xml.text, xml.len, NULL, flags, NULL)) || list->len == 0)
        return NULL;
    return g_steal_pointer(&list);
}

/* The call with what profiles give to these devices.
 *
 * @uses: virtProfileUse, for what virtRpcListProfiled() has returned
 * @domain: XML of the domain that a lone device is for, or NULL
 */
GByteArray *
virtRpcApplyProfiles(const virtRpcProc *proc, const guint8 *message, gsize len, guint flags, const GPtrArray *uses,
                     const char *domain, gsize domainLen, GError **error)
{
    g_autofree char *text = NULL;
    virtRpcXml xml = {0};

    if (!findProfiled(proc, message, len, &xml) ||
        !(text = virtDomainApplyProfiles(xml.text, xml.len, NULL, flags, uses, domain, domainLen, error)))
        return NULL;
    return replaceXml(message, len, &xml, text, error);
}

/* ---- wishes ---- */

/* The first XML of @message that has wishes, which @ret_wishes then are; its list is empty where none has. */
static bool
findWishes(const virtRpcProc *proc, const guint8 *message, gsize len, guint flags, virtRpcXml *ret_xml,
           GArray **ret_wishes, GError **error)
{
    g_autoptr(GArray) xmls = g_array_new(FALSE, FALSE, sizeof(virtRpcXml));
    virtRpcFields fields;

    *ret_wishes = NULL;
    if (!readFields(proc, message, len, xmls, &fields))
        return true;
    for (guint i = 0; i < xmls->len && (!*ret_wishes || (*ret_wishes)->len == 0); i++) {
        *ret_xml = g_array_index(xmls, virtRpcXml, i);
        g_clear_pointer(ret_wishes, g_array_unref);
        if (!(*ret_wishes = virtDomainListWishes(ret_xml->text, ret_xml->len, NULL, flags, error)))
            return false;
    }
    return true;
}

/* What the XML of a call, for which virtRpcProcFind() gave @proc, asks for by something else than addresses.
 *
 * Returns virtWish, for g_array_unref(). NULL without an error: nothing, or the call cannot be read, which is told when
 * it is rewritten. NULL with VIRT_ERROR_INVALID: the XML is wrong.
 */
GArray *
virtRpcListWishes(const virtRpcProc *proc, const guint8 *message, gsize len, guint flags, GError **error)
{
    g_autoptr(GArray) wishes = NULL;
    virtRpcXml xml;

    if (!findWishes(proc, message, len, flags, &xml, &wishes, error) || !wishes || wishes->len == 0)
        return NULL;
    return g_steal_pointer(&wishes);
}

/* Where the guest of the first XML of the call is, if that is a domain. */
void
virtRpcReadAffinity(const virtRpcProc *proc, const guint8 *message, gsize len, virtAffinity *ret)
{
    g_autoptr(GArray) xmls = g_array_new(FALSE, FALSE, sizeof(virtRpcXml));
    virtRpcFields fields;
    const virtRpcXml *xml;

    *ret = (virtAffinity){0};
    if (!readFields(proc, message, len, xmls, &fields) || xmls->len == 0)
        return;
    xml = &g_array_index(xmls, virtRpcXml, 0);
    virtAffinityReadXml(xml->text, xml->len, ret);
}

/* The UUID of the domain in the XML of a call that has wishes, for g_free(); NULL: it gives none. */
char *
virtRpcReadXmlUuid(const virtRpcProc *proc, const guint8 *message, gsize len, guint flags)
{
    g_autoptr(virtDomainConf) domain = NULL;
    g_autoptr(GArray) wishes = NULL;
    virtRpcXml xml = {0};

    if (findWishes(proc, message, len, flags, &xml, &wishes, NULL) && wishes && wishes->len > 0)
        domain = virtDomainConfParse(xml.text, xml.len, NULL, flags, NULL);
    if (!domain)
        return NULL;
    return g_steal_pointer(&domain->uuid);
}

/* The call with the addresses of what was found.
 *
 * @wishes: what virtRpcListWishes() has returned for it, by now with a handle each
 */
GByteArray *
virtRpcGrantWishes(const virtRpcProc *proc, const guint8 *message, gsize len, guint flags, const GArray *wishes,
                   GError **error)
{
    g_autoptr(GArray) again = NULL;
    g_autofree char *text = NULL;
    virtRpcXml xml = {0};

    if (!findWishes(proc, message, len, flags, &xml, &again, error) ||
        !(text = virtDomainGrantWishes(xml.text, xml.len, NULL, flags, wishes, error)))
        return NULL;
    return replaceXml(message, len, &xml, text, error);
}

/* ---- XML that must be like a domain ---- */

/* Begin the call whose reply shows what the XML in @message is to be like: the domain, or a saved image of it.
 *
 * Returns it without its end, for g_byte_array_unref(); NULL where there is no XML in @message, or where it cannot be
 * read.
 */
GByteArray *
virtRpcNewShowCall(const virtRpcProc *proc, const guint8 *message, gsize len)
{
    g_autoptr(GArray) xmls = g_array_new(FALSE, FALSE, sizeof(virtRpcXml));
    virtRpcFields fields;
    GByteArray *call;

    if (!readFields(proc, message, len, xmls, &fields) || xmls->len == 0)
        return NULL;
    call = virtRpcMessageNew(proc->shows, VIRT_RPC_CALL, 0, VIRT_RPC_OK);
    if (proc->layout[0] == 'd')
        virtXdrPutDomain(call, &fields.domain);
    else if (fields.path)
        virtXdrPutString(call, fields.path, fields.pathLen);
    else
        virtXdrPutString(call, "", 0);
    virtXdrPutUInt(call, 0); /* flags */
    return call;
}

/* As virtRpcRewrite(), for XML that is to take the place of @domain's, which is in stock form.
 *
 * False with VIRT_ERROR_INVALID also where it differs in what a guest would notice.
 */
bool
virtRpcRewriteABI(const virtRpcProc *proc, const guint8 *message, gsize len, const char *domain, gsize domainLen,
                  GByteArray **ret_message, GError **error)
{
    Context context = {0, domain, domainLen};
    g_autoptr(GArray) xmls = g_array_new(FALSE, FALSE, sizeof(virtRpcXml));
    virtRpcFields fields;

    *ret_message = NULL;
    if (virtDomainMentionsUs(domain, domainLen))
        context.flags = VIRT_DOMAIN_INTERFACES;
    if (!readFields(proc, message, len, xmls, &fields))
        return refuseUnread(proc, message, len, error);
    return rewrite(proc, message, len, &context, xmls, ret_message, error);
}

/* Whether a call opens a hypervisor of this host, with its devices. libvirt's daemon also opens other hosts' for its
 * client, and the driver "test", whose devices are what somebody has written into a file.
 */
bool
virtRpcOpensThisHost(const virtRpcProc *proc, const guint8 *message, gsize len)
{
    static const char *const local[] = {"qemu:///", "lxc:///", "xen:///", "ch:///"};
    virtRpcFields fields;

    if (!readFields(proc, message, len, NULL, &fields))
        return false;
    if (!fields.uri || fields.uriLen == 0)
        return true; /* libvirt chooses */
    for (guint i = 0; i < G_N_ELEMENTS(local); i++) {
        if (fields.uriLen >= strlen(local[i]) && memcmp(fields.uri, local[i], strlen(local[i])) == 0)
            return true;
    }
    return false;
}

/* The domain that @message, for which virtRpcProcFind() gave @proc, is about; its name lies in @message.
 *
 * Returns false where it cannot be read.
 */
bool
virtRpcReadDomain(const virtRpcProc *proc, const guint8 *message, gsize len, virtRpcDomain *ret)
{
    virtRpcFields fields;

    if (!readFields(proc, message, len, NULL, &fields))
        return false;
    *ret = fields.domain;
    return true;
}

/* Read a call that names an interface.
 *
 * @ret_domain: its name lies in @message
 * @ret_name: a MAC address or a name, for g_free()
 * @ret_flags: virDomainModificationImpact; 0 in a call that has none
 *
 * Returns false where it names none, or cannot be read: it is libvirt's alone.
 */
bool
virtRpcReadInterface(const virtRpcProc *proc, const guint8 *message, gsize len, virtRpcDomain *ret_domain,
                     char **ret_name, guint *ret_flags)
{
    g_autoptr(GArray) xmls = g_array_new(FALSE, FALSE, sizeof(virtRpcXml));
    virtRpcFields fields;

    if (!readFields(proc, message, len, xmls, &fields) || !fields.interface)
        return false;
    *ret_domain = fields.domain;
    *ret_name = g_strndup(fields.interface, fields.interfaceLen);
    *ret_flags = fields.flags;
    return true;
}

/* For how many parameters the caller of DOMAIN_GET_INTERFACE_PARAMETERS has room. */
guint
virtRpcInterfaceRoom(const guint8 *message, gsize len)
{
    virtXdr xdr = virtRpcMessageOpen(message, len);
    virtRpcDomain domain;

    virtXdrGetDomain(&xdr, &domain);
    virtXdrGetString(&xdr, NULL);
    return virtXdrGetUInt(&xdr);
}

/* Whether @message, for which virtRpcProcFind() gave @proc, is about metadata in our namespace. False where it cannot
 * be read: libvirt refuses it.
 */
bool
virtRpcIsOurMetadata(const virtRpcProc *proc, const guint8 *message, gsize len)
{
    virtRpcFields fields;

    if (proc->action != VIRT_RPC_METADATA_GUARD && proc->action != VIRT_RPC_METADATA_EVENT)
        return false;
    return readFields(proc, message, len, NULL, &fields) && fields.metadataType == VIR_DOMAIN_METADATA_ELEMENT &&
           (isWord(fields.ns, fields.nsLen, VIRT_NS) || isWord(fields.ns, fields.nsLen, VIRT_RPC_NS_PERMISSION));
}

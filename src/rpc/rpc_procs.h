/* rpc_procs.h: the procedures that carry XML, and what is done to each
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/affinity_conf.h"
#include "conf/domain_conf.h"
#include "rpc/rpc.h"

/* Metadata that never is: removing it, which changes nothing, asks whether a client may change a domain. */
#define VIRT_RPC_NS_PERMISSION VIRT_NS ":permission"

/* Numbers of libvirt's procedures, named as in its src/remote/remote_protocol.x. They are its ABI and never change. */
typedef enum {
    VIRT_RPC_PROC_CONNECT_OPEN = 1,
    VIRT_RPC_PROC_DOMAIN_ATTACH_DEVICE = 8,
    VIRT_RPC_PROC_DOMAIN_CREATE = 9,
    VIRT_RPC_PROC_DOMAIN_CREATE_XML = 10,
    VIRT_RPC_PROC_DOMAIN_DEFINE_XML = 11,
    VIRT_RPC_PROC_DOMAIN_DETACH_DEVICE = 13,
    VIRT_RPC_PROC_DOMAIN_GET_XML_DESC = 14,
    VIRT_RPC_PROC_DOMAIN_INTERFACE_STATS = 65,
    VIRT_RPC_PROC_DOMAIN_MIGRATE_PREPARE2 = 108,
    VIRT_RPC_PROC_NODE_DEVICE_GET_XML_DESC = 114,
    VIRT_RPC_PROC_CONNECT_DOMAIN_XML_TO_NATIVE = 136,
    VIRT_RPC_PROC_DOMAIN_MIGRATE_PREPARE_TUNNEL = 148,
    VIRT_RPC_PROC_DOMAIN_IS_ACTIVE = 150,
    VIRT_RPC_PROC_DOMAIN_ATTACH_DEVICE_FLAGS = 160,
    VIRT_RPC_PROC_DOMAIN_DETACH_DEVICE_FLAGS = 161,
    VIRT_RPC_PROC_DOMAIN_UPDATE_DEVICE_FLAGS = 174,
    VIRT_RPC_PROC_DOMAIN_SNAPSHOT_CREATE_XML = 185,
    VIRT_RPC_PROC_DOMAIN_SNAPSHOT_GET_XML_DESC = 186,
    VIRT_RPC_PROC_DOMAIN_REVERT_TO_SNAPSHOT = 192,
    VIRT_RPC_PROC_DOMAIN_CREATE_WITH_FLAGS = 196,
    VIRT_RPC_PROC_DOMAIN_MIGRATE_BEGIN3 = 213,
    VIRT_RPC_PROC_DOMAIN_MIGRATE_PREPARE3 = 214,
    VIRT_RPC_PROC_DOMAIN_MIGRATE_PREPARE_TUNNEL3 = 215,
    VIRT_RPC_PROC_DOMAIN_MIGRATE_PERFORM3 = 216,
    VIRT_RPC_PROC_DOMAIN_SAVE_FLAGS = 232,
    VIRT_RPC_PROC_DOMAIN_RESTORE_FLAGS = 233,
    VIRT_RPC_PROC_DOMAIN_SAVE_IMAGE_GET_XML_DESC = 235,
    VIRT_RPC_PROC_DOMAIN_SAVE_IMAGE_DEFINE_XML = 236,
    VIRT_RPC_PROC_DOMAIN_SET_INTERFACE_PARAMETERS = 256,
    VIRT_RPC_PROC_DOMAIN_GET_INTERFACE_PARAMETERS = 257,
    VIRT_RPC_PROC_DOMAIN_SET_METADATA = 264,
    VIRT_RPC_PROC_DOMAIN_GET_METADATA = 265,
    VIRT_RPC_PROC_DOMAIN_MIGRATE_BEGIN3_PARAMS = 302,
    VIRT_RPC_PROC_DOMAIN_MIGRATE_PREPARE3_PARAMS = 303,
    VIRT_RPC_PROC_DOMAIN_MIGRATE_PREPARE_TUNNEL3_PARAMS = 304,
    VIRT_RPC_PROC_DOMAIN_MIGRATE_PERFORM3_PARAMS = 305,
    VIRT_RPC_PROC_DOMAIN_CREATE_XML_WITH_FILES = 309,
    VIRT_RPC_PROC_DOMAIN_CREATE_WITH_FILES = 310,
    VIRT_RPC_PROC_CONNECT_GET_ALL_DOMAIN_STATS = 344,
    VIRT_RPC_PROC_DOMAIN_DEFINE_XML_FLAGS = 350,
    VIRT_RPC_PROC_DOMAIN_EVENT_CALLBACK_METADATA_CHANGE = 379,
    VIRT_RPC_PROC_DOMAIN_MANAGED_SAVE_GET_XML_DESC = 388,
    VIRT_RPC_PROC_DOMAIN_MANAGED_SAVE_DEFINE_XML = 389,
    VIRT_RPC_PROC_DOMAIN_DETACH_DEVICE_ALIAS = 392,
    VIRT_RPC_PROC_DOMAIN_CHECKPOINT_CREATE_XML = 411,
    VIRT_RPC_PROC_DOMAIN_CHECKPOINT_GET_XML_DESC = 412,
    VIRT_RPC_PROC_DOMAIN_BACKUP_BEGIN = 421,
    VIRT_RPC_PROC_DOMAIN_BACKUP_GET_XML_DESC = 422,
    VIRT_RPC_PROC_DOMAIN_SAVE_PARAMS = 440,
    VIRT_RPC_PROC_DOMAIN_RESTORE_PARAMS = 441,
    VIRT_RPC_PROC_DOMAIN_ANNOUNCE_INTERFACE = 456,
} virtRpcProcNumber;

typedef enum {
    VIRT_RPC_TO_STOCK,     /* a call: its XML is brought to stock form */
    VIRT_RPC_TO_STOCK_ABI, /* a call: its XML takes the place of a domain's, and must be like it: filter_abi.c */
    VIRT_RPC_MIGRATED,     /* a call: its XML comes from another host; only <netdev> is brought to stock form */
    VIRT_RPC_TO_NETDEV,    /* a reply: its XML is shown as it was written; the last that virtRpcRewrite() is for */
    VIRT_RPC_ATTACH,       /* a call about one device: see filter_device.c */
    VIRT_RPC_DETACH,       /* by XML */
    VIRT_RPC_DETACH_ALIAS, /* by alias */
    VIRT_RPC_UPDATE,
    VIRT_RPC_METADATA_GUARD, /* get or set: our namespace is answered by us, others pass */
    VIRT_RPC_INTERFACE,      /* a call that names an interface: filter_interface.c */
    VIRT_RPC_STATS,          /* a call for statistics of domains: filter_interface.c */
    VIRT_RPC_START,          /* a call that starts a domain: filter_start.c */
    VIRT_RPC_STARTED,        /* a reply with the domain that was started: filter_start.c */
    VIRT_RPC_OPEN,           /* a call: what is opened decides about NODE_DEVICE */
    VIRT_RPC_NODE_DEVICE,    /* a reply: the XML of a node device: filter_nodedev.c */
    VIRT_RPC_METADATA_EVENT, /* a message: dropped where it is about our namespace */
    VIRT_RPC_ACTION_LAST
} virtRpcAction;

typedef struct {
    guint32 proc;
    virtRpcType type; /* CALL, REPLY or MESSAGE; calls and replies with and without descriptors */
    virtRpcAction action;
    const char *layout; /* of the payload as far as anybody looks: see rpc_procs.c */
    guint32 shows;      /* TO_STOCK_ABI: the procedure that shows what the XML is to be like */
} virtRpcProc;

/* NULL: forward it without looking. Program and status are looked at too: only a REMOTE call, an OK reply. */
const virtRpcProc *virtRpcProcFind(const virtRpcHeader *header);

/* @ret_message: the rewritten message, or NULL where every byte of it stays. False with VIRT_ERROR_INVALID where
 * a call's XML is wrong, or is there but cannot be found, and with VIRT_ERROR_TOO_LARGE where it does not fit any more:
 * in replies too. A call that libvirt will refuse anyway, and that has nothing of ours, is left to it. */
bool virtRpcRewrite(const virtRpcProc *proc, const guint8 *message, gsize len, guint flags, GByteArray **ret_message,
                    GError **error);

/* ---- devices that are asked for by card, PF or pool ---- */

GArray *virtRpcListWishes(const virtRpcProc *proc, const guint8 *message, gsize len, guint flags, GError **error);
void virtRpcReadAffinity(const virtRpcProc *proc, const guint8 *message, gsize len, virtAffinity *ret);
char *virtRpcReadXmlUuid(const virtRpcProc *proc, const guint8 *message, gsize len, guint flags);
GByteArray *virtRpcGrantWishes(const virtRpcProc *proc, const guint8 *message, gsize len, guint flags,
                               const GArray *wishes, GError **error);

/* ---- what profiles give ---- */

GArray *virtRpcListProfiled(const virtRpcProc *proc, const guint8 *message, gsize len, guint flags);
GByteArray *virtRpcApplyProfiles(const virtRpcProc *proc, const guint8 *message, gsize len, guint flags,
                                 const GPtrArray *uses, const char *domain, gsize domainLen, GError **error);

/* ---- VIRT_RPC_TO_STOCK_ABI ---- */

/* The call that shows what the XML of @message is to be like, for g_byte_array_unref(); NULL where it has no XML. */
GByteArray *virtRpcNewShowCall(const virtRpcProc *proc, const guint8 *message, gsize len);
bool virtRpcRewriteABI(const virtRpcProc *proc, const guint8 *message, gsize len, const char *domain, gsize domainLen,
                       GByteArray **ret_message, GError **error);

/* A document in netdev form; rpc_cache.c. */
char *virtRpcShow(const char *xml, gsize len, GError **error);

/* ---- VIRT_RPC_OPEN ---- */

bool virtRpcOpensThisHost(const virtRpcProc *proc, const guint8 *message, gsize len);

/* ---- VIRT_RPC_START, VIRT_RPC_STARTED ---- */

bool virtRpcReadDomain(const virtRpcProc *proc, const guint8 *message, gsize len, virtRpcDomain *ret);

/* ---- VIRT_RPC_INTERFACE ---- */

bool virtRpcReadInterface(const virtRpcProc *proc, const guint8 *message, gsize len, virtRpcDomain *ret_domain,
                          char **ret_name, guint *ret_flags);
guint virtRpcInterfaceRoom(const guint8 *message, gsize len);

/* ---- VIRT_RPC_STATS: rpc_stats.c ---- */

typedef struct {
    virtRpcDomain domain;
    bool hasInterfaces;       /* they were asked for, and the domain runs */
    gsize start, params, end; /* in the message */
} virtRpcStats;

GArray *virtRpcStatsRead(const guint8 *message, gsize len);
GByteArray *virtRpcStatsWrite(const guint8 *message, gsize len, const GArray *records, const GPtrArray *interfaces,
                              GError **error);

/* Whether a METADATA_GUARD call or METADATA_EVENT is about our namespace. */
bool virtRpcIsOurMetadata(const virtRpcProc *proc, const guint8 *message, gsize len);

/* rpcmessage.h: libvirt's messages for tests
 * SPDX-License-Identifier: LGPL-2.1-or-later
 */
#pragma once

#include "conf/domain_conf.h"
#include "rpc/rpc_procs.h"

#define HOSTDEV(netdevs)                                                                                               \
    "    <hostdev mode='subsystem' type='pci' managed='yes'>\n"                                                        \
    "      <source>\n"                                                                                                 \
    "        <address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/>\n"                                       \
    "      </source>\n" netdevs "    </hostdev>\n"
#define DOMAIN(metadata, hostdev)                                                                                      \
    "<domain type='kvm'>\n  <name>vm1</name>\n" metadata "  <devices>\n" hostdev "  </devices>\n</domain>\n"
#define NETDEV "      <netdev port='2'>\n        <mac address='52:54:00:01:02:04'/>\n      </netdev>\n"
#define NETDEV_XML DOMAIN("", HOSTDEV(NETDEV))
#define PLAIN_XML DOMAIN("", HOSTDEV(""))
#define BROKEN_XML DOMAIN("  <metadata><lh:hostdevs xmlns:lh='" VIRT_NS "'><lh:what/></lh:hostdevs></metadata>\n", "")

/* All fields of remote_protocol.x, also those behind the last XML, written down here a second time. */
typedef struct {
    guint32 proc;
    virtRpcAction action;
    const char *fields; /* as in rpc_procs.c; o and X are there, O and Y are left out */
} virtTestRpcRow;
#define VIRT_TEST_RPC_ROWS 48
extern const virtTestRpcRow virtTestRpcRows[VIRT_TEST_RPC_ROWS];
virtRpcType virtTestRpcTypeOf(virtRpcAction action);

/* Append a domain, the same in all messages. */
void virtTestRpcPutDomain(GByteArray *out);
/* Append a typed parameter; with NULL for @text one that is no string, and looks like XML. */
void virtTestRpcPutParam(GByteArray *out, const char *name, guint32 type, const char *text);
/* A message with these fields, and @xml wherever there is one. */
GByteArray *virtTestRpcBuild(guint32 proc, virtRpcType type, const char *fields, const char *xml);
const virtRpcProc *virtTestRpcFind(const GByteArray *message);
/* The rewritten message, or NULL where it stays. */
GByteArray *virtTestRpcRewrite(const GByteArray *message);
/* Rewriting must fail; the sentence holds @needle. */
void virtTestRpcRefuses(const GByteArray *message, const char *needle);

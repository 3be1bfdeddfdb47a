#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""vdpamac.py NAME MAC: gives a vDPA device another MAC address, as "vdpa dev set" of the newest iproute2 does."""
import socket
import struct
import sys

GENL_CTRL, GETFAMILY, CTRL_NAME, CTRL_ID = 16, 3, 2, 1        # linux/genetlink.h
ATTR_SET, DEV_NAME, NET_CFG_MACADDR = 8, 4, 10                # linux/vdpa.h, of Linux 6.12
REQUEST_ACK = 0x5                                             # NLM_F_REQUEST | NLM_F_ACK


def attr(kind, data):
    return struct.pack("=HH", 4 + len(data), kind) + data + bytes(-len(data) % 4)


def ask(link, family, command, attrs):
    body = struct.pack("=BBH", command, 1, 0) + attrs
    link.send(struct.pack("=IHHII", 16 + len(body), family, REQUEST_ACK, 1, 0) + body)
    return link.recv(65536)


def main():
    name, mac = sys.argv[1:]
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 16)   # NETLINK_GENERIC
    answer, at, family = ask(link, GENL_CTRL, GETFAMILY, attr(CTRL_NAME, b"vdpa\0")), 20, None
    link.recv(65536)                                               # the ACK
    while at < len(answer) and family is None:
        size, kind = struct.unpack_from("=HH", answer, at)
        if kind == CTRL_ID:
            family = struct.unpack_from("=H", answer, at + 4)[0]
        at += (size + 3) & ~3
    attrs = attr(DEV_NAME, name.encode() + b"\0") + attr(NET_CFG_MACADDR, bytes.fromhex(mac.replace(":", "")))
    error = struct.unpack_from("=i", ask(link, family, ATTR_SET, attrs), 16)[0]
    sys.exit(f"vdpamac: error {-error}" if error else 0)


main()

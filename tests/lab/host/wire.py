#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the first NIC is wired to: a peer on the other side of QEMU's "-netdev dgram".

usage: wire.py OWN-SOCKET NIC-SOCKET LOG

Each frame becomes a line of LOG, so that a test sees what left the NIC and how it was tagged:
    SECONDS SOURCE > DESTINATION vlan=ID pcp=PRIORITY tpid=8100 type=0806      (vlan=none: untagged)
ARP requests and pings, for whatever address, are answered with the tag they came with.
"""

import socket
import sys
import time
from typing import NamedTuple, Optional

MAC = bytes.fromhex("020000000001")
ARP, IPV4, VLANS = 0x0806, 0x0800, (0x8100, 0x88A8)


class Frame(NamedTuple):
    destination: bytes
    source: bytes
    tag: bytes  # TPID and TCI, or nothing
    type: int
    payload: bytes

    @classmethod
    def parse(cls, raw: bytes) -> "Frame":
        end = 16 if int.from_bytes(raw[12:14], "big") in VLANS else 12
        return cls(raw[:6], raw[6:12], raw[12:end], int.from_bytes(raw[end : end + 2], "big"), raw[end + 2 :])

    def pack(self) -> bytes:
        raw = self.destination + self.source + self.tag + self.type.to_bytes(2, "big") + self.payload
        return raw.ljust(60, b"\0")

    def __str__(self) -> str:
        vlan = "vlan=none"
        if self.tag:
            tci = int.from_bytes(self.tag[2:], "big")
            vlan = f"vlan={tci & 0xFFF} pcp={tci >> 13} tpid={self.tag[:2].hex()}"
        return f"{self.source.hex(':')} > {self.destination.hex(':')} {vlan} type={self.type:04x}"


def checksum(data: bytes) -> bytes:
    data += b"\0" * (len(data) % 2)
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return (~total & 0xFFFF).to_bytes(2, "big")


def arp_answer(p: bytes) -> Optional[bytes]:
    if p[6:8] != b"\0\1":  # not a request
        return None
    sender, target = p[8:18], p[24:28]
    return p[:6] + b"\0\2" + MAC + target + sender


def echo_answer(p: bytes) -> Optional[bytes]:
    header, length = (p[0] & 0xF) * 4, int.from_bytes(p[2:4], "big")
    if p[9] != 1 or p[header] != 8:  # not an ICMP echo request
        return None
    icmp = b"\0\0\0\0" + p[header + 4 : length]
    icmp = icmp[:2] + checksum(icmp) + icmp[4:]
    return p[:12] + p[16:20] + p[12:16] + p[20:header] + icmp


def main(own: str, nic: str, log: str) -> None:
    wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    wire.bind(own)
    with open(log, "w", buffering=1) as out:
        while True:
            frame = Frame.parse(wire.recv(65536))
            print(f"{time.time():.3f} {frame}", file=out)
            answer = {ARP: arp_answer, IPV4: echo_answer}.get(frame.type, lambda p: None)(frame.payload)
            if answer:
                wire.sendto(frame._replace(destination=frame.source, source=MAC, payload=answer).pack(), nic)


if __name__ == "__main__":
    main(*sys.argv[1:4])

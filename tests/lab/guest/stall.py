#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""stall.py LISTEN UPSTREAM POINT: stand between a filter and libvirt, and stop it where the file POINT says.

POINT holds "PROCEDURE MODE", or nothing. A call of that procedure, from a filter, is
  before   not forwarded,
  during   forwarded; its reply is held back,
  after    forwarded, and its reply is held back when it has come;
then the file POINT.reached appears. Connections of other programs pass.
"""
import os
import socket
import struct
import sys
import threading

LISTEN, UPSTREAM, POINT = sys.argv[1:4]


def point():
    try:
        with open(POINT, encoding="ascii") as f:
            proc, mode = f.read().split()
        return int(proc), mode
    except (OSError, ValueError):
        return 0, ""


def reached():
    with open(POINT + ".reached", "w", encoding="ascii"):
        pass


def messages(sock):
    """Whole messages, as they come."""
    data = b""
    while True:
        while len(data) >= 4 and len(data) >= struct.unpack(">I", data[:4])[0]:
            size = struct.unpack(">I", data[:4])[0]
            yield data[:size]
            data = data[size:]
        more = sock.recv(1 << 20)
        if not more:
            return
        data += more


def pump(source, sink, decide):
    try:
        for message in messages(source):
            if decide(struct.unpack(">6I", message[4:28])):
                sink.sendall(message)
    except OSError:
        pass
    for sock in (source, sink):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(client):
    pid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    with open("/proc/%d/comm" % pid, encoding="ascii") as f:
        stalls = f.read().startswith("virt-hostdev-fi")
    upstream = socket.socket(socket.AF_UNIX)
    upstream.connect(UPSTREAM)
    held = set()

    def call(header):
        proc, serial = header[2], header[4]
        wanted, mode = point()
        if not stalls or proc != wanted:
            return True
        if mode != "after":
            reached()
        if mode != "before":
            held.add(serial)
        return mode != "before"

    def reply(header):
        if header[3] != 1 or header[4] not in held:
            return True
        reached()
        return False

    threading.Thread(target=pump, args=(client, upstream, call), daemon=True).start()
    threading.Thread(target=pump, args=(upstream, client, reply), daemon=True).start()


def main():
    if os.path.exists(LISTEN):
        os.unlink(LISTEN)
    server = socket.socket(socket.AF_UNIX)
    server.bind(LISTEN)
    os.chmod(LISTEN, 0o777)
    server.listen(64)
    while True:
        client, _ = server.accept()
        try:
            serve(client)
        except OSError:
            client.close()


main()

#!/usr/bin/env python3
# filter_network.py VIRT-HOSTDEV-FILTER: an <interface type='network'> whose VF libvirt chooses: define, attach, detach
# SPDX-License-Identifier: LGPL-2.1-or-later
import re
import select
import struct
import sys

from filterlib import * # pylint: disable=wildcard-import,unused-wildcard-import

KEY = "network/" + MAC
STOCK = f"<interface type='network'><mac address='{MAC}'/><source network='pool'/></interface>"
PORT2 = "<netdev port='2'><mac address='52:54:00:01:02:04'/></netdev>"
OURS_IN = STOCK.replace("</interface>", PORT2 + "</interface>").replace("'network'>", "'network' spoofCheck='no'>", 1)
RUNNING = (f"<interface type='hostdev' managed='yes'><mac address='{MAC}'/><source><address type='pci' domain='0x0000'"
           " bus='0x06' slot='0x02' function='0x0'/></source></interface>")
ENTRY = (f"<hostdevs><hostdev><source><mac address='{MAC}'/></source><netdev port='1' spoofCheck='no'/>"
         "<netdev port='2'><mac address='52:54:00:01:02:04'/></netdev></hostdev></hostdevs>")


def shown(interface):
    """The domain as libvirt has it with the interface."""
    stored = re.sub(r"<(/?)(\w)", r"<\1lh:\2", ENTRY).replace("<lh:hostdevs>", f"<lh:hostdevs xmlns:lh='{NS}'>")
    return (DOMAIN % interface).replace("<memory>", f"<metadata>{stored}</metadata><memory>")


@case
def define_and_dumpxml():
    with Filter() as f:
        f.client.sendall(message(DEFINE, serial=5, payload=string(DOMAIN % OURS_IN) + bytes(4)))
        stock = read_message(f.libvirt).string()
        assert STOCK in stock and f"<lh:mac address='{MAC}'/>" in stock and "<netdev" not in stock, stock
        for libvirts, seen in ((STOCK, OURS_IN), (RUNNING, "<interface type='hostdev' managed='yes' spoofCheck='no'>")):
            f.libvirt.sendall(message(DUMPXML, REPLY, 6, payload=string(shown(libvirts))))
            text = read_message(f.client).string()
            assert seen in text and PORT2 in text and NS not in text, text
        f.call(DEFINE, string(DOMAIN % STOCK) + bytes(4))


@case
def a_mac_address_is_generated():
    with Filter() as f:
        mac = f"<mac address='{MAC}'/>"
        f.client.sendall(message(DEFINE, serial=5, payload=string(DOMAIN % OURS_IN.replace(mac, "", 1)) + bytes(4)))
        stock = read_message(f.libvirt).string()
        made = re.search(r"<interface type='network'><mac address='(52:54:[0-9a-f:]*)'/><source network='pool'/></interface>", stock)
        assert made and f"<lh:mac address='{made.group(1)}'/>" in stock, stock


def play(f, domains, refuse=()):
    """Be libvirt and the broker until the end; what was asked, in order, and the payloads. @refuse: what is not granted."""
    seen, said, domains = [], {}, list(domains)
    while not seen or seen[-1] != "end":
        if f.broker in select.select([f.broker, f.libvirt], [], [], 10)[0]:
            verb, number, uuid, *handle = f.broker.recv(10000).decode().split()
            assert uuid == UUID and handle in ([], [KEY]), (verb, handle)
            seen.append(verb)
            f.broker.send((f"error {number} 4 port 2 says no" if verb in refuse else f"ok {number}").encode())
            continue
        call = read_message(f.libvirt)
        seen.append(call.proc)
        said[call.proc] = call.payload
        if call.proc in refuse:
            f.libvirt.sendall(error_reply(call.proc, call.serial, 55, "libvirt says no"))
        else:
            payload = string(domains.pop(0)) if call.proc == DUMPXML else b""
            f.libvirt.sendall(message(call.proc, REPLY, call.serial, payload=payload))
    return seen, said


def begin(f, flags, proc=ATTACH, device=OURS_IN):
    f.client.sendall(message(proc, serial=20, payload=domain() + string(device) + struct.pack(">I", flags)))


@case
def attach_sets_afterwards():
    with Filter() as f:
        begin(f, 3)
        permit(f)
        seen, said = play(f, [DOMAIN % "", DOMAIN % "", shown(STOCK)])
        assert seen == ["begin", DUMPXML, DUMPXML, SET_METADATA, SET_METADATA, ATTACH, "prepare", DUMPXML, "end"], seen
        assert said[ATTACH] == domain() + string(STOCK) + struct.pack(">I", 3), said[ATTACH]
        assert ENTRY.encode() in said[SET_METADATA], said[SET_METADATA]
        assert read_message(f.client).data == message(ATTACH, REPLY, 20)


@case
def attach_that_cannot_be_set():
    """The device is detached again, whatever libvirt says to that, and the client hears why."""
    for refuse in (("prepare",), ("prepare", DETACH)):
        with Filter() as f:
            begin(f, 1)
            permit(f)
            seen, said = play(f, [DOMAIN % ""], refuse)
            assert seen == ["begin", DUMPXML, SET_METADATA, ATTACH, "prepare", DETACH, "end"], seen
            assert said[DETACH] == domain() + string(STOCK) + struct.pack(">I", 1), said[DETACH]
            reply, _ = f.answer()
            assert b"port 2 says no" in reply.payload, reply.payload


@case
def attach_that_libvirt_refuses():
    """There is nothing to detach; what has been written goes with "end"."""
    with Filter() as f:
        begin(f, 1)
        permit(f)
        seen, _ = play(f, [DOMAIN % ""], (ATTACH,))
        assert seen == ["begin", DUMPXML, SET_METADATA, ATTACH, "end"], seen
        assert b"libvirt says no" in f.answer()[0].payload


@case
def attach_of_what_is_there():
    with Filter() as f:
        begin(f, 1)
        permit(f)
        assert play(f, [shown(RUNNING)])[0] == ["begin", DUMPXML, "end"]
        assert f"has the interface {MAC} already".encode() in f.answer()[0].payload


@case
def attach_of_libvirts_own():
    with Filter() as f:
        f.call(ATTACH, domain() + string(STOCK) + struct.pack(">I", 1))


@case
def detach():
    """libvirt's to do, between a begin and an end; where metadata has no such interface, libvirt's alone."""
    for device in (STOCK, OURS_IN):
        with Filter() as f:
            begin(f, 1, DETACH, device)
            call = read_message(f.libvirt)
            f.libvirt.sendall(message(DUMPXML, REPLY, call.serial, payload=string(shown(RUNNING))))
            permit(f)
            seen, said = play(f, [])
            assert seen == ["begin", DETACH, "end"], seen
            assert said[DETACH] == domain() + string(device) + struct.pack(">I", 1), said[DETACH]
            assert read_message(f.client).data == message(DETACH, REPLY, 20)
    with Filter() as f:
        begin(f, 1, DETACH, STOCK)
        call = read_message(f.libvirt)
        f.libvirt.sendall(message(DUMPXML, REPLY, call.serial, payload=string(DOMAIN % RUNNING)))
        call = read_message(f.libvirt)
        assert call.proc == DETACH and call.payload == domain() + string(STOCK) + struct.pack(">I", 1), call.payload


@case
def update_is_refused():
    with Filter() as f:
        begin(f, 1, UPDATE)
        assert b"cannot be changed by an update" in f.answer()[0].payload
        f.call(UPDATE, domain() + string(STOCK) + struct.pack(">I", 1))


sys.exit(main())

#!/usr/bin/env python3
# filter_interface.py VIRT-HOSTDEV-FILTER: an <interface> that is one of ours: detached, updated, counted, named
# SPDX-License-Identifier: LGPL-2.1-or-later
import re
import select
import struct
import sys

from filterlib import * # pylint: disable=wildcard-import,unused-wildcard-import


OUR_INTERFACE = (
    "<domain><metadata><lh:hostdevs xmlns:lh='urn:libvirt-hostdev:1'><lh:hostdev>"
    "<lh:source><lh:address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></lh:source>"
    f"<lh:netdev port='1'><lh:mac address='{MAC}'/></lh:netdev><lh:interface index='0'/>"
    "</lh:hostdev></lh:hostdevs></metadata><devices>%s<hostdev mode='subsystem' type='pci' managed='yes'>"
    "<source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source></hostdev></devices></domain>")


def detach_interface(kind, reply):
    """The call that libvirt gets for a detach by MAC address, and that which the client has made."""
    with Filter() as f:
        payload = domain() + string(f"<interface type='{kind}'><mac address='{MAC}'/></interface>") + struct.pack(">I", 1)
        f.client.sendall(message(DETACH, serial=20, payload=payload))
        call = read_message(f.libvirt)
        assert call.proc == DUMPXML and call.payload == domain() + struct.pack(">I", 0), call.data
        f.libvirt.sendall(reply(call))
        call = read_message(f.libvirt)
        ours = call.proc == SET_METADATA
        if ours:
            f.libvirt.sendall(message(SET_METADATA, REPLY, call.serial))
            verb, number = request(f)
            assert verb == "begin", verb
            f.broker.send(b"ok " + number.encode())
            call = read_message(f.libvirt)
        assert call.proc == DETACH and call.serial >= OURS, call.data
        f.libvirt.sendall(message(DETACH, REPLY, call.serial))
        if ours:
            verb, number = request(f)
            assert verb == "end", verb
            f.broker.send(b"ok " + number.encode())
        assert read_message(f.client).data == message(DETACH, REPLY, 20)
        f.call(LIB_VERSION)
        return call.payload, payload


@case
def interface_to_detach():
    """By its MAC address, whatever its type, as libvirt does; unless libvirt has another with it, as in a teaming."""
    def reply(devices):
        return lambda call: message(call.proc, REPLY, call.serial, payload=string(OUR_INTERFACE % devices))

    twin = f"<interface type='network'><mac address='{MAC}'/></interface>"
    other = "<interface type='network'><mac address='52:54:00:01:02:04'/></interface>"
    for kind, devices, ours in (("hostdev", other, True), ("user", other, True), ("hostdev", twin, True), ("network", twin, False)):
        got, sent = detach_interface(kind, reply(devices))
        assert (b"<hostdev" in got) == ours and (got == sent) == (not ours), (kind, devices, got)


@case
def interface_of_a_domain_without_ours():
    """Where libvirt does not show the domain, or there is nothing of ours in it, it is asked what the client asks."""
    for reply in (lambda call: error_reply(call.proc, call.serial, 3, "this function is not supported"),
                  lambda call: message(call.proc, REPLY, call.serial, payload=string("<domain><devices/></domain>"))):
        got, sent = detach_interface("bridge", reply)
        assert got == sent, got


def update_interface(refusal, more="", meanwhile=""):
    """An update of the running and the stored interface, which in the stored definition is not managed; the steps, and the
    definitions that were stored. The broker says no at the end where @refusal says so."""
    stored = (OUR_INTERFACE % "").replace("managed='yes'", "managed='no'").replace("<metadata>", "<name>vm</name><metadata>")
    live = {0: OUR_INTERFACE % "", 2: stored, 3: stored.replace("<devices>", "<devices><!-- secret -->")}
    device = f"<interface type='hostdev' managed='yes'><mac address='{MAC}'/><source><address type='pci' bus='6' slot='2'/></source><vlan><tag id='42'/></vlan>{more}</interface>"
    entry = re.search("<lh:hostdevs.*</lh:hostdevs>", OUR_INTERFACE).group(0)
    seen, defined = [], []
    with Filter() as f:
        f.client.sendall(message(UPDATE, serial=20, payload=domain() + string(device) + struct.pack(">I", 3)))
        permit(f)
        sockets = {f.libvirt: None, f.broker: None, f.client: None}
        while True:
            ready = select.select(list(sockets), [], [], 10)[0]
            assert ready, seen
            if f.client in ready:
                return seen, defined, read_message(f.client), live
            if f.broker in ready:
                verb, number = request(f)
                seen.append(verb)
                f.broker.send(b"error %s 3 it does not" % number.encode() if verb == "update" and refusal else b"ok " + number.encode())
                continue
            call = read_message(f.libvirt)
            seen.append(call.proc)
            reply = b""
            if call.proc == GET_METADATA:
                reply = string(entry)
            elif call.proc == DUMPXML:
                text = live[struct.unpack(">I", call.payload[-4:])[0]]
                reply = string(text.replace("</devices>", meanwhile + "</devices>") if "update" in seen else text)
            elif call.proc == DEFINE_XML:
                defined.append(call.string())
            f.libvirt.sendall(message(call.proc, REPLY, call.serial, payload=reply))


@case
def update_of_a_stored_interface():
    """What metadata cannot say is defined, with the secrets; a later failure has the old definition back. What a running
    guest's interface only shows stays."""
    begin = ["begin", GET_METADATA, GET_METADATA, DUMPXML, DUMPXML, DUMPXML, SET_METADATA, DEFINE_XML, "update"]
    seen, defined, reply, live = update_interface(False)
    assert seen == [*begin, DUMPXML, "end"] and reply.status == OK, (seen, reply.data)
    assert "managed='yes'" in defined[0] and "<!-- secret -->" in defined[0] and "<lh:tag id='42'" in defined[0], defined
    seen, defined, reply, live = update_interface(True)
    assert seen == [*begin, DEFINE_XML, SET_METADATA, "end"] and b"it does not" in reply.payload, (seen, reply.data)
    assert len(defined) == 2 and defined[1] == live[3], defined
    seen, defined, reply, live = update_interface(False, meanwhile=OTHER)
    assert seen == [*begin, DUMPXML, DEFINE_XML, SET_METADATA, "end"] and b"whose settings may be lost" in reply.payload, (seen, reply.data)
    seen, defined, reply, live = update_interface(False, "<model type='e1000'/>")
    assert "update" not in seen and not defined and b"<model> of an <interface>" in reply.payload, (seen, reply.data)


# ---- calls that name an interface ----

STATS, SET_PARAMETERS, GET_PARAMETERS, ALL_STATS, ANNOUNCE = 65, 256, 257, 344, 456
NUMBERS = struct.Struct(">8Q")


def named(f, proc, rest=b"", name=MAC, code=8, xml=OUR_INTERFACE % "", flags=0):
    """Make a call that libvirt refuses so; answer when it then asks for the domain. Leaves the client's reply unread."""
    payload = domain() + (opt(name) if proc == ANNOUNCE else string(name)) + rest
    f.client.sendall(message(proc, serial=20, payload=payload))
    call = read_message(f.libvirt)
    assert call.proc == proc and call.payload == payload and call.serial >= OURS, call.data
    f.libvirt.sendall(error_reply(proc, call.serial, code, f"invalid argument: '{name}' is not a known interface"))
    if xml is None:
        return
    call = read_message(f.libvirt)
    assert call.proc == DUMPXML and call.payload == domain() + struct.pack(">I", flags), call.data
    f.libvirt.sendall(message(call.proc, REPLY, call.serial, payload=string(xml)))


@case
def counters():
    for name, xml in ((MAC, OUR_INTERFACE % ""), (MAC.upper(), OUR_INTERFACE % "<interface type='user'/>"),
                      ("tenant0", OUR_INTERFACE.replace("index='0'/>", "><lh:target dev='tenant0'/></lh:interface>") % "")):
        with Filter() as f:
            named(f, STATS, name=name, xml=xml)
            verb, number, uuid, address = f.broker.recv(10000).decode().split()
            assert (verb, uuid, address) == ("stats", UUID, "pci/0000:06:02.0"), address
            f.broker.send(f"stats {number} 1000 10 2000 20".encode())
            reply = read_message(f.client)
            assert (reply.serial, reply.status) == (20, OK), reply.data
            none = (1 << 64) - 1
            assert NUMBERS.unpack(reply.payload) == (1000, 10, none, none, 2000, 20, none, none), reply.payload
            f.call(LIB_VERSION)


@case
def counters_that_cannot_be_read():
    with Filter() as f:
        named(f, STATS)
        f.broker.send(f"error {request(f)[1]} 2 not in the kernel's list".encode())
        reply, code = f.answer()
        assert (reply.serial, code) == (20, 9) and b"not in the kernel's list" in reply.payload, reply.payload


@case
def rates():
    kept = OUR_INTERFACE.replace("index='0'/>", "><lh:bandwidth><lh:inbound average='10' burst='30'/></lh:bandwidth></lh:interface>") % ""
    for room in (7, 3, 16):
        with Filter() as f:
            named(f, GET_PARAMETERS, struct.pack(">2I", room, 2), xml=kept, flags=2)  # of the next start
            reply = read_message(f.client)
            wanted = [(b"inbound.average", 10), (b"inbound.peak", 0), (b"inbound.burst", 30), (b"inbound.floor", 0),
                      (b"outbound.average", 0), (b"outbound.peak", 0), (b"outbound.burst", 0)][:room]
            assert reply.payload == struct.pack(">I", len(wanted)) + b"".join(
                string(key) + struct.pack(">2I", 2, value) for key, value in wanted) + struct.pack(">I", len(wanted)), reply.payload
    with Filter() as f:
        named(f, SET_PARAMETERS, struct.pack(">I", 1) + string("inbound.average") + struct.pack(">3I", 2, 100, 1))
        reply, code = f.answer()
        assert code == 67 and b"unsupported configuration: setting bandwidth on interfaces of type 'hostdev'" in reply.payload


@case
def announced():
    with Filter() as f:
        named(f, ANNOUNCE, struct.pack(">2I", 0, 0))
        assert read_message(f.client).data == message(ANNOUNCE, REPLY, 20)
        f.call(ANNOUNCE, domain() + opt(None) + struct.pack(">2I", 0, 0))  # all of them


@case
def interfaces_that_libvirt_speaks_of():
    """It knows no such interface, and neither do we; or the call is wrong in another way; or it may not be made."""
    for more in ({"name": "52:54:00:01:02:99"}, {"name": "vnet0"}, {"xml": "<domain><devices/></domain>"}, {"xml": "nonsense"},
                 {"code": 55, "xml": None}, {"code": 88, "xml": None}):
        for proc, rest in ((STATS, b""), (GET_PARAMETERS, struct.pack(">2I", 7, 0)), (ANNOUNCE, struct.pack(">2I", 0, 0))):
            with Filter() as f:
                named(f, proc, rest, **more)
                reply, code = f.answer()
                assert (reply.serial, code) == (20, more.get("code", 8)) and b"is not a known interface" in reply.payload, more
                f.call(LIB_VERSION)
    with Filter() as f:  # the same code, and not for the name
        f.client.sendall(message(STATS, serial=20, payload=domain() + string(MAC)))
        call = read_message(f.libvirt)
        f.libvirt.sendall(error_reply(STATS, call.serial, 8, "invalid argument: unsupported flags"))
        assert f.answer()[1] == 8


def record(*params):
    return domain() + struct.pack(">I", len(params)) + b"".join(params)


def number(name, value):
    return string(name) + struct.pack(">2I", 2, value)


@case
def statistics():
    with Filter() as f:
        f.client.sendall(message(ALL_STATS, serial=20, payload=struct.pack(">3I", 0, 8, 0)))
        call = read_message(f.libvirt)
        assert call.proc == ALL_STATS and call.payload == struct.pack(">3I", 0, 8, 0)
        stopped, runs = record(), record(number("net.count", 0), number("x", 1))
        f.libvirt.sendall(message(ALL_STATS, REPLY, call.serial, payload=struct.pack(">I", 3) + stopped + runs + runs))
        for reply in (message(DUMPXML, REPLY, payload=string(OUR_INTERFACE % "")), error_reply(DUMPXML, 1, 42, "gone")):
            call = read_message(f.libvirt)
            assert call.proc == DUMPXML and call.payload == domain() + struct.pack(">I", 0), call.data
            f.libvirt.sendall(reply[:20] + struct.pack(">I", call.serial) + reply[24:])
        reply = read_message(f.client)
        assert reply.serial == 20
        assert reply.payload == struct.pack(">I", 3) + stopped + record(number("net.count", 1), number("x", 1)) + runs, reply.payload
        f.call(LIB_VERSION)


@case
def libvirt_goes_while_an_interface_is_looked_for():
    for before in (0, 1, 2):
        with Filter() as f:
            if before == 2:
                f.client.sendall(message(ALL_STATS, serial=20, payload=struct.pack(">3I", 0, 8, 0)))
                call = read_message(f.libvirt)
                f.libvirt.sendall(message(ALL_STATS, REPLY, call.serial, payload=struct.pack(">I", 1) + record(number("net.count", 0))))
            else:
                f.client.sendall(message(STATS, serial=20, payload=domain() + string(MAC)))
                call = read_message(f.libvirt)
                if before:
                    f.libvirt.sendall(error_reply(STATS, call.serial, 8, f"invalid argument: '{MAC}' is not a known interface"))
            if before:
                read_message(f.libvirt)
            f.libvirt.close()
            f.expect_gone(f.client)


@case
def too_large_to_be_shown():
    """A domain is not shown, nor its interface counted, as if it had no netdevs."""
    wide = "<x:y xmlns:x='urn:x'%s/></metadata>" % "".join(f" a{n}=''" for n in range(257))
    large = (OUR_INTERFACE % "").replace("</metadata>", wide)
    with Filter() as f:
        f.client.sendall(message(DUMPXML, serial=6, payload=domain() + bytes(4)))
        read_message(f.libvirt)
        f.libvirt.sendall(message(DUMPXML, REPLY_WITH_FDS, 6, payload=struct.pack(">I", 1) + string(large)))
        send_fd(f.libvirt)
        reply, code = f.answer()
        assert (reply.proc, reply.serial, code) == (DUMPXML, 6, 27) and b"more than 256 attributes" in reply.payload, reply.data
        f.call(LIB_VERSION)
    with Filter() as f:
        named(f, STATS, xml=large)
        reply, code = f.answer()
        assert (reply.serial, code) == (20, 27) and b"more than 256 attributes" in reply.payload, reply.data
        f.call(LIB_VERSION)


sys.exit(main())

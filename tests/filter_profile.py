#!/usr/bin/python3
"""filter_profile.py FILTER: VFs that profiles are for: the broker tells which, and the call gets what they say

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import struct

from filterlib import (ATTACH, DEFINE, DOMAIN, DUMPXML, HOSTDEV, LIB_VERSION, NS, OK, OTHER, OURS, REPLY, Filter, case, domain,
                       error_reply, main, message, opt, read_message, string)

INTERFACE = """<interface type='hostdev' managed='yes'>
      <mac address='52:54:00:01:02:03'/>
      <source><address type='pci' domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>%s
    </interface>"""
PROFILE = "<profile><name>%s</name>%s<netdev port='%d'><vlan><tag id='%d'/></vlan></netdev></profile>"
WISH = "pci/0000:06:02.0=-"


def flags(number=0):
    return struct.pack(">I", number)


def tell(f, after, fits=None, xml=""):
    """Answer the question for the profile after that one; without fits there is no other."""
    packet = f.broker.recv(9000).decode().split(" ")
    assert packet[0] == "profile" and packet[2:] == [after, WISH], packet
    if fits is None:
        f.broker.send(f"error {packet[1]} 4 No other profile is for these devices".encode())
    else:
        f.broker.send(f"profile {packet[1]} {fits} {xml}".encode())


@case
def define():
    """Two profiles, of which one is for another domain; everything else flows meanwhile."""
    with Filter(profiles=True) as f:
        f.client.sendall(message(DEFINE, serial=5, payload=string(DOMAIN % (INTERFACE % "")) + flags()))
        f.call(LIB_VERSION, serial=6)
        tell(f, "-", "0", PROFILE % ("a", "<domain name='other'/>", 2, 42))
        tell(f, "a", "0", PROFILE % ("b", "<domain name='v*'/>", 2, 43))
        tell(f, "b")
        call = read_message(f.libvirt)
        xml = call.string()
        assert call.proc == DEFINE and call.serial == 5 and NS in xml, xml
        assert "<lh:netdev port='2' profile='b'>" in xml and "<lh:tag id='43'/>" in xml and "id='42'" not in xml, xml
        assert xml.count("<lh:mac") == 2 and "<lh:interface index='0'/>" in xml, xml
        f.libvirt.sendall(message(DEFINE, REPLY, 5, payload=domain()))
        reply = read_message(f.client)
        assert (reply.proc, reply.serial, reply.status) == (DEFINE, 5, OK), reply.data


@case
def refused():
    """A profile that cannot be read is told; so is one that is no profile."""
    for answer in ("error %s 0 /etc/libvirt/hostdev/profiles/a.xml:1: <profile> gives nothing", "profile %s 0 <profile/>"):
        with Filter(profiles=True) as f:
            f.client.sendall(message(DEFINE, serial=5, payload=string(DOMAIN % (INTERFACE % "")) + flags()))
            number = f.broker.recv(9000).decode().split(" ")[1]
            f.broker.send((answer % number).encode())
            reply, _ = f.answer()
            assert reply.serial == 5 and b"profile" in reply.payload, reply.data
            f.call(LIB_VERSION)


@case
def migratable():
    """The broker is told of which devices it is asked, and what it misses goes to the client."""
    with Filter(profiles=True) as f:
        device = HOSTDEV % "<function migratable='yes'/>"
        f.client.sendall(message(DEFINE, serial=5, payload=string(DOMAIN % device) + flags()))
        packet = f.broker.recv(9000).decode().split(" ")
        assert packet[0] == "profile" and packet[2:] == ["-", "+" + WISH], packet
        f.broker.send(f"error {packet[1]} 1 0000:06:02.0 cannot be migratable: no driver".encode())
        reply, _ = f.answer()
        assert reply.serial == 5 and b"cannot be migratable" in reply.payload, reply.data
        f.call(LIB_VERSION)


@case
def not_asked():
    """Nobody is asked about a domain without VFs, or a client that may see another host's."""
    with Filter(profiles=True) as f:
        f.call(DEFINE, string(DOMAIN % "") + flags())
        f.call(DEFINE, string(DOMAIN % "<hostdev mode='subsystem' type='usb'/>") + flags())
    with Filter(profiles=True) as f:
        f.call(1, opt("test:///default") + bytes(4))
        f.call(DEFINE, string(DOMAIN % OTHER) + flags())


@case
def too_many():
    """Devices that do not fit one question are refused, and the connection goes on."""
    devices = "".join(HOSTDEV.replace("bus='0x06'", f"bus='0x{bus:02x}'") % "" for bus in range(16, 250) for _ in (0, 1))
    with Filter(profiles=True) as f:
        f.client.sendall(message(DEFINE, serial=5, payload=string(DOMAIN % devices) + flags()))
        reply, _ = f.answer()
        assert b"468 host devices, too many" in reply.payload, reply.data
        f.call(LIB_VERSION)


@case
def attached():
    """The device says nothing of its domain, so libvirt is asked where a profile wants to know."""
    with Filter(profiles=True) as f:
        f.client.sendall(message(ATTACH, serial=5, payload=domain() + string(INTERFACE % "") + flags(1)))
        tell(f, "-", "0", PROFILE % ("a", "<domain name='vm'/>", 2, 43))
        tell(f, "a")
        call = read_message(f.libvirt)
        assert call.proc == DUMPXML and call.serial >= OURS, call.data
        f.libvirt.sendall(message(DUMPXML, REPLY, call.serial, payload=string(DOMAIN % "")))
        call = read_message(f.libvirt)  # may it? The steps of any attach follow
        f.libvirt.sendall(error_reply(call.proc, call.serial, 88, "access denied"))
        reply, code = f.answer()
        assert (reply.serial, code) == (5, 88), reply.data


@case
def attached_unseen():
    with Filter(profiles=True) as f:
        f.client.sendall(message(ATTACH, serial=5, payload=domain() + string(INTERFACE % "") + flags(1)))
        tell(f, "-", "0", PROFILE % ("a", "<domain name='vm'/>", 2, 43))
        tell(f, "a")
        call = read_message(f.libvirt)
        f.libvirt.sendall(error_reply(DUMPXML, call.serial, 88, "access denied"))
        reply, _ = f.answer()
        assert reply.serial == 5 and b"nobody can tell which profiles are for the device" in reply.payload, reply.data


main()

#!/usr/bin/env python3
# filter_nodedev.py VIRT-HOSTDEV-FILTER: node devices: a PF or VF is shown with its card's VPD, whatever else as libvirt does
# SPDX-License-Identifier: LGPL-2.1-or-later
import os
import struct
import sys

from filterlib import * # pylint: disable=wildcard-import,unused-wildcard-import

OPEN, NODE_DEVICE = 1, 114
VPD = "<capability type='vpd'><fields access='readonly'><serial_number>S1</serial_number></fields></capability>"
SHOWN = """    <capability type='vpd'>
      <fields access='readonly'>
        <serial_number>S1</serial_number>
      </fields>
    </capability>
    <iommuGroup"""


def document(name):
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "nodedevxml2xmlin", name + ".xml"), newline="", encoding="utf-8") as file:
        return file.read()


def ask(f, xml, serial=20, kind=REPLY, head=b"", tail=b""):
    """The client asks for a device, and libvirt shows it so."""
    call = message(NODE_DEVICE, serial=serial, payload=string("pci_0000_01_10_0") + bytes(4))
    f.client.sendall(call)
    assert read_message(f.libvirt).data == call
    reply = message(NODE_DEVICE, kind, serial, payload=head + string(xml) + tail)
    f.libvirt.sendall(reply)
    return reply


def asked(f, device):
    verb, number, *rest = f.broker.recv(10000).decode().split()
    assert (verb, rest) == ("vpd", [device]), (verb, rest)
    return number


@case
def vf_and_pf():
    for name, device in (("vf", "pci/0000:01:10.0"), ("pf", "pci/0000:01:00.0"), ("odd-characters", "pci/0000:01:10.0")):
        with Filter() as f:
            ask(f, document(name), tail=b"more")
            number = asked(f, device)
            f.call(LIB_VERSION, serial=21)  # everything else flows
            f.broker.send(f"vpd {number} {VPD}".encode())
            want = document(name).replace("    <iommuGroup", SHOWN)
            assert read_message(f.client).data == message(NODE_DEVICE, REPLY, 20, payload=string(want) + b"more")
            f.call(LIB_VERSION)


@case
def as_libvirt_shows_it():
    """Byte for byte, and the broker is not asked: shown already, neither PF nor VF, no XML; an error; with descriptors."""
    for name in ("has-vpd", "not-sriov", "net", "domain", "cut-off", "no-slot", "slot-hexadecimal", "bus-too-large", "namespace"):
        with Filter() as f:
            assert ask(f, document(name)) == read_message(f.client).data, name
            f.broker.setblocking(False)
            try:
                raise AssertionError(f.broker.recv(10000))
            except BlockingIOError:
                pass
    with Filter() as f:
        payload = struct.pack(">I", 1 << 20) + document("vf").encode()  # longer than the message
        f.call(NODE_DEVICE, string("pci_0000_01_10_0") + bytes(4), payload)
        f.client.sendall(message(NODE_DEVICE, serial=20, payload=string("x") + bytes(4)))
        read_message(f.libvirt)
        f.libvirt.sendall(error_reply(NODE_DEVICE, 20, 43, "Node device not found"))
        assert f.answer()[1] == 43
    with Filter() as f:
        assert ask(f, document("vf"), kind=REPLY_WITH_FDS, head=bytes(4)) == read_message(f.client).data


@case
def other_devices():
    """Of another host, or made up by the client: as libvirt shows them, also where the client asks for this host later."""
    for uris, here in ((["qemu:///system"], True), ([None], True), ([""], True), (["lxc:///system", "qemu:///system"], True),
                       (["test:///tmp/mine.xml"], False), (["test:///tmp/mine.xml", "qemu:///system"], False),
                       (["qemu:///system", "test:///default"], False), (["qemu://other/system"], False),
                       (["qemu+ssh://other/system"], False), (["QEMU:///system"], False), (["qemu"], False)):
        with Filter() as f:
            for uri in uris:
                f.call(OPEN, opt(uri) + bytes(4))
            reply = ask(f, document("vf"))
            if here:
                f.broker.send(f"vpd {asked(f, 'pci/0000:01:10.0')} {VPD}".encode())
            assert (read_message(f.client).data == reply) == (not here), uris
    with Filter() as f: # one that cannot be read
        f.call(OPEN, struct.pack(">2I", 1, 1 << 20))
        assert ask(f, document("vf")) == read_message(f.client).data


@case
def nothing_to_add():
    """The reply stays libvirt's: the card says nothing, which is no news; or it fails, which is logged once."""
    for answer, told in (("error %s 4 The card has no VPD", False), ("error %s 1 The card does not answer", True), ("vpd %s <a/>", True),
                         ("vpd %s <capability", True)):
        with Filter() as f:
            for serial in (20, 21, 22):
                reply = ask(f, document("vf"), serial)
                f.broker.send((answer % asked(f, "pci/0000:01:10.0")).encode())
                assert reply == read_message(f.client).data, answer
            f.call(LIB_VERSION)
            f.client.close()
            f.wait()
            assert f.text.count("without the VPD of its card") == told, (answer, f.text)


@case
def longest_answer():
    with Filter() as f:
        ask(f, document("vf"))
        number = asked(f, "pci/0000:01:10.0")
        room = 8192 - len(f"vpd {number} ") - len(VPD)
        f.broker.send(f"vpd {number} {VPD.replace('S1', 'S1' + room * 'x')}".encode())
        assert room * "x" + "</serial_number>" in read_message(f.client).string()
    with Filter() as f:  # more than there is room for in libvirt's message
        xml = document("vf")
        xml += "\n" * (STRING_MAX - len(xml))
        reply = ask(f, xml)
        f.broker.send(f"vpd {asked(f, 'pci/0000:01:10.0')} {VPD}".encode())
        assert reply == read_message(f.client).data


@case
def answers_that_nobody_asked_for():
    """The broker is trusted, and says what was asked; else the filter ends."""
    for answer in ("ok %s", "stats %s 1 2 3 4", "vpd 77 <a/>", "vpd %s <a>\n</a>", "vpd %s "):
        with Filter() as f:
            ask(f, document("vf"))
            number = asked(f, "pci/0000:01:10.0")
            f.broker.send((answer % number if "%" in answer else answer).encode())
            f.expect_gone(f.client)


@case
def many_at_once():
    """No more are held than calls may be; those beyond are as libvirt shows them."""
    with Filter() as f:
        replies = {serial: ask(f, document("vf"), serial) for serial in range(100, 170)}
        for _ in range(6):
            reply = read_message(f.client)
            assert reply.data == replies.pop(reply.serial)
        for _ in range(64):
            f.broker.send(f"vpd {asked(f, 'pci/0000:01:10.0')} {VPD}".encode())
            reply = read_message(f.client)
            assert replies.pop(reply.serial) and "<serial_number>S1<" in reply.string()
        assert not replies
        f.call(LIB_VERSION)


@case
def somebody_goes():
    with Filter() as f:  # the client: the filter has nobody to tell, and ends when the broker has answered
        ask(f, document("vf"))
        number = asked(f, "pci/0000:01:10.0")
        f.client.close()
        f.broker.send(f"vpd {number} {VPD}".encode())
        assert f.wait() == 0, f.code
    with Filter() as f:  # libvirt
        ask(f, document("vf"))
        number = asked(f, "pci/0000:01:10.0")
        f.libvirt.close()
        try:  # the filter may be gone before either
            f.broker.send(f"vpd {number} {VPD}".encode())
            assert "<serial_number>S1<" in read_message(f.client).string()
        except (EOFError, ConnectionResetError, BrokenPipeError):
            pass
        f.wait()


sys.exit(main())

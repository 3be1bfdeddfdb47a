#!/usr/bin/env python3
# filter_held.py VIRT-HOSTDEV-FILTER: calls about devices, which the filter holds while something is prepared
# SPDX-License-Identifier: LGPL-2.1-or-later
import os
import re
import select
import struct
import sys
import time

from filterlib import * # pylint: disable=wildcard-import,unused-wildcard-import


@case
def held_attach():
    with Filter() as f:
        attach(f)
        permit(f)
        verb, number = request(f)
        assert verb == "begin"
        f.call(LIB_VERSION, serial=21)  # everything else flows
        ping = message(1, MESSAGE, 1, prog=KEEPALIVE)
        f.libvirt.sendall(ping)
        assert read_exact(f.client, len(ping)) == ping
        f.broker.send(b"ok " + number.encode())
        seen = play(f)
        assert seen == [DUMPXML, SET_METADATA, "prepare", ATTACH, "end"], seen
        assert read_message(f.client).data == message(ATTACH, REPLY, 20)
        f.call(LIB_VERSION)


def play(f, shown=(), ends=b"ok %d", written=None):
    """Be libvirt and the broker until the end: what the domain is shown as each time; what was asked, in order, and in
    @written the metadata that was written."""
    seen, shown = [], list(shown)
    while not seen or seen[-1] != "end":
        if f.broker in select.select([f.broker, f.libvirt], [], [], 10)[0]:
            verb, number = request(f)
            seen.append(verb)
            f.broker.send((ends if verb == "end" else b"ok %d") % int(number))
            continue
        call = read_message(f.libvirt)
        assert call.serial >= OURS, call.data
        seen.append(call.proc)
        if call.proc == DUMPXML:
            f.libvirt.sendall(message(call.proc, REPLY, call.serial, payload=string(shown.pop(0) if shown else DOMAIN % "")))
        else:
            if call.proc == SET_METADATA and written is not None:
                written.append(call.payload)
            assert call.proc != ATTACH or b"<netdev" not in call.payload
            assert call.proc != SET_METADATA or MAC.encode() in call.payload, call.payload
            f.libvirt.sendall(message(call.proc, REPLY, call.serial))
    return seen


def stored(mac):
    return (f"<lh:hostdevs xmlns:lh='{NS}'><lh:hostdev><lh:source><lh:address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/>"
            f"</lh:source><lh:netdev port='1'><lh:mac address='{mac}'/></lh:netdev></lh:hostdev></lh:hostdevs>")


WITH_DEVICE = DOMAIN % (HOSTDEV % "")
WITH_BOTH = WITH_DEVICE.replace("<memory>", "<metadata>" + stored("52:54:00:01:02:03") + "</metadata><memory>")


def attach_until_begun(f, flags=1):
    f.client.sendall(message(ATTACH, serial=20, payload=domain() + string(HOSTDEV % NETDEV) + struct.pack(">I", flags)))
    permit(f)
    _, number = request(f)
    f.broker.send(b"ok " + number.encode())


@case
def what_libvirt_has_decides():
    """An entry of metadata says nothing about the device: the VF is set, and metadata written, as for any other."""
    with Filter() as f:
        attach_until_begun(f)
        stale = (DOMAIN % "").replace("<memory>", "<metadata>" + stored("52:54:00:00:00:99") + "</metadata><memory>")
        seen = play(f, shown=[stale])
        assert seen == [DUMPXML, SET_METADATA, "prepare", ATTACH, "end"], seen
        assert read_message(f.client).data == message(ATTACH, REPLY, 20)
    for flags in (1, 2):
        with Filter() as f: # and a device that is there is refused before anything is written
            attach_until_begun(f, flags)
            assert play(f, shown=[WITH_DEVICE]) == [DUMPXML, "end"]
            reply, code = f.answer()
            assert code == 55 and b"0000:06:02.0 already" in reply.payload, reply.payload


PLAIN = HOSTDEV % ""
OTHER_PLAIN = "<interface type='hostdev' managed='yes'><source><address type='pci' domain='0' bus='6' slot='2' function='0'/></source>%s</interface>"


@case
def plain_device_is_looked_at():
    """A device that is not ours may be a PF: the broker says whether its VFs are in use, before libvirt gets the call."""
    left = OTHER_PLAIN % "<model type='e1000'/><driver name='kvm'/>"
    for device in (PLAIN, left):
        for flags, resolves in ((1, False), (3, False), (0, True)):
            for refused in (True, False):
                with Filter(keep_interfaces=True) as f:
                    f.client.sendall(message(ATTACH, serial=20, payload=domain() + string(device) + struct.pack(">I", flags)))
                    permit(f)
                    if resolves:
                        call = read_message(f.libvirt)
                        assert call.proc == IS_ACTIVE, call.data
                        f.libvirt.sendall(message(IS_ACTIVE, REPLY, call.serial, payload=struct.pack(">I", 1)))
                    verb, number, uuid, address = f.broker.recv(10000).decode().split()
                    assert (verb, uuid, address) == ("check", UUID, "pci/0000:06:02.0"), (verb, address)
                    f.broker.send(f"error {number} 3 its VFs are in use".encode() if refused else f"ok {number}".encode())
                    if refused:
                        reply, code = f.answer()
                        assert (reply.serial, code) == (20, 55) and b"its VFs are in use" in reply.payload, reply.payload
                        f.call(LIB_VERSION) # and libvirt has heard of nothing
                        continue
                    call = read_message(f.libvirt)
                    assert call.payload == domain() + string(device) + struct.pack(">I", flags or 1), call.payload
                    f.libvirt.sendall(message(ATTACH, REPLY, call.serial))
                    assert read_message(f.client).data == message(ATTACH, REPLY, 20)


@case
def plain_device_that_is_not_looked_at():
    """What is only stored, what is no PCI device of the host, and what a driver without metadata has."""
    usb = "<hostdev mode='subsystem' type='usb'><source><address bus='6' device='2'/></source></hostdev>"
    with Filter() as f:
        f.call(ATTACH, domain() + string(PLAIN) + struct.pack(">I", 2))
        for device in (usb, "<disk type='block'><source dev='/x'/></disk>", "nonsense"):
            f.call(ATTACH, domain() + string(device) + struct.pack(">I", 1))
        attach(f, device=PLAIN)
        permit(f, (88, "access denied"))
        assert f.answer()[1] == 88
        attach(f, device=PLAIN)
        permit(f, (3, "this function is not supported"))
        call = read_message(f.libvirt)
        assert call.proc == ATTACH and call.payload == domain() + string(PLAIN) + struct.pack(">I", 1), call.data
        assert not select.select([f.broker], [], [], 0.1)[0]


@case
def attached_is_verified():
    with Filter() as f:
        attach_until_begun(f)
        play(f, ends=b"error %d 2 it has no record")
        reply, code = f.answer()
        assert (reply.serial, code) == (20, 9) and b"it has no record" in reply.payload, reply.payload
        f.call(LIB_VERSION)


@case
def stored_with_its_netdevs():
    """Who defines the domain anew takes the metadata away between two of our calls."""
    begin = [DUMPXML, SET_METADATA, ATTACH, DUMPXML]
    again = [SET_METADATA, DUMPXML]
    for shown, rounds, works in (([WITH_BOTH], 0, True), ([WITH_DEVICE, WITH_DEVICE, WITH_BOTH], 2, True), ([DOMAIN % ""], 0, True),
                                 ([WITH_BOTH.replace("01:02:03", "01:02:99")], 0, False), ([WITH_DEVICE] * 30, 20, False)):
        with Filter() as f:
            attach_until_begun(f, 2)
            seen = play(f, shown=[DOMAIN % "", *shown])
            assert seen == begin + again * rounds + ["end"], seen
            if works:
                assert read_message(f.client).data == message(ATTACH, REPLY, 20)
            else:
                reply, code = f.answer()
                assert code == 55 and b"redefined meanwhile" in reply.payload, reply.payload


OTHER_ENTRY = re.search("<lh:hostdev>.*</lh:hostdev>", stored("52:54:00:00:00:07").replace("bus='0x06'", "bus='0x07'")).group(0)


@case
def others_netdevs():
    """Who defines the domain anew between our reading and our writing loses the netdevs of a new device: this is told.
    Before or behind, they stay, and a device that never had any is nobody's loss."""
    def both(entry, more=""):
        return WITH_BOTH.replace("<lh:hostdevs xmlns:lh='urn:libvirt-hostdev:1'>", "<lh:hostdevs xmlns:lh='urn:libvirt-hostdev:1'>" + entry).replace(
            "</devices>", more + "</devices>")
    plain = DOMAIN % OTHER
    known = plain.replace("<memory>", f"<metadata><lh:hostdevs xmlns:lh='{NS}'>{OTHER_ENTRY}</lh:hostdevs></metadata><memory>")
    for shown, works, kept in (([DOMAIN % "", both("", OTHER)], False, [False]), ([plain, both("", OTHER)], True, [False]),
                               ([known, both(OTHER_ENTRY, OTHER)], True, [True]),
                               # behind: all of ours is gone, his is written again with ours
                               ([DOMAIN % "", known.replace("</devices>", HOSTDEV % "" + "</devices>"), both(OTHER_ENTRY, OTHER)], True, [False, True]),
                               ([DOMAIN % "", plain.replace("</devices>", HOSTDEV % "" + "</devices>"), both("", OTHER)], True, [False, False])):
        with Filter() as f:
            attach_until_begun(f, 2)
            written = []
            play(f, shown=shown, written=written)
            assert [b"52:54:00:00:00:07" in text for text in written] == kept, (shown, written)
            if works:
                assert read_message(f.client).data == message(ATTACH, REPLY, 20), shown
            else:
                reply, code = f.answer()
                assert code == 55 and b"0000:07:02.0, whose settings may be lost" in reply.payload, reply.payload


@case
def held_without_descriptors():
    """libvirt takes a call with none of them like one that says nothing about any: so it is held like that."""
    with Filter() as f:
        attach(f, kind=CALL_WITH_FDS, count=struct.pack(">I", 0))
        permit(f)
        assert request(f)[0] == "begin"
    for name, payload, proc in (("attach", domain() + string(HOSTDEV % NETDEV) + struct.pack(">I", 1), ATTACH),
                                ("detach", domain() + string(HOSTDEV % "") + struct.pack(">I", 1), DETACH),
                                ("save", domain() + string("/x") + opt(DOMAIN % HOSTDEV % NETDEV) + bytes(4), SAVE_FLAGS)):
        with Filter() as f:
            f.client.sendall(message(proc, CALL_WITH_FDS, 20, payload=struct.pack(">I", 1) + payload))
            send_fd(f.client)
            reply, code = f.answer()
            assert (reply.serial, code) == (20, 27) and b"file descriptors" in reply.payload, (name, reply.payload)
            f.call(LIB_VERSION)
    with Filter() as f:
        f.client.sendall(message(SAVE_FLAGS, CALL_WITH_FDS, 20, payload=struct.pack(">I", 0) + domain() + string("/x")
                                 + opt(DOMAIN % HOSTDEV % NETDEV) + bytes(4)))
        assert read_message(f.libvirt).proc == DUMPXML  # what the XML is to be like


@case
def libvirt_first():
    """Who may not change the domain gets libvirt's own words, and the broker hears of nothing."""
    with Filter() as f:
        by_alias = message(DETACH_ALIAS, serial=20, payload=domain() + string("ua-x") + bytes(4))
        by_xml = message(DETACH, serial=20, payload=domain() + string(HOSTDEV % "") + struct.pack(">I", 2))
        for call in (lambda: attach(f), lambda: f.client.sendall(by_alias), lambda: f.client.sendall(by_xml)):
            call()
            permit(f, (88, "access denied"))
            reply, code = f.answer()
            assert (reply.serial, code) == (20, 88), reply.data
            assert not select.select([f.broker], [], [], 0.1)[0]
        # A driver without metadata has nothing of ours: it gets the call as it came.
        f.client.sendall(by_xml)
        permit(f, (3, "this function is not supported"))
        call = read_message(f.libvirt)
        assert call.proc == DETACH and call.payload == by_xml[28:], call.data
        f.libvirt.sendall(message(DETACH, REPLY, call.serial))
        assert read_message(f.client).data == message(DETACH, REPLY, 20)
        assert not select.select([f.broker], [], [], 0.1)[0]


@case
def one_domain_at_a_time():
    """Calls about one domain take turns here: the broker would refuse a second begin."""
    with Filter() as f:
        attach(f, 20)
        permit(f)
        _, number = request(f)
        attach(f, 21)
        permit(f)
        assert not select.select([f.broker], [], [], 0.2)[0]
        f.broker.send(b"error " + number.encode() + b" 3 no")
        verb, number = request(f)
        assert verb == "end"
        f.broker.send(b"ok " + number.encode())
        assert f.answer()[0].serial == 20
        verb, number = request(f)
        assert verb == "begin"


@case
def every_serial():
    """A client counts to 2^32 and begins again; our own calls take numbers that none under way has."""
    with Filter() as f:
        for serial in (0x7FFFFFFE, 0x7FFFFFFF, OURS, OURS + 1, 0xFFFFFFFF, 0, 1):
            f.call(LIB_VERSION, serial=serial)
            for kept in (serial, serial ^ OURS): # calls that libvirt has not answered are passed by
                f.client.sendall(message(LIB_VERSION, serial=kept))
                assert read_message(f.libvirt).serial == kept
            f.client.sendall(message(ATTACH, serial=serial - 1 & 0xFFFFFFFF, payload=domain() + string(HOSTDEV % NETDEV) + struct.pack(">I", 1)))
            call = read_message(f.libvirt)
            assert call.proc == SET_METADATA and call.serial not in (serial, serial ^ OURS, serial - 1 & 0xFFFFFFFF), call.data
            f.libvirt.sendall(error_reply(SET_METADATA, call.serial, 88, "access denied"))
            assert f.answer()[0].serial == serial - 1 & 0xFFFFFFFF
            for kept in (serial, serial ^ OURS):
                back = message(LIB_VERSION, REPLY, kept)
                f.libvirt.sendall(back)
                assert read_exact(f.client, len(back)) == back
    with Filter() as f:
        attach(f)
        ours = read_message(f.libvirt).serial
        f.client.sendall(message(LIB_VERSION, serial=ours))
        time.sleep(0.1)
        f.libvirt.sendall(error_reply(SET_METADATA, ours, 88, "access denied"))
        f.expect_gone(f.client)


@case
def behind_long_calls():
    """libvirt takes five calls of a connection at a time: one of ours behind them must not be sent, for it could not be
    taken back, and the domain would be locked for as long as they take."""
    def long_calls(f, count):
        for serial in range(100, 100 + count):
            f.client.sendall(message(LIB_VERSION, serial=serial))
            assert read_message(f.libvirt).serial == serial

    def answer_one(f, serial):
        f.libvirt.sendall(message(LIB_VERSION, REPLY, serial))
        assert read_message(f.client).serial == serial

    def begin(f):
        attach(f)
        permit(f)
        return request(f)[1]

    with Filter() as f:
        number = begin(f)
        long_calls(f, 5)
        f.broker.send(b"ok " + number.encode())
        assert not select.select([f.libvirt], [], [], 0.5)[0]
        answer_one(f, 103)
        assert read_message(f.libvirt).proc == DUMPXML
    with Filter() as f: # who has been seen to take more is given more
        long_calls(f, 7)
        number = begin(f)
        f.broker.send(b"ok " + number.encode())
        assert read_message(f.libvirt).proc == DUMPXML
    with Filter() as f:
        number = begin(f)
        long_calls(f, 5)
        before = time.monotonic()
        f.broker.send(b"ok " + number.encode())
        f.broker.settimeout(30)
        verb, number = request(f)
        assert verb == "end" and 8 < time.monotonic() - before, verb
        f.broker.send(b"ok " + number.encode())
        reply, code = f.answer()
        assert (reply.serial, code) == (20, 55) and b"busy with 5 other calls" in reply.payload, reply.payload
        for serial in range(100, 105): # and the connection is as it was
            answer_one(f, serial)
        f.call(LIB_VERSION)


@case
def held_and_refused():
    with Filter() as f:
        attach(f)
        permit(f)
        _, number = request(f)
        f.broker.send(b"error " + number.encode() + b" 3 somebody else has it")
        verb, number = request(f)
        assert verb == "end"
        f.broker.send(b"ok " + number.encode())
        reply, code = f.answer()
        assert (reply.serial, code) == (20, 55) and b"somebody else has it" in reply.payload
        f.call(LIB_VERSION)


@case
def client_goes_while_held():
    with Filter() as f:
        attach(f)
        permit(f)
        _, number = request(f)
        f.client.close()
        before = f.busy()
        time.sleep(0.5)
        assert os.waitpid(f.pid, os.WNOHANG) == (0, 0)
        assert f.busy() < before + 10  # it waits for the broker, and not in circles
        f.libvirt.sendall(message(LIB_VERSION, MESSAGE, 1))  # for nobody
        f.broker.send(b"error " + number.encode() + b" 3 no")
        _, number = request(f)
        f.broker.send(b"ok " + number.encode())
        assert f.wait() == 0 and f.text == "", f.text
        f.expect_gone(f.libvirt)


@case
def libvirt_goes_while_held():
    with Filter() as f:
        attach(f)
        permit(f)
        _, number = request(f)
        f.broker.send(b"ok " + number.encode())
        assert read_message(f.libvirt).serial >= OURS
        f.libvirt.close()
        assert f.wait() == 0 and f.text == "", f.text
        f.expect_gone(f.client)


@case
def client_goes_inside_a_call_while_held():
    with Filter() as f:
        attach(f)
        permit(f)
        request(f)
        f.client.sendall(message(LIB_VERSION, payload=b"x" * 100)[:60])
        assert len(read_exact(f.libvirt, 60)) == 60
        f.client.close()
        assert f.wait() == 0 and f.text == "", f.text


@case
def too_many_held():
    with Filter() as f:
        for serial in range(100, 165):
            attach(f, serial)
        reply, _ = f.answer()
        assert reply.serial == 164
        for _ in range(64):
            permit(f)
        f.call(LIB_VERSION)


sys.exit(main())

#!/usr/bin/python3
"""filter_choose.py FILTER: devices that are asked for by card, PF or pool: the broker finds them, libvirt gets addresses

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import select
import struct

from filterlib import (ATTACH, CALL, DEFINE, DEFINE_XML, DETACH, DOMAIN, DUMPXML, LIB_VERSION, NS, OK, OTHER, OURS, REPLY,
                       UPDATE, UUID, Filter, case, domain, error_reply, main, message, read_message, request, string)

NOBODY = "00000000-0000-0000-0000-000000000000"
WISH = """<hostdev mode='subsystem' type='pci' managed='yes'>
      <source>%s</source>
      <netdev port='1'><mac address='52:54:00:01:02:03'/></netdev>
    </hostdev>"""
POOL = WISH.replace("<source>%s</source>", "<source pool='blue'>%s</source>")
PF = WISH % "<pf serial='MT 1' function='0'/><vf index='3'/>%s"
ADDRESS = "<address domain='0x0000' bus='0x%02x' slot='0x02' function='0x%d'/>"


def flags(number=0):
    return struct.pack(">I", number)


def ask(f, mode, uuid, wishes):
    """What the broker is asked, and the number of the question."""
    packet = f.broker.recv(9000).decode().split(" ")
    assert packet[0] == "choose" and packet[2:4] == [uuid, mode] and packet[4:] == wishes, packet
    return packet[1]


def tell(f, number, *handles):
    f.broker.send(f"chosen {number} {' '.join(handles)}".encode())


def nothing_more(f):
    assert not select.select([f.broker.sock], [], [], 0.3)[0], f.broker.recv(9000)


def forget(f, uuid):
    packet = f.broker.recv(9000).decode().split(" ")
    assert packet[0] == "forget" and packet[2] == uuid, packet
    f.broker.send(f"ok {packet[1]}".encode())


@case
def define():
    """What is asked for is in metadata, and what was found is the address; the reply comes when that is known."""
    text = DOMAIN % (POOL % "" + OTHER + PF % "")
    with Filter() as f:
        f.client.sendall(message(DEFINE, serial=5, payload=string(text) + flags()))
        number = ask(f, "define", NOBODY, ["-=pool/blue", "pci/0000:07:02.0=-", "-=serial/MT%201/0/3"])
        f.call(LIB_VERSION, serial=6)  # everything else flows
        tell(f, number, "pci/0000:06:02.3", "pci/0000:07:02.0", "pci/0000:06:02.4")
        call = read_message(f.libvirt)
        xml = call.string()
        assert call.proc == DEFINE and call.serial >= OURS and "pool=" in xml and xml.count("<lh:pf") == 1, xml
        assert xml.count(ADDRESS % (6, 3)) == 1 and xml.count("function='0x3'") == 2 and "<pf" not in xml, xml
        f.libvirt.sendall(message(DEFINE, REPLY, call.serial, payload=domain()))
        forget(f, NOBODY)
        reply = read_message(f.client)
        assert (reply.proc, reply.serial, reply.status, reply.payload) == (DEFINE, 5, OK, domain()), reply.data


@case
def where_the_guest_is():
    """A VF that anybody may have is asked for with where the guest is, one alone without."""
    pinned = DOMAIN.replace("<memory>", "<vcpu cpuset='4-7'>2</vcpu><memory>")
    for device, wish, words in ((POOL % "", "-=pool/blue", ["cpus/f0"]), (PF % "", "-=serial/MT%201/0/3", [])):
        with Filter() as f:
            f.client.sendall(message(DEFINE_XML, serial=5, payload=string(pinned % device)))
            number = ask(f, "define", NOBODY, words + [wish])
            f.broker.send(f"error {number} 4 no".encode())
            f.answer()


@case
def refused():
    """What cannot be found is the client's to hear, and libvirt never sees the call."""
    with Filter() as f:
        f.client.sendall(message(DEFINE_XML, serial=5, payload=string(DOMAIN % (POOL % ""))))
        number = ask(f, "define", NOBODY, ["-=pool/blue"])
        f.broker.send(f"error {number} 4 This host has no pool 'blue'".encode())
        reply, _ = f.answer()
        assert reply.serial == 5 and b"no pool 'blue'" in reply.payload, reply.data
        f.call(LIB_VERSION)


@case
def wrong():
    """A document that is wrong is told so without anybody being asked."""
    with Filter() as f:
        f.client.sendall(message(DEFINE_XML, serial=5, payload=string(DOMAIN % (WISH % "<vf index='3'/>"))))
        reply, _ = f.answer()
        assert b"without &lt;pf" in reply.payload or b"without <pf>" in reply.payload, reply.data
        f.call(LIB_VERSION)


@case
def too_many():
    text = DOMAIN % "".join(WISH % f"<pf serial='{'S' * 200}'/><vf index='{n}'/>" for n in range(50))
    with Filter() as f:
        f.client.sendall(message(DEFINE_XML, serial=5, payload=string(text)))
        reply, _ = f.answer()
        assert b"50 host devices, too many" in reply.payload, reply.data
        f.call(LIB_VERSION)


@case
def created():
    """A transient domain: its reply is held for its VFs, too."""
    with Filter() as f:
        f.client.sendall(message(10, serial=5, payload=string(DOMAIN % (POOL % "")) + flags()))
        tell(f, ask(f, "define", NOBODY, ["-=pool/blue"]), "pci/0000:06:02.3")
        call = read_message(f.libvirt)
        assert call.proc == 10 and ADDRESS % (6, 3) in call.string(), call.data
        f.libvirt.sendall(message(10, REPLY, call.serial, payload=domain()))
        forget(f, NOBODY)
        verb, number = request(f)
        assert verb == "verify"
        f.broker.send(f"ok {number}".encode())
        reply = read_message(f.client)
        assert (reply.proc, reply.serial, reply.status) == (10, 5, OK), reply.data


@case
def attached():
    """Its address is found before anything else is done; the steps are those of any attach."""
    with Filter() as f:
        f.client.sendall(message(ATTACH, serial=5, payload=domain() + string(POOL % "") + flags(2)))
        tell(f, ask(f, "attach", UUID, ["-=pool/blue"]), "pci/0000:06:02.3")
        call = read_message(f.libvirt)  # may it?
        f.libvirt.sendall(error_reply(call.proc, call.serial, 88, "access denied"))
        forget(f, UUID)
        reply, code = f.answer()
        assert (reply.serial, code) == (5, 88), reply.data


@case
def detached():
    """By what it was asked for: the domain's own is meant. By its address, nobody is asked."""
    for proc in (DETACH,):
        with Filter() as f:
            f.client.sendall(message(proc, serial=5, payload=domain() + string(POOL % "") + flags(1)))
            tell(f, ask(f, "detach", UUID, ["-=pool/blue"]), "pci/0000:06:02.3")
            call = read_message(f.libvirt)
            f.libvirt.sendall(error_reply(call.proc, call.serial, 88, "access denied"))
            reply, code = f.answer()
            assert (reply.serial, code) == (5, 88), reply.data
        with Filter() as f:
            f.client.sendall(message(proc, serial=5, payload=domain() + string(POOL % (ADDRESS % (6, 3))) + flags(1)))
            call = read_message(f.libvirt)
            f.libvirt.sendall(error_reply(call.proc, call.serial, 88, "access denied"))
            reply, code = f.answer()
            assert (reply.serial, code) == (5, 88), reply.data


@case
def updated():
    """Nothing is chosen for an update, by what was asked for or by address, and so nothing is forgotten after it."""
    for address, asked in (("", True), (ADDRESS % (6, 3), False)):
        with Filter() as f:
            f.client.sendall(message(UPDATE, serial=5, payload=domain() + string(POOL % address) + flags(1)))
            if asked:
                tell(f, ask(f, "detach", UUID, ["-=pool/blue"]), "pci/0000:06:02.3")
            call = read_message(f.libvirt)
            f.libvirt.sendall(error_reply(call.proc, call.serial, 88, "access denied"))
            reply, code = f.answer()
            assert (reply.serial, code) == (5, 88), reply.data
            nothing_more(f)


@case
def unsuitable():
    """What was chosen and cannot be used is forgotten, too."""
    with Filter() as f:
        f.client.sendall(message(DEFINE_XML, serial=5, payload=string(DOMAIN % (POOL % "" + POOL % ""))))
        tell(f, ask(f, "define", NOBODY, ["-=pool/blue", "-=pool/blue"]), "pci/0000:06:02.3", "pci/0000:06:02.3")
        reply, _ = f.answer()
        assert reply.serial == 5, reply.data
        forget(f, NOBODY)


@case
def beside_others():
    """An interface is looked for among devices that have no netdevs, too."""
    with Filter() as f:
        call = message(DETACH, serial=5, payload=domain() + string("<interface type='hostdev'><mac address='52:54:00:01:02:03'/></interface>") + flags(1))
        f.client.sendall(call)
        asked = read_message(f.libvirt)
        assert asked.proc == DUMPXML, asked.data
        f.libvirt.sendall(message(DUMPXML, REPLY, asked.serial, payload=string(STORED)))
        passed = read_message(f.libvirt)
        assert (passed.proc, passed.payload) == (DETACH, call[28:]), passed.data


STORED = DOMAIN.replace("<memory>", f"""<metadata><lh:hostdevs xmlns:lh='{NS}'><lh:hostdev><lh:source pool='blue'>{ADDRESS.replace('<', '<lh:')}
</lh:source></lh:hostdev></lh:hostdevs></metadata><memory>""") % ((6, 3) + (WISH % (ADDRESS % (6, 3)),))
STORED = STORED.replace("<netdev port='1'><mac address='52:54:00:01:02:03'/></netdev>", "")


def start(f, proc=196, stored=None, words=()):
    f.client.sendall(message(proc, serial=5, payload=domain() + flags()))
    call = read_message(f.libvirt)
    assert (call.proc, call.payload) == (DUMPXML, domain() + flags()), call.data
    f.libvirt.sendall(message(DUMPXML, REPLY, call.serial, payload=string(stored or STORED)))
    return ask(f, "start", UUID, [*words, "pci/0000:06:02.3=pool/blue"])


def end_start(f):
    call = read_message(f.libvirt)
    assert call.proc == 196 and call.payload == domain() + flags(), call.data
    f.libvirt.sendall(message(196, REPLY, call.serial, payload=domain()))
    verb, number = request(f)
    assert verb == "verify"
    f.broker.send(f"ok {number}".encode())
    reply = read_message(f.client)
    assert (reply.proc, reply.serial, reply.status) == (196, 5, OK), reply.data
    forget(f, UUID)


@case
def started_same():
    with Filter() as f:
        tell(f, start(f), "pci/0000:06:02.3")
        end_start(f)
    with Filter() as f:
        pinned = STORED.replace("<memory>", "<numatune><memory nodeset='1'/></numatune><memory>")
        tell(f, start(f, stored=pinned, words=["nodes/2"]), "pci/0000:06:02.3")
        end_start(f)


@case
def started_twice():
    """A domain that runs has its VF itself: libvirt refuses, and nobody chooses another."""
    with Filter() as f:
        f.client.sendall(message(196, serial=5, payload=domain() + flags()))
        call = read_message(f.libvirt)
        f.libvirt.sendall(message(DUMPXML, REPLY, call.serial, payload=string(STORED.replace("<domain ", "<domain id='7' "))))
        call = read_message(f.libvirt)
        assert call.proc == 196, call.data
        f.libvirt.sendall(error_reply(196, call.serial, 55, "domain is already running"))
        reply, code = f.answer()
        assert (reply.serial, code) == (5, 55), reply.data


@case
def started_elsewhere():
    """Another VF: the domain is defined with it, secrets and all, and then started."""
    for allowed in (True, False):
        with Filter() as f:
            tell(f, start(f), "pci/0000:06:02.5")
            call = read_message(f.libvirt)
            assert (call.proc, call.payload) == (DUMPXML, domain() + flags(3)), call.data
            if allowed:
                f.libvirt.sendall(message(DUMPXML, REPLY, call.serial, payload=string(STORED)))
                call = read_message(f.libvirt)
                xml = call.string()
                assert call.proc == DEFINE_XML and xml == STORED.replace("function='0x3'", "function='0x5'"), xml
                f.libvirt.sendall(message(DEFINE_XML, REPLY, call.serial, payload=domain()))
            else:  # the hook judges
                f.libvirt.sendall(error_reply(DUMPXML, call.serial, 88, "access denied"))
            end_start(f)


@case
def not_started():
    """Nothing is free: that is the client's to hear. Where it cannot be told, the domain starts with what it has."""
    with Filter() as f:
        f.broker.send(f"error {start(f)} 3 No VF is free".encode())
        reply, _ = f.answer()
        assert reply.serial == 5 and b"No VF is free" in reply.payload, reply.data
        forget(f, UUID)
    with Filter() as f:
        f.broker.send(f"error {start(f)} 1 libvirt is away".encode())
        end_start(f)


main()

#!/usr/bin/env python3
# filter.py VIRT-HOSTDEV-FILTER: the real filter between a client, a libvirt and a broker that are made up here, and
# between virsh and a real libvirtd with nothing but its test driver.
# SPDX-License-Identifier: LGPL-2.1-or-later
import array
import os
import re
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

FILTER = sys.argv[1]
NS = "urn:libvirt-hostdev:1"
REMOTE, QEMU, KEEPALIVE = 0x20008086, 0x20008087, 0x6B656570
CALL, REPLY, MESSAGE, STREAM, CALL_WITH_FDS, REPLY_WITH_FDS, STREAM_HOLE = range(7)
OK, ERROR = 0, 1
DEFINE, DUMPXML, ATTACH, DETACH, SET_METADATA, GET_METADATA, METADATA_EVENT, LIB_VERSION = 350, 14, 160, 161, 264, 265, 379, 157
DETACH_ALIAS, SAVE_FLAGS, UPDATE, DEFINE_XML, IS_ACTIVE, REVERT = 392, 232, 174, 11, 150, 192
OURS = 0x80000000
STRING_MAX = 4 << 20
with open(FILTER, "rb") as program:
    SANITIZED = b"__asan_init" in program.read()
WORK = tempfile.mkdtemp()
MAC = "52:54:00:01:02:03"
UUID = "8a1f4c70-0e5e-4d5e-8b7f-3d0000000001"

HOSTDEV = """<hostdev mode='subsystem' type='pci' managed='yes'>
      <source>
        <address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/>
      </source>
      %s
    </hostdev>"""
NETDEV = "<netdev port='1'>\n        <mac address='52:54:00:01:02:03'/>\n      </netdev>"
DOMAIN = "<domain type='test'>\n  <name>vm</name>\n  <memory>1024</memory>\n  <os><type>hvm</type></os>\n  <devices>\n    %s\n  </devices>\n</domain>\n"


# ---- messages ----

def string(text):
    data = text if isinstance(text, bytes) else text.encode()
    return struct.pack(">I", len(data)) + data + bytes(-len(data) % 4)


def opt(text):
    return struct.pack(">I", 0) if text is None else struct.pack(">I", 1) + string(text)


def domain():
    return string("vm") + bytes.fromhex(UUID.replace("-", "")) + struct.pack(">i", 7)


def message(proc, kind=CALL, serial=1, status=OK, payload=b"", prog=REMOTE):
    return struct.pack(">7I", 28 + len(payload), prog, 1, proc, kind, serial, status) + payload


class Message:
    def __init__(self, data):
        self.data, self.payload = data, data[28:]
        _, self.prog, _, self.proc, self.kind, self.serial, self.status = struct.unpack(">7I", data[:28])

    def string(self, at=0):
        size = struct.unpack_from(">I", self.payload, at)[0]
        return self.payload[at + 4:at + 4 + size].decode()


def read_exact(sock, size):
    data = b""
    while len(data) < size:
        part = sock.recv(min(size - len(data), 1 << 20))
        if not part:
            raise EOFError
        data += part
    return data


def read_message(sock):
    head = read_exact(sock, 4)
    return Message(head + read_exact(sock, struct.unpack(">I", head)[0] - 4))


def error_reply(proc, serial, code, text):
    return message(proc, REPLY, serial, ERROR, struct.pack(">2I", code, 20) + opt(text) + struct.pack(">2I", 2, 0)
                   + opt(text) + opt(None) + opt(None) + struct.pack(">3I", 0, 0, 0))


def send_fd(sock):
    with open("/dev/null", "rb") as file:
        sock.sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [file.fileno()]))])


def receive_fd(sock):
    data, control, _, _ = sock.recvmsg(1, socket.CMSG_SPACE(4))
    assert data == b"\0" and len(control) == 1, (data, control)
    os.close(array.array("i", control[0][2])[0])


# ---- a filter ----

def spawn(client, broker, path, log, *more):
    """virt-hostdev-filter as the daemon starts it, but with our own uid and rights."""
    high = [os.dup2(fd, 100 + i, inheritable=False) for i, fd in enumerate([client, broker, log])]
    actions = [(os.POSIX_SPAWN_DUP2, high[0], 3), (os.POSIX_SPAWN_DUP2, high[1], 4), (os.POSIX_SPAWN_DUP2, high[2], 2),
               (os.POSIX_SPAWN_DUP2, high[2], 9)]  # one that is left open by mistake
    pid = os.posix_spawn(FILTER, [FILTER, path, *more], os.environ, file_actions=actions)
    for fd in high:
        os.close(fd)
    return pid


class Filter:
    """self.client, self.libvirt and self.broker are the other ends."""

    def __init__(self, listening=True, keep_interfaces=False):
        self.path = os.path.join(WORK, "libvirt-sock")
        if os.path.exists(self.path):
            os.unlink(self.path)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(self.path)
        self.client, client = socket.socketpair()
        self.broker, broker = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.log, log = os.pipe()
        if listening:
            listener.listen()
        self.pid = spawn(client.fileno(), broker.fileno(), self.path, log, *["keep-interfaces"] * keep_interfaces)
        client.close()
        broker.close()
        os.close(log)
        for sock in (self.client, self.broker, listener):
            sock.settimeout(60)
        if listening:
            self.libvirt = listener.accept()[0]
            self.libvirt.settimeout(60)
            self.call(LIB_VERSION)  # by now it is confined
        listener.close()
        self.code = None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if self.code is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        for sock in ("client", "libvirt", "broker"):
            if hasattr(self, sock):
                getattr(self, sock).close()
        os.close(self.log)
        if kind:
            print("# log:", self.text)

    def wait(self):
        for _ in range(100):
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            time.sleep(0.05)
        else:
            raise AssertionError("it did not end")
        self.code = os.waitstatus_to_exitcode(status)
        self.text = os.read(self.log, 65536).decode()
        return self.code

    def call(self, proc, payload=b"", reply=b"", **more):
        """A call that goes through unchanged, and its reply."""
        data = message(proc, payload=payload, **more)
        self.client.sendall(data)
        assert read_exact(self.libvirt, len(data)) == data
        back = message(proc, REPLY, more.get("serial", 1), payload=reply, prog=more.get("prog", REMOTE))
        self.libvirt.sendall(back)
        assert read_exact(self.client, len(back)) == back

    def private(self, kinds="Dirty"):
        """KiB; none where it cannot be told: under a sanitizer, or by somebody else than root."""
        if SANITIZED or os.getuid() != 0:
            return 0
        with open(f"/proc/{self.pid}/smaps_rollup") as file:
            return sum(int(n) for n in re.findall(r"^Private_(?:%s): +(\d+)" % kinds, file.read(), re.M))

    def busy(self):
        """Hundredths of a second on a processor."""
        with open(f"/proc/{self.pid}/stat") as file:
            return sum(map(int, file.read().rpartition(")")[2].split()[11:13]))

    def answer(self):
        """The client's reply, with its code."""
        reply = read_message(self.client)
        assert reply.status == ERROR, reply.data
        return reply, struct.unpack_from(">I", reply.payload)[0]

    def expect_gone(self, sock):
        try:
            assert sock.recv(1) == b""
        except ConnectionResetError:
            pass


CASES = []


def case(function):
    CASES.append(function)
    return function


# ---- what goes through ----

@case
def both_ways():
    with Filter() as f:
        f.call(1, b"abcd", b"efgh")
        f.call(1, b"", b"x" * 4, prog=QEMU)
        f.call(9999, b"what we do not know")
        for data in (message(1, MESSAGE, 1, prog=KEEPALIVE), message(500, STREAM, 3, 2, b"bytes"),
                     message(500, STREAM_HOLE, 3)):
            f.client.sendall(data)
            assert read_exact(f.libvirt, len(data)) == data
            f.libvirt.sendall(data)
            assert read_exact(f.client, len(data)) == data


@case
def descriptors():
    with Filter() as f:
        data = message(500, CALL_WITH_FDS, 1, payload=struct.pack(">I", 3) + b"abcd")
        f.client.sendall(data)
        for _ in range(3):
            send_fd(f.client)
        assert read_exact(f.libvirt, len(data)) == data
        for _ in range(3):
            receive_fd(f.libvirt)
        data = message(500, REPLY_WITH_FDS, 1, payload=struct.pack(">I", 1))
        f.libvirt.sendall(data)
        send_fd(f.libvirt)
        assert read_exact(f.client, len(data)) == data
        receive_fd(f.client)
        # One that is collected and rewritten keeps its own.
        f.client.sendall(message(309, CALL_WITH_FDS, 1, payload=struct.pack(">I", 1)
                                 + string(DOMAIN % HOSTDEV % NETDEV) + bytes(4)))
        send_fd(f.client)
        assert NS in read_message(f.libvirt).string(4)
        receive_fd(f.libvirt)


@case
def define_and_dumpxml():
    with Filter() as f:
        text = DOMAIN % HOSTDEV % NETDEV
        f.client.sendall(message(DEFINE, serial=5, payload=string(text) + bytes(4)))
        call = read_message(f.libvirt)
        stock = call.string()
        assert call.serial == 5 and call.data[-4:] == bytes(4)
        assert NS in stock and "<netdev" not in stock and "<lh:netdev port='1'" in stock, stock
        f.libvirt.sendall(message(DUMPXML, REPLY, 6, payload=string(stock)))
        reply = read_message(f.client)
        assert reply.serial == 6 and NETDEV in reply.string() and NS not in reply.string(), reply.string()
        plain = DOMAIN % HOSTDEV % ""
        f.call(DEFINE, string(plain) + bytes(4))
        f.call(DUMPXML, domain() + bytes(4), string(plain))


@case
def wrong_define():
    with Filter() as f:
        text = DOMAIN % HOSTDEV % "<netdev port='0'/>"
        f.client.sendall(message(DEFINE, serial=5, payload=string(text) + bytes(4)))
        reply, code = f.answer()
        assert (reply.proc, reply.kind, reply.serial, code) == (DEFINE, REPLY, 5, 27), (reply.data, code)
        f.call(1)  # and nothing of it has reached libvirt


@case
def hidden_define():
    """A namespace is what it resolves to, however it is spelt."""
    with Filter() as f:
        bad = f"<metadata><lh:hostdevs xmlns:lh='{NS}'><lh:nonsense/></lh:hostdevs></metadata><memory>"
        text = DOMAIN.replace("<memory>", bad) % ""
        by_type = text.replace(f" xmlns:lh='{NS}'", "")
        for hidden in (text, text.replace("hostdev:1", "hostdev&#58;1"), text.replace("urn:", "urn&#x3a;"),
                       f"<!DOCTYPE domain [<!ATTLIST lh:hostdevs xmlns:lh CDATA '{NS}'>]>" + by_type,
                       "<!DOCTYPE domain [<!ATTLIST lh:hostdevs xmlns:lh CDATA 'urn&#58;libvirt-hostdev&#58;1'>]>" + by_type,
                       f"<!DOCTYPE domain [<!ENTITY u '{NS}'>]>" + text.replace(NS, "&u;"),
                       "<!DOCTYPE domain [<!ENTITY u 'hostdev&#38;#58;1'>]>" + text.replace("hostdev:1", "&u;")):
            f.client.sendall(message(DEFINE, serial=5, payload=string(hidden) + bytes(4)))
            reply, code = f.answer()
            assert (reply.serial, code) == (5, 27), (hidden, reply.data)
        plain = DOMAIN % HOSTDEV % ""
        for text in (plain.replace("<name>", "<title>a&#38;b</title><name>"), "<!DOCTYPE domain>" + plain,
                     plain.replace("<name>", "<!-- a --><title><![CDATA[<]]></title><name>")):
            f.call(DEFINE, string(text) + bytes(4))


@case
def metadata():
    with Filter() as f:
        def get(uri):
            return domain() + struct.pack(">I", 2) + opt(uri) + bytes(4)

        def put(uri):
            return domain() + struct.pack(">I", 2) + opt("<a/>") + opt("a") + opt(uri) + bytes(4)
        f.call(GET_METADATA, get("http://example.org/"), string("<a/>"))
        f.call(SET_METADATA, put("http://example.org/"))
        f.client.sendall(message(GET_METADATA, serial=8, payload=get(NS)))
        reply, code = f.answer()
        assert (reply.serial, code) == (8, 80)
        assert b"metadata not found: Requested metadata element is not present" in reply.payload, reply.payload
        f.client.sendall(message(SET_METADATA, serial=9, payload=put(NS)))
        reply, code = f.answer()
        assert (reply.serial, code) == (9, 55) and b"Write <netdev> in <hostdev>" in reply.payload, reply.payload

        # Namespaces are what they resolve to, wherever they are written and however they are spelt.
        def put_text(text, uri="urn:x"):
            return domain() + struct.pack(">I", 2) + opt(text) + opt("x") + opt(uri) + bytes(4)
        ours = f"<lh:hostdevs xmlns:lh='{NS}'/>"
        hidden = ours.replace("hostdev:1", "hostdev&#58;1")
        by_type = f"<!DOCTYPE lh:hostdevs [<!ATTLIST lh:hostdevs xmlns:lh CDATA '{NS}'>]><lh:hostdevs/>"
        for text in (ours, f"<a>{ours}</a>", f"<a xmlns='{NS}'/>", hidden, f"<a>{hidden}</a>", by_type,
                     by_type.replace(NS, NS.replace(":1", "&#x3a;1"))):
            f.client.sendall(message(SET_METADATA, serial=9, payload=put_text(text)))
            reply, code = f.answer()
            assert (reply.serial, code) == (9, 27) and b"which no other metadata may use" in reply.payload, (text, reply.payload)
        for text in ("<a/>", f"<a><!-- {NS} --></a>", "<a b='&#58;'/>", "<q:a/>", "<a" + " ".join(f" a{n}=''" for n in range(300)) + "/>"):
            f.call(SET_METADATA, put_text(text))
        # A title is no XML.
        f.call(SET_METADATA, domain() + struct.pack(">I", 1) + opt(ours) + opt(None) + opt(None) + bytes(4))

        for uri in (NS, NS + ":permission", "http://example.org/"):
            f.libvirt.sendall(message(METADATA_EVENT, MESSAGE, 1, payload=bytes(4) + domain() + struct.pack(">I", 2)
                                      + opt(uri)))
        event = read_message(f.client)
        assert b"http://example.org/" in event.payload
        f.call(1)


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
        f.call(1)
    with Filter() as f:
        named(f, STATS, xml=large)
        reply, code = f.answer()
        assert (reply.serial, code) == (20, 27) and b"more than 256 attributes" in reply.payload, reply.data
        f.call(1)


@case
def damaged_metadata():
    """What of ours cannot be read may be removed, and nothing else."""
    good = f"<lh:hostdevs xmlns:lh='{NS}'><lh:hostdev><lh:source><lh:address bus='6'/></lh:source><lh:netdev port='1'/></lh:hostdev></lh:hostdevs>"
    for text, flags, seen, removed in (
            (good, 1, 0, False), (good + good, 2, 2, True), (f"<lh:hostdevs xmlns:lh='{NS}'><lh:nonsense/></lh:hostdevs>", 2, 2, True)):
        with Filter() as f:
            call = domain() + struct.pack(">I", 2) + opt(None) + opt(None) + opt(NS) + struct.pack(">I", flags)
            f.client.sendall(message(SET_METADATA, serial=9, payload=call))
            asked = read_message(f.libvirt)
            assert asked.proc == DUMPXML and asked.serial >= OURS and asked.payload == domain() + struct.pack(">I", seen), asked.data
            shown = DOMAIN.replace("<memory>", f"<metadata>{text}</metadata><memory>") % ""
            f.libvirt.sendall(message(DUMPXML, REPLY, asked.serial, payload=string(shown)))
            if removed:
                passed = read_message(f.libvirt)
                assert (passed.proc, passed.serial, passed.payload) == (SET_METADATA, 9, call), passed.data
            else:
                reply, code = f.answer()
                assert (reply.serial, code) == (9, 55) and b"kept by virthostdevd" in reply.payload, reply.payload


@case
def started():
    """A client hears of its start when the broker has seen that the VFs are set; or that they are not."""
    uuid = bytes.fromhex(UUID.replace("-", ""))
    for proc, payload, reply in ((9, domain(), b""), (196, domain() + bytes(4), domain()), (310, domain() + bytes(4), domain()),
                                 (REVERT, string("snap") + domain() + bytes(4), b"")):
        for answer, code in (("ok %d", None), ("error %d 2 not set", 9), ("error %d 1 libvirt is away", None)):
            with Filter() as f:
                f.client.sendall(message(proc, serial=7, payload=payload))
                call = read_message(f.libvirt)
                assert (call.proc, call.payload) == (proc, payload) and (call.serial >= OURS) == (proc in (9, REVERT)), call.data
                f.libvirt.sendall(message(proc, REPLY, call.serial, payload=reply))
                verb, number = request(f)
                assert verb == "verify" and uuid in payload
                f.call(1, serial=8)  # everything else flows
                f.broker.send((answer % int(number)).encode())
                if code:
                    got, error = f.answer()
                    assert (got.proc, got.serial, error) == (proc, 7, code) and b"not set" in got.payload, got.data
                else:
                    got = read_message(f.client)
                    assert (got.proc, got.serial, got.status, got.payload) == (proc, 7, OK, reply), got.data
        with Filter() as f:  # libvirt's own refusal
            f.client.sendall(message(proc, serial=7, payload=payload))
            call = read_message(f.libvirt)
            f.libvirt.sendall(error_reply(proc, call.serial, 55, "domain is already running"))
            got, error = f.answer()
            assert (got.serial, error) == (7, 55), got.data
            f.call(1)


# ---- calls that are held ----

def attach(f, serial=20, kind=CALL, count=b"", device=HOSTDEV % NETDEV):
    f.client.sendall(message(ATTACH, kind, serial, payload=count + domain() + string(device) + struct.pack(">I", 1)))


def permit(f, error=None):
    """libvirt is asked first whether the client may change the domain, by what changes nothing."""
    call = read_message(f.libvirt)
    assert call.proc == SET_METADATA and call.serial >= OURS, call.data
    assert call.payload.startswith(domain() + struct.pack(">I", 2) + opt(None) + opt(None) + opt(NS + ":permission")), call.payload
    f.libvirt.sendall(error_reply(SET_METADATA, call.serial, *error) if error else message(SET_METADATA, REPLY, call.serial))


def request(f):
    verb, number, *rest = f.broker.recv(10000).decode().split()
    assert rest[0] == UUID, rest
    return verb, number


@case
def held_attach():
    with Filter() as f:
        attach(f)
        permit(f)
        verb, number = request(f)
        assert verb == "begin"
        f.call(1, serial=21)  # everything else flows
        ping = message(1, MESSAGE, 1, prog=KEEPALIVE)
        f.libvirt.sendall(ping)
        assert read_exact(f.client, len(ping)) == ping
        f.broker.send(b"ok " + number.encode())
        seen = play(f)
        assert seen == [DUMPXML, SET_METADATA, "prepare", ATTACH, "end"], seen
        assert read_message(f.client).data == message(ATTACH, REPLY, 20)
        f.call(1)


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
                    assert (verb, uuid, address) == ("check", UUID, "0000:06:02.0"), (verb, address)
                    f.broker.send(f"error {number} 3 its VFs are in use".encode() if refused else f"ok {number}".encode())
                    if refused:
                        reply, code = f.answer()
                        assert (reply.serial, code) == (20, 55) and b"its VFs are in use" in reply.payload, reply.payload
                        f.call(1) # and libvirt has heard of nothing
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
        f.call(1)


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
                assert code == 55 and b"defined anew" in reply.payload, reply.payload


OTHER = HOSTDEV.replace("bus='0x06'", "bus='0x07'") % ""
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
                assert code == 55 and b"0000:07:02.0, whose netdevs may be lost" in reply.payload, reply.payload


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
            f.call(1)
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
            f.call(1, serial=serial)
            for kept in (serial, serial ^ OURS): # calls that libvirt has not answered are passed by
                f.client.sendall(message(1, serial=kept))
                assert read_message(f.libvirt).serial == kept
            f.client.sendall(message(ATTACH, serial=serial - 1 & 0xFFFFFFFF, payload=domain() + string(HOSTDEV % NETDEV) + struct.pack(">I", 1)))
            call = read_message(f.libvirt)
            assert call.proc == SET_METADATA and call.serial not in (serial, serial ^ OURS, serial - 1 & 0xFFFFFFFF), call.data
            f.libvirt.sendall(error_reply(SET_METADATA, call.serial, 88, "access denied"))
            assert f.answer()[0].serial == serial - 1 & 0xFFFFFFFF
            for kept in (serial, serial ^ OURS):
                back = message(1, REPLY, kept)
                f.libvirt.sendall(back)
                assert read_exact(f.client, len(back)) == back
    with Filter() as f:
        attach(f)
        ours = read_message(f.libvirt).serial
        f.client.sendall(message(1, serial=ours))
        time.sleep(0.1)
        f.libvirt.sendall(error_reply(SET_METADATA, ours, 88, "access denied"))
        f.expect_gone(f.client)


@case
def behind_long_calls():
    """libvirt takes five calls of a connection at a time: one of ours behind them must not be sent, for it could not be
    taken back, and the domain would be locked for as long as they take."""
    def long_calls(f, count):
        for serial in range(100, 100 + count):
            f.client.sendall(message(1, serial=serial))
            assert read_message(f.libvirt).serial == serial

    def answer_one(f, serial):
        f.libvirt.sendall(message(1, REPLY, serial))
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
        f.call(1)


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
        f.call(1)


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
        f.call(1)
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
    assert seen == [*begin, DUMPXML, DEFINE_XML, SET_METADATA, "end"] and b"whose netdevs may be lost" in reply.payload, (seen, reply.data)
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
            assert (verb, uuid, address) == ("stats", UUID, "0000:06:02.0"), address
            f.broker.send(f"stats {number} 1000 10 2000 20".encode())
            reply = read_message(f.client)
            assert (reply.serial, reply.status) == (20, OK), reply.data
            none = (1 << 64) - 1
            assert NUMBERS.unpack(reply.payload) == (1000, 10, none, none, 2000, 20, none, none), reply.payload
            f.call(1)


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
                f.call(1)
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
        f.call(1)


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
        f.libvirt.sendall(message(1, MESSAGE, 1))  # for nobody
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
        f.client.sendall(message(1, payload=b"x" * 100)[:60])
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
        f.call(1)


# ---- ends ----

@case
def client_goes():
    with Filter() as f:
        f.client.sendall(message(1))
        f.client.close()
        assert read_message(f.libvirt).proc == 1
        assert f.wait() == 0 and f.text == "", f.text
        f.expect_gone(f.libvirt)


@case
def libvirt_goes():
    with Filter() as f:
        last = error_reply(66, 1, 45, "authentication failed") + message(1, REPLY, 2, payload=b"x" * 1000000)
        threading.Thread(target=lambda: (f.libvirt.sendall(last), f.libvirt.close())).start()
        time.sleep(0.3)
        assert read_exact(f.client, len(last)) == last
        f.expect_gone(f.client)
        assert f.wait() == 0 and f.text == "", f.text


@case
def broker_goes():
    with Filter() as f:
        attach(f)
        permit(f)
        f.broker.close()
        assert f.wait() == 0
        f.expect_gone(f.client)
        f.expect_gone(f.libvirt)


@case
def broker_talks_nonsense():
    with Filter() as f:
        f.broker.send(b"ok 77")
        assert f.wait() == 0 and "broker: " in f.text, f.text


@case
def no_libvirt():
    with Filter(listening=False) as f:
        assert f.wait() == 1
        assert f.path in f.text and f"uid {os.getuid()}:" in f.text and "refused" in f.text, f.text
        assert f.text.count("\n") == 1
        f.expect_gone(f.client)


@case
def usage():
    for arguments in ([], ["/x"], ["x", "y"]):
        done = subprocess.run([FILTER] + arguments, stderr=subprocess.PIPE, check=False)
        assert done.returncode == 2 and b"usage" in done.stderr


# ---- hostile ----

@case
def hostile():
    fds = struct.pack(">I", 1) + b"abcd"
    for name, data in {
            "length 0": b"\0" * 28, "length 3": struct.pack(">I", 3) + bytes(24),
            "length 27": struct.pack(">I", 27) + bytes(24), "length 2^31-1": struct.pack(">I", 2**31 - 1) + bytes(24),
            "length 2^32-1": b"\xff" * 28, "type 7": message(1, 7), "a reply": message(1, REPLY),
            "a reply with descriptors": message(1, REPLY_WITH_FDS, payload=fds),
            "no descriptor": message(1, CALL_WITH_FDS, payload=fds) + b"\0",
            "33 descriptors": message(1, CALL_WITH_FDS, payload=struct.pack(">I", 33)),
            "no count": message(1, CALL_WITH_FDS)}.items():
        with Filter() as f:
            f.client.sendall(data)
            f.expect_gone(f.client)
            assert f.wait() == 0, (name, f.code)
            assert re.fullmatch(r"virt-hostdev-filter: client of uid \d+: client: [^\n]+\n", f.text), (name, f.text)
    with Filter() as f:
        f.client.sendall(message(1))
        send_fd(f.client)
        assert f.wait() == 0 and "no message has announced" in f.text, f.text


@case
def hostile_libvirt():
    for data in (message(1), message(1, CALL_WITH_FDS, payload=bytes(4)), b"\xff" * 28):
        with Filter() as f:
            f.libvirt.sendall(data)
            f.expect_gone(f.client)
            assert f.wait() == 0 and f.text.count("\n") == 1 and " libvirt: " in f.text, f.text


# What was good before it arrives, however slowly it is read.
@case
def good_before_bad():
    good = message(1, REPLY, 2, payload=b"x" * 300000)
    with Filter() as f:
        threading.Thread(target=f.libvirt.sendall, args=[good + b"\xff" * 28]).start()
        time.sleep(0.3)
        assert read_exact(f.client, len(good)) == good
        f.expect_gone(f.client)
    good = message(1, payload=b"x" * 300000)
    with Filter() as f:
        threading.Thread(target=f.client.sendall, args=[good + b"\xff" * 28]).start()
        time.sleep(0.3)
        assert read_exact(f.libvirt, len(good)) == good
        f.expect_gone(f.libvirt)


@case
def half_a_message():
    for data in (message(1)[:3], message(1)[:27], message(1, payload=b"x" * 100)[:50],
                 message(DEFINE, payload=string("x" * 5000))[:4000]):
        with Filter() as f:
            f.client.sendall(data)
            f.client.close()
            assert f.wait() == 0 and f.text == "", f.text


# A made-up length alone must not cost memory.
@case
def claimed_length():
    with Filter() as f:
        before = f.private()
        f.client.sendall(struct.pack(">7I", 32 << 20, REMOTE, 1, DEFINE, CALL, 1, 0) + bytes(100))
        time.sleep(0.2)
        assert f.private() < before + 200, (before, f.private())


@case
def greatest_xml():
    with Filter() as f:
        frame = DOMAIN % "<!--%s-->"
        for extra in (0, 1):
            text = frame % ("x" * (STRING_MAX + extra - len(frame) + 2))
            data = message(DEFINE, payload=string(text) + bytes(4))
            threading.Thread(target=f.client.sendall, args=[data]).start()
            assert read_exact(f.libvirt, len(data)) == data  # libvirt says what it thinks of it
        text = DOMAIN % (HOSTDEV % NETDEV + "<!--%s-->")
        text %= "x" * (STRING_MAX - len(text) + 2)
        assert len(text) == STRING_MAX
        f.client.sendall(message(DEFINE, serial=30, payload=string(text) + bytes(4)))
        reply, code = f.answer()
        assert (reply.serial, code) == (30, 27), (reply.serial, code)
        text = text.replace("x" * 1000, "")
        f.client.sendall(message(DEFINE, serial=31, payload=string(text) + bytes(4)))
        stock = read_message(f.libvirt).string()
        assert NS in stock and len(stock) > len(text)
        time.sleep(4)
        print("# private memory after it:", f.private(), "KiB")
        assert f.private() < 1024
        f.call(1)


# ---- what it may do, and what it costs ----

@case
def confined():
    with Filter() as f, open(f"/proc/{f.pid}/status") as file:
        status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        assert status["Seccomp"].strip() == "2" and status["NoNewPrivs"].strip() == "1"
        assert int(status["CapEff"], 16) == int(status["CapPrm"], 16) == int(status["CapInh"], 16) == 0
        assert os.getuid() != 0 or int(status["CapBnd"], 16) == 0
        assert resource.prlimit(f.pid, resource.RLIMIT_CORE) == (0, 0)
        assert resource.prlimit(f.pid, resource.RLIMIT_NOFILE)[1] <= 512
        if os.getuid() == 0:
            assert sorted(os.listdir(f"/proc/{f.pid}/fd"), key=int) == ["0", "1", "2", "3", "4", "5"]


@case
def idle_memory():
    with Filter() as f:
        f.call(1)
        print("# private memory:", f.private(), "KiB; with what others could share:", f.private("Dirty|Clean"), "KiB")
        assert f.private("Dirty|Clean") < 2048


# What a call leaves behind it would be seen here.
@case
def memory_of_many():
    with Filter() as f:
        def rounds(count):
            for _ in range(count):
                f.client.sendall(message(DEFINE, payload=string(DOMAIN % HOSTDEV % "<netdev/>") + bytes(4)))
                f.answer()
                f.client.sendall(message(DEFINE, payload=string(DOMAIN % HOSTDEV % NETDEV) + bytes(4)))
                f.libvirt.sendall(message(DUMPXML, REPLY, 6, payload=string(read_message(f.libvirt).string())))
                read_message(f.client)
                attach(f)
                permit(f)
                f.broker.send(b"error " + request(f)[1].encode() + b" 3 no")
                f.broker.send(b"ok " + request(f)[1].encode())
                f.answer()
            return f.private()
        before, after = rounds(100), rounds(1000)
        print("# private memory after 100 and 1100 rounds:", before, after, "KiB")
        assert after < before + 100


# ---- real ones ----

class Listener(threading.Thread):
    """What virthostdevd is: a filter for each client, and a broker that says yes."""

    def __init__(self, path, stock):
        super().__init__(daemon=True)
        self.stock, self.pids, self.brokers = stock, [], []
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.bind(path)
        self.socket.listen()
        self.start()

    def run(self):
        while True:
            client = self.socket.accept()[0]
            here, there = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.brokers.append(here)
            self.pids.append(spawn(client.fileno(), there.fileno(), self.stock, 1))
            client.close()
            there.close()
            threading.Thread(target=self.agree, args=[here], daemon=True).start()

    @staticmethod
    def agree(broker):
        while packet := broker.recv(10000):
            broker.send(b"ok " + packet.split()[1])


def start_libvirtd():
    """One without any driver but the test driver, which is in the library."""
    with open(f"{WORK}/libvirtd.conf", "w") as file:
        file.write(f'unix_sock_dir = "{WORK}/sock"\nauth_unix_ro = "none"\nauth_unix_rw = "none"\n')
    for name in ("sock", "none", "run"):
        os.mkdir(f"{WORK}/{name}")
    environment = dict(os.environ, LIBVIRT_DRIVER_DIR=f"{WORK}/none", XDG_RUNTIME_DIR=f"{WORK}/run", HOME=WORK)
    daemon = subprocess.Popen(["libvirtd", "-f", f"{WORK}/libvirtd.conf", "-p", f"{WORK}/libvirtd.pid"],
                              env=environment, stderr=subprocess.DEVNULL)
    for _ in range(200):
        if os.path.exists(f"{WORK}/sock/libvirt-sock"):
            return daemon
        time.sleep(0.05)
    daemon.kill()
    raise AssertionError("libvirtd did not start")


def virsh(*arguments, code=0):
    done = subprocess.run(["virsh", "-q", "-c", f"test+unix:///default?socket={WORK}/front", *arguments],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False)
    text = done.stdout.decode(errors="replace")
    assert done.returncode == code, (arguments, text)
    return text


@case
def real_libvirt():
    if not shutil.which("libvirtd") or not shutil.which("virsh"):
        return "libvirtd or virsh is missing"
    daemon = start_libvirtd()
    try:
        listener = Listener(f"{WORK}/front", f"{WORK}/sock/libvirt-sock")
        # The test driver forgets all when its last connection closes: so one stays open.
        keeper = subprocess.Popen(["virsh", "-q", "-c", f"test+unix:///default?socket={WORK}/sock/libvirt-sock"],
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        keeper.stdin.write(b"list\n")
        keeper.stdin.flush()
        keeper.stdout.readline()
        assert "test" in virsh("list", "--all")
        with open(f"{WORK}/vm.xml", "w") as file:
            file.write(DOMAIN % HOSTDEV % NETDEV)
        virsh("define", f"{WORK}/vm.xml")
        shown = virsh("dumpxml", "vm")
        assert "<netdev port='1'>" in shown and NS not in shown, shown
        assert "Requested metadata element is not present" in virsh("metadata", "vm", NS, code=1)
        assert "kept by virthostdevd" in virsh("metadata", "vm", NS, "--key", "a", "--set", "<a/>", code=1)
        virsh("screenshot", "test", f"{WORK}/screen")
        assert os.path.getsize(f"{WORK}/screen") > 1000
        virsh("start", "vm")
        virsh("destroy", "vm")
        virsh("undefine", "vm")
        keeper.communicate()
        for pid in listener.pids:
            assert os.waitpid(pid, 0)[1] == 0
    finally:
        daemon.terminate()
        daemon.wait()
    return None


def main():
    bad = 0
    print(f"1..{len(CASES)}")
    for number, function in enumerate(CASES, 1):
        name = function.__name__.replace("_", "-")
        try:
            skip = function()
            print(f"ok {number} - {name}" + (f" # SKIP {skip}" if skip else ""), flush=True)
        except Exception:
            bad = 1
            print(f"not ok {number} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print("#", line[:500])
    shutil.rmtree(WORK)
    return bad


sys.exit(main())

#!/usr/bin/env python3
# hostile.py SOCKET: clients that break every rule of libvirt's protocol, while another one just works.
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Nothing is asked of how the daemon answers, as long as it does: with an error or by closing, within DEADLINE. The one
# who behaves must not notice: no error, no call slower than WORST. In the end all processes are gone, and before that
# they have not taken more memory than MEMORY each.
#
# Messages and numbers: virnetprotocol.x and remote_protocol.x of libvirt.
import array
import glob
import os
import socket
import struct
import subprocess
import sys
import time

import libvirt

import tap

DEADLINE = int(os.environ.get("CLIENTS_DEADLINE", 30))  # seconds for an answer, on a slow and busy machine
WORST = 5  # seconds for a call of the one who behaves
MEMORY = 4 << 20  # bytes of private memory a process, on average

REMOTE, KEEPALIVE = 0x20008086, 0x6B656570
CALL, REPLY, MESSAGE, STREAM, CALL_FDS, REPLY_FDS, HOLE = range(7)
OPEN, LIB_VERSION, CAPABILITIES, DEFINE, AUTH_LIST, ATTACH, SAVE_PARAMS, FILES = 1, 157, 7, 11, 66, 8, 440, 309
STRING_MAX = 4 << 20


def uint(value):
    return struct.pack(">I", value)


def string(data, length=None):
    return uint(len(data) if length is None else length) + data + b"\0" * (-len(data) % 4)


def message(proc, payload=b"", kind=CALL, serial=1, prog=REMOTE, vers=1, status=0, length=None):
    return struct.pack(">7I", 28 + len(payload) if length is None else length, prog, vers, proc, kind, serial, status) + payload


class Client:
    """A connection that does as it is told."""

    def __init__(self, path, login=False):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(path)
        if login:
            self.send(message(AUTH_LIST))
            self.answer()
            self.send(message(OPEN, uint(1) + string(b"qemu:///system") + uint(0), serial=2))
            self.answer()

    def send(self, data, fds=()):
        """False when the other side has closed, which is its good right."""
        try:
            if fds:
                self.socket.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
            else:
                self.socket.sendall(data)
            return True
        except (BrokenPipeError, ConnectionResetError):
            return False

    def read(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            if not piece:
                break
            data += piece
        return data

    def answer(self):
        """What comes: "closed", "silent", or the reply's status ("works", "error") and text."""
        try:
            head = self.read(28)
            if len(head) < 28:
                return "closed", ""
            length, _, _, _, kind, _, status = struct.unpack(">7I", head)
            body = self.read(length - 28)
            return ("error" if status == 1 else "works" if kind in (REPLY, REPLY_FDS) else "message"), body.decode("utf-8", "replace")
        except (ConnectionResetError, BrokenPipeError):
            return "closed", ""
        except socket.timeout:
            return "silent", ""

    def close(self):
        self.socket.close()


def well_behaved(path):
    """The other client, as a process of its own: calls until its input ends, then says how it went."""
    conn = libvirt.open("qemu+unix:///system?socket=" + path)
    calls, worst, wrong = 0, 0.0, "none"
    os.set_blocking(0, False)
    print("ready", flush=True)
    while True:
        start = time.monotonic()
        try:
            conn.getLibVersion()
            conn.listAllDomains()
        except libvirt.libvirtError as error:
            wrong = str(error).replace("\n", " ")
        worst = max(worst, time.monotonic() - start)
        calls += 1
        try:
            if not os.read(0, 1):
                break
        except BlockingIOError:
            pass
        time.sleep(0.01)
    print("%d %.3f %s" % (calls, worst, wrong))


def filters():
    """The processes that stand between clients and libvirt, and how much memory is theirs alone."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/comm"):
        folder = os.path.dirname(path)
        try:
            with open(path, encoding="ascii") as f:
                if not f.read().startswith("virt-hostdev-fi"):
                    continue
            with open(folder + "/smaps_rollup", encoding="ascii") as f:
                lines = [line.split() for line in f if line.startswith("Private_")]
            found[int(folder[6:])] = sum(int(line[1]) for line in lines) << 10
        except OSError:
            continue  # it has just ended
    return found


class Test(tap.Tap):
    def __init__(self, path):
        super().__init__()
        self.path = path
        self.open = []

    def client(self, login=False):
        one = Client(self.path, login)
        self.open.append(one)
        return one

    def ends(self, what, data, login=False, fds=(), expect=("closed", "error")):
        """Send something; the answer has to be one of @expect. The connection stays open to the end."""
        one = self.client(login)
        if "silent" in expect:
            one.socket.settimeout(1)
        start = time.monotonic()
        one.send(data, fds)
        kind, text = one.answer()
        self.check(kind in expect, "%s: %s" % (what, kind), "%.1f s, expected one of %r: %s" % (time.monotonic() - start, expect, text))
        return text

    def lasts(self, what, data, login=False, fds=()):
        """Send something to which no answer can be given yet, and leave it like that."""
        one = self.client(login)
        one.send(data, fds)
        self.check(True, what)


def lengths(t):
    for length in (0, 1, 3, 27, 1 << 31, (1 << 32) - 1, (32 << 20) + 29):
        t.ends("a message of length %d" % length, message(LIB_VERSION, length=length))
        t.ends("the same, after a login", message(LIB_VERSION, length=length), login=True, expect=("closed",))
    t.ends("length 28 and nothing in it", b"\0\0\0\x1c" + b"\0" * 24)
    t.ends("program 0", message(1, prog=0))
    t.ends("an unknown program", message(1, prog=0x12345678), login=True)
    t.ends("another version", message(LIB_VERSION, vers=99), login=True)
    t.ends("an unknown procedure", message(99999), login=True)
    t.ends("a call with an error's status", message(LIB_VERSION, status=1), login=True, expect=("closed", "error", "silent"))
    t.ends("an unknown type", message(LIB_VERSION, kind=9), login=True)
    for kind, name in ((REPLY, "reply"), (REPLY_FDS, "reply with descriptors"), (MESSAGE, "event")):
        t.ends("a client's " + name, message(LIB_VERSION, uint(0), kind=kind) + message(LIB_VERSION, serial=9), login=True, expect=("closed", "error", "works"))
    for kind in (STREAM, HOLE):
        t.ends("data of a stream that is not there", message(LIB_VERSION, kind=kind, status=2), login=True, expect=("closed", "error", "silent"))
    for serial in (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF):
        t.ends("serial number %#x" % serial, message(LIB_VERSION, serial=serial), login=True, expect=("works",))
    t.ends("a keepalive that makes no sense", message(77, prog=KEEPALIVE, kind=MESSAGE) + message(LIB_VERSION, serial=8), login=True, expect=("closed", "works"))
    t.ends("a call before the login", message(LIB_VERSION))


def stalls(t):
    t.lasts("nothing at all", b"")
    t.lasts("one byte", b"\0")
    t.lasts("half a header", message(LIB_VERSION)[:14])
    t.lasts("a call of 32 MiB that never comes", message(DEFINE, b"\0" * 4096, length=32 << 20), login=True)
    for _ in range(20):
        t.open[-1:] and t.client(True).send(message(DEFINE, uint(STRING_MAX) + b"<" * 4096, length=STRING_MAX + 32))
    t.check(True, "20 of them, of 4 MiB")
    for cut in (1, 4, 27, 28, 29, 40):
        one = t.client(True)
        one.send(message(DEFINE, string(b"<domain/>") + uint(0))[:cut])
        one.close()
    t.check(True, "half a message, then gone")
    deaf(t)


def deaf(t):
    """Asks and asks, and reads nothing: then the others have to wait, and no memory may be filled with answers."""
    one = t.client(True)
    one.socket.settimeout(2)
    try:
        for serial in range(10, 20000):
            one.send(message(CAPABILITIES, serial=serial))
    except socket.timeout:
        pass
    t.check(True, "one who does not read")


def descriptors(t):
    null = os.open("/dev/null", os.O_RDONLY)
    t.ends("a descriptor with an ordinary call", message(LIB_VERSION), True, [null], ("closed", "error", "works"))
    t.ends("200 descriptors with an ordinary call", message(LIB_VERSION), True, [null] * 200, ("closed", "error", "works"))
    t.lasts("a descriptor with half a header", message(LIB_VERSION)[:10], True, [null])
    empty = string(b"<domain/>") + uint(0)
    t.lasts("two descriptors announced, none sent", message(FILES, uint(2) + empty, CALL_FDS), True)
    t.ends("one announced, and bytes instead", message(FILES, uint(1) + empty, CALL_FDS) + message(LIB_VERSION), True)
    for count in (33, 1000, 0xFFFFFFFF):
        t.ends("%d descriptors announced" % count, message(FILES, uint(count) + empty, CALL_FDS), True)
    t.ends("descriptors announced in an empty message", message(FILES, b"", CALL_FDS), True)
    one = t.client(True)
    one.send(message(FILES, uint(32) + empty, CALL_FDS))
    for _ in range(32):
        one.send(b"\0", [null])
    t.check(one.answer()[0] == "error", "32 descriptors are passed on, and libvirt says what it thinks of them")
    one = t.client(True)
    one.send(message(FILES, uint(3) + empty, CALL_FDS))
    one.send(b"\0", [null, null, null])
    t.check(True, "three descriptors behind one byte")
    os.close(null)


# No hypervisor is called "none": whatever gets as far as libvirt is refused there.
DOMAIN = b"<domain type='none'><name>hostile</name><memory>32768</memory><os><type>hvm</type></os><devices>%s</devices></domain>"
HOSTDEV = b"<hostdev mode='subsystem' type='pci'><source><address bus='6' slot='2' function='0'/></source>%s</hostdev>"
NETDEV = DOMAIN % (HOSTDEV % b"<netdev port='1'/>")


def define(text, length=None):
    return message(DEFINE, string(text, length), serial=3)


def padded(size):
    """A document of that size, with a netdev."""
    start, end = DOMAIN.split(b"%s")
    start += HOSTDEV % b"<netdev port='1'/>" + b"<!--"
    return start + b"x" * (size - len(start) - len(end) - 3) + b"-->" + end


def documents(t):
    bomb = b"<!DOCTYPE d [<!ENTITY a '%s'>%s]>" % (b"x" * 1000, b"".join(b"<!ENTITY %c '%s'>" % (98 + n, b"&%c;" % (97 + n) * 100) for n in range(8)))
    cases = [
        ("entities that grow", bomb + NETDEV.replace(b"hostile", b"&i;")),
        ("an entity of a file", b"<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/shadow'>]>" + NETDEV.replace(b"hostile", b"&a;")),
        ("a document type elsewhere", b"<!DOCTYPE d SYSTEM 'http://127.0.0.1:1/x.dtd'>" + NETDEV),
        ("100000 elements deep", NETDEV.replace(b"<memory>", b"<a>" * 100000 + b"</a>" * 100000 + b"<memory>")),
        ("100000 elements that do not end", NETDEV[:-9] + b"<netdev port='1'>" * 100000),
        ("200000 attributes", NETDEV.replace(b"<memory>", b"<a " + b" ".join(b"a%d='1'" % n for n in range(200000)) + b"/><memory>")),
        ("200000 attributes that hash alike", NETDEV.replace(b"<memory>", b"<a " + b" ".join(b"a='%d'" % n for n in range(200000)) + b"/><memory>")),
        ("200000 namespaces", NETDEV.replace(b"<memory>", b"<a " + b" ".join(b"xmlns:a%d='u'" % n for n in range(100000)) + b"/><memory>")),
        ("50000 netdevs", DOMAIN % (HOSTDEV % b"".join(b"<netdev port='%d'/>" % n for n in range(50000)))),
        ("20000 hostdevs", DOMAIN % (HOSTDEV % b"<netdev port='1'/>" * 20000)),
        ("a name of a million letters", NETDEV.replace(b"<memory>", b"<%s/><memory>" % (b"n" * 1000000))),
        ("invalid UTF-8", NETDEV.replace(b"hostile", b"host\xff\xfeile")),
        ("a cut UTF-8 sequence", NETDEV[:-1] + b"\xe2\x82"),
        ("a NUL", NETDEV.replace(b"hostile", b"host\0ile")),
        ("a NUL before the netdev", b"<domain>\0" + NETDEV),
        ("UTF-16", b"\xff\xfe" + NETDEV.decode().encode("utf-16-le")),
        ("another encoding", b"<?xml version='1.0' encoding='EBCDIC-CP-US'?>" + NETDEV),
        ("nothing", b""),
        ("4 MiB", padded(STRING_MAX)),
        ("4 MiB and one byte", padded(STRING_MAX + 1)),
        ("31 MiB", padded(31 << 20)),
    ]
    for name, text in cases:
        start = time.monotonic()
        t.ends("a document: " + name, define(text), login=True)
        t.note("%.2f s, the largest filter has %.1f MiB" % (time.monotonic() - start, max(filters().values(), default=0) / 2**20))
    shown = t.ends("XML that is wrong: the message goes out whole", define(NETDEV.replace(b"port='1'", b"port='\xc3\xa9\xe2\x82\xac'")), login=True)
    t.check("netdev" in shown, "and says what it is about", shown)
    secret = b"<devices><graphics type='vnc' passwd='hunter2'/>"
    shown = t.ends("a mistake beside a password", define(NETDEV.replace(b"port='1'", b"port='x'").replace(b"<devices>", secret)), login=True)
    shown += t.ends("a document that ends behind a password", define(NETDEV.replace(b"<devices>", secret)[:-20]), login=True)
    t.check("hunter2" not in shown, "no answer tells it", shown)
    with open(os.environ["HOSTDEVD_LOG"], encoding="utf-8", errors="replace") as log:
        t.check("hunter2" not in log.read(), "and no line in the daemon's log, or in a filter's")


def strings(t):
    domain = string(b"x") + b"\0" * 16 + uint(1)
    for length in (1, 28, STRING_MAX, STRING_MAX + 1, 0x7FFFFFFF, 0xFFFFFFFC, 0xFFFFFFFF):
        t.ends("a string that says it has %d bytes" % length, define(NETDEV, length), login=True)
        t.ends("a domain's name that says it has %d bytes" % length, message(ATTACH, string(b"x", length) + domain[8:] + string(HOSTDEV % b"<netdev port='1'/>")), login=True)
    t.ends("no payload", message(DEFINE), login=True)
    t.ends("payload left over", message(DEFINE, string(NETDEV) + b"more of it"), login=True)
    t.ends("4294967295 parameters", message(SAVE_PARAMS, domain + uint(0xFFFFFFFF), serial=3), login=True)
    t.ends("parameters of an unknown type", message(SAVE_PARAMS, domain + uint(1) + string(b"dxml") + uint(77) + string(NETDEV), serial=3), login=True)
    t.ends("attach to a domain that is not there", message(ATTACH, domain + string(HOSTDEV % b"<netdev port='1'/>"), serial=3), login=True, expect=("error",))


def crowd(t, many=200):
    before = set(filters())
    for _ in range(many):
        t.client()
    tap.wait_for(lambda: not before or len(set(filters()) - before) == many, DEADLINE)
    t.check(before <= set(filters()), "%d connections that do nothing take nobody's place" % many, before - set(filters()))


def main(path):
    if path == "--well-behaved":
        well_behaved(sys.argv[2])
        return
    t = Test(path)
    before = filters()
    other = subprocess.Popen([sys.executable, __file__, "--well-behaved", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    t.equal(other.stdout.readline(), "ready\n", "a client that behaves")
    working = tap.wait_for(lambda: set(filters()) - set(before), 2)
    for group in (lengths, stalls, descriptors, documents, strings, crowd):
        t.note("group " + group.__name__)
        if group == crowd:
            memory(t, working)  # they would pull down the average
        group(t)
    memory(t, working)
    calls, worst, wrong = other.communicate("")[0].split(" ", 2)
    t.equal(wrong.strip(), "none", "who behaves has had no error")
    t.check(int(calls) > 100 and float(worst) < WORST, "and has not waited long: %s calls, the slowest %s s" % (calls, worst))
    after(t, before)
    t.end()


def memory(t, working):
    if os.environ.get("CLIENTS_SANITIZED"):
        return  # a sanitizer takes many times what the programs do; the other build's run counts
    if not working:
        t.skip("memory", "there is no process called virt-hostdev-filter that can be looked at")
        return
    found = filters()
    total = sum(found.values())
    t.check(total <= MEMORY * len(found), "memory: %.1f MiB in %d processes, %.2f MiB each, the largest %.2f MiB"
            % (total / 2**20, len(found), total / 2**20 / len(found), max(found.values()) / 2**20))


def after(t, before):
    for one in t.open:
        one.close()
    left = lambda: not set(filters()) - set(before)
    t.check(tap.wait_for(left, DEADLINE), "all processes are gone", sorted(filters()))
    conn = libvirt.open("qemu+unix:///system?socket=" + t.path)
    t.check(conn.getLibVersion() > 0, "a new client is served as ever")
    t.equal([d.name() for d in conn.listAllDomains() if d.name() == "hostile"], [], "no domain has been left behind")
    conn.close()


main(sys.argv[1])

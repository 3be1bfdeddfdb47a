# filterlib.py: what the tests of the filter share: messages, a filter between ends that are made up, running cases
# With FILTER_RECORD=DIR in the environment each conversation is also written there, as an input of tests/fuzz/filter.c.
# SPDX-License-Identifier: LGPL-2.1-or-later
import array
import os
import re
import select
import shutil
import signal
import socket
import struct
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
OTHER = HOSTDEV.replace("bus='0x06'", "bus='0x07'") % ""
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


# ---- conversations, as tests/fuzz/filter.c reads them ----

CLIENT, LIBVIRT, BROKER, CLIENT_GOES, LIBVIRT_GOES = range(5)
RECORD_MAX = 8192  # longer ones are cut by libFuzzer (scripts/fuzz)


class Record:
    """What the ends of one filter have said, in order."""
    case, filters = "", 0  # which is running, and how many filters it has had

    def __init__(self, keep_interfaces):
        self.data = bytes([keep_interfaces])
        self.whole = True  # descriptors cannot be written down
        Record.filters += 1
        self.name = f"{Record.case}-{Record.filters}"

    def add(self, who, data):
        for at in range(0, len(data), 0xffff) or [0]:
            part = data[at:at + 0xffff]
            self.data += struct.pack(">BH", who, len(part)) + part

    def write(self):
        if "FILTER_RECORD" in os.environ and self.whole and 4 < len(self.data) <= RECORD_MAX:
            with open(os.path.join(os.environ["FILTER_RECORD"], self.name), "wb") as file:
                file.write(self.data)


class End:
    """A socket of which is written down what is said there."""

    def __init__(self, sock, who, record):
        self.sock, self.who, self.record = sock, who, record

    def __getattr__(self, name):
        return getattr(self.sock, name)

    def sendall(self, data):
        self.record.add(self.who, data)
        self.sock.sendall(data)

    def send(self, data, *flags):
        n = self.sock.send(data, *flags)
        self.record.add(self.who, data[:n])
        return n

    def sendmsg(self, *arguments):
        self.record.whole = False
        return self.sock.sendmsg(*arguments)

    def close(self):
        if self.who != BROKER:
            self.record.add(self.who + CLIENT_GOES, b"")
        self.sock.close()


class NoProfiles(threading.Thread):
    """Between a filter and the broker of a test that knows no profiles: says so whenever one is asked for."""

    def __init__(self, outer, inner, record):
        super().__init__(daemon=True)
        self.outer, self.inner, self.record = outer, inner, record  # sockets towards the filter and the test

    def pass_on(self, packet):
        words = packet.split(b" ")
        if words[0] != b"profile":
            self.inner.send(packet)
            return
        answer = b"error %s 4 No other profile is for these devices" % words[1]
        self.record.add(BROKER, answer)
        self.outer.send(answer)

    def run(self):
        try:
            while True:
                ready = select.select([self.outer, self.inner], [], [])[0]
                for sock in ready:
                    packet = sock.recv(65536)
                    if not packet:
                        return
                    if sock is self.outer:
                        self.pass_on(packet)
                    else:
                        self.outer.send(packet)
        except OSError:
            pass  # one of them has gone, and so does the other
        finally:
            self.outer.close()
            self.inner.close()


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

    def __init__(self, listening=True, keep_interfaces=False, profiles=False):
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
        self.record = Record(keep_interfaces)
        if not profiles:
            outer, (self.broker, inner) = self.broker, socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.broker.settimeout(60)
            outer.settimeout(None)
            NoProfiles(outer, inner, self.record).start()
        self.client, self.broker = End(self.client, CLIENT, self.record), End(self.broker, BROKER, self.record)
        if listening:
            self.libvirt = End(listener.accept()[0], LIBVIRT, self.record)
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
        if not kind:
            self.record.write()
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


# ---- running them ----

def main():
    """Runs the cases of the file that was started; gives the exit code."""
    bad = 0
    print(f"1..{len(CASES)}")
    for number, function in enumerate(CASES, 1):
        name = function.__name__.replace("_", "-")
        Record.case, Record.filters = name, 0
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

#!/usr/bin/env python3
# filter.py VIRT-HOSTDEV-FILTER: the real filter between a client, a libvirt and a broker that are made up here, and
# between virsh and a real libvirtd with nothing but its test driver. What goes through, how it ends, what it may do.
# SPDX-License-Identifier: LGPL-2.1-or-later
import os
import re
import resource
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

from filterlib import * # pylint: disable=wildcard-import,unused-wildcard-import

# ---- what goes through ----

@case
def both_ways():
    with Filter() as f:
        f.call(LIB_VERSION, b"abcd", b"efgh")
        f.call(LIB_VERSION, b"", b"x" * 4, prog=QEMU)
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
        f.call(LIB_VERSION)  # and nothing of it has reached libvirt


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
        f.call(LIB_VERSION)


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
                assert (reply.serial, code) == (9, 55) and b"managed by virthostdevd" in reply.payload, reply.payload


def after_look(f, proc):
    """The call that starts a domain; but for a revert, the domain is looked at first, which may ask for VFs."""
    call = read_message(f.libvirt)
    if proc != REVERT:
        assert (call.proc, call.payload) == (DUMPXML, domain() + struct.pack(">I", 0)) and call.serial >= OURS, call.data
        f.libvirt.sendall(message(DUMPXML, REPLY, call.serial, payload=string(DOMAIN % OTHER)))
        call = read_message(f.libvirt)
    return call


@case
def started():
    """A client hears of its start when the broker has seen that the VFs are set; or that they are not."""
    uuid = bytes.fromhex(UUID.replace("-", ""))
    for proc, payload, reply in ((9, domain(), b""), (196, domain() + bytes(4), domain()), (310, domain() + bytes(4), domain()),
                                 (REVERT, string("snap") + domain() + bytes(4), b"")):
        for answer, code in (("ok %d", None), ("error %d 2 not set", 9), ("error %d 1 libvirt is away", None)):
            with Filter() as f:
                f.client.sendall(message(proc, serial=7, payload=payload))
                call = after_look(f, proc)
                assert (call.proc, call.payload) == (proc, payload) and call.serial >= OURS, call.data
                f.libvirt.sendall(message(proc, REPLY, call.serial, payload=reply))
                verb, number = request(f)
                assert verb == "verify" and uuid in payload
                f.call(LIB_VERSION, serial=8)  # everything else flows
                f.broker.send((answer % int(number)).encode())
                if code:
                    got, error = f.answer()
                    assert (got.proc, got.serial, error) == (proc, 7, code) and b"not set" in got.payload, got.data
                else:
                    got = read_message(f.client)
                    assert (got.proc, got.serial, got.status, got.payload) == (proc, 7, OK, reply), got.data
        with Filter() as f:  # libvirt's own refusal
            f.client.sendall(message(proc, serial=7, payload=payload))
            call = after_look(f, proc)
            f.libvirt.sendall(error_reply(proc, call.serial, 55, "domain is already running"))
            got, error = f.answer()
            assert (got.serial, error) == (7, 55), got.data
            f.call(LIB_VERSION)


# ---- ends ----

@case
def client_goes():
    with Filter() as f:
        f.client.sendall(message(LIB_VERSION))
        f.client.close()
        assert read_message(f.libvirt).proc == LIB_VERSION
        assert f.wait() == 0 and f.text == "", f.text
        f.expect_gone(f.libvirt)


@case
def libvirt_goes():
    with Filter() as f:
        last = error_reply(66, 1, 45, "authentication failed") + message(LIB_VERSION, REPLY, 2, payload=b"x" * 1000000)
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
            "length 2^32-1": b"\xff" * 28, "type 7": message(LIB_VERSION, 7), "a reply": message(LIB_VERSION, REPLY),
            "a reply with descriptors": message(LIB_VERSION, REPLY_WITH_FDS, payload=fds),
            "no descriptor": message(LIB_VERSION, CALL_WITH_FDS, payload=fds) + b"\0",
            "33 descriptors": message(LIB_VERSION, CALL_WITH_FDS, payload=struct.pack(">I", 33)),
            "no count": message(LIB_VERSION, CALL_WITH_FDS)}.items():
        with Filter() as f:
            f.client.sendall(data)
            f.expect_gone(f.client)
            assert f.wait() == 0, (name, f.code)
            assert re.fullmatch(r"virt-hostdev-filter: client of uid \d+: client: [^\n]+\n", f.text), (name, f.text)
    with Filter() as f:
        f.client.sendall(message(LIB_VERSION))
        send_fd(f.client)
        assert f.wait() == 0 and "no message announced" in f.text, f.text


@case
def hostile_libvirt():
    for data in (message(LIB_VERSION), message(LIB_VERSION, CALL_WITH_FDS, payload=bytes(4)), b"\xff" * 28):
        with Filter() as f:
            f.libvirt.sendall(data)
            f.expect_gone(f.client)
            assert f.wait() == 0 and f.text.count("\n") == 1 and " libvirt: " in f.text, f.text


# What was good before it arrives, however slowly it is read.
@case
def good_before_bad():
    good = message(LIB_VERSION, REPLY, 2, payload=b"x" * 300000)
    with Filter() as f:
        threading.Thread(target=f.libvirt.sendall, args=[good + b"\xff" * 28]).start()
        time.sleep(0.3)
        assert read_exact(f.client, len(good)) == good
        f.expect_gone(f.client)
    good = message(LIB_VERSION, payload=b"x" * 300000)
    with Filter() as f:
        threading.Thread(target=f.client.sendall, args=[good + b"\xff" * 28]).start()
        time.sleep(0.3)
        assert read_exact(f.libvirt, len(good)) == good
        f.expect_gone(f.libvirt)


@case
def half_a_message():
    for data in (message(LIB_VERSION)[:3], message(LIB_VERSION)[:27], message(LIB_VERSION, payload=b"x" * 100)[:50],
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
        f.call(LIB_VERSION)


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
        f.call(LIB_VERSION)
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
        assert "managed by virthostdevd" in virsh("metadata", "vm", NS, "--key", "a", "--set", "<a/>", code=1)
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


sys.exit(main())

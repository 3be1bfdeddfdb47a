#!/usr/bin/python3
"""daemon.py VIRTHOSTDEVD FILTERSCRIPT: the daemon between clients, filters and a libvirtd of its own, in TAP.

Everything below /run, /etc/libvirt and /var is this test's own, and so are the processes: it runs in its own mount and
pid namespaces. The filter is replaced by a script, run by FILTERSCRIPT, that does what the test says, so that identities can
be looked at and the broker can be spoken to directly. There are no VFs: a record that names one which no longer exists
is put back by being forgotten, and that is how settling shows. What happens to a real VF is the lab's to prove.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import contextlib
import json
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time

UUID = "11111111-2222-3333-4444-5555555555%02x"
LEASE = 6

FILTER = r"""#!/usr/bin/python3 -IS
import json, os, select, signal, socket, sys
status = dict(l.rstrip("\n").split(":\t", 1) for l in open("/proc/self/status") if ":\t" in l)
fds = sorted(int(n) for n in os.listdir("/proc/self/fd"))
def tell(**what):
    try: os.write(3, (json.dumps(what) + "\n").encode())
    except OSError: sys.exit(0)
def say(status): tell(pid=os.getpid(), argv=sys.argv, env=dict(os.environ), status=status, umask=status["Umask"], oom=open("/proc/self/oom_score_adj").read().strip(),
    fds=[fd for fd in fds if os.path.exists(f"/proc/self/fd/{fd}")], stdin=os.readlink("/proc/self/fd/0"))
os.set_blocking(3, True)
say(status)
while True:
    ready, _, _ = select.select([3, 4], [], [])
    if 4 in ready:
        packet = os.read(4, 10000)
        if not packet: sys.exit(0)
        tell(broker=packet.decode())
    if 3 in ready:
        try: text = os.read(3, 10000)
        except OSError: text = b""
        if not text: sys.exit(0)
        for line in text.decode().splitlines():
            if line == "give": socket.send_fds(socket.socket(fileno=os.dup(3)), [b"x"], [4])
            else: os.write(4, line.encode())
"""

BY_HAND = """<hostdev phase='active'>
  <owner name='%s'/>
  <source><address domain='0x0000' bus='0x01' slot='0x10' function='0x%x'/></source>
  <pf index='0'><address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/></pf>
  <before><netdev port='1'><mac address='00:00:00:00:00:00'/></netdev></before>
  <wanted><netdev port='1'><mac address='52:54:00:01:02:03'/></netdev></wanted>
</hostdev>
"""

RECORD = """<hostdev phase='%(phase)s'>
  <owner name='%(name)s' uuid='%(uuid)s'%(starter)s/>
  <source><address domain='0xfffe' bus='0x%(bus)02x' slot='0x00' function='0x1'/></source>
  <pf index='0'><address domain='0xfffe' bus='0x%(bus)02x' slot='0x00' function='0x0'/></pf>
  <before><netdev port='1'><mac address='00:00:00:00:00:00'/></netdev></before>
  <wanted><netdev port='1'><mac address='52:54:00:01:02:03'/></netdev></wanted>
</hostdev>
"""

HOSTDEV = """<lh:hostdev><lh:source><lh:address domain='0xfffe' bus='0x%02x' slot='0x00' function='0x1'/></lh:source>
<lh:netdev port='1'><lh:mac address='52:54:00:01:02:03'/></lh:netdev></lh:hostdev>"""
DEVICE = """<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/>
<source><address domain='0xfffe' bus='0x%02x' slot='0x00' function='0x1'/></source></hostdev>"""


def bare(*buses):
    """Our metadata for virsh, which has libvirt add the prefix."""
    return metadata(*buses).replace("lh:", "").replace("xmlns:lh", "xmlns").replace(" xmlns='urn:libvirt-hostdev:1'", "")


def metadata(*buses):
    return "<lh:hostdevs xmlns:lh='urn:libvirt-hostdev:1'>%s</lh:hostdevs>" % "".join(HOSTDEV % bus for bus in buses)


def domain_xml(n, named=(), devices=()):
    return f"""<domain type='qemu'><name>vm{n}</name><uuid>{UUID % n}</uuid><memory unit='MiB'>16</memory>
<metadata>{metadata(*named) if named else ""}</metadata>
<os><type arch='x86_64' machine='pc'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='piix3-uhci'/>
<memballoon model='none'/>{"".join(DEVICE % bus for bus in devices)}</devices></domain>"""


def until(what, seconds=60):
    """Wait until what() is true, and give it."""
    end = time.monotonic() + seconds
    while not (value := what()):
        if time.monotonic() > end:
            raise AssertionError("timed out")
        time.sleep(0.02)
    return value


def write(path, text, mode=0o644):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def run(*argv, check=True, **more):
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, **more)
    if check and done.returncode:
        raise AssertionError(f"{argv}: {done.stderr}")
    return done


def alive(path):
    """Does somebody listen there?"""
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.connect(path)
        except OSError:
            return False
        return True


# ---- libvirtd ----

STOCK = "/run/libvirt/libvirt-sock"
libvirtd = None


def start_libvirtd():
    global libvirtd
    with open("/run/libvirtd.log", "a", encoding="utf-8") as log:
        libvirtd = subprocess.Popen(["/usr/sbin/libvirtd", "-f", "/etc/libvirt/libvirtd.conf"], stdout=log, stderr=log)
    until(lambda: alive(STOCK))


def virsh(*argv, **more):
    return run("virsh", "-q", "-c", "qemu+unix:///system?socket=" + STOCK, *argv, **more).stdout


def define(n, **more):
    path = f"/run/vm{n}.xml"
    write(path, domain_xml(n, **more))
    virsh("define", path)


def named(n, *flags):
    """The buses of the VFs that a domain's metadata names."""
    xml = virsh("metadata", f"vm{n}", "urn:libvirt-hostdev:1", *flags, check=False)
    return [bus for bus in range(256) if f"bus='0x{bus:02x}'" in xml or f'bus="0x{bus:02x}"' in xml]


# ---- records ----

def record_path(bus):
    return f"/run/libvirt-hostdev/fffe:{bus:02x}:00.1"


def record(bus, n, phase="active", starter=0):
    """starter: the pid of who has called the hook"""
    if starter:
        with open(f"/proc/{starter}/stat", encoding="utf-8") as stat:
            starter = f" pid='{starter}' start='{stat.read().rpartition(')')[2].split()[19]}'"
    os.makedirs("/run/libvirt-hostdev", 0o700, exist_ok=True)
    write("/run/record", RECORD % {"phase": phase, "name": f"vm{n}", "uuid": UUID % n, "bus": bus, "starter": starter or ""}, 0o600)
    os.rename("/run/record", record_path(bus))


def recorded(bus):
    return os.path.exists(record_path(bus))


# ---- the daemon ----

SOCK, SOCK_RO = "/run/libvirt/virthostdevd-sock", "/run/libvirt/virthostdevd-sock-ro"
CONFIG = "/run/virthostdevd.conf"
program = None
daemon = None


def configure(**more):
    lines = {"filter": '"/run/filter"', "log_level": 1, "lease": LEASE} | more
    write(CONFIG, "".join(f"{key} = {value}\n" for key, value in lines.items()))


def start_daemon(*wrapper, **popen):
    global daemon
    with open("/run/daemon.log", "a", encoding="utf-8") as log:
        daemon = subprocess.Popen([*wrapper, program, "--config", CONFIG], stderr=log, **popen)
    until(lambda: alive(SOCK))


def stop_daemon(sig=signal.SIGTERM):
    daemon.send_signal(sig)
    return daemon.wait(20)


def daemon_log():
    with open("/run/daemon.log", encoding="utf-8") as log:
        return log.read()


class Client:
    """A connection whose filter is the script above."""

    def __init__(self, path=SOCK, uid=0, gid=0, groups=()):
        self.lines, self.buffer, self.id, self.answers = [], b"", 0, {}
        here, there = socket.socketpair()
        if (pid := os.fork()) == 0: # connects as somebody else, and hands the connection over
            with contextlib.suppress(BaseException):
                os.setgroups(groups)
                os.setresgid(gid, gid, gid)
                os.setresuid(uid, uid, uid)
                sock = socket.socket(socket.AF_UNIX)
                sock.connect(path)
                socket.send_fds(there, [b"x"], [sock.fileno()])
            os._exit(0)
        there.close()
        fds = socket.recv_fds(here, 1, 1)[1]
        os.waitpid(pid, 0)
        here.close()
        assert fds, f"cannot connect to {path}"
        self.sock = socket.socket(fileno=fds[0])
        self.hello = self.read()
        self.filter = self.hello["pid"] if self.hello else None

    def read(self, seconds=15):
        """The next line of the filter; None at its end or where there is none in time."""
        while b"\n" not in self.buffer:
            if not select.select([self.sock], [], [], seconds)[0]:
                return None
            try:
                more = self.sock.recv(65536)
            except ConnectionResetError:
                more = b""
            if not more:
                self.sock.close()
                return None
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        return json.loads(line)

    def send(self, text):
        self.sock.sendall(text.encode() + b"\n")

    def ask(self, verb, n, *rest):
        self.id += 1
        self.send(" ".join([verb, str(self.id), UUID % n, *rest]))
        return self.id

    def answer(self, number, seconds=15):
        """"ok", "error CODE TEXT", or None."""
        while number not in self.answers:
            line = self.read(seconds)
            if line is None:
                return None
            word, got, *rest = line["broker"].split(" ", 2)
            self.answers[int(got)] = " ".join([word, *rest])
        return self.answers.pop(number)

    def do(self, verb, n, *rest):
        return self.answer(self.ask(verb, n, *rest))

    def close(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()


def same(got, want):
    assert got == want, f"got {got!r}, wanted {want!r}"


def has(got, want):
    assert got is not None and want in got, f"got {got!r}, wanted {want!r} in it"


# ---- the tests, in order: each finds the daemon and libvirtd running, and leaves them so ----

def test_options():
    has(run(program, "--version").stdout, "virthostdevd ")
    has(run(program, "--help").stdout, "--config")
    same(run(program, "extra", check=False).returncode, 2)
    same(run(program, "--config", "/nonexistent", check=False).returncode, 1)


def test_config():
    for text, want in [("x = 1", ":1: x = 1: unknown key"), ("\n\nlog_level = 9", ":3: log_level = 9: expected 1"),
                       ("listen = relative", "absolute path"), ('listen = "a"', "absolute path"),
                       ("lease", "key = value"), ("lease = 1\nlease = 1", ":2: lease = 1: given twice"),
                       ('unix_sock_rw_perms = "0999"', "octal"), ("max_clients = -1", "number"),
                       ("enforce = yes", '"yes" or "no"'), ("drift_interval = 0", "from 1 to 100000"),
                       ("convert_interfaces = 1", '"yes" or "no"'), ('convert_interfaces = "maybe"', '"yes" or "no"'),
                       ('filter = "' + "/x" * 4000 + '"', "absolute path"), ('unix_sock_group = ""', "name of a group")]:
        write("/run/bad.conf", text)
        done = run(program, "--config", "/run/bad.conf", check=False)
        same(done.returncode, 1)
        has(done.stderr, want)


def test_sockets():
    for ours, stock in [(SOCK, STOCK), (SOCK_RO, STOCK + "-ro")]:
        a, b = os.stat(ours), os.stat(stock)
        same((a.st_mode, a.st_uid, a.st_gid), (b.st_mode, 0, b.st_gid))
    same(os.stat(SOCK).st_mode & 0o777, 0o777)
    same(os.stat(SOCK).st_gid, 65534)
    again = run(program, "--config", CONFIG, check=False)
    same(again.returncode, 1)
    has(again.stderr, "another daemon listens there")
    assert alive(SOCK)


def test_identity():
    hello = Client(uid=1234, gid=2345, groups=[3456, 4567]).hello
    status = hello["status"]
    same(status["Uid"].split(), ["1234"] * 4)
    same(status["Gid"].split(), ["2345"] * 4)
    same(status["Groups"].split(), ["3456", "4567"])
    same(hello["argv"][1:], [STOCK])
    same(hello["fds"], [0, 1, 2, 3, 4])
    same(hello["stdin"], "/dev/null")
    same(sorted(set(hello["env"]) - {"LC_CTYPE"}), ["LC_ALL", "PATH"])
    same(hello["umask"], "0077")
    same(hello["oom"], "500") # before the daemon
    same(Client(SOCK_RO).hello["argv"][1:], [STOCK + "-ro"])
    many = Client(uid=1, gid=1, groups=range(5000, 5300)).hello["status"]["Groups"].split()
    same(len(many), 300)


def test_no_capabilities():
    for uid in (0, 1234):
        status = Client(uid=uid, gid=uid).hello["status"]
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            same((uid, name, int(status[name], 16)), (uid, name, 0))
        same(status["NoNewPrivs"], "1")
        same(int(status["SigBlk"], 16), 0)


def test_requests():
    client = Client()
    same(client.do("begin", 1), "ok")
    has(client.do("prepare", 1, "fffe:01:00.1"), "error 0 Cannot set VF fffe:01:00.1 for domain")
    has(client.do("prepare", 2, "fffe:01:00.1"), "it has not been begun")
    has(client.do("end", 2), "it has not been begun")
    same(client.do("end", 1), "ok")
    has(client.do("end", 1), "it has not been begun")
    has(Client(SOCK_RO).do("begin", 1), "read-only")
    # Counters need no lock and change nothing; only the domain's own VFs are counted.
    has(Client(SOCK_RO).do("stats", 1, "fffe:01:00.1"), "error 4")
    record(1, 2)
    has(client.do("stats", 1, "fffe:01:00.1"), "has no VF fffe:01:00.1")
    has(client.do("stats", 2, "fffe:01:00.1"), "error")


def test_nonsense():
    for text in ("nonsense", "begin 0 " + UUID % 1, "begin 1 " + UUID % 1 + " x", "prepare 1 " + UUID % 1, "x" * 9000):
        client = Client()
        client.send(text)
        same(client.read(), None)
    client = Client()
    same(client.do("begin", 1), "ok")
    client.close()


def test_lock():
    one, two, three = Client(), Client(), Client()
    same(one.do("begin", 1), "ok")
    waits = two.ask("begin", 1)
    has(two.do("prepare", 1, "fffe:01:00.1"), "it has not been begun")
    three.ask("begin", 1)
    same(three.do("begin", 2), "ok")
    has(one.do("begin", 1), "it has been begun already")
    has(two.do("begin", 1), "it has been begun already")
    has(one.do("end", 2), "it has not been begun")
    same(two.answer(waits, 0.3), None)
    three.close()
    same(one.do("end", 1), "ok")
    same(two.answer(waits), "ok")
    same(two.do("end", 1), "ok")
    same(one.do("begin", 1), "ok")
    same(one.do("end", 1), "ok")
    same(two.do("begin", 2), "ok")


def test_turns():
    """Who has many connections is not served before who has one."""
    holder, many, other = Client(), [Client() for _ in range(3)], Client(uid=1234, gid=1234)
    same(holder.do("begin", 1), "ok")
    waits = [one.ask("begin", 1) for one in many]
    same(many[2].answer(waits[2], 0.3), None) # they wait before he comes
    his = other.ask("begin", 1)
    same(other.answer(his, 0.3), None)
    same(holder.do("end", 1), "ok")
    same(other.answer(his), "ok")
    same(other.do("end", 1), "ok")
    same(many[0].answer(waits[0]), "ok")
    his = other.ask("begin", 1)
    same(other.answer(his, 0.3), None)
    same(many[0].do("end", 1), "ok")
    same(other.answer(his), "ok")
    same(other.do("end", 1), "ok")
    same(many[1].answer(waits[1]), "ok")


def test_many_requests():
    one, two = Client(), Client()
    for n in range(64):
        same(one.do("begin", n), "ok")
    numbers = []
    for n in range(80): # more than are read at a time
        numbers.append(two.ask("begin", n))
        time.sleep(0.002)
    same(one.do("end", 0), "ok")
    same(two.answer(numbers[0]), "ok")
    same(two.do("end", 0), "ok")
    two.close()
    same(one.do("begin", 0), "ok")


def test_dead_filter():
    one, two = Client(), Client()
    same(one.do("begin", 1), "ok")
    record(1, 1)
    waits = two.ask("begin", 1)
    same(two.answer(waits, 0.2), None)
    os.kill(one.filter, signal.SIGKILL)
    same(two.answer(waits), "ok")
    assert not recorded(1)
    same(one.read(), None)
    until(lambda: "died: Killed" in daemon_log())
    same(two.do("end", 1), "ok")


def test_lease():
    one, two = Client(), Client()
    since = time.monotonic()
    same(one.do("begin", 1), "ok")
    waits = two.ask("begin", 1)
    same(two.answer(waits, 3 * LEASE), "ok")
    assert time.monotonic() - since > LEASE - 1.5
    same(one.read(), None)
    has(daemon_log(), f"for {LEASE} seconds")


def test_copied_socket():
    """A filter that is ended has no say any more, whoever has its socket by now."""
    one, two = Client(), Client()
    same(one.do("begin", 1), "ok")
    one.send("give")
    copy = socket.socket(fileno=socket.recv_fds(one.sock, 1, 1)[1][0])
    waits = two.ask("begin", 1)
    same(two.answer(waits, 3 * LEASE), "ok")
    same(one.read(), None)
    try:
        copy.send(f"end 7 {UUID % 1}".encode())
        got = copy.recv(1000)
    except (BrokenPipeError, ConnectionResetError):
        got = b""
    same(got, b"")
    has(two.do("begin", 1), "it has been begun already")


def test_readable_filter():
    """A program that a client can read, it could take over before it is confined."""
    for mode in (0o755, 0o731, 0o751, 0o713):
        os.chmod("/run/filter", mode)
        same(Client(uid=1234, gid=1234).hello, None)
        until(lambda: f"mode {mode:04o}, and a client could take it over" in daemon_log())
    os.chmod("/run/filter", 0o711)
    assert Client(uid=1234, gid=1234).hello


def test_bounded_log():
    client = Client(uid=4324, gid=1)
    same(client.do("begin", 1), "ok")
    for _ in range(200):
        has(client.do("prepare", 1, "fffe:01:00.1"), "the domain is not running")
    lines = [line for line in daemon_log().splitlines() if "prepare " + UUID % 1 in line]
    assert len(lines) <= 60 and "no more is logged about this user's clients" in daemon_log(), len(lines)


def test_begin_tells_nothing():
    """What stands in the domain's XML is nobody's whom libvirt has not shown it."""
    write("/run/vm9.xml", domain_xml(9).replace("<metadata>", "<metadata><lh:hostdevs xmlns:lh='urn:libvirt-hostdev:1'><lh:secretword/></lh:hostdevs>"))
    virsh("define", "/run/vm9.xml")
    got = Client().do("begin", 9)
    assert "secretword" not in got and "vm9" not in got, got
    virsh("undefine", "vm9")


def test_settle_config():
    define(3, named=[1, 2, 3], devices=[2])
    same(named(3), [1, 2, 3])
    record(9, 4)
    client = Client()
    same(client.do("begin", 3), "ok")
    same(named(3), [2])
    assert recorded(9) # another's
    define(3, named=[1], devices=[2])
    same(client.do("end", 3), "ok")
    same(named(3), [])
    define(3, named=[2], devices=[2])
    before = virsh("dumpxml", "--inactive", "vm3")
    same(client.do("begin", 3), "ok")
    same(virsh("dumpxml", "--inactive", "vm3"), before)
    has(client.do("prepare", 3, "fffe:02:00.1"), "the domain is not running")
    os.unlink(record_path(9))
    client.close()


def test_settle_live():
    record(1, 5)
    record(2, 6)
    virsh("metadata", "vm5", "urn:libvirt-hostdev:1", "--key", "lh", "--set", bare(1, 2), "--live")
    virsh("metadata", "vm5", "urn:libvirt-hostdev:1", "--key", "lh", "--set", bare(3), "--config")
    client = Client()
    same(client.do("begin", 5), "ok")
    same((named(5, "--live"), named(5, "--config"), recorded(1), recorded(2)), ([], [], False, True))
    virsh("metadata", "vm5", "urn:libvirt-hostdev:1", "--key", "lh", "--set", bare(4), "--live")
    has(client.do("prepare", 5, "fffe:05:00.1"), "names no netdevs")
    has(client.do("update", 5, "fffe:04:00.1"), "no such device")
    got = client.do("prepare", 5, "fffe:04:00.1")
    has(got, "error ")
    has(got, "fffe:04:00.1")
    assert "libvirt" not in got and "metadata" not in got, got # it came as far as the host
    same(client.do("end", 5), "ok")
    same(named(5, "--live"), [])
    os.unlink(record_path(2))


def test_event_removed():
    write("/run/usb.xml", "<input type='mouse' bus='usb'><alias name='ua-mouse'/></input>")
    virsh("attach-device", "vm5", "/run/usb.xml", "--live")
    record(1, 5)
    time.sleep(0.3)
    assert recorded(1)
    virsh("detach-device-alias", "vm5", "ua-mouse", "--live")
    until(lambda: not recorded(1))


def test_barrier():
    """A dead filter's call still holds the domain's job: nobody may look before it is through."""
    pid = int(open("/run/libvirt/qemu/vm5.pid", encoding="ascii").read())
    write("/run/usb2.xml", "<input type='tablet' bus='usb'><alias name='ua-tablet'/></input>")
    one, two = Client(), Client()
    same(one.do("begin", 5), "ok")
    record(1, 5)
    os.kill(pid, signal.SIGSTOP)
    attach = subprocess.Popen(["virsh", "-q", "-c", "qemu+unix:///system?socket=" + STOCK, "attach-device", "vm5",
                               "/run/usb2.xml", "--live"])
    until(lambda: "occupied" in virsh("domcontrol", "vm5"))
    os.kill(one.filter, signal.SIGKILL)
    waits = two.ask("begin", 5)
    same(two.answer(waits, 1.5), None)
    assert recorded(1)
    os.kill(pid, signal.SIGCONT)
    same(two.answer(waits), "ok")
    same(attach.wait(10), 0)
    assert not recorded(1)
    two.close()


def test_what_is_no_part_of_the_lease():
    """What the daemon does before a filter may begin and when it has ended: libvirt is busy with the domain meanwhile."""
    stop_daemon()
    configure(lease=2)
    start_daemon()
    pid = int(open("/run/libvirt/qemu/vm5.pid", encoding="ascii").read())
    client = Client()
    for verb in ("begin", "end"):
        virsh("metadata", "vm5", "urn:libvirt-hostdev:1", "--key", "lh", "--set", bare(1), "--live")
        os.kill(pid, signal.SIGSTOP)
        busy = subprocess.Popen(["virsh", "-q", "-c", "qemu+unix:///system?socket=" + STOCK, "send-key", "vm5", "KEY_A"])
        until(lambda: "occupied" in virsh("domcontrol", "vm5"))
        number = client.ask(verb, 5)
        same(client.answer(number, 3.5), None)
        os.kill(pid, signal.SIGCONT)
        same(client.answer(number), "ok")
        same(busy.wait(10), 0)
    same(client.do("begin", 7), "ok")
    same(client.read(4), None) # and in between it counts
    until(lambda: not os.path.exists(f"/proc/{client.filter}"))
    stop_daemon()
    configure()
    start_daemon()


def test_event_stopped():
    """Whatever became of the hooks of its stop, and though the libvirt that has started it is still there."""
    record(1, 5, starter=libvirtd.pid)
    virsh("destroy", "vm5")
    until(lambda: not recorded(1))
    record(1, 5, "restoring")
    virsh("undefine", "vm5")
    until(lambda: not recorded(1))


def test_again():
    """What could not be done once is done later, and told once. The end of any domain is a reason to try at once."""
    def told():
        return daemon_log().count(f"warning: Domain {UUID % 6} is not settled (trying again)")
    define(5)
    virsh("start", "vm5")
    define(6)
    record(1, 6)
    os.chmod("/run/libvirt-hostdev", 0o755)
    virsh("undefine", "vm6")
    until(told)
    os.chmod("/run/libvirt-hostdev", 0o700)
    until(lambda: not recorded(1))
    until(lambda: f"Domain {UUID % 6} is settled now" in daemon_log())
    same(told(), 1)
    define(6)
    record(1, 6)
    os.chmod("/run/libvirt-hostdev", 0o755)
    virsh("undefine", "vm6")
    until(lambda: told() == 2)
    time.sleep(3.5) # tried after 1 and 3 seconds; the next would be after 7
    os.chmod("/run/libvirt-hostdev", 0o700)
    assert recorded(1)
    since = time.monotonic()
    virsh("destroy", "vm5")
    until(lambda: not recorded(1))
    assert time.monotonic() - since < 2.5
    same(told(), 2)
    virsh("undefine", "vm5")


def test_busy():
    """libvirt serves five calls of a connection at a time: six domains that are busy keep us from no other."""
    busy, fifos, dumps = range(32, 38), [], []
    for n in busy:
        define(n, named=[n])
        virsh("start", f"vm{n}", "--paused")
        os.mkfifo(f"/run/vm{n}.core")
        fifos.append(os.open(f"/run/vm{n}.core", os.O_RDONLY | os.O_NONBLOCK)) # and never read from
        dumps.append(subprocess.Popen(["virsh", "-q", "-c", "qemu+unix:///system?socket=" + STOCK, "dump", f"vm{n}",
                                       f"/run/vm{n}.core", "--live", "--memory-only"], stderr=subprocess.DEVNULL))
    for n in busy:
        until(lambda n=n: "elapsed" in virsh("domjobinfo", f"vm{n}"))
    define(9, named=[1, 2], devices=[1])
    record(2, 9)
    since = time.monotonic()
    stop_daemon()
    start_daemon()
    until(lambda: not recorded(2))
    until(lambda: named(9) == [1])
    client = Client()
    same(client.do("begin", 9), "ok")
    same(client.do("end", 9), "ok")
    took = time.monotonic() - since
    client.close()
    waits = Client()
    number = waits.ask("begin", busy[0])
    same(waits.answer(number, 0.5), None)
    for fifo, dump in zip(fifos, dumps):
        os.close(fifo)
        dump.wait(10)
    same(waits.answer(number, 40), "ok")
    waits.close()
    for n in busy:
        virsh("destroy", f"vm{n}")
        virsh("undefine", f"vm{n}")
    virsh("undefine", "vm9")
    assert took < 10, took


def test_reconnect():
    one, two = Client(), Client()
    same(one.do("begin", 7), "ok")
    waits = two.ask("begin", 7)
    same(two.answer(waits, 0.2), None)
    libvirtd.kill()
    libvirtd.wait()
    has(two.answer(waits), "connection to libvirt is lost")
    has(two.do("begin", 8), "libvirt is not reachable")
    record(1, 8)
    has(one.do("end", 7), "libvirt is not reachable")
    start_libvirtd()
    until(lambda: not recorded(1))
    same(two.do("begin", 7), "ok")


def test_reload():
    configure(max_clients=1)
    daemon.send_signal(signal.SIGHUP)
    until(lambda: "read again" in daemon_log())
    time.sleep(0.3)
    one = Client()
    with socket.socket(socket.AF_UNIX) as second:
        second.connect(SOCK)
        same(select.select([second], [], [], 0.5)[0], [])
        one.close()
        same(select.select([second], [], [], 10)[0], [second])
    write(CONFIG, "nonsense\n")
    daemon.send_signal(signal.SIGHUP)
    until(lambda: "Nothing is changed: " + CONFIG + ":1" in daemon_log())
    configure(convert_interfaces='"no"')
    daemon.send_signal(signal.SIGHUP)
    until(lambda: daemon_log().count("read again") == 2)
    same(Client().hello["argv"][1:], [STOCK, "keep-interfaces"])
    configure()
    daemon.send_signal(signal.SIGHUP)
    until(lambda: daemon_log().count("read again") == 3)
    same(Client().hello["argv"][1:], [STOCK])


def test_one_user():
    configure(max_user_clients=2)
    before = daemon_log().count("read again")
    daemon.send_signal(signal.SIGHUP)
    until(lambda: daemon_log().count("read again") > before)
    until(lambda: Client(uid=4321, gid=1).hello) # those of before have gone
    one, two = Client(uid=4322, gid=1), Client(uid=4322, gid=2)
    assert one.hello and two.hello
    same(Client(uid=4322, gid=1).hello, None)
    has(daemon_log(), "user 4322 has 2 clients already")
    assert Client(uid=4323, gid=1).hello and all(Client().hello for _ in range(3))
    two.close()
    until(lambda: Client(uid=4322, gid=1).hello)
    configure()
    daemon.send_signal(signal.SIGHUP)
    until(lambda: daemon_log().count("read again") > before + 1)


def by_hand(function, name):
    """A record at a VF that is not there, of the PF that loopback is made to be the netdev of."""
    write("/run/record", BY_HAND % (name, function), 0o600)
    os.rename("/run/record", f"/run/libvirt-hostdev/0000:01:10.{function}")


def told(function):
    return daemon_log().count(f"no PCI device 0000:01:10.{function}")


def test_drift():
    """Where and when the daemon looks, shown by what it cannot find: soon after rtnetlink has news of a PF's netdev, after
    a reload, and every drift_interval seconds; and that it says the same only once."""
    stop_daemon()
    os.makedirs("/run/sys/class/net/lo")
    os.symlink("/run/0000:01:00.0", "/run/sys/class/net/lo/device")
    configure(drift_interval=100000)
    by_hand(0, "first")
    start_daemon("unshare", "--mount", "sh", "-c", 'mount --bind /run/sys /sys && exec "$@"', "sh")
    until(lambda: told(0) == 1) # at the start
    by_hand(1, "second")
    run("ip", "link", "set", "lo", "mtu", "9000")
    until(lambda: told(1) == 1)
    same(told(0), 1)
    by_hand(0, "another")
    run("ip", "link", "set", "lo", "mtu", "1500")
    until(lambda: told(0) == 2)
    same(told(1), 1)
    by_hand(2, "third")
    configure(drift_interval=1)
    daemon.send_signal(signal.SIGHUP)
    until(lambda: told(2) == 1)
    by_hand(3, "fourth")
    until(lambda: told(3) == 1)
    by_hand(4, "fifth")
    until(lambda: told(4) == 1)
    same([told(n) for n in range(5)], [2, 1, 1, 1, 1])
    for n in range(5):
        os.unlink(f"/run/libvirt-hostdev/0000:01:10.{n}")
    configure()
    stop_daemon()
    start_daemon()


def test_pf():
    """A PF whose VFs are in use is not given to a guest that runs either; a device without VFs is nobody's business."""
    stop_daemon()
    os.makedirs("/run/sys/bus/pci/devices/0000:01:00.0", exist_ok=True)
    os.makedirs("/run/sys/bus/pci/devices/0000:01:10.0", exist_ok=True)
    os.symlink("../0000:01:10.0", "/run/sys/bus/pci/devices/0000:01:00.0/virtfn0")
    by_hand(0, "somebody")
    start_daemon("unshare", "--mount", "sh", "-c", 'mount --bind /run/sys /sys && exec "$@"', "sh")
    client = Client()
    got = client.do("check", 1, "0000:01:00.0")
    has(got, "error 3 PF 0000:01:00.0 cannot be given to a guest")
    has(got, "0000:01:10.0 by 'somebody'")
    has(daemon_log(), "PF 0000:01:00.0 cannot be given")
    same(client.do("check", 1, "0000:01:10.0"), "ok")
    has(Client(SOCK_RO).do("check", 1, "0000:01:00.0"), "read-only")
    os.unlink("/run/libvirt-hostdev/0000:01:10.0")
    same(client.do("check", 1, "0000:01:00.0"), "ok")
    stop_daemon()
    start_daemon()


def test_bad_filter():
    stop_daemon()
    configure(filter='"/run/no-such-filter"')
    start_daemon()
    same(Client().hello, None)
    until(lambda: "Cannot look at the filter /run/no-such-filter: No such file or directory" in daemon_log())
    write("/run/no-such-filter", "nonsense", 0o711)
    same(Client().hello, None)
    until(lambda: "cannot run the filter for a client: Exec format error" in daemon_log())
    configure()


def test_stop():
    stop_daemon()
    start_daemon()
    client = Client()
    same(stop_daemon(), 0)
    assert not os.path.exists(SOCK) and not os.path.exists(SOCK_RO)
    same(client.read(), None)
    until(lambda: not os.path.exists(f"/proc/{client.filter}"))
    start_daemon()


def test_killed():
    """After kill -9: the sockets are replaced, and what was left is settled."""
    client = Client()
    until(lambda: client.do("begin", 7) == "ok")
    stop_daemon(signal.SIGKILL)
    assert os.path.exists(SOCK) and not alive(SOCK)
    record(1, 7)
    define(3, named=[1, 2], devices=[2])
    start_daemon()
    until(lambda: not recorded(1) and named(3) == [2])
    same(client.read(), None)


def activate():
    """Starts the daemon as systemd does, with sockets; gives its pid."""
    listeners = []
    for path in ("/run/act-rw", "/run/act-ro"):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(path)
        sock.listen()
        listeners.append(sock)
    if pid := os.fork():
        for sock in listeners:
            sock.close()
        return pid
    with contextlib.suppress(BaseException):
        high = [os.dup(sock.fileno()) for sock in listeners]
        for target, fd in enumerate(high, 3):
            os.dup2(fd, target)
            os.set_inheritable(target, True)
        log = os.open("/run/daemon.log", os.O_WRONLY | os.O_APPEND)
        os.dup2(log, 2)
        os.environ.update(LISTEN_FDS="2", LISTEN_FDNAMES="rw:ro", LISTEN_PID=str(os.getpid()))
        os.execv(program, [program, "--config", CONFIG])
    os._exit(1)


def test_activation():
    stop_daemon()
    pid = activate()
    same(Client("/run/act-rw").hello["argv"][1:], [STOCK])
    same(Client("/run/act-ro").hello["argv"][1:], [STOCK + "-ro"])
    assert not os.path.exists(SOCK)
    os.kill(pid, signal.SIGTERM)
    same(os.waitpid(pid, 0)[1], 0)
    assert os.path.exists("/run/act-rw")
    start_daemon()


def test_never_itself():
    """Where libvirt's socket is looked for may be ours, made by systemd, by whatever name."""
    stop_daemon()
    configure(upstream='"/run/act-alias"')
    os.symlink("/run/act-rw", "/run/act-alias")
    pid = activate()
    same(Client("/run/act-rw").hello, None)
    until(lambda: "no socket but those of virthostdevd at /run/act-alias" in daemon_log())
    os.kill(pid, signal.SIGTERM)
    same(os.waitpid(pid, 0)[1], 0)
    configure()
    start_daemon()


def isolate():
    """Nothing of the machine's libvirt, and nothing left of ours."""
    for path in ("/run", "/etc/libvirt", "/var/lib/libvirt", "/var/cache/libvirt", "/var/log/libvirt"):
        os.makedirs(path, exist_ok=True)
        run("mount", "-t", "tmpfs", "-o", "mode=0755", "none", path)
    for file, line in [("passwd", "libvirt-qemu:x:64055:64055::/:/bin/false"), ("group", "libvirt-qemu:x:64055:")]:
        with open("/etc/" + file, encoding="utf-8") as now: # Debian's libvirtd wants them, whatever qemu.conf says
            text = now.read()
        if "\nlibvirt-qemu:" not in text:
            write("/run/" + file, text + line + "\n")
            run("mount", "--bind", "/run/" + file, "/etc/" + file)
    write("/etc/libvirt/qemu.conf", 'user = "root"\ngroup = "root"\nstdio_handler = "file"\n'
          'cgroup_controllers = []\nsecurity_driver = "none"\nnamespaces = []\n')
    write("/etc/libvirt/libvirtd.conf", 'auth_unix_rw = "none"\nauth_unix_ro = "none"\nunix_sock_group = "nogroup"\n'
          'unix_sock_rw_perms = "0777"\nunix_sock_ro_perms = "0777"\n')
    write("/run/filter.py", FILTER, 0o755)
    shutil.copyfile(sys.argv[2], "/run/filter")
    os.chmod("/run/filter", 0o711)


def be_init():
    """The first process of a pid namespace has to reap what others leave: libvirtd waits for its QEMUs to vanish."""
    if child := os.fork():
        while True:
            pid, status = os.wait()
            if pid == child:
                os._exit(os.waitstatus_to_exitcode(status) & 255)


def main():
    global program
    program = os.path.abspath(sys.argv[1])
    if os.geteuid() != 0:
        sys.exit("Bail out! virthostdevd becomes any client, and libvirtd runs for all: only root can test it")
    if "--inside" not in sys.argv:
        os.execvp("unshare", ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc",
                              "--propagation", "private", sys.executable, os.path.abspath(__file__), program,
                              os.path.abspath(sys.argv[2]), "--inside"])
    be_init()
    isolate()
    try:
        start_libvirtd()
    except AssertionError:
        with open("/run/libvirtd.log", encoding="utf-8") as log:
            sys.exit("Bail out! libvirtd does not start: " + log.read())
    configure()
    start_daemon()
    until(lambda: "domains have" in daemon_log())
    define(5)
    virsh("start", "vm5")
    tests = [(name[5:], test) for name, test in globals().items() if name.startswith("test_")]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    for n, (name, test) in enumerate(tests, 1):
        since = time.monotonic()
        try:
            test()
            print(f"ok {n} - {name} # {time.monotonic() - since:.1f} s", flush=True)
        except Exception as problem: # pylint: disable=broad-except
            failed += 1
            line = problem.__traceback__.tb_next.tb_lineno if problem.__traceback__.tb_next else 0
            print(f"not ok {n} - {name}\n# line {line}: {type(problem).__name__}: {problem}", flush=True)
    if failed:
        print("\n".join("# " + line for line in daemon_log().splitlines()))
    sys.exit(1 if failed else 0)


main()

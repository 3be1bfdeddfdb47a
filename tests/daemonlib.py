"""daemonlib.py: what the tests of the daemon share: libvirtd, records, clients whose filter is a script, running tests

Everything below /run, /etc/libvirt and /var is this test's own, and so are the processes: it runs in its own mount and
pid namespaces. The filter is replaced by a script, run by FILTERSCRIPT, that does what the test says, so that identities can
be looked at and the broker can be spoken to directly. There are no VFs: a record that names one which no longer exists
is put back by being forgotten, and that is how reconciling shows. What happens to a real VF is the lab's to prove.

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


# ---- running the tests ----

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


def main(tests, guest=False):
    """Runs the functions test_… of @tests in order, in namespaces of their own; @guest: vm5 runs at the start."""
    global program
    program = os.path.abspath(sys.argv[1])
    if os.geteuid() != 0:
        sys.exit("Bail out! virthostdevd becomes any client, and libvirtd runs for all: only root can test it")
    if "--inside" not in sys.argv:
        os.execvp("unshare", ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "--mount-proc",
                              "--propagation", "private", sys.executable, os.path.abspath(sys.argv[0]), program,
                              os.path.abspath(sys.argv[2]), *map(os.path.abspath, sys.argv[3:]), "--inside"])
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
    if guest:
        define(5)
        virsh("start", "vm5")
    tests = [(name[5:], test) for name, test in tests.items() if name.startswith("test_")]
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

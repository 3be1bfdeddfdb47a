#!/usr/bin/python3
"""daemon_service.py VIRTHOSTDEVD FILTERSCRIPT: the daemon's own life, in TAP: see daemonlib.py. Connections to libvirt,
configuration, drift, sockets, starts and ends.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import contextlib
import os
import select
import signal
import socket
import time

import daemonlib as lib
from daemonlib import * # pylint: disable=wildcard-import,unused-wildcard-import

# In order: each finds the daemon and libvirtd running, and leaves them so.


def test_reconnect():
    one, two = Client(), Client()
    same(one.do("begin", 7), "ok")
    waits = two.ask("begin", 7)
    same(two.answer(waits, 0.2), None)
    lib.libvirtd.kill()
    lib.libvirtd.wait()
    has(two.answer(waits), "connection to libvirt was lost")
    has(two.do("begin", 8), "libvirt is not reachable")
    record(1, 8)
    has(one.do("end", 7), "libvirt is not reachable")
    start_libvirtd()
    until(lambda: not recorded(1))
    same(two.do("begin", 7), "ok")


def test_reload():
    configure(max_clients=1)
    lib.daemon.send_signal(signal.SIGHUP)
    until(lambda: "Reloaded log_level" in daemon_log())
    time.sleep(0.3)
    one = Client()
    with socket.socket(socket.AF_UNIX) as second:
        second.connect(SOCK)
        same(select.select([second], [], [], 0.5)[0], [])
        one.close()
        same(select.select([second], [], [], 10)[0], [second])
    write(CONFIG, "nonsense\n")
    lib.daemon.send_signal(signal.SIGHUP)
    until(lambda: "Keeping the configuration as it was: " + CONFIG + ":1" in daemon_log())
    configure(convert_interfaces='"no"')
    lib.daemon.send_signal(signal.SIGHUP)
    until(lambda: daemon_log().count("Reloaded log_level") == 2)
    same(Client().hello["argv"][1:], [STOCK, "keep-interfaces"])
    configure()
    lib.daemon.send_signal(signal.SIGHUP)
    until(lambda: daemon_log().count("Reloaded log_level") == 3)
    same(Client().hello["argv"][1:], [STOCK])


def test_one_user():
    configure(max_user_clients=2)
    before = daemon_log().count("Reloaded log_level")
    lib.daemon.send_signal(signal.SIGHUP)
    until(lambda: daemon_log().count("Reloaded log_level") > before)
    until(lambda: Client(uid=4321, gid=1).hello) # those of before have gone
    one, two = Client(uid=4322, gid=1), Client(uid=4322, gid=2)
    assert one.hello and two.hello
    same(Client(uid=4322, gid=1).hello, None)
    has(daemon_log(), "user 4322 already has 2 clients")
    assert Client(uid=4323, gid=1).hello and all(Client().hello for _ in range(3))
    two.close()
    until(lambda: Client(uid=4322, gid=1).hello)
    configure()
    lib.daemon.send_signal(signal.SIGHUP)
    until(lambda: daemon_log().count("Reloaded log_level") > before + 1)


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
    lib.daemon.send_signal(signal.SIGHUP)
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
    got = client.do("check", 1, "pci/0000:01:00.0")
    has(got, "error 3 PF 0000:01:00.0 cannot be assigned to a guest")
    has(got, "0000:01:10.0 by 'somebody'")
    has(daemon_log(), "PF 0000:01:00.0 cannot be assigned")
    same(client.do("check", 1, "pci/0000:01:10.0"), "ok")
    has(Client(SOCK_RO).do("check", 1, "pci/0000:01:00.0"), "read-only")
    os.unlink("/run/libvirt-hostdev/0000:01:10.0")
    same(client.do("check", 1, "pci/0000:01:00.0"), "ok")
    stop_daemon()
    start_daemon()


def test_bad_filter():
    stop_daemon()
    configure(filter='"/run/no-such-filter"')
    start_daemon()
    same(Client().hello, None)
    until(lambda: "Cannot check the filter /run/no-such-filter: No such file or directory" in daemon_log())
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
    """After kill -9: the sockets are replaced, and what was left is reconciled."""
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
        os.execv(lib.program, [lib.program, "--config", CONFIG])
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
    until(lambda: "/run/act-alias is not a socket, or is one of virthostdevd's own" in daemon_log())
    os.kill(pid, signal.SIGTERM)
    same(os.waitpid(pid, 0)[1], 0)
    configure()
    start_daemon()


main(globals())

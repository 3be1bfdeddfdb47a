#!/usr/bin/python3
"""daemon.py VIRTHOSTDEVD FILTERSCRIPT VIRT-HOSTDEV: clients, the broker and reconciling, in TAP: see daemonlib.py.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import daemonlib as lib
from daemonlib import * # pylint: disable=wildcard-import,unused-wildcard-import

# In order: each finds the daemon and libvirtd running, and leaves them so.


def test_options():
    has(run(lib.program, "--version").stdout, "virthostdevd ")
    has(run(lib.program, "--help").stdout, "--config")
    same(run(lib.program, "extra", check=False).returncode, 2)
    same(run(lib.program, "--config", "/nonexistent", check=False).returncode, 1)


def test_config():
    for text, want in [("x = 1", ":1: x = 1: unknown key"), ("\n\nlog_level = 9", ":3: log_level = 9: expected 1"),
                       ("listen = relative", "absolute path"), ('listen = "a"', "absolute path"),
                       ("lease", "key = value"), ("lease = 1\nlease = 1", ":2: lease = 1: given twice"),
                       ('unix_sock_rw_perms = "0999"', "octal"), ("max_clients = -1", "number"),
                       ("enforce = yes", '"yes" or "no"'), ("drift_interval = 0", "from 1 to 100000"),
                       ("convert_interfaces = 1", '"yes" or "no"'), ('convert_interfaces = "maybe"', '"yes" or "no"'),
                       ('filter = "' + "/x" * 4000 + '"', "absolute path"), ('unix_sock_group = ""', "name of a group")]:
        write("/run/bad.conf", text)
        done = run(lib.program, "--config", "/run/bad.conf", check=False)
        same(done.returncode, 1)
        has(done.stderr, want)


def test_sockets():
    for ours, stock in [(SOCK, STOCK), (SOCK_RO, STOCK + "-ro")]:
        a, b = os.stat(ours), os.stat(stock)
        same((a.st_mode, a.st_uid, a.st_gid), (b.st_mode, 0, b.st_gid))
    same(os.stat(SOCK).st_mode & 0o777, 0o777)
    same(os.stat(SOCK).st_gid, 65534)
    again = run(lib.program, "--config", CONFIG, check=False)
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
    has(client.do("prepare", 1, "pci/fffe:01:00.1"), "error 0 Cannot set VF fffe:01:00.1 for domain")
    has(client.do("prepare", 2, "pci/fffe:01:00.1"), "it was not begun")
    has(client.do("end", 2), "it was not begun")
    same(client.do("end", 1), "ok")
    has(client.do("end", 1), "it was not begun")
    has(Client(SOCK_RO).do("begin", 1), "read-only")
    # Counters need no lock and change nothing; only the domain's own VFs are counted.
    has(Client(SOCK_RO).do("stats", 1, "pci/fffe:01:00.1"), "error 4")
    record(1, 2)
    has(client.do("stats", 1, "pci/fffe:01:00.1"), "has no VF fffe:01:00.1")
    has(client.do("stats", 2, "pci/fffe:01:00.1"), "error")


def pci_device(address, vpd=None, **files):
    path = f"/sys/bus/pci/devices/{address}"
    os.mkdir(path)
    for name, text in files.items():
        write(f"{path}/{name}", text)
    if vpd:
        with open(f"{path}/vpd", "wb") as file:
            file.write(vpd)
    return path


def card(pf, vpd, vfs):
    """A PF with a netdev, and its VFs, from slot 10 of its bus on."""
    path = pci_device(pf, bytes.fromhex(vpd), sriov_totalvfs="7\n")
    os.makedirs(path + "/net/eth" + pf[5:7])
    for n in range(vfs):
        vf = f"{pf[:8]}{0x10 + n // 8:02x}.{n % 8}"
        os.symlink("../" + pf, pci_device(vf) + "/physfn")
        os.symlink("../" + vf, f"{path}/virtfn{n}")


def ask_vpd(client, handle):
    client.id += 1
    client.send(f"vpd {client.id} {handle}")
    return client.id


def vpd_of(client, handle):
    return client.answer(ask_vpd(client, handle))


def test_vpd():
    """Of a PF or VF of this host, which is a folder of ours; read by one thread, which nothing else waits for."""
    generator = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lab/guest/vpdgen.py")
    made = dict(line.split() for line in run(generator).stdout.splitlines())
    made = {name: bytes.fromhex(text) for name, text in made.items()}
    run("mount", "-t", "tmpfs", "none", "/sys/bus/pci/devices")
    good = pci_device("0000:f0:00.0", made["good"], sriov_totalvfs="7\n")
    for function in (0, 1):
        os.symlink("../0000:f0:00.0", pci_device(f"0000:f0:10.{function}") + "/physfn")
    pci_device("0000:f1:00.0", made["checksum"], sriov_totalvfs="7\n")
    pci_device("0000:f2:00.0", made["only-end"], sriov_totalvfs="7\n")
    pci_device("0000:f3:00.0", made["good"], sriov_totalvfs="0\n")
    os.mkdir(pci_device("0000:f4:00.0", sriov_totalvfs="7\n") + "/vpd")
    slow = pci_device("0000:f5:00.0", sriov_totalvfs="7\n") + "/vpd"
    os.mkfifo(slow)
    client, reader = Client(), Client(SOCK_RO, uid=1234, gid=1234)
    whole = vpd_of(reader, "pci/0000:f0:10.0")
    same(whole, "vpd <capability type='vpd'><name>ConnectX-6 Dx EN</name><fields access='readonly'><change_level>A7</change_level>"
         "<part_number>MCX623106AS-CDAT</part_number><serial_number>MT2113X00001</serial_number>"
         "<vendor_field index='0'>PCIeGen4 x8</vendor_field></fields><fields access='readwrite'><asset_tag>asset 7</asset_tag>"
         "<vendor_field index='1'>spare</vendor_field><system_field index='1'>rack</system_field></fields></capability>")
    has(vpd_of(client, "pci/0000:f1:00.0"), "<serial_number>MT2113X00001</serial_number>")
    has(vpd_of(client, "pci/0000:f2:00.0"), "error 4 ")
    has(vpd_of(client, "pci/0000:f3:00.0"), "error 0 PCI device 0000:f3:00.0 is neither a PF nor a VF")
    has(vpd_of(client, "pci/0000:f9:00.0"), "error 0 PCI device 0000:f9:00.0 is neither a PF nor a VF")
    has(vpd_of(client, "mdev/" + UUID % 1), "error 0 ")
    has(vpd_of(client, "pci/0000:f4:00.0"), "error 1 Cannot read /sys/bus/pci/devices/0000:f4:00.0/vpd: Is a directory")
    # What a card has told is good for its PF and all of its VFs, for a while.
    with open(good + "/vpd", "wb") as file:
        file.write(made["twice"])
    for handle in ("pci/0000:f0:00.0", "pci/0000:f0:10.1"):
        same(vpd_of(client, handle), whole)
    waits, behind = ask_vpd(client, "pci/0000:f5:00.0"), ask_vpd(reader, "pci/0000:f1:00.0")
    other = Client()
    same(other.do("begin", 1), "ok")
    same(other.do("end", 1), "ok")
    has(other.do("check", 1, "pci/0000:f3:00.0"), "ok")
    same(client.answer(waits, 0.3), None)
    with open(slow, "wb"):
        has(client.answer(waits), "error 1 ")
    has(reader.answer(behind), "<serial_number>MT2113X00001</serial_number>")
    run("umount", "/sys/bus/pci/devices")


def profiles(client, zero, one):
    """Those that are for these VFs, one after the other, for whoever may define a domain or not."""
    folder, xml = "/etc/libvirt/hostdev/profiles", "<profile><name>%s</name>%s<netdev port='2'/></profile>"

    def next_one(after):
        client.id += 1
        client.send(f"profile {client.id} {after} {zero}=- {one}=-")
        return client.answer(client.id)
    same(next_one("-"), "error 4 No other profile is for these devices")
    os.makedirs(folder)
    for name, device in (("c", ""), ("a", "<device><pf serial='NOBODY'/></device>"), ("b", "<device><pf dev='ethf0'/></device>")):
        with open(f"{folder}/{name}.xml", "w") as file:
            file.write(xml % (name, device))
    same(next_one("-"), "profile 0,1 " + xml % ("b", "<device><pf dev='ethf0'/></device>"))
    same(next_one("b"), "profile 0,1 " + xml % ("c", ""))
    same(next_one("c"), "error 4 No other profile is for these devices")
    client.id += 1 # what is no VF, or nothing at all
    client.send(f"profile {client.id} - mdev/{UUID % 1}=- -=pool/blue")
    same(client.answer(client.id), "error 4 No other profile is for these devices")
    with open(f"{folder}/bad.xml", "w") as file:
        file.write("<profile/>")
    has(next_one("b"), f"error 0 {folder}/bad.xml:1: <profile> lacks its <name>")
    shutil.rmtree(folder)


def test_choose():
    """A VF is one call's until libvirt has answered that; who has it is for the log."""
    generator = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lab/guest/vpdgen.py")
    made = dict(line.split() for line in run(generator).stdout.splitlines())
    run("mount", "-t", "tmpfs", "none", "/sys/bus/pci/devices")
    card("0000:f0:00.0", made["good"], 2)
    wish, zero, one = "-=serial/MT2113X00001/-/any", "pci/0000:f0:10.0", "pci/0000:f0:10.1"
    a, b, reader = Client(), Client(), Client(SOCK_RO, uid=1234, gid=1234)
    has(reader.do("choose", 1, "define", wish), "error 0 ")
    same(a.do("choose", 1, "define", "-=serial/MT2113X00001/0/1"), "chosen " + one)
    same(a.do("forget", 1), "ok")
    has(a.do("choose", 1, "define", "-=serial/NOBODY/0/1"), "error 4 This host has no card with the serial number 'NOBODY'")
    has(a.do("choose", 1, "define", f"{zero}=serial/MT2113X00001/0/1"), "error 0 <source> has the <address> 0000:f0:10.0 and asks for")
    same(a.do("choose", 1, "start", f"{zero}=serial/MT2113X00001/0/1"), "chosen " + one)
    same(b.do("choose", 2, "start", wish), "chosen " + zero)
    mark = len(daemon_log())
    refused = a.do("choose", 3, "start", wish)
    has(refused, "error 3 No VF is free that the domain could be given")
    assert "f0:10" not in refused, refused
    until(lambda: "0000:f0:10.0: another device that is being started" in daemon_log()[mark:])
    same(b.do("forget", 2), "ok")
    same(a.do("choose", 3, "start", wish), "chosen " + zero)
    same(a.do("choose", 3, "start", wish), "chosen " + zero) # again: the same call's
    has(b.do("choose", 2, "start", wish), "error 3 ")
    a.sock.close() # what was chosen for it goes with its process
    until(lambda: b.do("choose", 2, "start", f"{one}=serial/MT2113X00001/0/any") == "chosen " + one)
    same(b.do("choose", 2, "start", wish + " " + wish), f"chosen {zero} {one}")
    same(b.do("forget", 2), "ok")
    a2 = Client()
    profiles(reader, zero, one)
    has(b.do("choose", 2, "detach", wish), "error ")
    write("/sys/bus/pci/devices/0000:f0:10.1/numa_node", "0\n") # where all of this host's processors are, or the first of them
    write("/run/nodes.xml", domain_xml(8).replace("<metadata>", "<numatune><memory mode='preferred' nodeset='0'/></numatune><metadata>"))
    virsh("define", "/run/nodes.xml")
    os.makedirs("/etc/libvirt/hostdev/pools")
    write("/etc/libvirt/hostdev/pools/blue.xml", "<pool><name>blue</name><pf serial='MT2113X00001'/></pool>")
    same(a2.do("choose", 9, "define", "-=pool/blue"), "chosen " + zero)
    same(a2.do("choose", 9, "define", "nodes/1", "-=pool/blue"), "chosen " + one)
    same(a2.do("forget", 9), "ok")
    same(a2.do("choose", 8, "attach", "-=pool/blue"), "chosen " + one) # the broker looks for itself
    virsh("undefine", "vm8")
    run("umount", "/sys/bus/pci/devices")


def test_crowd():
    """64 starts at once on a pool of 63: each has a VF of its own, and one is told that there is no other."""
    generator = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lab/guest/vpdgen.py")
    made = dict(line.split() for line in run(generator).stdout.splitlines())
    run("mount", "-t", "tmpfs", "none", "/sys/bus/pci/devices")
    card("0000:f0:00.0", made["good"], 40)
    card("0000:f1:00.0", made["blanks"], 23)
    write("/etc/libvirt/hostdev/pools/crowd.xml", "<pool><name>crowd</name><pf dev='ethf0'/><pf dev='ethf1'/></pool>")
    clients = [Client() for _ in range(64)]
    asked = [client.ask("choose", 100 + n, "start", "-=pool/crowd") for n, client in enumerate(clients)]
    answers = [client.answer(number, 60) for client, number in zip(clients, asked)]
    same(len({answer for answer in answers if answer.startswith("chosen pci/0000:f")}), 63)
    same(sum(answer.startswith("error 3 No VF is free") for answer in answers), 1)
    for client in clients:
        client.close()
    os.unlink("/etc/libvirt/hostdev/pools/crowd.xml")
    run("umount", "/sys/bus/pci/devices")


ASKS = """<lh:hostdevs xmlns:lh='urn:libvirt-hostdev:1'><lh:hostdev><lh:source><lh:pf serial='%s'/><lh:vf index='%s'/>%s</lh:source></lh:hostdev></lh:hostdevs>"""


def define_asking(n, serial, index, address):
    """As stock libvirt stores a domain whose device asks for a VF, and was given the one at @address."""
    bus, slot, function = address[5:7], address[8:10], address[11:]
    source = f"<address domain='0x0000' bus='0x{bus}' slot='0x{slot}' function='0x{function}'/>"
    text = domain_xml(n).replace("<metadata>", "<metadata>" + ASKS % (serial, index, source.replace("<", "<lh:")))
    device = DEVICE[:DEVICE.index("<source>")] + f"<source>{source}</source></hostdev>"
    write(f"/run/vm{n}.xml", text.replace("</devices>", device + "</devices>"))
    virsh("define", f"/run/vm{n}.xml")


def address_of(n):
    """Of its only device, which its metadata names, too."""
    xml = virsh("dumpxml", "--inactive", f"vm{n}").replace('"', "'")
    found = set(re.findall("bus='0x(..)' slot='0x(..)' function='0x(.)'/>(?=\\s*</(?:lh:)?source>)", xml))
    same(len(found), 1)
    return "0000:%s:%s.%s" % found.pop()


def test_stored():
    """What stored domains ask for is looked for again when the daemon starts: where their address has gone, or is
    another card's, and nowhere else."""
    generator = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lab/guest/vpdgen.py")
    made = dict(line.split() for line in run(generator).stdout.splitlines())
    run("mount", "-t", "tmpfs", "none", "/sys/bus/pci/devices")
    card("0000:f0:00.0", made["good"], 2)
    card("0000:f1:00.0", made["blanks"], 2)
    os.symlink("/nowhere/vfio-pci", "/sys/bus/pci/devices/0000:f0:10.0/driver")
    define_asking(40, "MT2113X00001", 0, "0000:f1:10.0") # another card's
    define_asking(41, "MT2113X00001", "any", "0000:f0:10.0") # somebody has it, and it is what was asked for
    define_asking(42, "MT2113X00001", "any", "0000:77:10.0") # gone
    define_asking(43, "NOBODY", "any", "0000:f0:10.1")
    define_asking(5, "MT2113X00001", 1, "0000:77:10.0") # it runs
    stop_daemon()
    mark = len(daemon_log())
    start_daemon()
    until(lambda: address_of(40) == "0000:f0:10.0" and address_of(42) == "0000:f0:10.1")
    until(lambda: f"warning: The VFs that domain {UUID % 43} asks for cannot be found: This host has no card" in daemon_log()[mark:])
    time.sleep(0.5)
    same([address_of(n) for n in (41, 43, 5)], ["0000:f0:10.0", "0000:f0:10.1", "0000:77:10.0"])
    has(daemon_log()[mark:], "Domain 'vm40': VF 0 of card MT2113X00001 is now 0000:f0:10.0, no longer 0000:f1:10.0")
    same(daemon_log()[mark:].count(" is now 0000:"), 2)
    for n in range(40, 44):
        virsh("undefine", f"vm{n}")
    define(5)
    run("umount", "/sys/bus/pci/devices")


def stored_file(n):
    path = f"/etc/libvirt/qemu/vm{n}.xml"
    info = os.stat(path)
    with open(path, encoding="utf-8") as file:
        return file.read(), (info.st_uid, info.st_gid, info.st_mode & 0o7777), info.st_ino


def test_offline():
    """Before libvirt's daemon starts: the address in its own files, and nothing else in them."""
    generator = os.path.join(os.path.dirname(os.path.abspath(__file__)), "lab/guest/vpdgen.py")
    made = dict(line.split() for line in run(generator).stdout.splitlines())
    resolve = [sys.argv[3], "resolve", "--offline", "--all"]
    stop_daemon()
    run("mount", "-t", "tmpfs", "none", "/sys/bus/pci/devices")
    card("0000:f0:00.0", made["good"], 2)
    define_asking(40, "MT2113X00001", 0, "0000:f1:10.0")
    define_asking(41, "MT2113X00001", "any", "0000:f0:10.1")
    define_asking(42, "NOBODY", "any", "0000:f0:10.1")
    define_asking(5, "MT2113X00001", 1, "0000:f1:10.0") # it runs on, without the daemon
    os.chown("/etc/libvirt/qemu/vm40.xml", 1234, 2345)
    os.chmod("/etc/libvirt/qemu/vm40.xml", 0o640)
    write("/etc/libvirt/qemu/broken.xml", "<domain>")
    before = {n: stored_file(n) for n in (5, 40, 41, 42)}
    has(run(*resolve, check=False).stderr, "libvirtd runs, as the lock of /run/libvirtd.pid says, and would overwrite")
    lib.libvirtd.terminate()
    lib.libvirtd.wait(20)
    has(run(*resolve, "--dry-run", check=False).stdout, "Domain 'vm40': VF 0 of card MT2113X00001 would now be 0000:f0:10.0, no longer 0000:f1:10.0\n")
    same({n: stored_file(n) for n in before}, before)
    done = run(*resolve, check=False)
    same(done.returncode, 1)
    has(done.stderr, "A stored domain is left out: ")
    has(done.stderr, "Domain 'vm42': This host has no card with the serial number 'NOBODY'")
    same(done.stdout, "Domain 'vm40': VF 0 of card MT2113X00001 is now 0000:f0:10.0, no longer 0000:f1:10.0\n"
         "Domain 'vm41': any VF of card MT2113X00001 is still 0000:f0:10.1\n")
    text, owner, _ = stored_file(40)
    same(text.replace('"', "'"), before[40][0].replace('"', "'").replace("bus='0xf1'", "bus='0xf0'"))
    same(owner, (1234, 2345, 0o640))
    same({n: stored_file(n) for n in (5, 41, 42)}, {n: before[n] for n in (5, 41, 42)})
    has(run(sys.argv[3], "resolve", "--offline", "nobody", check=False).stderr, "libvirt has stored no domain 'nobody'")
    same([name for name in os.listdir("/etc/libvirt/qemu") if name.endswith(".new")], [])
    os.unlink("/etc/libvirt/qemu/broken.xml")
    start_libvirtd()
    same(address_of(40), "0000:f0:10.0")
    for n in (40, 41, 42):
        virsh("undefine", f"vm{n}")
    define(5)
    run("umount", "/sys/bus/pci/devices")
    start_daemon()


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
    has(two.do("prepare", 1, "pci/fffe:01:00.1"), "it was not begun")
    three.ask("begin", 1)
    same(three.do("begin", 2), "ok")
    has(one.do("begin", 1), "it was already begun")
    has(two.do("begin", 1), "it was already begun")
    has(one.do("end", 2), "it was not begun")
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
    has(two.do("begin", 1), "it was already begun")


def test_readable_filter():
    """A program that a client can read, it could take over before it is confined."""
    for mode in (0o755, 0o731, 0o751, 0o713):
        os.chmod("/run/filter", mode)
        same(Client(uid=1234, gid=1234).hello, None)
        until(lambda: f"mode {mode:04o}, so a client could take it over" in daemon_log())
    os.chmod("/run/filter", 0o711)
    assert Client(uid=1234, gid=1234).hello


def test_bounded_log():
    client = Client(uid=4324, gid=1)
    same(client.do("begin", 1), "ok")
    for _ in range(200):
        has(client.do("prepare", 1, "pci/fffe:01:00.1"), "the domain is not running")
    lines = [line for line in daemon_log().splitlines() if "prepare " + UUID % 1 in line]
    assert len(lines) <= 60 and "no more is logged about this user's clients" in daemon_log(), len(lines)


def test_begin_tells_nothing():
    """What stands in the domain's XML is nobody's whom libvirt has not shown it."""
    write("/run/vm9.xml", domain_xml(9).replace("<metadata>", "<metadata><lh:hostdevs xmlns:lh='urn:libvirt-hostdev:1'><lh:secretword/></lh:hostdevs>"))
    virsh("define", "/run/vm9.xml")
    got = Client().do("begin", 9)
    assert "secretword" not in got and "vm9" not in got, got
    virsh("undefine", "vm9")


def test_reconcile_config():
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
    has(client.do("prepare", 3, "pci/fffe:02:00.1"), "the domain is not running")
    os.unlink(record_path(9))
    client.close()


def test_reconcile_live():
    record(1, 5)
    record(2, 6)
    virsh("metadata", "vm5", "urn:libvirt-hostdev:1", "--key", "lh", "--set", bare(1, 2), "--live")
    virsh("metadata", "vm5", "urn:libvirt-hostdev:1", "--key", "lh", "--set", bare(3), "--config")
    client = Client()
    same(client.do("begin", 5), "ok")
    same((named(5, "--live"), named(5, "--config"), recorded(1), recorded(2)), ([], [], False, True))
    virsh("metadata", "vm5", "urn:libvirt-hostdev:1", "--key", "lh", "--set", bare(4), "--live")
    has(client.do("prepare", 5, "pci/fffe:05:00.1"), "says nothing about this device")
    has(client.do("update", 5, "pci/fffe:04:00.1"), "no such device")
    got = client.do("prepare", 5, "pci/fffe:04:00.1")
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
    # What the daemon reconciles when it starts would take the metadata away before it is to be waited for.
    until(lambda: daemon_log().rpartition(" is ready")[2].count("domains have"))
    same(client.do("begin", 5), "ok")
    same(client.do("end", 5), "ok")
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
    record(1, 5, starter=lib.libvirtd.pid)
    virsh("destroy", "vm5")
    until(lambda: not recorded(1))
    record(1, 5, "restoring")
    virsh("undefine", "vm5")
    until(lambda: not recorded(1))


def test_again():
    """What could not be done once is done later, and told once. The end of any domain is a reason to try at once."""
    def told():
        return daemon_log().count(f"warning: Cannot reconcile domain {UUID % 6} (trying again)")
    define(5)
    virsh("start", "vm5")
    define(6)
    record(1, 6)
    os.chmod("/run/libvirt-hostdev", 0o755)
    virsh("undefine", "vm6")
    until(told)
    os.chmod("/run/libvirt-hostdev", 0o700)
    until(lambda: not recorded(1))
    until(lambda: f"Domain {UUID % 6} is reconciled now" in daemon_log())
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


main(globals(), guest=True)

#!/usr/bin/env python3
# tool.py THROUGH_URI DIRECT_URI VIRT-HOSTDEV: what virt-hostdev stores and takes back, past virthostdevd and through it.
# SPDX-License-Identifier: LGPL-2.1-or-later
import contextlib
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile

import libvirt

import tap

INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE
OURS = "urn:libvirt-hostdev:1"
UUID = "6d1a8a3e-7df1-4b2f-8a39-0f6f0bb3b0%02x"
CONF = "/etc/libvirt/virthostdevd.conf"
OTHERS = "<app:x xmlns:app='urn:app'>kept</app:x>"

# What stock libvirt can say, with the words that it cannot to be put in.
PLAIN = """<interface type='hostdev' managed='yes'%s>
  <mac address='52:54:00:01:02:03'/>
  <driver name='vfio'/>
  <source><address type='pci' domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>
  <vlan><tag id='42'/></vlan>
  <model type='virtio'/>
  <boot order='1'/>
  <alias name='ua-net'/>
  <address type='pci' domain='0x0000' bus='0x00' slot='0x10' function='0x0'/>
</interface>"""
TRUNK = """<interface type='hostdev' managed='yes'>
  <mac address='52:54:00:01:02:05'/>
  <source><address type='pci' domain='0x0000' bus='0x06' slot='0x02' function='0x2'/></source>
  <vlan trunk='yes'><tag id='42'/><tag id='43'/></vlan>
</interface>"""
USER = "<interface type='user'><mac address='52:54:00:01:02:06'/></interface>"
DUAL = """<hostdev mode='subsystem' type='pci' managed='yes'>
  <driver name='vfio'/>
  <source><address domain='0x0000' bus='0x06' slot='0x02' function='0x1'/></source>%s
</hostdev>"""
TWO = """<netdev port='1'><mac address='52:54:00:01:02:04'/></netdev>
<netdev port='2'><mac address='52:54:00:01:02:07'/><vlan><tag id='43'/></vlan></netdev>"""
NONE = """<lh:hostdevs xmlns:lh='urn:libvirt-hostdev:1'><lh:hostdev><lh:source>
<lh:address domain='0x0000' bus='0x06' slot='0x03' function='0x0'/></lh:source><lh:netdev port='1'/></lh:hostdev></lh:hostdevs>"""


def document(n, interface="", netdevs=""):
    devices = USER + PLAIN % interface + TRUNK + DUAL % netdevs
    return tap.domain_xml("tool-%d" % n, UUID % n, metadata=OTHERS, devices=devices)


def ask(*argv, text=None):
    """The tool's exit code, output and complaints."""
    done = subprocess.run([TOOL, *argv], input=text, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout, done.stderr


def stored(domain):
    return domain.XMLDesc(INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)


def anonymous(text, n):
    return text.replace("tool-%d<" % n, "tool<").replace(UUID % n, UUID % 0)


def file_of(domain):
    """libvirt writes a domain's file anew whenever it is defined."""
    status = os.stat("/etc/libvirt/qemu/%s.xml" % domain.name())
    return status.st_ino, status.st_mtime_ns


def define(t):
    """The same is stored whoever stands between, and what libvirt alone can do stays its own."""
    ours = document(1, " spoofCheck='no'", TWO)
    code, _, err = ask("-c", DIRECT, "define", "-", text=ours)
    t.check(code == 0, "define, past the daemon", err)
    direct = stored(conn.lookupByName("tool-1"))
    conn.lookupByName("tool-1").undefine()
    code, _, err = ask("-c", THROUGH, "define", "-", text=ours)
    t.check(code == 0, "define, through the daemon", err)
    t.equal(stored(conn.lookupByName("tool-1")), direct, "the same is stored")
    t.equal((direct.count("<lh:hostdev>"), direct.count("<hostdev "), direct.count("type='hostdev'")), (2, 2, 1),
            "an interface became a hostdev, and a trunk stays libvirt's")
    shown = [ask("-c", uri, "dumpxml", "tool-1") for uri in (DIRECT, THROUGH)]
    t.equal(shown[0][0], 0, "dumpxml")
    t.equal(shown[0][1].count("<interface type='hostdev'"), 2, "dumpxml shows the interfaces")
    t.equal(shown[1][1], shown[0][1], "dumpxml shows the same through the daemon")


def unmanage(t):
    """Without --connect the tool goes to libvirt itself: the daemon hides what is to be rewritten."""
    code, out, err = ask("plan", "--domain", "tool-1")
    t.equal((code, re.findall("^0000:06:02.[0-7]", out, re.M)), (1, ["0000:06:02.0", "0000:06:02.1"]), "plan --domain looks at what is stored, and not at the trunk")
    before = stored(conn.lookupByName("tool-1"))
    code, out, err = ask("unmanage", "--dry-run", "tool-1")
    t.check(code == 0 and "would no longer be managed" in out and "loses 0000:06:02.0: spoof check" in out, "a dry run tells", out, err)
    t.equal(stored(conn.lookupByName("tool-1")), before, "a dry run changes nothing")
    code, out, err = ask("unmanage", "tool-1")
    t.equal((code, err), (0, ""), "unmanage")
    t.equal(sorted(re.findall("loses (.*)", out)),
            ["0000:06:02.0: spoof check no", "0000:06:02.1 port 1: MAC address 52:54:00:01:02:04",
             "0000:06:02.1 port 2: MAC address 52:54:00:01:02:07", "0000:06:02.1 port 2: VLAN 43"],
            "what is lost is told")
    conn.defineXML(document(2))
    t.equal(anonymous(stored(conn.lookupByName("tool-1")), 1), anonymous(stored(conn.lookupByName("tool-2")), 2),
            "what is stored is what stock libvirt would have stored")


def again(t):
    files = [file_of(conn.lookupByName("tool-%d" % n)) for n in (1, 2)]
    t.equal(ask("unmanage", "tool-1"), (0, "Domain 'tool-1' is not managed by libvirt-hostdev\n", ""), "a second time there is nothing to do")
    t.equal(ask("unmanage", "--all"), (0, "", ""), "nor with all")
    t.equal([file_of(conn.lookupByName("tool-%d" % n)) for n in (1, 2)], files, "and nothing is defined")


def rows(text):
    return [(row["domain"], row["result"], row["detail"]) for row in json.loads(text)["unmanage"]]


def kept(t):
    """What cannot be rewritten is named, and left alone."""
    lasting = conn.defineXML(tap.domain_xml("tool-3", UUID % 3, metadata=NONE))
    lasting.create()
    passing = conn.createXML(tap.domain_xml("tool-4", UUID % 4, metadata=NONE))
    code, out, err = ask("unmanage", "--all", "--json")
    t.equal((code, sorted(rows(out))), (0, [("tool-3", "running", None), ("tool-3", "unmanaged", None), ("tool-4", "transient", None)]),
            "running domains are told of")
    t.check("warning: Domain 'tool-3' is running: " in err and "warning: Domain 'tool-4' is transient" in err, "on stderr too", err)
    t.equal([OURS in stored(lasting), OURS in lasting.XMLDesc(), OURS in passing.XMLDesc()], [False, True, True],
            "what runs is as it was, what will start is rewritten")
    lasting.managedSave()
    code, out, err = ask("unmanage", "tool-3")
    t.equal((code, out, err.count("warning: Domain 'tool-3' has a managed save image with settings of its devices")), (0, "", 1), "a managed save image is told of")
    t.check(OURS in lasting.managedSaveGetXMLDesc(), "and is as it was")
    passing.destroy()


def snapshot(t):
    path = os.path.join(tempfile.mkdtemp(), "disk.qcow2")
    tap.write_qcow2(path)
    disk = "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s'/><target dev='hda' bus='ide'/></disk>" % path
    domain = conn.defineXML(tap.domain_xml("tool-5", UUID % 5, metadata=NONE, devices=disk))
    domain.create()
    domain.snapshotCreateXML("<domainsnapshot><name>one</name></domainsnapshot>")
    domain.destroy()
    code, out, err = ask("unmanage", "tool-5")
    t.equal((code, out), (0, "Domain 'tool-5' is no longer managed by libvirt-hostdev\n"), "a domain with a snapshot")
    t.check("has a snapshot with settings of its devices, which was left as it is: one" in err, "the snapshot is told of", err)


@contextlib.contextmanager
def paused_daemon():
    """Entries without a device, as a guest of this test has to have them, are what the daemon drops when a guest ends."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(THROUGH.partition("socket=")[2])
        pid = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def clean():
    for domain in conn.listAllDomains():
        if domain.isActive():
            domain.destroy()
        if domain.isPersistent():
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA)


THROUGH, DIRECT, TOOL = sys.argv[1:]
conn = libvirt.open(DIRECT)
with open(CONF, "w", encoding="utf-8") as conf:
    conf.write('upstream = "%s"\nupstream_ro = "%s-ro"\n' % ((DIRECT.partition("socket=")[2],) * 2))
tests = tap.Tap()
clean()
for test in (define, unmanage, again):
    test(tests)
with paused_daemon():
    kept(tests)
    snapshot(tests)
clean()
tests.end()

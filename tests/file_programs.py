#!/usr/bin/env python3
"""file_programs.py DAEMON FILTERSCRIPT FILTER HOOK TOOL: the programs with a second kind of settings, filekind.h

They are of the same sources as those that are installed; only the tables are others. The device is a mediated one that
does not exist: no guest gets it, and what is made for it is a file.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import os
import subprocess
import sys

import daemonlib as lib
from daemonlib import Client, UUID, configure, has, run, same, start_daemon, stop_daemon, until, virsh, write

FILTER, HOOK, TOOL = sys.argv[3:6]
MDEV = "c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11"
FILE = "/run/test-provider/file-" + MDEV
SOURCE = f"<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='{MDEV}'/></source>%s</hostdev>"
ENTRY = f"<hostdev><source><address uuid='{MDEV}'/></source><file text='%s'/></hostdev>"


def document(n, text, device="<file text='%s'/>"):
    return f"""<domain type='qemu'><name>vm{n}</name><uuid>{UUID % n}</uuid><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
{SOURCE % (device % text)}</devices></domain>"""


def content():
    try:
        with open(FILE, encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return None


def hook(n, xml, operation, sub, code=0):
    done = subprocess.run([HOOK, f"vm{n}", operation, sub, "-"], input=xml, capture_output=True, text=True, timeout=60)
    same((done.returncode, done.stdout), (code, ""))
    return done.stderr


def tool(*argv, code=0):
    done = subprocess.run([TOOL, *argv], capture_output=True, text=True, timeout=60)
    same(done.returncode, code)
    return done.stdout + done.stderr


def status():
    return json.loads(tool("--json", "status"))["status"]


def through(*argv):
    """virsh through the daemon and a real filter."""
    return run("virsh", "-q", "-c", "qemu+unix:///system?socket=" + lib.SOCK, *argv).stdout


def test_hook():
    os.makedirs("/run/test-provider", exist_ok=True)
    xml = document(3, "hello")
    hook(3, xml, "prepare", "begin")
    same(content(), "hello")
    same([(row["device"], row["owner"]) for row in status()], [(MDEV, "vm3")])
    hook(3, xml, "stopped", "end")
    same(content(), "hello") # libvirt has the device still
    hook(3, xml, "release", "end")
    same((content(), status()), (None, []))
    has(hook(3, document(3, "refused"), "prepare", "begin", code=1), "its text is one that is refused")
    same(status(), [])


def test_commands():
    write("/run/vm3.xml", document(3, "by hand"))
    has(tool("plan", "/run/vm3.xml"), "absent")
    tool("apply", "--owner=somebody", "/run/vm3.xml")
    same(content(), "by hand")
    write(FILE, "changed")
    same([child["drift"] for row in status() for child in row["children"]], ["no", "yes"])
    has(hook(3, document(3, "vm"), "prepare", "begin", code=1), "is in use by 'somebody'")
    tool("release", "somebody")
    same((content(), status()), (None, []))


def test_recover():
    hook(3, document(3, "left over"), "prepare", "begin")
    same(content(), "left over")
    tool("recover", "mdev/" + MDEV)
    same((content(), status()), (None, []))


def test_broker():
    client = Client()
    virsh("metadata", "vm5", "urn:libvirt-hostdev:1", "--key", "lh", "--set", f"<hostdevs>{ENTRY % 'attached'}</hostdevs>", "--live")
    same(client.do("begin", 5), "ok")
    # Metadata about a device that libvirt does not list is dropped; an attach writes it after that.
    virsh("metadata", "vm5", "urn:libvirt-hostdev:1", "--key", "lh", "--set", f"<hostdevs>{ENTRY % 'attached'}</hostdevs>", "--live")
    same(client.do("prepare", 5, "mdev/" + MDEV), "ok")
    same(content(), "attached")
    has(client.do("end", 5), "is not among the devices of domain")
    same((content(), status()), (None, []))
    client.close()


def test_filter():
    stop_daemon()
    configure(filter='"%s"' % FILTER)
    start_daemon()
    write("/run/vm4.xml", document(4, "defined"))
    through("define", "/run/vm4.xml")
    stored = virsh("dumpxml", "vm4").replace('"', "'")
    has(stored, "<lh:file text='defined'/>")
    assert "<file " not in stored, stored
    has(through("dumpxml", "vm4"), "<file text='defined'/>")
    write("/run/device.xml", SOURCE % "<file text='updated'/>")
    through("update-device", "vm4", "/run/device.xml", "--config")
    has(through("dumpxml", "vm4"), "<file text='updated'/>")
    through("detach-device", "vm4", "/run/device.xml", "--config")
    until(lambda: "file text" not in virsh("dumpxml", "vm4"))
    through("attach-device", "vm4", "/run/device.xml", "--config")
    has(through("dumpxml", "vm4"), "<file text='updated'/>")


if __name__ == "__main__":
    lib.main(globals(), guest=True)

#!/usr/bin/env python3
"""mdev_programs.py DAEMON FILTERSCRIPT FILTER HOOK TOOL: mediated devices through the programs, with a libvirt

The kernel is a thread of this one: it looks at the files create and remove, and makes and removes what they say. No guest
gets such a device: what libvirt does with one is the lab's to prove.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time

import daemonlib as lib
from daemonlib import Client, UUID, configure, has, run, same, start_daemon, stop_daemon, until, virsh, write

FILTER, HOOK, TOOL = sys.argv[3:6]
MDEV = "c5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11"
OTHER = "d5f5e1a2-7a57-4b5e-8c5b-0d5a3d6f2a11"
SPEED = "<attr name='speed' value='115200'/>"
MTTY = f"<mdev parent='mtty'><type id='mtty-1'/>{SPEED}</mdev>"
HOSTDEV = "<hostdev mode='subsystem' type='mdev' managed='yes' model='vfio-pci'>%s%s</hostdev>"
SOURCE = "<source><address uuid='%s'/></source>"
ENTRY = f"<hostdevs><hostdev>{SOURCE % MDEV}{MTTY}</hostdev></hostdevs>"
PARENT, BUS = "/sys/class/mdev_bus/mtty", "/sys/bus/mdev/devices"


def document(n, uuid=MDEV, mdev=MTTY):
    return f"""<domain type='qemu'><name>vm{n}</name><uuid>{UUID % n}</uuid><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
{HOSTDEV % (SOURCE % uuid if uuid else "", mdev)}</devices></domain>"""


# ---- the kernel ----

def make(kind, uuid):
    device = f"{PARENT}/{uuid}"
    os.makedirs(device)
    write(device + "/remove", "")
    write(device + "/speed", "230400\n")
    os.symlink(f"../mdev_supported_types/{kind}", device + "/mdev_type")
    os.symlink("/sys/kernel/iommu_groups/" + uuid[:2], device + "/iommu_group")
    os.makedirs(f"{PARENT}/mdev_supported_types/{kind}/devices/{uuid}")
    write("/dev/vfio/" + uuid[:2], "")
    os.symlink(device, f"{BUS}/{uuid}")


def take(kind, uuid):
    os.unlink(f"{BUS}/{uuid}")
    os.rmdir(f"{PARENT}/mdev_supported_types/{kind}/devices/{uuid}")
    shutil.rmtree(f"{PARENT}/{uuid}")
    os.unlink("/dev/vfio/" + uuid[:2])


def read(path):
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8") as file:
        return file.read()
    return ""


def kernel():
    while True:
        for kind in ("mtty-1", "mtty-2"):
            types = f"{PARENT}/mdev_supported_types/{kind}"
            if uuid := read(types + "/create"):
                write(types + "/create", "")
                make(kind, uuid)
            for uuid in os.listdir(types + "/devices"):
                if read(f"{PARENT}/{uuid}/remove"):
                    take(kind, uuid)
        time.sleep(0.005)


def start_kernel():
    for path in ("/sys/class", "/sys/bus"):
        run("mount", "-t", "tmpfs", "none", path)
    run("mount", "-t", "tmpfs", "none", "/mnt")
    for node in ("null", "zero", "full", "random", "urandom", "tty", "ptmx", "fd"):
        if os.path.lexists("/dev/" + node):
            run("cp", "-a", "/dev/" + node, "/mnt/" + node)
    for folder in ("pts", "shm"):
        os.makedirs("/mnt/" + folder)
        run("mount", "--rbind", "/dev/" + folder, "/mnt/" + folder)
    os.makedirs("/mnt/vfio")
    run("mount", "--move", "/mnt", "/dev")
    for path in (BUS, "/sys/bus/pci/devices", "/sys/class/mtty"):
        os.makedirs(path)
    for kind in ("mtty-1", "mtty-2"):
        types = f"{PARENT}/mdev_supported_types/{kind}"
        os.makedirs(types + "/devices")
        for name, text in (("create", ""), ("available_instances", "24\n"), ("device_api", "vfio-pci\n")):
            write(f"{types}/{name}", text)
    os.symlink("/sys/class/mtty", PARENT + "/subsystem")
    threading.Thread(target=kernel, daemon=True).start()


def devices():
    """What there is, and at which speed; "" where one is just being made or removed."""
    return {uuid: read(f"{PARENT}/{uuid}/speed").strip() for uuid in os.listdir(BUS)}


# ---- the programs ----

def hook(n, xml, operation, sub, code=0):
    done = subprocess.run([HOOK, f"vm{n}", operation, sub, "-"], input=xml, capture_output=True, text=True, timeout=60)
    same((done.returncode, done.stdout), (code, ""))
    return done.stderr


def tool(*argv, code=0):
    done = subprocess.run([TOOL, *argv], capture_output=True, text=True, timeout=60)
    same((done.returncode, done.stderr if done.returncode != code else ""), (code, ""))
    return done.stdout + done.stderr


def stored(n):
    return virsh("dumpxml", f"vm{n}").replace('"', "'")


def uuid_of(xml):
    return xml.partition("<address uuid='")[2][:36]


def through(*argv, **more):
    """virsh through the daemon and a real filter."""
    return run("virsh", "-q", "-c", "qemu+unix:///system?socket=" + lib.SOCK, *argv, **more)


def test_hook():
    start_kernel()
    hook(3, document(3), "prepare", "begin")
    same(devices(), {MDEV: "115200"})
    same([(row["device"], row["owner"], row["pf"]) for row in json.loads(tool("--json", "status"))["status"]], [(MDEV, "vm3", "mtty")])
    hook(3, document(3), "stopped", "end")
    same(devices(), {MDEV: "115200"}) # libvirt has the device still
    hook(3, document(3), "release", "end")
    same(devices(), {})
    has(hook(3, document(3, mdev="<mdev parent='mdpy'><type id='a'/></mdev>"), "prepare", "begin", code=1), "parent 'mdpy' does not exist")
    same(os.listdir("/run/libvirt-hostdev"), [name for name in os.listdir("/run/libvirt-hostdev") if name.endswith(".lock")])


def test_commands():
    write("/run/vm3.xml", document(3))
    has(" ".join(tool("plan", "/run/vm3.xml").split()), "type none mtty-1 on mtty (24 free) yes")
    tool("apply", "--owner=somebody", "/run/vm3.xml")
    listed = json.loads(tool("--json", "list"))["mdevs"][0]
    same((listed["nodedev"], listed["children"][0]["children"][0]["owner"]), ("mtty_mtty", "somebody"))
    has(hook(3, document(3), "prepare", "begin", code=1), f"mediated device {MDEV} is in use by 'somebody'")
    tool("release", "somebody")
    same(devices(), {})


def test_others_device():
    """An administrator's own is used, and stays; of another type, it is left alone."""
    make("mtty-1", OTHER)
    hook(3, document(3, OTHER), "prepare", "begin")
    same(devices(), {OTHER: "115200"})
    hook(3, document(3, OTHER), "release", "end")
    same(devices(), {OTHER: "230400"})
    take("mtty-1", OTHER)
    make("mtty-2", OTHER)
    has(hook(3, document(3, OTHER), "prepare", "begin", code=1), "already exists as type mtty-2 on mtty")
    same(devices(), {OTHER: "230400"})
    take("mtty-2", OTHER)


def test_open():
    """It is not removed while somebody has it open, who is named; then it is."""
    hook(3, document(3), "prepare", "begin")
    with open("/dev/vfio/" + MDEV[:2], encoding="utf-8"):
        has(hook(3, document(3), "release", "end", code=1), f"process {os.getpid()} (")
        same(devices(), {MDEV: "115200"})
    tool("recover", "mdev/" + MDEV)
    same(devices(), {})


def test_broker():
    """Hot-plug: made before the attach; removed, since the guest does not have it."""
    client = Client()
    for _ in range(2): # metadata about a device that libvirt does not list is dropped; an attach writes it after that
        virsh("metadata", "vm5", "urn:libvirt-hostdev:1", "--key", "lh", "--set", ENTRY, "--live")
        same(client.do("begin", 5), "ok")
        virsh("metadata", "vm5", "urn:libvirt-hostdev:1", "--key", "lh", "--set", ENTRY, "--live")
        same(client.do("prepare", 5, "mdev/" + MDEV), "ok")
        same(devices(), {MDEV: "115200"})
        has(client.do("end", 5), "is not among the devices of domain")
        same(devices(), {})
    client.close()


def test_define():
    write("/run/vm6.xml", document(6, None))
    tool("-c", "qemu+unix:///system?socket=" + lib.STOCK, "define", "/run/vm6.xml")
    uuid = uuid_of(stored(6))
    has(stored(6), f"<lh:address uuid='{uuid}'/>")
    write("/run/vm7.xml", document(7, uuid))
    refused = tool("-c", "qemu+unix:///system?socket=" + lib.STOCK, "define", "/run/vm7.xml", code=1)
    has(refused, f"mediated device {uuid} is a device of domain 'vm6' ({UUID % 6})")
    write("/run/vm6.xml", document(6, uuid))
    tool("-c", "qemu+unix:///system?socket=" + lib.STOCK, "define", "/run/vm6.xml") # its own


def test_filter():
    stop_daemon()
    configure(filter='"%s"' % FILTER)
    start_daemon()
    write("/run/vm4.xml", document(4, None))
    through("define", "/run/vm4.xml")
    uuid = uuid_of(stored(4))
    same(len(uuid), 36)
    assert "<mdev " not in stored(4), stored(4)
    shown = through("dumpxml", "vm4").stdout
    has(shown, "<mdev parent='mtty'>")
    write("/run/vm4.xml", shown)
    through("define", "/run/vm4.xml")
    same(uuid_of(stored(4)), uuid)
    write("/run/vm7.xml", document(7, uuid))
    refused = through("define", "/run/vm7.xml", check=False)
    has(refused.stderr, f"mediated device {uuid} is a device of domain 'vm4' ({UUID % 4})")


def test_filter_device():
    write("/run/device.xml", HOSTDEV % (SOURCE % OTHER, MTTY))
    through("attach-device", "vm4", "/run/device.xml", "--config")
    has(stored(4), f"<lh:address uuid='{OTHER}'/>")
    refused = through("attach-device", "vm6", "/run/device.xml", "--config", check=False)
    has(refused.stderr, f"mediated device {OTHER} is a device of domain 'vm4'")
    through("detach-device", "vm4", "/run/device.xml", "--config")
    until(lambda: OTHER not in stored(4))
    write("/run/device.xml", HOSTDEV % ("", MTTY))
    through("attach-device", "vm4", "/run/device.xml", "--config")
    same(stored(4).count("<lh:mdev "), 2)
    # The running guest does not get it, for there is no such device to plug in; what was made for it is gone.
    write("/run/device.xml", HOSTDEV % (SOURCE % OTHER, MTTY))
    assert through("attach-device", "vm5", "/run/device.xml", "--live", check=False).returncode
    until(lambda: devices() == {})


if __name__ == "__main__":
    lib.main(globals(), guest=True)

# tap.py: what the clients share: TAP, and a guest that needs no operating system
# SPDX-License-Identifier: LGPL-2.1-or-later
import os
import struct
import sys
import threading
import time

import libvirt

libvirt.registerErrorHandler(lambda ctx, error: None, None)


class Tap:
    """One line a check; exit code 1 when one failed."""

    def __init__(self):
        self.count = self.bad = 0

    def check(self, good, text, *why):
        self.count += 1
        self.bad += not good
        print("%s %d - %s" % ("ok" if good else "not ok", self.count, text.replace("#", "")), flush=True)
        if not good:
            self.note(*why)
        return good

    def equal(self, got, wanted, text):
        return self.check(got == wanted, text, *difference(repr(got), repr(wanted)))

    def skip(self, text, why):
        self.count += 1
        print("ok %d - %s # SKIP %s" % (self.count, text, why), flush=True)

    @staticmethod
    def note(*lines):
        for line in lines:
            for part in str(line).splitlines():
                print("#   " + part[:1000], flush=True)

    def end(self):
        print("1..%d" % self.count, flush=True)
        sys.stdout.flush()
        os._exit(1 if self.bad or not self.count else 0)  # libvirt's event thread has no end of its own


def difference(got, wanted):
    """Two long texts for people: from where they begin to differ."""
    at = len(os.path.commonprefix([got, wanted]))
    cut = max(0, at - 100) if at > 200 else 0
    return ["is:       %s%.600s" % ("... " if cut else "", got[cut:]), "expected: %s%.600s" % ("... " if cut else "", wanted[cut:])]


def failure(call, *args):
    """The libvirtError of a call, or None where it succeeds."""
    try:
        call(*args)
    except libvirt.libvirtError as error:
        return error
    return None


def wait_for(what, seconds=30):
    """The first true value of what(), or its last."""
    end = time.monotonic() + seconds
    while True:
        value = what()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.05)


def start_events():
    """libvirt's event loop, in a thread; before the first connection."""
    libvirt.virEventRegisterDefaultImpl()

    def run():
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=run, daemon=True).start()


# A boot sector that says '>' on the first serial port and then sends back every byte, asleep in between.
ECHO = bytes.fromhex(
    "ba f8 03 b0 3e ee"  # mov dx,0x3f8; mov al,'>'; out dx,al
    "ba fd 03 ec a8 01 75 04"  # wait: mov dx,0x3fd; in al,dx; test al,1; jnz read
    "fb f4 eb f4"  # sti; hlt; jmp wait
    "ba f8 03 ec ee eb ed"  # read: mov dx,0x3f8; in al,dx; out dx,al; jmp wait
).ljust(510, b"\0") + b"\x55\xaa"

CLUSTER = 65536


def write_qcow2(path, first_sector=ECHO, clusters=16):
    """A qcow2 image (docs/interop/qcow2.txt of QEMU, version 2) with one cluster of data: qemu-img may not be there."""
    header = struct.pack(">4sIQIIQIIQQIIQ", b"QFI\xfb", 2, 0, 0, 16, clusters * CLUSTER, 0, 1, 3 * CLUSTER, CLUSTER, 1, 0, 0)
    used = 1 << 63  # "refcount is one" in L1 and L2 entries
    parts = [
        header,
        struct.pack(">Q", 2 * CLUSTER),  # refcount table
        struct.pack(">6H", *[1] * 6),  # refcount block
        struct.pack(">Q", 4 * CLUSTER | used),  # L1
        struct.pack(">Q", 5 * CLUSTER | used),  # L2
        first_sector,
    ]
    with open(path, "wb") as image:
        image.write(b"".join(part.ljust(CLUSTER, b"\0") for part in parts))


def domain_xml(name, uuid, metadata="", devices="", more=""):
    """A small machine that plain emulation can run."""
    return """<domain type='qemu'>
  <name>%s</name>
  <uuid>%s</uuid>
  %s
  <memory unit='MiB'>32</memory>
  <vcpu current='1'>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
  </os>
  <features>
    <acpi/>
  </features>
  %s
  <devices>
    %s
  </devices>
</domain>
""" % (name, uuid, metadata and "<metadata>%s</metadata>" % metadata, more, devices)

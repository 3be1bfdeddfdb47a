#!/usr/bin/env python3
"""vdsm.py HOOK VIRT-HOSTDEV SCHEMAS OVIRT.rst: the hook for oVirt's VDSM, run as VDSM runs it, and what its page says, in TAP.

VDSM (lib/vdsm/common/hooks.py) writes the device to a temporary file, names that in the environment together with the
custom properties, runs each executable file of the occasion's folder in the order of their names, and reads the file again.
1 means that this hook has failed, 2 that no other shall run; in both cases it gives up, and shows what the hook has said.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET

hook, tool, schemas, page = sys.argv[1:]
DOMAIN = "<domain type='kvm'><name>vm</name><memory>1</memory><os><type>hvm</type></os><devices>%s</devices></domain>"
count = bad = 0


def check(text, got, want):
    global count, bad
    count += 1
    ok = got == want
    bad += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {text}" + ("" if ok else f": {got!r}, expected {want!r}"))


class HookError(Exception):
    pass


def run_hooks(occasion, device, custom):
    """What VDSM does."""
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", delete=False) as file:
        file.write(device)
    env = {**os.environ, **custom, "vmId": "8f2e5e2b-5b3a-4d7f-9d0a-0b1d6a0a0a01", "_hook_domxml": file.name}
    folder = os.path.join(hooks, occasion)
    try:
        errors = []
        for name in sorted(os.listdir(folder)):
            done = subprocess.run([os.path.join(folder, name)], env=env, capture_output=True, text=True, check=False)
            if done.returncode:
                errors.append(done.stderr)
            if done.returncode == 2:
                break
        with open(file.name, encoding="utf-8") as changed:
            text = changed.read()
        if errors:
            check("a device that is refused is left as it was", text, device)
            raise HookError(errors[-1])
        return text
    finally:
        os.unlink(file.name)


def install():
    """The hook in its folders, with the tool of this build and this host's file that says who is in front of libvirt."""
    with open(hook, encoding="utf-8") as file:
        text = file.read()
    for name, value in (("TOOL", tool), ("IN_FRONT", in_front)):
        text, found = re.subn(rf'^{name} = ".*?"', f'{name} = "{value}"', text, flags=re.M)
        check(f"the hook has its {name}", found, 1)
    for occasion in ("before_device_create", "before_nic_hotplug", "before_nic_hotunplug"):
        os.makedirs(os.path.join(hooks, occasion))
        path = os.path.join(hooks, occasion, "50_hostdev_netdev")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o755)
        with open(os.path.join(hooks, occasion, "60_later"), "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\ntouch %s/later\n" % work)
        os.chmod(file.name, 0o755)


def asked(words, device, occasion="before_device_create"):
    """What libvirt would get, or what VDSM would say."""
    try:
        return run_hooks(occasion, device, {"hostdev_netdev": words})
    except HookError as error:
        return str(error)


def canonical(text):
    return ET.canonicalize(text, strip_text=True)


def validates(device):
    run = subprocess.run([tool, "validate", "--schemas", schemas, "-"], input=DOMAIN % device, text=True, capture_output=True, check=False)
    return run.stderr


def settings(device):
    """Attributes of each netdev, as "ELEMENT ATTRIBUTE VALUE"."""
    return [sorted(f"{e.tag} {name} {value}" for e in netdev.iter() for name, value in e.items())
            for netdev in ET.fromstring(device).iter("netdev")]


def refused(text, words, reason, device=None, occasion="before_device_create"):
    check(text, asked(words, device or interface, occasion), f"hostdev_netdev: {reason}\n")


with open(page, encoding="utf-8") as page_file:
    page_text = page_file.read()
blocks = [re.sub("^   ", "", block, flags=re.M).strip() for block in re.findall(r"::\n\n((?:^(?:   .*)?\n)+)", page_text, re.M)]
words_shown, = [block for block in blocks if block.startswith("port=")]
interface, = [block for block in blocks if block.startswith("<interface")]
becomes, = [block for block in blocks if block.startswith("<hostdev")]
said = [line for block in blocks for line in block.splitlines() if line.startswith("hostdev_netdev: ")]
pattern, = re.findall(r"'\{type=interface;prop=\{hostdev_netdev=(.*)\}\}'", page_text)

with tempfile.TemporaryDirectory() as work:
    hooks, in_front, later = f"{work}/hooks", f"{work}/in-front", f"{work}/later"
    install()
    heard = [asked(words_shown, interface)]
    open(in_front, "w", encoding="utf-8").close()

    # What the page shows.
    check("the page's interface becomes its hostdev", canonical(asked(words_shown, interface)), canonical(becomes))
    check("the same when it is plugged in", canonical(asked(words_shown, interface, "before_nic_hotplug")), canonical(becomes))
    check("hooks that come later run", os.path.exists(later), True)
    check("which validates", validates(becomes), "")
    heard += [asked(words, interface) for words in ("port=1 port=2 vlan=4095", "port=1 vlan=44")]
    heard.append(asked(words_shown, "<interface type='bridge'><mac address='56:6f:1a:0b:00:03'/></interface>"))
    check("what the page says that it says", sorted(said), sorted(text.strip() for text in heard))
    # The engine splits its settings at semicolons, and compares a value as a whole.
    check("the engine can take the pattern", [c for c in ";}" if c in pattern], [])
    check("which fits", [bool(re.fullmatch(pattern, words)) for words in (words_shown, "port=2", "", "vlan=1", "port=1;port=2")],
          [True, True, False, False, False])

    # Every word.
    every = ("port=1 priority=3 protocol=802.1ad spoofcheck=no trust=yes link=up average=2000 peak=3000 floor=1000 "
             "port=2 mac=52:54:00:01:02:04 vlan=43")
    device = asked(every, interface)
    check("every word", settings(device),
          [["link state up", "mac address 56:6f:1a:0b:00:03", "netdev port 1", "netdev spoofCheck no", "netdev trustGuestRxFilters yes",
            "outbound average 2000", "outbound floor 1000", "outbound peak 3000", "tag id 42", "tag priority 3", "tag protocol 802.1ad"],
           ["mac address 52:54:00:01:02:04", "netdev port 2", "tag id 43"]])
    check("is valid", validates(device), "")
    with open(hook, encoding="utf-8") as hook_file:
        names = re.findall(r'^    "(\w+)": \(', hook_file.read(), re.M)
    check("and there are no others", sorted(names), sorted({word.partition("=")[0] for word in every.split()}))
    check("which the page has", [name for name in names if f"``{name}``" not in page_text], [])
    check("the first port is the vNIC", settings(asked("port=2 port=1", interface))[1],
          ["mac address 56:6f:1a:0b:00:03", "netdev port 2", "tag id 42"])
    macs = [re.findall("52:54:00:[0-9a-f:]{8}", asked("port=1 port=2 port=3", interface.replace("00:03", end))) for end in ("00:03", "00:04")]
    check("each further port of each vNIC has a MAC address of its own", (len(macs[0]), len(set(macs[0] + macs[1]))), (2, 4))
    check("with what oVirt says too", canonical(asked("port=1 vlan=42 port=2 vlan=43 trust=yes", interface)), canonical(becomes))

    # One port.
    one = asked("port=2 spoofcheck=no", interface)
    check("a vNIC of one port stays an interface", [ET.fromstring(one).tag, ET.fromstring(one).get("port"), ET.fromstring(one).get("spoofCheck")],
          ["interface", "2", "no"])
    had = ("ua-604c7957", 'id="42"', "order", "56:6f:1a:0b:00:03", 'slot="2"')
    check("with all that it had", [name for name in had if name not in one.replace("'", '"')], [])
    check("and is valid", validates(one), "")

    # Nothing to do.
    check("without the property nothing changes", run_hooks("before_device_create", interface, {}), interface)
    check("nor with an empty one", asked("", interface), interface)
    check("one port can be unplugged", asked("port=2", interface, "before_nic_hotunplug"), interface)

    # Refusals.
    os.unlink(later)
    known = "port, mac, vlan, priority, protocol, trust, spoofcheck, link, average, peak, floor"
    refused("several ports cannot be unplugged", "port=1 port=2",
            "a vNIC with several ports cannot be unplugged while the VM runs: shut the VM down", occasion="before_nic_hotunplug")
    refused("an unknown word", "port=1 mtu=9000", f"'mtu=9000' is not a word of the property: write NAME=VALUE (known: {known})")
    refused("a word without a value", "port=1 trust=", f"'trust=' is not a word of the property: write NAME=VALUE (known: {known})")
    refused("a word without =", "port=1 trust", f"'trust' is not a word of the property: write NAME=VALUE (known: {known})")
    refused("no port first", "vlan=43 port=2", "'vlan=43' stands before the first port=N: begin with the port that it is for")
    refused("a word twice", "port=1 port=2 vlan=1 vlan=2", "port 2 has vlan= twice: drop one")
    refused("a port twice", "port=1 port=1",
            "port='1' in <netdev>: an earlier <netdev> of this device has the same port; each port has one")
    range_of = "not a number from 1 to 128; ports are counted from 1, the device's dev_port plus one"
    refused("a port that is no number", "port=1 port=x", f"port='x' in <netdev>: {range_of}")
    refused("the first one too", "port=0", f"port='0' in <interface>: {range_of}")
    refused("another MAC address for the vNIC", "port=1 mac=52:54:00:01:02:03",
            "port 1 has mac=52:54:00:01:02:03, and oVirt gives the vNIC 56:6f:1a:0b:00:03: drop the word")
    refused("markup stays a value", "port=1 port=2 trust='/><x>",
            "trustGuestRxFilters=''/><x>' in <netdev>: not yes or no; drop it to leave the VF as it is")
    check("what only libvirt can set", "trunk" in asked("port=1 port=2", interface.replace("<vlan>", "<vlan trunk='yes'>")), True)
    check("no XML", asked("port=1", "<interface").startswith("hostdev_netdev: unexpected: ParseError"), True)
    shutil.move(tool_path := f"{hooks}/before_device_create/50_hostdev_netdev", f"{work}/hook")
    with open(f"{work}/hook", encoding="utf-8") as file:
        broken = file.read().replace(tool, f"{work}/none")
    with open(tool_path, "w", encoding="utf-8") as file:
        file.write(broken)
    os.chmod(tool_path, 0o755)
    refused("no tool", "port=1", f"cannot run {work}/none: No such file or directory")
    check("and no later hook has run", os.path.exists(later), False)

print(f"1..{count}")
sys.exit(bad != 0)

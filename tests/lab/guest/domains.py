#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""domains.py RUNS SEED PF: random operations through virthostdevd and stock libvirt, each held against a model.

Two domains: "vm" runs, and VFs are attached to it, updated, detached; "next" has the last two VFs and is started and
destroyed. In half of the runs the client, its filter, the daemon or libvirt's is killed after some milliseconds. In some,
libvirt is restarted under its guests, one of which ("pooled", if it runs) has a VF of a network's; and in some a VF of
"next" does not go back, and "plain" has it, a stock <hostdev>, before it is tried again: it waits for that. Then,
when all of them are back, what libvirt says, the metadata, the record, every port and the VF's driver must say the same
of each VF: that the call came, or that it never did. What does not go back by itself does so with virt-hostdev recover.
What libvirt took away from the host's driver before it was killed, libvirt gives back when it is asked to.
"""
import os
import random
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as tree

import libvirt

import vfs

STOCK, KNOBS, LOG = "/run/libvirt/stock", "/sys/kernel/debug/dualport", "/var/log/libvirt/virthostdevd.log"
URI = "qemu+unix:///system?socket=%s/libvirt-sock" % STOCK
LH = "{urn:libvirt-hostdev:1}"
libvirt.registerErrorHandler(lambda ctx, error: None, None)
count = dict.fromkeys(["kills", "refusals", "restores", "divergences"], 0)


def own_time():
    """Seconds, but for those in which L1 had no processor of a busy machine (host/job.sh)."""
    try:
        with open("/lab/starved", encoding="ascii") as file:
            return time.monotonic() - int(file.read() or "0") / 1000
    except OSError:
        return time.monotonic()


def waitfor(seconds, what):
    end = own_time() + seconds
    while not what():
        if own_time() > end:
            return False
        time.sleep(0.2)
    return True


def call(*argv):
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def answers(*argv):
    return lambda: call(*argv).returncode == 0


# ---- killing, and bringing back ----

def pids(name):
    return [int(pid) for pid in call("pgrep", "-x", name).stdout.split()]


def kill(who, client):
    victims = {"client": [client.pid], "filter": pids("virt-hostdev-fi"), "libvirt": pids("libvirtd"),
               "daemon": [int(open("/run/lab-virthostdevd.pid").read())]}
    for pid in victims[who]:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def bring_back(who):
    if who == "libvirt":
        call("libvirtd", "-d", "-f", STOCK + "/config")
    elif who == "daemon":
        with open(LOG, "a") as log:
            daemon = subprocess.Popen(["virthostdevd"], stdout=log, stderr=log)
        with open("/run/lab-virthostdevd.pid", "w") as file:
            file.write(str(daemon.pid))
    return waitfor(60, answers("virsh", "-q", "-c", URI, "version")) and waitfor(60, answers("virsh", "-q", "version"))


def settle():
    """A call whose client or filter was killed goes on in libvirt, and what it finds now need not be what it leaves: until
    no filter is left, and libvirt gives somebody else the domain's job."""
    waitfor(30, lambda: not pids("virt-hostdev-fi"))
    connection = libvirt.open(URI)
    for name in ("vm", "next"):
        try:
            connection.lookupByName(name).setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, None, None, "urn:lab:settle",
                                                      libvirt.VIR_DOMAIN_AFFECT_LIVE)
        except libvirt.libvirtError:
            pass                                     # it does not run
    connection.close()


def reattach(world):
    """A VF that libvirt had just taken for an attach is with vfio-pci, and no domain has it."""
    connection = libvirt.open(URI)
    for vf in world.vfs:
        if driver(vf.address) == "vfio-pci" and not any(vf.address in live(connection, name)[0] for name in ("vm", "next")):
            connection.nodeDeviceLookupByName("pci_" + re.sub("[:.]", "_", vf.address)).reAttach()
    connection.close()


# ---- what is ----

def live(connection, name):
    """(addresses libvirt says the running domain has, addresses its metadata names)"""
    try:
        root = tree.fromstring(connection.lookupByName(name).XMLDesc(0))
        if not connection.lookupByName(name).isActive():
            return set(), set()
    except libvirt.libvirtError:
        return set(), set()
    return ({vfs.address_of(a) for a in root.findall("devices/hostdev/source/address")},
            {vfs.address_of(a) for a in root.iter(LH + "address")})


def driver(address):
    path = "%s/%s/driver" % (vfs.PCI, address)
    return os.path.basename(os.readlink(path)) if os.path.islink(path) else "none"


def found(world):
    """{address: (owner by libvirt, by metadata, by record, settings, driver)}"""
    connection = libvirt.open(URI)
    said = {name: live(connection, name) for name in ("vm", "next")}
    connection.close()
    now, records = world.read(), world.records()
    return {vf.address: ([n for n in said if vf.address in said[n][0]], [n for n in said if vf.address in said[n][1]],
                         [records[vf.address].owner] if vf.address in records else [],
                         {port: now[vf.address, port] for port in vf.ports},
                         driver(vf.address)) for vf in world.vfs}


class Guests:
    def __init__(self, seed, world):
        self.chance, self.world, self.said = random.Random(seed), world, []
        self.base = {address: it[3] for address, it in found(world).items()}
        self.free = {vf.address: None for vf in world.vfs}           # address: None, or (owner, {port: setting})
        self.next = {vf.address: self.netdevs() for vf in world.vfs[-2:]}
        text = subprocess.run(["virsh", "dumpxml", "--inactive", "next"], stdout=subprocess.PIPE, text=True, check=True).stdout
        devices = "".join(vfs.hostdev_xml(address, ports) for address, ports in self.next.items())
        bare = re.sub("<hostdev.*</hostdev>", "", text, flags=re.S)
        self.define(bare.replace("</devices>", devices + "</devices>"))
        bare = re.sub("<uuid>.*</uuid>", "", bare).replace("<name>next<", "<name>plain<")
        self.define(bare.replace("</devices>", vfs.hostdev_xml(world.vfs[-1].address) + "</devices>"))

    def define(self, text):
        with open("domain.xml", "w") as file:
            file.write(text)
        subprocess.run(["virsh", "-q", "define", "domain.xml"], check=True)

    def netdevs(self):
        chance = self.chance
        return {port: {"mac": "52:54:00:%02x:%02x:%02x" % tuple(chance.randrange(256) for _ in range(3)),
                       "vlan": (chance.randint(1, 4094), chance.choice([0, 3]), "802.1Q"), "trust": chance.random() < 0.5}
                for port in (1, 2)}

    def must(self, state):
        must = {}
        for address, held in state.items():
            settings = {port: {**self.base[address][port], **(held[1].get(port, {}) if held else {})} for port in self.base[address]}
            who = [held[0]] if held else []
            must[address] = (who, who, who, settings, "vfio-pci" if held else "dualport_vf")
        return must

    def choose(self, state):
        """(virsh's words, the state after it, may it be done)"""
        chance, after = self.chance, dict(state)
        mine = [address for address, held in state.items() if held and held[0] == "vm"]
        runs = any(held and held[0] == "next" for held in state.values())
        verb = chance.choice(["attach", "attach", "next"] + ["update", "detach"] * bool(mine))
        if verb == "next":
            after.update((address, None if runs else ("next", ports)) for address, ports in self.next.items())
            return ["destroy" if runs else "start", "next"], after, runs or not any(state[address] for address in self.next)
        address = chance.choice(list(state) if verb == "attach" else mine)
        ports = self.netdevs()
        if verb == "update":
            for port in ports:
                ports[port]["mac"] = state[address][1][port]["mac"]
        after[address] = None if verb == "detach" else ("vm", ports)
        with open("device.xml", "w") as file:
            file.write(vfs.hostdev_xml(address, state[address][1] if verb == "detach" else ports))
        return [verb + "-device", "vm", "device.xml", "--live"], after, verb != "attach" or not state[address]

    def reconcile(self, *states):
        """Which of the states has it come to? None: to none of them."""
        for seconds, restore in (30, False), (20, True):
            if restore:
                count["restores"] += 1
                self.said.append("recover: " + call("virt-hostdev", "recover").stdout.strip())
            if waitfor(seconds, lambda: self.which(states) is not None):
                return self.which(states)
        return None

    def which(self, states):
        now = found(self.world)
        return next((state for state in states if self.must(state) == now), None)

    def restart(self, state):
        """libvirt ends and comes back under its guests."""
        running = call("virsh", "-q", "list", "--name").stdout
        for pid in pids("libvirtd"):
            os.kill(pid, signal.SIGTERM)
        self.said.append("libvirt is restarted under %s" % running.split())
        if not waitfor(60, lambda: not pids("libvirtd")) or not bring_back("libvirt"):
            return None
        now = call("virsh", "-q", "list", "--name").stdout
        if now != running:
            self.said.append("  now there are %s" % now.split())
            return None
        return self.reconcile(state)

    def wait_for_plain(self, state):
        """A VF that "next" has left is written to when "plain", which has it meanwhile, has ended."""
        self.said.append("next ends, its VFs do not go back, plain takes one of them")
        self.knob("vlan")
        codes = [call("virsh", "-q", "destroy", "next").returncode, call("virsh", "-q", "start", "plain").returncode]
        self.knob("none")
        vf = self.world.vfs[-1]
        left = [self.world.read()[vf.address, port] for port in vf.ports]
        restored = call("virt-hostdev", "recover")
        time.sleep(5)                                # the daemon tries again by itself, too
        under = [self.world.read()[vf.address, port] for port in vf.ports]
        codes.append(call("virsh", "-q", "destroy", "plain").returncode)
        self.said.append("  -> %s, restore says %d %s" % (codes, restored.returncode, restored.stdout.strip()))
        if any(codes) or under != left or not restored.returncode:
            self.said.append("  under plain: %s, was %s" % (under, left))
            return None
        return self.reconcile({address: None if held and held[0] == "next" else held for address, held in state.items()})

    def step(self, state):
        """One call, or what else happens on a host. Returns the state after it, or None: what is agrees with nothing."""
        if self.chance.random() < 0.1:
            return self.restart(state)
        if any(held and held[0] == "next" for held in state.values()) and self.chance.random() < 0.2:
            return self.wait_for_plain(state)
        return self.one_call(state)

    def one_call(self, state):
        words, after, may = self.choose(state)
        chance, who, knob = self.chance, None, None
        if chance.random() < 0.5:
            who, delay = chance.choice(["client", "filter", "daemon", "libvirt"]), chance.randint(0, 1500) / 1000
        elif chance.random() < 0.4:
            knob, may = chance.choice(["vlan", "mac"]), False
        self.said.append("virsh %s%s%s" % (" ".join(words), who and ", %s killed after %.3f s" % (who, delay) or "", knob and ", %s refused" % knob or ""))
        self.knob(knob or "none")
        with open("out", "w") as out:
            client = subprocess.Popen(["virsh", "-q"] + words, stdout=out, stderr=out)
        if who:
            count["kills"] += 1
            time.sleep(delay)
            kill(who, client)
        code = client.wait(120)
        self.knob("none")
        if who and not bring_back(who):
            self.said.append("%s does not come back" % who)
            return None
        if who:
            settle()
        if who == "libvirt":
            reattach(self.world)
        self.said.append("  -> %d %s" % (code, open("out").read().strip()))
        count["refusals"] += code != 0
        if not who and not knob and (code == 0) != may:
            self.said.append("  must %s" % ("succeed" if may else "be refused"))
            return None
        if who and words[0] == "detach-device":       # a guest may let go of a device later than libvirt waits for it
            waitfor(10, lambda: self.which([after]) is not None)
        if who or knob:
            return self.reconcile(state, after) if may or knob else self.reconcile(state)
        return self.reconcile(after if may else state)

    def knob(self, name):
        for pf in sorted({vf.pf for vf in self.world.vfs}):
            with open("%s/%s/fail_attr" % (KNOBS, pf), "w") as file:
                file.write(name)

    def run(self, runs):
        state = self.free
        for number in range(runs):
            self.said.append("run %d" % number)
            before, state = state, self.step(state)
            if state is None:
                count["divergences"] += 1
                print("FAIL in the last of these:\n  %s\n  was  %s\n  is   %s" % ("\n  ".join(self.said), self.must(before), found(self.world)))
                return
        for words in [["destroy", "next"]] + [["detach-device", "vm", "back.xml", "--live"] for _ in state]:
            mine = [address for address, held in state.items() if held and held[0] == "vm"]
            if words[0] != "destroy" and mine:
                with open("back.xml", "w") as file:
                    file.write(vfs.hostdev_xml(mine[0], state[mine[0]][1]))
            call("virsh", "-q", *words)
            if words[0] != "destroy" and mine:
                state[mine[0]] = None
        if self.reconcile(self.free) is None:
            count["divergences"] += 1
            print("FAIL at the end: %s" % found(self.world))


def main(runs, seed, pf):
    world = vfs.World("", {pf: ["mac", "vlan", "trust"]})
    guests = Guests(seed, world)
    guests.run(runs)
    print("seed %d: %d runs with libvirt, %s" % (seed, runs, ", ".join("%d %s" % (n, what) for what, n in count.items())))
    return count["divergences"] == 0


sys.exit(not main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))

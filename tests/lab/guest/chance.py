#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""chance.py RUNS SEED IFNAME ROOT: runs of random operations, each held against model.py after every step.

The host's VFs are those of the PFs below; ROOT is a made-up host with IFNAME's (netdevsim). Run number n has the seed
SEED + n, and nothing but that decides what is done in it: SEED=that RUNS=1 does it again, down to the system call at
which a process is killed. (Where two processes run at once, or a process is killed after some milliseconds, what
happens may be another thing all the same.)

A run begins with VFs that nobody has, takes some steps, and ends by giving everything back. A step is an operation, or
two or three at once, under a knob of the driver's perhaps, and perhaps one of them is killed. Then every port of every VF,
every record and every lock is compared with what the model says. Where the model cannot know (a process was killed)
the promises are checked: a VF without a record is as it was; a record has its owner, and what was before it; no setting is
other than the old one or the new one. Operations done at once must have come out as if done one after the other.
"""
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time

import model
import vfs

PF1, PF2, PF3, SIM = "0000:01:00.0", "0000:02:00.0", "0000:03:00.0", "0000:10:00.1"
ALL = ["mac", "vlan", "spoof", "trust", "link", "rate"]
HOOK, KNOBS, WORK, STATUS = "/etc/libvirt/hooks/qemu.d/50-virt-hostdev", "/sys/kernel/debug/dualport", "/run/chance", "/run/libvirt/qemu"
FILE = "FILE"                                        # in a command: where its document is
PATIENCE = 60                                        # seconds a process may take; every wait of ours is shorter
# Where a process is killed: system calls, and how often it may make them at most.
CALLS = {"fsync": 3, "linkat,renameat,renameat2": 4, "unlinkat": 3, "flock": 2, "sendmsg,sendto": 12, "recvmsg,recvfrom": 14, "write": 4,
         "openat": 150}
count = dict.fromkeys(["steps", "processes", "kills", "killed", "refusals", "together", "divergences"], 0)


# ---- knobs ----

class Knob:
    """A bad habit of a dualport PF's driver. @certain: the model knows what comes of it"""

    def __init__(self, chance, pf):
        self.pf, self.vf, self.port = pf, chance.choice([-1, 0, 1]), chance.choice([-1, 1, 2])
        self.kind = chance.choice(["fail_attr", "fail_attr", "ignore", "hide_vf", "fail_nth", "busy", "reset_ms", "delay_ms"])
        self.attr = chance.choice(["mac", "vlan", "rate", "spoofchk", "trust", "link", "all"])
        value = {"fail_attr": self.attr, "ignore": self.attr, "hide_vf": chance.randrange(3), "fail_nth": chance.randint(1, 6),
                 "busy": chance.randint(1, 4), "reset_ms": chance.randint(5, 40), "delay_ms": chance.randint(1, 15)}
        self.files = {"fail_errno": chance.choice([1, 5, 12]), "busy_errno": chance.choice([11, 16]), self.kind: value[self.kind]}
        if self.kind != "hide_vf":
            self.files.update(vf=self.vf, port=self.port)
        self.certain = self.kind not in ("fail_nth", "busy", "reset_ms")

    def refuses(self, index, port, name):
        return (self.kind in ("fail_attr", "ignore") and self.attr in (name, "all") and
                self.vf in (-1, index) and self.port in (-1, port))

    def hides(self, index):
        return self.kind == "hide_vf" and self.files["hide_vf"] == index

    def turn(self, on):
        for name, value in (self.files if on else {"reset": 1}).items():
            with open("%s/%s/%s" % (KNOBS, self.pf, name), "w") as file:
                file.write(str(value))

    def __str__(self):
        return "%s of %s" % (self.files, self.pf)


# ---- strangers ----

class Stranger:
    """Somebody who has a VF open through VFIO and no record of it: a stock <hostdev>, a DPDK."""

    def __init__(self, address):
        self.address, self.device = address, "%s/%s" % (vfs.PCI, address)
        self.driver = os.path.basename(os.readlink(self.device + "/driver"))
        self.bind("vfio-pci")
        group = os.path.basename(os.readlink(self.device + "/iommu_group"))
        self.file = os.open("/dev/vfio/" + group, os.O_RDWR | os.O_CLOEXEC)

    def bind(self, driver):
        for path, text in ("driver_override", driver), ("driver/unbind", self.address):
            with open("%s/%s" % (self.device, path), "w") as file:
                file.write(text + "\n")
        with open("/sys/bus/pci/drivers_probe", "w") as file:
            file.write(self.address)

    def end(self):
        os.close(self.file)
        self.bind(self.driver)
        with open(self.device + "/driver_override", "w") as file:
            file.write("\n")


# ---- processes ----

class Starter:
    """In libvirtd's place: the parent of hooks. Dies like one."""

    def __init__(self):
        self.shell = subprocess.Popen(["bash", "-c", 'while read -r line; do eval "$line"; done'], stdin=subprocess.PIPE,
                                      stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, bufsize=1)
        self.pid = self.shell.pid

    def die(self):
        self.shell.kill()
        self.shell.wait()


class Process:
    """A command, of ours or of a starter's; maybe one that is going to be killed."""

    def __init__(self, number, argv, text, starter, kill):
        self.kill, self.starter, self.out = kill, starter, "%s/out.%d" % (WORK, number)
        if kill and kill[0] == "call":
            argv = ["strace", "-D", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=" + kill[1], "-e",
                    "inject=%s:signal=KILL:when=%d" % kill[1:]] + argv
        with open("%s/in.%d" % (WORK, number), "w") as file:
            file.write(text)
        argv = [file.name if word == FILE else word for word in argv]
        if starter:
            line = "%s < %s > %s 2>&1 & echo $!; wait $!; echo $?" % (" ".join(map(repr, argv)), file.name, self.out)
            starter.shell.stdin.write(line + "\n")
            self.pid = int(starter.shell.stdout.readline())
        else:
            with open(self.out, "w") as out, open(file.name) as stdin:
                self.child = subprocess.Popen(argv, stdin=stdin, stdout=out, stderr=out)
            self.pid = self.child.pid
        count["processes"] += 1
        self.due = time.monotonic() + kill[1] / 1000 if kill and kill[0] == "time" else None

    def strike(self):
        if self.due:
            time.sleep(max(0, self.due - time.monotonic()))
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass                                 # it was through

    def wait(self):
        """Its exit code; None when it was killed."""
        if self.starter:
            code = int(self.starter.shell.stdout.readline())
        else:
            code = self.child.wait(PATIENCE)
        return None if code in (-signal.SIGKILL, 128 + signal.SIGKILL) else code


# ---- operations ----

class Apply:
    def __init__(self, owner, devices):
        self.owner, self.devices = owner, devices

    def predict(self, m):
        return m.apply(self.owner, self.devices)

    def command(self):
        owner = self.owner
        xml = vfs.domain_xml(owner.name, owner.uuid or "", self.devices, stock=bool(owner.uuid))
        if owner.uuid:
            return [HOOK, owner.name, "prepare", "begin", "-"], xml, owner.starter
        return ["virt-hostdev", "apply", "--owner", owner.name, FILE], xml.replace("<uuid></uuid>", ""), None

    def touched(self, m):
        return {address: {self.owner.name} for address in self.devices}

    def __str__(self):
        return "%s takes %s" % (self.owner.name, ", ".join("%s(%s)" % (a, "; ".join("%d: %s" % (p, model.show(s)) for p, s in d.items()))
                                                          for a, d in self.devices.items()))


class Release:
    def __init__(self, owner):
        self.owner = owner

    def predict(self, m):
        return m.release(self.owner)

    def command(self):
        owner = self.owner
        if owner.uuid:
            return [HOOK, owner.name, "stopped", "end", "-"], vfs.domain_xml(owner.name, owner.uuid, {}), owner.starter
        return ["virt-hostdev", "release", owner.name], "", None

    def touched(self, m):
        return {address: set() for address in m.has(self.owner)}

    def __str__(self):
        return "%s lets go" % self.owner.name


class Restore:
    def __init__(self, force):
        self.force = force

    def predict(self, m):
        return m.restore(self.force)

    def command(self):
        return ["virt-hostdev", "recover"] + ["--force"] * self.force, "", None

    def touched(self, m):
        return {address: set() for address in m.held}

    def __str__(self):
        return "restore" + " --force" * self.force


class Status:
    """Looks, while others work."""

    def predict(self, m):
        return True

    def command(self):
        return ["virt-hostdev", "status"], "", None

    def touched(self, m):
        return {}

    def __str__(self):
        return "status"


# ---- a run ----

class Divergence(Exception):
    pass


class Host:
    """A world with its model, over all runs."""

    def __init__(self, world):
        self.world, self.model = world, model.Model(world.by_address, {}, world.read())

    def found(self):
        held = {address: model.Held(r.owner, r.pid, r.before, r.wanted, r.phase) for address, r in self.world.records().items()}
        return self.world.read(), held

    def start_over(self):
        """After a divergence."""
        shutil.rmtree(self.world.state, ignore_errors=True)
        self.model = model.Model(self.world.by_address, {}, self.world.read())


class Run:
    def __init__(self, seed, hosts):
        self.chance, self.hosts, self.said, self.seed = random.Random(seed), hosts, [], seed
        self.host = hosts[0] if self.chance.random() < 0.85 else hosts[1]
        self.world, self.model, self.killed = self.host.world, self.host.model, False
        self.owners, self.strangers = [model.Owner("hand%d" % n) for n in range(2)], []
        self.model.used = set()
        if not self.world.root:                      # the hook knows no other root
            self.owners += [model.Owner("vm%d" % n, "00000000-0000-4000-8000-%012x" % n) for n in range(3)]
        self.model.owners = {owner.name: owner for owner in self.owners}

    # -- choosing --

    def setting(self, vf):
        chance = self.chance
        value = {"mac": lambda: "52:54:00:%02x:%02x:%02x" % tuple(chance.randrange(256) for _ in range(3)),
                 "vlan": lambda: (chance.randint(1, 4094), chance.choice([0, 0, 3, 7]), "802.1Q"), "trust": lambda: chance.random() < 0.7,
                 "spoof": lambda: chance.random() < 0.5, "link": lambda: chance.choice(vfs.LINKS), "rate": lambda: chance.choice([10, 1000, 2500])}
        # igb takes a rate while its link is up, which is nobody's to know here.
        names = [name for name in ALL if name in vf.settable or (chance.random() < 0.03 and (vf.pf, name) != (PF1, "rate"))]
        return {name: value[name]() for name in chance.sample(names, chance.randint(1, len(names)))}

    def devices(self):
        chance = self.chance
        most = 24 if self.world.root and chance.random() < 0.2 else 3
        chosen = chance.sample(self.world.vfs, chance.randint(1, min(most, len(self.world.vfs))))
        return {vf.address: {port: self.setting(vf) for port in sorted(chance.sample(vf.ports, chance.randint(1, len(vf.ports))))}
                for vf in chosen}

    def operation(self):
        chance, kind = self.chance, self.chance.choices(["apply", "release", "restore", "status"], [5, 4, 1, 0.3])[0]
        busy = [owner for owner in self.owners if self.model.has(owner)]
        if kind == "restore":
            return Restore(chance.random() < 0.5)
        if kind == "status":
            return Status()
        if kind == "release" and (busy or chance.random() < 0.1):
            return Release(chance.choice(busy or self.owners))
        return Apply(chance.choice(self.owners), self.devices())

    def kill(self):
        if self.chance.random() < 0.6:
            which = self.chance.choice(list(CALLS))
            return "call", which, self.chance.randint(1, CALLS[which])
        return "time", self.chance.randint(0, 400)

    # -- doing --

    def say(self, *text):
        self.said.append(" ".join(map(str, text)))

    def need(self, ok, *text):
        if not ok:
            raise Divergence("\n    ".join(text))

    def begin(self, operation, number, kill):
        owner = getattr(operation, "owner", None)
        if owner and owner.uuid and not owner.starter:
            owner.starter = Starter()
        argv, text, starter = operation.command()
        if self.world.root:
            argv[1:1] = ["--root", self.world.root]
        return Process(number, argv, text, starter, kill)

    def step(self, operations, knob=None, kill=None):
        """@kill: for the last of them"""
        self.say(" | ".join(map(str, operations)), *["knob %s" % knob] * bool(knob), *["kill %s" % (kill,)] * bool(kill))
        count["steps"] += 1
        count["together"] += len(operations) > 1
        count["kills"] += bool(kill)
        self.model.knobs = {knob.pf: knob} if knob else {}
        for operation in operations:                 # the model must know who starts
            owner = getattr(operation, "owner", None)
            if owner and owner.uuid and not owner.starter:
                owner.starter = Starter()
        if knob:
            knob.turn(True)
        processes = [self.begin(operation, n, kill if n == len(operations) - 1 else None) for n, operation in enumerate(operations)]
        processes[-1].strike()
        codes = [process.wait() for process in processes]
        if knob:
            knob.turn(False)
        self.say("  ->", codes, *["%s" % open(p.out).read().strip() for p in processes])
        count["killed"] += None in codes
        count["refusals"] += sum(bool(code) for code in codes)
        self.killed |= None in codes
        self.judge(operations, codes, knob)
        self.model.knobs = {}

    def judge(self, operations, codes, knob):
        now, held = self.host.found()
        self.need(None in codes or all(code in (0, 1) for code in codes), "exit codes %s" % codes)
        if None not in codes and (not knob or knob.certain or not any(codes)):
            self.judge_known(operations, codes, now, held)
        else:
            self.judge_interrupted(operations, codes, now, held)
        self.look(knob)

    def judge_known(self, operations, codes, now, held):
        """As if one came after the other, in one order at least."""
        closest = None
        for order in itertools.permutations(range(len(operations))):
            m = self.model.copy()
            said = {n: int(not operations[n].predict(m)) for n in order}
            wrong = ["%s: exit code %d, must be %d" % (operations[n], codes[n], said[n]) for n in order if said[n] != codes[n]]
            wrong += m.differences(now, held)
            if not wrong:
                self.model = self.host.model = m
                return
            closest = min(closest or wrong, wrong, key=len)
        self.need(False, *closest)

    def judge_interrupted(self, operations, codes, now, held):
        touched, wishes = {}, {}
        for operation in operations:
            for address, owners in operation.touched(self.model).items():
                touched.setdefault(address, set()).update(owners)
            for address, ports in getattr(operation, "devices", {}).items():
                for port, setting in ports.items():
                    wishes.setdefault((address, port), []).append(setting)
        if len(operations) == 1 and codes == [1] and isinstance(operations[0], Apply):
            self.need(all(a in self.model.held or a not in held for a in touched), "refused, and there are records: %s" % held)
        self.model.knobs = {}
        broken = self.model.adopt(now, held, touched, wishes)
        self.need(not broken, *broken)
        for operation, code in zip(operations, codes):
            if code == 0 and isinstance(operation, Apply) and all(isinstance(o, (Apply, Status)) for o in operations):
                for address in operation.devices:
                    self.need(address in held and held[address].owner == operation.owner.name, "%s was told that it has %s: %s" % (
                        operation.owner.name, address, held.get(address)))

    def look(self, knob):
        """What holds after any step."""
        locks = [vfs_locks for vfs_locks in self.world.held()]
        self.need(not locks, "locks are still held: %s" % locks)
        left = self.world.files()[2]
        self.need(self.killed or not left, "files are left half written: %s" % left)
        for other in self.hosts:
            if other is not self.host:
                now, held = other.found()
                wrong = list(other.model.differences(now, held))
                self.need(not wrong, *wrong)

    # -- what an administrator does meanwhile --

    def rename(self):
        if self.world.root:                          # a made-up tree leads to a name
            return
        ifindex = self.chance.choice(list(self.world.ports.values()))
        name = "pf%dx%d" % (ifindex, self.chance.randrange(1000))
        self.say("netdev %d is called %s" % (ifindex, name))
        self.world.netlink.rename(ifindex, name)

    def down(self):
        if self.model.down:
            key, up = self.chance.choice(sorted(self.model.down)), True
        else:
            key, up = self.chance.choice(sorted(self.world.ports)), False
        self.say("port %d of %s goes %s" % (key[1], key[0], "up" if up else "down"))
        self.world.netlink.up(self.world.ports[key], up)
        (self.model.down.discard if up else self.model.down.add)(key)

    def drift(self):
        vf = self.chance.choice(self.world.vfs)
        port = self.chance.choice(vf.ports)
        name, value = self.chance.choice(sorted((n, v) for n, v in self.setting(vf).items() if n in vf.settable) or [("spoof", True)])
        self.say("somebody sets %s of port %d of %s to %s" % (name, port, vf, value))
        self.world.write(vf, port, **{name: value})
        self.model.now[vf.address, port][name] = value

    def starter_dies(self):
        domains = [owner for owner in self.owners if owner.starter]
        if domains:
            owner = self.chance.choice(domains)
            self.say("who started %s dies" % owner.name)
            owner.starter.die()
            owner.starter = None

    def status_file(self):
        """libvirt writes it when QEMU is there, and takes it away when that is gone."""
        domains = [owner for owner in self.owners if owner.uuid]
        if domains:
            owner = self.chance.choice(domains)
            owner.status = not owner.status
            self.say("%s %s" % (owner.name, "runs" if owner.status else "runs no more"))
            self.write_status(owner)

    def write_status(self, owner):
        path = "%s/%s.xml" % (STATUS, owner.name)
        if owner.status:
            with open(path, "w") as file:
                file.write("<domstatus pid='0'><domain type='kvm' id='1'><name>%s</name><uuid>%s</uuid></domain></domstatus>"
                           % (owner.name, owner.uuid))
        elif os.path.exists(path):
            os.remove(path)

    def stranger(self):
        """Comes or goes. igb's VFs are left out: without their netdev nobody can tell whose MAC address they show."""
        free = [vf.address for vf in self.world.vfs if vf.pf in (PF2, PF3) and vf.address not in self.model.used]
        if self.strangers and (not free or self.chance.random() < 0.4):
            self.strangers_end([self.strangers.pop(self.chance.randrange(len(self.strangers)))])
        elif free:
            self.strangers.append(Stranger(self.chance.choice(free)))
            self.model.used.add(self.strangers[-1].address)
            self.say("somebody else opens", self.strangers[-1].address)

    def strangers_end(self, strangers):
        for stranger in strangers:
            stranger.end()
            self.model.used.discard(stranger.address)
            self.say("nobody else has %s open" % stranger.address)

    # -- from beginning to end --

    def go(self):
        chance = self.chance
        for _ in range(chance.randint(2, 4)):
            while chance.random() < 0.35:
                chance.choice([self.rename, self.down, self.down, self.drift, self.starter_dies, self.status_file, self.status_file,
                               self.stranger, self.stranger])()
            knob = Knob(chance, chance.choice([PF2, PF3])) if not self.world.root and chance.random() < 0.4 else None
            if chance.random() < 0.2:
                self.at_once(knob)
            else:
                self.step([self.operation()], knob, self.kill() if chance.random() < 0.35 else None)
        self.give_back()

    def at_once(self, knob):
        """Several processes: of different owners, for what one owner does in two places at once has no order."""
        operations = []
        for _ in range(self.chance.choice([2, 2, 3])):
            operation = self.operation()
            owner = getattr(operation, "owner", None)
            if all(owner is None or getattr(other, "owner", None) is not owner for other in operations):
                operations.append(operation)
        kill = self.kill() if self.chance.random() < 0.25 else None
        self.step(operations, knob if knob and knob.certain else None, kill)

    def give_back(self):
        self.strangers_end(self.strangers)
        for key in sorted(self.model.down):
            self.world.netlink.up(self.world.ports[key], True)
        self.model.down = set()
        for owner in self.owners:
            owner.status = False
            self.write_status(owner)
            if owner.starter:
                owner.starter.die()
                owner.starter = None
        if self.model.held:
            self.step([Restore(False)])
        for owner in self.owners:
            if self.model.has(owner):
                self.step([Release(owner)])
        self.need(not self.model.held, "still held: %s" % self.model.held)
        for name in self.world.files()[2]:
            os.remove("%s/%s" % (self.world.state, name))


def clean_up(run):
    run.strangers_end(run.strangers)
    for owner in run.owners:
        owner.status = False
        run.write_status(owner)
        if owner.starter:
            owner.starter.die()
    for host in run.hosts:
        for ifindex in host.world.ports.values():
            host.world.netlink.up(ifindex, True)
    for pf in PF2, PF3:
        with open("%s/%s/reset" % (KNOBS, pf), "w") as file:
            file.write("1")
    time.sleep(1)                                    # whoever was cut off from its starter
    run.host.start_over()


def main(runs, seed, ifname, root):
    os.makedirs(WORK, exist_ok=True)
    os.makedirs(STATUS, exist_ok=True)
    hosts = [Host(vfs.World("", {PF1: ["mac", "vlan", "spoof", "trust"], PF2: ALL, PF3: ALL})), Host(vfs.World(root, {SIM: ALL}))]
    began = time.monotonic()
    for number in range(seed, seed + runs):
        run = Run(number, hosts)
        try:
            run.go()
        except (Divergence, subprocess.TimeoutExpired, OSError, ValueError, KeyError) as error:
            count["divergences"] += 1
            print("FAIL run %d (again: SEED=%d RUNS=1): %s: %s\n  %s" % (number - seed, number, type(error).__name__, error, "\n  ".join(run.said)))
            clean_up(run)
            if count["divergences"] == 5:
                break
    print("seed %d: %d runs, %s, %.0f s" % (seed, number - seed + 1, ", ".join("%d %s" % (n, what) for what, n in count.items()),
                                           time.monotonic() - began))
    return count["divergences"] == 0


sys.exit(not main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]))

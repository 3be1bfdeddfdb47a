# SPDX-License-Identifier: LGPL-2.1-or-later
"""What every port of every VF must be, who has it, and what its record says: written down a second time, in other words
than the programs'. Nothing here looks at a host.
"""
import copy

KNOB_NAME = {"spoof": "spoofchk"}                    # the others are called as here


class Owner:
    """Who may have VFs. A domain has a starter, the process that calls its hook; and libvirt's status file, or not."""

    def __init__(self, name, uuid=None):
        self.name, self.uuid, self.starter, self.status = name, uuid, None, False


class Held:
    """A record."""

    def __init__(self, owner, pid, before, wanted, phase):
        self.owner, self.pid, self.before, self.wanted, self.phase = owner, pid, before, wanted, phase

    def __eq__(self, other):
        return isinstance(other, Held) and vars(self) == vars(other)

    def __repr__(self):
        return "%s, %s, wants %s" % (self.owner, self.phase, self.wanted)


class Model:
    """@now: {(address, port): setting}, @held: {address: Held}, @down: {(pf, port)}, @knobs: {pf: Knob},
    @used: {address that somebody has open of whom no record knows}"""

    def __init__(self, vfs, owners, now):
        self.vfs, self.owners, self.now, self.held, self.down, self.knobs, self.used = vfs, owners, now, {}, set(), {}, set()

    def copy(self):
        other = copy.copy(self)
        other.now, other.held = copy.deepcopy(self.now), copy.deepcopy(self.held)
        return other

    def refuses(self, vf, port, name):
        knob = self.knobs.get(vf.pf)
        return name not in vf.settable or bool(knob) and knob.refuses(vf.index, port, KNOB_NAME.get(name, name))

    def hides(self, vf):
        return vf.pf in self.knobs and self.knobs[vf.pf].hides(vf.index)

    def gone(self, held):
        """Is the owner a domain that neither runs nor is on its way up?"""
        owner = self.owners[held.owner]
        if not owner.uuid or owner.status:
            return False
        return held.phase == "restoring" or not owner.starter or held.pid != owner.starter.pid

    def base(self, address):
        """{port: setting}: what the VF is when nobody has it."""
        was = self.held[address].before if address in self.held else {}
        return {port: {**self.now[address, port], **was.get(port, {})} for port in self.vfs[address].ports}

    # ---- what the programs do. Each says whether it succeeds; the model is then as the host must be. ----

    def put_back(self, address):
        vf, held = self.vfs[address], self.held[address]
        if address in self.used:
            if not self.owners[held.owner].status:
                held.phase = "restoring"             # anybody's to put back when that has ended
            return False
        done = not self.hides(vf)
        for port, before in held.before.items():
            for name, value in before.items():
                if self.now[address, port][name] == value:
                    continue
                if self.refuses(vf, port, name):
                    done = False
                else:
                    self.now[address, port][name] = value
        if done:
            del self.held[address]
        else:
            held.phase = "restoring"
        return done

    def put_all_back(self, addresses):
        return all([self.put_back(address) for address in addresses])

    def over(self, owner, held):
        """Does what is held only wait to be put back, now that @owner asks for it?"""
        if held.owner != owner.name:
            return self.gone(held)
        if held.phase == "restoring":
            return True
        return not owner.status if owner.uuid else held.phase == "setting"

    def claim(self, owner, address, ports):
        held = self.held.get(address)
        if held and not self.over(owner, held):
            return held.owner == owner.name and (bool(owner.uuid) or held.wanted == ports)
        if address in self.used:
            return False
        return not held or self.put_back(address)

    def apply(self, owner, devices):
        """@devices: {address: {port: setting}}, in the document's order"""
        if any((self.vfs[a].pf, port) in self.down for a, ports in devices.items() for port in ports):
            return False
        for address, ports in devices.items():
            if not self.claim(owner, address, ports) or self.hides(self.vfs[address]):
                return False
        refused, kept = False, {address: copy.deepcopy(self.held[address]) for address in devices if address in self.held}
        for address, ports in devices.items():
            before = {port: copy.deepcopy(self.now[address, port]) for port in ports}
            if address in self.held:
                before.update(self.held[address].before)
            pid = owner.starter.pid if owner.uuid else 0
            self.held[address] = Held(owner.name, pid, before, copy.deepcopy(ports), "active")
            refused |= any(self.now[address, port].get(name) != value and self.refuses(self.vfs[address], port, name)
                           for port, setting in ports.items() for name, value in setting.items())
        if refused:
            self.held.update(kept)                   # the owner goes on having these
            self.put_all_back([address for address in devices if address not in kept])
            return False
        for address, ports in devices.items():
            for port, setting in ports.items():
                self.now[address, port].update(setting)
        return True

    def has(self, owner):
        return [address for address, held in self.held.items() if held.owner == owner.name]

    def release(self, owner):
        mine = self.has(owner)
        if not mine and not owner.uuid:
            return False                             # somebody typed a name: it was wrong
        return self.put_all_back(mine)

    def restore(self, force):
        return self.put_all_back([a for a, held in sorted(self.held.items()) if force or self.gone(held)])

    # ---- comparing ----

    def differences(self, now, held):
        """Texts: what is not as it must be. @now, @held: what is found"""
        for key in sorted(self.now):
            if now[key] != self.now[key]:
                yield "%s port %d is %s, must be %s" % (*key, show(now[key]), show(self.now[key]))
        for address in sorted(set(held) | set(self.held)):
            if held.get(address) != self.held.get(address):
                yield "the record of %s is %s, must be %s" % (address, held.get(address), self.held.get(address))

    def adopt(self, now, held, touched, wishes):
        """Somebody was interrupted: each VF of @touched may be anything that keeps the promises, and the model then says
        what was found. @wishes: {(address, port): settings that were being set}, @touched: {address: owners' names}.
        Returns texts: the promises that were broken."""
        broken = []
        for address, owners in touched.items():
            base = self.base(address)
            if address in self.used:
                broken += ["%s port %d was written to under somebody else: %s, was %s" % (address, port, show(now[address, port]), show(
                    self.now[address, port])) for port in base if now[address, port] != self.now[address, port]]
            if address not in held:
                broken += ["%s port %d has no record and is %s, must be %s" % (address, port, show(now[address, port]), show(base[port]))
                           for port in base if now[address, port] != base[port]]
                continue
            record, was = held[address], self.held.get(address)
            if record.owner not in owners | ({was.owner} if was else set()):
                broken.append("%s belongs to %s" % (address, record.owner))
            for port, before in record.before.items():
                broken += ["the record of %s says port %d had %s %s before, it was %s" % (address, port, name, value, base[port][name])
                           for name, value in before.items() if value != base[port][name]]
            for port in base:
                allowed = [base[port], self.now[address, port], *wishes.get((address, port), [])]
                broken += ["%s port %d has %s %s, which nobody ever set" % (address, port, name, value)
                           for name, value in now[address, port].items()
                           if value not in [setting.get(name) for setting in allowed]
                           or (port not in record.before and value != base[port][name])]
        for address in touched:
            self.now.update({(address, port): now[address, port] for port in self.vfs[address].ports})
            self.held.pop(address, None)
            if address in held:
                self.held[address] = held[address]
        return broken + list(self.differences(now, held))


def show(setting):
    return " ".join("%s=%s" % (name, "/".join(map(str, value)) if isinstance(value, tuple) else value)
                    for name, value in sorted(setting.items()))

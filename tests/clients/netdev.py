#!/usr/bin/env python3
# netdev.py THROUGH_URI DIRECT_URI: what a client sees that writes <netdev>: on defined domains, which need no hardware.
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Everything is looked at twice: through, where there are netdevs, and directly, where there is libvirt's own form.
import random
import re
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as tree

import libvirt

import tap

OURS = "urn:libvirt-hostdev:1"
LH = "{%s}" % OURS
CONFIG, LIVE, CURRENT = libvirt.VIR_DOMAIN_AFFECT_CONFIG, libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CURRENT
INACTIVE = libvirt.VIR_DOMAIN_XML_INACTIVE
NAME, UUID = "netdev-vm", "6d1a8a3e-7df1-4b2f-8a39-0f6f0bb3b001"

ONE = "<netdev port='1'><mac address='52:54:00:01:02:03'/><vlan><tag id='42'/></vlan></netdev>"
TWO = "<netdev port='2'><mac address='52:54:00:01:02:04'/><vlan><tag id='43'/></vlan></netdev>"
ALL = """<netdev port='3' trustGuestRxFilters='yes' spoofCheck='no'>
  <mac address='52:54:00:01:02:05'/>
  <vlan><tag id='44' priority='3' protocol='802.1ad'/></vlan>
  <link state='auto'/>
  <bandwidth><outbound average='122070' floor='12207'/></bandwidth>
</netdev><netdev port='4'><guid node='00:11:22:33:44:55:66:77' port='00:11:22:33:44:55:66:78'/></netdev>"""


def hostdev(netdevs="", slot=2, bus=6, managed="yes", more=""):
    return """<hostdev mode='subsystem' type='pci' managed='%s'>
  <driver name='vfio'/>
  <source><address domain='0x0000' bus='0x%02x' slot='0x%02x' function='0x0'/></source>%s%s
</hostdev>""" % (managed, bus, slot, netdevs, more)


def whole(devices="", name=NAME, uuid=UUID, **more):
    return tap.domain_xml(name, uuid, devices=devices, **more)


def plain(element):
    """An element as something that can be compared: no white space, no namespace, no order of attributes."""
    return (element.tag.replace(LH, ""), sorted(element.attrib.items()), [plain(child) for child in element])


def netdevs_of(text):
    """Address -> netdevs, of the hostdevs of a document in netdev form."""
    found = {}
    for device in tree.fromstring(text).iter("hostdev"):
        address = device.find("source/address")
        found[tuple(sorted(address.attrib.items()))] = [plain(n) for n in device.findall("netdev")]
    return found


def stored_of(text):
    """The same, of our metadata in a document in stock form."""
    found = {}
    for device in tree.fromstring(text).iter(LH + "hostdev"):
        address = device.find(LH + "source/" + LH + "address")
        found[tuple(sorted(address.attrib.items()))] = [plain(n) for n in device.findall(LH + "netdev")]
    return found


def written(text):
    """What is written in a text of <netdev>s."""
    return [plain(n) for n in tree.fromstring("<x>%s</x>" % text)]


def only(mapping):
    return next(iter(mapping.values())) if len(mapping) == 1 else mapping


class Test(tap.Tap):
    def __init__(self, through, direct):
        super().__init__()
        self.uri = through
        self.conn, self.stock = libvirt.open(through), libvirt.open(direct)
        self.clear()

    def clear(self):
        for domain in self.stock.listAllDomains():
            if domain.isActive():
                domain.destroy()
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA)

    def define(self, text):
        """The domain as seen through, and directly."""
        return self.conn.defineXML(text), self.stock.lookupByName(NAME)

    def both(self, domain, stock, netdevs, text):
        """Through there are these netdevs; directly they are in metadata and nowhere else."""
        shown, kept = domain.XMLDesc(INACTIVE), stock.XMLDesc(INACTIVE)
        self.equal({k: v for k, v in netdevs_of(shown).items() if v}, netdevs, text + ": shown as netdevs")
        self.check(OURS not in shown, text + ": nothing of the stored form is shown", shown)
        self.equal(stored_of(kept), netdevs, text + ": kept in metadata")
        self.check("<netdev" not in kept, text + ": libvirt itself sees no <netdev>", kept)

    def refused(self, what, call, *args, says=(), code=None):
        """A call that fails, in words that help."""
        error = tap.failure(call, *args)
        good = error is not None and all(re.search(word, str(error)) for word in says)
        good = good and (code is None or error.get_error_code() == code)
        return self.check(good, what, "expected %r, error code %r" % (says, code), "got code %r: %s" % (error and error.get_error_code(), error))

    def untouched(self, what, domain, stock, call, *args, **expect):
        """A call that fails, and changes nothing."""
        def seen():  # <metadata/>: what libvirt leaves behind when the last metadata is taken away
            return [re.sub(r"\s*<metadata/>", "", one.XMLDesc(flags)) for one in (domain, stock) for flags in (0, INACTIVE)]

        before = seen()
        self.refused(what, call, *args, **expect)
        self.equal(seen(), before, what + ": nothing has changed")


def address(slot=2, bus=6):
    return (("bus", "0x%02x" % bus), ("domain", "0x0000"), ("function", "0x0"), ("slot", "0x%02x" % slot))


def defining(t):
    domain, stock = t.define(whole(hostdev(TWO + ONE)))
    t.both(domain, stock, {address(): written(ONE + TWO)}, "two netdevs")
    # Ansible's module says "changed" if this differs.
    text = domain.XMLDesc(INACTIVE)
    t.conn.defineXML(whole(hostdev(TWO + ONE)))
    t.equal(domain.XMLDesc(INACTIVE), text, "the same document again: the same is shown")
    shown = domain.XMLDesc(0)
    t.check(re.search(r"</source>\s*<netdev port='1'>.*</netdev>\s*<netdev port='2'>.*</netdev>\s*<address type='pci'", shown, re.S),
            "they stand right after <source>, sorted by port", shown)
    for flags, name in ((0, "plain"), (INACTIVE, "inactive"), (libvirt.VIR_DOMAIN_XML_SECURE, "secure"), (libvirt.VIR_DOMAIN_XML_UPDATE_CPU, "update CPU")):
        t.equal(only(netdevs_of(domain.XMLDesc(flags))), written(ONE + TWO), "XMLDesc with flags: " + name)

    # virsh edit: get, change, define
    text = domain.XMLDesc(INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE)
    t.conn.defineXML(text)
    t.equal(domain.XMLDesc(INACTIVE | libvirt.VIR_DOMAIN_XML_SECURE), text, "what was shown can be defined again, and is shown again")
    t.conn.defineXML(text.replace("id='43'", "id='99'").replace("<vcpu", "<title>edited</title><vcpu", 1))
    t.both(domain, stock, {address(): written(ONE + TWO.replace("'43'", "'99'"))}, "edited")
    t.check("edited" in stock.XMLDesc(0), "and the rest of the edit is there too")

    theirs = "<metadata><their:note xmlns:their='urn:theirs' at='1'/></metadata>"
    t.define(whole(hostdev(ALL)).replace("<memory", theirs + "<memory", 1))
    t.both(domain, stock, {address(): written(ALL)}, "every attribute")
    t.check("urn:theirs" in domain.XMLDesc(0) and "urn:theirs" in stock.XMLDesc(0), "somebody else's metadata stays")
    t.define(whole(hostdev(ONE) + hostdev("", slot=3) + hostdev(TWO, slot=4)))
    t.both(domain, stock, {address(): written(ONE), address(4): written(TWO)}, "several devices, one of them without netdevs")
    t.define(whole(hostdev()))
    t.both(domain, stock, {}, "netdevs taken out")
    t.equal(domain.XMLDesc(0), stock.XMLDesc(0), "a domain without netdevs looks the same both ways")

    second = t.conn.defineXMLFlags(whole(hostdev(ONE, slot=9), "netdev-vm-2", UUID[:-1] + "2"), libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    t.equal(only(netdevs_of(second.XMLDesc(0))), written(ONE), "VALIDATE takes what is right")
    second.undefine()


def macs(t):
    bare = "<netdev port='1'/><netdev port='2'><vlan><tag id='7'/></vlan></netdev><netdev port='3'><guid node='00:11:22:33:44:55:66:77'/></netdev>"
    domain, _ = t.define(whole(hostdev(bare)))
    text = domain.XMLDesc(INACTIVE)
    found = re.findall(r"<mac address='(52:54:00:[0-9a-f:]{8})'/>", text)
    t.check(len(found) == 2 and found[0] != found[1], "two MAC addresses are made, and none for a GUID's netdev", text)
    t.conn.defineXML(text)
    t.equal(re.findall(r"<mac address='([0-9a-f:]+)'/>", domain.XMLDesc(INACTIVE)), found, "defined again, they are the same")
    t.conn.defineXML(whole(hostdev(bare)))
    t.check(not set(found) & set(re.findall(r"<mac address='([0-9a-f:]+)'/>", domain.XMLDesc(INACTIVE))), "without them, others are made")


def mistakes(t):
    domain, stock = t.define(whole(hostdev(ONE)))
    wrong = [
        ("a port twice", ONE + ONE, ["port='1'", "each port has one"]),
        ("a VLAN that is none", ONE.replace("'42'", "'4095'"), ["4095", "<tag>"]),
        ("an unknown element", ONE.replace("<vlan>", "<cheese/><vlan>"), ["cheese"]),
        ("no port", ONE.replace(" port='1'", ""), ["<netdev> lacks its attribute 'port'"]),
        ("a multicast MAC address", ONE.replace("52:54", "53:54"), ["53:54:00:01:02:03"]),
    ]
    for name, netdevs, says in wrong:
        text = whole(hostdev(netdevs))
        t.untouched("define, " + name, domain, stock, t.conn.defineXML, text, says=says)
        t.untouched("define with VALIDATE, " + name, domain, stock, t.conn.defineXMLFlags, text, libvirt.VIR_DOMAIN_DEFINE_VALIDATE, says=says)
        t.untouched("attach to config, " + name, domain, stock, domain.attachDeviceFlags, hostdev(netdevs, slot=5), CONFIG, says=says)
        t.untouched("update in config, " + name, domain, stock, domain.updateDeviceFlags, hostdev(netdevs), CONFIG, says=says)
        t.refused("create, " + name, t.conn.createXML, whole(hostdev(netdevs), "netdev-vm-2", UUID[:-1] + "2"), 0, says=says)
        t.refused("to native, " + name, t.conn.domainXMLToNative, "qemu-argv", text, 0, says=says)
    usb = "<hostdev mode='subsystem' type='usb'><source><address bus='1' device='2'/></source>%s</hostdev>" % ONE
    t.untouched("a netdev in a USB device", domain, stock, t.conn.defineXML, whole(usb), says=["netdev"])
    t.untouched("VALIDATE and libvirt's own grammar", domain, stock, t.conn.defineXMLFlags,
                whole(hostdev(ONE)).replace("<devices>", "<cheese/><devices>"), libvirt.VIR_DOMAIN_DEFINE_VALIDATE, code=libvirt.VIR_ERR_XML_INVALID_SCHEMA)
    t.untouched("half a document", domain, stock, t.conn.defineXML, whole(hostdev(ONE))[:-20])
    t.untouched("entities", domain, stock, t.conn.defineXML, "<!DOCTYPE d [<!ENTITY e 'x'>]>" + whole(hostdev(ONE)))


# A source address as libvirt reads it, in other words.
SPELLED = (
    "<address type='pci' domain='0x0000' bus='0x06' slot='0x02' function='0x0'/>",
    "<address bus='6' slot='2'/>",
    "<address function='0X0' slot='002' bus='0X06' domain='0'/>",
    "<!-- <address/> --><address\n bus = \"0x6\"\tslot = \"0x02\" type='pci' multifunction='on'></address>",
    "<x:address xmlns:x='urn:x' bus='9'/><address bus='06' slot='02' function='0'/>",
)


def spelled(t):
    """Whatever way of writing a source define takes, every other call takes."""
    for source in SPELLED:
        def device(netdevs):
            return "<hostdev type='pci' managed='yes'><source>%s</source>%s</hostdev>" % (source, netdevs)

        name = re.sub(r"\s+", " ", source)
        domain, stock = t.define(whole(device(ONE)))
        t.both(domain, stock, {address(): written(ONE)}, name + ": defined")
        domain.updateDeviceFlags(device(ONE + TWO), CONFIG)
        t.both(domain, stock, {address(): written(ONE + TWO)}, name + ": updated")
        domain.detachDeviceFlags(device(ONE), CONFIG)
        t.both(domain, stock, {}, name + ": detached")
        domain.attachDeviceFlags(device(TWO), CONFIG)
        t.both(domain, stock, {address(): written(TWO)}, name + ": attached")


def metadata(t):
    domain, stock = t.define(whole(hostdev(ONE + TWO)))
    kind = libvirt.VIR_DOMAIN_METADATA_ELEMENT
    t.refused("our metadata cannot be read", domain.metadata, kind, OURS, CONFIG, code=libvirt.VIR_ERR_NO_DOMAIN_METADATA)
    for text, what in (("<hostdevs/>", "set"), (None, "removed")):
        t.untouched("our metadata cannot be " + what, domain, stock, domain.setMetadata, kind, text, "lh", OURS, CONFIG, says=[OURS, "<netdev>"])
    domain.setMetadata(kind, "<note/>", "their", "urn:theirs", CONFIG)
    t.both(domain, stock, {address(): written(ONE + TWO)}, "other metadata set")
    domain.setMetadata(kind, None, None, "urn:theirs", CONFIG)
    t.both(domain, stock, {address(): written(ONE + TWO)}, "other metadata removed")
    domain.setMetadata(libvirt.VIR_DOMAIN_METADATA_TITLE, "title", None, None, CONFIG)
    t.both(domain, stock, {address(): written(ONE + TWO)}, "a title")
    ours = "<lh:hostdevs xmlns:lh='%s'><lh:nonsense/></lh:hostdevs>" % OURS
    for text in (ours, "<x>%s</x>" % ours, ours.replace("hostdev:", "hostdev&#58;")):
        t.untouched("our metadata under another namespace", domain, stock, domain.setMetadata, kind, text, "x", "urn:x", CONFIG, says=[OURS])


def damaged(t):
    """What of ours nobody can read any more keeps nobody from changing the rest, and its owner can remove it."""
    domain, stock = t.define(whole(hostdev(ONE)))
    kind = libvirt.VIR_DOMAIN_METADATA_ELEMENT
    t.stock.defineXML(whole(hostdev(), metadata="<lh:hostdevs xmlns:lh='%s'><lh:nonsense/></lh:hostdevs>" % OURS))
    stock.attachDeviceFlags("<disk type='file'><source file='/nowhere'/><target dev='sdz' bus='scsi'/><alias name='ua-z'/></disk>", CONFIG)
    domain.detachDeviceAlias("ua-z", CONFIG)
    t.equal("sdz" in stock.XMLDesc(0), False, "a disk is detached beside metadata that is damaged")
    domain.setMetadata(kind, None, None, OURS, CONFIG)
    domain.attachDeviceFlags(hostdev(TWO, slot=3), CONFIG)
    t.both(domain, stock, {address(3): written(TWO)}, "damaged metadata is removed, and a device attached")


def forged(t):
    """Metadata of ours that a client has written by itself, by every way that carries a document."""
    def by_hand(slot, port):
        return """<lh:hostdevs xmlns:lh='%s'><lh:hostdev><lh:source><lh:address domain='0x0000' bus='0x06' slot='0x%02x' function='0x0'/></lh:source>
          <lh:netdev port='%s'><lh:mac address='52:54:00:01:02:09'/></lh:netdev></lh:hostdev></lh:hostdevs>""" % (OURS, slot, port)

    domain, _ = t.define(whole(hostdev(ONE)))
    for name, call in (
            ("define", t.conn.defineXML),
            ("define with flags", lambda text: t.conn.defineXMLFlags(text, 0)),
            ("create", lambda text: t.conn.createXML(text, 0)),
            ("domxml-to-native", lambda text: t.conn.domainXMLToNative("qemu-argv", text, 0)),
            ("a snapshot", lambda text: domain.snapshotCreateXML("<domainsnapshot><name>s</name><creationTime>1</creationTime><state>shutoff</state>%s</domainsnapshot>" % text, libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)),
            ("a checkpoint", lambda text: domain.checkpointCreateXML("<domaincheckpoint><name>c</name><creationTime>1</creationTime>%s</domaincheckpoint>" % text, libvirt.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE)),
            ("save", lambda text: domain.saveFlags("/nowhere", text, 0)),
            ("restore", lambda text: t.conn.restoreFlags("/nowhere", text, 0)),
            ("a saved image's XML", lambda text: t.conn.saveImageDefineXML("/nowhere", text, 0)),
            ("a managed save's XML", lambda text: domain.managedSaveDefineXML(text, 0)),
            ("migration's XML", lambda text: domain.migrateToURI3("qemu+unix:///system?socket=/nowhere", {"destination_xml": text}, libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER))):
        t.refused("metadata by hand that is wrong, by " + name, call, whole(hostdev(), metadata=by_hand(2, "0")), says=["port"])
    domain, stock = t.define(whole(hostdev(ONE), metadata=by_hand(5, "1")))
    t.equal(netdevs_of(domain.XMLDesc(0)), {address(): written(ONE)}, "metadata by hand of a device that the domain has not means nothing")
    domain.attachDeviceFlags(hostdev(TWO, slot=3), CONFIG)
    t.both(domain, stock, {address(): written(ONE), address(slot=3): written(TWO)}, "and goes with the next change")


def native(t):
    domain, stock = t.define(whole(hostdev(ONE + TWO)))
    one, other = t.conn.domainXMLToNative("qemu-argv", domain.XMLDesc(0), 0), t.stock.domainXMLToNative("qemu-argv", stock.XMLDesc(0), 0)
    t.check("vfio-pci" in one and one == other, "domxml-to-native", one, other)
    # Nothing has this address: libvirt says so, and the same whichever way it is asked.
    errors = [tap.failure(d.create) for d in (domain, stock)]
    t.check(None not in errors and str(errors[0]) == str(errors[1]), "a start fails as it does directly", *errors)
    t.both(domain, stock, {address(): written(ONE + TWO)}, "after it")


def attaching(t):
    domain, stock = t.define(whole())
    domain.attachDeviceFlags(hostdev(ONE + TWO), CONFIG)
    t.both(domain, stock, {address(): written(ONE + TWO)}, "attached to config")
    domain.attachDeviceFlags(hostdev(ALL, slot=3), CURRENT)
    two = {address(): written(ONE + TWO), address(3): written(ALL)}
    t.both(domain, stock, two, "another one, attached as current")
    domain.attachDeviceFlags(hostdev("", slot=4), CONFIG)
    t.both(domain, stock, two, "one without netdevs")
    domain.attachDeviceFlags("<controller type='scsi' index='0' model='virtio-scsi'/>", CONFIG)
    t.both(domain, stock, two, "a device of another kind")

    t.untouched("attach, there already", domain, stock, domain.attachDeviceFlags, hostdev(TWO), CONFIG)
    t.untouched("attach live, not running", domain, stock, domain.attachDeviceFlags, hostdev(ONE, slot=6), LIVE, code=libvirt.VIR_ERR_OPERATION_INVALID)
    t.untouched("attach live and config, not running", domain, stock, domain.attachDeviceFlags, hostdev(ONE, slot=6), LIVE | CONFIG, code=libvirt.VIR_ERR_OPERATION_INVALID)
    t.untouched("attach without flags, not running", domain, stock, domain.attachDevice, hostdev(ONE, slot=6), code=libvirt.VIR_ERR_OPERATION_INVALID)
    t.untouched("attach with unknown flags", domain, stock, domain.attachDeviceFlags, hostdev(ONE, slot=6), CONFIG | 1 << 20)
    t.untouched("attach what libvirt refuses", domain, stock, domain.attachDeviceFlags, hostdev(ONE, slot=6, more="<boot order='x'/>"), CONFIG)
    t.untouched("attach half of it", domain, stock, domain.attachDeviceFlags, hostdev(ONE, slot=6)[:-5], CONFIG)

    updating(t, domain, stock, two)
    detaching(t, domain, stock)


def duplicates(t):
    domain, stock = t.define(whole(hostdev() + hostdev(ONE, slot=3)))
    t.untouched("attach, there already without netdevs", domain, stock, domain.attachDeviceFlags, hostdev(TWO), CONFIG)
    t.untouched("attach without netdevs, there already with", domain, stock, domain.attachDeviceFlags, hostdev(slot=3), CONFIG)
    interface = "<interface type='hostdev' managed='yes'><source><address type='pci' domain='0' bus='6' slot='%d' function='0'/></source></interface>"
    domain.attachDeviceFlags(interface % 4, CONFIG)
    t.untouched("attach, there already as an interface", domain, stock, domain.attachDeviceFlags, hostdev(ONE, slot=4), CONFIG)


def updating(t, domain, stock, two):
    changed = ONE.replace("'42'", "'52'") + TWO
    domain.updateDeviceFlags(hostdev(changed), CONFIG)
    t.both(domain, stock, {**two, address(): written(changed)}, "updated in config")
    domain.updateDeviceFlags(hostdev("<netdev port='1'><vlan><tag id='53'/></vlan></netdev>"), CURRENT)
    t.both(domain, stock, {**two, address(): written(ONE.replace("'42'", "'53'"))}, "updated as current, with the MAC address that it had")
    domain.updateDeviceFlags(hostdev(ONE + TWO), CONFIG)
    t.both(domain, stock, two, "and back")
    t.untouched("update of what is not there", domain, stock, domain.updateDeviceFlags, hostdev(ONE, slot=20), CONFIG)
    t.untouched("update of something else too", domain, stock, domain.updateDeviceFlags, hostdev(changed, managed="no"), CONFIG)
    t.untouched("update without netdevs, which libvirt cannot", domain, stock, domain.updateDeviceFlags, hostdev(), CONFIG)
    t.untouched("update live, not running", domain, stock, domain.updateDeviceFlags, hostdev(changed), LIVE, code=libvirt.VIR_ERR_OPERATION_INVALID)


def detaching(t, domain, stock):
    t.untouched("detach of what is not there", domain, stock, domain.detachDeviceFlags, hostdev("", slot=20), CONFIG)
    t.untouched("detach live, not running", domain, stock, domain.detachDeviceFlags, hostdev(), LIVE, code=libvirt.VIR_ERR_OPERATION_INVALID)
    domain.detachDeviceFlags(hostdev(), CONFIG)
    t.both(domain, stock, {address(3): written(ALL)}, "detached from config, without naming its netdevs")
    domain.detachDeviceFlags(hostdev(ALL, slot=3), CURRENT)
    t.both(domain, stock, {}, "detached as current, naming them")
    t.check("urn:libvirt-hostdev" not in stock.XMLDesc(0), "nothing of ours is left", stock.XMLDesc(0))
    domain.attachDeviceFlags(hostdev(ONE, slot=7, more="<alias name='ua-seven'/>"), CONFIG)
    t.both(domain, stock, {address(7): written(ONE)}, "attached with an alias")
    t.untouched("detach by another alias", domain, stock, domain.detachDeviceAlias, "ua-eight", CONFIG)
    domain.detachDeviceAlias("ua-seven", CONFIG)
    t.both(domain, stock, {}, "detached by alias")
    domain.attachDeviceFlags(hostdev(TWO, slot=7), CONFIG)
    t.both(domain, stock, {address(7): written(TWO)}, "attached with other netdevs than before")


def live(t):
    """A running guest and a VF that this host has not: all that can be wrong before there is hardware."""
    domain, stock = t.define(whole("<controller type='usb' model='none'/>"))
    domain.create()
    there = "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x7ffe' bus='0x06' slot='0x02' function='0x0'/></source>%s</hostdev>"
    for flags, name in ((LIVE, "live"), (LIVE | CONFIG, "live and config"), (CURRENT, "current")):
        t.untouched("attach of a VF that is not there, " + name, domain, stock, domain.attachDeviceFlags, there % ONE, flags, says=["7ffe:06:02.0"])
        t.untouched("update of a device that it has not, " + name, domain, stock, domain.updateDeviceFlags, there % ONE, flags)
        t.untouched("detach of a device that it has not, " + name, domain, stock, domain.detachDeviceFlags, there % ONE, flags)
        t.untouched("attach with a mistake, " + name, domain, stock, domain.attachDeviceFlags, there % ONE.replace("'42'", "'4095'"), flags, says=["4095"])
    t.untouched("attach without flags of a VF that is not there", domain, stock, domain.attachDevice, there % ONE, says=["7ffe:06:02.0"])
    domain.attachDeviceFlags(hostdev(ONE), CONFIG)
    t.both(domain, stock, {address(): written(ONE)}, "attached to the config of a running domain")
    t.check("<netdev" not in domain.XMLDesc(0) and OURS not in stock.XMLDesc(0), "and not to the running domain", stock.XMLDesc(0))
    domain.updateDeviceFlags(hostdev(TWO), CONFIG)
    t.both(domain, stock, {address(): written(TWO)}, "updated in the config of a running domain")
    domain.destroy()
    t.equal(only(netdevs_of(domain.XMLDesc(0))), written(TWO), "when it has ended, the config is what it is")


def snapshots(t):
    domain, stock = t.define(whole(hostdev(ONE + TWO)))
    text = "<domainsnapshot><name>s1</name><creationTime>1000</creationTime><state>shutoff</state>%s</domainsnapshot>" % domain.XMLDesc(0)
    again = libvirt.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE
    snap = domain.snapshotCreateXML(text, again)
    t.equal(only(netdevs_of(snap.getXMLDesc(0))), written(ONE + TWO), "a snapshot's XML shows netdevs")
    kept = stock.snapshotLookupByName("s1").getXMLDesc(0)
    t.check("<netdev" not in kept and only(stored_of(kept)) == written(ONE + TWO), "libvirt has it in its own form", kept)
    domain.snapshotCreateXML(snap.getXMLDesc(0), again)
    t.equal(only(netdevs_of(snap.getXMLDesc(0))), written(ONE + TWO), "what was shown can be defined again")
    t.refused("a snapshot with a mistake in it", domain.snapshotCreateXML, text.replace("id='42'", "id='4095'"), again, says=["4095"])
    snap.delete(libvirt.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
    t.both(domain, stock, {address(): written(ONE + TWO)}, "the domain, meanwhile")


def checkpoints(t):
    with tempfile.TemporaryDirectory() as work:
        tap.write_qcow2(work + "/disk.qcow2")
        disk = "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s/disk.qcow2'/><target dev='vda' bus='virtio'/></disk>" % work
        domain, _ = t.define(whole(disk + hostdev(ONE + TWO)))
        text = "<domaincheckpoint><name>c1</name><creationTime>1000</creationTime><disks><disk name='vda' checkpoint='bitmap' bitmap='c1'/></disks>%s</domaincheckpoint>" % domain.XMLDesc(0)
        point = domain.checkpointCreateXML(text, libvirt.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE)
        t.equal(only(netdevs_of(point.getXMLDesc(0))), written(ONE + TWO), "a checkpoint's XML shows netdevs")
        t.refused("a checkpoint with a mistake in it", domain.checkpointCreateXML, text.replace("id='42'", "id='4095'"), libvirt.VIR_DOMAIN_CHECKPOINT_CREATE_REDEFINE, says=["4095"])
        point.delete(libvirt.VIR_DOMAIN_CHECKPOINT_DELETE_METADATA_ONLY)


def images(t):
    """XML that goes along with a file: there is no guest to save here, but a mistake is found before the file is opened."""
    domain, _ = t.define(whole(hostdev(ONE)))
    wrong = domain.XMLDesc(0).replace("id='42'", "id='4095'")
    for name, call in (("restoreFlags", lambda: t.conn.restoreFlags("/nowhere", wrong, 0)),
                       ("restoreParams", lambda: t.conn.restoreParams({"file": "/nowhere", "dxml": wrong}, 0)),
                       ("saveImageDefineXML", lambda: t.conn.saveImageDefineXML("/nowhere", wrong, 0)),
                       ("saveFlags", lambda: domain.saveFlags("/nowhere", wrong, 0)),
                       ("saveParams", lambda: domain.saveParams({"file": "/nowhere", "dxml": wrong}, 0)),
                       ("managedSaveDefineXML", lambda: domain.managedSaveDefineXML(wrong, 0))):
        t.refused(name + " with a mistake in its XML", call, says=["4095"])
    t.refused("restoreFlags of no file", t.conn.restoreFlags, "/nowhere", domain.XMLDesc(0), 0, says=["/nowhere"])


def crowd(t, many=32):
    """Each on its own connection, all at once on one domain, whose metadata is read and written by each."""
    domain, stock = t.define(whole())
    errors = []
    ready = threading.Barrier(many)

    def work(number, change):
        try:
            conn = libvirt.open(t.uri)
            mine = conn.lookupByName(NAME)
            ready.wait()
            change(mine, number)
            conn.close()
        except Exception as error:  # shown below
            errors.append("%d: %s" % (number, error))

    def everybody(change):
        threads = [threading.Thread(target=work, args=(n, change)) for n in range(many)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()

    def text(number, vlan=42):
        return ONE.replace("01:02:03", "01:02:%02x" % number).replace("'42'", "'%d'" % vlan) + TWO.replace("01:02:04", "01:03:%02x" % number)

    def place(number):
        return {"bus": 0x10 + number // 16, "slot": number % 16}

    def wanted(numbers, vlan=42):
        return {address(**place(n)): written(text(n, vlan)) for n in numbers}

    everybody(lambda mine, n: mine.attachDeviceFlags(hostdev(text(n), **place(n)), CONFIG))
    t.equal(errors, [], "%d clients attach at once: no errors" % many)
    t.both(domain, stock, wanted(range(many)), "%d clients attach at once" % many)
    everybody(lambda mine, n: mine.updateDeviceFlags(hostdev(text(n, 100 + n % 7), **place(n)), CONFIG))
    t.equal(errors, [], "%d clients update at once: no errors" % many)
    expected = {}
    for n in range(many):
        expected.update(wanted([n], 100 + n % 7))
    t.both(domain, stock, expected, "%d clients update at once" % many)
    everybody(lambda mine, n: mine.detachDeviceFlags(hostdev("", **place(n)), CONFIG) if n % 2 else None)
    t.equal(errors, [], "half of them detach at once: no errors")
    t.both(domain, stock, {k: v for n, (k, v) in enumerate(expected.items()) if n % 2 == 0}, "half of them detach at once")


def redefining(t, rounds=150):
    """Defining takes no lock, and replaces devices and metadata between two calls of an attach."""
    domain, stock = t.define(whole())
    over = threading.Event()

    def define():
        conn = libvirt.open(t.uri)
        while not over.is_set():
            conn.defineXML(whole())
            time.sleep(random.random() / 50) # now and then an attach is through before the next one
        conn.close()

    threads = [threading.Thread(target=define) for _ in range(2)]
    for one in threads:
        one.start()
    lost, kept = [], 0
    for _ in range(rounds):
        if tap.failure(domain.attachDeviceFlags, hostdev(ONE), CONFIG):
            continue
        text = stock.XMLDesc(INACTIVE)
        kept += "<hostdev" in text
        if "<hostdev" in text and stored_of(text) != {address(): written(ONE)}:
            lost.append(text)
        tap.failure(domain.detachDeviceFlags, hostdev(), CONFIG)
    over.set()
    for one in threads:
        one.join()
    t.note("%d of %d were still there" % (kept, rounds))
    t.equal(lost[:1], [], "%d times attached while others define the domain: never without its netdevs" % rounds)


def stale(t):
    """What metadata says of a device that the domain has not, by whomever, is not what an attach asks for."""
    domain, stock = t.define(whole())
    entry = "<hostdevs><hostdev><source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>%s</hostdev></hostdevs>"
    stock.setMetadata(libvirt.VIR_DOMAIN_METADATA_ELEMENT, entry % TWO, "lh", "urn:libvirt-hostdev:1", CONFIG)
    domain.attachDeviceFlags(hostdev(ONE), CONFIG)
    t.both(domain, stock, {address(): written(ONE)}, "attached over metadata of a device that was not there")


GROUPS = [defining, macs, mistakes, spelled, metadata, damaged, forged, native, attaching, live, duplicates, snapshots, checkpoints, images, redefining, stale, crowd]


def main(through, direct, *chosen):
    t = Test(through, direct)
    for group in GROUPS:
        if chosen and group.__name__ not in chosen:
            continue
        t.note("group " + group.__name__)
        t.clear()
        try:
            group(t)
        except libvirt.libvirtError as error:
            t.check(False, "the group %s goes to its end" % group.__name__, "line %d: %s" % (error.__traceback__.tb_next.tb_lineno, error))
    t.clear()
    t.end()


main(*sys.argv[1:])

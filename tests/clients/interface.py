#!/usr/bin/env python3
# interface.py THROUGH_URI DIRECT_URI: <interface type='hostdev'> by clients that have always written it. No hardware.
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every domain has a twin that is defined, attached to and so on directly at stock libvirt. What clients see of the two
# must be the same text; below, ours is a <hostdev> and metadata.
import re
import sys

import libvirt

import tap

OURS = "urn:libvirt-hostdev:1"
CONFIG, CURRENT, LIVE = libvirt.VIR_DOMAIN_AFFECT_CONFIG, libvirt.VIR_DOMAIN_AFFECT_CURRENT, libvirt.VIR_DOMAIN_AFFECT_LIVE
NAMES = ("interface-vm", "7b1a8a3e-7df1-4b2f-8a39-0f6f0bb3c001"), ("interface-twin", "7b1a8a3e-7df1-4b2f-8a39-0f6f0bb3c002")
MAC = "52:54:00:0a:00:%02x"


def interface(slot=2, mac=1, children="<vlan><tag id='42'/></vlan>", attrs="managed='yes'", source=True, kind="hostdev"):
    return "<interface type='%s' %s>%s%s%s</interface>" % (
        kind, attrs, "<mac address='%s'/>" % (MAC % mac) if mac else "",
        "<source><address type='pci' domain='0x0000' bus='0x06' slot='0x%02x' function='0x0'/></source>" % slot if source else "",
        children)


def user(mac, more=""):
    return "<interface type='user'><mac address='%s'/><model type='virtio'/>%s</interface>" % (MAC % mac, more)


def hostdev(slot, netdevs=""):
    return "<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x0000' bus='0x06' slot='0x%02x' function='0x0'/></source>%s</hostdev>" % (slot, netdevs)


class Test(tap.Tap):
    def __init__(self, through, direct):
        super().__init__()
        self.conn, self.direct = libvirt.open(through), libvirt.open(direct)

    def pair(self, devices):
        """The same domain through us and directly; what stock libvirt has of the first."""
        pair = [conn.defineXML(tap.domain_xml(*name, devices=devices)) for conn, name in zip((self.conn, self.direct), NAMES)]
        return (*pair, self.direct.lookupByUUIDString(NAMES[0][1]))

    def clean(self):
        for name, _ in NAMES:
            error = tap.failure(lambda name=name: self.direct.lookupByName(name).undefine())
            assert not error or error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN, error

    def alike(self, domain, twin, text, flags=0):
        # Metadata that was there once leaves an empty element behind.
        shown, wanted = [d.XMLDesc(flags).replace("  <metadata/>\n", "") for d in (domain, twin)]
        for mine, other in zip(*NAMES):
            wanted = wanted.replace(other, mine)
        return self.equal(shown, wanted, text)

    def converted(self, stock, count, text):
        """How many of ours stock libvirt has as <hostdev> and metadata."""
        xml = stock.XMLDesc(0)
        return self.check(xml.count("<lh:interface") == count and "<interface type='hostdev'" not in xml, text, xml)

    def same_error(self, calls, text):
        errors = [tap.failure(call) for call in calls]
        texts = [re.sub("|".join(name + "|" + uuid for name, uuid in NAMES), "VM", str(e)) for e in errors]
        return self.check(None not in errors and texts[0] == texts[1], text, *texts)


def defining(t):
    every = ("<vlan><tag id='42'/></vlan><bandwidth><inbound average='1000' peak='2000'/><outbound average='1280' peak='2560' burst='2560'/></bandwidth>"
             "<model type='e1000'/><link state='down'/><boot order='1'/><rom bar='off'/><alias name='ua-nic'/>"
             "<address type='pci' domain='0x0000' bus='0x00' slot='0x0a' function='0x0'/>")
    for name, devices, count in (
            ("one", interface(), 1),
            ("no VLAN", interface(children=""), 1),
            ("everything libvirt knows", interface(children=every, attrs="managed='yes' trustGuestRxFilters='no'"), 1),
            ("not managed", interface(attrs=""), 1),
            ("a port profile", interface(children="<virtualport type='802.1Qbh'><parameters profileid='finance'/></virtualport>"), 1),
            ("among others", user(9) + interface() + user(8) + interface(3, 2) + interface(4, 3) + user(7), 3),
            ("behind hostdevs", hostdev(9) + user(9) + hostdev(8) + interface(), 1),
            ("a teaming", user(5, "<teaming type='persistent'/><alias name='ua-main'/>") + interface(children="<teaming type='transient' persistent='ua-main'/>"), 1)):
        domain, twin, stock = t.pair(devices)
        t.alike(domain, twin, "%s: shown as libvirt shows it" % name)
        t.converted(stock, count, "%s: stored as <hostdev>" % name)
        before = stock.XMLDesc(0)
        t.conn.defineXML(domain.XMLDesc(0))
        t.equal(stock.XMLDesc(0), before, "%s: defined again as it was shown, it is stored as before" % name)


def left_alone(t):
    """What a VF cannot do is libvirt's to refuse, when the domain starts."""
    for name, devices in (("a trunk", interface(children="<vlan trunk='yes'><tag id='42'/><tag id='43'/></vlan>")),
                          ("802.1Qbg", interface(children="<virtualport type='802.1Qbg'><parameters managerid='11' typeid='1193047' typeidversion='2' instanceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa3b'/></virtualport>"))):
        domain, twin, stock = t.pair(devices)
        t.alike(domain, twin, "%s: shown as libvirt shows it" % name)
        t.check(OURS not in stock.XMLDesc(0), "%s: left to libvirt" % name, stock.XMLDesc(0))
    for name, devices, says in (("a port that is none", interface(attrs="port='0'"), "port"),
                                ("a priority that is none", interface(children="<vlan><tag id='4' priority='9'/></vlan>"), "priority")):
        error = tap.failure(t.conn.defineXML, tap.domain_xml("interface-bad", NAMES[0][1], devices=devices))
        t.check(error and says in str(error), "%s: refused, for libvirt would drop it" % name, error)


def generated(t):
    domain, _, stock = t.pair(interface(mac=None))
    mac = re.search("mac address='(.*?)'", domain.XMLDesc(0)).group(1)
    t.check(mac.startswith("52:54:00:"), "a MAC address is generated", mac)
    t.check(mac in stock.XMLDesc(0), "and kept", stock.XMLDesc(0))


def hotplug(t):
    domain, twin, stock = t.pair(user(9))
    for slot, mac in ((2, 1), (3, 2), (4, 3)):
        for each in (domain, twin):
            each.attachDeviceFlags(interface(slot, mac), CONFIG)
    t.alike(domain, twin, "three attached")
    t.converted(stock, 3, "three are stored as <hostdev>")
    t.same_error([lambda d=d: d.detachDeviceFlags(interface(7, 7), CONFIG) for d in (domain, twin)], "detach of another: libvirt's own words")
    t.same_error([lambda d=d: d.detachDeviceFlags(user(7), CONFIG) for d in (domain, twin)], "detach of another MAC address: libvirt's own words")
    t.same_error([lambda d=d: d.detachDeviceFlags(interface(), LIVE) for d in (domain, twin)], "live detach, not running: libvirt's own words")
    for each in (domain, twin):
        each.detachDeviceFlags(interface(3, 2), CURRENT)
    t.alike(domain, twin, "one detached, as it was written")
    for each in (domain, twin):
        each.detachDeviceFlags(user(1), CONFIG)
    t.alike(domain, twin, "one detached by its MAC address alone")
    t.converted(stock, 1, "one is left")
    for each in (domain, twin):
        shown = re.search("(?s)<interface type='hostdev'.*?</interface>", each.XMLDesc(0)).group(0)
        each.updateDeviceFlags(shown.replace("id='42'", "id='50'"), CONFIG)
    t.alike(domain, twin, "its VLAN updated")
    t.same_error([lambda d=d: d.updateDeviceFlags(interface(7, 7), CONFIG) for d in (domain, twin)], "update of another: libvirt's own words")
    for each in (domain, twin):
        each.updateDeviceFlags(user(9, "<link state='down'/>"), CONFIG)
        each.detachDeviceFlags(interface(4, 3, ""), CONFIG)
    t.alike(domain, twin, "libvirt's own interface updated, and the last of ours detached")
    t.check(OURS not in stock.XMLDesc(0), "nothing of ours is left", stock.XMLDesc(0))


# What an update of the stored definition may say, and "alike" where it must end as with stock libvirt, text for text;
# "refused" where both refuse it. A sentence says why ours is another.
SOURCES = {
    "decimal": "<source><address type='pci' domain='0' bus='6' slot='2' function='0'/></source>",
    "octal and short": "<source><address slot='02' type='pci' bus='06'/></source>",
    "capital letters": "<source><address type='pci' domain='0X0' bus='0X06' slot='0x02' function='0x0'/></source>",
    "comments and lines": "<source><!-- <address/> -->\n<address\n type = \"pci\" bus = \"0x6\" slot = \"0x2\" /></source>",
}
QBH = "<virtualport type='802.1Qbh'><parameters profileid='finance'/></virtualport>"
UPDATES = [
    ("nothing new", interface(), "alike"),
    ("managed='no'", interface(attrs="managed='no'"), "alike"),
    ("no managed", interface(attrs=""), "alike"),
    ("another VF", interface(7), "alike"),
    ("another VF, not managed, with a ROM", interface(7, attrs="", children="<rom bar='off'/>"), "alike"),
    ("a VF that another has", interface(3), "as nobody can have it twice, libvirt would refuse the start"),
    ("another VLAN", interface(children="<vlan><tag id='50'/></vlan>"), "alike"),
    ("no VLAN", interface(children=""), "alike"),
    ("a port profile", interface(children=QBH), "alike"),
    ("no MAC address", interface(mac=None), "the MAC address stays; libvirt looks for an interface with a new one"),
    ("another MAC address", interface(mac=0x31), "changed; libvirt knows an interface by its MAC address alone"),
    ("trustGuestRxFilters", interface(attrs="managed='yes' trustGuestRxFilters='yes'"), "alike"),
]
UPDATES += [("<%s>" % re.split("[ />]", child[1:])[0] + (" again" if n else ""), interface(children=child), "alike") for child, n in (
    ("<driver name='vfio'/>", 0), ("<boot order='2'/>", 0), ("<boot order='03'/>", 1), ("<alias name='ua-other'/>", 0), ("<alias name='hostdev7'/>", 1),
    ("<rom bar='off'/>", 0), ("<rom file='/r'/>", 1), ("<acpi index='7'/>", 0), ("<model type='e1000'/>", 0), ("<target dev='eth9'/>", 0),
    ("<target dev='vnet9'/>", 1), ("<script path='/s'/>", 0), ("<guest dev='g'/>", 0), ("<tune><sndbuf>007</sndbuf></tune>", 0), ("<backend tap='/t'/>", 0),
    ("<link state='down'/>", 0), ("<link state='up'/>", 1), ("<bandwidth><inbound average='9'/><outbound average='10' burst='3'/></bandwidth>", 0),
    ("<filterref filter='clean-traffic'/>", 0), ("<teaming type='transient' persistent='ua-main'/>", 0),
    ("<address type='pci' domain='0' bus='0' slot='0x1a' function='0'/>", 0))]
UPDATES += [("its source, %s" % how, interface(source=False, children=source + "<rom bar='off'/>"), "alike") for how, source in SOURCES.items()]
UPDATES += [("<%s>, which libvirt refuses" % re.split("[ />]", child[1:])[0], interface(children=child), "refused") for child in (
    "<mtu size='9000'/>", "<coalesce><rx><frames max='7'/></rx></coalesce>", "<ip address='10.0.0.1'/>", "<port isolated='yes'/>")]
UPDATES += [("a trunk", interface(children="<vlan trunk='yes'><tag id='42'/><tag id='43'/></vlan>"), "it stays libvirt's own, which no start would take")]


def updating(t):
    rich = "<vlan><tag id='42'/></vlan><model type='virtio'/><boot order='1'/><rom bar='on'/><alias name='ua-nic'/>"
    around = (user(5, "<teaming type='persistent'/><alias name='ua-main'/>"), user(8) + interface(3, 2) + hostdev(9))
    for start, children in (("plain", "<vlan><tag id='42'/></vlan>"), ("rich", rich)):
        for name, document, expect in UPDATES:
            domain, twin, stock = t.pair(around[0] + interface(children=children) + around[1])
            before = domain.XMLDesc(0)
            errors = [tap.failure(lambda d=d: d.updateDeviceFlags(document, CONFIG)) for d in (domain, twin)]
            text = "update of a %s one with %s: " % (start, name)
            if expect == "alike": # taken or refused, as libvirt does
                t.check((errors[0] is None) == (errors[1] is None), text + "as libvirt takes it", *errors)
                t.alike(domain, twin, text + "it ends as with libvirt")
            elif expect == "refused":
                t.check(None not in errors, text + "refused both ways", *errors)
                t.equal(domain.XMLDesc(0), before, text + "nothing has changed")
            elif errors[0]:
                t.equal(domain.XMLDesc(0), before, text + "refused, and nothing has changed: " + expect)
            else:
                t.check(before != domain.XMLDesc(0) or "MAC address stays" in expect, text + "done: " + expect, document)
            t.check("type='hostdev'" not in stock.XMLDesc(0), text + "stored as <hostdev>", stock.XMLDesc(0))
            t.clean()


def spelled(t):
    """Whatever way of writing a source define takes, every other call takes."""
    for how, source in SOURCES.items():
        written = interface(source=False, children=source)
        domain, twin, stock = t.pair(user(9) + written)
        t.alike(domain, twin, "source, %s: defined" % how)
        t.converted(stock, 1, "source, %s: stored as <hostdev>" % how)
        for call in ("detachDeviceFlags", "attachDeviceFlags", "updateDeviceFlags"):
            for each in (domain, twin):
                getattr(each, call)(written, CONFIG)
            t.alike(domain, twin, "source, %s: %s" % (how, call))
        t.clean()


def one_mac(t):
    """A failover pair has one MAC address; which of the two is to go says the rest of what was shown."""
    for kind, left in (("user", 1), ("hostdev", 0)):
        domain, twin, stock = t.pair(user(5, "<teaming type='persistent'/><alias name='ua-main'/>") +
                                     interface(mac=5, children="<teaming type='transient' persistent='ua-main'/>"))
        for each in (domain, twin):
            shown = [x for x in re.findall("(?s)<interface .*?</interface>", each.XMLDesc(0)) if "type='%s'" % kind in x][0]
            each.detachDeviceFlags(shown, CONFIG)
        t.alike(domain, twin, "of two with one MAC address, that of type %s detached" % kind)
        t.check((OURS in stock.XMLDesc(0)) == left, "and no other", stock.XMLDesc(0))
        t.clean()


def defined_before(t):
    """A domain that libvirt has an interface of: it stays one until it is defined anew."""
    _, twin, stock = t.pair("")
    for each in (stock, twin):
        each.attachDeviceFlags(interface(), CONFIG)
    domain = t.conn.lookupByUUIDString(NAMES[0][1])
    t.alike(domain, twin, "shown as it is")
    for each in (domain, twin):
        each.updateDeviceFlags(interface(children="<vlan><tag id='7'/></vlan>"), CONFIG)
    t.alike(domain, twin, "updated by libvirt")
    error = tap.failure(lambda: domain.updateDeviceFlags(interface(attrs="managed='yes' spoofCheck='no'"), CONFIG))
    t.check(error and "spoofCheck" in str(error), "update with a word that libvirt would drop: refused", error)
    t.check(OURS not in stock.XMLDesc(0), "left to libvirt", stock.XMLDesc(0))
    for each in (domain, twin):
        each.detachDeviceFlags(user(1), CONFIG)
    t.alike(domain, twin, "detached by libvirt")


def claims(t):
    """What formatdomain.rst says about libvirt alone, and no comparison shows: asked directly."""
    _, twin, _ = t.pair(interface(attrs="managed='yes' port='2' spoofCheck='no'", children="<vlan><tag id='42' priority='3'/></vlan><guid node='00:11:22:33:44:55:66:77'/>") + hostdev(9))
    xml = twin.XMLDesc(0)
    t.check("<tag id='42'/>" in xml and not re.search("spoofCheck|guid|port='2'", xml), "libvirt drops words that are ours without one of its own", xml)
    error = tap.failure(lambda: twin.updateDeviceFlags(hostdev(9), CONFIG))
    t.check(error and "update" in str(error), "libvirt updates no <hostdev>, be it as it is", error)
    error = tap.failure(lambda: twin.updateDeviceFlags(interface(7, 7), CONFIG))
    t.check(error and "no device found" in str(error), "libvirt knows an interface to update by its MAC address", error)
    twin.updateDeviceFlags(interface(7, children="<filterref filter='f'/>"), CONFIG)
    t.check("slot='0x07'" in twin.XMLDesc(0) and "filterref" not in twin.XMLDesc(0), "libvirt replaces it, by another VF too, and drops <filterref>", twin.XMLDesc(0))


def replaced(t):
    """Documents that take a domain's place: what libvirt compares is still compared."""
    offline = libvirt.VIR_MIGRATE_OFFLINE | libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_UNSAFE

    def migrate(domain, conn, change):
        return lambda: domain.migrate3(conn, {libvirt.VIR_MIGRATE_PARAM_DEST_XML: change(domain.XMLDesc(0))}, offline)

    changes = (("another MAC address", lambda xml: xml.replace(MAC % 1, MAC % 0x71), "Target network card mac %s does not match source %s" % (MAC % 0x71, MAC % 1)),
               ("an interface less", lambda xml: re.sub("(?s) *<interface type='hostdev'.*?</interface>\n", "", xml), "does not match source"))
    domain, twin, _ = t.pair(user(9) + interface())
    for name, change, says in changes:
        errors = [str(tap.failure(migrate(d, c, change))) for d, c in ((domain, t.conn), (twin, t.direct))]
        t.check(all(says in e for e in errors), "migration with %s: refused as by libvirt" % name, *errors)
    wrong = lambda xml: re.sub("<tag id='[0-9]+'", "<tag id='0'", xml)
    error = str(tap.failure(migrate(domain, t.conn, wrong)))
    t.check("does not match source" in error and "id='0' in <tag>" in error, "migration with a VLAN that is none: the VLAN is named", error)
    t.same_error([migrate(domain, t.conn, str), migrate(twin, t.direct, str)], "migration with the XML as it is: no further than with libvirt")
    for devices in (hostdev(9) + hostdev(8), user(9) + hostdev(9) + interface(3, 3), interface(3, 3) + hostdev(9)):
        t.clean()
        first, second, _ = t.pair(devices)
        for each in (first, second):
            each.attachDeviceFlags(interface(), CONFIG)
            each.attachDeviceFlags(hostdev(7), CONFIG)
            each.attachDeviceFlags(interface(4, 4), CONFIG)
        t.same_error([migrate(first, t.conn, str), migrate(second, t.direct, str)], "migration of interfaces attached behind hostdevs: no further than with libvirt")
    t.clean()
    domain, twin, _ = t.pair(user(9) + interface())
    other = lambda xml: xml.replace("bus='0x06' slot='0x02'", "bus='0x07' slot='0x05'")
    t.same_error([migrate(domain, t.conn, other), migrate(twin, t.direct, other)], "migration to another VF: no further than with libvirt")

    netdevs = "<netdev port='1'><mac address='%s'/></netdev><netdev port='2'><mac address='%s'/></netdev>" % (MAC % 1, MAC % 2)
    domain, _, _ = t.pair(hostdev(2, netdevs))
    for name, change in (("another MAC address of a netdev", lambda xml: xml.replace(MAC % 2, MAC % 0x72)),
                         ("a netdev less", lambda xml: re.sub("(?s) *<netdev port='2'.*?</netdev>\n", "", xml)),
                         ("no netdev", lambda xml: re.sub("(?s) *<netdev.*?</netdev>\n", "", xml))):
        error = tap.failure(migrate(domain, t.conn, change))
        t.check(error and "does not match source" in str(error), "migration with %s: refused" % name, error)
    error = tap.failure(migrate(domain, t.conn, str))
    t.check(error and "does not match" not in str(error), "migration with the netdevs as they are: as far as libvirt goes", error)


GROUPS = (defining, left_alone, generated, hotplug, updating, spelled, one_mac, defined_before, claims, replaced)


def main(through, direct, *chosen):
    t = Test(through, direct)
    for group in GROUPS:
        if chosen and group.__name__ not in chosen:
            continue
        t.note("group " + group.__name__)
        t.clean()
        try:
            group(t)
        except (libvirt.libvirtError, AttributeError) as error:
            t.check(False, "the group %s goes to its end" % group.__name__, "line %d: %s" % (error.__traceback__.tb_next.tb_lineno, error))
        t.clean()
    t.end()


if __name__ == "__main__":
    main(*sys.argv[1:])

# same_ours.py: where the two ways are to differ: the namespace that is ours is not seen, and not touched, from outside
# SPDX-License-Identifier: LGPL-2.1-or-later
import time

import libvirt

import same_life
import tap

OURS = "urn:libvirt-hostdev:1"
ELEMENT = libvirt.VIR_DOMAIN_METADATA_ELEMENT
STORED = "<hostdevs><hostdev><source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>" \
    "<netdev port='1'><mac address='52:54:00:01:02:03'/></netdev></hostdev></hostdevs>"
HOSTDEV = "<hostdev mode='subsystem' type='pci' managed='yes'><driver name='vfio'/>" \
    "<source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source></hostdev>"


def run(check, direct, through):
    seen = []
    ident = through.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
                                           lambda c, d, kind, uri, o: seen.append(uri), None)
    text = tap.domain_xml("same-ours", "6d1a8a3e-7df1-4b2f-8a39-0f6f0bb3a006", devices=HOSTDEV)
    theirs = direct.defineXML(text)
    ours = through.lookupByName("same-ours")
    before = ours.XMLDesc(0)
    check.equal(before, theirs.XMLDesc(0), "a hostdev without netdevs looks the same")
    theirs.setMetadata(ELEMENT, STORED, "lh", OURS, 0)
    error = tap.failure(ours.metadata, ELEMENT, OURS, 0)
    check.check(error is not None and error.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN_METADATA, "our metadata cannot be read", error)
    for text, what in ((STORED, "set"), (None, "removed")):
        error = tap.failure(ours.setMetadata, ELEMENT, text, "lh", OURS, 0)
        check.check(error is not None and "urn:libvirt-hostdev:1" in str(error), "our metadata cannot be %s, and the message names it" % what, error)
    check.check("lh:hostdevs" in theirs.XMLDesc(0), "libvirt still has it", theirs.XMLDesc(0))
    shown = ours.XMLDesc(0)
    check.check("<netdev port='1'>" in shown and OURS not in shown, "it is shown as <netdev>", shown)
    check.check(tap.failure(ours.setMetadata, ELEMENT, same_life.MINE, "their", same_life.THEIRS, 0) is None, "other metadata can be set")
    time.sleep(0.5)
    check.equal(seen, [same_life.THEIRS], "only that is told as an event")
    through.domainEventDeregisterAny(ident)
    theirs.undefine()

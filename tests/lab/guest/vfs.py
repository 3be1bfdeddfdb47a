# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the host says of VFs: their settings, by rtnetlink of our own making, and our records of them.

A setting has one form wherever it comes from, so that two can be compared: a dict with some of
mac "52:54:..", vlan (id, priority, protocol), rate (Mb/s), spoof, trust (bool), link "auto|up|down".
"""
import fcntl
import os
import re
import socket
import struct
import xml.etree.ElementTree as tree

PCI = "/sys/bus/pci/devices"
LINKS = ["auto", "up", "down"]                       # IFLA_VF_LINK_STATE_*
NONE = "00:00:00:00:00:00"

RTM_NEWLINK, RTM_GETLINK, RTM_SETLINK, NLMSG_ERROR = 16, 18, 19, 2
NLM_F_REQUEST, NLM_F_ACK = 1, 4
IFLA_IFNAME, IFLA_VFINFO_LIST, IFLA_EXT_MASK, IFLA_VF_INFO = 3, 22, 29, 1
MAC, VLAN, SPOOF, LINK, RATE, TRUST = 1, 2, 4, 5, 6, 9    # IFLA_VF_*
VLAN_LIST, VLAN_ENTRY = 12, 1
WITHOUT_COUNTERS = 1 | 1 << 3                        # RTEXT_FILTER_VF, RTEXT_FILTER_SKIP_STATS
IFF_UP = 1


def attr(kind, data):
    return struct.pack("=HH", len(data) + 4, kind) + data + bytes(-len(data) % 4)


def attrs(data):
    at = 0
    while at + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, at)
        yield kind & 0x3fff, data[at + 4:at + length]
        at += length + 3 & ~3


class Netlink:
    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)

    def talk(self, kind, ifindex, data, flags=0, change=0):
        """The body of the answer, behind struct ifinfomsg."""
        body = struct.pack("=BxHiII", 0, 0, ifindex, flags, change) + data
        ack = 0 if kind == RTM_GETLINK else NLM_F_ACK
        self.sock.send(struct.pack("=IHHII", len(body) + 16, kind, NLM_F_REQUEST | ack, 1, 0) + body)
        answer = self.sock.recv(1 << 20)
        if struct.unpack_from("=H", answer, 4)[0] == NLMSG_ERROR:
            error = struct.unpack_from("=i", answer, 16)[0]
            if error:
                raise OSError(-error, os.strerror(-error))
        return answer[32:]

    def read(self, ifindex):
        """{index: setting} of the port's VFs."""
        answer = self.talk(RTM_GETLINK, ifindex, attr(IFLA_EXT_MASK, struct.pack("=I", WITHOUT_COUNTERS)))
        found = next((data for kind, data in attrs(answer) if kind == IFLA_VFINFO_LIST), b"")
        return dict(one_vf(info) for _, info in attrs(found))

    def write(self, ifindex, index, **setting):
        """What somebody else would set, an attribute a request."""
        form = {"mac": lambda mac: (MAC, bytes.fromhex(mac.replace(":", "")).ljust(32, b"\0")),
                "vlan": lambda vlan: (VLAN, struct.pack("=II", *vlan[:2])),
                "trust": lambda on: (TRUST, struct.pack("=I", on)),
                "spoof": lambda on: (SPOOF, struct.pack("=I", on)),
                "link": lambda state: (LINK, struct.pack("=I", LINKS.index(state))),
                "rate": lambda most: (RATE, struct.pack("=II", 0, most))}
        for name, value in setting.items():
            kind, data = form[name](value)
            one = attr(IFLA_VF_INFO, attr(kind, struct.pack("=I", index) + data))
            self.talk(RTM_SETLINK, ifindex, attr(IFLA_VFINFO_LIST, one))

    def up(self, ifindex, up):
        self.talk(RTM_NEWLINK, ifindex, b"", IFF_UP if up else 0, IFF_UP)

    def rename(self, ifindex, name):
        self.talk(RTM_NEWLINK, ifindex, attr(IFLA_IFNAME, name.encode() + b"\0"))


def one_vf(info):
    got, index = {}, None
    for kind, data in attrs(info):
        if kind == MAC:
            index, got["mac"] = struct.unpack_from("=I", data)[0], ":".join("%02x" % b for b in data[4:10])
        elif kind == VLAN_LIST:
            _, vlan, qos, proto = struct.unpack_from("=III2s", next(attrs(data))[1])
            got["vlan"] = (vlan, qos, {b"\x88\xa8": "802.1ad"}.get(proto, "802.1Q"))
        elif kind in (SPOOF, TRUST, LINK):
            value = struct.unpack_from("=II", data)[1]
            if value != 0xffffffff:
                name = {SPOOF: "spoof", TRUST: "trust", LINK: "link"}[kind]
                got[name] = LINKS[value] if kind == LINK else bool(value)
        elif kind == RATE:
            got["rate"] = struct.unpack_from("=III", data)[2]
    return index, got


# ---- a host, or a made-up one ----

class VF:
    def __init__(self, pf, index, address, ports, settable):
        self.pf, self.index, self.address, self.ports, self.settable = pf, index, address, ports, settable

    def __repr__(self):
        return "%s (VF %d of %s)" % (self.address, self.index, self.pf)


class World:
    """The VFs below one root, and the state directory there. @pfs: {address: settable attributes}"""

    def __init__(self, root, pfs):
        self.root, self.state, self.netlink = root, root + "/run/libvirt-hostdev", Netlink()
        self.ports, self.vfs = {}, []
        for pf, settable in pfs.items():
            base = "%s%s/%s" % (root, PCI, pf)
            for name in os.listdir(base + "/net"):
                port, ifindex = (int(open("%s/net/%s/%s" % (base, name, f)).read()) for f in ("dev_port", "ifindex"))
                self.ports[pf, port + 1] = ifindex
            numbers = sorted(port for owner, port in self.ports if owner == pf)
            for index in range(int(open(base + "/sriov_numvfs").read())):
                address = os.path.basename(os.readlink("%s/virtfn%d" % (base, index)))
                self.vfs.append(VF(pf, index, address, numbers, settable))
        self.by_address = {vf.address: vf for vf in self.vfs}

    def read(self):
        """{(address, port): setting} of every port of every VF."""
        found = {}
        for (pf, port), ifindex in self.ports.items():
            listed = self.netlink.read(ifindex)
            for vf in self.vfs:
                if vf.pf == pf:
                    found[vf.address, port] = self.without_own(vf, port, listed[vf.index])
        return found

    def without_own(self, vf, port, setting):
        """igb shows the address that the VF's driver has made up where none is set."""
        base = "%s%s/%s/net" % (self.root, PCI, vf.address)
        for name in os.listdir(base) if os.path.isdir(base) else []:
            try:
                own = {f: open("%s/%s/%s" % (base, name, f)).read().strip() for f in ("dev_port", "address", "addr_assign_type")}
            except OSError:  # it goes away just now, with its driver
                continue
            if own == {"dev_port": str(port - 1), "address": setting["mac"], "addr_assign_type": "1"}:
                setting["mac"] = NONE
        return setting

    def write(self, vf, port, **setting):
        self.netlink.write(self.ports[vf.pf, port], vf.index, **setting)

    def files(self):
        """The names in the state directory: records, locks, and what a crash has left half written."""
        names = sorted(os.listdir(self.state)) if os.path.isdir(self.state) else []
        return ([n for n in names if re.fullmatch("[0-9a-f:]+[.][0-7]", n)], [n for n in names if n.endswith(".lock")],
                [n for n in names if n.startswith(".")])

    def records(self):
        return {name: Record(open("%s/%s" % (self.state, name)).read(), name) for name in self.files()[0]}

    def held(self):
        """Locks that somebody still holds."""
        return [name for name in self.files()[1] if is_held("%s/%s" % (self.state, name))]


def is_held(path):
    with open(path) as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        return False


# ---- records ----

class Record:
    """See src/util/virstatewrite.c for sections, src/conf/record_conf.c for the rest."""

    def __init__(self, text, name):
        parts = re.split(r"\n\n#(.*)\n", text)
        mine = parts[0] + "".join(body for who, body in zip(parts[1::2], parts[2::2]) if who in ("", name))
        end = mine.rindex("</hostdev>") + len("</hostdev>")
        root = tree.fromstring(mine[:end])
        marks = re.findall(r"<!-- phase: (\w+) -->\n", mine[end:])
        self.phase = marks[-1] if marks else root.get("phase")
        self.owner, self.pid = root.find("owner").get("name"), int(root.find("owner").get("pid", 0))
        self.address, self.index = root.find("source").get("handle").removeprefix("pci/"), int(root.find("target").get("index"))
        self.before, self.wanted = (settings(root.find(which)) for which in ("before", "wanted"))


def address_of(node):
    return "%04x:%02x:%02x.%x" % tuple(int(node.get(part), 16) for part in ("domain", "bus", "slot", "function"))


def settings(parent):
    """{port: setting} of the <netdev>s below it."""
    return {int(netdev.get("port")): setting_of(netdev) for netdev in parent.findall("netdev")}


def setting_of(netdev):
    found = {}
    for name, key in ("trustGuestRxFilters", "trust"), ("spoofCheck", "spoof"):
        if netdev.get(name):
            found[key] = netdev.get(name) == "yes"
    for child in netdev:
        if child.tag == "mac":
            found["mac"] = child.get("address")
        elif child.tag == "vlan":
            tag = child.find("tag")
            found["vlan"] = (int(tag.get("id")), int(tag.get("priority", 0)), tag.get("protocol", "802.1Q"))
        elif child.tag == "link":
            found["link"] = child.get("state")
        elif child.tag == "bandwidth":
            found["rate"] = round(int(child.find("outbound").get("average", 0)) * 1024 * 8 / 1e6)
    return found


# ---- documents ----

YES = {True: "yes", False: "no"}


def netdev_xml(port, setting, prefix=""):
    text = "<netdev port='%d'" % port
    for name, key in ("trustGuestRxFilters", "trust"), ("spoofCheck", "spoof"):
        if key in setting:
            text += " %s='%s'" % (name, YES[setting[key]])
    text += ">"
    if "mac" in setting:
        text += "<mac address='%s'/>" % setting["mac"]
    if "vlan" in setting:
        text += "<vlan><tag id='%d' priority='%d'/></vlan>" % setting["vlan"][:2]
    if "link" in setting:
        text += "<link state='%s'/>" % setting["link"]
    if "rate" in setting:
        text += "<bandwidth><outbound average='%d'/></bandwidth>" % round(setting["rate"] * 1e6 / 8 / 1024)
    return re.sub("<(/?)", r"<\1" + prefix, text + "</netdev>")


def address_xml(address, prefix=""):
    return "<%saddress domain='0x%s' bus='0x%s' slot='0x%s' function='0x%s'/>" % (prefix, *re.split("[:.]", address))


def hostdev_xml(address, ports=()):
    return "<hostdev mode='subsystem' type='pci' managed='yes'><source>%s</source>%s</hostdev>" % (
        address_xml(address), "".join(netdev_xml(port, ports[port]) for port in sorted(ports)))


def domain_xml(name, uuid, devices, stock=False):
    """@devices: {address: {port: setting}}. @stock: as libvirt hands it to the hook."""
    entries = "".join("<lh:hostdev><lh:source>%s</lh:source>%s</lh:hostdev>" % (
        address_xml(address, "lh:"), "".join(netdev_xml(p, ports[p], "lh:") for p in sorted(ports)))
        for address, ports in devices.items())
    metadata = "<metadata><lh:hostdevs xmlns:lh='urn:libvirt-hostdev:1'>%s</lh:hostdevs></metadata>" % entries
    return "<domain type='qemu'><name>%s</name><uuid>%s</uuid>%s<devices>%s</devices></domain>\n" % (
        name, uuid, metadata if stock else "", "".join(hostdev_xml(a, () if stock else p) for a, p in devices.items()))

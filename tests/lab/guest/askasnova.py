#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain as Nova makes it, and reads it, with Nova's own classes, through whatever daemon is at libvirt's socket.

usage: askasnova.py PORT-VF DEVICE-VF        two PCI addresses; prints checks as guest/lib.sh does
       askasnova.py --serial NODE-DEVICE     prints the serial number of its card
       askasnova.py --profile PORT-VF        starts an instance of the flavor sriov.small, for which there is a profile

PORT-VF becomes what an instance gets for an SR-IOV port of Neutron (vnic_type direct, virt/libvirt/vif.py),
DEVICE-VF what it gets for a PCI device that its flavor asks for.
"""

import importlib.util
import os
import sys
import types

import libvirt
from lxml import etree

MAC, VLAN = "52:54:00:cc:00:01", 42
NETDEVS = {"1": ("52:54:00:cc:01:01", "142"), "2": ("52:54:00:cc:01:02", "143")}


def nova_libvirt():
    """Nova's module of that name, but for its __init__, which imports the whole of Nova's compute driver."""
    path = os.path.join(importlib.util.find_spec("nova.virt").submodule_search_locations[0], "libvirt")
    package = types.ModuleType("nova.virt.libvirt")
    package.__path__ = [path]
    sys.modules[package.__name__] = package


nova_libvirt()
from nova.virt.libvirt import config, designer  # noqa: E402

def check(text, found, expected):
    if found == expected:
        print(f"ok   {text}", flush=True)
    else:
        print(f"FAIL {text}: is {found!r}, expected {expected!r}", flush=True)


def sriov_port(address):
    port = config.LibvirtConfigGuestInterface()
    port.mac_addr = MAC
    designer.set_vif_host_backend_hw_veb(port, "hostdev", address, VLAN)
    return port


def pci_device(address):
    device = config.LibvirtConfigGuestHostdevPCI()
    designer.set_vif_host_backend_hostdev_pci_config(device, address)
    return device


def instance(port, device):
    guest = config.LibvirtConfigGuest()
    guest.virt_type, guest.os_type = "qemu", "hvm"
    guest.name, guest.uuid = "instance-00000001", "5f1f9c6c-0c39-4a0c-9c7e-6ce4ff8b3b0c"
    guest.memory, guest.vcpus = 96 * 1024, 1
    guest.os_mach_type = "q35"
    guest.add_device(port)
    guest.add_device(device)
    return guest


def read(domain):
    """What libvirt has, as Nova's classes see it: the domain, its ports, its devices."""
    guest = config.LibvirtConfigGuest()
    guest.parse_str(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    ports = [d for d in guest.devices if isinstance(d, config.LibvirtConfigGuestInterface)]
    devices = [d for d in guest.devices if isinstance(d, config.LibvirtConfigGuestHostdevPCI)]
    return guest, ports, devices


def netdevs(domain):
    document = etree.fromstring(domain.XMLDesc(libvirt.VIR_DOMAIN_XML_INACTIVE))
    return {
        n.get("port"): (n.find("mac").get("address"), n.find("vlan/tag").get("id"))
        for n in document.iterfind("devices/hostdev/netdev")
    }


def with_netdevs(element):
    """Nova's XML with <netdev> children in its (first) hostdev."""
    hostdev = element if element.tag == "hostdev" else element.find("devices/hostdev")
    for port, (mac, tag) in NETDEVS.items():
        netdev = etree.SubElement(hostdev, "netdev", port=port)
        etree.SubElement(netdev, "mac", address=mac)
        etree.SubElement(etree.SubElement(netdev, "vlan"), "tag", id=tag)
    return etree.tostring(element, encoding="unicode")


def same(text, domain, port, device):
    """What was read is what Nova wrote: with its own idea of equality, and field by field."""
    guest, ports, devices = read(domain)
    check(f"{text}: the domain", (guest.name, guest.uuid, guest.virt_type, guest.memory, guest.vcpus),
          ("instance-00000001", "5f1f9c6c-0c39-4a0c-9c7e-6ce4ff8b3b0c", "qemu", 96 * 1024, 1))  # fmt: skip
    check(f"{text}: the port is the one", ports, [port])
    check(f"{text}: its type, MAC, VLAN, VF", [(p.net_type, p.mac_addr, p.vlan, p.source_dev) for p in ports],
          [("hostdev", MAC, VLAN, port.source_dev)])  # fmt: skip
    check(f"{text}: the device is the one", devices, [device])
    check(f"{text}: it is managed", [(d.mode, d.type, d.managed) for d in devices], [("subsystem", "pci", "yes")])


def main(port_vf, device_vf):
    port, device = sriov_port(port_vf), pci_device(device_vf)
    guest = instance(port, device)
    connection = libvirt.open()

    domain = connection.defineXML(guest.to_xml())
    same("as Nova defines it", domain, port, device)
    check("no netdevs", netdevs(domain), {})

    domain = connection.defineXML(with_netdevs(guest.format_dom()))
    same("with netdevs", domain, port, device)
    check("the netdevs are there", netdevs(domain), NETDEVS)

    domain.detachDeviceFlags(device.to_xml(), libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    check("Nova's hostdev detaches the one with netdevs", (read(domain)[2], netdevs(domain)), ([], {}))
    domain.attachDeviceFlags(device.to_xml(), libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    same("attached again", domain, port, device)
    check("without netdevs", netdevs(domain), {})
    domain.detachDeviceFlags(device.to_xml(), libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    domain.attachDeviceFlags(with_netdevs(device.format_dom()), libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    same("attached with netdevs", domain, port, device)
    check("the netdevs are there again", netdevs(domain), NETDEVS)

    domain.detachDeviceFlags(port.to_xml(), libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    check("the port is detached", read(domain)[1], [])
    domain.attachDeviceFlags(port.to_xml(), libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    same("the port is attached", domain, port, device)
    check("and left the netdevs alone", netdevs(domain), NETDEVS)


def serial(name):
    """The serial number of the card that a node device is on, as nova/virt/libvirt/host.py looks for it."""
    device = config.LibvirtConfigNodeDevice()
    device.parse_str(libvirt.open().nodeDeviceLookupByName(name).XMLDesc())
    vpd = device.pci_capability.vpd_capability
    print(vpd and vpd.card_serial_number)


def flavored(port):
    """The instance with what Nova's driver adds to its metadata (_get_guest_config_meta)."""
    guest = config.LibvirtConfigGuest()
    guest.virt_type, guest.os_type = "qemu", "hvm"
    guest.name, guest.uuid = "instance-00000002", "5f1f9c6c-0c39-4a0c-9c7e-6ce4ff8b3b0d"
    guest.memory, guest.vcpus = 96 * 1024, 1
    guest.os_mach_type = "q35"
    meta, flavor = config.LibvirtConfigGuestMetaNovaInstance(), config.LibvirtConfigGuestMetaNovaFlavor()
    meta.package, meta.name, meta.creationTime = "27.0", "vm", 0
    flavor.name, flavor.memory, flavor.vcpus, flavor.disk, flavor.swap, flavor.ephemeral = "sriov.small", 96, 1, 0, 0, 0
    meta.flavor = flavor
    guest.metadata.append(meta)
    guest.add_device(port)
    return guest


def second_port(domain, flags=0):
    """What the profile has given: the MAC address and VLAN of port 2 of the interface."""
    document = etree.fromstring(domain.XMLDesc(flags))
    return [(n.get("port"), n.get("profile"), n.find("mac").get("address"), n.find("vlan/tag").get("id"))
            for n in document.iterfind("devices/interface/netdev")]  # fmt: skip


def profile(port_vf):
    """As Nova starts, reboots and changes an instance; it writes the domain anew each time."""
    port = sriov_port(port_vf)
    guest = flavored(port)
    connection = libvirt.open()
    domain = connection.defineXML(guest.to_xml())
    check("Nova sees the port that it wrote", read(domain)[1], [port])
    given = second_port(domain)
    check("the profile gives port 2", [(n[0], n[1], n[3]) for n in given], [("2", "second-port", "43")])
    domain.create()
    check("and once more, as for a hard reboot", second_port(connection.defineXML(guest.to_xml())), given)
    domain.detachDeviceFlags(port.to_xml(), libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    check("the port is detached", read(domain)[1], [])
    domain.attachDeviceFlags(port.to_xml(), libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    check("and attached: libvirt is asked whose it is", second_port(domain, libvirt.VIR_DOMAIN_XML_INACTIVE), given)
    print(given[0][2])


if sys.argv[1:2] == ["--serial"]:
    serial(sys.argv[2])
elif sys.argv[1:2] == ["--profile"]:
    profile(sys.argv[2])
elif sys.argv[1:]:  # else the imports are all that is wanted, by host/nova.sh
    main(*sys.argv[1:])

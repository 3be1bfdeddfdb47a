# same_host.py: calls of same.py that need no domain: the host, its devices, networks, secrets, filters, and mistakes
# SPDX-License-Identifier: LGPL-2.1-or-later
import time

import libvirt

NETWORK = "<network><name>same-net</name><uuid>6d1a8a3e-7df1-4b2f-8a39-0f6f0bb3a001</uuid><bridge name='virbr77'/>" \
    "<mac address='52:54:00:77:00:01'/></network>"
FILTER = "<filter name='same-filter' chain='root'><uuid>6d1a8a3e-7df1-4b2f-8a39-0f6f0bb3a002</uuid>" \
    "<rule action='drop' direction='in' priority='500'><ip/></rule></filter>"
SECRET = "<secret ephemeral='no' private='no'><uuid>6d1a8a3e-7df1-4b2f-8a39-0f6f0bb3a003</uuid>" \
    "<description>same</description><usage type='volume'><volume>/same/volume</volume></usage></secret>"
CPU = "<cpu><arch>x86_64</arch><model>Westmere</model></cpu>"


def versions(side):
    conn = side.conn
    for name in ("getLibVersion", "getVersion", "getType", "getURI", "getHostname", "getCapabilities",
                 "isAlive", "isEncrypted", "isSecure"):
        side.call(name, getattr(conn, name))
    side.maybe("getSysinfo", conn.getSysinfo)
    side.call("getMaxVcpus", conn.getMaxVcpus, "qemu")
    side.call("getDomainCapabilities", conn.getDomainCapabilities, None, "x86_64", "pc", "qemu")
    side.call("getDomainCapabilities of q35", conn.getDomainCapabilities, None, "x86_64", "q35", "qemu")
    side.wrong("getDomainCapabilities of no such machine", conn.getDomainCapabilities, None, "x86_64", "abacus", "qemu")
    side.call("getCPUModelNames", conn.getCPUModelNames, "x86_64")
    side.call("compareCPU", conn.compareCPU, CPU)
    side.call("baselineCPU", conn.baselineCPU, [CPU, CPU])
    side.call("baselineHypervisorCPU", conn.baselineHypervisorCPU, None, "x86_64", None, "qemu", [CPU])
    side.call("domainXMLToNative", conn.domainXMLToNative, "qemu-argv",
              "<domain type='qemu'><name>n</name><memory>32768</memory><os><type machine='pc'>hvm</type></os></domain>",
              varies="the generated UUID is in it")


def node(side):
    conn = side.conn
    changes = "changes all the time"
    side.call("getInfo", conn.getInfo)
    side.call("getCPUMap", conn.getCPUMap)
    side.call("getCPUStats", conn.getCPUStats, -1, varies=changes)
    side.call("getMemoryStats", conn.getMemoryStats, -1, varies=changes)
    side.call("getFreeMemory", conn.getFreeMemory, varies=changes)
    side.call("getFreePages", conn.getFreePages, [4], 0, 1, varies=changes)
    side.maybe("getMemoryParameters", lambda: sorted(conn.getMemoryParameters()))
    side.call("getSecurityModel", conn.getSecurityModel)
    side.maybe("getSEVInfo", conn.getSEVInfo)


def lists(side):
    conn = side.conn
    for what in ("Domains", "Networks", "StoragePools", "Devices", "Interfaces", "NWFilters", "NWFilterBindings", "Secrets"):
        found = side.maybe("listAll" + what, lambda: sorted(x.name() if hasattr(x, "name") else x.UUIDString() for x in getattr(conn, "listAll" + what)()))
        if what == "Devices":
            for name in (found or [])[:3]:
                side.call("nodeDeviceLookupByName " + name, conn.nodeDeviceLookupByName, name)
                side.call("XMLDesc of device " + name, lambda: conn.nodeDeviceLookupByName(name).XMLDesc())
                side.call("listCaps of device " + name, lambda: conn.nodeDeviceLookupByName(name).listCaps())
    for what in ("Domains", "DefinedDomains", "Networks", "DefinedNetworks", "StoragePools", "NWFilters", "Secrets"):
        side.call("numOf" + what, getattr(conn, "numOf" + what))


def networks(side):
    conn = side.conn
    seen = []
    ident = conn.networkEventRegisterAny(None, libvirt.VIR_NETWORK_EVENT_ID_LIFECYCLE,
                                         lambda c, net, event, detail, o: seen.append((net.name(), event)), None)
    net = side.call("networkDefineXML", conn.networkDefineXML, NETWORK)
    side.call("networkLookupByName", conn.networkLookupByName, "same-net")
    side.call("networkLookupByUUIDString", conn.networkLookupByUUIDString, net.UUIDString())
    side.call("network XMLDesc", net.XMLDesc)
    side.call("network setAutostart", net.setAutostart, 1)
    side.call("network autostart", net.autostart)
    side.call("network isPersistent", net.isPersistent)
    side.call("network undefine", net.undefine)
    side.wrong("an undefined network", net.XMLDesc)
    time.sleep(0.3)
    side.call("network events", lambda: list(seen))
    side.call("networkEventDeregisterAny", conn.networkEventDeregisterAny, ident)


def filters(side):
    conn = side.conn
    one = side.maybe("nwfilterDefineXML", conn.nwfilterDefineXML, FILTER)
    if one:
        side.call("nwfilterLookupByName", conn.nwfilterLookupByName, "same-filter")
        side.call("nwfilter XMLDesc", one.XMLDesc)
        side.call("nwfilter undefine", one.undefine)


def secrets(side):
    conn = side.conn
    one = side.call("secretDefineXML", conn.secretDefineXML, SECRET)
    side.call("secret setValue", one.setValue, b"\0\1open\xff sesame", 0)
    side.call("secret value", one.value)
    side.call("secretLookupByUsage", conn.secretLookupByUsage, libvirt.VIR_SECRET_USAGE_TYPE_VOLUME, "/same/volume")
    side.call("secret XMLDesc", one.XMLDesc)
    side.call("secret undefine", one.undefine)
    side.wrong("the value of an undefined secret", one.value)


def mistakes(side):
    conn = side.conn
    uuid = "00000000-1111-2222-3333-444444444444"
    side.wrong("lookupByName of nobody", conn.lookupByName, "nobody")
    side.wrong("lookupByUUIDString of nobody", conn.lookupByUUIDString, uuid)
    side.wrong("lookupByID of nobody", conn.lookupByID, 99999)
    side.wrong("defineXML of no XML", conn.defineXML, "domain")
    side.wrong("defineXML of half an element", conn.defineXML, "<domain type='qemu'><name>x</name>")
    side.wrong("defineXML of another document", conn.defineXML, "<network><name>x</name></network>")
    side.wrong("defineXML without a name", conn.defineXML, "<domain type='qemu'><memory>1024</memory></domain>")
    side.wrong("defineXML of a type that is not there", conn.defineXML, "<domain type='abacus'><name>x</name></domain>")
    side.wrong("defineXML with an unknown device value", conn.defineXML,
               "<domain type='qemu'><name>x</name><memory>32768</memory><os><type>hvm</type></os>"
               "<devices><disk type='cheese'/></devices></domain>")
    side.wrong("defineXMLFlags, VALIDATE, an unknown element", conn.defineXMLFlags,
               "<domain type='qemu'><name>x</name><memory>32768</memory><os><type>hvm</type></os><cheese/></domain>",
               libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    side.wrong("defineXMLFlags with unknown flags", conn.defineXMLFlags, "<domain/>", 1 << 30)
    side.wrong("createXML of no XML", conn.createXML, "<", 0)
    side.wrong("createXMLWithFiles, which QEMU has not", with_files, conn)
    side.wrong("restore of no file", conn.restore, "/nowhere/image")
    side.wrong("saveImageGetXMLDesc of no file", conn.saveImageGetXMLDesc, "/nowhere/image", 0)
    side.wrong("domainXMLFromNative", conn.domainXMLFromNative, "qemu-argv", "qemu", 0)
    side.wrong("domainXMLToNative of no XML", conn.domainXMLToNative, "qemu-argv", "<domain", 0)
    side.wrong("networkLookupByName of nothing", conn.networkLookupByName, "nothing")
    side.wrong("storagePoolLookupByName of nothing", conn.storagePoolLookupByName, "nothing")
    side.wrong("secretLookupByUsage of nothing", conn.secretLookupByUsage, libvirt.VIR_SECRET_USAGE_TYPE_VOLUME, "/no")
    side.wrong("nodeDeviceLookupByName of nothing", conn.nodeDeviceLookupByName, "nothing")


def with_files(conn):
    """A call with descriptors behind it: libvirt takes them, and then has no use for them."""
    with open("/dev/null", "rb") as a, open("/dev/zero", "rb") as b:
        return conn.createXMLWithFiles("<domain type='qemu'><name>x</name></domain>", [a.fileno(), b.fileno()], 0)


def alive(side):
    """A second connection, so that closing it is part of what is compared."""
    conn = libvirt.open(side.uri)
    closed = []
    side.call("registerCloseCallback", conn.registerCloseCallback, lambda c, reason, o: closed.append(reason), None)
    side.call("setKeepAlive", conn.setKeepAlive, 1, 2)
    time.sleep(3.5)
    side.call("isAlive after three keepalives", conn.isAlive)
    side.call("nobody has closed it", lambda: list(closed))
    side.call("unregisterCloseCallback", conn.unregisterCloseCallback)
    side.call("close", conn.close)
    read_only = libvirt.openReadOnly(side.uri)
    side.call("a read-only connection lists", lambda: [d.name() for d in read_only.listAllDomains()])
    side.wrong("a read-only connection defines nothing", read_only.defineXML, "<domain/>")
    side.call("close read-only", read_only.close)


GROUPS = [versions, node, lists, networks, filters, secrets, mistakes, alive]

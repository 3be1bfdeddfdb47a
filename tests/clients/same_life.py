# same_life.py: calls of same.py about domains, defined and running
# SPDX-License-Identifier: LGPL-2.1-or-later
import os
import socket
import time

import libvirt
import libvirt_qemu

import tap

NAME = "same-vm"
UUID = "6d1a8a3e-7df1-4b2f-8a39-0f6f0bb3a005"
TIME = "it counts time or work"
DEVICES = """<disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/><source file='%(work)s/disk.qcow2'/><target dev='vda' bus='virtio'/>
    </disk>
    <interface type='user'><mac address='52:54:00:5a:3e:01'/><model type='e1000'/></interface>
    <serial type='pty'><target port='0'/></serial>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <graphics type='vnc'><listen type='none'/></graphics>
    <video><model type='vga'/></video>"""
TITLED = "<title>A title</title><description>One &lt;two&gt; drei \u00fc</description>"
THEIRS = "urn:example:theirs"
MINE = "<note at='1'><inner>text</inner></note>"


def xml(side, name=NAME, uuid=UUID, metadata="", more=""):
    tap.write_qcow2(side.work + "/disk.qcow2")
    return tap.domain_xml(name, uuid, metadata, DEVICES % {"work": side.work}, "<iothreads>1</iothreads>" + more)


def clear(conn):
    """Take away what a group may have left behind."""
    for domain in conn.listAllDomains():
        if domain.isActive():
            domain.destroy()
        try:
            domain.undefineFlags(libvirt.VIR_DOMAIN_UNDEFINE_MANAGED_SAVE | libvirt.VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
                                 | libvirt.VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA)
        except libvirt.libvirtError as error:
            if error.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                raise
    for pool in conn.listAllStoragePools():
        if pool.isActive():
            pool.destroy()
        pool.undefine()
    for thing in conn.listAllNetworks() + conn.listAllSecrets():
        thing.undefine()


def start(side, paused=False):
    """A transient-free start: defined, then created. What this takes is compared in the group "running"."""
    domain = side.conn.defineXML(xml(side))
    domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED if paused else 0)
    return domain


def defining(side):
    conn = side.conn
    domain = side.call("defineXML", conn.defineXML, xml(side, metadata="", more=TITLED))
    for name, flags in (("plain", 0), ("inactive", libvirt.VIR_DOMAIN_XML_INACTIVE), ("secure", libvirt.VIR_DOMAIN_XML_SECURE),
                        ("update CPU", libvirt.VIR_DOMAIN_XML_UPDATE_CPU), ("migratable", libvirt.VIR_DOMAIN_XML_MIGRATABLE)):
        side.call("XMLDesc, " + name, domain.XMLDesc, flags)
    side.wrong("XMLDesc, unknown flags", domain.XMLDesc, 1 << 20)
    side.call("lookupByName", conn.lookupByName, NAME)
    side.call("lookupByUUIDString", conn.lookupByUUIDString, UUID)
    side.call("lookupByUUID", conn.lookupByUUID, domain.UUID())
    side.call("listAllDomains", conn.listAllDomains, libvirt.VIR_CONNECT_LIST_DOMAINS_INACTIVE)
    side.call("listDefinedDomains", conn.listDefinedDomains)
    for name in ("info", "state", "isActive", "isPersistent", "isUpdated", "OSType", "maxMemory", "autostart",
                 "hasManagedSaveImage", "ID", "UUIDString"):
        side.call(name, getattr(domain, name))
    side.call("setAutostart", domain.setAutostart, 1)
    side.call("autostart, set", domain.autostart)
    side.call("defineXMLFlags, VALIDATE", conn.defineXMLFlags, xml(side), libvirt.VIR_DOMAIN_DEFINE_VALIDATE)
    side.call("setMemoryFlags, config", domain.setMemoryFlags, 30 << 10, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    side.call("setVcpusFlags, config", domain.setVcpusFlags, 2, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    disk = "<disk type='file' device='cdrom'><driver name='qemu' type='raw'/>%s<target dev='sdb' bus='scsi'/><readonly/></disk>"
    side.call("attachDeviceFlags, config", domain.attachDeviceFlags, disk % "", libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    side.call("updateDeviceFlags, config", domain.updateDeviceFlags, disk % "<source file='/nowhere.iso'/>", libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    side.call("XMLDesc with the device", domain.XMLDesc, 0)
    side.call("detachDeviceFlags, config", domain.detachDeviceFlags, disk % "", libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    side.wrong("detachDeviceFlags, again", domain.detachDeviceFlags, disk % "", libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    side.wrong("attachDeviceFlags, no such device", domain.attachDeviceFlags, "<cheese/>", libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    side.wrong("attachDeviceFlags, no XML", domain.attachDeviceFlags, "<disk", libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    side.wrong("attachDevice of a PCI device that is not there", domain.attachDeviceFlags,
               "<hostdev mode='subsystem' type='pci'><source><address domain='0x7fff' bus='0' slot='0' function='0'/></source></hostdev>",
               libvirt.VIR_DOMAIN_AFFECT_LIVE)
    side.call("domainXMLToNative", conn.domainXMLToNative, "qemu-argv", domain.XMLDesc(0))
    for name in ("maxVcpus", "destroy", "resume", "suspend", "reset", "managedSave", "jobStats", "shutdown"):
        side.maybe(name + ", not running", getattr(domain, name))
    side.wrong("setVcpus 0", domain.setVcpus, 0)
    side.wrong("setVcpusFlags, too many", domain.setVcpusFlags, 99, libvirt.VIR_DOMAIN_AFFECT_CONFIG)
    side.wrong("snapshotLookupByName of nothing", domain.snapshotLookupByName, "nothing")
    side.wrong("blockInfo of nothing", domain.blockInfo, "vdz")
    side.wrong("openConsole, not running", lambda: domain.openConsole(None, conn.newStream(), 0))
    side.call("rename", domain.rename, NAME + "-2")
    side.call("lookupByName, renamed", conn.lookupByName, NAME + "-2")
    side.call("undefine", domain.undefine)
    side.wrong("XMLDesc, undefined", domain.XMLDesc, 0)
    side.wrong("undefine, again", domain.undefine)


def metadata(side):
    conn = side.conn
    seen = []
    ident = conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
                                        lambda c, d, kind, uri, o: seen.append((d.name(), kind, uri)), None)
    domain = conn.defineXML(xml(side))
    element = libvirt.VIR_DOMAIN_METADATA_ELEMENT
    for kind, what in ((libvirt.VIR_DOMAIN_METADATA_TITLE, "title"), (libvirt.VIR_DOMAIN_METADATA_DESCRIPTION, "description")):
        side.wrong("metadata, no %s" % what, domain.metadata, kind, None, 0)
        side.call("setMetadata, " + what, domain.setMetadata, kind, "A <%s> \u00fc" % what, None, None, 0)
        side.call("metadata, " + what, domain.metadata, kind, None, 0)
    side.wrong("metadata, no element", domain.metadata, element, THEIRS, 0)
    side.call("setMetadata, element", domain.setMetadata, element, MINE, "their", THEIRS, 0)
    side.call("metadata, element", domain.metadata, element, THEIRS, 0)
    side.call("XMLDesc with metadata", domain.XMLDesc, 0)
    side.wrong("setMetadata, no XML", domain.setMetadata, element, "<note", "their", THEIRS, 0)
    side.wrong("setMetadata, no key", domain.setMetadata, element, MINE, None, THEIRS, 0)
    side.wrong("setMetadata, live but not running", domain.setMetadata, element, MINE, "their", THEIRS, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    side.call("setMetadata, away", domain.setMetadata, element, None, None, THEIRS, 0)
    side.wrong("metadata, gone", domain.metadata, element, THEIRS, 0)
    time.sleep(0.3)
    side.call("metadata events", lambda: list(seen))
    side.call("domainEventDeregisterAny", conn.domainEventDeregisterAny, ident)


def running(side):
    conn = side.conn
    life, other = [], []
    kinds = libvirt
    idents = [conn.domainEventRegisterAny(None, kinds.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                                          lambda c, d, event, detail, o: life.append((d.name(), event, detail)), None)]
    for kind in (kinds.VIR_DOMAIN_EVENT_ID_REBOOT, kinds.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, kinds.VIR_DOMAIN_EVENT_ID_DEVICE_ADDED,
                 kinds.VIR_DOMAIN_EVENT_ID_TUNABLE):
        idents.append(conn.domainEventRegisterAny(None, kind, lambda c, d, *rest: other.append((d.name(), rest[:-1])), None))
    domain = conn.defineXML(xml(side))
    side.call("create", domain.create)
    side.wrong("create, again", domain.create)
    side.call("ID of a running domain", domain.ID, varies="it is new at each start")
    side.call("lookupByID", lambda: conn.lookupByID(domain.ID()))
    side.call("listDomainsID", conn.listDomainsID, varies="it is new at each start")
    side.call("XMLDesc, live", domain.XMLDesc, 0)
    side.call("XMLDesc, inactive", domain.XMLDesc, libvirt.VIR_DOMAIN_XML_INACTIVE)
    side.call("XMLDesc, migratable", domain.XMLDesc, libvirt.VIR_DOMAIN_XML_MIGRATABLE)
    for name in ("suspend", "state", "resume", "state", "reset", "isActive", "isUpdated", "OSType", "hostname"):
        side.maybe(name + ", running", getattr(domain, name))
    disk = "<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='%s/more.qcow2'/><target dev='vdb' bus='virtio'/></disk>" % side.work
    tap.write_qcow2(side.work + "/more.qcow2")
    side.call("attachDeviceFlags, live", domain.attachDeviceFlags, disk, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    side.call("XMLDesc with the new disk", domain.XMLDesc, 0)
    side.wrong("attachDeviceFlags, the same again", domain.attachDeviceFlags, disk, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    side.call("setMetadata, live", domain.setMetadata, libvirt.VIR_DOMAIN_METADATA_ELEMENT, MINE, "their", THEIRS, libvirt.VIR_DOMAIN_AFFECT_LIVE)
    side.call("XMLDesc, live metadata", domain.XMLDesc, 0)
    side.call("sendKey", domain.sendKey, 0, 50, [28], 1)
    # Not that of a poweroff: libvirt would take the destroy for one, and its thread that starts the guest again may come
    # to the next guest of that name, and resume it.
    side.call("setLifecycleAction", domain.setLifecycleAction, libvirt.VIR_DOMAIN_LIFECYCLE_CRASH, libvirt.VIR_DOMAIN_LIFECYCLE_ACTION_RESTART, 0)
    side.call("injectNMI", domain.injectNMI)
    side.call("destroy", domain.destroy)
    side.wrong("destroy, again", domain.destroy)
    side.call("createWithFlags, paused", domain.createWithFlags, libvirt.VIR_DOMAIN_START_PAUSED)
    side.call("state, paused", domain.state)
    side.call("resume", domain.resume)
    side.call("destroyFlags", domain.destroyFlags, libvirt.VIR_DOMAIN_DESTROY_GRACEFUL)
    side.call("undefine", domain.undefine)
    side.call("createXML", conn.createXML, xml(side), libvirt.VIR_DOMAIN_START_AUTODESTROY)
    side.call("destroy of a transient domain", lambda: conn.lookupByName(NAME).destroy())
    tap.wait_for(lambda: sum(event == kinds.VIR_DOMAIN_EVENT_STOPPED for _, event, _ in life) == 3)
    # QEMU's last word before a signal ends it: libvirt may have found it dead before it reads that.
    last_word = (NAME, kinds.VIR_DOMAIN_EVENT_SHUTDOWN, kinds.VIR_DOMAIN_EVENT_SHUTDOWN_HOST)
    side.call("lifecycle events", lambda: [event for event in life if event != last_word])
    # Each kind once: a BIOS that is reset early resets itself again, once or twice.
    side.call("other events", lambda: sorted(set(other)))
    for ident in idents:
        side.call("domainEventDeregisterAny", conn.domainEventDeregisterAny, ident)


def console(side):
    domain = start(side)
    conn = side.conn
    stream = conn.newStream(libvirt.VIR_STREAM_NONBLOCK)
    side.call("openConsole", domain.openConsole, None, stream, 0)
    second = conn.newStream()
    side.wrong("openConsole, a second one", domain.openConsole, None, second, 0)
    side.call("the guest answers", talk, stream, b"x", lambda text: b"x" in text, True)
    quiet(stream)
    side.call("and says the same", talk, stream, b"These 25 bytes come back.", lambda text: len(text) >= 25, False)
    side.call("finish", stream.finish)
    again = conn.newStream(libvirt.VIR_STREAM_NONBLOCK)
    side.call("openConsole, forced", domain.openConsole, None, again, libvirt.VIR_DOMAIN_CONSOLE_FORCE)
    side.call("abort", again.abort)
    side.wrong("openChannel of no such channel", lambda: domain.openChannel("nothing", conn.newStream(), 0))


def talk(stream, text, enough, insist):
    """Send, and what comes back. insist: until there is an answer, because the guest is still starting."""
    end = time.monotonic() + 90
    back = b""
    stream.send(text)
    tick = time.monotonic()
    while time.monotonic() < end and not enough(back):
        piece = stream.recv(100)
        if isinstance(piece, bytes) and piece:
            back += piece
        else:
            time.sleep(0.02)
        if insist and time.monotonic() - tick > 1:
            stream.send(text)
            tick = time.monotonic()
    return True if insist and enough(back) else back


def quiet(stream):
    """Wait until nothing more comes."""
    last = time.monotonic()
    while time.monotonic() - last < 1.5:
        piece = stream.recv(100)
        if isinstance(piece, bytes) and piece:
            last = time.monotonic()
        time.sleep(0.02)


def graphics(side):
    domain = start(side)
    conn = side.conn
    side.call("screenshot", screenshot, conn, domain)
    side.wrong("screenshot of no such screen", lambda: domain.screenshot(conn.newStream(), 7, 0))

    def from_libvirt():
        fd = domain.openGraphicsFD(0, libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
        with socket.socket(fileno=fd) as end:
            end.settimeout(20)
            return end.recv(12)

    def to_libvirt():
        ours, theirs = socket.socketpair()
        with ours, theirs:
            ours.settimeout(20)
            domain.openGraphics(0, theirs.fileno(), libvirt.VIR_DOMAIN_OPEN_GRAPHICS_SKIPAUTH)
            return ours.recv(12)

    side.call("openGraphicsFD: a descriptor comes, and VNC speaks on it", from_libvirt)
    side.call("openGraphics: a descriptor goes, and VNC speaks on it", to_libvirt)
    side.call("openGraphicsFD, many times", lambda: [from_libvirt() for _ in range(20)])
    side.wrong("openGraphicsFD of no such graphics", domain.openGraphicsFD, 7, 0)
    with open("/dev/null", "rb") as null:
        side.wrong("openGraphics of no such graphics", domain.openGraphics, 7, null.fileno(), 0)
    side.call("the connection afterwards", conn.getLibVersion)


def screenshot(conn, domain):
    stream = conn.newStream()
    kind = domain.screenshot(stream, 0, 0)
    size = 0
    first = b""

    def take(_, piece, __):
        nonlocal size, first
        first = first or piece[:2]
        size += len(piece)
        return len(piece)

    stream.recvAll(take, None)
    stream.finish()
    return kind, first, size > 100000


def descriptors(side):
    """Descriptors that are to be kept: virDomainFDAssociate, libvirt 9.0."""
    conn = side.conn
    conn.defineXML(xml(side))
    text = xml(side).replace("<source file='%s/disk.qcow2'/>" % side.work, "<source file='%s/disk.qcow2' fdgroup='disk'/>" % side.work)
    domain = side.call("defineXML with an fdgroup", conn.defineXML, text)
    side.wrong("create without the descriptor", domain.create)
    with open(side.work + "/disk.qcow2", "r+b") as disk:
        side.call("FDAssociate", domain.FDAssociate, "disk", [disk.fileno()], libvirt.VIR_DOMAIN_FD_ASSOCIATE_SECLABEL_WRITABLE)
        side.call("create with the descriptor", domain.create)
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(32)]
    side.call("FDAssociate of 32", domain.FDAssociate, "many", opened, 0)
    side.wrong("FDAssociate of 33", domain.FDAssociate, "many", opened + opened[:1], 0)
    for fd in opened:
        os.close(fd)
    with open("/dev/null", "rb") as null:
        side.wrong("createWithFiles, which QEMU has not", domain.createWithFiles, [null.fileno()], 0)
        side.call("qemuMonitorCommandWithFiles", libvirt_qemu.qemuMonitorCommandWithFiles, domain,
                  '{"execute":"query-status"}', [null.fileno()], 0, varies="QEMU numbers descriptors and commands")
    side.call("the connection afterwards", conn.getLibVersion)


def snapshots(side):
    conn = side.conn
    domain = start(side)
    flags = libvirt
    snap = side.call("snapshotCreateXML, running, internal", domain.snapshotCreateXML, "<domainsnapshot><name>one</name><description>first</description></domainsnapshot>", 0)
    side.call("snapshotNum", domain.snapshotNum)
    side.call("snapshotListNames", domain.snapshotListNames)
    text = side.call("snapshot XML", snap.getXMLDesc, 0)
    side.call("snapshotCurrent", domain.snapshotCurrent)
    side.call("hasCurrentSnapshot", domain.hasCurrentSnapshot)
    side.call("snapshot isCurrent", snap.isCurrent)
    external = "<domainsnapshot><name>two</name><disks><disk name='vda' snapshot='external'><source file='%s/over.qcow2'/></disk></disks></domainsnapshot>" % side.work
    if os.path.exists(side.work + "/over.qcow2"):
        os.unlink(side.work + "/over.qcow2")
    two = side.call("snapshotCreateXML, external, disk only", domain.snapshotCreateXML, external, flags.VIR_DOMAIN_SNAPSHOT_CREATE_DISK_ONLY)
    side.call("snapshot XML, external", two.getXMLDesc, 0)
    side.call("snapshot parent", two.getParent)
    side.call("snapshot children", snap.listChildrenNames)
    side.call("XMLDesc with a backing file", domain.XMLDesc, 0)
    side.call("listAllSnapshots", domain.listAllSnapshots, 0)
    side.call("delete, metadata only", two.delete, flags.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
    side.call("delete, metadata only, of the first", snap.delete, flags.VIR_DOMAIN_SNAPSHOT_DELETE_METADATA_ONLY)
    side.call("snapshotCreateXML, redefine", domain.snapshotCreateXML, text, flags.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)
    side.wrong("snapshotCreateXML, redefine of no XML", domain.snapshotCreateXML, "<domainsnapshot>", flags.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)
    side.wrong("snapshotCreateXML, redefine of another domain's", domain.snapshotCreateXML, text.replace(UUID, UUID[:-1] + "9"), flags.VIR_DOMAIN_SNAPSHOT_CREATE_REDEFINE)
    domain.destroy()
    conn.defineXML(xml(side))  # the first disk again
    domain.create()
    three = side.call("snapshotCreateXML, three", domain.snapshotCreateXML, "<domainsnapshot><name>three</name></domainsnapshot>", 0)
    side.call("revertToSnapshot", domain.revertToSnapshot, three, flags.VIR_DOMAIN_SNAPSHOT_REVERT_PAUSED)
    side.call("state, reverted", domain.state)
    side.call("XMLDesc, reverted", domain.XMLDesc, 0)
    side.call("delete", three.delete, 0)
    side.wrong("delete, again", three.delete, 0)


def checkpoints(side):
    domain = start(side)
    point = side.maybe("checkpointCreateXML", domain.checkpointCreateXML, "<domaincheckpoint><name>c1</name><disks><disk name='vda' checkpoint='bitmap'/></disks></domaincheckpoint>", 0)
    if point:
        side.call("checkpoint XML", point.getXMLDesc, 0)
        side.call("listAllCheckpoints", domain.listAllCheckpoints, 0)
        side.call("checkpoint delete", point.delete, 0)
    side.wrong("backupGetXMLDesc without a job", domain.backupGetXMLDesc, 0)
    target = side.work + "/backup.qcow2"
    if os.path.exists(target):
        os.unlink(target)
    side.maybe("backupBegin", domain.backupBegin, "<domainbackup><disks><disk name='vda' type='file'><target file='%s'/><driver type='qcow2'/></disk></disks></domainbackup>" % target, None, 0)
    tap.wait_for(lambda: domain.jobInfo()[0] == libvirt.VIR_DOMAIN_JOB_NONE)
    side.wrong("backupBegin of no XML", domain.backupBegin, "<domainbackup", None, 0)


def saved(side):
    conn = side.conn
    domain = start(side)
    image = side.work + "/image"
    other = domain.XMLDesc(libvirt.VIR_DOMAIN_XML_SECURE | libvirt.VIR_DOMAIN_XML_MIGRATABLE).replace("<vcpu", "<title>saved</title><vcpu", 1)
    side.call("managedSave", domain.managedSave, 0)
    side.call("hasManagedSaveImage", domain.hasManagedSaveImage, 0)
    side.call("managedSaveGetXMLDesc", domain.managedSaveGetXMLDesc, 0)
    side.call("managedSaveDefineXML", domain.managedSaveDefineXML, other, 0)
    side.call("managedSaveGetXMLDesc, changed", domain.managedSaveGetXMLDesc, 0)
    side.wrong("managedSaveDefineXML of no XML", domain.managedSaveDefineXML, "<domain", 0)
    side.call("create from it", domain.create)
    side.call("XMLDesc with its title", domain.XMLDesc, 0)
    side.call("managedSave, paused", domain.managedSave, libvirt.VIR_DOMAIN_SAVE_PAUSED)
    side.call("managedSaveRemove", domain.managedSaveRemove, 0)
    side.wrong("managedSaveGetXMLDesc, gone", domain.managedSaveGetXMLDesc, 0)
    domain.create()
    side.call("saveFlags with dxml", domain.saveFlags, image, other, 0)
    side.call("saveImageGetXMLDesc", conn.saveImageGetXMLDesc, image, 0)
    side.call("saveImageDefineXML", conn.saveImageDefineXML, image, other.replace("saved", "changed"), 0)
    side.wrong("saveImageDefineXML of another domain", conn.saveImageDefineXML, image, other.replace(UUID, UUID[:-1] + "9"), 0)
    side.call("restoreFlags with dxml", conn.restoreFlags, image, other.replace("saved", "restored"), libvirt.VIR_DOMAIN_SAVE_RUNNING)
    side.call("XMLDesc, restored", domain.XMLDesc, 0)
    side.call("saveParams with dxml", domain.saveParams, {"file": image, "dxml": other}, 0)
    side.maybe("restoreParams with dxml", conn.restoreParams, {"file": image, "dxml": other}, 0)
    side.call("save", domain.save, image)
    side.call("restore", conn.restore, image)
    side.call("coreDumpWithFormat", domain.coreDumpWithFormat, side.work + "/core", 0, libvirt.VIR_DUMP_MEMORY_ONLY)


def migration(side):
    conn = side.conn
    domain = start(side)
    side.call("migrateGetMaxDowntime", domain.migrateGetMaxDowntime, 0)
    side.call("migrateSetMaxSpeed", domain.migrateSetMaxSpeed, 100, 0)
    side.call("migrateGetMaxSpeed", domain.migrateGetMaxSpeed, 0)
    side.maybe("migrateGetCompressionCache", domain.migrateGetCompressionCache, 0)
    side.maybe("migrateSetMaxDowntime", domain.migrateSetMaxDowntime, 300, 0)
    side.call("jobInfo", domain.jobInfo)
    side.call("jobStats", domain.jobStats)
    side.wrong("jobStats of a finished job", domain.jobStats, libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED | 1 << 20)
    side.wrong("abortJob", domain.abortJob)
    there = libvirt.open(side.uri)
    flags = libvirt.VIR_MIGRATE_LIVE
    side.wrong("migrate3 to the same host", domain.migrate3, there, {}, flags)
    side.wrong("migrate3 with destination_xml", domain.migrate3, there, {"destination_xml": domain.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE)}, flags)
    side.wrong("migrate3 with another domain's XML", domain.migrate3, there, {"destination_xml": domain.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE).replace("52:54:00:5a:3e:01", "52:54:00:5a:3e:02")}, flags)
    side.wrong("migrate3 with no XML", domain.migrate3, there, {"destination_xml": "<domain"}, flags)
    side.wrong("migrate2 with dxml", domain.migrate2, there, domain.XMLDesc(libvirt.VIR_DOMAIN_XML_MIGRATABLE), flags, None, None, 0)
    side.wrong("migrate", domain.migrate, there, flags, None, None, 0)
    side.wrong("migrateToURI3, peer to peer", domain.migrateToURI3, conn.getURI(), {}, flags | libvirt.VIR_MIGRATE_PEER2PEER)
    side.wrong("migrateToURI3, unknown parameter", domain.migrateToURI3, conn.getURI(), {"bandwidth": 10, "bandwidth.postcopy": 3}, flags)
    side.call("isActive, still here", domain.isActive)
    there.close()


def numbers(side):
    domain = start(side)
    conn = side.conn
    stats = [("info", ()), ("controlInfo", ()), ("getCPUStats", (True,)), ("memoryStats", ()),
             ("blockStats", ("vda",)), ("blockStatsFlags", ("vda",)), ("vcpus", ())]
    for name, args in stats:
        side.call("%s %r" % (name, args), getattr(domain, name), *args, varies=TIME)
    side.call("domainListGetStats", lambda: [s for _, s in conn.domainListGetStats([domain], 0)], varies=TIME)
    side.call("getAllDomainStats", lambda: [s for _, s in conn.getAllDomainStats(libvirt.VIR_DOMAIN_STATS_STATE | libvirt.VIR_DOMAIN_STATS_VCPU)], varies=TIME)
    same = [("schedulerType", ()), ("schedulerParameters", ()), ("schedulerParametersFlags", (0,)), ("blkioParameters", (0,)),
            ("memoryParameters", (0,)), ("numaParameters", (0,)), ("vcpusFlags", (0,)), ("vcpuPinInfo", ()),
            ("emulatorPinInfo", ()), ("ioThreadInfo", ()), ("interfaceParameters", ("52:54:00:5a:3e:01",)),
            ("interfaceStats", ("52:54:00:5a:3e:01",)), ("interfaceAddresses", (0,)), ("blockInfo", ("vda",)),
            ("blockIoTune", ("vda",)), ("blockJobInfo", ("vda",)), ("diskErrors", ()), ("perfEvents", ()), ("securityLabel", ()),
            ("securityLabelList", ()), ("launchSecurityInfo", ()), ("messages", ()), ("fsInfo", ()), ("guestVcpus", ()),
            ("getTime", ()), ("maxMemory", ()), ("maxVcpus", ())]
    for name, args in same:
        side.maybe("%s %r" % (name, args), getattr(domain, name), *args)
    side.call("addIOThread", domain.addIOThread, 5, 0)
    side.call("delIOThread", domain.delIOThread, 5, 0)
    side.call("pinVcpu", domain.pinVcpu, 0, (True,))
    side.call("pinEmulator", domain.pinEmulator, (True,), 0)
    side.call("setMemoryStatsPeriod", domain.setMemoryStatsPeriod, 3, 0)
    side.maybe("setMemory", domain.setMemory, 30 << 10)
    side.call("setBlockIoTune", domain.setBlockIoTune, "vda", {"total_iops_sec": 1000}, 0)
    side.call("blockIoTune", domain.blockIoTune, "vda", 0)
    side.maybe("blockPeek of the first sector", domain.blockPeek, "vda", 0, 512, 0)
    side.call("memoryPeek of the BIOS", domain.memoryPeek, 0xffff0, 8, libvirt.VIR_MEMORY_PHYSICAL)
    side.call("blockResize", domain.blockResize, "vda", 2048, 0)
    side.call("blockInfo, larger", lambda: domain.blockInfo("vda")[0])
    side.wrong("blockPull", domain.blockPull, "nothing", 0, 0)
    side.maybe("getCPUStats, each processor", lambda: len(domain.getCPUStats(False)))
    side.maybe("setSchedulerParameters", domain.setSchedulerParameters, {"cpu_shares": 2000})
    side.maybe("setVcpus", domain.setVcpus, 2)


def monitor(side):
    domain = start(side, paused=True)
    seen = []
    ident = side.call("qemuMonitorEventRegister", libvirt_qemu.qemuMonitorEventRegister, side.conn, domain, None,
                      lambda c, d, event, seconds, micros, details, o: seen.append((event, details)), None, varies="a number of the client's")
    side.call("qemuMonitorCommand", libvirt_qemu.qemuMonitorCommand, domain, '{"execute":"query-status"}', 0)
    side.call("qemuMonitorCommand, HMP", libvirt_qemu.qemuMonitorCommand, domain, "info status", libvirt_qemu.VIR_DOMAIN_QEMU_MONITOR_COMMAND_HMP)
    side.call("qemuMonitorCommand, QEMU's error", libvirt_qemu.qemuMonitorCommand, domain, '{"execute":"dance"}', 0)
    side.wrong("qemuMonitorCommand, no JSON", libvirt_qemu.qemuMonitorCommand, domain, "{", 0)
    side.wrong("qemuAgentCommand", libvirt_qemu.qemuAgentCommand, domain, '{"execute":"guest-ping"}', 1, 0)
    side.wrong("guestInfo", domain.guestInfo, 0, 0)
    side.wrong("fSTrim", domain.fSTrim, None, 0, 0)
    side.wrong("setUserPassword", domain.setUserPassword, "root", "x", 0)
    side.wrong("fsFreeze", domain.fsFreeze)
    side.wrong("interfaceAddresses of the agent", domain.interfaceAddresses, libvirt.VIR_DOMAIN_INTERFACE_ADDRESSES_SRC_AGENT)
    side.wrong("authorizedSSHKeysGet", domain.authorizedSSHKeysGet, "root", 0)
    side.call("agentSetResponseTimeout", domain.agentSetResponseTimeout, 5, 0)
    side.call("resume", domain.resume)
    side.call("suspend", domain.suspend)
    tap.wait_for(lambda: len(seen) >= 2)
    side.call("QEMU's events", lambda: [e for e in seen if e[0] in ("RESUME", "STOP")])
    side.call("qemuMonitorEventDeregister", libvirt_qemu.qemuMonitorEventDeregister, side.conn, ident)


GROUPS = [defining, metadata, running, console, graphics, descriptors, snapshots, checkpoints, saved, migration, numbers, monitor]

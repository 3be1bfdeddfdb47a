# same_storage.py: calls of same.py about storage: pools, volumes and their streams
# SPDX-License-Identifier: LGPL-2.1-or-later
import hashlib
import os

import libvirt

SIZE = 3 << 20
POOL = "<pool type='dir'><name>same-pool</name><uuid>6d1a8a3e-7df1-4b2f-8a39-0f6f0bb3a004</uuid><target><path>%s</path></target></pool>"
VOLUME = "<volume><name>%s</name><allocation>0</allocation><capacity>%d</capacity><target><format type='raw'/></target></volume>"
DATA = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(SIZE // 32))


def pools(side):
    conn = side.conn
    path = side.work + "/pool"
    pool = side.call("storagePoolDefineXML", conn.storagePoolDefineXML, POOL % path, 0)
    side.call("pool build", pool.build, 0)
    side.call("pool create", pool.create, 0)
    side.call("pool info", pool.info, varies="what is free on the disk")
    side.call("pool XMLDesc", pool.XMLDesc, 0, varies="what is free on the disk")
    side.call("pool setAutostart", pool.setAutostart, 1)
    volumes(side, pool)
    side.call("pool refresh", pool.refresh, 0)
    side.call("pool listVolumes", lambda: sorted(pool.listVolumes()))
    side.call("pool destroy", pool.destroy)
    side.call("pool delete", pool.delete, 0)
    side.call("pool undefine", pool.undefine)


def volumes(side, pool):
    conn = side.conn
    vol = side.call("createXML of a volume", pool.createXML, VOLUME % ("data", SIZE), 0)
    side.call("storageVolLookupByPath", conn.storageVolLookupByPath, vol.path())
    side.call("storageVolLookupByKey", conn.storageVolLookupByKey, vol.key())
    side.call("upload of 3 MiB", upload, conn, vol)
    side.call("volume info", vol.info)
    side.call("download of 3 MiB", download, conn, vol)
    side.call("download of a part", download, conn, vol, 12345, 54321)
    side.call("download past the end", download, conn, vol, SIZE + 1, 1)
    side.call("a download broken off", break_off, conn, vol)
    side.call("the connection afterwards", conn.getLibVersion)
    side.call("createXMLFrom", pool.createXMLFrom, VOLUME % ("copy", SIZE), vol, 0)
    hole = side.call("createXML of a hole", pool.createXML, VOLUME % ("hole", 64 << 20), 0)
    side.call("data around a hole", lambda: scatter(hole.path()))
    side.call("download of a sparse volume", sparse, conn, hole)
    side.call("the pool's volumes", lambda: sorted(v.name() for v in pool.listAllVolumes()))
    for one in (hole, vol, pool.storageVolLookupByName("copy")):
        side.call("delete of " + one.name(), one.delete, 0)


def upload(conn, vol):
    stream = conn.newStream()
    vol.upload(stream, 0, SIZE, 0)
    at = 0

    def more(_, count, __):
        nonlocal at
        piece = DATA[at:at + count]
        at += len(piece)
        return piece

    stream.sendAll(more, None)
    stream.finish()
    return at


def download(conn, vol, start=0, length=0):
    stream = conn.newStream()
    vol.download(stream, start, length, 0)
    whole = hashlib.sha256()
    count = 0

    def take(_, piece, __):
        nonlocal count
        whole.update(piece)
        count += len(piece)
        return len(piece)

    stream.recvAll(take, None)
    stream.finish()
    return count, whole.hexdigest()


def break_off(conn, vol):
    stream = conn.newStream()
    vol.download(stream, 0, 0, 0)
    first = stream.recv(1000)
    stream.abort()
    return first == DATA[:1000]


def scatter(path):
    with open(path, "r+b") as f:
        f.write(b"begin")
        f.seek(48 << 20)
        f.write(b"end")
        f.flush()
        os.fsync(f.fileno())


def sparse(conn, vol):
    """Data and holes as they arrive; neighbours of one kind are put together."""
    stream = conn.newStream()
    vol.download(stream, 0, 0, libvirt.VIR_STORAGE_VOL_DOWNLOAD_SPARSE_STREAM)
    parts = []

    def add(kind, count):
        if parts and parts[-1][0] == kind:
            parts[-1][1] += count
        else:
            parts.append([kind, count])

    while True:
        piece = stream.recvFlags(65536, libvirt.VIR_STREAM_RECV_STOP_AT_HOLE)
        if isinstance(piece, bytes) and piece:
            add("data", len(piece))
        elif piece == -3:
            add("hole", stream.recvHole())
        elif not piece:
            break
    stream.finish()
    return parts


GROUPS = [pools]

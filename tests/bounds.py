#!/usr/bin/env python3
"""bounds.py: whatever bounds something is named ..._MAX, and has a row here: its value, and the test that goes past it, or
why there is none. A bound that is new, or has changed, is thereby looked at.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import glob
import os
import re
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
PATTERN = re.compile(r"^\s*#\s*define\s+(\w*_MAX|MAX_\w+)\b(.*)", re.M)

# file, name, value, and either a file of tests/ with a text in it or, without a file, the reason
TABLE = [
    ("util/virhost.c", "ATTRIBUTE_MAX", "4096", "pcitest.c", "it is longer than 4096 bytes"),
    ("util/virhost.c", "DIRECTORY_MAX", "65536", "qemuunusedtest.c", "it has more than 65536 entries"),
    ("util/virnetlink.c", "DATAGRAM_MAX", "262144", "netlinktest.c", "/netlink/answer-max"),
    ("util/virnetlink.c", "ACK_MAX", "16384", "netlinktest.c", "/netlink/answer-max"),
    ("util/virnetlink.c", "DUMP_MAX", "131072", "netlinktest.c", "/netlink/dump"),
    ("util/virnetlink.c", "REASON_MAX", "200", "netlinktest.c", "/netlink/reason-max"),
    ("util/virnetlinkwatch.c", "DATAGRAM_MAX", "32768", "netlinktest.c", "/netlink/watch-max"),
    ("util/virnetlinkwatch.c", "READ_MAX", "64", "netlinktest.c", "/netlink/watch-max"),
    ("util/virpci.c", "PORT_MAX", "65535", "pcitest.c", "/pci/port-max"),
    ("util/virpcipriv.h", "VFS_MAX", "65535", None, "no PF can have more: the field has 16 bits"),
    ("util/virpcivpd.c", "VPD_MAX", "32768", "vpdtest.c", "/vpd/endless"),
    ("util/virstatecount.c", "FILE_MAX", "1024", None, "the compiler checks that all lines fit"),
    ("util/virstatefile.c", "LIST_MAX", "65536", "statefiletest.c", "/state/too-many"),
    ("util/virstatefile.h", "VIRT_STATE_MAX", "262144", "statefiletest.c", "/state/sizes"),
    ("util/virstatefile.h", "VIRT_STATE_NAME_MAX", "64", "statefiletest.c", "/state/name-max"),
    ("util/virhandle.h", "VIRT_HANDLE_BUS_MAX", "11", "brokertest.c", "abcdefghijkl/a"),
    ("util/virhandle.h", "VIRT_HANDLE_NAME_MAX", "51", "brokertest.c", "/0123456789012345678901234567890123456789012345678901"),
    ("util/virmdev.h", "VIRT_MDEV_NAME_MAX", "63", "genericxml2xmlin/mdev/bad-mdev-parent-long.err", "at most 63"),
    ("util/virmdev.h", "VIRT_MDEV_VALUE_MAX", "255", "genericxml2xmlin/mdev/bad-mdev-attr-value-long.err", "1 to 255"),
    ("util/virmdevdefined.h", "VIRT_MDEV_DEFINED_MAX", "65536", "mdevtest.c", "VIRT_MDEV_DEFINED_MAX"),
    ("util/virmdev.h", "VIRT_MDEV_ATTRS_MAX", "32", "genericxml2xmlin/mdev/bad-mdev-attrs-33.err", "at most 32"),
    ("util/virvdpa.h", "VIRT_VDPA_NAME_MAX", "63", "genericxml2xmlin/vdpa/bad-vdpa-parent-long.err", "at most 63"),
    ("util/virvdpa.h", "VIRT_VDPA_PAIRS_MAX", "32768", "genericxml2xmlin/vdpa/bad-vdpa-queues-32769.err", "to 32768"),
    ("util/virvdpa.h", "VIRT_VDPA_MTU_MAX", "65535", "genericxml2xmlin/vdpa/bad-vdpa-mtu-65536.err", "to 65535"),
    ("util/virvdpalink.h", "VIRT_VDPA_DEVICE_MAX", "127", None, "a name that is longer is nobody's: such a device is left out"),
    ("util/virvfiodriver.h", "VIRT_VFIO_ALIASES_MAX", "16777216", "vfiodrivertest.c", "VIRT_VFIO_ALIASES_MAX"),
    ("util/virvgpu.h", "VIRT_VGPU_NAME_MAX", "63", "qemuvgputest.c", "/vgpu/long-name"),
    ("conf/domain_locate.h", "VIRT_INTERFACE_OPAQUE_MAX", "(VIRT_XML_MAX / 4)", "interfaceconftest.c", "/interfaceconf/kept-too-long"),
    ("conf/netdev_conf.h", "VIRT_NETDEV_PORT_MAX", "128", "genericxml2xmlin/interface/bad-interface-port-129.err", "1 to 128"),
    ("conf/setting_conf.h", "VIRT_SETTING_KINDS_MAX", "8", None, "the compiler checks that the table fits"),
    ("conf/schema.c", "TRIES_MAX", "2000", None, "beyond it a message is less precise, and no document is taken"),
    ("conf/xml_edit.c", "INDENT_MAX", "256", "domainconftest.c", "/domainconf/far-right"),
    ("conf/xml_tree.h", "VIRT_XML_MAX", "(4 * 1024 * 1024)", "domainconftest.c", "/domainconf/too-large"),
    ("conf/xml_tree.h", "VIRT_XML_WRITTEN_MAX", "(32 * 1024 * 1024)", "domainconftest.c", "/domainconf/written-max"),
    ("conf/xml_tree.h", "VIRT_XML_DEPTH_MAX", "256", "rpcwrongtest.c", "/rpcwrong/reply-max"),
    ("conf/xml_tree.h", "VIRT_XML_NODES_MAX", "262144", "rpcwrongtest.c", "/rpcwrong/reply-max"),
    ("conf/xml_tree.h", "VIRT_XML_ATTRS_MAX", "256", "rpcwrongtest.c", "/rpcwrong/reply-max"),
    ("conf/profile_conf.h", "VIRT_PROFILE_MAX", "6144", "profiletest.c", "has more than 6144 bytes"),
    ("rpc/broker.h", "VIRT_BROKER_NAME_MAX", "63", "brokertest.c", "profile 1 a23456789"),
    ("util/virsetting.h", "VIRT_SETTING_PROFILE_MAX", "63", "genericxml2xmlin/netdev/bad-netdev-profile.err", "1 to 63"),
    ("conf/pool_conf.h", "VIRT_POOL_MAX", "65536", "choosetest.c", "/choose/pool/too-long"),
    ("util/virchoice.h", "VIRT_CHOICE_NAME_MAX", "255", "genericxml2xmlin/choice/bad-choice-serial-long.err", "1 to 255"),
    ("util/viraffinity.h", "VIRT_AFFINITY_MAX", "4096", "choosetest.c", "cpuset='4095,4096'"),
    ("hypervisor/provision_log.c", "FIELDS_MAX", "16", None, "the fields are written out in one function, and are fewer"),
    ("rpc/broker.h", "VIRT_BROKER_PACKET_MAX", "8192", "brokertest.c", "/broker/answer/long"),
    ("rpc/broker.h", "VIRT_BROKER_VPD_MAX", "(VIRT_BROKER_PACKET_MAX - 15)", "nodedevconftest.c", "/nodedev/room"),
    ("daemon/daemon_broker.c", "OUTSTANDING_MAX", "64", "daemon.py", "def test_many_requests"),
    ("daemon/daemon_job.c", "PATIENT_MAX", "4", None, "threads: other jobs wait in a queue"),
    ("daemon/daemon_job.c", "WORKERS_MAX", "32", None, "threads: other jobs wait in a queue"),
    ("daemon/daemon_libvirt.c", "IDLE_MAX", "4", None, "connections: those beyond are closed, and opened again"),
    ("daemon/daemon_log.c", "USER_LINES_MAX", "50", "daemon.py", "def test_bounded_log"),
    ("filter/filter.c", "LOG_LINE_MAX", "800", None, "the rest of a line in the log is cut off"),
    ("filter/filter.c", "LOG_LINES_MAX", "50", None, "the last line that is logged says that it is"),
    ("filter/filter.h", "VIRT_FILTER_HELD_MAX", "64", "filter_held.py", "def too_many_held"),
    ("filter/filter_jobstep.c", "REWRITES_MAX", "20", "filter_held.py", "def stored_with_its_netdevs"),
    ("tools/cmd_top.c", "INTERVAL_MAX", "3600.0", "top.py", '("--interval", "3601")'),
    ("tools/cmd_top.c", "EVENTS_MAX", "5", None, "lines on a terminal: those before are dropped"),
    ("rpc/rpc.h", "VIRT_RPC_FDS_MAX", "32u", "channeltest.c", '"count-33"'),
    ("rpc/rpc.h", "VIRT_RPC_MESSAGE_MAX", "(33554432u + 4u)", "rpcwrongtest.c", "/rpcwrong/message-max"),
    ("rpc/rpc.h", "VIRT_RPC_STRING_MAX", "4194304u", "rpcwrongtest.c", "/rpcwrong/string-max"),
    ("rpc/rpc_channel.c", "OURS_MAX", "(256u << 10)", None, "nothing is read from a peer that leaves more unread"),
    ("rpc/rpc_channel.c", "READ_MAX", "(256u << 10)", None, "a buffer: the rest is read next time"),
    ("rpc/rpc_sendqueue.c", "VECTOR_MAX", "16", None, "pieces of one write: the rest is written next time"),
    ("rpc/rpc_procs.c", "PARAMS_MAX", "64", "rpcwrongtest.c", "/rpcwrong/params-wrong"),
]


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


found = {}
for path in sorted(glob.glob("src/**/*.[ch]", recursive=True)):
    for name, value in PATTERN.findall(read(path)):
        found[path[len("src/"):], name] = value.split("/*")[0].strip()
rows = {(path, name): value for path, name, value, _, _ in TABLE}
problems = [f"src/{path} has the bound {name}, and tests/bounds.py no row" for path, name in found if (path, name) not in rows]
problems += [f"src/{path} has no bound {name}" for path, name in rows if (path, name) not in found]
problems += [f"src/{path}: {name} is {found[path, name]}, and {value} was tested"
             for (path, name), value in rows.items() if found.get((path, name), value) != value]
problems += [f"src/{path}: {name} is not called ..._MAX" for path, name in found if name.startswith("MAX_")]
for path, name, _, test, text in TABLE:
    if test and (not os.path.exists(f"tests/{test}") or text not in read(f"tests/{test}")):
        problems.append(f"tests/{test}, which is to test {name}, has no {text}")
if len(rows) != len(TABLE):
    problems.append("a bound has two rows")
print("\n".join(problems) or f"{len(found)} bounds")
sys.exit(bool(problems))

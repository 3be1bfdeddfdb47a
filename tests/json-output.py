#!/usr/bin/python3
"""json-output.py SCHEMA STATUSSHOW VIRT-HOSTDEV: what the commands print with --json is what the schema says, in TAP.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import copy
import json
import os
import subprocess
import sys
import tempfile

import jsonschema

with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
show, tool = sys.argv[2:]
checker = jsonschema.Draft202012Validator(schema)
count = bad = 0


def check(text, ok, said=""):
    global count, bad
    count += 1
    bad += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {text}{said and f': {said}'}")


def run(*argv):
    return json.loads(subprocess.run(argv, capture_output=True, text=True, check=False).stdout)


def holds(text, told, kind, rows):
    """Is it of this kind, with so many rows or more, and would a key more, or one less, be noticed?"""
    part = {"$ref": f"#/$defs/{kind}", "$defs": schema["$defs"]}
    problems = [error.message for error in jsonschema.Draft202012Validator(part).iter_errors(told)]
    check(text, not problems and checker.is_valid(told), "; ".join(problems))
    array = next(iter(told.values()))
    check(f"{text}: something is told", len(array) >= rows, f"{len(array)} of {rows} rows")
    for name, change in (("more", lambda row: row.update(fly=None)), ("less", lambda row: row.popitem())):
        other = copy.deepcopy(told)
        for row in next(iter(other.values()))[:1]:
            row.pop("children", None)
            change(row)
            check(f"{text}: a key {name} is noticed", not checker.is_valid(other))


jsonschema.Draft202012Validator.check_schema(schema)
work = tempfile.mkdtemp()
xml = os.path.join(work, "vf.xml")
with open(xml, "w", encoding="utf-8") as file:
    file.write("<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='6' slot='2' function='0'/>"
               "</source><netdev port='1'><vlan><tag id='42'/></vlan></netdev></hostdev>")
host = ["--root", work, "-c", "qemu+unix:///system?socket=/nowhere", "--json"]
holds("status", run(show, "--json"), "status", 4)
holds("status of nothing", run(tool, *host, "status"), "status", 0)
holds("top", run(show, "top", "--iterations", "1", "--interval", "0.1", "--json"), "top", 6)
told = run(show, "--json-list")
holds("list", told, "list", 1)
told.pop("pfs")
mdevs = {"mdevs": told["mdevs"], "pfs": [], "vgpus": [], "vdpas": []}
check("list of mediated devices", checker.is_valid(mdevs))
types = mdevs["mdevs"][0]["children"]
check("types, free instances, devices and owners are told",
      [(row["name"], row["free"], [(one["name"][:8], one["owner"]) for one in row["children"]]) for row in types] ==
      [("mtty-1", "23", [("c5f5e1a2", "vm4")]), ("mtty-2", "11", [("d5f5e1a2", None)])], str(types))
vgpus = {"mdevs": [], "pfs": [], "vgpus": told["vgpus"], "vdpas": []}
check("list of vGPUs", checker.is_valid(vgpus))
card = vgpus["vgpus"][0]
check("types, VFs and owners are told", [(row["name"], row["kind"], row["vfs"], row["type"], row["owner"]) for row in card["children"]] ==
      [("63", "type", "1", None, None), ("64", "type", "1", None, None), ("0000:41:10.0", "VF 0", None, "63", "vm4"),
       ("0000:41:10.2", "VF 1", None, "none", None)], str(card))
card["fly"] = None
check("list of vGPUs: a key more is noticed", not checker.is_valid(vgpus))
parents = told["vdpas"]
check("parents, what they still make, devices and owners are told",
      [(row["name"], row["class"], row["free"], [(one["name"], one["mac"], one["owner"]) for one in row["children"]]) for row in parents] ==
      [("pci/0000:42:00.0", "net", "0", [("theirs", "02:00:00:00:00:0a", None)]),
       ("vdpasim_net", "net", "any", [("blue", "52:54:00:01:02:05", "vm4")])], str(parents))
holds("statistics", run(show, "made", "--stats", "--json"), "stats", 2)
made = run(show, "made", "--json")
holds("status with a mediated device", made, "status", 6)
gpu = [row for row in made["status"] if row["device"] == "0000:41:10.0"][0]
check("a vGPU is told", (gpu["owner"], gpu["pf"], gpu["vf"], gpu["drift"], gpu["children"][0]["now"]) ==
      ("vm4", "0000:41:00.0", 0, "no", "63"), str(gpu))
row = made["status"][-1]
check("a vDPA device is told", (row["device"], row["owner"], row["pf"], row["vf"], [one["now"] for one in row["children"]]) ==
      ("blue", "vm4", "vdpasim_net", None, ["net on vdpasim_net", "52:54:00:01:02:05"]), str(row))
row = made["status"][-2]
check("what was made of it is told", (row["device"][:8], row["owner"], row["pf"], row["vf"], row["drift"], row["children"][0]["now"]) ==
      ("c5f5e1a2", "vm4", "mtty", None, "no", "mtty-1 on mtty"), str(row))
types[0]["fly"] = None
check("list of mediated devices: a key more is noticed", not checker.is_valid(mdevs))
holds("list of nothing", run(tool, *host, "list"), "list", 0)
holds("overview", run(tool, *host, "overview"), "overview", 5)
holds("no command", run(tool, *host), "overview", 5)
holds("plan", run(tool, *host, "plan", xml), "plan", 1)
holds("host-validate", run(tool, *host, "host-validate"), "hostValidate", 8)
holds("unmanage", run(tool, "-c", "test:///default", "--json", "unmanage", "test"), "unmanage", 1)

os.makedirs(os.path.join(work, "etc/libvirt/hostdev/pools"))
for name, text in (("blue", "<pool><name>blue</name><pf dev='eth9'/></pool>"), ("bad", "<pool/>")):
    with open(os.path.join(work, f"etc/libvirt/hostdev/pools/{name}.xml"), "w", encoding="utf-8") as file:
        file.write(text)
holds("pool-list", run(tool, *host, "pool-list"), "pools", 2)
holds("pool-info of nothing", run(tool, *host, "pool-info", "blue"), "pool", 0)
holds("resolve of nothing", run(tool, "-c", "test:///default", "--json", "resolve", "test"), "resolve", 0)

# Records of an owner who is there and of one who is not; neither's VF is.
os.makedirs(os.path.join(work, "run/libvirt-hostdev"), mode=0o700)
for function, owner in ((0, "name='me'"), (1, "name='gone' uuid='11111111-2222-3333-4444-555555555555'")):
    record = os.path.join(work, f"run/libvirt-hostdev/0000:06:02.{function}")
    with open(record, "w", encoding="utf-8", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
        file.write(f"""<hostdev phase='active'>
  <owner {owner}/>
  <source><address domain='0x0000' bus='0x06' slot='0x02' function='0x{function}'/></source>
  <pf index='0'><address domain='0x0000' bus='0x06' slot='0x00' function='0x0'/></pf>
  <before><netdev port='1'><mac address='00:00:00:00:00:00'/></netdev></before>
  <wanted><netdev port='1'><mac address='52:54:00:01:02:03'/></netdev></wanted>
</hostdev>
""")
holds("recover", run(tool, *host, "recover"), "recover", 2)
print(f"1..{count}")
sys.exit(bad != 0)

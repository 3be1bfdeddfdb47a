#!/usr/bin/env python3
"""status.py STATUSSHOW OPERATIONS.rst VIRT-HOSTDEV: virt-hostdev status as people and as programs see it, in TAP.

The keys of the JSON form are those that the documentation promises.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import re
import subprocess
import sys

show, page, tool = sys.argv[1:]
COUNTERS = ["changes", "retries", "refusals", "rollbacks", "restored", "drifts", "enforced", "unprovisioned"]
count = bad = 0


def run(*argv):
    return subprocess.run([show, *argv], capture_output=True, text=True, check=True).stdout


def check(text, got, want):
    global count, bad
    count += 1
    ok = got == want
    bad += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {text}" + ("" if ok else f": {got!r}, expected {want!r}"))


def documented(heading):
    """The keys that a table of the documentation has, one a line: ``key``."""
    with open(page, encoding="utf-8") as file:
        part = re.search(rf"\n{heading}\n\n(=.*?\n=[= ]*)\n\n", file.read(), re.S)
    return re.findall(r"^``(\w+)``", part.group(1), re.M) if part else []


told = json.loads(run("--json"))
vfs = told["status"]
keys = {key for vf in vfs for key in vf}
settings = [setting for vf in vfs for setting in vf.get("children", [])]
check("two parts", sorted(told), ["counters", "status"])
check("a VF each", [(vf["device"], vf["pf"], vf["vf"]) for vf in vfs],
      [(f"0000:01:10.{n * 2}", "0000:01:00.0", n) for n in range(4)])
check("owners", [vf["owner"] for vf in vfs], ['vm "one" \\\t', "me", "vm2", "vm3"])
check("their UUIDs", [vf["uuid"] and vf["uuid"][:2] for vf in vfs], ["11", None, "21", "31"])
check("are they there?", [vf["state"] for vf in vfs], ["running", "by hand", "running", "gone"])
check("phases", {vf["phase"] for vf in vfs}, {"active"})
check("drift of each VF", [vf["drift"] for vf in vfs], ["no", "yes", None, None])
check("what kept it from being read", [bool(vf["problem"]) for vf in vfs], [False, False, True, False])
check("settings of each", [len(vf.get("children", [])) for vf in vfs], [4, 4, 0, 4])
check("what differs", [(s["device"], s["port"], s["setting"], s["set"], s["now"]) for s in settings if s["drift"] == "yes"],
      [("0000:01:10.2", 1, "spoofcheck", "no", "yes"), ("0000:01:10.2", 2, "vlan", "42", "99")])
check("what does not", [s["drift"] for s in settings].count("no"), 6)
check("what cannot be said", [s["drift"] for s in settings].count(None), 4)
check("every line has every key", {frozenset(line) - {"children"} for line in vfs + settings}, {frozenset(keys - {"children"})})
check("counters", told["counters"], dict.fromkeys(COUNTERS, 0) | {"changes": 4})
check("the documentation has all keys", sorted(documented("Keys of ``status``:")), sorted(keys))
check("and all counters", documented("Counters:"), COUNTERS)
lines = run().splitlines()
check("people have less to read", lines[0].split(), ["DEVICE", "OWNER", "STATE", "PHASE", "PORT", "SETTING", "SET", "NOW", "DRIFT"])
check("and see the drift", [line.split()[-5:] for line in lines if line.endswith("yes")],
      [["1", "spoofcheck", "no", "yes", "yes"], ["2", "vlan", "42", "99", "yes"]])

device = run("new", "0000:01:10.6")
macs = re.findall(r"<netdev port='(\d)'>\n    <mac address='(52:54:00:..:..:..)'/>\n  </netdev>", device)
check("new: a netdev for each port", [port for port, _ in macs], ["1", "2"])
check("with a MAC address of its own", len({mac for _, mac in macs}), 2)
check("a document", subprocess.run([tool, "convert", "--to=netdev", "-"], input=device, capture_output=True, text=True, check=False).stdout, device)
warned = subprocess.run([show, "new", "0000:01:10.0"], capture_output=True, text=True, check=True)
check("of a VF in use too", warned.stdout.count("<netdev"), 2)

print(f"1..{count}")
sys.exit(bad != 0)

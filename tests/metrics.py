#!/usr/bin/python3
"""metrics.py STATUSSHOW OPERATIONS.rst: virt-hostdev status --openmetrics, as its readers have it, in TAP.

Its readers: promtool, which knows what Prometheus takes and what it calls good style; and a strict parser of OpenMetrics, for
everything but the one difference that the documentation names.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

try:
    from prometheus_client import parser
    from prometheus_client.openmetrics import parser as strict
except ImportError:
    parser = strict = None

show, page = sys.argv[1:]
PREFIX = "libvirt_hostdev_"
VF0 = r'{domain="vm \"one\" \\	",pf="0000:01:00.0",vf="0",port="1",address="0000:01:10.0"}'
ME = r'{domain="me",pf="0000:01:00.0",vf="1",port="1",address="0000:01:10.2"}'
with open(page, encoding="utf-8") as opened:
    pageText = opened.read()
count = bad = 0


def run(*argv, **options):
    return subprocess.run([show, *argv], capture_output=True, text=True, check=False, **options)


def tell(ok, text, why=""):
    global count, bad
    count += 1
    bad += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {text}" + (f": {why}" if not ok and why else ""))


def check(text, got, want):
    tell(got == want, text, f"{got!r}, expected {want!r}")


def skip(text, lacking):
    global count
    count += 1
    print(f"ok {count} - {text} # SKIP {lacking} is not installed")


def samples(text, name):
    """What stands behind PREFIX and @name, a line each."""
    return re.findall(rf"^{PREFIX}{name}(?=[ {{])(.*)$", text, re.M)


def documented():
    part = re.search(r"\nMetrics:\n\n(=.*?\n=[= ]*)\n\n", pageText, re.S)
    return re.findall(r"^``(\w+)``", part.group(1), re.M) if part else []


def alarms():
    """The expressions that the documentation offers."""
    part = re.search(r"With Prometheus::\n\n(.*?)(?:\n\n(?=\S)|\Z)", pageText, re.S)
    return [line.strip() for line in part.group(1).splitlines()] if part else []


told = run("status", "--openmetrics")
text = told.stdout
names = re.findall(rf"^# TYPE {PREFIX}(\w+) ", text, re.M)
check("it says nothing but metrics", (told.returncode, told.stderr), (0, ""))
check("counters of two VFs at a port", samples(text, "vf_receive_bytes_total"), [f"{VF0} 1000", f"{ME} 600"])
check("a 0 that is meant", samples(text, "vf_transmit_packets_total"), [f"{VF0} 20", f"{ME} 0"])
check("what the driver does not keep is left out", samples(text, "vf_transmit_dropped_packets_total"), [])
check("and so is its HELP", "transmit_dropped" in text, False)
check("all counters", [samples(text, f"vf_{name}_packets_total")[0].split()[-1]
                       for name in ("receive", "receive_broadcast", "receive_multicast", "receive_dropped", "transmit")],
      ["10", "1", "2", "7", "20"])
check("drift, where it can be told", [line.split()[-1] for line in samples(text, "vf_drifted")], ["0", "0", "1", "1"])
check("a VF that cannot be read is known all the same", len(re.findall(r'vf_info{domain="vm2".*device="enp1s0f0"} 1', text)), 1)
check("one that is to be restored is no guest's", 'domain="vm3"' in text, False)
check("but counted", samples(text, "records_waiting"), [" 1"])
check("VFs of a PF", samples(text, "pf_vfs"),
      [f'{{pf="0000:01:00.0",state="{state}"}} {n}' for state, n in (("free", 0), ("provisioned", 4), ("vfio", 0))])
check("no daemon of libvirt: whether it knows the hook cannot be told", samples(text, "hook_noticed"), [])
check("there is no hook", samples(text, "hook_linked"), [" 0"])
check("what was done since boot", samples(text, "changes_total"), [" 4"])
check("the end", text.endswith("\n# EOF\n"), True)
check("no line is empty", "" in text.splitlines(), False)
check("each metric once", len(names), len(set(names)))
check("the documentation has those and no others, besides what is left out here", sorted(documented()),
      sorted(names + ["hook_noticed", "vf_transmit_dropped_packets_total"]))

check("and its alarms name some of them", set(re.findall(PREFIX + r"(\w+)", " ".join(alarms()))) <= set(documented()), True)
check("more than one", len(alarms()) > 1, True)

damaged = run("damaged", "--openmetrics")
check("a record that cannot be read", samples(damaged.stdout, "records_unreadable"), [" 1"])
check("may be one that waits", samples(damaged.stdout, "records_waiting"), [])
check("and leaves no number of VFs right", samples(damaged.stdout, "pf_vfs"), [])

# --output
with tempfile.TemporaryDirectory() as work:
    file = os.path.join(work, "x.prom")
    with open(file, "w", encoding="utf-8") as old:
        old.write("old")
        os.chmod(file, 0o600)
        run("status", "--openmetrics", "--output", file, umask=0o077)
        check("who has the old file open keeps it", os.fstat(old.fileno()).st_nlink, 0)
    with open(file, encoding="utf-8") as new:
        check("it is written whole", new.read(), text)
    check("for everybody to read", oct(stat.S_IMODE(os.stat(file).st_mode)), "0o644")
    check("and nothing else is left", os.listdir(work), ["x.prom"])
    lost = run("status", "--openmetrics", "--output", os.path.join(work, "none", "x.prom"))
    check("a directory that is not there", (lost.returncode, "No such file" in lost.stderr), (1, True))
check("--output alone", run("status", "--output", "x").returncode, 1)
check("two forms", run("status", "--openmetrics", "--json").returncode, 1)

# Its readers.
if shutil.which("promtool"):
    said = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    tell(said.returncode == 0 and not said.stderr, "promtool", said.stdout + said.stderr)
    wrong = subprocess.run(["promtool", "check", "metrics"], input=text.replace("_bytes_total", "_bytes"),
                           capture_output=True, text=True, check=False)
    check("which finds mistakes", wrong.returncode, 3)
    rules = {"groups": [{"name": "docs", "rules": [{"alert": f"A{i}", "expr": alarm} for i, alarm in enumerate(alarms())]}]}
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file: # which is YAML as well
        json.dump(rules, file)
        file.flush()
        said = subprocess.run(["promtool", "check", "rules", file.name], capture_output=True, text=True, check=False)
    tell(said.returncode == 0 and f"{len(alarms())} rules" in said.stdout, "the documentation's alarms", said.stdout + said.stderr)
else:
    skip("promtool", "prometheus")
    skip("the documentation's alarms", "prometheus")
    skip("which finds mistakes", "prometheus")

if parser:
    read = {family.name: family for family in parser.text_string_to_metric_families(text)}
    check("read as Prometheus' format, all have their type", {family.type for family in read.values()}, {"gauge", "counter"})
    check("and a name is what it was", {sample.labels["domain"] for sample in read[PREFIX + "vf_info"].samples},
          {'vm "one" \\\t', "me", "vm2"})
    said = ""
    try:
        list(strict.text_string_to_metric_families(text))
    except ValueError as error:
        said = str(error)
    tell("otal" in said, "OpenMetrics takes offence at _total in TYPE", said)
    other = re.sub(r"^(# (?:HELP|TYPE|UNIT) \w+)_total ", r"\1 ", text, flags=re.M)
    try:
        units = {family.name: family.unit for family in strict.text_string_to_metric_families(other)}
    except ValueError as error:
        units = {"": str(error)}
    check("and at nothing else", units.get(PREFIX + "vf_receive_bytes"), "bytes")
    check("all are there", len(units), len(names))
else:
    for what in ("types", "names", "the difference", "nothing else", "all"):
        skip(what, "python3-prometheus-client")

print(f"1..{count}")
sys.exit(bad != 0)

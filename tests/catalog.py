#!/usr/bin/env python3
"""catalog.py: message ids: one place in the code, a text for each in the catalog, and all of it what journalctl takes.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
HEADER = "src/hypervisor/provision_log.h"
CATALOG = "data/libvirt-hostdev.catalog"
ID = r"\b[0-9a-f]{32}\b"
count = bad = 0


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def check(text, got, want):
    global count, bad
    count += 1
    ok = got == want
    bad += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {text}" + ("" if ok else f": {got!r}, expected {want!r}"))


def uses(name):
    return [path for path in sources if path != HEADER and re.search(rf"\b{name}\b", read(path))]


def journalctl(*argv):
    run = subprocess.run(["journalctl", f"--root={root}", *argv], capture_output=True, text=True, check=False)
    return run.returncode, run.stdout, run.stderr


sources = glob.glob("src/**/*.[ch]", recursive=True)
defined = dict(re.findall(rf'^#define VIRT_MESSAGE_ID_(\w+) "({ID})"$', read(HEADER), re.M))
entries = re.split(r"^-- ", read(CATALOG), flags=re.M)[1:]
ids = list(defined.values())
check("there are ids", len(ids) > 10, True)
check("no two are the same", len(set(ids)), len(ids))
check("no other file has any", [path for path in sources if path != HEADER and re.search(ID, read(path))], [])
check("each is used", [name for name in defined if not uses("VIRT_MESSAGE_ID_" + name)], [])
check("each has a text, in the same order", [entry.split()[0] for entry in entries], ids)

fields = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)*)"', "".join(read(path) for path in sources)))
check("texts name fields that there are", sorted(set(re.findall(r"@(\w+)@", read(CATALOG))) - fields), [])
pages = "".join(read(path) for path in glob.glob("docs/**/*.rst", recursive=True))
check("the documentation has all of them", sorted(set(re.findall(ID, pages))), sorted(ids))

with tempfile.TemporaryDirectory() as root:
    os.makedirs(root + "/usr/lib/systemd/catalog")
    os.makedirs(root + "/var/lib/systemd/catalog")
    shutil.copy(CATALOG, root + "/usr/lib/systemd/catalog")
    check("journalctl takes it without a word", journalctl("--update-catalog"), (0, "", ""))
    code, listed, _ = journalctl("--list-catalog")
    check("and lists all", (code, sorted(line.split()[0] for line in listed.splitlines())), (0, sorted(ids)))
    for name, message_id in defined.items():
        code, text, _ = journalctl("--dump-catalog", message_id)
        want = next(entry for entry in entries if entry.startswith(message_id))
        check(f"the text of {name}", (code, text.strip()), (0, "-- " + want.strip()))
print(f"1..{count}")
sys.exit(bad != 0)

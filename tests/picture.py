#!/usr/bin/env python3
"""picture.py STATUSSHOW: what Graphviz makes of virt-hostdev list --dot, in TAP.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import html
import re
import subprocess
import sys

show = sys.argv[1]
OWNERS = {0: 'vm "one" \\	', 1: "me", 2: "vm2", 3: "vm3"}
count = bad = 0


def check(text, got, want):
    global count, bad
    count += 1
    ok = got == want
    bad += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {text}" + ("" if ok else f": {got!r}, expected {want!r}"))


def drawn(text):
    """What Graphviz takes, with its complaints."""
    done = subprocess.run(["dot", "-Tplain"], input=text, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr, done.stdout


for vfs in (4, 64, 255):
    dot = subprocess.run([show, "--dot", str(vfs)], capture_output=True, text=True, check=True).stdout
    code, complaints, plain = drawn(dot)
    rows = re.findall(r"<tr>.*</tr>", dot)
    shown = re.findall(r"<b>VF (\d+)</b>|VF (\d+) to (\d+): (\d+) free", dot)
    listed = [n for one, first, last, _ in shown for n in (range(int(first), int(last) + 1) if first else [int(one)])]
    arrows = re.findall(r'"0000:01:00.0":v(\d+):e -> ("[^"]*") \[', dot)
    labels = dict(re.findall(r'^  ("[^"]*") \[label=<(.*)>, shape=box, style="rounded', dot, re.M))
    places = {name: float(y) for name, y in re.findall(r'^node "?(0000:[^" ]*)"? \S+ (\S+)', plain, re.M)}
    check(f"{vfs} VFs: Graphviz takes it", (code, complaints), (0, ""))
    check("every VF, in order", listed, [*range(vfs), *range(vfs)])
    check("heads, used and free ones, of which many are one row, and the legend", len(rows), 13)
    check("one arrow a VF to its owner", {int(n): html.unescape(labels[name]) for n, name in arrows}, OWNERS)
    check("and no more", (len(arrows), len(labels)), (4, 4))
    check("what was changed", re.findall(r"<b>(\w+ now [^<]*)</b>, set ([^<]*)", dot), [("spoofcheck now yes", "no"), ("vlan now 99", "42")])
    check("nothing is said of what is not set", re.findall("00:00:00:00:00:00|VLAN none|VLAN 0", dot), [])
    check("the cards from top to bottom", sorted(places, key=places.get, reverse=True), ["0000:01:00.0", "0000:41:00.0"])

print(f"1..{count}")
sys.exit(bad > 0)

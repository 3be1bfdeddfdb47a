#!/usr/bin/env python3
"""picture.py STATUSSHOW HOST.svg: what Graphviz makes of virt-hostdev list --dot, in TAP.

HOST.svg is the picture in the documentation; VIRT_TEST_REGENERATE=1 draws it again.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import html
import os
import re
import subprocess
import sys

show, drawing = sys.argv[1:]
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


def content(svg):
    """Words and colours of a drawing, and not where the fonts of this machine have put them."""
    found = re.findall(r'<text.*?>(.*?)</text>|fill="(#?\w+)"', svg)
    return [html.unescape(words) or colour for words, colour in found]


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

dot = subprocess.run([show, "--dot", "6", "web1", "dpdk-app", "web2", "db1"], capture_output=True, check=True).stdout
fresh = subprocess.run(["dot", "-Tsvg"], input=dot, capture_output=True, check=True).stdout.decode()
if os.environ.get("VIRT_TEST_REGENERATE"):
    with open(drawing, "w", encoding="utf-8") as file:
        file.write(fresh)
with open(drawing, encoding="utf-8") as file:
    check("the one in the documentation (VIRT_TEST_REGENERATE=1 draws it again)", content(file.read()), content(fresh))

print(f"1..{count}")
sys.exit(bad > 0)

#!/usr/bin/env python3
"""words.py: the words of messages: their reader does not know who "we" are, and looks for the terms that this field has.

A message does not end in a full stop, be it one sentence or several: what prints it may add a reason, and a command at its
end can be copied.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import glob
import os
import re
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
STRING = re.compile(r'/\*.*?\*/|\'(?:\\.|[^\'\\\n])\'|"((?:\\.|[^"\\\n])*)"', re.S)
RULES = (
    (r"\b([Ww]e|[Uu]s|[Oo]urs?)\b", "say libvirt-hostdev, virthostdevd, or what it is"),
    (r"\b(is|are|was|were|be) told\b", "say reported, logged or known"),
    (r"\banew\b", "say again, or re-"),
    (r"\b([Pp]ut|[Pp]uts|[Pp]utting|[Gg]o|[Gg]oes|[Gg]oing) back\b", "say restore"),
    (r"\bmay not\b", "say must not, cannot or might not"),
    (r"\bbelongs? into\b", "say belongs in"),
    (r"\b(can|cannot) be said\b", "say expressed"),
    (r"\b(is|are) no (netdev|socket|directory|regular|request|answer|number|device)\b", "say is not a"),
    (r"\bso many\b", "say how many"),
    (r"\w \S*[\w)%'>}]\.(\\n)?$", "no full stop at its end"),
)
PROSE = ("src/util/virnetdevquirk.c",)  # the rows of drivers.rst, in sentences

count, bad = 0, []
for path in sorted(glob.glob("src/**/*.[ch]", recursive=True)):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for found in STRING.finditer(text):
        if found[1] is None:
            continue
        count += 1
        line = text.count("\n", 0, found.start()) + 1
        for pattern, advice in RULES[:-1] if path in PROSE else RULES:
            if re.search(pattern, found[1]):
                bad.append(f"{path}:{line}: {advice}: {found[1]}")
print("\n".join(bad) or f"{count} strings")
sys.exit(bool(bad) or count < 1000)

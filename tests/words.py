#!/usr/bin/env python3
"""words.py: no message speaks of "us": its reader does not know who that is.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import glob
import os
import re
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
STRING = re.compile(r'/\*.*?\*/|\'(?:\\.|[^\'\\\n])\'|"((?:\\.|[^"\\\n])*)"', re.S)
count, bad = 0, []
for path in sorted(glob.glob("src/**/*.[ch]", recursive=True)):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for found in STRING.finditer(text):
        count += found[1] is not None
        if re.search(r"\b([Ww]e|[Uu]s|[Oo]urs?)\b", found[1] or ""):
            bad.append(f"{path}:{text.count(chr(10), 0, found.start()) + 1}: {found[1]}")
print("\n".join(bad) or f"{count} strings")
sys.exit(bool(bad) or count < 1000)

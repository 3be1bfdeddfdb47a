#!/usr/bin/env python3
# threats.py PAGE: every test that the threat model names is there, by file and by words in it.
# SPDX-License-Identifier: LGPL-2.1-or-later
import os
import re
import sys

MIN = 60  # proofs on the page

tests = os.path.dirname(os.path.abspath(__file__))
with open(sys.argv[1], encoding="utf-8") as f:
    cells = re.findall(r"\n     - (``[^\n]*(?:\n       [^\n]*)*)\n(?=   \* - |\n)", f.read())
found, bad = 0, 0
for cell in cells:
    for proof in re.split(r";\s+(?=``)", cell):
        found += 1
        name, words = re.fullmatch(r"``(\S+)``: (.*)", " ".join(proof.split())).groups()
        try:
            with open(os.path.join(tests, name), encoding="utf-8") as f:
                text = f.read()
        except FileNotFoundError:
            text = ""
        if words.rstrip(";") not in text:
            print("tests/%s has no \"%s\"" % (name, words))
            bad += 1
print("%d proofs, %d missing" % (found, bad))
sys.exit(bad > 0 or found < MIN)

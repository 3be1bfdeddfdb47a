#!/usr/bin/env python3
"""docs-names.py: what the documentation names of the sources exists: files, functions, types, constants, and quoted code

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import re
import subprocess
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
files = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=False).stdout.split()
if not files: # not a clone
    files = [os.path.join(top, name)[2:] for top, _, names in os.walk(".") for name in names]
pages = [name for name in files if re.match(r"docs/.*\.rst$|README\.md$|CONTRIBUTING\.md$|src/.*README\.md$", name)]
sources = [name for name in files if re.search(r"^(src|tests|bench)/.*\.[ch]$", name)]
known = set()
code = ""
for name in sources:
    with open(name, encoding="utf-8") as file:
        text = file.read()
    known |= set(re.findall(r"\w+", text))
    code += re.sub(r"\s+", " ", text)
ends = {os.path.basename(name) for name in files}
problems = []
checked = 0
for page in pages:
    with open(page, encoding="utf-8") as file:
        text = file.read()
    for token in re.findall(r"`{1,2}([^`\n]+?)`{1,2}", text):
        if re.search(r"/[A-Z]{3,}\b", token): # a placeholder: NAME.xml
            continue
        if re.fullmatch(r"(src|tests|scripts|bench|docs|data)/[\w./-]+\.\w+", token):
            good = token in files
        elif re.fullmatch(r"[\w-]+\.(c|h|rng)", token):
            good = token in ends
        elif re.fullmatch(r"(virt[A-Z]\w+|VIRT_[A-Z_]\w*[A-Z])(\(\))?", token):
            good = token.rstrip("()") in known
        else:
            continue
        checked += 1
        if not good:
            problems.append(f"{page}: there is no {token}")
    for block in re.findall(r"::\n\n((?:   +(?:typedef|static|struct|#define).*\n(?:(?:   .*)?\n)*?))(?=\S|\Z)", text):
        checked += 1
        if re.sub(r"\s+", " ", block).strip() not in code:
            problems.append(f"{page}: no source has the code that begins with: {block.strip().splitlines()[0]}")
print("\n".join(problems) or f"{checked} names exist")
sys.exit(1 if problems or checked < 100 else 0)

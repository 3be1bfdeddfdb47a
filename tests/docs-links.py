#!/usr/bin/env python3
"""docs-links.py: what pages link to exists, as a forge shows them: files, and addresses that could be ones. site.py checks
the links of the site.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import glob
import os
import re
import sys
import urllib.parse

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
LINKS = {".md": r"\]\(([^)\s]+)\)",
         ".rst": r"`[^`]*(?<!\\)<([^`<>\s]+)>`_|^ *\.\. (?:image|include):: (\S+)"}
problems = []
count = 0
for page in sorted(path for kind in LINKS for path in glob.glob("**/*" + kind, recursive=True)):
    if re.match(r"(build|out)", page):
        continue
    kind = os.path.splitext(page)[1]
    with open(page, encoding="utf-8") as file:
        text = re.sub(r"^```.*?^```", "", file.read(), flags=re.S | re.M)
    for found in re.finditer(LINKS[kind], text, re.M):
        link = next(filter(None, found.groups()))
        count += 1
        path = os.path.join(os.path.dirname(page), link.split("#")[0])
        parts = urllib.parse.urlsplit(link)
        if not (os.path.exists(path) or parts.scheme in ("https", "http") and "." in parts.netloc and link.isascii()):
            problems.append(f"{page}: {link} leads nowhere")
print("\n".join(problems) or f"{count} links")
sys.exit(bool(problems) or count < 30)

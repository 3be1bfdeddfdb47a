#!/usr/bin/env python3
# docs-examples.py VIRT-HOSTDEV SCHEMAS DOCUMENT...: every XML example of the documentation goes through
# "virt-hostdev validate"; one that is only a part is put where it belongs first.
# SPDX-License-Identifier: LGPL-2.1-or-later
import re
import subprocess
import sys

HOSTDEV = """<hostdev mode='subsystem' type='pci' managed='yes'>
  <source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>
  %s
</hostdev>"""
DOMAIN = """<domain type='kvm'><name>vm</name><memory>1</memory><os><type>hvm</type></os>
<devices>%s</devices></domain>"""


def wrap(root, text):
    if root == "domain":
        return text
    if root in ("hostdev", "interface"):
        return DOMAIN % text
    if root == "netdev":
        return DOMAIN % HOSTDEV % text
    if root == "metadata":
        return None  # a picture of the stored form; formatdomain.rst has a whole one
    return DOMAIN % HOSTDEV % ("<netdev port='1'>%s</netdev>" % text)


def examples(text):
    """Indented blocks, or those between ```xml and ```, that begin with an element, or hold one in a here document."""
    fence = r"^```xml\n(.*?)^```"
    yield from re.findall(fence, text, re.S | re.M)
    text = re.sub(fence, "", text, flags=re.S | re.M)
    for block in re.findall(r"(?:^(?:   +.*)?\n)+", text, re.M):
        here = re.search(r"<< '(\w+)'\n(.*?)\n +\1\n", block, re.S)
        block = here.group(2) if here else block
        if re.match(r"\s*<[a-z]", block):
            yield block


def main(tool, schemas, *documents):
    bad = seen = 0
    for document in documents:
        with open(document, encoding="utf-8") as f:
            found = list(examples(f.read()))
        for block in found:
            root = re.match(r"\s*<([a-z]+)", block).group(1)
            whole = wrap(root, block)
            if whole is None:
                continue
            seen += 1
            run = subprocess.run([tool, "validate", "--schemas", schemas, "-"], input=whole.encode(), capture_output=True, check=False)
            if run.returncode:
                bad += 1
                print("%s: %s\n%s" % (document, run.stderr.decode(), whole))
    print("%d examples, %d bad" % (seen, bad))
    return bad != 0 or seen < 10


sys.exit(main(*sys.argv[1:]))

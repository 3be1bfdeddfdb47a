#!/usr/bin/env python3
# docs-examples.py VIRT-HOSTDEV SCHEMAS DOCUMENT...: every XML example of the documentation goes through
# "virt-hostdev validate"; one that is only a part is put where it belongs first. A pool is defined. Every message that is quoted, as
# "vm.xml:9: ...", is one of genericxml2xmlin's, but for the name and the line.
# SPDX-License-Identifier: LGPL-2.1-or-later
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

HOSTDEV = """<hostdev mode='subsystem' type='pci' managed='yes'>
  <source><address domain='0x0000' bus='0x06' slot='0x02' function='0x0'/></source>
  %s
</hostdev>"""
DOMAIN = """<domain type='kvm'><name>vm</name><memory>1</memory><os><type>hvm</type></os>
<devices>%s</devices></domain>"""


def wrap(root, text):
    if root in ("domain", "pool", "profile"):
        return text
    if root in ("hostdev", "interface", "disk"):
        return DOMAIN % text
    if root == "netdev":
        return DOMAIN % HOSTDEV % text
    if root in ("metadata", "xsl"):
        return None  # a picture of the stored form; formatdomain.rst has a whole one. A stylesheet: xslt.py
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


def messages(text):
    """Quoted messages: a line of a block, and those below it that stand two columns further to the right."""
    for message in re.findall(r"^   vm\.xml:\d+: (.*\n(?:     .*\n)*)", text, re.M):
        yield " ".join(message.split())


def golden():
    """What documents are refused with."""
    home = os.path.join(os.path.dirname(os.path.abspath(__file__)), "genericxml2xmlin")
    for path in glob.glob(os.path.join(home, "*", "*.err")):
        with open(path, encoding="utf-8") as f:
            yield f.read().strip().split(": ", 1)[1]


def check_messages(document, text, known):
    """How many it quotes that no document is refused with."""
    unknown = [message for message in messages(text) if message not in known]
    for message in unknown:
        print("%s: no document is refused with: %s" % (document, message))
    return len(unknown)


def main(tool, schemas, *documents):
    bad = seen = 0
    work = tempfile.mkdtemp()
    known = set(golden())
    for document in documents:
        with open(document, encoding="utf-8") as f:
            text = f.read()
        found = list(examples(text))
        bad += check_messages(document, text, known)
        for block in found:
            root = re.match(r"\s*<([a-z]+)", block).group(1)
            whole = wrap(root, block)
            if whole is None:
                continue
            seen += 1
            command = ["validate", "--schemas", schemas, "-"]
            if root in ("pool", "profile"):
                command = ["--root", work, root + "-define", "-"]
            run = subprocess.run([tool, *command], input=whole.encode(), capture_output=True, check=False)
            if run.returncode:
                bad += 1
                print("%s: %s\n%s" % (document, run.stderr.decode(), whole))
    shutil.rmtree(work)
    print("%d examples, %d bad" % (seen, bad))
    return bad != 0 or seen < 10


sys.exit(main(*sys.argv[1:]))

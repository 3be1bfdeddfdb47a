#!/usr/bin/env python3
"""xslt.py VIRT-HOSTDEV SCHEMAS TERRAFORM-ANSIBLE.rst: the stylesheet of the page, run as Terraform's provider runs it, in TAP.

The provider (libvirt/xslt.go, before 0.9) calls "xsltproc --nomkdir --nonet --nowrite STYLESHEET DOMAIN".

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

tool, schemas, page = sys.argv[1:]
# Elements as the provider writes them, which is what Go's libvirtxml makes of them.
DOMAIN = """<domain type="kvm">
  <name>vm</name>
  <uuid>6d1a8a3e-7df1-4b2f-8a39-0f6f0bb3b001</uuid>
  <memory unit="MiB">512</memory>
  <vcpu>1</vcpu>
  <os>
    <type>hvm</type>
  </os>
  <devices>
    <interface type="user">
      <mac address="52:54:00:10:00:01"/>
    </interface>%s
  </devices>
</domain>
"""
count = bad = 0


def check(text, got, want):
    global count, bad
    count += 1
    ok = got == want
    bad += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {text}" + ("" if ok else f": {got!r}, expected {want!r}"))


def convert(form, document):
    run = subprocess.run([tool, "convert", "--to=" + form, "-"], input=document, text=True, capture_output=True, check=False)
    return run.stdout or run.stderr


if not shutil.which("xsltproc"):
    print("1..0 # SKIP xsltproc is missing")
    sys.exit(0)
with open(page, encoding="utf-8") as file:
    stylesheet = re.search(r"::\n\n(   <xsl:stylesheet .*?</xsl:stylesheet>\n)", file.read(), re.S).group(1)
stylesheet = re.sub("^   ", "", stylesheet, flags=re.M)
device = re.search(r" *<hostdev.*</hostdev>\n", stylesheet, re.S).group()

with tempfile.TemporaryDirectory() as work:
    for name, text in (("vf.xsl", stylesheet), ("domain.xml", DOMAIN % "")):
        with open(os.path.join(work, name), "w", encoding="utf-8") as file:
            file.write(text)
    run = subprocess.run(["xsltproc", "--nomkdir", "--nonet", "--nowrite", "vf.xsl", "domain.xml"], cwd=work,
                         capture_output=True, text=True, check=False)
made = run.stdout
check("the stylesheet runs", (run.returncode, run.stderr), (0, ""))
squeezed = [re.sub(r">\s+<", "><", text).strip() for text in (made, DOMAIN % device)]
check("the domain has the device, and all that it had", squeezed[0], squeezed[1])
run = subprocess.run([tool, "validate", "--schemas", schemas, "-"], input=made, text=True, capture_output=True, check=False)
check("it is valid", run.stderr, "")
stock = convert("stock", made)
check("its stock form has both netdevs in the metadata", re.findall(r'<lh:(?:netdev port|mac address|tag id)=.([^\'"]*)', stock),
      ["1", "52:54:00:01:02:03", "42", "2", "52:54:00:01:02:04", "43"])
print(f"1..{count}")
sys.exit(bad != 0)

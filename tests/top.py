#!/usr/bin/env python3
"""top.py STATUSSHOW: virt-hostdev top, printed and on a terminal, in TAP.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios

show = sys.argv[1]
FAST = ("--interval", "0.2")
count = bad = 0


def run(*argv):
    return subprocess.run([show, *argv], capture_output=True, text=True, check=False)


def check(text, got, want):
    global count, bad
    count += 1
    ok = got == want
    bad += not ok
    print(f"{'ok' if ok else 'not ok'} {count} - {text}" + ("" if ok else f": {got!r}, expected {want!r}"))


def rows(text):
    """What stands in each table: its last columns, by VF and port; a domain's name may have spaces."""
    found = re.findall(r"^DOMAIN.*\n((?:.+\n)+)", text, re.M)
    return [[tuple(re.search(r" (0000:\S+) +\d+ +(\d+) +(.*?) *$", line).groups()) for line in table.splitlines()] for table in found]


class Terminal:
    """virt-hostdev top on a terminal of @rows and @columns."""

    def __init__(self, rows=24, columns=100, **environment):
        self.main, self.side = pty.openpty()
        fcntl.ioctl(self.side, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.side)
        self.process = subprocess.Popen([show, "top", *FAST], stdin=self.side, stdout=self.side, start_new_session=True,
                                        env=dict(os.environ, TERM="xterm", **environment))
        self.text = ""

    def read_until(self, pattern, seconds=20):
        while not re.search(pattern, self.text):
            if not select.select([self.main], [], [], seconds)[0]:
                raise TimeoutError(f"no {pattern!r} in {self.text!r}")
            self.text += os.read(self.main, 65536).decode()

    def end(self):
        """What it ended with, and whether the terminal is as it was."""
        try:
            code = self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.read_until(re.escape("\033[?25h"))
        same = termios.tcgetattr(self.side) == self.before
        os.close(self.side)
        os.close(self.main)
        return code, same


# ---- printed ----

plain = run("top", *FAST, "--iterations", "2")
seen = rows(plain.stdout)
check("two tables", (plain.returncode, len(seen)), (0, 2))
check("no control sequence", "\033" in plain.stdout, False)
check("most traffic first, then by address and port", [row[:2] for row in seen[1]],
      [("0000:01:10.2", "1"), ("0000:01:10.0", "1"), ("0000:01:10.0", "2"), ("0000:01:10.2", "2"), ("0000:01:10.4", "1"), ("0000:01:10.4", "2")])
check("rates, for people", bool(re.match(r"[\d.]+k +[\d.]+M +0 +0 +0 +yes", seen[1][0][2])), True)
check("no counters, and no drift", seen[1][2][2].split(), ["-"] * 5 + ["no"])
check("a VF that cannot be read", seen[1][4][2].split(), ["-"] * 6)
check("what waits", re.findall("VFs to be restored: (\\d+)", plain.stdout), ["1", "1"])

told = run("top", *FAST, "--iterations", "1", "--json")
vfs = json.loads(told.stdout)["top"]
check("for programs: its keys", list(vfs[0]), ["domain", "device", "vf", "port", "rx_packets", "rx_bytes", "tx_packets", "tx_bytes",
                                               "dropped", "drift", "uuid", "pf"])
check("who and which", [vfs[1][key] for key in ("domain", "device", "vf", "port", "pf")],
      ['vm "one" \\\t', "0000:01:10.0", 0, 1, "0000:01:00.0"])
# 1000 packets from one reading to the next, which was at least 0.2 seconds later, and hardly more than 4.
check("rates are a second's", [250 <= vfs[1]["rx_packets"] <= 5000, vfs[1]["tx_bytes"] / vfs[1]["rx_packets"] > 1999], [True, True])
check("a 0 that is meant, and none", [vfs[0]["tx_packets"], vfs[2]["tx_packets"]], [0, None])

changing = run("changing", *FAST, "--iterations", "2")
events = re.findall(r"^\d\d:\d\d:\d\d (?! ports)(.*)", changing.stdout, re.M)
check("what has happened, once", events, ["'me' no longer has VF 0000:01:10.2",
                                          "somebody else has changed port 2 of VF 0000:01:10.0, which 'vm \"one\" \\ ' has"])
for wrong in (("--interval", "0"), ("--interval", "nan"), ("--interval", "3601"), ("--iterations", "-1")):
    check("refused: " + " ".join(wrong), run("top", *wrong).returncode, 1)

# ---- on a terminal ----

terminal = Terminal()
terminal.read_until(r"vm2.*\n")
check("no line runs over", "\033[?7l" in terminal.text, True)
check("it is drawn over", "\033[2J" in terminal.text and "\033[H" in terminal.text, True)
check("drift is yellow", bool(re.search("\033\\[33m[^\n]*me ", terminal.text)), True)
os.write(terminal.main, b"xq")
check("q ends it, other keys do not", terminal.end(), (0, True))

terminal = Terminal(NO_COLOR="1")
terminal.read_until(r"vm2.*\n")
check("NO_COLOR", "\033[33m" in terminal.text, False)
terminal.process.send_signal(signal.SIGINT)
check("so does ^C", terminal.end(), (-signal.SIGINT, True))

terminal = Terminal(rows=9, columns=75)
terminal.read_until(r"and \d more(.|\n)*\033\[J")
frame = re.search("\033\\[H(.*?)\033\\[J", terminal.text, re.S)[1]
first = re.sub("\033\\[[?\\d]*[a-zA-Z]", "", frame).replace("\r", "").split("\n")
check("as many lines as it has, and the last is not left", len(first), 9)
check("nor longer ones", max(map(len, first)) <= 75, True)
os.write(terminal.main, b"q")
terminal.end()

print(f"1..{count}")
sys.exit(bad != 0)

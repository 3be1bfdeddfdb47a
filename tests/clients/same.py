#!/usr/bin/env python3
# same.py DIRECT_URI THROUGH_URI: a client that knows nothing of us makes the same calls on two ways to one libvirt, and
# gets the same answers.
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# A group is a function that makes calls in order. It runs directly, then through, from the same beginning; then what
# came back is compared, call by call: result or error (code, domain, message), events, bytes of streams. The groups
# are in same_*.py; what differs by nature is in NORMAL, or is marked at the call, with the reason.
import os
import re
import shutil
import sys
import tempfile
import traceback

import libvirt

import same_host
import same_life
import same_ours
import same_storage
import tap

# What differs between any two runs: pattern, what to put instead, why.
NORMAL = [
    (r"socket=[^&\s'\"]+", "socket=SOCKET", "the two ways have two sockets"),
    (r"(<domain type='\w+') id='\d+'", r"\1 id='ID'", "a guest gets a new number at each start"),
    (r"(domain-|/channel/)\d+-", r"\1ID-", "and so do its directories"),
    (r"/dev/pts/\d+", "/dev/pts/N", "the kernel chooses the pty"),
    (r"<creationTime>\d+<", "<creationTime>TIME<", "when a snapshot was taken"),
    (r"\bfd \d+ must", "fd N must", "a client's own number"),
    (r"qemu(-\d+)?-monitor-fdset\S*", "FDSET", "descriptors are numbered"),
    (r'"fd":"\d+"', '"fd":"N"', "so is what libvirtd has open, our connections among it"),
]


def normal(value):
    """The value with what differs by nature taken out; libvirt's objects by name and UUID."""
    if isinstance(value, str):
        for pattern, instead, _ in NORMAL:
            value = re.sub(pattern, instead, value)
        return value
    if isinstance(value, dict):
        return {normal(k): normal(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [normal(v) for v in value]
    if value is None or isinstance(value, (int, float, bytes)):
        return value
    parts = [type(value).__name__]
    for method in ("name", "getName", "UUIDString", "key"):
        if hasattr(value, method):
            parts.append(getattr(value, method)())
    return parts


def shape(value):
    """What remains to be compared of a value that differs by nature: which keys, how many, of which type."""
    if isinstance(value, dict):
        return {k: shape(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [shape(v) for v in value]
    return type(value).__name__


class Side:
    """One of the two ways: makes calls, and remembers what came of each."""

    def __init__(self, uri, work):
        self.uri = uri
        self.work = work
        self.conn = libvirt.open(uri)
        self.log = []

    def note(self, text, outcome, value):
        self.log.append((text, outcome, value))

    def call(self, text, function, *args, varies=None):
        """A call that works. varies: why only the shape of its result can be compared."""
        try:
            value = function(*args)
        except libvirt.libvirtError as error:
            self.failed(text, error)
            return None
        self.note(text, "works", shape(value) if varies else normal(value))
        return value

    def wrong(self, text, function, *args):
        """A call that libvirt refuses; its error is the result."""
        try:
            value = function(*args)
        except libvirt.libvirtError as error:
            self.failed(text, error, "refused")
            return
        self.note(text, "unexpectedly works", normal(value))

    def maybe(self, text, function, *args):
        """A call that works on some hosts only; either way it has to be the same."""
        try:
            value = function(*args)
        except libvirt.libvirtError as error:
            self.failed(text, error, "refused")
            return None
        self.note(text, "works", normal(value))
        return value

    def failed(self, text, error, outcome="unexpectedly fails"):
        value = [error.get_error_code(), error.get_error_domain(), error.get_error_level(), normal(str(error))]
        value += [normal(x) for x in (error.get_str1(), error.get_str2(), error.get_str3())]
        value += [error.get_int1(), error.get_int2()]
        self.note(text, outcome, value)


def run_side(side, group):
    side.log = []
    side.conn.close()
    side.conn = libvirt.open(side.uri)  # what one group breaks the next one has not to suffer from
    try:
        group(side)
    except Exception as error:  # whatever it is, the rest of the group is missing
        side.note("the group %s goes to its end" % group.__name__, "breaks off", traceback.format_exc())
    return side.log


def compare(check, direct, through):
    for number, (text, outcome, value) in enumerate(direct):
        other = through[number] if number < len(through) else ("nothing more", None, None)
        good = outcome in ("works", "refused") and other == (text, outcome, value)
        check.check(good, text, "expected is what is direct, the other is through",
                    *tap.difference("%s: %s %r" % other, "%s: %s %r" % (text, outcome, value)))
    for text, outcome, value in through[len(direct):]:
        check.check(False, text, "only through: %s %r" % (outcome, value))


def main(direct_uri, through_uri, *only):
    check = tap.Tap()
    tap.start_events()
    work = tempfile.mkdtemp(prefix="same-")
    os.chmod(work, 0o755)
    direct, through = Side(direct_uri, work), Side(through_uri, work)
    for module in (same_host, same_storage, same_life):
        for group in module.GROUPS:
            if only and group.__name__ not in only:
                continue
            check.note("group " + group.__name__)
            logs = []
            for side in (direct, through):
                same_life.clear(direct.conn)
                logs.append(run_side(side, group))
            same_life.clear(direct.conn)
            compare(check, *logs)
    if not only or "ours" in only:
        same_ours.run(check, direct.conn, through.conn)
        same_life.clear(direct.conn)
    shutil.rmtree(work, ignore_errors=True)
    check.end()


main(*sys.argv[1:])

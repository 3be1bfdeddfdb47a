#!/usr/bin/env python3
"""vpdgen.py [VARIANT...]: Vital Product Data of cards, right and wrong, as lines "VARIANT HEX"; without names, all of them.

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import sys

END = b"\x78"
NAME = "ConnectX-6 Dx EN"
USUAL = [("PN", "MCX623106AS-CDAT"), ("EC", "A7"), ("SN", "MT2113X00001"), ("V0", "PCIeGen4 x8")]


def field(keyword, value):
    value = value.encode() if isinstance(value, str) else value
    return keyword.encode() + bytes([len(value)]) + value


def resource(tag, data, length=None):
    return bytes([tag]) + (len(data) if length is None else length).to_bytes(2, "little") + data


def name(text):
    return resource(0x82, text.encode("latin-1"))


def read_only(before, fields, spare=0, wrong=0, behind=b""):
    """The section behind @before, whose last field makes the sum of all so far 0."""
    data = b"".join(field(*f) for f in fields)
    length = len(data) + 4 + spare + len(behind)
    data += b"RV" + bytes([1 + spare])
    total = sum(before + resource(0x90, data, length))
    return resource(0x90, data + bytes([(wrong - total) % 256]) + bytes(spare) + behind)


def card(fields, title=NAME, rest=END, **more):
    before = name(title) if title is not None else b""
    return before + read_only(before, fields, **more) + rest


def with_sn(*serials):
    return [("PN", "X1")] + [("SN", serial) for serial in serials]


writable = resource(0x91, field("YA", "asset 7") + field("V1", "spare") + field("Y1", "rack") + field("RW", bytes(8)))
VARIANTS = {
    "good": card(USUAL, spare=3, rest=writable + END),
    "checksum": card(USUAL, wrong=1),
    "no-rv": name(NAME) + resource(0x90, b"".join(field(*f) for f in USUAL)) + END,
    "behind-rv": card(USUAL[:2], behind=field("SN", "LATE")),
    "no-end": card(USUAL, rest=b""),
    "only-writable": name(NAME) + writable + END,
    "overrun": name(NAME) + resource(0x90, field("SN", "MT2113X00001") + b"PN\x28abc") + END,
    "longer": name(NAME) + resource(0x90, field("SN", "MT2113X00001") + field("PN", "X1"), 0xffff),
    "name-longer": resource(0x82, NAME.encode(), 0xffff),
    "no-name": card(USUAL, None),
    "odd-name": card(USUAL, "Card\xae\x01"),
    "blanks": card(with_sn("  MT 123-4,=<&>  ")),
    "nuls": card(with_sn(b"MT123\0\0\0")),
    "not-text": card(with_sn(b"MT\xff\x01")),
    "empty": card(with_sn("")),
    "twice": card(with_sn("FIRST", "SECOND")),
    "lower-case": card([("sn", "low"), ("PN", "X1")]),
    "long": card(with_sn("S" * 255)),
    "other-tag": name(NAME) + resource(0x84, b"?") + read_only(name(NAME) + resource(0x84, b"?"), USUAL) + END,
    "only-end": END,
    "zeros": bytes(16),
    "ones": b"\xff" * 16,
    "one-byte": b"\x82",
}

if __name__ == "__main__":
    for variant in sys.argv[1:] or VARIANTS:
        print(variant, VARIANTS[variant].hex())

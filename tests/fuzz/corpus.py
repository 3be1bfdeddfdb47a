#!/usr/bin/env python3
"""corpus.py: the corpora of the fuzz targets, each one file of text, corpus/TARGET.txt

  corpus.py list TARGET               names of its inputs
  corpus.py add TARGET FILE...        adds an input for each file, with the file's name
  corpus.py remove TARGET NAME...     takes inputs out
  corpus.py unpack TARGET DIR         makes DIR a directory with a file for each input
  corpus.py run TARGET DIR PROGRAM... the same, and then runs PROGRAM... with DIR as its last argument

An input is the line "input NAME" and its lines, each behind a "|", the last behind a "." where no line break ends
it. Bytes that are not printable ASCII are written \\xNN, and a backslash twice, so that git shows what changes.
Names are sorted. libFuzzer calls an input by its hash, of which twelve digits are kept; any other name is a case
that somebody has chosen, and stays when the corpus is made smaller (scripts/fuzz --minimise).

SPDX-License-Identifier: LGPL-2.1-or-later
"""
import os
import re
import shutil
import sys

CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
PLAIN = re.compile(rb"[ -\[\]-~]")
ESCAPE = re.compile(rb"\\(\\|x[0-9a-f]{2})")
HASH = re.compile(r"[0-9a-f]{40}")


def archive(target):
    return os.path.join(CORPUS, target + ".txt")


def escape(line):
    """A line of bytes as printable ASCII; a space at its end would be lost on somebody's editor."""
    text = "".join(chr(byte) if PLAIN.match(bytes([byte])) else "\\\\" if byte == 0x5c else f"\\x{byte:02x}"
                   for byte in line)
    return text[:-1] + "\\x20" if text.endswith(" ") else text


def unescape(text):
    return ESCAPE.sub(lambda match: b"\\" if match[1] == b"\\" else bytes([int(match[1][1:], 16)]), text)


def encode(inputs):
    """The text of an archive."""
    text = []
    for name in sorted(inputs):
        *lines, rest = inputs[name].split(b"\n")
        text.append(f"input {name}")
        text += ["|" + escape(line) for line in lines]
        text += ["." + escape(rest)] if rest else []
    return "".join(line + "\n" for line in text)


def decode(text):
    """The inputs of an archive, by name."""
    inputs = {}
    name = None
    for line in text.encode().split(b"\n")[:-1]:
        if line.startswith(b"input "):
            name = line[6:].decode()
            inputs[name] = b""
        elif name is None or line[:1] not in (b"|", b"."):
            sys.exit(f"corpus: this is no line of an input: {line.decode()}")
        else:
            inputs[name] += unescape(line[1:]) + (b"\n" if line[:1] == b"|" else b"")
    return inputs


def read(target):
    """The inputs of a target; what was changed by hand must be as this program would have written it."""
    with open(archive(target), encoding="ascii", newline="\n") as file:
        text = file.read()
    inputs = decode(text)
    if encode(inputs) != text:
        sys.exit(f"corpus: {archive(target)} is not as corpus.py writes it")
    return inputs


def write(target, inputs):
    with open(archive(target), "w", encoding="ascii", newline="\n") as file:
        file.write(encode(inputs))


def add(target, paths):
    inputs = read(target) if os.path.exists(archive(target)) else {}
    for path in paths:
        name = os.path.basename(path)
        name = name[:12] if HASH.fullmatch(name) else name
        if not re.fullmatch(r"[\w.-]+", name, re.ASCII):
            sys.exit(f"corpus: {name!r} cannot be the name of an input")
        with open(path, "rb") as file:
            data = file.read()
        if inputs.setdefault(name, data) != data:
            sys.exit(f"corpus: {target} has another input {name}")
    write(target, inputs)


def remove(target, names):
    inputs = read(target)
    for name in names:
        if inputs.pop(name, None) is None:
            sys.exit(f"corpus: {target} has no input {name}")
    write(target, inputs)


def unpack(target, directory):
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    for name, data in read(target).items():
        with open(os.path.join(directory, name), "wb") as file:
            file.write(data)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    verb, target, *rest = sys.argv[1:]
    if verb == "list" and not rest:
        print("\n".join(sorted(read(target))))
    elif verb == "add" and rest:
        add(target, rest)
    elif verb == "remove" and rest:
        remove(target, rest)
    elif verb == "unpack" and len(rest) == 1:
        unpack(target, rest[0])
    elif verb == "run" and len(rest) > 1:
        unpack(target, rest[0])
        os.execv(rest[1], rest[1:] + rest[:1])
    else:
        sys.exit(__doc__)


main()

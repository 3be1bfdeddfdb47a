#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""table.py PAGE NAME: print the cells of the page's table NAME, a line "ROW<tab>COLUMN<tab>VALUE" each.
table.py PAGE NAME CELLS: print the page with the table as these cells, in the same form, say.

The table is a list-table between the lines ".. table NAME" (whatever follows) and ".. end of table NAME". Its first row
has the names of the columns and stays. Then comes a row for each ROW of the file, in that order. A column that the cells
say nothing of, because another run fills it, keeps what the page has; "?" where it has nothing.
"""
import re
import sys
import textwrap


def parse(text):
    """The rows of a list-table."""
    rows = []
    for item in re.split(r"^   \* - ", text, flags=re.M)[1:]:
        cells = re.split(r"^     - ", item, flags=re.M)
        rows.append([" ".join(cell.split()) for cell in cells])
    return rows


def lines(row):
    for i, cell in enumerate(row):
        wrapped = textwrap.wrap(cell, 110, break_long_words=False, break_on_hyphens=False) or [""]
        yield ("     - " if i else "   * - ") + "\n       ".join(wrapped)


def change(columns, rows, cells):
    """The rows as the file says."""
    have = {row[0]: row for row in rows}
    new = {}
    with open(cells, encoding="utf-8") as f:
        for line in f:
            row, column, value = line.rstrip("\n").split("\t")
            known = have.get(row, [row] + ["?"] * (len(columns) - 1))
            new.setdefault(row, list(known))[columns.index(column, 1)] = " ".join(value.split())
    return new.values()


def main(page, name, cells=None):
    with open(page, encoding="utf-8") as f:
        text = f.read()
    place = re.search(r"(^\.\. table %s\b.*?\n\n)(.*?)(\n\.\. end of table %s\n)" % (name, name), text, re.S | re.M)
    head, old = place.group(2).split("   * - ", 1)
    columns, *rows = parse("   * - " + old)
    if cells:
        table = "\n".join(line for row in [columns, *change(columns, rows, cells)] for line in lines(row))
        print(text[:place.start(2)] + head + table + "\n" + text[place.start(3):], end="")
    else:
        for row in rows:
            for column, value in zip(columns[1:], row[1:]):
                print(row[0], column, value, sep="\t")


main(*sys.argv[1:])

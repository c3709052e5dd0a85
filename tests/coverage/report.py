#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report.py BUILD [--all]: which lines of the product have the tests run?

Prints a table of lines by folder and file, and the lines that nothing ran.  tests/coverage/untested names those for which there
is a reason.  The status is 1 when a checked folder has fewer lines run than it must, or a line that is neither run nor named.
--all prints the lines of the other folders, too."""
import os
import sys

import counters

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
CHECKED, LEAST = "backend", 97.0        # percent of that folder's lines and of what is below it


def read_reasons(path):
    """{(file, function, text): reason}"""
    reasons, reason = {}, None
    with open(path) as lines:
        for number, line in enumerate(lines, 1):
            line = line.strip()
            if line.startswith("== "):
                reason = line[3:]
            elif line and not line.startswith("#"):
                entry = tuple(line.split(": ", 2))
                if len(entry) != 3 or not reason:
                    sys.exit(f"{path}:{number}: neither '== reason' nor 'file: function: line'")
                reasons[entry] = reason
    return reasons


def text_of(path, number, cache={}):
    if path not in cache:
        with open(os.path.join(TOP, path)) as f:
            cache[path] = f.read().split("\n")
    return cache[path][number - 1].strip()


def table(files):
    """Prints it; returns the share of the checked folder, in percent."""
    def row(indent, name, of_it):
        lines = sum(len(f.runs) for f in of_it)
        missed = sum(len(f.missed()) for f in of_it)
        share = 100.0 * (lines - missed) / lines
        print(f"{indent + name:38} {lines:6} lines {missed:5} not run {share:7.1f} %")
        return share

    for folder in sorted({os.path.dirname(path) for path in files}):
        of_it = sorted(path for path in files if os.path.dirname(path) == folder)
        row("", folder, [files[path] for path in of_it])
        for path in of_it:
            row("    ", os.path.basename(path), [files[path]])
    row("", "all", files.values())
    return row("", CHECKED, [f for path, f in files.items() if path.startswith(CHECKED + "/")])


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    files = counters.read(TOP, os.path.join(TOP, sys.argv[1]))
    reasons = read_reasons(os.path.join(TOP, "tests/coverage/untested"))
    left = set(reasons)
    bad = []
    share = table(files)
    for path in sorted(files):
        for number in files[path].missed():
            entry = (path, files[path].function[number], text_of(path, number))
            if entry in reasons:
                left.discard(entry)
            elif path.startswith(CHECKED + "/"):
                bad.append(f"{path}:{number}: {entry[1]}: {entry[2]}")
            elif "--all" in sys.argv:
                print(f"{path}:{number}: {entry[1]}: {entry[2]}")
    for entry in sorted(left):
        print("run now, or gone; take it out of tests/coverage/untested:", ": ".join(entry))
    for line in bad:
        print("not run:", line)
    if share < LEAST:
        print(f"{CHECKED}: {share:.1f} % of its lines are run, and it must be {LEAST:.0f}")
        bad.append(CHECKED)
    print(f"{len(reasons) - len(left)} lines are named with a reason, {len(bad)} are not")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

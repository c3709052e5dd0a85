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
CHECKED = {"backend": 97.0}     # percent at least


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
    for folder in counters.FOLDERS:
        of_it = sorted(path for path in files if os.path.dirname(path) == folder)
        lines = sum(len(files[path].runs) for path in of_it)
        missed = sum(len(files[path].missed()) for path in of_it)
        if not lines:
            continue
        print(f"{folder:34} {lines:6} lines {missed:5} not run {100.0 * (lines - missed) / lines:7.1f} %")
        for path in of_it:
            f = files[path]
            print(f"    {os.path.basename(path):30} {len(f.runs):6}       {len(f.missed()):5}         {f.percent():7.1f} %")
        yield folder, 100.0 * (lines - missed) / lines


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    files = counters.read(TOP, os.path.join(TOP, sys.argv[1]))
    reasons = read_reasons(os.path.join(TOP, "tests/coverage/untested"))
    left = set(reasons)
    bad = []
    percents = dict(table(files))
    for path in sorted(files):
        folder = os.path.dirname(path)
        for number in files[path].missed():
            entry = (path, files[path].function[number], text_of(path, number))
            if entry in reasons:
                left.discard(entry)
            elif folder in CHECKED:
                bad.append(f"{path}:{number}: {entry[1]}: {entry[2]}")
            elif "--all" in sys.argv:
                print(f"{path}:{number}: {entry[1]}: {entry[2]}")
    for entry in sorted(left):
        print("run now, or gone; take it out of tests/coverage/untested:", ": ".join(entry))
    for line in bad:
        print("not run:", line)
    for folder, least in CHECKED.items():
        if percents[folder] < least:
            print(f"{folder}: {percents[folder]:.1f} % of its lines are run, and it must be {least:.0f}")
            bad.append(folder)
    print(f"{len(reasons) - len(left)} lines are named with a reason, {len(bad)} are not")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

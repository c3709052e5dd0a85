#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""report.py BUILD [--all]: which lines of the product have the tests run?

Prints a table of lines by folder and file, and the lines that nothing ran.  tests/coverage/untested names those for which there
is a reason.  The status is 1 when a checked folder has fewer lines run than it must, or a line that is neither run nor named.
--all prints the lines of the other folders, too."""
import collections
import json
import os
import subprocess
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDERS = ["common/base", "common/ring", "common/vsock", "common/link", "xenstore-glue", "frontend", "backend", "tools"]
CHECKED = {"backend": 97.0}     # percent at least


class File:
    """Its lines that are code: how often each ran, and in which function it is."""

    def __init__(self):
        self.runs = collections.Counter()
        self.function = {}

    def missed(self):
        return sorted(n for n, runs in self.runs.items() if not runs)

    def percent(self):
        return 100.0 * (len(self.runs) - len(self.missed())) / len(self.runs)


def read_counters(build):
    """A header's inline functions are in many objects: what one of them ran is run."""
    notes = []
    for folder in FOLDERS:
        at = os.path.join(build, "obj", folder)
        notes += sorted(os.path.join(at, name) for name in os.listdir(at) if name.endswith(".gcno"))
    files = collections.defaultdict(File)
    said = subprocess.run(["gcov", "--json-format", "--stdout"] + notes, cwd=TOP, capture_output=True, text=True, check=True)
    for document in said.stdout.splitlines():
        for part in json.loads(document)["files"]:
            path = os.path.relpath(os.path.join(TOP, part["file"]), TOP)
            if os.path.dirname(path) not in FOLDERS:
                continue
            for line in part["lines"]:
                files[path].runs[line["line_number"]] += line["count"]
                files[path].function[line["line_number"]] = line.get("function_name", "")
    return files


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
    for folder in FOLDERS:
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
    files = read_counters(sys.argv[1])
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

# SPDX-License-Identifier: MIT
"""counters.py: how often each line of the product ran, as gcov has it."""
import collections
import json
import os
import subprocess


def folders(top):
    """The product's, as the Makefile has them; those of headers alone, such as common/wire, are among them."""
    said = subprocess.run(["make", "-s", "print-modules"], cwd=top, capture_output=True, text=True, check=True)
    return sorted(said.stdout.split())


class File:
    """Its lines that are code: how often each ran, and in which function it is."""

    def __init__(self):
        self.runs = collections.Counter()
        self.function = {}

    def missed(self):
        return sorted(n for n, runs in self.runs.items() if not runs)

    def percent(self):
        return 100.0 * (len(self.runs) - len(self.missed())) / len(self.runs)


def read(top, build):
    """{path below top: File}.  A header's inline functions are in many objects: what one of them ran is run."""
    notes, known = [], set(folders(top))
    for folder in known:
        at = os.path.join(build, "obj", folder)
        if os.path.isdir(at):
            notes += [os.path.join(at, name) for name in os.listdir(at) if name.endswith(".gcno")]
    files = collections.defaultdict(File)
    said = subprocess.run(["gcov", "--json-format", "--stdout"] + [os.path.relpath(n, top) for n in sorted(notes)], cwd=top,
                          capture_output=True, text=True, check=True)
    for document in said.stdout.splitlines():
        for part in json.loads(document)["files"]:
            path = os.path.relpath(os.path.join(top, part["file"]), top)
            if os.path.dirname(path) not in known or not os.path.exists(os.path.join(top, path)):
                continue        # not the product's, or an object of what is gone
            for line in part["lines"]:
                files[path].runs[line["line_number"]] += line["count"]
                files[path].function[line["line_number"]] = line.get("function_name", "")
    return files

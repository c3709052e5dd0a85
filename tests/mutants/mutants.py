#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mutants.py: changes one line of the product at a time; which changes does no test notice?

    --seed N --count N      a sample, the same for the same sources and N
    --at FILE[:LINE]        every change that this file or line admits, instead of a sample
    --again FILE.tsv        those that were not noticed there, instead of a sample
    --seconds N             of tests for a change; what is not noticed until then is left for --again without it
    --steps REGEX           only those steps, such as 'unit|daemon'
    --list                  only prints the sample

Works in a copy of the tree, in build/mutants.  For each change: an incremental build, then the steps (steps.py) that run the
changed line, those first that noticed most for their time, up to the first that fails.  A failure of a step with processes and
clocks counts when it happens twice.  A change that gives the same object code is no change; tests/mutants/known names those that
make no difference that anybody can see, or that no test is wanted for.  Results: build/mutants/SEED.tsv; a run that was
interrupted goes on there.  The status is the number of those neither noticed nor known, at most 100."""
import argparse
import collections
import json
import os
import random
import re
import subprocess
import sys
import time

import changes
import steps
from steps import counters
from tree import Tree

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HERE = os.path.join(TOP, "build/mutants")
Mutant = collections.namedtuple("Mutant", "path number old new what")


def mutants_of(path):
    with open(os.path.join(TOP, path)) as f:
        text = f.read()
    lines = text.split("\n")
    return [Mutant(path, n + 1, lines[n], new, what) for n, new, what in changes.of_text(text)]


def sources():
    """The commands' messages and exit statuses are another matter: tools/ is not among them."""
    folders = [f for f in counters.folders(TOP) if not f.startswith("tools")]
    said = subprocess.run(["git", "ls-files"] + folders, cwd=TOP, capture_output=True, text=True, check=True).stdout.split()
    return [p for p in said if p.endswith((".c", ".h")) and os.path.dirname(p) in folders]


def choose(options):
    if options.at:
        path, _, number = options.at.partition(":")
        return [m for m in mutants_of(path) if not number or m.number == int(number)]
    every = [m for path in sources() for m in mutants_of(path)]
    if options.again:
        with open(options.again) as f:
            rows = [line.rstrip("\n").split("\t") for line in f]
        wanted = {(r[1].split(":")[0], r[3], r[2]) for r in rows if r[0] == "UNNOTICED"}
        return [m for m in every if (m.path, m.old.strip(), m.what) in wanted]
    random.seed(options.seed)
    return random.sample(every, min(options.count, len(every)))


def read_known():
    """The changes that make no difference, or none that is tested: {(file, line's text, what)}"""
    known = set()
    with open(os.path.join(TOP, "tests/mutants/known")) as lines:
        for line in lines:
            line = line.strip()
            if line and not line.startswith(("#", "== ")):
                path, _, rest = line.partition(": ")
                text, _, what = rest.rpartition(" -> ")
                known.add((path, text, what))
    return known


class Hunt:
    def __init__(self, tree, all_steps, seconds=None):
        self.tree, self.steps, self.seconds = tree, all_steps, seconds
        self.kills_file = os.path.join(HERE, "kills.json")
        self.kills = {}
        if os.path.exists(self.kills_file):
            with open(self.kills_file) as f:
                self.kills = json.load(f)
        self.sums = tree.objects()

    def _sees(self, step, mutant):
        """gcov counts a statement at its first line: what goes on in the next lines belongs to it.  Of a line that is new since the
        step was looked at nothing is known."""
        number, code = mutant.number, step.code.get(mutant.path, ())
        while number > mutant.number - 5 and number not in code:
            number -= 1
        return number in step.lines.get(mutant.path, ()) or (number not in code and mutant.path in step.lines)

    def _worth(self, step, mutant):
        kills = self.kills.get(step.name, {})
        return (3 * kills.get(mutant.path, 0) + kills.get(os.path.dirname(mutant.path), 0) + 1) / (step.seconds + 0.5)

    def _noticed(self, step, mutant):
        """What failed, or None.  A test with processes and clocks must fail twice, the second time alone."""
        limit, only = 30 + 6 * step.seconds, None
        for _ in range(1 if step.is_exact() else 2):
            status, output = step.run(self.tree, limit, until_failure=True, only=only)
            if not status:
                return None
            fails = [line[5:85].rstrip() for line in output.split("\n") if line.startswith("FAIL ")]
            only = re.match(r"(test_)?[a-z0-9_]+(?=:)", fails[0]) if fails else None
            only = only.group() if only else None
        kills = self.kills.setdefault(step.name, {})
        for key in mutant.path, os.path.dirname(mutant.path):
            kills[key] = kills.get(key, 0) + 1
        with open(self.kills_file, "w") as f:
            json.dump(self.kills, f)
        return f"{step.name}: {fails[0] if fails else 'no end in time' if status == 124 else 'ended with %d' % status}"

    def _judge(self, mutant):
        able = sorted((s for s in self.steps if self._sees(s, mutant)), key=lambda s: -self._worth(s, mutant))
        if not able:
            return "UNNOTICED", "no test runs this line"
        first, spent = True, 0
        for tried, step in enumerate(able):
            if self.seconds and spent + step.seconds > self.seconds:
                return "UNNOTICED", f"{tried} of {len(able)} steps that run this line"
            spent += step.seconds
            status, output = steps.build(self.tree, [step])
            if status:
                return "stillborn", ""
            if first and self.tree.objects() == self.sums and not mutant.path.endswith(".h"):
                return "same code", ""
            first = False
            by = self._noticed(step, mutant)
            if by:
                return "noticed", by
        return "UNNOTICED", f"{len(able)} steps run this line"

    def judge(self, mutant):
        was = self.tree.read(mutant.path)
        lines = was.split("\n")
        lines[mutant.number - 1] = mutant.new
        self.tree.write(mutant.path, "\n".join(lines))
        try:
            return self._judge(mutant)
        finally:
            self.tree.write(mutant.path, was)


def say(text):
    print(text, flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--count", type=int, default=20)
    p.add_argument("--at")
    p.add_argument("--again")
    p.add_argument("--steps", default="")
    p.add_argument("--seconds", type=float)
    p.add_argument("--list", action="store_true")
    options = p.parse_args()
    sample = choose(options)
    if options.list:
        for m in sample:
            print(f"{m.path}:{m.number}: {m.old.strip()}: {m.what}")
        return 0
    os.makedirs(HERE, exist_ok=True)
    name = options.at.replace("/", "_").replace(":", "_") if options.at else "again" if options.again else str(options.seed)
    out = os.path.join(HERE, f"{name}.tsv")
    done = set()
    if os.path.exists(out) and not options.again:
        with open(out) as f:
            done = {tuple(line.rstrip("\n").split("\t")[1:4]) for line in f}

    tree = Tree(TOP, os.path.join(HERE, "tree"))
    wanted = [s for s in steps.all_steps(tree.path) if re.match(options.steps, s.name)]
    status, output = steps.build(tree, wanted)
    if status:
        sys.exit(output[-3000:])
    hunt = Hunt(tree, steps.look(TOP, tree, wanted, os.path.join(HERE, "seen.json"), say), options.seconds)
    known = read_known()
    count, left = collections.Counter(), []
    for m in sample:
        place = (f"{m.path}:{m.number}", m.what, m.old.strip())
        if place in done:
            continue
        began = time.time()
        verdict, by = hunt.judge(m)
        if verdict == "UNNOTICED" and (m.path, m.old.strip(), m.what) in known:
            verdict = "known"
        row = (verdict,) + place + (by, f"{time.time() - began:.0f}")
        with open(out, "a") as f:
            f.write("\t".join(row) + "\n")
        say("  ".join(row))
    with open(out) as f:
        for line in f:
            row = line.rstrip("\n").split("\t")
            count[row[0]] += 1
            if row[0] == "UNNOTICED":
                left.append(row)
    say(", ".join(f"{n} {what}" for what, n in sorted(count.items())))
    for row in left:
        say(f"{row[1]}: {row[3]}: {row[2]} ({row[4]})")
    return min(len(left), 100)


if __name__ == "__main__":
    sys.exit(main())

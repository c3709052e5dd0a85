# SPDX-License-Identifier: MIT
"""steps.py: the tests as steps that can be run one by one, and which lines of the product each of them runs."""
import glob
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "coverage"))
import counters  # noqa: E402


class Step:
    """name; targets: what make must build for it; command, with %s for build/VARIANT; env."""

    def __init__(self, name, targets, command, **env):
        self.name, self.targets, self.command, self.env = name, targets, command, env
        self.seconds = 10.0
        self.lines = {}         # file: the numbers of the lines that it runs

    def is_exact(self):
        """Has no clock and no other process: it fails for a reason."""
        return self.name.startswith("unit/")

    def run(self, tree, limit, variant="release", env=None, until_failure=False):
        fill = lambda text: text.replace("%s", f"build/{variant}")     # noqa: E731
        return tree.run([fill(word) for word in self.command], limit,
                        dict({k: fill(v) for k, v in self.env.items()}, **(env or {})), until_failure)


def _programs(top, folder):
    return sorted(os.path.basename(p)[:-2] for p in glob.glob(os.path.join(top, "tests", folder, "test_*.c")))


def all_steps(top):
    steps = []
    for name in _programs(top, "unit"):
        steps.append(Step(f"unit/{name}", [f"%s/unit/{name}"], [f"%s/unit/{name}"]))
    for folder in "hosted", "hostile", "daemon":
        for name in _programs(top, folder):
            steps.append(Step(f"{folder}/{name}", [f"%s/{folder}/{name}", "%s/xvsd"], ["tests/hosted/run.sh", f"%s/{folder}/{name}"],
                              GUESTS="8"))
    for name in _programs(top, "frontend"):
        steps.append(Step(f"frontend/{name}", [f"%s/frontend/{name}", "%s/xvsd"], ["tests/frontend/run.sh", "%s", name]))
    everything = ["all", "e2e-helpers"]
    for path in sorted(glob.glob(os.path.join(top, "tests/e2e/cases/*.sh"))):
        name = os.path.basename(path)
        steps.append(Step(f"e2e/{name}", everything, ["tests/e2e/run.sh", "hosted", name], XVS_BIN="/run/tree/%s",
                          E2E_XENSIM="/run/tree/build/xensim/bin", E2E_BULK="16777216", E2E_MANY="300", E2E_SLOW="2", E2E_END="TERM"))
    for path in sorted(glob.glob(os.path.join(top, "tests/tools/*.sh"))):
        name = os.path.basename(path)
        if name != "lib.sh":
            steps.append(Step(f"tools/{name}", ["all"], [f"tests/tools/{name}"], XVS_BIN="%s"))
    return steps


def build(tree, steps, variant="release"):
    targets = sorted({t.replace("%s", f"build/{variant}") for s in steps for t in s.targets})
    return tree.make(targets, variant)


def look(tree, steps, cache, say):
    """Runs each step once, with counters: how long it takes and what it sees.  Steps that fail as they are, are of no use."""
    seen = {}
    if os.path.exists(cache):
        with open(cache) as f:
            seen = json.load(f)
    missing = [s for s in steps if s.name not in seen]
    if missing:
        status, output = build(tree, missing, "cov")
        if status:
            sys.exit(output[-3000:] + "\nno build with coverage")
    for step in missing:
        for path in glob.glob(tree.file("build/cov/obj/**/*.gcda"), recursive=True):
            os.unlink(path)
        began = time.time()
        status, output = step.run(tree, 900, "cov", tree.gcov)
        took = time.time() - began
        if status:
            say(f"{step.name} fails without any change, and is left out: " + output[-300:])
            continue
        files = counters.read(tree.path, tree.file("build/cov"))
        seen[step.name] = {"seconds": took, "lines": {p: sorted(n for n, c in f.runs.items() if c) for p, f in files.items()}}
        with open(cache, "w") as f:
            json.dump(seen, f)
        say(f"{step.name}: {took:.1f} s")
    for step in steps:
        if step.name in seen:
            step.seconds = seen[step.name]["seconds"]
            step.lines = {p: set(n) for p, n in seen[step.name]["lines"].items()}
    return [s for s in steps if s.name in seen]

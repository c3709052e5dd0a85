# SPDX-License-Identifier: MIT
"""steps.py: the tests as steps that can be run one by one, and which lines of the product each of them runs."""
import difflib
import glob
import json
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "coverage"))
import counters  # noqa: E402


class Step:
    """name; targets: what make must build for it; command, with %s for build/VARIANT; env."""

    def __init__(self, name, targets, command, **env):
        self.name, self.targets, self.command, self.env = name, targets, command, env
        self.variant = "release"
        self.same_as = name     # the step that runs the same lines
        self.seconds = 10.0
        self.lines = {}         # file: the numbers of the lines that it runs
        self.code = {}          # file: the numbers of those that it could run

    def is_exact(self):
        """Has no clock and no other process: it fails for a reason."""
        return self.name.startswith(("unit/", "faults/", "replay/", "asan/"))

    def in_asan(self):
        """The same with the address sanitizer: it sees what is lost, or used after it was freed."""
        step = Step("asan/" + self.name, self.targets, self.command, **self.env)
        step.variant, step.same_as = "asan", self.name
        return step

    def run(self, tree, limit, variant=None, until_failure=False, only=None):
        """only: one of its tests, if that can be chosen."""
        variant = variant or self.variant
        fill = lambda text: text.replace("%s", f"build/{variant}")     # noqa: E731
        command = [fill(word) for word in self.command]
        if only and self.name.startswith("e2e/"):
            command[-1] = only
        elif only and not self.name.startswith("tools/"):
            command[-1] += " " + only
        return tree.run(command, limit, {k: fill(v) for k, v in self.env.items()}, until_failure)


def _programs(top, folder):
    return sorted(os.path.basename(p)[:-2] for p in glob.glob(os.path.join(top, "tests", folder, "test_*.c")))


def _tests_of(top, path):
    with open(os.path.join(top, "tests", path)) as f:
        return re.findall(r"^ +TEST\((\w+)\)", f.read(), re.M)


# Others that free what the library or the daemon would keep until its end.
IN_ASAN = ["unit/test_backend_settings", "unit/test_vmux", "unit/test_link", "unit/test_parse", "unit/test_paths"]


def all_steps(top):
    steps = []
    for name in _programs(top, "unit"):
        steps.append(Step(f"unit/{name}", [f"%s/unit/{name}"], [f"%s/unit/{name}"]))
    for name in _tests_of(top, "faults/test_daemon_faults.c"):
        steps.append(Step(f"faults/{name}", ["%s/faults/test_daemon_faults"], ["%s/faults/test_daemon_faults", name]))
    for path in sorted(glob.glob(os.path.join(top, "tests/fuzz/corpus/*"))):
        name = os.path.basename(path)
        if name != "fuzz_connect_line":         # it includes what it judges
            steps.append(Step(f"replay/{name}", [f"%s/replay/{name}"], [f"%s/replay/{name}", f"tests/fuzz/corpus/{name}"]))
    steps += [s.in_asan() for s in steps if s.name.startswith(("faults/", "replay/")) or s.name in IN_ASAN]
    for folder in "hosted", "hostile", "daemon":
        for name in _programs(top, folder):
            steps.append(Step(f"{folder}/{name}", [f"%s/{folder}/{name}", "%s/xvsd", "xensim"], ["tests/hosted/run.sh", f"%s/{folder}/{name}"],
                              **({"GUESTS": "8"} if folder == "daemon" else {})))
    for name in _programs(top, "frontend"):
        steps.append(Step(f"frontend/{name}", [f"%s/frontend/{name}", "%s/xvsd", "xensim"], ["tests/hosted/run.sh", f"%s/frontend/{name}"],
                          GUESTS="2", SCATTER="1"))
    everything = ["all", "e2e-helpers", "xensim"]
    for path in sorted(glob.glob(os.path.join(top, "tests/e2e/cases/*.sh"))):
        name = os.path.basename(path)
        steps.append(Step(f"e2e/{name}", everything, ["tests/e2e/run.sh", "hosted", name], XVS_BIN="/run/tree/%s",
                          E2E_XENSIM="/run/tree/build/xensim/bin", E2E_BULK="16777216", E2E_MANY="300", E2E_SLOW="2", E2E_END="TERM"))
    for path in sorted(glob.glob(os.path.join(top, "tests/tools/*.sh"))):
        name = os.path.basename(path)
        if name != "lib.sh":
            steps.append(Step(f"tools/{name}", ["all", "xensim"], [f"tests/tools/{name}"], XVS_BIN="%s"))
    return steps


def build(tree, steps, variant=None):
    for v in [variant] if variant else sorted({s.variant for s in steps}):
        targets = sorted({t.replace("%s", f"build/{v}") for s in steps if v in (variant, s.variant) for t in s.targets})
        status, output = tree.make(targets, v)
        if status:
            break
    return status, output


def _moved(top, rev):
    """{file: {its line at rev: the line now}} for the files that are no longer as they were."""
    moved = {}
    said = subprocess.run(["git", "diff", "--name-only", rev, "--"], cwd=top, capture_output=True, text=True, check=True).stdout
    for path in said.split():
        if not path.endswith((".c", ".h")) or not os.path.exists(os.path.join(top, path)):
            continue
        then = subprocess.run(["git", "show", f"{rev}:{path}"], cwd=top, capture_output=True, text=True).stdout.split("\n")
        with open(os.path.join(top, path)) as f:
            now = f.read().split("\n")
        moved[path] = {}
        for a, b, n in difflib.SequenceMatcher(None, then, now, autojunk=False).get_matching_blocks():
            moved[path].update({a + i + 1: b + i + 1 for i in range(n)})
    return moved


def _current(top):
    """The tree as it is, as a commit."""
    made = subprocess.run(["git", "stash", "create"], cwd=top, capture_output=True, text=True, check=True).stdout.strip()
    return made or subprocess.run(["git", "rev-parse", "HEAD"], cwd=top, capture_output=True, text=True, check=True).stdout.strip()


def look(top, tree, steps, cache, say):
    """Runs each step that was not run yet once, with counters: how long it takes and what it sees.  What was seen before is good for
    as long as the lines are the same.  Steps that fail as they are, are of no use."""
    seen = {}
    if os.path.exists(cache):
        with open(cache) as f:
            seen = json.load(f)
    missing = [s for s in steps if s.name not in seen and s.same_as == s.name]
    if missing:
        rev = _current(top)
        status, output = build(tree, missing, "cov")
        if status:
            sys.exit(output[-3000:] + "\nno build with coverage")
    for step in missing:
        for path in glob.glob(tree.file("build/cov/obj/**/*.gcda"), recursive=True):
            os.unlink(path)
        began = time.time()
        status, output = step.run(tree, 900, "cov")
        took = time.time() - began
        if status:
            fails = [line for line in output.split("\n") if line.startswith("FAIL ")]
            say(f"{step.name} fails without any change, and is left out: {(fails or [output[-300:]])[0]}")
            continue
        files = counters.read(tree.path, tree.file("build/cov"))
        lines = {p: sorted(n for n, c in f.runs.items() if c) for p, f in files.items()}
        seen[step.name] = {"seconds": took, "rev": rev, "lines": {p: n for p, n in lines.items() if n},
                           "code": {p: sorted(f.runs) for p, f in files.items()}}
        with open(cache, "w") as f:
            json.dump(seen, f)
        say(f"{step.name}: {took:.1f} s")
    if not any(was["lines"] for was in seen.values()):
        sys.exit("no step runs any line of the product: are the counters written?")
    moved = {rev: _moved(top, rev) for rev in {s["rev"] for s in seen.values()}}
    for step in steps:
        if step.same_as in seen:
            was = seen[step.same_as]
            step.seconds = was["seconds"] * (1 if step.same_as == step.name else 5)
            for kind in "lines", "code":
                for path, numbers in was[kind].items():
                    now = moved[was["rev"]].get(path)
                    getattr(step, kind)[path] = {now[n] for n in numbers if n in now} if now is not None else set(numbers)
    return [s for s in steps if s.same_as in seen]

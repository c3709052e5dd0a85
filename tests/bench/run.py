#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py: measures xvs beside libxenvchan, socketpair, memcpy, an event channel and a cache line.

On hosted Xen, in a temporary directory, everything side by side in one run; or, with --xen, on the real hypervisor in
QEMU (tests/xenlab), where only ratios mean anything.  Figures go to build/bench.json, a table to standard output, a page with plots, the
spread and earlier runs to build/bench.html, and each run by itself to build/bench.d, which `make clean` takes away."""

import argparse
import copy
import json
import os
import signal
import sys
import tempfile
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

from figures import agents, history, measures, page, report, xenlab  # noqa: E402
from figures.hosted import Failed, Missing  # noqa: E402

EXAMPLES = """examples:
  make bench BENCH=--quick              everything once with little data, some minutes
  make bench RUNS=3                     three whole runs, and which aims hold in each
  make bench BENCH='--only msgs_64b --placement two-cpus'
  tests/bench/run.py --table            the table of the figures that are there
"""


def parse():
    p = argparse.ArgumentParser(prog="run.py", description=__doc__, epilog=EXAMPLES,
                                formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--quick", action="store_true", help="one round, little data: to see that it works")
    p.add_argument("--placement", action="append", choices=measures.PLACEMENTS, help="only this one; may be given again")
    p.add_argument("--only", action="append", metavar="MEASURE",
                   help="only this one and what it is compared with; may be given again")
    p.add_argument("--runs", type=int, default=1, metavar="N", help="whole runs, one after the other (1)")
    p.add_argument("--rounds", type=int, metavar="N", help="of all measures (5)")
    p.add_argument("--scale", type=float, metavar="F", help="of the amounts in the programs (0.5)")
    p.add_argument("--json", metavar="FILE", default="build/bench.json", help="figures (build/bench.json)")
    p.add_argument("--html", metavar="FILE", help="page (the same name with .html)")
    p.add_argument("--history", metavar="DIR", help="each run by itself (the same name with .d); put those of other machines there, too")
    p.add_argument("--bin", metavar="DIR", default="build/release", help="where xvsd and the programs are (build/release)")
    p.add_argument("--xen", action="store_true", help="in the real Xen lab; its figures join those in the file")
    p.add_argument("--table", action="store_true", help="measure nothing: show the file")
    o = p.parse_args()
    o.rounds = o.rounds or (1 if o.quick else 5)
    o.inner = 1 if o.quick else 3
    o.scale = o.scale or (0.02 if o.quick else 0.5)
    o.html = o.html or os.path.splitext(o.json)[0] + ".html"
    o.history = o.history or os.path.splitext(o.json)[0] + ".d"
    if o.runs < 1:
        p.error("--runs: at least one")
    return o


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Figures:
    """All values, by what they are of."""

    def __init__(self):
        self.values, self.unit, self.left_out = {}, {}, {}
        self.failures = []

    def add(self, lines, placement):
        for line in lines:
            key = (line["measure"], line["subject"], placement)
            self.values.setdefault(key, []).extend(line["values"])
            self.unit[key] = line["unit"]

    def join(self, other):
        for key, values in other.values.items():
            self.values.setdefault(key, []).extend(values)
            self.unit[key] = other.unit[key]
        self.failures += other.failures

    def entries(self, platform_name):
        return [report.entry(measure, subject, placement, platform_name, values, self.unit[measure, subject, placement])
                for (measure, subject, placement), values in self.values.items()]


class Progress:
    """One line a step, and what went wrong."""

    def __init__(self, figures, total):
        self.figures, self.total, self.done = figures, total, 0

    def step(self, placement, measure, subject, function):
        self.done += 1
        where = f"[{self.done}/{self.total}] {placement} {measure} {subject}"
        try:
            lines = function()
        except Missing as missing:
            self.figures.left_out[measure] = str(missing)
            say(f"{where}: left out: {missing}")
            return
        except Failed as failed:
            self.figures.failures.append(f"{placement} {measure} {subject}: {failed}")
            say(f"{where}: FAILED: {failed}")
            return
        self.figures.add(lines, placement)
        say(f"{where}: " + ", ".join(f"{line['value']:.4g} {line['unit']}" for line in lines))


def chosen(tasks, only):
    return [task for task in tasks if not only or task[0] in measures.with_needs(only)]


def wants(only, *names):
    return not only or any(name in only for name in names)


def places(options):
    processors = measures.processors()
    names = options.placement or list(measures.PLACEMENTS)
    if len(processors) < 2 and "two-cpus" in names:
        say("there is only one processor: the placement two-cpus is left out")
        names = [name for name in names if name != "two-cpus"]
    return [measures.Placed(name, processors) for name in names]


def measure_hosted(options, work):
    figures = Figures()
    bench = measures.Bench(work, options, say)
    only = options.only
    try:
        bench.start()
        all_places = places(options)
        crowd = wants(only, "guests_200", "bytes_per_guest")
        usual = any(place.name == "scheduler" for place in all_places)
        theirs = chosen(agents.TASKS, only) if usual else []
        shells = usual and wants(only, "agent_idle", "agent_shells_100")
        plan = []
        for place in all_places:
            bench.at(place)
            plan.append((place, chosen(bench.tasks(), only)))
        total = options.rounds * sum(len(tasks) for _, tasks in plan)
        memory = wants(only, "bytes_per_idle_connection")
        total += memory + (crowd and 1 + options.rounds * 2 * len(plan)) + shells + options.rounds * len(theirs)
        progress = Progress(figures, total)
        for _ in range(options.rounds):
            for place, tasks in plan:
                bench.at(place)
                for task in tasks:
                    progress.step(place.name, *task)
        if memory:
            bench.at(measures.Placed("scheduler", measures.processors()))
            progress.step("scheduler", "bytes_per_idle_connection", "xvs", bench.memory)
        if crowd:
            progress.step("scheduler", "bytes_per_guest", "xvs", bench.start_big)
        if crowd and bench.big:
            for _ in range(options.rounds):
                for place in all_places:
                    bench.at(place)
                    for task in bench.crowd_tasks():
                        progress.step(place.name, *task)
        if theirs or shells:
            measure_agents(options, work, progress, theirs, shells)
    finally:
        bench.stop()
    return figures


def measure_agents(options, work, progress, tasks, shells):
    """What needs an agent, unpinned, as people have it."""
    guest = agents.Agents(work, options)
    try:
        if shells:
            progress.step("scheduler", "agent_idle", "xvs", guest.memory)
        for _ in range(options.rounds):
            for measure, subject, method in tasks:
                progress.step("scheduler", measure, subject, lambda method=method: method(guest))
    finally:
        guest.stop()


def load(path):
    try:
        with open(path, encoding="utf-8") as f:
            return json.load(f)
    except FileNotFoundError:
        return []


def merged(old, new, platform_name, partial):
    """New figures in place of old ones.  A whole run leaves none of its platform's old ones, so that all are of one run."""
    keys = {report.key(e) for e in new}
    return [e for e in old if (e["platform"] != platform_name or partial) and report.key(e) not in keys] + new


def write(path, entries):
    write_whole(path, "[\n" + ",\n".join("  " + json.dumps(e) for e in entries) + "\n]\n")


def write_whole(path, text):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".new", "w", encoding="utf-8") as f:
        f.write(text)
    os.replace(path + ".new", path)


def show(options, entries, notes, batch=None):
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    records = history.load(options.history)
    if not records:     # the figures are of a time before there was a history
        records = [{"batch": "-", "when": "-", "platform": "-", "partial": True, "machine": "a machine that nobody wrote down", "notes": [],
                    "entries": entries}]
    books = [report.Book(r["entries"]) for r in (history.of_batch(records, batch) if batch else history.shown(records)[0])]
    print(report.table(entries, notes, colour))
    if len(books) > 1:
        print("\n" + report.runs_table(books, colour))
    if entries:
        write_whole(options.html, page.render(entries, records))
    print(f"figures: {options.json}   page: {options.html}   each run: {options.history}")


def end(number, _frame):
    raise SystemExit(128 + number)


def main():
    options = parse()
    os.chdir(os.path.join(HERE, "..", ".."))
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)      # as an exception, so that everything is ended on the way out
    if options.table:
        show(options, load(options.json), [])
        return 0
    batch, platform_name = history.stamp(), "xen" if options.xen else "hosted"
    partial = bool(options.only or options.placement or options.quick)
    whole, notes = Figures(), []
    for n in range(options.runs):
        if options.runs > 1:
            say(f"run {n + 1} of {options.runs}")
        try:
            figures, said = one_run(options, platform_name)
        except Failed as failed:
            say(f"FAILED: {failed}")
            return 1
        except KeyboardInterrupt:
            return 130
        history.save(options.history, {"batch": batch, "when": history.stamp(), "platform": platform_name, "partial": partial,
                                       "machine": history.machine(), "notes": said, "entries": figures.entries(platform_name)})
        whole.join(figures)
        notes += said
    entries = merged(load(options.json), whole.entries(platform_name), platform_name, bool(options.only or options.placement))
    write(options.json, entries)
    show(options, entries, notes, batch)
    return 1 if whole.failures else 0


def one_run(options, platform_name):
    """All of it once: the figures, and what is to be said of them."""
    options, began, busy = copy.copy(options), time.time(), os.getloadavg()[0]      # the lab says there how it measured
    with tempfile.TemporaryDirectory(prefix="xvs-bench.", dir="/tmp") as work:
        figures = xenlab.measure(options, work, Figures(), say) if options.xen else measure_hosted(options, work)
    notes = [f"Taken on {platform_name} in {time.time() - began:.0f} s: {options.rounds} rounds of {options.inner} runs each, "
             f"scale {options.scale:g}; {history.machine()}."]
    if busy > 0.5 and not options.xen:
        notes.append(f"The machine was busy with other things (load {busy:.1f} at the start): these figures mean little.")
    notes += [f"Left out: {measure}: {why}." for measure, why in figures.left_out.items()]
    return figures, notes + [f"FAILED {failure}" for failure in figures.failures]


if __name__ == "__main__":
    sys.exit(main())

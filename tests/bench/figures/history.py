# SPDX-License-Identifier: MIT
"""Each run by itself, a file each in a folder that only grows: what a report compares with.  A batch is what one `make bench RUNS=N` has
taken; it has a time, by which its runs are known."""

import glob
import json
import os
import platform
import time

from . import measures


def machine():
    model = platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as f:
            model = next((line.split(":", 1)[1].strip() for line in f if line.startswith("model name")), model)
    except OSError:
        pass
    return f"{len(measures.processors())} processors, {model}, Linux {platform.release()}"


def stamp():
    return time.strftime("%Y-%m-%d %H:%M:%S")


def save(folder, record):
    """A name that sorts by time; two runs within a second have two."""
    os.makedirs(folder, exist_ok=True)
    name = record["when"].replace(" ", "T").replace(":", "")
    n = 0
    while os.path.exists(path := os.path.join(folder, f"{name}-{n}.json")):
        n += 1
    with open(path + ".new", "w", encoding="utf-8") as f:
        json.dump(record, f, indent=1)
    os.replace(path + ".new", path)


def load(folder):
    """All that there are, the oldest first.  What is no record is left out."""
    records = []
    for path in sorted(glob.glob(os.path.join(glob.escape(folder), "*.json"))):
        try:
            with open(path, encoding="utf-8") as f:
                record = json.load(f)
            if all(key in record for key in ("batch", "when", "platform", "partial", "machine", "notes", "entries")):
                records.append(record)
        except (OSError, ValueError, TypeError):
            continue
    return records


def of_batch(records, batch):
    return [r for r in records if r["batch"] == batch]


def shown(records):
    """The runs that a page is about, and all others: of each platform the last batch that measured everything, or the last if none did."""
    now = []
    for platform_name in sorted({r["platform"] for r in records}):
        mine = [r for r in records if r["platform"] == platform_name]
        last = ([r for r in mine if not r["partial"]] or mine)[-1]
        now += of_batch(mine, last["batch"])
    return now, [r for r in records if r not in now]

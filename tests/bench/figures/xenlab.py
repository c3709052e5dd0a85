# SPDX-License-Identifier: MIT
"""The figures of real Xen: xenjob.sh in the lab (tests/xenlab), where an emulated processor makes ratios the only thing to
compare."""

import glob
import json
import os
import subprocess

from . import measures
from .hosted import Failed

LAB = "tests/xenlab/lab"
JOB = "tests/bench/xenjob.sh"
DRIVER = "build/kernel/lab"     # `make kernel-lab`
NETBACK = "build/xenlab/pkgs/lib/modules/*[0-9]-amd64/kernel/drivers/net/xen-netback/xen-netback.ko"
SCALE = 0.01            # of --scale: the lab's processors are emulated


def measure(options, work, figures, say):
    out = os.path.join(work, "xen")
    rounds = 1 if options.quick else min(options.rounds, 3)
    runs = 1 if options.quick else 3
    scale = SCALE if options.quick else options.scale * 2 * SCALE
    # Beside the job: the guest's driver, and a network card's backend.  What is missing is not measured, and said.
    beside = [word for item in (DRIVER, *glob.glob(NETBACK)) if os.path.exists(item) for word in ("--add", item)]
    # Guest and dom0 run at the same instant, as they do on most hosts.
    command = [LAB, "run", "--processors", "2", "--bin", options.bin, "--bin", os.path.join(options.bin, "bench"), "--out", out,
               "--timeout", str(300 + 600 * rounds), *beside, JOB, str(rounds), str(runs), f"{scale:g}", *measures.with_needs(options.only or [])]
    options.rounds, options.inner, options.scale = rounds, runs, scale      # for the report
    say(" ".join(command))
    status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=2, check=False).returncode
    try:
        with open(os.path.join(out, "figures"), encoding="ascii") as f:
            figures.add([json.loads(line) for line in f], "scheduler")
        with open(os.path.join(out, "failures"), encoding="utf-8", errors="replace") as f:
            figures.failures += [f"xen {line.strip()}" for line in f]
    except FileNotFoundError:
        pass
    if status and not figures.failures:
        figures.failures.append(f"xen: the lab ended with status {status}")
    if not figures.values:
        raise Failed(figures.failures[0] if figures.failures else "the lab gave no figures")
    return figures

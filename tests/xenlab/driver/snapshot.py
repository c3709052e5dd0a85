# SPDX-License-Identifier: MIT
"""The host that every test starts from: dom0 with four live guests, saved once."""

import contextlib
import fcntl
import os
import shutil
import tempfile
import time

from . import images, machine, places, stamp
from .machine import Machine
from .problem import Problem

GUESTS = ("guest1", "guest2", "guest3", "guest4")

# Generous: a loaded machine emulates at a fraction of its speed.
BOOT_SECONDS = 600

_KEEP_RUNS_SECONDS = 3600


@contextlib.contextmanager
def lock(say, seconds=1500):
    """One build at a time; runs need no lock, each has a directory of its own."""
    os.makedirs(places.BUILD, exist_ok=True)
    with open(places.LOCK, "w") as f:
        deadline = time.monotonic() + seconds
        told = False
        while True:
            try:
                fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not told:
                    say("another build of the lab is under way, waiting for it")
                told = True
                if time.monotonic() > deadline:
                    raise Problem(f"another process has held {places.LOCK} for {seconds} s") from None
                time.sleep(0.1)
        yield


@contextlib.contextmanager
def workdir(keep=None):
    """A directory for one machine.  With 'keep' it is that one, and stays."""
    if keep:
        shutil.rmtree(keep, ignore_errors=True)
        os.makedirs(keep)
        yield os.path.abspath(keep)
        return
    os.makedirs(places.RUNS, exist_ok=True)
    _forget_old_runs()
    path = tempfile.mkdtemp(dir=places.RUNS)
    try:
        yield path
    except Problem:
        raise  # its report names the log in here
    else:
        shutil.rmtree(path, ignore_errors=True)


def _forget_old_runs():
    """What failed runs left to look at, and runs that were killed."""
    for name in os.listdir(places.RUNS):
        path = os.path.join(places.RUNS, name)
        with contextlib.suppress(FileNotFoundError):
            if time.time() - os.stat(path).st_mtime > _KEEP_RUNS_SECONDS:
                shutil.rmtree(path, ignore_errors=True)


def ensure(say, processors=1):
    """Images and snapshot, as new as their sources; returns where the snapshot is."""
    saved = places.snapshot(processors)
    arguments = machine.arguments(guests=GUESTS, processors=processors)
    with lock(say):
        images.build(say)
        # The images by their stamps: reading 100 MB for each run is not free.
        key = stamp.digest(*(product + ".stamp" for product in
                             (places.XEN, places.DOM0_KERNEL, places.DOM0_IMAGE)),
                           "text:" + " ".join(arguments),
                           places.lab("driver", "machine.py"))
        if stamp.current(saved, key):
            return saved
        say("taking a snapshot: booting Xen, dom0 and the guests (half a minute)")
        machine.check_disc(1024)
        start = time.monotonic()
        stamp.forget(saved)
        new = saved + ".new"
        with workdir(os.path.join(places.BUILD, "snapshot-boot")) as path:
            with Machine(path, arguments) as m:
                m.wait_for("LAB-READY", BOOT_SECONDS, "booting the lab")
                booted = time.monotonic()
                m.save(new)
        os.rename(new, saved)
        stamp.write(saved, key)
        say(f"booted in {booted - start:.1f} s, saved {os.path.getsize(saved) >> 20} MiB "
            f"in {time.monotonic() - booted:.1f} s")
        return saved

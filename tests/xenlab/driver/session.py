# SPDX-License-Identifier: MIT
"""Something done on a running lab: a job with its output and verdict, or a shell."""

import os
import select
import shutil
import subprocess
import sys
import termios
import time
import tty

from . import machine, places
from .linked import libraries
from .problem import Problem

# How long dom0 may take to say why a job is stuck.
_DIAGNOSIS_SECONDS = 45

_SANITIZERS = ("libasan", "libubsan")

_CTRL_CLOSE_BRACKET = b"\x1d"


def stage(workdir, binaries=(), job=None, extra=()):
    """Fills the folder that dom0 mounts.  Copies, so that a build on the host may go on meanwhile."""
    share = os.path.join(workdir, "share")
    for name in ("bin", "job", "out"):
        os.makedirs(os.path.join(share, name))
    for name in ("platform", "dom0"):
        shutil.copytree(places.lab(name), os.path.join(share, name))
    # The guest that few tests create (debian.cfg) is booted from here: dom0's memory, and the snapshot, go without it.
    os.link(places.DEBIAN_IMAGE, os.path.join(share, os.path.basename(places.DEBIAN_IMAGE)))
    for folder in binaries:
        _stage_binaries(folder, os.path.join(share, "bin"))
    script = None
    if job:
        if os.path.isdir(job):
            shutil.copytree(job, os.path.join(share, "job"), dirs_exist_ok=True)
            script = "main.sh"
        else:
            script = os.path.basename(job)
            shutil.copy(job, os.path.join(share, "job", script))
        if not os.access(os.path.join(share, "job", script), os.X_OK):
            raise Problem(f"{job}: {script} is not there or not executable")
    for item in extra:
        target = os.path.join(share, "job", os.path.basename(os.path.normpath(item)))
        if os.path.isdir(item):
            shutil.copytree(item, target, dirs_exist_ok=True)
        else:
            shutil.copy(item, target)
    return script


def _stage_binaries(folder, target):
    """Programs and shared libraries, not what else a build leaves there."""
    try:
        names = os.listdir(folder)
    except OSError as e:
        raise Problem(f"no binaries in {folder}: {e.strerror}") from e
    for name in names:
        path = os.path.join(folder, name)
        if not os.path.isfile(path):
            continue
        with open(path, "rb") as f:
            is_elf = f.read(4) == b"\x7fELF"
        if is_elf and (os.access(path, os.X_OK) or ".so" in name):
            _copy_program(path, os.path.join(target, name))
            _stage_sanitizers(path, target)


def _copy_program(path, copy):
    """Without debug information: two thirds of its bytes, and a byte that goes into a guest costs time in emulation."""
    if os.path.islink(path) or subprocess.run(["strip", "--strip-debug", "-o", copy, path]).returncode:
        shutil.copy(path, copy, follow_symlinks=False)


def _stage_sanitizers(path, target):
    """The libraries of the compiler's sanitizers are large, and only a build that has them needs them."""
    found, _ = libraries(path)
    if not any(name.startswith(_SANITIZERS) for name in found):
        return
    for name, source in found.items():
        if source and name.startswith(_SANITIZERS + ("libstdc++",)) and not os.path.exists(os.path.join(target, name)):
            _copy_program(os.path.realpath(source), os.path.join(target, name))


def _status(workdir):
    """The job's exit status, or None while it runs."""
    try:
        with open(os.path.join(workdir, "share", "out", "exit")) as f:
            return int(f.read())
    except FileNotFoundError:
        return None


class _Tail:
    """Passes on what is appended to a file that may not exist yet."""

    def __init__(self, path, out):
        self._path, self._out, self._at = path, out, 0

    def pump(self):
        try:
            with open(self._path, "rb") as f:
                f.seek(self._at)
                data = f.read()
        except FileNotFoundError:
            return
        self._at += len(data)
        self._out.write(data)
        self._out.flush()


def run_job(m, workdir, script, args, seconds):
    """Returns the job's exit status."""
    out = os.path.join(workdir, "share", "out")
    tail = _Tail(os.path.join(out, "log"), sys.stdout.buffer)
    deadline = time.monotonic() + seconds
    asked = False
    m.tell(" ".join(["job", script, *args]))
    while True:
        status = _status(workdir)
        tail.pump()
        if status is not None and not asked:
            return status
        if asked and (status is not None or time.monotonic() > deadline):
            print(f"lab: {script} did not end within {seconds} s", file=sys.stderr)
            raise Problem(f"timed out; the state of the host is in {out}/diagnosis" if status is not None else
                          "timed out, and dom0 does not answer either", m.serial_log)
        m.check_alive(script)
        if time.monotonic() > deadline:
            asked = True
            deadline = time.monotonic() + _DIAGNOSIS_SECONDS
            m.tell("diagnose")
        time.sleep(0.02)


def run_shell(m, workdir):
    """A dom0 shell on this terminal, until it exits or ctrl-] is typed."""
    if not sys.stdin.isatty():
        raise Problem("a shell needs a terminal")
    size = shutil.get_terminal_size()
    m.tell(f"shell {size.lines} {size.columns} {os.environ.get('TERM', 'vt100')}")
    saved = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        while _status(workdir) is None:
            m.check_alive("the shell")
            ready, _, _ = select.select([0, m.port], [], [], 0.2)
            if m.port in ready:
                os.write(1, m.port.recv(65536))
            if 0 in ready:
                keys = os.read(0, 1024)
                if not keys or _CTRL_CLOSE_BRACKET in keys:
                    break
                m.port.sendall(keys)
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, saved)
    print()
    return 0


def cold_cpu(features):
    return machine.CPU + ("," + features if features else "")

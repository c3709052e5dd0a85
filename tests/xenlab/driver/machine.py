# SPDX-License-Identifier: MIT
"""One QEMU with Xen in it: starting, waiting with deadlines, saving, and always ending.

QEMU dies with this process whatever kills it (PR_SET_PDEATHSIG), and leaving
the 'with' block ends it in every other case.  QMP and the second serial port
are socket pairs: no path, so nothing to clash, to clean up, or to be too long.
"""

import ctypes
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import time

from . import places
from .problem import Problem

QEMU = "qemu-system-x86_64"

_MEMORY_MIB = 2048
_XEN_OPTIONS = ("com1=115200,8n1 console=com1 dom0_mem=768M,max:768M dom0_max_vcpus=1 sched=credit "
                "spec-ctrl=no xpti=no conring_size=1m")
# conring_size: platform/leakcount reads long tables back from Xen's console.
_DOM0_OPTIONS = "console=hvc0 panic=1 quiet cryptomgr.notests nokaslr norandmaps"

# qemu64 is the model whose dom0 boots; without rdrand xl create waits three
# seconds for random numbers.
CPU = "qemu64,+rdrand"

# Lines on the serial console after which waiting is pointless.
_FATAL = ("LAB-FAILED:", "Kernel panic", "Panic on CPU", "Domain 0 crashed", "Hardware Dom0 crashed")

_PR_SET_PDEATHSIG = 1


def arguments(cpu=CPU, guests=(), processors=1):
    """What decides the machine's state, and so whether a snapshot fits it.

    Paths and file descriptors of a run are not among them; the images are named
    relative to build/xenlab, as -initrd cannot quote a space or a comma.  There is
    no 'noreboot' for Xen: with QEMU's -no-reboot, QEMU exits when dom0 crashes.
    With one processor, hosts that run at the same time hardly slow each other.
    """
    dom0 = f"{os.path.basename(places.DOM0_KERNEL)} {_DOM0_OPTIONS} lab.guests={'+'.join(guests)}"
    return ["-M", "pc", "-accel", "tcg,thread=multi", "-cpu", cpu, "-smp", str(processors), "-m", str(_MEMORY_MIB),
            "-display", "none", "-vga", "none", "-nodefaults", "-no-user-config", "-no-reboot",
            "-kernel", os.path.basename(places.XEN), "-append", _XEN_OPTIONS,
            "-initrd", f"{dom0},{os.path.basename(places.DOM0_IMAGE)}"]


class Machine:
    def __init__(self, workdir, args, restore=False):
        """'workdir' gets the serial log; its 'share' is what dom0 mounts over 9p."""
        self.serial_log = os.path.join(workdir, "serial.log")
        self._workdir = workdir
        self._args = args
        self._restore = restore
        self._process = None
        self._seen = 0  # bytes of the serial log that were looked through

    def __enter__(self):
        _check_memory()
        self._com2, com2 = socket.socketpair()
        self._qmp, qmp = socket.socketpair()
        share = os.path.join(self._workdir, "share")
        os.makedirs(share, exist_ok=True)
        command = [QEMU, *self._args,
                   "-chardev", f"file,id=com1,path={_quoted(self.serial_log)}", "-serial", "chardev:com1",
                   "-chardev", f"socket,id=com2,fd={com2.fileno()}", "-serial", "chardev:com2",
                   "-chardev", f"socket,id=qmp,fd={qmp.fileno()}", "-mon", "chardev=qmp,mode=control",
                   "-virtfs", f"local,id=host,path={_quoted(share)},mount_tag=host,security_model=none"]
        if self._restore:
            command += ["-incoming", "defer"]
        open(self.serial_log, "wb").close()
        with open(os.path.join(self._workdir, "qemu.log"), "wb") as log:
            self._process = subprocess.Popen(command, cwd=places.BUILD, stdin=subprocess.DEVNULL, stdout=log,
                                             stderr=log, pass_fds=[com2.fileno(), qmp.fileno()],
                                             start_new_session=True, preexec_fn=_die_with_parent)
        com2.close()
        qmp.close()
        self._qmp_lines = self._qmp.makefile("r")
        try:
            self._qmp_greet()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if self._process and self._process.poll() is None:
            # The group: the decompressor of a snapshot goes as well.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._com2.close()
        self._qmp.close()

    # The serial console

    def wait_for(self, line, seconds, what):
        """Until 'line' is on the serial console."""
        deadline = time.monotonic() + seconds
        while True:
            text = self._new_serial_text()
            if line in text:
                return
            for fatal in _FATAL:
                if fatal in text:
                    raise Problem(f"{what}: {text[text.index(fatal):].splitlines()[0].strip()}", self.serial_log)
            self.check_alive(what)
            if time.monotonic() > deadline:
                raise Problem(f"{what}: not within {seconds} s", self.serial_log)
            time.sleep(0.02)

    def check_alive(self, what):
        status = self._process.poll()
        if status is None:
            return
        with open(os.path.join(self._workdir, "qemu.log"), errors="replace") as f:
            said = f.read().strip()
        with open(self.serial_log, errors="replace") as f:
            said = said or next((line.strip() for line in f if any(fatal in line for fatal in _FATAL)), "")
        raise Problem(f"{what}: QEMU ended (status {status}){': ' + said if said else ''}", self.serial_log)

    def _new_serial_text(self):
        """Whole lines only, so that a line that is half written is looked at again."""
        with open(self.serial_log, "rb") as f:
            f.seek(self._seen)
            data = f.read()
        data = data[:data.rfind(b"\n") + 1]
        self._seen += len(data)
        return data.decode(errors="replace")

    # The second serial port: dom0 waits for a line there

    @property
    def port(self):
        return self._com2

    def tell(self, line):
        self._com2.sendall(line.encode() + b"\n")

    # QMP

    def _qmp_greet(self):
        try:
            self._qmp_read(60)
            self._qmp_command("qmp_capabilities")
        except (OSError, ValueError):
            self._process.wait(timeout=60)
            self.check_alive("starting QEMU")
            raise

    def _qmp_read(self, seconds):
        self._qmp.settimeout(seconds)
        line = self._qmp_lines.readline()
        if not line:
            raise ConnectionError("QEMU closed its monitor")
        return json.loads(line)

    def _qmp_command(self, command, seconds=120, **args):
        self._qmp.sendall(json.dumps({"execute": command, "arguments": args}).encode())
        while True:
            try:
                reply = self._qmp_read(seconds)
            except OSError as e:
                self.check_alive(command)
                raise Problem(f"QEMU does not answer to {command}: {e}", self.serial_log) from e
            if "error" in reply:
                raise Problem(f"QEMU refuses {command}: {reply['error']['desc']}", self.serial_log)
            if "return" in reply:
                return reply["return"]

    def _poll_migration(self, done, what, seconds):
        deadline = time.monotonic() + seconds
        while not done():
            self.check_alive(what)
            status = self._qmp_command("query-migrate").get("status")
            if status in ("failed", "cancelled"):
                raise Problem(f"{what}: QEMU's migration {status}", self.serial_log)
            if time.monotonic() > deadline:
                raise Problem(f"{what}: not within {seconds} s", self.serial_log)
            time.sleep(0.02)

    def save(self, path, seconds=300):
        """Writes the machine to a file and ends it."""
        self._qmp_command("stop")
        self._qmp_command("migrate-set-parameters", **{"max-bandwidth": 1 << 40})
        self._qmp_command("migrate", uri=f"exec:zstd -q -1 -T2 -f -o {shlex.quote(path)}")
        self._poll_migration(lambda: self._qmp_command("query-migrate").get("status") == "completed",
                             "saving the snapshot", seconds)
        self._qmp_command("quit")
        self._process.wait(timeout=seconds)

    def load(self, path, seconds=300):
        """The other way: afterwards the machine goes on where it was saved."""
        self._qmp_command("migrate-incoming", uri=f"exec:zstd -q -dc {shlex.quote(path)}")
        self._poll_migration(lambda: self._qmp_command("query-status")["status"] == "paused",
                             "restoring the snapshot", seconds)
        self._qmp_command("cont")


def _quoted(path):
    """As the value of a QEMU option."""
    return path.replace(",", ",,")


def _die_with_parent():
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _check_memory():
    with open("/proc/meminfo") as f:
        fields = dict(line.split(":") for line in f)
    available = int(fields["MemAvailable"].split()[0]) // 1024
    if available < _MEMORY_MIB + 512:
        raise Problem(f"the lab's machine takes {_MEMORY_MIB} MiB of memory and {available} MiB are available")


def check_disc(need_mib):
    free = shutil.disk_usage(places.BUILD).free >> 20
    if free < need_mib:
        raise Problem(f"{places.BUILD} needs {need_mib} MiB and has {free} MiB free")

# SPDX-License-Identifier: MIT
"""What people do with a guest's agent, beside what they would do without it: ssh and tar through streams of the same daemon."""

import os
import re
import shutil
import subprocess
import tempfile
import time

from .hosted import Failed, Host, Missing

AGENT, CAT, TAR, SSH = "web1", "web2", "web3", "web4"      # one program owns a guest's device
PORT = 5000
FILES = 10000
SHELLS = 100
MEMORY = "/dev/shm"


def _pss(pid, without):
    """Private memory and a share of what is shared, in bytes; mappings of files below a directory do not count."""
    total, counts = 0, True
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as f:
        for line in f:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                path = line.split(None, 5)[5].strip() if len(line.split(None, 5)) > 5 else ""
                counts = not path.startswith(without)
            elif counts and line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


class Agents:
    """A host of its own, with the agent in one guest and what it is compared with in others."""

    def __init__(self, work, options):
        self.options = options
        self.work = os.path.join(work, "agents.d")
        os.makedirs(self.work)
        self.small_work = tempfile.mkdtemp(prefix="xvs-bench.", dir=MEMORY if os.access(MEMORY, os.W_OK) else self.work)
        self.host = Host(work, "agents", options.bin, guests=(AGENT, CAT, TAR, SSH))
        self.host.start_daemon()
        self.agent = self.host.spawn(AGENT, ["xvs-agent", "-q", "-c", self._file("agent.conf", ""), "-s", self._folder("services.d")])
        self._dom0("xvs", "exec", "--retry", "30", "-n", AGENT, "--", "true")

    def stop(self):
        self.host.stop()
        for folder in (self.small_work, self.work):
            shutil.rmtree(folder, ignore_errors=True)

    def _path(self, name):
        return os.path.join(self.work, name)

    def _file(self, name, text):
        with open(self._path(name), "w", encoding="ascii") as f:
            f.write(text)
        os.chmod(self._path(name), 0o600)
        return self._path(name)

    def _folder(self, name):
        os.makedirs(self._path(name), exist_ok=True)
        return self._path(name)

    def _dom0(self, *command):
        """Runs a command in dom0 to its end: the seconds that it took."""
        child = self.host.spawn(0, command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        began = time.monotonic()
        try:
            _, err = child.communicate(timeout=300)
        except subprocess.TimeoutExpired as expired:
            raise Failed(f"{' '.join(command)}: no end after 300 s") from expired
        finally:
            self.host.end(child)
        if child.returncode:
            raise Failed(f"{' '.join(command)}: {err.strip() or f'status {child.returncode}'}")
        return time.monotonic() - began

    def _series(self, measure, unit, amount, once, again=lambda: None):
        """Some runs of it, as a rate; 'again' makes things as they were, in no one's time."""
        values = []
        for _ in range(self.options.inner):
            again()
            values.append(amount / once())
        return [{"measure": measure, "subject": "xvs", "value": sorted(values)[len(values) // 2], "unit": unit, "values": values}]

    def _serving(self, guest, *command):
        child = self.host.spawn(guest, ["xvs", "serve", "-q", str(PORT), "--", *command])
        self._dom0("sh", "-c", f"xvs cat --retry 30 {guest} {PORT} </dev/null >/dev/null")
        return child

    # ---- commands ----

    def _repeated(self, count, *command):
        words = " ".join(f"'{word}'" for word in command)
        return lambda: self._dom0("sh", "-c", f"n=0; while [ $n -lt {count} ]; do {words} </dev/null >/dev/null || exit; n=$((n + 1)); done")

    def commands(self):
        count = max(10, int(400 * self.options.scale))
        return self._series("exec_per_s", "1/s", count, self._repeated(count, "xvs", "exec", AGENT, "--", "true"))

    def ssh(self):
        """A new connection for each command, as 'xvs exec' has; sshd with as little to do as it can have."""
        sshd = shutil.which("sshd", path=os.environ["PATH"] + ":/usr/sbin")
        if not sshd:
            raise Missing("there is no sshd to compare with: apt-get install openssh-server")
        for name in ("host", "user"):
            if not os.path.exists(self._path(name)):
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", self._path(name)], check=True)
        conf = self._file("sshd.conf", f"HostKey {self._path('host')}\nAuthorizedKeysFile {self._path('user.pub')}\nStrictModes no\n"
                                       "PermitRootLogin yes\nUsePAM no\nPidFile none\n")
        server = self.host.spawn(SSH, ["xvs", "serve", "-q", "22", "--", sshd, "-i", "-f", conf])
        try:
            command = ["ssh", "-F", "none", "-i", self._path("user"), "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no",
                       "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-o", f"ProxyCommand=xvs cat --retry 30 {SSH} 22",
                       f"{os.environ.get('USER', 'root')}@{SSH}", "true"]
            self._dom0(*command)
            count = max(3, int(20 * self.options.scale))
            return self._series("ssh_per_s", "1/s", count, self._repeated(count, *command))
        finally:
            self.host.end(server)

    # ---- files ----

    def _large(self):
        path = self._path("large")
        piece, pieces = os.urandom(1 << 20), max(1, int(1024 * min(self.options.scale * 2, 1)))
        if not os.path.exists(path):
            with open(path, "wb") as f:
                for _ in range(pieces):
                    f.write(piece)
        return path, pieces * len(piece) / 1e6

    def _small(self):
        """Small files are made, copied and taken away in memory: a disk's file system takes from 30 to 300 us for each, as it
        likes, and more than both of those that are compared."""
        folder, count = os.path.join(self.small_work, "small"), FILES if self.options.scale >= 0.1 else FILES // 20
        if not os.path.isdir(folder):
            os.mkdir(folder)
            for n in range(count):
                with open(os.path.join(folder, f"file-{n}"), "wb") as f:
                    f.write(os.urandom(1024))
        return folder, count

    def _gone(self, name):
        if os.path.exists(self._path(name)):
            os.remove(self._path(name))

    def copy(self):
        large, megabytes = self._large()
        return self._series("copy_1g", "MB/s", megabytes, lambda: self._dom0("xvs", "cp", "--no-sync", large, f"{AGENT}:{self._path('landed')}"),
                            lambda: self._gone("landed"))

    def cat(self):
        large, megabytes = self._large()
        server = self._serving(CAT, "sh", "-c", f"cat >{self._path('catted')}")
        try:
            return self._series("cat_1g", "MB/s", megabytes, lambda: self._dom0("sh", "-c", f"exec xvs cat {CAT} {PORT} <{large}"),
                                lambda: self._gone("catted"))
        finally:
            self.host.end(server)

    def copy_files(self):
        small, count = self._small()
        landed = os.path.join(self.small_work, "landed")
        return self._series("copy_10k_files", "1/s", count, lambda: self._dom0("xvs", "cp", "--no-sync", small, f"{AGENT}:{landed}"),
                            lambda: shutil.rmtree(landed, ignore_errors=True))

    def tar_files(self):
        _, count = self._small()
        tarred = os.path.join(self.small_work, "tarred")
        server = self._serving(TAR, "sh", "-c", f"mkdir -p {tarred} && tar -xf - -C {tarred} 2>/dev/null; :")
        try:
            return self._series("tar_10k_files", "1/s", count,
                                lambda: self._dom0("sh", "-c", f"tar -cf - -C {self.small_work} small | xvs cat {TAR} {PORT}"),
                                lambda: shutil.rmtree(tarred, ignore_errors=True))
        finally:
            self.host.end(server)

    # ---- memory ----

    def _memory(self, measure):
        with open(f"/proc/{self.agent.pid}/task/{self.agent.pid}/children", encoding="ascii") as f:
            pids = [self.agent.pid] + [int(pid) for pid in f.read().split()]
        value = sum(_pss(pid, self.host.dir) for pid in pids)
        return {"measure": measure, "subject": "xvs", "value": value, "unit": "B", "values": [value]}

    def memory(self):
        """Before anything was copied, and with shells; these two together, and once."""
        lines = [self._memory("agent_idle")]
        shells = []
        try:
            for _ in range(SHELLS):
                shells.append(self.host.background(0, ["xvs", "exec", "-t", AGENT, "--", "sh", "-c", "echo ready; exec sleep 3600"])[0])
            lines.append(self._memory("agent_shells_100"))
        finally:
            for shell in shells:
                self.host.end(shell)
        return lines


# (measure, subject, method), in the order of a round.
TASKS = (("exec_per_s", "xvs", Agents.commands), ("ssh_per_s", "xvs", Agents.ssh),
         ("copy_1g", "xvs", Agents.copy), ("cat_1g", "xvs", Agents.cat),
         ("copy_10k_files", "xvs", Agents.copy_files), ("tar_10k_files", "xvs", Agents.tar_files))

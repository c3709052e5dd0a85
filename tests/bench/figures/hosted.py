# SPDX-License-Identifier: MIT
"""A hosted Xen with an xvsd in its dom0, and the measuring programs in its domains."""

import json
import os
import shutil
import socket
import subprocess
import threading
import time


class Failed(Exception):
    """A measurement did not come off; the text says why."""


class Missing(Exception):
    """What it would be compared with is not on this machine; the text says what to do."""


XENSIM = "build/xensim/bin/xensim"


def anonymous_bytes(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as f:
        for line in f:
            if line.startswith("Anonymous:"):
                return int(line.split()[1]) * 1024
    raise Failed("smaps_rollup has no line Anonymous")


class Host:
    """Its directory, its daemon, and what runs in it.  Everything ends with stop(), or with this process."""

    def __init__(self, work, name, binaries, guests=(), count=0):
        self.dir = os.path.join(work, name)
        self.bin = os.path.abspath(binaries)
        self.conf = os.path.join(work, name + ".conf")
        self.log = open(os.path.join(work, name + ".log"), "wb")
        self.children = []
        self.daemon = None
        self.up = False
        command = [XENSIM, "start", "--while", str(os.getpid())]
        command += ["--guests", str(count)] if count else []
        done = subprocess.run([*command, self.dir, *guests], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False)
        if done.returncode:
            raise Failed(f"hosted Xen does not start: {done.stderr.strip()}")
        self.up = True

    # ---- programs ----

    def spawn(self, domain, command, environment=(), **more):
        """Starts a command as a part of a domain.  'xensim run' becomes the command, so that its pid is the command's."""
        env = dict(os.environ, LD_LIBRARY_PATH=self.bin, PATH=f"{self.bin}:{self.bin}/bench:{os.environ['PATH']}")
        env.update(environment)
        child = subprocess.Popen([XENSIM, "run", "-d", str(domain), self.dir, "--", *command], env=env,
                                 stdin=subprocess.DEVNULL, **more)
        self.children.append(child)
        return child

    def end(self, child):
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        for pipe in (child.stdout, child.stderr):
            if pipe:
                pipe.close()
        if child in self.children:
            self.children.remove(child)

    def background(self, domain, command, environment=(), seconds=60):
        """A command that says "ready …" when it is: the child and the words behind "ready"."""
        child = self.spawn(domain, command, environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        killer = _Deadline(child, seconds)
        line = child.stdout.readline()
        killer.cancel()
        if not line.startswith("ready"):
            child.kill()
            why = child.stderr.read().strip()
            self.end(child)
            raise Failed(f"{' '.join(command)}: {why or f'not ready within {seconds} s'}")
        return child, line.split()[1:]

    def results(self, domain, command, environment=(), seconds=300):
        """Runs a measuring program to its end: the objects that it printed."""
        child = self.spawn(domain, command, environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        try:
            out, err = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as expired:
            raise Failed(f"{' '.join(command)}: no end after {seconds} s") from expired
        finally:
            self.end(child)
        if child.returncode:
            raise Failed(f"{' '.join(command)}: {err.strip() or f'status {child.returncode}'}")
        return [json.loads(line) for line in out.splitlines()]

    # ---- the daemon ----

    def start_daemon(self, **settings):
        self.configure(**settings)
        self.daemon = self.spawn(0, ["xvsd", "--config", self.conf], stdout=self.log, stderr=self.log)
        end = time.monotonic() + 20
        while True:
            try:
                return self.control("stats")
            except OSError:
                if self.daemon.poll() is not None or time.monotonic() > end:
                    raise Failed(f"xvsd does not start: see {self.log.name}") from None
                time.sleep(0.01)

    def configure(self, **settings):
        """Writes the daemon's settings; it reads them again if it runs."""
        lines = {"services": "yes", "max_connections": 65536, "log_level": "warning", **settings}
        with open(self.conf, "w", encoding="ascii") as f:
            f.write("[daemon]\n" + "".join(f"{key} = {value}\n" for key, value in lines.items()))
        policies = os.path.join(os.path.dirname(self.conf), "policy.d")
        os.makedirs(policies, exist_ok=True)
        with open(os.path.join(policies, "50-bench.policy"), "w", encoding="ascii") as f:
            f.write("* @any @any allow\n* @any @host allow\n* @host @any allow\n")
        if self.daemon:
            answer = self.control("reload")
            if not answer["ok"]:
                raise Failed(f"xvsd: {answer['error']}")

    def control(self, verb):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            s.connect(os.path.join(self.dir, "run", "dom0", "control.sock"))
            s.sendall(json.dumps({"verb": verb}).encode() + b"\n")
            with s.makefile("rb") as f:
                return json.loads(f.readline())

    def daemon_processes(self):
        """The keeper and those that it has started: the worker, which carries the bytes, and the dialer."""
        keeper = self.daemon.pid
        with open(f"/proc/{keeper}/task/{keeper}/children", encoding="ascii") as f:
            return [keeper] + [int(pid) for pid in f.read().split()]

    def pin_daemon(self, processors):
        for pid in self.daemon_processes():
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(thread), processors)

    def daemon_private_bytes(self):
        """Anonymous memory: what the daemon has of its own, without the guests' pages that it maps."""
        return sum(anonymous_bytes(pid) for pid in self.daemon_processes())

    def guest_socket(self, name):
        return os.path.join(self.dir, "run", "dom0", "guest", name, "vsock")

    def cid(self, name):
        for guest in self.control("ls")["guests"]:
            if guest["name"] == name:
                return guest["cid"]
        raise Failed(f"the daemon does not know {name}")

    def stop(self):
        for child in list(self.children):
            if child is not self.daemon:
                self.end(child)
        if self.daemon:
            self.end(self.daemon)
        if self.up:
            subprocess.run([XENSIM, "stop", self.dir], stdin=subprocess.DEVNULL, capture_output=True, check=False)
            self.up = False
        self.log.close()
        shutil.rmtree(self.dir, ignore_errors=True)


class _Deadline:
    """Kills a child whose first word is late."""

    def __init__(self, child, seconds):
        self._timer = threading.Timer(seconds, child.kill)
        self._timer.daemon = True
        self._timer.start()

    def cancel(self):
        self._timer.cancel()

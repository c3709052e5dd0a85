# SPDX-License-Identifier: MIT
"""tree.py: a copy of the project, in which changed programs run and can do no harm.

They run as root, and a changed daemon may remove, chmod or kill what it should not.  So each command runs in namespaces of its
own: no process but its own, no network, everything read-only but the copy and an empty /tmp, /run and /dev/shm; what it
started ends with it."""
import hashlib
import os
import shutil
import subprocess
import threading

INSIDE = "/run/tree"
SETUP = """mount --make-rprivate / && mount -t tmpfs none /run && mkdir /run/tree && mount --bind "$1" /run/tree &&
for m in / /home /root; do mount -o remount,bind,ro $m 2>/dev/null; done
mount -t tmpfs none /tmp && mount -t tmpfs none /dev/shm && cd /run/tree && shift && exec "$@"
"""


class Tree:
    def __init__(self, top, path):
        self.path = path
        self._sums = {}
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(os.path.join(path, "build"))
        files = subprocess.run(["git", "ls-files", "-z"], cwd=top, capture_output=True, check=True).stdout
        subprocess.run(["cp", "-a", "--parents", "-t", path] + [f for f in files.decode().split("\0") if f], cwd=top, check=True)
        # Not what has coverage: an object knows where its counters are to be written, and here that is another place.
        for part in "release", "asan", "xensim", "xen-utils":
            if os.path.isdir(os.path.join(top, "build", part)):
                subprocess.run(["cp", "-a", os.path.join(top, "build", part), os.path.join(path, "build")], check=True)
        # Many changes show by something that never comes: a test of this tree waits less long for it.
        self.write("tests/harness/harness.h", self.read("tests/harness/harness.h").replace("PATIENCE_MS 60000", "PATIENCE_MS 10000"))

    def file(self, name):
        return os.path.join(self.path, name)

    def read(self, name):
        with open(self.file(name)) as f:
            return f.read()

    def write(self, name, text):
        with open(self.file(name), "w") as f:
            f.write(text)

    def run(self, command, limit, env=None, until_failure=False):
        """(status, output).  124: it took longer than limit seconds.  until_failure: ends it at the first line "FAIL ...", and
        the status is then 1."""
        argv = ["unshare", "--mount", "--pid", "--net", "--ipc", "--fork", "--mount-proc", "--kill-child", "--",
                "sh", "-c", SETUP, "sh", self.path] + command
        p = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                             errors="replace", env=dict(os.environ, **(env or {})), preexec_fn=lambda: os.nice(10))
        over = threading.Event()

        def end():
            over.set()
            p.kill()

        timer = threading.Timer(limit, end)
        timer.start()
        output, failed = [], False
        for line in p.stdout:
            output.append(line)
            if until_failure and line.startswith("FAIL "):
                failed = True
                p.kill()
                break
        p.stdout.close()
        status = p.wait()
        timer.cancel()
        if over.is_set() and not failed:
            status = 124
        return 1 if failed else status, "".join(output)

    def make(self, targets, variant="release"):
        """Without the warnings: an unused variable is no reason for a change not to be tried."""
        return self.run(["make", "-j2", "--no-print-directory", f"VARIANT={variant}", "warnings="] + targets, 600)

    def objects(self):
        """{object: the sum of what would run}: without what is only for the debugger, such as line numbers."""
        sums = {}
        scratch = self.file("build/stripped.o")
        for folder, _, names in os.walk(self.file("build/release/obj")):
            if "/obj/tests" in folder:
                continue
            for name in names:
                if not name.endswith(".o"):
                    continue
                path = os.path.join(folder, name)
                stamp = os.stat(path).st_mtime_ns
                known = self._sums.get(path)
                if not known or known[0] != stamp:
                    subprocess.run(["objcopy", "--strip-debug", path, scratch], check=True)
                    with open(scratch, "rb") as f:
                        known = (stamp, hashlib.sha256(f.read()).hexdigest())
                sums[path] = known
        self._sums = sums
        return {path: known[1] for path, known in sums.items()}

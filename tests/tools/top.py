# SPDX-License-Identifier: MIT
"""top.py XVS: xvs top on a terminal that is none: its screens, its keys, sizes, and how it gives the terminal back at each of its ends.

Prints what is wrong and ends with 1.  The daemon is fake.py's.
"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time

XVS = sys.argv[1]
PATIENCE = 60
ENTER, LEAVE = b"\033[?1049h", b"\033[?1049l"


def between(command):
    """What a shell does with a command that is stopped: it says so, waits for a line, and lets it go on."""
    signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    pid = os.fork()
    if not pid:
        os.setpgid(0, 0)
        os.tcsetpgrp(0, os.getpgid(0))
        signal.signal(signal.SIGTTOU, signal.SIG_DFL)
        os.execv(command[0], command)
    while True:
        got = os.waitpid(pid, os.WUNTRACED)[1]
        if not os.WIFSTOPPED(got):
            return os.waitstatus_to_exitcode(got)
        os.tcsetpgrp(0, os.getpgid(0))
        os.write(1, b"\033[Hstopped, \033[J")
        os.read(0, 100)
        os.tcsetpgrp(0, pid)
        os.kill(pid, signal.SIGCONT)


class Terminal:
    """A program at a terminal of this size."""

    def __init__(self, *args, rows=24, columns=100, shell=False):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.out = b""
        self.pid = os.fork()
        if not self.pid:
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
            for fd in (0, 1, 2):
                os.dup2(slave, fd)
            os.environ.pop("NO_COLOR", None)
            os.environ["TERM"] = "xterm"
            if not shell:
                os.execv(XVS, [XVS, "top", *args])
            os._exit(between([XVS, "top", *args]))

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, keys):
        os.write(self.master, keys)

    def read(self, seconds):
        if select.select([self.master], [], [], seconds)[0]:
            self.out += os.read(self.master, 65536)

    def screen(self):
        """The last whole one, as lines of text."""
        frames = re.findall(rb"\033\[H(?!\033\[2J)(.*?)\033\[J", self.out, re.S)
        if not frames:
            return []
        text = re.sub(rb"\033\[[0-9;]*m", b"", frames[-1])
        return [line.replace(b"\033[K", b"").decode() for line in re.split(rb"\r+\n", text)]

    def shows(self, what):
        """Waits until a screen has this."""
        end = time.monotonic() + PATIENCE
        while not any(what in line for line in self.screen()):
            if time.monotonic() > end:
                sys.exit("no '%s' on the screen:\n%s" % (what, "\n".join(self.screen()) or self.out))
            self.read(0.2)

    def ends(self, status):
        """It ends so, and the terminal is as it was."""
        end = time.monotonic() + PATIENCE
        while True:
            pid, got = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > end:
                os.kill(self.pid, signal.SIGKILL)
                sys.exit("it does not end")
            self.read(0.05)
        while select.select([self.master], [], [], 0)[0]:
            self.out += os.read(self.master, 65536)
        if os.waitstatus_to_exitcode(got) != status:
            sys.exit("it ended with %d, not %d:\n%s" % (os.waitstatus_to_exitcode(got), status, self.out))
        self.is_given_back()
        os.close(self.master)
        os.close(self.slave)

    def is_given_back(self):
        if self.out.count(ENTER) != self.out.count(LEAVE) or self.out.rfind(ENTER) > self.out.rfind(LEAVE):
            sys.exit("it stays on the other screen: %r" % self.out[-300:])
        if self.out.rfind(b"\033[?25l") > self.out.rfind(b"\033[?25h"):
            sys.exit("the cursor stays hidden")
        if termios.tcgetattr(self.slave) != self.before:
            sys.exit("the terminal's settings are not what they were")


# Its keys, from page to page.
t = Terminal("--delay", "0.2")
t.shows("guests by bytes both ways")
t.shows("web1")
t.type(b"n")
t.shows("guests by name")
t.type(b"R")
t.shows("by name, reversed")
t.type(b"?")
t.shows("stand still")
t.type(b"\033")
t.shows("guests by name")
t.type(b"R\033[B\033[B\r")
t.shows("streams by name")
t.type(b"\177a")
t.shows("streams by name")
t.type(b"q")
t.ends(0)

# Whatever the size, each line fits, and another size takes effect at once.
for rows, columns in ((24, 80), (6, 40), (50, 200), (5, 30)):
    t = Terminal("--delay", "60", rows=10, columns=120)
    t.shows("REFUSED/s")
    t.out = ENTER
    t.resize(rows, columns)
    t.shows("xvs top")
    lines = t.screen()
    if len(lines) > rows or max(len(line) for line in lines) > columns:
        sys.exit("%d columns and %d rows in %d and %d:\n%s" % (max(map(len, lines)), len(lines), columns, rows, "\n".join(lines)))
    t.type(b"q")
    t.ends(0)

# The terminal is given back whoever ends it.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
    t = Terminal("--delay", "60")
    t.shows("web1")
    os.kill(t.pid, number)
    t.ends(0)
t = Terminal("--delay", "60")
t.shows("web1")
t.type(b"\003")
t.ends(0)

# …and while it is stopped; then it goes on.  A program whose parent is of another session cannot be stopped: there is a shell between.
t = Terminal("--delay", "60", shell=True)
t.shows("web1")
t.type(b"\032")
t.shows("stopped, ")
t.is_given_back()
t.out = b""
t.type(b"go on\n")
t.shows("web1")
t.type(b"q")
t.ends(0)

# An end by itself.
t = Terminal("--count", "2", "--delay", "0.1")
t.ends(0)

# SPDX-License-Identifier: MIT
# term.py NAME AGENT DIR: xvs exec and xvs shell on a terminal of ours.
import fcntl, os, pty, select, signal, struct, sys, termios, time

agent, where = int(sys.argv[2]), sys.argv[3]


class Terminal:
    def __init__(self, *argv, rows=33, columns=77):
        self.ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.before = termios.tcgetattr(self.theirs)
        self.said = b""
        self.pid = os.fork()
        if self.pid == 0:
            os.setsid()
            fcntl.ioctl(self.theirs, termios.TIOCSCTTY, 0)
            for fd in range(3):
                os.dup2(self.theirs, fd)
            os.environ["TERM"] = "vt100"
            os.execvp(argv[0], argv)

    def until(self, what):
        end = time.monotonic() + 60
        while what not in self.said:
            assert time.monotonic() < end, "no %r in %r" % (what, self.said)
            if select.select([self.ours], [], [], 1)[0]:
                self.said += os.read(self.ours, 4096)
        self.said = self.said.partition(what)[2]

    def type(self, keys):
        os.write(self.ours, keys)

    def status(self):
        """How it ended; what it says meanwhile is read, or it could not."""
        end = time.monotonic() + 60
        while True:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            assert time.monotonic() < end, "it does not end"
            if select.select([self.ours], [], [], 0.01)[0]:
                self.said += os.read(self.ours, 4096)

    def has_heard(self, number):
        """It has taken the signal that was sent: a second one before that would be none."""
        end = time.monotonic() + 60
        while True:
            with open("/proc/%d/status" % self.pid) as f:
                waiting = [int(line.split()[1], 16) for line in f if line.startswith(("SigPnd:", "ShdPnd:"))]
            if not any(mask >> number - 1 & 1 for mask in waiting):
                return
            assert time.monotonic() < end, "it does not take signal %d" % number
            time.sleep(0.01)

    def is_restored(self):
        assert termios.tcgetattr(self.theirs) == self.before, "the modes are others"

    def is_raw(self):
        end = time.monotonic() + 60
        while termios.tcgetattr(self.theirs)[3] & termios.ICANON:
            assert time.monotonic() < end, "it does not become raw"
            time.sleep(0.01)


def a_terminal_has_a_size_and_follows_the_window():
    t = Terminal("xvs", "exec", "-it", "web1", "--", "sh", "-c",
                 "trap 'stty size; exit 9' WINCH; stty size; tty; echo TERM=$TERM; while :; do sleep 0.01; done")
    t.until(b"33 77\r\n")
    t.until(b"/dev/pts/")
    t.until(b"TERM=vt100")
    fcntl.ioctl(t.ours, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 132, 0, 0))
    t.until(b"40 132\r\n")
    assert t.status() == 9
    t.is_restored()


def keys_are_the_commands_and_control_c_is_a_signal():
    t = Terminal("xvs", "shell", "web1")
    t.type(b"echo a$((1+1))c\r")
    t.until(b"a2c\r\n")
    # It says that it runs, for what is typed behind a control-C before that would be thrown away with it.
    t.type(b"sh -c 'echo g$((0))o; exec sleep 1000'\r")
    t.until(b"g0o\r\n")
    t.type(b"\x03")
    t.type(b"echo status=$?\r")
    t.until(b"status=130\r\n")
    t.type(b"\rexit 6\r")
    assert t.status() == 6
    t.is_restored()


def the_terminal_is_restored_after_the_end():
    t = Terminal("xvs", "exec", "-it", "web1", "--", "sh", "-c", "echo go; read x; exit 4")
    t.until(b"go")
    t.is_raw()
    t.type(b"\r")
    assert t.status() == 4
    t.is_restored()
    t = Terminal("xvs", "exec", "-it", "web1", "--", "no-such-command")
    assert t.status() == 127
    t.is_restored()


def the_terminal_is_restored_after_tilde_dot():
    t = Terminal("xvs", "exec", "-it", "web1", "--", "sh", "-c", "trap '' HUP; echo go; sleep 432109")
    t.until(b"go")
    t.is_raw()
    t.type(b"\r~")
    t.type(b".")
    assert t.status() == 125
    t.is_restored()


def the_terminal_is_restored_after_a_signal():
    t = Terminal("xvs", "exec", "-it", "web1", "--", "sh", "-c", "trap '' HUP TERM INT; echo go; sleep 1000")
    t.until(b"go")
    t.is_raw()
    # Three, and each is heard of before the next.
    while True:
        os.kill(t.pid, signal.SIGTERM)
        time.sleep(0.05)
        pid, status = os.waitpid(t.pid, os.WNOHANG)
        if pid:
            break
    assert os.waitstatus_to_exitcode(status) == -signal.SIGTERM
    t.is_restored()


def the_terminal_is_restored_when_the_agent_is_gone():
    t = Terminal("xvs", "exec", "-it", "web1", "--", "sh", "-c", "echo go; sleep 1000")
    t.until(b"go")
    t.is_raw()
    os.kill(agent, signal.SIGKILL)
    assert t.status() == 125
    t.is_restored()


def a_tilde_within_a_line_is_a_tilde():
    t = Terminal("xvs", "exec", "-it", "web1", "--", "sh", "-c", "stty -echo; echo go; read x; echo \"got<$x>\"; read x; echo \"got<$x>\"")
    t.until(b"go")
    t.is_raw()
    t.type(b"a~.b\r")
    t.until(b"got<a~.b>")
    t.type(b"~~.\r")
    t.until(b"got<~.>")
    assert t.status() == 0


def a_terminal_that_hangs_up_ends_the_command():
    t = Terminal("xvs", "exec", "-it", "web1", "--", "sh", "-c", "trap 'echo x >%s/hung-up; exit' HUP; echo go; while :; do sleep 0.01; done" % where)
    t.until(b"go")
    t.is_raw()
    os.close(t.theirs)
    os.close(t.ours)
    end = time.monotonic() + 60
    while not os.path.exists(where + "/hung-up"):
        assert time.monotonic() < end, "the command lives"
        time.sleep(0.01)


def control_c_is_for_the_command_of_freeze_and_a_second_one_ends_both():
    t = Terminal("xvs", "freeze", "--for", "100", "web1", "--", "sh", "-c",
                 "n=0; trap 'n=$((n+1)); echo int' INT; echo go; until read x; do :; done; echo count=$n; until read x; do :; done")
    t.until(b"go\r\n")
    t.type(b"\x03")
    t.until(b"int\r\n")
    t.has_heard(signal.SIGINT)
    t.type(b"\r")
    t.until(b"count=1\r\n")
    t.type(b"\x03")
    assert t.status() == -signal.SIGINT


globals()[sys.argv[1]]()

# SPDX-License-Identifier: MIT
# bad.py NAME [AGENT]: a caller that breaks a rule; ends with 0 if the agent did what it should.
import json, os, random, resource, select, socket, subprocess, sys, time
from raw import *

agent = int(sys.argv[2]) if len(sys.argv) > 2 else 0


def memory(what="VmRSS"):
    return int(next(line for line in open("/proc/%d/status" % agent) if line.startswith(what)).split()[1])


def error_of(c):
    out, err, end = c.to_the_end()
    assert end and end[0] == "error" and end[1] == 125, end
    return end[2]


def frames_that_do_not_fit_are_answered_with_what_is_wrong():
    def after_start(act, **more):
        c = exec_("sleep", "1000", **more)
        act(c)
        return error_of(c)

    for words, act, more in (
        ("unknown type 0", lambda c: c.frame(0), {}),
        ("unknown type 200", lambda c: c.frame(200, b"x" * 100), {}),
        ("START for the second time", lambda c: c.start("true"), {}),
        ("STDOUT from the wrong end", lambda c: c.frame(STDOUT, b"x"), {}),
        ("EXIT from the wrong end", lambda c: c.frame(EXIT, b"\0" * 12), {}),
        ("DATA from the wrong end", lambda c: c.frame(DATA, b"x"), {}),
        ("STDIN of 65537 bytes", lambda c: c.frame(STDIN, b"", length=65537), {}),
        ("STDIN of 4294967295 bytes", lambda c: c.frame(STDIN, b"", length=0xffffffff), {}),
        ("SIGNAL of 0 bytes", lambda c: c.frame(SIGNAL), {}),
        ("SIGNAL of a number that is no signal's", lambda c: c.frame(SIGNAL, struct.pack("<I", 0)), {}),
        ("SIGNAL of a number that is no signal's", lambda c: c.frame(SIGNAL, struct.pack("<I", 65)), {}),
        ("SIGNAL of a number that is no signal's", lambda c: c.frame(SIGNAL, struct.pack("<i", -9)), {}),
        ("RESIZE, and there is no terminal", lambda c: c.frame(RESIZE, struct.pack("<HH", 24, 80)), {}),
        ("RESIZE to no rows or no columns", lambda c: c.frame(RESIZE, struct.pack("<HH", 65535, 0)), {"tty": [24, 80]}),
        ("RESIZE of 5 bytes", lambda c: c.frame(RESIZE, b"12345"), {"tty": [24, 80]}),
        ("reserved bytes", lambda c: c.frame(STDIN, b"x", reserved=b"\0\1\0"), {}),
        ("STDIN after the end", lambda c: (c.frame(STDIN), c.frame(STDIN, b"x")), {"stdin": True}),
    ):
        said = after_start(act, **more)
        assert words in said, (words, said)
    c = Caller("exec")
    c.frame(STDIN, b"x")
    assert "before the first one, START" in error_of(c)
    # The greatest window that there can be is one.
    c = exec_("stty", "size", tty=[24, 80])
    c.frame(RESIZE, struct.pack("<HH", 65535, 65535))
    assert c.to_the_end()[2] == ("exit", 0, 0)


def a_start_that_is_none_is_answered_with_what_is_wrong():
    for body, words in (
        (b"[" * 60000, "levels"), (b'{"argv":' + b"[" * 30000, "levels"), (b"{}", "no command"), (b'{"argv":[]}', "no command"),
        (b'{"argv":[""]}', "empty"), (b'{"argv":["\xff\xfe"]}', "no JSON"), (b'{"argv":["a\\u0000b"]}', "no JSON"),
        (b"\0\0\0\0", "no JSON"), (b'{"argv":["true"]', "no JSON"), (b'{"argv":["true"],"x":1}', "unknown word"),
        (b'{"argv":["true"],"tty":[1,2,3]}', "tty"), (b'{"argv":["true"],"timeout":1e99}', "timeout"),
        (b'{"argv":["true"],"detach":true,"tty":[1,2]}', "left alone"),
        (json.dumps({"argv": ["true"], "user": "x" * 60000}).encode(), "there is no user"),
        (json.dumps({"argv": ["true"], "user": "root\n"}).encode(), "there is no user"),
        (json.dumps({"argv": ["true"], "user": ""}).encode(), "there is no user"),
        (json.dumps({"argv": ["true"], "cwd": "x" * 60000}).encode(), "cannot enter"),
    ):
        c = Caller("exec")
        c.frame(START, body)
        said = error_of(c)
        assert words in said, (body[:40], words, said)
    # A name so long that no file can have it, and arguments up to the last byte of a frame.
    c = exec_("x" * 60000)
    assert c.to_the_end()[2][0:2] in (("error", 126), ("error", 127))
    body = json.dumps({"argv": ["true", ""]}).encode()
    c = Caller("exec")
    c.frame(START, json.dumps({"argv": ["true", "x" * (65536 - len(body))]}).encode())
    assert c.to_the_end()[2] == ("exit", 0, 0)
    c = exec_(*["true"] + ["x"] * 13000)
    assert c.to_the_end()[2] == ("exit", 0, 0)


def a_name_that_is_none_is_refused_at_once():
    for name in (b"x" * 65536, b"../exec\r\n", b"\r\n", b"exec+a b\r\n", b"\0\r\n", b"exec\rx", b"GET / HTTP/1.1\r\n", b"a" * 65 + b"\r\n"):
        c = Caller()
        try:
            c.s.sendall(name)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert c.line().startswith(b"-"), name[:20]
        assert not c.more()
    c = Caller("nosuch")
    assert c.answer == b"-nosuch: there is no such service\r", c.answer


def a_caller_that_overruns_its_room_is_told():
    c = exec_("sleep", "1000", stdin=True)
    c.frame(STDIN, b"x" * 65536)
    c.frame(STDIN, b"x" * 65536)
    # The first is within its room, and a part of it in the pipe; of the second too much is not.
    assert "more STDIN than there was ROOM for" in error_of(c)


def half_open_connections_are_bounded():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    before, other, all_, refused = memory(), exec_("cat", stdin=True), [], 0
    for i in range(10000):
        try:
            all_.append(Caller())
            all_[-1].s.sendall(b"e")
        except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError, OSError):
            refused += 1
    # Whoever has begun before goes on.
    other.frame(STDIN, b"x")
    other.frame(STDIN)
    assert other.to_the_end()[0] == b"x"
    assert refused, "10,000 have a place"
    assert memory() - before < 16384, (before, memory())
    # Each is told and closed when its time is over, ten seconds after it was heard.
    assert all_[0].line() == b"-no service was named in time\r"
    for c in all_:
        c.close()
    end = time.monotonic() + 100
    while True:
        try:
            assert exec_("true").to_the_end()[2] == ("exit", 0, 0)
            return
        except (ConnectionRefusedError, AssertionError):
            assert time.monotonic() < end


def sessions_are_bounded():
    """max_sessions is 8."""
    all_ = [exec_("cat", stdin=True) for _ in range(8)]
    one = Caller("exec")
    assert one.answer.startswith(b"-exec: the agent has as many sessions as it may have, 8"), one.answer
    for c in all_:
        c.frame(STDIN)
        assert c.to_the_end()[2] == ("exit", 0, 0)
        c.close()
    end = time.monotonic() + 100
    while not Caller("exec").answer.startswith(b"+"):
        assert time.monotonic() < end


def a_caller_that_does_not_read_holds_up_itself():
    before = memory()
    deaf = [exec_("cat", "/dev/zero") for _ in range(20)]
    for c in deaf:
        while not select.select([c.s], [], [], 100)[0]:
            pass
    for i in range(20):
        assert exec_("echo", "x").to_the_end()[0] == b"x\n"
    assert memory() - before < 8192, (before, memory())


def random_bytes_hurt_nobody():
    dice = random.Random(14)
    for i in range(300):
        c = Caller("exec") if i % 3 else Caller()
        try:
            if i % 3 == 2:
                c.start("cat", stdin=True)
            for _ in range(dice.randrange(1, 4)):
                c.s.sendall(dice.randbytes(dice.choice((1, 8, 100, 5000))))
        except (BrokenPipeError, ConnectionResetError):
            pass
        if i % 2:
            c.close()
        else:
            c.s.shutdown(socket.SHUT_WR)
            while c.more():
                pass


def an_end_amid_a_frame_ends_the_command():
    c = exec_("sh", "-c", "echo $$; trap '' HUP; while :; do sleep 0.1; done", stdin=True)
    pid = int(c.next()[1])
    c.frame(STDIN, b"x", length=1000)
    c.close()
    end = time.monotonic() + 100
    while os.path.exists("/proc/%d" % pid):
        assert time.monotonic() < end
        time.sleep(0.01)


def a_million_small_frames_leave_nothing_behind():
    before = memory()
    c = exec_("sh", "-c", "exec cat >/dev/null", stdin=True)
    one = struct.pack("<IB3x", 1, STDIN) + b"x"
    room, sent = 65536, 0
    while sent < 1000000:
        n = min(room, 5000)
        c.s.sendall(one * n)
        room -= n
        sent += n
        while room < 5000 or select.select([c.s], [], [], 0)[0]:
            kind, body = c.next()
            if kind != ROOM:    # the command has closed its output
                assert kind == STDOUT and not body
                continue
            room += struct.unpack("<I", body)[0]
    c.frame(STDIN)
    assert c.to_the_end()[2] == ("exit", 0, 0)
    assert memory() - before < 4096, (before, memory())


def a_hostile_agent():
    for lie, words in (("long", "STDOUT of 4294967295 bytes"), ("type", "unknown type 77"), ("wrong-end", "STDIN from the wrong end"),
                       ("exit", "makes no sense"), ("exit-short", "EXIT of 1 bytes"), ("status", "makes no sense"),
                       ("error", "makes no sense"), ("error-escapes", "?[31mred??"), ("room", "more than there can be"),
                       ("after-the-end", "STDOUT after the end"), ("silence", "went away"), ("half", "went away")):
        p = subprocess.run(["xvs", "exec", "--wait", "60", "web1", "--", lie], stdin=subprocess.DEVNULL, capture_output=True, timeout=100)
        assert p.returncode == 125, (lie, p)
        assert words in p.stderr.decode(), (lie, p.stderr)


globals()[sys.argv[1]]()

# SPDX-License-Identifier: MIT
# broker.py NAME [ARGUMENT...]: programs of web1 that use the agent's sockets themselves, some of them as another user and hostile; ends
# with 0 if all was as it should be.
import os, resource, select, socket, stat, struct, subprocess, sys, threading, time

RUN = os.environ["XVS_RUN_DIR"]
NOBODY = 65534


def as_nobody():
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def line(s):
    got = b""
    while not got.endswith(b"\n"):
        more = s.recv(1)
        if not more:
            break
        got += more
    return got


def knock(text=b""):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(100)
    s.connect(RUN + "/vsock")
    if text:
        s.sendall(text)
    return s


def call(where, word="CONNECT"):
    s = knock(("%s %s\n" % (word, where)).encode())
    answer = line(s)
    if not answer.startswith(b"OK "):
        raise ConnectionRefusedError(answer)
    return s, int(answer[3:])


def rest(s):
    got = b""
    while True:
        more = s.recv(65536)
        if not more:
            return got
        got += more


def listen(port, backlog=16):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(100)
    s.bind("%s/vsock_%d" % (RUN, port))
    s.listen(backlog)
    return s


def say(word):
    print(word, flush=True)


def calls_and_hears_the_echo(*wheres):
    for where in wheres:
        s, number = call(where)
        s.sendall(b"hello")
        s.shutdown(socket.SHUT_WR)
        assert rest(s) == b"hello", where
    # In pieces, in small letters, with a carriage return, and with bytes behind it: all as in dom0.
    s = knock()
    for byte in b"connect 0501\r\nx":
        s.sendall(bytes([byte]))
    assert line(s).startswith(b"OK ")
    s.shutdown(socket.SHUT_WR)
    assert rest(s) == b"x"


def is_called(port):
    """By the host; once."""
    l = listen(int(port))
    say("listens")
    s, _ = l.accept()
    name = s.getpeername()
    name = name if isinstance(name, str) else name.decode()
    # This guest's CID, the caller's CID and port, the number.
    assert name.startswith("\0xvs/101/2:"), repr(name)
    got = rest(s)
    s.sendall(b"<" + got + b">")
    s.close()
    l.close()
    os.unlink("%s/vsock_%s" % (RUN, port))


def is_called_at_a_name_that_comes_first(port):
    """As where bind() is slow: a name that is no good yet when the agent, which stands still, gets to see it."""
    path = "%s/vsock_%s" % (RUN, port)
    l = listen(int(port))
    os.link(path, RUN + "/another")
    say("set")
    sys.stdin.readline()
    os.unlink(RUN + "/another")
    s, _ = l.accept()
    s.sendall(b"<" + rest(s) + b">")
    s.close()
    os.unlink(path)


def echo_of_a_thousand():
    """In dom0, at port 520."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    l = socket.socket(socket.AF_UNIX)
    l.bind(RUN + "/guest/web1/vsock_520")
    l.listen(1024)
    poll, streams, begun = select.epoll(), {}, 0
    poll.register(l, select.EPOLLIN)
    while begun < 1000 or streams:
        for fd, _ in poll.poll():
            if fd == l.fileno():
                s, _ = l.accept()
                streams[s.fileno()] = s
                poll.register(s, select.EPOLLIN)
                begun += 1
                continue
            got = streams[fd].recv(65536)
            if got:
                streams[fd].sendall(got)
            else:
                streams.pop(fd).close()


def a_thousand():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    all_ = []
    for i in range(1000):
        s, _ = call("2:520")
        all_.append(s)
    for i, s in enumerate(all_):
        s.sendall(b"%06d" % i * 100)
    for i, s in enumerate(all_):
        s.shutdown(socket.SHUT_WR)
    for i, s in enumerate(all_):
        assert rest(s) == b"%06d" % i * 100, i


def what_is_no_line_is_closed_without_a_word():
    for text in (b"CONNECT x\n", b"GET / HTTP/1.1\r\n", b"CONNECT 1:2:3\n", b"x" * 100, b"CONNECT 2:\n", b"\n", b"WHY x\n",
                 b"CONNECT 4294967296\n", b"CONNECT 1 \n"):
        s = knock(text)
        try:
            assert rest(s) == b"", text
        except ConnectionResetError:
            pass
    assert line(knock(b"WATCH 77\n")) == b"UNKNOWN 77\n"
    assert line(knock(b"VOUCH 0\n")) == b"UNKNOWN 0\n"
    assert line(knock(b"CALL 4999\n")) == b"REFUSED port nobody\n"
    assert line(knock(b"CONNECT 4999\n")) == b""


def who_was_refused_may_ask_why():
    assert line(knock(b"CONNECT 2:4998\n")) == b"" and line(knock(b"CONNECT 4711:1\n")) == b""
    # Of one host port: it is the host's if no CID is said.
    for text in b"WHY 4998\n", b"why 2:4998\r\n":
        s = knock(text)
        assert rest(s) == b"REFUSED 4998 nobody\n", text
    assert rest(knock(b"WHY 4711:1\n")) == b"REFUSED 1 unknown\n"
    assert rest(knock(b"WHY 102:4998\n")) == b"UNKNOWN 4998\n"


def who_was_let_in_since_is_not_refused_any_more():
    """For the user: the very process that was refused hears of it still."""
    if os.fork() == 0:
        os._exit(0 if line(knock(b"CONNECT 2:4996\n")) == b"" else 1)
    assert os.wait()[1] == 0
    assert rest(knock(b"WHY 4996\n")) == b"REFUSED 4996 nobody\n"
    assert line(knock(b"CONNECT 2:4996\n")) == b""
    say("refused")
    sys.stdin.readline()
    call("2:4996")[0].close()
    assert rest(knock(b"WHY 4996\n")) == b"REFUSED 4996 nobody\n"
    if os.fork() == 0:
        os._exit(0 if rest(knock(b"WHY 4996\n")) == b"UNKNOWN 4996\n" else 1)
    assert os.wait()[1] == 0


def who_was_refused_is_another_users_secret():
    assert line(knock(b"CONNECT 2:4997\n")) == b""
    if os.fork() == 0:
        as_nobody()
        os._exit(0 if rest(knock(b"WHY 4997\n")) == b"UNKNOWN 4997\n" else 1)
    assert os.wait()[1] == 0


def ends_with_reset(s):
    """What came before, or None: it is an end of file."""
    got = b""
    while True:
        try:
            more = s.recv(65536)
        except ConnectionResetError:
            return got
        if not more:
            return None
        got += more


def a_stream_that_is_cut_is_a_reset_for_who_only_reads():
    """Port 530: says a word, and fails; 531: says a word.  532 reads a line, and fails; 533 reads on, and fails at the end."""
    s, _ = call("530")
    assert ends_with_reset(s) == b"word\n", "cut"
    s, _ = call("531")
    assert rest(s) == b"word\n", "in order"
    s, _ = call("531")
    s.shutdown(socket.SHUT_WR)
    assert rest(s) == b"word\n", "in order, both ways"
    # It sends more than anybody takes: whether all of that has left its socket at that moment nobody can say.
    s, _ = call("532")
    try:
        s.sendall(b"x\n" + bytes(64 << 20))
        raise AssertionError("the host has taken 64 MiB of nothing")
    except BrokenPipeError:
        ends_with_reset(s)
    except ConnectionResetError:
        pass
    # What it has sent is taken: an end of file, as in dom0.
    s, number = call("533")
    w = knock(b"WATCH %d\n" % number)
    assert line(w)
    s.sendall(b"x\n")
    s.shutdown(socket.SHUT_WR)
    assert rest(s) == b""
    assert line(w) == b"ENDED %d reset by the program at the other end (status 3)\n" % number


def the_agents_end_is_a_reset():
    s, _ = call("501")
    say("has")
    assert ends_with_reset(s) == b""


def a_call_beyond_the_share_is_told_so():
    """max_connections is 8."""
    all_ = [call("501") for i in range(8)]
    assert line(knock(b"CALL 501\n")) == b"REFUSED daemon limit\n"
    assert line(knock(b"CONNECT 501\n")) == b"" and line(knock(b"WHY 501\n")) == b"REFUSED 501 limit\n"
    assert subprocess.run(["xvs", "cat", "host", "501"], stdin=subprocess.DEVNULL).returncode == 12
    for s, _ in all_:
        s.shutdown(socket.SHUT_WR)
        assert rest(s) == b""


def a_full_backlog():
    """In dom0."""
    where = RUN + "/guest/web1/vsock_540"
    s, c = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    s.bind(where)
    s.listen(0)
    c.connect(where)
    say("full")
    sys.stdin.readline()
    os.unlink(where)


def nobody_cat():
    """xvs cat as another user, who may not use the device nor the broker."""
    as_nobody()
    os.execvp("xvs", ["xvs", "cat", "host", "501"])


def a_stream_is_known_to_its_user_alone():
    s, number = call("501")
    assert line(knock(b"WATCH %d\n" % number)) == b"WATCHING %d\n" % number
    if os.fork() == 0:
        as_nobody()
        ok = line(knock(b"VOUCH %d\n" % number)) == b"UNKNOWN %d\n" % number
        v = knock(b"WATCH %d\n" % number)
        os._exit(0 if ok and line(v) == b"UNKNOWN %d\n" % number else 1)
    assert os.wait()[1] == 0
    watching = knock(b"WATCH %d\n" % number)
    assert line(watching) == b"WATCHING %d\n" % number
    s.sendall(b"x")
    s.shutdown(socket.SHUT_WR)
    assert rest(s) == b"x"
    assert line(watching) == b"ENDED %d order\n" % number
    # And afterwards, for a while.
    assert line(knock(b"WATCH %d\n" % number)) == b"ENDED %d order\n" % number


def who_vouches_and_goes_ends_the_stream():
    """Each kind of going; the other end is port 502, which ends with status 0 only if it has read an end in order."""
    def begin():
        s, number = call("502", "CALL")
        s.sendall(b"part")
        v = knock(b"VOUCH %d\n" % number)
        assert line(v) == b"WATCHING %d\n" % number
        return s, v, number

    s, v, number = begin()
    s.shutdown(socket.SHUT_WR)
    v.sendall(b"END\n")
    assert rest(s) == b"" and line(v) == b"ENDED %d order\n" % number, "order"
    s, v, number = begin()
    w = knock(b"WATCH %d\n" % number)
    assert line(w)
    v.close()
    assert line(w).startswith(b"ENDED %d reset" % number), "the one who vouches goes"
    assert rest(s) == b""
    s, v, number = begin()
    v.sendall(b"RESET status 3\n")
    s.shutdown(socket.SHUT_WR)
    assert line(v) == b"ENDED %d reset by this guest's program (status 3)\n" % number, "a command that failed"
    # Nobody vouches although somebody was to.
    s, number = call("502", "CALL")
    w = knock(b"WATCH %d\n" % number)
    assert line(w)
    s.close()
    assert line(w).startswith(b"ENDED %d reset" % number), "nobody has vouched"


def what_is_silent_is_bounded():
    """Another user opens all that he can; root is served, and what said nothing is closed in time."""
    if os.fork() == 0:
        as_nobody()
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        all_ = []
        for i in range(2000):
            s = socket.socket(socket.AF_UNIX)
            s.setblocking(False)
            try:
                s.connect(RUN + "/vsock")
            except BlockingIOError:
                s.close()
                continue
            all_.append(s)
        say("full")
        sys.stdin.readline()
        for s in all_:
            s.settimeout(100)
            try:
                if s.recv(1):
                    os._exit(1)
            except (ConnectionResetError, BrokenPipeError):
                pass
        say("closed")
        os._exit(0)
    assert os.wait()[1] == 0


def streams_have_a_share():
    """max_connections is 64: another user gets half of them and no more, and root more still."""
    if os.fork() == 0:
        as_nobody()
        all_ = []
        try:
            while len(all_) < 100:
                all_.append(call("501")[0])
        except (ConnectionRefusedError, ConnectionResetError, BrokenPipeError):
            pass
        say("has %d" % len(all_))
        sys.stdin.readline()
        os._exit(0 if 20 <= len(all_) <= 33 else 1)
    assert os.wait()[1] == 0


def listens_as_nobody(port):
    as_nobody()
    l = listen(int(port))
    say("listens")
    s, _ = l.accept()
    uid = struct.unpack("3i", s.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[1]
    s.sendall(b"uid %d" % uid)
    s.close()
    sys.stdin.readline()


def may_not_connect():
    as_nobody()
    for path in (RUN + "/vsock",):
        try:
            socket.socket(socket.AF_UNIX).connect(path)
        except PermissionError:
            continue
        raise AssertionError("it is open to all")
    try:
        listen(8080)
    except PermissionError:
        return
    raise AssertionError("anybody may listen")


def cannot_touch_what_is_not_his():
    as_nobody()
    for act in (lambda: os.unlink(RUN + "/vsock"), lambda: os.rename(RUN + "/vsock", RUN + "/x"), lambda: os.unlink(RUN + "/device-0.lock"),
                lambda: os.chmod(RUN + "/vsock", 0o777), lambda: open(RUN + "/device-0.lock")):
        try:
            act()
        except PermissionError:
            continue
        raise AssertionError("he can")


def names_that_are_traps():
    """What stands at these ports is none of the user's listeners; the one elsewhere must hear nobody."""
    elsewhere = socket.socket(socket.AF_UNIX)
    elsewhere.bind("elsewhere.sock")
    elsewhere.listen(5)
    os.chmod("elsewhere.sock", 0o777)
    os.symlink(os.path.abspath("elsewhere.sock"), RUN + "/vsock_8001")
    os.link("elsewhere.sock", RUN + "/vsock_8002")
    os.mkfifo(RUN + "/vsock_8003")
    os.mkdir(RUN + "/vsock_8004")
    open(RUN + "/vsock_8005", "w").close()
    moved = socket.socket(socket.AF_UNIX)
    moved.bind("moved.sock")
    moved.listen(5)
    os.rename("moved.sock", RUN + "/vsock_8006")
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(RUN + "/vsock_8007")
    left = listen(8008)
    left.close()
    listen_zero = socket.socket(socket.AF_UNIX)
    listen_zero.bind(RUN + "/vsock_08009")
    listen_zero.listen(5)
    say("set")
    sys.stdin.readline()
    elsewhere.setblocking(False)
    try:
        elsewhere.accept()
    except BlockingIOError:
        pass
    else:
        raise AssertionError("somebody was connected elsewhere")
    # The kernel tells whence it is only to who is connected: such a listener sees one that ends at once.
    moved.settimeout(1)
    try:
        s, _ = moved.accept()
    except TimeoutError:
        pass
    else:
        assert s.recv(1) == b""
    for port in range(8001, 8009):
        path = RUN + "/vsock_%d" % port
        os.rmdir(path) if port == 8004 else os.unlink(path)
    os.unlink(RUN + "/vsock_08009")


globals()[sys.argv[1]](*sys.argv[2:])

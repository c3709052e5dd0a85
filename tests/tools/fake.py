# SPDX-License-Identifier: MIT
"""fake.py RUN_DIR: a daemon that is none, for the tests of the command.

RUN/control.sock answers as xvsd does (or wrongly, as the file RUN/mood says), RUN/guest/web1/vsock speaks
Firecracker's convention, and each port there is one way in which a peer behaves; those from 20 on are ways in which the daemon
answers VOUCH; at 20 it knows neither that nor CALL, and those from 30 on are refusals of a CALL.  Prints "ready" when it listens.
"""
import itertools
import json
import os
import socket
import struct
import sys
import threading
import time

RUN = sys.argv[1]
BIG = 4 << 20
tries = {}


def send_all(s, data):
    try:
        s.sendall(data)
        return True
    except OSError:
        return False


def read_end(s):
    data = b""
    while True:
        piece = s.recv(65536)
        if not piece:
            return data
        data += piece


def echo(s):
    while True:
        piece = s.recv(65536)
        if not piece or not send_all(s, piece):
            return


def echo_then_bye(s):
    """What follows the half-close proves that the other direction stayed open."""
    echo(s)
    send_all(s, b"bye\n")


def both_full(s):
    """Writes all before it reads anything: a client that waits in one direction never ends."""
    send_all(s, b"x" * BIG)
    s.shutdown(socket.SHUT_WR)
    read_end(s)


def count(s):
    send_all(s, b"%d\n" % len(read_end(s)))


def count_and_tell(s):
    """That something has come, by a file "come"."""
    s.recv(1, socket.MSG_PEEK)
    open("come", "w").close()
    count(s)


def read_ten(s):
    s.recv(10)


def wrong_echo(s):
    while True:
        piece = s.recv(65536)
        if not piece or not send_all(s, b"z" * len(piece)):
            return


def idle(s):
    read_end(s)


def say_and_wait(s):
    """Half-closes first, and expects the client to go on sending."""
    send_all(s, b"early\n")
    s.shutdown(socket.SHUT_WR)
    with open(os.path.join(RUN, "late"), "wb") as f:
        f.write(read_end(s))
    os.rename(os.path.join(RUN, "late"), os.path.join(RUN, "late.done"))


def hello_and_close(s):
    send_all(s, b"hello\n")


def five_and_an_end(s, stream):
    """The end of the client's data must not be there before the daemon watches; the data may."""
    data = b""
    while len(data) < 5:
        data += s.recv(5)
    stream.filled.set()
    s.recv(1)
    send_all(s, b"5\n" if stream.vouched.is_set() else b"too early\n")


def half_and_close(s):
    """What a stream that was cut off looks like to a program that has sent all it has."""
    read_end(s)
    send_all(s, b"half\n")


def reset_with_data(s):
    """Its program reads ECONNRESET behind the data, and that before it hears how the stream ended."""
    send_all(s, b"half\n")
    s.recv(1, socket.MSG_PEEK)
    s.close()


# ---- how streams ended ----------------------------------------------------------------------------------

class Stream:
    """One that a client has; 'over' is set when its handler has returned."""
    numbers = itertools.count(1 << 30)
    known = {}

    def __init__(self, port=0, number=None):
        self.number = next(self.numbers) if number is None else number
        self.port = port
        self.over = threading.Event()
        self.vouched = threading.Event()
        self.filled = threading.Event()
        self.known[self.number] = self


def say_end(s, stream, how):
    send_all(s, b"ENDED %d %s\n" % (stream.number, how))


def vouched(s, stream):
    send_all(s, b"WATCHING %d\n" % stream.number)
    stream.vouched.set()


def ends(how):
    """Says so, once the stream is over."""
    def handler(s, stream):
        vouched(s, stream)
        stream.over.wait()
        say_end(s, stream, how)

    return handler


in_order = ends(b"order")
cut_off = ends(b"cut the daemon \x1b[31mstops")
left_unread = ends(b"unread the guest's program did not read everything")
failed = ends(b"reset by the guest's program (status 28)")
killed_there = ends(b"reset by the guest's program (signal 9)")
strange = ends(b"reset by the guest's program (moonshine 7)")


def killed(s, stream):
    vouched(s, stream)
    stream.over.wait()


def older(s, stream):
    """A daemon that has never heard of VOUCH."""


def restarted(s, stream):
    send_all(s, b"UNKNOWN %d\n" % stream.number)


def nonsense(s, stream):
    send_all(s, b"GOOD DAY\n")
    stream.over.wait()


def endless(s, stream):
    send_all(s, b"x" * 1000)
    stream.over.wait()


def late_and_slow(s, stream):
    """Byte by byte, and after the client has sent all its data."""
    stream.filled.wait()
    stream.vouched.set()
    for c in b"WATCHING %d\n" % stream.number:
        send_all(s, bytes([c]))
    stream.over.wait()
    for c in b"ENDED %d order\n" % stream.number:
        send_all(s, bytes([c]))


def waits_for_end(s, stream):
    """The end of the client's data is told here, too, and before that there is no order."""
    vouched(s, stream)
    line = b""
    while not line.endswith(b"\n"):
        c = s.recv(1)
        if not c:
            return
        line += c
    stream.over.wait()
    say_end(s, stream, b"order" if line == b"END\n" else b"reset by nonsense")


def is_told_late(s, stream):
    """Nobody can vouch for it before there is a file "go"; what is said then is in a file "said"."""
    while not os.path.exists("go"):
        time.sleep(0.01)
    send_all(s, b"WATCHING %d\n" % stream.number)
    line = b""
    while not line.endswith(b"\n"):
        c = s.recv(1)
        if not c:
            break
        line += c
    with open("said.new", "wb") as f:
        f.write(line)
    os.rename("said.new", "said")


VOUCH = {10: left_unread, 20: older, 21: cut_off, 22: killed, 23: restarted, 24: nonsense, 25: late_and_slow, 26: waits_for_end,
         27: left_unread, 28: endless, 40: failed, 41: killed_there, 42: strange, 43: failed, 45: is_told_late}


OK = b"OK 7\n"
Stream(number=7).over.set()
Stream(port=45, number=8)       # one that a guest has: a test calls with it
AFTER_OK = {1: echo_then_bye, 7: echo, 8: both_full, 9: idle, 10: read_ten, 13: wrong_echo, 14: count,
            15: say_and_wait, 16: hello_and_close, 20: count, 21: half_and_close, 22: half_and_close, 23: count, 24: count,
            25: count, 26: count, 27: count, 28: count, 40: count, 41: count, 42: count, 43: reset_with_data, 46: count_and_tell}
RAW = {3: [OK + b"hello\n"], 4: [bytes([c]) for c in OK + b"hello\n"], 5: [b"NO\n"],
       12: [b"OK " + b"1" * 60 + b"\n"], 17: [b"OK -1\n"], 18: [b"OK 1"]}


REFUSED = {2: b"port", 30: b"time", 31: b"guest", 32: b"daemon", 33: b"what", 34: b"policy", 35: b"port nobody", 36: b"port backlog",
           37: b"daemon short", 38: b"guest left", 39: b"port moonshine 7", 44: b"daemon rate"}
# What WHY says of those who said CONNECT.
WHY = {2: b"nobody", 34: b"policy", 36: b"backlog"}


def talk(s):
    line = b""
    while not line.endswith(b"\n") and len(line) < 32:
        c = s.recv(1)
        if not c:
            return
        line += c
    word, port = line.split()
    port = int(port)
    if word == b"VOUCH":
        stream = Stream.known.get(port)
        if stream:
            VOUCH.get(stream.port, in_order)(s, stream)
        else:
            send_all(s, b"UNKNOWN %d\n" % port)
        return
    if word == b"WHY":
        send_all(s, b"REFUSED %d %s\n" % (port, WHY[port]) if port in WHY else b"UNKNOWN %d\n" % port)
        return
    assert word in (b"CONNECT", b"CALL")
    if word == b"CALL" and port == 20:
        return
    if word == b"CALL" and port in REFUSED:
        send_all(s, b"REFUSED %s\n" % REFUSED[port])
        return
    if port in AFTER_OK:
        stream = Stream(port)
        s.sendall(b"OK %d\n" % stream.number)
        if port == 25:
            five_and_an_end(s, stream)
        else:
            AFTER_OK[port](s)
        # What the daemon closes, it closes before it says that it is over, or behind: both are tried.
        if stream.number % 2:
            s.shutdown(socket.SHUT_RDWR)
        stream.over.set()
    elif port in RAW:
        for piece in RAW[port]:
            send_all(s, piece)
    elif port == 6:
        s.recv(1)               # never a word
    elif port == 11:
        tries[port] = tries.get(port, 0) + 1
        if tries[port] > 3:
            stream = Stream(port)
            s.sendall(b"OK %d\n" % stream.number)
            echo(s)
            stream.over.set()


def serve(listener, handler):
    def one(s):
        with s:
            try:
                handler(s)
            except OSError:
                pass

    while True:
        s, _ = listener.accept()
        threading.Thread(target=one, args=(s,), daemon=True).start()


SAYS = {"in use": "in use", "idle": "attached, no program has it open", "opening": "a program is opening it", "refused": "refused: "}


def guest(name, domid, cid, use="in use", **more):
    return {"name": name, "domid": domid, "device": 0, "cid": cid, "use": use, "says": SAYS[use] + (more.get("error", "") if use == "refused" else ""),
            "state": "Connected" if use == "in use" else "Closed", "connections": 3,
            "from_guest": {"packets": 10, "bytes": 1234567}, "to_guest": {"packets": 5, "bytes": 89},
            "notifications": {"sent": 4, "received": 6}, "held": {"packets": 0, "bytes": 0},
            "dir": os.path.join(RUN, "guest", more.pop("where", name)), "error": "", **more}


GUESTS = [guest("web1", 5, 42), guest("db1", 6, 43, "refused", error="bad \x1b[31mthing"),
          guest("od\x1bd name", 7, 44, where="odd"),
          # Namesakes: the directory says whose the name is; where there is none, the newest is meant.
          guest("twin", 8, 45, "idle", where=":8"), guest("twin", 9, 46, where="twin"), guest("twin", 10, 47, "refused", where=":10", error="it broke a rule"),
          guest("My VM", 11, 48, where=":11"), guest("My VM", 12, 49, where=":12")]


STREAMS = [{"local": {"cid": 2, "port": 1024}, "peer": {"cid": 42, "port": 50}, "says": "10 bytes of the guest's wait for the host's program, which does not read"},
           {"local": {"cid": 2, "port": 51}, "peer": {"cid": 42, "port": 7777}, "says": ""}]


def answer(request):
    verb = request.get("verb")
    if verb == "ls":
        return {"ok": True, "version": "0", "guests": GUESTS}
    if verb == "stats":
        return {"ok": True, "version": "0", "guests": 3}
    if verb == "metrics":
        return {"ok": True, "daemon": {"version": "0", "guests": 3, "uptime_ms": 1500}, "guests": GUESTS}
    if verb in ("attach", "detach", "dump"):
        allowed = {"attach": {"domain", "device", "cid"}, "detach": {"domain", "device", "all"}, "dump": {"domain"}}[verb]
        if set(request) - allowed - {"verb"}:
            return {"ok": False, "error": verb + ": unknown key"}
        found = [g for g in GUESTS if request["domain"] in (g["name"], str(g["domid"]), ":%d" % g["domid"])]
        if not found:
            return {"ok": False, "error": verb + ": there is no domain " + request["domain"]}
        if verb == "attach":
            return {"ok": True, "guest": dict(found[0], cid=request.get("cid", 42), device=request.get("device", 0))}
        if verb == "detach" and request["domain"] == "db1" and not {"device", "all"} & set(request):
            return {"ok": False, "error": "detach: db1 has 2 devices, 0 3: name one of them (--device), or ... (--all)"}
        if verb == "detach":
            return {"ok": True, "devices": [0, 3] if "all" in request else [request.get("device", 0)]}
        return {"ok": True, "guests": [dict(g, streams=STREAMS if g["name"] == "web1" else []) for g in found]}
    if verb == "reload":
        return {"ok": True} if not os.path.exists(os.path.join(RUN, "bad")) else {"ok": False, "error": "reload: /x:3: it is allow or deny"}
    if verb == "policy" and "source" in request:        # the text is the question
        question = {key: value for key, value in request.items() if key != "verb"}
        line = {"file": "/p/5.policy", "line": 7, "text": json.dumps(question, sort_keys=True)}
        return {"ok": True, "allowed": request["port"] < 100, **(line if request["port"] != 99 else {})}
    if verb == "policy":
        return {"ok": True, "lines": [{"file": "/p/5\x1b[31m", "line": 1, "text": "1 a b allow"}, {"file": "/p/6", "line": 22, "text": "* @any @any deny"}]}
    return {"ok": False, "error": "no such verb"}


def record(kind, seconds, seen, dropped, op=0, data=b"", ports=(0, 0), reason=0):
    """As common/wire/tapif.h has it."""
    captured = data + b"\0" * (-len(data) % 8)
    cids = ((42, 2), (2, 42), (0, 0))[kind]
    return struct.pack("<IIQQQBBBxQQIIIHHIII", 80 + len(captured), len(data), seconds * 10 ** 9, seen, dropped, kind, reason, 0,
                       *cids, *ports, len(data), 1, op, 0, 0, 0) + captured


def capture(s, request):
    with open(os.path.join(RUN, "captured"), "w") as f:
        json.dump(request, f, sort_keys=True)
    name = request["domain"]
    if name == "nosuch":
        send_all(s, b'{"ok":false,"error":"capture: there is no domain nosuch with a device"}\n')
        return
    send_all(s, b'{"ok":true,"snap":0}\n' + record(0, 1, 1, 0, op=1, ports=(1, 5)))
    if name == "7":
        send_all(s, b"nonsense" * 100)
    if name == "endless":
        s.settimeout(0.01)
        while True:
            try:
                if not s.recv(1):
                    break
            except TimeoutError:
                if not send_all(s, record(0, 2, 2, 0, op=5, ports=(1, 5))):
                    return
        send_all(s, record(2, 9, 2, 0))
    if name in ("web1", "od"):
        send_all(s, record(0, 2, 2, 0, op=5, data=b"abc", ports=(2, 5)) + record(1, 3, 5, 2, op=3, ports=(5, 1), reason=3) +
                 record(2, 4, 5, 2))


EVENT = {"time": "1970-01-01T00:00:01.500000Z", "us": 1500000, "event": "refuse", "guest": "we\x1b[31mb1", "domid": 5, "device": 0, "cid": 42,
         "from": {"cid": 42}, "to": {"cid": 2, "port": 5}, "reason": "policy", "code": 3, "text": "may not reach the host", "rule": "a\nb"}


def events(s, request):
    """The first of its guests says what it will be like."""
    with open(os.path.join(RUN, "subscribed"), "w") as f:
        json.dump(request, f, sort_keys=True)
    name = request.get("guests", [""])[0]
    if name == "nosuch":
        send_all(s, b'{"ok":false,"error":"events: no"}\n')
        return
    plain = {"time": "x", "us": 2000001, "event": "new", "guest": "od", "device": 3}
    many = [EVENT, {"time": "x", "us": 0, "event": "reload", "text": "read again"}, plain, {**EVENT, "event": "reset", "by": "guest", "from": 7}]
    bad = {"list": b"[]", "nonsense": b"{", "noevent": b'{"time":"x","us":1}', "negative": b'{"time":"x","us":-1,"event":"a"}', "long": b"x" * 70000}
    send_all(s, b'{"ok":true}\n' + b"".join(json.dumps(e).encode() + b"\n" for e in many) + (bad[name] + b"\n" if name in bad else b""))
    if name == "endless":
        while send_all(s, json.dumps(EVENT).encode() + b"\n"):
            time.sleep(0.001)
    if name == "quiet":
        while s.recv(100):
            pass


def status(s):
    control(s, {"ls", "stats", "metrics", "dump", "events"})


def control(s, only=None):
    data = b""
    while b"\n" not in data:
        piece = s.recv(65536)
        if not piece:
            return
        data += piece
    try:
        with open(os.path.join(RUN, "mood")) as f:
            mood = f.read().strip()
    except OSError:
        mood = ""
    if mood == "hangup":
        return
    if mood == "nonsense":
        s.sendall(b"{\"ok\": tru\n")
    elif mood == "list":
        s.sendall(b"[1]\n")
    elif mood == "nolist":
        s.sendall(b"{\"ok\":true,\"guests\":7}\n")
    elif mood == "types":
        s.sendall(b'{"ok":true,"guests":[{"name":7,"cid":"x","from_guest":[],"state":null},[],3,null]}\n')
    elif mood == "bytes":
        for c in json.dumps(answer(json.loads(data))).encode() + b"\n":
            s.sendall(bytes([c]))
    elif mood == "deep":
        s.sendall(b"[" * 100000 + b"\n")
    elif json.loads(data).get("verb") == "capture":
        capture(s, json.loads(data))
    elif json.loads(data).get("verb") == "events":
        events(s, json.loads(data))
    elif only and json.loads(data)["verb"] not in only:
        denied = {"ok": False, "denied": True, "error": json.loads(data)["verb"] + ": this socket only tells; ask at control.sock, as root"}
        s.sendall(json.dumps(denied).encode() + b"\n")
    else:
        s.sendall(json.dumps(answer(json.loads(data))).encode() + b"\n")


def listen(path):
    s = socket.socket(socket.AF_UNIX)
    s.bind(path)
    s.listen(64)
    return s


for d in ("guest/web1", "guest/odd", "guest/gone", "guest/twin", "guest/:8", "guest/:10", "guest/:12", "cid"):
    os.makedirs(os.path.join(RUN, d), exist_ok=True)
os.symlink("../guest/web1", os.path.join(RUN, "cid/42"))
for path, handler in (("guest/web1/vsock", talk), ("guest/odd/vsock", talk), ("guest/:8/vsock", talk), ("guest/:10/vsock", talk),
                      ("guest/:12/vsock", talk), ("control.sock", control), ("status.sock", status)):
    threading.Thread(target=serve, args=(listen(os.path.join(RUN, path)), handler), daemon=True).start()
print("ready", flush=True)
threading.Event().wait()

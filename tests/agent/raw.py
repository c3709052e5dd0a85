# SPDX-License-Identifier: MIT
# raw.py: a caller of the guest's agent that says what it likes, frame by frame.
import json, os, socket, struct

START, STDIN, STDOUT, STDERR, RESIZE, SIGNAL, DATA, EXIT, ERROR, ROOM = range(1, 11)


class Caller:
    """A stream to a port of web1, through the daemon's socket."""

    def __init__(self, service=None, port=1, guest="web1"):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(100)
        self.s.connect("%s/guest/%s/vsock" % (os.environ["XVS_RUN_DIR"], guest))
        self.s.sendall(b"CONNECT %d\n" % port)
        self.buffer = b""
        if not self.line().startswith(b"OK "):
            raise ConnectionRefusedError
        if service is not None:
            self.s.sendall(service.encode() + b"\r\n")
            self.answer = self.line()

    def more(self):
        try:
            got = self.s.recv(65536)
        except ConnectionResetError:
            got = b""
        self.buffer += got
        return got

    def line(self):
        while b"\n" not in self.buffer:
            if not self.more():
                break
        line, _, self.buffer = self.buffer.partition(b"\n")
        return line

    def frame(self, kind, body=b"", length=None, reserved=b"\0\0\0"):
        self.s.sendall(struct.pack("<IB", len(body) if length is None else length, kind) + reserved + body)

    def start(self, *argv, **more):
        self.frame(START, json.dumps(dict(argv=argv, **more)).encode())

    def next(self):
        """(type, body), or None at the end."""
        while len(self.buffer) < 8 or len(self.buffer) < 8 + struct.unpack("<I", self.buffer[:4])[0]:
            if not self.more():
                return None
        n, kind = struct.unpack("<IB", self.buffer[:5])
        body, self.buffer = self.buffer[8:8 + n], self.buffer[8 + n:]
        return kind, body

    def to_the_end(self):
        """The command's output, and how it ended: ("exit", status, signal), ("error", status, text) or None."""
        out = {STDOUT: b"", STDERR: b""}
        while True:
            f = self.next()
            if f is None:
                return out[STDOUT], out[STDERR], None
            kind, body = f
            if kind in out:
                out[kind] += body
            elif kind == EXIT:
                return out[STDOUT], out[STDERR], ("exit",) + struct.unpack("<II", body[:8])
            elif kind == ERROR:
                return out[STDOUT], out[STDERR], ("error", struct.unpack("<I", body[:4])[0], body[4:].decode())

    def close(self):
        self.s.close()


def exec_(*argv, **more):
    c = Caller("exec")
    assert c.answer == b"+exec\r", c.answer
    c.start(*argv, **more)
    return c

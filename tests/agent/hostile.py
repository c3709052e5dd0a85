# SPDX-License-Identifier: MIT
# hostile.py: an agent that lies; which lie, the START's first argument says.
import json, os, struct, sys


def say(data):
    while data:
        data = data[os.write(1, data):]


def read(n):
    got = b""
    while len(got) < n:
        more = os.read(0, n - len(got))
        if not more:
            sys.exit(0)
        got += more
    return got


line = b""
while not line.endswith(b"\n"):
    line += read(1)
say(b"+exec\r\n")
n = struct.unpack("<I", read(8)[:4])[0]
lie = json.loads(read(n))["argv"][0]


def frame(kind, body=b"", length=None):
    return struct.pack("<IB3x", len(body) if length is None else length, kind) + body


say({
    "long": frame(3, b"x", 0xffffffff),
    "type": frame(77),
    "wrong-end": frame(2, b"x"),
    "exit": frame(8, struct.pack("<III", 1, 9, 0)),
    "exit-short": frame(8, b"\0"),
    "status": frame(8, struct.pack("<III", 256, 0, 0)),
    "error": frame(9, struct.pack("<I", 0) + b"ENOENT x"),
    "error-escapes": frame(9, struct.pack("<I", 125) + b"ENOENT \033[31mred\r\n"),
    "room": frame(10, struct.pack("<I", 65536)) * 2,
    "after-the-end": frame(3) + frame(3, b"x"),
    "silence": b"",
    "half": frame(3, b"x", 100),
}[lie])

# SPDX-License-Identifier: MIT
"""muxproxy.py old|new SOCKET PORT: what systemd-ssh-proxy does for "ssh vsock-mux/SOCKET", as far as the daemon sees it.

It says CONNECT, and hands the socket over to ssh, which has asked for that (ProxyUseFdpass).  Up to version 258 that is all: ssh
finds the answer before the guest's first line, and passes over it as over any line that does not begin with "SSH-".  Version 259 takes
the answer away, for which it looks at no more than nine bytes, "OK 65535\\n": if their end is not among them and nothing has been taken
yet, it leaves all as it is.  So what matters is that the answer comes in one piece.
"""
import array
import socket
import sys

MOST = len("OK 65535\n")

version, path, port = sys.argv[1:]
s = socket.socket(socket.AF_UNIX)
s.connect(path)
s.sendall(b"CONNECT %d\n" % int(port))
if version == "new":
    s.settimeout(5)
    seen = s.recv(MOST, socket.MSG_PEEK)
    if not seen:
        sys.exit("port %s of %s is not open" % (port, path))
    if seen.startswith(b"OK ") and b"\n" in seen:
        s.recv(seen.index(b"\n") + 1)
    elif len(seen) < MOST and b"OK ".startswith(seen[:3]):
        sys.exit("the answer comes in pieces: %r" % seen)
    s.settimeout(None)
socket.socket(fileno=1).sendmsg([b"\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [s.fileno()]))])

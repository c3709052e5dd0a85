# SPDX-License-Identifier: MIT
"""Standard input and output are a socket of packets: answers each message with its length, a blank and what it is; "bare": as it is."""
import socket, sys

s = socket.socket(fileno=0)
if s.type != socket.SOCK_SEQPACKET:
    sys.exit(9)
while True:
    message = s.recv(1 << 20)
    if not message:
        break
    s.send(message if "bare" in sys.argv else b"%d %s" % (len(message), message))

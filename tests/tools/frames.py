# SPDX-License-Identifier: MIT
"""make SEED SIZE...: messages of these sizes as frames on standard output.  check SEED SIZE...: whether they are on standard input."""
import random, struct, sys

rng = random.Random(int(sys.argv[2]))
for size in map(int, sys.argv[3:]):
    frame = struct.pack(">I", size) + rng.randbytes(size)
    if sys.argv[1] == "make":
        sys.stdout.buffer.write(frame)
    elif sys.stdin.buffer.read(len(frame)) != frame:
        sys.exit(f"the message of {size} bytes is another")
if sys.argv[1] == "check" and sys.stdin.buffer.read(1):
    sys.exit("there is more")

# SPDX-License-Identifier: MIT
"""peer.py guest | host GUEST | any: the other end of what is tested: a port for each way to behave.  Prints "ready".

The guest's is an xvs.aio.Device; the host's stand in the guest's own directory, or in that of all guests.
"""
import asyncio
import sys

import xvs

ECHO, COUNT, RESET, STATUS, EARLY, BIG, WAIT, IGNORE, FIRST, FROM, GREET, TALLY, TOLD = range(100, 113)
MANY = 1 << 20


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.write(b"bye\n")          # the other direction is open still
    writer.write_eof()


async def count(reader, writer):
    writer.write(b"%d\n" % len(await reader.read()))


async def reset(reader, writer):
    writer.write(b"half")
    await writer.drain()
    await reader.readexactly(1)
    await xvs.aio.reset(writer)


async def status(reader, writer):
    await reader.readexactly(1)
    await xvs.aio.reset(writer, xvs.Reason.STATUS, 3)


async def early(reader, writer):
    """Ends its own direction first."""
    writer.write(b"early\n")
    writer.write_eof()
    assert await reader.read() == b"late\n"


async def big(reader, writer):
    """Writes all before it reads anything."""
    writer.write(b"x" * MANY)
    writer.write_eof()
    await reader.read()


async def wait(reader, writer):
    await reader.read()


async def ignore(reader, writer):
    """Reads nothing, and has not been let go."""
    kept.append((reader, writer))
    writer.transport.pause_reading()
    await asyncio.sleep(3600)


async def first(reader, writer):
    """Sends at once and is gone."""
    writer.write(b"first\n")


async def who(reader, writer):
    caller = writer.get_extra_info("xvs_caller") or writer.get_extra_info("peername")
    writer.write(repr(tuple(caller)).encode() + b"\n")


async def greet(reader, writer):
    writer.write(b"hello " + await reader.readline())


async def tally(reader, writer):
    """What came is told at another port, when its end was seen."""
    try:
        tallies.put_nowait(str(len(await reader.read())))
    except ConnectionResetError:
        tallies.put_nowait("it was reset")


async def told(reader, writer):
    writer.write((await tallies.get()).encode())


kept = []
tallies = asyncio.Queue()
SERVED = {ECHO: echo, COUNT: count, RESET: reset, STATUS: status, EARLY: early, BIG: big, WAIT: wait, IGNORE: ignore, FIRST: first,
          FROM: who, GREET: greet, TALLY: tally, TOLD: told}


def closing(serve):
    async def served(reader, writer):
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
    return served


async def main():
    asyncio.get_running_loop().set_exception_handler(lambda _, context: print("peer:", context, file=sys.stderr, flush=True))
    if sys.argv[1] == "guest":
        device = xvs.aio.Device()
        servers = [await device.start_server(closing(serve), port) for port, serve in SERVED.items()]
        await device.wait_up()
    elif sys.argv[1] == "host":
        servers = [await xvs.aio.host.start_server(closing(serve), sys.argv[2], port) for port, serve in SERVED.items()]
    else:
        servers = [await xvs.aio.host.start_server_any(closing(serve), port) for port, serve in SERVED.items()]
    print("ready", flush=True)
    await servers[0].serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

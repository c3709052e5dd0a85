# SPDX-License-Identifier: MIT
"""xvs.aio.host: xvs.host for asyncio: programs of dom0, which reach guests over the daemon's UNIX sockets.

    reader, writer = await xvs.aio.host.open_connection("web1", 1234)
    server = await xvs.aio.host.start_server(serve, "web1", 5000)
    server = await xvs.aio.host.start_server_any(serve, 5000)

writer.get_extra_info("xvs_caller") is who calls (Caller), and "xvs_number" the stream's number.  As with xvs.host no end of file hides a reset.
"""
from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from typing import Any, Callable, Optional, Set, Tuple

from .. import _host
from .._host import Caller, Guest
from .._reasons import Reason, failure
from .._types import RunDir
from ..host import Stream, take

__all__ = ["Caller", "Server", "open_connection", "start_server", "start_server_any"]

LIMIT = 64 * 1024
Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


async def _read_line(loop: asyncio.AbstractEventLoop, sock: socket.socket, most: int) -> bytes:
    """A line and not a byte more; what there was of it if the end came first."""
    line = b""
    while len(line) < most and not line.endswith(b"\n"):
        try:
            piece = await loop.sock_recv(sock, 1)
        except ConnectionResetError:
            break
        if not piece:
            break
        line += piece
    return line


async def _knock(loop: asyncio.AbstractEventLoop, directory: str, word: str) -> socket.socket:
    """A connection to a guest's own socket, with a line said."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        try:
            with _host.short(directory) as path:
                while True:
                    try:
                        sock.connect(f"{path}/vsock")
                        break
                    except BlockingIOError:             # the daemon's backlog is full, of which no descriptor tells the end
                        await asyncio.sleep(0.02)
        except OSError as why:
            raise _host.absent(directory, why) from None
        await loop.sock_sendall(sock, word.encode())
        return sock
    except BaseException:
        sock.close()
        raise


async def _ask(loop: asyncio.AbstractEventLoop, directory: str, question: str) -> bytes:
    """One question, and the first line of its answer."""

    async def ask() -> bytes:
        with await _knock(loop, directory, question) as sock:
            return await _read_line(loop, sock, _host.LINE_MOST)

    return await asyncio.wait_for(ask(), _host.PATIENCE)


class _Protocol(asyncio.StreamReaderProtocol):
    """An end of file, and a reset, wait for the daemon's word what they were."""

    def __init__(self, reader: asyncio.StreamReader, loop: asyncio.AbstractEventLoop, stream: Stream) -> None:
        super().__init__(reader, loop=loop)
        self._host_loop, self._stream, self._reader_of = loop, stream, reader
        self._transport_of: Optional[asyncio.BaseTransport] = None
        self._asking: "Optional[asyncio.Task[None]]" = None
        self._how: Optional[Exception] = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport_of = transport
        super().connection_made(transport)

    async def _ask(self, why: Optional[Exception]) -> None:
        """Leaves in _how what has cut the stream off, if anything has."""
        stream = self._stream
        try:
            self._how = _host.cut(stream._what, await _ask(self._host_loop, stream._directory, f"WATCH {stream.number}\n")) or why
        except (OSError, asyncio.TimeoutError):
            self._how = why or _host.unasked(stream._what)

    def eof_received(self) -> Optional[bool]:
        if not self._stream.number or not _host.is_hung_up(self._stream.socket):
            return super().eof_received()
        self._asking = self._host_loop.create_task(self._ask(None))
        self._asking.add_done_callback(self._ended)
        return True

    def _ended(self, task: "asyncio.Task[None]") -> None:
        if self._how:
            self._reader_of.set_exception(self._how)
            if isinstance(self._transport_of, asyncio.WriteTransport):
                self._transport_of.abort()
        else:
            super().eof_received()

    def connection_lost(self, exc: Optional[Exception]) -> None:
        lost = super().connection_lost
        if self._asking and not self._asking.done():
            self._asking.add_done_callback(lambda _: lost(self._how or exc))
        elif isinstance(exc, ConnectionResetError) and self._stream.number:
            self._asking = self._host_loop.create_task(self._ask(exc))
            self._asking.add_done_callback(lambda _: lost(self._how))
        else:
            lost(self._how or exc)


class Writer(asyncio.StreamWriter):
    """get_extra_info() knows xvs_caller and xvs_number, too."""

    xvs_stream: Stream

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        if name == "xvs_caller":
            return self.xvs_stream.caller
        if name == "xvs_number":
            return self.xvs_stream.number
        return super().get_extra_info(name, default)

    async def reset(self, reason: Reason, detail: int) -> None:
        """See xvs.aio.reset()."""
        stream, loop = self.xvs_stream, asyncio.get_running_loop()
        line = _host.reset_line(reason, detail)

        async def vouch() -> None:
            """A connection that vouches for the stream, and then does not; closed after the stream's own."""
            with await _knock(loop, stream._directory, f"VOUCH {stream.number}\n") as sock:
                if (await _read_line(loop, sock, _host.LINE_MOST)).startswith(b"WATCHING "):
                    await loop.sock_sendall(sock, line)
                    self.transport.abort()
                    while stream.socket.fileno() >= 0:      # the loop closes it in its next turn
                        await asyncio.sleep(0)

        try:
            with contextlib.suppress(OSError, asyncio.TimeoutError):    # the daemon or the guest is gone, and so is the stream
                await asyncio.wait_for(vouch(), _host.PATIENCE)
        finally:
            self.transport.abort()


async def _join(loop: asyncio.AbstractEventLoop, stream: Stream, limit: int) -> Tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader = asyncio.StreamReader(limit=limit, loop=loop)
    protocol = _Protocol(reader, loop, stream)
    transport, _ = await loop.create_unix_connection(lambda: protocol, sock=stream.socket)
    writer = Writer(transport, protocol, reader, loop)
    writer.xvs_stream = stream
    return reader, writer


async def open_connection(guest: Guest, port: int, *, limit: int = LIMIT, device: int = 0,
                          run_dir: RunDir = None) -> Tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """As asyncio.open_connection(), to a port of a guest.  Errors as of xvs.host.connect()."""
    loop = asyncio.get_running_loop()
    directory = _host.guest_dir(guest, device, run_dir)
    what = f"port {port} of {guest}"
    sock = await _knock(loop, directory, f"CONNECT {_host.port_number(port)}\n")
    try:
        line = await _read_line(loop, sock, _host.OK_MOST)
        if not line:
            try:
                answer = await _ask(loop, directory, f"WHY {port}\n")
            except (FileNotFoundError, asyncio.TimeoutError):
                raise failure(errno.ECONNREFUSED, what) from None
            raise _host.refusal(what, port, answer)
        return await _join(loop, Stream(sock, directory, _host.ok_number(line), what), limit)
    except BaseException:
        sock.close()
        raise


class Server(asyncio.AbstractServer):
    """Takes what guests connect to a port of CID 2; made by start_server() and start_server_any()."""

    def __init__(self, door: _host.Door, connected: Connected, port: int, for_all: bool, limit: int, given: RunDir) -> None:
        self._loop = asyncio.get_running_loop()
        self._door, self._connected, self.port = door, connected, port
        self._for_all, self._limit, self._run_dir = for_all, limit, given
        self._tasks: "Set[asyncio.Task[Any]]" = set()
        door.sock.setblocking(False)
        self._accepting = self._loop.create_task(self._accept())

    def _keep(self, task: "asyncio.Task[Any]") -> None:
        """The loop has tasks by weak references alone."""
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception():
            self._loop.call_exception_handler({"message": "a server's connection has failed", "exception": task.exception(), "task": task})

    async def _accept(self) -> None:
        while True:
            try:
                sock, _ = await self._loop.sock_accept(self._door.sock)
            except ConnectionAbortedError:
                continue
            except OSError as why:
                if why.errno not in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    raise
                await asyncio.sleep(1)          # as asyncio's own
                continue
            sock.setblocking(False)
            self._keep(self._loop.create_task(self._begin(sock)))

    async def _begin(self, sock: socket.socket) -> None:
        try:
            said = None
            if self._for_all:
                said = _host.from_line(await asyncio.wait_for(_read_line(self._loop, sock, _host.LINE_MOST), _host.PATIENCE))
            stream = take(sock, said, self.port, self._run_dir)
            reader, writer = await _join(self._loop, stream, self._limit)
        except (OSError, asyncio.TimeoutError):
            sock.close()                        # whoever does not say the line is nobody
            return
        except BaseException:
            sock.close()
            raise
        result = self._connected(reader, writer)
        if asyncio.iscoroutine(result):
            self._keep(self._loop.create_task(result))

    def close(self) -> None:
        """Listens no more; streams that were accepted go on."""
        self._accepting.cancel()
        self._door.close()

    async def wait_closed(self) -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(self._accepting)

    def is_serving(self) -> bool:
        return self._door.dirfd >= 0

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    async def start_serving(self) -> None:
        """It serves from the beginning."""

    async def serve_forever(self) -> None:
        try:
            await asyncio.shield(self._accepting)
        finally:
            self.close()

    @property
    def sockets(self) -> Tuple[socket.socket, ...]:
        return (self._door.sock,) if self.is_serving() else ()


async def start_server(connected: Connected, guest: Guest, port: int, *, limit: int = LIMIT, backlog: int = 128,
                       mode: Optional[int] = None, device: int = 0, run_dir: RunDir = None) -> Server:
    """As asyncio.start_server(), for what one guest connects to CID 2, port PORT."""
    return Server(_host.Door(_host.guest_dir(guest, device, run_dir), port, backlog, mode), connected, port, False, limit, run_dir)


async def start_server_any(connected: Connected, port: int, *, limit: int = LIMIT, backlog: int = 128, mode: Optional[int] = None,
                           run_dir: RunDir = None) -> Server:
    """The same, for all guests for which nobody listens in their own directory."""
    return Server(_host.Door(_host.any_dir(run_dir), port, backlog, mode), connected, port, True, limit, run_dir)

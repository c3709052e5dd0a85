# SPDX-License-Identifier: MIT
"""_device.py: a device in asyncio's loop: its one descriptor is watched, and what it tells is handed to whom it concerns."""
from __future__ import annotations

import asyncio
import errno
from typing import Any, Callable, Dict, Optional, Set, Tuple

from .. import _device
from .._reasons import failure
from .._stream import Stream
from .._types import What
from ._transport import StreamTransport

LIMIT = 64 * 1024       # of a StreamReader, as in asyncio

Connected = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]
Factory = Callable[[], asyncio.BaseProtocol]


class Reader(asyncio.StreamReader):
    """One that has all of the stream goes on to be read, however its other direction ends."""

    _has_all = False

    def feed_eof(self) -> None:
        self._has_all = True
        super().feed_eof()

    def set_exception(self, exc: BaseException) -> None:
        if not self._has_all:
            super().set_exception(exc)  # type: ignore[arg-type]


class Server(asyncio.AbstractServer):
    """Takes connections to a port of this guest; made by Device.start_server() and create_server()."""

    def __init__(self, device: "Device", factory: Factory, port: int, backlog: int) -> None:
        self._device, self._factory = device, factory
        self._listener = device.core.listen(port, backlog)
        self._key = self._listener._key
        self.port: int = self._listener.port
        self._closed: "asyncio.Future[None]" = device._loop.create_future()
        device._tellers[self._key] = self._tell
        device._servers.add(self)
        device._loop.call_soon(self._tell, 0)

    def _tell(self, what: int) -> None:
        while not self._listener.closed:
            stream = self._listener._accept_now()
            if stream is None:
                break
            try:
                StreamTransport(self._device, stream, self._factory())
            except Exception as why:
                stream.reset()
                self._device._loop.call_exception_handler({"message": "a server's protocol cannot be made", "exception": why})
        self._device._soon()

    def close(self) -> None:
        """Listens no more; streams that were accepted go on."""
        if self._listener.closed and self._closed.done():
            return
        self._device._tellers.pop(self._key, None)
        self._device._servers.discard(self)
        self._listener.close()
        self._device._soon()
        if not self._closed.done():
            self._closed.set_result(None)

    async def wait_closed(self) -> None:
        await asyncio.shield(self._closed)

    def is_serving(self) -> bool:
        return not self._listener.closed

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._device._loop

    async def start_serving(self) -> None:
        """It serves from the beginning."""

    async def serve_forever(self) -> None:
        try:
            await asyncio.shield(self._closed)
        finally:
            self.close()

    @property
    def sockets(self) -> Tuple[()]:
        return ()


class Device:
    """xvs.Device in the running loop; the same arguments and errors.  `core` is that one: of it cid, is_up, reason, stats() and dump()
    are of use here, but none of what waits.

        async with Device() as device: ...

    It belongs to the loop's thread.
    """

    def __init__(self, number: int = 0, **options: Any) -> None:
        self._loop = asyncio.get_running_loop()
        self.core = _device.Device(number, **options)
        self._tellers: Dict[int, Callable[[int], None]] = {}
        self._servers: Set[Server] = set()
        self._waiters: Set["asyncio.Future[None]"] = set()
        self._is_soon = False
        self._fd = self.core.fileno()
        self._loop.add_reader(self._fd, self._turn)
        self._loop.call_soon(self._turn)

    # ---- turns ----

    def _turn(self) -> None:
        if self.core._handle is None:
            return
        try:
            self.core.process()
        except OSError as why:
            self._loop.call_exception_handler({"message": "an xvs device has failed", "exception": why})
            self._abandon()
            return
        self._hand_out()

    def _soon(self) -> None:
        """A call on a stream may have made something possible, and the descriptor does not tell of that."""
        if not self._is_soon and self.core._handle is not None:
            self._is_soon = True
            self._loop.call_soon(self._hand_out)

    def _hand_out(self) -> None:
        self._is_soon = False
        if self.core._handle is None:
            return
        with self.core._turn:
            self.core._collect()
        for key, what in self.core._take_told():
            if key == 0:
                self._wake_waiters()
            elif key in self._tellers:
                self._tellers[key](what)
            elif key in self.core._things:
                self.core._told[key] = self.core._told.get(key, 0) | what       # nobody has asked for it yet

    def _wake_waiters(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    # ---- life ----

    async def wait_up(self) -> None:
        """Waits until connecting is possible; asyncio.wait_for() limits it, and core.reason says why it is not."""
        while not self.core.is_up:
            waiter = self._loop.create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)

    def _abandon(self) -> None:
        """Streams and servers end; nobody waits for anything more."""
        self._loop.remove_reader(self._fd)
        for server in list(self._servers):
            server.close()
        for teller in list(self._tellers.values()):
            transport = getattr(teller, "__self__", None)
            if isinstance(transport, StreamTransport):
                transport.lose()
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_exception(failure(errno.ENETDOWN, "the device was closed"))

    async def close(self, linger: float = _device.LINGER) -> None:
        """Gives the device up.  Streams that are open are reset; those that were closed in order have up to linger seconds to be taken in
        full."""
        if self.core._handle is None:
            return
        # Those that were closed in this very turn of the loop.
        await asyncio.sleep(0)
        loop, end = self._loop, self._loop.time() + linger
        for server in list(self._servers):
            server.close()
        for teller in list(self._tellers.values()):
            transport = getattr(teller, "__self__", None)
            if isinstance(transport, StreamTransport) and not transport.is_closing():
                transport.lose()
        while linger and self.core.is_up and self.core.stats().streams and loop.time() < end:
            await asyncio.sleep(0.01)
        self._abandon()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        self.core.close(0)

    async def __aenter__(self) -> "Device":
        return self

    async def __aexit__(self, kind: Optional[type], *args: object) -> None:
        await self.close(_device.LINGER if kind is None else 0.0)

    # ---- streams ----

    async def create_connection(self, factory: Factory, cid: int, port: int) -> Tuple[StreamTransport, asyncio.BaseProtocol]:
        """As of a loop: a transport and the protocol that the factory has made.  Waits for the device; RefusedError has a reason."""
        await self.wait_up()
        stream = self.core._begin(cid, port)
        done: "asyncio.Future[None]" = self._loop.create_future()

        def tell(what: int) -> None:
            """Which of the two it is, core._opened() says."""
            self.core._told[stream._key] = self.core._told.get(stream._key, 0) | what
            if what & (What.OPEN | What.HUP) and not done.done():
                done.set_result(None)

        self._tellers[stream._key] = tell
        self._soon()
        try:
            await done
            self.core._opened(stream)
            del self._tellers[stream._key]
            return await self._join(stream, factory)
        except BaseException:
            self._tellers.pop(stream._key, None)
            stream.reset()
            raise

    async def _join(self, stream: Stream, factory: Factory) -> Tuple[StreamTransport, asyncio.BaseProtocol]:
        protocol = factory()
        transport = StreamTransport(self, stream, protocol)
        # What was told meanwhile is told again, in its order: connection_made() first.
        what = self.core._told.pop(stream._key, 0)
        if what:
            self._loop.call_soon(transport.tell, what)
        return transport, protocol

    async def create_server(self, factory: Factory, port: int, *, backlog: int = 128) -> Server:
        """As of a loop.  The device need not be up."""
        return Server(self, factory, port, backlog)

    async def open_connection(self, cid: int, port: int, *, limit: int = LIMIT) -> Tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """As asyncio.open_connection(), to a port of another CID."""
        reader = Reader(limit=limit, loop=self._loop)
        protocol = asyncio.StreamReaderProtocol(reader, loop=self._loop)
        transport, _ = await self.create_connection(lambda: protocol, cid, port)
        return reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)

    async def start_server(self, connected: Connected, port: int, *, limit: int = LIMIT, backlog: int = 128) -> Server:
        """As asyncio.start_server(), for a port of this guest: connected is called, and if it is a coroutine function made a task, with
        reader and writer of each stream."""

        def factory() -> asyncio.BaseProtocol:
            reader = Reader(limit=limit, loop=self._loop)
            return asyncio.StreamReaderProtocol(reader, connected, loop=self._loop)

        return await self.create_server(factory, port, backlog=backlog)

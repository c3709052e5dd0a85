# SPDX-License-Identifier: MIT
"""_transport.py: a stream of libxvs as an asyncio transport, as asyncio's own is for a socket.

The device tells it what has become possible (tell()); all is done within the loop's thread.
"""
from __future__ import annotations

import asyncio
import ctypes
import errno
import socket
from typing import TYPE_CHECKING, Any, Optional, Tuple, Union, cast

from .._reasons import Reason, failure
from .._stream import Stream
from .._types import What

if TYPE_CHECKING:
    from ._device import Device

ROUNDS = 16             # pieces that are read before others have their turn
HIGH = 64 * 1024        # bytes unsent at which a writer is asked to pause, as in asyncio


class StreamTransport(asyncio.Transport):
    """get_extra_info() knows peername and sockname (Address), and xvs_stream (Stream).

    Where both directions have ended the protocol's connection_lost() is called by itself: with None if the peer has taken all that was
    sent, else with the error.
    """

    def __init__(self, device: "Device", stream: Stream, protocol: asyncio.BaseProtocol) -> None:
        super().__init__({"peername": stream.getpeername(), "sockname": stream.getsockname(), "xvs_stream": stream})
        self._device, self._stream = device, stream
        self._loop = device._loop
        self._protocol = protocol
        self._unsent = bytearray()
        self._low, self._high = HIGH // 4, HIGH
        self._writer_paused = self._paused = self._read_eof = self._write_eof = self._hup = self._closing = self._lost = False
        self._key = stream._key
        device._tellers[self._key] = self.tell
        self._loop.call_soon(self._begin)

    def _begin(self) -> None:
        self._guard(self._protocol.connection_made, self)
        self._loop.call_soon(self._read)

    def _guard(self, call: Any, *args: Any) -> Any:
        """A protocol's own error ends its connection, as in asyncio."""
        try:
            return call(*args)
        except (SystemExit, KeyboardInterrupt):
            raise
        except BaseException as why:
            self._loop.call_exception_handler({"message": "a protocol has failed", "exception": why, "transport": self,
                                               "protocol": self._protocol})
            self._fail(why if isinstance(why, Exception) else None)
            return None

    # ---- what the device tells ----

    def tell(self, what: int) -> None:
        if what & What.OUT:
            self._write()
        if what & What.HUP:
            self._hup = True
            if self._closing:           # with bytes unsent
                self._fail(self._stream._error())
        if what & (What.IN | What.HUP):
            self._read()

    # ---- reading ----

    def _read(self) -> None:
        # To have read may be what ends a stream, or lets another one within the guest write.
        self._device._soon()
        for _ in range(ROUNDS):
            if self._paused or self._closing or self._read_eof:
                break
            try:
                got = self._receive()
            except OSError as why:
                self._fail(why)
                return
            if got is None:
                return
            if not got:
                self._read_eof = True
                if not self._guard(cast(asyncio.Protocol, self._protocol).eof_received):
                    self.close()
        else:
            self._loop.call_soon(self._read)
            return
        if self._hup and self._read_eof and not self._lost:
            self._fail(self._stream._error())

    def _receive(self) -> Optional[bool]:
        """Hands a piece to the protocol; False at the end of the stream, None if there is nothing yet."""
        protocol = self._protocol
        if isinstance(protocol, asyncio.BufferedProtocol):
            buffer = self._guard(protocol.get_buffer, -1)
            if buffer is None:
                return None         # it has failed
            view = memoryview(buffer).cast("B")
            got = self._stream._recv_now((ctypes.c_char * len(view)).from_buffer(view), len(view))
            if got:
                self._guard(protocol.buffer_updated, got)
            return None if got is None else bool(got)
        data = self._stream._recv_piece()
        if data:
            self._guard(cast(asyncio.Protocol, protocol).data_received, data)
        return None if data is None else bool(data)

    def is_reading(self) -> bool:
        return not (self._paused or self._closing)

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            self._loop.call_soon(self._read)

    # ---- writing ----

    def write(self, data: "Union[bytes, bytearray, memoryview]") -> None:
        if self._write_eof:
            raise RuntimeError("Cannot call write() after write_eof()")
        if self._closing or not data:
            return              # as asyncio's: drain() tells
        if self._unsent:
            self._unsent += data
        else:
            whole = data if isinstance(data, bytes) else memoryview(data).cast("B")
            at = self._send(whole)
            if at < len(whole):
                self._unsent += whole[at:]
        if len(self._unsent) > self._high and not self._writer_paused:
            self._writer_paused = True
            self._guard(self._protocol.pause_writing)

    def _send(self, data: "Union[bytes, memoryview]") -> int:
        """How much of it went."""
        at = 0
        try:
            while at < len(data):
                n = self._stream._send_now(data, at)
                if not n:
                    break
                at += n
        except OSError as why:
            # The reader hears first what has come before the end, where nobody writes into nothing.
            self._loop.call_soon(self._fail, why)
            return len(data)
        self._device._soon()
        return at

    def _write(self) -> None:
        if self._lost or not self._unsent:
            return
        with memoryview(self._unsent) as view:
            at = self._send(view)
        del self._unsent[:at]
        if self._writer_paused and len(self._unsent) <= self._low:
            self._writer_paused = False
            self._guard(self._protocol.resume_writing)
        if not self._unsent:
            self._sent_all()

    def _sent_all(self) -> None:
        if self._closing:
            self._loop.call_soon(self._end, None)
        elif self._write_eof:
            self._shut()

    def _shut(self) -> None:
        try:
            self._stream.shutdown(socket.SHUT_WR)
        except OSError as why:
            if why.errno != errno.ENOTCONN:     # over in order
                self._loop.call_soon(self._fail, why)
            return
        self._device._soon()

    def write_eof(self) -> None:
        if self._closing or self._write_eof:
            return
        self._write_eof = True
        if not self._unsent:
            self._shut()

    def can_write_eof(self) -> bool:
        return True

    def get_write_buffer_size(self) -> int:
        return len(self._unsent)

    def get_write_buffer_limits(self) -> Tuple[int, int]:
        return self._low, self._high

    def set_write_buffer_limits(self, high: Optional[int] = None, low: Optional[int] = None) -> None:
        if high is None:
            high = HIGH if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high!r}) must be >= low ({low!r}) must be >= 0")
        self._low, self._high = low, high

    # ---- ending ----

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        """What was written goes first."""
        if self._closing:
            return
        self._closing = True
        if not self._unsent:
            self._loop.call_soon(self._end, None)

    def abort(self) -> None:
        self._fail(None, reset=True)

    def reset(self, reason: Reason, detail: int) -> None:
        """See xvs.aio.reset()."""
        if not self._lost:
            self._stream.reset(reason, detail)
            self._leave()
            self._fail(None)

    def _leave(self) -> None:
        """Nothing is told to us any more; of a stream that is gone the number may be another one's by now."""
        if self._device._tellers.get(self._key) == self.tell:
            del self._device._tellers[self._key]

    def _fail(self, why: Optional[Exception], reset: bool = False) -> None:
        """It is over: what is unsent has nowhere to go."""
        if self._lost:
            return
        self._closing = True
        self._unsent.clear()
        self._loop.call_soon(self._end, why, reset or why is not None)

    def _end(self, why: Optional[Exception], reset: bool = False) -> None:
        if self._lost:
            return
        self._lost = True
        self._leave()
        try:
            self._protocol.connection_lost(why)
        finally:
            if reset:
                self._stream.reset()
            else:
                self._stream.close()
            self._device._soon()

    def lose(self) -> None:
        """The device is given up."""
        self._fail(failure(errno.ECONNRESET, "the device was closed"))

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._stream!r}{' closing' if self._closing else ''}>"

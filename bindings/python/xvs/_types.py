# SPDX-License-Identifier: MIT
"""_types.py: what both ends speak of."""
from __future__ import annotations

import enum
import errno
import io
import math
import os
import time
from types import TracebackType
from typing import Any, NamedTuple, Optional, Type, TypeVar, Union

Buffer = Union[bytes, bytearray, memoryview]
RunDir = Union[str, "os.PathLike[str]", None]

S = TypeVar("S", bound="SocketLike")

CID_LOCAL = 1       # the guest itself
CID_HOST = 2        # dom0
PORT_ANY = 0xFFFFFFFF


class Address(NamedTuple):
    """A context id and a port."""

    cid: int
    port: int


class What(enum.IntFlag):
    """What an event tells; xvs_wait(3)."""

    UP = 1
    DOWN = 2
    ACCEPT = 4
    OPEN = 8
    IN = 16
    OUT = 32
    HUP = 64


class Patience:
    """A time limit as sockets have it: None for ever, 0 not at all (BlockingIOError), else seconds (TimeoutError)."""

    def __init__(self, timeout: Optional[float]) -> None:
        if timeout is not None and not timeout >= 0:
            raise ValueError("a timeout is None, 0 or more seconds")
        self.timeout = timeout
        self.end = None if timeout is None else time.monotonic() + timeout
        self.looked = False

    def left(self) -> Optional[float]:
        """Seconds, or None."""
        return None if self.end is None else max(0.0, self.end - time.monotonic())

    def left_ms(self) -> int:
        """For poll(): rounded up, -1 for ever."""
        left = self.left()
        return -1 if left is None else min(math.ceil(left * 1000), 2**31 - 1)

    def over(self) -> OSError:
        if self.timeout == 0:
            return BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        return TimeoutError(errno.ETIMEDOUT, "timed out")


class SocketLike:
    """What a stream has of a socket whichever end it is of; a mixin."""

    def recv_into(self, buffer: Any, nbytes: int = 0) -> int:
        raise NotImplementedError

    def send(self, data: Any) -> int:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    def reset(self) -> None:
        raise NotImplementedError

    def makefile(self, mode: str = "r", buffering: int = -1, *, encoding: Optional[str] = None, errors: Optional[str] = None,
                 newline: Optional[str] = None) -> Any:
        """As of a socket.  Closing the file flushes it and leaves the stream open."""
        return make_file(self, mode, buffering, encoding, errors, newline)

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], value: Optional[BaseException], trace: Optional[TracebackType]) -> None:
        if kind is None:
            self.close()
        else:
            self.reset()


class StreamFile(io.RawIOBase):
    """A stream as a file: what makefile() wraps.  Closing it leaves the stream open."""

    def __init__(self, stream: SocketLike, reads: bool, writes: bool) -> None:
        self._stream, self._reads, self._writes = stream, reads, writes

    def readable(self) -> bool:
        return self._reads

    def writable(self) -> bool:
        return self._writes

    def readinto(self, buffer: Any) -> Optional[int]:
        try:
            return self._stream.recv_into(buffer)
        except BlockingIOError:
            return None

    def write(self, data: Any) -> Optional[int]:
        try:
            return self._stream.send(data)
        except BlockingIOError:
            return None


def make_file(stream: SocketLike, mode: str, buffering: int, encoding: Optional[str], errors: Optional[str],
              newline: Optional[str]) -> Any:
    """As socket.makefile()."""
    if not set(mode) <= {"r", "w", "b"}:
        raise ValueError(f"invalid mode {mode!r} (only r, w, b allowed)")
    writes = "w" in mode
    reads = "r" in mode or not writes
    raw = StreamFile(stream, reads, writes)
    if buffering == 0:
        if "b" not in mode:
            raise ValueError("unbuffered streams must be binary")
        return raw
    size = io.DEFAULT_BUFFER_SIZE if buffering < 0 else buffering
    buffered: Any
    if reads and writes:
        buffered = io.BufferedRWPair(raw, raw, size)
    elif reads:
        buffered = io.BufferedReader(raw, size)
    else:
        buffered = io.BufferedWriter(raw, size)
    return buffered if "b" in mode else io.TextIOWrapper(buffered, encoding, errors, newline)

# SPDX-License-Identifier: MIT
"""_stream.py: streams and listeners of a device of this guest; how they wait is the device's (_device.py)."""
from __future__ import annotations

import ctypes
import errno
import warnings
from typing import TYPE_CHECKING, Any, Iterator, Optional, Tuple, Union

from ._reasons import Reason, failure
from ._types import Address, Buffer, Patience, SocketLike

if TYPE_CHECKING:
    from ._device import Device

PIECE = 256 * 1024      # bytes that one call of the library is given


class Thing:
    """What a stream and a listener have in common: they belong to a device, and are nothing once either is closed."""

    _timeout: Optional[float] = None
    _closed = "it is closed"
    _over = False           # HUP was told

    def __init__(self, device: "Device", handle: Optional[int]) -> None:
        assert handle is not None
        self._device, self._lib = device, device._lib
        self._key = handle
        self._handle: Optional[int] = handle
        device._things[handle] = self

    @property
    def _h(self) -> int:
        self._device._h
        if self._handle is None:
            raise OSError(errno.EBADF, self._closed)
        return self._handle

    def _let_go(self) -> Optional[int]:
        """The handle, the last time: None if there is nothing to close any more.  From then on its number may be another one's."""
        handle, self._handle = self._handle, None
        if handle is not None:
            self._device._things.pop(handle, None)
            self._device._told.pop(handle, None)
        return handle if self._device._handle is not None else None

    def close(self) -> None:
        raise NotImplementedError

    def _what(self) -> str:
        """For a person."""
        raise NotImplementedError

    def __repr__(self) -> str:
        try:
            with self._device._turn:
                return f"<xvs.{type(self).__name__} {'closed' if self.closed else self._what()}>"
        except RuntimeError:
            return f"<xvs.{type(self).__name__} of a device that another thread is using>"

    def _drop(self, close: Any) -> None:
        handle = getattr(self, "_handle", None)
        if handle is not None and self._device._handle is not None:
            self._device._dropped.append((close, handle))
            warnings.warn(f"unclosed xvs.{type(self).__name__}", ResourceWarning, source=self)

    @property
    def closed(self) -> bool:
        return self._handle is None or self._device._handle is None

    @property
    def device(self) -> "Device":
        return self._device

    def settimeout(self, timeout: Optional[float]) -> None:
        """As of a socket: None waits for ever, 0 never (BlockingIOError), else seconds (TimeoutError)."""
        Patience(timeout)
        self._timeout = timeout

    def gettimeout(self) -> Optional[float]:
        return self._timeout

    def setblocking(self, flag: bool) -> None:
        self.settimeout(None if flag else 0.0)


class Listener(Thing):
    """Takes connections to a port of this guest."""

    _closed = "the listener is closed"

    def accept(self) -> Tuple["Stream", Address]:
        """The next stream, and who calls."""
        patience = Patience(self._timeout)
        with self._device._turn:
            while True:
                stream = self._accept_now()
                if stream is not None:
                    return stream, stream.getpeername()
                self._device._sleep(patience)

    def _accept_now(self) -> Optional["Stream"]:
        handle = ctypes.c_void_p()
        err = self._lib.xvs_accept(self._h, ctypes.byref(handle))
        if err == -errno.EAGAIN:
            return None
        if err:
            raise failure(-err, str(self))
        return self._device._adopt(handle.value)

    @property
    def port(self) -> int:
        with self._device._turn:
            return int(self._lib.xvs_listener_port(self._h))

    def close(self) -> None:
        """Those who wait are refused."""
        with self._device._turn:
            handle = self._let_go()
            if handle is not None:
                self._lib.xvs_listener_close(handle)

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Tuple["Stream", Address]]:
        while not self.closed:
            yield self.accept()

    def __del__(self) -> None:
        self._drop(getattr(getattr(self, "_lib", None), "xvs_listener_close", None))

    def _what(self) -> str:
        return f"port={self._lib.xvs_listener_port(self._h)}"


class Stream(SocketLike, Thing):
    """A stream, with the calls of a socket.

    At the end of a with statement it is closed in order, but reset if that is left by an exception: then the peer does not take
    what it has for everything.
    """

    _closed = "the stream is closed"

    # ---- bytes ----

    def _recv_now(self, address: Any, size: int) -> Optional[int]:
        """The number of bytes; None: not now."""
        got = self._lib.xvs_recv(self._h, address, size, 0)
        if got >= 0:
            return int(got)
        if got in (-errno.EAGAIN, -errno.ENOTCONN):
            return None
        raise self._failure(-got)

    def _recv_piece(self) -> Optional[bytes]:
        """What has come, at most a piece of it; None: nothing yet."""
        got = self._recv_now(self._device._scratch, PIECE)
        return None if got is None else ctypes.string_at(self._device._scratch, got)

    def _recv(self, address: Any, size: int) -> int:
        patience = Patience(self._timeout)
        while True:
            got = self._recv_now(address, size)
            if got is not None:
                return got
            self._device._sleep(patience)

    def recv(self, bufsize: int) -> bytes:
        """At least one byte, or b"" at the end of the stream."""
        if bufsize < 0:
            raise ValueError("negative buffersize in recv")
        with self._device._turn:
            scratch = self._device._scratch
            return ctypes.string_at(scratch, self._recv(scratch, min(bufsize, PIECE))) if bufsize else b""

    def recv_into(self, buffer: "Union[bytearray, memoryview]", nbytes: int = 0) -> int:
        """Into a writable buffer, or its first nbytes; 0 at the end of the stream."""
        view = memoryview(buffer).cast("B")
        size = min(nbytes or len(view), len(view))
        if not size:
            return 0
        with self._device._turn:
            return self._recv((ctypes.c_char * size).from_buffer(view), size)

    def _send_now(self, data: Union[bytes, memoryview], at: int) -> int:
        """How much was taken, from at on; 0: nothing now."""
        size = min(len(data) - at, PIECE)
        if isinstance(data, bytes) and at == 0:
            n = self._lib.xvs_send(self._h, data, size, 0)
        else:
            # No more is copied than is going to be taken.
            size = min(size, max(int(self._lib.xvs_stream_writable(self._h)), 1))
            n = self._lib.xvs_send(self._h, bytes(data[at:at + size]), size, 0)
        if n >= 0:
            return int(n)
        if n in (-errno.EAGAIN, -errno.ENOTCONN):
            return 0
        raise self._failure(-n)

    def send(self, data: Buffer) -> int:
        """Some of it, at least one byte: how many."""
        whole = data if isinstance(data, bytes) else memoryview(data).cast("B")
        patience = Patience(self._timeout)
        with self._device._turn:
            while True:
                n = self._send_now(whole, 0)
                if n or not len(whole):
                    return n
                self._device._sleep(patience)

    def sendall(self, data: Buffer) -> None:
        """All of it.  After an exception nobody knows how much went."""
        whole = data if isinstance(data, bytes) else memoryview(data).cast("B")
        patience = Patience(self._timeout)
        at = 0
        with self._device._turn:
            while at < len(whole):
                n = self._send_now(whole, at)
                if not n:
                    self._device._sleep(patience)
                at += n

    # ---- ends ----

    def shutdown(self, how: int) -> None:
        """socket.SHUT_WR: no more will be sent, and what was sent arrives before that; SHUT_RD, SHUT_RDWR."""
        with self._device._turn:
            err = self._lib.xvs_shutdown(self._h, how)
            if err:
                raise self._failure(-err)

    def wait_closed(self, timeout: Optional[float] = None) -> None:
        """After shutdown(SHUT_WR), and reading to the end: returns when the peer has taken all that was sent; ResetError if it never will."""
        patience = Patience(timeout)
        with self._device._turn:
            while not self._over:
                self._device._sleep(patience)
            error = self._error()
        if error:
            raise error

    def close(self) -> None:
        """In order, if all that came was read: what was sent still arrives.  Otherwise it is a reset."""
        with self._device._turn:
            handle = self._let_go()
            if handle is not None:
                self._lib.xvs_stream_close(handle)

    def reset(self, reason: Reason = Reason.ABORTED, detail: int = 0) -> None:
        """Ends it at once, and tells the peer why: STATUS (detail 1 to 255) and SIGNAL (1 to 127) of a command that failed, or one of
        those that a program can know of itself (xvs_stream(3); else ValueError, and nothing is done)."""
        with self._device._turn:
            if self.closed:
                return
            if not 0 <= detail < 256 or self._lib.xvs_stream_reset_with(None, reason, detail):
                raise ValueError(f"a program cannot reset a stream with the reason {Reason(reason).word} {detail}")
            handle = self._let_go()
            if handle is not None:
                self._lib.xvs_stream_reset_with(handle, reason, detail)

    def __del__(self) -> None:
        self._drop(getattr(getattr(self, "_lib", None), "xvs_stream_close", None))

    # ---- looking ----

    def getpeername(self) -> Address:
        with self._device._turn:
            a = self._lib.xvs_stream_peer(self._h)
        return Address(a.cid, a.port)

    def getsockname(self) -> Address:
        with self._device._turn:
            a = self._lib.xvs_stream_local(self._h)
        return Address(a.cid, a.port)

    def _why(self) -> Tuple[Reason, int]:
        detail = ctypes.c_uint()
        reason = Reason(self._lib.xvs_stream_reason(self._h, ctypes.byref(detail)))
        return reason, detail.value

    def _failure(self, number: int) -> OSError:
        peer = self._lib.xvs_stream_peer(self._h)
        return failure(number, f"port {peer.port} of CID {peer.cid}", *self._why())

    def _error(self) -> Optional[OSError]:
        """How it ended; None if it lives, or has ended in order."""
        err = self._lib.xvs_stream_error(self._h)
        return self._failure(-err) if err else None

    @property
    def error(self) -> Optional[OSError]:
        """What ended it; None while it lives and after an orderly end."""
        with self._device._turn:
            return self._error()

    @property
    def readable(self) -> int:
        """Bytes that can be read without waiting."""
        with self._device._turn:
            return int(self._lib.xvs_stream_readable(self._h))

    @property
    def writable(self) -> int:
        """Bytes that can be written without waiting."""
        with self._device._turn:
            return int(self._lib.xvs_stream_writable(self._h))

    def set_buffer(self, size: int) -> None:
        """How many bytes may arrive unread: 4 KiB to 64 MiB."""
        with self._device._turn:
            err = self._lib.xvs_stream_set_buffer(self._h, size) if 0 <= size < 2**32 else -errno.EINVAL
            if err:
                raise failure(-err, "a stream's buffer")

    def _what(self) -> str:
        a = self._lib.xvs_stream_peer(self._h)
        return f"peer={a.cid}:{a.port}"

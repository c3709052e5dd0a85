# SPDX-License-Identifier: MIT
"""_device.py: a device of this guest, with its streams and listeners, over libxvs.

Blocking calls are a loop around the library's calls that do not block, and xvs_wait() in between; a signal ends that, so its handler runs, and
Control-C works.  Events that were waited through are kept, a set for each stream.  A stream that the collector takes is
closed at the device's next call: finalizers run in any thread, and even within the library's callback.
"""
from __future__ import annotations

import collections
import ctypes
import errno
import logging
import os
import threading
import warnings
import weakref
from typing import Any, Callable, Deque, Dict, Iterator, NamedTuple, Optional, Tuple, Type

from . import _libxvs
from ._messages import Messages
from ._reasons import failure
from ._stream import PIECE, Listener, Stream, Thing
from ._types import Patience, RunDir, What

LINGER = 8.0            # seconds: the library's own limit for an orderly close


class Event(NamedTuple):
    """Something became possible: of the device if both are None; edges, see xvs_wait(3)."""

    what: What
    stream: Optional[Stream]
    listener: Optional[Listener]


class Stats(NamedTuple):
    """Counters since the device was opened; streams, memory and rx_buffers_held are as of now."""

    tx_bytes: int
    tx_packets: int
    rx_bytes: int
    rx_packets: int
    notifications_sent: int
    notifications_received: int
    streams_opened: int
    resets: int
    reconnects: int
    memory: int
    streams: int
    rx_buffers_held: int


class DeviceInfo(NamedTuple):
    """How a device is, seen without taking it; xvs_open(3)."""

    cid: int
    owner: int
    state: int
    backend_state: int
    is_attached: bool
    is_up: bool
    reason: str
    is_kernels: bool


def _fields(kind: Any, struct: ctypes.Structure) -> Dict[str, Any]:
    return {name: getattr(struct, name) for name in kind._fields}


def _options(number: int, run_dir: RunDir) -> _libxvs.Options:
    options = _libxvs.Options()
    _libxvs.library().xvs_options_init(ctypes.byref(options))
    if not 0 <= number < 2**32:
        raise ValueError("a device's number is 0 or more")
    options.device = number
    if run_dir is not None:
        options.run_dir = os.fsencode(run_dir)
    return options


def _open_failure(err: int) -> OSError:
    return OSError(-err, _libxvs.library().xvs_open_error().decode(errors="replace"))


def look(number: int = 0, *, run_dir: RunDir = None) -> DeviceInfo:
    """How a device is, without taking it from whoever owns it."""
    info = _libxvs.DeviceInfo(size=ctypes.sizeof(_libxvs.DeviceInfo))
    err = _libxvs.library().xvs_look(ctypes.byref(_options(number, run_dir)), ctypes.byref(info))
    if err:
        raise _open_failure(err)
    found = _fields(DeviceInfo, info)
    found["reason"] = found["reason"].decode(errors="replace")
    return DeviceInfo(**found)


class _Turn:
    """One thread at a time: another one that comes meanwhile is told so, and does not wait.  The same one may come again, by way of a signal's handler."""

    def __init__(self, device: "Device") -> None:
        self._device = weakref.proxy(device)
        self._lock = threading.RLock()
        self._depth = 0

    def __enter__(self) -> None:
        if not self._lock.acquire(blocking=False):
            raise RuntimeError("another thread is in a call for this device; a device belongs to one thread at a time")
        self._depth += 1
        if self._depth == 1:
            self._device._reap()

    def __exit__(self, *args: object) -> None:
        self._depth -= 1
        last = not self._depth
        self._lock.release()
        if last:
            self._device._tell_log()


class Device:
    """One vsock device of this guest.  A process that opens it owns it until close(); xvs_open(3).

    number is N of device/vsock/N.  buffer, tx_pool and rx_pool are bytes, connect_timeout is seconds, spin is microseconds; what is None is
    the library's default.  log is called with lines about the device; by default they go to logging.getLogger("xvs").

    Opening returns at once, and the device comes up in the background: connect() waits for that, or wait_up().  Raises what
    xvs_open(3) lists: OSError with EBUSY if another process has it, FileNotFoundError without Xen, PermissionError.

    A device with its streams belongs to one thread at a time: a second one that comes meanwhile gets RuntimeError.
    """

    def __init__(self, number: int = 0, *, buffer: Optional[int] = None, tx_pool: Optional[int] = None, rx_pool: Optional[int] = None,
                 max_streams: Optional[int] = None, connect_timeout: Optional[float] = None, spin: Optional[int] = None,
                 run_dir: RunDir = None, log: Optional[Callable[[str], object]] = None) -> None:
        self._handle: Optional[int] = None
        self._lib = _libxvs.library()
        self._turn = _Turn(self)
        self._told: Dict[int, int] = {}                 # events that nobody has asked for yet; 0 is the device
        self._things: "weakref.WeakValueDictionary[int, Thing]" = weakref.WeakValueDictionary()
        self._dropped: Deque[Tuple[Any, int]] = collections.deque()
        self._lines: Deque[bytes] = collections.deque()
        self._log: Callable[[str], object] = log or logging.getLogger("xvs").info
        self._event = _libxvs.Event()
        self._scratch = ctypes.create_string_buffer(PIECE)
        options = _options(number, run_dir)
        for name, value in (("buffer", buffer), ("tx_pool", tx_pool), ("rx_pool", rx_pool), ("max_streams", max_streams), ("spin", spin),
                            ("connect_timeout", None if connect_timeout is None else round(connect_timeout * 1000))):
            if value is not None:
                if not 0 <= value < 2**32:
                    raise ValueError(f"{name} is out of its range")
                setattr(options, name, value)
        lines = self._lines
        # Within a call of the library no program's code may run: the line waits until it has returned.
        options.log = self._log_call = _libxvs.LOG(lambda _, line: lines.append(line))
        handle = ctypes.c_void_p()
        err = self._lib.xvs_open(ctypes.byref(options), ctypes.byref(handle))
        if err:
            raise _open_failure(err)
        self._handle = handle.value

    # ---- within ----

    @property
    def _h(self) -> int:
        if self._handle is None:
            raise OSError(errno.EBADF, "the device is closed")
        return self._handle

    def _reap(self) -> None:
        while self._dropped:
            close, handle = self._dropped.popleft()
            if self._handle is not None:
                self._told.pop(handle, None)
                close(handle)

    def _tell_log(self) -> None:
        while self._lines:
            self._log(self._lines.popleft().decode(errors="replace"))

    def _collect(self) -> None:
        event, handle = self._event, self._h
        while self._lib.xvs_next_event(handle, ctypes.byref(event)):
            key = event.stream or event.listener or 0
            self._told[key] = self._told.get(key, 0) | event.what
            if event.what & What.HUP and key in self._things:
                self._things[key]._over = True

    def _process(self) -> None:
        err = self._lib.xvs_process(self._h)
        if err < 0:
            raise failure(-err, "the device")
        self._collect()

    def _sleep(self, patience: Patience) -> None:
        """Until something happens.  The caller has looked, and looks again."""
        ms = patience.left_ms()
        if ms == 0:
            if patience.looked:
                raise patience.over()
            self._process()
        else:
            err = self._lib.xvs_wait(self._h, ms)
            if err < 0 and err != -errno.EINTR:
                raise failure(-err, "the device")
            self._collect()
        patience.looked = True

    def _take_told(self) -> Iterator[Tuple[int, int]]:
        """What has been told by now, of each that is not closed before its turn comes: its number may be another one's then."""
        for key in list(self._told):
            what = self._told.pop(key, 0)
            if what:
                yield key, what

    # ---- life ----

    def fileno(self) -> int:
        """One descriptor to poll for reading, and then to call process(); the same until close(), and not to be read from.  Calls on streams may
        bring events as well, so take all events() before you sleep."""
        with self._turn:
            return int(self._lib.xvs_fd(self._h))

    def process(self) -> None:
        """Does all that is due, without blocking."""
        with self._turn:
            self._process()

    def events(self) -> Iterator[Event]:
        """What has become possible since the last time, until there is no more: what is done about one may make another.  For programs with a
        loop of their own (fileno(), process())."""
        while True:
            with self._turn:
                self._collect()
            if not self._told:
                return
            for key, what in self._take_told():
                thing = self._things.get(key) if key else None
                if key == 0 or thing is not None:
                    yield Event(What(what), thing if isinstance(thing, Stream) else None, thing if isinstance(thing, Listener) else None)

    def wait_up(self, timeout: Optional[float] = None) -> None:
        """Waits until connecting is possible.  TimeoutError says why it is not."""
        patience = Patience(timeout)
        with self._turn:
            while not self._lib.xvs_is_up(self._h):
                try:
                    self._sleep(patience)
                except TimeoutError:
                    raise TimeoutError(errno.ETIMEDOUT, f"the device is not up: {self.reason}") from None

    def close(self, linger: float = LINGER) -> None:
        """Gives the device up.  Streams that are open are reset; those that were closed in order have up to linger seconds to be
        taken in full, without which their last bytes are lost."""
        if self._handle is None:
            return
        with self._turn:
            for thing in list(self._things.values()):
                if isinstance(thing, Stream):
                    thing.reset()
                else:
                    thing.close()
            patience = Patience(linger)
            while self._streams() and self._lib.xvs_is_up(self._h) and patience.left():
                # A stream that was let go tells nothing any more.
                self._lib.xvs_wait(self._h, min(10, patience.left_ms()))
                self._collect()
            handle, self._handle = self._h, None
            self._told.clear()
            self._lib.xvs_close(handle)

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], *args: object) -> None:
        self.close(LINGER if kind is None else 0.0)

    def __del__(self) -> None:
        if getattr(self, "_handle", None) is not None:
            handle, self._handle = self._handle, None
            self._lib.xvs_close(handle)
            warnings.warn("unclosed xvs.Device", ResourceWarning, source=self)

    def __repr__(self) -> str:
        try:
            return f"<xvs.Device {'closed' if self._handle is None else 'up' if self.is_up else 'down'}>"
        except RuntimeError:
            return "<xvs.Device that another thread is using>"

    # ---- streams ----

    def connect(self, cid: int, port: int, timeout: Optional[float] = None) -> Stream:
        """An open stream to a port of another CID, CID_HOST for dom0; waits for the device as well.

        RefusedError has a reason; TimeoutError if nobody answers within connect_timeout, or within timeout."""
        return self._connect(self._lib.xvs_connect, cid, port, timeout)

    def connect_messages(self, cid: int, port: int, timeout: Optional[float] = None) -> Messages:
        """The same of messages (SEQPACKET).  OSError with ESOCKTNOSUPPORT if the daemon in dom0 is older than that; RefusedError with TYPE if
        who listens does so for streams."""
        stream = self._connect(self._lib.xvs_connect_seqpacket, cid, port, timeout)
        assert isinstance(stream, Messages)
        return stream

    def _connect(self, call: Any, cid: int, port: int, timeout: Optional[float]) -> Stream:
        patience = Patience(timeout)
        with self._turn:
            self.wait_up(timeout)
            stream = self._begin(cid, port, call)
            try:
                while not self._opened(stream):
                    self._sleep(patience)
            except BaseException:
                stream.reset()
                raise
            return stream

    def _begin(self, cid: int, port: int, call: Any = None) -> Stream:
        """A stream of which OPEN or HUP will be told."""
        if not (0 <= cid < 2**64 and 0 <= port < 2**32):
            raise OverflowError("a CID has 64 bits, a port 32")
        handle = ctypes.c_void_p()
        err = (call or self._lib.xvs_connect)(self._h, cid, port, ctypes.byref(handle))
        if err:
            raise failure(-err, self.reason if err == -errno.ENETDOWN else f"port {port} of CID {cid}")
        return self._adopt(handle.value)

    def _adopt(self, handle: Optional[int]) -> Stream:
        kind = Messages if self._lib.xvs_stream_is_seqpacket(handle) else Stream
        return kind(self, handle)

    def _opened(self, stream: "Stream") -> bool:
        what = self._told.get(stream._key, 0)
        if what & What.OPEN:
            self._told[stream._key] = what & ~What.OPEN
            return True
        if what & What.HUP:
            raise stream._error() or failure(errno.ECONNRESET, str(stream))
        return False

    def listen(self, port: int, backlog: int = 128) -> Listener:
        """Takes connections to a port, or with PORT_ANY to a free one.  The device need not be up."""
        return self._listen(self._lib.xvs_listen, port, backlog)

    def listen_messages(self, port: int, backlog: int = 128) -> Listener:
        """The same of messages: accept() gives Messages."""
        return self._listen(self._lib.xvs_listen_seqpacket, port, backlog)

    def _listen(self, call: Any, port: int, backlog: int) -> Listener:
        if not 0 <= port < 2**32:
            raise OverflowError("a port has 32 bits")
        handle = ctypes.c_void_p()
        with self._turn:
            err = call(self._h, port, backlog, ctypes.byref(handle))
            if err:
                raise failure(-err, f"port {port}")
            return Listener(self, handle.value)

    # ---- looking ----

    @property
    def is_up(self) -> bool:
        """Whether connecting is possible now."""
        with self._turn:
            return bool(self._lib.xvs_is_up(self._h))

    @property
    def cid(self) -> int:
        """This guest's context id; 0 until the device was up for the first time."""
        with self._turn:
            return int(self._lib.xvs_cid(self._h))

    @property
    def reason(self) -> str:
        """Why the device is down, or how it went down last."""
        with self._turn:
            return str(self._lib.xvs_reason(self._h).decode(errors="replace"))

    def _streams(self) -> int:
        return self.stats().streams

    def stats(self) -> Stats:
        """Counters."""
        stats = _libxvs.Stats(size=ctypes.sizeof(_libxvs.Stats))
        with self._turn:
            self._lib.xvs_get_stats(self._h, ctypes.byref(stats))
        return Stats(**_fields(Stats, stats))

    def dump(self) -> str:
        """The state of the device, its rings and every stream, for a person."""
        with self._turn:
            return _libxvs.dump(self._h)

# SPDX-License-Identifier: MIT
"""xvs.host: programs of dom0, which reach guests over the daemon's UNIX sockets (xvsd(8)); no library is needed.

    stream = xvs.host.connect("web1", 1234)             to whoever listens at port 1234 in web1
    listener = xvs.host.listen("web1", 5000)            what web1 connects to at CID 2, port 5000
    listener = xvs.host.listen_any(5000)                …and all guests for which nobody listens in their own directory

A guest is the name of its directory, that of its domain, or as a number its CID.  run_dir is $XVS_RUN_DIR or /run/xvs if not said.

A socket's end of file may hide a reset.  Here it does not: where both directions have ended the daemon is asked, and recv() raises
ResetError in place of the end, unless that was in order.  A daemon of another maker, which knows CONNECT alone, is taken at its socket's word.
"""
from __future__ import annotations

import errno
import socket
import time
from typing import Iterator, Optional, Tuple, Union

from . import _host
from ._host import Caller, Guest
from ._reasons import Reason, failure
from ._types import Buffer, Patience, RunDir, SocketLike

__all__ = ["Caller", "Listener", "Stream", "connect", "listen", "listen_any"]

_Socket = socket.socket


def _read_line(sock: socket.socket, most: int, patience: Patience) -> bytes:
    """A line and not a byte more; what there was of it if the end came first."""
    line = b""
    while len(line) < most and not line.endswith(b"\n"):
        left = patience.left()
        if left == 0:
            raise patience.over()
        sock.settimeout(left)
        try:
            piece = sock.recv(1)
        except ConnectionResetError:
            break
        except socket.timeout:
            raise patience.over() from None
        if not piece:
            break
        line += piece
    return line


def _knock(directory: str, word: str, patience: Patience) -> socket.socket:
    """A connection to a guest's own socket, with a line said."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.settimeout(patience.left())
        try:
            with _host.short(directory) as path:
                while True:
                    try:
                        sock.connect(f"{path}/vsock")
                        break
                    except BlockingIOError:             # the daemon's backlog is full, of which no descriptor tells the end
                        if patience.left() == 0:
                            raise
                        time.sleep(0.02)
        except BlockingIOError:
            raise patience.over() from None
        except OSError as why:
            raise _host.absent(directory, why) from None
        sock.sendall(word.encode())
        return sock
    except BaseException:
        sock.close()
        raise


def _ask(directory: str, question: str) -> bytes:
    """One question, and the first line of its answer."""
    patience = Patience(_host.PATIENCE)
    with _knock(directory, question, patience) as sock:
        return _read_line(sock, _host.LINE_MOST, patience)


def connect(guest: Guest, port: int, timeout: Optional[float] = None, *, device: int = 0, run_dir: RunDir = None) -> "Stream":
    """An open stream to a port of a guest.  RefusedError has the reason; TimeoutError if nobody has answered; FileNotFoundError if there is no
    such guest, or no daemon.  timeout is for connecting alone: settimeout() is the stream's."""
    directory = _host.guest_dir(guest, device, run_dir)
    what = f"port {port} of {guest}"
    patience = Patience(timeout)
    sock = _knock(directory, f"CONNECT {_host.port_number(port)}\n", patience)
    try:
        line = _read_line(sock, _host.OK_MOST, patience)
        if not line:
            try:
                raise _host.refusal(what, port, _ask(directory, f"WHY {port}\n"))
            except (FileNotFoundError, TimeoutError):
                raise failure(errno.ECONNREFUSED, what) from None
        number = _host.ok_number(line)
        sock.settimeout(None)
        return Stream(sock, directory, number, what)
    except BaseException:
        sock.close()
        raise


class Stream(SocketLike):
    """A stream to a guest's program, with the calls of a socket; `socket` is the one below it, and `number` the stream's.

    At the end of a with statement it is closed in order, but reset if that is left by an exception.  A process that is killed looks like an
    end in order to the guest's program, as with any program that does not vouch (xvsd(8)).
    """

    def __init__(self, sock: socket.socket, directory: str, number: int, what: str, caller: Optional[Caller] = None) -> None:
        self.socket, self.number, self.caller = sock, number, caller
        self._directory, self._what = directory, what

    def settimeout(self, timeout: Optional[float]) -> None:
        self.socket.settimeout(timeout)

    def gettimeout(self) -> Optional[float]:
        return self.socket.gettimeout()

    def setblocking(self, flag: bool) -> None:
        self.socket.setblocking(flag)

    def fileno(self) -> int:
        return self.socket.fileno()

    def _judge(self) -> None:
        """At an end of file: raises if that was none in order."""
        if self.number and _host.is_hung_up(self.socket):
            try:
                line = _ask(self._directory, f"WATCH {self.number}\n")
            except OSError:
                raise _host.unasked(self._what) from None
            error = _host.cut(self._what, line)
            if error:
                raise error

    def _reset(self, why: ConnectionResetError) -> OSError:
        """The socket says that it was cut off; the daemon may know why."""
        try:
            return _host.cut(self._what, _ask(self._directory, f"WATCH {self.number}\n")) or why
        except OSError:
            return why

    def recv(self, bufsize: int) -> bytes:
        """At least one byte, or b"" at the end of the stream."""
        try:
            data = self.socket.recv(bufsize)
        except ConnectionResetError as why:
            raise self._reset(why) from None
        if not data and bufsize:
            self._judge()
        return data

    def recv_into(self, buffer: "Union[bytearray, memoryview]", nbytes: int = 0) -> int:
        try:
            n = self.socket.recv_into(buffer, nbytes)
        except ConnectionResetError as why:
            raise self._reset(why) from None
        if not n and len(memoryview(buffer)):
            self._judge()
        return n

    def send(self, data: Buffer) -> int:
        return self.socket.send(data)

    def sendall(self, data: Buffer) -> None:
        self.socket.sendall(data)

    def shutdown(self, how: int) -> None:
        self.socket.shutdown(how)

    def close(self) -> None:
        """In order: what was sent still arrives."""
        self.socket.close()

    def reset(self, reason: Reason = Reason.ABORTED, detail: int = 0) -> None:
        """Ends it, and the guest's program hears that it was cut off, and why; as xvs.Stream.reset()."""
        if self.socket.fileno() < 0:
            return
        patience = Patience(_host.PATIENCE)
        line = _host.reset_line(reason, detail)
        try:
            # A connection that vouches for the stream, and then does not.
            with _knock(self._directory, f"VOUCH {self.number}\n", patience) as vouch:
                if _read_line(vouch, _host.LINE_MOST, patience).startswith(b"WATCHING "):
                    vouch.sendall(line)
                    self.socket.close()
        except OSError:
            pass                # the daemon or the guest is gone, and so is the stream
        finally:
            self.socket.close()

    def getpeername(self) -> "Union[Caller, str]":
        """Who has called, if somebody has; else which port of whom this is."""
        return self.caller or self._what

    def __repr__(self) -> str:
        return f"<xvs.host.Stream {'closed' if self.socket.fileno() < 0 else self._what}>"


class Listener:
    """Takes what guests connect to a port of CID 2."""

    def __init__(self, door: _host.Door, port: int, for_all: bool, run_dir: RunDir) -> None:
        self._door, self.port, self._for_all, self._run_dir = door, port, for_all, run_dir

    @property
    def socket(self) -> _Socket:
        """The one that listens."""
        return self._door.sock

    def settimeout(self, timeout: Optional[float]) -> None:
        self.socket.settimeout(timeout)

    def gettimeout(self) -> Optional[float]:
        return self.socket.gettimeout()

    def fileno(self) -> int:
        return self.socket.fileno()

    def accept(self) -> Tuple[Stream, Optional[Caller]]:
        """The next stream, and who calls; None for a program of this host's, or another daemon, which have no name."""
        patience = Patience(self.gettimeout())
        while True:
            self.socket.settimeout(patience.timeout if patience.timeout in (None, 0) else patience.left())
            try:
                sock, _ = self.socket.accept()
            finally:
                self.socket.settimeout(patience.timeout)
            try:
                stream = take(sock, self._read_from(sock) if self._for_all else None, self.port, self._run_dir)
                return stream, stream.caller
            except OSError:
                sock.close()            # whoever does not say the line is nobody
                if self._for_all:
                    continue
                raise
            except BaseException:
                sock.close()
                raise

    @staticmethod
    def _read_from(sock: _Socket) -> Caller:
        line = _read_line(sock, _host.LINE_MOST, Patience(_host.PATIENCE))
        sock.settimeout(None)
        return _host.from_line(line)

    def close(self) -> None:
        self._door.close()

    def __enter__(self) -> "Listener":
        return self

    def __exit__(self, *args: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[Tuple[Stream, Optional[Caller]]]:
        while self.fileno() >= 0:
            yield self.accept()

    def __del__(self) -> None:
        if hasattr(self, "_door"):
            self._door.close()

    def __repr__(self) -> str:
        return f"<xvs.host.Listener port={self.port}{' closed' if self.fileno() < 0 else ''}>"


def take(sock: socket.socket, said: Optional[Caller], port: int, run_dir: RunDir) -> Stream:
    """A stream of what was accepted.  said: what its FROM line says, which has the name of the guest's directory as it was then."""
    named, number = _host.callers_name(sock)
    caller = said or named
    directory = _host.guest_dir(caller.guest, 0, run_dir) if caller else ""
    return Stream(sock, directory, number, f"{caller.guest} at port {port}" if caller else f"a caller at port {port}", caller)


def listen(guest: Guest, port: int, *, backlog: int = 128, mode: Optional[int] = None, device: int = 0, run_dir: RunDir = None) -> Listener:
    """Listens for what one guest connects to CID 2, port PORT.  The socket has the mode, if one is said; OSError with EADDRINUSE if
    somebody listens there."""
    return Listener(_host.Door(_host.guest_dir(guest, device, run_dir), port, backlog, mode), port, False, run_dir)


def listen_any(port: int, *, backlog: int = 128, mode: Optional[int] = None, run_dir: RunDir = None) -> Listener:
    """Listens for all guests for which nobody listens in their own directory."""
    return Listener(_host.Door(_host.any_dir(run_dir), port, backlog, mode), port, True, run_dir)



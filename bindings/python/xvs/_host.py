# SPDX-License-Identifier: MIT
"""_host.py: the convention of the daemon's UNIX sockets, xvsd(8), as far as it is words and names: what the blocking and the
asyncio side have in common.  No waiting here, but for names in the file system.

    calling     RUN/guest/NAME/vsock: "CONNECT port\\n", "OK number\\n"; closed without a word is a refusal, and "WHY port\\n" asks why
    called      RUN/guest/NAME/vsock_PORT, or for all guests RUN/any/vsock_PORT, where "FROM cid port name\\n" comes first
    the end     a UNIX socket's end of file may be a reset: "WATCH number\\n" asks
"""
from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import select
import socket
import stat
import time
from typing import Iterator, NamedTuple, Optional, Tuple, Union

from ._reasons import Reason, failure, may_be_said, parse
from ._types import RunDir

PATIENCE = 5.0          # seconds for an answer of the daemon's own
LINE_MOST = 256         # bytes of any line
OK_MOST = 32            # …of the answer to CONNECT, which may be somebody else's than xvsd

Guest = Union[str, int]


class Caller(NamedTuple):
    """Who calls: the address of the guest's program, and the name of the guest's directory."""

    cid: int
    port: int
    guest: str


def run_dir(given: RunDir) -> str:
    """Where the daemon's sockets are: what is given, $XVS_RUN_DIR, /run/xvs."""
    return os.fspath(given) if given is not None else os.environ.get("XVS_RUN_DIR") or "/run/xvs"


def guest_dir(guest: Guest, device: int, given: RunDir) -> str:
    """The directory of a guest: by its name, which may be ":" and a domid, or as a number by its CID."""
    top = run_dir(given)
    if isinstance(guest, int):
        return os.path.join(top, "cid", str(guest))
    if not guest or "/" in guest or "\0" in guest or guest in (".", ".."):
        raise ValueError(f"{guest!r} is no guest's name")
    return os.path.join(top, "guest", f"{guest}:{device}" if device else guest)


def any_dir(given: RunDir) -> str:
    return os.path.join(run_dir(given), "any")


def port_number(port: int) -> int:
    if not 0 <= port < 2**32:
        raise OverflowError("a port has 32 bits")
    return port


@contextlib.contextmanager
def short(directory: str) -> Iterator[str]:
    """A name of the directory that fits into a socket's address, whatever its length."""
    fd = os.open(directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


def absent(directory: str, why: OSError) -> OSError:
    """Why the guest's own socket is not there."""
    if why.errno in (errno.ENOENT, errno.ENOTDIR, errno.ECONNREFUSED):
        return FileNotFoundError(errno.ENOENT, f"{os.path.basename(directory)} is not attached, or xvsd is not running: see 'xvs ls'", directory)
    return OSError(why.errno or errno.EIO, why.strerror, os.path.join(directory, "vsock"))


# ---- what is said ----

def ok_number(line: bytes) -> int:
    """The number of the stream, from "OK number\\n"."""
    found = re.fullmatch(rb"OK ([0-9]{1,10})\n", line)
    if not found:
        raise OSError(errno.EPROTO, f"the daemon's socket answered {line[:OK_MOST]!r} in place of 'OK number'")
    return int(found.group(1))


def refusal(what: str, port: int, line: bytes) -> OSError:
    """The answer to WHY port, or nothing."""
    words = line.decode("ascii", "replace").rstrip("\n").split(" ", 2)
    reason, detail = parse(words[2]) if len(words) == 3 and words[:2] == ["REFUSED", str(port)] else (Reason.NONE, 0)
    return failure(errno.ETIMEDOUT if reason == Reason.TIMEOUT else errno.ECONNREFUSED, what, reason, detail)


def cut(what: str, line: bytes) -> Optional[OSError]:
    """The answer to WATCH number, its first line: what the end of file was, if not an end in order."""
    words = line.decode("ascii", "replace").rstrip("\n").split(" ", 2)
    if words[0] == "UNKNOWN":
        return failure(errno.ECONNRESET, f"{what}: xvsd was started anew")
    if words[0] != "ENDED" or len(words) < 3 or words[2].startswith("order"):
        return None             # it lives on in the other direction, or whoever is there does not know the word
    reason = re.search(r"\(([^()]*)\)$", words[2])
    error = failure(errno.ECONNRESET, what, *parse(reason.group(1) if reason else ""))
    if not getattr(error, "reason", Reason.NONE):
        error.strerror = f"{what}: {words[2]}"
    return error


def reset_line(reason: Reason, detail: int) -> bytes:
    """What whoever vouches says in place of END."""
    if not may_be_said(reason, detail):
        raise ValueError(f"a program cannot reset a stream with the reason {reason.word} {detail}")
    return f"RESET {reason.word}{f' {detail}' if reason.has_detail else ''}\n".encode()


def unasked(what: str) -> OSError:
    """Whether that was all cannot be asked: neither the daemon nor the guest is there any more."""
    return failure(errno.ECONNRESET, f"{what}: the guest or xvsd is gone, and nobody can say whether that was all")


def from_line(line: bytes) -> Caller:
    """FROM cid port name."""
    found = re.fullmatch(rb"FROM ([0-9]{1,20}) ([0-9]{1,10}) ([!-~]{1,79})\n", line)
    if not found or b"/" in found.group(3) or found.group(3) in (b".", b".."):
        raise OSError(errno.EPROTO, f"a caller began with {line[:40]!r} in place of 'FROM cid port name'")
    return Caller(int(found.group(1)), int(found.group(2)), found.group(3).decode())


def callers_name(sock: socket.socket) -> Tuple[Optional[Caller], int]:
    """Who has connected for a guest, and the number of the stream: "xvs/NAME/CID:PORT/NUMBER" in the abstract namespace."""
    name = sock.getpeername()
    found = re.fullmatch(rb"\0xvs/([^/]+)/([0-9]+):([0-9]+)/([0-9]+)", name) if isinstance(name, bytes) else None
    if not found:
        return None, 0
    return Caller(int(found.group(2)), int(found.group(3)), found.group(1).decode("ascii", "replace")), int(found.group(4))


def is_hung_up(sock: socket.socket) -> bool:
    """At an end of file: whether the other direction has ended as well, so that it may have been a reset."""
    poll = select.poll()
    poll.register(sock, 0)
    return any(what & (select.POLLHUP | select.POLLERR) for _, what in poll.poll(0))


# ---- listening ----

def _is_alive(address: str) -> bool:
    """Whether a program has the socket open.  A connection of the wrong type tells without anybody noticing."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            return False
        except OSError as why:
            if why.errno != errno.EPROTOTYPE:
                raise
        return True


def _lock(dirfd: int) -> None:
    """Whoever may read the directory may lock it, for ever: so not for ever.  'xvs serve' takes the same lock."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(dirfd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= end:
                raise TimeoutError(errno.ETIMEDOUT, "another program holds the lock of the directory") from None
            time.sleep(0.01)


class Door:
    """A socket that listens at vsock_PORT of a directory: the name appears when it listens, and goes with it.  What a killed program has left
    there is replaced; OSError with EADDRINUSE if somebody listens, FileExistsError if it is no socket."""

    def __init__(self, directory: str, port: int, backlog: int, mode: Optional[int]) -> None:
        self.name = f"vsock_{port_number(port)}"
        self.inode = 0
        try:
            self.dirfd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as why:
            raise absent(directory, why) from None
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            _lock(self.dirfd)
            self._publish(f"/proc/self/fd/{self.dirfd}", f".{self.name}.{os.getpid()}", backlog, mode)
            fcntl.flock(self.dirfd, fcntl.LOCK_UN)
        except OSError as why:
            self.close()
            why.filename = f"{directory}/{self.name}"
            raise
        except BaseException:
            self.close()
            raise

    def _publish(self, path: str, working: str, backlog: int, mode: Optional[int]) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(working, dir_fd=self.dirfd)
        self.sock.bind(f"{path}/{working}")
        try:
            if mode is not None:
                os.chmod(working, mode, dir_fd=self.dirfd)
            self.sock.listen(backlog)
            inode = os.stat(working, dir_fd=self.dirfd, follow_symlinks=False).st_ino
            self._make_room(path)
            os.rename(working, self.name, src_dir_fd=self.dirfd, dst_dir_fd=self.dirfd)
            self.inode = inode
        except BaseException:
            os.unlink(working, dir_fd=self.dirfd)
            raise

    def _make_room(self, path: str) -> None:
        try:
            there = os.stat(self.name, dir_fd=self.dirfd, follow_symlinks=False)
        except FileNotFoundError:
            return
        if not stat.S_ISSOCK(there.st_mode):
            raise FileExistsError(errno.EEXIST, "what is there is no socket; remove it")
        if _is_alive(f"{path}/{self.name}"):
            raise OSError(errno.EADDRINUSE, "another program listens there")

    def close(self) -> None:
        """Takes the name away, unless it is another's by now."""
        if self.dirfd < 0:
            return
        self.sock.close()
        with contextlib.suppress(OSError):
            if self.inode and os.stat(self.name, dir_fd=self.dirfd, follow_symlinks=False).st_ino == self.inode:
                os.unlink(self.name, dir_fd=self.dirfd)
        os.close(self.dirfd)
        self.dirfd = -1

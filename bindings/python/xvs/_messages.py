# SPDX-License-Identifier: MIT
"""_messages.py: connections of messages (SEQPACKET): what one call sends one call receives, whole or not at all."""
from __future__ import annotations

import ctypes
import errno
from typing import Any, Optional

from ._reasons import failure
from ._stream import PIECE, Stream
from ._types import Buffer, Patience

EOR = 1 << 3


class Messages(Stream):
    """A connection of messages; made by Device.connect_messages(), and by the listeners of Device.listen_messages().

    There are no empty ones, so b"" is the end here as well.  With asyncio there are streams alone.
    """

    def send(self, data: Buffer, *, eor: bool = False) -> int:
        """One message, when there is room for all of it; eor: it ends a record.  OSError with EMSGSIZE if that can never be."""
        message = bytes(data)
        if not message:
            raise ValueError("there are no empty messages")
        patience = Patience(self._timeout)
        with self._device._turn:
            while True:
                n = self._lib.xvs_send(self._h, message, len(message), EOR if eor else 0)
                if n >= 0:
                    return int(n)
                if n not in (-errno.EAGAIN, -errno.ENOTCONN):
                    raise self._failure(-n)
                self._device._sleep(patience)

    def sendall(self, data: Buffer, *, eor: bool = False) -> None:
        """As send()."""
        self.send(data, eor=eor)

    def recv(self, bufsize: Optional[int] = None) -> bytes:
        """One message; of one that is longer than bufsize the rest is dropped.  b"" at the end."""
        if bufsize is not None and bufsize < 0:
            raise ValueError("negative buffersize in recv")
        if bufsize == 0:
            return b""
        patience = Patience(self._timeout)
        with self._device._turn:
            while True:
                # Nothing comes between this and what follows: that is in _sleep() alone.
                size = int(self._lib.xvs_stream_readable(self._h))
                buffer = self._device._scratch if size <= PIECE else ctypes.create_string_buffer(size)
                got = self._recv_now(buffer, max(size, 1))
                if got is not None:
                    return ctypes.string_at(buffer, got if bufsize is None else min(got, bufsize))
                self._device._sleep(patience)

    @property
    def message_max(self) -> int:
        """Bytes of the largest message that can be sent: the other end's buffer decides."""
        with self._device._turn:
            return int(self._lib.xvs_message_max(self._h))

    @property
    def had_eor(self) -> bool:
        """Whether the message that was received last ended a record."""
        with self._device._turn:
            return bool(self._lib.xvs_message_had_eor(self._h))

    def makefile(self, *args: Any, **options: Any) -> Any:
        """A file has no messages."""
        raise failure(errno.EOPNOTSUPP, "a file of messages")

# SPDX-License-Identifier: MIT
"""xvs.aio: streams for asyncio.

    async with xvs.aio.Device() as device:                                  in a guest
        reader, writer = await device.open_connection(xvs.CID_HOST, 5000)
        server = await device.start_server(serve, 1234)

    reader, writer = await xvs.aio.host.open_connection("web1", 1234)       in dom0

reader and writer are asyncio's own StreamReader and StreamWriter, and the servers asyncio's AbstractServer.
"""
import asyncio

from .._reasons import Reason
from . import host
from ._device import Device, Server
from ._transport import StreamTransport

__all__ = ["Device", "Server", "StreamTransport", "host", "reset"]


async def reset(writer: asyncio.StreamWriter, reason: Reason = Reason.ABORTED, detail: int = 0) -> None:
    """Cuts a stream of either end off, and tells the peer why, as xvs.Stream.reset() does.  (What writer.close() does is an end in order, and in
    dom0 writer.transport.abort() looks like one to the guest.)"""
    if isinstance(writer, host.Writer):
        await writer.reset(reason, detail)
    elif isinstance(writer.transport, StreamTransport):
        writer.transport.reset(reason, detail)
    else:
        raise TypeError("no stream of xvs")

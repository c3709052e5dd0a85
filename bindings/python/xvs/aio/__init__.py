# SPDX-License-Identifier: MIT
"""xvs.aio: streams for asyncio.

    async with xvs.aio.Device() as device:                                  in a guest
        reader, writer = await device.open_connection(xvs.CID_HOST, 5000)
        server = await device.start_server(serve, 1234)

    reader, writer = await xvs.aio.host.open_connection("web1", 1234)       in dom0

reader and writer are asyncio's own StreamReader and StreamWriter, and the servers asyncio's AbstractServer.
"""
from . import host
from ._device import Device, Server
from ._transport import StreamTransport

__all__ = ["Device", "Server", "StreamTransport", "host"]

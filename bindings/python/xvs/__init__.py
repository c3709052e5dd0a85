# SPDX-License-Identifier: MIT
"""vsock for Xen: streams between a guest and its host, and between guests, by CID and port, with no network in between.

In a guest, over libxvs (the package libxvs0):

    import xvs
    with xvs.Device() as device, device.connect(xvs.CID_HOST, 5000) as stream:
        stream.sendall(b"hello\\n")
        print(stream.makefile().readline())

and with asyncio, xvs.aio:

    async with xvs.aio.Device() as device:
        reader, writer = await device.open_connection(xvs.CID_HOST, 5000)

In dom0, over the daemon's UNIX sockets and with no library: xvs.host, and with asyncio xvs.aio.host.

    with xvs.host.connect("web1", 1234) as stream: ...
    with xvs.host.listen_any(5000) as listener:
        for stream, caller in listener: ...

Exceptions are those of OSError: RefusedError and ResetError are ConnectionRefusedError and ConnectionResetError with the reason.
"""
from . import aio, host
from ._device import Device, DeviceInfo, Event, Stats, look
from ._messages import Messages
from ._reasons import Reason, RefusedError, ResetError
from ._stream import Listener, Stream
from ._types import CID_HOST, CID_LOCAL, PORT_ANY, Address, What

__version__ = "0.1.0"
__all__ = ["Address", "CID_HOST", "CID_LOCAL", "Device", "DeviceInfo", "Event", "Listener", "Messages", "PORT_ANY", "Reason", "RefusedError",
           "ResetError", "Stats", "Stream", "What", "aio", "host", "look"]

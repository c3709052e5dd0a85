# SPDX-License-Identifier: MIT
"""_libxvs.py: libxvs as ctypes sees it: the structs and calls of xvs.h, and nothing else.

tests/bindings compares the structs with the header's, by the compiler.  The library is loaded when a device is opened for the first time: in
dom0, where programs need none, it need not be there.  Each call gives the interpreter's lock to other threads.
"""
from __future__ import annotations

import ctypes
import errno
import functools
from ctypes import POINTER, Structure, c_bool, c_char, c_char_p, c_int, c_long, c_size_t, c_ssize_t, c_uint, c_uint32, c_uint64, c_void_p

LOG = ctypes.CFUNCTYPE(None, c_void_p, c_char_p)


class Address(Structure):
    _fields_ = [("cid", c_uint64), ("port", c_uint32)]


class Options(Structure):
    _fields_ = [("size", c_size_t), ("device", c_uint), ("buffer", c_uint32), ("tx_pool", c_uint32), ("rx_pool", c_uint32),
                ("max_streams", c_uint32), ("connect_timeout", c_uint32), ("spin", c_uint32), ("run_dir", c_char_p), ("log", LOG),
                ("log_arg", c_void_p)]


class DeviceInfo(Structure):
    _fields_ = [("size", c_size_t), ("cid", c_uint64), ("owner", c_long), ("state", c_uint32), ("backend_state", c_uint32),
                ("is_attached", c_bool), ("is_up", c_bool), ("reason", c_char * 256), ("is_kernels", c_bool)]


class Event(Structure):
    _fields_ = [("what", c_uint), ("stream", c_void_p), ("listener", c_void_p), ("user", c_void_p)]


class Stats(Structure):
    _fields_ = [("size", c_size_t), ("tx_bytes", c_uint64), ("tx_packets", c_uint64), ("rx_bytes", c_uint64), ("rx_packets", c_uint64),
                ("notifications_sent", c_uint64), ("notifications_received", c_uint64), ("streams_opened", c_uint64),
                ("resets", c_uint64), ("reconnects", c_uint64), ("memory", c_uint64), ("streams", c_uint32),
                ("rx_buffers_held", c_uint32)]


# Of each call: what it returns, and what it takes.
_CALLS = {
    "xvs_options_init": (None, [POINTER(Options)]),
    "xvs_open": (c_int, [POINTER(Options), POINTER(c_void_p)]),
    "xvs_close": (None, [c_void_p]),
    "xvs_open_error": (c_char_p, []),
    "xvs_look": (c_int, [POINTER(Options), POINTER(DeviceInfo)]),
    "xvs_fd": (c_int, [c_void_p]),
    "xvs_process": (c_int, [c_void_p]),
    "xvs_wait": (c_int, [c_void_p, c_int]),
    "xvs_is_up": (c_bool, [c_void_p]),
    "xvs_cid": (c_uint64, [c_void_p]),
    "xvs_reason": (c_char_p, [c_void_p]),
    "xvs_next_event": (c_bool, [c_void_p, POINTER(Event)]),
    "xvs_listen": (c_int, [c_void_p, c_uint32, c_uint, POINTER(c_void_p)]),
    "xvs_accept": (c_int, [c_void_p, POINTER(c_void_p)]),
    "xvs_listener_close": (None, [c_void_p]),
    "xvs_listener_port": (c_uint32, [c_void_p]),
    "xvs_connect": (c_int, [c_void_p, c_uint64, c_uint32, POINTER(c_void_p)]),
    "xvs_listen_seqpacket": (c_int, [c_void_p, c_uint32, c_uint, POINTER(c_void_p)]),
    "xvs_connect_seqpacket": (c_int, [c_void_p, c_uint64, c_uint32, POINTER(c_void_p)]),
    "xvs_stream_is_seqpacket": (c_bool, [c_void_p]),
    "xvs_message_max": (c_size_t, [c_void_p]),
    "xvs_message_had_eor": (c_bool, [c_void_p]),
    "xvs_send": (c_ssize_t, [c_void_p, c_void_p, c_size_t, c_uint]),
    "xvs_recv": (c_ssize_t, [c_void_p, c_void_p, c_size_t, c_uint]),
    "xvs_shutdown": (c_int, [c_void_p, c_int]),
    "xvs_stream_close": (None, [c_void_p]),
    "xvs_stream_reset_with": (c_int, [c_void_p, c_int, c_uint]),
    "xvs_stream_error": (c_int, [c_void_p]),
    "xvs_stream_reason": (c_int, [c_void_p, POINTER(c_uint)]),
    "xvs_reason_text": (c_char_p, [c_int]),
    "xvs_stream_local": (Address, [c_void_p]),
    "xvs_stream_peer": (Address, [c_void_p]),
    "xvs_stream_readable": (c_size_t, [c_void_p]),
    "xvs_stream_writable": (c_size_t, [c_void_p]),
    "xvs_stream_set_buffer": (c_int, [c_void_p, c_uint32]),
    "xvs_get_stats": (None, [c_void_p, POINTER(Stats)]),
    "xvs_dump": (None, [c_void_p, c_void_p]),
    "xvs_version": (c_char_p, []),
}


@functools.lru_cache(maxsize=None)
def library() -> ctypes.CDLL:
    """libxvs, loaded.  FileNotFoundError without it."""
    try:
        lib = ctypes.CDLL("libxvs.so.0")
    except OSError as why:
        raise FileNotFoundError(errno.ENOENT, f"no libxvs.so.0, which is in the package libxvs0: {why}") from None
    for name, (result, arguments) in _CALLS.items():
        call = getattr(lib, name)
        call.restype, call.argtypes = result, arguments
    return lib


def dump(device: "int | None") -> str:
    """What xvs_dump() writes."""
    libc = ctypes.CDLL(None)
    libc.open_memstream.restype = c_void_p
    libc.open_memstream.argtypes = [POINTER(c_void_p), POINTER(c_size_t)]
    libc.fclose.argtypes = libc.free.argtypes = [c_void_p]
    text, size = c_void_p(), c_size_t()
    file = libc.open_memstream(ctypes.byref(text), ctypes.byref(size))
    if not file:
        raise MemoryError
    library().xvs_dump(device, file)
    libc.fclose(file)
    try:
        return ctypes.string_at(text.value or 0, size.value).decode(errors="replace")
    finally:
        libc.free(text)

# SPDX-License-Identifier: MIT
"""Debian's kernels and modules, as the lab boots them.

Both kernels are unpacked here, on the host: a bzImage would otherwise unpack
itself in emulation, at six seconds a boot.
"""

import contextlib
import glob
import lzma
import os
import re
import struct
import subprocess

from .problem import Problem

_XZ = b"\xfd7zXZ"
_LZ4 = b"\x02\x21\x4c\x18"
_ZSTD = b"\x28\xb5\x2f\xfd"


def find(pkgs, flavour):
    """The version of the unpacked kernel: flavour is 'amd64' or 'cloud-amd64'."""
    pattern = re.compile(r"vmlinuz-([0-9.]+(?:-[0-9]+|\+deb[0-9]+)-%s)$" % flavour)
    names = sorted(os.listdir(os.path.join(pkgs, "boot")))
    versions = [m.group(1) for m in map(pattern.match, names) if m]
    if len(versions) != 1:
        raise Problem(f"{pkgs}/boot should have one {flavour} kernel, it has {versions}: remove {pkgs} and build again")
    return versions[0]


def unpack(bzimage):
    """The ELF image inside a bzImage (Linux Documentation/x86/boot.rst, payload_offset)."""
    with open(bzimage, "rb") as f:
        image = f.read()
    setup_sectors = image[0x1F1] or 4
    offset, length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sectors + 1) * 512 + offset
    payload = image[start:start + length]
    if payload.startswith(_XZ):
        # What follows the xz stream is the size that the kernel's build appended.
        elf = lzma.LZMADecompressor().decompress(payload)
    elif payload.startswith((_LZ4, _ZSTD)):
        tool = "lz4" if payload.startswith(_LZ4) else "zstd"
        elf = subprocess.run([tool, "-dc"], input=payload[:-4], stdout=subprocess.PIPE, check=True).stdout
    else:
        raise Problem(f"{bzimage}: packed in a way that the lab does not know ({payload[:6].hex()})")
    if not elf.startswith(b"\x7fELF"):
        raise Problem(f"{bzimage}: what was unpacked is no ELF image")
    return elf


def modules(pkgs, version, wanted):
    """File names and contents of the wanted modules and of what they depend on, in an order to insert them in."""
    paths = {_name(path): path for usr in ("", "usr") for end in (".ko", ".ko.xz") for path in
             glob.glob(os.path.join(pkgs, usr, "lib/modules", version, "kernel/**/*" + end), recursive=True)}
    order, done = [], set()

    def add(name):
        if name not in paths:
            return  # built into the kernel
        if name in done:
            return
        done.add(name)
        path = paths[name]
        with lzma.open(path) if path.endswith(".xz") else open(path, "rb") as f:
            module = f.read()
        depends = re.search(rb"\0depends=([^\0]*)\0", module)
        for other in depends.group(1).decode().split(",") if depends else []:
            add(other.replace("-", "_"))
        order.append((os.path.basename(path).removesuffix(".xz"), module))

    builtin = set()
    for usr in ("", "usr"):
        with contextlib.suppress(FileNotFoundError), open(os.path.join(pkgs, usr, "lib/modules", version, "modules.builtin")) as f:
            builtin = {_name(line.strip()) for line in f}
    for name in wanted:
        if name.replace("-", "_") in builtin:
            continue
        if name.replace("-", "_") not in paths:
            raise Problem(f"kernel {version} has no module {name}")
        add(name.replace("-", "_"))
    return order


def _name(path):
    return os.path.basename(path).partition(".ko")[0].replace("-", "_")

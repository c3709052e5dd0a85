# SPDX-License-Identifier: MIT
"""Rebuild what changed, judged by contents: a file beside the product holds the digest of its inputs."""

import hashlib
import os


def digest(*inputs):
    """Of files, of directories with all that is in them, and of texts (as 'text:…')."""
    total = hashlib.sha256()
    for item in inputs:
        if item.startswith("text:"):
            total.update(item.encode())
        elif os.path.isdir(item):
            for parent, dirs, names in os.walk(item):
                dirs.sort()
                dirs[:] = [name for name in dirs if name != "__pycache__"]
                for name in sorted(names):
                    _file(total, os.path.join(parent, name))
        else:
            _file(total, item)
        total.update(b"\0")
    return total.hexdigest()


def _file(total, path):
    total.update(os.path.basename(path).encode() + b"\0%o\0" % (os.stat(path).st_mode & 0o111))
    with open(path, "rb") as f:
        total.update(hashlib.file_digest(f, "sha256").digest())


def current(product, key):
    """Whether 'product' is there and was built from inputs with this digest."""
    try:
        with open(product + ".stamp") as f:
            return f.read() == key and os.path.exists(product)
    except OSError:
        return False


def write(product, key):
    with open(product + ".stamp", "w") as f:
        f.write(key)


def forget(product):
    """Before the product changes: an interrupted build must not look finished."""
    try:
        os.unlink(product + ".stamp")
    except FileNotFoundError:
        pass

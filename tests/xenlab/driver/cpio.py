# SPDX-License-Identifier: MIT
"""An initial RAM disk in the kernel's 'newc' cpio format, put together in memory.

Written here rather than with cpio(1), because device nodes and root's
ownership can then be described by any user, with no file system in between.
"""

import os
import stat

_TRAILER = "TRAILER!!!"


class Archive:
    def __init__(self):
        self._entries = {}  # path -> (mode, data, device numbers)
        self._merged = ()  # folders of / that are links to those of /usr

    def merge(self, *folders):
        """What is put into /bin is in /usr/bin from now on, and so on, with a link: Debian has it so since 13."""
        for folder in folders:
            self.link(folder, "usr/" + folder)
        self._merged = folders

    def _place(self, path):
        path = path.strip("/")
        first, slash, _ = path.partition("/")
        return "usr/" + path if slash and first in self._merged else path

    def directory(self, path, mode=0o755):
        path = self._place(path)
        if path and path not in self._entries:
            self.directory(os.path.dirname(path))
            self._entries[path] = (stat.S_IFDIR | mode, b"", (0, 0))

    def data(self, path, data, mode=0o644):
        self._add(path, stat.S_IFREG | mode, data)

    def file(self, path, source, mode=None):
        """The contents of 'source', with its mode unless another is given."""
        with open(source, "rb") as f:
            self.data(path, f.read(), os.stat(source).st_mode & 0o777 if mode is None else mode)

    def link(self, path, target):
        self._add(path, stat.S_IFLNK | 0o777, target.encode())

    def device(self, path, major, minor):
        self._add(path, stat.S_IFCHR | 0o600, b"", (major, minor))

    def tree(self, path, source):
        """A directory of the host with everything below it."""
        for parent, _, names in os.walk(source):
            inside = os.path.join(path, os.path.relpath(parent, source))
            for name in names:
                full = os.path.join(parent, name)
                if os.path.islink(full):
                    self.link(os.path.normpath(os.path.join(inside, name)), os.readlink(full))
                else:
                    self.file(os.path.normpath(os.path.join(inside, name)), full)

    def _add(self, path, mode, data, device=(0, 0)):
        path = self._place(path)
        self.directory(os.path.dirname(path))
        self._entries[path] = (mode, data, device)

    def __contains__(self, path):
        return self._place(path) in self._entries

    def write(self, out):
        """Writes to an open binary file.  Times are 0: equal contents are equal archives."""
        entries = sorted(self._entries.items()) + [(_TRAILER, (0, b"", (0, 0)))]
        for inode, (path, (mode, data, device)) in enumerate(entries, 1):
            name = path.encode() + b"\0"
            fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0)
            header = b"070701" + b"".join(b"%08X" % field for field in fields)
            out.write(_padded(header + name))
            out.write(_padded(data))


def _padded(data):
    return data + bytes(-len(data) % 4)

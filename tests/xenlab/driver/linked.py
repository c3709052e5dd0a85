# SPDX-License-Identifier: MIT
"""The shared libraries of a program, as the dynamic loader finds them."""

import os
import re
import subprocess


def libraries(program, search=()):
    """Each library's path by its name, None for one that is not found; and the loader's path, or None."""
    env = dict(os.environ, LD_LIBRARY_PATH=":".join(search)) if search else None
    listing = subprocess.run(["ldd", program], env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    found, loader = {}, None
    for line in listing.decode().splitlines():
        library = re.match(r"\s*(\S+) => (not found|/\S+)", line)
        interpreter = re.match(r"\s*(/\S*ld-linux\S*) \(", line)
        if library:
            name, path = library.groups()
            found[name] = None if path == "not found" else path
        elif interpreter:
            loader = interpreter.group(1)
    return found, loader

# SPDX-License-Identifier: MIT
"""The shared libraries of a program, as the dynamic loader finds them."""

import os
import re
import subprocess


def libraries(program, search=(), loader=None):
    """Each library's path by its name, None for one that is not found; and the loader: its name in the program and its file, or
    None.  Another C library's programs are looked through by the loader that belongs to it: 'loader'."""
    if loader and subprocess.run([loader, "--verify", program], stderr=subprocess.DEVNULL).returncode not in (0, 2):
        return {}, None  # linked statically
    if loader:
        command, env = [loader, "--library-path", ":".join(search), program], dict(os.environ, LD_TRACE_LOADED_OBJECTS="1")
    else:
        command, env = ["ldd", program], dict(os.environ, LD_LIBRARY_PATH=":".join(search)) if search else None
    listing = subprocess.run(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout
    found, interpreter = {}, None
    for line in listing.decode().splitlines():
        library = re.match(r"\s*(\S+) => (not found|/\S+)", line)
        alone = re.match(r"\s*(/\S*ld-linux\S*) \(", line)
        if library and "/ld-linux" in library.group(1):
            interpreter = library.groups()
        elif library:
            name, path = library.groups()
            found[name] = None if path == "not found" else path
        elif alone:
            interpreter = (alone.group(1), alone.group(1))
    return found, interpreter

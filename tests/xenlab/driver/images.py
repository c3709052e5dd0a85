# SPDX-License-Identifier: MIT
"""Builds what QEMU boots: hypervisor, kernels and RAM disks, from unpacked packages.

Nothing of xvs is in the images.  Only the libraries that its builds need are,
so that its binaries can be dropped in after a snapshot was restored.
"""

import glob
import gzip
import os
import re
import shutil
import subprocess

from . import kernel, places, stamp
from .cpio import Archive
from .linked import libraries
from .problem import Problem

# Programs of the lab.  Static: in emulation the dynamic loader costs as much as a small program.
_TOOLS = {
    "labagent": ["labagent.c", "session.c", "frame.c"],
    "labctl": ["labctl.c", "frame.c"],
    "gntused": ["gntused.c"],
    "held": ["held.c"],
    "hypercalls": ["hypercalls.c"],
    "vchanbench": ["vchanbench.c"],
}
_DOM0_TOOLS = list(_TOOLS)
_GUEST_TOOLS = ["labagent", "gntused", "vchanbench"]
_CFLAGS = ["-static", "-std=gnu11", "-D_GNU_SOURCE", "-O2", "-g", "-Wall", "-Wextra", "-Wshadow",
           "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wpointer-arith", "-Wcast-qual", "-Wundef", "-Wvla",
           "-Werror"]
_LIBS = ["-lxenvchan", "-lxenctrl", "-lxenstore", "-lxengnttab", "-lxenevtchn", "-lxencall", "-lxenforeignmemory",
         "-lxendevicemodel", "-lxentoollog", "-lxentoolcore"]

# Libraries that the builds of xvs need; a sanitised build brings its own (session.py).  libgcc_s is
# not in any DT_NEEDED of ours: pthread_cancel opens it by name, and xl cancels.
_GUEST_LIBS = ["libxengnttab.so.1", "libxenevtchn.so.1", "libxenstore.so.4", "libxentoollog.so.1",
               "libjansson.so.4", "libuv.so.1", "libgcc_s.so.1", "libm.so.6"]
_DOM0_LIBS = _GUEST_LIBS + ["libinih.so.1", "libsystemd.so.0"]

_XENSTORE_TOOLS = ["chmod", "exists", "list", "ls", "read", "rm", "watch", "write"]

# From xen-utils' own directory: the names in /usr/sbin are wrapper scripts.
_XEN_TOOLS = ["xl", "xenstored", "xenconsoled", "xenconsole", "xen-init-dom0", "libxl-save-helper", "lsevtchn",
              "xenstore-control", "xentrace"]

_XEN_MODULES = ["xen-evtchn", "xen-gntalloc", "xen-gntdev", "xen-privcmd", "xenfs"]
_DOM0_MODULES = _XEN_MODULES + ["virtio_pci", "9p", "9pnet_virtio", "vhost_vsock"]

# As much of systemd as a service needs that is to be enabled, started and logged, and its user made.
_SYSTEMD_PROGRAMS = ["lib/systemd/systemd", "lib/systemd/systemd-journald", "bin/systemctl", "bin/journalctl",
                     "bin/systemd-sysusers", "usr/bin/systemd-analyze"]
_SYSTEMD_UNITS = ["sysinit.target", "basic.target", "multi-user.target", "shutdown.target", "umount.target",
                  "final.target", "exit.target", "sockets.target", "paths.target", "slices.target", "timers.target",
                  "local-fs.target", "local-fs-pre.target", "swap.target", "systemd-exit.service",
                  "systemd-journald.service", "systemd-journald.socket", "systemd-journald-dev-log.socket",
                  "modprobe@.service"]

# What installs a package of ours, and what its maintainers' scripts call.
_DPKG_PROGRAMS = ["usr/bin/dpkg", "usr/bin/dpkg-deb", "usr/bin/dpkg-query", "usr/bin/dpkg-split", "usr/bin/dpkg-trigger",
                  "bin/tar", "usr/bin/perl", "usr/bin/deb-systemd-helper", "usr/bin/deb-systemd-invoke",
                  "sbin/ldconfig", "sbin/start-stop-daemon"]
_DPKG_TREES = ["usr/lib/x86_64-linux-gnu/perl-base", "usr/share/dpkg", "var/lib/dpkg"]

_PAGE = 4096
_GNTALLOC_DEFAULT = 1024


def build(say):
    """Brings everything below build/xenlab up to date."""
    for tool, package in (("cc", "gcc"), ("zstd", "zstd"), ("lz4", "lz4"), ("qemu-system-x86_64", "qemu-system-x86")):
        if not shutil.which(tool):
            raise Problem(f"{tool} is missing: apt-get install {package}")
    os.makedirs(places.BUILD, exist_ok=True)
    if subprocess.run([places.lab("fetch.sh"), places.PKGS]).returncode:
        raise Problem("the lab's packages are not there, see above")
    if places.TREE and subprocess.run([places.lab("debian", "tree.sh"), places.DEBIAN, places.TREE, places.APT]).returncode:
        raise Problem("there is no tree to build in, see above")
    unpacked = stamp.digest(os.path.join(places.PKGS, ".unpacked-list"),
                            "text:" + " ".join(sorted(os.listdir(os.path.join(places.PKGS, "boot")))))
    unpacker = stamp.digest(places.lab("driver", "kernel.py"))
    code = stamp.digest(places.lab("driver", "images.py"), places.lab("driver", "cpio.py"),
                        places.lab("driver", "linked.py"), "text:" + unpacker)

    _make(say, places.XEN, stamp.digest("text:" + unpacked), _xen)
    for flavour, product in (("amd64", places.DOM0_KERNEL), ("cloud-amd64", places.GUEST_KERNEL)):
        _make(say, product, stamp.digest("text:" + unpacked + unpacker),
              lambda out, flavour=flavour: _kernel(out, flavour))
    _make(say, places.TOOLS, stamp.digest(places.lab("tools"), "text:" + code), _tools)
    tools = stamp.digest(places.TOOLS)
    _make(say, places.GUEST_IMAGE,
          stamp.digest("text:" + unpacked + code + tools, places.lab("images", "guest-init")), _guest)
    _make(say, places.DEBIAN_IMAGE,
          stamp.digest("text:" + unpacked + code + tools, places.lab("images", "guest-init"),
                       places.lab("images", "labagent.service")), _debian)
    _make(say, places.DOM0_IMAGE,
          stamp.digest("text:" + unpacked + code + tools, places.GUEST_IMAGE, places.GUEST_KERNEL,
                       places.lab("images", "dom0-init"), *_configs()), _dom0)


def _make(say, product, key, builder):
    if stamp.current(product, key):
        return
    say(f"building {os.path.relpath(product, places.TOP)}")
    stamp.forget(product)
    builder(product)
    stamp.write(product, key)


def _write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def _pkg(*parts):
    """A file of the packages; Debian 13's have below /usr what Debian 12's had beside it."""
    path = os.path.join(places.PKGS, *parts)
    merged = os.path.join(places.PKGS, "usr", *parts)
    return merged if not os.path.exists(path) and os.path.exists(merged) else path


def _xen_version():
    names = glob.glob(_pkg("boot/xen-*-amd64.gz"))
    if len(names) != 1:
        raise Problem(f"{places.PKGS}/boot should have one hypervisor, it has {names}: remove {places.PKGS} and build again")
    return re.match(r"xen-([0-9.]+)-", os.path.basename(names[0])).group(1)


def _configs():
    return sorted(glob.glob(places.lab("*.cfg")))


def _xen(out):
    with gzip.open(_pkg(f"boot/xen-{_xen_version()}-amd64.gz")) as f:
        _write(out, f.read())


def _kernel(out, flavour):
    _write(out, kernel.unpack(_pkg("boot", "vmlinuz-" + kernel.find(places.PKGS, flavour))))


def _tools(out):
    os.makedirs(out, exist_ok=True)
    within = [places.lab("debian", "within"), places.TREE] if places.TREE else []
    for name, sources in _TOOLS.items():
        command = [*within, "cc", *_CFLAGS, "-o", os.path.join(out, name),
                   *(places.lab("tools", source) for source in sources), *_LIBS]
        if subprocess.run(command).returncode:
            raise Problem(f"{name} does not compile, see above (the headers are in libxen-dev)")


class _Image(Archive):
    """What both images have in common, and the libraries that programs ask for."""

    def __init__(self, tools):
        super().__init__()
        self._library_dirs = [_pkg("usr/lib/x86_64-linux-gnu"), _pkg("lib/x86_64-linux-gnu"),
                              _pkg("usr/lib/x86_64-linux-gnu/systemd")]
        # Its own loader lists its programs' libraries, and the machine has none of them.
        self._loader = None
        if places.TREE:
            self.merge("bin", "sbin", "lib", "lib64")
            self._loader = _pkg("lib64/ld-linux-x86-64.so.2")
        for path in ("proc/xen", "sys", "dev", "tmp", "run", "root", "var", "lab", "xvs"):
            self.directory(path)
        self.link("var/run", "/run")
        self.device("dev/console", 5, 1)
        self.device("dev/null", 1, 3)
        self._busybox()
        for name in _XENSTORE_TOOLS:
            self.program("usr/bin/xenstore-" + name, _pkg("usr/bin/xenstore-" + name))
        for name in tools:
            self.program("usr/sbin/" + name, os.path.join(places.TOOLS, name))

    def _busybox(self):
        busybox = _pkg("bin/busybox")
        self.file("bin/busybox", busybox)
        applets = subprocess.run([busybox, "--list-full"], stdout=subprocess.PIPE, check=True).stdout.decode().split()
        for path in applets:
            if os.path.basename(path) != "busybox":
                self.link(path, "/bin/busybox")
        # Process 1 is no init: these must act by themselves.  xl shutdown ends in /sbin/poweroff.
        for name in ("poweroff", "reboot", "halt"):
            self.data("sbin/" + name, f"#!/bin/sh\nexec /bin/busybox {name} -f\n".encode(), 0o755)

    def program(self, path, source):
        self.file(path, source, 0o755)
        self._needs(source)

    def library(self, name):
        for folder in self._library_dirs + ([] if self._loader else ["/lib/x86_64-linux-gnu", "/usr/lib/x86_64-linux-gnu"]):
            source = os.path.join(folder, name)
            if os.path.exists(source):
                self._library(name, source)
                self._needs(source)
                return
        raise Problem(f"library {name} is in no package of packages.list and not on the host")

    def _library(self, name, source):
        path = "usr/lib/x86_64-linux-gnu/" + name
        if path not in self:
            self.file(path, os.path.realpath(source), 0o755)

    def _needs(self, source):
        """What ldd finds: first in the packages, then on the host, whose libc built the programs."""
        found, loader = libraries(source, self._library_dirs, self._loader)
        for name, path in found.items():
            if not path:
                raise Problem(f"{source} needs {name}: add its package to packages.list")
            self._library(name, path)
        if loader:
            self.file(loader[0], os.path.realpath(loader[1]), 0o755)

    def modules(self, flavour, wanted, options):
        """Where modprobe looks for them, with a list of them in order that the init script reads."""
        version = kernel.find(places.PKGS, flavour)
        lines, names = [], []
        for name, module in kernel.modules(places.PKGS, version, wanted):
            names.append(name)
            self.data(f"lib/modules/{version}/{name}", module)
            lines.append(" ".join([f"{version}/{name}"] + options.get(name, [])))
        self.data("lib/modules/order", "".join(line + "\n" for line in lines).encode())
        # Without dependencies: what is in the list is there when modprobe is called.
        self.data(f"lib/modules/{version}/modules.dep", "".join(name + ":\n" for name in names).encode())

    def systemd(self):
        """Process 1 of the guest "debian"; in dom0 that of a namespace: platform/start-systemd."""
        for path in _SYSTEMD_PROGRAMS:
            self.program(path, _pkg(path))
        # Which begins every service, from version 255 on.
        executor = "lib/systemd/systemd-executor"
        if os.path.exists(_pkg(executor)):
            self.program(executor, _pkg(executor))
        units = "lib/systemd/system"
        for unit in _SYSTEMD_UNITS:
            self.file(f"{units}/{unit}", _pkg(units, unit))
        self.link(f"{units}/sysinit.target.wants/systemd-journald.service", "../systemd-journald.service")
        # Not a first boot, at which systemd would enable what there is by itself.
        self.data("etc/machine-id", b"%032x\n" % 1)

    def dpkg(self):
        """dpkg, and in its database the packages that this was made of, as if each were installed whole."""
        for path in _DPKG_PROGRAMS:
            self.program(path, _pkg(path))
        for path in _DPKG_TREES:
            self.tree(path, _pkg(path))
        for path in ("var/lib/dpkg/updates", "var/lib/dpkg/triggers", "var/lib/dpkg/parts", "var/log"):
            self.directory(path)
        self.data("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
        self.data("etc/group", b"root:x:0:\n")

    def finish(self, out):
        # The dynamic loader looks into /usr/lib/x86_64-linux-gnu by itself; no cache is needed.
        # Renamed: a host that runs may still have the old one.
        with open(out + ".new", "wb") as f:
            self.write(f)
        os.rename(out + ".new", out)


def _agent_pages():
    """What labagent holds of a guest's gntalloc pages: per worker a shared page and two rings."""
    with open(places.lab("tools", "frame.h")) as f:
        define = dict(re.findall(r"#define (LAB_WORKERS|FRAME_RING) (\d+)", f.read()))
    return int(define["LAB_WORKERS"]) * (1 + 2 * int(define["FRAME_RING"]) // _PAGE)


def _guest_image():
    image = _Image(_GUEST_TOOLS)
    image.file("init", places.lab("images", "guest-init"), 0o755)
    # The agent's pages come on top of the default, so that a test in the guest
    # meets the limit of a guest without a lab.
    image.modules("cloud-amd64", _XEN_MODULES, {"xen-gntalloc.ko": [f"limit={_GNTALLOC_DEFAULT + _agent_pages()}"]})
    for name in [*_GUEST_LIBS, "libxenvchan.so." + _xen_version()]:
        image.library(name)
    return image


def _guest(out):
    _guest_image().finish(out)


def _debian(out):
    """A guest with systemd as its process 1, and dpkg, for any of our packages."""
    image = _guest_image()
    for name in _DOM0_LIBS:
        image.library(name)
    image.systemd()
    image.dpkg()
    image.file("lib/systemd/system/labagent.service", places.lab("images", "labagent.service"))
    image.link("lib/systemd/system/multi-user.target.wants/labagent.service", "../labagent.service")
    image.finish(out)


def _dom0(out):
    image = _Image(_DOM0_TOOLS)
    image.file("init", places.lab("images", "dom0-init"), 0o755)
    image.modules("amd64", _DOM0_MODULES, {})
    for name in _DOM0_LIBS:
        image.library(name)
    xen_bin = f"usr/lib/xen-{_xen_version()}/bin"
    for name in _XEN_TOOLS:
        image.program(f"{xen_bin}/{name}", _pkg(xen_bin, name))
    image.program("usr/bin/socat", _pkg("usr/bin/socat"))
    image.systemd()
    image.dpkg()
    image.tree("etc/xen/scripts", _pkg("etc/xen/scripts"))
    # Memory is fixed on the hypervisor's command line.
    image.data("etc/xen/xl.conf", b'autoballoon="off"\n')
    image.file("lab/vmlinux", places.GUEST_KERNEL)
    image.file("lab/guest.cpio", places.GUEST_IMAGE)
    for path in _configs():
        image.file("lab/" + os.path.basename(path), path)
    image.finish(out)

# SPDX-License-Identifier: MIT
"""Where the lab's things are.  Everything that it makes is below build/xenlab, of another Debian below build/xenlab-13."""

import os

LAB = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TOP = os.path.dirname(os.path.dirname(LAB))
# Whose hypervisor, kernels and programs these are.
DEBIAN = os.environ.get("XENLAB_DEBIAN") or "12"
BUILD = os.path.abspath(os.environ.get("XENLAB_DIR") or
                        os.path.join(TOP, "build", "xenlab" if DEBIAN == "12" else "xenlab-" + DEBIAN))

PKGS = os.path.join(BUILD, "pkgs")
XEN = os.path.join(BUILD, "xen.elf")
DOM0_KERNEL = os.path.join(BUILD, "vmlinux-dom0")
GUEST_KERNEL = os.path.join(BUILD, "vmlinux-guest")
DOM0_IMAGE = os.path.join(BUILD, "dom0.cpio")
GUEST_IMAGE = os.path.join(BUILD, "guest.cpio")
DEBIAN_IMAGE = os.path.join(BUILD, "debian.cpio")
# What programs are built in, where that is not this machine (debian/tree.sh); and where apt knows that Debian.
TREE = os.path.join(BUILD, "tree") if DEBIAN != "12" else None
APT = os.path.join(BUILD, "apt")
TOOLS = os.path.join(BUILD, "tools")
RUNS = os.path.join(BUILD, "runs")
LOCK = os.path.join(BUILD, "lock")


def snapshot(processors):
    """The saved host with that many processors."""
    return os.path.join(BUILD, f"snapshot-{processors}.zst")


def lab(*parts):
    """A file of the lab's sources."""
    return os.path.join(LAB, *parts)

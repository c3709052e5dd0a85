#!/bin/sh
# SPDX-License-Identifier: MIT
#
# build.sh OUT [VERSION [word of make]...]: builds OUT/VERSION/xen_vsock.ko, of every version that OUT/headers has if none is
# said, from OUT/src.  Warnings are errors.
set -eu
# The kernel's make is none of ours: no jobs are shared with it.
unset MAKEFLAGS MFLAGS MAKELEVEL
out=$(cd "$1" && pwd)
shift
if [ $# -eq 0 ]; then
    for headers in "$out"/headers/*; do
        "$0" "$out" "${headers##*/}"
    done
    exit
fi
version=$1
shift
mkdir -p "$out/$version"
cp -ru "$out/src/." "$out/$version/"
# Without type information for BPF, which needs a tool of its own; and with what compiler there is.
exec make -s -C "$out/headers/$version" M="$out/$version" W=1 KCFLAGS=-Werror CONFIG_DEBUG_INFO_BTF_MODULES= "$@" modules

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# build.sh DEBIAN: what the lab tests on another Debian than this machine's, as that Debian's compiler builds it from its headers
# and libraries: the library and the programs in build/debian13, the guest's driver in build/kernel-13.
set -eu
cd "$(dirname "$0")/../../.."
unset MAKEFLAGS MFLAGS MAKELEVEL VARIANT
debian=$1
export XENLAB_DEBIAN="$debian"
lab=${XENLAB_DIR:-build/xenlab-$debian}
kernel=build/kernel-$debian

tests/xenlab/debian/tree.sh "$debian" "$lab/tree" "$lab/apt"
${MAKE:-make} -s KERNEL="$kernel" kernel-src kernel-headers
within() {
	tests/xenlab/debian/within "$lab/tree" "$@"
}
within make -s -j"$(nproc)" VARIANT="debian$debian" all e2e-helpers bench-programs
for version in "$kernel"/headers/*; do
	within tests/kernel/build.sh "$kernel" "${version##*/}"
	within tests/kernel/lab.sh "$kernel" "${version##*/}"
done

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# lab.sh OUT VERSION: what a guest of the lab needs of kernel modules, in OUT/lab: the driver as it was built for that version of
# Linux, what it stands on, a counter of grants (gntfree); and socat with its libraries, a program that is not ours.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$1" && pwd)
version=$2
rm -rf "$out/lab"
mkdir -p "$out/lab/bin" "$out/gntfree-$version"

cp -u "$here"/gntfree/* "$out/gntfree-$version/"
make -s -C "$out/headers/$version" M="$out/gntfree-$version" W=1 KCFLAGS=-Werror CONFIG_DEBUG_INFO_BTF_MODULES= modules
for module in "$out/$version/xen_vsock.ko" "$out/gntfree-$version/gntfree.ko"; do
    strip --strip-debug -o "$out/lab/${module##*/}" "$module"
done
# Debian's keep their signatures.
modules=$(echo "$out"/pkgs/lib/modules/"$version".*-cloud-amd64/kernel/net/vmw_vsock)
for module in vsock vmw_vsock_virtio_transport_common vsock_loopback vsock_diag; do
    cp "$modules/$module.ko" "$out/lab/"
done

socat=$(command -v socat)
cp "$socat" "$out/lab/bin/"
ldd "$socat" | sed -n 's/.* => \(\/[^ ]*\).*/\1/p' | while read -r library; do
    cp -L "$library" "$out/lab/bin/"
done

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# lab.sh OUT VERSION: what a guest of the lab needs of kernel modules, in OUT/lab/VERSION: the driver as it was built for that
# version of Linux, what it stands on, and a counter of grants (gntfree); and Linux's own tests of AF_VSOCK, and ours (messages, keep).  For a version that the lab's guests do not have, also
# what boots a guest with it: its kernel, and what is to be appended to the guests' RAM disk.  In OUT/lab/bin: socat with its
# libraries, a program that is not ours.
set -eu
# The kernel's make is none of ours: no jobs are shared with it.
unset MAKEFLAGS MFLAGS MAKELEVEL
here=$(cd "$(dirname "$0")" && pwd)
out=$(cd "$1" && pwd)
version=$2
lab=$out/lab/$version
rm -rf "$lab"
mkdir -p "$lab" "$out/lab/bin" "$out/gntfree-$version"

cp -u "$here"/gntfree/* "$out/gntfree-$version/"
make -s -C "$out/headers/$version" M="$out/gntfree-$version" W=1 KCFLAGS=-Werror CONFIG_DEBUG_INFO_BTF_MODULES= modules
for module in "$out/$version/xen_vsock.ko" "$out/gntfree-$version/gntfree.ko"; do
    strip --strip-debug -o "$lab/${module##*/}" "$module"
done

# Debian's, which keep their signatures: they are packed, or not.
for modules in "$out"/pkgs/lib/modules/"$version".*-cloud-amd64/kernel "$out"/pkgs/usr/lib/modules/"$version".*-cloud-amd64/kernel; do
    [ ! -d "$modules" ] || break
done
add() { # FOLDER FILE
    if [ -e "$modules/$2.ko.xz" ]; then
        xz -dc "$modules/$2.ko.xz" >"$1/${2##*/}.ko"
    else
        cp "$modules/$2.ko" "$1/"
    fi
}
for module in drivers/net/xen-netfront net/vmw_vsock/vsock net/vmw_vsock/vmw_vsock_virtio_transport_common net/vmw_vsock/vsock_loopback net/vmw_vsock/vsock_diag \
    drivers/net/vsockmon; do
    add "$lab" "$module"
done

# What no program of Debian's does.
for program in messages keep; do
    cc -O2 -D_GNU_SOURCE -Wall -Wextra -Werror -o "$lab/$program" "$here/$program.c"
done

# Linux's own tests, as its tree has them; of a version whose source is there.
tests=$out/source/$version/tools/testing/vsock
if [ -d "$tests" ]; then
    for test in vsock_test vsock_diag_test; do
        more=
        for part in timeout control util; do more="$more $tests/$part.c"; done
        for part in "$tests"/"$test"_zerocopy.c "$tests"/msg_zerocopy_common.c; do
            [ "$test" != vsock_test ] || [ ! -e "$part" ] || more="$more $part"
        done
        # One sends three times the usual buffer before anybody reads, having asked for a buffer of 2 MiB at both ends; a daemon
        # promises less (backend/memory/promise.h).  So it asks for no larger one than a socket has anyway.
        sed 's/^\(#define SOCK_BUF_SIZE\) .*/\1 (256 * 1024)/' "$tests/$test.c" >"$out/$test-$version.c"
        # shellcheck disable=SC2086 # files
        cc -O2 -D_GNU_SOURCE -I"$tests/../../include" -I"$tests" -o "$lab/$test" "$out/$test-$version.c" $more
        strip "$lab/$test"
    done
fi

case ${XENLAB_DEBIAN:-12} in 13) guests=6.12 ;; *) guests=6.1 ;; esac
if [ "$version" != $guests ]; then
    PYTHONDONTWRITEBYTECODE=1 python3 -c 'import sys
sys.path.insert(0, sys.argv[1])
from driver import kernel
open(sys.argv[3], "wb").write(kernel.unpack(sys.argv[2]))' "$here/../xenlab" "$out"/pkgs/boot/vmlinuz-"$version".*-cloud-amd64 "$lab/vmlinux"
    strip --strip-debug "$lab/vmlinux"
    mkdir -p "$lab/disk/lib/modules/$version"
    for module in xen/xen-evtchn xen/xen-gntalloc xen/xen-gntdev xen/xen-privcmd xen/xenfs/xenfs; do
        add "$lab/disk/lib/modules/$version" "drivers/$module"
        echo "$version/${module##*/}.ko"
    done >"$lab/disk/lib/modules/order"
    (cd "$lab/disk" && find lib | cpio -o -H newc --quiet -R 0:0) >"$lab/more.cpio"
    rm -r "$lab/disk"
fi

socat=$(command -v socat)
cp "$socat" "$out/lab/bin/"
ldd "$socat" | sed -n 's/.* => \(\/[^ ]*\).*/\1/p' | while read -r library; do
    cp -L "$library" "$out/lab/bin/"
done

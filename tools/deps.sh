#!/bin/sh
# SPDX-License-Identifier: MIT
#
# deps.sh [-l] GROUP...: installs what is missing on Debian 12.  Groups: build, test, lab, kernel, bench, deb.
#
# This is the one list of the packages that the project needs.  -l only prints it.  Where it may
# not install (no root, no apt) it names the packages and the command, and ends with 1.
set -u

packages_of() {
    case $1 in
    # The library, the daemon and the command.
    build) echo "gcc libc6-dev make pkg-config libxen-dev libuv1-dev libjansson-dev libinih-dev libsystemd-dev libseccomp-dev" \
               "libarchive-dev libxxhash-dev" ;;
    # Unit tests, fuzzers, hosted Xen, the suite that exchanges bytes, the manual's check.
    test) echo "libcunit1-dev clang libclang-rt-14-dev llvm valgrind socat python3 busybox-static openssh-client" \
               "g++ man-db mandoc xz-utils ca-certificates python3-prometheus-client tshark lintian mypy ansible-core" ;;
    # Real Xen in QEMU: what the lab runs.  What it boots is unpacked, never installed (tests/xenlab/packages.list).
    lab) echo "qemu-system-x86 busybox-static cpio kmod lz4 zstd xz-utils python3 debian-archive-keyring util-linux" ;;
    # The guest's driver and what Linux's own tools say of it.  The headers are unpacked, never installed (tests/kernel).
    kernel) echo "dkms gcc-12 kmod make perl sparse xz-utils libelf1" ;;
    # Plots of make bench.  It compares with ssh where there is an sshd, which is not for us to install: that would listen.
    bench) echo "gnuplot-nox python3 openssh-client" ;;
    # make deb
    deb) echo "debhelper dh-dkms dh-python dpkg-dev fakeroot" ;;
    *)
        echo "deps.sh: no group '$1'; there are build, test, lab, kernel, bench and deb" >&2
        return 2
        ;;
    esac
}

list_only=
if [ "${1-}" = -l ]; then
    list_only=1
    shift
fi
if [ $# -eq 0 ]; then
    echo "usage: deps.sh [-l] build|test|lab|kernel|bench|deb..." >&2
    exit 2
fi

wanted=
for group; do
    some=$(packages_of "$group") || exit 2
    wanted="$wanted $some"
done
wanted=$(printf '%s\n' $wanted | sort -u)
if [ -n "$list_only" ]; then
    echo "$wanted"
    exit 0
fi

missing=
for package in $wanted; do
    case $(dpkg-query -W -f='${db:Status-Abbrev}' "$package" 2>/dev/null) in
    ii*) ;;
    *) missing="$missing $package" ;;
    esac
done
missing=${missing# }
[ -n "$missing" ] || exit 0

command="apt-get install -y --no-install-recommends $missing"
if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "deps.sh: these packages are missing: $missing" >&2
    echo "deps.sh: as root, run: $command" >&2
    exit 1
fi

echo "deps.sh: installing $missing"
export DEBIAN_FRONTEND=noninteractive
install() {
    # shellcheck disable=SC2086 # package names are words
    apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -qq install -y --no-install-recommends $missing \
        </dev/null >"$log" 2>&1
}
log=$(mktemp) || exit 1
trap 'rm -f "$log"' EXIT
# The package lists may be old or absent: they are fetched only when that turns out to matter.
if ! install; then
    apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -qq update </dev/null >"$log" 2>&1 && install || {
        tail -n 20 "$log" >&2
        echo "deps.sh: cannot install: $missing" >&2
        exit 1
    }
fi

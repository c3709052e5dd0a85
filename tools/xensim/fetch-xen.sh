#!/bin/sh
# SPDX-License-Identifier: MIT
# fetch-xen.sh OUTDIR: downloads Debian's Xen tools and unpacks them in OUTDIR.
# Nothing is installed and no service is started: hosted Xen needs only the programs.
# Quick when it is done already; works as any user who may run apt-get download.
set -eu

if [ $# -ne 1 ] || [ "$1" = --help ]; then
    echo "usage: fetch-xen.sh OUTDIR"
    [ "${1-}" = --help ] && exit 0
    exit 2
fi
case $1 in /*) out=$1 ;; *) out=$PWD/$1 ;; esac
[ -f "$out/.complete" ] && exit 0

fail() { echo "fetch-xen.sh: $*" >&2; exit 1; }

command -v apt-get >/dev/null && command -v dpkg >/dev/null ||
    fail "needs apt-get and dpkg: unpack xen-utils, xen-utils-common and xenstore-utils of Xen 4.17" \
         "into $out by hand, then touch $out/.complete"

work=$out.part.$$
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
mkdir -p "$work/debs" "$work/tree"

# As root, apt drops to its own user for the download and warns if it cannot write here.
chmod 755 "$work" "$work/debs"
download() {
    (cd "$work/debs" && apt-get -qq download "$@") >"$work/log" 2>&1
}
packages='xen-utils-4.17 xen-utils-common xenstore-utils'
# shellcheck disable=SC2086 # a list of words
if ! download $packages; then
    apt-get -qq update >>"$work/log" 2>&1 || true
    # shellcheck disable=SC2086
    download $packages || { cat "$work/log" >&2; fail "cannot download $packages"; }
fi
for deb in "$work"/debs/*.deb; do
    dpkg -x "$deb" "$work/tree"
done

# Libraries that the programs need and this system lacks, in a folder of their own.
# The three that hosted Xen replaces are never wanted from here.
missing() {
    for program in "$work"/tree/usr/lib/xen-4.17/bin/xenstored \
                   "$work"/tree/usr/lib/xen-4.17/bin/vchan-socket-proxy \
                   "$work"/tree/usr/lib/xen-4.17/bin/test-xenstore \
                   "$work"/tree/usr/bin/xenstore-ls; do
        LD_LIBRARY_PATH=$work/tree/usr/lib/xensim-extra ldd "$program" | sed -n 's/^[[:space:]]*\([^ ]*\) => not found$/\1/p'
    done | sort -u | grep -v -e '^libxengnttab' -e '^libxenevtchn' -e '^libxenctrl' || true
}
for round in 1 2; do
    for lib in $(missing); do
        case $lib in
        libxenvchan.so.* | libxenctrl.so.*) package=libxenmisc4.17 ;;
        libxenstore.so.4)      package=libxenstore4 ;;
        libxentoolcore.so.1)   package=libxentoolcore1 ;;
        libxentoollog.so.1)    package=libxentoollog1 ;;
        *) fail "$lib is missing and of no package known here: install it (round $round)" ;;
        esac
        mkdir -p "$work/extra" "$work/tree/usr/lib/xensim-extra"
        rm -f "$work"/debs/*.deb
        download "$package" || { cat "$work/log" >&2; fail "cannot download $package"; }
        dpkg -x "$work"/debs/*.deb "$work/extra"
        find "$work/extra/usr/lib" -name "$lib*" -exec cp -P {} "$work/tree/usr/lib/xensim-extra/" ';'
    done
done

[ -x "$work/tree/usr/lib/xen-4.17/bin/xenstored" ] || fail "the package holds no xenstored"
touch "$work/tree/.complete"
# Another fetch may have been quicker: one complete tree is as good as the other.
[ -f "$out/.complete" ] && exit 0
rm -rf "$out"
mv -T "$work/tree" "$out" 2>/dev/null || [ -f "$out/.complete" ]

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# headers.sh OUT LIST: the kernels' headers, unpacked into OUT/pkgs, and a link for each version: OUT/headers/6.1.
#
# What Debian's packages say of where they lie is put right, since they are not installed.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
list=$2

fetched() {
    cat "$out/pkgs/.unpacked-list" 2>/dev/null || :
}
before=$(fetched)
"$here/../xenlab/fetch.sh" "$out/pkgs" "$list"
[ "$before" = "$(fetched)" ] && [ -d "$out/headers" ] && exit 0

rm -rf "$out/headers" "$out/source"
mkdir -p "$out/headers" "$out/source"
for headers in "$out"/pkgs/usr/src/linux-headers-*-cloud-amd64; do
    sed -i "s|^include /usr/src/|include $out/pkgs/usr/src/|" "$headers/Makefile"
    version=${headers##*/linux-headers-}
    version=$(echo "$version" | cut -d. -f1,2)
    ln -s "$headers" "$out/headers/$version"
done
# Of the sources, what is needed; the rest is large: Linux's own tests of AF_VSOCK, which lie here and are built, and never kept; and the
# checks, of one version.
for source in "$out"/pkgs/usr/src/linux-source-*.tar.xz; do
    version=${source##*/linux-source-}
    version=${version%.tar.xz}
    mkdir -p "$out/source/$version"
    tar -xJf "$source" -C "$out/source/$version" --strip-components=1 --wildcards '*/scripts/checkpatch.pl' '*/scripts/spelling.txt' \
        '*/scripts/const_structs.checkpatch' '*/tools/testing/vsock/*' '*/tools/include/*'
    rm "$source"
done

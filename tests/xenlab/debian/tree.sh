#!/bin/sh
# SPDX-License-Identifier: MIT
#
# tree.sh DEBIAN TREE APT: a tree of that Debian, to build in (within): the packages of tree.list and all that they depend on,
# unpacked and never installed.  APT is where apt knows that Debian (apt.sh).  A second call does nothing until the list changes.
set -eu

die() {
	echo "tree.sh: $*" >&2
	exit 1
}

[ $# = 3 ] || die "usage: tree.sh DEBIAN TREE APT"
here=$(cd "$(dirname "$0")" && pwd)
tree=$2
cmp -s "$here/tree.list" "$tree/.unpacked-list" && exit 0

APT_CONFIG=$("$here/apt.sh" "$1" "$3")
export APT_CONFIG
debs=$3/cache/archives
rm -f "$debs"/*.deb
echo "tree.sh: downloading a compiler of Debian $1 and what it needs" >&2
# shellcheck disable=SC2046 # package names
apt-get -q -y -o Acquire::Retries=3 --download-only install $(grep -v '^#' "$here/tree.list") >"$3/log" 2>&1 || {
	tail -n 5 "$3/log" >&2
	die "the packages could not be downloaded (log: $3/log)"
}

rm -rf "$tree" "$tree.new"
# As base-files has it.
for dir in bin sbin lib lib64; do
	mkdir -p "$tree.new/usr/$dir"
	ln -s "usr/$dir" "$tree.new/$dir"
done
mkdir -p "$tree.new/dev" "$tree.new/proc" "$tree.new/tmp" "$tree.new/etc"
for deb in "$debs"/*.deb; do
	# Manuals are read by nobody here.
	dpkg-deb --fsys-tarfile "$deb" | tar -x -C "$tree.new" --keep-directory-symlink --no-same-owner --exclude './usr/share/doc/*' --exclude './usr/share/man/*' \
		--exclude './usr/share/locale/*'
done
# What the packages' scripts would have done.
[ -e "$tree.new/usr/bin/sh" ] || ln -s dash "$tree.new/usr/bin/sh"
ln -sf gcc "$tree.new/usr/bin/cc"
ln -sf mawk "$tree.new/usr/bin/awk"
rm -f "$debs"/*.deb
cp "$here/tree.list" "$tree.new/.unpacked-list"
mv "$tree.new" "$tree"

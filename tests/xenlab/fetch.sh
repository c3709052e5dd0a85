#!/bin/sh
# SPDX-License-Identifier: MIT
#
# fetch.sh OUT [LIST]: downloads the packages of LIST, the packages.list beside this if not said, and unpacks them into OUT.
#
# With XENLAB_DEBIAN=13 they are that Debian's, by way of apt's lists of it in XENLAB_DIR/apt, build/xenlab-13/apt if not said;
# LIST names them as Debian 12 does, and debian/13.names says what is called otherwise.
#
# Nothing is installed and no service is started; root is not needed.  A second
# call does nothing until the list changes: to take newer versions, run
# `apt-get update` and remove OUT.
set -eu

die() {
	echo "fetch.sh: $*" >&2
	exit 1
}

[ $# = 1 ] || [ $# = 2 ] || die "usage: fetch.sh OUT [LIST]"
here=$(cd "$(dirname "$0")" && pwd)
list=${2:-$here/packages.list}
out=$1
debian=${XENLAB_DEBIAN:-12}
renamed=
if [ "$debian" != 12 ]; then
	renamed=$here/debian/$debian.names
	[ -e "$renamed" ] || die "the lab knows Debian 12 and those of $here/debian/*.names, not '$debian'"
fi

# The list, with the names that this Debian has.
wanted() {
	[ -n "$renamed" ] || {
		cat "$list"
		return
	}
	awk '/^#/ || !NF { next }
		FILENAME == ARGV[1] { name = $1; $1 = ""; here[name] = $0; next }
		$1 in here { n = split(here[$1], names, " "); for (i = 1; i <= n; i++) print names[i], $2; next }
		{ print }' "$renamed" "$list"
}
wanted | cmp -s - "$out/.unpacked-list" && exit 0

for tool in apt-get apt-cache dpkg-deb; do
	command -v $tool >/dev/null ||
		die "$tool is missing: the lab is built from Debian 12 packages and needs a Debian 12 host"
done

if [ -n "$renamed" ]; then
	APT_CONFIG=$("$here/debian/apt.sh" "$debian" "${XENLAB_DIR:-$here/../../build/xenlab-$debian}/apt")
	export APT_CONFIG
fi

# What a metapackage stands for today: linux-image-amd64 -> linux-image-6.1.0-NN-amd64.  A kernel's compiler is the host's.
needs() {
	apt-cache depends "$1" | sed -n 's/^ *Depends: \(linux-.*\)/\1/p' | grep -v -e compiler -e unsigned -e linux-base
}

names=
while read -r name arrow; do
	case $name in '' | '#'*) continue ;; esac
	if [ "${arrow#=>}" != "$arrow" ]; then
		it=$(needs "$name" | head -n 1)
		[ -n "$it" ] || die "apt knows no $name: run apt-get update, and check that Debian $debian has it"
		name=$it
	fi
	[ "$arrow" != '=>+' ] || name="$name $(needs "$name" | tr '\n' ' ')"
	names="$names $name"
done <<END
$(wanted)
END

mkdir -p "$out.debs"
debs=$(cd "$out.debs" && pwd)
echo "fetch.sh: downloading$names" >&2
# apt-get checks what is already in the directory, so an interrupted download goes on where it stopped.
# shellcheck disable=SC2086 # a list of package names
(cd "$debs" && apt-get -q -o APT::Sandbox::User=root download $names >apt.log 2>&1) || {
	tail -n 5 "$debs/apt.log" >&2
	die "the packages could not be downloaded: run apt-get update, and check the network (log: $debs/apt.log)"
}

# Unpacked beside and renamed: an interrupted run leaves no half of a tree behind.
rm -rf "$out" "$out.new"
mkdir -p "$out.new"
database=$out.new/var/lib/dpkg
for deb in "$debs"/*.deb; do
	dpkg-deb -x "$deb" "$out.new"
done
# As dpkg would have noted it, had it installed them: it judges by this whether a package's dependencies are there.
# The libraries of C are the host's (driver/images.py), and so is what is said of them.
mkdir -p "$database/info"
echo 1 >"$database/info/format"
{
	for deb in "$debs"/*.deb; do
		dpkg-deb -f "$deb" | sed '1a Status: install ok installed'
		echo
		name=$(dpkg-deb -f "$deb" Package)
		[ "$(dpkg-deb -f "$deb" Multi-Arch)" != same ] || name=$name:$(dpkg-deb -f "$deb" Architecture)
		dpkg-deb --fsys-tarfile "$deb" | tar -t | sed 's|^\.||; s|/$||; s|^$|/.|' >"$database/info/$name.list"
	done
	if [ -z "$renamed" ]; then
		dpkg-query -s libc6
		echo
		dpkg-query -L libc6 >"$database/info/libc6:$(dpkg --print-architecture).list"
	fi
} >"$database/status"
wanted >"$out.new/.unpacked-list"
mv "$out.new" "$out"
rm -rf "$debs"
echo "fetch.sh: unpacked into $out" >&2

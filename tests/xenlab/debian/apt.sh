#!/bin/sh
# SPDX-License-Identifier: MIT
#
# apt.sh DEBIAN DIR: makes DIR a place where apt knows the packages of that Debian, which is not this machine's, and nothing
# else; and prints the name of what APT_CONFIG is to be set to.  The machine's own apt is not changed.
#
# The mirror is the one that this machine has for its own Debian, asked in the same way: apt's other settings hold here, too.
set -eu

die() {
	echo "apt.sh: $*" >&2
	exit 1
}

[ $# = 2 ] || die "usage: apt.sh DEBIAN DIR"
case $1 in
13) suite=trixie ;;
*) die "the lab knows Debian 12 and 13, not '$1'" ;;
esac
mkdir -p "$2/lists/partial" "$2/cache/archives/partial"
dir=$(cd "$2" && pwd)
# shellcheck disable=SC1091 # of this machine
own=$(. /etc/os-release && echo "${VERSION_CODENAME-}")
# What it would fetch is known before it has fetched any.
mirror=$(apt-get update --print-uris | sed -n "s|^'\(.*/\)dists/$own/InRelease'.*|\1|p" | head -n 1)
[ -n "$mirror" ] || die "apt has no mirror of this machine's Debian ('$own'), where the lab would ask for Debian $1"
keys=/usr/share/keyrings/debian-archive-keyring.gpg
[ -e $keys ] || die "$keys is missing: apt-get install debian-archive-keyring"

echo "deb [signed-by=$keys] $mirror $suite main" >"$dir/sources.list"
# As on a machine that has no package at all: what apt resolves is whole.
: >"$dir/status"
cat >"$dir/conf" <<END
Dir::Etc::SourceList "$dir/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "$dir/lists";
Dir::State::status "$dir/status";
Dir::Cache "$dir/cache";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
END
APT_CONFIG=$dir/conf apt-get -q -o Acquire::Retries=3 update >"$dir/log" 2>&1 || {
	tail -n 5 "$dir/log" >&2
	die "the packages' lists of Debian $1 could not be fetched (log: $dir/log)"
}
echo "$dir/conf"

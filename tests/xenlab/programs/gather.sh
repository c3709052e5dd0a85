#!/bin/sh
# SPDX-License-Identifier: MIT
#
# gather.sh BUILD: into BUILD/programs, programs that are not ours with the libraries they need, ready to be run from any
# folder: bin, lib (for LD_LIBRARY_PATH), and lib/python3.11, which Python finds beside its bin.  The C library is not in it.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
build=$(cd "$1" && pwd)
out=$build/programs
pkgs=$build/programs.pkgs

"$here/../fetch.sh" "$build/pkgs"
"$here/../fetch.sh" "$pkgs" "$here/packages.list"
key=$(cat "$0" "$here/packages.list" "$here/../packages.list" | sha256sum)
[ "$(cat "$out/.key" 2>/dev/null)" != "$key" ] || exit 0

rm -rf "$out" "$out.new"
mkdir -p "$out.new/bin" "$out.new/lib"
cd "$pkgs"
cp usr/bin/python3.11 "$out.new/bin/python3"
cp bin/ip bin/ss usr/bin/tcpdump usr/sbin/qemu-ga usr/bin/ncat usr/bin/ssh usr/bin/ssh-keygen usr/sbin/sshd "$out.new/bin/"
cp -r usr/lib/python3.11 "$out.new/lib/"
for root in "$pkgs" "$build/pkgs"; do
	path=${path+$path:}$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu/systemd
done
for program in "$out.new"/bin/*; do
	LD_LIBRARY_PATH=$path ldd "$program" | sed -n 's/^\t\([^ ]*\) => \(.*\) (0x.*/\1 \2/p; s/^\t\([^ ]*\) => not found/\1/p' |
		while read -r name file; do
			case $name in
			libc.so.* | libm.so.*) continue ;;
			esac
			[ -n "$file" ] || {
				echo "gather.sh: ${program##*/} needs $name: add its package to packages.list" >&2
				exit 1
			}
			cp -L "$file" "$out.new/lib/$name"
		done
	strip --strip-debug "$program" 2>/dev/null || :
done
echo "$key" >"$out.new/.key"
mv "$out.new" "$out"

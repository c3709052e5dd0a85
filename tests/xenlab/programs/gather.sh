#!/bin/sh
# SPDX-License-Identifier: MIT
#
# gather.sh BUILD: into BUILD/programs, programs that are not ours with the libraries they need, ready to be run from any
# folder: bin, lib (for LD_LIBRARY_PATH), and lib/python3.*, which Python finds beside its bin.  The C library is not in it.
# And lib/brd.ko.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
build=$(cd "$1" && pwd)
out=$build/programs
pkgs=$build/programs.pkgs

"$here/../fetch.sh" "$build/pkgs"
"$here/../fetch.sh" "$pkgs" "$here/packages.list"
key=$(cat "$0" "$pkgs/.unpacked-list" "$build/pkgs/.unpacked-list" | sha256sum)
[ "$(cat "$out/.key" 2>/dev/null)" != "$key" ] || exit 0

rm -rf "$out" "$out.new"
mkdir -p "$out.new/bin" "$out.new/lib"
cd "$pkgs"
for python in usr/lib/python3.*; do
	cp "usr/bin/${python##*/}" "$out.new/bin/python3"
	cp -r "$python" "$out.new/lib/"
	# A link to a place for the machine's own settings.
	rm -f "$out.new/lib/${python##*/}/sitecustomize.py"
done
for program in ip ss tcpdump qemu-ga ncat ssh ssh-keygen sshd sshd-session sshd-auth; do
	# Where they lie differs between Debians; and OpenSSH's server is one program in 12, and three in 13.
	for file in bin usr/bin usr/sbin usr/lib/openssh; do
		[ ! -e "$file/$program" ] || cp "$file/$program" "$out.new/bin/"
	done
done
# What makes a server of OpenSSH listen at AF_VSOCK's port 22, and what calls there: Debian 13's systemd has them.
for program in system-generators/systemd-ssh-generator systemd-ssh-proxy; do
	file=$build/pkgs/usr/lib/systemd/$program
	[ ! -e "$file" ] || cp "$file" "$out.new/bin/"
done
ssh_conf=$build/pkgs/usr/lib/systemd/ssh_config.d/20-systemd-ssh-proxy.conf
[ ! -e "$ssh_conf" ] || cp "$ssh_conf" "$out.new/"
for root in "$pkgs" "$build/pkgs"; do
	path=${path+$path:}$root/usr/lib/x86_64-linux-gnu:$root/lib/x86_64-linux-gnu:$root/usr/lib/x86_64-linux-gnu/systemd
done
# Programs that need another C library than the machine's are looked through by the loader of their own.
libraries() {
	loader=$build/pkgs/usr/lib64/ld-linux-x86-64.so.2
	if [ -e "$loader" ]; then
		LD_TRACE_LOADED_OBJECTS=1 "$loader" --library-path "$path" "$1"
	else
		LD_LIBRARY_PATH=$path ldd "$1"
	fi
}
# What xvs opens when something is copied; another C library's would need all that it stands on in packages.list.
if [ "${XENLAB_DEBIAN:-12}" = 12 ]; then
	cp -L "$build"/pkgs/usr/lib/x86_64-linux-gnu/libarchive.so.13 "$out.new/lib/"
fi
# A disk in memory, for the guests' kernel, which has file systems but no disk.
for module in "$build"/pkgs/lib/modules/*-cloud-amd64/kernel/drivers/block/brd.ko* "$build"/pkgs/usr/lib/modules/*-cloud-amd64/kernel/drivers/block/brd.ko*; do
	case $module in
	*.xz) xz -dc "$module" >"$out.new/lib/brd.ko" ;;
	*.ko) cp "$module" "$out.new/lib/" ;;
	esac
done
for program in "$out.new"/bin/* "$out.new"/lib/libarchive.so.13; do
	[ -e "$program" ] || continue
	libraries "$program" | sed -n 's/^\t\([^ ]*\) => \(.*\) (0x.*/\1 \2/p; s/^\t\([^ ]*\) => not found/\1/p' |
		while read -r name file; do
			case $name in
			libc.so.* | libm.so.* | /*) continue ;;
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

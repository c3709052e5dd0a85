# SPDX-License-Identifier: MIT
#
# programs.sh: words of the groups that say "programs": programs of Debian's in dom0, and from there in guests.  Sourced after lib.sh.
programs=/lab/job/programs

# debians PROGRAM ARGUMENTS...: in dom0, with the libraries that it came with.
debians() {
	_program=$1
	shift
	LD_LIBRARY_PATH=$programs/lib "$programs/bin/$_program" "$@"
}

# pack FOLDER PROGRAM...: they and what they need go into its bin and lib: a guest's memory has not room for all of them.
pack() {
	_folder=$1
	shift
	mkdir -p "$_folder/bin" "$_folder/lib"
	# Debian 13's server of OpenSSH is three.
	for _program; do
		[ "$_program" != sshd ] || [ ! -e $programs/bin/sshd-session ] || set -- "$@" sshd-session sshd-auth
	done
	for _program; do
		cp "$programs/bin/$_program" "$_folder/bin/"
		# Without ldd, which is a script for bash.
		for _library in $(LD_LIBRARY_PATH=$programs/lib LD_TRACE_LOADED_OBJECTS=1 "$programs/bin/$_program" |
			sed -n "s|.* => \($programs/[^ ]*\) .*|\1|p"); do
			cp "$_library" "$_folder/lib/"
		done
		[ "$_program" != python3 ] || cp -r $programs/lib/python3.* "$_folder/lib/"
	done
}

# ssh_files [BIN]: /tmp/ssh, for both ends: "client", the configuration of who calls (with a ProxyCommand of his own), and "server",
# whose programs are in BIN of the guest, /tmp/programs/bin if not said.
ssh_files() {
	rm -rf /tmp/ssh
	mkdir -p /tmp/ssh /root
	debians ssh-keygen -q -t ed25519 -N '' -f /tmp/ssh/key || fail "ssh-keygen"
	debians ssh-keygen -q -t ed25519 -N '' -f /tmp/ssh/host || fail "ssh-keygen"
	echo "guest $(cat /tmp/ssh/host.pub)" >/tmp/ssh/known
	cp /tmp/ssh/key.pub /tmp/ssh/authorized
	cat >/tmp/ssh/client <<-'END'
		IdentityFile /tmp/ssh/key
		UserKnownHostsFile /tmp/ssh/known
		HostKeyAlias guest
		BatchMode yes
		ConnectTimeout 100
	END
	cat >/tmp/ssh/server <<-'END'
		HostKey /tmp/ssh/host
		AuthorizedKeysFile /tmp/ssh/authorized
		StrictModes no
		UsePAM no
		PermitRootLogin yes
	END
	# Debian 13's server is three programs, each of which begins the next.
	for _program in sshd-session:SshdSessionPath sshd-auth:SshdAuthPath; do
		[ ! -e "$programs/bin/${_program%%:*}" ] || echo "${_program##*:} ${1:-/tmp/programs/bin}/${_program%%:*}" >>/tmp/ssh/server
	done
}

# with_ssh GUEST: these files, and the users that OpenSSH's programs look for.
with_ssh() {
	put "$1" /tmp/ssh /tmp/ssh
	on "$1" sh -c 'mkdir -p /run/sshd /etc /root; chmod 600 /tmp/ssh/host /tmp/ssh/key
		echo "root:x:0:0:root:/root:/bin/sh" >/etc/passwd; echo "sshd:x:100:100::/run/sshd:/bin/false" >>/etc/passwd
		echo "root:x:0:" >/etc/group' </dev/null
}

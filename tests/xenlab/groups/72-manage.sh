#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: cold guests=smp programs timeout=600
#
# A guest as a whole: what xl gives, Linux puts on line by xvs-agent, and what xl takes it has given up before; what is
# copied there and back; and Debian's qemu-guest-agent behind xvs-agent, until it shuts the guest down.
. ./lib.sh
. ./programs.sh
export XVS_RUN_DIR=/run/xvs

# Libraries of the agent's that the lab's guests have not: one that it is linked with, and what it opens to copy.
equip() {
	put smp "$(find /usr/lib /lib -name libinih.so.1 | head -n 1)" "$XVS_BIN/libinih.so.1"
	if [ -e $programs/lib/libarchive.so.13 ]; then
		mkdir -p /tmp/archive
		cp $programs/lib/libarchive.so.13 /tmp/archive/
		for library in $(LD_TRACE_LOADED_OBJECTS=1 LD_PRELOAD=$programs/lib/libarchive.so.13 LD_LIBRARY_PATH=$LD_LIBRARY_PATH:$programs/lib xvs |
			sed -n "s|.* => \($programs/[^ ]*\) .*|\1|p"); do
			cp "$library" /tmp/archive/
		done
		put smp /tmp/archive /tmp/archive || fail "the guest does not take libarchive"
	fi
	: >/tmp/equipped
}

# A daemon for each test; the agent of the first goes on.
start() {
	mkdir -p $XVS_RUN_DIR
	xvsd --run-dir $XVS_RUN_DIR >/tmp/xvsd.log 2>&1 </dev/null &
	[ -e /tmp/equipped ] || equip
	# shellcheck disable=SC2016 # expanded over there
	on smp sh -c '[ -e /tmp/agent.pid ] && kill -0 $(cat /tmp/agent.pid) || { PATH=/tmp/ga:$PATH LD_LIBRARY_PATH=$LD_LIBRARY_PATH:/tmp/archive xvs-agent >/tmp/agent.log 2>&1 & echo $! >/tmp/agent.pid; }' </dev/null
	xvs exec --retry 60 smp -- true || fail "the agent does not answer: $(cat /tmp/xvsd.log; on smp cat /tmp/agent.log)"
}

processors() {
	on smp sh -c 'cat /sys/devices/system/cpu/online' </dev/null
}

test_processors_there_and_back_ten_times() { # limit 240
	start
	xvs vcpus smp || fail "xvs vcpus"
	# The lab's host has one processor.
	xvs vcpus smp 2 2>/tmp/err && fail "more than the host has"
	grep -e --ignore-host /tmp/err || fail "more than the host has: $(cat /tmp/err)"
	for i in 1 2 3 4 5 6 7 8 9 10; do
		equal "$(xvs vcpus -i --json smp 2)" '{"guest":{"online":2,"present":2},"xen":{"online":2,"most":2}}' "there, $i"
		equal "$(processors)" 0-1 "what the guest has, $i"
		equal "$(xvs vcpus --json smp 1 | sed 's/"present":[12]/"present":N/')" \
			'{"guest":{"online":1,"present":N},"xen":{"online":1,"most":2}}' "back, $i"
		equal "$(processors)" 0 "what the guest has left, $i"
	done
	xvs vcpus smp 3 2>/tmp/err && fail "a third one"
	grep 'maxvcpus' /tmp/err || fail "a third one: $(cat /tmp/err)"
	xvs vcpus -i smp 2 || fail "not at the end"
	xvs exec smp -- sh -c 'yes >/dev/null & yes >/dev/null & sleep 1; kill %1 %2; nproc' >/tmp/nproc || fail "no work on two"
	equal "$(cat /tmp/nproc)" 2 nproc
	kernel_is_content smp
}

test_memory_down_and_up() { # limit 120
	start
	xvs memory smp || fail "xvs memory"
	xvs memory -t 100 smp 224M || fail "down"
	xvs memory -t 100 --json smp 256M >/tmp/memory || fail "up"
	grep -q '"given":26[789]' /tmp/memory || fail "$(cat /tmp/memory)"
	figure "$(cat /tmp/memory)"
	kernel_is_content smp
}

test_qemu_guest_agent_answers_by_xvs_agent() { # limit 120
	[ -d ./programs ] || skip "needs XVS_PROGRAMS, programs of Debian's (programs/gather.sh)"
	start
	xvs info smp 2>/tmp/err && fail "it is there already"
	grep 'install the package' /tmp/err || fail "without it: $(cat /tmp/err)"
	pack /tmp/ga qemu-ga
	printf '#!/bin/sh\nLD_LIBRARY_PATH=/tmp/ga/lib exec /tmp/ga/bin/qemu-ga "$@"\n' >/tmp/ga/qemu-ga
	chmod +x /tmp/ga/qemu-ga
	put smp /tmp/ga /tmp/ga || fail "the guest does not take it"
	xvs info smp || fail "xvs info: $(on smp cat /tmp/agent.log </dev/null)"
	xvs info --json smp | grep -q '"machine":"x86_64"' || fail "xvs info --json"
	xvs ga smp guest-get-vcpus || fail "xvs ga"
	on smp date -s '2001-02-03 04:05:06' </dev/null
	xvs time-sync smp >/tmp/time || fail "xvs time-sync"
	grep -q 'behind, is' /tmp/time || fail "xvs time-sync: $(cat /tmp/time)"
	figure "$(cat /tmp/time)"
	# A guest that is all memory has no file system to stand still; qemu-guest-agent goes through it all the same.
	xvs freeze -v --for 60 smp -- xvs exec smp -- true || fail "xvs freeze"
	kernel_is_content smp
}

cp_of() {
	LD_LIBRARY_PATH=$LD_LIBRARY_PATH:/tmp/archive xvs cp "$@"
}

# What is in a folder: types, modes, where links lead, sums.
listing='cd "$0" && find . | sort | while read -r f; do stat -c "%n %f" "$f"; if [ -L "$f" ]; then readlink "$f"; elif [ -f "$f" ]; then sha256sum <"$f"; fi; done'

test_files_and_folders_are_copied_there_and_back() { # limit 240
	[ -e $programs/lib/libarchive.so.13 ] || skip "needs XVS_PROGRAMS, with libarchive (programs/gather.sh)"
	start
	mkdir -p /tmp/tree/sub/deep
	head -c 3000001 /dev/urandom >/tmp/tree/sub/large
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do echo $i >/tmp/tree/sub/deep/$i; done
	: >/tmp/tree/empty
	chmod 640 /tmp/tree/empty
	ln -s sub/large /tmp/tree/link
	cp_of /tmp/tree smp:/tmp/ || fail "there: $(on smp tail -n 3 /tmp/agent.log </dev/null)"
	equal "$(xvs exec smp -- sh -c "$listing" /tmp/tree)" "$(sh -c "$listing" /tmp/tree)" "what is there"
	cp_of smp:/tmp/tree/. /tmp/back || fail "back: $(on smp tail -n 3 /tmp/agent.log </dev/null)"
	equal "$(sh -c "$listing" /tmp/back)" "$(sh -c "$listing" /tmp/tree)" "what is back"
	cp_of smp:/tmp/none /tmp/ 2>/tmp/err && fail "what is not there"
	grep none /tmp/err || fail "what is not there: $(cat /tmp/err)"
	kernel_is_content smp
}

# In this guest process 1 is no systemd, so shutdown is a script.
test_a_shutdown_is_the_end_of_the_guest() { # limit 120
	[ -d ./programs ] || skip "needs XVS_PROGRAMS, programs of Debian's (programs/gather.sh)"
	start
	on smp sh -c 'printf "#!/bin/sh\nexec busybox poweroff -f\n" >/sbin/shutdown; chmod +x /sbin/shutdown' </dev/null
	xvs shutdown -v smp || fail "xvs shutdown"
	wait_for 20 "the domain goes" sh -c '! xl domid smp'
}

run_tests "$@"

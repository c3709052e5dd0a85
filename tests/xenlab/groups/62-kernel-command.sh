#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: e2e kernel timeout=600
#
# The command xvs in guests whose kernel has the device: it uses AF_VSOCK without being told.  What it does is the suite's, which knows
# nothing of that.
. ./lib.sh
. ./kernel.sh
E2E_BULK=6000000
. ./e2e/cases/70-command.sh

test_the_command_finds_out_that_the_kernel_has_the_device() { # limit 90
	talk g guest1
	ask g "up" "up ok"
	equal "$(on guest1 xvs ls </dev/null)" "device 0: up, CID 101: this guest's kernel has it (xen_vsock), for all programs: AF_VSOCK" "xvs ls"
	equal "$(on guest1 sh -c 'echo hello | xvs cat -v host 5300 2>&1 >/dev/null | head -n 1' </dev/null)" \
		"xvs cat: the device belongs to this guest's kernel: AF_VSOCK" "xvs cat -v"
	# And with a program of the library in the other guest, at the same time as others of this one.
	spawn echo guest2 xvs ping -l
	on guest1 xvs ping -r 60 -f -c 20 102 </dev/null || fail "xvs ping ended with $?"
	content guest1
}

test_files_to_and_from_the_host() { # limit 180
	for bytes in 0 1 300001 $E2E_BULK; do
		cat_to_guest $bytes
		cat_to_host $bytes
	done
	content guest1
}

test_files_both_ways_at_once_and_from_guest_to_guest() { # limit 120
	drive guest2
	test_cat_both_directions_at_once
	test_cat_from_guest_to_guest
	content guest1
	content guest2
}

test_served_commands_and_ping() { # limit 180
	drive guest2
	test_serve_runs_a_command_for_each_connection
	test_serve_in_dom0_for_a_guest
	test_ping
	content guest1
}

test_it_waits_for_the_daemon() { # limit 120
	drive guest2
	test_retry_waits_for_the_daemon_on_both_sides
}

# ---- the agent ------------------------------------------------------------------------------------------

test_the_agent_runs_commands_over_the_driver() { # limit 180
	drive guest2
	# The one library of the agent's that the lab's guests have not.
	put guest1 "$(find /usr/lib /lib -name libinih.so.1 | head -n 1)" "$XVS_BIN/libinih.so.1"
	spawn agent guest1 xvs-agent
	echo words >$T/in
	# shellcheck disable=SC2016 # expanded over there
	equal "$(on dom0 xvs exec --retry 60 guest1 -- sh -c 'echo "$0 says $(cat)"; echo aside >&2; exit 7' it <$T/in 2>$T/err; echo $?)" \
		"it says words
7" "what a command says, and its status"
	equal "$(cat $T/err)" aside "what it says to standard error"
	head -c 3000000 /dev/urandom >$T/in
	equal "$(on dom0 xvs exec guest1 -- cat <$T/in | sha256sum)" "$(sha256sum <$T/in)" "the sum of what went there and back"
	# Another program of the guest at the same time, and somebody who may not.
	spawn echo guest1 xvs ping -l
	on guest2 xvs ping -r 60 -f -c 20 101 </dev/null || fail "xvs ping ended with $?"
	on guest2 xvs exec 101 -- true </dev/null 2>$T/err && fail "a guest may run commands in another"
	equal "$(on dom0 xvs exec guest1 -- cat /proc/version </dev/null | cut -d' ' -f1)" Linux "what it says afterwards"
	end_spawned
	remove
	content guest1
}

# ---- how a stream ended -----------------------------------------------------------------------------

test_exit_statuses_in_a_guest_with_the_driver() { # limit 120
	talk g guest1
	ask g "up" "up ok"
	status 4 guest1 xvs cat host 5301
	status 4 guest1 xvs cat 99 5301
	status 3 guest1 xvs cat local 5301
	grep -q vsock_loopback "$T/status.out" || fail "it does not say what is missing: $(cat "$T/status.out")"
	status 2 guest1 xvs cat --guest web1 5301
	ask g "listen l 5302" "listen l ok"
	status 7 guest1 xvs serve 5302 -- cat
	status 4 dom0 xvs cat guest1 5301
	stop_daemon
	ask g "down" "down ok"
	status 3 guest1 xvs cat -w 0.3 host 5301
	grep -q "is xvsd running" "$T/status.out" || fail "it does not say why: $(cat "$T/status.out")"
}

# goes_on HOST BYTES CALL: a sender on that host whose input gives so many bytes and does not end.
goes_on() {
	# shellcheck disable=SC2016 # expanded over there
	spawn sender "$1" sh -c 'rm -f /tmp/feed; mkfifo /tmp/feed; (head -c "$1" /dev/zero; exec sleep 1000) >/tmp/feed 2>&1 &
		exec $2 </tmp/feed' goes_on "$2" "xvs cat -r 60 $3"
}

size_of() { # HOST NAME
	# shellcheck disable=SC2016
	on "$1" sh -c '[ ! -e "$1" ] || wc -c <"$1"' size_of "$T/$1/$2" </dev/null
}

# A sender goes in the middle, whichever way the stream was opened: half a file is never taken for a whole one.
test_a_killed_sender_is_status_6_at_the_receiver() { # limit 120
	spawn receiver dom0 sh -c "exec xvs cat -l 5310 guest1 </dev/null >$T/dom0/out"
	goes_on guest1 1000000 "host 5310"
	wait_for '[ "$(size_of dom0 out)" = 1000000 ]' 20 "bytes arrive"
	signal sender KILL
	equal "$(status_of receiver 20)" 6 "the receiver's exit status in dom0"
	spawn receiver guest1 sh -c "exec xvs cat -l 5311 </dev/null >$T/guest1/out"
	goes_on dom0 1000000 "guest1 5311"
	wait_for '[ "$(size_of guest1 out)" = 1000000 ]' 20 "bytes arrive"
	signal sender KILL
	equal "$(status_of receiver 20)" 6 "the receiver's exit status in the guest"
	remove
	content guest1
}

test_a_command_that_fails_or_does_not_read_is_status_6_for_the_caller() { # limit 120
	spawn fails guest1 xvs serve 5320 -- sh -c 'exit 9'
	spawn leaves guest1 xvs serve 5321 -- head -c 10
	spawn reads guest1 xvs serve 5322 -- sh -c 'cat >/dev/null'
	for expected in "5320 1 6" "5320 100000 6" "5321 100000 6" "5321 10 0" "5322 100000 0"; do
		# shellcheck disable=SC2086 # words
		set -- $expected
		head -c "$2" /dev/zero >$T/in
		on dom0 xvs cat -r 60 guest1 "$1" <$T/in >/dev/null 2>$T/err
		equal $? "$3" "the exit status with $2 bytes to port $1 ($(cat $T/err))"
	done
	spawn fails0 dom0 xvs serve 5330 guest1 -- sh -c 'exit 9'
	spawn leaves0 dom0 xvs serve 5331 guest1 -- head -c 10
	spawn reads0 dom0 xvs serve 5332 guest1 -- sh -c 'cat >/dev/null'
	for expected in "5330 1 6" "5330 100000 6" "5331 100000 6" "5331 10 0" "5332 100000 0"; do
		# shellcheck disable=SC2086 # words
		set -- $expected
		# shellcheck disable=SC2016 # expanded over there
		on guest1 sh -c 'head -c $2 /dev/zero | xvs cat -r 60 host $1' cat "$1" "$2" >/dev/null 2>$T/err </dev/null
		equal $? "$3" "the exit status in the guest with $2 bytes to port $1 ($(cat $T/err))"
	done
	content guest1
}

test_a_sender_in_a_guest_with_the_driver_says_whether_all_was_read() { # limit 240
	test_a_sender_waits_until_all_is_read
	test_a_sender_says_that_its_reader_was_killed_with_all_in_buffers
	content guest1
}

test_a_killed_daemon_is_status_6_at_both_ends() { # limit 120
	spawn receiver dom0 sh -c "exec xvs cat -l 5350 guest1 </dev/null >$T/dom0/out"
	goes_on guest1 1000000 "host 5350"
	wait_for '[ "$(size_of dom0 out)" = 1000000 ]' 20 "bytes arrive"
	kill_daemon
	equal "$(status_of sender 20)" 6 "the sender's exit status"
	equal "$(status_of receiver 20)" 6 "the receiver's exit status"
	remove
	kernel_is_content guest1
}

run_driver_tests "$@"

#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: e2e with=vsock.sh timeout=900
#
# AF_VSOCK programs of dom0 and guests, with the real vhost_vsock of dom0's kernel and unmodified programs.
. ./vsock.sh

test_a_missing_module_is_one_line_and_unix_sockets_go_on() { # limit 120
	rmmod vhost_vsock || fail "rmmod vhost_vsock"
	daemon_with "af_vsock = yes"
	on guest1 sh -c 'xvs serve 7000 -- cat >/tmp/serve.out 2>&1 & echo $! >/tmp/serve.pid' </dev/null
	equal "$(echo unix | xvs cat --retry 60 guest1 7000)" unix "what comes back by the UNIX socket"
	equal "$(grep -c 'modprobe vhost_vsock' $T/dom0/xvsd.log)" 1 "lines that say what to do"
	daemon_with "af_vsock = auto" "log_level = notice"
	equal "$(echo unix | xvs cat --retry 60 guest1 7000)" unix "what comes back by the UNIX socket"
	! grep vhost $T/dom0/xvsd.log || fail "with auto it is not worth a word"
	unserve guest1
	modprobe vhost_vsock || fail "modprobe vhost_vsock"
}

test_af_vsock_is_off_by_default() {
	daemon_with "services = yes"
	on guest1 sh -c 'xvs serve 7000 -- cat >/tmp/serve.out 2>&1 & echo $! >/tmp/serve.pid' </dev/null
	equal "$(echo unix | xvs cat --retry 60 guest1 7000)" unix "what comes back by the UNIX socket"
	echo x | vsock 10 - VSOCK-CONNECT:101:7000 2>&1 | grep -q 'No such device' || fail "a program of dom0 reaches the guest"
	equal "$(workers)" 0 "threads of the kernel's"
	unserve guest1
}

# The lines of the README.
test_programs_of_dom0_reach_a_guest() { # limit 120
	daemon_with "af_vsock = yes" "services = yes"
	serve guest1 7 cat
	equal "$(echo hello | vsock 10 -t 5 - VSOCK-CONNECT:101:7)" hello "what comes back"
	file_of 3000000
	vsock 60 -t 30 - VSOCK-CONNECT:101:7 </tmp/f >/tmp/g || fail "socat: $?"
	cmp /tmp/f /tmp/g || fail "not the same bytes"
	echo x | vsock 10 - VSOCK-CONNECT:101:7001 2>&1 | grep -q 'reset by peer' || fail "a port that nobody serves is not refused"
	echo x | vsock 10 - VSOCK-CONNECT:77:7 2>&1 | grep -q 'No such device' || fail "a CID that nobody has is reached"
}

test_the_policy_that_is_shipped_lets_no_af_vsock_through() { # limit 120
	policy
	xvs reload || fail "xvs reload"
	echo x | vsock 10 - VSOCK-CONNECT:101:7 2>&1 | grep -q 'reset by peer' || fail "a program of dom0 is let in"
	grep -q 'guest guest1 .*may not reach it.*@vsock' $T/dom0/xvsd.log || fail "the log does not name the line: $(tail -n 2 $T/dom0/xvsd.log)"
	# The lines of xvsd(8).
	policy "* @vsock @any allow" "* @any @vsock allow" "* @unix @any allow"
	xvs reload || fail "xvs reload"
	equal "$(echo hello | vsock 10 -t 5 - VSOCK-CONNECT:101:7)" hello "what comes back"
	policy "* @unix @any allow" "* @any @unix allow" "* @vsock @any allow" "* @any @vsock allow"
	xvs reload || fail "xvs reload"
}

test_many_streams_at_once() { # limit 200
	file_of 300000
	for i in $(seq 20); do
		# Linux waits for 2 seconds, and a slow machine has twenty processes to start.
		vsock 100 -t 30 - VSOCK-CONNECT:101:7,retry=100,interval=0.2 </tmp/f >/tmp/g.$i &
	done
	wait
	for i in $(seq 20); do
		cmp /tmp/f /tmp/g.$i || fail "stream $i: not the same bytes"
		rm /tmp/g.$i
	done
	unserve guest1
}

test_a_guest_reaches_programs_of_dom0() { # limit 120
	unserve guest1
	file_of 1000000
	put guest1 /tmp/f /tmp/f
	socat -u VSOCK-LISTEN:9000,fork OPEN:/tmp/g,creat,trunc &
	listener=$!
	wait_for '[ -d /proc/$listener ]' 5
	on guest1 sh -c 'xvs cat --retry 60 host 9000 </tmp/f' </dev/null || fail "xvs cat: $?"
	wait_for 'cmp -s /tmp/f /tmp/g' 20 "all has arrived"
	kill $listener
	equal "$(on guest1 sh -c 'echo x | xvs cat host 9001 2>/dev/null; echo $?' </dev/null)" 4 "nobody listens: xvs cat"
}

test_a_unix_socket_goes_first() { # limit 120
	unserve guest1
	socat -u VSOCK-LISTEN:9100,fork OPEN:/tmp/by.kernel,creat,trunc &
	listener=$!
	xvs serve 9100 guest1 -- sh -c 'cat >/tmp/by.unix' &
	served=$!
	wait_for '[ -S $RUN/guest/guest1/vsock_9100 ]' 20 "a port that is served in dom0"
	on guest1 sh -c 'echo first | xvs cat --retry 60 host 9100' </dev/null || fail "xvs cat: $?"
	kill $served $listener
	equal "$(cat /tmp/by.unix)" first "what the UNIX socket got"
	[ ! -s /tmp/by.kernel ] || fail "the AF_VSOCK listener got it, too"
}

# A program that is still reading when the guest's has ended and given up its device loses nothing of what was sent in order.
test_what_was_sent_in_order_is_read_after_the_guest_s_program_has_ended() { # limit 120
	unserve guest1
	file_of 150000
	put guest1 /tmp/f /tmp/f
	mkfifo /tmp/fifo
	socat -u VSOCK-LISTEN:9200 OPEN:/tmp/fifo,wronly &
	listener=$!
	on guest1 sh -c 'xvs cat --retry 60 host 9200 </tmp/f' </dev/null &
	sender=$!
	wait_for '! kill -0 $sender 2>/dev/null || true' 20
	cat /tmp/fifo >/tmp/g
	cmp /tmp/f /tmp/g || fail "$(wc -c </tmp/g) bytes have arrived"
	rm /tmp/fifo
	kill $listener 2>/dev/null || :
}

test_a_killed_daemon_resets_programs_and_the_next_one_serves() { # limit 200
	serve guest1 7000 cat
	open_stream 101
	kill_daemon
	: >$T/dom0/xvsd.log
	wait $program
	grep -q 'reset by peer' /tmp/err || [ ! -s /tmp/err ] || fail "socat: $(cat /tmp/err)"
	wait_for '[ "$(workers)" = 0 ]' 10 "the kernel's thread goes"
	echo x | vsock 10 - VSOCK-CONNECT:101:7000 2>&1 | grep -q 'No such device' || fail "there is still somebody"
	start_daemon
	wait_for 'vsock 5 -u /dev/null VSOCK-CONNECT:101:7000 2>/dev/null' 40 "the guest comes again, with the same CID"
	equal "$(echo again | vsock 20 -t 5 - VSOCK-CONNECT:101:7000)" again "what comes back"
}

test_a_guest_that_is_paused_and_one_that_is_destroyed() { # limit 300
	serve guest2 7000 cat
	open_stream 102
	xl pause guest2
	echo second >/tmp/in
	equal "$(echo other | vsock 20 -t 5 - VSOCK-CONNECT:101:7000)" other "another guest's stream"
	xl unpause guest2
	wait_for '[ "$(wc -l </tmp/out)" = 2 ]' 20 "it goes on"
	id=$(domid guest2)
	crash guest2
	wait $program
	wait_for "! xl list | grep -q -e '--p--d' -e ' $id '" 20 "the domain goes: nobody holds its pages"
	wait_for '[ "$(workers)" = 1 ]' 20 "its kernel's thread goes"
	equal "$(echo other | vsock 20 -t 5 - VSOCK-CONNECT:101:7000)" other "another guest's stream"
}

# Without its program, and without streams, the guest's device goes after a moment.
test_a_guest_without_a_program_costs_nothing() { # limit 120
	before=$(files)
	serve guest3 7000 cat
	unserve guest3
	wait_for '[ "$(workers)" = 1 ]' 20 "its kernel's thread goes"
	wait_for '[ "$(files)" -le '"$before"' ]' 20 "descriptors: there were $before"
	unserve guest1
	wait_for '[ "$(workers)" = 0 ]' 20 "the last of the kernel's threads goes"
}

test_a_cid_that_another_virtual_machine_has_is_one_line() { # limit 120
	command -v perl >/dev/null || skip "needs perl, to take a CID"
	# VHOST_VSOCK_SET_GUEST_CID
	perl -e '$cid = pack("Q", 101); open(F, "+<", "/dev/vhost-vsock") && ioctl(F, 0x4008AF60, $cid) && syswrite(STDOUT, "taken\n"); sleep 1000' \
		>/tmp/taker &
	taker=$!
	wait_for '[ "$(cat /tmp/taker)" = taken ]' 10 "CID 101 is taken"
	on guest1 sh -c 'xvs serve 7000 -- cat >/tmp/serve.out 2>&1 & echo $! >/tmp/serve.pid' </dev/null
	equal "$(echo unix | xvs cat --retry 60 guest1 7000)" unix "what comes back by the UNIX socket"
	equal "$(grep -c 'guest guest1 .*CID 101 belongs to another virtual machine of this host' $T/dom0/xvsd.log)" 1 "lines that say so"
	kill $taker
	unserve guest1
	serve guest1 7000 cat
	equal "$(echo again | vsock 20 -t 5 - VSOCK-CONNECT:101:7000)" again "what comes back when it is free"
	unserve guest1
}

# All in one process, but for the kernel and its programs: as many domains as that are more than this host holds.
test_two_hundred_guests_at_once() { # limit 120
	ulimit -n "$(ulimit -H -n)"
	vhost_many 200 >/tmp/many || fail "vhost_many: $?"
	figure "200 guests with AF_VSOCK: $(head -n 1 /tmp/many)"
}

# The last one: in a restored guest Linux cannot end a program that held an event channel (40-xvs.sh).
test_a_guest_that_is_saved_and_restored() { # limit 300
	serve guest4 7000 cat
	open_stream "$(cid_of guest4)"
	xl save guest4 /tmp/guest4.saved 2>/tmp/xl || fail "xl save: $(tail -n 3 /tmp/xl)"
	wait $program
	wait_for '[ "$(workers)" = 0 ]' 20 "its kernel's thread goes"
	xl restore /tmp/guest4.saved 2>/tmp/xl || fail "xl restore: $(tail -n 3 /tmp/xl)"
	rm /tmp/guest4.saved
	labctl wait guest4 240 || fail "the guest's lab agent does not come back"
	wait_for 'vsock 5 -u /dev/null "VSOCK-CONNECT:$(cid_of guest4):7000" 2>/dev/null' 40 "the guest is reached again"
	equal "$(echo again | vsock 20 -t 5 - "VSOCK-CONNECT:$(cid_of guest4):7000")" again "what comes back"
}

run_vsock_tests "$@"

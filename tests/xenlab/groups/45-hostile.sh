#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: e2e timeout=300
#
# A guest whose program breaks the handshake, with the kernel's gntalloc on its side and gntdev on the daemon's: references that are
# granted twice, to somebody else, or no more, and a program that is killed at each step.  The daemon goes on, another guest's
# stream flows all the time, the hostile one is served again as soon as it is honest, and nothing is left of it all.
. ./lib.sh
export E2E_T=/tmp/e2e E2E_SLOW=8 E2E_PLATFORM=xen
mkdir -p $E2E_T/dom0
. ./e2e/lib.sh

hostile() { # HOW [ARGUMENT]: its answer, "killed", or what it says is wrong
	_said=$(on guest2 hostile_guest "$@" 2>&1 </dev/null)
	case $? in
	0) echo "$_said" ;;
	137) echo killed ;;
	*) fail "hostile_guest $*: $_said" ;;
	esac
}

# The same process, and a guest that has nothing to do with it is answered.
others_are_served() {
	equal "$(daemon_pid)" "$(cat $E2E_T/pid)" "xvsd's process after $1"
	xvs ping -c 1 guest1 7 >/dev/null 2>$E2E_T/ping || fail "after $1 guest1 is not answered: $(cat $E2E_T/ping)"
}

# It is refused, with the guest's own pages in the sentence.
is_refused() { # HOW...
	equal "$(hostile "$@")" "backend 5" "hostile_guest $*"
	others_are_served "$*"
}

# What there is of Xen, and of the daemon's descriptors.
counts() {
	leakcount dom0 guest1 guest2
	echo "dom0 descriptors $(daemon_fds)"
}

daemon_memory() { # KiB of its own
	sed -n 's/^RssAnon:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(daemon_pid)/status"
}

# Answers of the one stream that flows all the time.
answers() {
	grep -c 'bytes from' $E2E_T/stream || :
}

test_a_good_guest_is_answered() { # limit 60
	on guest1 sh -c 'xvs ping -l 7 >/dev/null 2>&1 & echo $! >/tmp/ping.pid' </dev/null
	xvs ping -c 1 --retry 60 guest1 7 >/dev/null || fail "guest1 is not answered"
	daemon_pid >$E2E_T/pid
	# An error's directories stay when it is over; their number is constant.
	is_refused gone
	equal "$(hostile connect)" "backend 4" "an honest program"
	wait_until '! xvs ls guest2 | grep -q "in use"' 20 || fail "guest2 stays connected"
	# It is not waited for here: the tests after this one see to it.
	xvs ping -i 0.1 guest1 7 >$E2E_T/stream 2>&1 </dev/null &
	echo $! >$E2E_T/stream.pid
	wait_for '[ "$(answers)" -gt 2 ]' 20 "a stream to guest1 flows"
	daemon_fds_at_rest >/dev/null
	counts >$E2E_T/before
	daemon_memory >$E2E_T/memory
}

test_references_that_are_not_what_they_seem() { # limit 60
	# One page in many places is a guest's own affair: it is mapped, or not.
	for how in twice control; do
		case $(hostile $how) in "backend 4" | "backend 5") ;; *) fail "hostile_guest $how" ;; esac
		others_are_served $how
	done
	is_refused other "$(domid guest1)"
	is_refused read-only
	is_refused gone
}

test_pages_taken_back_while_they_are_mapped() { # limit 60
	equal "$(hostile revoked)" "backend 4" "before they are taken back"
	others_are_served revoked
}

test_killed_at_each_step_of_the_handshake() { # limit 120
	for at in init share nodes told mapped connected busy closing; do
		case $(hostile killed $at) in *killed) ;; *) fail "it was not killed at $at" ;; esac
		others_are_served "killed $at"
	done
}

test_nothing_is_left_and_an_honest_program_is_served() { # limit 60
	equal "$(hostile connect)" "backend 4" "an honest program"
	wait_until 'counts >$E2E_T/after; diff $E2E_T/before $E2E_T/after >$E2E_T/leaks' 10 || fail "$(cat $E2E_T/leaks)"
	grown=$(($(daemon_memory) - $(cat $E2E_T/memory)))
	[ $grown -lt 512 ] || fail "the daemon has $grown KiB more than before"
	kernel_is_content dom0
	kernel_is_content guest2
	figure "$(grep -c 'the device is closed' $E2E_T/dom0/xvsd.log) refusals; the daemon has $grown KiB more than before"
}

# Xen has the pages of a dead domain until the last of them is unmapped, those that it has taken back included.
test_a_domain_is_destroyed_when_its_pages_are_taken_back_and_still_mapped() { # limit 60
	held_without_guest2() {
		leakcount "$@" dom0 guest1 | grep -v 'dom0 nodes'
	}
	held_without_guest2 -x guest2 >$E2E_T/before
	id=$(domid guest2)
	on guest2 hostile_guest stays >$E2E_T/stays 2>&1 </dev/null &
	wait_for 'grep -q "taken back" $E2E_T/stays' 20 "the pages are taken back: $(cat $E2E_T/stays)"
	xl destroy guest2 || fail "xl destroy"
	wait_for '! xl list | grep -q -e "--p--d" -e " $id "' 20 "the domain goes"
	wait_until 'held_without_guest2 >$E2E_T/after; diff $E2E_T/before $E2E_T/after >$E2E_T/leaks' 10 || fail "$(cat $E2E_T/leaks)"
	wait_for '! xenstore-ls -f /local/domain/0 | grep -q "vsock/$id"' 10 "the backend's and the error's directories go"
	others_are_served "the death of guest2"
	kernel_is_content dom0
}

test_a_stream_of_another_guest_has_flowed_all_the_time() { # limit 60
	had=$(answers)
	wait_for '[ "$(answers)" -gt $((had + 2)) ]' 20 "the stream to guest1 flows: $(tail -n 2 $E2E_T/stream)"
	equal "$(grep -c 'guest1.*connected, CID' $E2E_T/dom0/xvsd.log)" 1 "times that guest1 has connected"
	equal "$(grep -c 'guest1.*disconnected' $E2E_T/dom0/xvsd.log)" 0 "times that guest1 was disconnected"
	figure "$had answers"
}

if [ $# -gt 0 ]; then
	trap 'exit 143' TERM
	standard
	"$1"
	exit
fi
run_tests
kill "$(cat $E2E_T/stream.pid)" 2>/dev/null
stop_daemon_if_any
cp "$T/dom0/xvsd.log" "$OUT/" 2>/dev/null

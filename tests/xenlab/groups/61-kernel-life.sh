#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: e2e kernel timeout=900
#
# The life of the guest's driver: backends that end, come back or break the rules, guests that are saved and restored, and another Linux.
. ./lib.sh
. ./kernel.sh

# ---- a newer Linux ------------------------------------------------------------------------------------------

# The same source, built for it.
test_streams_of_a_guest_with_linux_6_12() { # limit 240
	cat /lab/guest.cpio ./lab/6.12/more.cpio >/tmp/newer.cpio
	sed -e 's/"guest3"/"newer"/' -e "s|/lab/vmlinux|$PWD/lab/6.12/vmlinux|" -e 's|/lab/guest.cpio|/tmp/newer.cpio|' \
		-e 's/memory = 128/memory = 192/' /lab/guest3.cfg >/lab/newer.cfg
	create newer || fail "a guest with the newer kernel does not start"
	case $(on newer uname -r </dev/null) in 6.12.*) ;; *) fail "it has Linux $(on newer uname -r </dev/null)" ;; esac
	drive newer 6.12
	talk h dom0
	talk g newer
	ask g "up" "up ok"
	ask g "listen l 5040" "listen l ok"
	ask h "connect a $RUN/guest/newer/vsock:5040" "connect a ok"
	ask g "accept a l" "accept a ok"
	exchange h g a 2000000
	closed h g a
	ask h "listen L $RUN/guest/newer/vsock_5041" "listen L ok"
	ask g "connect b 2:5041" "connect b ok"
	ask h "accept b L" "accept b ok"
	exchange h g b 2000000
	ask g "shutdown b wr" "shutdown b ok"
	ask h "eof b" "eof b ok"
	tell h "send b 300000"
	ask g "recv b 300000" "recv b ok"
	heard h "send b ok"
	closed h g b
	# To one with the older, and back.
	talk o guest1
	ask o "up" "up ok"
	ask g "connect c 101:5042" "connect c ECONNRESET"
	ask o "listen l 5042" "listen l ok"
	ask g "connect c 101:5042" "connect c ok"
	ask o "accept c l" "accept c ok"
	exchange g o c 1000000
	kill_daemon
	ask g "down" "down ok"
	ask g "eof c" "eof c ECONNRESET"
	start_daemon
	ask g "up" "up ok"
	on newer sh -c "echo vsock-0 >$DRIVER/unbind" </dev/null || fail "unbind"
	ask g "close c" "close c ok"
	wait_for 'on newer rmmod xen_vsock 2>/dev/null </dev/null' 10 "rmmod"
	kernel_is_content newer
	figure "Linux $(on newer uname -r </dev/null)"
	crash newer
}

# ---- life ---------------------------------------------------------------------------------------------

# The backend goes: streams are reset, the listener stays, the device comes back, new streams work, nothing is lost of Xen.
backend_comes_back() { # stop_daemon|kill_daemon
	both guest1
	held_by guest1 >/tmp/before
	ask g "listen l 5010" "listen l ok"
	ask h "connect a $GUEST1:5010" "connect a ok"
	ask g "accept a l" "accept a ok"
	ask h "send a 5000" "send a ok"
	ask g "recv a 5000" "recv a ok"
	"$1"
	ask g "down" "down ok"
	ask g "eof a" "eof a ECONNRESET"
	ask g "send a 10" "send a 0 ECONNRESET"
	ask g "close a" "close a ok"
	ask g "connect b 2:5010" "connect b ENODEV"
	start_daemon
	: >"$T/is_standard"
	ask g "up" "up ok"
	wait_for 'attached guest1' 5
	ask h "connect c $GUEST1:5010" "connect c ok"
	ask g "accept c l" "accept c ok"
	exchange h g c 400000
	closed h g c
	wait_until 'held_by guest1 >/tmp/after; diff /tmp/before /tmp/after >/tmp/leaks' 10 || fail "$(cat /tmp/leaks)"
	kernel_is_content guest1
}

test_the_daemon_ends_and_comes_back() { # limit 120
	backend_comes_back stop_daemon
}

test_the_daemon_is_killed_and_comes_back() { # limit 120
	backend_comes_back kill_daemon
}

# Killed, and not there for minutes: longer than any time limit of AF_VSOCK.  Programs are told at once, and go on being told.
test_the_daemon_is_away_for_minutes() { # limit 300
	both guest1
	held_by guest1 >/tmp/before
	ask g "listen l 5015" "listen l ok"
	ask h "connect a $GUEST1:5015" "connect a ok"
	ask g "accept a l" "accept a ok"
	kill_daemon
	ask g "down" "down ok"
	ask g "eof a" "eof a ECONNRESET"
	ask g "close a" "close a ok"
	free=$(available guest1)
	read -r began _ </proc/uptime
	until read -r now _ </proc/uptime && [ $((${now%.*} - ${began%.*})) -gt 130 ]; do
		ask g "connect b 2:5015" "connect b ENODEV"
		sleep 1
	done
	less=$((free - $(available guest1)))
	[ $less -lt 1024 ] || fail "the guest has $less KiB less than before"
	start_daemon
	: >"$T/is_standard"
	ask g "up" "up ok"
	wait_for 'attached guest1' 5
	ask h "connect c $GUEST1:5015" "connect c ok"
	ask g "accept c l" "accept c ok"
	exchange h g c 400000
	closed h g c
	wait_until 'held_by guest1 >/tmp/after; diff /tmp/before /tmp/after >/tmp/leaks' 10 || fail "$(cat /tmp/leaks)"
	kernel_is_content guest1
}

# takes GUEST cmd args...: whatever that makes come for the guest, its driver has taken it.
takes() {
	_guest=$1 _taken=$(counter "$1" rx_packets)
	shift
	"$@"
	wait_for '[ "$(counter $_guest rx_packets)" -gt "$_taken" ]' 20 "the driver of $_guest takes a packet: $*"
}

# A user's program that keeps its sockets' locks for ever, by a send() and a setsockopt() whose memory never comes, keeps nobody else
# of the guest from what comes for them; and not the device from its life.
test_a_program_that_keeps_its_sockets_locks_keeps_nobody_else() { # limit 180
	both guest1
	talk w dom0
	held_by guest1 >/tmp/before
	ask h "listen L ${GUEST1}_5016" "listen L ok"
	spawn keep guest1 /tmp/lab/keep 2 5016 5017
	ask h "accept k L" "accept k ok"
	wait_for "grep -q . $PEER/keep.out" 20 "keep"
	equal "$(cat $PEER/keep.out)" kept "what keep says"
	ask g "listen l 5018" "listen l ok"
	ask h "connect a $GUEST1:5018" "connect a ok"
	ask g "accept a l" "accept a ok"
	# Data for the one, and a call for the other.
	takes guest1 ask h "send k 5000" "send k ok"
	exchange h g a 400000
	takes guest1 tell w "connect w $GUEST1:5017 60000"
	exchange h g a 400000
	kill_daemon
	ask g "down" "down ok"
	ask g "eof a" "eof a ECONNRESET"
	ask g "close a" "close a ok"
	ask h "close k" "close k ok"
	answer w
	start_daemon
	: >"$T/is_standard"
	ask g "up" "up ok"
	wait_for 'attached guest1' 5
	ask h "connect b $GUEST1:5018" "connect b ok"
	ask g "accept b l" "accept b ok"
	exchange h g b 400000
	! has_ended keep || fail "it has kept nothing: $(cat $PEER/keep.out)"
	signal keep KILL
	status_of keep >/tmp/status
	exchange h g b 400000
	closed h g b
	ask h "connect c $GUEST1:5017" "connect c ECONNREFUSED"
	wait_until 'held_by guest1 >/tmp/after; diff /tmp/before /tmp/after >/tmp/leaks' 10 || fail "$(cat /tmp/leaks)"
	content guest1
}

# What comes for such a program waits in the guest's memory, and has no more of it than a bound: its connection ends there.
test_what_nobody_takes_has_a_bound() { # limit 120
	both guest1
	held_by guest1 >/tmp/before
	ask h "listen L ${GUEST1}_5019" "listen L ok"
	spawn keep guest1 /tmp/lab/keep 2 5019 5020
	ask h "accept k L" "accept k ok"
	wait_for "grep -q . $PEER/keep.out" 20 "keep"
	ask g "listen l 5021" "listen l ok"
	ask h "connect a $GUEST1:5021" "connect a ok"
	ask g "accept a l" "accept a ok"
	on guest1 sh -c 'echo 32 >/sys/module/xen_vsock/parameters/waiting_kib' </dev/null || fail "the bound"
	# Its peer is told at once, its program when it comes to it.  How a UNIX socket tells of a reset depends on what was still in it.
	tell h "send k 60000"
	answer h
	tell h "eof k"
	answer h
	[ "$(counter guest1 dropped)" -gt 0 ] || fail "nothing was dropped"
	on guest1 sh -c 'echo 0 >/sys/module/xen_vsock/parameters/waiting_kib' </dev/null || fail "the bound"
	! has_ended keep || fail "it has kept nothing: $(cat $PEER/keep.out)"
	exchange h g a 100000
	signal keep KILL
	status_of keep >/tmp/status
	ask h "close k" "close k ok"
	exchange h g a 100000
	closed h g a
	wait_until 'held_by guest1 >/tmp/after; diff /tmp/before /tmp/after >/tmp/leaks' 10 || fail "$(cat /tmp/leaks)"
	content guest1
}

test_the_device_is_detached_and_attached() { # limit 120
	both guest1
	ask g "listen l 5011" "listen l ok"
	ask h "connect a $GUEST1:5011" "connect a ok"
	ask g "accept a l" "accept a ok"
	xvs detach guest1 || fail "xvs detach"
	ask g "down" "down ok"
	ask g "eof a" "eof a ECONNRESET"
	wait_for "! xenstore-exists /local/domain/$(domid guest1)/device/vsock/0" 10 "the guest's directory goes"
	xvs attach guest1 || fail "xvs attach"
	ask g "up" "up ok"
	ask h "connect b $GUEST1:5011" "connect b ok"
	ask g "accept b l" "accept b ok"
	exchange h g b 100000
	content guest1
}

test_a_program_of_the_library_is_told_that_the_kernel_has_the_device() {
	talk g guest1
	ask g "up" "up ok"
	! on guest1 e2e_guest up quit >/tmp/said 2>&1 </dev/null || fail "a program of the library got the device"
	cat /tmp/said
	grep -q "belongs to this guest's kernel.*AF_VSOCK.*unbind" /tmp/said || fail "it does not say so"
	ask g "connect a 2:5999" "connect a ECONNRESET"
	content guest1
}

test_the_driver_is_unloaded_with_sockets_open_and_loaded_again() { # limit 120
	both guest1
	joined a h 5012
	ask g "listen l 5013" "listen l ok"
	on guest1 sh -c "echo vsock-0 >$DRIVER/unbind" </dev/null || fail "unbind"
	ask g "eof a" "eof a ECONNRESET"
	wait_for '! xvs ls guest1 | grep -q "in use"' 10 "the daemon sees it"
	! on guest1 rmmod xen_vsock 2>/dev/null </dev/null || fail "a socket keeps the module"
	ask g "close a" "close a ok"
	wait_for 'on guest1 rmmod xen_vsock 2>/dev/null </dev/null' 10 "rmmod, once the socket is closed"
	# Another owner of the device, with libxvs, and none of its pages left.
	equal "$(on guest1 sh -c 'xvs ping -l 7 >/dev/null 2>/tmp/ping.err & echo $! >/tmp/ping.pid' </dev/null)" "" "xvs in the guest"
	xvs ping -c 1 --retry 60 guest1 7 >/dev/null || fail "libxvs in the guest: $(on guest1 cat /tmp/ping.err)"
	on guest1 insmod /tmp/lab/xen_vsock.ko </dev/null || fail "insmod while a program has the device"
	on guest1 sh -c '! [ -e /sys/bus/xen/devices/vsock-0/driver ]' </dev/null || fail "the driver took the device from the program"
	on guest1 sh -c 'kill $(cat /tmp/ping.pid)' </dev/null
	wait_for '! xvs ls guest1 | grep -q "in use"' 10 "the program's end"
	on guest1 sh -c "echo vsock-0 >$DRIVER/bind" </dev/null || fail "bind"
	ask g "up" "up ok"
	ask h "connect b $GUEST1:5013" "connect b ok"
	ask g "accept b l" "accept b ok"
	exchange h g b 100000
	kernel_is_content guest1
}

# The same process goes on: its stream is reset, its listener stays, its device comes back by itself.
test_xl_save_and_restore_with_an_open_stream() { # limit 240
	drive guest2
	agent guest2
	agent_ask "up" "up ok"
	agent_ask "listen l 5014" "listen l ok"
	talk h dom0
	ask h "connect a $GUEST2:5014" "connect a ok"
	agent_ask "accept a l" "accept a ok"
	tell h "send a 4000000000 200000"
	agent_tell "recv a 4000000000 200000"
	wait_for '[ "$(counter guest2 rx_bytes)" -gt 1000000 ]' 20 "the stream flows"
	left=$(grants guest2)
	xl save guest2 /tmp/guest2.saved 2>/tmp/xl || fail "xl save: $(tail -n 3 /tmp/xl)"
	answer h 20
	case $_answer in "send a "*" EPIPE" | "send a "*" ECONNRESET") ;; *) fail "the host program saw '$_answer'" ;; esac
	xl restore /tmp/guest2.saved 2>/tmp/xl || fail "xl restore: $(tail -n 3 /tmp/xl)"
	rm /tmp/guest2.saved
	labctl wait guest2 240 || fail "the guest's lab agent does not come back"
	agent_answer
	case $_answer in "recv a "*" ECONNRESET") ;; *) fail "the agent: '$_answer'" ;; esac
	agent_ask "close a" "close a ok"
	agent_ask "up" "up ok"
	wait_for 'attached guest2' 10 "xvsd attaches the restored guest"
	ask h "connect b $GUEST2:5014" "connect b ok"
	agent_ask "accept b l" "accept b ok"
	tell h "send b 400000"
	agent_ask "recv b 400000" "recv b ok"
	heard h "send b ok"
	wait_for '[ "$(grants guest2)" = "$left" ]' 20 "as many grants are left"
	kernel_is_content guest2
}

# What it finds has no device for it yet: its streams hear at once that they are over.  (A migration is the same to the guest.  There
# is none here: it takes shadow pages, which Debian's Xen has not for a PV guest.)
test_xl_restore_before_the_daemon_is_up() { # limit 240
	drive guest2
	agent guest2
	agent_ask "up" "up ok"
	agent_ask "listen l 5016" "listen l ok"
	talk h dom0
	ask h "connect a $GUEST2:5016" "connect a ok"
	agent_ask "accept a l" "accept a ok"
	left=$(grants guest2)
	agent_tell "eof a"
	xl save guest2 /tmp/guest2.saved 2>/tmp/xl || fail "xl save: $(tail -n 3 /tmp/xl)"
	stop_daemon
	xl restore /tmp/guest2.saved 2>/tmp/xl || fail "xl restore: $(tail -n 3 /tmp/xl)"
	rm /tmp/guest2.saved
	labctl wait guest2 240 || fail "the guest's lab agent does not come back"
	agent_answer
	equal "$_answer" "eof a ECONNRESET" "the agent, while there is no daemon"
	agent_ask "close a" "close a ok"
	agent_ask "connect x 2:5016" "connect x ENODEV"
	start_daemon
	agent_ask "up" "up ok"
	wait_for 'attached guest2' 10 "xvsd attaches the guest"
	talk h dom0
	ask h "connect b $GUEST2:5016" "connect b ok"
	agent_ask "accept b l" "accept b ok"
	tell h "send b 400000"
	agent_ask "recv b 400000" "recv b ok"
	heard h "send b ok"
	wait_for '[ "$(grants guest2)" = "$left" ]' 20 "as many grants are left"
	kernel_is_content guest2
}

# The kernel's is the first; the other is a program's.
test_two_devices_of_a_guest() { # limit 120
	both guest1
	xvs attach -d 1 guest1 || fail "xvs attach"
	wait_for 'on guest1 test -e /sys/bus/xen/devices/vsock-1 </dev/null' 10 "the guest sees the second device"
	equal "$(on guest1 env E2E_DEVICE=1 e2e_guest up quit </dev/null)" "up ok" "a program of the library with the second device"
	joined a h 5018
	exchange h g a 100000
	closed h g a
	xvs detach -d 1 guest1 || fail "xvs detach"
	wait_for '! on guest1 test -e /sys/bus/xen/devices/vsock-1 </dev/null' 10 "the second device goes"
	joined b g 5019
	exchange h g b 100000
	closed h g b
	content guest1
}

# A copy is saved and the guest goes on: nothing happens to its streams, or they are reset and it goes on; never silence.
test_xl_save_of_a_copy() { # limit 240
	drive guest2
	agent guest2
	agent_ask "up" "up ok"
	agent_ask "listen l 5015" "listen l ok"
	talk h dom0
	ask h "connect a $GUEST2:5015" "connect a ok"
	agent_ask "accept a l" "accept a ok"
	tell h "send a 100000"
	agent_ask "recv a 100000" "recv a ok"
	heard h "send a ok"
	xl save -c guest2 /tmp/guest2.saved 2>/tmp/xl || fail "xl save -c: $(tail -n 3 /tmp/xl)"
	rm /tmp/guest2.saved
	labctl wait guest2 240 || fail "the guest's lab agent does not answer"
	agent_ask "up" "up ok"
	tell h "send a 100000"
	agent_tell "recv a 100000"
	agent_answer
	case $_answer in
	"recv a ok") figure "the stream has gone on" ;;
	"recv a "*" ECONNRESET") figure "the stream was reset" ;;
	*) fail "the agent: '$_answer'" ;;
	esac
	answer h
	ask h "connect b $GUEST2:5015" "connect b ok"
	agent_ask "accept b l" "accept b ok"
	tell h "send b 400000"
	agent_ask "recv b 400000" "recv b ok"
	heard h "send b ok"
	kernel_is_content guest2
}

# ---- a backend that breaks the rules --------------------------------------------------------------------

# Each costs the connection to that backend and a line in the log, and nothing else: programs go on, memory comes back, and a
# good backend is served afterwards.
test_a_hostile_backend_closes_its_device_and_nothing_more() { # limit 300
	talk g guest1
	ask g "up" "up ok"
	held_by guest1 | grep -v nodes >/tmp/before
	free=$(available guest1)
	stop_daemon
	on guest1 dmesg -c >/dev/null </dev/null
	# A listener whose streams nobody reads.
	ask g "listen l 5030 4096" "listen l ok"
	messages_read guest1 5031
	hostile_backend "$(domid guest1)" 101 5030 >/tmp/said 2>/tmp/wrong || fail "$(tail -n 3 /tmp/said; cat /tmp/wrong)"
	cat /tmp/said
	on guest1 dmesg >/tmp/dmesg </dev/null
	cat /tmp/dmesg
	equal "$(grep -c ': the backend broke a rule: ' /tmp/said)" 24 "rules with a reason in xenstore"
	grep -q '^message without an end: RST, reason 22 ' /tmp/said || fail "a message without an end: $(grep '^message without' /tmp/said)"
	messages_were guest1 "10 same ECONNRESET"
	! grep -v -e 'xen_vsock.*vsock-0: ' -e 'callbacks suppressed' -e clocksource -e hrtimer -e clock-skew -e grant_table /tmp/dmesg || fail "more in the guest's log"
	kernel_is_content guest1
	ask g "unlisten l" "unlisten l ok"
	disturb
	standard
	ask g "up" "up ok"
	talk h dom0
	joined a h 5031
	exchange h g a 300000
	closed h g a
	wait_until 'held_by guest1 | grep -v nodes >/tmp/after; diff /tmp/before /tmp/after >/tmp/leaks' 20 || fail "$(cat /tmp/leaks)"
	less=$((free - $(available guest1)))
	figure "24 rules broken; the guest has $less KiB less than before"
	[ $less -lt 4096 ] || fail "the guest has $less KiB less than before"
}

# With as little memory as it boots with (that kernel wants 64 MiB for itself), a listener whose program accepts nothing, and answers
# that nobody takes.
test_a_small_guest_lives_through_a_flood_of_connects_and_questions() { # limit 300
	standard
	sed -e 's/"guest3"/"small"/' -e 's/memory = 128/memory = 96/' /lab/guest3.cfg >/lab/small.cfg
	create small || fail "a small guest does not start"
	drive small
	talk g small
	ask g "up" "up ok"
	held_by small | grep -v nodes >/tmp/before
	free=$(available small)
	stop_daemon
	ask g "listen l 5032" "listen l ok"
	hostile_backend "$(domid small)" 103 5032 3000 >/tmp/said 2>/tmp/wrong || fail "$(tail -n 3 /tmp/said; cat /tmp/wrong)"
	grep -q "flood: still connected" /tmp/said || fail "$(cat /tmp/said)"
	! on small dmesg </dev/null | grep -i -e "out of memory" -e "allocation failure" -e oom || fail "the guest ran out of memory"
	ask g "unlisten l" "unlisten l ok"
	disturb
	standard
	ask g "up" "up ok"
	talk h dom0
	ask g "listen m 5033" "listen m ok"
	ask h "connect a $RUN/guest/small/vsock:5033" "connect a ok"
	ask g "accept a m" "accept a ok"
	exchange h g a 300000
	closed h g a
	wait_until 'held_by small | grep -v nodes >/tmp/after; diff /tmp/before /tmp/after >/tmp/leaks' 20 || fail "$(cat /tmp/leaks)"
	less=$((free - $(available small)))
	figure "3000 connections to a listener, as many to nobody and 9000 questions; of $free KiB the guest has $less less than before"
	[ $less -lt 4096 ] || fail "the guest has $less KiB less than before"
	content small
	crash small
}

# Linux waits five seconds for a device that does not close.
test_a_guest_shuts_down_without_waiting_for_the_device() { # limit 120
	standard
	create guest3 >/dev/null 2>&1 || :
	drive guest3
	wait_for 'xvs ls guest3 | grep -q "in use"' 20 "guest3 is connected"
	id=$(domid guest3)
	xl shutdown -w guest3 >/dev/null || fail "xl shutdown"
	wait_for "! xl list | grep -q -e '--p--d' -e ' $id '" 20 "the domain goes"
	! grep -a "timeout closing device" /var/log/xen/console/guest-guest3.log || fail "Linux has waited for the device"
}

run_driver_tests "$@"

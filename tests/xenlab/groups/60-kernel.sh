#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: e2e kernel timeout=900
#
# AF_VSOCK in guests: the driver of frontend/linux, with programs that know nothing of this project.  The scripted peer in a guest
# is the e2e suite's over the kernel's sockets (e2e_vsock), so its words are the suite's.
. ./lib.sh
export E2E_T=/tmp/e2e E2E_SLOW=8 E2E_PLATFORM=xen E2E_GUEST=e2e_vsock
mkdir -p $E2E_T/dom0
. ./e2e/lib.sh

DEVICE=/sys/bus/xen/devices/vsock-0
DRIVER=/sys/bus/xen/drivers/xen_vsock

# ---- words ------------------------------------------------------------------------------------------

# drive GUEST: the driver and what it stands on; no matter whether it is there.
drive() {
	on "$1" test -d $DRIVER </dev/null && return
	[ -d ./lab ] || skip "needs XVS_KERNEL, the driver for the lab (make kernel-lab)"
	put "$1" ./lab /tmp/lab || fail "$1 does not take the modules"
	on "$1" sh -c 'cd /tmp/lab && for m in vsock vmw_vsock_virtio_transport_common gntfree xen_vsock; do
		insmod ./$m.ko || exit 1; done' </dev/null || fail "insmod in $1: $(on "$1" dmesg </dev/null | tail -n 5)"
}

counter() { # GUEST NAME
	on "$1" cat $DEVICE/vsock/"$2" </dev/null
}

# What a guest holds of Xen, its kernel's grants included, and what dom0 has of it mapped.
held_by() { # GUEST
	leakcount dom0 "$1"
	echo "$1 grants left $(on "$1" cat /sys/module/gntfree/parameters/left </dev/null)"
}

# The kernel of a guest has complained of nothing, and closed the device for nothing.
content() { # GUEST
	kernel_is_content "$1"
	! on "$1" dmesg </dev/null | grep 'broke a rule' || fail "the driver of $1 has found fault"
	! grep "the device is closed" $E2E_T/dom0/xvsd.log || fail "xvsd has found fault"
}

# exchange H-PEER G-PEER STREAM BYTES: from dom0 to the guest and back.
exchange() {
	tell "$1" "send $3 $4"
	ask "$2" "recv $3 $4" "recv $3 ok"
	heard "$1" "send $3 ok"
	tell "$2" "send $3 $4"
	ask "$1" "recv $3 $4" "recv $3 ok"
	heard "$2" "send $3 ok"
}

# closed H-PEER G-PEER STREAM: by the first, in order.
closed() {
	ask "$1" "close $3" "close $3 ok"
	ask "$2" "eof $3" "eof $3 ok"
	ask "$2" "close $3" "close $3 ok"
}

# ---- streams ----------------------------------------------------------------------------------------

test_the_driver_connects_and_says_its_cid() { # limit 90
	equal "$(on guest1 cat $DEVICE/modalias </dev/null)" xen:vsock "the device's MODALIAS"
	drive guest1
	on guest1 sh -c 'strings -n 9 /tmp/lab/xen_vsock.ko | grep -qx alias=xen:vsock' </dev/null || fail "the module's alias"
	talk g guest1
	ask g "up" "up ok"
	ask g "stats" "stats cid 101"
	equal "$(counter guest1 cid)" 101 "the CID in sysfs"
	equal "$(xvs ls guest1 | grep -c Connected)" 1 "xvs ls"
	content guest1
	figure "$(on guest1 dmesg </dev/null | grep -c 'xen_vsock vsock-0') lines in the guest's log"
}

# One byte, one packet of the largest size, and a number that no packet or page divides.
sizes_there_and_back() { # OPENER
	both guest1
	joined a "$1" 5001
	for bytes in 1 65536 300001 2000000; do
		exchange h g a $bytes
	done
	closed h g a
	content guest1
}

test_bytes_over_streams_that_the_guest_opens() { # limit 90
	sizes_there_and_back g
}

test_bytes_over_streams_that_the_host_opens() { # limit 90
	sizes_there_and_back h
}

# After one end has said that it will send no more, all that was sent arrives, and the other direction goes on.
half_close() { # OPENER CLOSER OTHER
	joined a "$1" 5002
	ask "$2" "send a 100000" "send a ok"
	ask "$2" "shutdown a wr" "shutdown a ok"
	ask "$3" "recv a 100000" "recv a ok"
	ask "$3" "eof a" "eof a ok"
	tell "$3" "send a 700000"
	ask "$2" "recv a 700000" "recv a ok"
	heard "$3" "send a ok"
	ask "$3" "shutdown a wr" "shutdown a ok"
	ask "$2" "eof a" "eof a ok"
	ask "$2" "close a" "close a ok"
	ask "$3" "close a" "close a ok"
}

test_half_close_by_either_end_whoever_opened() { # limit 120
	both guest1
	half_close h h g
	half_close h g h
	half_close g h g
	half_close g g h
	wait_for '! xvs dump guest1 | grep -q 5002' 10 "the daemon forgets the connections"
	content guest1
}

test_twenty_streams_at_once_each_way() { # limit 180
	both guest1
	ask g "listen l 5003" "listen l ok"
	tell g "echo l 20"
	heard g "echo l ready"
	tell h "many $GUEST1:5003 20 100000"
	heard h "many open 20" 100
	heard h "many ok 20" 100
	heard g "echo l 20"
	ask h "listen l ${GUEST1}_5004" "listen l ok"
	tell h "echo l 20"
	heard h "echo l ready"
	tell g "many 2:5004 20 100000"
	heard g "many open 20" 100
	heard g "many ok 20" 100
	heard h "echo l 20"
	content guest1
}

test_a_port_without_a_listener_is_refused() {
	talk g guest1
	ask g "up" "up ok"
	ask g "connect a 2:5999" "connect a ECONNRESET"
	talk h dom0
	ask h "connect b $GUEST1:5999" "connect b ECONNREFUSED"
	content guest1
}

test_guest_to_guest_with_the_driver_in_both() { # limit 180
	drive guest2
	talk a guest1
	talk b guest2
	ask a "up" "up ok"
	ask b "up" "up ok"
	ask b "listen l 5005" "listen l ok"
	ask a "connect x 102:5005" "connect x ok"
	ask b "accept x l" "accept x ok"
	exchange a b x 1000000
	closed a b x
	tell b "echo l 20"
	heard b "echo l ready"
	tell a "many 102:5005 20 60000"
	heard a "many open 20" 100
	heard a "many ok 20" 100
	heard b "echo l 20"
	content guest1
	content guest2
}

test_socat_in_a_guest_as_it_comes_from_debian() { # limit 120
	head -c 3000000 /dev/urandom >/tmp/bytes
	sum=$(md5sum </tmp/bytes)
	# The host listens, the guest's socat connects and sends; and the other way round.
	socat -u "UNIX-LISTEN:${GUEST1}_5006" CREATE:/tmp/got &
	wait_for "[ -S ${GUEST1}_5006 ]" 10
	on guest1 env LD_LIBRARY_PATH=/tmp/lab/bin /tmp/lab/bin/socat -u - VSOCK-CONNECT:2:5006 </tmp/bytes || fail "socat in the guest"
	wait $!
	equal "$(md5sum </tmp/got)" "$sum" "what arrived in dom0"
	# shellcheck disable=SC2016 # expanded over there
	on guest1 sh -c 'LD_LIBRARY_PATH=/tmp/lab/bin /tmp/lab/bin/socat -u VSOCK-LISTEN:5007 SYSTEM:"md5sum >/tmp/sum" >/tmp/socat.log 2>&1 &' </dev/null
	xvs cat --retry 20 guest1 5007 </tmp/bytes || fail "xvs cat: $(on guest1 cat /tmp/socat.log)"
	wait_for '[ "$(on guest1 cat /tmp/sum </dev/null)" = "$sum" ]' 10 "what arrived in the guest"
	content guest1
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

test_the_driver_is_unloaded_with_sockets_open_and_loaded_again() { # limit 120
	both guest1
	joined a h 5012
	ask g "listen l 5013" "listen l ok"
	on guest1 sh -c "echo vsock-0 >$DRIVER/unbind" </dev/null || fail "unbind"
	ask g "eof a" "eof a ECONNRESET"
	wait_for '! xvs ls guest1 | grep -q Connected' 10 "the daemon sees it"
	! on guest1 rmmod xen_vsock 2>/dev/null </dev/null || fail "a socket keeps the module"
	ask g "close a" "close a ok"
	wait_for 'on guest1 rmmod xen_vsock 2>/dev/null </dev/null' 10 "rmmod, once the socket is closed"
	# Another owner of the device, with libxvs, and none of its pages left.
	equal "$(on guest1 sh -c 'xvs ping -l 7 >/dev/null 2>/tmp/ping.err & echo $! >/tmp/ping.pid' </dev/null)" "" "xvs in the guest"
	xvs ping -c 1 --retry 60 guest1 7 >/dev/null || fail "libxvs in the guest: $(on guest1 cat /tmp/ping.err)"
	on guest1 insmod /tmp/lab/xen_vsock.ko </dev/null || fail "insmod while a program has the device"
	on guest1 sh -c '! [ -e /sys/bus/xen/devices/vsock-0/driver ]' </dev/null || fail "the driver took the device from the program"
	on guest1 sh -c 'kill $(cat /tmp/ping.pid)' </dev/null
	wait_for '! xvs ls guest1 | grep -q Connected' 10 "the program's end"
	on guest1 sh -c "echo vsock-0 >$DRIVER/bind" </dev/null || fail "bind"
	ask g "up" "up ok"
	ask h "connect b $GUEST1:5013" "connect b ok"
	ask g "accept b l" "accept b ok"
	exchange h g b 100000
	kernel_is_content guest1
}

if [ $# -gt 0 ]; then
	trap 'end_spawned >/dev/null 2>&1; kill $(jobs -p) 2>/dev/null' EXIT
	trap 'exit 143' TERM
	standard
	"$1"
	exit
fi
run_tests
stop_daemon_if_any
for guest in guest1 guest2; do on $guest dmesg </dev/null >"$OUT/dmesg-$guest" 2>/dev/null; done
cp "$T/dom0/xvsd.log" "$OUT/" 2>/dev/null

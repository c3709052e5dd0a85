# SPDX-License-Identifier: MIT
#
# kernel.sh: words for the groups that try the guest's driver, frontend/linux.  Sourced by them after lib.sh.  The scripted peer in a
# guest is the e2e suite's over the kernel's sockets (e2e_vsock), so its words are the suite's.  guest1 has the driver in every test.
export E2E_T=/tmp/e2e E2E_SLOW=8 E2E_PLATFORM=xen E2E_GUEST=e2e_vsock
mkdir -p $E2E_T/dom0
. ./e2e/lib.sh

# The version of Linux that dom0 and the guests have, as ./lab has the modules for it.
LINUX=$(uname -r | cut -d. -f1,2)
DEVICE=/sys/bus/xen/devices/vsock-0
DRIVER=/sys/bus/xen/drivers/xen_vsock

# drive GUEST [VERSION]: the driver for this version of Linux and what it stands on; no matter whether it is there.
drive() {
	on "$1" test -d $DRIVER </dev/null && return
	[ -d ./lab ] || skip "needs XVS_KERNEL, the driver for the lab (make kernel-lab)"
	mkdir -p /tmp/drive/lab
	cp -r ./lab/"${2:-$LINUX}"/*.ko ./lab/"${2:-$LINUX}"/messages ./lab/"${2:-$LINUX}"/keep ./lab/bin /tmp/drive/lab/
	put "$1" /tmp/drive/lab /tmp/lab || fail "$1 does not take the modules"
	on "$1" sh -c 'cd /tmp/lab && for m in vsock vmw_vsock_virtio_transport_common gntfree xen_vsock; do
		insmod ./$m.ko || exit 1; done' </dev/null || fail "insmod in $1: $(on "$1" dmesg </dev/null | tail -n 5)"
}

counter() { # GUEST NAME
	on "$1" cat $DEVICE/vsock/"$2" </dev/null
}

# The grants that a guest's kernel has left, as if gntalloc had none: what the lab's agent holds is new after a restore.
grants() { # GUEST
	# shellcheck disable=SC2016 # expanded over there
	on "$1" sh -c 'echo $(($(cat /sys/module/gntfree/parameters/left) + $(gntused)))' </dev/null
}

# KiB that a guest's programs could have.
available() { # GUEST
	on "$1" awk '/^MemAvailable/ { print $2 }' /proc/meminfo </dev/null
}

# What a guest holds of Xen, its kernel's grants included, and what dom0 has of it mapped.
held_by() { # GUEST
	leakcount dom0 "$1"
	echo "$1 grants left $(grants "$1")"
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

# messages_read GUEST PORT: one caller of that port, in /tmp/messages of the guest.
messages_read() {
	# shellcheck disable=SC2016 # expanded over there
	on "$1" sh -c '/tmp/lab/messages read "$1" >/tmp/messages 2>&1 &' messages "$2" </dev/null
	wait_for "on $1 grep -q listening /tmp/messages </dev/null" 10 "messages listens: $(on "$1" cat /tmp/messages </dev/null)"
}

# messages_were GUEST EXPECTED: what was read at last, without "listening", in one line
messages_were() {
	wait_for "on $1 grep -q '^[Ee]' /tmp/messages </dev/null" 20 "the end of the messages: $(on "$1" cat /tmp/messages </dev/null)"
	equal "$(on "$1" sed 1d /tmp/messages </dev/null | tr '\n' ' ')" "$2 " "what was read"
}

# closed H-PEER G-PEER STREAM: by the first, in order.
closed() {
	ask "$1" "close $3" "close $3 ok"
	ask "$2" "eof $3" "eof $3 ok"
	ask "$2" "close $3" "close $3 ok"
}

# Instead of run_tests "$@", at a group's end.
run_driver_tests() {
	if [ $# -gt 0 ]; then
		trap 'end_spawned >/dev/null 2>&1; kill $(jobs -p) 2>/dev/null' EXIT
		trap 'exit 143' TERM
		standard
		drive guest1
		"$1"
		exit
	fi
	run_tests
	stop_daemon_if_any
	for guest in guest1 guest2; do on $guest dmesg </dev/null >"$OUT/dmesg-$guest" 2>/dev/null; done
	cp "$T/dom0/xvsd.log" "$OUT/" 2>/dev/null
}

#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: cold e2e kernel guests=pvh cpu=+svm,+npt tries=3 advisory
#
# A PVH guest, hardware-virtualised in emulation: QEMU emulates AMD's SVM with
# nested paging, and does not always do it right.  So these tests are shown and
# repeated, and decide nothing.
. ./lib.sh
[ ! -d ./lab ] || . ./kernel.sh

test_a_pvh_guest_answers() {
	equal "$(on pvh uname -s)" Linux "pvh"
	on pvh dmesg | grep -i 'pvh' | head -n 3
	xl list -l pvh | grep -q '"type": "pvh"' || fail "it is no PVH guest"
}

test_libxenvchan_to_a_pvh_guest() { # limit 120
	id=$(domid pvh)
	on pvh vchanbench server 0 data/bench 64 &
	line=$(vchanbench client "$id" "/local/domain/$id/data/bench" 8) || fail "$line"
	figure "dom0 to pvh: $line"
}

test_xvs_to_a_pvh_guest() { # limit 120
	mkdir -p /run/xvs
	xvsd --run-dir /run/xvs >/tmp/xvsd.log 2>&1 </dev/null &
	export XVS_RUN_DIR=/run/xvs
	# shellcheck disable=SC2016 # expanded over there
	on pvh sh -c 'xvs ping -l 7 >/tmp/ping.log 2>&1 & echo $! >/tmp/ping.pid' </dev/null
	line=$(xvs ping -c 5 -i 0.1 --retry 30 pvh 7) || fail "xvs ping: $(cat /tmp/xvsd.log; on pvh cat /tmp/ping.log)"
	figure "dom0 to pvh: xvs: $(echo "$line" | tail -n 1)"
	# One process owns the device: the next one, once this one has gone.
	# shellcheck disable=SC2016
	on pvh sh -c 'kill $(cat /tmp/ping.pid); while kill -0 $(cat /tmp/ping.pid) 2>/dev/null; do sleep 0.1; done
		xvs serve 9 -- md5sum >/tmp/serve.log 2>&1 &' </dev/null
	head -c 4000000 /dev/urandom >/tmp/bytes
	equal "$(xvs cat --retry 30 pvh 9 </tmp/bytes | cut -c1-32)" "$(md5sum </tmp/bytes | cut -c1-32)" "4 MB to the guest, summed there"
}

# Both domains are there for a while, and the other one has another number.  A PV guest cannot: Debian's Xen has no log of dirty pages for
# it (shadow pages), and with nested paging a PVH guest has.
test_a_migration_on_the_same_host() { # limit 240
	[ -d ./lab ] || skip "needs XVS_KERNEL, the driver for the lab (make kernel-lab)"
	mkdir -p /run/xvs
	xvsd --run-dir /run/xvs >/tmp/xvsd.log 2>&1 </dev/null &
	export XVS_RUN_DIR=/run/xvs
	on pvh sh -c 'killall xvs; true' </dev/null
	drive pvh
	on pvh sh -c 'xvs serve 5999 -- md5sum >/tmp/serve.log 2>&1 &' </dev/null
	head -c 1000000 /dev/urandom >/tmp/bytes
	equal "$(xvs cat --retry 30 pvh 5999 </tmp/bytes | cut -c1-32)" "$(md5sum </tmp/bytes | cut -c1-32)" "1 MB to the guest, summed there"
	before=$(domid pvh)
	# Some bytes, and no end of them.
	(head -c 100000 /dev/zero; exec sleep 1000) | (xvs cat pvh 5999 >/tmp/open.out 2>/tmp/open.err; echo $? >/tmp/open.status) &
	wait_for 'xvs dump pvh | grep -q 5999' 20 "a stream is open"
	[ ! -e /tmp/open.status ] || fail "it has ended: $(cat /tmp/open.status /tmp/open.err)"
	xl migrate -s '' pvh 'xl migrate-receive' >/tmp/xl 2>&1 </dev/null || fail "xl migrate: $(tail -n 3 /tmp/xl)"
	[ "$(domid pvh)" != "$before" ] || fail "it has not migrated"
	labctl wait pvh 240 || fail "the guest's lab agent does not come back"
	wait_for '[ -s /tmp/open.status ]' 20 "who had a stream open is told"
	equal "$(cat /tmp/open.status)" 6 "the exit status of who had a stream open ($(cat /tmp/open.err /tmp/open.out))"
	equal "$(xvs cat --retry 60 pvh 5999 </tmp/bytes | cut -c1-32)" "$(md5sum </tmp/bytes | cut -c1-32)" "1 MB to the guest that has migrated"
	kernel_is_content pvh
}

run_tests "$@"

#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: cold guests=pvh cpu=+svm,+npt tries=3 advisory
#
# A PVH guest, hardware-virtualised in emulation: QEMU emulates AMD's SVM with
# nested paging, and does not always do it right.  So these tests are shown and
# repeated, and decide nothing.
. ./lib.sh

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

run_tests "$@"

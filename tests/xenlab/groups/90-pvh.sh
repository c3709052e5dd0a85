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

run_tests "$@"

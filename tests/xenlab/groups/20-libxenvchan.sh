#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: timeout=1200
#
# libxenvchan between the domains that xvs connects, as the yardstick beside it.
# In emulation only the ratios between figures of one run mean anything.
. ./lib.sh

# bench SERVER CLIENT RING-KIB: the client's line as a figure.
bench() {
	server=$(domid "$1") client=$(domid "$2")
	on "$1" vchanbench server "$client" data/bench "$3" &
	line=$(on "$2" vchanbench client "$server" "/local/domain/$server/data/bench" 4) || fail "$1 to $2: $line"
	wait $! || fail "the server on $1 fails"
	xenstore-rm "/local/domain/$server/data/bench"
	figure "$2 to $1: $line"
}

test_dom0_and_a_guest() { # limit 120
	bench guest1 dom0 64
	bench guest1 dom0 256
}

test_two_guests() { # limit 120
	bench guest1 guest2 64
	bench guest1 guest2 256
}

# Its peer says nothing and its pages stay mapped; after the unmap the domain goes.
test_a_guest_destroyed_in_mid_stream() {
	id=$(domid guest3)
	on guest3 vchanbench server 0 data/bench 64 &
	vchanbench client "$id" "/local/domain/$id/data/bench" 4000 &
	client=$!
	wait_for 20 "it is mapped" grep -q gntdev "/proc/$client/maps"
	crash guest3
	xl list | grep -q -- '--p--d' || fail "the domain is gone although its pages are mapped: $(xl list)"
	kill $client
	wait_for 20 "the domain goes" sh -c "! xl list | grep -q -- '--p--d'"
}

run_tests "$@"

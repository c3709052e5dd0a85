#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: bench timeout=600
#
# xvs and libxenvchan, from the same guest to dom0 in the same run, in turns; and
# libxenvchan alone, between the domains that xvs connects.  A test fails only when
# bytes do not flow: emulation decides no timing, and only ratios between figures of one
# run mean anything.  `make bench-xen` takes more figures, with the spread of each.
. ./lib.sh

export BENCH_RUNS=1 BENCH_SCALE=0.03
rounds=3

# take FILE cmd...: its lines "MEASURE SUBJECT VALUE UNIT" are added to the file.
take() {
	file=$1
	shift
	timeout 240 "$@" >/tmp/lines 2>/tmp/why </dev/null || fail "$*: $(tail -n 1 /tmp/why)"
	sed -n 's/^{"measure":"\([^"]*\)","subject":"\([^"]*\)","value":\([^,]*\),"unit":"\([^"]*\)".*/\1 \2 \3 \4/p' /tmp/lines >>"$file"
	[ -s "$file" ] || fail "$*: no figures"
}

vchan() { # MEASURE FILE
	path=/local/domain/0/data/yardstick
	: >/tmp/server
	BENCH_ONLY=$1 bench_vchan server "$(domid guest1)" $path >/tmp/server 2>&1 </dev/null &
	server=$!
	wait_for 20 "bench_vchan serves" grep -q ready /tmp/server
	take "$2" on guest1 env BENCH_RUNS=$BENCH_RUNS BENCH_SCALE=$BENCH_SCALE BENCH_ONLY="$1" bench_vchan client $path
	wait_for 10 "its server ends" sh -c "! kill -0 $server 2>/dev/null" || kill $server
	xenstore-rm $path 2>/dev/null
}

xvs_does() { # FILE VERB...
	file_=$1
	shift
	take "$file_" on guest1 env BENCH_RUNS=$BENCH_RUNS BENCH_SCALE=$BENCH_SCALE bench_xvs "$@"
}

daemon() { # SPIN-US: as it says for the moment between rings, and with services to measure against
	printf '[daemon]\nservices = yes\nlog_level = warning\nspin_us = %s\n' "$1" >/tmp/xvsd.conf
	xvsd --config /tmp/xvsd.conf >/tmp/xvsd.log 2>&1 </dev/null &
	xvsd=$!
	wait_for 20 "xvsd answers" sh -c 'xvs ls >/dev/null 2>&1'
}

# The next test starts its own: this one must have let go of the run directory.
no_daemon() {
	kill $xvsd
	wait $xvsd
}

median() { # FILE MEASURE SUBJECT
	sed -n "s/^$2 $3 \([^ ]*\) .*/\1/p" "$1" | sort -g | awk '{ v[NR] = $1 } END { print NR ? v[int((NR + 1) / 2)] : "none" }'
}

# compare FILE MEASURE UNIT: both medians and what xvs is of libxenvchan.
compare() {
	x=$(median "$1" "$2" xvs) v=$(median "$1" "$2" libxenvchan)
	[ "$x" != none ] && [ "$v" != none ] || fail "$2 has no figures"
	figure "$2: xvs $x $3, libxenvchan $v $3, ratio $(awk "BEGIN { printf \"%.2f\", $x / $v }") (medians of $rounds)"
}

is_here() {
	[ -x "$XVS_BIN/bench_xvs" ] && [ -x "$XVS_BIN/bench_vchan" ] || skip "needs build/release/bench as XVS_BENCH (make check-xen)"
}

test_streams_of_64_kib() { # limit 240
	is_here
	daemon auto
	: >/tmp/stream
	for _ in $(seq $rounds); do
		xvs_does /tmp/stream stream 65536
		vchan stream_64k /tmp/stream
	done
	compare /tmp/stream stream_64k MB/s
	compare /tmp/stream notifications_per_mib 1/MiB
	# For the log: what the daemon itself counted.
	xvs ls
	no_daemon
}

# What a window of most of the pool costs a ping on the same device, beside what the flood has then.
test_a_ping_beside_a_flood_of_its_own_guest() { # limit 120
	is_here
	export BENCH_SCALE=0.02
	daemon auto
	: >/tmp/beside
	for _ in $(seq $rounds); do
		xvs_does /tmp/beside beside
	done
	figure "a ping's p99 beside a flood of the same guest: $(median /tmp/beside own_flood_ping_p99 xvs) us, the flood" \
		"$(median /tmp/beside own_flood xvs) MB/s (medians of $rounds)"
	no_daemon
}

test_round_trips_that_sleep() { # limit 240
	is_here
	export BENCH_SCALE=0.01
	daemon 0
	: >/tmp/rtt
	for _ in $(seq $rounds); do
		xvs_does /tmp/rtt rtt 0
		vchan rtt_sleep /tmp/rtt
	done
	compare /tmp/rtt rtt_sleep us
	no_daemon
}

# What Xen counts: the hypercalls of all domains while the streams flow.  Two runs of which one is longer: what starting costs
# is the same in both.
hypercalls_of() { # FILE RUNS FUNCTION ARGS
	counts=$1
	export BENCH_RUNS=$2
	shift 2
	rm -f /tmp/trace
	xentrace -D -e 0x20f000 -S 256 /tmp/trace >/dev/null 2>&1 &
	tracer=$!
	wait_for 10 "xentrace runs" test -e /tmp/trace
	"$@"
	kill -INT $tracer
	wait $tracer
	hypercalls /tmp/trace >"$counts" || fail "hypercalls"
}

hypercalls_per_mib() { # SUBJECT FUNCTION ARGS
	subject=$1
	shift
	hypercalls_of /tmp/once 1 "$@"
	hypercalls_of /tmp/often 5 "$@"
	grep -q '^all [1-9]' /tmp/once || fail "no hypercalls in the trace"
	# Both programs send 2 GiB times the scale a run.
	figure "$(paste -d ' ' /tmp/once /tmp/often | awk -v scale="$BENCH_SCALE" -v subject="$subject" '
		{ line = line sprintf("%s %s %.1f", NR > 1 ? "," : "", $1, ($4 - $2) / (4 * 2048 * scale)) }
		END { print subject ": hypercalls per MiB:" line }')"
}

test_hypercalls_of_a_stream() { # limit 240
	is_here
	daemon auto
	: >/tmp/traced
	hypercalls_per_mib xvs xvs_does /tmp/traced stream 65536
	hypercalls_per_mib libxenvchan vchan stream_64k /tmp/traced
	no_daemon
}

# bench SERVER CLIENT RING-KIB: libxenvchan alone, the client's line as a figure.
bench() {
	server=$(domid "$1") client=$(domid "$2")
	on "$1" vchanbench server "$client" data/bench "$3" &
	line=$(on "$2" vchanbench client "$server" "/local/domain/$server/data/bench" 4) || fail "$1 to $2: $line"
	wait $! || fail "the server on $1 fails"
	xenstore-rm "/local/domain/$server/data/bench"
	figure "$2 to $1: $line"
}

test_libxenvchan_between_dom0_and_a_guest() { # limit 120
	bench guest1 dom0 64
	bench guest1 dom0 256
}

test_libxenvchan_between_two_guests() { # limit 120
	bench guest1 guest2 64
	bench guest1 guest2 256
}

# Without a daemon and a guest: what no daemon can do better than, at the end of which AF_VSOCK is.
test_what_dom0_s_kernel_alone_takes_for_af_vsock() { # limit 120
	floor=$(vhost_floor) || fail "vhost_floor: $floor"
	for measure in rtt stream_64k stream_4k; do
		figure "$(echo "$floor" | sort -k3 -g | awk -v m=$measure '
			$1 == m { n[$2]++; v[$2, n[$2]] = $3; unit = $4 }
			END { u = v["unix", int((n["unix"] + 1) / 2)]; k = v["vsock", int((n["vsock"] + 1) / 2)]
				printf "%s: AF_VSOCK %.1f, a UNIX socket %.1f %s, ratio %.2f", m, k, u, unit, k / u }')"
	done
}

# Its peer says nothing and its pages stay mapped; after the unmap the domain goes.
test_a_guest_destroyed_in_mid_stream_of_libxenvchan() {
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

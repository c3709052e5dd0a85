#!/bin/sh
# SPDX-License-Identifier: MIT
#
# xenjob.sh: the figures on real Xen, as a job of the lab (tests/xenlab/lab run) in its dom0: libxenvchan and xvs between guest1
# and dom0, in turns; and what guest1's processor does on its own.  Each result is a line of JSON in $OUT/figures, what went
# wrong a line in $OUT/failures.
#
#     xenjob.sh ROUNDS RUNS SCALE [MEASURE...]     all measures without any
set -u
rounds=$1 runs=$2 scale=$3
shift 3
only=$*
figures=$OUT/figures failures=$OUT/failures
: >"$figures"
: >"$failures"
conf=/tmp/bench.conf

settings() { # SPIN-US
	printf '[daemon]\nservices = yes\naf_vsock = auto\npolicy_dir = /tmp/bench.policy\nmax_connections = 65536\nlog_level = warning\nspin_us = %s\n' "$1" >"$conf"
	[ -z "${daemon-}" ] || kill -HUP "$daemon"
}

say() {
	echo "$*"
	echo "$*" >>"$failures"
}

# take WHAT cmd...: its lines of JSON are figures.
take() {
	what=$1
	shift
	if timeout 120 "$@" >/tmp/lines 2>/tmp/why </dev/null; then
		cat /tmp/lines >>"$figures"
		sed 's/^{"measure":"\([^"]*\)","subject":"\([^"]*\)","value":\([^,]*\),"unit":"\([^"]*\)".*/\1 \2: \3 \4/' /tmp/lines
	else
		say "$what: $(tail -n 1 /tmp/why)"
	fi
}

bench_env() { # MEASURE SUBJECT
	echo "BENCH_RUNS=$runs BENCH_SCALE=$scale BENCH_ONLY=$1/$2"
}

is_wanted() {
	[ -n "$only" ] || return 0
	for one in $only; do
		[ "$one" != "$1" ] || return 0
	done
	return 1
}

vchan() { # MEASURE
	path=/local/domain/0/data/bench-vchan
	: >/tmp/server
	# shellcheck disable=SC2046 # words
	env $(bench_env "$1" libxenvchan) bench_vchan server "$(domid guest1)" $path >>/tmp/server 2>&1 </dev/null &
	server=$!
	until grep -q ready /tmp/server; do
		kill -0 $server 2>/dev/null || {
			say "$1 libxenvchan: $(tail -n 1 /tmp/server)"
			return
		}
		sleep 0.1
	done
	# shellcheck disable=SC2046
	take "$1 libxenvchan" on guest1 env $(bench_env "$1" libxenvchan) bench_vchan client $path
	sleep 0.2
	kill $server 2>/dev/null
	wait $server 2>/dev/null
	xenstore-rm $path 2>/dev/null
}

xvs_does() { # MEASURE VERB...
	measure=$1
	shift
	# shellcheck disable=SC2046
	take "$measure xvs" on guest1 env $(bench_env "$measure" xvs) bench_xvs "$@"
}

base() { # MEASURE SUBJECT
	# shellcheck disable=SC2046
	take "$1 $2" on guest1 env $(bench_env "$1" "$2") bench_base
}

sleeping_trip() {
	settings 0
	sleep 0.5
	xvs_does rtt_sleep rtt 0
	settings 20
	sleep 0.5
}

# A program of dom0 and one of the guest: by AF_VSOCK, and by the guest's UNIX socket.
host_does() { # MEASURE VERB [SIZE]
	measure=$1 verb=$2
	shift 2
	server=sink
	[ "$verb" = stream ] || server=echo
	on guest1 sh -c 'bench_xvs $1 77 >/tmp/server 2>&1 & echo $! >/tmp/server.pid' server $server </dev/null
	cid=$(xvs ls --json guest1 | sed -n 's/.*"cid": *\([0-9]*\).*/\1/p')
	tries=0
	until socat -u /dev/null "VSOCK-CONNECT:$cid:77" 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || break
		sleep 0.1
	done
	# shellcheck disable=SC2046 # words
	take "$measure unix" env $(bench_env "$measure" unix) bench_host "$verb" "$sockets/guest/guest1/vsock" 77 "$@" "$measure" unix
	# shellcheck disable=SC2046
	take "$measure xvs" env $(bench_env "$measure" xvs) bench_host "$verb" "vsock:$cid" 77 "$@" "$measure" xvs
	# The usual buffer of 256 KiB bounds what is in flight; a program may have more.
	# shellcheck disable=SC2046
	[ "$measure" != host_stream_64k ] || take "$measure large" env $(bench_env "$measure" large) \
		bench_host "$verb" "vsock:$cid:1048576" 77 "$@" host_stream_64k_large xvs
	on guest1 sh -c 'kill $(cat /tmp/server.pid); while kill -0 $(cat /tmp/server.pid) 2>/dev/null; do usleep 20000; done' </dev/null
}

one_round() {
	if is_wanted stream_64k; then
		xvs_does stream_64k stream 65536
		vchan stream_64k
		base stream_64k socketpair
		base stream_64k memcpy
	fi
	! is_wanted stream_64k_zerocopy || xvs_does stream_64k_zerocopy stream 65536 zerocopy
	if is_wanted msgs_64b; then
		xvs_does msgs_64b stream 64
		vchan msgs_64b
	fi
	if is_wanted stream_4k; then
		xvs_does stream_4k stream 4096
		vchan stream_4k
	fi
	if is_wanted stream_512k; then
		xvs_does stream_512k stream 524288
		vchan stream_512k
	fi
	if is_wanted rtt_sleep; then
		sleeping_trip
		vchan rtt_sleep
		base rtt_sleep socketpair
	fi
	if is_wanted rtt_installed; then
		xvs_does rtt_installed rtt -1
		is_wanted rtt_sleep || vchan rtt_sleep
	fi
	! is_wanted host_stream_64k || host_does host_stream_64k stream 65536
	! is_wanted host_stream_4k || host_does host_stream_4k stream 4096
	! is_wanted host_rtt || host_does host_rtt trip
	! is_wanted connects_per_s || xvs_does connects_per_s connects
}

modprobe -a xen-gntalloc xen-gntdev xen-evtchn 2>/dev/null
on guest1 modprobe -a xen-gntalloc xen-gntdev xen-evtchn 2>/dev/null </dev/null
mkdir -p /tmp/bench.policy
printf '* @any @host allow\n* @host @any allow\n' >/tmp/bench.policy/50-all.policy
sockets=${XVS_RUN_DIR:-/run/xvs}
settings 20
# shellcheck disable=SC3045 # busybox has it
ulimit -n 4096
xvsd --config "$conf" >"$OUT/xvsd.log" 2>&1 </dev/null &
daemon=$!
tries=0
until xvs ls >/dev/null 2>&1; do
	tries=$((tries + 1))
	if [ $tries -gt 100 ] || ! kill -0 $daemon 2>/dev/null; then
		say "xvsd does not start: $(tail -n 1 "$OUT/xvsd.log")"
		exit 1
	fi
	sleep 0.1
done
round=0
while [ $round -lt "$rounds" ]; do
	one_round
	round=$((round + 1))
done
kill $daemon
wait $daemon
exit 0

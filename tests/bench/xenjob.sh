#!/bin/sh
# SPDX-License-Identifier: MIT
#
# xenjob.sh: the figures on real Xen, as a job of the lab (tests/xenlab/lab run) in its dom0: libxenvchan and xvs between guest1
# and dom0, in turns; and what guest1's processor does on its own; and programs of sockets in guest2, whose kernel has the device,
# in the same turns: by AF_VSOCK ("xvs"), by TCP and a network card of Xen's ("tcp"), and within the guest ("loopback", and a "pipe" of one
# process, which is what the system calls cost).  Each result is a line of JSON in $OUT/figures, what went wrong a line in $OUT/failures.
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

cid_of() { # GUEST
	xvs ls --json "$1" | sed -n 's/.*"cid": *\([0-9]*\).*/\1/p'
}

# A program of dom0 and one of the guest: by AF_VSOCK, and by the guest's UNIX socket.
host_does() { # MEASURE VERB [SIZE]
	measure=$1 verb=$2
	shift 2
	server=sink
	[ "$verb" = stream ] || server=echo
	on guest1 sh -c 'bench_xvs $1 77 >/tmp/server 2>&1 & echo $! >/tmp/server.pid' server $server </dev/null
	cid=$(cid_of guest1)
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

# ---- the driver, in guest2 and guest3 ----

lab=$PWD/lab/$(uname -r | cut -d. -f1,2)
sysfs=/sys/bus/xen/devices/vsock-0/vsock

put_driver() { # GUEST
	put "$1" "$lab" /tmp/lab && on "$1" sh -c 'cd /tmp/lab && for m in vsock vmw_vsock_virtio_transport_common xen_vsock vsock_loopback xen-netfront; do
		[ ! -e $m.ko ] || insmod ./$m.ko || exit 1; done' </dev/null
}

# A card of guest2's, and no bridge: 10.9.0.1 is dom0.
put_card() {
	cat >/tmp/vif <<-'END'
		#!/bin/sh
		[ "$1" != online ] || ifconfig "$vif" 10.9.0.1 netmask 255.255.255.0 up
		xenstore-write "$XENBUS_PATH/hotplug-status" connected
	END
	chmod +x /tmp/vif
	insmod "$PWD/xen-netback.ko" && xl network-attach guest2 script=/tmp/vif </dev/null >/tmp/vif.log 2>&1 &&
		on guest2 sh -c 'n=0; until ifconfig eth0 10.9.0.2 netmask 255.255.255.0 up 2>/dev/null; do
			n=$((n + 1)); [ $n -lt 100 ] || exit 1; usleep 100000; done' </dev/null
}

# The driver's rows are left out without it, and TCP's without a card.
has_driver= has_card=
prepare_driver() {
	[ -d "$lab" ] || {
		say "the guest's driver: it is not there (make kernel-lab)"
		return
	}
	if put_driver guest2 && put_driver guest3; then
		has_driver=yes
		tries=0
		until [ "$(xvs ls | grep -c 'guest[23].*in use')" = 2 ] || [ $tries -gt 100 ]; do
			tries=$((tries + 1))
			sleep 0.1
		done
	else
		say "the guest's driver: $(on guest2 dmesg </dev/null | tail -n 1)"
	fi
	if put_card; then has_card=yes; else say "TCP: there is no network card: $(tail -n 1 /tmp/vif.log)"; fi
}

# serves HOST VERB WHERE: a far end at port 77
serves() {
	on "$1" sh -c 'rm -f /tmp/far; bench_host $1 $2 77 >/tmp/far 2>&1 & echo $! >/tmp/far.pid
		until grep -q . /tmp/far; do usleep 20000; done' far "$2" "$3" </dev/null
}

served() { # HOST
	on "$1" sh -c 'kill $(cat /tmp/far.pid); while kill -0 $(cat /tmp/far.pid) 2>/dev/null; do usleep 20000; done' </dev/null
}

socket_does() { # MEASURE SUBJECT VERB WHERE PORT [SIZE]
	measure=$1 subject=$2
	shift 2
	# shellcheck disable=SC2046 # words
	take "$measure $subject" on guest2 env $(bench_env "$measure" "$subject") bench_host "$@" "$measure" "$subject"
}

# driver_does MEASURE VERB FAR-END PORT [SIZE]: PORT is the daemon's service of that sort
driver_does() {
	measure_=$1 verb=$2 far=$3 port=$4 size=${5-}
	is_wanted "$measure_" && [ -n "$has_driver" ] || return
	# shellcheck disable=SC2086 # a word or none
	socket_does "$measure_" xvs "$verb" vsock:2 "$port" $size
	if [ -n "$has_card" ]; then
		serves dom0 "$far" tcp:0.0.0.0
		# shellcheck disable=SC2086
		socket_does "$measure_" tcp "$verb" tcp:10.9.0.1 77 $size
		served dom0
	fi
	serves guest2 "$far" vsock:1
	# shellcheck disable=SC2086
	socket_does "$measure_" loopback "$verb" vsock:1 77 $size
	served guest2
	# shellcheck disable=SC2046 # words
	[ "$verb" = connects ] || take "$measure_ pipe" on guest2 env $(bench_env "$measure_" pipe) bench_base
}

counters() { # NAME...: of guest2's driver, as one number
	on guest2 sh -c 'cd $0 && n=0; for f; do n=$((n + $(cat $f))); done; echo $n' $sysfs "$@" </dev/null
}

per_mib() { # MEASURE EVENTS BYTES
	awk -v m="$1" -v n="$2" -v b="$3" 'BEGIN { v = b ? n / (b / 1048576) : 0
		printf "{\"measure\":\"%s\",\"subject\":\"xvs\",\"value\":%g,\"unit\":\"1/MiB\",\"values\":[%g]}\n", m, v, v }' >>"$figures"
}

# The stream both ways, with what it takes beside its bytes, which is counted over all runs.
counted_streams() {
	is_wanted driver_notifications && [ -n "$has_driver" ] || return
	events=$(counters notifications interrupts) bytes=$(counters tx_bytes)
	socket_does driver_counted xvs stream vsock:2 9 65536
	per_mib driver_notifications $(($(counters notifications interrupts) - events)) $(($(counters tx_bytes) - bytes))
	serves guest2 sink vsock:2
	updates=$(counters credit_updates) bytes=$(counters rx_bytes)
	# shellcheck disable=SC2046 # words
	take "driver_host_stream_64k xvs" env $(bench_env driver_host_stream_64k xvs) bench_host stream "$sockets/guest/guest2/vsock" 77 65536 \
		driver_host_stream_64k xvs
	per_mib driver_updates $(($(counters credit_updates) - updates)) $(($(counters rx_bytes) - bytes))
	served guest2
}

# From guest1 to guest4 by the library, and from guest2 to guest3 by the driver.
between_guests() {
	if is_wanted guest_to_guest; then
		on guest4 sh -c 'bench_xvs sink 77 >/tmp/far 2>&1 & echo $! >/tmp/far.pid; until grep -q . /tmp/far; do usleep 20000; done' </dev/null
		xvs_does guest_to_guest stream 65536 copy "$(cid_of guest4)" 77
		served guest4
	fi
	is_wanted driver_guest_to_guest && [ -n "$has_driver" ] || return
	serves guest3 sink vsock:2
	socket_does driver_guest_to_guest xvs stream "vsock:$(cid_of guest3)" 77 65536
	served guest3
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
		settings auto
		sleep 0.5
		xvs_does rtt_installed rtt -1
		settings 20
		is_wanted rtt_sleep || vchan rtt_sleep
	fi
	! is_wanted host_stream_64k || host_does host_stream_64k stream 65536
	! is_wanted host_stream_4k || host_does host_stream_4k stream 4096
	! is_wanted host_rtt || host_does host_rtt trip
	! is_wanted connects_per_s || xvs_does connects_per_s connects
	! is_wanted own_flood_ping_p99 || xvs_does own_flood_ping_p99 beside
	# As installed: with 20 us the daemon sleeps before a program has come back from its system call.
	settings auto
	sleep 0.5
	driver_does driver_stream_64k stream sink 9 65536
	driver_does driver_stream_4k stream sink 9 4096
	driver_does driver_msgs_64b stream sink 9 64
	driver_does driver_rtt trip echo 7
	driver_does driver_connects connects sink 9
	counted_streams
	between_guests
	settings 20
}

modprobe -a xen-gntalloc xen-gntdev xen-evtchn 2>/dev/null
on guest1 modprobe -a xen-gntalloc xen-gntdev xen-evtchn 2>/dev/null </dev/null
mkdir -p /tmp/bench.policy
printf '* @any @host allow\n* @host @any allow\n* @any @any allow\n' >/tmp/bench.policy/50-all.policy
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
prepare_driver
round=0
while [ $round -lt "$rounds" ]; do
	one_round
	round=$((round + 1))
done
kill $daemon
wait $daemon
exit 0

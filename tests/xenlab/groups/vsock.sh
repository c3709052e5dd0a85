# SPDX-License-Identifier: MIT
#
# vsock.sh: words of the groups in which programs of dom0 speak AF_VSOCK with guests.  Sourced by them instead of lib.sh.
. ./lib.sh
export E2E_T=/tmp/e2e E2E_SLOW=8 E2E_PLATFORM=xen
mkdir -p $E2E_T/dom0
. ./e2e/lib.sh

# daemon_with LINE...: another daemon, with these lines and a log of its own.
daemon_with() {
	disturb
	stop_daemon_if_any
	: >$T/dom0/xvsd.log
	config "$@"
	policy "* @unix @any allow" "* @any @unix allow" "* @vsock @any allow" "* @any @vsock allow"
	start_daemon
}

# A program in the guest serves a port with this command; its end comes with the guest's program.
serve() { # GUEST PORT COMMAND...
	_at=$1 _port=$2
	shift 2
	unserve "$_at"
	on "$_at" sh -c 'xvs serve "$@" >/tmp/serve.out 2>&1 & echo $! >/tmp/serve.pid' serve "$_port" -- "$@" </dev/null
	wait_for "vsock 5 -u /dev/null VSOCK-CONNECT:$(cid_of "$_at"):$_port 2>/dev/null" 20 "AF_VSOCK programs reach $_at"
}

cid_of() { # GUEST
	xvs ls --json "$1" | sed -n 's/.*"cid": *\([0-9]*\).*/\1/p'
}

# Nobody of the guest has the device.
unserve() {
	on "$1" sh -c '[ -e /tmp/serve.pid ] || exit 0; kill $(cat /tmp/serve.pid) 2>/dev/null
		while kill -0 $(cat /tmp/serve.pid) 2>/dev/null; do usleep 20000; done; rm /tmp/serve.pid' </dev/null
}

vsock() { # SECONDS ARGUMENTS OF SOCAT...
	_seconds=$(($1 * PATIENCE))
	shift
	timeout $_seconds socat "$@"
}

# open_stream CID: a program of dom0 that sends what is written to /tmp/in, as $program.
open_stream() {
	rm -f /tmp/in
	mkfifo /tmp/in
	vsock 200 -t 30 - "VSOCK-CONNECT:$1:7000" <>/tmp/in >/tmp/out 2>/tmp/err &
	program=$!
	echo first >/tmp/in
	wait_for '[ "$(cat /tmp/out)" = first ]' 20 "a stream is open"
}

workers() {
	cat /proc/[0-9]*/comm 2>/dev/null | grep -c '^vhost-'
}

# Descriptors of all of the daemon's processes.
files() {
	_n=0
	for _p in $(daemon_pid) $(cat /proc/"$(daemon_pid)"/task/*/children); do
		_n=$((_n + $(ls /proc/"$_p"/fd | wc -l)))
	done
	echo $_n
}

file_of() { # BYTES
	head -c "$1" /dev/urandom >/tmp/f
}

# In place of run_tests: what a test has spawned ends with it, and the daemon with the last one.
run_vsock_tests() {
	if [ $# -gt 0 ]; then
		trap 'end_spawned >/dev/null 2>&1; kill $(jobs -p) 2>/dev/null' EXIT
		trap 'exit 143' TERM
		"$1"
		exit
	fi
	run_tests
	stop_daemon_if_any
	cp "$T/dom0/xvsd.log" "$OUT/" 2>/dev/null
}

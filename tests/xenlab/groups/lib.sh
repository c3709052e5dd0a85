# SPDX-License-Identifier: MIT
#
# lib.sh: what a group says its results with.  Sourced by groups/NN-*.sh, which
# run in the lab's dom0 under busybox's shell.
#
#     test_NAME() { # limit 90      a test: it fails by `fail`, or by its last
#                                   command; after 60 s if no limit is given
#     run_tests "$@"                runs all, in the order of the file
#     figure TEXT                   a line to show beside the result
#
# Each test is a process of its own; all tests of a group share one host, which
# was pristine when the group began.
#
# Times are for what hangs, on a machine that does nothing else; a slow one, or one
# with other things to do, has PATIENCE times as long.

PATIENCE=4

fail() {
	echo "$*"
	exit 1
}

skip() {
	echo "$*"
	exit 77
}

figure() {
	echo "figure: $*"
}

equal() { # GOT EXPECTED WHAT
	[ "$1" = "$2" ] || fail "$3: '$1', not '$2'"
}

kernel_is_content() { # HOST
	! on "$1" dmesg </dev/null | grep -E 'BUG|WARNING|Oops' || fail "the kernel of $1 complains"
}

# wait_for SECONDS WHAT cmd args...: until the command succeeds.
wait_for() {
	_seconds=$(($1 * PATIENCE)) _what=$2
	_end=$(($(date +%s) + _seconds + 1))
	shift 2
	until "$@"; do
		[ "$(date +%s)" -lt $_end ] || fail "not within $_seconds s: $_what"
		sleep 0.05
	done
}

# A scripted peer of the e2e suite that lives through save and restore, which labctl's sessions do not.

# agent GUEST: a scripted peer in the guest, told and heard by way of files in it.
agent() {
	_agent=$1 _said=0
	# shellcheck disable=SC2016 # expanded over there
	on "$1" sh -c 'rm -f /tmp/agent.*; mkfifo /tmp/agent.in; '"${E2E_GUEST:-e2e_guest}"' - <>/tmp/agent.in >/tmp/agent.out 2>/tmp/agent.err &
		echo $! >/tmp/agent.pid' </dev/null || fail "the agent does not start"
}

agent_tell() {
	# shellcheck disable=SC2016 # expanded over there
	on "$_agent" sh -c 'echo "$1" >/tmp/agent.in' tell "$1" </dev/null
}

agent_answer() { # [SECONDS]
	_said=$((_said + 1))
	# shellcheck disable=SC2016 # expanded over there
	_answer=$(on "$_agent" timeout "${1:-240}" sh -c 'until line=$(sed -n "$1p" /tmp/agent.out) && [ -n "$line" ]; do
		usleep 20000; done; echo "$line"' answer $_said </dev/null) ||
		fail "the agent's answer $_said does not come"
}

agent_ask() { # STEP ANSWER
	agent_tell "$1"
	agent_answer
	[ "$_answer" = "$2" ] || fail "the agent: '$_answer', not '$2'"
}

agent_lives() {
	on "$_agent" sh -c 'kill -0 $(cat /tmp/agent.pid)' </dev/null
}

run_tests() {
	if [ $# -gt 0 ]; then
		trap 'kill $(jobs -p) 2>/dev/null' EXIT
		trap 'exit 143' TERM
		"$1"
		exit
	fi
	_group=$(basename "$0" .sh)
	_group=${_group#*-}
	for _test in $(sed -n 's/^\(test_[a-z0-9_]*\)().*/\1/p' "$0"); do
		_limit=$(sed -n "s/^$_test().*# limit \([0-9]*\).*/\1/p" "$0")
		_limit=$((${_limit:-60} * PATIENCE))
		_log=/tmp/$_test.log
		read -r _began _ </proc/uptime
		timeout -k 5 $_limit sh "$0" "$_test" >"$_log" 2>&1 </dev/null
		_status=$?
		read -r _now _ </proc/uptime
		_name="$_group: ${_test#test_}"
		_took=$((${_now%.*} - ${_began%.*}))
		case $_status in
		0) echo "ok $_name ($_took s)" ;;
		77) echo "skip $_name: $(tail -n 1 "$_log")" ;;
		124 | 137 | 143) echo "FAIL $_name: no end within $_limit s" ;;
		*) echo "FAIL $_name: $(tail -n 1 "$_log")" ;;
		esac
		case $_status in
		0 | 77) sed -n 's/^figure: /    /p' "$_log" ;; # worth seeing when nothing failed
		*) sed 's/^/    /' "$_log" | tail -n 60 ;;
		esac
	done
}

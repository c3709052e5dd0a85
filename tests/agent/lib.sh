# SPDX-License-Identifier: MIT
# lib.sh: a hosted Xen with web1, where xvs-agent runs, and db1; and the manners of a test.  Sourced by the others; bash.
#
# XVS_BIN is the build directory; AGENT=NAME runs that test alone.
set -u
cd "$(dirname "$0")/../.." || exit 2
. tests/harness/hosted.bash agent
here=$top/tests/agent
export PYTHONPATH="$here"
chmod 755 "$dir"
start_host

wanted=
# test_ NAME: true if it is to be run.
test_() {
    name=$1 problem=
    wanted=1
    [ -z "${AGENT-}" ] || [ "$AGENT" = "$1" ] || wanted=
    [ -n "$wanted" ]
}
end() {
    [ -n "$wanted" ] || return 0
    alive || bad "the agent is gone"
    tell
}
is_gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.*Z' "/proc/$1/status"; }
# No process has this word among its arguments.
nobody_has() { ! grep -qsa -e "[${1:0:1}]${1:1}" /proc/[0-9]*/cmdline; }

# end_sleep NUMBER: of the tests' own processes.
end_sleep() {
    local one
    for one in $(grep -lsa -e "$1" /proc/[0-9]*/cmdline); do
        [ "$(tr '\0' ' ' 2>/dev/null <"$one")" != "sleep $1 " ] || kill -9 "$(echo "$one" | cut -d/ -f3)"
    done
}

# status WANTED command...: in dom0, output in out and err.
status() {
    local want=$1 got
    shift
    on 0 "$@" >out 2>err
    got=$?
    [ "$got" -eq "$want" ] || bad "status $got, not $want: $*: $(head -c 300 err)"
}

alive() { kill -0 "$warden" 2>/dev/null && kill -0 "$agent" 2>/dev/null; }
start_agent() {
    limit=3600 run web1 xvs-agent -c "$dir/agent.conf" -s "$dir/services.d" >>agent.log 2>&1 </dev/null
    warden=$pid agent_job=$job
    until_true child_of "$warden" || { cat agent.log; exit 1; }
    agent=$(child_of "$warden")
    until_true on 0 xvs exec -q web1 -- true || { cat agent.log; exit 1; }
}
# The first, which is the agent: what it leaves behind is the warden's child, too.
child_of() { grep -ls "^PPid:[[:space:]]$1\$" /proc/[0-9]*/status | sed -n 's|/proc/\([0-9]*\)/status|\1|p' | sort -n | head -n 1 | grep .; }

mkdir -p policy.d services.d
printf '* %s allow\n' '@any @any' '@any @unix' '@unix @any' >policy.d/50-agent.policy
printf '[guest web1]\ncid = 101\nchannel org.qemu.guest_agent.0 = 9001\n[guest db1]\ncid = 102\n' >xvsd.conf
limit=3600 on 0 sh -c 'echo $$ >daemon; exec xvsd --config xvsd.conf' >xvsd.log 2>&1 </dev/null &
until_true on 0 xvs ls web1 db1 || { cat xvsd.log; exit 1; }
start_agent

finish() {
    kill "$warden" 2>/dev/null
    wait "$agent_job" 2>/dev/null
    kill "$(cat daemon)" 2>/dev/null
    tell_sum
}

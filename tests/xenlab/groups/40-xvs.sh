#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: e2e timeout=1500
#
# What only a real hypervisor shows: guests that xl destroys, shuts down, saves
# and restores while they exchange bytes, the limits of Linux's Xen drivers, and
# that nothing is left of it all.  Daemons that die are in 30-e2e.
. ./lib.sh
export E2E_T=/tmp/e2e E2E_SLOW=8 E2E_PLATFORM=xen
mkdir -p $E2E_T/dom0
# Its words for streams between scripted peers; its fail and wait_for from here on.
. ./e2e/lib.sh

# ---- words ------------------------------------------------------------------------------------------

# streaming HOST-PEER GUEST-PEER GUEST PORT: a stream a without an end from dom0 to the guest flows.
streaming() {
	talk "$1" dom0
	talk "$2" "$3"
	ask "$2" "up" "up ok"
	ask "$2" "listen l $4" "listen l ok"
	ask "$1" "connect a $RUN/guest/$3/vsock:$4" "connect a ok"
	ask "$2" "accept a l" "accept a ok"
	tell "$1" "send a 4000000000 200000"
	tell "$2" "recv a 4000000000 200000"
	wait_for "[ \$(to_guest $3) -gt 1000000 ]" 20 "a stream to $3 flows"
}

# What the daemon counted, of a guest's device 0.
counted() { # GUEST OBJECT MEMBER
	xvs ls --json "$1" | sed -n "s/.*\"$2\": *{[^}]*\"$3\": *\([0-9]*\).*/\1/p" | grep . || echo 0
}

to_guest() {
	counted "$1" to_guest bytes
}

# peer_gone HOST-PEER: its "send a" ended as it must when the guest is gone.
peer_gone() {
	answer "$1" 20
	case $_answer in "send a "*" EPIPE" | "send a "*" ECONNRESET") ;; *) fail "the host program saw '$_answer'" ;; esac
}

# The domain is gone altogether: no page of it is still mapped, nothing is left in xenstore.
buried() { # GUEST DOMID
	wait_for "! attached $1" 10 "xvsd takes the socket of $1 away"
	wait_for "! xl list | grep -q -e '--p--d' -e ' $2 '" 10 "the domain goes"
	wait_for "! xenstore-exists /local/domain/0/backend/vsock/$2" 10 "xvsd removes the backend's directories"
	! xenstore-ls -f /local/domain/0/error 2>/dev/null | grep "vsock/$2/" || fail "an error node of it is left"
}

# exchange H-PEER G-PEER STREAM BYTES: from dom0 to the guest and back.
exchange() {
	tell "$1" "send $3 $4"
	ask "$2" "recv $3 $4" "recv $3 ok"
	heard "$1" "send $3 ok"
	tell "$2" "send $3 $4"
	ask "$1" "recv $3 $4" "recv $3 ok"
	heard "$2" "send $3 ok"
}

# ---- tests -------------------------------------------------------------------------------------------

test_pages_of_a_device_by_default() { # limit 120
	before=$(on guest1 gntused)
	talk g guest1
	ask g "up" "up ok"
	# Not an exact figure here: a change of the default is no fault.  The README names it.
	pages=$(($(on guest1 gntused) - before))
	figure "a device shares $pages pages, of $(on guest1 cat /sys/module/xen_gntalloc/parameters/limit)"
	[ $pages -gt 0 ] && [ $pages -lt 1024 ]
}

test_four_guests_at_once() { # limit 400
	# A guest that connects for the first time keeps its device's nodes, whose number is constant.
	for i in 1 2 3 4; do
		talk "w$i" guest$i
		ask "w$i" "up" "up ok"
	done
	end_spawned
	wait_for '! xvs ls | grep -q "in use"' 20 "the first devices are closed"
	leakcount dom0 guest1 guest2 guest3 guest4 >/tmp/before
	cid4=$((1000 + $(domid guest4)))
	for i in 1 2 4; do
		talk "g$i" guest$i
		ask "g$i" "up" "up ok"
		ask "g$i" "listen l 9005" "listen l ok"
		tell "g$i" "echo l"
		heard "g$i" "echo l ready"
	done
	talk g3 guest3
	ask g3 "up" "up ok"
	talk h dom0
	ask h "listen L ${RUN}/guest/guest3/vsock_9005" "listen L ok"
	ask g3 "connect a 2:9005" "connect a ok"
	ask h "accept a L" "accept a ok"
	# From dom0 to three of them, from the third to the fourth, and a stream between the third and dom0.
	for i in 1 2 4; do
		spawn "many$i" dom0 e2e_host "many $RUN/guest/guest$i/vsock:9005 3 300000 100000"
	done
	tell h "recv a 500000 100000"
	ask g3 "send a 500000 100000" "send a ok" 100
	heard h "recv a ok" 100
	ask g3 "many $cid4:9005 3 300000 100000" "many open 3" 100
	heard g3 "many ok 3" 100
	for i in 1 2 4; do
		equal "$(status_of "many$i" 60)" 0 "streams between dom0 and guest$i"
		equal "$(tail -n 1 "$PEER/many$i.out")" "many ok 3" "streams between dom0 and guest$i"
	done
	equal "$(xvs ls | grep -c 'in use')" 4 "connected guests"
	end_spawned
	wait_until 'leakcount dom0 guest1 guest2 guest3 guest4 >/tmp/after; diff /tmp/before /tmp/after >/tmp/leaks' 30 || fail "$(cat /tmp/leaks)"
}

test_xl_destroy_in_mid_stream() { # limit 240
	leakcount -x guest3 dom0 guest1 >/tmp/before
	id=$(domid guest3)
	# What the daemon holds without this guest.
	xvs detach guest3 || fail "xvs detach"
	wait_for '! attached guest3' 10
	fds=$(daemon_fds_at_rest)
	xvs attach guest3 || fail "xvs attach"
	wait_for 'attached guest3' 10
	streaming k m guest3 9001
	both guest1
	joined b h 9001
	before=$(to_guest guest1)
	tell h "send b 30000000 120000"
	tell g "recv b 30000000 120000"
	wait_for "[ \$(to_guest guest1) -gt $((before + 1000000)) ]" 20 "the other guest's stream flows"
	xl destroy guest3 || fail "xl destroy"
	peer_gone k
	buried guest3 "$id"
	heard h "send b ok" 120
	heard g "recv b ok" 120
	end_spawned
	wait_for '[ "$(daemon_fds)" -le "$fds" ]' 5 "the daemon's descriptors are as many as before"
	wait_for 'leakcount dom0 guest1 >/tmp/after; diff /tmp/before /tmp/after >/tmp/difference' 10 \
		"all is given back: $(cat /tmp/difference 2>/dev/null)"
}

test_xl_shutdown_with_an_open_stream() { # limit 240
	leakcount -x guest4 dom0 guest1 >/tmp/before
	id=$(domid guest4)
	streaming k m guest4 9002
	xl shutdown -w guest4 >/dev/null || fail "xl shutdown"
	peer_gone k
	buried guest4 "$id"
	end_spawned
	wait_for 'leakcount dom0 guest1 >/tmp/after; diff /tmp/before /tmp/after >/tmp/difference' 10 \
		"all is given back: $(cat /tmp/difference 2>/dev/null)"
}

# gntalloc's limit is one for the whole guest; it can be raised while it runs.
test_the_guest_s_limit_of_granted_pages() { # limit 240
	limit=/sys/module/xen_gntalloc/parameters/limit
	old=$(on guest1 cat $limit </dev/null)
	on guest1 sh -c "echo 100 >$limit" </dev/null
	talk g guest1
	ask g "up 1500" "up ETIMEDOUT"
	signal g KILL
	on guest1 xvs ls >/tmp/ls 2>&1 </dev/null
	on guest1 xvs cat -w 1 host 9004 >>/tmp/ls 2>&1 </dev/null
	cat /tmp/ls
	grep -q "limit.*xen-gntalloc" /tmp/ls || fail "the guest's message does not name the parameter: $(cat /tmp/ls)"
	talk n guest1
	ask n "up 1500" "up ETIMEDOUT"
	on guest1 sh -c "echo $old >$limit" </dev/null
	ask n "up 100000" "up ok"
	figure "$(grep -m 1 "limit.*xen-gntalloc" /tmp/ls)"
}

# gntdev's limit is one of dom0's, for each request.
test_dom0_s_limit_of_mapped_pages() { # limit 240
	limit=/sys/module/xen_gntdev/parameters/limit
	[ -w $limit ] || skip "this kernel's gntdev has no such parameter"
	old=$(cat $limit)
	echo 16 >$limit
	talk g guest1
	ask g "up 1500" "up ETIMEDOUT"
	wait_until 'xvs ls guest1 >/tmp/ls 2>&1; grep -qi map /tmp/ls' 20
	echo "$old" >$limit
	cat /tmp/ls
	tail -n 3 "$T/dom0/xvsd.log"
	grep -qi map /tmp/ls || fail "xvs ls does not say that dom0 could not map: $(cat /tmp/ls)"
	ask g "up 100000" "up ok"
	figure "$(tail -n 1 /tmp/ls | tr -s ' ')"
}

# attach = manual: no guest has a device until xvs attach gives it one, while all run.
test_attach_and_detach_with_attach_manual() { # limit 240
	disturb
	stop_daemon_if_any
	config "attach = manual"
	start_daemon
	# What was attached stays so over a restart of the daemon.
	! attached guest1 || xvs detach guest1 || fail "xvs detach"
	wait_for '! attached guest1' 10
	talk g guest1
	ask g "up 2000" "up ETIMEDOUT"
	! attached guest1 || fail "guest1 is attached by itself"
	xvs attach guest1 || fail "xvs attach"
	ask g "up 100000" "up ok"
	talk h dom0
	joined a h 9006
	exchange h g a 300000
	xvs detach guest1 || fail "xvs detach"
	ask g "down" "down ok"
	ask g "eof a" "eof a ECONNRESET"
	ask g "close a" "close a ok"
	wait_for '! attached guest1' 10
	wait_for '! xenstore-exists "/local/domain/$(domid guest1)/device/vsock/0"' 10 "the guest's directory goes"
	xvs attach guest1 || fail "xvs attach again"
	ask g "up 100000" "up ok"
	ask h "close a" "close a ok"
	joined b h 9007
	exchange h g b 300000
}

# The same process goes on: its streams are reset, its listener stays, its device comes back by itself.
test_xl_save_and_restore() { # limit 400
	id=$(domid guest2)
	agent guest2
	agent_ask "up" "up ok"
	agent_ask "listen l 9003" "listen l ok"
	talk h dom0
	ask h "connect a $GUEST2:9003" "connect a ok"
	agent_ask "accept a l" "accept a ok"
	tell h "send a 300000"
	agent_ask "recv a 300000" "recv a ok"
	heard h "send a ok"
	xl save guest2 /tmp/guest2.saved 2>/tmp/xl || fail "xl save: $(tail -n 3 /tmp/xl)"
	tell h "eof a"
	answer h 20
	case $_answer in "eof a ok" | "eof a ECONNRESET") ;; *) fail "the host program saw '$_answer'" ;; esac
	buried guest2 "$id"
	xl restore /tmp/guest2.saved 2>/tmp/xl || fail "xl restore: $(tail -n 3 /tmp/xl)"
	rm /tmp/guest2.saved
	labctl wait guest2 240 || fail "the guest's lab agent does not come back"
	[ "$(domid guest2)" != "$id" ] || fail "the domid is the same"
	agent_lives || fail "the agent did not live on: $(on guest2 cat /tmp/agent.err)"
	wait_for 'attached guest2' 10 "xvsd attaches the restored guest"
	agent_ask "eof a" "eof a ECONNRESET"
	agent_ask "send a 10" "send a 0 ECONNRESET"
	agent_ask "close a" "close a ok"
	agent_ask "up 100000" "up ok"
	agent_tell stats
	agent_answer
	case $_answer in *" reconnects 1 "*" cid 102") ;; *) fail "not one reconnect with the CID it had: $_answer" ;; esac
	ask h "connect b $GUEST2:9003" "connect b ok"
	agent_ask "accept b l" "accept b ok"
	tell h "send b 2000000"
	agent_ask "recv b 2000000" "recv b ok"
	heard h "send b ok"
	agent_tell "send b 2000000"
	ask h "recv b 2000000" "recv b ok"
	agent_answer
	equal "$_answer" "send b ok" "the agent"
	ask h "close b" "close b ok"
	# What Linux cannot close stays open: a page and a port at most, until this process ends.
	kernel_is_content guest2
	figure "a restored guest's agent went on under domid $(domid guest2), was $id"
}

# Once more with the same process, then without an agent, then saved while bytes flow.
test_xl_save_and_restore_again_in_mid_stream() { # limit 400
	id=$(domid guest2)
	on guest2 sh -c 'kill -0 $(cat /tmp/agent.pid)' 2>/dev/null || fail "no agent from the test before"
	_agent=guest2 _said=$(on guest2 sh -c 'wc -l </tmp/agent.out')
	agent_ask "up 100000" "up ok"
	talk h dom0
	ask h "connect c $GUEST2:9003" "connect c ok"
	agent_ask "accept c l" "accept c ok"
	tell h "send c 4000000000 200000"
	agent_tell "recv c 4000000000 200000"
	before=$(to_guest guest2)
	wait_for "[ \$(to_guest guest2) -gt $((before + 1000000)) ]" 20 "the stream flows"
	xl save guest2 /tmp/guest2.saved 2>/tmp/xl || fail "xl save: $(tail -n 3 /tmp/xl)"
	answer h 20
	case $_answer in "send c "*" EPIPE" | "send c "*" ECONNRESET") ;; *) fail "the host program saw '$_answer'" ;; esac
	buried guest2 "$id"
	xl restore /tmp/guest2.saved 2>/tmp/xl || fail "xl restore: $(tail -n 3 /tmp/xl)"
	rm /tmp/guest2.saved
	labctl wait guest2 240 || fail "the guest's lab agent does not come back"
	agent_answer
	case $_answer in "recv c "*" ECONNRESET") ;; *) fail "the agent: '$_answer'" ;; esac
	agent_ask "close c" "close c ok"
	agent_ask "up 100000" "up ok"
	ask h "connect d $GUEST2:9003" "connect d ok"
	agent_ask "accept d l" "accept d ok"
	tell h "send d 400000"
	agent_ask "recv d 400000" "recv d ok"
	heard h "send d ok"
	kernel_is_content guest2
}

if [ $# -gt 0 ]; then
	# Guests are found as the first test found them, and what a test started ends with it.
	trap 'end_spawned >/dev/null 2>&1; kill $(jobs -p) 2>/dev/null' EXIT
	trap 'exit 143' TERM
	standard
	"$1"
	exit
fi
run_tests
stop_daemon_if_any
cp "$T/dom0/xvsd.log" "$OUT/" 2>/dev/null

#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: e2e kernel timeout=600
#
# AF_VSOCK in guests: the driver of frontend/linux, with programs that know nothing of this project.  Its life is in 61-kernel-life.
. ./lib.sh
. ./kernel.sh

# ---- streams ----------------------------------------------------------------------------------------

test_the_driver_connects_and_says_its_cid() { # limit 90
	equal "$(on guest1 cat $DEVICE/modalias </dev/null)" xen:vsock "the device's MODALIAS"
	on guest1 sh -c 'strings -n 9 /tmp/lab/xen_vsock.ko | grep -qx alias=xen:vsock' </dev/null || fail "the module's alias"
	talk g guest1
	ask g "up" "up ok"
	ask g "stats" "stats cid 101"
	equal "$(counter guest1 cid)" 101 "the CID in sysfs"
	equal "$(xvs ls guest1 | grep -c 'in use')" 1 "xvs ls"
	content guest1
	figure "$(on guest1 dmesg </dev/null | grep -c 'xen_vsock vsock-0') lines in the guest's log"
}

# One byte, one packet of the largest size, and a number that no packet or page divides.
sizes_there_and_back() { # OPENER
	both guest1
	joined a "$1" 5001
	for bytes in 1 65536 300001 2000000; do
		exchange h g a $bytes
	done
	closed h g a
	content guest1
}

test_bytes_over_streams_that_the_guest_opens() { # limit 90
	sizes_there_and_back g
}

test_bytes_over_streams_that_the_host_opens() { # limit 90
	sizes_there_and_back h
}

# After one end has said that it will send no more, all that was sent arrives, and the other direction goes on.
half_close() { # OPENER CLOSER OTHER
	joined a "$1" 5002
	ask "$2" "send a 100000" "send a ok"
	ask "$2" "shutdown a wr" "shutdown a ok"
	ask "$3" "recv a 100000" "recv a ok"
	ask "$3" "eof a" "eof a ok"
	tell "$3" "send a 700000"
	ask "$2" "recv a 700000" "recv a ok"
	heard "$3" "send a ok"
	ask "$3" "shutdown a wr" "shutdown a ok"
	ask "$2" "eof a" "eof a ok"
	ask "$2" "close a" "close a ok"
	ask "$3" "close a" "close a ok"
}

test_half_close_by_either_end_whoever_opened() { # limit 120
	both guest1
	half_close h h g
	half_close h g h
	half_close g h g
	half_close g g h
	wait_for '! xvs dump guest1 | grep -q 5002' 10 "the daemon forgets the connections"
	content guest1
}

test_twenty_streams_at_once_each_way() { # limit 180
	both guest1
	ask g "listen l 5003" "listen l ok"
	tell g "echo l 20"
	heard g "echo l ready"
	tell h "many $GUEST1:5003 20 100000"
	heard h "many open 20" 100
	heard h "many ok 20" 100
	heard g "echo l 20"
	ask h "listen l ${GUEST1}_5004" "listen l ok"
	tell h "echo l 20"
	heard h "echo l ready"
	tell g "many 2:5004 20 100000"
	heard g "many open 20" 100
	heard g "many ok 20" 100
	heard h "echo l 20"
	content guest1
}

test_a_port_without_a_listener_is_refused() {
	talk g guest1
	ask g "up" "up ok"
	ask g "connect a 2:5999" "connect a ECONNRESET"
	talk h dom0
	ask h "connect b $GUEST1:5999" "connect b ECONNREFUSED"
	content guest1
}

# No test of a figure: it is shown.  guest2 has no driver yet, so the library may have its device.
test_bulk_beside_the_library() { # limit 120
	both guest1
	E2E_GUEST=e2e_guest
	talk l guest2
	ask l "up" "up ok"
	ask l "listen l 5008" "listen l ok"
	ask g "listen l 5008" "listen l ok"
	ask h "connect d $GUEST1:5008" "connect d ok"
	ask g "accept d l" "accept d ok"
	ask h "connect l $GUEST2:5008" "connect l ok"
	ask l "accept l l" "accept l ok"
	for way in "h g d" "g h d" "h l l" "l h l"; do
		# shellcheck disable=SC2086 # words
		set -- $way
		read -r began _ </proc/uptime
		tell $1 "send $3 20000000"
		ask $2 "recv $3 20000000" "recv $3 ok" 60
		heard $1 "send $3 ok"
		read -r now _ </proc/uptime
		took=$((${now%.*}${now#*.} - ${began%.*}${began#*.}))
		figure "20 MB $1 to $2: $((2000 / (took > 0 ? took : 1))) MB/s"
	done
	content guest1
}

test_guest_to_guest_with_the_driver_in_both() { # limit 180
	drive guest2
	talk a guest1
	talk b guest2
	ask a "up" "up ok"
	ask b "up" "up ok"
	ask b "listen l 5005" "listen l ok"
	ask a "connect x 102:5005" "connect x ok"
	ask b "accept x l" "accept x ok"
	exchange a b x 1000000
	closed a b x
	tell b "echo l 20"
	heard b "echo l ready"
	tell a "many 102:5005 20 60000"
	heard a "many open 20" 100
	heard a "many ok 20" 100
	heard b "echo l 20"
	content guest1
	content guest2
}

test_socat_in_a_guest_as_it_comes_from_debian() { # limit 120
	head -c 3000000 /dev/urandom >/tmp/bytes
	sum=$(md5sum </tmp/bytes)
	# The host listens, the guest's socat connects and sends; and the other way round.
	socat -u "UNIX-LISTEN:${GUEST1}_5006" CREATE:/tmp/got &
	wait_for "[ -S ${GUEST1}_5006 ]" 10
	on guest1 env LD_LIBRARY_PATH=/tmp/lab/bin /tmp/lab/bin/socat -u - VSOCK-CONNECT:2:5006 </tmp/bytes || fail "socat in the guest"
	wait $!
	equal "$(md5sum </tmp/got)" "$sum" "what arrived in dom0"
	# shellcheck disable=SC2016 # expanded over there
	on guest1 sh -c 'LD_LIBRARY_PATH=/tmp/lab/bin /tmp/lab/bin/socat -u VSOCK-LISTEN:5007 SYSTEM:"md5sum >/tmp/sum" >/tmp/socat.log 2>&1 &' </dev/null
	xvs cat --retry 20 guest1 5007 </tmp/bytes || fail "xvs cat: $(on guest1 cat /tmp/socat.log)"
	wait_for '[ "$(on guest1 cat /tmp/sum </dev/null)" = "$sum" ]' 10 "what arrived in the guest"
	content guest1
}

# ---- where Linux and the wire disagree --------------------------------------------------------------------

# Linux sends no more than its own buffer has, and a backend that waits for half of a larger one would wait for ever.
test_a_small_buffer_of_the_sender_s_stops_no_stream() { # limit 180
	both guest1
	for buffer in 4096 65536 229376; do
		ask g "option buffer $buffer" "option ok"
		joined b$buffer g 5020
		tell g "send b$buffer 2000000"
		ask h "recv b$buffer 2000000" "recv b$buffer ok" 60
		heard g "send b$buffer ok"
		closed h g b$buffer
	done
	ask g "option buffer 0" "option ok"
	figure "CREDIT_REQUESTs of the driver's: $(counter guest1 asked)"
	content guest1
}

# Linux sends one each time that a reader has emptied its queue, though there is room for much more.
test_credit_updates_are_merged_with_what_follows() { # limit 120
	both guest1
	ask g "listen l 5021" "listen l ok"
	tell g "echo l 1"
	heard g "echo l ready"
	ask h "connect a $GUEST1:5021" "connect a ok"
	before=$(counter guest1 credit_updates) packets=$(counter guest1 tx_packets)
	for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
		ask h "send a 100" "send a ok"
		ask h "recv a 100" "recv a ok"
	done
	updates=$(($(counter guest1 credit_updates) - before)) packets=$(($(counter guest1 tx_packets) - packets))
	ask h "close a" "close a ok"
	heard g "echo l 1"
	figure "20 messages echoed: $packets packets, of them $updates CREDIT_UPDATEs"
	[ $updates -le 4 ] || fail "$updates CREDIT_UPDATEs for 20 echoed messages"
	content guest1
}

# A socket whose peer has gone still has data; its pair of addresses is another's by the time that it reads.
test_a_dead_socket_s_packets_hit_nobody() { # limit 120
	drive guest2
	talk a guest2
	talk b guest1
	ask a "up" "up ok"
	ask b "up" "up ok"
	ask b "listen l 5022" "listen l ok"
	ask a "connect x 101:5022@6022" "connect x ok"
	ask b "accept x l" "accept x ok"
	ask a "send x 50000" "send x ok"
	ask a "close x" "close x ok"
	# Linux waits 8 s for the reader, and then the port is free.
	wait_for 'tell a "connect y 101:5022@6022"; answer a; [ "$_answer" = "connect y ok" ]' 20 "the pair is free: $_answer"
	ask b "accept y l" "accept y ok"
	stale=$(counter guest1 stale)
	ask b "recv x 50000" "recv x ok"
	exchange a b y 300000
	ask b "close x" "close x ok"
	exchange a b y 300000
	closed a b y
	[ "$(counter guest1 stale)" -gt "$stale" ] || fail "nothing of the dead socket was held back"
	content guest1
	content guest2
}

# A page of it goes between two of its packets: the peer is never told of what it has, and takes nothing else for the rest.
test_a_message_that_cannot_be_sent_to_its_end() { # limit 120
	drive guest2
	messages_read guest1 5033
	talk a guest2
	ask a "up" "up ok"
	on guest2 /tmp/lab/messages half 101 5033 >/tmp/half 2>&1 </dev/null || fail "$(cat /tmp/half)"
	cat /tmp/half
	equal "$(sed -n '1p; 2s/EFAULT\|ENOMEM/cannot/p; 3s/EPIPE\|ECONNRESET/over/p' /tmp/half | tr '\n' ' ')" "10 cannot over " "what its sender was told"
	messages_were guest1 "10 same ECONNRESET"
	[ "$(xvs dump guest2 | grep -c 5033)" -eq 0 ] || fail "the daemon still knows the connection"
	content guest1
	content guest2
}

# Any user's program may try any address.
test_addresses_that_are_not_for_the_wire() { # limit 90
	both guest1
	up=$(counter guest1 connects)
	# Its own CID, and what is local, never leave; of others the daemon knows nothing.
	for cid in 1 101 4294967295; do
		tell g "connect a $cid:5023"
		answer g
		case $_answer in *ENETUNREACH | *ENODEV | *EINVAL | *ECONNRESET) ;; *) fail "CID $cid: '$_answer'" ;; esac
	done
	for cid in 0 77 1003 4294967294; do
		ask g "connect a $cid:5023" "connect a ECONNRESET"
	done
	joined b g 5024
	exchange h g b 10000
	equal "$(counter guest1 connects)" "$up" "times that the device was connected"
	content guest1
}

# Linux 6.12 names in its answer the socket that it found, which has no transport, or another one: the guest's kernel died of it.
test_a_port_that_is_bound_and_not_listened_at() { # limit 90
	both guest1
	ask g "option bound 5031" "option ok"
	ask h "connect a $GUEST1:5031" "connect a ECONNREFUSED"
	ask h "connect b $GUEST1:5031" "connect b ECONNREFUSED"
	joined c h 5032
	exchange h g c 10000
	closed h g c
	content guest1
}

# setsockopt() while a socket connects sends a CREDIT_UPDATE before the answer is there.
test_a_buffer_that_is_set_while_connecting() { # limit 120
	drive guest2
	talk a guest1
	talk b guest2
	ask a "up" "up ok"
	ask b "up" "up ok"
	ask b "listen l 5025" "listen l ok"
	ask a "option resize 400000" "option ok"
	for i in 1 2 3 4 5; do
		ask a "connect x$i 102:5025" "connect x$i ok"
		ask b "accept x$i l" "accept x$i ok"
		exchange a b x$i 500000
		closed a b x$i
	done
	content guest1
	content guest2
}

# of_peer NAME: what the guest has said last, of the only stream that there is.
of_peer() {
	ask g "send a 1" "send a ok"
	ask h "recv a 1" "recv a ok"
	xvs dump guest1 | sed -n "s/^ *peer_$1: //p"
}

# buf_alloc is a promise: what was sent in reliance on it is not answered with a reset.
test_a_buffer_that_is_made_smaller_with_data_in_flight() { # limit 120
	both guest1
	joined a h 5026
	ask h "send a 150000" "send a ok"
	ask g "option a buffer 4096" "option ok"
	equal "$(of_peer buf_alloc)" 262144 "the buffer that the guest has promised"
	tell h "send a 400000"
	ask g "recv a 550000" "recv a ok"
	heard h "send a ok"
	closed h g a
	content guest1
}

# Linux counts a packet as read when all of it is, and one may have 64 KiB.
test_what_is_read_of_a_large_packet_is_told() { # limit 90
	both guest1
	joined a h 5029
	ask h "send a 65536" "send a ok"
	ask g "recv a 20000" "recv a ok"
	told=$(of_peer fwd_cnt)
	[ "$told" -gt 12000 ] && [ "$told" -le 20000 ] || fail "of 20000 bytes that were read the daemon has been told $told"
	ask g "recv a 45536" "recv a ok"
	closed h g a
	content guest1
}

# The sender is told of room only when fewer bytes wait than the reader wants; they may never be there.
test_a_reader_that_waits_for_much() { # limit 120
	both guest1
	joined a h 5027
	ask g "option a lowat 200000" "option ok"
	tell h "send a 2000000"
	# What is left at last is less than the reader wants: so the end must be told.
	tell h "shutdown a wr"
	ask g "recv a 2000000" "recv a ok" 60
	heard h "send a ok"
	heard h "shutdown a ok"
	closed h g a
	content guest1
}

# Linux sends an RST at the close of a socket that an RST has ended.
test_a_socket_that_was_reset_sends_nothing_at_its_close() { # limit 90
	both guest1
	joined a g 5028
	ask g "send a 10000" "send a ok"
	wait_for 'xvs dump guest1 | grep -q 5028' 10
	ask h "reset a" "reset a ok"
	wait_for 'tell g "send a 1"; answer g; [ "$_answer" != "send a ok" ]' 20 "the reset arrives"
	wait_for '! xvs dump guest1 | grep -q 5028' 10 "the daemon forgets the connection"
	packets=$(counter guest1 tx_packets)
	ask g "close a" "close a ok"
	equal "$(counter guest1 tx_packets)" "$packets" "packets that have left"
	content guest1
}

run_driver_tests "$@"

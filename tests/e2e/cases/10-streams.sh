# SPDX-License-Identifier: MIT
# Streams between a host program and a guest: opened by either, closed in halves by either, every byte in its place.

test_a_guest_comes_up() { # short
    talk g guest1
    ask g "up" "up ok"
    tell g "stats"
    answer g
    case $_answer in *" cid 101") ;; *) fail "the guest's CID is not 101: $_answer" ;; esac
}

# One transfer each way, one after the other.
there_and_back() { # OPENER BYTES
    joined a "$1" 5001
    tell h "send a $2"
    ask g "recv a $2" "recv a ok" 60
    heard h "send a ok"
    tell g "send a $2"
    ask h "recv a $2" "recv a ok" 60
    heard g "send a ok"
    ask h "close a" "close a ok"
    ask g "eof a" "eof a ok"
    ask g "close a" "close a ok"
}
# One byte, one packet of the largest size, and a number that no packet or page divides.
sizes_there_and_back() { # OPENER
    both guest1
    for bytes in 1 65536 300001; do
        there_and_back "$1" $bytes
    done
}
test_bytes_over_streams_opened_by_the_host() { # short
    sizes_there_and_back h
}
test_bytes_over_streams_opened_by_the_guest() { # short
    sizes_there_and_back g
}
test_bulk_over_a_stream_opened_by_the_host() { # limit 120, xen
    both guest1
    there_and_back h "$E2E_BULK"
}

# `many` with one stream writes and reads at once.
test_both_directions_at_once_opened_by_the_host() { # short
    both guest1
    ask g "listen l 5001" "listen l ok"
    tell g "echo l 1"
    heard g "echo l ready"
    tell h "many $GUEST1:5001 1 8000000"
    heard h "many open 1"
    heard h "many ok 1"
    heard g "echo l 1"
}
test_both_directions_at_once_opened_by_the_guest() { # short
    both guest1
    ask h "listen l ${GUEST1}_5001" "listen l ok"
    tell h "echo l 1"
    heard h "echo l ready"
    tell g "many 2:5001 1 8000000"
    heard g "many open 1"
    heard g "many ok 1"
    heard h "echo l 1"
}

# After one end has said that it will send no more, all that was sent arrives, and the other direction goes on.
half_close() { # OPENER CLOSER OTHER
    both guest1
    joined a "$1" 5002
    ask "$2" "send a 100000" "send a ok"
    ask "$2" "shutdown a wr" "shutdown a ok"
    ask "$3" "recv a 100000" "recv a ok"
    ask "$3" "eof a" "eof a ok"
    tell "$3" "send a 1200000"
    ask "$2" "recv a 1200000" "recv a ok"
    heard "$3" "send a ok"
    ask "$3" "shutdown a wr" "shutdown a ok"
    ask "$2" "eof a" "eof a ok"
    ask "$2" "close a" "close a ok"
    ask "$3" "close a" "close a ok"
    no_streams g
}
no_streams() { # PEER
    wait_for "tell $1 stats; answer $1; case \$_answer in 'stats streams 0 '*) ;; *) false ;; esac" 10 \
        "$1 has no streams left"
}
test_half_close_opened_by_the_host_closed_by_the_host() { # short
    half_close h h g
}
test_half_close_opened_by_the_host_closed_by_the_guest() { # short
    half_close h g h
}
test_half_close_opened_by_the_guest_closed_by_the_host() { # short
    half_close g h g
}
test_half_close_opened_by_the_guest_closed_by_the_guest() { # short
    half_close g g h
}

# The reader that wants no more stops the writer, and only that direction.
test_the_host_stops_reading() {
    both guest1
    joined a h 5003
    ask h "shutdown a rd" "shutdown a ok"
    tell g "send a 50000000"
    answer g
    case $_answer in "send a "*" EPIPE") ;; *) fail "the guest writes on: $_answer" ;; esac
    tell h "send a 400000"
    ask g "recv a 400000" "recv a ok"
    heard h "send a ok"
    ask h "close a" "close a ok"
    ask g "eof a" "eof a ok"
}
test_the_guest_stops_reading() {
    both guest1
    joined a h 5003
    ask g "shutdown a rd" "shutdown a ok"
    # A later packet on the same ring was answered: so the daemon has seen this one.
    joined b g 5013
    tell h "send a 50000000"
    answer h
    case $_answer in "send a "*" EPIPE" | "send a "*" ECONNRESET") ;; *) fail "the host writes on: $_answer" ;; esac
    tell g "send a 400000"
    ask h "recv a 400000" "recv a ok"
    heard g "send a ok"
    ask g "close a" "close a ok"
    ask h "eof a" "eof a ok"
}

# The same for a program that sleeps in poll(POLLOUT), because its socket is full, when the guest says so: poll() looks only
# at the send buffer, so the daemon has to empty what is queued.
test_the_guest_stops_reading_while_the_host_waits_to_write() {
    both guest1
    joined a h 5003
    tell h "send a 5000000 300"
    answer h
    case $_answer in "send a "*" ETIMEDOUT") ;; *) fail "what nobody reads is taken: $_answer" ;; esac
    tell h "send a 50000000"
    ask g "sleep 500" "sleep ok"
    ask g "shutdown a rd" "shutdown a ok"
    answer h
    case $_answer in
    "send a "*" EPIPE" | "send a "*" ECONNRESET") ;;
    *) fail "a host program still waits to write what nobody will read: $_answer" ;;
    esac
}

# A close with everything read is orderly; what was sent before it arrives.
test_data_sent_before_a_close_is_delivered() { # short
    both guest1
    joined a g 5004
    ask g "send a 200000" "send a ok"
    ask g "close a" "close a ok"
    ask h "recv a 200000" "recv a ok"
    ask h "eof a" "eof a ok"
    joined b h 5004
    ask h "send b 200000" "send b ok"
    ask h "close b" "close b ok"
    ask g "recv b 200000" "recv b ok"
    ask g "eof b" "eof b ok"
}

# A reset in the guest reaches the host program; as a UNIX socket has no reset, perhaps as an end.
test_a_reset_by_the_guest_ends_the_host_s_stream() {
    both guest1
    joined a h 5005
    ask g "reset a" "reset a ok"
    tell h "eof a"
    answer h
    case $_answer in "eof a ok" | "eof a ECONNRESET") ;; *) fail "the host program saw '$_answer'" ;; esac
    no_streams g
}

# CID 1 is the guest itself, and never on the wire.
test_loopback_within_a_guest() {
    talk g guest1
    ask g "up" "up ok"
    ask g "listen l 5006" "listen l ok"
    ask g "connect a 1:5006" "connect a ok"
    ask g "accept ab l" "accept ab ok"
    ask g "send a 100000" "send a ok"
    ask g "shutdown a wr" "shutdown a ok"
    ask g "recv ab 100000" "recv ab ok"
    ask g "eof ab" "eof ab ok"
    ask g "send ab 70000" "send ab ok"
    ask g "close ab" "close ab ok"
    ask g "recv a 70000" "recv a ok"
    ask g "eof a" "eof a ok"
    ask g "connect b 1:5999" "connect b ECONNREFUSED"
}

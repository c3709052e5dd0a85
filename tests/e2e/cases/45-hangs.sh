# SPDX-License-Identifier: MIT
# A guest's end is over, and the program at the other end has not read all that came: it must not wait for ever to write, and
# what came before is still its.

# fills NAME: its stream takes no more, as nobody reads at the other end.
fills() {
    tell "$1" "send a 50000000 1000"
    answer "$1"
    case $_answer in "send a "*" ETIMEDOUT") ;; *) fail "a stream that nobody reads takes everything: $_answer" ;; esac
}
writes_no_more() {
    answer "$1"
    case $_answer in "send a "*" EPIPE" | "send a "*" ECONNRESET") ;; *) fail "$1 writes on: $_answer" ;; esac
}
# The host program has data unread, and stands in a write of its own, when the guest resets.
test_a_host_program_that_waits_to_write_hears_of_the_guest_s_reset() { # short
    both guest1
    joined a g 8101
    ask g "send a 300000" "send a ok"
    fills h
    tell h "send a 50000000"
    ask g "reset a" "reset a ok"
    writes_no_more h
    ask h "recv a 300000" "recv a ok"
    ask h "eof a" "eof a ECONNRESET"
}
# The guest's program has sent all it had and said so, and is gone, and with it the device.  All it sent arrives, and if it had
# not said that it takes no more, so does the news that what was sent to it is lost.
gone_guest() { # SHUTDOWN END
    both guest1
    joined a g 8102
    ask g "send a 300000" "send a ok"
    fills h
    tell h "send a 50000000"
    ask g "shutdown a $1" "shutdown a ok"
    signal g KILL
    writes_no_more h
    ask h "recv a 300000" "recv a ok"
    ask h "eof a" "eof a $2"
}
test_a_host_program_that_waits_to_write_hears_that_the_guest_has_gone() { # short
    gone_guest wr ECONNRESET
}
test_a_host_program_that_waits_to_write_hears_that_the_guest_has_closed() {
    gone_guest rdwr ok
}
test_a_host_program_that_reads_only_after_the_guest_has_gone_has_all() {
    both guest1
    joined a g 8103
    ask g "send a 300000" "send a ok"
    ask g "close a" "close a ok"
    tell g quit
    equal "$(status_of g)" 0 "the guest's program"
    ask h "recv a 300000" "recv a ok"
    ask h "eof a" "eof a ok"
}

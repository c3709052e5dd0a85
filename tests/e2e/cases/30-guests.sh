# SPDX-License-Identifier: MIT
# From guest to guest, where the administrator allows it.

two_guests() {
    talk a guest1
    talk b guest2
    ask a "up" "up ok"
    ask b "up" "up ok"
    ask b "listen l 7001" "listen l ok"
}
test_guest_to_guest() { # short
    two_guests
    ask a "connect s 102:7001" "connect s ok"
    ask b "accept s l" "accept s ok"
    tell a "send s 3000001"
    ask b "recv s 3000001" "recv s ok"
    heard a "send s ok"
    ask a "shutdown s wr" "shutdown s ok"
    ask b "eof s" "eof s ok"
    tell b "send s 300001"
    ask a "recv s 300001" "recv s ok"
    heard b "send s ok"
    ask b "close s" "close s ok"
    ask a "eof s" "eof s ok"
    ask a "connect t 102:7099" "connect t ECONNREFUSED"
}
test_guest_to_guest_both_directions_at_once() {
    two_guests
    tell b "echo l 20"
    heard b "echo l ready"
    tell a "many 102:7001 20 400000"
    heard a "many open 20"
    heard a "many ok 20"
    heard b "echo l 20"
}
test_bulk_from_guest_to_guest() { # limit 120, xen
    two_guests
    ask a "connect s 102:7001" "connect s ok"
    ask b "accept s l" "accept s ok"
    tell a "send s $E2E_BULK"
    ask b "recv s $E2E_BULK" "recv s ok" 100
    heard a "send s ok"
}
test_guest_to_guest_reset() {
    two_guests
    ask a "connect s 102:7001" "connect s ok"
    ask b "accept s l" "accept s ok"
    ask a "reset s" "reset s ok"
    ask b "eof s" "eof s ECONNRESET"
}
# A guest that dies takes only its own streams with it.
test_a_killed_guest_program_resets_the_other_guest_s_stream() { # xen
    two_guests
    ask a "connect s 102:7001" "connect s ok"
    ask b "accept s l" "accept s ok"
    ask a "send s 1000" "send s ok"
    ask b "recv s 1000" "recv s ok"
    signal a KILL
    ask b "eof s" "eof s ECONNRESET"
    talk c guest1
    ask c "up" "up ok"
    ask c "connect s 102:7001" "connect s ok"
    ask b "accept t l" "accept t ok"
}
test_guest_to_guest_is_forbidden_by_default() {
    disturb
    stop_daemon
    config
    start_daemon
    two_guests
    ask a "connect s 102:7001" "connect s ECONNREFUSED"
    ask b "accept s l 300" "accept s ETIMEDOUT"
    # What they may do with the host is not touched.
    talk h dom0
    ask h "connect s $GUEST2:7001" "connect s ok"
}
test_a_reload_allows_and_forbids_guest_to_guest() {
    disturb
    stop_daemon
    config
    start_daemon
    two_guests
    ask a "connect s 102:7001" "connect s ECONNREFUSED"
    config "guest_to_guest = yes"
    kill -HUP "$(daemon_pid)"
    wait_for 'tell a "connect s 102:7001"; answer a; [ "$_answer" = "connect s ok" ]' 5 "connecting is allowed after the reload"
    ask b "accept s l" "accept s ok"
    # A stream that exists outlives a reload.
    config "guest_to_guest = yes" "log_level = debug"
    kill -HUP "$(daemon_pid)"
    ask a "send s 100000" "send s ok"
    ask b "recv s 100000" "recv s ok"
}
# A configuration with an error changes nothing, and says so.
test_a_reload_of_a_bad_file_changes_nothing() {
    disturb
    two_guests
    _said=$(grep -c guest_to_guest "$T/dom0/xvsd.log")
    config "guest_to_guest = perhaps"
    kill -HUP "$(daemon_pid)"
    wait_for '[ "$(grep -c guest_to_guest "$T/dom0/xvsd.log")" -gt $_said ]' 5 "the daemon names the wrong key"
    ask a "connect s 102:7001" "connect s ok"
    daemon_lives || fail "the daemon has ended"
}

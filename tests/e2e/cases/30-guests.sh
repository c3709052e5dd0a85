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
    policy
    start_daemon
    two_guests
    ask a "connect s 102:7001" "connect s ECONNREFUSED"
    ask b "accept s l 300" "accept s ETIMEDOUT"
    # What they may do with the host is not touched.
    talk h dom0
    ask h "connect s $GUEST2:7001" "connect s ok"
}
# What an administrator of an older version has written is an error that says what to write.
test_guest_to_guest_is_no_setting_any_more() {
    config "guest_to_guest = yes"
    xvsd --check-config --config "$CONF" >"$T/check" 2>&1 && fail "it is taken"
    grep -qF 'xvsd.conf:2: guest_to_guest is no setting any more: leave it out, and write "* @any @any allow" into a policy' "$T/check" ||
        fail "it says: $(cat "$T/check")"
    config
    sed -i 's/^cid = 101/&\nguest_to_guest = guest2, other/' "$CONF"
    xvsd --check-config --config "$CONF" >"$T/check" 2>&1 && fail "it is taken"
    grep -qF 'write "* guest1 guest2 allow", and so for each into a policy' "$T/check" || fail "it says: $(cat "$T/check")"
    config
}

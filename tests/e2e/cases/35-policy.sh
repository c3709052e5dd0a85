# SPDX-License-Identifier: MIT
# Who may reach whom: what an administrator writes into policy.d, and what guests and host programs see of it.

# A daemon with this policy; 'g' on guest1 and 'k' on guest2 are up, and k listens at 7301.
with_policy() { # LINE...
    disturb
    policy "$@"
    reload_all
    talk g guest1
    talk k guest2
    ask g "up" "up ok"
    ask k "up" "up ok"
    ask k "listen l 7301" "listen l ok"
}

# The daemon reads all of it again, or says in $_said why not.
reload_all() {
    _said=$(on dom0 xvs reload 2>&1 </dev/null)
}

refused_by_policy() { # GUEST
    on dom0 xvs ls --json "$1" </dev/null | sed -n 's/.*"refused_by_policy":\([0-9]*\).*/\1/p'
}

test_a_line_of_a_policy_lets_one_guest_reach_another_at_its_ports() { # short, xen
    with_policy "7300-7302,9 guest1 guest2 allow"
    ask g "connect s 102:7301" "connect s ok"
    ask k "accept s l" "accept s ok"
    tell g "send s 300001"
    ask k "recv s 300001" "recv s ok"
    heard g "send s ok"
    ask k "listen m 7303" "listen m ok"
    ask g "connect t 102:7303" "connect t ECONNREFUSED"
    ask g "listen n 7301" "listen n ok"
    ask k "connect u 101:7301" "connect u ECONNREFUSED"
}

test_the_first_line_that_fits_decides_over_all_files() {
    disturb
    policy "* guest1 guest2 deny"
    echo "7301 guest1 guest2 allow" >"$T/dom0/policy.d/40-first.policy"
    echo "this is none" >"$T/dom0/policy.d/README"
    reload_all
    talk g guest1
    talk k guest2
    ask g "up" "up ok"
    ask k "up" "up ok"
    ask k "listen l 7301" "listen l ok"
    ask g "connect s 102:7301" "connect s ok"
    mv "$T/dom0/policy.d/40-first.policy" "$T/dom0/policy.d/60-last.policy"
    reload_all
    ask g "connect t 102:7301" "connect t ECONNREFUSED"
}

test_a_group_of_guests_is_known_by_its_name() {
    disturb
    config
    printf '[group web]\nguests = guest1, other\n' >>"$CONF"
    with_policy "* @group:web guest2 allow"
    ask g "connect s 102:7301" "connect s ok"
    ask g "listen n 7301" "listen n ok"
    ask k "connect u 101:7301" "connect u ECONNREFUSED"
    config
    reload_all
    case $_said in *'50-test.policy:1: @group:web: there is no section [group web] in xvsd.conf'*) ;; *) fail "said: $_said" ;; esac
    ask g "connect t 102:7301" "connect t ok"
}

test_guests_reach_host_programs_where_a_line_says_so() { # short
    with_policy "7310 guest1 @unix allow" "* @any @unix deny"
    talk h dom0
    ask h "listen a ${GUEST1}_7310" "listen a ok"
    ask h "listen b ${GUEST1}_7311" "listen b ok"
    ask h "listen c ${GUEST2}_7310" "listen c ok"
    ask g "connect s 2:7310" "connect s ok"
    ask g "connect t 2:7311" "connect t ECONNREFUSED"
    ask k "connect u 2:7310" "connect u ECONNREFUSED"
    equal "$(refused_by_policy guest1) $(refused_by_policy guest2)" "1 1" "refusals in xvs ls"
    grep -q 'guest guest2 (domid [0-9]*): may not reach the host: port 7310: .*/50-test.policy:2: \* @any @unix deny' "$T/dom0/xvsd.log" ||
        fail "the log does not say which line refused it"
}

# CONNECT is refused without a word, as ever; xvs is told why.
test_host_programs_reach_guests_where_a_line_says_so() { # short
    with_policy "7301 @unix guest2 allow"
    talk h dom0
    ask h "connect s $GUEST2:7301" "connect s ok"
    ask h "connect t $GUEST2:7302" "connect t ECONNREFUSED"
    ask h "connect u $GUEST1:7301" "connect u ECONNREFUSED"
    on dom0 xvs cat guest2 7302 </dev/null >/dev/null 2>"$T/err"
    equal $? 9 "the status of xvs cat"
    grep -q "the policy of this host" "$T/err" || fail "xvs cat says: $(cat "$T/err")"
    equal "$(refused_by_policy guest2)" 2 "refusals in xvs ls"
}

# By user and by group: what the kernel says of the program that has connected.
test_host_programs_are_told_apart_by_user_and_group() { # short
    [ "$E2E_PLATFORM" = hosted ] || skip "hosted Xen shows it as well"
    [ "$(id -u)" = 0 ] || skip "only root can become somebody else"
    disturb
    mkdir -p "$T/dom0"
    cp "$(command -v e2e_intruder)" "$(command -v e2e_host)" "$T/dom0/" 2>/dev/null
    chmod 711 "$T" "$T/dom0"
    config "socket_mode = 0666"
    with_policy "7301 @unix/user:64001 guest2 allow" "7302 @unix/group:64002 guest2 allow" "7303 @unix/user:root guest2 allow"
    ask k "listen m 7302" "listen m ok"
    ask k "listen n 7303" "listen n ok"
    equal "$(as 64001 64001 7301) $(as 64001 64001 7302) $(as 64001 64001 7303)" "ok ECONNREFUSED ECONNREFUSED" "the user"
    equal "$(as 64009 64002 7301) $(as 64009 64002 7302) $(as 64009 64002 7303)" "ECONNREFUSED ok ECONNREFUSED" "a member of the group"
    equal "$(as 0 0 7301) $(as 0 0 7302) $(as 0 0 7303)" "ECONNREFUSED ECONNREFUSED ok" "root"
    chmod 700 "$T"
}
as() { # UID GID PORT: how a connect to guest2 ends, for such a program
    "$T/dom0/e2e_intruder" "$1" "$2" "$T/dom0/e2e_host" "connect a $GUEST2:$3" 2>&1 | sed -n 's/^connect a //p'
}

# Settings and policy are read together: all of it is good, or nothing changes.
test_a_policy_with_an_error_changes_nothing() {
    with_policy "7301 guest1 guest2 allow" "* @unix @any allow"
    policy "* @unix @any allow" "7301 guest1 guest2 permit"
    config "log_level = debug"
    reload_all
    case $_said in "xvs reload: "*'50-test.policy:2: permit: an action is allow or deny'*) ;; *) fail "said: $_said" ;; esac
    ask g "connect s 102:7301" "connect s ok"
    policy "7301 guest1 guest2 deny" "* @unix @any allow"
    config "log_level = loud"
    reload_all
    case $_said in "xvs reload: "*'xvsd.conf:2: log_level = loud'*) ;; *) fail "said: $_said" ;; esac
    ask g "connect t 102:7301" "connect t ok"
    config
    reload_all
    ask g "connect u 102:7301" "connect u ECONNREFUSED"
}

# A stream that exists outlives a new policy, unless the administrator wants it otherwise.
test_streams_that_a_new_policy_forbids_end_if_it_cuts() { # short, xen
    with_policy "* guest1 guest2 allow" "* @unix @any allow" "* @any @unix allow"
    talk h dom0
    ask g "connect s 102:7301" "connect s ok"
    ask k "accept s l" "accept s ok"
    ask h "connect a $GUEST2:7301" "connect a ok"
    ask k "accept a l" "accept a ok"
    ask h "listen b ${GUEST1}_7310" "listen b ok"
    ask g "connect c 2:7310" "connect c ok"
    ask h "accept c b" "accept c ok"
    policy "* guest1 @unix allow"
    reload_all
    ask g "send s 1000" "send s ok"
    ask k "recv s 1000" "recv s ok"
    ask h "send a 1000" "send a ok"
    ask k "recv a 1000" "recv a ok"
    config "policy_cuts = yes"
    reload_all
    ask k "eof s" "eof s ECONNRESET"
    ask g "eof s" "eof s ECONNRESET"
    ask k "eof a" "eof a ECONNRESET"
    # What is still allowed goes on.
    ask g "send c 1000" "send c ok"
    ask h "recv c 1000" "recv c ok"
    policy "* @any @any deny"
    reload_all
    ask g "eof c" "eof c ECONNRESET"
}

test_a_directory_without_a_policy_allows_nothing() {
    with_policy "# nothing"
    talk h dom0
    ask g "connect s 102:7301" "connect s ECONNREFUSED"
    ask g "connect t 2:7310" "connect t ECONNREFUSED"
    ask h "connect u $GUEST2:7301" "connect u ECONNREFUSED"
    grep -q "there is no line of a policy in .*policy.d: no connection is allowed" "$T/dom0/xvsd.log" || fail "the log does not say so"
}

test_the_check_of_a_configuration_is_one_of_its_policy_too() {
    disturb
    config
    policy "22 guest1 guest2 allow" "* @any @any deny"
    equal "$(xvsd --check-config --config "$CONF" | tail -n 1)" "the policy in $T/dom0/policy.d is good: 2 lines" "a good one"
    policy "22 guest1 guest2 allow" "* @anyone @any deny"
    xvsd --check-config --config "$CONF" >/dev/null 2>"$T/err" && fail "a bad one is good"
    grep -q 'policy.d/50-test.policy:2: @anyone: a source is ' "$T/err" || fail "it says: $(cat "$T/err")"
    config "policy_dir = /nonexistent"
    xvsd --check-config --config "$CONF" >/dev/null 2>"$T/err" && fail "a directory that is not there is good"
    grep -q 'cannot read the policies in /nonexistent' "$T/err" || fail "it says: $(cat "$T/err")"
    config
    policy
    equal "$(xvsd --check-config --config "$CONF" | tail -n 1)" "there is no $T/dom0/policy.d: the built-in policy holds" "none"
}

# What is in force, and the line that decides; what has only been edited is not in it.
test_xvs_policy_tells_what_is_in_force() { # short
    with_policy "7301 guest1 guest2 allow # why" "8000-8099,22   @unix/user:0    guest1   allow" "* @any @any deny"
    _file=$T/dom0/policy.d/50-test.policy
    policy "# nothing"
    equal "$(on dom0 xvs policy </dev/null)" "$_file:1: 7301 guest1 guest2 allow
$_file:2: 8000-8099,22   @unix/user:0    guest1   allow
$_file:3: * @any @any deny" "the whole"
    decided 0 "$_file:1: 7301 guest1 guest2 allow" guest1 guest2 7301
    decided 4 "$_file:3: * @any @any deny" guest2 guest1 7301
    decided 0 "$_file:1: 7301 guest1 guest2 allow" ":$(domid guest1)" guest2 7301
    decided 4 "$_file:3: * @any @any deny" nobody guest2 7301
    decided 0 "$_file:2: 8000-8099,22   @unix/user:0    guest1   allow" @unix/user:0 guest1 8050
    decided 4 "no line of the policy decides: denied" @unix/user:64001 guest1 8050
    decided 4 "no line of the policy decides: denied" @vsock guest1 22
    decided 4 "no line of the policy decides: denied" guest1 @unix 22
    equal "$(on dom0 xvs policy check --json guest1 guest2 7301 </dev/null)" \
        "{\"allowed\":true,\"file\":\"$_file\",\"line\":1,\"text\":\"7301 guest1 guest2 allow\"}" "as JSON"
    on dom0 xvs policy check @unix @unix 1 >"$T/out" 2>&1 </dev/null && fail "two programs of the host"
    grep -q "one of the two is a guest" "$T/out" || fail "it says: $(cat "$T/out")"
    on dom0 xvs policy check @any guest1 1 >"$T/out" 2>&1 </dev/null && fail "any guest"
    grep -q '"@any" is no source' "$T/out" || fail "it says: $(cat "$T/out")"
}
decided() { # STATUS LINE SOURCE DESTINATION PORT
    _line=$(on dom0 xvs policy check "$3" "$4" "$5" 2>&1 </dev/null)
    equal "$? $_line" "$1 $2" "$3 to $4 at $5"
}

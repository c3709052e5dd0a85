# SPDX-License-Identifier: MIT
# Names follow domains: renamed, migrated, destroyed and made again, a guest is reached by the name that it has now.

# A daemon whose settings have these lines, too.
with_sections() { # LINE...
    disturb
    stop_daemon_if_any
    config
    policy
    for _line; do echo "$_line"; done >>"$CONF"
    start_daemon
}

# The directory of a guest's name: attached NAME is for its socket.
exists() {
    [ -d "$RUN/guest/$1" ]
}

# The daemon's record: shows NAME PATTERN.
shows() {
    on dom0 xvs ls --json "$1" 2>/dev/null </dev/null | grep -q "$2"
}

test_a_renamed_guest_is_reached_by_its_new_name() { # short, xen
    disturb
    both guest1
    joined a h 8301
    ask g "listen l 8302" "listen l ok"
    rename guest1 other1 || fail "the platform cannot rename guest1"
    wait_for 'attached other1' 10 "the directory of the new name"
    # What is open goes on; the old path stays with it, and the new one is there.
    ask h "send a 100000" "send a ok"
    ask g "recv a 100000" "recv a ok"
    attached guest1 || fail "the old path is gone while a program is connected by it"
    ask h "connect b $RUN/guest/other1/vsock:8302" "connect b ok"
    ask g "accept b l" "accept b ok"
    ask h "connect c $GUEST1:8302" "connect c ok"
    ask g "accept c l" "accept c ok"
    ask h "close a" "close a ok"
    ask g "eof a" "eof a ok"
    ask g "close a" "close a ok"
    ask h "send c 5000" "send c ok"
    ask g "recv c 5000" "recv c ok"
    attached guest1 || fail "the old path is gone while a program is still connected by it"
    ask h "close c" "close c ok"
    ask g "close c" "close c ok"
    wait_for '! exists guest1' 15 "the old path goes with the last who came by it"
    ask h "send b 5000" "send b ok"
    ask g "recv b 5000" "recv b ok"
    rename other1 guest1 || fail "the platform cannot rename other1"
    wait_for 'attached guest1' 10 "the directory of the old name, again"
}

test_programs_that_listen_in_the_old_directory_are_reached() { # xen
    disturb
    both guest1
    ask h "listen l ${GUEST1}_8303" "listen l ok"
    rename guest1 other1 || fail "the platform cannot rename guest1"
    wait_for 'attached other1' 10 "the directory of the new name"
    ask g "connect a 2:8303" "connect a ok"
    ask h "accept a l" "accept a ok"
    ask g "send a 70000" "send a ok"
    ask h "recv a 70000" "recv a ok"
    # Who listens in the new one comes first.
    ask h "listen m $RUN/guest/other1/vsock_8303" "listen m ok"
    ask g "connect b 2:8303" "connect b ok"
    ask h "accept b m" "accept b ok"
    ask h "unlisten l" "unlisten l ok"
    ask h "unlisten m" "unlisten m ok"
    wait_for '! exists guest1' 15 "the old directory goes when nobody is in it"
    rename other1 guest1 || fail "the platform cannot rename other1"
    wait_for 'attached guest1' 10 "the directory of the old name, again"
}

# What xl migrate does within one host: the one that was is renamed away, the one that comes gets the name, and runs.
# Nothing runs in the latter before that.
test_after_a_migration_the_guest_has_its_name_and_cid() { # limit 120
    with_sections "[guest guest3]" "cid = 103"
    for host in guest3 guest4; do
        create "$host" || fail "the platform cannot create $host"
        on "$host" mkdir -p "$T/$host" </dev/null
    done
    wait_for 'attached guest3 && attached guest4' 10 "xvsd attaches both"
    talk h dom0
    talk s guest3
    ask s "up" "up ok"
    ask h "listen l $RUN/guest/guest3/vsock_8304" "listen l ok"
    ask s "connect a 2:8304" "connect a ok"
    ask h "accept a l" "accept a ok"
    rename guest3 guest3--migratedaway || fail "the platform cannot rename guest3"
    rename guest4 guest3 || fail "the platform cannot rename guest4"
    wait_for 'shows guest3 "\"domid\":$(domid guest3),\"device\":0,\"cid\":103,"' 10 "name and CID are the newer one's"
    # The older one is still connected by the CID, and loses it now.
    talk d guest3
    ask d "up" "up ok"
    tell d "stats"
    answer d
    case $_answer in *" cid 103") ;; *) fail "the guest has another CID: $_answer" ;; esac
    ask s "eof a" "eof a ECONNRESET"
    ask s "up" "up ok"
    tell s "stats"
    answer s
    case $_answer in *" cid 103") fail "two guests have one CID" ;; esac
    # Both ways: by the name, by the CID, and to who listens in its directory.
    ask d "listen l 8305" "listen l ok"
    ask h "connect b $RUN/guest/guest3/vsock:8305" "connect b ok"
    ask d "accept b l" "accept b ok"
    ask h "connect c $RUN/cid/103/vsock:8305" "connect c ok"
    ask d "accept c l" "accept c ok"
    ask d "connect e 2:8304" "connect e ok"
    ask h "accept e l" "accept e ok"
    ask s "connect f 2:8304" "connect f ECONNREFUSED"
    crash guest3--migratedaway || fail "the platform cannot destroy guest3--migratedaway"
    wait_for '! attached guest3--migratedaway' 10 "xvsd lets the old one go"
    ask h "send b 100000" "send b ok"
    ask d "recv b 100000" "recv b ok"
    ask h "unlisten l" "unlisten l ok"
    signal d KILL
    crash guest3
    wait_for '! attached guest3' 10 "xvsd lets the new one go"
}

# Whatever the daemon sees of it: the two events in one, the new one first, or nothing but the end.
test_a_hundred_restarts_in_a_row() { # limit 400
    with_sections "[guest guest3]" "cid = 103"
    create guest3 || fail "the platform cannot create guest3"
    round=0
    while [ $round -lt 100 ]; do
        round=$((round + 1))
        case $((round % 10)) in
        2 | 5) freeze_daemon ;;
        4) stop_daemon ;;
        9) kill_daemon ;;
        esac
        crash guest3 || fail "round $round: the platform cannot destroy guest3"
        create guest3 || fail "round $round: the platform cannot create guest3"
        case $((round % 10)) in
        2 | 5) kill -CONT "$(daemon_pid)" ;;
        4 | 9) start_daemon ;;
        esac
        id=$(domid guest3)
        wait_for 'shows guest3 "\"domid\":$id,\"device\":0,\"cid\":103,.*\"state\":\"InitWait\".*/guest/guest3\","' 20 \
            "round $round: domain $id has the name, the directory and the CID"
        [ $((round % 20)) -eq 0 ] || continue
        on guest3 mkdir -p "$T/guest3" </dev/null
        talk h dom0
        talk g guest3
        ask g "listen l 8306" "listen l ok"
        ask g "up" "up ok"
        ask h "connect a $RUN/guest/guest3/vsock:8306" "connect a ok"
        ask g "accept a l" "accept a ok"
        ask h "send a 70000" "send a ok"
        ask g "recv a 70000" "recv a ok"
        end_spawned
    done
    crash guest3
    wait_until '! exists guest3' 10 || fail "left of guest3: $(ls -la "$RUN/guest/guest3")"
    equal "$(ls "$RUN/guest")" "guest1
guest2" "the directories that are left"
}

test_whom_a_guest_may_reach_follows_its_name() { # xen
    with_sections
    policy "8307 guest1 guest2 allow" "8307 guest2 guest1 allow"
    on dom0 kill -HUP "$(daemon_pid)" </dev/null
    talk g guest1
    talk k guest2
    ask g "up" "up ok"
    ask k "up" "up ok"
    ask k "listen l 8307" "listen l ok"
    wait_until 'tell g "connect a 102:8307"; answer g; [ "$_answer" = "connect a ok" ]' 10 || fail "the policy is not read"
    ask k "accept a l" "accept a ok"
    rename guest2 other2 || fail "the platform cannot rename guest2"
    wait_for 'attached other2' 10 "the new name"
    ask g "connect b 102:8307" "connect b ECONNREFUSED"
    ask k "connect c 101:8307" "connect c ECONNREFUSED"
    rename other2 guest2 || fail "the platform cannot rename other2"
    wait_for 'attached guest2' 10 "the old name"
    ask g "connect d 102:8307" "connect d ok"
    ask k "accept d l" "accept d ok"
}

# As XAPI has them: blanks in the name, and the UUID is what counts.
test_a_guest_without_a_usable_name_goes_by_domid_and_uuid() { # xen
    disturb
    id=$(domid guest1)
    uuid=$(on dom0 xenstore-read "/local/domain/$id/vm" </dev/null)
    with_sections "[guest uuid:${uuid#/vm/}]" "cid = 105"
    talk g guest1
    ask g "listen l 8308" "listen l ok"
    ask g "up" "up ok"
    tell g "stats"
    answer g
    case $_answer in *" cid 105") ;; *) fail "the section by UUID does not come first: $_answer" ;; esac
    on dom0 xenstore-write "/local/domain/$id/name" "My VM" </dev/null
    wait_for 'attached ":$id"' 10 "the directory by domid"
    talk h dom0
    ask h "connect a $RUN/cid/105/vsock:8308" "connect a ok"
    ask g "accept a l" "accept a ok"
    echo one | on dom0 xvs cat -z ":$id" 8308 || fail "xvs cat by :DOMID ended with $?"
    ask g "accept b l" "accept b ok"
    echo two | on dom0 xvs cat -z "My VM" 8308 || fail "xvs cat by a name with a blank ended with $?"
    ask g "accept c l" "accept c ok"
    shows "My VM" "\"domid\":$id," || fail "xvs ls does not find it by its name"
    shows ":$id" "\"name\":\"My VM\"" || fail "xvs ls does not find it by :DOMID"
    on dom0 xenstore-write "/local/domain/$id/name" guest1 </dev/null
    wait_for 'attached guest1' 10 "the directory by name"
}

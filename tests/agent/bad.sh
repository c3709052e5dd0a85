#!/bin/bash
# SPDX-License-Identifier: MIT
# bad.sh: callers that break every rule, and an agent that breaks them for a caller.  Each is a function of bad.py.
. "$(dirname "$0")/lib.sh"

for one in frames_that_do_not_fit_are_answered_with_what_is_wrong a_start_that_is_none_is_answered_with_what_is_wrong \
    a_name_that_is_none_is_refused_at_once a_caller_that_overruns_its_room_is_told half_open_connections_are_bounded \
    sessions_are_bounded a_caller_that_does_not_read_holds_up_itself random_bytes_hurt_nobody an_end_amid_a_frame_ends_the_command \
    a_million_small_frames_leave_nothing_behind; do
    if test_ $one; then
        if [ $one = sessions_are_bounded ]; then
            printf '[agent]\nmax_sessions = 8\n' >agent.conf
            kill -HUP "$agent"
            wait_for grep -q 'read anew' agent.log
        fi
        on 0 python3 "$here/bad.py" $one "$agent" >out 2>err || bad "$(tail -n 1 err)"
        if [ -e agent.conf ]; then
            rm agent.conf
            kill -HUP "$agent"
        fi
        # Whatever it was, the next caller is served.
        on 0 xvs exec web1 -- true 2>>err || bad "the agent does not serve any more"
    end
    fi
done

if test_ a_hostile_agent_is_named_and_left; then
    kill "$warden"; wait $agent_job 2>/dev/null
    run web1 xvs serve 1 -- python3 "$here/hostile.py" 2>serve.log
    warden=$pid agent=$pid agent_job=$job
    answers() { on 0 xvs call web1 exit </dev/null >out 2>err; [ $? -ne 3 ]; }
    wait_for answers
    on 0 python3 "$here/bad.py" a_hostile_agent >out 2>err || bad "$(tail -n 1 err)"
end
fi

finish

#!/bin/bash
# SPDX-License-Identifier: MIT
#
# ansible.sh: Debian's ansible-core in dom0 of a hosted Xen, with two guests whose agents it reaches by the connection xvs, and by an ssh that
# is none (ansible/ssh).  XVS_BIN is the build directory.
. "$(dirname "$0")/lib.sh"
unset PYTHONPATH
err_lines=30

if ! command -v ansible-playbook >/dev/null; then
    test_ a_playbook_runs_in_two_guests
    skip "no ansible-core"
    finish
    exit
fi

agents=
for guest in web1 db1; do
    mkdir -p services.d "$guest/tmp" "$guest/root"
    : >agent.conf
    limit=3600 run $guest xvs-agent -c "$dir/agent.conf" -s "$dir/services.d" >agent.log 2>&1 </dev/null
    agents="$agents $pid"
    until_true on 0 xvs exec -q $guest -- true || { cat agent.log; exit 1; }
done
# Any user of a guest has its temporary files there.
chmod 1777 web1/tmp db1/tmp

cp -r "$here/ansible" play
mkdir play/files
head -c 3000000 /dev/urandom >play/files/data
cat >inventory <<END
[guests]
web1
db1
[guests:vars]
ansible_connection=xvs
ansible_python_interpreter=/usr/bin/python3
ansible_remote_tmp=$dir/{{ inventory_hostname }}/tmp
root=$dir/{{ inventory_hostname }}/root
END
export ANSIBLE_CONNECTION_PLUGINS="$top/bindings/ansible" ANSIBLE_HOME="$dir/home" ANSIBLE_NOCOLOR=1 ANSIBLE_INVENTORY="$dir/inventory" \
    ANSIBLE_LOCAL_TEMP="$dir/home/tmp" LC_ALL=C.UTF-8 HOME="$dir/home" ANSIBLE_DEPRECATION_WARNINGS=0

# plays CHANGED argument...: the playbook, of which so many tasks have changed something in each guest.
plays() {
    on 0 ansible-playbook "${@:2}" play/site.yml >out 2>err || { bad "status $?"; cat out >>err; }
    grep -qE "^web1 .*changed=$1 +unreachable=0 +failed=0" out && grep -qE "^db1 .*changed=$1 +unreachable=0 +failed=0" out ||
        bad "$(grep -A 3 RECAP out | tr '\n' ' ')"
}
# one CONDITION GUEST argument...: a task, and what its result must be.
one() {
    rm -rf tree
    on 0 ansible --tree tree "${@:2}" >out 2>err
    python3 "$here/ansible/one.py" "tree/$2" "$1" >>err 2>&1 || bad "$(tail -n 1 err)"
}

test_ a_playbook_runs_in_two_guests_and_its_second_run_changes_nothing
plays 6
plays 0
for guest in web1 db1; do
    cmp play/files/data "$guest/root/srv dir/dätä 'of' 100%" || bad "the file in $guest"
    [ "$(stat -c %a "$guest/root/srv dir/dätä 'of' 100%")" = 640 ] || bad "its mode"
    [ "$(cat $guest/root/web.conf)" = "name = $guest" ] || bad "the template"
    [ "$(cat $guest/root/services)" = '{"web": {"runs": true, "enabled": true, "starts": 2}}' ] || bad "$(cat $guest/root/services)"
done
end

test_ pipelining_changes_nothing_else
ANSIBLE_PIPELINING=1 plays 0
[ -z "$(ls web1/tmp)" ] || bad "left behind: $(ls web1/tmp)"
end

test_ by_ssh_to_dom0_it_is_the_same
ssh="-e ansible_xvs_ssh_executable=$dir/play/ssh"
plays 0 $ssh -e ansible_xvs_host=dom0
plays 0 $ssh -e ansible_xvs_host=chatty -e ansible_xvs_prefix=env
end

test_ a_file_is_fetched_byte_for_byte
one 'r["changed"]' web1 -m fetch -a "src='$dir/play/files/data' dest=$dir/fetched flat=yes"
cmp play/files/data fetched || bad "not the same"
# By way of ssh as well, and as a user, who reads it by himself.
one 'r["changed"]' web1 $ssh -e ansible_xvs_host=dom0 -e ansible_user=nobody -m fetch -a "src='$dir/play/files/data' dest=$dir/fetched2 flat=yes"
cmp play/files/data fetched2 || bad "not the same"
one '"does not exist" in r["msg"]' web1 -m fetch -a "src=$dir/nothing dest=$dir/fetched3 flat=yes"
end

test_ status_output_and_error_are_apart
for way in "" "$ssh -e ansible_xvs_host=dom0"; do
    one 'r["rc"] == 7 and r["stdout"] == "out" and r["stderr"] == "err\n\nmore"' web1 $way -m raw -a 'printf out; printf "err\n\nmore" >&2; exit 7'
    for status in 125 255; do
        one "r['rc'] == $status and not r.get('unreachable')" web1 $way -m raw -a "echo something >&2; exit $status"
    done
done
end

test_ who_cannot_be_reached_is_unreachable_and_it_is_said_why
one 'r["unreachable"] and "no guest nosuch" in r["msg"]' web1 -e ansible_xvs_guest=nosuch -m raw -a true
one 'r["unreachable"] and "cannot reach away by ssh" in r["msg"] and "No route" in r["msg"]' web1 $ssh -e ansible_xvs_host=away -m raw -a true
one 'r["unreachable"] and "no guest nosuch" in r["msg"]' web1 $ssh -e ansible_xvs_host=chatty -e ansible_xvs_guest=nosuch -m raw -a true
one 'r["unreachable"] and "cannot run" in r["msg"]' web1 -e ansible_xvs_executable=/no/such/xvs -m raw -a true
one '"is no guest" in r["msg"]' web1 -e ansible_xvs_guest=-x -m raw -a true
one 'r["unreachable"] and "no user" in r["msg"]' web1 -e ansible_user=no-such-user -m raw -a true
end

test_ a_command_that_takes_too_long_is_ended
one 'r["rc"] == 124' web1 -e ansible_xvs_command_timeout=1 -m raw -a 'sleep 654321'
end

test_ another_user_of_the_guest_has_what_that_user_may
one 'r["stdout_lines"] == ["nobody"]' web1 -e ansible_user=nobody -m command -a 'id -un'
one 'r["owner"] == "nobody"' web1 -e ansible_user=nobody -m copy -a "src=$dir/play/files/data dest=$dir/web1/tmp/his"
cmp play/files/data web1/tmp/his || bad "not the same"
one 'r["msg"] and not r["changed"]' web1 -e ansible_user=nobody -m copy -a "content=x dest=$dir/web1/root/not-his"
[ ! -e web1/root/not-his ] || bad "he has written where he may not"
end

test_ become_is_asked_for_its_password
for pipelining in 0 1; do
    export ANSIBLE_PIPELINING=$pipelining
    sudo="--become -e ansible_become_exe=$dir/play/sudo"
    one 'r["stdout"] == "root"' web1 $sudo -e ansible_become_pass=secret -m shell -a 'echo "$AS"'
    one '"sudo: no" in r["module_stderr"]' web1 $sudo -e ansible_become_pass=wrong -m command -a 'true'
done
unset ANSIBLE_PIPELINING
end

test_ a_guest_whose_agent_is_not_there_is_unreachable
for pid in $agents; do kill "$pid"; done
one 'r["unreachable"] and "web1" in r["msg"]' web1 -m raw -a true
end

test_ the_manual_is_read_by_ansible_doc
on 0 ansible-doc -t connection xvs >out 2>err || bad "ansible-doc"
for option in $(sed -n 's/^      - name: \(ansible_xvs_[a-z_]*\)$/\1/p' "$top/bindings/ansible/xvs.py"); do
    grep -q "name: $option" out || bad "$option is not in it"
done
end
finish

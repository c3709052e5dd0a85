# SPDX-License-Identifier: MIT
# ssh over vsock, with the lines that are installed for it (dist/ssh.conf), and by a proxy that does as systemd's.

with_ssh() {
    on dom0 which ssh >/dev/null 2>&1 </dev/null || skip "there is no ssh (openssh-client) in dom0"
    sed 's|@BINDIR@/||' "$E2E_HERE/../../dist/ssh.conf" >"$T/ssh.conf" || fail "no dist/ssh.conf"
}
# It never asks, and knows nothing of this machine's own settings.
ssh_on() { # HOST [OPTION...] PLACE [COMMAND]
    _host=$1
    shift
    on "$_host" timeout 60 ssh -T -F "$T/ssh.conf" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "$@" </dev/null
}

# A server that says a version and hears one, and then has no more to say.
banner() { # HOST [GUEST], where xvs serve is
    # shellcheck disable=SC2016 # expanded over there
    spawn "banner$1" "$1" xvs serve 22 ${2-} -- sh -c 'printf "SSH-2.0-served_here\r\n"; read -r line; echo "$line" >>"$1"; exec sleep 600' \
        sh "$T/versions"
    : >"$T/versions"
}
says_who_it_is() { # HOST PLACE
    : >"$T/versions"
    _at=$1 _place=$2
    spawn client "$_at" timeout 60 ssh -v -T -F "$T/ssh.conf" -o BatchMode=yes "$_place" true
    wait_for 'grep -q "remote software version served_here" "$PEER/client.err" || has_ended client' 30 "ssh $_place"
    has_ended client && fail "ssh $_place has ended: $(tail -n 3 "$PEER/client.err" | tr '\n' '|')"
    wait_for 'grep -q ^SSH-2.0-OpenSSH "$T/versions"' 30 "the server hears the version of ssh $_place"
    signal client TERM
    status_of client >/dev/null
}
test_the_lines_for_ssh_find_guests_and_the_host() { # short
    with_ssh
    banner guest1
    banner dom0 guest2
    wait_for 'on dom0 xvs cat -z guest1 22 </dev/null 2>/dev/null' 20 "the guest listens"
    number=$(domid guest1)
    for place in guest1.xvs xvs/guest1 root@guest1.xvs "$number.xvs" "xvs/$number" cid:101.xvs xvs/cid:101 vsock/101; do
        says_who_it_is dom0 "$place"
    done
    for place in host.xvs xvs/host xvs/2 vsock/2; do
        says_who_it_is guest2 "$place"
    done
    # An error is xvs's own, and says what is missing.
    for place in nobody.xvs xvs/nobody; do
        ssh_on dom0 "$place" true >"$T/ssh.out" 2>&1 && fail "ssh $place: status 0"
        grep -q "no guest nobody" "$T/ssh.out" || fail "ssh $place: $(cat "$T/ssh.out")"
    done
    ssh_on dom0 -p 5799 guest1.xvs true >"$T/ssh.out" 2>&1 && fail "ssh to a port where nobody listens: status 0"
    grep -q "nobody listens at port 5799" "$T/ssh.out" || fail "ssh -p: $(cat "$T/ssh.out")"
    # In small letters it would be another guest; and what the network has is the network's.
    ssh_on dom0 -v GUEST1.xvs true >"$T/ssh.out" 2>&1
    grep -q "no guest GUEST1" "$T/ssh.out" || fail "ssh GUEST1.xvs: $(grep xvs "$T/ssh.out")"
    ssh_on dom0 -G xvs.example >"$T/ssh.out" 2>/dev/null
    grep -q -i "^proxycommand" "$T/ssh.out" && fail "xvs.example is taken for a guest"
    return 0
}

# systemd's proxy knows no number as long as ours (nor Firecracker's); it must be able to see that at once.
test_systemd_s_proxy_understands_the_answer() { # short
    with_ssh
    on dom0 which python3 >/dev/null 2>&1 </dev/null || skip "no python3 in dom0"
    banner guest1
    wait_for 'on dom0 xvs cat -z guest1 22 </dev/null 2>/dev/null' 20 "the guest listens"
    for version in old new; do
        echo "Host *
    ProxyUseFdpass yes
    ProxyCommand python3 $E2E_HERE/helpers/muxproxy.py $version $GUEST1 %p" >"$T/ssh.conf"
        says_who_it_is dom0 "vsock-mux$GUEST1"
    done
    ssh_on dom0 -p 5798 "vsock-mux$GUEST1" true >"$T/ssh.out" 2>&1 && fail "a port where nobody listens: status 0"
    grep -q "port 5798 of $GUEST1 is not open" "$T/ssh.out" || fail "a port where nobody listens: $(cat "$T/ssh.out")"
}

# Into a guest, and a file with it, by an sshd that has never seen a network.
test_ssh_into_a_guest() {
    with_ssh
    SSHD=$(command -v sshd || command -v /usr/sbin/sshd) || skip "there is no sshd (openssh-server)"
    [ "$E2E_PLATFORM" = hosted ] || skip "hosted Xen shows it as well"
    [ "$(id -u)" = 0 ] || skip "sshd is root's"
    grep -q ^sshd: /etc/passwd || skip "there is no user sshd"
    mkdir -p /run/sshd
    keys=$T/keys
    mkdir -m 700 -p "$keys"
    ssh-keygen -q -t ed25519 -N '' -f "$keys/host" </dev/null && ssh-keygen -q -t ed25519 -N '' -f "$keys/user" </dev/null ||
        fail "ssh-keygen"
    spawn server guest1 xvs serve 22 -- "$SSHD" -i -f /dev/null -h "$keys/host" -o "AuthorizedKeysFile=$keys/user.pub" \
        -o StrictModes=no -o UsePAM=no -o PermitRootLogin=yes -o "Subsystem=sftp internal-sftp"
    wait_for 'on dom0 xvs cat -z guest1 22 </dev/null 2>/dev/null' 20 "the guest listens"
    for place in guest1.xvs xvs/guest1; do
        equal "$(ssh_on dom0 -i "$keys/user" "root@$place" 'echo "$((6 * 7)) in the guest"' 2>"$T/ssh.err")" "42 in the guest" \
            "ssh $place ($(tail -n 3 "$T/ssh.err"))"
        ssh_on dom0 -i "$keys/user" "root@$place" 'exit 9' 2>/dev/null
        equal $? 9 "the status of a command in the guest"
    done
    head -c 3000001 /dev/urandom >"$T/dom0/in"
    on dom0 timeout 60 scp -q -F "$T/ssh.conf" -i "$keys/user" -o BatchMode=yes -o StrictHostKeyChecking=no \
        -o UserKnownHostsFile=/dev/null "$T/dom0/in" "root@guest1.xvs:$T/guest1/out" </dev/null 2>"$T/ssh.err" ||
        fail "scp: $(tail -n 3 "$T/ssh.err")"
    cmp -s "$T/dom0/in" "$T/guest1/out" || fail "the file is another one in the guest"
    # …and by a proxy that does as systemd's.
    command -v python3 >/dev/null 2>&1 || return 0
    for version in old new; do
        equal "$(ssh_on dom0 -i "$keys/user" -o ProxyUseFdpass=yes -o "ProxyCommand=python3 $E2E_HERE/helpers/muxproxy.py $version $GUEST1 %p" \
            "root@vsock-mux$GUEST1" 'echo passed' 2>"$T/ssh.err")" passed "ssh vsock-mux, $version ($(tail -n 3 "$T/ssh.err"))"
    done
    rm -f "$T/dom0/in" "$T/guest1/out"
}

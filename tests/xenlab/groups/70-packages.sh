#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: packages timeout=900
#
# From the packages to a service, as an administrator does it, by the lines of README and DEPLOYING: dpkg installs them in dom0 and in
# a guest, systemd runs the daemon here and an agent there, both are killed, started in any order, replaced by a newer version, and
# removed.  Nothing of the lab's build is used.
. ./lib.sh
for xen in /usr/lib/xen-*/bin; do break; done
export PATH=/lab/platform:$xen:/usr/sbin:/usr/bin:/sbin:/bin
unset LD_LIBRARY_PATH XVS_RUN_DIR
export XVS_BIN=/var/nothing
mkdir -p $XVS_BIN

# ---- words ------------------------------------------------------------------------------------------

# By its path: busybox's shell has a dpkg of its own.
install() { # PACKAGES, as files
	booted /usr/bin/dpkg -i "$@" 2>&1 || fail "dpkg -i $*"
}

version() { # PACKAGE
	/usr/bin/dpkg-query -W -f '${Version}' "$1"
}

# newer PACKAGE: the same as the next version, as /tmp/PACKAGE.deb
newer() {
	rm -rf /tmp/newer
	/usr/bin/dpkg-deb -R ./"$1"_[0-9]*.deb /tmp/newer &&
		sed -i 's/^Version: .*/&+next/; s/(= \([^)]*\))/(= \1+next)/' /tmp/newer/DEBIAN/control &&
		/usr/bin/dpkg-deb -Znone -b /tmp/newer /tmp/"$1".deb >/dev/null || fail "there is no newer $1"
}

in_guest() {
	on debian env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@" </dev/null
}

# of PROPERTY: of the daemon's service; of_agent PROPERTY: of the agent's.
of() {
	systemctl show -P "$1" xvsd
}

of_agent() {
	in_guest systemctl show -P "$1" xvs-serve@1234
}

# is_another WORD PID: "of" or "of_agent", whose service runs, as another process than that.
is_another() {
	[ "$($1 ActiveState)" = active ] && [ "$($1 MainPID)" != "$2" ]
}

journal() { # LINES
	booted journalctl -u xvsd --no-pager -o cat -n "$1"
}

agent_answers() { # WHEN
	equal "$(echo 'a word' | timeout 60 xvs cat --retry 60 debian 1234)" 'A WORD' "the agent's answer $1"
}

service_is() { # NAME STATE
	[ "$(in_guest systemctl show -P ActiveState "$1")" = "$2" ]
}

says_who_owns_the_device() { # PID
	in_guest journalctl --no-pager -o cat -u xvs-serve@1234 | grep "process $1 "
}

process() { # NAME: its id
	grep -lx "$1" /proc/[0-9]*/comm 2>/dev/null | cut -d / -f 3
}

# rights NAME: its user and its effective capabilities.
rights() {
	awk '/^Uid:/ { print $2, $3, $4 } /^CapEff:/ { print $2 }' "/proc/$(process "$1")/status" | tr '\n' ' '
}

# ---- tests ------------------------------------------------------------------------------------------

test_the_daemon_runs_once_dpkg_has_installed_it() { # limit 120
	ls ./xvsd_*.deb >/dev/null 2>&1 || fail "there are no packages; make check-xen makes them (XVS_PACKAGES)"
	# A dom0 that has never heard of xvs.
	sed -i /^xvs:/d /etc/passwd /etc/group
	start-systemd || fail "no systemd"
	install ./libxvs0_*.deb ./xvs_*.deb ./xvsd_*.deb ./xvs-host_*.deb
	equal "$(systemctl is-enabled xvsd) $(systemctl is-active xvsd)" "enabled active" "the service: $(journal 5)"
	systemctl status --no-pager xvsd
	xvs ls || fail "xvs ls"
	figure "$(journal 50 | grep ready)"
}

test_each_of_its_processes_has_the_rights_that_security_says() {
	ps | grep '[x]vsd'
	user=$(awk -F : '$1 == "xvs" { print $3 }' /etc/passwd)
	[ "${user:-0}" -gt 0 ] || fail "there is no user xvs"
	# CHOWN DAC_OVERRIDE FOWNER SETGID SETUID SYS_CHROOT
	equal "$(rights xvsd)" "0 0 0 00000000000400cb " "the keeper's user and capabilities"
	equal "$(rights xvsd-dialer)" "0 0 0 00000000000400cb " "the dialer's"
	equal "$(rights xvsd-worker)" "$user $user $user 0000000000000000 " "the worker's"
	equal "$(readlink "/proc/$(process xvsd-worker)/root")" /run/xvs "what the worker sees"
	exposure=$(booted systemd-analyze security xvsd | sed -n 's/.*Overall exposure level for [^:]*: \([0-9.]*\).*/\1/p')
	figure "$(ps | grep '[x]vsd' | tr -s ' ' | tr '\n' ';')"
	figure "systemd-analyze security: $exposure"
	[ "${exposure%.*}" -lt 2 ] || [ "$exposure" = 2.0 ] || fail "the service is exposed: $exposure"
}

test_a_guest_has_what_xvs_guest_says() { # limit 300
	create debian || fail "the guest with systemd does not start"
	for deb in ./libxvs0_*.deb ./xvs_*.deb ./xvs-guest_*.deb; do
		put debian "$deb" "/root/${deb##*/}" || fail "the guest does not take $deb"
	done
	in_guest sh -c '/usr/bin/dpkg -i /root/*.deb' || fail "dpkg -i in the guest"
	in_guest sh -c 'modprobe -a $(grep -v "^#" /usr/lib/modules-load.d/xvs-guest.conf)' || fail "modules-load.d/xvs-guest.conf"
	in_guest sh -c 'xvs ping -l 7 >/dev/null 2>/tmp/ping.err & echo $! >/tmp/ping.pid'
	xvs ping -c 3 -i 0.1 --retry 60 debian 7 || fail "xvs ping: $(journal 5; in_guest cat /tmp/ping.err)"
	# A reload of the daemon keeps a stream.
	first=$(of MainPID)
	xvs ping -c 20 -i 0.1 debian 7 >/dev/null &
	stream=$!
	systemctl reload xvsd || fail "systemctl reload"
	wait $stream || fail "a stream does not live through a reload"
	equal "$(of MainPID)" "$first" "the process after a reload"
	# A file that is wrong makes it fail, and the status says why; what was before stays in force.
	echo "this is no line of a policy" >/etc/xvs/policy.d/10-broken.policy
	systemctl reload xvsd && fail "the reload of a broken policy succeeds"
	systemctl status xvsd | grep -q "Status: .The last reload failed.*10-broken.policy" ||
		fail "the status does not say so: $(systemctl status xvsd)"
	equal "$(of ActiveState)" active "the daemon after a reload that failed"
	xvs ping -c 1 debian 7 >/dev/null || fail "the guest is not served after a reload that failed"
	rm /etc/xvs/policy.d/10-broken.policy
	systemctl reload xvsd || fail "systemctl reload"
	! systemctl status xvsd | grep -q "last reload failed" || fail "the status tells of a reload that is mended"
}

# SECURITY and DEPLOYING: with the group's devices, and a directory of its own.  This guest has no udev, so what the rule says is done by hand.
test_a_service_in_the_group_need_not_be_root() { # limit 120
	rule=$(in_guest grep -v '^#' /lib/udev/rules.d/60-xvs-guest.rules)
	group=$(echo "$rule" | sed -n 's/.*GROUP="\([^"]*\)".*/\1/p')
	devices=$(echo "$rule" | sed -n 's/.*KERNEL=="\([^"]*\)".*/\1/p' | tr '|' ' ')
	in_guest grep "^$group:[^:]*:[0-9]*:\$" /etc/group || fail "the package makes no group $group: $(in_guest cat /etc/group)"
	in_guest sh -c 'kill $(cat /tmp/ping.pid)'
	cat >/tmp/unit <<-END
		[Service]
		ExecStart=/usr/bin/xvs ping -l 7
		User=nobody
		SupplementaryGroups=$group
		RuntimeDirectory=mine
		Environment=XVS_RUN_DIR=/run/mine
	END
	in_guest mkdir -p /etc/systemd/system
	put debian /tmp/unit /etc/systemd/system/mine.service || fail "the guest does not take a unit"
	in_guest systemctl daemon-reload
	in_guest sh -c 'for device; do ! [ -e /dev/$device ] || { chgrp root /dev/$device; chmod 600 /dev/$device; }; done' mine $devices
	in_guest systemctl start mine
	wait_for 20 "a service that has no right to the devices ends" service_is mine failed
	# shellcheck disable=SC2086 # words
	in_guest sh -c 'group=$1; shift; for device; do ! [ -e /dev/$device ] || { chgrp $group /dev/$device; chmod 660 /dev/$device; }; done' mine "$group" $devices
	in_guest systemctl start mine
	xvs ping -c 3 -i 0.1 --retry 60 debian 7 || fail "xvs ping: $(in_guest journalctl --no-pager -o cat -u mine -n 5)"
	[ "$(in_guest sh -c 'awk "/^Uid:/ { print \$2 }" /proc/$(systemctl show -P MainPID mine)/status')" -gt 0 ] || fail "it is root"
	in_guest systemctl stop mine
	in_guest sh -c 'rm /etc/systemd/system/mine.service && systemctl daemon-reload'
	in_guest sh -c 'xvs ping -l 7 >/dev/null 2>/tmp/ping.err & echo $! >/tmp/ping.pid'
	xvs ping -c 1 --retry 60 debian 7 >/dev/null || fail "xvs ping: $(in_guest cat /tmp/ping.err)"
}

# DEPLOYING's lines.  `systemctl edit` wants a terminal, and an editor.
test_an_agent_is_a_service_of_the_guest() { # limit 120
	cat >/tmp/editor <<-'END'
		#!/bin/sh
		for file; do :; done
		{ echo '[Service]'; echo 'ExecStart='; echo "ExecStart=/usr/bin/xvs serve -v 1234 -- tr a-z A-Z"; } >"$file"
	END
	chmod 755 /tmp/editor
	put debian /tmp/editor /root/editor
	in_guest sh -c 'EDITOR=/root/editor TERM=dumb systemctl edit xvs-serve@1234 </dev/hvc0 >/dev/hvc0 2>&1' || fail "systemctl edit"
	in_guest systemctl enable --now xvs-serve@1234 || fail "systemctl enable --now"
	# The device is still owned, by the test before; the service says so, and has it as soon as it is free.
	wait_for 20 "the agent says who owns the device" says_who_owns_the_device "$(in_guest cat /tmp/ping.pid)"
	in_guest sh -c 'kill $(cat /tmp/ping.pid)'
	agent_answers "at first"
	equal "$(of_agent ActiveState)" active "the agent's service"
	in_guest systemctl status --no-pager xvs-serve@1234 | tee /tmp/status
	grep 'the device is up, CID' /tmp/status || fail "the status does not say that the agent is connected"
	in_guest journalctl --no-pager -u modprobe@xen_gntalloc | grep -q Finished || fail "the service does not load its modules"
	in_guest ps | grep '[x]vs serve'
	exposure=$(in_guest systemd-analyze security xvs-serve@1234 | sed -n 's/.*Overall exposure level for [^:]*: \([0-9.]*\).*/\1/p')
	figure "systemd-analyze security: $exposure"
	equal "${exposure%.*}" 0 "how the agent's service is exposed"
}

test_an_agent_outlives_the_daemon_and_is_started_again_itself() { # limit 240
	agent=$(of_agent MainPID)
	systemctl restart xvsd || fail "systemctl restart"
	agent_answers "after a restart of the daemon"
	first=$(of MainPID)
	systemctl kill -s KILL xvsd
	wait_for 10 "systemd starts a killed daemon again" is_another of "$first"
	agent_answers "after the daemon was killed"
	equal "$(of_agent MainPID)" "$agent" "the agent's process"
	in_guest systemctl kill -s KILL xvs-serve@1234
	wait_for 10 "systemd starts a killed agent again" is_another of_agent "$agent"
	agent_answers "after it was killed"
	# As at a boot where the guest is quicker than dom0.
	systemctl stop xvsd || fail "systemctl stop"
	equal "$(of Result) $(of ExecMainStatus)" "success 0" "how xvsd ended"
	[ -z "$(process xvsd)$(process xvsd-worker)$(process xvsd-dialer)" ] || fail "a process is left: $(ps | grep '[x]vsd')"
	[ ! -S /run/xvs/control.sock ] || fail "its control socket is left"
	in_guest systemctl restart xvs-serve@1234 || fail "the agent does not start without a daemon"
	systemctl start xvsd || fail "systemctl start"
	agent_answers "when it was there before the daemon"
	equal "$(of_agent ActiveState) $(of_agent NRestarts)" "active 0" "the agent's service, and how often systemd has started it again"
	in_guest journalctl --no-pager -u xvs-serve@1234 -n 20
}

# A guest's lines are found by their fields, and the package's catalogue has what they mean.
test_the_journal_has_a_guest_s_lines_by_their_fields() {
	booted journalctl -u xvsd --no-pager -o json XVS_GUEST=debian >/tmp/journal.json
	grep '"XVS_EVENT":"attach"' /tmp/journal.json | grep '"XVS_DOMID":"[0-9]*"' | grep '"XVS_CID":"[0-9]*"' |
		grep -q '"MESSAGE_ID":"413c512d35ca4b74901760c48ae7215c"' || fail "no attach with its fields: $(tail -n 3 /tmp/journal.json)"
	[ "$(grep -c '"XVS_GUEST":"debian"' /tmp/journal.json)" = "$(wc -l </tmp/journal.json)" ] || fail "another guest's lines"
	# As the trigger of systemd's package does, which is none of dpkg's in the lab.
	booted journalctl --update-catalog || fail "journalctl does not take the catalogue"
	booted journalctl -u xvsd --no-pager -x MESSAGE_ID=413c512d35ca4b74901760c48ae7215c | grep 'Guest debian has a vsock device' ||
		fail "no catalogue"
}

# Within the unit's walls the daemon reaches a host program, as that program's user.
test_a_guest_reaches_what_dom0_serves() {
	xvs serve 9100 debian -- echo served 2>/tmp/serve.err &
	served=$!
	wait_for 20 "a port that is served in dom0: $(cat /tmp/serve.err)" [ -S /run/xvs/guest/debian/vsock_9100 ]
	in_guest systemctl stop xvs-serve@1234
	equal "$(in_guest xvs cat --retry 60 host 9100)" served "what dom0 serves to the guest"
	in_guest systemctl start xvs-serve@1234
	kill $served
}

# On as soon as it is installed; it waits while another program of the guest has the device.
test_the_agent_s_package_gives_exec() { # limit 240
	put debian "$(echo ./xvs-agent_[0-9]*.deb)" /root/xvs-agent.deb || fail "the guest does not take it"
	in_guest /usr/bin/dpkg -i /root/xvs-agent.deb || fail "dpkg -i in the guest"
	equal "$(in_guest systemctl show -P ActiveState xvs-agent)" active "the agent's service"
	in_guest systemctl stop xvs-serve@1234
	echo words >/tmp/word
	equal "$(xvs exec --retry 60 debian -- sh -c 'echo "$0 says $(cat)"; echo aside >&2; exit 7' it </tmp/word 2>/tmp/aside; echo $?)" \
		"it says words
7" "what a command says, and its status"
	equal "$(cat /tmp/aside)" aside "what it says to standard error"
	head -c 1000000 /dev/urandom >/tmp/f
	equal "$(xvs exec debian -- sha256sum </tmp/f)" "$(sha256sum </tmp/f)" "the sum in the guest"
	# libarchive, with all that it needs, is larger than this guest.
	xvs cp /tmp/f debian:/root/ 2>&1 | grep 'install libarchive13' || fail "xvs cp does not say what is missing"
	in_guest systemctl restart xvs-agent || fail "systemctl restart"
	equal "$(xvs exec --retry 60 debian -- cat /proc/1/comm)" systemd "what a command says after the agent was started again"
	in_guest /usr/bin/dpkg -P xvs-agent || fail "dpkg -P in the guest"
	equal "$(in_guest systemctl show -P ActiveState xvs-agent)" inactive "the service of an agent that was removed"
	in_guest systemctl start xvs-serve@1234
}

test_a_newer_version_takes_over() { # limit 240
	newer xvs
	newer xvsd
	first=$(of MainPID) agent=$(of_agent MainPID)
	install /tmp/xvs.deb /tmp/xvsd.deb
	is_another of "$first" || fail "the daemon is not another process, it is $(of ActiveState)"
	case $(version xvsd) in *+next) ;; *) fail "the version is $(version xvsd)" ;; esac
	agent_answers "after the daemon was replaced"
	put debian /tmp/xvs.deb /root/xvs.deb || fail "the guest does not take it"
	in_guest /usr/bin/dpkg -i /root/xvs.deb || fail "dpkg -i in the guest"
	is_another of_agent "$agent" || fail "the agent is not another process, it is $(of_agent ActiveState)"
	agent_answers "after it was replaced"
}

test_nothing_is_left_but_what_an_administrator_wrote() { # limit 120
	in_guest /usr/bin/dpkg -r xvs-guest xvs || fail "dpkg -r in the guest"
	equal "$(of_agent LoadState) $(of_agent ActiveState)" "not-found inactive" "the agent's service"
	! in_guest ps | grep '[x]vs serve' || fail "the agent runs"
	in_guest /usr/bin/dpkg -P xvs-guest xvs libxvs0 || fail "dpkg -P in the guest"
	equal "$(in_guest sh -c 'find / -xdev -name "*xvs*" ! -path "/root/*" ! -path "/xvs*" | sort' | tr '\n' ' ')" \
		"/etc/systemd/system/xvs-serve@1234.service.d " "what is left in the guest"
	booted /usr/bin/dpkg -r xvs-host xvsd 2>&1 || fail "dpkg -r"
	[ -z "$(process xvsd)$(process xvsd-worker)$(process xvsd-dialer)" ] || fail "a process is left: $(ps | grep '[x]vsd')"
	[ ! -e /run/xvs ] || fail "/run/xvs is left"
	[ -e /etc/xvs/xvsd.conf ] || fail "the configuration is gone, though nobody said purge"
	booted /usr/bin/dpkg -P xvs-host xvsd xvs libxvs0 2>&1 || fail "dpkg -P"
	# The user stays, as Debian has it: files may be his.
	equal "$(find / -xdev -name '*xvs*' ! -path '/lab/*' ! -path '/xvs*' ! -path '/tmp/*' | sort | tr '\n' ' ')" "" "what is left in dom0"
	kernel_is_content dom0
	kernel_is_content debian
}

run_tests "$@"

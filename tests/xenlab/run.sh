#!/bin/sh
# SPDX-License-Identifier: MIT
#
# run.sh [GROUP...]: the groups of tests on real Xen, each on a host restored
# from the snapshot; a GROUP is a file of groups/ or its number, none means all.
#
# Prints "ok NAME", "FAIL NAME: why" or "skip NAME: reason" a test, and as its
# last line the sum.  What a group printed and left in $OUT, the guests' consoles
# and the serial log stay in build/xenlab/results/GROUP.
#
#     XVS_BIN=DIR     the build that is tested (build/release); a colon between several
#     XENLAB_DEBIAN=13  the Debian that is booted, 12 if not said
#     XENLAB_HOSTS=N  hosts at a time, of 2 GiB each; one per processor if not said, at most four
#
# A group says how it wants to be run in a line of its own:
#
#     # lab: timeout=300 cold guests=pvh cpu=+svm,+npt tries=3 advisory e2e
#
# timeout   seconds for the whole group on a machine that does nothing else, 300 if not said; it gets three times as many
# cold      boots a host with these guests and this processor, not the snapshot
# tries     runs it again when it fails
# advisory  its failures are shown, and counted as skipped
# e2e       puts tests/e2e beside the group
# with      puts this file of groups/ beside it
# programs  puts $XVS_PROGRAMS beside it, as the folder programs, and groups/programs.sh: programs that are not ours
#           (programs/gather.sh)
# bench     takes the programs of $XVS_BENCH along, as those of XVS_BIN
# packages  puts the packages in $XVS_PACKAGES beside the group, which `make deb` has made
# kernel    puts $XVS_KERNEL beside the group, as the folder lab: the guest's driver and what it needs (tests/kernel/lab.sh)
set -u
here=$(cd "$(dirname "$0")" && pwd)
top=$here/../..
lab=$here/lab
debian=${XENLAB_DEBIAN:-12}
suffix=
[ "$debian" = 12 ] || suffix=-$debian
results=${XENLAB_DIR:-$top/build/xenlab$suffix}/results
bins=${XVS_BIN-$top/build/release}
# A host has one processor, so as many at a time as there are.
hosts=${XENLAB_HOSTS:-$(nproc)}
[ "$hosts" -le 4 ] || hosts=4

passed=0 failed=0 skipped=0
running=
# shellcheck disable=SC2086 # process ids
stop() {
	[ -z "$running" ] || kill $running 2>/dev/null
	wait
	exit 130
}
trap stop INT TERM HUP

sum() {
	echo "$passed passed, $failed failed, $skipped skipped"
	[ $failed -eq 0 ]
	exit
}

# In the background and waited for, so that an interrupt reaches the trap above at once.
run() {
	"$@" &
	running=$!
	wait "$running"
	status=$?
	running=
	return $status
}

setting() { # NAME DEFAULT: of the group's "# lab:" line
	value=$(sed -n "s/^# lab:\(.* \| \)$1=\([^ ]*\).*/\2/p" "$file")
	echo "${value:-$2}"
}

flag() {
	grep -q "^# lab:\(.* \| \)$1\( \|$\)" "$file"
}

is_wanted() {
	[ -n "$wanted" ] || return 0
	for want in $wanted; do
		case $want in "$name" | "$name.sh" | "${name%%-*}") return 0 ;; esac
	done
	return 1
}

# The results of one run as they come, and the rest into the log.
run_group() {
	set -- --timeout "$(($(setting timeout 300) * 3))" --out "$out" --add "$here/groups/lib.sh"
	old_ifs=$IFS
	IFS=:
	for bin in $bins; do
		set -- "$@" --bin "$bin"
	done
	IFS=$old_ifs
	if flag bench && [ -d "${XVS_BENCH-}" ]; then
		set -- "$@" --bin "$XVS_BENCH"
	fi
	if flag e2e; then
		set -- "$@" --add "$top/tests/e2e"
	fi
	with=$(setting with '')
	if [ -n "$with" ]; then
		set -- "$@" --add "$here/groups/$with"
	fi
	if flag programs && [ -d "${XVS_PROGRAMS-}" ]; then
		set -- "$@" --add "$XVS_PROGRAMS" --add "$here/groups/programs.sh"
	fi
	if flag packages; then
		for deb in "${XVS_PACKAGES-}"/*.deb; do
			case $deb in *-dbgsym_* | *'/*.deb') ;; *) set -- "$@" --add "$deb" ;; esac
		done
	fi
	if flag kernel && [ -d "${XVS_KERNEL-}" ]; then
		set -- "$@" --add "$XVS_KERNEL" --add "$here/groups/kernel.sh"
	fi
	if flag cold; then
		set -- cold --guests "$(setting guests '')" --cpu "$(setting cpu '')" "$@"
	else
		set -- run "$@"
	fi
	# Instead of this subshell, so that the trap above ends the lab itself.
	exec "$lab" "$@" "$file" 2>"$out.err" >"$out.out"
}

# count PREFIX: results of that sort
count() {
	grep -c "^$1 " "$out.out"
}

show() {
	sed -n '/^\(ok\|FAIL\|skip\) /p; /^    /p' "$out.out" | if flag advisory; then
		sed 's/^FAIL \(.*\)/skip \1 (does not decide)/'
	else
		cat
	fi
}

# A guest's kernel that broke explains much: what it ran into, in which program, and where (function+0xoffset).
what_kernels_said() {
	grep -E 'Out of memory|kernel BUG|Oops|Comm: |\+0x|Kernel panic' "$out"/guest-*.log 2>/dev/null | head -n 60 | sed "s|^$out/||"
}

mkdir -p "$results"
wanted=$*
if ! run "$lab" snapshot 2>"$results/snapshot.err"; then
	cat "$results/snapshot.err"
	echo "FAIL lab: $(sed -n 's/^lab: //p' "$results/snapshot.err" | tail -n 1)"
	failed=1
	sum
fi
cat "$results/snapshot.err"

# one_group: runs group $name, and says at its end, in one piece, how it went; its counts go into $out.sum.
one_group() {
	file=$here/groups/$name.sh
	out=$results/$name
	start=$(date +%s)
	tries=$(setting tries 1)
	while :; do
		run run_group
		status=$?
		# What did not end as it should is a failure of its own.
		if [ $status -ne 0 ] && [ "$(count FAIL)" -eq 0 ]; then
			echo "FAIL $name: $(sed -n 's/^lab: //p' "$out.err" | tail -n 1 | grep . || echo "ended with status $status")" >>"$out.out"
		elif [ "$(count '\(ok\|FAIL\|skip\)')" -eq 0 ]; then
			echo "FAIL $name: it had no tests" >>"$out.out"
		fi
		tries=$((tries - 1))
		[ $tries -gt 0 ] && [ "$(count FAIL)" -gt 0 ] || break
		echo "-- $name failed, once more:"
		{
			sed -n '/^FAIL /,/^ok /p' "$out.out" | grep -v '^ok '
			what_kernels_said
		} | sed 's/^/    /'
	done
	p=$(count ok) f=$(count FAIL) s=$(count skip)
	{
		show
		if [ "$f" -gt 0 ]; then
			{
				cat "$out.err"
				what_kernels_said
			} | sed 's/^/    /'
		fi
		if flag advisory; then
			s=$((s + f)) f=0
		fi
		echo "== $name: $p passed, $f failed, $s skipped in $(($(date +%s) - start)) s"
	} >"$out.shown"
	cat "$out.shown"
	echo "$p $f $s" >"$out.sum"
}

# A worker takes the next group that nobody has taken.
worker() {
	running=
	trap stop TERM
	for name in $names; do
		mkdir "$results/$name.taken" 2>/dev/null && one_group
	done
}

# What may take longest, all its tries together, first: so that none of them ends long after the rest.
names=$(for file in "$here"/groups/[0-9]*.sh; do
	name=$(basename "$file" .sh)
	rm -rf "$results/$name.taken" "$results/$name.sum"
	is_wanted && echo "$(($(setting timeout 300) * $(setting tries 1))) $name"
done | sort -rns | cut -d' ' -f2)
for _ in $(seq "$hosts"); do
	worker &
	running="$running $!"
done
# shellcheck disable=SC2086 # process ids
wait $running
for name in $names; do
	rmdir "$results/$name.taken"
	# A worker that was killed has left none: a failure.
	read -r p f s <"$results/$name.sum" || p=0 f=1 s=0
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
sum

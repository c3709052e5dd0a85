#!/bin/bash
# SPDX-License-Identifier: MIT
#
# cp.sh: xvs cp between dom0 and a guest of a hosted Xen, and between two guests.  All of them see the same file system, so a copy is compared
# with its source here.  What single entries may be is tested by tests/unit/test_copy_*.c.
. "$(dirname "$0")/lib.sh"

# The same names, contents, modes, times and links.
list() { (cd "$1" && find . -printf '%p %y %m %T@ %l %n %U %G\n' | sort && find . -type f -size -2M -print0 | sort -z | xargs -0 sha256sum); }
same() {
    list "$1" >list1
    list "$2" >list2
    cmp -s list1 list2 || bad "$2 is not as $1: $(diff list1 list2 | head -3)"
}

mkdir -p tree/dir/empty
printf file >tree/file
printf x >"tree/new
line$(printf '\377')"
ln tree/file tree/dir/hard
ln -s ../file tree/dir/link
ln -s nowhere tree/dangling
head -c 3000000 /dev/urandom >tree/dir/random
chmod 640 tree/file
chmod 750 tree/dir
touch -d '2001-02-03 04:05:06.789' tree/file tree/dir/link -h
touch -d '2001-02-03 04:05:06.789' tree/dir/empty tree/dir tree

if test_ a_tree_goes_into_a_guest_and_out_of_it; then
status 0 xvs cp -r tree web1:"$dir/there"
same tree there
status 0 xvs cp web1:"$dir/there" back
same tree back
[ ! -s err ] || bad "it says: $(cat err)"
end
fi

if test_ one_file_goes_both_ways_and_the_summary_is_json; then
status 0 xvs cp --json tree/file web1:"$dir/one"
python3 -c 'import json,sys; o=json.load(sys.stdin); assert (o["files"], o["bytes"], o["problems"], o["status"]) == (1, 4, 0, 0), o' <out || bad "$(cat out)"
status 0 xvs cp web1:"$dir/one" ./a:b
cmp -s tree/file a:b || bad "a:b"
status 0 xvs cp ./a:b web1:two:three
cmp -s tree/file two:three || cmp -s tree/file /two:three || bad "two:three"
rm -f /two:three
end
fi

if test_ several_sources_need_a_directory; then
status 1 xvs cp tree/file tree/dir/random web1:"$dir/nosuch"
err_has "there is no such directory; -p makes it"
status 0 xvs cp -p tree/file tree/dir/random web1:"$dir/several"
cmp -s tree/file several/file && cmp -s tree/dir/random several/random || bad "several"
end
fi

if test_ what_cannot_be_copied_is_named_and_the_rest_is_copied; then
mkdir mixed
printf good >mixed/good
mkfifo mixed/fifo
status 1 xvs cp mixed web1:"$dir/mixed.there"
err_has "xvs cp: mixed/fifo: left out"
[ "$(cat mixed.there/good)" = good ] || bad "the rest"
status 1 xvs cp web1:"$dir/mixed" mixed.back
err_has "xvs cp: web1:$dir/mixed/fifo: left out"
[ "$(cat mixed.back/good)" = good ] || bad "the rest, back"
status 1 xvs cp web1:"$dir/nosuch" web1:"$dir/mixed/good" several
err_has "web1:$dir/nosuch: No such file or directory"
[ "$(cat several/good)" = good ] || bad "the other one"
status 1 xvs cp tree/file web1:/proc/sys/nosuch
status 3 xvs cp tree nosuch:/x
status 2 xvs cp tree/file .
end
fi

if test_ a_tar_stream_goes_both_ways; then
# shellcheck disable=SC2016
on 0 sh -c 'xvs cp web1:"$1/tree" - >out.tar' sh "$dir" || bad "out: $?"
tar -tf out.tar 2>/dev/null | grep -qx tree/dir/random || bad "the archive"
mkdir untar
# shellcheck disable=SC2016
on 0 sh -c 'tar -cf - tree | xvs cp - web1:"$1/untar"' sh "$dir" || bad "in: $?"
cmp -s tree/dir/random untar/tree/dir/random || bad "what came"
# shellcheck disable=SC2016
on 0 sh -c 'echo no archive | xvs cp - web1:"$1/untar" 2>err' sh "$dir" && bad "what is none is taken"
err_has "what comes is no good archive"
end
fi

# One entry that is left out, and then what is no archive: both are said at once.
if test_ what_is_wrong_is_said_while_the_input_is_silent; then
cat >silent.py <<'PY'
import sys, tarfile, time
sys.stdout.buffer.write(tarfile.TarInfo("../out").tobuf() + b"x" * 512)
sys.stdout.flush()
time.sleep(3600)
PY
mkfifo silent
python3 silent.py >silent &
# shellcheck disable=SC2016
limit=60 on 0 sh -c 'exec xvs cp - "$1" <silent 2>err' sh web1:"$dir/silent.there"
got=$?
[ "$got" -eq 1 ] || bad "status $got"
err_has "web1:../out"
err_has "what comes is no good archive"
kill $!
wait $! 2>/dev/null
end
fi

if test_ compressed_it_is_the_same; then
status 0 xvs cp -z tree web1:"$dir/zthere"
same tree zthere
status 0 xvs cp -z web1:"$dir/zthere" zback
same tree zback
end
fi

if test_ a_sparse_file_of_100_gib_costs_nothing; then
if truncate -s 100G sparse 2>/dev/null; then
printf middle | dd of=sparse bs=1M seek=50000 conv=notrunc status=none
limit=60 status 0 xvs cp sparse web1:"$dir/sparse.there"
[ "$(stat -c %s sparse.there)" = $((100 << 30)) ] || bad "size $(stat -c %s sparse.there)"
[ "$(stat -c %b sparse.there)" -lt 1000 ] || bad "$(stat -c %b sparse.there) blocks"
[ "$(dd if=sparse.there bs=1M skip=50000 count=1 status=none | head -c 6)" = middle ] || bad "its data"
end
else
skip "this file system has no file of 100 GiB"
fi
fi

if test_ ten_thousand_small_files_go_both_ways; then
python3 - <<'PY'
import os
for i in range(100):
    os.makedirs(f"many/{i}")
    for j in range(100):
        with open(f"many/{i}/{j}", "wb") as f: f.write(b"%d %d\n" % (i, j) * 100)
PY
status 0 xvs cp --no-sync --json many web1:"$dir/many.there"
grep -q '"files":10000,' out || bad "$(cat out)"
status 0 xvs cp --no-sync --json web1:"$dir/many.there" many.back
diff -r many many.back >/dev/null || bad "they are others"
end
fi

if test_ a_full_disk_is_said_with_the_name_of_the_file; then
mkdir full
if mount -t tmpfs -o size=1m none full 2>/dev/null; then
status 1 xvs cp tree web1:"$dir/full/x"
err_has "web1:$dir/full/x/dir/random: No space left on device"
[ ! -e full/x/dir/random ] || bad "a part of it is there"
status 1 xvs cp web1:"$dir/tree" full/y
err_has "full/y/dir/random: No space left on device"
umount full
end
else
skip "no file system can be mounted here"
fi
fi

# ---- the end in the middle ----------------------------------------------------------------------------------
# begin_copy GUEST: copies a file into cut/ of which the rest does not come; its process is pid.
cat >feed <<'PY'
import sys, tarfile, time
info = tarfile.TarInfo("half")
info.size = 1 << 30
sys.stdout.buffer.write(info.tobuf() + b"x" * 3000000)
sys.stdout.flush()
time.sleep(3600)
PY
begin_copy() {
    rm -rf cut pipe
    mkdir cut
    mkfifo pipe
    python3 feed >pipe &
    feed=$!
    # shellcheck disable=SC2016
    run 0 sh -c 'exec xvs cp - "$1" <pipe 2>err' sh "$1:$dir/cut"
    wait_for service
}
end_feed() {
    kill "$feed"
    wait "$feed" 2>/dev/null
}
# Some process has a file in cut/ open, which has no name.
service() { ls -l /proc/[0-9]*/fd 2>/dev/null | grep -q " $dir/cut/"; }
no_service() { ! service; }

if test_ a_copy_that_is_killed_leaves_nothing_behind; then
begin_copy web1
kill -KILL "$pid"
wait_for no_service
[ -z "$(ls -A cut)" ] || bad "left: $(ls -A cut)"
wait "$job" 2>/dev/null
end_feed
end
fi

if test_ a_copy_that_is_interrupted_leaves_nothing_behind; then
begin_copy web1
kill -TERM "$pid"
wait "$job" 2>/dev/null
got=$?
[ "$got" -eq 143 ] || bad "status $got"
wait_for no_service
[ -z "$(ls -A cut)" ] || bad "left: $(ls -A cut)"
end_feed
end
fi

# ---- from guest to guest ------------------------------------------------------------------------------------
limit=3600 run db1 xvs-agent -c "$dir/agent.conf" -s "$dir/services.d" >>agent2.log 2>&1 </dev/null
second=$pid second_job=$job
until_true on 0 xvs exec -q db1 -- true

if test_ a_tree_goes_from_guest_to_guest; then
status 0 xvs cp web1:"$dir/tree" db1:"$dir/relayed"
same tree relayed
status 0 xvs cp --json -z web1:"$dir/tree/file" db1:"$dir/relayed/copy"
grep -q '"files":1,' out || bad "$(cat out)"
status 1 xvs cp web1:"$dir/nosuch" db1:"$dir/relayed"
err_has "web1:$dir/nosuch: No such file or directory"
status 1 xvs cp web1:"$dir/tree" db1:"$dir/relayed/file"
err_has "db1:$dir/relayed/file: a directory cannot take the place of a file"
end
fi

if test_ a_stream_that_breaks_is_status_6_and_says_how_much_had_come; then
begin_copy db1
kill -KILL "$second"
wait "$job" 2>/dev/null
got=$?
[ "$got" -eq 6 ] || bad "status $got"
err_has "db1: the stream ended before the copy had"
[ -z "$(ls -A cut)" ] || bad "left: $(ls -A cut)"
end_feed
end
fi
kill "$second" 2>/dev/null
wait "$second_job" 2>/dev/null
finish

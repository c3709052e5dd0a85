#!/bin/sh
# SPDX-License-Identifier: MIT
# layers.sh: a wrong-way #include does not build.  Who may know whom is said here a second time (may_know), so that a
# slip in the Makefile is one.  Each header is complete in itself, with the include paths that the Makefile gives to its own folder;
# and for each folder all headers of every folder that it may know are found by exactly its paths, and compile together.  The other
# folders must not be among the paths.  What include paths cannot forbid, an #include that climbs out of its folder
# and two headers of one name, is looked for in the sources.
# Also: within a folder, and between the folders, nothing goes round in a circle; and the wire header stands alone, in C
# and in C++.
set -u
cd "$(dirname "$0")/.." || exit 2
make=${MAKE:-make}
cc=${CC:-cc}
passed=0 failed=0 skipped=0
err=$(mktemp) || exit 2
trap 'rm -f "$err"' EXIT

common="common/wire common/base common/reason common/ring common/vsock common/link"
may_know() {
    case $1 in
    common/wire | common/base) ;;
    common/reason) echo common/wire ;;
    common/ended) echo common/wire common/reason ;;
    common/names | common/sockets) ;;
    common/ring | xenstore-glue) echo common/wire common/base ;;
    common/vsock) echo common/wire common/base common/reason ;;
    common/link) echo common/wire common/base common/reason common/ring common/vsock ;;
    frontend/base) echo common/base frontend/include ;;
    frontend/owner) echo common/base ;;
    frontend/trunk) echo "$common" frontend/include frontend/base ;;
    frontend/streams) echo "$(may_know frontend/trunk)" frontend/trunk ;;
    frontend/life) echo "$(may_know frontend/trunk)" frontend/owner frontend/trunk xenstore-glue ;;
    frontend/device) echo "$(may_know frontend/life)" frontend/life ;;
    backend/base) echo common/base ;;
    backend/settings) echo common/wire common/base common/names backend/base ;;
    backend/policy) echo common/base common/names backend/base backend/settings ;;
    backend/wall) echo common/base backend/base ;;
    backend/dirs) echo common/base common/sockets backend/base backend/settings ;;
    backend/dialer) echo common/base common/sockets backend/base backend/settings backend/wall backend/dirs ;;
    backend/guest) echo common/wire common/reason xenstore-glue "$(may_know backend/dialer)" ;;
    backend/memory) echo "$common" ;;
    backend/tap) echo common/wire common/base ;;
    backend/lane) echo "$common" backend/base backend/settings backend/policy backend/memory backend/tap ;;
    backend/ends/farewell | backend/ends/service | backend/ends/kernel) echo "$(may_know backend/lane)" backend/lane ;;
    backend/ends/relay) echo "$(may_know backend/ends/farewell)" backend/ends/farewell ;;
    backend/ends/unix) echo "$(may_know backend/ends/relay)" common/sockets common/ended ;;
    backend/worker) echo "$(may_know backend/ends/unix)" backend/ends/unix backend/ends/kernel backend/wall ;;
    backend/control) echo "$(may_know backend/worker)" backend/worker xenstore-glue ;;
    backend/daemon) echo "$(may_know backend/control)" backend/ends/relay backend/ends/service backend/control backend/dirs \
        backend/dialer backend/guest ;;
    tools/base) echo common/base ;;
    tools/proto) ;;
    tools/copy) echo common/base tools/proto ;;
    tools/ends) echo common/wire common/base common/reason tools/base tools/proto ;;
    tools/sides) echo common/wire common/base common/reason frontend/include tools/base tools/proto tools/ends ;;
    tools/manage) echo common/wire common/base common/reason tools/base tools/proto tools/ends tools/sides tools/copy ;;
    tools/views) echo common/wire common/base common/reason tools/base ;;
    tools/xvs) echo common/wire common/base common/names common/reason frontend/include tools/base tools/proto tools/ends tools/sides tools/views tools/copy tools/manage ;;
    tools/broker) echo common/wire common/base common/reason common/sockets common/ended tools/base tools/proto tools/ends tools/sides ;;
    tools/agent) echo common/wire common/base common/reason tools/base tools/proto tools/ends tools/sides tools/copy tools/manage common/ended tools/broker ;;
    *) return 1 ;;
    esac
}

ok() {
    echo "ok $1"
    passed=$((passed + 1))
}
fail() {
    echo "FAIL $1: $2"
    failed=$((failed + 1))
}
skip() {
    echo "skip $1: $2"
    skipped=$((skipped + 1))
}

ask_make() {
    MAKEFLAGS='' $make -s --no-print-directory "$@"
}

of() {          # of() FOLDER: what a list of "FOLDER what..." says of it
    sed -n "s|^$1 ||p"
}

# Do #includes of these headers by their names alone compile, with the include paths $1?  From standard input, so that no folder is
# nearer than the paths.  $err then says which headers were opened.
compiles() {
    paths=$1
    shift
    # Word splitting is wanted: the paths are a list of options.
    # shellcheck disable=SC2086
    for name; do echo "#include \"${name##*/}\""; done |
        $cc -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -H -fsyntax-only $paths -x c - 2>"$err"
}
headers_of() {
    for folder_of; do
        for header in "$folder_of"/*.h; do
            [ ! -e "$header" ] || printf '%s ' "$header"
        done
    done
}

folders=$(ask_make print-modules | tr ' ' '\n' | sort)
[ -n "$folders" ] || { echo "layers.sh: 'make print-modules' names no folder" >&2; exit 2; }
known="$folders frontend/include"
paths_of=$(ask_make print-incs)
# shellcheck disable=SC2086
headers=" $(headers_of $known)"

for folder in $folders; do
    incs=$(echo "$paths_of" | of "$folder")
    if ! may=$(may_know "$folder"); then
        fail "$folder is a folder of the design" "say in tests/layers.sh whom it may know"
        continue
    fi
    problem=
    for path in $incs; do
        case " $folder $may " in
        *" ${path#-I} "*) ;;
        *) problem="$problem $path" ;;
        esac
    done
    if [ -z "$problem" ]; then ok "$folder is compiled with no other paths"; else
        fail "$folder is compiled with no other paths" "the Makefile gives it$problem"; fi
    name="each header of $folder is complete in itself"
    problem=
    for header in $(headers_of "$folder"); do
        compiles "$incs" "$header" || problem="$header: $(grep -m 1 error "$err")"
    done
    if [ -z "$problem" ]; then ok "$name"; else fail "$name" "$problem"; fi

    wrong=
    # shellcheck disable=SC2046,SC2086 # lists
    [ -z "$may" ] || compiles "$incs" $(headers_of $may) || wrong=$(grep -m 1 error "$err")
    opened=$(sed -n 's/^\.\.* //p' "$err" | tr '\n' ' ')
    for other in $known; do
        [ "$other" != "$folder" ] || continue
        case $headers in *" $other/"*) ;; *) continue ;; esac
        problem=
        case " $may " in
        *" $other "*)
            name="$folder may include $other"
            problem=$wrong
            # A system header of that name is not it.  What another one includes was opened there.
            for header in "$other"/*.h; do
                case " $opened" in
                *" $header "*) ;;
                *) problem=${problem:-"its paths find another ${header##*/}, or none"} ;;
                esac
            done
            ;;
        *)
            name="$folder may not include $other"
            case " $incs " in *" -I$other "*) problem="its path is among $incs" ;; esac
            ;;
        esac
        if [ -n "$problem" ]; then fail "$name" "$problem"; else ok "$name"; fi
    done
done

# shellcheck disable=SC2086
climbing=$(grep -n -E '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<](\.|/|.*\.\./)' -r --include='*.[ch]' $folders 2>/dev/null | head -n 1)
if [ -z "$climbing" ]; then ok "no #include climbs out of its folder"; else
    fail "no #include climbs out of its folder" "$climbing"; fi

name="no folder sees two headers of one name"
problem=
for folder in $folders; do
    # shellcheck disable=SC2046
    twice=$(find "$folder" $(may_know "$folder") -maxdepth 1 -name '*.h' 2>/dev/null | sed 's|.*/||' | sort | uniq -d | tr '\n' ' ')
    [ -z "$twice" ] || problem="$problem $folder: $twice"
done
if [ -z "$problem" ]; then ok "$name"; else fail "$name" "$problem(the first include path would win)"; fi

# ---- circles ----
. tests/circles.sh
if [ -z "$(printf 'a b\nb c\nc a\nc d\n' | circle)" ] || [ -n "$(printf 'a b\nb c\na c\na a\n' | circle)" ]; then
    fail "a circle is told from a tree" "tsort does not say so"; fi

if ! ask_make layers-objs >"$err" 2>&1; then
    fail "the objects are there, to be asked what they take from one another" "$(grep -m 1 error "$err")"
    folders=
fi
objs_of=$(ask_make print-objs)
for folder in $folders ${folders:+tools/xensim}; do
    name="nothing in $folder goes round in a circle"
    # shellcheck disable=SC2046 # objects
    members=$(ties "$folder" $(echo "$objs_of" | of "$folder") | circle)
    if [ -z "$members" ]; then ok "$name"; else
        fail "$name" "$members"; fi
done
members=$(for folder in $known; do for other in $(may_know "$folder"); do echo "$folder $other"; done; done | circle)
if [ -z "$members" ]; then ok "no folder may know one that may know it"; else
    fail "no folder may know one that may know it" "$members"; fi

wire=common/wire/vsockif.h
stands_alone() {
    name="vsockif.h compiles alone: $*"
    if ! command -v "$1" >/dev/null 2>&1; then
        skip "$name" "there is no $1"
    elif echo '#include "vsockif.h"' | "$@" -Wall -Wextra -Wpedantic -Werror -fsyntax-only -Icommon/wire - 2>"$err"; then
        ok "$name"
    else
        fail "$name" "$(grep error "$err" | head -n 1)"
    fi
}
for c in gcc clang; do
    stands_alone $c -x c -std=c11
done
for c in g++ clang++; do
    stands_alone $c -x c++ -std=c++11
done
if [ "$(grep -c '#include' $wire)" = 1 ] && grep -q '^#include <stdint.h>$' $wire; then
    ok "vsockif.h depends on <stdint.h> alone"
else
    fail "vsockif.h depends on <stdint.h> alone" "$(grep '#include' $wire | tr '\n' ' ')"
fi

echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]

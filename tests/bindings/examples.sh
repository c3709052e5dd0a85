#!/bin/bash
# SPDX-License-Identifier: MIT
#
# examples.sh: the programs in Go, Rust and C++ that bindings/ has as examples: built with the compilers that are there, and run in dom0 and in
# a guest, beside peer.py in another one.  No compiler is installed for them: Go's and Rust's are hundreds of megabytes.
. "$(dirname "$0")/lib.sh"
. "$here/ports.sh"

export CPATH="$top/frontend/include" LIBRARY_PATH="$bin"
head -c 1048576 /dev/urandom >data
{ cat data; echo bye; } >echoed

# has LANGUAGE: it can be built, and its programs are host and guest, or the latter alone, in the folder of its name.
has() {
    mkdir -p "$1"
    case $1 in
    go) command -v go >/dev/null && command -v cc >/dev/null ;;
    rust) command -v rustc >/dev/null ;;
    c++) command -v g++ >/dev/null ;;
    clang++) command -v clang++ >/dev/null ;;
    esac
}
build() {
    case $1 in
    go)
        (cd "$top/bindings/go" && GOFLAGS=-mod=mod GOTOOLCHAIN=local GOPROXY=off GOCACHE=$dir/gocache CGO_ENABLED=1 go vet ./... &&
            GOTOOLCHAIN=local GOPROXY=off GOCACHE=$dir/gocache CGO_ENABLED=1 go build -o "$dir/go/" ./host ./guest)
        ;;
    rust)
        rustc -D warnings --edition 2021 -o rust/host "$top/bindings/rust/host.rs" &&
            rustc -D warnings --edition 2021 -L "$bin" -o rust/guest "$top/bindings/rust/guest.rs"
        ;;
    c++)
        for std in c++11 c++20; do
            g++ -std=$std -Wall -Wextra -Wpedantic -Wold-style-cast -Wcast-qual -Werror -o c++/guest "$top/bindings/cpp/guest.cc" -lxvs || return 1
        done
        ;;
    clang++)
        for std in c++11 c++20; do
            clang++ -std=$std -Wall -Wextra -Wpedantic -Wold-style-cast -Wcast-qual -Werror -o clang++/guest "$top/bindings/cpp/guest.cc" -lxvs || return 1
        done
        ;;
    esac >err 2>&1
}

# calls PROGRAM DOMAIN WHOM: what whoever calls must do.
calls() {
    on "$2" "$dir/$1" call "$3" $ECHO <data >out 2>err || bad "the echo: status $?"
    cmp out echoed || bad "not what was sent"
    echo | on "$2" "$dir/$1" call "$3" 7777 >out 2>err && bad "a refusal is status 0"
    grep -q -e nobody err || bad "why it was refused is not said"
    echo | on "$2" "$dir/$1" call "$3" $STATUS >out 2>err && bad "a reset is status 0"
    grep -q -e 'status 3' -e 'exit status (3)' err || bad "why it was reset is not said"
}
# serves PROGRAM DOMAIN PORT DOMAIN command...: PROGRAM serves in the first, and the second runs the command.
serves() {
    rm -f ready
    limit=3600 run "$2" "$dir/$1" serve "$3" >ready 2>err </dev/null
    wait_for grep -q ready ready
    on "${@:4}" <data >out 2>>err || bad "$5: status $?"
    cmp out data || bad "not what was sent"
    kill "$pid"; wait $job 2>/dev/null
}

peer web1 guest
port=6000
for language in go rust c++ clang++; do
    test_ "${language}_builds_without_a_warning"
    if ! has $language; then
        skip "there is no compiler for it"
        continue
    fi
    build $language || bad "it does not build"
    end
    [ -z "$problem" ] || continue
    if [ -e $language/host ]; then
        test_ "a_program_in_${language}_calls_a_guest"
        calls $language/host 0 web1
        end
        test_ "a_program_in_${language}_serves_all_guests"
        port=$((port + 1))
        serves $language/host 0 $port db1 xvs cat host $port
        grep -qx 'db1 calls' err || bad "who calls"
        end
    fi
    test_ "a_guests_program_in_${language}_calls"
    calls $language/guest db1 101
    end
    case $language in go | rust)
        test_ "a_guests_program_in_${language}_serves"
        serves $language/guest db1 500 0 xvs cat db1 500
        end
    esac
done
end_peer
finish

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# one.sh run FILE TEST | clean | stop: one test of run.sh, or what comes after it.
set -u
. "$E2E_HERE/lib.sh"
case $1 in
run)
    . "$2"
    standard
    [ "$E2E_PLATFORM" != hosted ] || [ -e "$T/idle" ] || idle_counts >"$T/idle"
    "$3"
    ;;
clean)
    # Ends what the test left running; then the guests hold nothing, or this fails.
    end_spawned
    # A program that was killed leaves its socket, and a directory with one stays when its guest is renamed.
    rm -f "$RUN"/guest/*/vsock_[0-9]* "$RUN"/any/vsock_[0-9]*
    if [ "$E2E_PLATFORM" = hosted ] && [ -e "$T/idle" ] && daemon_lives; then
        wait_until '[ "$(idle_counts)" = "$(cat "$T/idle")" ]' 5 || {
            echo "fail: not all is given back after the test"
            idle_counts | diff "$T/idle" -
            exit 1
        }
    fi
    ;;
stop)
    end_spawned
    stop_daemon_if_any
    ;;
esac

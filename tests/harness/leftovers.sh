# SPDX-License-Identifier: MIT
# leftovers.sh: what tests that were killed have left running in a hosted Xen.  Sourced; POSIX shell.
#
# end_leftovers DIR: ends what runs in the hosted Xen at DIR/host, as its environment says.  xensim's stop ends what its run has
# started, and the kernel the children of these (child.h), but not a daemon that was another user for a moment.
end_leftovers() {
    for _process in $(grep -als -e "XENSIM_DIR=$1/host" /proc/[0-9]*/environ); do
        _process=${_process%/*}
        kill -KILL "${_process##*/}" 2>/dev/null
    done
}

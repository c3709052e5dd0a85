#!/bin/sh
# SPDX-License-Identifier: MIT
#
# headers.sh CC [OPTION...]: says which libraries' headers this compiler does not find, and what to install, before the compiler says it in its
# way.  0 if all are there.
set -u
missing=
# A header and its package in Debian.
while read -r header package; do
    echo "#include <$header>" | "$@" -E -x c - >/dev/null 2>&1 || missing="$missing
    <$header>    (Debian: $package)"
done <<'END'
xenstore.h libxen-dev
uv.h libuv1-dev
jansson.h libjansson-dev
ini.h libinih-dev
systemd/sd-daemon.h libsystemd-dev
seccomp.h libseccomp-dev
archive.h libarchive-dev
xxhash.h libxxhash-dev
END
[ -n "$missing" ] || exit 0
echo "xvs: to build it, these headers are missing:$missing
'make deps' installs what a build needs, on Debian and as root." >&2
exit 1

#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: e2e timeout=1500
#
# The suite that exchanges bytes, the same as on hosted Xen.
# As the package's postinst does.  With the user the daemon's worker has no rights.
grep -qs ^xvs: /etc/passwd || { echo xvs:x:990:990::/run/xvs:/usr/sbin/nologin >>/etc/passwd; echo xvs:x:990: >>/etc/group; }
cd e2e && exec ./run.sh xen

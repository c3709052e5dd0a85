#!/bin/sh
# SPDX-License-Identifier: MIT
# lab: e2e timeout=1500
#
# The suite that exchanges bytes, the same as on hosted Xen.
cd e2e && exec ./run.sh xen

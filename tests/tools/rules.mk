# SPDX-License-Identifier: MIT
# rules.mk: tests of the command xvs, in dom0 against a daemon that is none, and in guests of a hosted Xen.
.PHONY: check-tools
check-tools: all xensim
	XVS_BIN=$(B) tests/run.sh tests/tools/run.sh tests/tools/guest.sh

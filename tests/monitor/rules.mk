# SPDX-License-Identifier: MIT
# rules.mk: what is shown to monitoring systems, read by their own tools.
#     make check-monitor
.PHONY: check-monitor
check-monitor: all xensim
	XVS_BIN=$(B) tests/run.sh tests/monitor/run.sh

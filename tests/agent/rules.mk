# SPDX-License-Identifier: MIT
# rules.mk: the guest's agent and who calls it, in guests of a hosted Xen.
#     make check-agent            everything; AGENT=test_name runs only that
.PHONY: check-agent
check-agent: all xensim
	XVS_BIN=$(B) tests/run.sh -j tests/agent/exec.sh tests/agent/services.sh tests/agent/forward.sh tests/agent/broker.sh tests/agent/bad.sh tests/agent/cp.sh tests/agent/manage.sh

# SPDX-License-Identifier: MIT
# rules.mk: what others use xvs by: bindings and examples in other languages, in guests of a hosted Xen.
#     make check-bindings            everything; BINDINGS=NAME runs only that test of Python's
.PHONY: check-bindings
check-bindings: all xensim
	XVS_BIN=$(B) tests/run.sh -j tests/bindings/python.sh tests/bindings/examples.sh tests/bindings/ansible.sh

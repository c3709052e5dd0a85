# SPDX-License-Identifier: MIT
# rules.mk: one line changed at a time: which changes does no test notice?  It takes minutes for each that none does.
#     make mutants SEED=7 COUNT=20
#     make mutants MUTANTS='--at backend/ends/relay/relay.c'     other options of tests/mutants/mutants.py; --help lists them
SEED    ?= 1
COUNT   ?= 20
MUTANTS ?= --seed $(SEED) --count $(COUNT)

.PHONY: mutants
mutants:
	unset MAKEFLAGS MFLAGS MAKELEVEL; tests/mutants/mutants.py $(MUTANTS)

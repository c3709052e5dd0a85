# SPDX-License-Identifier: MIT
# rules.mk: which lines does no test run?
#     make coverage                 builds VARIANT=cov, runs the tests, prints the table; fails when a line is new in it
#     make coverage PARTS=unit      only these parts, added to what ran before
#     make coverage-report          only the table, of what ran so far
# The lists of what is not run, with reasons: tests/coverage/untested.
PARTS ?=

.PHONY: coverage coverage-report
coverage:
	tests/coverage/run.sh $(PARTS)
coverage-report:
	tests/coverage/report.py build/cov

# flush.c goes into everything that is linked.  The tests' own objects count nothing: some run as a user who may not write here.
ifeq ($(VARIANT),cov)
$(B)/obj/tests/%: all_cflags := $(filter-out --coverage,$(all_cflags))
$(B)/flush.mk: tests/coverage/flush.c tests/coverage/rules.mk
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(warnings) -O2 -fPIC -fvisibility=hidden -c -o $(B)/flush.o $<
	echo 'all_ldflags += $$(B)/flush.o -Wl,--wrap=_exit,--wrap=raise' >$@
-include $(B)/flush.mk
endif

# SPDX-License-Identifier: MIT
# rules.mk: tests that need a xenstored: each runs in the dom0 of a hosted Xen.
hosted_tests := $(patsubst tests/hosted/%.c,$(B)/hosted/%,$(wildcard tests/hosted/test_*.c))
$(B)/hosted/test_%: $(B)/obj/tests/hosted/test_%.o $(B)/obj/tests/harness/harness.o \
                    $(call objs,xenstore-glue)
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^ -lxenstore $(cunit_libs)

.PHONY: check-hosted
check-hosted: xensim $(hosted_tests)
	tests/hosted/run.sh $(hosted_tests)

# SPDX-License-Identifier: MIT
# Tests that are domains of a hosted Xen themselves: tests/hostile/run.sh starts one for them.
hostile_common := $(patsubst %,$(B)/obj/tests/hostile/%.o,hosted rawback)
hostile_tests  := $(patsubst tests/hostile/%.c,$(B)/hostile/%,$(wildcard tests/hostile/test_*.c))
$(B)/obj/tests/hostile/%.o: test_incs += -Itests/hostile
$(B)/hostile/test_hostile_backend: $(B)/obj/tests/hostile/test_hostile_backend.o $(hostile_common) \
                                   $(B)/obj/tests/harness/harness.o $(B)/libtest.a
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^ $(xen_libs) $(cunit_libs)

.PHONY: check-hostile
check-hostile: xensim $(hostile_tests)
	tests/hosted/run.sh $(hostile_tests)

# A hostile program for a real guest: tests/xenlab/groups/45-hostile.sh.
$(B)/e2e/hostile_guest: $(patsubst %,$(B)/obj/tests/hostile/%.o,hostile_guest rawfront) $(B)/libtest.a
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^ $(xen_libs)
e2e-helpers: $(B)/e2e/hostile_guest

# And a hostile backend for a real guest's driver: tests/xenlab/groups/61-kernel-life.sh.
$(B)/e2e/hostile_backend: $(patsubst %,$(B)/obj/tests/hostile/%.o,hostile_backend rawback) $(B)/libtest.a
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^ $(xen_libs)
e2e-helpers: $(B)/e2e/hostile_backend

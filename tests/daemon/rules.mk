# SPDX-License-Identifier: MIT
# rules.mk: the daemon and its xenstore, in a hosted Xen: each test program is its dom0's toolstack.
#     make check-daemon         any VARIANT
daemon_common := $(B)/obj/tests/daemon/toolstack.o $(B)/obj/tests/daemon/storeproxy.o $(patsubst %,$(B)/obj/tests/hostile/%.o,hosted daemon rawfront admitted rawstream)
daemon_tests  := $(patsubst tests/daemon/%.c,$(B)/daemon/%,$(wildcard tests/daemon/test_*.c))
$(B)/obj/tests/daemon/%.o: test_incs += -Itests/daemon -Itests/hostile
$(B)/daemon/test_%: $(B)/obj/tests/daemon/test_%.o $(daemon_common) $(B)/obj/tests/harness/harness.o $(B)/libtest.a
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^ $(xen_libs) $(cunit_libs)

.PHONY: check-daemon
check-daemon: xensim $(B)/xvsd $(daemon_tests)
	GUESTS=8 tests/hosted/run.sh $(daemon_tests)

# SPDX-License-Identifier: MIT
# rules.mk: tests of the library before a backend by hand, in dom0 of a hosted Xen.
#     make check-frontend       any VARIANT
frontend_common := $(B)/obj/tests/frontend/lab.o $(patsubst %,$(B)/obj/tests/hostile/%.o,hosted rawback daemon)
frontend_tests  := $(patsubst tests/frontend/%.c,$(B)/frontend/%,$(wildcard tests/frontend/test_*.c))
$(B)/obj/tests/frontend/%.o: test_incs += -Itests/frontend -Itests/hostile
$(B)/frontend/test_%: $(B)/obj/tests/frontend/test_%.o $(frontend_common) $(B)/obj/tests/harness/harness.o $(B)/libtest.a
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) $(frontend_wrap) -o $@ $^ $(xen_libs) $(cunit_libs)

# test_faults decides which allocation fails, and which descriptor is not to be had.
$(B)/frontend/test_faults: frontend_wrap := -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=strdup,--wrap=epoll_ctl
# test_clock plays the clock, and the sleep that lets it go on.
$(B)/frontend/test_clock: frontend_wrap := -Wl,--wrap=clock_gettime,--wrap=epoll_wait
# test_send plays a backend that is as fast as the call that wakes it.
$(B)/frontend/test_send: frontend_wrap := -Wl,--wrap=xenevtchn_notify
# test_kernel plays the guest's driver, which a link in sysfs tells of.
$(B)/frontend/test_kernel: frontend_wrap := -Wl,--wrap=access

.PHONY: check-frontend
check-frontend: xensim $(B)/xvsd $(frontend_tests)
	GUESTS=2 SCATTER=1 tests/hosted/run.sh $(frontend_tests)

# SPDX-License-Identifier: MIT
# rules.mk: tests of hosted Xen.  The test programs are built as the variant asks (asan,
# tsan), hosted Xen itself never is.
xensim_tests := $(patsubst tests/xensim/%.c,$(B)/xensim/%,$(wildcard tests/xensim/test_*.c))
$(B)/xensim/test_vchan: XENSIM_TEST_LIBS := -lxenvchan
$(B)/xensim/test_%: $(B)/obj/tests/xensim/test_%.o $(B)/obj/tests/xensim/sim.o \
                    $(B)/obj/tests/harness/harness.o
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^ $(XENSIM_TEST_LIBS) $(xen_libs) $(cunit_libs)

.PHONY: check-xensim
check-xensim: xensim $(xensim_tests)
	tests/xensim/run.sh $(B)/xensim

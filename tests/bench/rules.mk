# SPDX-License-Identifier: MIT
# rules.mk: figures.
#     make bench          everything on hosted Xen: a table, build/bench.json, and build/bench.html with plots.  RUNS=3: three times,
#                         and which aims hold in each.  BENCH='--quick' and other options of tests/bench/run.py; --help lists them
#     make bench-xen      the ratios to libxenvchan on real Xen (tests/xenlab), and of the guest's driver to the library and to TCP, into
#                         the same file
#     make check-bench    what does not depend on the machine's mood: instructions and bytes
#     make bench-record   accepts today's instruction counts

# The measuring programs.  Each is built as its user would: bench_xvs with the public header and the shared library.
bench_bins := $(addprefix $(B)/bench/,bench_base bench_host bench_vchan bench_xvs)
$(B)/bench/bench_base: bench_libs := -lxenevtchn
# libxenvchan comes from its archive, so that its calls of xenevtchn_notify() meet the one that counts, and so that the lab needs
# no package more.
$(B)/bench/bench_vchan: bench_libs := -Wl,-Bstatic -lxenvchan -Wl,-Bdynamic -lxenevtchn -lxengnttab -lxenstore -ldl
$(B)/bench/bench_xvs: bench_libs := -L$(B) -lxvs
$(B)/bench/bench_xvs: $(B)/libxvs.so.0
$(B)/bench/bench_%: $(B)/obj/tests/bench/bench_%.o $(B)/obj/tests/bench/bench.o tests/bench/rules.mk
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $(filter %.o,$^) $(bench_libs)

# Guests and the daemon in one process (joined.h).
joined_objs := $(addprefix $(B)/obj/tests/bench/joined_,xen.o front.o back.o) \
               $(filter-out %/map.o,$(foreach room,$(filter-out %/wall %/dirs %/dialer %/guest %/worker %/control %/daemon,$(backend)),$(call objs,$(room)))) \
               $(B)/obj/backend/daemon/ends.o $(call objs,common/names) $(call objs,common/sockets) $(call objs,common/ended) $(B)/libtest.a
joined_link  = $(CC) $(all_ldflags) -Wl,--wrap=memcpy,--wrap=__memcpy_chk -o $@ $(filter %.o %.a,$^) \
               $(xen_libs) $(uv_libs) $(inih_libs)
$(B)/guard/guard: $(B)/obj/tests/bench/guard.o $(joined_objs)
	@mkdir -p $(@D)
	$(joined_link)
$(B)/guard/test_memory: $(B)/obj/tests/bench/test_memory.o $(B)/obj/tests/harness/harness.o $(joined_objs)
	@mkdir -p $(@D)
	$(joined_link) $(cunit_libs)
$(B)/guard/test_serve: $(B)/obj/tests/bench/test_serve.o $(B)/obj/tests/harness/harness.o $(joined_objs)
	@mkdir -p $(@D)
	$(joined_link) $(cunit_libs)

.PHONY: bench-programs bench bench-xen bench-record check-bench
bench-programs: $(bench_bins)
# What is missing for the page is said in it.
bench: all bench-programs xensim
	-tools/deps.sh bench
	tests/bench/run.py --bin $(B) $(if $(RUNS),--runs $(RUNS)) $(BENCH)
bench-xen: all bench-programs kernel-lab
	-tools/deps.sh bench
	tests/bench/run.py --bin $(B) --xen $(if $(RUNS),--runs $(RUNS)) $(BENCH)
check-bench: $(B)/guard/guard $(B)/guard/test_memory $(B)/guard/test_serve
	tests/run.sh $(B)/guard/test_memory $(B)/guard/test_serve tests/bench/test_figures.py "tests/bench/guard.sh $(B)/guard/guard"
bench-record: $(B)/guard/guard
	tests/bench/guard.sh --record $(B)/guard/guard

# SPDX-License-Identifier: MIT
# The measuring programs.  Each is built as its user would: bench_xvs with the public header and the shared library.
bench_bins := $(addprefix $(B)/bench/,bench_base bench_vchan bench_xvs)
.PHONY: bench-programs
bench-programs: $(bench_bins)
$(B)/bench/bench_base: bench_libs := -lxenevtchn
$(B)/bench/bench_vchan: bench_libs := -lxenvchan
$(B)/bench/bench_xvs: bench_libs := -L$(B) -lxvs
$(B)/bench/bench_xvs: $(B)/libxvs.so.0
$(B)/bench/%: $(B)/obj/tests/bench/%.o $(B)/obj/tests/bench/bench.o
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $(filter %.o,$^) $(bench_libs)

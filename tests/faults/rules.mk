# SPDX-License-Identifier: MIT
# rules.mk: the whole daemon on a mocked host (tests/mock): each of its calls fails in turn, and time passes as a test wants it to.
#     make check-faults         any VARIANT; XVS_SCENE=relay plays one scene, XVS_SURVEY=1 goes on after a failure
#                               XVS_LOUD=1 shows the daemon's log
faults_daemon := $(patsubst $(B)/obj/%,$(B)/faults/%,$(foreach m,$(daemon_parts),$(call objs,$(m))))
faults_common := $(patsubst tests/%.c,$(B)/obj/tests/%.o,$(wildcard tests/mock/*.c) tests/faults/faults.c)
$(B)/obj/tests/mock/%.o $(B)/obj/tests/faults/%.o: test_incs := -Icommon/wire -Icommon/base -Itests/harness -Itests/mock -Itests/faults

$(B)/faults/%.o: $(B)/obj/%.o $(B)/mock/names
	@mkdir -p $(@D)
	$(call mock_rename,$<,$@)
faults_tests := $(patsubst tests/faults/%.c,$(B)/faults/%,$(wildcard tests/faults/test_*.c))
$(faults_tests): $(B)/faults/%: $(B)/obj/tests/faults/%.o $(faults_common) $(faults_daemon) $(B)/obj/tests/harness/harness.o
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^ $(uv_libs) $(json_libs) $(inih_libs) $(systemd_libs) $(seccomp_libs) $(cunit_libs)

# It has more than half of the faults, and a processor of its own.
longest := each_call_of_the_system_fails_once_in_each_way
.PHONY: check-faults
check-faults: $(faults_tests)
	tests/run.sh -j -t 1700 "$(B)/faults/test_daemon_faults $(longest)" "$(B)/faults/test_daemon_faults -$(longest)" \
	    $(filter-out %/test_daemon_faults,$^)

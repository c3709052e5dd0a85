# SPDX-License-Identifier: MIT
# rules.mk: AF_VSOCK programs of the host and a guest in one process: the library, the daemon's rooms, and a stand-in for the host's kernel.
#     make check-vhost        any VARIANT
# many.c and floor.c are for the real kernel, in the lab.
# Before the others: tools/agent has a joined.h, too.
$(B)/obj/tests/vhost/%.o: test_incs := -Itests/vhost -Itests/bench $(test_incs)
$(B)/vhost/test_vhost: $(patsubst tests/%.c,$(B)/obj/tests/%.o,$(filter-out tests/vhost/many.c tests/vhost/floor.c,$(wildcard tests/vhost/*.c))) \
        $(B)/obj/tests/harness/harness.o $(filter-out %/vhost.o,$(joined_objs))
	@mkdir -p $(@D)
	$(joined_link) $(cunit_libs)
$(B)/e2e/vhost_many: $(B)/obj/tests/vhost/many.o $(joined_objs)
	@mkdir -p $(@D)
	$(joined_link)
$(B)/e2e/vhost_floor: $(B)/obj/tests/vhost/floor.o $(addprefix $(B)/obj/backend/ends/kernel/,pipe.o vhost.o virtq.o)
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $(filter %.o,$^)

.PHONY: check-vhost
check-vhost: $(B)/vhost/test_vhost
	tests/run.sh $^

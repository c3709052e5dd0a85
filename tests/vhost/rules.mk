# SPDX-License-Identifier: MIT
# rules.mk: AF_VSOCK programs of the host and a guest in one process: the library, the daemon's rooms, and a stand-in for the host's kernel.
#     make check-vhost        any VARIANT
$(B)/obj/tests/vhost/%.o: test_incs += -Itests/vhost -Itests/bench
$(B)/vhost/test_vhost: $(patsubst tests/%.c,$(B)/obj/tests/%.o,$(wildcard tests/vhost/*.c)) \
        $(B)/obj/tests/harness/harness.o $(filter-out %/vhost.o,$(joined_objs))
	@mkdir -p $(@D)
	$(joined_link) $(cunit_libs)

.PHONY: check-vhost
check-vhost: $(B)/vhost/test_vhost
	tests/run.sh $^

# SPDX-License-Identifier: MIT
# Fuzz targets: tests/fuzz/fuzz_NAME.c with the sources that it judges, all built with clang's fuzzer and sanitizers.
#
#     make fuzz-targets            builds them under $(B)/fuzz
#     tests/fuzz/run.sh SECONDS    runs each for a while, from its corpus in tests/fuzz/corpus
#     make check-fuzz              both; FUZZ_SECONDS=20 for each target
#     make fuzz FUZZ_SECONDS=7200  for a night: what is found to be new stays in build/fuzz, for the next one
#     make check-replay            the corpus alone, any VARIANT and compiler: for coverage and mutants
#
# fuzz_parts.NAME names the folders that a target is linked with.

FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 20
fuzz_flags   := -std=gnu11 -g -O1 $(warnings) -D_GNU_SOURCE -DXVS_VERSION='"$(VERSION)"' -pthread \
                -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

fuzz_parts.fuzz_vconn := common/base common/reason common/vsock
fuzz_parts.fuzz_vmux  := common/base common/reason common/vsock
fuzz_parts.fuzz_ring  := common/base common/ring
fuzz_parts.fuzz_link  := common/base common/reason common/ring common/vsock common/link
fuzz_parts.fuzz_life  := common/base xenstore-glue
fuzz_parts.fuzz_parse := common/base xenstore-glue
fuzz_parts.fuzz_tapread := common/base common/reason tools/base tools/views
fuzz_parts.fuzz_portnames := common/names
fuzz_parts.fuzz_frame   := tools/proto
fuzz_parts.fuzz_tcpmux  := tools/proto
fuzz_parts.fuzz_message := tools/proto
fuzz_parts.fuzz_copy    := common/base tools/proto tools/copy
fuzz_parts.fuzz_ga      := common/base common/reason tools/base tools/proto tools/views
# Of tools/manage what asks, and not what the guest's agent has to do with processes.
fuzz_ga_sources := tools/manage/lines.c tools/manage/ga.c
$(B)/fuzz/fuzz_ga: $(fuzz_ga_sources)
$(B)/fuzz/fuzz_ga: fuzz_flags += -Itools/manage -Itools/copy
# Likewise the other side of it, whose requests fail for want of what they would have to do with.
fuzz_parts.fuzz_manage  := common/base common/reason tools/base tools/proto
fuzz_manage_sources := $(addprefix tools/,$(addprefix manage/,manage.c lines.c cpus.c memory.c freeze.c ga.c qemuga.c) sides/control.c copy/channel.c)
$(B)/fuzz/fuzz_manage: $(fuzz_manage_sources)
$(B)/fuzz/fuzz_manage: fuzz_flags += -Itools/manage -Itools/copy -Itools/sides

# Those that are linked with a whole program or library, on a mocked host (tests/mock): further down.
fuzz_daemons := fuzz_daemon fuzz_control fuzz_settings fuzz_policy fuzz_wall
fuzz_whole   := $(fuzz_daemons) fuzz_library
fuzz_targets := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_dirs     = $(or $(fuzz_parts.$(1)),common/base common/reason common/ring common/vsock common/link)
fuzz_incs     = $(sort $(addprefix -I,$(call fuzz_dirs,$(1)) $(foreach d,$(call fuzz_dirs,$(1)),$(sees.$(d)))))

define fuzz_rule
$(B)/fuzz/$(1): tests/fuzz/$(1).c $(foreach d,$(call fuzz_dirs,$(1)),$(wildcard $(d)/*.[ch])) common/wire/vsockif.h Makefile tests/fuzz/rules.mk
	@mkdir -p $$(@D)
	$$(FUZZ_CC) $$(fuzz_flags) $(call fuzz_incs,$(1)) -Wl,--as-needed -o $$@ $$(filter %.c,$$^) $$(xen_libs) $$(json_libs) $$(uv_libs)
endef
$(foreach t,$(filter-out $(fuzz_whole),$(notdir $(fuzz_targets))),$(eval $(call fuzz_rule,$(t))))

# ---- whole programs: the product's objects count coverage, those of the mocked host do not --------------------
fuzz_san    := -std=gnu11 -g -O1 $(warnings) -D_GNU_SOURCE -DXVS_VERSION='"$(VERSION)"' -pthread -MMD -MP \
               -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
fuzz_objs    = $(patsubst %.c,$(B)/fuzz/obj/%.o,$(1))
fuzz_mock   := $(call fuzz_objs,$(wildcard tests/mock/*.c))

define fuzz_module_rule
$(B)/fuzz/obj/$(1)/%.o: $(1)/%.c Makefile tests/fuzz/rules.mk $(B)/mock/names
	@mkdir -p $$(@D)
	$$(FUZZ_CC) $$(fuzz_san) -fsanitize=fuzzer-no-link $(call incs,$(1)) -MT $$@ -c -o $$@.as $$<
	$$(call mock_rename,$$@.as,$$@)
endef
$(foreach m,$(sort $(daemon_parts) $(lib_parts)),$(eval $(call fuzz_module_rule,$(m))))
$(B)/fuzz/obj/tests/%.o: tests/%.c Makefile tests/fuzz/rules.mk
	@mkdir -p $(@D)
	$(FUZZ_CC) $(fuzz_san) -Icommon/wire -Icommon/base $(fuzz_sees) -Itests/mock -c -o $@ $<
$(B)/fuzz/obj/tests/fuzz/fuzz_settings.o: fuzz_sees := -Ibackend/settings
$(B)/fuzz/obj/tests/fuzz/fuzz_policy.o: fuzz_sees := -Ibackend/settings -Ibackend/policy
$(B)/fuzz/obj/tests/fuzz/fuzz_wall.o: fuzz_sees := -Ibackend/wall -Ibackend/base
-include $(shell find $(B)/fuzz/obj -name '*.d' 2>/dev/null)

fuzz_daemon_objs := $(call fuzz_objs,$(foreach m,$(daemon_parts),$(wildcard $(m)/*.c)))
$(addprefix $(B)/fuzz/,$(fuzz_daemons)): $(B)/fuzz/%: $(B)/fuzz/obj/tests/fuzz/%.o $(fuzz_mock) $(fuzz_daemon_objs)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -pthread -o $@ $^ $(uv_libs) $(json_libs) $(inih_libs) $(systemd_libs) $(seccomp_libs)

fuzz_lib_objs := $(call fuzz_objs,$(foreach m,$(lib_parts),$(wildcard $(m)/*.c)))
$(B)/fuzz/fuzz_library: $(B)/fuzz/obj/tests/fuzz/fuzz_library.o $(filter-out %/world.o %/threads.o,$(fuzz_mock)) $(fuzz_lib_objs)
	$(FUZZ_CC) -fsanitize=fuzzer,address,undefined -pthread -o $@ $^
$(B)/fuzz/obj/tests/fuzz/fuzz_library.o: fuzz_sees := -Ifrontend/include

# ---- without a fuzzer: the corpus, played by replay.c ----------------------------------------------------------
replay_mock   := $(patsubst tests/%.c,$(B)/obj/tests/%.o,$(wildcard tests/mock/*.c))
replay_daemon := $(patsubst $(B)/obj/%,$(B)/faults/%,$(foreach m,$(daemon_parts),$(call objs,$(m))))
replay_lib    := $(patsubst $(B)/obj/%,$(B)/faults/%,$(foreach m,$(lib_parts),$(call objs,$(m))))
replay_bare   := $(filter-out $(fuzz_whole) fuzz_connect_line,$(notdir $(wildcard tests/fuzz/corpus/*)))
replay_tests  := $(addprefix $(B)/replay/,$(fuzz_whole) $(replay_bare))
$(B)/obj/tests/fuzz/%.o: all_cflags += -Wno-unknown-pragmas -Itests/mock -Ibackend/settings -Ibackend/policy -Ibackend/wall -Ibackend/base
$(addprefix $(B)/replay/,$(fuzz_daemons)): $(B)/replay/%: $(B)/obj/tests/fuzz/%.o $(B)/obj/tests/fuzz/replay.o $(replay_mock) $(replay_daemon)
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^ $(uv_libs) $(json_libs) $(inih_libs) $(systemd_libs) $(seccomp_libs)
$(B)/replay/fuzz_library: $(B)/obj/tests/fuzz/fuzz_library.o $(B)/obj/tests/fuzz/replay.o $(filter-out %/world.o %/threads.o,$(replay_mock)) $(replay_lib)
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^
$(B)/replay/fuzz_copy: $(call objs,tools/copy) $(call objs,tools/proto)
$(B)/replay/fuzz_ga: $(fuzz_ga_sources:%.c=$(B)/obj/%.o) $(call objs,tools/base) $(B)/obj/tools/proto/json.o $(B)/obj/tools/views/infotext.o
$(B)/replay/fuzz_ga: xen_libs += $(uv_libs)
# These two see the tools alone.
$(B)/obj/tests/fuzz/fuzz_ga.o: test_incs := -Itools/manage -Itools/copy -Itools/views -Itools/base -Itools/proto -Icommon/base
$(B)/replay/fuzz_manage: $(fuzz_manage_sources:%.c=$(B)/obj/%.o) $(call objs,tools/base) $(B)/obj/tools/proto/json.o
$(B)/replay/fuzz_manage: xen_libs += $(uv_libs)
$(B)/obj/tests/fuzz/fuzz_manage.o: test_incs := -Itools/manage -Itools/copy -Itools/base -Itools/proto -Icommon/base
$(B)/replay/fuzz_portnames: $(B)/obj/common/names/portnames.o
$(addprefix $(B)/replay/,$(replay_bare)): $(B)/replay/%: $(B)/obj/tests/fuzz/%.o $(B)/obj/tests/fuzz/replay.o $(B)/libtest.a
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^ $(xen_libs) $(json_libs)

.PHONY: check-replay
check-replay: $(replay_tests)
	tests/run.sh $(foreach t,$(notdir $(replay_tests)),"$(B)/replay/$(t) tests/fuzz/corpus/$(t)")

.PHONY: fuzz-targets check-fuzz fuzz
fuzz-targets: $(fuzz_targets)
check-fuzz: fuzz-targets
	tests/fuzz/run.sh $(FUZZ_SECONDS) $(fuzz_targets)
fuzz: fuzz-targets
	FUZZ_KEEP=build/fuzz tests/fuzz/run.sh $(FUZZ_SECONDS) $(fuzz_targets)

# SPDX-License-Identifier: MIT
# Fuzz targets: tests/fuzz/fuzz_NAME.c with the sources that it judges, all built with clang's fuzzer and sanitizers.
#
#     make fuzz-targets            builds them under $(B)/fuzz
#     tests/fuzz/run.sh SECONDS    runs each for a while, from its corpus in tests/fuzz/corpus
#     make check-fuzz              both; FUZZ_SECONDS=20 for each target
#
# fuzz_parts.NAME names the folders that a target is linked with.

FUZZ_CC      ?= clang
FUZZ_SECONDS ?= 20
fuzz_flags   := -std=gnu11 -g -O1 $(warnings) -D_GNU_SOURCE -DXVS_VERSION='"$(VERSION)"' -pthread \
                -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer

fuzz_parts.fuzz_vconn := common/base common/vsock
fuzz_parts.fuzz_vmux  := common/base common/vsock
fuzz_parts.fuzz_ring  := common/base common/ring
fuzz_parts.fuzz_link  := common/base common/ring common/vsock common/link
fuzz_parts.fuzz_life  := common/base xenstore-glue
fuzz_parts.fuzz_parse := common/base xenstore-glue

fuzz_targets := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
fuzz_dirs     = $(or $(fuzz_parts.$(1)),common/base common/ring common/vsock common/link)
fuzz_incs     = $(sort $(addprefix -I,$(call fuzz_dirs,$(1)) $(foreach d,$(call fuzz_dirs,$(1)),$(sees.$(d)))))

define fuzz_rule
$(B)/fuzz/$(1): tests/fuzz/$(1).c $(foreach d,$(call fuzz_dirs,$(1)),$(wildcard $(d)/*.[ch])) common/wire/vsockif.h Makefile tests/fuzz/rules.mk
	@mkdir -p $$(@D)
	$$(FUZZ_CC) $$(fuzz_flags) $(call fuzz_incs,$(1)) -Wl,--as-needed -o $$@ $$(filter %.c,$$^) $$(xen_libs)
endef
$(foreach t,$(notdir $(fuzz_targets)),$(eval $(call fuzz_rule,$(t))))

.PHONY: fuzz-targets check-fuzz
fuzz-targets: $(fuzz_targets)
check-fuzz: fuzz-targets
	tests/fuzz/run.sh $(FUZZ_SECONDS) $(fuzz_targets)

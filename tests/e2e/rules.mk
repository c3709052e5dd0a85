# SPDX-License-Identifier: MIT
# rules.mk: the suite that exchanges bytes (tests/e2e/run.sh), on hosted Xen.  On real Xen it is part of check-xen.
#     make check-e2e            everything; E2E='30 test_guest_to_guest' runs only that
#     make check-e2e-short      the part for daily work
#     make check-e2e-some       everything with fewer bytes and streams, for VARIANT=asan
#     make check-e2e-short VARIANT=tsan
# The helpers are built like an agent of somebody else: over the public header and the shared library.
E2E ?=
e2e_helpers := $(B)/e2e/e2e_guest $(B)/e2e/e2e_vsock $(B)/e2e/e2e_host $(B)/e2e/e2e_half $(B)/e2e/e2e_intruder

$(B)/obj/tests/e2e/%.o: tests/e2e/%.c Makefile tests/e2e/rules.mk
	@mkdir -p $(@D)
	$(CC) $(all_cflags) -Itests/e2e/helpers -Ifrontend/include -c -o $@ $<
e2e_objs = $(addprefix $(B)/obj/tests/e2e/helpers/,$(addsuffix .o,$(1)))
$(B)/e2e/e2e_guest: $(call e2e_objs,script pattern end_xvs) $(B)/libxvs.so.0
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -Wl,-rpath-link,$(B) -o $@ $(filter %.o,$^) -L$(B) -lxvs
$(B)/e2e/e2e_vsock: $(call e2e_objs,script pattern end_fd end_vsock)
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^
$(B)/e2e/e2e_host: $(call e2e_objs,script pattern end_fd end_unix)
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^
$(B)/e2e/e2e_half: $(call e2e_objs,half)
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^
$(B)/e2e/e2e_intruder: $(call e2e_objs,intruder)
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^

.PHONY: e2e-helpers check-e2e check-e2e-short check-e2e-some
e2e-helpers: $(e2e_helpers) $(B)/e2e/vhost_many $(B)/e2e/vhost_floor

e2e_run = XVS_BIN="$(CURDIR)/$(B)" E2E_XENSIM="$(CURDIR)/build/xensim/bin" $(1) tests/e2e/run.sh hosted $(E2E)
check-e2e: all e2e-helpers xensim
	$(call e2e_run,)
check-e2e-short: all e2e-helpers xensim
	$(call e2e_run,E2E_SHORT=1 E2E_SLOW=$(if $(filter release,$(VARIANT)),4,10))
# Sanitizers cost up to ten times, and their reports are what is looked for, not figures.
check-e2e-some: all e2e-helpers xensim
	$(call e2e_run,E2E_BULK=16777216 E2E_MANY=300 E2E_SLOW=10)

# SPDX-License-Identifier: MIT
# xvs: vsock for Xen.  This file states the architecture: which folder may know which.
#
#     make            the library, the daemon and the command
#     make demo       a hosted Xen with two guests, real files through it
#     make test       install what is needed, build and run every test
#     make check      the quick part, for daily work
#     make check-xen  the suite on the real hypervisor, in QEMU; DEBIAN=13 on that Debian
#     make kernel     the guest's driver, for the kernels of tests/kernel/packages.list
#     make coverage   the lines that no test runs
#     make bench      figures: a table, build/bench.json and build/bench.html, a page with plots; RUNS=3
#     make deps       install what a build needs, on Debian
#     make install    DESTDIR= PREFIX=/usr/local
#
# VARIANT=release|asan|tsan|cov builds side by side under build/.

VERSION   := 0.1.0
VARIANT   ?= release
PREFIX    ?= /usr/local
PKGCONFIG ?= pkg-config
B         := build/$(VARIANT)
.DEFAULT_GOAL := all

# ---- who may know whom -------------------------------------------------------------------------
# A folder is compiled with the include paths of exactly these folders and its own, so an #include
# that points the wrong way does not build ("make check-layers" proves it).
frontend := $(addprefix frontend/,base owner trunk streams life device)
backend := $(addprefix backend/,base settings policy wall dirs dialer guest memory tap lane ends/farewell ends/service ends/relay ends/unix ends/kernel worker control daemon)
tools := $(addprefix tools/,base proto copy ends sides manage views xvs)
agent := $(addprefix tools/,base proto ends sides copy manage broker agent)
modules := common/base common/names common/reason common/sockets common/ended common/ring common/vsock common/link xenstore-glue $(frontend) $(backend) $(sort $(tools) $(agent))

sees.common/wire   :=
sees.common/base   :=
sees.common/names  :=
sees.common/sockets :=
sees.common/ended  := common/wire common/reason
sees.common/reason := common/wire
sees.common/ring   := common/wire common/base
sees.common/vsock  := common/wire common/base common/reason
sees.common/link   := common/wire common/base common/reason common/ring common/vsock
sees.xenstore-glue := common/wire common/base
common := common/wire common/base common/reason common/ring common/vsock common/link

# The library, from the ground up; include paths are not inherited.
sees.frontend/base    := frontend/include common/base
sees.frontend/owner   := common/base
sees.frontend/trunk   := frontend/include $(common) frontend/base
sees.frontend/streams := $(sees.frontend/trunk) frontend/trunk
sees.frontend/life    := $(sees.frontend/trunk) frontend/owner frontend/trunk xenstore-glue
sees.frontend/device  := $(sees.frontend/life) frontend/life

# The daemon, likewise.  The keeper: dirs, guest; the dialer: dirs, dialer; the worker: memory to control.
sees.backend/base          := common/base
sees.backend/settings      := common/wire common/base common/names backend/base
sees.backend/policy        := common/base common/names backend/base backend/settings
sees.backend/wall          := common/base backend/base
sees.backend/dirs          := common/base common/sockets backend/base backend/settings
sees.backend/dialer        := common/base common/sockets $(addprefix backend/,base settings wall dirs)
sees.backend/guest         := common/wire common/base common/reason common/sockets xenstore-glue $(addprefix backend/,base settings wall dirs)
sees.backend/memory        := $(common)
sees.backend/tap           := common/wire common/base
sees.backend/lane          := $(common) $(addprefix backend/,base settings policy memory tap)
sees.backend/ends/farewell := $(sees.backend/lane) backend/lane
sees.backend/ends/service  := $(sees.backend/lane) backend/lane
sees.backend/ends/relay    := $(sees.backend/lane) backend/lane backend/ends/farewell
sees.backend/ends/unix     := $(sees.backend/lane) common/sockets common/ended backend/lane backend/ends/farewell
sees.backend/ends/kernel   := $(sees.backend/lane) backend/lane
sees.backend/worker        := $(sees.backend/ends/unix) backend/ends/unix backend/ends/kernel backend/wall
sees.backend/control       := $(sees.backend/worker) backend/worker xenstore-glue
sees.backend/daemon        := $(sees.backend/control) backend/ends/relay backend/ends/service backend/control backend/dirs backend/dialer backend/guest

# The command and the guest's agent.
sees.tools/base  := common/base
sees.tools/proto :=
sees.tools/copy  := common/base tools/proto
sees.tools/ends  := common/wire common/base common/reason tools/base tools/proto
sees.tools/sides := frontend/include common/wire common/base common/reason tools/base tools/proto tools/ends
sees.tools/manage := common/wire common/base common/reason tools/base tools/proto tools/ends tools/sides tools/copy
sees.tools/views := common/wire common/base common/reason tools/base
sees.tools/xvs   := frontend/include common/wire common/base common/names common/reason tools/base tools/proto tools/ends tools/sides tools/views tools/copy tools/manage
sees.tools/broker := common/wire common/base common/reason common/sockets common/ended tools/base tools/proto tools/ends tools/sides
sees.tools/agent := common/wire common/base common/reason tools/base tools/proto tools/ends tools/sides tools/copy tools/manage common/ended tools/broker

sees.tests         := tests/harness $(modules) common/wire frontend/include

lib_parts    := common/base common/reason common/ring common/vsock common/link xenstore-glue $(frontend)
daemon_parts := common/base common/names common/reason common/sockets common/ended common/ring common/vsock common/link xenstore-glue $(backend)

# ---- tools and flags -----------------------------------------------------------------------------
CC       ?= gcc
warnings := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wpointer-arith \
            -Wcast-qual -Wundef -Wvla -Werror
CFLAGS   ?= -O2 -g
# Shadow stacks where this compiler has them for this machine.  The other half of CET, branch tracking, Linux does not
# have for programs, and it would cost some 4 % of the instructions.
cet           := $(shell echo 'int x;' | $(CC) -fcf-protection=return -x c -c -o /dev/null - 2>/dev/null && echo -fcf-protection=return)
flags.release := -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fstack-clash-protection $(cet)
flags.asan    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
flags.tsan    := -O1 -fsanitize=thread -fno-omit-frame-pointer
flags.cov     := -O0 --coverage
# The release as another Debian's compiler builds it (tests/xenlab/debian).
flags.debian13 := $(flags.release)
all_cflags    := -std=gnu11 $(warnings) $(CFLAGS) $(flags.$(VARIANT)) -fPIC -fvisibility=hidden -pthread \
                 -D_GNU_SOURCE -DXVS_VERSION='"$(VERSION)"' -MMD -MP
# Programs are position-independent, and what the dynamic loader has filled in is read-only from then on.
all_ldflags   := $(LDFLAGS) -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack $(filter -fsanitize=% --coverage,$(flags.$(VARIANT))) -pthread -Wl,--as-needed

pc = $(shell $(PKGCONFIG) --$(1) $(2) 2>/dev/null)
xen_libs     := -lxengnttab -lxenevtchn -lxenstore
uv_libs      := $(call pc,libs,libuv)
json_libs    := $(call pc,libs,jansson)
inih_libs    := $(call pc,libs,inih)
systemd_libs := $(call pc,libs,libsystemd)
seccomp_libs := $(call pc,libs,libseccomp)
cunit_libs   := -lcunit

# ---- building a module -----------------------------------------------------------------------------
objs = $(patsubst %.c,$(B)/obj/%.o,$(wildcard $(1)/*.c))
incs = $(addprefix -I,$(1) $(sees.$(1)))

define module_rule
$(B)/obj/$(1)/%.o: $(1)/%.c Makefile | build/headers
	@mkdir -p $$(@D)
	$$(CC) $$(all_cflags) $(call incs,$(1)) -c -o $$@ $$<
endef
$(foreach m,$(modules),$(eval $(call module_rule,$(m))))
build/headers: tools/headers.sh
	@mkdir -p $(@D)
	@tools/headers.sh $(CC) $(CFLAGS) && touch $@

.PHONY: all
all: $(B)/libxvs.so.0 $(B)/libxvs.a $(B)/xvsd $(B)/xvs $(B)/xvs-agent examples

# The policy that is installed is a part of the program, too.
$(B)/obj/backend/policy/policy_dir.o: dist/90-default.policy
$(B)/obj/common/names/portnames.o: dist/ports

lib_objs := $(foreach m,$(lib_parts),$(call objs,$(m)))
$(B)/libxvs.so.0: $(lib_objs) frontend/libxvs.map
	$(CC) $(all_ldflags) -shared -Wl,-soname,libxvs.so.0 -Wl,--version-script=frontend/libxvs.map \
		-Wl,-z,defs -o $@ $(lib_objs) $(xen_libs)
	ln -sf libxvs.so.0 $(B)/libxvs.so
$(B)/libxvs.a: $(lib_objs)
	rm -f $@ && $(AR) rcs $@ $^

$(B)/xvsd: $(foreach m,$(daemon_parts),$(call objs,$(m)))
	$(CC) -pie $(all_ldflags) -o $@ $^ $(xen_libs) $(uv_libs) $(json_libs) $(inih_libs) $(systemd_libs) $(seccomp_libs)

xvs_objs := $(foreach m,common/names common/reason $(tools),$(call objs,$(m)))
$(B)/xvs: $(xvs_objs) $(B)/libxvs.so.0
	$(CC) -pie $(all_ldflags) -Wl,-rpath-link,$(B) -o $@ $(xvs_objs) -L$(B) -lxvs $(uv_libs) $(json_libs)

agent_objs := $(foreach m,common/reason common/sockets common/ended $(agent),$(call objs,$(m)))
$(B)/xvs-agent: $(agent_objs) $(B)/libxvs.so.0
	$(CC) -pie $(all_ldflags) -Wl,-rpath-link,$(B) -o $@ $(agent_objs) -L$(B) -lxvs $(uv_libs) $(json_libs) $(inih_libs)

# The examples are built the way an agent's author would: public header, shared library, nothing else.
examples := $(patsubst frontend/examples/%.c,$(B)/examples/%,$(wildcard frontend/examples/*.c))
.PHONY: examples
examples: $(examples)
$(B)/examples/%: frontend/examples/%.c $(B)/libxvs.so.0
	@mkdir -p $(@D)
	$(CC) $(all_cflags) -Ifrontend/include $(all_ldflags) -o $@ $< -L$(B) -lxvs

# ---- tests --------------------------------------------------------------------------------------------
# Everything under test is linked statically into each unit test, internals included.
$(B)/libtest.a: $(lib_objs) $(call objs,tools/proto)
	rm -f $@ && $(AR) rcs $@ $^
test_incs  := $(addprefix -I,$(sees.tests))
$(B)/obj/tests/%.o: tests/%.c Makefile
	@mkdir -p $(@D)
	$(CC) $(all_cflags) $(test_incs) -c -o $@ $<
unit_tests := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
$(B)/unit/%: $(B)/obj/tests/unit/%.o $(B)/obj/tests/harness/harness.o $(B)/libtest.a
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $^ $(xen_libs) $(cunit_libs)
$(B)/unit/test_proto: xen_libs += $(json_libs)
.SECONDARY:

.PHONY: unit-tests clean
unit-tests: $(unit_tests)
check-unit: unit-tests
	tests/run.sh -j $(unit_tests)

# Those with threads are what the thread sanitizer is for.
threaded_tests := $(patsubst tests/unit/%.c,$(B)/unit/%,$(shell grep -l pthread tests/unit/test_*.c 2>/dev/null))
check-threads: $(threaded_tests)
	tests/run.sh $(threaded_tests)

-include $(wildcard tools/xensim/rules.mk backend/rules.mk frontend/linux/rules.mk tests/*/rules.mk dist/rules.mk rules.mk)

# ---- all of it: tests/all.sh names the parts, runs each and adds up ----------------------------------
.PHONY: check-unit check-threads test check demo deps
deps:
	tools/deps.sh build
test:
	tools/deps.sh build test lab kernel bench deb
	tests/all.sh full
check:
	tests/all.sh quick
demo:
	tools/demo.sh

clean:
	rm -rf build

-include $(shell find $(B)/obj -name '*.d' 2>/dev/null)

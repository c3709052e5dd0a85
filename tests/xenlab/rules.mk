# SPDX-License-Identifier: MIT
# rules.mk: the lab, a real Xen in QEMU (tests/xenlab/README.md).
#     make check-xen       every group of tests; XEN='10 30-e2e' runs only those; VARIANT=asan tests that build
#     make xen-shell       a shell in dom0 with four guests running
#     make xenlab-images   only builds what is booted, and the snapshot
#     make check-xen DEBIAN=13      on Debian 13's Xen, kernel and libraries, with a snapshot of its own, in build/xenlab-13;
#                               what is tested is built for it (debian/build.sh).  xen-shell and xenlab-images take DEBIAN=13, too
XEN ?=
DEBIAN ?= 12

# Packages are made for the group that installs them.
xen_packages := $(if $(XEN),$(if $(filter 70%,$(XEN)),build/deb/stamp),build/deb/stamp)
# Debian's programs are gathered for those that call them.
xen_programs := $(if $(XEN),$(filter 48% 63%,$(XEN)),all)

ifeq ($(DEBIAN),12)
xen_b      := $(B)
xen_dir    := build/xenlab
xen_kernel := $(KERNEL)
xen_tested := all e2e-helpers bench-programs $(xen_packages) kernel-lab
else
$(if $(filter release,$(VARIANT)),,$(error DEBIAN=$(DEBIAN) is built as a release alone, not as VARIANT=$(VARIANT)))
xen_b      := build/debian$(DEBIAN)
xen_dir    := build/xenlab-$(DEBIAN)
xen_kernel := build/kernel-$(DEBIAN)
xen_tested := xen-tested $(xen_packages)
endif
xen_env    := XENLAB_DEBIAN=$(DEBIAN)
# What `make test` runs there: the lab itself, what xl does to guests, the driver with the kernel's own sockets, and with programs of
# that Debian's, Linux's own tests of AF_VSOCK among them.
xen13_groups := 10 40 60 63

.PHONY: check-xen check-xen13 xen-tested xen-shell xenlab-images
xen-tested:
	tests/xenlab/debian/build.sh $(DEBIAN)
check-xen: $(xen_tested)
	$(if $(xen_programs),$(xen_env) tests/xenlab/programs/gather.sh $(xen_dir))
	$(xen_env) XVS_PACKAGES="$(CURDIR)/build/deb" XVS_KERNEL="$(CURDIR)/$(xen_kernel)/lab" \
		XVS_PROGRAMS="$(CURDIR)/$(xen_dir)/programs" XVS_BENCH="$(CURDIR)/$(xen_b)/bench" \
		XVS_BIN="$(CURDIR)/$(xen_b):$(CURDIR)/$(xen_b)/e2e" tests/xenlab/run.sh $(XEN)
check-xen13:
	$(MAKE) --no-print-directory check-xen DEBIAN=13 XEN="$(xen13_groups)"
xen-shell: $(if $(filter 12,$(DEBIAN)),all,xen-tested)
	$(xen_env) tests/xenlab/lab shell --bin "$(CURDIR)/$(xen_b)"
xenlab-images:
	$(xen_env) tests/xenlab/lab snapshot

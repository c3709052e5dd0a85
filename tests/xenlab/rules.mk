# SPDX-License-Identifier: MIT
# rules.mk: the lab, a real Xen in QEMU (tests/xenlab/README.md).
#     make check-xen       every group of tests; XEN='10 30-e2e' runs only those; VARIANT=asan tests that build
#     make xen-shell       a shell in dom0 with four guests running
#     make xenlab-images   only builds what is booted, and the snapshot
XEN ?=

# Packages are made for the group that installs them.
xen_packages := $(if $(XEN),$(if $(filter 70%,$(XEN)),build/deb/stamp),build/deb/stamp)

.PHONY: check-xen xen-shell xenlab-images
check-xen: all e2e-helpers bench-programs $(xen_packages) kernel-lab
	tests/xenlab/programs/gather.sh build/xenlab
	XVS_PACKAGES="$(CURDIR)/build/deb" XVS_KERNEL="$(CURDIR)/$(KERNEL)/lab" \
		XVS_PROGRAMS="$(CURDIR)/build/xenlab/programs" XVS_BENCH="$(CURDIR)/$(B)/bench" \
		XVS_BIN="$(CURDIR)/$(B):$(CURDIR)/$(B)/e2e" tests/xenlab/run.sh $(XEN)
xen-shell: all
	tests/xenlab/lab shell --bin "$(CURDIR)/$(B)"
xenlab-images:
	tests/xenlab/lab snapshot

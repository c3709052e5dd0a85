# SPDX-License-Identifier: MIT
# rules.mk: the driver, for the kernels whose headers are there.
#     make kernel         for every kernel of tests/kernel/packages.list: build/kernel/VERSION/xen_vsock.ko
#     make install-driver DESTDIR= PREFIX=/usr       the sources alone, where dkms looks for them: the package xvs-dkms
#     make -C /lib/modules/$(uname -r)/build M=$PWD/build/kernel/src modules      after `make kernel-src`, for one's own
#
# Linux's build wants all of a module's sources in one folder: the driver's own, and the three files that it shares with
# the library, the specification and the machine of the device's life.
KERNEL      := build/kernel
kernel_list := tests/kernel/packages.list
kernel_own  := $(wildcard frontend/linux/*.[ch]) frontend/linux/Kbuild $(wildcard frontend/linux/std/*.h)

.PHONY: kernel kernel-src kernel-headers install-driver
kernel-src: $(kernel_own)
	@mkdir -p $(KERNEL)/src/std
	cp -u frontend/linux/*.[ch] frontend/linux/Kbuild $(KERNEL)/src/
	cp -u frontend/linux/std/*.h $(KERNEL)/src/std/
	cp -u common/wire/vsockif.h xenstore-glue/life.h $(KERNEL)/src/
	cp -u xenstore-glue/life.c $(KERNEL)/src/shared_life.c
	cp -u xenstore-glue/life_front.c $(KERNEL)/src/shared_life_front.c

kernel-headers:
	tests/kernel/headers.sh $(KERNEL) $(kernel_list)

kernel: kernel-src kernel-headers
	tests/kernel/build.sh $(KERNEL)

install-driver: kernel-src
	install -d "$(DESTDIR)$(PREFIX)/src/xvs-$(VERSION)/std"
	install -m 644 $(KERNEL)/src/*.[ch] $(KERNEL)/src/Kbuild "$(DESTDIR)$(PREFIX)/src/xvs-$(VERSION)"
	install -m 644 $(KERNEL)/src/std/*.h "$(DESTDIR)$(PREFIX)/src/xvs-$(VERSION)/std"

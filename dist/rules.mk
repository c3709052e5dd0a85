# SPDX-License-Identifier: MIT
# rules.mk: what goes where on a machine.  Included by the top Makefile.
#     make install DESTDIR= PREFIX=/usr/local
#     make install-python DESTDIR= PYTHONDIR= ANSIBLEDIR=     the module xvs, and Ansible's connection
#     make uninstall
#     make deb
BINDIR     ?= $(PREFIX)/bin
SBINDIR    ?= $(PREFIX)/sbin
LIBDIR     ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
MANDIR     ?= $(PREFIX)/share/man
# systemd and modules-load.d look below /usr/local/lib as well as below /usr/lib.
UNITDIR    ?= $(PREFIX)/lib/systemd/system
MODULESDIR ?= $(PREFIX)/lib/modules-load.d
SYSUSERSDIR ?= $(PREFIX)/lib/sysusers.d
UDEVDIR    ?= $(PREFIX)/lib/udev/rules.d
CATALOGDIR ?= $(PREFIX)/lib/systemd/catalog
# The daemon reads one place, whatever the prefix is.
SYSCONFDIR ?= /etc
SSHDIR     ?= $(SYSCONFDIR)/ssh/ssh_config.d
DOCDIR     ?= $(PREFIX)/share/doc/xvs
BASHCOMPDIR ?= $(PREFIX)/share/bash-completion/completions
ZSHCOMPDIR ?= $(PREFIX)/share/zsh/site-functions
# Where this machine's python3 looks for what belongs to no single version of it.
PYTHONDIR  ?= $(PREFIX)/lib/python3/dist-packages
ANSIBLEDIR ?= $(PREFIX)/share/ansible/plugins/connection

INSTALL ?= install
install_man   := $(wildcard frontend/man/*.[1-8] backend/man/*.[1-8] tools/man/*.[1-8])
install_units := backend/xvsd.service dist/xvs-agent.service dist/xvs-serve@.service dist/xvs-metrics.service dist/xvs-metrics.timer
install_monitoring := $(wildcard dist/monitoring/*)
# One page describes several calls: "PAGE CALL" for each that NAME lists, so that man finds it under each.
man_aliases = for page in frontend/man/*.3; do \
	sed -n '/^\.SH NAME/,/^\.SH SYN/{/^\.SH/d; s/\\-.*//; s/,/ /g; p}' $$page | tr ' ' '\n' | \
	sed -n "s|^xvs..*|$$(basename $$page) &.3|p"; done | awk '$$1 != $$2'

# name of the section, from the name of the page
man_section = $(subst .,,$(suffix $(1)))
# In xvs.pc, so that it can be told another prefix.
below_prefix = $(patsubst $(PREFIX)/%,$${prefix}/%,$(1))
# $(1) file, $(2) folder, $(3) name, $(4) more for sed: the places that a file names are put in.
define install_filled
sed $(4) -e 's|/usr/local/sbin/|$(SBINDIR)/|g' -e 's|/usr/local/bin/|$(BINDIR)/|g' -e 's|@BINDIR@|$(BINDIR)|g' -e 's|@SBINDIR@|$(SBINDIR)|g' -e 's|@PREFIX@|$(PREFIX)|g' -e 's|@LIBDIR@|$(LIBDIR)|g' \
	-e 's|@INCLUDEDIR@|$(INCLUDEDIR)|g' -e 's|@VERSION@|$(VERSION)|g' -e 's|@BASHCOMPDIR@|$(BASHCOMPDIR)|g' $(1) >$(B)/$(3).filled && \
	$(INSTALL) -D -m 644 $(B)/$(3).filled "$(DESTDIR)$(2)/$(3)"

endef

.PHONY: install uninstall deb check-install
install: all
	$(INSTALL) -D -m 755 $(B)/libxvs.so.0 "$(DESTDIR)$(LIBDIR)/libxvs.so.$(VERSION)"
	ln -sf libxvs.so.$(VERSION) "$(DESTDIR)$(LIBDIR)/libxvs.so.0"
	ln -sf libxvs.so.0 "$(DESTDIR)$(LIBDIR)/libxvs.so"
	$(INSTALL) -D -m 644 $(B)/libxvs.a "$(DESTDIR)$(LIBDIR)/libxvs.a"
	$(INSTALL) -D -m 644 frontend/include/xvs.h "$(DESTDIR)$(INCLUDEDIR)/xvs.h"
	$(INSTALL) -D -m 644 common/wire/vsockif.h "$(DESTDIR)$(INCLUDEDIR)/vsockif.h"
	$(INSTALL) -D -m 755 $(B)/xvs "$(DESTDIR)$(BINDIR)/xvs"
	$(INSTALL) -D -m 755 $(B)/xvsd "$(DESTDIR)$(SBINDIR)/xvsd"
	$(INSTALL) -D -m 755 $(B)/xvs-agent "$(DESTDIR)$(SBINDIR)/xvs-agent"
	$(call install_filled,dist/xvs.pc.in,$(LIBDIR)/pkgconfig,xvs.pc,-e 's|@PREFIX_LIBDIR@|$(call below_prefix,$(LIBDIR))|' \
		-e 's|@PREFIX_INCLUDEDIR@|$(call below_prefix,$(INCLUDEDIR))|')
	$(foreach page,$(install_man),$(INSTALL) -D -m 644 $(page) \
		"$(DESTDIR)$(MANDIR)/man$(call man_section,$(page))/$(notdir $(page))" &&) true
	$(man_aliases) | while read -r page alias; do ln -sf "$$page" "$(DESTDIR)$(MANDIR)/man3/$$alias" || exit; done
	$(foreach unit,$(install_units),$(call install_filled,$(unit),$(UNITDIR),$(notdir $(unit))))
	$(INSTALL) -D -m 644 dist/modules-load-dom0.conf "$(DESTDIR)$(MODULESDIR)/xvsd.conf"
	$(INSTALL) -D -m 644 dist/modules-load-guest.conf "$(DESTDIR)$(MODULESDIR)/xvs-guest.conf"
	$(INSTALL) -D -m 644 dist/sysusers-dom0.conf "$(DESTDIR)$(SYSUSERSDIR)/xvs.conf"
	$(INSTALL) -D -m 644 dist/sysusers-guest.conf "$(DESTDIR)$(SYSUSERSDIR)/xvs-guest.conf"
	$(INSTALL) -D -m 644 dist/60-xvs-guest.rules "$(DESTDIR)$(UDEVDIR)/60-xvs-guest.rules"
	$(INSTALL) -D -m 644 dist/xvs.catalog "$(DESTDIR)$(CATALOGDIR)/xvs.catalog"
	$(INSTALL) -D -m 644 dist/completion/xvs.bash "$(DESTDIR)$(BASHCOMPDIR)/xvs"
	$(call install_filled,dist/completion/_xvs,$(ZSHCOMPDIR),_xvs)
	test -e "$(DESTDIR)$(SYSCONFDIR)/xvs/xvsd.conf" || \
		$(INSTALL) -D -m 644 dist/xvsd.conf "$(DESTDIR)$(SYSCONFDIR)/xvs/xvsd.conf"
	test -e "$(DESTDIR)$(SYSCONFDIR)/xvs/ports" || \
		$(INSTALL) -D -m 644 dist/ports "$(DESTDIR)$(SYSCONFDIR)/xvs/ports"
	$(if $(wildcard $(DESTDIR)$(SSHDIR)/30-xvs.conf),,$(call install_filled,dist/ssh.conf,$(SSHDIR),30-xvs.conf))
	test -d "$(DESTDIR)$(SYSCONFDIR)/xvs/policy.d" || \
		$(INSTALL) -D -m 644 dist/90-default.policy "$(DESTDIR)$(SYSCONFDIR)/xvs/policy.d/90-default.policy"
	$(foreach file,$(install_monitoring),$(INSTALL) -D -m 644 $(file) "$(DESTDIR)$(DOCDIR)/monitoring/$(notdir $(file))" &&) true
	$(INSTALL) -D -m 644 LICENSE "$(DESTDIR)$(DOCDIR)/LICENSE"
	@test -n "$(DESTDIR)" || ldconfig 2>/dev/null || true
	@test -n "$(DESTDIR)" || journalctl --update-catalog 2>/dev/null || true
	@test -n "$(DESTDIR)" || systemd-sysusers "$(SYSUSERSDIR)/xvs.conf" "$(SYSUSERSDIR)/xvs-guest.conf" || \
		echo "make a user xvs, whose rights the worker of xvsd has, and a group xvs-guest, for 60-xvs-guest.rules"

.PHONY: install-python
install_python := $(patsubst bindings/python/%,%,$(wildcard $(addprefix bindings/python/xvs/,*.py py.typed aio/*.py)))
install-python:
	$(foreach file,$(install_python),$(INSTALL) -D -m 644 bindings/python/$(file) "$(DESTDIR)$(PYTHONDIR)/$(file)" &&) true
	$(INSTALL) -D -m 644 bindings/ansible/xvs.py "$(DESTDIR)$(ANSIBLEDIR)/xvs.py"

# The configuration stays: it is the administrator's.
uninstall:
	rm -f $(addprefix "$(DESTDIR)$(LIBDIR)"/,libxvs.so.$(VERSION) libxvs.so.0 libxvs.so libxvs.a pkgconfig/xvs.pc) \
		"$(DESTDIR)$(BASHCOMPDIR)/xvs" "$(DESTDIR)$(ZSHCOMPDIR)/_xvs" \
		"$(DESTDIR)$(INCLUDEDIR)/xvs.h" "$(DESTDIR)$(INCLUDEDIR)/vsockif.h" \
		"$(DESTDIR)$(BINDIR)/xvs" "$(DESTDIR)$(SBINDIR)/xvsd" "$(DESTDIR)$(SBINDIR)/xvs-agent" \
		$(foreach page,$(install_man),"$(DESTDIR)$(MANDIR)/man$(call man_section,$(page))/$(notdir $(page))") \
		$(foreach unit,$(install_units),"$(DESTDIR)$(UNITDIR)/$(notdir $(unit))") \
		"$(DESTDIR)$(SYSUSERSDIR)/xvs.conf" "$(DESTDIR)$(SYSUSERSDIR)/xvs-guest.conf" "$(DESTDIR)$(UDEVDIR)/60-xvs-guest.rules" "$(DESTDIR)$(CATALOGDIR)/xvs.catalog" \
		"$(DESTDIR)$(MODULESDIR)/xvsd.conf" "$(DESTDIR)$(MODULESDIR)/xvs-guest.conf" "$(DESTDIR)$(DOCDIR)/LICENSE" \
		$(foreach file,$(install_monitoring),"$(DESTDIR)$(DOCDIR)/monitoring/$(notdir $(file))")
	$(man_aliases) | while read -r page alias; do rm -f "$(DESTDIR)$(MANDIR)/man3/$$alias"; done
	-rmdir "$(DESTDIR)$(DOCDIR)/monitoring" "$(DESTDIR)$(DOCDIR)" 2>/dev/null

check-install: all
	tests/install.sh

# Packages, in build/deb; host/ and guest/ have again what dom0 and what a guest needs.  The sources are copied first: debhelper works in the folder that it builds.
deb: build/deb/stamp
	@for deb in build/deb/*.deb; do echo "$$deb"; dpkg-deb -c "$$deb" | awk '!/\/$$/ { print "    " $$1, $$6, $$7, $$8 }'; done
deb_sources := Makefile rules.mk README SECURITY LICENSE tests/xenlab/DEPLOYING $(shell find common xenstore-glue frontend backend tools bindings debian dist -type f)
build/deb/stamp: $(deb_sources)
	tools/deps.sh build deb
	rm -rf build/deb
	mkdir -p build/deb/xvs-$(VERSION)
	tar -cf - --exclude ./build --exclude ./.git . | tar -xf - -C build/deb/xvs-$(VERSION)
	cd build/deb/xvs-$(VERSION) && MAKEFLAGS= dpkg-buildpackage -us -uc -b -j2 >../log 2>&1 || { tail -n 40 ../log; exit 1; }
	cd build/deb && mkdir host guest && ln xvs-host_*.deb xvsd_*.deb xvs_*.deb libxvs0_*.deb host/ && \
		ln xvs-guest_*.deb xvs-agent_*.deb xvs_*.deb libxvs0_*.deb guest/
	touch $@

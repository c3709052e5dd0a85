# SPDX-License-Identifier: MIT
# rules.mk: hosted Xen, included by the top Makefile.  Built once for all variants and
# without sanitizers: the drop-ins must load into any client.  Files are replaced, never
# written over: a host may be running.
#     make xensim        everything, with Debian's xenstored unpacked
XENSIM        := build/xensim
XENSIM_SRC    := tools/xensim
XEN_UTILS     := build/xen-utils
XENSIM_CFLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wstrict-prototypes \
                 -Wmissing-prototypes -Werror -fvisibility=hidden -fPIC -pthread -MMD -MP

XENSIM_BINS := $(addprefix $(XENSIM)/bin/,xensimd xensim-xenbus xensim xensim-run)
XENSIM_LIBS := $(XENSIM)/lib/libxengnttab.so.1 $(XENSIM)/lib/libxenevtchn.so.1 \
               $(XENSIM)/ctrl/libxenctrl.so.4.17

xensim.gnttab := gnttab gntshr gntmap gntcopy client
xensim.evtchn := evtchn client
xensim.ctrl   := ctrl client
xensim.daemon := xensimd domain hostgrant hostport hostdir domains hostconn spawn client
xensim.xenbus := xenbus tree ring mux evtchn gnttab gntshr client
xensim.front  := xensim client
xensim_objs    = $(patsubst %,$(XENSIM)/obj/%.o,$(xensim.$(1)))

.PHONY: xensim
xensim: $(XENSIM_BINS) $(XENSIM_LIBS) $(XEN_UTILS)/.complete

$(XENSIM)/obj/%.o: $(XENSIM_SRC)/%.c $(XENSIM_SRC)/rules.mk
	@mkdir -p $(@D)
	$(CC) $(XENSIM_CFLAGS) -c -o $@ $<

define xensim_lib
$(XENSIM)/$(1): $(call xensim_objs,$(2)) $(XENSIM_SRC)/$(2).map
	@mkdir -p $$(@D)
	$$(CC) -shared -pthread -Wl,-soname,$(notdir $(1)) \
	    -Wl,--version-script=$(XENSIM_SRC)/$(2).map -Wl,-z,defs -o $$@.new $$(filter %.o,$$^)
	mv $$@.new $$@
endef
$(eval $(call xensim_lib,lib/libxengnttab.so.1,gnttab))
$(eval $(call xensim_lib,lib/libxenevtchn.so.1,evtchn))
$(eval $(call xensim_lib,ctrl/libxenctrl.so.4.17,ctrl))

$(XENSIM)/bin/xensimd: $(call xensim_objs,daemon)
$(XENSIM)/bin/xensim-xenbus: $(call xensim_objs,xenbus)
$(XENSIM)/bin/xensim: $(call xensim_objs,front)
$(XENSIM)/bin/xensim-xenbus $(XENSIM)/bin/xensim: XENSIM_LDLIBS := -lxenstore
$(XENSIM)/bin/xensimd $(XENSIM)/bin/xensim-xenbus $(XENSIM)/bin/xensim:
	@mkdir -p $(@D)
	$(CC) -pthread -o $@.new $^ $(XENSIM_LDLIBS)
	mv $@.new $@
$(XENSIM)/bin/xensim-run: $(XENSIM)/bin/xensim
	ln -sf xensim $@

$(XEN_UTILS)/.complete:
	$(XENSIM_SRC)/fetch-xen.sh $(XEN_UTILS)


-include $(wildcard $(XENSIM)/obj/*.d)

# SPDX-License-Identifier: MIT
# rules.mk: tests of the command xvs, in dom0 against a daemon that is none, and in guests of a hosted Xen.
# What the command shows, as far as it is a function of what it knows.
tools_obj = $(addprefix $(B)/obj/tools/,$(addsuffix .o,$(1)))
$(B)/unit/test_tools_openmetrics: $(call tools_obj,views/openmetrics)
$(B)/unit/test_tools_capture:     $(call tools_obj,views/tapread views/pcapng views/traceline base/say) $(B)/obj/common/reason/reason.o
$(B)/unit/test_tools_top:         $(call tools_obj,views/toprows views/topdraw views/fit base/say)
$(B)/unit/test_tools_lstable:     $(call tools_obj,views/lstable views/fit base/say)
$(addprefix $(B)/unit/test_tools_,openmetrics top lstable): xen_libs += $(json_libs)
$(B)/unit/test_tools_progress:    $(call tools_obj,views/progress base/say)
$(B)/unit/test_tools_chain:       $(call tools_obj,views/chain) $(B)/obj/common/reason/reason.o
$(B)/unit/test_tools_offspring:   $(call tools_obj,base/offspring base/proc)
# The broker of a guest's agent: who holds how much, and how streams ended.
$(B)/unit/test_tools_holders:     $(call tools_obj,broker/holders)
$(B)/unit/test_tools_book:        $(call tools_obj,broker/book broker/holders sides/line base/loop base/files base/say) $(B)/obj/common/ended/ended.o $(B)/obj/common/reason/reason.o
$(B)/unit/test_tools_sworn:       $(call tools_obj,broker/sworn broker/edges ends/fdend ends/around base/loop base/files base/say)
# It plays a program that goes on between the agent's calls.
$(B)/unit/test_tools_sworn: all_ldflags += -Wl,--wrap=recv,--wrap=poll
$(B)/unit/test_tools_greet:       $(call tools_obj,broker/greet broker/holders broker/sworn broker/edges ends/fdend ends/around sides/line base/loop base/files base/say) $(B)/obj/common/sockets/connect_line.o
# It is short of descriptors at times.
$(B)/unit/test_tools_greet: all_ldflags += -Wl,--wrap=accept4
# The last words of its agent.
$(B)/unit/test_tools_leave:       $(call tools_obj,agent/leave proto/tcpmux base/loop base/files base/say)
$(B)/unit/test_tools_freeze:      $(call tools_obj,manage/freeze manage/qemuga manage/ga manage/lines copy/channel proto/json sides/control base/say base/files)
$(B)/unit/test_tools_freeze: xen_libs += $(json_libs)
# Whose end goes while it is looked at.
$(B)/unit/test_tools_pump:        $(call tools_obj,ends/pump base/loop base/files base/say)
# How the command waits.
$(B)/unit/test_tools_waited:      $(call tools_obj,xvs/waited base/loop base/files base/say)
$(addprefix $(B)/unit/test_tools_,book sworn greet leave pump waited): xen_libs += $(uv_libs)
# The daemon has a loop.h, too.
$(addprefix $(B)/obj/tests/unit/test_tools_,$(addsuffix .o,book sworn greet)): test_incs = $(addprefix -I,tests/harness tools/broker $(sees.tools/broker))
$(B)/obj/tests/unit/test_tools_freeze.o: test_incs = $(addprefix -I,tests/harness tools/manage $(sees.tools/manage))
$(B)/obj/tests/unit/test_tools_pump.o: test_incs = $(addprefix -I,tests/harness tools/ends $(sees.tools/ends))
$(B)/obj/tests/unit/test_tools_leave.o: test_incs = $(addprefix -I,tests/harness tools/agent $(sees.tools/agent))
$(B)/obj/tests/unit/test_tools_waited.o: test_incs = $(addprefix -I,tests/harness tools/xvs $(sees.tools/xvs))
# Copying: the rules, what an archive may try, whole trees through both ends.
copy_objs := $(call objs,tools/copy) $(call objs,tools/proto)
copy_tests := $(addprefix $(B)/unit/test_copy_,rules tricks trees)
$(copy_tests): $(copy_objs) $(B)/obj/tests/unit/copy_lab.o
$(copy_tests): xen_libs += $(json_libs)

.PHONY: check-tools
check-tools: all xensim
	XVS_BIN=$(B) tests/run.sh -j tests/tools/run.sh tests/tools/guest.sh tests/tools/messages.sh

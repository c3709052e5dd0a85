# SPDX-License-Identifier: MIT
# Tests of the daemon's own parts: unit tests of the pure ones, and a guest that breaks every rule.
backend_obj = $(addprefix $(B)/obj/backend/,$(addsuffix .o,$(1)))

$(B)/unit/test_backend_connect_line: $(call objs,common/sockets)
$(B)/unit/test_backend_turned_away:  $(B)/obj/common/ended/turned_away.o $(B)/obj/common/reason/reason.o
$(B)/unit/test_backend_standing:     $(call backend_obj,control/standing control/use)
$(B)/unit/test_backend_from_line:    $(call backend_obj,ends/unix/from_line settings/names)
$(B)/unit/test_backend_account:      $(call backend_obj,memory/account)
$(B)/unit/test_portnames:             $(B)/obj/common/names/portnames.o
$(B)/unit/test_backend_bucket:       $(call backend_obj,lane/bucket lane/limits)
$(B)/unit/test_backend_inbox:        $(call backend_obj,memory/inbox memory/chunks)
$(B)/unit/test_backend_fate:         $(call backend_obj,ends/unix/fate) $(B)/obj/common/base/hash.o $(B)/obj/common/ended/ended.o
$(B)/unit/test_backend_journal:      $(call backend_obj,base/xenlog base/journal base/journald base/event)
$(B)/unit/test_backend_events:       $(call backend_obj,control/events control/who control/refusal lane/feed settings/names base/event) $(B)/obj/common/reason/reason.o $(B)/obj/xenstore-glue/parse.o
$(B)/unit/test_backend_events:       xen_libs += $(json_libs)
$(B)/unit/test_backend_pipe:         $(call backend_obj,ends/kernel/pipe ends/kernel/virtq ends/kernel/vhost)
$(B)/unit/test_backend_poller:       $(call backend_obj,base/poller)
$(B)/unit/test_backend_tap:          $(call backend_obj,tap/tap)
$(B)/unit/test_backend_names:        $(call backend_obj,settings/names settings/titles) $(B)/obj/common/base/hash.o
$(B)/unit/test_backend_promise:      $(call backend_obj,memory/promise)
$(B)/unit/test_backend_settings:     $(call backend_obj,$(addprefix settings/,settings settings_text keys values reader settings_files confdir complaints names) base/journal base/journald base/event) $(B)/obj/common/names/portnames.o
$(B)/unit/test_backend_policy:       $(call backend_obj,$(addprefix policy/,policy policy_text policy_pack policy_dir) settings/names settings/confdir settings/complaints) $(B)/obj/common/names/portnames.o
$(B)/unit/test_backend_refusals:     $(call backend_obj,lane/refusals base/loop base/poller base/journal base/journald base/event) $(B)/obj/common/reason/reason.o
$(B)/unit/test_backend_refusals:     xen_libs += $(uv_libs)
$(B)/unit/test_backend_access:       $(call objs,common/sockets)
$(B)/unit/test_backend_claim:        $(call backend_obj,daemon/claim)
$(addprefix $(B)/unit/test_backend_,rundir intruders claim anydir dialer): $(B)/obj/tests/unit/rundir_lab.o \
                                     $(call backend_obj,$(addprefix dirs/,rundir sockfile) base/journal base/journald base/event) $(call objs,common/sockets)
$(B)/unit/test_backend_anydir:       $(call backend_obj,dirs/anydir)
$(B)/unit/test_backend_dialer:       $(call backend_obj,dialer/dialer wall/wall base/loop base/poller) $(B)/obj/common/base/hash.o
$(B)/unit/test_backend_dialer:       xen_libs += $(uv_libs)
$(B)/unit/test_backend_settings:     xen_libs += $(inih_libs)

# Guests by hand.
raw_guests := $(patsubst %,$(B)/hostile/test_%,hostile_guest ends streams descriptors seqpacket dialing)
$(raw_guests): $(B)/hostile/%: $(B)/obj/tests/hostile/%.o $(patsubst %,$(B)/obj/tests/hostile/%.o,rawfront admitted rawstream daemon hosted) \
                               $(call backend_obj,memory/map guest/evtchn base/xenlog base/journal base/journald base/event) $(B)/obj/tests/harness/harness.o $(B)/libtest.a $(B)/xvsd
	@mkdir -p $(@D)
	$(CC) $(all_ldflags) -o $@ $(filter-out $(B)/xvsd,$^) $(xen_libs) $(cunit_libs)
$(B)/unit/test_backend_wall:         $(call backend_obj,wall/wall base/loop base/poller base/journal base/journald base/event)
$(B)/unit/test_backend_wall:         xen_libs += $(uv_libs)
$(B)/unit/test_backend_sandbox:      $(call backend_obj,daemon/sandbox)
$(B)/unit/test_backend_sandbox:      xen_libs += $(seccomp_libs)
$(B)/unit/test_backend_spawn:        $(call backend_obj,daemon/sandbox daemon/spawn base/journal base/journald base/event)
$(B)/unit/test_backend_spawn:        xen_libs += $(seccomp_libs)

# SPDX-License-Identifier: MIT
# rules.mk: checks of the sources themselves, beside the unit tests.

# ---- the model of the ring's memory edges: it compiles ring.c with its atomics replaced -----------------
model_incs := -Itests/model $(call incs,common/ring)
$(B)/model/%.o: tests/model/%.c Makefile rules.mk
	@mkdir -p $(@D)
	$(CC) $(all_cflags) $(model_incs) -c -o $@ $<
$(B)/model/model_wake: $(B)/model/model_wake.o $(B)/model/code_edges.o
	$(CC) $(all_ldflags) -o $@ $^
-include $(wildcard $(B)/model/*.d)

.PHONY: check-model check-layers print-incs print-modules print-objs layers-objs
check-model: $(B)/model/model_wake
	tests/run.sh $(B)/model/model_wake

# ---- who may know whom: a wrong-way #include must not build ----------------------------------------------
xensim_all := $(patsubst $(XENSIM_SRC)/%.c,$(XENSIM)/obj/%.o,$(wildcard $(XENSIM_SRC)/*.c))
objs_of     = $(if $(filter $(XENSIM_SRC),$(1)),$(xensim_all),$(call objs,$(1)))
layers-objs: $(foreach m,$(modules) $(XENSIM_SRC),$(call objs_of,$(m)))
check-layers: layers-objs
	tests/run.sh tests/layers.sh

# For tests/layers.sh: the folders, and a line for each with its include paths, or with its objects.
folders := $(patsubst sees.%,%,$(filter-out sees.tests,$(filter sees.%,$(.VARIABLES))))
print-modules:
	@echo $(folders)
print-incs:
	@$(foreach m,$(folders),echo $(m) $(call incs,$(m));)
print-objs:
	@$(foreach m,$(folders) $(XENSIM_SRC),echo $(m) $(call objs_of,$(m));)

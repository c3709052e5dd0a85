# SPDX-License-Identifier: MIT
# rules.mk: what makes programs late (late.c); tests/again.sh -l uses it.
build/test/late.so: tests/late/late.c Makefile
	@mkdir -p $(@D)
	$(CC) $(all_cflags) -Icommon/base -fvisibility=default -shared $(all_ldflags) -o $@ $< -ldl

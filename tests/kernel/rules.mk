# SPDX-License-Identifier: MIT
# rules.mk: the driver as Linux's own tools judge it (tests/kernel/run.sh); and for the lab, where groups 60 to 63 test what it does.
.PHONY: check-kernel kernel-lab
check-kernel: kernel-src kernel-headers
	tests/run.sh "tests/kernel/run.sh $(KERNEL)"

# The lab's guests have Debian 12's kernel; one has a newer.
kernel-lab: kernel-src kernel-headers
	tests/kernel/build.sh $(KERNEL) 6.1
	tests/kernel/build.sh $(KERNEL) 6.12
	tests/kernel/lab.sh $(KERNEL) 6.1
	tests/kernel/lab.sh $(KERNEL) 6.12

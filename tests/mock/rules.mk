# SPDX-License-Identifier: MIT
# rules.mk: a Xen host within one process (tests/mock/mock.h), for the fuzz targets and for tests that let calls fail.
mock_calls := socket socketpair bind listen accept4 connect shutdown setsockopt getsockopt getpeername \
              send sendto sendmsg recv recvfrom recvmsg read pread readv write writev __recv_chk __read_chk \
              epoll_create1 epoll_ctl epoll_wait eventfd timerfd_create poll open openat mkdir mkdirat unlink unlinkat \
              symlinkat readlinkat readlink linkat renameat renameat2 getxattr setxattr removexattr pwrite chmod fchmod fchmodat fchown fchownat fstat fstatat ftruncate flock fcntl ioctl \
              fopen opendir fdopendir dup pipe2 getrlimit setrlimit fork sched_yield getrandom uv_queue_work uv_run
mock_memory := malloc calloc realloc reallocarray strdup

# $(call mock_rename,from,to): the product's object, with other names for what is not to be libc's, and for the daemon's main().
# It needs $(mock_names).
mock_names  := $(B)/mock/names
mock_rename  = objcopy --redefine-syms=$(mock_names) $(1) $(2)
$(mock_names): tests/mock/rules.mk
	@mkdir -p $(@D)
	@for call in $(mock_calls) $(mock_memory); do echo "$$call __wrap_$$call"; done >$@
	@echo main xvsd_main >>$@

/* SPDX-License-Identifier: MIT */
/* end_fd.h: what the ends over a kernel's sockets have in common (end_unix.c, end_vsock.c): waiting, and moving bytes.
 *
 * Results and ms as in end.h; a deadline is of fd_now_ms(), 0 for none.  The descriptors need not be non-blocking. */
#ifndef E2E_END_FD_H
#define E2E_END_FD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

uint64_t fd_now_ms(void);
uint64_t fd_deadline(int ms);
/* As many descriptors as may be. */
void fd_raise_limit(void);
/* 0 when the descriptor is ready for these events of poll(), or -ETIMEDOUT. */
int fd_ready(int fd, short events, uint64_t deadline);
/* A listener's next connection: 0 with *out, -ETIMEDOUT, or what accept says. */
int fd_accept(int listener, int ms, int *out);
/* Some bytes or more; *error keeps what ended the stream. */
ssize_t fd_send(int fd, const void *data, size_t len, int ms, int *error);
ssize_t fd_recv(int fd, void *data, size_t len, int ms, int *error);
/* Until input has something (1), or a moment has passed: such sockets need no hand. */
int fd_pump(int input, int ms);

#endif

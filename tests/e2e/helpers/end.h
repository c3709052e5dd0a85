/* SPDX-License-Identifier: MIT */
/* end.h: one end of streams, as the script of script.c drives it.
 *
 * Three files implement it: end_xvs.c over libxvs and end_vsock.c over the kernel's AF_VSOCK, for a guest (a place is
 * "CID:PORT", or "PORT" to listen on; AF_VSOCK's may be "CID:PORT@OWN_PORT"), and end_unix.c over the host's UNIX sockets (a place is "SOCKET:PORT" for one that speaks
 * CONNECT, or a path to listen on).  ms are milliseconds from the call, -1 for no limit.  Results are 0 or
 * a count, or a negative errno.  Not blocking for an end_ call means ms = 0 and -ETIMEDOUT. */
#ifndef E2E_END_H
#define E2E_END_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct end;
struct end_listener;

int  end_open(void);
void end_finish(void);
int  end_listen(const char *where, unsigned backlog, struct end_listener **out);
void end_listener_close(struct end_listener *l);
int  end_accept(struct end_listener *l, int ms, struct end **out);
int  end_connect(const char *where, int ms, struct end **out);
/* Starts without waiting; end_opened() tells how it went, -EAGAIN while it does not know.  Neither takes a guest that has not
 * answered within the daemon's time limit for one that has refused. */
int  end_begin(const char *where, struct end **out);
int  end_opened(struct end *e);

/* Some bytes or more; end_recv gives 0 at the end of the stream. */
ssize_t end_send(struct end *e, const void *data, size_t len, int ms);
ssize_t end_recv(struct end *e, void *data, size_t len, int ms);
int  end_shutdown(struct end *e, int how);
void end_close(struct end *e);
void end_reset(struct end *e);
/* What ended the stream: 0, or a negative errno. */
int  end_error(struct end *e);

/* Sets an option of the socket, or with NULL of those that are made from now on; -EOPNOTSUPP for one that this end does not have. */
int  end_option(struct end *e, const char *name, uint64_t value);

/* Waits until the device is up (1) or down (0). */
int  end_wait_device(int up, int ms);
/* The descriptor that more steps come from, or -1. */
extern int end_input;
/* Lets everything that is due happen for up to ms, or until end_input has something: then 1. */
int  end_pump(int ms);
/* Prints counters of this end, words on one line. */
void end_stats(void);

#endif

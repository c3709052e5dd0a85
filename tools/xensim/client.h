/* SPDX-License-Identifier: MIT */
/* client.h: one connection to the daemon, as the drop-in libraries use it.
 *
 *     sim_connect()   as the domain that the environment names, or as "host"
 *     sim_call()      one request, one reply; any thread
 *     sim_close()     gives everything back before it returns; in a forked child
 *                     it only drops the child's copy
 * XENSIM_DIR and XENSIM_DOMID are read at each connect: a test can be two domains. */
#ifndef XENSIM_CLIENT_H
#define XENSIM_CLIENT_H

#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>

#include "proto.h"

struct sim_conn {
    int fd;
    pid_t pid;                 /* who opened it: a fork's child must stay silent */
    pthread_mutex_t lock;
};

/* 'who' is a name under ctl/, or NULL for the environment's domain.  0 or
 * -errno; -ENOENT where no host runs, as where there is no Xen. */
int sim_connect(struct sim_conn *conn, const char *dir, const char *who, bool cloexec);

/* Sends *msg with up to *nfds descriptors, reads the reply into *msg and its
 * descriptors (at most SIM_FDS_MAX, the caller's to close) into fds.  fds and
 * nfds may be NULL.  0 or the reply's -errno; -EIO when the daemon or the
 * domain is gone. */
int sim_call(struct sim_conn *conn, struct sim_msg *msg, int *fds, int *nfds);

void sim_close(struct sim_conn *conn);

/* One datagram with descriptors, for both sides.  Bytes, 0 at the end, -errno. */
int sim_send(int sock, const struct sim_msg *msg, const int *fds, int nfds, int flags);
int sim_recv(int sock, struct sim_msg *msg, int *fds, int *nfds);

#endif

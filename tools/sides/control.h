/* SPDX-License-Identifier: MIT */
/* control.h: the daemon's run directory, and its control socket: one JSON object a line each way. */
#ifndef XVS_CONTROL_H
#define XVS_CONTROL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/un.h>

#define WHY 512                 /* bytes of an explanation, with its end */

/* $XVS_RUN_DIR, or the default. */
const char *run_dir(void);
/* True if a daemon has left its control socket there, or the kernel says that this is dom0. */
bool is_dom0(void);

/* Asks the daemon and takes the request's reference.  0 and an answer with "ok": true; or a negative errno and why:
 * -ENOENT      no daemon
 * -EACCES      not for this user: who may not use control.sock asks at status.sock, which only tells
 * -ETIMEDOUT   no answer in 10 s
 * -EPROTO      no JSON, or not what was expected
 * -EREMOTEIO   the daemon's own error, in its words */
int control_ask(json_t *request, json_t **answer, char why[WHY]);
/* The same for a question after whose answer something else follows: the connection, blocking, with nothing of that read yet, which is the
 * caller's; and what control_ask() gives. */
int control_begin(json_t *request, int *fd, json_t **answer, char why[WHY]);
/* The exit status for such an error. */
int control_status(int err);

/* A stream socket connected to dir/name, whatever the length of the path (dirfd is open on dir); non-blocking if flags say
 * so, else connected when it returns.  It must be the daemon's: who else may write in dir can have put something there while no
 * daemon was.  A descriptor or a negative errno; -ENOTSOCK if what stands there is not the daemon's. */
int unix_connect(int dirfd, const char *name, int flags);
/* …of type SOCK_SEQPACKET. */
int unix_connect_messages(int dirfd, const char *name, int flags);
/* The address of dir/name by way of its descriptor. */
int unix_address(int dirfd, const char *name, struct sockaddr_un *address);

#endif

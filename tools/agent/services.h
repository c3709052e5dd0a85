/* SPDX-License-Identifier: MIT */
/* services.h: which service a name is: one that is built in, one that agent.conf connects, or a file in services.d.
 *
 *     an executable                a process for each call
 *     a UNIX socket                is connected to
 *     a link to /dev/tcp/HOST/PORT likewise; HOST is a number, or localhost
 *
 * The directory and the file must be root's and closed to others' writing; what a link leads to, if it is an executable, too. */
#ifndef XVS_SERVICES_H
#define XVS_SERVICES_H

#include <stddef.h>

#include "agent.h"
#include "destination.h"

#define SERVICES_TARGET 1024

struct service {
    enum { SERVICE_EXEC, SERVICE_HELP, SERVICE_FUNCTION, SERVICE_PROGRAM, SERVICE_SOCKET, SERVICE_COMMAND } kind;
    char path[SERVICES_TARGET];         /* of a program */
    struct destination target;               /* of a socket, and of a command for the shell (agent.conf's forward) */
};

/* 0, or -ENOENT, -EPERM or another negative errno with why, in words for the caller. */
int services_find(const char *dir, const struct call *c, struct service *s, char why[CALL_WHY]);
/* One name a line, CR LF, of those that this CID may call; the text is to be freed, NULL: no memory. */
char *services_list(const char *dir, const struct conf *conf, uint64_t cid, size_t *len);

#endif

/* SPDX-License-Identifier: MIT */
/* target.h: what a call is joined to, as agent.conf and services.d write it.  Pure.
 *
 *     unix:/PATH          a UNIX socket
 *     tcp:HOST:PORT       HOST is a number, or localhost: to ask a server of names would keep everybody else waiting
 *     exec:COMMAND        a process for each call, by /bin/sh */
#ifndef XVS_TARGET_H
#define XVS_TARGET_H

#include <sys/socket.h>

#define TARGET_TEXT 256         /* bytes of such a text, with its end */
#define TARGET_WHY  200

struct target {
    struct sockaddr_storage address;
    socklen_t len;              /* 0: */
    const char *command;        /* …this, within the text */
};

/* 0, or -EINVAL or -ENAMETOOLONG with why. */
int target_read(const char *text, struct target *t, char why[TARGET_WHY]);
/* Likewise of a part of it: a path; HOST and PORT with this mark between them. */
int target_unix(const char *path, struct target *t, char why[TARGET_WHY]);
int target_tcp(const char *text, char mark, struct target *t, char why[TARGET_WHY]);

#endif

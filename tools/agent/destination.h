/* SPDX-License-Identifier: MIT */
/* destination.h: what a call is joined to, as agent.conf and services.d write it.  Pure.
 *
 *     unix:/PATH          a UNIX socket
 *     tcp:HOST:PORT       HOST is a number, or localhost: to ask a server of names would keep everybody else waiting
 *     exec:COMMAND        a process for each call, by /bin/sh */
#ifndef XVS_DESTINATION_H
#define XVS_DESTINATION_H

#include <sys/socket.h>

#define DESTINATION_TEXT 256         /* bytes of such a text, with its end */
#define DESTINATION_WHY  200

struct destination {
    struct sockaddr_storage address;
    socklen_t len;              /* 0: */
    const char *command;        /* …this, within the text */
};

/* 0, or -EINVAL or -ENAMETOOLONG with why. */
int destination_read(const char *text, struct destination *t, char why[DESTINATION_WHY]);
/* Likewise of a part of it: a path; HOST and PORT with this mark between them. */
int destination_unix(const char *path, struct destination *t, char why[DESTINATION_WHY]);
int destination_tcp(const char *text, char mark, struct destination *t, char why[DESTINATION_WHY]);

#endif

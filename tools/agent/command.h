/* SPDX-License-Identifier: MIT */
/* command.h: what happens between fork() and exec(): a command becomes who, where and what START says. */
#ifndef XVS_COMMAND_H
#define XVS_COMMAND_H

#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "start.h"

/* Exit statuses for callers, as docker and env have them. */
enum { COMMAND_FAILED = 125, COMMAND_CANNOT = 126, COMMAND_ABSENT = 127 };

/* Why there is no command: what its report says, which is written at once or not at all. */
struct command_report {
    uint32_t status;            /* COMMAND_… */
    int32_t err;                /* a negative errno */
    char text[240];
};

struct command {
    const struct start *start;
    int in, out, err;           /* standard input, output and error; of a terminal its other end, three times */
    int report;                 /* closes when the command runs, or brings a struct command_report */
    char *const *names;         /* "NAME=value", which the caller's own cannot change; ends with a NULL */
    const struct rlimit *files; /* the limit of descriptors that the agent was given */
};

/* A process that leads a session of its own.  Its id or a negative errno. */
pid_t command_begin(const struct command *c);

#endif

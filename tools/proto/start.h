/* SPDX-License-Identifier: MIT */
/* start.h: START of the service exec: which command, as whom, where, with what.
 *
 *     { "argv": ["uname", "-a"],                     at least one, none of them empty at the front
 *       "env": { "A": "B" },                         added to the user's; names without '='
 *       "cwd": "/srv", "user": "www", "term": "xterm", "timeout": 5000,
 *       "tty": [24, 80], "stdin": true, "detach": true }
 *
 * All but argv may be left out.  argv's and env's values and cwd may be bytes (json.h).  "tty" is the terminal's size, rows and
 * columns, 0 for not known; "stdin" false: nothing will come, and the command reads from /dev/null; "timeout" is in milliseconds.
 * "shell": true runs the user's login shell, as a login does, and argv is its arguments, perhaps none. */
#ifndef XVS_START_H
#define XVS_START_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "json.h"

#define START_TIMEOUT 2000000000u       /* ms, the greatest */

struct start {
    char **argv, **env;         /* each ends with a NULL; env: "NAME=value" */
    char *cwd, *user, *term;    /* NULL: not said */
    uint32_t timeout;           /* ms; 0: none */
    uint16_t rows, columns;
    bool tty, has_stdin, detach, shell;
};

/* 0, or -EPROTO with why, or -ENOMEM.  What was filled in is start_free()'s, whatever came of it. */
int  start_parse(const void *text, size_t len, struct start *s, char why[JSON_WHY]);
/* Frees what start_parse() has filled in; accepts a zeroed one. */
void start_free(struct start *s);
/* A body for START, to be freed, with its length; NULL: no memory.  It may be longer than a frame can be: the caller is to look. */
char *start_text(const struct start *s, size_t *len);

#endif

/* SPDX-License-Identifier: MIT */
/* tcpmux.h: services by name on one port, as RFC 1078 has them for TCP.
 *
 *     caller    NAME CR LF   or   NAME+ARGUMENT CR LF
 *     agent     + text CR LF     the service's own protocol follows
 *               - why CR LF      it ends here
 *
 * HELP is answered by a list of names, one a line, and the end.  As in RFC 1078 the agent's line comes first, so the caller may
 * send what follows its own line without waiting.  Otherwise than there, names are as they are written, in capitals or not: they are
 * those of files.  LF alone ends a line as well, for people who type.
 *
 *     NAME       1 to 64 of A-Z a-z 0-9 . _ -, the first of them a letter or a digit
 *     ARGUMENT   at most 128 of these and +
 *
 * Whatever is in ARGUMENT can therefore stand in a shell's line, and neither can name a directory.
 *
 * The code is pure. */
#ifndef XVS_TCPMUX_H
#define XVS_TCPMUX_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define TCPMUX_PORT     1u
#define TCPMUX_NAME     64u
#define TCPMUX_ARGUMENT 128u
#define TCPMUX_LINE     (TCPMUX_NAME + 1 + TCPMUX_ARGUMENT + 2)     /* bytes, with CR LF */
#define TCPMUX_ANSWER   512u                                        /* likewise */

struct tcpmux_request {
    char name[TCPMUX_NAME + 1];
    bool has_argument;
    char argument[TCPMUX_ARGUMENT + 1];
};

/* The name of a file in services.d, too. */
bool tcpmux_name_is_good(const char *name);

/* The bytes that have come so far: how many of them the line takes, 0 while it is not whole, -EINVAL with why (a sentence's end, for
 * a person: "the service's name is too long").  A line that can become none is found at its first wrong byte. */
ssize_t tcpmux_request(const void *bytes, size_t len, struct tcpmux_request *request, const char **why);
/* NAME[+ARGUMENT] from a command line, as a line: its length, or -EINVAL with why. */
ssize_t tcpmux_ask(const char *service, char line[TCPMUX_LINE + 1], const char **why);

/* A line of the agent's: its length.  Control characters in the text become '?'; what is too long is cut. */
size_t tcpmux_answer(bool good, const char *text, char line[TCPMUX_ANSWER + 1]);
/* As tcpmux_request(): the text, and whether it is good; -EPROTO if it is no answer. */
ssize_t tcpmux_answered(const void *bytes, size_t len, bool *good, char text[TCPMUX_ANSWER]);

#endif

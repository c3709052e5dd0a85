/* SPDX-License-Identifier: MIT */
/* line.h: one line of text from a socket, and not a byte of what follows it. */
#ifndef XVS_LINE_H
#define XVS_LINE_H

#include <stddef.h>

#define LINE_MOST 128           /* bytes, its newline among them */

struct line {                   /* zeroed at the beginning */
    char text[LINE_MOST + 1];   /* as far as it has come; without its newline once it is whole */
    size_t len;
};

/* Takes of it what is there.  1 when it is whole; 0: more has yet to come; -ECONNRESET: the socket has ended; -EMSGSIZE: it has 'most'
 * bytes and no newline; or another negative errno. */
int line_read(struct line *l, int fd, size_t most);
/* The same, but the newline stays in the socket. */
int line_read_short(struct line *l, int fd, size_t most);

#endif

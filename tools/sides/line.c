/* SPDX-License-Identifier: MIT */
/* line.c: see line.h.  What is there is looked at first, and then taken up to the newline. */
#include "line.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

static int read_some(struct line *l, int fd, size_t most, size_t newlines)
{
    char *at = l->text + l->len, *newline;
    ssize_t n = recv(fd, at, most - l->len, MSG_PEEK | MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? 0 : -errno;
    if (n == 0)
        return -ECONNRESET;
    newline = memchr(at, '\n', (size_t)n);
    n = recv(fd, at, newline ? (size_t)(newline - at) + newlines : (size_t)n, MSG_DONTWAIT);
    l->len += n > 0 ? (size_t)n : 0;
    if (newline)
        *newline = '\0';
    else
        l->text[l->len] = '\0';
    return newline ? 1 : l->len < most ? 0 : -EMSGSIZE;
}

int line_read(struct line *l, int fd, size_t most)
{
    return read_some(l, fd, most, 1);
}

int line_read_short(struct line *l, int fd, size_t most)
{
    return read_some(l, fd, most, 0);
}

/* SPDX-License-Identifier: MIT */
/* answer.c: see answer.h. */
#include "answer.h"

#include <errno.h>

#include "tcpmux.h"

int answer(struct end *end, bool good, const char *text)
{
    char line[TCPMUX_ANSWER + 1];
    struct iovec iov = { .iov_base = line, .iov_len = tcpmux_answer(good, text, line) };
    ssize_t n = end->ops->write(end, &iov, 1);

    return n < 0 ? (int)n : (size_t)n == iov.iov_len ? 0 : -ECONNRESET;
}

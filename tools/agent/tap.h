/* SPDX-License-Identifier: MIT */
/* tap.h: our end of a pipe or a terminal, which is in non-blocking mode.  A zeroed one with fd -1 is closed. */
#ifndef XVS_TAP_H
#define XVS_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "loop.h"

struct tap {
    struct watch watch;
    struct loop *loop;
    int fd;
    void (*wake)(void *arg);
    void *arg;
};

/* Takes fd.  wake is called once after -EAGAIN, when trying again may help. */
void tap_open(struct tap *t, struct loop *l, int fd, void (*wake)(void *arg), void *arg);
/* Accepts a closed one. */
void tap_close(struct tap *t);
static inline bool tap_is_open(const struct tap *t)
{
    return t->fd >= 0;
}
/* Bytes, 0 at the end (of a terminal: nobody has it any more), or a negative errno. */
ssize_t tap_read(struct tap *t, void *buffer, size_t len);
ssize_t tap_write(struct tap *t, const void *bytes, size_t len);

#endif

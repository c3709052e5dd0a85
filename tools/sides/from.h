/* SPDX-License-Identifier: MIT */
/* from.h: callers of a listener for all guests: each says first for whom it is, "FROM <cid> <port> <name>\n" (xvsd(8)).
 *
 * The line is the daemon's, and comes at once; whoever has not said it within FROM_PATIENCE, or says something else, is closed. */
#ifndef XVS_FROM_H
#define XVS_FROM_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "loop.h"

#define FROM_NAME     80        /* bytes of a name, with its end */
#define FROM_MOST     64u       /* callers at a time that have not been taken */
#define FROM_PATIENCE (5 * SECOND)

struct from_line {
    uint64_t cid;
    uint32_t port;
    char name[FROM_NAME];       /* of the guest's directory: a word that can be no path */
};

/* text: without its newline.  False if it is no such line. */
bool from_parse(const char *text, struct from_line *line);

struct from {
    struct loop *loop;
    struct list coming, come;   /* struct from_caller.link (from.c): those whose line is not whole, and the others */
    unsigned count;
    void (*ready)(void *arg);   /* one has come, or there is room again */
    void *arg;
};

void from_init(struct from *f, struct loop *l, void (*ready)(void *arg), void *arg);
/* Closes all. */
void from_close(struct from *f);
static inline bool from_is_full(const struct from *f)
{
    return f->count >= FROM_MOST;
}
/* Takes fd, which is non-blocking: 0, or -ENOMEM and it is not taken. */
int  from_add(struct from *f, int fd);
/* The next whose line is whole: its descriptor, or -EAGAIN. */
int  from_take(struct from *f, struct from_line *line);

#endif

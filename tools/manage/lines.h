/* SPDX-License-Identifier: MIT */
/* lines.h: a conversation in lines, each of them a JSON object, with a moment at which waiting ends.
 *
 * qemu-guest-agent speaks so, and so does the agent's service manage.  What the other end says is hostile: a line has a greatest length, and
 * is judged by json_bounded().
 *
 * One conversation, one thread. */
#ifndef XVS_LINES_H
#define XVS_LINES_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "channel.h"

#define LINES_MOST  (8u << 20)  /* bytes of a line from the other end */
#define LINES_DEPTH 24u         /* levels of brackets in it */
#define LINES_WHY   256         /* bytes of an explanation, with its end */

struct lines {
    struct channel *channel;    /* its read and write; to wait, there is */
    /* Until reading may get further, or with 'writes' either of them, or the moment has come: 0, or a negative errno. */
    int (*wait)(struct lines *l, bool writes, int64_t until);

    char *buffer;
    size_t at, len, room;       /* from 'at' on it is not looked at yet */
};

void lines_init(struct lines *l, struct channel *c, int (*wait)(struct lines *l, bool writes, int64_t until));
/* Accepts a zeroed one. */
void lines_free(struct lines *l);

/* 'until' is a moment of clock_ns(), until which they wait; what is there already is heard if that is over, too.  Both: 0, or a negative errno: -ETIMEDOUT, -ECONNRESET at the end of the stream (or -EPIPE), -EMSGSIZE
 * for a line that is too long, -ENOMEM, or what the wait gave. */
int lines_put(struct lines *l, const void *bytes, size_t len, int64_t until);
/* Without its end; it is there until the next call. */
int lines_next(struct lines *l, int64_t until, const char **line, size_t *len);

/* An object as a line.  Takes the reference; NULL is -ENOMEM. */
int lines_send(struct lines *l, json_t *object, int64_t until);
/* Likewise one that has come; -EPROTO with why if it is none. */
int lines_hear(struct lines *l, int64_t until, json_t **object, char why[LINES_WHY]);

#endif

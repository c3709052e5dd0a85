/* SPDX-License-Identifier: MIT */
/* lines.c: see lines.h. */
#include "lines.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "say.h"

#define PIECE 65536u

void lines_init(struct lines *l, struct channel *c, int (*wait)(struct lines *l, bool writes, int64_t until))
{
    *l = (struct lines){ .channel = c, .wait = wait };
}

void lines_free(struct lines *l)
{
    free(l->buffer);
    l->buffer = NULL;
    l->at = l->len = l->room = 0;
}

static int wait_for(struct lines *l, bool writes, int64_t until)
{
    return clock_ns() >= until ? -ETIMEDOUT : l->wait(l, writes, until);
}

int lines_put(struct lines *l, const void *bytes, size_t len, int64_t until)
{
    const char *at = bytes;

    while (len) {
        struct iovec iov = { .iov_base = (void *)(uintptr_t)at, .iov_len = len };
        ssize_t n = l->channel->write(l->channel, &iov, 1);
        int err;

        if (n == -EAGAIN && (err = wait_for(l, true, until)))
            return err;
        if (n < 0 && n != -EAGAIN)
            return (int)n;
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* What has come besides.  The moment counts where there is nothing to be read; a stream that never stops has LINES_MOST. */
static int read_more(struct lines *l, int64_t until)
{
    int err = 0;
    ssize_t n;

    if (l->len - l->at > LINES_MOST)
        return -EMSGSIZE;
    if (l->at) {
        memmove(l->buffer, l->buffer + l->at, l->len - l->at);
        l->len -= l->at;
        l->at = 0;
    }
    if (l->room - l->len < PIECE) {
        size_t room = l->room ? 2 * l->room : 2 * PIECE;
        char *more = realloc(l->buffer, room);

        if (!more)
            return -ENOMEM;
        l->buffer = more;
        l->room = room;
    }
    while ((n = l->channel->read(l->channel, l->buffer + l->len, PIECE)) == -EAGAIN)
        if ((err = wait_for(l, false, until)))
            return err;
    if (n <= 0)
        return n ? (int)n : -ECONNRESET;
    l->len += (size_t)n;
    return 0;
}

int lines_next(struct lines *l, int64_t until, const char **line, size_t *len)
{
    size_t seen = 0;            /* of what is there so far, without an end of a line */
    char *end;
    int err;

    while (!l->buffer || !(end = memchr(l->buffer + l->at + seen, '\n', l->len - l->at - seen))) {
        seen = l->len - l->at;
        if ((err = read_more(l, until)))
            return err;
    }
    *line = l->buffer + l->at;
    *len = (size_t)(end - *line);
    l->at += *len + 1;
    return *len > LINES_MOST ? -EMSGSIZE : 0;
}

int lines_send(struct lines *l, json_t *object, int64_t until)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
    size_t len = text ? strlen(text) : 0;
    int err = -ENOMEM;

    json_decref(object);
    if (text) {
        text[len] = '\n';       /* in place of its 0, which nobody needs any more */
        err = lines_put(l, text, len + 1, until);
    }
    free(text);
    return err;
}

int lines_hear(struct lines *l, int64_t until, json_t **object, char why[LINES_WHY])
{
    const char *line;
    size_t len;
    int err = lines_next(l, until, &line, &len);
    char reason[JSON_WHY] = "";

    *object = err ? NULL : json_bounded(line, len, LINES_DEPTH, reason);
    if (!err && !*object) {
        snprintf(why, LINES_WHY, "%s", reason);
        return -EPROTO;
    }
    return err;
}

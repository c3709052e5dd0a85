/* SPDX-License-Identifier: MIT */
/* input.c: see input.h. */
#include "input.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

#define ROOM_STEP   (FRAME_CREDIT / 4)  /* less is not worth a frame */
#define END_OF_FILE "\4"                /* what a terminal's reader takes for the end, as it is set at first */

void input_init(struct input *in)
{
    *in = (struct input){ .tap.fd = -1, .credit = FRAME_CREDIT };
}

static int keep(struct input *in, const uint8_t *bytes, size_t len)
{
    uint8_t *more;

    if (in->at) {
        memmove(in->kept, in->kept + in->at, in->len);
        in->at = 0;
    }
    if (!(more = realloc(in->kept, in->len + len)))
        return -ENOMEM;
    in->kept = more;
    memcpy(more + in->len, bytes, len);
    in->len += len;
    return 0;
}

/* As many as the command takes at once.  What it does not want at all is thrown away, and no more is asked for. */
static size_t pass_in(struct input *in, const uint8_t *bytes, size_t len)
{
    ssize_t n;

    if (!tap_is_open(&in->tap))
        return len;
    n = tap_write(&in->tap, bytes, len);
    if (n == -EAGAIN)
        return 0;
    if (n < 0) {
        tap_close(&in->tap);
        return len;
    }
    in->owed += (uint32_t)n;
    return (size_t)n;
}

int input_take(struct input *in, const uint8_t *bytes, size_t len)
{
    size_t n = 0;

    if (!len) {
        in->ended = true;
        return 0;
    }
    if (len > in->credit)
        return -EPROTO;
    in->credit -= (uint32_t)len;
    if (!in->len)
        n = pass_in(in, bytes, len);
    return n < len ? keep(in, bytes + n, len - n) : 0;
}

void input_feed(struct input *in)
{
    while (in->len) {
        size_t n = pass_in(in, in->kept + in->at, in->len);

        if (!n)
            return;
        in->at += n;
        in->len -= n;
    }
    if (in->kept) {
        free(in->kept);
        in->kept = NULL;
        in->at = 0;
    }
    if (!in->ended || in->told)
        return;
    /* A terminal has no end but this; it is a key, and the only one that we press. */
    if (in->is_terminal && tap_is_open(&in->tap) && tap_write(&in->tap, END_OF_FILE, 1) == -EAGAIN)
        return;
    in->told = true;
    if (!in->is_terminal)
        tap_close(&in->tap);
}

uint32_t input_room(struct input *in)
{
    uint32_t owed = in->owed;

    if (owed < ROOM_STEP || in->ended)
        return 0;
    in->owed = 0;
    in->credit += owed;
    return owed;
}

void input_free(struct input *in)
{
    tap_close(&in->tap);
    free(in->kept);
    in->kept = NULL;
}

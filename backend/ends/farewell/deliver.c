/* SPDX-License-Identifier: MIT */
/* deliver.c: see deliver.h. */
#include "deliver.h"

#include <errno.h>

#include "farewell.h"

#define PIECES 64

struct delivery {
    struct stream s;            /* first */
    struct parcel *parcel;
};

struct parcel {
    struct farewell f;          /* first */
    struct stream *stays;       /* by whose turns it is delivered */
};

static struct delivery *delivery_of(struct stream *s)
{
    return container_of(s, struct delivery, s);
}

static struct parcel *parcel_of(struct farewell *f)
{
    return container_of(f, struct parcel, f);
}

static void give_up(struct farewell *f)
{
    stream_wake(parcel_of(f)->stays);
}

static const struct farewell_kind parcel_kind = { .size = sizeof(struct parcel), .give_up = give_up };

bool deliver_begin(struct stream *stays, struct stream *gone)
{
    struct farewell *f = farewell_new_of(&parcel_kind, gone);

    if (!f)
        return false;
    parcel_of(f)->stays = stays;
    stays->kind = &deliver_end;
    delivery_of(stays)->parcel = parcel_of(f);
    stream_become_deaf(stays);
    stream_wake(stays);
    return true;
}

static enum stream_again deliver(struct stream *s, struct farewell *f)
{
    struct iovec to[PIECES], from[PIECES];
    enum stream_again again;
    uint32_t room, len, skip = 0, ends = 0;
    int used;

    if (!(room = stream_room(s, f->left, to, PIECES, &used, &again)))
        return again;
    len = f->of_messages ? chunks_peek_part(&f->data, &skip, room, from, PIECES, &used, &ends)
                         : chunks_peek(&f->data, room, from, PIECES, &used);
    stream_copy(to, from, len);
    stream_send_part(s, len, ends);
    f->left -= chunks_take(&f->data, &f->account->held, len);
    farewell_put_off(f);
    return STREAM_MORE;
}

static enum stream_again turn(struct stream *s)
{
    struct farewell *f = &delivery_of(s)->parcel->f;

    if (!stream_is_closed(s) && !vconn_is_send_shut(&s->v.c)) {
        if (f->left)
            return deliver(s, f);
        if (f->is_cut)
            vmux_abort(s->lane->mux, &s->v, ECONNRESET, REASON(LEFT));
        else
            stream_shut(s, VSOCKIF_SHUTDOWN_SEND);
    }
    stream_end(s);              /* after an orderly close the table sees to the rest */
    return STREAM_ENDED;
}

static void close_it(struct stream *s)
{
    farewell_free(&delivery_of(s)->parcel->f);
}

const struct end_kind deliver_end = {
    .name = "gone guest",
    .size = sizeof(struct delivery),
    .turn = turn,
    .close = close_it
};

/* SPDX-License-Identifier: MIT */
/* tap.c: see tap.h. */
#include "tap.h"

#include <stdlib.h>
#include <string.h>

struct tap *tap_new(void)
{
    struct tap *t = calloc(1, sizeof *t + TAP_BYTES);

    if (t)
        list_init(&t->link);
    return t;
}

void tap_free(struct tap *t)
{
    if (!t)
        return;
    tap_leave(t);
    free(t);
}

void tap_join(struct tap *t, struct list *taps)
{
    tap_leave(t);
    list_append(taps, &t->link);
}

void tap_leave(struct tap *t)
{
    list_remove(&t->link);
}

void tap_let_go(struct list *taps)
{
    struct list *link;

    while ((link = list_take(taps))) {
        struct tap *t = container_of(link, struct tap, link);

        t->gone(t);
    }
}

/* ---- writing ---- */

static void put(struct tap *t, const void *bytes, size_t len)
{
    uint32_t at = (t->first + t->used) % TAP_BYTES;
    size_t before_end = TAP_BYTES - at, n = len < before_end ? len : before_end;

    memcpy(t->ring + at, bytes, n);
    memcpy(t->ring, (const uint8_t *)bytes + n, len - n);
    t->used += (uint32_t)len;
}

static void put_data(struct tap *t, const struct iovec *data, int pieces, uint32_t len)
{
    static const uint8_t zeros[8];

    for (uint32_t left = len; left && pieces; data++, pieces--) {
        uint32_t n = data->iov_len < left ? (uint32_t)data->iov_len : left;

        put(t, data->iov_base, n);
        left -= n;
    }
    put(t, zeros, tapif_size(len) - sizeof(struct tapif_record) - len);
}

/* False if there is no room. */
static bool put_record(struct tap *t, const struct tap_packet *p, uint32_t captured, uint64_t now)
{
    struct tapif_record r = {
        .size = tapif_size(captured), .captured = captured, .time = now, .seen = t->seen, .dropped = t->dropped, .kind = (uint8_t)p->kind,
        .reason = p->reason, .detail = p->detail
    };
    bool was_empty = !t->used;

    if (r.size > TAP_BYTES - t->used)
        return false;
    if (p->hdr)
        r.hdr = *p->hdr;
    put(t, &r, sizeof r);
    put_data(t, p->data, p->pieces, captured);
    if (was_empty && t->filled)
        t->filled(t);
    return true;
}

static bool wants(const struct tap *t, const struct vsockif_hdr *hdr)
{
    for (uint32_t i = 0; i < t->port_count; i++)
        if (t->ports[i] == hdr->src_port || t->ports[i] == hdr->dst_port)
            return true;
    return !t->port_count;
}

/* What is in the pieces, at most: nobody's word is taken for it. */
static uint32_t bytes_in(const struct tap_packet *p, uint32_t most)
{
    size_t sum = 0;

    for (int i = 0; i < p->pieces; i++)
        sum += p->data[i].iov_len;
    return sum < most ? (uint32_t)sum : most;
}

void tap_show(struct list *taps, const struct tap_packet *p, uint64_t now)
{
    for (struct list *l = taps->next; l != taps; l = l->next) {
        struct tap *t = container_of(l, struct tap, link);
        uint32_t len = p->hdr->len < t->snap ? p->hdr->len : t->snap;

        if (!wants(t, p->hdr))
            continue;
        t->seen++;
        if (!put_record(t, p, bytes_in(p, len), now))
            t->dropped++;
    }
}

bool tap_end(struct tap *t, uint64_t now)
{
    return put_record(t, &(struct tap_packet){ .kind = TAPIF_END }, 0, now);
}

/* ---- reading ---- */

size_t tap_peek(const struct tap *t, const void **bytes)
{
    uint32_t before_end = TAP_BYTES - t->first;

    *bytes = t->ring + t->first;
    return t->used < before_end ? t->used : before_end;
}

void tap_taken(struct tap *t, size_t len)
{
    t->first = (uint32_t)((t->first + len) % TAP_BYTES);
    t->used -= (uint32_t)len;
}

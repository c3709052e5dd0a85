/* SPDX-License-Identifier: MIT */
/* rawstream.c: see rawstream.h. */
#include "rawstream.h"

#include <time.h>

#include "admitted.h"
#include "daemon.h"
#include "harness.h"

#define ORDER      2u           /* 256 slots */
#define POOL       256u
#define FIRST_PORT 1000u

int rawguest_open(struct rawguest *g, uint32_t domid)
{
    int err;

    memset(g, 0, sizeof *g);
    err = rawfront_open(&g->f, domid);
    g->f.order = ORDER;
    g->f.pool = POOL;
    return err;
}

int rawguest_connect(struct rawguest *g)
{
    int err = daemon_connect(&g->f);

    memset(g->flying, 0, sizeof g->flying);
    memset(g->stream, 0, sizeof g->stream);
    g->count = 0;
    if (!err)
        memset(g->f.tx_pool, 'x', POOL * VSOCKIF_PAGE_SIZE);
    return err;
}

void rawguest_leave(struct rawguest *g)
{
    REQUIRE(rawfront_set_state(&g->f, "6") == 0);
    REQUIRE(rawfront_wait(&g->f, VSOCKIF_CLOSED) == 0);
    rawfront_unshare(&g->f);
}

static struct rawstream *find(struct rawguest *g, const struct vsockif_hdr *h)
{
    uint32_t i = h->dst_port - FIRST_PORT;

    return i < g->count && g->stream[i].host_port == h->src_port ? &g->stream[i] : NULL;
}

void rawguest_hear(struct rawguest *g)
{
    struct vsockif_hdr h;
    struct vsockif_slot slot;

    while (rawfront_recv(&g->f, &h, 0)) {
        struct rawstream *s = find(g, &h);

        g->received += h.op == VSOCKIF_OP_RW ? h.len : 0;
        if (!s)
            continue;
        s->over |= h.op == VSOCKIF_OP_RST;
        s->open |= h.op == VSOCKIF_OP_RESPONSE;
        if (h.op != VSOCKIF_OP_RST) {
            s->alloc = h.buf_alloc;
            s->fwd = h.fwd_cnt;
        }
    }
    for (int n = ring_pending(&g->f.tx); n > 0; n--) {
        ring_get(&g->f.tx, 0, &slot);
        ring_take(&g->f.tx, 1);
        g->flying[slot.id] = false;
    }
}

/* An id that nothing flies under, if there are more than 'spare' of them; or -1. */
static int free_id(struct rawguest *g, uint32_t spare)
{
    uint32_t count = 0;

    for (uint32_t id = 0; id < ring_slots(&g->f.tx) && ring_room(&g->f.tx) > spare; id++)
        if (!g->flying[id] && count++ == spare)
            return (int)id;
    return -1;
}

static bool send_packet(struct rawguest *g, struct rawstream *s, unsigned op, uint32_t flags, uint32_t len)
{
    struct vsockif_slot slot = { .hdr = rawfront_header(&g->f, op, s->port, s->host_port), .size = len };
    int id = free_id(g, op == VSOCKIF_OP_RW ? VSOCKIF_CONTROL_SLOTS : 0);

    if (id < 0)
        return false;
    slot.hdr.dst_cid = s->peer;
    slot.hdr.flags = flags;
    slot.hdr.len = len;
    slot.id = (uint32_t)id;
    slot.off = len ? slot.id * VSOCKIF_PAGE_SIZE % (POOL * VSOCKIF_PAGE_SIZE - len + 1) : 0;
    g->flying[id] = true;
    rawfront_put(&g->f, &slot);
    rawfront_kick(&g->f);
    return true;
}

static void nap(void)
{
    nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
}

void rawstream_say(struct rawguest *g, struct rawstream *s, unsigned op, uint32_t flags)
{
    for (int waited = 0; !send_packet(g, s, op, flags, 0); waited++) {
        REQUIRE(waited < PATIENCE_MS);
        nap();
        rawguest_hear(g);
    }
}

struct rawstream *rawstream_ask(struct rawguest *g, uint64_t peer, uint32_t port)
{
    struct rawstream *s = &g->stream[g->count];

    if (g->count == RAWSTREAMS)
        return NULL;
    *s = (struct rawstream){ .port = FIRST_PORT + g->count++, .host_port = port, .peer = peer };
    rawstream_say(g, s, VSOCKIF_OP_REQUEST, 0);
    return s;
}

struct rawstream *rawstream_connect(struct rawguest *g, uint64_t peer, uint32_t port)
{
    struct rawstream *s = rawstream_ask(g, peer, port);

    for (int waited = 0; s && !s->open && !s->over && waited < PATIENCE_MS; waited++) {
        rawguest_hear(g);
        nap();
    }
    return s && s->open ? s : NULL;
}

static bool may_send(struct rawguest *g, const struct rawstream *s, uint32_t len)
{
    return s->open && !s->over && s->sent - s->fwd <= s->alloc && s->alloc - (s->sent - s->fwd) >= len &&
           free_id(g, VSOCKIF_CONTROL_SLOTS) >= 0;
}

bool rawstream_send(struct rawguest *g, struct rawstream *s, uint32_t len)
{
    if (!may_send(g, s, len) || !send_packet(g, s, VSOCKIF_OP_RW, 0, len))
        return false;
    s->sent += len;
    return true;
}

uint64_t rawstream_fill(struct rawguest *g, struct rawstream *s, uint32_t count, uint32_t len, uint32_t most)
{
    uint64_t bytes = 0;

    for (bool any = true; any; ) {
        any = false;
        for (uint32_t i = 0; i < count; i++)
            if (s[i].sent < most && rawstream_send(g, &s[i], len)) {
                bytes += len;
                any = true;
            }
        daemon_rounds();
        rawguest_hear(g);
        for (uint32_t i = 0; i < count && !any; i++)
            any = s[i].sent < most && may_send(g, &s[i], len);
    }
    return bytes;
}

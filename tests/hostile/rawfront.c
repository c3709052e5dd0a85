/* SPDX-License-Identifier: MIT */
/* rawfront.c: see rawfront.h. */
#include "rawfront.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>

#include "harness.h"
#include "hosted.h"
#include "parse.h"

#define WAIT_MS    PATIENCE_MS

static uint32_t ring_pages(const struct rawfront *f)
{
    return 1u << f->order;
}

static uint32_t pages(const struct rawfront *f)
{
    return 2 * ring_pages(f) + 2 * f->pool;
}

static void sleep_ms(int ms)
{
    struct timespec ts = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L };

    nanosleep(&ts, NULL);
}

int rawfront_open(struct rawfront *f, uint32_t domid)
{
    char why[PARSE_WHY];
    struct back_nodes nodes;
    int err;

    memset(f, 0, sizeof *f);
    f->port = -1;
    f->order = RAWFRONT_ORDER;
    f->pool = RAWFRONT_POOL;
    hosted_become(domid);
    err = store_open(&f->store);
    hosted_become(0);
    if (err)
        return err;
    /* A device may go again before it stays. */
    for (int waited = 0; waited < WAIT_MS; waited += 10) {
        err = nodes_find(f->store, 0, &f->paths, &f->id, why);
        if (!err)
            err = nodes_read_back(f->store, &f->paths, &nodes, why);
        if (err != -ENOENT && err != -EAGAIN)
            break;
        sleep_ms(10);
    }
    if (err)
        return err;
    f->cid = nodes.cid;
    return 0;
}

int rawfront_share(struct rawfront *f)
{
    uint32_t refs[VSOCKIF_CONTROL_REFS];
    uint8_t *at;

    hosted_become(f->id.front);
    f->gntshr = xengntshr_open(NULL, 0);
    f->evtchn = xenevtchn_open(NULL, 0);
    hosted_become(0);
    if (!f->gntshr || !f->evtchn || (f->port = xenevtchn_bind_unbound_port(f->evtchn, 0)) < 0)
        return -EIO;
    fcntl(xenevtchn_fd(f->evtchn), F_SETFL, O_NONBLOCK);
    f->control = xengntshr_share_page_notify(f->gntshr, 0, &f->control_ref, 1,
                                             offsetof(struct vsockif_control, front_live), (evtchn_port_t)f->port);
    f->pages = xengntshr_share_pages(f->gntshr, 0, pages(f), refs, 1);
    if (!f->control || !f->pages)
        return -errno;
    memset(f->control, 0, sizeof *f->control);
    memset(f->pages, 0, pages(f) * VSOCKIF_PAGE_SIZE);
    *f->control = (struct vsockif_control){
        .magic = VSOCKIF_CONTROL_MAGIC, .version = VSOCKIF_VERSION, .tx_ring_pages = ring_pages(f),
        .rx_ring_pages = ring_pages(f), .tx_pool_pages = f->pool, .rx_pool_pages = f->pool, .front_live = 1
    };
    memcpy(f->control->ref, refs, pages(f) * sizeof *refs);
    at = f->pages;
    ring_init(&f->tx, RING_FRONT, at, f->order);
    ring_init(&f->rx, RING_FRONT, at + ring_pages(f) * VSOCKIF_PAGE_SIZE, f->order);
    f->tx_pool = at + 2 * ring_pages(f) * VSOCKIF_PAGE_SIZE;
    f->rx_pool = f->tx_pool + f->pool * VSOCKIF_PAGE_SIZE;
    f->next_id = 0;
    return 0;
}

int rawfront_wait(struct rawfront *f, unsigned state)
{
    uint8_t own = 0, peer = 0;
    char why[PARSE_WHY];

    for (int waited = 0; waited < WAIT_MS; waited += 5) {
        nodes_look(f->store, f->paths.front, f->paths.back, &own, &peer, why);
        if (peer == state)
            return 0;
        sleep_ms(5);
    }
    return -ETIMEDOUT;
}

int rawfront_offer_pages(struct rawfront *f)
{
    struct front_nodes nodes = { .version = VSOCKIF_VERSION, .control_ref = f->control_ref,
                                 .event_channel = (uint32_t)f->port, .queues = 1, .features = f->features };
    int err = rawfront_wait(f, VSOCKIF_INITWAIT);

    if (f->features)
        nodes.version = VSOCKIF_VERSION_FEATURES;
    return err ? err : nodes_share(f->store, &f->paths, &nodes);
}

int rawfront_set_state(struct rawfront *f, const char *text)
{
    return rawfront_write(f, "state", text);
}

int rawfront_write(struct rawfront *f, const char *leaf, const char *text)
{
    char path[PATHS_MAX];

    return store_write(f->store, paths_join(path, f->paths.front, leaf), text);
}

int rawfront_connect(struct rawfront *f)
{
    int err;

    if ((err = rawfront_set_state(f, "1")) || (err = rawfront_wait(f, VSOCKIF_INITWAIT)) || (err = rawfront_share(f)) ||
        (err = rawfront_offer_pages(f)) || (err = rawfront_wait(f, VSOCKIF_CONNECTED)) ||
        (err = rawfront_set_state(f, "4")))
        return err;
    for (uint32_t id = 0; id < ring_slots(&f->rx); id++)
        rawfront_post(f, id);
    rawfront_kick(f);
    return 0;
}

void rawfront_unshare(struct rawfront *f)
{
    if (f->gntshr && f->control)
        xengntshr_unshare(f->gntshr, f->control, 1);
    if (f->gntshr && f->pages)
        xengntshr_unshare(f->gntshr, f->pages, pages(f));
    if (f->gntshr)
        xengntshr_close(f->gntshr);
    if (f->evtchn)
        xenevtchn_close(f->evtchn);
    f->gntshr = NULL;
    f->evtchn = NULL;
    f->control = NULL;
    f->pages = NULL;
    f->port = -1;
}

void rawfront_close(struct rawfront *f)
{
    rawfront_unshare(f);
    store_close(f->store);
    f->store = NULL;
}

struct vsockif_hdr rawfront_header(const struct rawfront *f, unsigned op, uint32_t port, uint32_t host_port)
{
    return (struct vsockif_hdr){ .src_cid = f->cid, .dst_cid = VSOCKIF_CID_HOST, .src_port = port,
                                 .dst_port = host_port, .type = VSOCKIF_TYPE_STREAM, .op = (uint16_t)op,
                                 .buf_alloc = 262144 };
}

void rawfront_put(struct rawfront *f, const struct vsockif_slot *slot)
{
    ring_put(&f->tx, slot);
}

void rawfront_send(struct rawfront *f, const struct vsockif_hdr *hdr)
{
    uint32_t id = f->next_id++ % ring_slots(&f->tx);
    struct vsockif_slot slot = { .hdr = *hdr, .id = id, .size = hdr->len, .reason = f->says[0], .detail = f->says[1] };

    slot.off = hdr->len ? id * VSOCKIF_PAGE_SIZE % (f->pool * VSOCKIF_PAGE_SIZE - hdr->len + 1) : 0;
    rawfront_put(f, &slot);
}

void rawfront_post(struct rawfront *f, uint32_t id)
{
    struct vsockif_slot slot = { .id = id, .off = id * RAWFRONT_BUFFER, .size = RAWFRONT_BUFFER };

    ring_put(&f->rx, &slot);
}

void rawfront_kick(struct rawfront *f)
{
    int port;

    ring_publish(&f->tx);
    ring_publish(&f->rx);
    xenevtchn_notify(f->evtchn, (evtchn_port_t)f->port);
    while ((port = xenevtchn_pending(f->evtchn)) >= 0)
        xenevtchn_unmask(f->evtchn, (evtchn_port_t)port);
}

int rawfront_recv_data(struct rawfront *f, struct vsockif_hdr *hdr, void *data, int ms)
{
    struct vsockif_slot slot;
    uint32_t count, at = 0;

    for (int waited = 0; ring_pending(&f->rx) <= 0; waited++) {
        if (waited == ms)
            return 0;
        sleep_ms(1);
    }
    ring_get(&f->rx, 0, &slot);
    *hdr = slot.hdr;
    f->heard[0] = slot.reason;
    f->heard[1] = slot.detail;
    count = slot.count;
    for (uint32_t i = 0; i < count; i++) {
        ring_get(&f->rx, i, &slot);
        if (data && at < hdr->len) {
            uint32_t n = hdr->len - at < RAWFRONT_BUFFER ? hdr->len - at : RAWFRONT_BUFFER;

            memcpy((uint8_t *)data + at, f->rx_pool + slot.id * RAWFRONT_BUFFER, n);
            at += n;
        }
        rawfront_post(f, slot.id);
    }
    ring_take(&f->rx, count);
    rawfront_kick(f);
    return 1;
}

int rawfront_recv(struct rawfront *f, struct vsockif_hdr *hdr, int ms)
{
    return rawfront_recv_data(f, hdr, NULL, ms);
}

uint32_t rawfront_reap(struct rawfront *f, uint32_t count, int ms)
{
    int n = 0;

    for (int waited = 0; waited <= ms; waited++) {
        n = ring_pending(&f->tx);
        if (n >= (int)count || n < 0)
            break;
        sleep_ms(1);
    }
    if (n > 0)
        ring_take(&f->tx, (uint32_t)n);
    return n > 0 ? (uint32_t)n : 0;
}

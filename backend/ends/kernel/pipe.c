/* SPDX-License-Identifier: MIT */
/* pipe.c: see pipe.h. */
#include "pipe.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#define HEAD       64u          /* bytes before a buffer's data: its header at their end, so that the data is aligned */
#define KEPT       8u           /* descriptors that data leaves to packets without */

_Static_assert(PIPE_BUFFERS <= VIRTQ_ENTRIES, "each buffer is one descriptor");
_Static_assert(sizeof(struct vsockif_hdr) <= HEAD, "a header fits before the data");

int pipe_begin(struct pipe *p, int fd, const char **what)
{
    const size_t each = HEAD + PIPE_BUFFER;
    uint8_t *at;
    int err;

    *p = (struct pipe){ .vhost.fd = fd, .vhost.kick = { -1, -1 }, .vhost.call = -1, .vhost.error = -1 };
    *what = "memory";
    p->area = mmap(NULL, PIPE_BUFFERS * each, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p->area == MAP_FAILED) {
        p->area = NULL;
        vhost_close(&p->vhost);
        return -ENOMEM;
    }
    if ((err = virtq_init(&p->queue[VHOST_RX])) || (err = virtq_init(&p->queue[VHOST_TX])) ||
        (err = vhost_begin(&p->vhost, fd, p->queue, what))) {
        pipe_end(p);
        return err;
    }
    at = p->area;
    for (unsigned i = 0; i < PIPE_BUFFERS; i++, at += each) {
        struct pipe_buffer *b = &p->buffer[i];

        list_init(&b->link);
        b->hdr = (struct vsockif_hdr *)(void *)(at + HEAD - sizeof *b->hdr);
        b->data = at + HEAD;
        pipe_repost(p, b);
    }
    pipe_publish(p);
    return 0;
}

void pipe_end(struct pipe *p)
{
    if (!p->area)
        return;
    if (p->vhost.fd >= 0 && !p->is_dead)
        vhost_stop(&p->vhost);
    vhost_close(&p->vhost);
    virtq_free(&p->queue[VHOST_RX]);
    virtq_free(&p->queue[VHOST_TX]);
    munmap(p->area, PIPE_BUFFERS * (HEAD + PIPE_BUFFER));
    p->area = NULL;
}

bool pipe_takes_data(const struct pipe *p)
{
    return p->queue[VHOST_TX].room >= 1 + PIPE_PIECES + KEPT;
}

bool pipe_takes_header(const struct pipe *p)
{
    return p->queue[VHOST_TX].room > 0;
}

void pipe_send(struct pipe *p, const struct vsockif_hdr *hdr, const struct iovec *piece, int count, void *of)
{
    struct virtq *q = &p->queue[VHOST_TX];
    struct pipe_slot *slot = &p->slot[q->free_head];
    struct iovec all[1 + PIPE_PIECES] = { { &slot->hdr, sizeof slot->hdr } };

    *slot = (struct pipe_slot){ .hdr = *hdr, .of = of, .len = hdr->len };
    for (int i = 0; i < count; i++)
        all[1 + i] = piece[i];
    virtq_add(q, all, (uint16_t)(1 + count), false);
}

bool pipe_done(struct pipe *p, void **of, uint32_t *len)
{
    uint16_t chain;
    uint32_t written;

    if (!virtq_take(&p->queue[VHOST_TX], &chain, &written))
        return false;
    *of = p->slot[chain].of;
    *len = p->slot[chain].len;
    return true;
}

void pipe_forget(struct pipe *p, const void *of)
{
    for (unsigned i = 0; i < VIRTQ_ENTRIES; i++)
        if (p->slot[i].of == of)
            p->slot[i].of = NULL;
}

struct pipe_buffer *pipe_recv(struct pipe *p)
{
    struct pipe_buffer *b;
    uint32_t written;
    uint16_t chain;

    while (virtq_take(&p->queue[VHOST_RX], &chain, &written)) {
        b = p->posted[chain];
        if (written >= sizeof *b->hdr && b->hdr->len <= PIPE_BUFFER && written - sizeof *b->hdr >= b->hdr->len)
            return b;
        pipe_repost(p, b);      /* it says that there is more in it than there is */
    }
    return NULL;
}

void pipe_repost(struct pipe *p, struct pipe_buffer *b)
{
    struct iovec all = { b->hdr, sizeof *b->hdr + PIPE_BUFFER };

    b->at = 0;
    list_remove(&b->link);
    p->posted[virtq_add(&p->queue[VHOST_RX], &all, 1, true)] = b;
}

void pipe_publish(struct pipe *p)
{
    for (unsigned i = 0; i < VHOST_QUEUES; i++)
        if (virtq_publish(&p->queue[i]) && !p->is_dead)
            vhost_kick(&p->vhost, i);
}

bool pipe_arm(struct pipe *p)
{
    bool rx = virtq_arm(&p->queue[VHOST_RX]), tx = virtq_arm(&p->queue[VHOST_TX]);

    return (rx && tx) || p->is_dead;
}

void pipe_kill(struct pipe *p)
{
    if (!p->is_dead)
        vhost_stop(&p->vhost);
    p->is_dead = true;
}

/* SPDX-License-Identifier: MIT */
/* linux.c: see linux.h. */
#include "linux.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "harness.h"
#include "pipe.h"

#define HOST   VSOCKIF_CID_HOST
#define SOCKETS 64
#define FULL    262144u
#define ENDS    64              /* of messages that nobody has taken */

struct prog {
    struct vmux_conn v;         /* first */
    uint8_t *bytes;             /* received and not read */
    size_t count;
    uint64_t sent, got;         /* in all: where the patterns are */
    uint32_t buffer;
    bool eof;
    size_t left;                /* of the message that is being sent */
    bool with_eor;
    struct {
        uint64_t at;            /* where it ends */
        uint32_t flags;
    } end[ENDS];
    unsigned ends;
};

static struct {
    struct virtq *queue;
    struct vmux *mux;
    struct vhost *vhost;
    uint16_t tx_seen, rx_used, tx_used;
    struct { uint32_t port, buffer; } listener[8];
    struct prog *waiting[SOCKETS];
    unsigned waiting_count;
} kernel;

uint64_t linux_cid = 3;
bool linux_runs, linux_holds_still, linux_has_messages;

uint8_t pattern(uint64_t at);
uint8_t pattern(uint64_t at)
{
    return (uint8_t)(at * 31 + at / 251);
}

/* ---- the device ---- */

static uint16_t avail_index(const struct virtq *q)
{
    return __atomic_load_n(&q->ring.avail->idx, __ATOMIC_ACQUIRE);
}

static void use(struct virtq *q, uint16_t chain, uint32_t written)
{
    struct vring_used *used = q->ring.used;

    used->ring[used->idx % VIRTQ_ENTRIES] = (struct vring_used_elem){ chain, written };
    __atomic_store_n(&used->idx, (uint16_t)(used->idx + 1), __ATOMIC_RELEASE);
}

static void call(void)
{
    uint64_t one = 1;

    REQUIRE(write(kernel.vhost->call, &one, sizeof one) == sizeof one);
}

int vhost_begin(struct vhost *v, int fd, struct virtq queue[VHOST_QUEUES], const char **what)
{
    const struct vmux_config config = { .conn_size = sizeof(struct prog), .max_conns = SOCKETS, .buf_alloc = FULL, .tx_cap = FULL,
                                        .first_port = 1024, .offer = true };

    *what = NULL;
    *v = (struct vhost){ .fd = fd, .kick = { -1, -1 }, .call = eventfd(0, EFD_NONBLOCK), .error = eventfd(0, EFD_NONBLOCK) };
    kernel.vhost = v;
    kernel.queue = queue;
    kernel.tx_seen = 0;
    v->has_messages = linux_has_messages;
    REQUIRE(vmux_new(&config, &kernel.mux) == 0);
    vmux_allow_seqpacket(kernel.mux, linux_has_messages);
    linux_runs = true;
    return 0;
}

static bool read_packets(void);

void vhost_kick(const struct vhost *v, unsigned queue)
{
    (void)v;
    if (queue == VHOST_TX)
        read_packets();
}

void vhost_stop(struct vhost *v)
{
    (void)v;
    linux_runs = false;
}

void vhost_close(struct vhost *v)
{
    linux_runs = false;
    close(v->call);
    close(v->error);
    close(v->fd);
    v->fd = v->call = v->error = -1;
}

void linux_fails(void)
{
    uint64_t one = 1;

    REQUIRE(write(kernel.vhost->error, &one, sizeof one) == sizeof one);
}

size_t linux_unread(void)
{
    return (uint16_t)(avail_index(&kernel.queue[VHOST_TX]) - kernel.tx_seen);
}

/* ---- programs ---- */

static uint32_t buffer_of_listener(uint32_t port)
{
    for (unsigned i = 0; i < 8; i++)
        if (kernel.listener[i].port == port)
            return kernel.listener[i].buffer;
    return 0;
}

static void offered(struct prog *p)
{
    uint32_t buffer = buffer_of_listener(p->v.local.port);

    if (!buffer) {
        vmux_abort(kernel.mux, &p->v, ECONNREFUSED, REASON(NONE));
        vmux_release(kernel.mux, &p->v, 0);
        return;
    }
    p->buffer = p->v.c.tx_cap = buffer;
    vmux_set_buf_alloc(kernel.mux, &p->v, buffer);
    vmux_answer(kernel.mux, &p->v);
    kernel.waiting[kernel.waiting_count++] = p;
}

static void got_data(struct prog *p, const uint8_t *data, uint32_t len, uint32_t ends)
{
    p->bytes = realloc(p->bytes, p->count + len);
    REQUIRE(p->bytes != NULL);
    memcpy(p->bytes + p->count, data, len);
    p->count += len;
    if (ends) {
        REQUIRE(p->ends < ENDS);
        p->end[p->ends].at = p->got + p->count;
        p->end[p->ends++].flags = ends;
    }
}

static void take(const struct vsockif_hdr *hdr, const uint8_t *data)
{
    struct vmux_event ev;

    vmux_rx(kernel.mux, hdr, 0, &ev);
    if (ev.kind == VMUX_VIOLATION)
        printf("  to Linux: %s\n", ev.why);
    CU_ASSERT_NOT_EQUAL(ev.kind, VMUX_VIOLATION);
    if (ev.kind == VMUX_OFFER)
        offered((struct prog *)(void *)ev.conn);
    if (ev.kind != VMUX_CONN)
        return;
    if (ev.now & VCONN_NOW_DATA)
        got_data((struct prog *)(void *)ev.conn, data, hdr->len, hdr->flags);
    if (ev.now & VCONN_NOW_EOF)
        ((struct prog *)(void *)ev.conn)->eof = true;
}

/* Of a chain: copies all of its pieces. */
static uint32_t gather(const struct virtq *q, uint16_t chain, uint8_t *to)
{
    uint32_t bytes = 0;

    for (;; chain = q->ring.desc[chain].next) {
        const struct vring_desc *d = &q->ring.desc[chain];

        memcpy(to + bytes, (const void *)(uintptr_t)d->addr, d->len);
        bytes += d->len;
        if (!(d->flags & VRING_DESC_F_NEXT))
            return bytes;
    }
}

static bool read_packets(void)
{
    static uint8_t packet[sizeof(struct vsockif_hdr) + VSOCKIF_MAX_PACKET];
    struct virtq *q = &kernel.queue[VHOST_TX];
    struct vsockif_hdr hdr;
    bool any = false;

    while (linux_runs && !linux_holds_still && kernel.tx_seen != avail_index(q)) {
        uint16_t chain = q->ring.avail->ring[kernel.tx_seen++ % VIRTQ_ENTRIES];
        uint32_t bytes = gather(q, chain, packet);

        memcpy(&hdr, packet, sizeof hdr);
        EQ(bytes, sizeof hdr + hdr.len);
        take(&hdr, packet + sizeof hdr);
        use(q, chain, 0);
        any = true;
    }
    if (linux_runs)
        vring_avail_event(&q->ring) = kernel.tx_seen;
    if (any)
        call();
    return any;
}

/* Into the next buffer; false if there is none. */
static bool put(const struct vsockif_hdr *hdr, const uint8_t *data)
{
    struct virtq *q = &kernel.queue[VHOST_RX];
    uint16_t at = q->ring.used->idx;
    const struct vring_desc *d;
    uint16_t chain;

    if (!linux_runs || at == avail_index(q))
        return false;
    chain = q->ring.avail->ring[at % VIRTQ_ENTRIES];
    d = &q->ring.desc[chain];
    REQUIRE(d->len >= sizeof *hdr + hdr->len);
    memcpy((void *)(uintptr_t)d->addr, hdr, sizeof *hdr);
    if (hdr->len)
        memcpy((void *)(uintptr_t)(d->addr + sizeof *hdr), data, hdr->len);
    use(q, chain, (uint32_t)sizeof *hdr + hdr->len);
    return true;
}

static bool has_buffer(void)
{
    const struct virtq *q = &kernel.queue[VHOST_RX];

    return linux_runs && q->ring.used->idx != avail_index(q);
}

void linux_send_raw(uint16_t type, uint16_t op, uint32_t from, uint32_t to, uint32_t fwd_cnt)
{
    struct vsockif_hdr hdr = { .src_cid = HOST, .src_port = from, .dst_cid = linux_cid, .dst_port = to, .type = type, .op = op,
                               .buf_alloc = FULL, .fwd_cnt = fwd_cnt };

    REQUIRE(put(&hdr, NULL));
    call();
}

bool linux_step(void)
{
    struct vsockif_hdr hdr;
    bool any = read_packets(), sent = false;

    while (linux_runs && has_buffer() && vmux_owed(kernel.mux, &hdr))
        sent |= put(&hdr, NULL);
    if (sent)
        call();
    return any || sent;
}

/* ---- what programs call ---- */

struct prog *prog_connect(uint32_t from, uint32_t port, uint32_t buffer)
{
    struct vmux_conn *conn;

    REQUIRE(vmux_connect(kernel.mux, (struct vaddr){ HOST, from }, (struct vaddr){ linux_cid, port }, buffer, 2000, 0, &conn) == 0);
    conn->c.tx_cap = buffer;
    ((struct prog *)(void *)conn)->buffer = buffer;
    return (struct prog *)(void *)conn;
}

struct prog *prog_connect_messages(uint32_t from, uint32_t port, uint32_t buffer)
{
    struct prog *p = prog_connect(from, port, buffer);

    vconn_set_type(&p->v.c, VSOCKIF_TYPE_SEQPACKET);
    return p;
}

void prog_message(struct prog *p, size_t len, bool with_eor)
{
    p->left = len;
    p->with_eor = with_eor;
}

size_t prog_recv_message(struct prog *p, uint32_t *ends)
{
    size_t len;

    if (!p->ends)
        return 0;
    len = (size_t)(p->end[0].at - p->got);
    *ends = p->end[0].flags;
    memmove(p->end, p->end + 1, --p->ends * sizeof *p->end);
    return prog_recv(p, len);
}

void prog_listen(uint32_t port, uint32_t buffer)
{
    for (unsigned i = 0; i < 8; i++)
        if (!kernel.listener[i].port) {
            kernel.listener[i].port = port;
            kernel.listener[i].buffer = buffer;
            return;
        }
}

void linux_listener_gone(void)
{
    memset(kernel.listener, 0, sizeof kernel.listener);
}

struct prog *prog_accept(uint32_t port)
{
    for (unsigned i = 0; i < kernel.waiting_count; i++) {
        struct prog *p = kernel.waiting[i];

        if (p->v.local.port != port)
            continue;
        kernel.waiting[i] = kernel.waiting[--kernel.waiting_count];
        return p;
    }
    return NULL;
}

size_t prog_send(struct prog *p, size_t len)
{
    uint8_t data[PIPE_BUFFER];
    struct vsockif_hdr hdr;
    size_t sent = 0;

    while (sent < len && has_buffer()) {
        uint32_t n = vconn_room(&p->v.c);

        n = n < sizeof data ? n : (uint32_t)sizeof data;
        n = n < len - sent ? n : (uint32_t)(len - sent);
        if (!n)
            break;
        for (uint32_t i = 0; i < n; i++)
            data[i] = pattern(p->sent + i);
        vmux_send(kernel.mux, &p->v, n, &hdr);
        if (p->left && !(p->left -= n))
            vconn_end_message(&p->v.c, &hdr, p->with_eor);
        REQUIRE(put(&hdr, data));
        p->sent += n;
        sent += n;
    }
    if (sent)
        call();
    return sent;
}

size_t prog_recv(struct prog *p, size_t len)
{
    bool same = true;

    len = len < p->count ? len : p->count;
    for (size_t i = 0; i < len; i++)
        same &= p->bytes[i] == pattern(p->got + i);
    CU_ASSERT_TRUE(same);
    memmove(p->bytes, p->bytes + len, p->count - len);
    p->count -= len;
    p->got += len;
    vmux_consumed(kernel.mux, &p->v, (uint32_t)len);
    return len;
}

void prog_shutdown(struct prog *p, unsigned flags)
{
    vmux_shutdown(kernel.mux, &p->v, flags, 0);
}

void prog_close(struct prog *p)
{
    free(p->bytes);
    p->bytes = NULL;
    vmux_release(kernel.mux, &p->v, 0);
}

uint32_t prog_port(const struct prog *p)
{
    return p->v.local.port;
}

bool prog_is_open(const struct prog *p)
{
    return p->v.c.state == VCONN_ESTABLISHED;
}

bool prog_is_over(const struct prog *p)
{
    return p->v.c.state == VCONN_CLOSED;
}

int prog_error(const struct prog *p)
{
    return p->v.c.error;
}

bool prog_at_end(const struct prog *p)
{
    return p->eof && !p->count;
}

void linux_reset(void)
{
    vmux_free(kernel.mux);
    memset(&kernel, 0, sizeof kernel);
    linux_holds_still = false;
}

/* SPDX-License-Identifier: MIT */
/* kernel.c: see kernel.h. */
#include "kernel.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "tied.h"

#define TX_CAP    (16u << 20)   /* bytes on their way to one program: the kernel holds them, as far as its socket allows */
#define PACKETS   64            /* from the kernel, in one piece of work */
#define LINGER_MS 2000u         /* without the guest and without a connection */
#define READ_MS   100u          /* a kernel that has a processor reads a ring full in some microseconds */

/* What its streams do not see. */
struct device {
    struct kernel k;            /* first */
    struct source call, error;
    struct alarm alarm;
    uint64_t idle_at;           /* ms: it has nothing to do any more then, UINT64_MAX while it has */
    kernel_over *over;
    kernel_has_read *has_read;  /* a guest that has left waits for this; else NULL */
    uint64_t read_by;           /* ms: the kernel is let go of then, UINT64_MAX if nobody waits */
};

static struct device *device_of(struct kernel *k)
{
    return container_of(k, struct device, k);
}

static struct loop *loop_of(const struct kernel *k)
{
    return k->lane->all->loop;
}

/* ---- the end ---- */

static void lose(struct vmux_conn *conn, void *arg)
{
    if (!conn->released)
        tied_dead(arg, far_of(conn));
}

static void tell_read(struct device *d)
{
    kernel_has_read *has_read = d->has_read;

    if (!has_read || d->k.leaving)
        return;
    d->has_read = NULL;
    d->read_by = UINT64_MAX;
    has_read(d->k.lane);
}

static void free_device(struct device *d)
{
    struct poller *poller = &loop_of(&d->k)->poller;

    source_remove(poller, &d->call);
    source_remove(poller, &d->error);
    pipe_end(&d->k.pipe);
    if (d->k.leaving)
        vmux_each(d->k.mux, lose, &d->k);
    turn_leave(&d->k.turn);
    alarm_stop(&d->alarm);
    vmux_free(d->k.mux);
    d->k.lane->kernel = NULL;
    tell_read(d);
    free(d);
}

void kernel_end_of(struct lane *lane)
{
    if (lane->kernel)
        free_device(device_of(lane->kernel));
}

void kernel_retire(struct lane *lane)
{
    if (!lane->kernel)
        return;
    lane->kernel->retired = true;
    kernel_wake(lane->kernel);
}

void kernel_guest_left(struct lane *lane, kernel_has_read *has_read)
{
    if (lane->kernel)
        kernel_wake(lane->kernel);
    if (lane->kernel && lane->kernel->leaving) {
        device_of(lane->kernel)->has_read = has_read;
        device_of(lane->kernel)->read_by = clock_deadline_ms(READ_MS);
    } else {
        has_read(lane);
    }
}

static void finish(struct device *d)
{
    struct lane *lane = d->k.lane;
    bool failed = d->k.pipe.is_dead;
    kernel_over *over = d->over;

    free_device(d);
    over(lane, failed);
}

static void fail(struct device *d, const char *why)
{
    journal_guest(d->k.lane->journal, JOURNAL_ERROR, "AF_VSOCK programs of this host lose the guest until it connects again: %s", why);
    pipe_kill(&d->k.pipe);
    kernel_wake(&d->k);
}

/* ---- from the kernel ---- */

/* True if the packet's buffer is kept. */
static bool act(struct kernel *k, struct vmux_event *ev, struct pipe_buffer *b)
{
    struct far *far = far_of(ev->conn);

    switch (ev->kind) {
    case VMUX_OFFER:
        tied_offered(k, far);
        return false;
    case VMUX_CONN:
        return tied_event(far, ev->now, b);
    case VMUX_VIOLATION:
        /* One connection's, and not the guest's fault: the kernel lets go of it. */
        if (far) {
            vmux_abort(k->mux, &far->v, ECONNRESET, REASON(VIOLATION));
            tied_event(far, VCONN_NOW_CLOSED, NULL);
        }
        journal_guest(k->lane->journal, JOURNAL_WARNING, "a packet of this host's kernel is dropped: %s", ev->why);
        return false;
    default:
        return false;
    }
}

static void take_done(struct kernel *k)
{
    struct list *link;
    uint32_t len;
    void *of;
    bool any = false;

    while (pipe_done(&k->pipe, &of, &len)) {
        any = true;
        if (of)
            tied_read(k, of, len);
    }
    while (any && (link = list_take(&k->waiting)))
        stream_wake(&container_of(link, struct tied, waits)->s);
}

/* True if there is more. */
static bool take_packets(struct kernel *k)
{
    struct pipe_buffer *b;
    struct vmux_event ev;

    for (int n = 0; n < PACKETS && !vmux_is_choked(k->mux); n++) {
        if (!(b = pipe_recv(&k->pipe)))
            return false;
        vmux_rx(k->mux, b->hdr, loop_now(loop_of(k)), &ev);
        if (!act(k, &ev, b))
            pipe_repost(&k->pipe, b);
    }
    return true;
}

static void expire(struct kernel *k)
{
    struct vmux_event ev;

    while (vmux_expire(k->mux, loop_now(loop_of(k)), &ev))
        act(k, &ev, NULL);
}

/* ---- to the kernel ---- */

static void send_owed(struct kernel *k)
{
    struct vsockif_hdr hdr;
    struct vmux_sender by;

    while (pipe_takes_header(&k->pipe) && vmux_owed_by(k->mux, &hdr, &by)) {
        pipe_send(&k->pipe, &hdr, NULL, 0, NULL);       /* Linux has no word for a reason */
        if (by.conn && hdr.op == VSOCKIF_OP_RESPONSE && far_of(by.conn)->tied)
            stream_wake(&far_of(by.conn)->tied->s);     /* it has room from now on */
    }
}

/* ---- a piece of work ---- */

/* A device without a guest and without connections is of no use. */
static void judge_idle(struct device *d)
{
    if (kernel_takes_more(&d->k) || vmux_count(d->k.mux))
        d->idle_at = UINT64_MAX;
    else if (d->idle_at == UINT64_MAX)
        d->idle_at = clock_deadline_ms(LINGER_MS);
}

static void dead_turn(struct device *d)
{
    vmux_each(d->k.mux, lose, &d->k);
    tell_read(d);
    vmux_transport_reset(d->k.mux, NULL, NULL);
    if (!vmux_count(d->k.mux))
        finish(d);
}

static void take_turn(struct turn *turn)
{
    struct kernel *k = container_of(turn, struct kernel, turn);
    struct device *d = device_of(k);
    bool more;

    if (k->pipe.is_dead) {
        dead_turn(d);
        return;
    }
    take_done(k);
    tell_read(d);
    more = take_packets(k);
    expire(k);
    send_owed(k);
    pipe_publish(&k->pipe);
    judge_idle(d);
    if (more || !pipe_arm(&k->pipe))
        kernel_wake(k);
    alarm_at(loop_of(k), &d->alarm, vmux_next_deadline(k->mux));
    alarm_at(loop_of(k), &d->alarm, d->idle_at);
    alarm_at(loop_of(k), &d->alarm, d->read_by);
}

/* ---- what makes it work ---- */

static void on_call(struct source *source, uint32_t events)
{
    struct device *d = container_of(source, struct device, call);
    uint64_t n;

    (void)events;
    (void)!read(source->fd, &n, sizeof n);
    kernel_wake(&d->k);
}

static void on_error(struct source *source, uint32_t events)
{
    struct device *d = container_of(source, struct device, error);
    uint64_t n;

    (void)events;
    if (read(source->fd, &n, sizeof n) == sizeof n)
        fail(d, "the kernel could not work with a descriptor of ours");
}

static void on_alarm(struct alarm *alarm, uint64_t now)
{
    struct device *d = container_of(alarm, struct device, alarm);

    if (d->read_by <= now)
        pipe_kill(&d->k.pipe);
    judge_idle(d);
    if (d->idle_at <= now)
        finish(d);
    else
        kernel_wake(&d->k);
}

/* ---- the beginning ---- */

static int begin_table(struct kernel *k, uint64_t cid)
{
    const struct vmux_config config = {
        .conn_size = sizeof(struct far), .max_conns = k->lane->limits.given.max_connections, .buf_alloc = VSOCKIF_MAX_PACKET, .tx_cap = TX_CAP,
        .offer = true
    };
    int err = vmux_new(&config, &k->mux);

    if (!err) {
        vmux_set_cids(k->mux, cid, VSOCKIF_CID_HOST);
        vmux_allow_seqpacket(k->mux, k->pipe.vhost.has_messages);
    }
    return err;
}

int kernel_begin(struct lane *lane, uint64_t cid, int fd, kernel_over *over, char *why)
{
    struct device *d = calloc(1, sizeof *d);
    struct poller *poller = &lane->all->loop->poller;
    const char *what = "memory";
    int err;

    if (!d || (lane->kernel && vmux_count(lane->kernel->mux))) {
        close(fd);
        err = d ? -EBUSY : -ENOMEM;
        snprintf(why, KERNEL_WHY, "%s", strerror(-err));
        free(d);
        kernel_retire(lane);    /* its CID is not the guest's any more */
        return err;
    }
    kernel_end_of(lane);
    d->k.lane = lane;
    d->over = over;
    d->idle_at = d->read_by = UINT64_MAX;
    d->call.fd = d->error.fd = -1;
    list_init(&d->k.waiting);
    turn_init(&d->k.turn, take_turn);
    alarm_init(&d->alarm, on_alarm);
    lane->kernel = &d->k;
    if ((err = pipe_begin(&d->k.pipe, fd, &what)) || (err = begin_table(&d->k, cid)) ||
        (err = source_add(poller, &d->call, d->k.pipe.vhost.call, EPOLLIN, on_call)) ||
        (err = source_add(poller, &d->error, d->k.pipe.vhost.error, EPOLLIN, on_error))) {
        snprintf(why, KERNEL_WHY, "%s: %s", what ? what : "cannot watch it", strerror(-err));
        free_device(d);
        return err;
    }
    kernel_wake(&d->k);
    return 0;
}

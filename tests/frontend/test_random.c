/* SPDX-License-Identifier: MIT */
/* test_random.c: random calls at the library, random doings of an honest backend, and a model that knows what must come out.
 *
 *     after some steps  vmux_invariant(), the books of gathering, no more memory than promised
 *     data              every byte in order, none twice, none of another stream
 *     end of stream     after exactly what the other end sent, and only if it said so
 *     a reset           has a cause
 *     at the end        everyone writes on to a goal and reads all, where writers go on after XVS_EVENT_OUT alone, the library is
 *                       processed only when xvs_fd() is readable and the backend looks only when it is notified: a wake-up that is
 *                       lost anywhere stops it all.  Then all close, and nothing is left.
 *
 * XVS_RANDOM_RUNS sets the number of runs of each test, XVS_RANDOM_SEED plays a single one. */
#include <poll.h>
#include <sys/socket.h>

#include "lab.h"

#define MAX_PAIRS 24
#define STEPS     1500
#define GOAL      300000u               /* bytes that each writer adds at the end, where credit comes in more than crumbs */

struct pair;

/* A stream of the backend's table. */
struct far_conn {
    struct vmux_conn v;
    struct pair *pair;
};

struct end {
    struct xvs_stream *s;               /* in the guest, or */
    struct far_conn *f;                 /* in the backend */
    uint32_t sent, got, goal;
    bool open;                          /* may be written to */
    bool shut_wr, shut_rd, eof, closed; /* what this end did; eof: what it saw */
    bool blocked;                       /* was told -EAGAIN, and not XVS_EVENT_OUT since */
    uint32_t unread;                    /* of the backend's: taken and not consumed */
};

struct pair {
    unsigned id;                        /* of its pattern, and its port */
    bool is_local;
    bool broken;                        /* somebody reset it, or closed with data unread */
    struct end e[2];                    /* 0 connected, 1 accepted */
};

static struct pair pair[MAX_PAIRS];
static struct vmux *far;
static uint64_t seed, state;
static unsigned next_id;
static bool with_more, final, crumbs;
static uint32_t ids[LINK_MAX_SLOTS], id_count;  /* packets that are not completed yet */
static uint8_t data[1 << 17];

static uint32_t any(uint32_t below)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(state >> 33) % below;
}

static bool one_in(uint32_t n)
{
    return any(n) == 0;
}

/* Mostly small, sometimes large. */
static uint32_t some_len(void)
{
    static const uint32_t most[] = { 8, 100, 3000, 9000, 70000 };

    return 1 + any(most[any(5)]);
}

static uint8_t byte_of(const struct pair *p, const struct end *writer, uint32_t i)
{
    return (uint8_t)(i * 31 + i / 256 * 7 + p->id * 13 + (writer == &p->e[1] ? 101 : 0));
}

static void write_to(void *to, const struct pair *p, const struct end *writer, uint32_t at, uint32_t len)
{
    for (uint32_t i = 0; i < len; i++)
        ((uint8_t *)to)[i] = byte_of(p, writer, at + i);
}

#define HOLDS(cond, p) do { if (!(cond)) broken_rule(#cond, p, __LINE__); } while (0)

static void broken_rule(const char *rule, const struct pair *p, int line)
{
    fprintf(stderr, "seed %llu line %d: %s\n", (unsigned long long)seed, line, rule);
    for (int i = 0; p && i < 2; i++)
        fprintf(stderr, "  end %d: guest %d far %d sent %u got %u shut %d/%d eof %d closed %d blocked %d\n", i, p->e[i].s != NULL,
                p->e[i].f != NULL, p->e[i].sent, p->e[i].got, p->e[i].shut_wr, p->e[i].shut_rd, p->e[i].eof, p->e[i].closed,
                p->e[i].blocked);
    if (p)
        fprintf(stderr, "  pair %u local %d broken %d\n", p->id, p->is_local, p->broken);
    xvs_dump(x, stderr);
    CU_FAIL_FATAL("a rule of the model is broken");
}

static struct end *other(struct pair *p, const struct end *e)
{
    return &p->e[e == &p->e[0]];
}

/* What e hears as ECONNRESET has a cause: somebody broke it, or the other end stopped reading before it had read all that e
 * sent. */
static bool may_be_reset(struct pair *p, const struct end *e)
{
    const struct end *o = other(p, e);

    return p->broken || ((o->shut_rd || o->closed) && o->got - o->unread < e->sent);
}

static void took(struct pair *p, struct end *e, const void *from, uint32_t len)
{
    struct end *writer = other(p, e);

    HOLDS(e->got + len <= writer->sent, p);
    for (uint32_t i = 0; i < len; i++)
        HOLDS(((const uint8_t *)from)[i] == byte_of(p, writer, e->got + i), p);
    e->got += len;
}

/* ---- pairs ---- */

static bool is_over(const struct pair *p)
{
    return (!p->e[0].s && !p->e[0].f && !p->e[1].s && !p->e[1].f);
}

static struct pair *new_pair(void)
{
    for (int i = 0; i < MAX_PAIRS; i++)
        if (is_over(&pair[i])) {
            pair[i] = (struct pair){ .id = next_id++ };
            return &pair[i];
        }
    return NULL;
}

static struct pair *some_pair(struct end **e, bool in_guest)
{
    struct pair *p = &pair[any(MAX_PAIRS)];

    *e = &p->e[any(2)];
    if (in_guest ? !(*e)->s : !(*e)->f)
        *e = other(p, *e);
    return (in_guest ? (*e)->s != NULL : (*e)->f != NULL) ? p : NULL;
}

static struct pair *pair_of_stream(const struct xvs_stream *s, struct end **e)
{
    for (int i = 0; i < MAX_PAIRS; i++)
        for (int k = 0; k < 2; k++)
            if (pair[i].e[k].s == s) {
                *e = &pair[i].e[k];
                return &pair[i];
            }
    return NULL;
}

/* ---- the guest ---- */

static void guest_connects(bool is_local)
{
    struct pair *p = new_pair();

    if (!p)
        return;
    p->is_local = is_local;
    if (xvs_connect(x, is_local ? XVS_CID_LOCAL : XVS_CID_HOST, is_local ? PORT : 1000, &p->e[0].s))
        p->e[0].s = NULL;
}

static void guest_accepts(void)
{
    struct xvs_stream *s;

    while (xvs_accept(listener, &s) == 0) {
        struct xvs_address peer = xvs_stream_peer(s);
        bool found = false;

        for (int i = 0; i < MAX_PAIRS && !found; i++) {
            struct pair *p = &pair[i];

            found = peer.cid == XVS_CID_HOST ? p->e[0].f && p->e[0].f->v.local.port == peer.port && !p->is_local
                                             : p->is_local && p->e[0].s && xvs_stream_local(p->e[0].s).port == peer.port;
            if (found) {
                p->e[1].s = s;
                p->e[1].open = true;
            }
        }
        if (!found)
            xvs_stream_close(s);        /* its client is gone again */
    }
}

static void guest_ends(struct pair *p, struct end *e)
{
    e->s = NULL;
    e->open = e->blocked = false;
    e->closed = true;
    (void)p;
}

static void guest_events(void)
{
    struct xvs_event ev;

    while (xvs_next_event(x, &ev)) {
        struct end *e;
        struct pair *p;

        if (ev.what & XVS_EVENT_ACCEPT)
            guest_accepts();
        if (!ev.stream || !(p = pair_of_stream(ev.stream, &e)))
            continue;
        if (ev.what & XVS_EVENT_OPEN)
            e->open = true;
        if (ev.what & XVS_EVENT_OUT)
            e->blocked = false;
        if (ev.what & XVS_EVENT_HUP) {
            if (xvs_stream_error(e->s) == -ECONNRESET)
                HOLDS(may_be_reset(p, e), p);
            else if (xvs_stream_error(e->s) == -ECONNREFUSED)
                HOLDS(!e->open, p);
            else
                HOLDS(xvs_stream_error(e->s) == 0, p);
        }
    }
}

static void wrote(struct pair *p, struct end *e, ssize_t n)
{
    if (n > 0)
        e->sent += (uint32_t)n;
    else if (n == -EAGAIN)
        e->blocked = true;
    else if (n == -ECONNRESET)
        HOLDS(may_be_reset(p, e), p);
    else
        HOLDS(n == -ENOTCONN || n == -EPIPE || n == -ECONNREFUSED, p);
}

static void guest_writes(struct pair *p, struct end *e)
{
    unsigned flags = with_more && one_in(2) ? XVS_MORE : 0;
    uint32_t len = some_len(), cut = any(len + 1);
    void *piece;
    ssize_t n;

    if (one_in(3)) {
        if ((n = xvs_reserve(e->s, len, &piece)) > 0) {
            uint32_t used = one_in(3) ? any((uint32_t)n + 1) : (uint32_t)n;

            HOLDS(n <= (ssize_t)len, p);
            write_to(piece, p, e, e->sent, used);
            HOLDS(xvs_commit(e->s, used, flags) == 0, p);
            e->sent += used;
            return;
        }
    } else {
        struct iovec iov[2] = { { data, cut }, { data + cut, len - cut } };

        write_to(data, p, e, e->sent, len);
        n = one_in(2) ? xvs_send(e->s, data, len, flags) : xvs_sendv(e->s, iov, 2, flags);
        HOLDS(n <= (ssize_t)len, p);
    }
    wrote(p, e, n);
}

static void guest_reads(struct pair *p, struct end *e)
{
    struct iovec iov[8];
    ssize_t n;

    if (one_in(3)) {
        if ((n = xvs_peek(e->s, iov, 8)) > 0) {
            uint32_t all = 0, len = 0;

            for (int i = 0; i < n; i++)
                all += (uint32_t)iov[i].iov_len;
            HOLDS(all <= xvs_stream_readable(e->s), p);
            all = one_in(2) ? all : any(all + 1);
            for (int i = 0; len < all; i++) {
                uint32_t part = iov[i].iov_len < all - len ? (uint32_t)iov[i].iov_len : all - len;

                took(p, e, iov[i].iov_base, part);
                len += part;
            }
            xvs_done(e->s, all);
            return;
        }
    } else if ((n = xvs_recv(e->s, data, one_in(2) ? sizeof data : some_len(), 0)) > 0) {
        took(p, e, data, (uint32_t)n);
        return;
    }
    if (n == 0) {
        e->eof = true;
        HOLDS(e->shut_rd || other(p, e)->shut_wr || other(p, e)->closed, p);
        HOLDS(e->shut_rd || p->broken || e->got == other(p, e)->sent, p);
    } else if (n == -ECONNRESET) {
        HOLDS(p->broken, p);
    } else {
        HOLDS(n == -EAGAIN || n == -ENOTCONN || n == -ECONNREFUSED, p);
    }
}

static void guest_shuts(struct pair *p, struct end *e)
{
    int how = (int)any(3), err = xvs_shutdown(e->s, how);

    if (err) {
        HOLDS(err == -ENOTCONN || err == -ECONNREFUSED || (err == -ECONNRESET && may_be_reset(p, e)), p);
        return;
    }
    e->shut_wr = e->shut_wr || how != SHUT_RD;
    e->shut_rd = e->shut_rd || how != SHUT_WR;
}

static void guest_closes(struct pair *p, struct end *e, bool reset)
{
    struct xvs_stream *s = e->s;

    /* What the other end sent and we did not read, on its way or here, makes it a reset, or is dropped. */
    if (reset || !e->open || xvs_stream_readable(s) || (e->got != other(p, e)->sent && !e->shut_rd))
        p->broken = true;
    guest_ends(p, e);
    if (reset)
        xvs_stream_reset(s);
    else
        xvs_stream_close(s);
}

/* ---- the backend ---- */

static void back_ends(struct pair *p, struct end *e)
{
    struct far_conn *f = e->f;

    e->f = NULL;
    e->open = false;
    e->closed = true;
    f->pair = NULL;
    vmux_release(far, &f->v, clock_coarse_ms());
    (void)p;
}

static struct end *far_end(struct far_conn *f)
{
    return &f->pair->e[f->pair->e[1].f == f];
}

static void back_offered(struct vmux_conn *conn)
{
    struct far_conn *f = (struct far_conn *)(void *)conn;

    for (int i = 0; i < MAX_PAIRS; i++) {
        struct pair *p = &pair[i];

        if (p->e[0].s && !p->is_local && !p->e[1].f && xvs_stream_local(p->e[0].s).port == conn->peer.port) {
            if (!final && one_in(10))
                break;
            f->pair = p;
            p->e[1].f = f;
            p->e[1].open = true;
            vmux_answer(far, conn);
            return;
        }
    }
    vmux_abort(far, conn, ECONNREFUSED, REASON(NONE));
    vmux_release(far, conn, clock_coarse_ms());
}

static void back_heard(struct vmux_event *ev, const uint8_t *bytes, uint32_t len)
{
    struct far_conn *f = (struct far_conn *)(void *)ev->conn;
    struct pair *p;
    struct end *e;

    if (ev->kind == VMUX_OFFER) {
        back_offered(ev->conn);
        return;
    }
    HOLDS(ev->kind != VMUX_VIOLATION, NULL);
    if (ev->kind != VMUX_CONN || !f->pair)
        return;
    p = f->pair;
    e = far_end(f);
    if (ev->now & VCONN_NOW_OPEN)
        e->open = true;
    if (ev->now & VCONN_NOW_DATA) {
        took(p, e, bytes, len);
        e->unread += len;
    }
    if (ev->now & VCONN_NOW_EOF) {
        e->eof = true;
        HOLDS(other(p, e)->shut_wr || other(p, e)->closed, p);
        HOLDS(p->broken || e->shut_rd || e->got == other(p, e)->sent, p);
    }
    if (ev->now & VCONN_NOW_CLOSED) {
        HOLDS(!f->v.c.error || may_be_reset(p, e) || f->v.c.error == ECONNREFUSED, p);
        HOLDS(f->v.c.error || other(p, e)->got == e->sent, p);
        back_ends(p, e);
    }
}

static void back_takes(void)
{
    struct link_request r;
    int n;

    HOLDS(link_back_refill(&back.link) == 0, NULL);
    while ((n = link_back_recv(&back.link, &r)) > 0) {
        struct vmux_event ev;

        vmux_rx(far, &r.hdr, clock_coarse_ms(), &ev);
        back_heard(&ev, r.data, r.hdr.len);
        ids[id_count++] = r.id;
    }
    HOLDS(n == 0, NULL);
}

static void back_completes(uint32_t count)
{
    while (count-- && id_count) {
        uint32_t i = any(id_count);

        link_back_done(&back.link, ids[i]);
        ids[i] = ids[--id_count];
    }
}

static void back_consumes(struct pair *p, struct end *e, uint32_t len)
{
    struct far_conn *f = e->f;

    len = len < e->unread ? len : e->unread;
    if (!len || e->shut_rd)     /* what it had not read by then it never reads */
        return;
    e->unread -= len;
    vmux_consumed(far, &f->v, len);
    if (f->v.c.state == VCONN_CLOSED)
        back_ends(p, e);
}

static void back_writes(struct pair *p, struct end *e, uint32_t len)
{
    uint32_t room = vconn_room(&e->f->v.c);
    struct iovec iov[LINK_PIECES];
    struct vsockif_hdr hdr;
    int n = 0;

    len = len < room ? len : room;
    len = len < VSOCKIF_MAX_PACKET ? len : VSOCKIF_MAX_PACKET;
    if (!room)
        vmux_want_room(far, &e->f->v);
    HOLDS(link_back_refill(&back.link) == 0, NULL);
    if (!len || e->shut_wr || !(len = link_back_room(&back.link, len, iov, LINK_PIECES, &n)))
        return;
    for (int i = 0; i < n; i++) {
        write_to(iov[i].iov_base, p, e, e->sent, (uint32_t)iov[i].iov_len);
        e->sent += (uint32_t)iov[i].iov_len;
    }
    vmux_send(far, &e->f->v, len, &hdr);
    link_back_send(&back.link, &hdr);
}

static void back_connects(void)
{
    struct vaddr here = { 2, VSOCKIF_PORT_ANY }, there = { CID, PORT };
    struct pair *p = new_pair();
    struct vmux_conn *conn;

    if (!p || vmux_connect(far, here, there, 4096 + any(200000), 60000, clock_coarse_ms(), &conn))
        return;
    p->e[0].f = (struct far_conn *)(void *)conn;
    p->e[0].f->pair = p;
}

static void back_closes(struct pair *p, struct end *e, bool reset)
{
    if (reset)
        vmux_abort(far, &e->f->v, ECONNRESET, REASON(NONE));
    if (reset || e->unread || !e->open || (e->got != other(p, e)->sent && !e->shut_rd))
        p->broken = true;
    back_ends(p, e);
}

static void back_shuts(struct pair *p, struct end *e)
{
    unsigned flags = 1 + any(3);

    (void)p;
    if (e->f->v.c.state != VCONN_ESTABLISHED)
        return;
    vmux_shutdown(far, &e->f->v, flags, clock_coarse_ms());
    e->shut_wr = e->shut_wr || flags & VSOCKIF_SHUTDOWN_SEND;
    e->shut_rd = e->shut_rd || flags & VSOCKIF_SHUTDOWN_RCV;
}

static void back_speaks(void)
{
    HOLDS(link_back_refill(&back.link) == 0, NULL);
    link_back_owed(&back.link, far);
    lab_kick();
}

/* ---- the run ---- */

static void check(void)
{
    uint32_t gathering = 0;
    const char *why = vmux_invariant(x->trunk.mux);

    if (why)
        broken_rule(why, NULL, __LINE__);
    for (struct list *l = x->trunk.gathering.next; l != &x->trunk.gathering; l = l->next)
        gathering++;
    HOLDS(gathering == x->trunk.gather_count, NULL);
    HOLDS(!xvs_is_up(x) || x->trunk.gather_count <= x->trunk.link.free_ids, NULL);
    HOLDS(xvs_is_up(x), NULL);
}

static void guest_step(void)
{
    struct end *e;
    struct pair *p = some_pair(&e, true);

    switch (any(22)) {
    case 0: guest_connects(false); break;
    case 1: guest_connects(true); break;
    case 2: guest_accepts(); break;
    case 3: case 4: case 5: case 6: case 7:
        if (p)
            guest_writes(p, e);
        break;
    case 8: case 9: case 10: case 11: case 12:
        if (p)
            guest_reads(p, e);
        break;
    case 13:
        if (p && one_in(3))
            guest_shuts(p, e);
        break;
    case 14:
        if (p && one_in(3))
            guest_closes(p, e, one_in(2));
        break;
    case 15:
        if (p)
            xvs_stream_set_buffer(e->s, 4096 + any(300000));
        break;
    case 16: xvs_flush(x); break;
    case 17: xvs_wait(x, 0); break;
    case 18: guest_events(); break;
    default: xvs_process(x);
    }
}

static void back_step(void)
{
    struct end *e;
    struct pair *p = some_pair(&e, false);

    switch (any(16)) {
    case 0: back_connects(); break;
    case 1: case 2: case 3: back_takes(); break;
    case 4: case 5: back_completes(any(8)); break;
    case 6: case 7: case 8:
        if (p)
            back_writes(p, e, some_len());
        break;
    case 9: case 10:
        if (p)
            back_consumes(p, e, some_len());
        break;
    case 11:
        if (p && one_in(3))
            back_shuts(p, e);
        break;
    case 12:
        if (p && one_in(4))
            back_closes(p, e, one_in(2));
        break;
    case 13:
        if (p)
            vmux_set_buf_alloc(far, &e->f->v, crumbs ? 1 + any(2000) : 1000 + any(100000));
        break;
    default: back_speaks();
    }
}

/* All the backend can do until the guest must. */
static void back_works(void)
{
    do {
        back_takes();
        back_completes(id_count);
        for (int i = 0; i < MAX_PAIRS; i++)
            for (int k = 0; k < 2; k++) {
                struct end *e = &pair[i].e[k];

                if (e->f)
                    back_consumes(&pair[i], e, e->unread);
                if (e->f && e->open && !final)
                    continue;
                if (e->f && e->open && !e->shut_wr) {
                    if (e->sent < e->goal)
                        back_writes(&pair[i], e, e->goal - e->sent);
                    if (e->sent >= e->goal) {
                        vmux_shutdown(far, &e->f->v, VSOCKIF_SHUTDOWN_SEND, clock_coarse_ms());
                        e->shut_wr = true;
                    }
                }
            }
        back_speaks();
    } while (!link_back_arm(&back.link, true, 1) || link_back_refill(&back.link) != 0);
}

/* The guest writes to its goal, reads all, and closes what is over. */
static void guest_works(void)
{
    guest_accepts();
    guest_events();
    for (int i = 0; i < MAX_PAIRS; i++)
        for (int k = 0; k < 2; k++) {
            struct pair *p = &pair[i];
            struct end *e = &p->e[k];

            while (e->s && e->open && !e->blocked && !e->shut_wr && e->sent < e->goal && !xvs_stream_error(e->s)) {
                uint32_t before = e->sent;

                guest_writes(p, e);
                if (e->sent == before && !e->blocked)
                    break;
            }
            if (e->s && e->open && !e->shut_wr && e->sent >= e->goal && xvs_shutdown(e->s, SHUT_WR) == 0)
                e->shut_wr = true;
            while (e->s && xvs_stream_readable(e->s))
                guest_reads(p, e);
            if (e->s)
                guest_reads(p, e);
            if (e->s && e->s->v.c.state == VCONN_CLOSED && (e->open || xvs_stream_error(e->s)) && !xvs_stream_readable(e->s))
                guest_closes(p, e, false);
        }
    xvs_flush(x);
}

static bool all_over(void)
{
    for (int i = 0; i < MAX_PAIRS; i++)
        if (!is_over(&pair[i]))
            return false;
    return vmux_count(x->trunk.mux) == 0;
}

static void quiesce(void)
{
    bool notified = true;

    final = true;
    for (int i = 0; i < MAX_PAIRS; i++)
        for (int k = 0; k < 2; k++)
            pair[i].e[k].goal = pair[i].e[k].sent + (crumbs ? 300 : GOAL / 4 + any(GOAL));
    xvs_process(x);
    for (unsigned idle = 0, turns = 0; !all_over(); turns++) {
        int port;

        if (notified)
            back_works();
        notified = false;
        if (lab_poll(0))
            xvs_process(x);
        guest_works();
        check();
        while ((port = xenevtchn_pending(back.evtchn)) >= 0) {
            xenevtchn_unmask(back.evtchn, (evtchn_port_t)port);
            notified = true;
        }
        idle = notified || lab_poll(1) ? 0 : idle + 1;
        if (idle > 1500 || turns > 200000) {
            for (int i = 0; i < MAX_PAIRS; i++)
                if (!is_over(&pair[i]))
                    broken_rule("everyone gets on", &pair[i], __LINE__);
            broken_rule("everything is freed", NULL, __LINE__);
        }
    }
}

static void run(uint64_t number)
{
    struct vmux_config config = {
        .conn_size = sizeof(struct far_conn), .max_conns = 1000, .tx_cap = 1 << 20, .first_port = 5000, .offer = true,
    };

    seed = number;
    state = number * 977 + 1;
    memset(pair, 0, sizeof pair);
    next_id = id_count = 0;
    final = false;
    with_more = one_in(2);
    lab_stop();
    options.tx_pool = one_in(2) ? 64u << 10 : 512u << 10;
    options.rx_pool = one_in(2) ? 64u << 10 : 512u << 10;
    options.buffer = one_in(2) ? 4096 : 262144;
    options.connect_timeout = 60000;
    lab_start();
    crumbs = one_in(3);
    config.buf_alloc = crumbs ? 1 + any(10) : 4096 + any(100000);
    REQUIRE(vmux_new(&config, &far) == 0);
    for (int i = 0; i < STEPS; i++) {
        guest_step();
        back_step();
        if (i % 16 == 0)
            check();
        for (int k = 0; k < MAX_PAIRS; k++)
            for (int n = 0; n < 2; n++)
                if (pair[k].e[n].f && pair[k].e[n].f->v.c.state == VCONN_CLOSED)
                    back_ends(&pair[k], &pair[k].e[n]);
    }
    quiesce();
    xvs_process(x);
    back_takes();
    back_completes(id_count);
    lab_kick();
    xvs_process(x);
    NO_LEAK();
    vmux_free(far);
    far = NULL;
    lab_stop();
}

static void all_runs(unsigned base)
{
    const char *one = getenv("XVS_RANDOM_SEED"), *runs = getenv("XVS_RANDOM_RUNS");

    if (one) {
        run(strtoull(one, NULL, 0));
        return;
    }
    for (unsigned i = 0; i < (runs ? strtoul(runs, NULL, 0) : 20); i++)
        run(base + i);
}

static void random_calls_keep_every_byte_in_order(void)
{
    all_runs(1);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(random_calls_keep_every_byte_in_order),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("library: random calls", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* end_xvs.c: the script's end in a guest, over libxvs: the public header and nothing else.
 *
 * But for the end of a connect, events are not used to find out what is possible: every call is tried, which any program may
 * do, and waiting is xvs_wait() on everything.  So this also tests that trying without an event is right. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <xvs.h>

#include "end.h"

struct end {
    struct xvs_stream *s;
    bool open;
};
struct end_listener {
    struct xvs_listener *l;
};

static struct xvs *device;

static uint64_t now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void log_line(void *arg, const char *line)
{
    (void)arg;
    fprintf(stderr, "libxvs: %s\n", line);
}

static void drop_events(void)
{
    struct xvs_event ev;

    while (xvs_next_event(device, &ev))
        if (ev.user && ev.what & XVS_EVENT_OPEN)
            ((struct end *)ev.user)->open = true;
}

/* Waits once, at most until the deadline (0: none): 0, or -ETIMEDOUT. */
static int wait_once(uint64_t deadline)
{
    uint64_t now = now_ms();
    int err;

    drop_events();
    if (deadline && now >= deadline) {
        /* A step with no time left still lets what has arrived be seen. */
        err = xvs_process(device);
        drop_events();
        return err ? err : -ETIMEDOUT;
    }
    err = xvs_wait(device, deadline ? (int)(deadline - now) : -1);
    drop_events();
    return err < 0 && err != -EINTR ? err : 0;
}

static uint64_t deadline_of(int ms)
{
    return ms < 0 ? 0 : now_ms() + (uint64_t)ms;
}

int end_open(void)
{
    struct xvs_options o;
    const char *size;
    int err;

    xvs_options_init(&o);
    o.connect_timeout = 300000;         /* each call has a limit of its own */
    if (getenv("E2E_LOG"))
        o.log = log_line;
    if ((size = getenv("E2E_DEVICE")))
        o.device = (unsigned)atoi(size);
    err = xvs_open(&o, &device);
    if (err)
        fprintf(stderr, "%s\n", xvs_open_error());
    return err;
}

void end_finish(void)
{
    xvs_close(device);
}

int end_wait_device(int up, int ms)
{
    uint64_t deadline = deadline_of(ms);
    int err = 0;

    while (xvs_is_up(device) != (up != 0) && (err = wait_once(deadline)) == 0)
        ;
    if (xvs_is_up(device) == (up != 0))
        return 0;
    fprintf(stderr, "the device: %s\n", xvs_reason(device));
    return err;
}

int end_listen(const char *where, unsigned backlog, struct end_listener **out)
{
    struct end_listener *l = calloc(1, sizeof *l);
    int err = l ? xvs_listen(device, (uint32_t)strtoul(where, NULL, 10), backlog, &l->l) : -ENOMEM;

    if (err) {
        free(l);
        return err;
    }
    *out = l;
    return 0;
}

void end_listener_close(struct end_listener *l)
{
    xvs_listener_close(l->l);
    free(l);
}

static int wrap(struct xvs_stream *s, struct end **out)
{
    struct end *e = calloc(1, sizeof *e);

    if (!e)
        return -ENOMEM;
    e->s = s;
    xvs_stream_set_user(s, e);
    *out = e;
    return 0;
}

int end_accept(struct end_listener *l, int ms, struct end **out)
{
    uint64_t deadline = deadline_of(ms);
    struct xvs_stream *s;
    int err;

    while ((err = xvs_accept(l->l, &s)) == -EAGAIN) {
        if (ms == 0)
            return -ETIMEDOUT;
        if ((err = wait_once(deadline)) != 0)
            return err;
    }
    return err ? err : wrap(s, out);
}

static void place(const char *where, uint64_t *cid, uint32_t *port)
{
    const char *colon = strchr(where, ':');

    *cid = strtoull(where, NULL, 10);
    *port = colon ? (uint32_t)strtoul(colon + 1, NULL, 10) : 0;
}

int end_connect(const char *where, int ms, struct end **out)
{
    struct xvs_stream *s;
    uint64_t cid;
    uint32_t port;
    int err;

    place(where, &cid, &port);
    err = xvs_connect_wait(device, cid, port, ms, &s);
    return err ? err : wrap(s, out);
}

int end_begin(const char *where, struct end **out)
{
    struct xvs_stream *s;
    uint64_t cid;
    uint32_t port;
    int err;

    place(where, &cid, &port);
    err = xvs_connect(device, cid, port, &s);
    return err ? err : wrap(s, out);
}

int end_opened(struct end *e)
{
    drop_events();
    if (xvs_stream_error(e->s))
        return xvs_stream_error(e->s);
    return e->open ? 0 : -EAGAIN;
}

ssize_t end_send(struct end *e, const void *data, size_t len, int ms)
{
    uint64_t deadline = deadline_of(ms);
    ssize_t n;
    int err;

    while ((n = xvs_send(e->s, data, len, 0)) == -EAGAIN) {
        if (ms == 0)
            return -ETIMEDOUT;
        if ((err = wait_once(deadline)) != 0)
            return err;
    }
    return n;
}

ssize_t end_recv(struct end *e, void *data, size_t len, int ms)
{
    uint64_t deadline = deadline_of(ms);
    ssize_t n;
    int err;

    while ((n = xvs_recv(e->s, data, len, 0)) == -EAGAIN) {
        if (ms == 0)
            return -ETIMEDOUT;
        if ((err = wait_once(deadline)) != 0)
            return err;
    }
    return n;
}

int end_shutdown(struct end *e, int how)
{
    return xvs_shutdown(e->s, how);
}

void end_close(struct end *e)
{
    xvs_stream_close(e->s);
    free(e);
}

void end_reset(struct end *e)
{
    xvs_stream_reset(e->s);
    free(e);
}

int end_error(struct end *e)
{
    return xvs_stream_error(e->s);
}

int end_option(struct end *e, const char *name, uint64_t value)
{
    (void)e;
    (void)name;
    (void)value;
    return -EOPNOTSUPP;
}

int end_pump(int ms)
{
    struct pollfd p[2] = { { .fd = xvs_fd(device), .events = POLLIN }, { .fd = end_input, .events = POLLIN } };

    poll(p, 2, ms);
    xvs_process(device);
    drop_events();
    return p[1].revents ? 1 : 0;
}

void end_stats(void)
{
    struct xvs_stats st = { .size = sizeof st };

    xvs_get_stats(device, &st);
    printf("stats streams %" PRIu32 " opened %" PRIu64 " resets %" PRIu64 " reconnects %" PRIu64 " held %" PRIu32
           " memory %" PRIu64 " sent %" PRIu64 " notified %" PRIu64 " cid %" PRIu64 "\n",
           st.streams, st.streams_opened, st.resets, st.reconnects, st.rx_buffers_held, st.memory,
           st.tx_bytes, st.notifications_sent, xvs_cid(device));
    fflush(stdout);
}

/* SPDX-License-Identifier: MIT */
/* guard.c: what guard.sh counts under callgrind: the daily work of the library and of the daemon, one piece at a time.
 *
 * Both ends run here, over ordinary memory (joined.h); collecting is on only within the part that a case is about.
 * Each case warms up, then repeats its steps ITERATIONS times, then dumps the counts under its name.  On standard
 * output, for each case: its name, how often it ran, and the bytes that memcpy moved meanwhile. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "joined.h"
#include "xvs.h"

#define PACKET     65536u
#define MESSAGE    64u
#define BATCH      128u         /* messages in a case's step: 8 KiB, as much as the library gathers */
#define WARM       64u
#define ITERATIONS 256u
#define DISCARD    9u
#define PORT       1234u

static struct xvs *x, *y;
static struct xvs_stream *stream, *far_stream;
static int host;
static char buf[PACKET];

#define COUNTED(statement)                   \
    do {                                     \
        bool was_counting = counting;        \
        if (was_counting) {                  \
            joined_counting = true;          \
            CALLGRIND_TOGGLE_COLLECT;        \
        }                                    \
        statement;                           \
        if (was_counting) {                  \
            CALLGRIND_TOGGLE_COLLECT;        \
            joined_counting = false;         \
        }                                    \
    } while (0)

static bool counting;

static void must(bool good, const char *what)
{
    if (!good)
        joined_fail("guard: %s", what);
}

static struct xvs_stream *open_stream(uint64_t cid, uint32_t port)
{
    struct xvs_event ev;
    struct xvs_stream *s;

    must(xvs_connect(x, cid, port, &s) == 0, "connect");
    joined_settle();
    must(xvs_next_event(x, &ev) && ev.what == XVS_EVENT_OPEN && ev.stream == s, "the connection opens");
    return s;
}

/* ---- what happens at the other end, uncounted ---- */

static void host_reads(size_t len)
{
    while (len) {
        ssize_t n = read(host, buf, len < sizeof buf ? len : sizeof buf);

        must(n > 0, "the host program reads");
        len -= (size_t)n;
    }
}

static void host_writes(size_t len)
{
    must(write(host, buf, len) == (ssize_t)len, "the host program writes");
}

static void guest_reads(struct xvs *guest, struct xvs_stream *s, size_t len)
{
    joined_guest(guest);
    while (len) {
        ssize_t n = xvs_recv(s, buf, len < sizeof buf ? len : sizeof buf, 0);

        must(n > 0, "the guest reads");
        len -= (size_t)n;
    }
}

static void events_go(struct xvs *guest)
{
    struct xvs_event ev;

    while (xvs_next_event(guest, &ev))
        ;
}

/* ---- 64 KiB packets ---- */

static void library_sends_packet(void)
{
    COUNTED(must(xvs_send(stream, buf, PACKET, 0) == PACKET, "send"));
    joined_daemon();
    host_reads(PACKET);
    COUNTED(joined_guest(x));
    joined_settle();
}

static void library_reserves_packet(void)
{
    void *piece;

    COUNTED(must(xvs_reserve(stream, PACKET, &piece) == PACKET, "reserve");
            must(xvs_commit(stream, PACKET, 0) == 0, "commit"));
    joined_daemon();
    host_reads(PACKET);
    COUNTED(joined_guest(x));
    joined_settle();
}

static void library_receives_packet(void)
{
    host_writes(PACKET);
    joined_daemon();
    COUNTED(guest_reads(x, stream, PACKET); events_go(x));
    joined_settle();
}

static void daemon_to_host(void)
{
    must(xvs_send(stream, buf, PACKET, 0) == PACKET, "send");
    COUNTED(joined_daemon());
    host_reads(PACKET);
    joined_settle();
}

static void daemon_to_guest(void)
{
    host_writes(PACKET);
    COUNTED(joined_daemon());
    guest_reads(x, stream, PACKET);
    events_go(x);
    joined_settle();
}

static void daemon_relays(void)
{
    must(xvs_send(stream, buf, PACKET, 0) == PACKET, "send");
    COUNTED(joined_daemon());
    guest_reads(y, far_stream, PACKET);
    events_go(y);
    COUNTED(joined_daemon());
    joined_settle();
}

/* ---- 64 B messages ---- */

static void library_sends_messages(void)
{
    COUNTED(
        for (uint32_t i = 0; i < BATCH; i++)
            must(xvs_send(stream, buf, MESSAGE, XVS_MORE) == MESSAGE, "send");
        xvs_flush(x));
    joined_daemon();
    host_reads(BATCH * MESSAGE);
    COUNTED(joined_guest(x));
    joined_settle();
}

static void library_receives_messages(void)
{
    host_writes(BATCH * MESSAGE);
    joined_daemon();
    COUNTED(
        joined_guest(x);
        for (uint32_t i = 0; i < BATCH; i++)
            must(xvs_recv(stream, buf, MESSAGE, 0) == MESSAGE, "receive"));
    events_go(x);
    joined_settle();
}

/* A packet each. */
static void library_sends_small_packets(void)
{
    for (uint32_t i = 0; i < BATCH; i++)
        COUNTED(must(xvs_send(stream, buf, MESSAGE, 0) == MESSAGE, "send"));
    joined_daemon();
    host_reads(BATCH * MESSAGE);
    COUNTED(joined_guest(x));
    joined_settle();
}

static void daemon_takes_small_packets(void)
{
    for (uint32_t i = 0; i < BATCH; i++)
        must(xvs_send(stream, buf, MESSAGE, 0) == MESSAGE, "send");
    COUNTED(joined_daemon());
    host_reads(BATCH * MESSAGE);
    joined_settle();
}

/* ---- connections ---- */

static void library_connects(void)
{
    struct xvs_event ev = { 0 };
    struct xvs_stream *s;

    COUNTED(must(xvs_connect(x, XVS_CID_HOST, DISCARD, &s) == 0, "connect"));
    joined_daemon();
    COUNTED(joined_guest(x);
            must(xvs_next_event(x, &ev) && ev.what == XVS_EVENT_OPEN, "the connection opens");
            xvs_stream_close(s));
    joined_daemon();
    COUNTED(joined_guest(x));
    joined_settle();
}

static void daemon_connects(void)
{
    struct xvs_stream *s;

    must(xvs_connect(x, XVS_CID_HOST, DISCARD, &s) == 0, "connect");
    COUNTED(joined_daemon());
    joined_guest(x);
    events_go(x);
    xvs_stream_close(s);
    COUNTED(joined_daemon());
    joined_settle();
}

/* ---- the list ---- */

static const struct {
    const char *name;
    void (*step)(void);
    uint32_t each;              /* what is counted happens so often in a step */
} cases[] = {
    { "library-send-64k",            library_sends_packet,        1 },
    { "library-send-64k-zerocopy",   library_reserves_packet,     1 },
    { "library-receive-64k",         library_receives_packet,     1 },
    { "daemon-to-host-64k",          daemon_to_host,              1 },
    { "daemon-to-guest-64k",         daemon_to_guest,             1 },
    { "daemon-guest-to-guest-64k",   daemon_relays,               1 },
    { "library-send-64b",            library_sends_messages,      BATCH },
    { "library-receive-64b",         library_receives_messages,   BATCH },
    { "library-send-64b-unbatched",  library_sends_small_packets, BATCH },
    { "daemon-to-host-64b-packets",  daemon_takes_small_packets,  BATCH },
    { "library-connection",          library_connects,            1 },
    { "daemon-connection",           daemon_connects,             1 },
};

static void run(const char *name, void (*step)(void), uint32_t each)
{
    bool relayed = step == daemon_relays;
    struct xvs_listener *l = NULL;

    if (relayed) {
        must(xvs_listen(y, PORT, 1, &l) == 0, "listen");
        stream = open_stream(4, PORT);
        must(xvs_accept(l, &far_stream) == 0, "accept");
    } else {
        stream = open_stream(XVS_CID_HOST, PORT);
        host = joined_host();
    }
    for (uint32_t i = 0; i < WARM; i++)
        step();
    joined_copied = 0;
    counting = true;
    CALLGRIND_ZERO_STATS;
    for (uint32_t i = 0; i < ITERATIONS; i++)
        step();
    CALLGRIND_DUMP_STATS_AT(name);
    counting = false;
    printf("%s %u %llu\n", name, ITERATIONS * each, (unsigned long long)joined_copied);
    xvs_stream_close(stream);
    if (relayed) {
        xvs_stream_close(far_stream);
        xvs_listener_close(l);
    } else {
        close(host);
    }
    joined_settle();
    events_go(x);
    events_go(y);
}

int main(void)
{
    x = joined_open(3);
    y = joined_open(4);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        run(cases[i].name, cases[i].step, cases[i].each);
    return 0;
}

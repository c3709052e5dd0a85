/* SPDX-License-Identifier: MIT */
/* test_vhost.c: AF_VSOCK programs of the host and guests: the library and the daemon's rooms in this process (joined.h), and a
 * stand-in for the host's kernel (linux.h). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "harness.h"
#include "joined.h"
#include "kernel.h"
#include "linux.h"
#include "policy_text.h"
#include "serve.h"
#include "stream.h"
#include "updown.h"
#include "vsockif.h"
#include "xvs.h"

#define PORT   22u
#define USUAL  262144u
#define MUCH   3000000u
#define SENDERS 4               /* of more than half of a guest's memory */
#define STILL  40               /* readers that stand still */
#define ROUNDS 200000           /* of everybody, until what is to come must have come */

static struct xvs *guest;
static struct lane *lane;
static unsigned overs, failures;

uint8_t pattern(uint64_t at);

static void on_over(struct lane *l, bool failed)
{
    (void)l;
    overs++;
    failures += failed;
}

/* Everybody, until everybody is quiet. */
static void settle(void)
{
    do
        joined_settle();
    while (linux_step());
}

static void begin(void)
{
    char why[KERNEL_WHY];

    if (!guest) {
        guest = joined_open(linux_cid);
        lane = joined_lane(linux_cid);
    }
    overs = failures = 0;
    joined_nobody_listens = true;
    REQUIRE(kernel_begin(lane, linux_cid, dup(2), on_over, why) == 0);
    settle();
}

static void end(void)
{
    settle();
    EQ(vmux_count(lane->mux), 0);
    EQ(lane->inboxes.held_packets, 0);
    kernel_end_of(lane);
    CU_ASSERT_FALSE(linux_runs);
    linux_reset();
}

/* ---- a guest's program ---- */

static uint64_t guest_sent, guest_got;

static size_t guest_send(struct xvs_stream *s, size_t len)
{
    uint8_t data[65536];
    ssize_t n;

    len = len < sizeof data ? len : sizeof data;
    for (size_t i = 0; i < len; i++)
        data[i] = pattern(guest_sent + i);
    n = xvs_send(s, data, len, 0);
    if (n > 0)
        guest_sent += (uint64_t)n;
    return n > 0 ? (size_t)n : 0;
}

static size_t guest_recv(struct xvs_stream *s, size_t len)
{
    uint8_t data[65536];
    ssize_t n = xvs_recv(s, data, len < sizeof data ? len : sizeof data, 0);
    bool same = true;

    for (ssize_t i = 0; i < n; i++)
        same &= data[i] == pattern(guest_got + (uint64_t)i);
    CU_ASSERT_TRUE(same);
    if (n > 0)
        guest_got += (uint64_t)n;
    return n > 0 ? (size_t)n : 0;
}

/* A stream that a program of the host has begun. */
static void from_host(uint32_t buffer, struct prog **p, struct xvs_stream **s)
{
    static uint32_t next_port = 5000;
    struct xvs_listener *l;

    guest_sent = guest_got = 0;
    REQUIRE(xvs_listen(guest, PORT, 4, &l) == 0);
    *p = prog_connect(next_port++, PORT, buffer);
    settle();
    REQUIRE(xvs_accept(l, s) == 0);
    settle();
    REQUIRE(prog_is_open(*p));
    xvs_listener_close(l);
}

/* …and one that a guest has. */
static void from_guest(uint32_t buffer, struct prog **p, struct xvs_stream **s)
{
    static uint32_t next_port = 9000;

    guest_sent = guest_got = 0;
    linux_listener_gone();
    prog_listen(++next_port, buffer);
    REQUIRE(xvs_connect(guest, XVS_CID_HOST, next_port, s) == 0);
    settle();
    REQUIRE((*p = prog_accept(next_port)) != NULL);
    settle();
    REQUIRE(prog_is_open(*p));
}

/* Both ways at once, until all has arrived; at most 'bite' bytes are read at a time. */
static void exchange(struct prog *p, struct xvs_stream *s, size_t bytes, size_t bite)
{
    size_t to_guest = 0, to_host = 0, at_guest = 0, at_host = 0;

    for (int i = 0; i < ROUNDS && (at_guest < bytes || at_host < bytes); i++) {
        to_guest += prog_send(p, bytes - to_guest);
        if (to_host < bytes)
            to_host += guest_send(s, bytes - to_host);
        settle();
        at_guest += guest_recv(s, bite);
        at_host += prog_recv(p, bite);
        settle();
    }
    EQ(at_guest, bytes);
    EQ(at_host, bytes);
}

static void close_both(struct prog *p, struct xvs_stream *s)
{
    prog_close(p);
    xvs_stream_close(s);
    settle();
}

/* ---- tests ---- */

static void a_program_of_the_host_reaches_a_guest(void)
{
    struct xvs_stream *s;
    struct prog *p;

    begin();
    from_host(USUAL, &p, &s);
    EQ(xvs_stream_peer(s).cid, XVS_CID_HOST);
    EQ(xvs_stream_peer(s).port, 5000);
    exchange(p, s, MUCH, 65536);
    close_both(p, s);
    end();
}

static void a_guest_reaches_a_program_of_the_host(void)
{
    struct xvs_stream *s;
    struct prog *p;

    begin();
    from_guest(USUAL, &p, &s);
    exchange(p, s, MUCH, 65536);
    close_both(p, s);
    end();
}

/* The policy of now, until it is given the one before, which is the result. */
static const struct policy *decide_by(const struct policy *policy)
{
    const struct policy *before = lane->all->policy;

    lane->all->policy = policy;
    return before;
}

static struct policy *policy_of(const char *text)
{
    const struct policy_file file = { "test", text, strlen(text) };
    struct policy *p = NULL;
    struct complaints why = { 0 };

    REQUIRE(policy_read(&file, 1, lane->all->settings, NULL, &p, &why) == 0);
    return p;
}

/* UNIX sockets that are allowed are no way in by AF_VSOCK, nor out. */
static void the_policy_decides_about_both_directions(void)
{
    struct policy *sockets = policy_of("* @unix @any allow\n* @any @unix allow\n23 @vsock @any allow\n9500 @any @vsock allow\n");
    const struct policy *before;
    struct xvs_stream *s;
    struct xvs_listener *l;
    struct prog *p;
    uint64_t refused = lane->count.refused;

    begin();
    before = decide_by(sockets);
    REQUIRE(xvs_listen(guest, PORT, 4, &l) == 0);
    p = prog_connect(4000, PORT, USUAL);
    settle();
    CU_ASSERT_TRUE(prog_is_over(p) && prog_error(p));
    EQ(xvs_accept(l, &s), -EAGAIN);
    EQ(lane->count.refused, refused + 1);
    prog_listen(9501, USUAL);
    REQUIRE(xvs_connect(guest, XVS_CID_HOST, 9501, &s) == 0);
    settle();
    EQ(xvs_stream_error(s), -ECONNREFUSED);
    CU_ASSERT_PTR_NULL(prog_accept(9501));
    EQ(lane->count.refused, refused + 2);
    xvs_stream_close(s);
    prog_listen(9500, USUAL);
    REQUIRE(xvs_connect(guest, XVS_CID_HOST, 9500, &s) == 0);
    settle();
    EQ(xvs_stream_error(s), 0);
    CU_ASSERT_PTR_NOT_NULL(prog_accept(9500));
    EQ(lane->count.refused, refused + 2);
    xvs_stream_reset(s);
    xvs_listener_close(l);
    decide_by(before);
    policy_free(sockets);
    end();
}

static void a_policy_that_cuts_ends_what_it_forbids(void)
{
    struct policy *in = policy_of("* @vsock @any allow\n"), *none = policy_of("* @any @any allow\n");
    const struct policy *before;
    struct xvs_stream *from, *to;
    struct prog *p, *q;

    begin();
    before = lane->all->policy;
    from_host(USUAL, &p, &from);
    from_guest(USUAL, &q, &to);
    decide_by(in);
    streams_judge(lane);
    settle();
    EQ(xvs_stream_error(from), 0);
    CU_ASSERT_TRUE(prog_is_open(p));
    EQ(xvs_stream_error(to), -ECONNRESET);
    CU_ASSERT_TRUE(prog_is_over(q));
    decide_by(none);
    streams_judge(lane);
    settle();
    EQ(xvs_stream_error(from), -ECONNRESET);
    CU_ASSERT_TRUE(prog_is_over(p));
    decide_by(before);
    policy_free(in);
    policy_free(none);
    close_both(p, from);
    close_both(q, to);
    end();
}

static void a_socket_of_the_guest_s_directory_goes_first(void)
{
    struct xvs_stream *s;

    begin();
    prog_listen(9000, USUAL);
    joined_nobody_listens = false;
    REQUIRE(xvs_connect(guest, XVS_CID_HOST, 9000, &s) == 0);
    settle();
    EQ(xvs_stream_error(s), 0);
    CU_ASSERT_PTR_NULL(prog_accept(9000));
    EQ(send(joined_host(), "unix", 4, MSG_DONTWAIT), 4);
    settle();
    EQ(xvs_stream_readable(s), 4);
    close(joined_host());
    xvs_stream_reset(s);
    end();
}

static void nobody_there_is_a_refusal_both_ways(void)
{
    struct xvs_stream *s;
    struct prog *p;

    begin();
    REQUIRE(xvs_connect(guest, XVS_CID_HOST, 9999, &s) == 0);
    settle();
    EQ(xvs_stream_error(s), -ECONNREFUSED);
    xvs_stream_close(s);
    p = prog_connect(6000, 9999, USUAL);
    settle();
    CU_ASSERT_TRUE(prog_is_over(p));
    EQ(prog_error(p), ECONNREFUSED);
    prog_close(p);
    end();
}

/* The settings have it no more: who is connected goes on, and nobody else gets in. */
static void one_that_is_to_end_takes_no_more(void)
{
    struct xvs_stream *s, *late;
    struct xvs_listener *l;
    struct prog *p, *other;

    begin();
    from_host(USUAL, &p, &s);
    REQUIRE(xvs_listen(guest, PORT, 4, &l) == 0);
    linux_listener_gone();
    prog_listen(8000, USUAL);
    kernel_retire(lane);
    other = prog_connect(6001, PORT, USUAL);
    REQUIRE(xvs_connect(guest, XVS_CID_HOST, 8000, &late) == 0);
    settle();
    CU_ASSERT_TRUE(prog_is_over(other));
    EQ(prog_error(other), ECONNREFUSED);
    EQ(xvs_stream_error(late), -ECONNREFUSED);
    prog_close(other);
    xvs_stream_close(late);
    xvs_listener_close(l);
    exchange(p, s, MUCH, 5000);
    close_both(p, s);
    end();
}

/* A guest has come again with another CID, and a program still reads what it was sent before: nobody else gets in by the CID of then, which
 * the guest would not know for its own. */
static void one_of_an_earlier_cid_takes_no_more(void)
{
    char why[KERNEL_WHY];
    struct prog *p, *other;
    struct xvs_listener *l;
    struct xvs_stream *s;

    begin();
    from_host(USUAL, &p, &s);
    REQUIRE(xvs_listen(guest, PORT, 4, &l) == 0);
    EQ(kernel_begin(lane, linux_cid + 1, dup(2), on_over, why), -EBUSY);
    other = prog_connect(6002, PORT, USUAL);
    settle();
    CU_ASSERT_TRUE(prog_is_over(other));
    EQ(prog_error(other), ECONNREFUSED);
    prog_close(other);
    xvs_listener_close(l);
    exchange(p, s, MUCH, 5000);
    close_both(p, s);
    end();
}

/* Each end tells of what it has read by a rule of its own, and neither may wait for the other for ever. */
static void no_size_of_a_buffer_stalls(void)
{
    static const uint32_t sizes[] = { 128, 1000, 4096, 65536, 100000, 229376, 262144, 1 << 20, 64 << 20 };
    static const size_t bites[] = { 100, 5000, 65536 };
    struct xvs_stream *s;
    struct prog *p;

    begin();
    for (unsigned i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (unsigned k = 0; k < 3; k++) {
            size_t bytes = sizes[i] < 4096 || bites[k] < 1000 ? 40000 : 2 * MUCH;

            from_host(sizes[i], &p, &s);
            exchange(p, s, bytes, bites[k]);
            close_both(p, s);
            from_guest(sizes[i], &p, &s);
            exchange(p, s, bytes, bites[k]);
            close_both(p, s);
        }
    end();
}

static void each_half_ends_after_the_data_before_it(void)
{
    struct xvs_stream *s;
    struct prog *p;
    char byte;

    begin();
    from_host(USUAL, &p, &s);
    EQ(prog_send(p, 50000), 50000);
    prog_shutdown(p, VSOCKIF_SHUTDOWN_SEND);
    settle();
    while (guest_recv(s, 65536))
        ;
    EQ(guest_got, 50000);
    EQ(xvs_recv(s, &byte, 1, 0), 0);
    EQ(guest_send(s, 40000), 40000);
    EQ(xvs_shutdown(s, SHUT_WR), 0);
    settle();
    CU_ASSERT_FALSE(prog_at_end(p));
    EQ(prog_recv(p, 65536), 40000);
    CU_ASSERT_TRUE(prog_at_end(p));
    settle();
    EQ(prog_error(p), 0);
    EQ(xvs_stream_error(s), 0);
    close_both(p, s);
    end();
}

static void a_reset_passes_after_the_data_before_it(void)
{
    struct xvs_stream *s;
    struct prog *p;

    begin();
    from_host(USUAL, &p, &s);
    EQ(guest_send(s, 10000), 10000);
    xvs_flush(guest);
    xvs_stream_reset(s);
    settle();
    CU_ASSERT_TRUE(prog_is_over(p));
    EQ(prog_error(p), ECONNRESET);
    EQ(prog_recv(p, 65536), 10000);
    prog_close(p);
    from_host(USUAL, &p, &s);
    EQ(prog_send(p, 20000), 20000);
    EQ(guest_send(s, 1), 1);
    settle();
    prog_close(p);              /* with one byte unread: a reset */
    settle();
    while (guest_recv(s, 65536))
        ;
    EQ(guest_got, 20000);
    EQ(xvs_stream_error(s), -ECONNRESET);
    xvs_stream_close(s);
    end();
}

/* What it does not read stays with the program, but for what its guest has promised and the buffers of one device. */
static void a_reader_that_stands_still_holds_nobody_else_up(void)
{
    struct xvs_stream *still, *moving;
    struct prog *p, *q;
    size_t sent = 0;

    begin();
    from_host(64 << 20, &p, &still);
    for (int i = 0; i < 1000; i++) {
        sent += prog_send(p, 65536);
        settle();
    }
    CU_ASSERT_TRUE(sent <= 1 << 20);
    from_host(USUAL, &q, &moving);
    exchange(q, moving, MUCH, 65536);
    close_both(q, moving);
    close_both(p, still);
    end();
}

/* More readers that stand still than the guest has memory to receive into: what they were sent waits with its programs, what comes
 * for others passes, and all of it arrives when they read. */
static void a_guest_short_of_memory_loses_nothing(void)
{
    struct xvs_stream *s[STILL], *moving;
    size_t sent[STILL] = { 0 }, all = 0;
    struct prog *p[STILL], *q;

    begin();
    for (int i = 0; i < STILL; i++)
        from_host(1 << 20, &p[i], &s[i]);
    for (int round = 0; round < 64; round++)
        for (int i = 0; i < STILL; i++) {
            sent[i] += prog_send(p[i], 65536);
            settle();
        }
    for (int i = 0; i < STILL; i++)
        all += sent[i];
    CU_ASSERT_TRUE(all > front_shared(guest));
    from_host(USUAL, &q, &moving);
    exchange(q, moving, MUCH, 65536);
    close_both(q, moving);
    for (int i = 0; i < STILL; i++) {
        prog_shutdown(p[i], VSOCKIF_SHUTDOWN_SEND);
        settle();
        guest_got = 0;
        for (int round = 0; round < ROUNDS && guest_got < sent[i]; round++) {
            guest_recv(s[i], 65536);
            settle();
        }
        EQ(guest_got, sent[i]);
        close_both(p[i], s[i]);
    }
    end();
}

static void a_program_that_stands_still_holds_nobody_else_up(void)
{
    struct xvs_stream *still, *moving;
    struct prog *p, *q;
    uint64_t sent;

    begin();
    from_guest(64 << 20, &p, &still);
    for (int i = 0; i < 1000; i++) {
        guest_send(still, 65536);
        settle();
    }
    sent = guest_sent;
    CU_ASSERT_TRUE(sent > 100000 && sent <= 2 << 20);
    from_guest(USUAL, &q, &moving);
    exchange(q, moving, MUCH, 65536);
    close_both(q, moving);
    while (prog_recv(p, 65536))
        settle();
    close_both(p, still);
    end();
}

/* What the kernel is about to read must stay where it is until it has, and nobody waits for that. */
static void a_new_policy_cuts_streams_with_data_on_its_way(void)
{
    struct policy *out = policy_of("* @any @vsock allow\n");
    const struct policy *before;
    struct xvs_stream *s, *other;
    struct prog *p, *q;

    begin();
    from_guest(USUAL, &q, &other);
    from_host(USUAL, &p, &s);
    linux_holds_still = true;
    EQ(guest_send(s, 60000), 60000);
    settle();
    CU_ASSERT_TRUE(linux_unread() > 0);
    EQ(prog_send(p, 5000), 5000);
    before = decide_by(out);
    streams_judge(lane);
    settle();
    CU_ASSERT_TRUE(linux_runs && linux_unread() > 0 && lane->inboxes.held_packets > 0);
    EQ(guest_recv(s, 5000), 0);
    linux_holds_still = false;
    settle();
    EQ(linux_unread(), 0);
    EQ(lane->inboxes.held_packets, 0);
    EQ(xvs_stream_error(s), -ECONNRESET);
    CU_ASSERT_TRUE(prog_is_over(p));
    EQ(xvs_stream_error(other), 0);
    decide_by(before);
    policy_free(out);
    prog_close(p);
    xvs_stream_close(s);
    close_both(q, other);
    end();
}

/* The next test has another guest. */
static void end_of_guest(struct prog *p)
{
    if (linux_runs)
        prog_close(p);
    kernel_end_of(lane);
    linux_reset();
    guest = NULL;
    linux_cid++;
}

/* A guest's 60000 bytes are shown to a kernel that does not read. */
static struct prog *hold_still(void)
{
    struct xvs_stream *s;
    struct prog *p;

    begin();
    from_guest(USUAL, &p, &s);
    linux_holds_still = true;
    EQ(guest_send(s, 60000), 60000);
    settle();
    CU_ASSERT_TRUE(linux_unread() > 0);
    return p;
}

static unsigned unused;

static void on_unused(struct lane *l)
{
    CU_ASSERT_PTR_EQUAL(l, lane);
    unused++;
}

/* Its pages can be unmapped when 'unused' says so, and nobody waits for that: the worker has other guests. */
static void guest_leaves(void)
{
    unused = 0;
    lane_down(lane, LANE_GONE);
    kernel_guest_left(lane, on_unused);
    loop_take_turns(lane->all->loop);
    CU_ASSERT_TRUE(linux_runs && linux_unread() > 0);
    EQ(unused, 0);
}

static void a_kernel_that_does_not_read_is_let_go_before_pages_go(void)
{
    struct prog *p = hold_still();

    guest_leaves();
    for (int i = 0; !unused && i < ROUNDS; i++) {
        uv_run(&lane->all->loop->uv, UV_RUN_ONCE);
        loop_take_turns(lane->all->loop);
    }
    EQ(unused, 1);
    CU_ASSERT_FALSE(linux_runs);
    EQ(lane->inboxes.held_packets, 0);
    EQ(failures, 1);
    end_of_guest(p);
}

/* Who breaks a rule has no last words, for which no rate would count: its streams may move no byte. */
static void a_guest_over_its_rate_that_breaks_a_rule_ends_at_once(void)
{
    struct prog *p = hold_still();
    struct settings_limits limits = lane->limits.given;

    limits.bytes = (struct settings_rate){ .per_second = 1000, .burst = 1000 };
    serve_limit(lane, &limits);
    joined_settle();            /* what was moved before is not paid for */
    lane->delivered += 2000;
    lane_wake(lane);
    joined_settle();
    REQUIRE(lane->quantum == 0);
    unused = 0;
    lane_down(lane, LANE_REFUSED);
    kernel_guest_left(lane, on_unused);
    kernel_end_of(lane);
    EQ(unused, 1);
    end_of_guest(p);
}

static void a_kernel_whose_device_ends_reads_no_more(void)
{
    struct prog *p = hold_still();

    guest_leaves();
    kernel_end_of(lane);
    EQ(unused, 1);
    CU_ASSERT_FALSE(linux_runs);
    EQ(lane->inboxes.held_packets, 0);
    end_of_guest(p);
}

static void the_kernel_has_read_all_before_pages_go(void)
{
    struct prog *p = hold_still();

    guest_leaves();
    linux_holds_still = false;
    while (linux_step()) {
        poller_wait(&lane->all->loop->poller, 0);
        loop_take_turns(lane->all->loop);
    }
    EQ(unused, 1);
    EQ(linux_unread(), 0);
    EQ(lane->inboxes.held_packets, 0);
    CU_ASSERT_TRUE(linux_runs);
    EQ(prog_recv(p, 65536), 60000);
    CU_ASSERT_TRUE(prog_is_over(p));
    end_of_guest(p);
}

static void what_the_kernel_cannot_work_with_ends_its_streams_and_no_other(void)
{
    struct xvs_stream *s, *other;
    struct prog *p;

    begin();
    from_host(USUAL, &p, &s);
    joined_nobody_listens = false;
    REQUIRE(xvs_connect(guest, XVS_CID_HOST, 80, &other) == 0);
    settle();
    linux_fails();
    settle();
    EQ(failures, 1);
    CU_ASSERT_FALSE(linux_runs);
    EQ(xvs_stream_error(s), -ECONNRESET);
    EQ(xvs_stream_error(other), 0);
    xvs_stream_close(s);
    EQ(send(joined_host(), "unix", 4, MSG_DONTWAIT), 4);
    settle();
    EQ(xvs_stream_readable(other), 4);
    xvs_stream_reset(other);
    close(joined_host());
    end();
}

/* A rule that is broken there is one connection's, and nobody's device is closed for it. */
static void what_the_kernel_says_wrongly_is_dropped(void)
{
    struct xvs_stream *s;
    struct prog *p;

    begin();
    from_host(USUAL, &p, &s);
    linux_send_raw(2, VSOCKIF_OP_REQUEST, 7000, PORT, 0);       /* SEQPACKET was not offered */
    linux_send_raw(1, 99, 7000, PORT, 0);
    linux_send_raw(1, VSOCKIF_OP_CREDIT_UPDATE, 7000, PORT, 0);
    settle();
    exchange(p, s, 100000, 65536);
    linux_send_raw(1, VSOCKIF_OP_CREDIT_UPDATE, prog_port(p), PORT, 500000000);
    settle();
    EQ(xvs_stream_error(s), -ECONNRESET);
    CU_ASSERT_TRUE(prog_is_over(p));
    close_both(p, s);
    EQ(overs, 0);
    end();
}

/* ---- messages ---- */

static void begin_messages(bool guest_has, bool kernel_has)
{
    linux_has_messages = kernel_has;
    begin();
    joined_allow_messages(guest, guest_has);
}

static void end_messages(void)
{
    end();
    joined_allow_messages(guest, false);
    linux_has_messages = false;
}

/* Some within a packet, some of several; and small ones, of which many would fit into one. */
static const size_t lengths[] = { 1, 10, 28672, 28673, 65536, 65537, 100000, 3, 3, 3, 70000, 1 };

#define COUNT (sizeof lengths / sizeof *lengths)

/* All of them both ways, the odd ones with an EOR, and each comes as it was sent. */
static void exchange_messages(struct prog *p, struct xvs_stream *s)
{
    static uint8_t data[200000];
    size_t to_guest = 0, to_host = 0, at_guest = 0, at_host = 0, left = 0, len;
    uint32_t ends;
    ssize_t n;

    for (int i = 0; i < ROUNDS && (at_guest < COUNT || at_host < COUNT); i++) {
        if (to_guest < COUNT && !left) {
            left = lengths[to_guest];
            prog_message(p, left, to_guest % 2);
        }
        if (left && !(left -= prog_send(p, left)))
            to_guest++;
        if (to_host < COUNT) {
            for (size_t k = 0; k < lengths[to_host]; k++)
                data[k] = pattern(guest_sent + k);
            n = xvs_send(s, data, lengths[to_host], to_host % 2 ? XVS_EOR : 0);
            if (n > 0) {
                EQ(n, lengths[to_host]);
                guest_sent += lengths[to_host++];
            }
        }
        settle();
        if ((n = xvs_recv(s, data, sizeof data, 0)) > 0) {
            EQ(n, lengths[at_guest]);
            EQ(xvs_message_had_eor(s), at_guest % 2);
            EQ(data[n - 1], pattern(guest_got + (uint64_t)n - 1));
            guest_got += (uint64_t)n;
            at_guest++;
        }
        if ((len = prog_recv_message(p, &ends))) {
            EQ(len, lengths[at_host]);
            EQ(ends, at_host % 2 ? VSOCKIF_SEQ_EOM | VSOCKIF_SEQ_EOR : VSOCKIF_SEQ_EOM);
            at_host++;
        }
        settle();
    }
    EQ(at_guest, COUNT);
    EQ(at_host, COUNT);
}

static void messages_keep_their_bounds_both_ways(void)
{
    struct xvs_listener *l;
    struct xvs_stream *s;
    struct prog *p;

    begin_messages(true, true);
    guest_sent = guest_got = 0;
    linux_listener_gone();
    prog_listen(8000, USUAL);
    REQUIRE(xvs_connect_seqpacket(guest, XVS_CID_HOST, 8000, &s) == 0);
    settle();
    REQUIRE((p = prog_accept(8000)) != NULL);
    settle();
    exchange_messages(p, s);
    close_both(p, s);

    guest_sent = guest_got = 0;
    REQUIRE(xvs_listen_seqpacket(guest, PORT, 4, &l) == 0);
    p = prog_connect_messages(8001, PORT, USUAL);
    settle();
    REQUIRE(xvs_accept(l, &s) == 0);
    settle();
    exchange_messages(p, s);
    close_both(p, s);
    xvs_listener_close(l);
    end_messages();
}

static void messages_are_refused_where_either_end_has_streams_alone(void)
{
    struct xvs_stream *s;
    struct prog *p;

    begin_messages(true, false);
    REQUIRE(xvs_connect_seqpacket(guest, XVS_CID_HOST, 8000, &s) == 0);
    settle();
    EQ(xvs_stream_error(s), -ECONNREFUSED);
    EQ(xvs_stream_reason(s, NULL), XVS_REASON_STREAMS);
    xvs_stream_close(s);
    end_messages();

    begin_messages(false, true);
    p = prog_connect_messages(8002, PORT, USUAL);
    settle();
    CU_ASSERT_TRUE(prog_is_over(p));
    EQ(prog_error(p), ECONNREFUSED);
    prog_close(p);
    end_messages();
}

/* Shown to the kernel, none of them is whole in the inbox any more; but it is read where it is, and may not be moved from there. */
static void messages_stay_where_they_are_until_the_kernel_has_read_them(void)
{
    static uint8_t data[30000];
    struct xvs_stream *s[SENDERS];
    struct prog *p[SENDERS];
    uint64_t sent[SENDERS] = { 0 }, got, spills;
    uint32_t ends;

    begin_messages(true, true);
    spills = lane->count.spills;
    linux_listener_gone();
    prog_listen(8000, 1 << 20);
    for (int i = 0; i < SENDERS; i++) {
        REQUIRE(xvs_connect_seqpacket(guest, XVS_CID_HOST, 8000, &s[i]) == 0);
        settle();
        REQUIRE((p[i] = prog_accept(8000)) != NULL);
    }
    settle();
    linux_holds_still = true;
    for (int i = 0; i < SENDERS; i++)
        do {
            for (size_t k = 0; k < sizeof data; k++)
                data[k] = pattern(sent[i] + k);
            if (xvs_send(s[i], data, sizeof data, 0) != sizeof data)
                break;
            sent[i] += sizeof data;
            settle();
        } while (sent[i] < MUCH);
    CU_ASSERT_TRUE(linux_unread() > 0);
    EQ(lane->count.spills, spills);
    linux_holds_still = false;
    settle();
    for (int i = 0; i < SENDERS; i++) {
        for (got = 0; got < sent[i] && prog_recv_message(p[i], &ends); settle())
            got += sizeof data;
        EQ(got, sent[i]);
        close_both(p[i], s[i]);
    }
    end_messages();
}

/* Whoever receives it never sees any of it. */
static void what_was_begun_of_a_message_goes_with_its_sender(void)
{
    static uint8_t data[200000];
    struct xvs_listener *l;
    struct xvs_stream *s;
    struct prog *p;

    begin_messages(true, true);
    guest_sent = guest_got = 0;
    REQUIRE(xvs_listen_seqpacket(guest, PORT, 4, &l) == 0);
    p = prog_connect_messages(8003, PORT, USUAL);
    settle();
    REQUIRE(xvs_accept(l, &s) == 0);
    settle();
    prog_message(p, 10, false);
    EQ(prog_send(p, 10), 10);
    prog_message(p, 100000, false);
    EQ(prog_send(p, 30000), 30000);
    settle();
    prog_shutdown(p, VSOCKIF_SHUTDOWN_SEND);
    settle();
    EQ(xvs_recv(s, data, sizeof data, 0), 10);
    EQ(xvs_recv(s, data, sizeof data, 0), 0);
    close_both(p, s);
    xvs_listener_close(l);
    end_messages();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_program_of_the_host_reaches_a_guest),
        TEST(a_guest_reaches_a_program_of_the_host),
        TEST(the_policy_decides_about_both_directions), TEST(a_policy_that_cuts_ends_what_it_forbids),
    TEST(a_socket_of_the_guest_s_directory_goes_first),
        TEST(nobody_there_is_a_refusal_both_ways),
        TEST(one_that_is_to_end_takes_no_more), TEST(one_of_an_earlier_cid_takes_no_more),
        TEST(no_size_of_a_buffer_stalls),
        TEST(each_half_ends_after_the_data_before_it),
        TEST(a_reset_passes_after_the_data_before_it),
        TEST(a_reader_that_stands_still_holds_nobody_else_up),
        TEST(a_guest_short_of_memory_loses_nothing),
        TEST(a_program_that_stands_still_holds_nobody_else_up),
        TEST(what_the_kernel_cannot_work_with_ends_its_streams_and_no_other),
        TEST(what_the_kernel_says_wrongly_is_dropped),
        TEST(a_new_policy_cuts_streams_with_data_on_its_way),
        TEST(a_kernel_that_does_not_read_is_let_go_before_pages_go),
        TEST(a_guest_over_its_rate_that_breaks_a_rule_ends_at_once),
        TEST(a_kernel_whose_device_ends_reads_no_more), TEST(the_kernel_has_read_all_before_pages_go),
        TEST(messages_keep_their_bounds_both_ways),
        TEST(messages_are_refused_where_either_end_has_streams_alone),
        TEST(messages_stay_where_they_are_until_the_kernel_has_read_them),
        TEST(what_was_begun_of_a_message_goes_with_its_sender),
    };

    return harness_run("vhost", tests, sizeof tests / sizeof *tests, argc, argv);
}

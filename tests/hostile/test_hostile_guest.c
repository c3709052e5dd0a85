/* SPDX-License-Identifier: MIT */
/* test_hostile_guest.c: the daemon treats its guests as hostile.
 *
 * For each rule that a guest can break: the device is closed with one line in the log and an error node that say what was
 * wrong, with its values; another guest's open stream does not notice; and after a correct handshake the
 * guest is served again.  Then what no single packet shows: floods, storms, loops, and what all that leaves behind. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xengnttab.h>

#include "admitted.h"
#include "attach.h"
#include "clock.h"
#include "daemon.h"
#include "evtchn.h"
#include "harness.h"
#include "hosted.h"
#include "map.h"
#include "rawfront.h"
#include "vconn.h"

#define BAD   1u
#define GOOD  2u
#define PORT  500u
#define HOST_PORT 5000u

static struct store *dom0;
static struct rawfront bad, good;
static int good_listener, good_stream = -1;

/* ---- the guest that behaves ---- */

static bool exchange(struct rawfront *f, int fd)
{
    struct vsockif_hdr hdr = rawfront_header(f, VSOCKIF_OP_RW, PORT, HOST_PORT);
    char byte = 0;

    hdr.len = 1;
    memset(f->tx_pool, 'g', RAWFRONT_POOL * VSOCKIF_PAGE_SIZE);
    rawfront_send(f, &hdr);
    rawfront_kick(f);
    rawfront_reap(f, 1, PATIENCE_MS);
    return host_read(fd, &byte, 1) == 1 && byte == 'g';
}

/* A stream to the host program that listens at HOST_PORT: its descriptor there, or -1. */
static int stream_to(struct rawfront *f, int listener)
{
    struct vsockif_hdr hdr = rawfront_header(f, VSOCKIF_OP_REQUEST, PORT, HOST_PORT);
    int fd;

    rawfront_send(f, &hdr);
    rawfront_kick(f);
    fd = host_accept(listener);
    if (fd >= 0 && !(rawfront_recv(f, &hdr, PATIENCE_MS) && hdr.op == VSOCKIF_OP_RESPONSE)) {
        close(fd);
        fd = -1;
    }
    rawfront_reap(f, 1, PATIENCE_MS);
    return fd;
}

/* ---- the guest that does not ---- */

/* How many of 'count' requests the daemon answers, now or soon: when it has done all that it can, fewer. */
static uint32_t answers(struct rawfront *f, uint32_t count)
{
    uint32_t n = rawfront_reap(f, count, 20);

    if (n)
        return n;
    daemon_rounds();
    return rawfront_reap(f, count, 0);
}

/* A device that the daemon has never refused. */
static void fresh(void)
{
    if (bad.store)
        rawfront_close(&bad);
    daemon_ask("{\"verb\":\"detach\",\"domain\":%u}", BAD);
    for (int waited = 0; waited < PATIENCE_MS && strstr(daemon_ask("{\"verb\":\"ls\"}"), "\"domid\":1,"); waited += 20)
        usleep(20000);
    REQUIRE(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":%u}", BAD), "\"ok\":true") != NULL);
    REQUIRE(rawfront_open(&bad, BAD) == 0);
}

static void read_error(char *out, size_t size)
{
    struct paths p;
    char path[PATHS_MAX];

    paths_of(&p, &bad.id);
    if (store_read(dom0, paths_join(path, p.error, "error"), out, size) < 0)
        snprintf(out, size, "(no error node)");
}

/* A correct handshake, and an answer that only a served guest gets. */
static void comes_back(void)
{
    struct vsockif_hdr hdr;

    rawfront_unshare(&bad);
    REQUIRE(rawfront_set_state(&bad, "6") == 0);
    REQUIRE(rawfront_wait(&bad, VSOCKIF_CLOSED) == 0);
    REQUIRE(daemon_connect(&bad) == 0);
    hdr = rawfront_header(&bad, VSOCKIF_OP_REQUEST, PORT, 4999);
    rawfront_send(&bad, &hdr);
    rawfront_kick(&bad);
    REQUIRE(rawfront_recv(&bad, &hdr, PATIENCE_MS));
    EQ(hdr.op, VSOCKIF_OP_RST);
}

/* What must be true after a violation whose message has 'text' in it. */
static void is_refused(long mark, const char *text)
{
    char error[STORE_VALUE];

    REQUIRE(rawfront_wait(&bad, VSOCKIF_CLOSING) == 0);
    read_error(error, sizeof error);
    if (!strstr(error, text)) {
        fprintf(stderr, "error node: \"%s\", expected: \"%s\"\n", error, text);
        CU_FAIL("the error node says something else");
    }
    CU_ASSERT_TRUE(daemon_log_has(mark, text));
    EQ(daemon_log_count(mark, "guest dom1 (domid 1): the device is closed"), 1);
    EQ(daemon_log_count(mark, "xengnttab"), 0);         /* what Xen's library has to say to that is said by nobody */
    EQ(daemon_number(daemon_ask("{\"verb\":\"dump\",\"domain\":%u}", BAD), "refusals"), 1);
    CU_ASSERT_TRUE(exchange(&good, good_stream));
    comes_back();
}

/* ---- the handshake ---- */

static void bad_control(void (*spoil)(void), const char *text)
{
    long mark;

    fresh();
    mark = daemon_log_mark();
    REQUIRE(rawfront_set_state(&bad, "1") == 0);
    REQUIRE(rawfront_share(&bad) == 0);
    spoil();
    REQUIRE(rawfront_offer_pages(&bad) == 0);
    is_refused(mark, text);
}

#define BAD_CONTROL(name, act, text)                            \
    static void spoil_##name(void) { act; }                     \
    static void name(void) { bad_control(spoil_##name, text); }

BAD_CONTROL(a_control_page_without_magic, bad.control->magic = 0x12345678, "magic 0x12345678")
BAD_CONTROL(a_control_page_of_version_2, bad.control->version = 2, "version 2")
BAD_CONTROL(a_ring_of_3_pages, bad.control->tx_ring_pages = 3, "tx_ring_pages is 3")
BAD_CONTROL(a_ring_of_no_pages, bad.control->rx_ring_pages = 0, "rx_ring_pages is 0")
BAD_CONTROL(a_ring_of_32_pages, bad.control->rx_ring_pages = 32, "rx_ring_pages is 32")
BAD_CONTROL(a_ring_of_2_to_the_31_pages, bad.control->tx_ring_pages = 0x80000000u, "tx_ring_pages is 2147483648")
BAD_CONTROL(a_pool_of_no_pages, bad.control->tx_pool_pages = 0, "tx_pool_pages is 0")
BAD_CONTROL(a_pool_beyond_the_limit, bad.control->rx_pool_pages = 513, "rx_pool_pages is 513")
BAD_CONTROL(more_pages_than_references,
            (bad.control->tx_pool_pages = 512, bad.control->rx_pool_pages = 512), "more than 1008 pages")
BAD_CONTROL(a_frontend_that_is_gone, bad.control->front_live = 0, "front_live is 0")
BAD_CONTROL(a_reference_that_does_not_map, bad.control->ref[70] = 0x7fffff, "of the rx pool")
/* A page that maps, and is no ring: its first word, the magic, is the index.  (With the guest's xenstore page, grant 1, that
 * word is whatever was last asked of xenstored, now and then a small number.) */
BAD_CONTROL(the_control_page_as_a_ring, bad.control->ref[0] = bad.control_ref, "impossible index of tx requests")
BAD_CONTROL(a_control_reference_that_does_not_map, bad.control_ref += 5000, "map the control page")
BAD_CONTROL(a_port_that_does_not_exist, bad.port = 900, "event channel 900")

static void bad_node(const char *leaf, const char *value, const char *text)
{
    long mark;

    fresh();
    mark = daemon_log_mark();
    REQUIRE(rawfront_set_state(&bad, "1") == 0);
    REQUIRE(rawfront_wait(&bad, VSOCKIF_INITWAIT) == 0);
    rawfront_write(&bad, "version", "1");
    rawfront_write(&bad, "control-ref", "8");
    rawfront_write(&bad, "event-channel", "3");
    rawfront_write(&bad, "queue-0/control-ref", "8");
    rawfront_write(&bad, "queue-0/event-channel", "3");
    rawfront_write(&bad, leaf, value);
    if (strcmp(leaf, "state"))
        rawfront_write(&bad, "state", "3");
    is_refused(mark, text);
}

#define BAD_NODE(name, leaf, value, text) \
    static void name(void) { bad_node(leaf, value, text); }

BAD_NODE(a_reference_that_is_no_number, "control-ref", "0x10", "control-ref")
BAD_NODE(a_negative_reference, "control-ref", "-1", "control-ref")
BAD_NODE(a_port_beyond_32_bits, "event-channel", "4294967296", "event-channel")
BAD_NODE(a_port_with_a_control_character, "event-channel", "3\n<0>forged", "event-channel")
BAD_NODE(an_empty_version, "version", "", "version")
BAD_NODE(a_version_that_was_not_offered, "version", "7", "version")
BAD_NODE(queues_that_were_not_offered, "multi-queue-num-queues", "4", "multi-queue-num-queues")
BAD_NODE(a_state_that_is_no_number, "state", "x4", "state")
BAD_NODE(a_state_beyond_all_states, "state", "99", "state")
BAD_NODE(connected_before_initialised, "state", "4", "without Initialised")

/* ---- the rings ---- */

static struct vsockif_slot slot;

/* A connected guest puts slots into its rings; spoil() says which. */
static void bad_ring(void (*spoil)(void), const char *text)
{
    long mark;

    fresh();
    REQUIRE(daemon_connect(&bad) == 0);
    mark = daemon_log_mark();
    slot = (struct vsockif_slot){ .hdr = rawfront_header(&bad, VSOCKIF_OP_RST, PORT, 4999) };
    spoil();
    rawfront_kick(&bad);
    is_refused(mark, text);
}

#define BAD_RING(name, act, text)                                   \
    static void spoil_##name(void) { act; }                         \
    static void name(void) { bad_ring(spoil_##name, text); }

static void put(void)
{
    rawfront_put(&bad, &slot);
}

static void data(uint32_t len)
{
    slot.hdr.op = VSOCKIF_OP_RW;
    slot.hdr.len = slot.size = len;
}

/* Writes the shared index; what ring_publish() would write is suppressed by having nothing to publish. */
static void set_index(uint32_t *index, uint32_t value)
{
    __atomic_store_n(index, value, __ATOMIC_SEQ_CST);
}

static void post(uint32_t id, uint32_t off, uint32_t size)
{
    struct vsockif_slot buffer = { .id = id, .off = off, .size = size };

    ring_put(&bad.rx, &buffer);
}

/* Takes a buffer out of the daemon's hands, so that there is a slot to post with: a REQUEST that is refused uses one. */
static uint32_t take_buffer(void)
{
    struct vsockif_hdr hdr = rawfront_header(&bad, VSOCKIF_OP_REQUEST, PORT, 4999);
    struct vsockif_slot got;

    rawfront_send(&bad, &hdr);
    rawfront_kick(&bad);
    for (int waited = 0; waited < PATIENCE_MS && ring_pending(&bad.rx) <= 0; waited++)
        usleep(1000);
    ring_get(&bad.rx, 0, &got);
    ring_take(&bad.rx, 1);
    return got.id;
}

BAD_RING(an_index_of_requests_beyond_the_ring, set_index(bad.tx.out_prod, 65), "impossible index of tx requests (index, ours) (65")
BAD_RING(an_index_that_wraps_far, set_index(bad.tx.out_prod, 0xfffffff0u), "impossible index of tx requests")
BAD_RING(an_index_of_buffers_that_goes_back, (take_buffer(), set_index(bad.rx.out_prod, 3)), "impossible index of rx requests")
BAD_RING(a_tx_id_beyond_the_ring, (slot.id = 64, put()), "tx id beyond the ring (id, slots) (64, 64)")
BAD_RING(a_size_that_is_not_the_length, (data(5), slot.size = 6, put()), "disagree")
BAD_RING(a_packet_longer_than_any_may_be, (data(65537), put()), "longer than any may be")
BAD_RING(data_beyond_the_pool, (data(100), slot.off = 64 * 4096 - 99, put()), "outside of the pool")
BAD_RING(data_whose_offset_wraps, (data(100), slot.off = 0xffffffc0u, put()), "outside of the pool")
BAD_RING(a_buffer_posted_twice, (take_buffer(), post(9, 0, 4096)), "rx id posted twice")
BAD_RING(a_buffer_id_beyond_the_ring, (take_buffer(), post(64, 0, 4096)), "rx id beyond the ring")
BAD_RING(a_buffer_of_odd_size, post(take_buffer(), 0, 100), "forbidden shape")
BAD_RING(a_buffer_of_no_size, post(take_buffer(), 0, 0), "forbidden shape")
BAD_RING(a_buffer_at_an_odd_place, post(take_buffer(), 4097, 4096), "forbidden shape")
BAD_RING(a_buffer_beyond_the_pool, post(take_buffer(), 64 * 4096, 4096), "outside of the pool")
BAD_RING(a_buffer_of_2_to_the_31, post(take_buffer(), 0, 0x80000000u), "forbidden shape")

/* ---- packets ---- */

BAD_RING(op_0, (slot.hdr.op = 0, put()), "an op that does not exist (op 0,")
BAD_RING(op_8, (slot.hdr.op = 8, put()), "an op that does not exist (op 8,")
BAD_RING(a_type_that_is_not_stream, (slot.hdr.type = 2, put()), "type of a packet")
BAD_RING(data_without_bytes, (data(0), put()), "RW without data")
BAD_RING(a_request_with_data, (data(4), slot.hdr.op = VSOCKIF_OP_REQUEST, put()), "data on an op")
BAD_RING(flags_on_data, (data(4), slot.hdr.flags = 1, put()), "RW of a stream with flags")
BAD_RING(a_shutdown_of_nothing, (slot.hdr.op = VSOCKIF_OP_SHUTDOWN, put()), "SHUTDOWN with flags")
BAD_RING(a_shutdown_of_too_much, (slot.hdr.op = VSOCKIF_OP_SHUTDOWN, slot.hdr.flags = 7, put()), "SHUTDOWN with flags")
BAD_RING(flags_on_a_reset, (slot.hdr.flags = 4, put()), "flags on an op")
BAD_RING(a_forged_source_cid, (slot.hdr.src_cid = 1002, put()), "the source CID is not the sender's")
BAD_RING(the_host_s_cid_as_source, (slot.hdr.src_cid = 2, put()), "the source CID is not the sender's")
BAD_RING(the_local_cid_as_source, (slot.hdr.src_cid = 1, put()), "CID 1 on the wire")
BAD_RING(a_request_with_a_fwd_cnt, (slot.hdr.op = VSOCKIF_OP_REQUEST, slot.hdr.fwd_cnt = 1, put()), "fwd_cnt")

/* ---- within a stream ---- */

static int bad_listener = -1, bad_stream = -1;

/* A stream whose reader stands still. */
static void open_stream(void)
{
    bad_listener = host_listen("dom1", HOST_PORT);
    REQUIRE(bad_listener >= 0);
    bad_stream = stream_to(&bad, bad_listener);
    REQUIRE(bad_stream >= 0);
}

static void close_stream(void)
{
    close(bad_stream);
    close(bad_listener);
}

static void send_data(uint32_t len)
{
    struct vsockif_hdr hdr = rawfront_header(&bad, VSOCKIF_OP_RW, PORT, HOST_PORT);

    hdr.len = len;
    rawfront_send(&bad, &hdr);
}

static void bad_stream_test(void (*spoil)(void), const char *text)
{
    long mark;

    fresh();
    REQUIRE(daemon_connect(&bad) == 0);
    open_stream();
    mark = daemon_log_mark();
    spoil();
    rawfront_kick(&bad);
    is_refused(mark, text);
    close_stream();
}

static void spoil_credit(void)
{
    for (int i = 0; i < 16; i++) {
        send_data(65536);
        rawfront_kick(&bad);
        if (i < 8)
            answers(&bad, 1);
    }
}

static void data_beyond_the_credit(void)
{
    bad_stream_test(spoil_credit, "data beyond the credit");
}

static void spoil_fwd_cnt(void)
{
    struct vsockif_hdr hdr = rawfront_header(&bad, VSOCKIF_OP_CREDIT_UPDATE, PORT, HOST_PORT);

    hdr.fwd_cnt = 1000;
    rawfront_send(&bad, &hdr);
}

/* How the next packet answers, an op; 0 for none. */
static unsigned next_answer(void)
{
    struct vsockif_slot got;

    for (int waited = 0; waited < PATIENCE_MS && ring_pending(&bad.rx) <= 0; waited++)
        usleep(1000);
    if (ring_pending(&bad.rx) <= 0)
        return 0;
    ring_get(&bad.rx, 0, &got);
    ring_take(&bad.rx, 1);
    return got.hdr.op;
}

/* Linux's own vsock lets programs without any rights bring these about (a read from a connection that is over; CID 1 without
 * a loopback transport): the stream is over, and no other. */
static void what_any_program_of_a_guest_can_send_closes_no_device(void)
{
    struct vsockif_hdr hdr;

    fresh();
    REQUIRE(daemon_connect(&bad) == 0);
    open_stream();
    spoil_fwd_cnt();
    rawfront_kick(&bad);
    EQ(next_answer(), VSOCKIF_OP_RST);
    hdr = rawfront_header(&bad, VSOCKIF_OP_REQUEST, PORT, HOST_PORT);
    hdr.dst_cid = VSOCKIF_CID_LOCAL;
    rawfront_send(&bad, &hdr);
    rawfront_kick(&bad);
    EQ(next_answer(), VSOCKIF_OP_RST);
    close_stream();
    open_stream();              /* the device works */
    close_stream();
}

/* Small packets until the socket takes no more of them: from then on ids stay in flight. */
static void spoil_id(void)
{
    struct vsockif_slot twice = { .hdr = rawfront_header(&bad, VSOCKIF_OP_RW, PORT, HOST_PORT), .id = 7 };

    for (int i = 0; i < 2000; i++) {
        uint32_t id = bad.next_id % ring_slots(&bad.tx);

        send_data(16);
        rawfront_kick(&bad);
        if (!answers(&bad, 1)) {
            twice.id = id;
            break;
        }
    }
    twice.hdr.len = twice.size = 16;
    rawfront_put(&bad, &twice);
}

static void a_tx_id_in_flight_twice(void)
{
    bad_stream_test(spoil_id, "tx id in flight twice");
}

/* ---- floods ---- */

/* Resets that nobody takes: the daemon holds so many, and then reads that guest no more. */
static void a_guest_that_takes_no_resets_holds_only_itself_up(void)
{
    struct vsockif_hdr hdr;
    uint32_t answered = 0;
    long long before, after;

    fresh();
    REQUIRE(daemon_connect(&bad) == 0);
    before = daemon_number(daemon_ask("{\"verb\":\"stats\"}"), "resident_bytes");
    hdr = rawfront_header(&bad, VSOCKIF_OP_CREDIT_REQUEST, PORT, 4999);
    for (uint32_t sent = 0; sent < 2000; ) {
        uint32_t n = 0;

        while (n < 32 && ring_room(&bad.tx)) {
            hdr.src_port = sent++;
            rawfront_send(&bad, &hdr);
            n++;
        }
        rawfront_kick(&bad);
        answered += n = answers(&bad, n);
        if (!n)
            break;
    }
    /* 64 buffers for resets, 256 held, and perhaps a batch on its way. */
    CU_ASSERT_TRUE(answered >= 256 && answered <= 64 + VSOCKIF_MAX_RESETS + 64);
    CU_ASSERT_TRUE(exchange(&good, good_stream));
    after = daemon_number(daemon_ask("{\"verb\":\"stats\"}"), "resident_bytes");
    CU_ASSERT_TRUE(after - before < 4 << 20);
    for (uint32_t i = 0; i < answered; i++)
        REQUIRE(rawfront_recv(&bad, &hdr, PATIENCE_MS));
    CU_ASSERT_TRUE(exchange(&good, good_stream));
}

/* Single bytes cost slots, not bytes: both are bounded. */
static void single_bytes_to_a_reader_that_stands_still(void)
{
    uint32_t answered = 0, sent = 0, n;
    const char *ls;

    fresh();
    REQUIRE(daemon_connect(&bad) == 0);
    open_stream();
    while (sent < 20000) {
        for (n = 0; n < 32 && ring_room(&bad.tx) > VSOCKIF_CONTROL_SLOTS; n++, sent++)
            send_data(1);
        rawfront_kick(&bad);
        answered += n = answers(&bad, n);
        if (!n && !ring_room(&bad.tx))
            break;
    }
    ls = daemon_ask("{\"verb\":\"dump\",\"domain\":%u}", BAD);
    CU_ASSERT_TRUE(daemon_number(ls, "spilled") < 1 << 20);
    CU_ASSERT_TRUE(answered > 10000);
    CU_ASSERT_TRUE(exchange(&good, good_stream));
    close_stream();
}

static long long notifications_heard(void)
{
    return daemon_number(strstr(daemon_ask("{\"verb\":\"dump\",\"domain\":%u}", BAD), "notifications"), "received");
}

/* The first ones at once, then one after a ms, after two, and so on: so many cannot have been heard any sooner. */
static void events_without_work_are_heard_less_and_less(void)
{
    enum { FORGIVEN = 64, SLACK = 5, HEARD = 120, LONGEST_MS = 16 };
    uint64_t start, pauses = 0, end;
    long long first, received;

    fresh();
    REQUIRE(daemon_connect(&bad) == 0);
    daemon_rounds();
    start = clock_now_ns();
    end = start + PATIENCE_MS * UINT64_C(1000000);
    first = received = notifications_heard();
    while (received < first + HEARD) {
        REQUIRE(clock_now_ns() < end);
        for (int i = 0; i < 10; i++)
            xenevtchn_notify(bad.evtchn, (evtchn_port_t)bad.port);
        received = notifications_heard();
    }
    for (int ms = 1; ms < HEARD - FORGIVEN - SLACK; ms++)
        pauses += ms < LONGEST_MS ? ms : LONGEST_MS;
    CU_ASSERT_TRUE(clock_now_ns() - start >= pauses * 1000000);
    CU_ASSERT_TRUE(exchange(&good, good_stream));
    rawfront_kick(&bad);
    CU_ASSERT_TRUE(daemon_lives());
}

/* A guest can notify and be gone, or another reader take the event, after poll has announced it: the daemon's read of it stood there
 * for ever, and all guests with it.  If it does again, the alarm ends this. */
static void an_event_that_is_not_there_is_not_waited_for(void)
{
    const struct map_limits limits = { VSOCKIF_MAX_RING_PAGE_ORDER, VSOCKIF_MAX_POOL_PAGES };
    struct xengntdev_handle *gnt = xengnttab_open(NULL, 0);
    struct xenevtchn_handle *channel;
    struct guest_map m;
    char why[MAP_WHY] = "";
    uint32_t port;

    fresh();
    REQUIRE(gnt && rawfront_share(&bad) == 0);
    REQUIRE(channel_open(BAD, (uint32_t)bad.port, &channel, &port, why) == 0);
    EQ(map_open(&m, gnt, BAD, bad.control_ref, channel_fd(channel), port, &limits, why), 0);
    channel_close(channel);
    alarm(20);
    for (int n = 0; n < 3; n++)
        map_take_event(&m);     /* one that binding has left, perhaps; then none */
    CU_ASSERT_FALSE(map_take_event(&m));
    alarm(0);
    map_close(&m);
    xengnttab_close(gnt);
}

static void connect_and_disconnect_in_a_tight_loop(void)
{
    long long fds, after = 0;

    fresh();
    fds = daemon_number(daemon_ask("{\"verb\":\"stats\"}"), "fds");
    for (int i = 0; i < 20; i++) {
        REQUIRE(daemon_connect(&bad) == 0);
        rawfront_set_state(&bad, i % 2 ? "6" : "5");
        REQUIRE(rawfront_wait(&bad, VSOCKIF_CLOSED) == 0);
        rawfront_unshare(&bad);
    }
    /* Without the manners of a handshake. */
    for (int i = 0; i < 500; i++)
        rawfront_set_state(&bad, i % 3 == 0 ? "1" : i % 3 == 1 ? "3" : "6");
    CU_ASSERT_TRUE(exchange(&good, good_stream));
    for (int waited = 0; waited < PATIENCE_MS; waited += 50) {
        after = daemon_number(daemon_ask("{\"verb\":\"stats\"}"), "fds");
        if (after <= fds)
            break;
        usleep(50000);
    }
    CU_ASSERT_TRUE(after <= fds);
}

/* Pages that vanish without a word: the process is gone. */
static void a_frontend_that_dies_is_let_go(void)
{
    fresh();
    REQUIRE(daemon_connect(&bad) == 0);
    open_stream();
    rawfront_unshare(&bad);
    REQUIRE(rawfront_wait(&bad, VSOCKIF_CLOSING) == 0);
    EQ(host_read(bad_stream, &slot, 1), 0);
    close_stream();
    comes_back();
}

/* An agent that answered, closed and exited at once lost its answer now and then: its process was gone before the daemon
 * had read the ring. */
static void what_a_frontend_sent_before_it_died_is_delivered(void)
{
    char got[200] = "";

    for (int round = 0; round < 20; round++) {
        fresh();
        REQUIRE(daemon_connect(&bad) == 0);
        open_stream();
        memset(bad.tx_pool, 'w', RAWFRONT_POOL * VSOCKIF_PAGE_SIZE);
        send_data(100);
        send_data(50);
        ring_publish(&bad.tx);      /* no notification: only its death tells */
        rawfront_unshare(&bad);
        EQ(host_read(bad_stream, got, sizeof got), 150);
        EQ(got[149], 'w');
        close_stream();
    }
}

/* xenstored takes its time to answer something else while a host program asks to be connected: the guest has as long to answer
 * as ever.  It does not, so that the end of that can be seen. */
static void a_connect_has_its_whole_time_although_xenstored_was_slow(void)
{
    int store = hosted_xenstored(), control = daemon_control(), client = host_connect("dom2");
    static const char ask[] = "{\"verb\":\"attach\",\"domain\":\"nobody\"}\n", line[] = "CONNECT 4000\n";
    uint64_t start;
    char byte;

    REQUIRE(store > 0 && control >= 0 && client >= 0);
    daemon_rounds();                            /* both are accepted */
    daemon_freeze();
    EQ(write(control, ask, strlen(ask)), strlen(ask));
    EQ(write(client, line, strlen(line)), strlen(line));
    kill(store, SIGSTOP);
    start = clock_now_ns();
    daemon_signal(SIGCONT);
    usleep((VCONN_CONNECT_MS + 100) * 1000);    /* more than a connect has */
    kill(store, SIGCONT);
    EQ(host_read(client, &byte, 1), 0);
    CU_ASSERT_TRUE(clock_now_ns() - start >= VCONN_CONNECT_MS * UINT64_C(1000000));
    close(client);
    close(control);
}

static void the_daemon_still_stops_in_order(void)
{
    close(good_stream);
    rawfront_close(&good);
    rawfront_close(&bad);
    EQ(daemon_stop(SIGTERM), 0);
}

static const struct test tests[] = {
    TEST(a_control_page_without_magic), TEST(a_control_page_of_version_2), TEST(a_ring_of_3_pages),
    TEST(a_ring_of_no_pages), TEST(a_ring_of_32_pages), TEST(a_ring_of_2_to_the_31_pages), TEST(a_pool_of_no_pages),
    TEST(a_pool_beyond_the_limit), TEST(more_pages_than_references), TEST(a_frontend_that_is_gone),
    TEST(a_reference_that_does_not_map), TEST(the_control_page_as_a_ring),
    TEST(a_control_reference_that_does_not_map), TEST(a_port_that_does_not_exist),
    TEST(a_reference_that_is_no_number), TEST(a_negative_reference), TEST(a_port_beyond_32_bits),
    TEST(a_port_with_a_control_character), TEST(an_empty_version), TEST(a_version_that_was_not_offered),
    TEST(queues_that_were_not_offered), TEST(a_state_that_is_no_number), TEST(a_state_beyond_all_states),
    TEST(connected_before_initialised),
    TEST(an_index_of_requests_beyond_the_ring), TEST(an_index_that_wraps_far),
    TEST(an_index_of_buffers_that_goes_back), TEST(a_tx_id_beyond_the_ring), TEST(a_size_that_is_not_the_length),
    TEST(a_packet_longer_than_any_may_be), TEST(data_beyond_the_pool), TEST(data_whose_offset_wraps),
    TEST(a_buffer_posted_twice), TEST(a_buffer_id_beyond_the_ring), TEST(a_buffer_of_odd_size),
    TEST(a_buffer_of_no_size), TEST(a_buffer_at_an_odd_place), TEST(a_buffer_beyond_the_pool),
    TEST(a_buffer_of_2_to_the_31),
    TEST(op_0), TEST(op_8), TEST(a_type_that_is_not_stream), TEST(data_without_bytes), TEST(a_request_with_data),
    TEST(flags_on_data), TEST(a_shutdown_of_nothing), TEST(a_shutdown_of_too_much), TEST(flags_on_a_reset),
    TEST(a_forged_source_cid), TEST(the_host_s_cid_as_source), TEST(the_local_cid_as_source), TEST(what_any_program_of_a_guest_can_send_closes_no_device),
    TEST(a_request_with_a_fwd_cnt),
    TEST(data_beyond_the_credit), TEST(a_tx_id_in_flight_twice),
    TEST(a_guest_that_takes_no_resets_holds_only_itself_up), TEST(single_bytes_to_a_reader_that_stands_still),
    TEST(events_without_work_are_heard_less_and_less),
    TEST(an_event_that_is_not_there_is_not_waited_for), TEST(connect_and_disconnect_in_a_tight_loop),
    TEST(a_frontend_that_dies_is_let_go), TEST(what_a_frontend_sent_before_it_died_is_delivered),
    TEST(a_connect_has_its_whole_time_although_xenstored_was_slow), TEST(the_daemon_still_stops_in_order)
};

int main(int argc, char **argv)
{
    int err;

    if (!hosted_begin())
        return 2;
    if ((err = daemon_start("[daemon]\n")) || (err = store_open(&dom0)) ||
        (err = rawfront_open(&good, GOOD)) || (err = daemon_connect(&good)) ||
        (good_listener = host_listen("dom2", HOST_PORT)) < 0 || (good_stream = stream_to(&good, good_listener)) < 0) {
        fprintf(stderr, "the daemon and a good guest do not come up: %s\n", strerror(-err));
        daemon_stop(SIGKILL);
        return 1;
    }
    err = harness_run("hostile guest", tests, sizeof tests / sizeof *tests, argc, argv);
    daemon_stop(SIGKILL);
    store_close(dom0);
    return err;
}

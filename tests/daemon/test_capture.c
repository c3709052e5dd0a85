/* SPDX-License-Identifier: MIT */
/* test_capture.c: captures of a guest's packets: all that goes through the rings, in order, for root alone, and at nobody's expense. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "capture.h"
#include "hosted.h"
#include "rawstream.h"
#include "toolstack.h"

#define WEB  1u
#define PORT 500u

static struct rawguest web;
static struct tapif_record record;
static uint8_t data[VSOCKIF_MAX_PACKET];

static void start(void)
{
    toolstack_open();
    domain_make(WEB, "web1", NULL);
    REQUIRE(store_remove(dom0, "/local/domain/0/backend/vsock") == 0);
    daemon_policy(POLICY_OPEN);
    REQUIRE(daemon_start("[daemon]\n") == 0);
    REQUIRE(rawguest_open(&web, WEB) == 0 && rawguest_connect(&web) == 0);
}

static void stop_daemon(void)
{
    EQ(daemon_stop(SIGTERM), 0);
    domain_remove(WEB);
    daemon_policy(NULL);
    toolstack_close();
}

static void stop(void)
{
    rawguest_leave(&web);
    rawfront_close(&web.f);
    stop_daemon();
}

/* A capture that is on, or the refusal has been shown. */
static int capture(const char *more)
{
    char line[512], c;
    int fd = daemon_control(), n = snprintf(line, sizeof line, "{\"verb\":\"capture\",\"domain\":\"web1\"%s}\n", more);
    size_t at = 0;

    REQUIRE(fd >= 0 && write(fd, line, (size_t)n) == n);
    while (host_read(fd, &c, 1) == 1 && c != '\n' && at < sizeof line - 1)
        line[at++] = c;
    line[at] = '\0';
    if (!strstr(line, "\"ok\":true"))
        fprintf(stderr, "%s\n", line);
    REQUIRE(strstr(line, "\"ok\":true") != NULL);
    return fd;
}

/* False if the daemon has closed. */
static bool next(int fd)
{
    size_t n = host_read(fd, &record, sizeof record);

    if (n == 0)
        return false;
    REQUIRE(n == sizeof record && record.size == tapif_size(record.captured) && record.captured <= sizeof data);
    REQUIRE(host_read(fd, data, record.size - sizeof record) == record.size - sizeof record);
    return true;
}

/* The next one that is no news of credit alone. */
static bool next_but_credit(int fd)
{
    do {
        if (!next(fd))
            return false;
    } while (record.hdr.op == VSOCKIF_OP_CREDIT_UPDATE || record.hdr.op == VSOCKIF_OP_CREDIT_REQUEST);
    return true;
}

static void each_packet_of_a_connection_is_there_in_both_directions(void)
{
    struct rawstream *s;
    int listener, stream, fd;
    char bytes[100];

    start();
    fd = capture(",\"snap\":40");
    REQUIRE((listener = host_listen("web1", PORT)) >= 0);
    REQUIRE((s = rawstream_connect(&web, VSOCKIF_CID_HOST, PORT)) != NULL);
    REQUIRE((stream = host_accept(listener)) >= 0);
    REQUIRE(rawstream_send(&web, s, 60));
    EQ(host_read(stream, bytes, 60), 60);
    REQUIRE(write(stream, "0123456789", 10) == 10);
    close(stream);
    while (!web.received)
        rawguest_hear(&web);

    REQUIRE(next_but_credit(fd));
    EQ(record.kind, TAPIF_FROM_GUEST);
    EQ(record.hdr.op, VSOCKIF_OP_REQUEST);
    EQ(record.hdr.src_cid, 1001);
    EQ(record.hdr.dst_cid, VSOCKIF_CID_HOST);
    EQ(record.hdr.dst_port, PORT);
    EQ(record.hdr.src_port, s->port);
    CU_ASSERT_TRUE(record.time > UINT64_C(1600000000) * 1000000000);
    REQUIRE(next_but_credit(fd));
    EQ(record.kind, TAPIF_TO_GUEST);
    EQ(record.hdr.op, VSOCKIF_OP_RESPONSE);
    EQ(record.hdr.dst_cid, 1001);
    CU_ASSERT_TRUE(record.hdr.buf_alloc > 0);
    REQUIRE(next_but_credit(fd));
    EQ(record.hdr.op, VSOCKIF_OP_RW);
    EQ(record.hdr.len, 60);
    EQ(record.captured, 40);
    CU_ASSERT_TRUE(data[0] == 'x' && data[39] == 'x' && !memcmp(data, data + 1, 39));
    REQUIRE(next_but_credit(fd));
    EQ(record.kind, TAPIF_TO_GUEST);
    EQ(record.hdr.op, VSOCKIF_OP_RW);
    EQ(record.captured, 10);
    CU_ASSERT_TRUE(memcmp(data, "0123456789", 10) == 0);
    REQUIRE(next_but_credit(fd));
    EQ(record.hdr.op, VSOCKIF_OP_SHUTDOWN);

    /* The reader has enough: it gets the last record, and the end. */
    shutdown(fd, SHUT_WR);
    while (next(fd) && record.kind != TAPIF_END)
        ;
    EQ(record.kind, TAPIF_END);
    CU_ASSERT_TRUE(record.seen >= 5);
    EQ(record.dropped, 0);
    CU_ASSERT_FALSE(next(fd));
    close(fd);
    close(listener);
    stop();
}

/* What is refused tells why; and the RST that nobody asked for is there, too. */
static void a_reset_comes_with_its_reason(void)
{
    int fd;

    start();
    fd = capture("");
    CU_ASSERT_PTR_NULL(rawstream_connect(&web, VSOCKIF_CID_HOST, PORT));
    REQUIRE(next_but_credit(fd));
    EQ(record.hdr.op, VSOCKIF_OP_REQUEST);
    REQUIRE(next_but_credit(fd));
    EQ(record.hdr.op, VSOCKIF_OP_RST);
    EQ(record.reason, VSOCKIF_REASON_NOBODY);
    close(fd);
    stop();
}

static void a_filter_lets_its_ports_through(void)
{
    int listener, fd;

    start();
    fd = capture(",\"ports\":[501,502]");
    REQUIRE((listener = host_listen("web1", 501)) >= 0);
    CU_ASSERT_PTR_NULL(rawstream_connect(&web, VSOCKIF_CID_HOST, PORT));
    REQUIRE(rawstream_connect(&web, VSOCKIF_CID_HOST, 501) != NULL);
    REQUIRE(next_but_credit(fd));
    EQ(record.hdr.dst_port, 501);
    EQ(record.seen, 1);
    close(fd);
    close(listener);
    stop();
}

/* The reader takes nothing while the guest sends much more than the ring holds: all of it arrives, and what the reader has not got is
 * counted. */
static void a_reader_that_stands_still_slows_nobody(void)
{
    const uint32_t most = 3 * TAP_BYTES;
    struct rawstream *s;
    int listener, stream, fd;
    uint64_t got = 0, last = 0;
    uint32_t sent = 0;
    size_t total = 0;

    start();
    fd = capture(",\"snap\":65536");
    REQUIRE((listener = host_listen("web1", PORT)) >= 0);
    REQUIRE((s = rawstream_connect(&web, VSOCKIF_CID_HOST, PORT)) != NULL);
    REQUIRE((stream = host_accept(listener)) >= 0);
    while (total < most) {
        if (sent < most && rawstream_send(&web, s, 4096))
            sent += 4096;
        else
            total += host_read(stream, data, sent - total < sizeof data ? sent - total : sizeof data);
        rawguest_hear(&web);
    }
    shutdown(fd, SHUT_WR);
    while (next(fd) && record.kind != TAPIF_END) {
        got++;
        CU_ASSERT_TRUE(record.seen > last);
        CU_ASSERT_TRUE(record.seen == got + record.dropped);
        last = record.seen;
    }
    EQ(record.kind, TAPIF_END);
    CU_ASSERT_TRUE(record.dropped > 0);
    EQ(record.seen, got + record.dropped);
    CU_ASSERT_FALSE(next(fd));
    close(fd);
    close(stream);
    close(listener);
    stop();
}

static void a_capture_goes_on_over_connections_and_ends_with_its_device(void)
{
    int fd;

    start();
    fd = capture("");
    CU_ASSERT_PTR_NULL(rawstream_connect(&web, VSOCKIF_CID_HOST, PORT));
    rawfront_unshare(&web.f);
    REQUIRE(rawfront_wait(&web.f, VSOCKIF_CLOSING) == 0);
    REQUIRE(rawfront_set_state(&web.f, "6") == 0 && rawfront_wait(&web.f, VSOCKIF_CLOSED) == 0);
    REQUIRE(rawguest_connect(&web) == 0);
    CU_ASSERT_PTR_NULL(rawstream_connect(&web, VSOCKIF_CID_HOST, PORT + 1));
    for (int i = 0; i < 4; i++) {
        REQUIRE(next_but_credit(fd));
        EQ(record.hdr.op, i % 2 ? VSOCKIF_OP_RST : VSOCKIF_OP_REQUEST);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"detach\",\"domain\":\"web1\"}"), "\"ok\":true"));
    rawfront_unshare(&web.f);
    rawfront_close(&web.f);
    REQUIRE(next(fd));
    EQ(record.kind, TAPIF_END);
    EQ(record.seen, 4);
    CU_ASSERT_FALSE(next(fd));
    close(fd);
    stop_daemon();
}

static void as_many_as_there_may_be_and_no_more(void)
{
    int fds[CAPTURE_MOST];

    start();
    for (unsigned i = 0; i < CAPTURE_MOST; i++)
        fds[i] = capture("");
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"capture\",\"domain\":\"web1\"}"), "there are 16 captures already"));
    CU_ASSERT_PTR_NULL(rawstream_connect(&web, VSOCKIF_CID_HOST, PORT));
    for (unsigned i = 0; i < CAPTURE_MOST; i++) {
        REQUIRE(next(fds[i]));
        close(fds[i]);
    }
    UNTIL(strstr(daemon_ask("{\"verb\":\"capture\",\"domain\":\"web1\"}"), "\"ok\":true"));
    stop();
}

static void what_makes_no_sense_is_refused_in_words_and_leaves_nothing(void)
{
    static const struct { const char *request, *text; } wrong[] = {
        { "{\"verb\":\"capture\"}", "capture: \\\"domain\\\" must be" },
        { "{\"verb\":\"capture\",\"domain\":\"nobody\"}", "capture: there is no domain nobody" },
        { "{\"verb\":\"capture\",\"domain\":\"web1\",\"device\":7}", "capture: domain web1 has no device 7" },
        { "{\"verb\":\"capture\",\"domain\":\"web1\",\"device\":\"0\"}", "capture: \\\"device\\\" must be" },
        { "{\"verb\":\"capture\",\"domain\":\"web1\",\"snap\":-1}", "capture: \\\"snap\\\" must be" },
        { "{\"verb\":\"capture\",\"domain\":\"web1\",\"ports\":5}", "capture: \\\"ports\\\" must be a list" },
        { "{\"verb\":\"capture\",\"domain\":\"web1\",\"ports\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", "capture: \\\"ports\\\" must be a list" },
        { "{\"verb\":\"capture\",\"domain\":\"web1\",\"ports\":[4294967295]}", "capture: a port is a number" },
        { "{\"verb\":\"capture\",\"domain\":\"web1\",\"port\":5}", "capture: it has no key" },
    };

    start();
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
            const char *answer = daemon_ask("%s", wrong[i].request);

            if (!strstr(answer, wrong[i].text))
                fprintf(stderr, "%s: %s", wrong[i].request, answer);
            CU_ASSERT_PTR_NOT_NULL(strstr(answer, wrong[i].text));
        }
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask_status("{\"verb\":\"capture\",\"domain\":\"web1\"}"), "\"denied\":true"));
    close(capture(""));
    stop();
}

static const struct test tests[] = {
    TEST(each_packet_of_a_connection_is_there_in_both_directions), TEST(a_reset_comes_with_its_reason), TEST(a_filter_lets_its_ports_through),
    TEST(a_reader_that_stands_still_slows_nobody), TEST(a_capture_goes_on_over_connections_and_ends_with_its_device),
    TEST(as_many_as_there_may_be_and_no_more), TEST(what_makes_no_sense_is_refused_in_words_and_leaves_nothing)
};

int main(int argc, char **argv)
{
    if (!hosted_begin())
        return 2;
    return harness_run("capture", tests, sizeof tests / sizeof *tests, argc, argv);
}

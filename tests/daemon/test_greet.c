/* SPDX-License-Identifier: MIT */
/* test_greet.c: host programs that connect to a guest's socket and then say nothing, something else, half of it, or go. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admitted.h"
#include "clock.h"
#include "greet.h"
#include "hosted.h"
#include "rawfront.h"
#include "toolstack.h"

#define GUEST 1u
#define PORT  500u

static struct rawfront guest;
static uint32_t host_port;              /* of the packet before */

static void start(void)
{
    toolstack_open();
    domain_make(GUEST, "web1", NULL);
    REQUIRE(daemon_start("[daemon]\nlog_level = debug\n") == 0);
    REQUIRE(rawfront_open(&guest, GUEST) == 0);
}

static void stop(void)
{
    rawfront_close(&guest);
    EQ(daemon_stop(SIGTERM), 0);
    domain_remove(GUEST);
    toolstack_close();
}

static long long fds(void)
{
    return daemon_number(daemon_ask("{\"verb\":\"stats\"}"), "fds");
}

static void say(int fd, const char *text)
{
    REQUIRE(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

/* A host program's line for the guest's port. */
static int caller(const char *line)
{
    int fd = host_connect("web1");

    REQUIRE(fd >= 0);
    say(fd, line);
    return fd;
}

static bool is_open(int fd)
{
    return poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0) == 0;
}

static bool is_closed(int fd)
{
    char byte;

    return host_read(fd, &byte, 1) == 0;
}

static void expect(unsigned op)
{
    struct vsockif_hdr hdr = { 0 };

    REQUIRE(rawfront_recv(&guest, &hdr, PATIENCE_MS));
    EQ(hdr.op, op);
    EQ(hdr.dst_port, PORT);
    host_port = hdr.src_port;
}

static void answer(unsigned op)
{
    struct vsockif_hdr hdr = rawfront_header(&guest, op, PORT, host_port);

    rawfront_send(&guest, &hdr);
    rawfront_kick(&guest);
}

/* The guest answers, too.  What hosted Xen opens for the first notification is open. */
static void start_connected(void)
{
    start();
    REQUIRE(daemon_connect(&guest) == 0);
    answer(VSOCKIF_OP_REQUEST);         /* to a port that nobody takes */
    expect(VSOCKIF_OP_RST);
}

/* ---- time ---- */

static void who_says_nothing_or_half_a_line_is_let_go_after_5_s_and_not_before(void)
{
    uint64_t began;
    int silent, half;
    long mark;

    start();
    mark = daemon_log_mark();
    began = clock_now_ns();
    silent = host_connect("web1");
    half = caller("CONNECT 50");
    REQUIRE(silent >= 0);
    daemon_rounds();
    CU_ASSERT_TRUE(is_open(silent) && is_open(half));
    CU_ASSERT_TRUE(is_closed(silent));
    CU_ASSERT_TRUE(clock_now_ns() - began >= GREET_MS * UINT64_C(1000000));
    CU_ASSERT_TRUE(is_closed(half));
    CU_ASSERT_TRUE(daemon_log_has(mark, "said nothing in time"));
    close(silent);
    close(half);
    stop();
}

/* ---- many ---- */

static void as_many_as_may_be_silent_and_the_next_is_heard_when_one_goes(void)
{
    int fd[GREET_CLIENTS], next;

    start_connected();
    for (unsigned i = 0; i < GREET_CLIENTS; i++)
        REQUIRE((fd[i] = host_connect("web1")) >= 0);
    next = caller("CONNECT 500\n");
    daemon_rounds();
    EQ(ring_pending(&guest.rx), 0);
    close(fd[7]);
    expect(VSOCKIF_OP_REQUEST);
    close(next);
    for (unsigned i = 0; i < GREET_CLIENTS; i++)
        if (i != 7)
            close(fd[i]);
    stop();
}

/* ---- lines ---- */

static void a_line_that_is_none_is_refused_at_once(void)
{
    static const char *const lines[] = {
        "HELLO\n", "CONNECT\n", "CONNECT x\n", "CONNECT -1\n", "CONNECT 4294967296\n", "CONNECT  5\n", "\n",
        "CONNECT 1234567890123456789012345678", "GET / HTTP/1.1\r\n"
    };
    long long before;

    start_connected();
    before = fds();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        int fd = caller(lines[i]);

        CU_ASSERT_TRUE(is_closed(fd));
        close(fd);
    }
    EQ(fds(), before);
    stop();
}

static void a_line_in_pieces_reaches_the_guest_with_what_follows_it(void)
{
    static const char line[] = "connect 500\r\n";
    char got[32] = "";
    int fd;

    start_connected();
    fd = host_connect("web1");
    REQUIRE(fd >= 0);
    for (size_t i = 0; i < strlen(line) - 1; i++) {
        REQUIRE(write(fd, &line[i], 1) == 1);
        fds();                          /* answered after the byte was seen; the whole line has 5 s */
    }
    CU_ASSERT_TRUE(is_open(fd));
    say(fd, "\nfollows");
    expect(VSOCKIF_OP_REQUEST);
    CU_ASSERT_TRUE(is_open(fd));        /* the guest has not answered */
    answer(VSOCKIF_OP_RESPONSE);
    expect(VSOCKIF_OP_RW);
    EQ(host_read(fd, got, 3), 3);
    EQ(memcmp(got, "OK ", 3), 0);
    close(fd);
    stop();
}

static void who_goes_within_the_line_or_before_it_leaves_nothing(void)
{
    long long before;
    long mark;
    int fd;

    start();
    before = fds();
    mark = daemon_log_mark();
    close(host_connect("web1"));
    CU_ASSERT_TRUE(daemon_log_has(mark, "closed without a word"));
    close(caller("CONNECT 5"));
    CU_ASSERT_TRUE(daemon_log_has(mark, "closed within its line"));
    fd = caller("CONN");
    shutdown(fd, SHUT_WR);
    CU_ASSERT_TRUE(is_closed(fd));
    close(fd);
    EQ(fds(), before);
    stop();
}

static void a_guest_that_is_not_there_is_told_by_a_close(void)
{
    long mark;
    int fd;

    start();
    mark = daemon_log_mark();
    fd = caller("CONNECT 500\n");
    CU_ASSERT_TRUE(is_closed(fd));
    CU_ASSERT_TRUE(daemon_log_has(mark, "refused port 500"));
    close(fd);
    stop();
}

/* ---- while the guest thinks ---- */

static void who_gives_up_before_the_guest_has_answered_is_reset_there(void)
{
    long long before;
    int fd;

    start_connected();
    before = fds();
    fd = caller("CONNECT 500\n");
    expect(VSOCKIF_OP_REQUEST);
    close(fd);
    expect(VSOCKIF_OP_RST);
    EQ(fds(), before);
    stop();
}

/* The daemon finds the guest's answer and the program's end at the same time: a stream that ends before its first byte. */
static void who_goes_when_the_guest_answers_is_shut_down_there(void)
{
    struct vsockif_hdr hdr = { 0 };
    uint32_t shut = 0;
    long long before;
    int fd;

    start_connected();
    before = fds();
    fd = caller("CONNECT 500\n");
    expect(VSOCKIF_OP_REQUEST);
    daemon_freeze();
    answer(VSOCKIF_OP_RESPONSE);
    close(fd);
    daemon_signal(SIGCONT);
    while (shut != (VSOCKIF_SHUTDOWN_RCV | VSOCKIF_SHUTDOWN_SEND)) {
        REQUIRE(rawfront_recv(&guest, &hdr, PATIENCE_MS));
        EQ(hdr.op, VSOCKIF_OP_SHUTDOWN);
        shut |= hdr.flags;
    }
    EQ(fds(), before);
    stop();
}

static void a_guest_that_refuses_is_told_by_a_close(void)
{
    int fd;

    start_connected();
    fd = caller("CONNECT 500\n");
    expect(VSOCKIF_OP_REQUEST);
    answer(VSOCKIF_OP_RST);
    CU_ASSERT_TRUE(is_closed(fd));
    close(fd);
    stop();
}

static const struct test tests[] = {
    TEST(who_says_nothing_or_half_a_line_is_let_go_after_5_s_and_not_before),
    TEST(as_many_as_may_be_silent_and_the_next_is_heard_when_one_goes),
    TEST(a_line_that_is_none_is_refused_at_once),
    TEST(a_line_in_pieces_reaches_the_guest_with_what_follows_it),
    TEST(who_goes_within_the_line_or_before_it_leaves_nothing),
    TEST(a_guest_that_is_not_there_is_told_by_a_close),
    TEST(who_gives_up_before_the_guest_has_answered_is_reset_there),
    TEST(who_goes_when_the_guest_answers_is_shut_down_there),
    TEST(a_guest_that_refuses_is_told_by_a_close)
};

int main(int argc, char **argv)
{
    if (!hosted_begin())
        return 2;
    return harness_run("greet", tests, sizeof tests / sizeof *tests, argc, argv);
}

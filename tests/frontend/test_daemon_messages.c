/* SPDX-License-Identifier: MIT */
/* test_daemon_messages.c: connections of messages by way of the daemon itself: to a host program's SOCK_SEQPACKET, and to another
 * guest.  This process is both guests and the host program. */
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "daemon.h"
#include "lab.h"

#define OTHER  2u                       /* the other guest */
#define BUFFER (512u << 10)
#define MOST   (80u << 10)              /* of a message to a host program */

#define CONF   "[guest dom1]\ncid = 101\nchannel control = 77 seqpacket\n[guest dom2]\ncid = 102\n"

static uint8_t data[1 << 20], got[1 << 20];
static struct xvs *y;                   /* of the other guest */
static int at_port = -1;                /* who listens there for dom1 */

/* Once it is up it opens nothing more, so who this process is does not matter from then on. */
static struct xvs *open_as(uint32_t domid, uint32_t buffer)
{
    struct xvs *opened = NULL;
    struct xvs_options opt;

    xvs_options_init(&opt);
    opt.buffer = buffer;
    hosted_become(domid);
    REQUIRE(xvs_open(&opt, &opened) == 0);
    REQUIRE(xvs_wait_up(opened, PATIENCE_MS) == 0);
    hosted_become(0);
    return opened;
}

static void start(void)
{
    lab_stop();
    hosted_become(0);
    daemon_policy(POLICY_OPEN);
    REQUIRE(daemon_start(CONF) == 0);
    x = open_as(GUEST, BUFFER);
}

static void stop(void)
{
    xvs_close(x);
    xvs_close(y);
    x = y = NULL;
    if (at_port >= 0)
        close(at_port);
    at_port = -1;
    daemon_stop(SIGTERM);
}

/* Both devices go on, and whatever else there is, until it is so. */
#define BOTH_UNTIL(cond) do { uint64_t until = clock_now_ns() + PATIENCE_MS * UINT64_C(1000000); \
    while (!(cond)) { REQUIRE(clock_now_ns() < until); turn_both(); } } while (0)

static void turn_both(void)
{
    struct pollfd p[2] = { { .fd = xvs_fd(x), .events = POLLIN }, { .fd = y ? xvs_fd(y) : -1, .events = POLLIN } };
    struct xvs_event ev;

    poll(p, 2, 5);
    xvs_process(x);
    while (xvs_next_event(x, &ev))
        ;
    if (y)
        xvs_process(y);
    while (y && xvs_next_event(y, &ev))
        ;
}

/* A host program that takes messages at PORT, and a stream of the guest's to it. */
static int join(struct xvs_stream **s)
{
    int fd;

    REQUIRE((at_port = host_listen_as("dom1", PORT, SOCK_SEQPACKET)) >= 0);
    REQUIRE(xvs_connect_seqpacket_wait(x, XVS_CID_HOST, PORT, PATIENCE_MS, s) == 0);
    REQUIRE((fd = host_accept(at_port)) >= 0);
    return fd;
}

static ssize_t host_message(int fd, void *buffer, size_t len)
{
    ssize_t n = -1;

    BOTH_UNTIL((n = recv(fd, buffer, len, MSG_DONTWAIT)) >= 0);
    return n;
}

/* ---- a host program ---- */

static void messages_to_a_host_program_stay_whole(void)
{
    static const uint32_t sizes[] = { 1, 4096, 65536, 65537, MOST, 3 };
    struct xvs_stream *s;
    uint64_t at = 0;
    int fd;

    start();
    fd = join(&s);
    EQ(xvs_message_max(s), MOST);
    EQ(xvs_send(s, data, MOST + 1, 0), -EMSGSIZE);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; at += sizes[i++]) {
        lab_fill(data, at, sizes[i]);
        EQ(xvs_send_all(s, data, sizes[i], PATIENCE_MS), 0);
        EQ(host_message(fd, got, sizeof got), sizes[i]);
        CU_ASSERT_TRUE(lab_matches(got, at, sizes[i]));
    }
    EQ(xvs_shutdown(s, SHUT_WR), 0);
    EQ(host_message(fd, got, sizeof got), 0);
    close(fd);
    EQ(xvs_recv_wait(s, got, sizeof got, PATIENCE_MS), 0);
    BOTH_UNTIL(s->v.c.state == VCONN_CLOSED);
    EQ(xvs_stream_error(s), 0);
    xvs_stream_close(s);
    stop();
}

/* Its first part goes as soon as the guest has room, and the rest waits in the socket. */
static void messages_of_a_host_program_stay_whole(void)
{
    static const uint32_t sizes[] = { 1, 4096, 65536, 65537, 200000, 3 };
    struct xvs_stream *s;
    uint64_t at = 0;
    int fd, size = 1 << 20;

    start();
    fd = join(&s);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; at += sizes[i++]) {
        lab_fill(data, at, sizes[i]);
        BOTH_UNTIL(send(fd, data, sizes[i], MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)sizes[i]);
        EQ(send(fd, data, 0, MSG_DONTWAIT | MSG_NOSIGNAL), 0);      /* an empty one is no end, and none to the guest */
        EQ(xvs_recv_wait(s, got, sizeof got, PATIENCE_MS), sizes[i]);
        CU_ASSERT_TRUE(lab_matches(got, at, sizes[i]));
    }
    EQ(shutdown(fd, SHUT_WR), 0);
    EQ(xvs_recv_wait(s, got, sizeof got, PATIENCE_MS), 0);
    EQ(xvs_send_all(s, data, 10, PATIENCE_MS), 0);
    EQ(host_message(fd, got, sizeof got), 10);
    xvs_stream_close(s);
    EQ(host_message(fd, got, sizeof got), 0);
    close(fd);
    stop();
}

static void many_messages_at_once_keep_their_order_and_their_ends(void)
{
    enum { MANY = 3000 };
    struct xvs_stream *s;
    uint32_t to = 0, from = 0, heard = 0, seen = 0;
    int fd;

    start();
    fd = join(&s);
    for (uint64_t until = clock_now_ns() + PATIENCE_MS * UINT64_C(1000000); heard < MANY || seen < MANY;) {
        ssize_t n;

        REQUIRE(clock_now_ns() < until);

        for (uint32_t len = 1 + to * 37 % 900; to < MANY; len = 1 + ++to * 37 % 900) {
            memset(data, (int)to, len);
            if (xvs_send(s, data, len, XVS_MORE) < 0)
                break;
        }
        xvs_flush(x);
        for (uint32_t len = 1 + from * 41 % 3000; from < MANY; len = 1 + ++from * 41 % 3000) {
            memset(data, (int)from, len);
            if (send(fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
                break;
        }
        for (; (n = recv(fd, got, sizeof got, MSG_DONTWAIT)) > 0; heard++)
            REQUIRE(n == 1 + heard * 37 % 900 && got[0] == (uint8_t)heard && got[n - 1] == (uint8_t)heard);
        for (; (n = xvs_recv(s, got, sizeof got, 0)) > 0; seen++)
            REQUIRE(n == 1 + seen * 41 % 3000 && got[0] == (uint8_t)seen && got[n - 1] == (uint8_t)seen);
        turn_both();
    }
    EQ(heard, MANY);
    EQ(seen, MANY);
    xvs_stream_close(s);
    close(fd);
    stop();
}

static void a_message_larger_than_the_guests_buffer_is_a_reset(void)
{
    struct xvs_stream *s;
    int fd;

    start();
    xvs_close(x);
    x = open_as(GUEST, 10000);
    fd = join(&s);
    EQ(send(fd, data, 10000, MSG_DONTWAIT | MSG_NOSIGNAL), 10000);
    EQ(xvs_recv_wait(s, got, sizeof got, PATIENCE_MS), 10000);
    EQ(send(fd, data, 10001, MSG_DONTWAIT | MSG_NOSIGNAL), 10001);
    EQ(xvs_recv_wait(s, got, sizeof got, PATIENCE_MS), -ECONNRESET);
    EQ(xvs_stream_reason(s, NULL), XVS_REASON_SIZE);
    xvs_stream_close(s);
    close(fd);
    stop();
}

static void a_host_program_of_the_other_type_refuses(void)
{
    struct xvs_stream *s;

    start();
    REQUIRE((at_port = host_listen_as("dom1", PORT, SOCK_SEQPACKET)) >= 0);
    REQUIRE(xvs_connect(x, XVS_CID_HOST, PORT, &s) == 0);
    BOTH_UNTIL(xvs_stream_error(s));
    EQ(xvs_stream_error(s), -ECONNREFUSED);
    EQ(xvs_stream_reason(s, NULL), XVS_REASON_TYPE);
    xvs_stream_close(s);
    close(at_port);
    REQUIRE((at_port = host_listen("dom1", PORT)) >= 0);
    REQUIRE(xvs_connect_seqpacket(x, XVS_CID_HOST, PORT, &s) == 0);
    BOTH_UNTIL(xvs_stream_error(s));
    EQ(xvs_stream_reason(s, NULL), XVS_REASON_TYPE);
    xvs_stream_close(s);
    REQUIRE(xvs_connect_seqpacket(x, XVS_CID_HOST, PORT + 1, &s) == 0);
    BOTH_UNTIL(xvs_stream_error(s));
    EQ(xvs_stream_reason(s, NULL), XVS_REASON_NOBODY);
    xvs_stream_close(s);
    stop();
}

static void a_channel_of_messages_leads_to_the_guest(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct xvs_listener *l;
    struct xvs_stream *s;

    start();
    REQUIRE((size_t)snprintf(a.sun_path, sizeof a.sun_path, "%s", daemon_path("run/guest/dom1/channel/control")) < sizeof a.sun_path);
    REQUIRE(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    EQ(host_message(fd, got, sizeof got), 0);           /* nobody listens: it is closed */
    close(fd);
    REQUIRE(xvs_listen_seqpacket(x, PORT, 4, &l) == 0);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    REQUIRE(connect(fd, (struct sockaddr *)&a, sizeof a) == 0);
    EQ(send(fd, "hello", 5, 0), 5);
    EQ(send(fd, "you", 3, 0), 3);
    REQUIRE(xvs_accept_wait(l, PATIENCE_MS, &s) == 0);
    CU_ASSERT_TRUE(xvs_stream_is_seqpacket(s));
    EQ(xvs_recv_wait(s, got, sizeof got, PATIENCE_MS), 5);
    EQ(xvs_recv_wait(s, got, sizeof got, PATIENCE_MS), 3);
    EQ(memcmp(got, "you", 3), 0);
    EQ(xvs_send(s, "welcome", 7, 0), 7);
    EQ(host_message(fd, got, sizeof got), 7);
    xvs_stream_close(s);
    EQ(host_message(fd, got, sizeof got), 0);
    close(fd);
    stop();
}

/* The guest's program is gone with its device before the host program has read. */
static void messages_outlive_the_device(void)
{
    struct xvs_stream *s;
    uint32_t sent = 0;
    int fd;

    start();
    fd = join(&s);
    for (ssize_t n = 1; n > 0; sent += n > 0) {
        memset(data, (int)sent, 70000);
        n = xvs_send(s, data, sent % 2 ? 70000 : 1, 0);
    }
    CU_ASSERT_TRUE(sent > 2);
    xvs_stream_close(s);
    xvs_close(x);
    x = open_as(GUEST, BUFFER);
    for (uint32_t i = 0; i < sent; i++) {
        EQ(host_message(fd, got, sizeof got), i % 2 ? 70000 : 1);
        CU_ASSERT_TRUE(got[0] == (uint8_t)i);
    }
    EQ(host_message(fd, got, sizeof got), 0);
    close(fd);
    stop();
}

/* ---- a host program that calls ---- */

/* One that has said this. */
static int caller(const char *line)
{
    int fd = host_connect_messages("dom1");

    REQUIRE(fd >= 0);
    EQ(send(fd, line, strlen(line), MSG_NOSIGNAL), strlen(line));
    return fd;
}

/* What it is told next, as text; "" at the end. */
static const char *told(int fd)
{
    ssize_t n = host_message(fd, got, sizeof got - 1);

    got[n] = '\0';
    return (const char *)got;
}

static void a_line_that_is_a_message_leads_to_the_guest(void)
{
    struct xvs_listener *l;
    struct xvs_stream *s;
    int fd;

    start();
    REQUIRE(xvs_listen_seqpacket(x, PORT, 4, &l) == 0);
    fd = caller("CONNECT 77\n");
    EQ(send(fd, "early", 5, 0), 5);
    REQUIRE(xvs_accept_wait(l, PATIENCE_MS, &s) == 0);
    CU_ASSERT_TRUE(xvs_stream_is_seqpacket(s));
    EQ(xvs_recv_wait(s, got, sizeof got, PATIENCE_MS), 5);
    EQ(memcmp(got, "early", 5), 0);
    CU_ASSERT_EQUAL(strncmp(told(fd), "OK ", 3), 0);
    EQ(xvs_send(s, "welcome", 7, 0), 7);
    EQ(xvs_send(s, "you", 3, 0), 3);
    CU_ASSERT_STRING_EQUAL(told(fd), "welcome");
    CU_ASSERT_STRING_EQUAL(told(fd), "you");
    EQ(send(fd, data, 0, 0), 0);        /* an empty one is no end */
    EQ(send(fd, data, 70000, 0), 70000);
    EQ(xvs_recv_wait(s, got, sizeof got, PATIENCE_MS), 70000);
    EQ(shutdown(fd, SHUT_WR), 0);
    EQ(xvs_recv_wait(s, got, sizeof got, PATIENCE_MS), 0);
    xvs_stream_close(s);
    CU_ASSERT_STRING_EQUAL(told(fd), "");
    close(fd);
    stop();
}

/* Without a word behind its line it has none, and both directions end. */
static void a_program_may_say_nothing_but_its_line(void)
{
    struct xvs_listener *l;
    struct xvs_stream *s;
    int fd;

    start();
    REQUIRE(xvs_listen_seqpacket(x, PORT, 4, &l) == 0);
    fd = caller("connect 77\r\n");
    REQUIRE(xvs_accept_wait(l, PATIENCE_MS, &s) == 0);
    EQ(xvs_send(s, "a", 1, 0), 1);
    CU_ASSERT_EQUAL(strncmp(told(fd), "OK ", 3), 0);
    CU_ASSERT_STRING_EQUAL(told(fd), "a");
    EQ(shutdown(fd, SHUT_WR), 0);
    EQ(xvs_recv_wait(s, got, sizeof got, PATIENCE_MS), 0);
    xvs_stream_close(s);
    CU_ASSERT_STRING_EQUAL(told(fd), "");       /* an end in order: its line is no message that nobody has read */
    close(fd);
    stop();
}

/* 'how': to it, in the guest. */
static bool hears_reset(int (*how)(struct xvs_stream *s), const char *says)
{
    struct xvs_listener *l;
    struct xvs_stream *s;
    bool reset = false;
    ssize_t n = 1;
    int fd;

    REQUIRE(xvs_listen_seqpacket(x, PORT, 4, &l) == 0);
    fd = caller("CONNECT 77\n");
    REQUIRE(xvs_accept_wait(l, PATIENCE_MS, &s) == 0);
    CU_ASSERT_EQUAL(strncmp(told(fd), "OK ", 3), 0);
    if (says) {
        EQ(send(fd, says, strlen(says), 0), strlen(says));
        EQ(xvs_recv_wait(s, got, sizeof got, PATIENCE_MS), strlen(says));
    }
    EQ(xvs_send(s, "a", 1, 0), 1);
    CU_ASSERT_STRING_EQUAL(told(fd), "a");
    how(s);
    BOTH_UNTIL((n = recv(fd, got, sizeof got, MSG_DONTWAIT)) >= 0 || (reset |= errno == ECONNRESET));
    if (n < 0)
        BOTH_UNTIL((n = recv(fd, got, sizeof got, MSG_DONTWAIT)) >= 0);
    EQ(n, 0);
    close(fd);
    xvs_listener_close(l);
    return reset;
}

static int close_it(struct xvs_stream *s)
{
    xvs_stream_close(s);
    return 0;
}

static int reset_it(struct xvs_stream *s)
{
    xvs_stream_reset(s);
    return 0;
}

static void who_only_reads_hears_that_it_was_cut_off(void)
{
    start();
    CU_ASSERT_TRUE(hears_reset(reset_it, NULL));
    CU_ASSERT_FALSE(hears_reset(close_it, NULL));
    CU_ASSERT_FALSE(hears_reset(close_it, "b"));
    stop();
}

static void a_line_that_is_not_a_message_of_its_own_is_refused_at_once(void)
{
    static const char *const lines[] = { "CONNECT 7", "CONNECT 77\nhello", "WATCH 1\n", "VOUCH 1\n", "WHY 77\n", "HELLO\n",
                                         "CONNECT                                   77\n", "CONNECT 77\nCONNECT 77\nCONNECT 77\n" };
    struct xvs_listener *l;
    struct xvs_stream *s;

    start();
    REQUIRE(xvs_listen_seqpacket(x, PORT, 4, &l) == 0);
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        int fd = caller(lines[i]);
        ssize_t n = -1;

        BOTH_UNTIL((n = recv(fd, got, sizeof got, MSG_DONTWAIT)) == 0 || errno == ECONNRESET);
        CU_ASSERT_TRUE(n <= 0);
        close(fd);
    }
    EQ(xvs_accept(l, &s), -EAGAIN);
    stop();
}

static void a_caller_hears_why_it_is_refused(void)
{
    struct xvs_listener *l;
    int fd;

    start();
    fd = caller("CALL 77\n");
    CU_ASSERT_STRING_EQUAL(told(fd), "REFUSED port nobody\n");
    CU_ASSERT_STRING_EQUAL(told(fd), "");
    close(fd);
    fd = caller("CONNECT 77\n");
    CU_ASSERT_STRING_EQUAL(told(fd), "");
    close(fd);
    REQUIRE(xvs_listen(x, PORT, 4, &l) == 0);
    fd = caller("CALL 77\n");
    CU_ASSERT_STRING_EQUAL(told(fd), "REFUSED port type\n");
    close(fd);
    stop();
    daemon_policy("* @any @any allow\n");
    lab_stop();
    REQUIRE(daemon_start(CONF) == 0);
    x = open_as(GUEST, BUFFER);
    REQUIRE(xvs_listen_seqpacket(x, PORT, 4, &l) == 0);
    fd = caller("CALL 77\n");
    CU_ASSERT_STRING_EQUAL(told(fd), "REFUSED policy\n");
    close(fd);
    stop();
}

/* ---- another guest ---- */

static void join_guests(struct xvs_stream **s, struct xvs_stream **t, uint32_t buffer)
{
    struct xvs_listener *l;

    y = open_as(OTHER, buffer);
    REQUIRE(xvs_listen_seqpacket(y, PORT, 4, &l) == 0);
    REQUIRE(xvs_connect_seqpacket(x, 102, PORT, s) == 0);
    BOTH_UNTIL(xvs_accept(l, t) == 0);
    BOTH_UNTIL((*s)->v.c.state == VCONN_ESTABLISHED);
}

static void messages_between_guests_stay_whole(void)
{
    static const uint32_t sizes[] = { 1, 4096, 65536, 65537, 200000, 3 };
    struct xvs_stream *s, *t;
    uint64_t at = 0;
    ssize_t n = -1;

    start();
    join_guests(&s, &t, 1u << 20);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; at += sizes[i++]) {
        struct xvs_stream *from = i % 2 ? t : s, *to = i % 2 ? s : t;

        lab_fill(data, at, sizes[i]);
        BOTH_UNTIL((n = xvs_send(from, data, sizes[i], i % 3 ? XVS_EOR : 0)) != -EAGAIN);
        EQ(n, sizes[i]);
        BOTH_UNTIL((n = xvs_recv(to, got, sizeof got, 0)) != -EAGAIN);
        EQ(n, sizes[i]);
        CU_ASSERT_TRUE(lab_matches(got, at, sizes[i]));
        EQ(xvs_message_had_eor(to), i % 3 != 0);
    }
    xvs_stream_close(s);
    BOTH_UNTIL((n = xvs_recv(t, got, sizeof got, 0)) != -EAGAIN);
    EQ(n, 0);
    EQ(xvs_stream_error(t), 0);
    xvs_stream_close(t);
    stop();
}

static void a_guest_hears_how_large_the_other_ones_buffer_is(void)
{
    struct xvs_stream *s, *t;
    uint32_t sent = 0, read = 0;

    start();
    join_guests(&s, &t, 10000);
    EQ(xvs_message_max(s), 10000);
    EQ(xvs_send(s, data, 10001, 0), -EMSGSIZE);
    for (uint64_t until = clock_now_ns() + PATIENCE_MS * UINT64_C(1000000); read < 500;) {
        uint32_t len = 1 + sent * 997 % 10000;
        ssize_t n;

        memset(data, (int)sent, len);
        if (sent < 500 && (n = xvs_send(s, data, len, 0)) > 0) {
            EQ(n, len);
            sent++;
            continue;
        }
        REQUIRE(clock_now_ns() < until);
        for (; (n = xvs_recv(t, got, sizeof got, 0)) > 0; read++)
            REQUIRE(n == 1 + read * 997 % 10000 && got[0] == (uint8_t)read && got[n - 1] == (uint8_t)read);
        turn_both();
    }
    xvs_stream_close(s);
    xvs_stream_close(t);
    stop();
}

static void messages_to_a_guest_outlive_the_one_that_sent_them(void)
{
    struct xvs_stream *s, *t;
    uint32_t sent = 0, size = 60000;
    ssize_t n = 1;

    start();
    join_guests(&s, &t, 100000);
    for (; n > 0; sent += n > 0) {
        memset(data, (int)sent, size);
        n = xvs_send(s, data, sent % 2 ? size : 1, 0);
    }
    xvs_stream_close(s);
    xvs_close(x);
    x = open_as(GUEST, BUFFER);
    for (uint32_t i = 0; i < sent; i++) {
        BOTH_UNTIL((n = xvs_recv(t, got, sizeof got, 0)) != -EAGAIN);
        EQ(n, i % 2 ? size : 1);
        CU_ASSERT_TRUE(got[0] == (uint8_t)i);
    }
    BOTH_UNTIL((n = xvs_recv(t, got, sizeof got, 0)) != -EAGAIN);
    EQ(n, 0);
    xvs_stream_close(t);
    stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(messages_to_a_host_program_stay_whole),
        TEST(messages_of_a_host_program_stay_whole),
        TEST(many_messages_at_once_keep_their_order_and_their_ends),
        TEST(a_message_larger_than_the_guests_buffer_is_a_reset),
        TEST(a_host_program_of_the_other_type_refuses),
        TEST(a_channel_of_messages_leads_to_the_guest),
        TEST(messages_outlive_the_device),
        TEST(a_line_that_is_a_message_leads_to_the_guest),
        TEST(a_program_may_say_nothing_but_its_line),
        TEST(who_only_reads_hears_that_it_was_cut_off),
        TEST(a_line_that_is_not_a_message_of_its_own_is_refused_at_once),
        TEST(a_caller_hears_why_it_is_refused),
        TEST(messages_between_guests_stay_whole),
        TEST(a_guest_hears_how_large_the_other_ones_buffer_is),
        TEST(messages_to_a_guest_outlive_the_one_that_sent_them),
    };
    int status;

    if (!hosted_is_here())
        return 2;
    status = harness_run("library: messages by the daemon", tests, sizeof tests / sizeof *tests, argc, argv);
    if (daemon_lives())
        daemon_stop(SIGKILL);
    return status;
}

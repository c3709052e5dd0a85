/* SPDX-License-Identifier: MIT */
/* test_streams.c: what a guest's streams cost others: host programs that wait for it, and dom0's memory.
 *
 * The guest keeps to the protocol and does all that it allows (rawstream.h).  What the kernel holds for it is asked of the kernel, by
 * copies of the daemon's own descriptors. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "daemon.h"
#include "harness.h"
#include "held.h"
#include "hosted.h"
#include "rawstream.h"

#define GUEST 1u
#define OTHER 2u
#define PORT  5000u
#define LIMIT (4 << 20)             /* bytes: held_spill_bytes */
#ifdef __SANITIZE_ADDRESS__
#define SANITIZED true              /* the daemon's memory is more than it asks for */
#else
#define SANITIZED false
#endif
#define CONF  "[daemon]\nfarewell_seconds = 1\n"

static struct rawguest guest, other;

/* A device that has left nothing behind. */
static void fresh(struct rawguest *g, uint32_t domid)
{
    if (g->f.store)
        rawfront_close(&g->f);
    daemon_ask("{\"verb\":\"detach\",\"domain\":%u,\"all\":true}", domid);
    for (int waited = 0; waited < PATIENCE_MS; waited += 10) {
        char key[32];

        snprintf(key, sizeof key, "\"domid\":%u,", domid);
        if (!strstr(daemon_ask("{\"verb\":\"ls\"}"), key) && daemon_number(daemon_ask("{\"verb\":\"stats\"}"), "farewells") == 0)
            break;
        usleep(10000);
    }
    REQUIRE(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":%u}", domid), "\"ok\":true") != NULL);
    REQUIRE(rawguest_open(g, domid) == 0);
    REQUIRE(rawguest_connect(g) == 0);
}

static long long stat_of(const char *key)
{
    return daemon_number(daemon_ask("{\"verb\":\"stats\"}"), key);
}

static bool comes_to(const char *key, long long value)
{
    for (int waited = 0; waited < PATIENCE_MS; waited += 10) {
        if (stat_of(key) == value)
            return true;
        usleep(10000);
    }
    return false;
}

/* ---- host programs ---- */

/* A host program that writes into fd until it is told not to: by write() that blocks, or by poll().  Returns when the guest has taken
 * all it has given credit for, and the socket is full. */
static pid_t writer(struct rawguest *g, int fd, bool polls)
{
    static char data[65536];
    struct pollfd room = { .fd = fd, .events = POLLOUT };
    pid_t pid;

    g->received = 0;
    if ((pid = child_fork()) == 0) {
        fcntl(fd, F_SETFL, polls ? O_NONBLOCK : 0);
        for (;;) {
            struct pollfd p = { .fd = fd, .events = POLLOUT };

            if (polls)
                poll(&p, 1, -1);
            if (write(fd, data, sizeof data) < 0 && errno != EAGAIN)
                _exit(errno);
        }
    }
    for (int waited = 0; g->received < RAWSTREAM_CREDIT || poll(&room, 1, 0); waited++) {
        REQUIRE(waited < PATIENCE_MS);
        usleep(1000);
        rawguest_hear(g);
    }
    return pid;
}

/* The errno with which it ended; -1 if it waits for ever. */
static int error_of(pid_t pid)
{
    int status;

    for (int waited = 0; waited < PATIENCE_MS; waited += 10) {
        if (waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
        usleep(10000);
    }
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return -1;
}

/* All that is still to be read, and how it ended: 0 or an errno. */
static uint64_t read_all(int fd, int *error)
{
    static char buffer[65536];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    uint64_t bytes = 0;
    ssize_t n = 0;

    fcntl(fd, F_SETFL, 0);
    while (poll(&p, 1, PATIENCE_MS) == 1 && (n = read(fd, buffer, sizeof buffer)) > 0)
        bytes += (uint64_t)n;
    *error = !p.revents ? ETIMEDOUT : n < 0 ? errno : 0;
    if (*error == ETIMEDOUT)
        printf("    %llu bytes, then nothing: %s%s", (unsigned long long)bytes, daemon_ask("{\"verb\":\"stats\"}"),
               daemon_ask("{\"verb\":\"dump\",\"domain\":%u}", GUEST));
    return bytes;
}

/* ---- a guest's end is over, and the host program stands in a write ---- */

static void reset_while_the_program_waits(bool polls)
{
    struct rawstream *s;
    int listener, fd, error;
    uint64_t sent;
    pid_t pid;

    fresh(&guest, GUEST);
    listener = host_listen("dom1", PORT);
    REQUIRE((s = rawstream_connect(&guest, VSOCKIF_CID_HOST, PORT)) != NULL);
    REQUIRE((fd = host_accept(listener)) >= 0);
    sent = rawstream_fill(&guest, s, 1, 50000, UINT32_MAX);
    CU_ASSERT_TRUE(sent > 300000);
    pid = writer(&guest, fd, polls);
    rawstream_say(&guest, s, VSOCKIF_OP_RST, 0);
    EQ(error_of(pid), EPIPE);
    EQ(read_all(fd, &error), sent);
    EQ(error, ECONNRESET);
    close(fd);
    close(listener);
}

static void a_program_in_write_hears_of_a_reset_and_keeps_what_came_before(void)
{
    reset_while_the_program_waits(false);
}

static void a_program_in_poll_hears_of_a_reset_and_keeps_what_came_before(void)
{
    reset_while_the_program_waits(true);
}

/* flags: of the guest's SHUTDOWN before its device goes. */
static void gone_while_the_program_waits(bool polls, uint32_t flags, int end)
{
    struct rawstream *s;
    int listener, fd, error;
    uint64_t sent;
    pid_t pid;

    fresh(&guest, GUEST);
    listener = host_listen("dom1", PORT);
    REQUIRE((s = rawstream_connect(&guest, VSOCKIF_CID_HOST, PORT)) != NULL);
    REQUIRE((fd = host_accept(listener)) >= 0);
    sent = rawstream_fill(&guest, s, 1, 50000, UINT32_MAX);
    pid = writer(&guest, fd, polls);
    rawstream_say(&guest, s, VSOCKIF_OP_SHUTDOWN, flags);
    daemon_rounds();
    rawguest_leave(&guest);
    EQ(error_of(pid), EPIPE);
    EQ(read_all(fd, &error), sent);
    EQ(error, end);
    CU_ASSERT_TRUE(comes_to("farewells", 0));
    EQ(stat_of("socket_bytes"), 0);
    EQ(stat_of("spilled_bytes"), 0);
    close(fd);
    close(listener);
}

static void a_program_in_write_hears_that_the_guest_is_gone(void)
{
    gone_while_the_program_waits(false, VSOCKIF_SHUTDOWN_SEND, ECONNRESET);
}

static void a_program_in_poll_hears_that_the_guest_is_gone(void)
{
    gone_while_the_program_waits(true, VSOCKIF_SHUTDOWN_SEND, ECONNRESET);
}

static void a_program_in_write_hears_that_the_guest_has_closed_and_gone(void)
{
    gone_while_the_program_waits(false, VSOCKIF_SHUTDOWN_SEND | VSOCKIF_SHUTDOWN_RCV, 0);
}

/* The same between guests: the other one takes nothing, so what it was sent waits in the daemon, and meanwhile it must hear that
 * nobody takes what it sends. */
static void a_guest_hears_of_another_guest_s_reset_before_it_has_read_all(void)
{
    struct vsockif_slot slot;
    struct vsockif_hdr h;
    struct rawstream *s;
    uint32_t host_port;
    bool deaf = false;

    fresh(&guest, GUEST);
    fresh(&other, OTHER);
    REQUIRE((s = rawstream_ask(&guest, other.f.cid, PORT)) != NULL);
    REQUIRE(rawfront_recv(&other.f, &h, PATIENCE_MS) && h.op == VSOCKIF_OP_REQUEST);
    host_port = h.src_port;
    h = rawfront_header(&other.f, VSOCKIF_OP_RESPONSE, PORT, host_port);
    h.dst_cid = guest.f.cid;
    rawfront_send(&other.f, &h);
    rawfront_kick(&other.f);
    for (int waited = 0; !s->open && waited < PATIENCE_MS; waited++) {
        rawguest_hear(&guest);
        usleep(1000);
    }
    /* From here on the other guest takes packets and posts no buffers, until it has none left. */
    for (uint32_t posted = ring_slots(&other.f.rx); posted; ) {
        rawstream_send(&guest, s, 64);
        daemon_rounds();
        rawguest_hear(&guest);
        for (int n = ring_pending(&other.f.rx); n > 0; n--, posted--)
            ring_take(&other.f.rx, 1);
    }
    REQUIRE(rawstream_send(&guest, s, 64));
    daemon_rounds();
    rawstream_say(&guest, s, VSOCKIF_OP_RST, 0);
    daemon_rounds();
    /* Two buffers: the news comes first, then what was sent. */
    rawfront_post(&other.f, 0);
    rawfront_kick(&other.f);
    for (int waited = 0; !ring_pending(&other.f.rx) && waited < PATIENCE_MS; waited++)
        usleep(1000);
    REQUIRE(ring_pending(&other.f.rx) == 1);
    ring_get(&other.f.rx, 0, &slot);
    ring_take(&other.f.rx, 1);
    deaf = slot.hdr.op == VSOCKIF_OP_SHUTDOWN && slot.hdr.flags == VSOCKIF_SHUTDOWN_RCV;
    CU_ASSERT_TRUE(deaf);
    rawfront_post(&other.f, 1);
    rawfront_kick(&other.f);
    for (int waited = 0; !ring_pending(&other.f.rx) && waited < PATIENCE_MS; waited++)
        usleep(1000);
    REQUIRE(ring_pending(&other.f.rx) == 1);
    ring_get(&other.f.rx, 0, &slot);
    EQ(slot.hdr.op, VSOCKIF_OP_RW);
    rawfront_close(&other.f);
    other.f.store = NULL;
}

/* ---- what a guest leaves behind ---- */

/* A stream that ended in order, whose reader has read nothing, and whose device is gone: its bytes. */
static uint64_t leave_behind(int *listener, int *fd)
{
    struct rawstream *s;
    uint64_t sent;

    fresh(&guest, GUEST);
    *listener = host_listen("dom1", PORT);
    REQUIRE((s = rawstream_connect(&guest, VSOCKIF_CID_HOST, PORT)) != NULL);
    REQUIRE((*fd = host_accept(*listener)) >= 0);
    sent = rawstream_fill(&guest, s, 1, 50000, UINT32_MAX);
    rawstream_say(&guest, s, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_SEND | VSOCKIF_SHUTDOWN_RCV);
    daemon_rounds();
    return sent;
}

/* Its domain is gone, too: what the kernel has of it is the program's then. */
static void a_reader_that_takes_nothing_is_given_up(void)
{
    int listener, fd, error;
    long mark = daemon_log_mark();
    uint64_t sent = leave_behind(&listener, &fd), got;

    daemon_ask("{\"verb\":\"detach\",\"domain\":%u,\"all\":true}", GUEST);
    CU_ASSERT_TRUE(daemon_log_has(mark, "given up, for their guests are gone and their readers took nothing for"));
    CU_ASSERT_TRUE(comes_to("farewells", 0));
    EQ(stat_of("socket_bytes"), 0);
    EQ(stat_of("spilled_bytes"), 0);
    got = read_all(fd, &error);
    CU_ASSERT_TRUE(got > 0 && got < sent);
    close(fd);
    close(listener);
}

/* As long as the guest's device is there, it would have room for the next ones if the kernel's part were forgotten. */
static void what_the_kernel_has_of_one_that_was_given_up_is_counted_while_its_guest_is_there(void)
{
    int listener, fd, error;
    long mark = daemon_log_mark();
    uint64_t sent = leave_behind(&listener, &fd), got;

    rawguest_leave(&guest);
    CU_ASSERT_TRUE(daemon_log_has(mark, "given up, for their guests are gone and their readers took nothing for"));
    EQ(stat_of("farewells"), 1);
    EQ(stat_of("spilled_bytes"), 0);
    CU_ASSERT_TRUE(stat_of("socket_bytes") > 50000);
    got = read_all(fd, &error);
    CU_ASSERT_TRUE(got > 0 && got < sent);
    CU_ASSERT_TRUE(comes_to("farewells", 0));
    EQ(stat_of("socket_bytes"), 0);
    close(fd);
    close(listener);
}

/* ---- memory ---- */

/* What the kernel holds of what the daemon has written to its sockets, by the kernel's own account; and none of them more than the
 * daemon believes that one can hold, whatever this host's net.core.wmem_default is. */
static long long in_the_kernel(void)
{
    int pidfd = (int)syscall(SYS_pidfd_open, daemon_pid(), 0), bytes, size;
    int most = 0, largest = 0;
    long long sum = 0;

    REQUIRE(pidfd >= 0);
    for (int fd = 3; fd < 4096; fd++) {
        int copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0), family = 0;
        socklen_t len = sizeof family;

        if (copy < 0)
            continue;
        if (!getsockopt(copy, SOL_SOCKET, SO_DOMAIN, &family, &len) && family == AF_UNIX && !ioctl(copy, SIOCOUTQ, &bytes)) {
            if (bytes > 4096 && !getsockopt(copy, SOL_SOCKET, SO_SNDBUF, &size, &len) && size > largest)
                largest = size;
            most = bytes > most ? bytes : most;
            sum += bytes;
        }
        close(copy);
    }
    close(pidfd);
    CU_ASSERT_TRUE(largest <= 2 * HELD_SNDBUF);
    CU_ASSERT_TRUE(most <= (int)HELD_SOCKET);
    return sum;
}

/* The daemon's own memory: what it shares with guests is theirs. */
static long long in_the_daemon(void)
{
    char name[64], line[256];
    long long kib = -1;
    FILE *f;

    snprintf(name, sizeof name, "/proc/%d/status", daemon_pid());
    REQUIRE((f = fopen(name, "r")) != NULL);
    while (kib < 0 && fgets(line, sizeof line, f))
        sscanf(line, "RssAnon: %lld kB", &kib);
    fclose(f);
    return kib << 10;
}

#define MANY 600u

/* So many streams that nobody accepts, each with all that it may send, up to most bytes, in packets of len bytes. */
static void nobody_accepts(uint32_t len, uint32_t most)
{
    long long before, kernel, resident;
    int listener;

    fresh(&guest, GUEST);
    listener = host_listen("dom1", PORT);
    REQUIRE(listen(listener, 4096) == 0);
    for (uint32_t i = 0; i < MANY; i++)
        REQUIRE(rawstream_connect(&guest, VSOCKIF_CID_HOST, PORT) != NULL);
    before = in_the_daemon();
    rawstream_fill(&guest, guest.stream, MANY, len, most);
    kernel = in_the_kernel();
    resident = in_the_daemon() - before;
    printf("    %u streams, packets of %u bytes: %lld KiB in the kernel, %lld KiB in the daemon\n", MANY, len, kernel >> 10,
           resident >> 10);
    CU_ASSERT_TRUE(kernel > 1 << 20);           /* or this measures nothing */
    CU_ASSERT_TRUE(kernel <= LIMIT / 2 + 65536);
    CU_ASSERT_TRUE(kernel <= stat_of("socket_bytes") && stat_of("socket_bytes") + stat_of("spilled_bytes") <= LIMIT + 65536);
    if (!SANITIZED)
        CU_ASSERT_TRUE(kernel + resident <= LIMIT + (512 << 10));
    close(listener);
}

static void streams_that_nobody_accepts_hold_what_the_manual_says(void)
{
    nobody_accepts(16384, UINT32_MAX);
}

/* Each of them costs the kernel 768 bytes: 13 MB if there were no end. */
static void single_bytes_that_nobody_reads_hold_no_more(void)
{
    nobody_accepts(1, 30);
}

/* The guest sends, and the program reads, so many bytes; then it reads no more, and the guest sends all that it may. */
static void read_fast_and_stop(struct rawstream *s, int fd, uint64_t bytes)
{
    static char buffer[65536];

    for (uint64_t got = 0; got < bytes; ) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        ssize_t n;

        rawstream_send(&guest, s, 50000);
        rawguest_hear(&guest);
        if (poll(&p, 1, 1) == 1) {
            REQUIRE((n = read(fd, buffer, sizeof buffer)) > 0);
            got += (uint64_t)n;
        }
    }
    rawstream_fill(&guest, s, 1, 50000, UINT32_MAX);
}

/* A stream whose reader has taken a lot may have a full socket, and the daemon asks the kernel no more: it must know what that is.
 * How much a reader is let have depends on how fast he was: until it is as much as that. */
static void a_fast_reader_that_stops_leaves_what_a_socket_can_hold(void)
{
    struct rawstream *s;
    long long kernel = 0;
    int listener, fd;

    fresh(&guest, GUEST);
    listener = host_listen("dom1", PORT);
    REQUIRE((s = rawstream_connect(&guest, VSOCKIF_CID_HOST, PORT)) != NULL);
    REQUIRE((fd = host_accept(listener)) >= 0);
    for (int i = 0; i < 100 && kernel <= 2 * HELD_SNDBUF; i++) {
        read_fast_and_stop(s, fd, 2u << 20);
        kernel = in_the_kernel();
        CU_ASSERT_TRUE(kernel <= stat_of("socket_bytes") && stat_of("socket_bytes") <= HELD_SOCKET);
    }
    CU_ASSERT_TRUE(kernel > 2 * HELD_SNDBUF);   /* or this measures nothing */
    close(fd);
    close(listener);
}

/* A stream that is closed is still in the kernel's memory until it has been read: over and over again, that was without bounds. */
static void streams_that_are_closed_before_anybody_reads_hold_no_more(void)
{
    uint64_t bytes = 0;
    int listener, fd, error;

    fresh(&guest, GUEST);
    listener = host_listen("dom1", PORT);
    REQUIRE(listen(listener, 4096) == 0);
    for (uint32_t round = 0; round < 2; round++) {
        for (uint32_t i = 0; i < 300; i++) {
            struct rawstream *s = rawstream_connect(&guest, VSOCKIF_CID_HOST, PORT);

            REQUIRE(s != NULL);
            rawstream_send(&guest, s, 60000);
            daemon_rounds();
            rawstream_say(&guest, s, i % 2 ? VSOCKIF_OP_RST : VSOCKIF_OP_SHUTDOWN, i % 2 ? 0 : 3);
        }
        daemon_rounds();
        CU_ASSERT_TRUE(in_the_kernel() <= LIMIT / 2 + 65536);
        /* A restarted agent does not begin with a clean sheet. */
        rawguest_leave(&guest);
        REQUIRE(rawguest_connect(&guest) == 0);
        CU_ASSERT_TRUE(in_the_kernel() <= LIMIT / 2 + 65536);
    }
    rawguest_leave(&guest);
    while ((fd = accept(listener, NULL, NULL)) >= 0) {
        bytes += read_all(fd, &error);
        close(fd);
    }
    printf("    of %u bytes that were sent and closed, %llu waited\n", 600 * 60000, (unsigned long long)bytes);
    CU_ASSERT_TRUE(bytes > LIMIT / 4 && bytes <= LIMIT);
    CU_ASSERT_TRUE(comes_to("farewells", 0));
    EQ(stat_of("socket_bytes"), 0);
    close(listener);
}

/* Where the guest's sockets hold what they may, and its memory here, its data stays in its own pool; and all of it arrives as soon as
 * somebody reads. */
static void what_waited_for_room_arrives_when_others_are_read(void)
{
    int listener, fds[200], error;
    uint32_t count = sizeof fds / sizeof *fds;

    fresh(&guest, GUEST);
    listener = host_listen("dom1", PORT);
    REQUIRE(listen(listener, 4096) == 0);
    for (uint32_t i = 0; i < count; i++) {
        REQUIRE(rawstream_connect(&guest, VSOCKIF_CID_HOST, PORT) != NULL);
        REQUIRE((fds[i] = host_accept(listener)) >= 0);
    }
    rawstream_fill(&guest, guest.stream, count, 4000, UINT32_MAX);
    CU_ASSERT_TRUE(guest.stream[count - 1].alloc > guest.stream[count - 1].sent);   /* or nothing has waited */
    for (uint32_t i = 0; i < count; i++) {
        rawstream_say(&guest, &guest.stream[i], VSOCKIF_OP_SHUTDOWN, 3);
        EQ(read_all(fds[i], &error), guest.stream[i].sent);
        EQ(error, 0);
        close(fds[i]);
    }
    CU_ASSERT_TRUE(comes_to("socket_bytes", 0));
    EQ(stat_of("spilled_bytes"), 0);
    close(listener);
}

static void the_daemon_still_stops_in_order(void)
{
    rawfront_close(&guest.f);
    EQ(daemon_stop(SIGTERM), 0);
}

static const struct test tests[] = {
    TEST(a_program_in_write_hears_of_a_reset_and_keeps_what_came_before),
    TEST(a_program_in_poll_hears_of_a_reset_and_keeps_what_came_before),
    TEST(a_program_in_write_hears_that_the_guest_is_gone), TEST(a_program_in_poll_hears_that_the_guest_is_gone),
    TEST(a_program_in_write_hears_that_the_guest_has_closed_and_gone),
    TEST(a_guest_hears_of_another_guest_s_reset_before_it_has_read_all),
    TEST(a_reader_that_takes_nothing_is_given_up),
    TEST(what_the_kernel_has_of_one_that_was_given_up_is_counted_while_its_guest_is_there),
    TEST(streams_that_nobody_accepts_hold_what_the_manual_says), TEST(single_bytes_that_nobody_reads_hold_no_more),
    TEST(a_fast_reader_that_stops_leaves_what_a_socket_can_hold),
    TEST(streams_that_are_closed_before_anybody_reads_hold_no_more),
    TEST(what_waited_for_room_arrives_when_others_are_read),
    TEST(the_daemon_still_stops_in_order)
};

int main(int argc, char **argv)
{
    int err;

    if (!hosted_begin())
        return 2;
    daemon_policy(POLICY_OPEN);
    if ((err = daemon_start(CONF))) {
        fprintf(stderr, "the daemon does not come up: %s\n", strerror(-err));
        daemon_stop(SIGKILL);
        return 1;
    }
    err = harness_run("streams", tests, sizeof tests / sizeof *tests, argc, argv);
    daemon_stop(SIGKILL);
    return err;
}

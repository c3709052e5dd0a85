/* SPDX-License-Identifier: MIT */
/* test_descriptors.c: a daemon with few descriptors, and guests that want all of them.
 *
 * A guest has its share (account.h); the control socket, handshakes and other guests have theirs; and when there are none all the same,
 * what needs one waits and is not refused. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon.h"
#include "harness.h"
#include "hosted.h"
#include "rawstream.h"

#define GREEDY 1u
#define OTHER  2u
#define PORT   5000u
#define FILES  240u             /* of the daemon: half of them are shared, and four devices have 8 each of these */
#define SHARE  ((FILES / 2 - 4 * 8) / 2)
#define MANY   (2 * SHARE)

static struct rawguest greedy, other;
static int listener, other_listener, fds[MANY];

/* A device that has left nothing behind, connected. */
static void fresh(struct rawguest *g, uint32_t domid)
{
    char key[32];

    snprintf(key, sizeof key, "\"domid\":%u,", domid);
    if (g->f.store)
        rawfront_close(&g->f);
    daemon_ask("{\"verb\":\"detach\",\"domain\":%u,\"all\":true}", domid);
    for (int waited = 0; waited < PATIENCE_MS && strstr(daemon_ask("{\"verb\":\"ls\"}"), key); waited += 10)
        usleep(10000);
    REQUIRE(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":%u}", domid), "\"ok\":true") != NULL);
    REQUIRE(rawguest_open(g, domid) == 0);
    REQUIRE(rawguest_connect(g) == 0);
}

/* Descriptors that the guest's streams hold. */
static long long files_of(uint32_t domid)
{
    return daemon_number(daemon_ask("{\"verb\":\"dump\",\"domain\":%u}", domid), "files");
}

/* A stream that carries a byte: its descriptor, or -1. */
static int works(struct rawguest *g, int at)
{
    struct rawstream *s = rawstream_connect(g, VSOCKIF_CID_HOST, PORT);
    char byte = 0;
    int fd = s ? host_accept(at) : -1;

    if (fd >= 0 && !(rawstream_send(g, s, 1) && host_read(fd, &byte, 1) == 1 && byte == 'x')) {
        close(fd);
        return -1;
    }
    return fd;
}

/* The guest opens as many streams as it can: how many there are, in fds. */
static uint32_t take_all(void)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < MANY; i++)
        if (rawstream_connect(&greedy, VSOCKIF_CID_HOST, PORT))
            REQUIRE((fds[count++] = host_accept(listener)) >= 0);
    return count;
}

static void close_all(uint32_t count)
{
    while (count)
        close(fds[--count]);
}

/* Half of what is to be had, and no more; the others are served, and whoever asks is answered. */
static void one_guest_leaves_the_others_as_many_as_it_has(void)
{
    long mark = daemon_log_mark();
    uint32_t count;
    int fd, clients[64];

    fresh(&greedy, GREEDY);
    REQUIRE((listener = host_listen("dom1", PORT)) >= 0);
    count = take_all();
    EQ(count, SHARE);
    EQ(files_of(GREEDY), SHARE);
    CU_ASSERT_TRUE(daemon_log_has(mark, "more streams to host programs are refused: it holds"));
    EQ(daemon_log_count(mark, "more streams to host programs are refused"), 1);
    EQ(daemon_log_count(mark, "out of file descriptors"), 0);

    fresh(&other, OTHER);
    REQUIRE((other_listener = host_listen("dom2", PORT)) >= 0);
    CU_ASSERT_TRUE((fd = works(&other, other_listener)) >= 0);
    close(fd);
    for (uint32_t i = 0; i < 63; i++)
        REQUIRE((clients[i] = daemon_control()) >= 0);
    CU_ASSERT_TRUE(strstr(daemon_ask("{\"verb\":\"ls\"}"), "\"ok\":true") != NULL);
    for (uint32_t i = 0; i < 63; i++)
        close(clients[i]);
    close_all(count);
}

/* The rule adapts: what a second guest takes, the first may not have. */
static void two_greedy_guests_and_a_third_have_a_share_each(void)
{
    uint32_t first, second = 0;
    int more[MANY];

    fresh(&greedy, GREEDY);
    fresh(&other, OTHER);
    first = take_all();
    for (uint32_t i = 0; i < MANY; i++)
        if (rawstream_connect(&other, VSOCKIF_CID_HOST, PORT))
            REQUIRE((more[second++] = host_accept(other_listener)) >= 0);
    CU_ASSERT_TRUE(first == SHARE && second >= SHARE / 2 && second < first);
    while (second)
        close(more[--second]);
    close_all(first);
}

/* Descriptors that come back are there again, whoever had them, and whatever became of their streams. */
static void what_is_given_back_may_be_had_again(void)
{
    for (int round = 0; round < 3; round++) {
        uint32_t count;

        fresh(&greedy, GREEDY);
        count = take_all();
        EQ(count, SHARE);
        for (uint32_t i = 0; i < count; i++) {
            rawstream_send(&greedy, &greedy.stream[i], 100);
            if (round == 1)
                rawstream_say(&greedy, &greedy.stream[i], VSOCKIF_OP_RST, 0);
        }
        if (round == 2)
            rawguest_leave(&greedy);
        daemon_rounds();
        EQ(files_of(GREEDY), SHARE);            /* not read yet */
        close_all(count);
        for (int waited = 0; waited < PATIENCE_MS && files_of(GREEDY); waited += 10)
            usleep(10000);
        EQ(files_of(GREEDY), 0);
    }
}

/* Host programs that call a guest with all its share in use wait until it has less. */
static void host_programs_wait_for_a_guest_s_share(void)
{
    uint32_t count;
    char got[16] = "";
    int fd;

    fresh(&greedy, GREEDY);
    count = take_all();
    REQUIRE((fd = host_connect("dom1")) >= 0);
    REQUIRE(write(fd, "WATCH 77\n", 9) == 9);
    daemon_rounds();
    EQ(recv(fd, got, sizeof got, MSG_DONTWAIT), -1);
    EQ(errno, EAGAIN);
    close_all(count);
    EQ(host_read(fd, got, 11), 11);
    EQ(strncmp(got, "UNKNOWN 77\n", 11), 0);
    close(fd);
}

static void limit(rlim_t most)
{
    REQUIRE(prlimit(daemon_pid(), RLIMIT_NOFILE, &(struct rlimit){ most, FILES }, NULL) == 0);
}

/* None at all: another's fault it is not, so the handshake waits. */
static void a_guest_that_connects_without_descriptors_is_connected_later(void)
{
    long mark = daemon_log_mark();
    char path[PATHS_MAX], error[STORE_VALUE];
    struct store *dom0 = NULL;
    struct paths p;
    int fd;

    fresh(&other, OTHER);
    rawguest_leave(&other);
    REQUIRE(rawfront_set_state(&other.f, "1") == 0);
    REQUIRE(rawfront_wait(&other.f, VSOCKIF_INITWAIT) == 0);
    REQUIRE(rawfront_share(&other.f) == 0);
    limit(16);
    REQUIRE(rawfront_offer_pages(&other.f) == 0);
    CU_ASSERT_TRUE(daemon_log_has(mark, "it is connected later, this is tried again every second: cannot"));
    limit(FILES);
    REQUIRE(rawfront_wait(&other.f, VSOCKIF_CONNECTED) == 0);
    EQ(daemon_log_count(mark, "the device is closed"), 0);
    EQ(daemon_log_count(mark, "it is connected later"), 1);
    REQUIRE(store_open(&dom0) == 0);
    paths_of(&p, &other.f.id);
    CU_ASSERT_TRUE(store_read(dom0, paths_join(path, p.error, "error"), error, sizeof error) < 0);
    store_close(dom0);

    rawfront_unshare(&other.f);
    fresh(&other, OTHER);
    CU_ASSERT_TRUE((fd = works(&other, other_listener)) >= 0);
    close(fd);
}

/* Nor does a device go when there is none for its directory; it has one as soon as there is. */
static void a_device_that_is_attached_without_descriptors_is_served_later(void)
{
    long mark;
    int fd;

    rawfront_close(&other.f);
    other.f.store = NULL;
    daemon_ask("{\"verb\":\"detach\",\"domain\":%u,\"all\":true}", OTHER);
    for (int waited = 0; waited < PATIENCE_MS && strstr(daemon_ask("{\"verb\":\"ls\"}"), "\"domid\":2,"); waited += 10)
        usleep(10000);
    REQUIRE((fd = daemon_control()) >= 0);
    daemon_rounds();
    mark = daemon_log_mark();
    limit(16);
    REQUIRE(write(fd, "{\"verb\":\"attach\",\"domain\":2}\n", 29) == 29);
    CU_ASSERT_TRUE(daemon_log_has(mark, "Too many open files"));
    close(fd);
    limit(FILES);
    REQUIRE(rawguest_open(&other, OTHER) == 0);
    REQUIRE(rawguest_connect(&other) == 0);
    close(other_listener);
    REQUIRE((other_listener = host_listen("dom2", PORT)) >= 0);
    CU_ASSERT_TRUE((fd = works(&other, other_listener)) >= 0);
    close(fd);
}

static void the_daemon_still_stops_in_order(void)
{
    rawfront_close(&greedy.f);
    rawfront_close(&other.f);
    EQ(daemon_stop(SIGTERM), 0);
}

static const struct test tests[] = {
    TEST(one_guest_leaves_the_others_as_many_as_it_has), TEST(two_greedy_guests_and_a_third_have_a_share_each),
    TEST(what_is_given_back_may_be_had_again), TEST(host_programs_wait_for_a_guest_s_share),
    TEST(a_guest_that_connects_without_descriptors_is_connected_later),
    TEST(a_device_that_is_attached_without_descriptors_is_served_later), TEST(the_daemon_still_stops_in_order)
};

int main(int argc, char **argv)
{
    int err;

    if (!hosted_is_here())
        return 2;
    signal(SIGPIPE, SIG_IGN);
    hosted_become(0);
    daemon_limit_files(FILES);
    if ((err = daemon_start("[daemon]\n"))) {
        fprintf(stderr, "the daemon does not come up: %s\n", strerror(-err));
        daemon_stop(SIGKILL);
        return 1;
    }
    err = harness_run("descriptors", tests, sizeof tests / sizeof *tests, argc, argv);
    daemon_stop(SIGKILL);
    return err;
}

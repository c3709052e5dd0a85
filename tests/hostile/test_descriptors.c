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
#include <sys/stat.h>
#include <sys/un.h>
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
#define FEW    3u               /* a guest with… */
#define MOST   4u               /* …as many, and */
#define ONE    4u               /* …with one */
#define GREETED 16u             /* …besides those who are not let in (account.h) */

static const char conf[] = "[daemon]\n[guest dom3]\nmax_files = 4\n[guest dom4]\nmax_files = 1\n";

static struct rawguest greedy, other, few;
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

/* ---- who vouches ---- */

static struct caller {
    int fd, voucher;
    uint32_t number;            /* of its stream, once it has one */
    bool refused;
} callers[64];

static int say(uint32_t domid, const char *format, uint32_t value)
{
    char guest[16], line[40];
    int len = snprintf(line, sizeof line, format, value), fd;

    snprintf(guest, sizeof guest, "dom%u", domid);
    REQUIRE((fd = host_connect(guest)) >= 0);
    REQUIRE(write(fd, line, (size_t)len) == len);
    return fd;
}

/* So many programs call the guest at once. */
static void call(uint32_t domid, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        callers[i] = (struct caller){ .fd = say(domid, "CALL %u\n", PORT), .voucher = -1 };
}

/* The guest takes whoever calls it, and those who have called hear so, or that they are refused: how many have a stream by now, and
 * how many were refused. */
static unsigned take_callers(unsigned count, unsigned *refused)
{
    struct vsockif_hdr h;
    unsigned streams = 0;

    daemon_rounds();
    while (rawfront_recv(&few.f, &h, 0)) {
        if (h.op != VSOCKIF_OP_REQUEST)
            continue;
        h = rawfront_header(&few.f, VSOCKIF_OP_RESPONSE, h.dst_port, h.src_port);
        rawfront_send(&few.f, &h);
        rawfront_kick(&few.f);
        rawfront_reap(&few.f, 0, 0);
    }
    daemon_rounds();
    *refused = 0;
    for (struct caller *c = callers; c < callers + count; c++) {
        char line[64] = "";

        if (c->fd >= 0 && !c->number && !c->refused && recv(c->fd, line, sizeof line - 1, MSG_DONTWAIT) > 0) {
            c->refused = !strcmp(line, "REFUSED daemon limit\n");
            CU_ASSERT_TRUE(c->refused || sscanf(line, "OK %u\n", &c->number) == 1);
        }
        streams += c->number != 0;
        *refused += c->refused;
    }
    return streams;
}

static bool vouch(struct caller *c)
{
    char expected[32], got[32] = "";
    int len = snprintf(expected, sizeof expected, "WATCHING %u\n", c->number);

    c->voucher = say(FEW, "VOUCH %u\n", c->number);
    return host_read(c->voucher, got, (size_t)len) == (size_t)len && !strcmp(got, expected);
}

static void hang_up(struct caller *c)
{
    close(c->fd);
    if (c->voucher >= 0)
        close(c->voucher);
    c->fd = c->voucher = -1;
}

static void nobody_is_left(uint32_t domid)
{
    for (int waited = 0; waited < PATIENCE_MS && files_of(domid); waited += 10)
        usleep(10000);
    EQ(files_of(domid), 0);
}

/* As many programs called at a time as there were descriptors; then nobody could vouch for their streams, and these did not end without. */
static void whoever_is_let_in_with_call_can_be_vouched_for(void)
{
    unsigned ended = 0, refused;

    fresh(&few, FEW);
    call(FEW, 2 * MOST);
    EQ(take_callers(2 * MOST, &refused), MOST / 2);
    for (int waited = 0; waited < PATIENCE_MS && ended < 2 * MOST; waited += 10) {
        take_callers(2 * MOST, &refused);
        EQ(refused, 0);
        for (struct caller *c = callers; c < callers + 2 * MOST; c++) {
            if (c->fd >= 0 && c->number) {
                REQUIRE(vouch(c));
                CU_ASSERT_TRUE(files_of(FEW) <= MOST + 2 * MOST - ended);
                hang_up(c);
                ended++;
            }
        }
        usleep(10000);
    }
    EQ(ended, 2 * MOST);
    nobody_is_left(FEW);
}

/* They stand before who vouches, at the same socket. */
static void callers_beyond_number_are_refused_and_do_not_keep_who_vouches_out(void)
{
    unsigned count = MOST / 2 + GREETED + 10, refused = 0;
    char byte;
    int watch;

    fresh(&few, FEW);
    call(FEW, count);
    for (int waited = 0; waited < PATIENCE_MS && refused < 10; waited += 10) {
        EQ(take_callers(count, &refused), MOST / 2);
        CU_ASSERT_TRUE(files_of(FEW) <= MOST / 2 + GREETED);
        usleep(10000);
    }
    EQ(refused, 10);
    watch = say(FEW, "WATCH %u\n", 77);
    for (int waited = 0; waited < PATIENCE_MS && refused < 11; waited += 10) {
        take_callers(count, &refused);
        usleep(10000);
    }
    EQ(refused, 11);            /* the last of them has made room for it; and now it is the last, and does so for who vouches */
    for (struct caller *c = callers; c < callers + count; c++)
        if (c->number)
            REQUIRE(vouch(c));
    EQ(host_read(watch, &byte, 1), 0);
    close(watch);
    take_callers(count, &refused);
    EQ(refused, 11);
    EQ(files_of(FEW), MOST + GREETED - 1);
    for (struct caller *c = callers; c < callers + count; c++)
        hang_up(c);
    nobody_is_left(FEW);
}

/* Somebody had been let in, and its stream had ended before anybody vouched for it. */
static void a_place_that_nobody_vouches_for_is_given_back(void)
{
    unsigned refused;

    fresh(&few, FEW);
    for (unsigned round = 0; round < MOST; round++) {
        unsigned streams = 0;

        call(FEW, MOST / 2);
        for (int waited = 0; waited < PATIENCE_MS && streams < MOST / 2; waited += 10) {
            streams = take_callers(MOST / 2, &refused);
            usleep(10000);
        }
        REQUIRE(streams == MOST / 2);
        for (struct caller *c = callers; c < callers + MOST / 2; c++)
            hang_up(c);
        nobody_is_left(FEW);
    }
}

/* Its streams go first, so one or another may still be let in, and hears why that was for nothing. */
static void a_device_that_goes_keeps_nobody_waiting(void)
{
    unsigned refused;
    char got[64];

    fresh(&few, FEW);
    call(FEW, 2 * MOST);
    EQ(take_callers(2 * MOST, &refused), MOST / 2);
    daemon_ask("{\"verb\":\"detach\",\"domain\":%u,\"all\":true}", FEW);
    for (struct caller *c = callers; c < callers + 2 * MOST; c++) {
        host_read(c->fd, got, sizeof got);
        CU_ASSERT_TRUE(c->number || recv(c->fd, got, 1, MSG_DONTWAIT) == 0);
        hang_up(c);
    }
}

/* The same the other way round: who listens has said that somebody will vouch. */
static void a_guest_s_streams_can_be_vouched_for_as_well(void)
{
    struct sockaddr_un name;
    socklen_t size = sizeof name;
    unsigned count = 0;
    int at;

    fresh(&few, FEW);
    REQUIRE((at = host_listen("dom3", PORT)) >= 0);
    REQUIRE(getsockname(at, (struct sockaddr *)&name, &size) == 0);
    REQUIRE(chmod(name.sun_path, 01755) == 0);
    for (unsigned i = 0; i < MOST; i++) {
        if (!rawstream_connect(&few, VSOCKIF_CID_HOST, PORT))
            continue;
        REQUIRE((callers[count].fd = host_accept(at)) >= 0);
        memset(&name, 0, sizeof name);
        size = sizeof name;
        REQUIRE(getpeername(callers[count].fd, (struct sockaddr *)&name, &size) == 0);
        callers[count].number = (uint32_t)strtoul(strrchr(name.sun_path + 1, '/') + 1, NULL, 10);
        count++;
    }
    EQ(count, MOST / 2);
    for (unsigned i = 0; i < count; i++)
        REQUIRE(vouch(&callers[i]));
    EQ(files_of(FEW), MOST);
    for (unsigned i = 0; i < count; i++)
        hang_up(&callers[i]);
    nobody_is_left(FEW);
    close(at);
}

static void a_guest_with_one_descriptor_is_not_called(void)
{
    unsigned refused;

    fresh(&few, ONE);
    call(ONE, 1);
    EQ(take_callers(1, &refused), 0);
    EQ(refused, 1);
    hang_up(callers);
    callers[0] = (struct caller){ .fd = say(ONE, "CONNECT %u\n", PORT), .voucher = -1 };
    EQ(take_callers(1, &refused), 1);
    hang_up(callers);
    nobody_is_left(ONE);
    rawfront_close(&few.f);
}

/* ---- none at all ---- */

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
    TEST(whoever_is_let_in_with_call_can_be_vouched_for), TEST(callers_beyond_number_are_refused_and_do_not_keep_who_vouches_out),
    TEST(a_place_that_nobody_vouches_for_is_given_back), TEST(a_device_that_goes_keeps_nobody_waiting),
    TEST(a_guest_s_streams_can_be_vouched_for_as_well), TEST(a_guest_with_one_descriptor_is_not_called),
    TEST(a_guest_that_connects_without_descriptors_is_connected_later),
    TEST(a_device_that_is_attached_without_descriptors_is_served_later), TEST(the_daemon_still_stops_in_order)
};

int main(int argc, char **argv)
{
    int err;

    if (!hosted_begin())
        return 2;
    daemon_limit_files(FILES);
    if ((err = daemon_start(conf))) {
        fprintf(stderr, "the daemon does not come up: %s\n", strerror(-err));
        daemon_stop(SIGKILL);
        return 1;
    }
    err = harness_run("descriptors", tests, sizeof tests / sizeof *tests, argc, argv);
    daemon_stop(SIGKILL);
    return err;
}

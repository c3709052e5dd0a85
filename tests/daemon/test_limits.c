/* SPDX-License-Identifier: MIT */
/* test_limits.c: a daemon that is given too few descriptors, or too little memory, while it works: a few more each time.
 *
 * What tests/faults does to single calls the kernel does here to all of them.  The daemon goes on; when the limit is gone, guests and
 * host programs are served as if nothing had been, and it holds no more descriptors than before. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admitted.h"
#include "hosted.h"
#include "rawfront.h"
#include "toolstack.h"

#define GOOD   1u               /* is connected all the time */
#define COMES  2u               /* connects while there is nothing to be had */
#define NEW    3u               /* appears meanwhile */
#define PORT   500u
#define CALLERS 4

static struct rawfront good, comes;
static int listener = -1;

static void start(void)
{
    toolstack_open();
    domain_make(GOOD, "good", NULL);
    domain_make(COMES, "comes", NULL);
    REQUIRE(daemon_start("[daemon]\nservices = yes\n") == 0);
    REQUIRE(rawfront_open(&good, GOOD) == 0 && daemon_connect(&good) == 0);
    REQUIRE(rawfront_open(&comes, COMES) == 0);
    listener = host_listen("good", PORT);
    REQUIRE(listener >= 0);
}

static void stop(void)
{
    close(listener);
    rawfront_close(&good);
    rawfront_close(&comes);
    EQ(daemon_stop(SIGTERM), 0);
    domain_remove(GOOD);
    domain_remove(COMES);
    toolstack_close();
}

static void expect(struct rawfront *f, unsigned op, uint32_t port)
{
    struct vsockif_hdr hdr = { 0 };

    do {
        REQUIRE(rawfront_recv(f, &hdr, PATIENCE_MS));
    } while (hdr.dst_port != port);
    EQ(hdr.op, op);
}

/* The daemon has been through its loop since: a guest's REQUEST to a port that nobody takes is answered. */
static void round_trip(void)
{
    static uint32_t port = 10000;

    for (int i = 0; i < 3; i++) {
        struct vsockif_hdr hdr = rawfront_header(&good, VSOCKIF_OP_REQUEST, ++port, 4);

        rawfront_send(&good, &hdr);
        rawfront_kick(&good);
        expect(&good, VSOCKIF_OP_RST, port);
        rawfront_reap(&good, 1, PATIENCE_MS);
    }
}

/* A guest's stream to the listener carries bytes. */
static void exchanges(struct rawfront *f)
{
    static uint32_t port = 20000;
    struct vsockif_hdr hdr = rawfront_header(f, VSOCKIF_OP_REQUEST, ++port, PORT);
    char got[5];
    int fd;

    rawfront_send(f, &hdr);
    rawfront_kick(f);
    expect(f, VSOCKIF_OP_RESPONSE, port);
    fd = host_accept(listener);
    REQUIRE(fd >= 0);
    hdr = rawfront_header(f, VSOCKIF_OP_RW, port, PORT);
    hdr.len = sizeof got;
    rawfront_send(f, &hdr);
    rawfront_kick(f);
    EQ(host_read(fd, got, sizeof got), sizeof got);
    close(fd);
    expect(f, VSOCKIF_OP_SHUTDOWN, port);
    hdr = rawfront_header(f, VSOCKIF_OP_RST, port, PORT);
    rawfront_send(f, &hdr);
    rawfront_kick(f);
}

/* All that a daemon needs something for: connections both ways, a guest that connects, one that appears. */
static void ask_for_everything(int *callers)
{
    struct vsockif_hdr hdr = rawfront_header(&good, VSOCKIF_OP_REQUEST, 30000, PORT);

    domain_make(NEW, "new", NULL);
    for (int i = 0; i < CALLERS; i++) {
        callers[i] = host_connect("good");
        if (callers[i] >= 0)
            (void)!write(callers[i], "CONNECT 9\n", 10);
    }
    rawfront_send(&good, &hdr);
    rawfront_kick(&good);
    round_trip();
    REQUIRE(rawfront_share(&comes) == 0 && rawfront_offer_pages(&comes) == 0);
    round_trip();
}

/* Whatever came of it is let go. */
static void let_go(int *callers)
{
    struct vsockif_hdr hdr = rawfront_header(&good, VSOCKIF_OP_RST, 30000, PORT);
    int fd = -1;

    for (int i = 0; i < CALLERS; i++)
        if (callers[i] >= 0)
            close(callers[i]);
    rawfront_send(&good, &hdr);
    rawfront_kick(&good);
    round_trip();
    while ((fd = accept(listener, NULL, NULL)) >= 0)
        close(fd);
}

static void serves(void)
{
    /* The daemon may be about to map what was offered: it is told first that this is over. */
    REQUIRE(rawfront_set_state(&comes, "6") == 0 && rawfront_wait(&comes, VSOCKIF_CLOSED) == 0);
    rawfront_unshare(&comes);
    REQUIRE(daemon_connect(&comes) == 0);
    exchanges(&good);
    UNTIL(record_of(NEW, 0) != NULL);
    domain_remove(NEW);
    UNTIL(record_of(NEW, 0) == NULL);
    REQUIRE(rawfront_set_state(&comes, "6") == 0 && rawfront_wait(&comes, VSOCKIF_CLOSED) == 0);
    rawfront_unshare(&comes);
    REQUIRE(rawfront_set_state(&comes, "1") == 0 && rawfront_wait(&comes, VSOCKIF_INITWAIT) == 0);
}

static long long fds(void)
{
    return daemon_number(daemon_ask("{\"verb\":\"stats\"}"), "fds");
}

static unsigned long long memory(void)
{
    unsigned long long pages = 0;
    char path[40];
    FILE *f;

    snprintf(path, sizeof path, "/proc/%d/statm", daemon_pid());
    if ((f = fopen(path, "r"))) {
        (void)!fscanf(f, "%llu", &pages);
        fclose(f);
    }
    return pages * 4096;
}

static void limited(__rlimit_resource_t what, unsigned long long to)
{
    struct rlimit was, now;
    int callers[CALLERS];

    REQUIRE(prlimit(daemon_pid(), what, NULL, &was) == 0);
    now = (struct rlimit){ to, was.rlim_max };
    REQUIRE(prlimit(daemon_pid(), what, &now, NULL) == 0);
    ask_for_everything(callers);
    CU_ASSERT_TRUE(daemon_lives());
    REQUIRE(prlimit(daemon_pid(), what, &was, NULL) == 0);
    let_go(callers);
    serves();
}

static void with_few_descriptors_it_goes_on_and_catches_up(void)
{
    long long before;

    start();
    harness_on_failure(daemon_show, NULL);
    limited(RLIMIT_NOFILE, 1024);       /* as many as it likes: what it needs once it has from then on */
    before = fds();
    for (unsigned more = 0; more <= 12; more++) {
        limited(RLIMIT_NOFILE, (unsigned long long)before + more);
        UNTIL(fds() <= before);
    }
    stop();
}

static void with_little_memory_it_goes_on_and_catches_up(void)
{
#ifdef __SANITIZE_ADDRESS__
    SKIP("the address sanitizer takes terabytes of addresses");
#endif
#ifdef __SANITIZE_THREAD__
    SKIP("the thread sanitizer takes terabytes of addresses");
#endif
    start();
    for (unsigned more = 0; more <= 4096; more = more ? more * 4 : 16)
        limited(RLIMIT_AS, memory() + more * 1024ull);
    stop();
}

static const struct test tests[] = {
    TEST(with_few_descriptors_it_goes_on_and_catches_up),
    TEST(with_little_memory_it_goes_on_and_catches_up),
};

int main(int argc, char **argv)
{
    int err;

    if (!hosted_begin())
        return 2;
    err = harness_run("daemon: limits", tests, sizeof tests / sizeof *tests, argc, argv);
    daemon_stop(SIGKILL);
    return err;
}

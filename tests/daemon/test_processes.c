/* SPDX-License-Identifier: MIT */
/* test_processes.c: the daemon in its three processes, of which one is killed at each step of a device's life.  The guest, by hand,
 * comes back each time, and nothing is left of the one that was killed. */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admitted.h"
#include "hosted.h"
#include "rawfront.h"
#include "toolstack.h"

#define GUEST 1u
#define PORT  500u

static struct rawfront guest;

static void start(void)
{
    REQUIRE(daemon_start("[daemon]\nlog_level = debug\nservices = yes\n") == 0);
}

static void opened(void)
{
    struct vsockif_hdr hdr = { 0 }, request = rawfront_header(&guest, VSOCKIF_OP_REQUEST, PORT, 9);

    rawfront_send(&guest, &request);
    rawfront_kick(&guest);
    REQUIRE(rawfront_recv(&guest, &hdr, PATIENCE_MS));
    EQ(hdr.op, VSOCKIF_OP_RESPONSE);
}

/* ---- steps ---- */

static void nothing(void)
{
}

static void initialising(void)
{
    EQ(rawfront_set_state(&guest, "1"), 0);
}

static void offered(void)
{
    EQ(rawfront_wait(&guest, 2), 0);
}

static void shared(void)
{
    EQ(rawfront_share(&guest), 0);
}

static void initialised(void)
{
    EQ(rawfront_offer_pages(&guest), 0);
}

static void mapped(void)
{
    EQ(rawfront_wait(&guest, 4), 0);
}

static void connected(void)
{
    EQ(rawfront_set_state(&guest, "4"), 0);
    for (uint32_t id = 0; id < 32; id++)
        rawfront_post(&guest, id);
    rawfront_kick(&guest);
}

static void closing(void)
{
    EQ(rawfront_set_state(&guest, "5"), 0);
}

static void closed(void)
{
    EQ(rawfront_wait(&guest, 6), 0);
}

static void (*const steps[])(void) = {
    nothing, initialising, offered, shared, initialised, mapped, connected, opened, closing, closed,
};
#define STEPS (sizeof steps / sizeof *steps)

static bool is_shared_at(size_t step)
{
    return step >= 3;
}

/* ---- who is killed ---- */

/* The keeper answers this when it has looked at all devices.  Before that the guest, by hand, could take the offer of the one before
 * for a new one; a library would begin again. */
static void has_looked(void)
{
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"reload\"}"), "true"));
}

static int guests_shown(void)
{
    int n = 0;

    for (const char *at = daemon_ask("{\"verb\":\"ls\"}"); (at = strstr(at, "\"domid\":")); at++)
        n++;
    return n;
}

static void kill_worker(void)
{
    int worker = daemon_child("worker", 0), guests = guests_shown();

    REQUIRE(worker > 0 && kill(worker, SIGKILL) == 0);
    REQUIRE(daemon_child("worker", worker) > 0);
    EQ(guests_shown(), guests);         /* whoever asks the next one at once is told of all of them, too */
    has_looked();
}

/* The wall's end tells its children, and they end by themselves. */
static void kill_keeper(void)
{
    int worker = daemon_child("worker", 0), dialer = daemon_child("dialer", 0), waited = 0;

    REQUIRE(worker > 0 && dialer > 0);
    daemon_stop(SIGKILL);
    for (; waited < PATIENCE_MS && (!kill(worker, 0) || !kill(dialer, 0)); waited += 10)
        poll(NULL, 0, 10);
    CU_ASSERT_TRUE(waited < PATIENCE_MS);
    start();
    has_looked();
}

static int keepers_files(void)
{
    char path[40];
    int n = 0;
    DIR *d;

    snprintf(path, sizeof path, "/proc/%d/fd", daemon_pid());
    REQUIRE((d = opendir(path)) != NULL);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* Whoever is behind the socket for messages now has read the line of a program, and refuses it. */
static void messages_are_served(void)
{
    struct pollfd p = { .fd = host_connect_messages("web1"), .events = POLLIN };
    char c;

    REQUIRE(p.fd >= 0 && send(p.fd, "HELLO\n", 6, MSG_NOSIGNAL) == 6);
    EQ(poll(&p, 1, PATIENCE_MS), 1);
    CU_ASSERT_TRUE(recv(p.fd, &c, 1, MSG_DONTWAIT) <= 0);
    close(p.fd);
}

/* By another program in the guest, as after a crash of the one before. */
static void comes_back(bool had_shared)
{
    if (had_shared)
        rawfront_unshare(&guest);
    REQUIRE(daemon_connect(&guest) == 0);
    opened();
    messages_are_served();
    rawfront_set_state(&guest, "5");
    EQ(rawfront_wait(&guest, 6), 0);
    rawfront_unshare(&guest);
}

static void at_each_step(void (*kill_it)(void))
{
    int files = 0;

    toolstack_open();
    domain_make(GUEST, "web1", NULL);
    daemon_in_processes(true);
    start();
    REQUIRE(rawfront_open(&guest, GUEST) == 0);
    comes_back(false);
    for (size_t last = 0; last < STEPS; last++) {
        for (size_t step = 0; step <= last; step++)
            steps[step]();
        kill_it();
        comes_back(is_shared_at(last));
        if (!files)
            files = keepers_files();
        CU_ASSERT_TRUE(keepers_files() <= files);
    }
    rawfront_close(&guest);
    EQ(daemon_stop(SIGTERM), 0);
    daemon_in_processes(false);
    domain_remove(GUEST);
    toolstack_close();
}

static void a_worker_that_is_killed_at_any_step_is_replaced_and_leaves_nothing(void)
{
    at_each_step(kill_worker);
}

static void a_keeper_that_is_killed_at_any_step_takes_its_children_along(void)
{
    at_each_step(kill_keeper);
}

static int files_of_kind(int process, const char *kind)
{
    char path[40], link[300];
    int n = 0;
    DIR *d;

    snprintf(path, sizeof path, "/proc/%d/fd", process);
    REQUIRE((d = opendir(path)) != NULL);
    for (struct dirent *e; (e = readdir(d));) {
        ssize_t len = readlinkat(dirfd(d), e->d_name, link, sizeof link - 1);

        link[len < 0 ? 0 : len] = '\0';
        n += strstr(link, kind) != NULL;
    }
    closedir(d);
    return n;
}

/* What is asked of the kernel by one passes every filter of system calls; libuv 1.50, of Debian 13, makes one where it can, and the
 * worker died of it when a guest connected. */
static void no_process_has_a_ring_of_io_uring(void)
{
    int worker;

    toolstack_open();
    domain_make(GUEST, "web1", NULL);
    daemon_in_processes(true);
    start();
    worker = daemon_child("worker", 0);
    REQUIRE(rawfront_open(&guest, GUEST) == 0);
    comes_back(false);
    EQ(daemon_child("worker", 0), worker);
    CU_ASSERT_TRUE(files_of_kind(worker, "eventpoll") > 0);
    EQ(files_of_kind(worker, "io_uring"), 0);
    EQ(files_of_kind(daemon_child("dialer", 0), "io_uring"), 0);
    EQ(files_of_kind(daemon_pid(), "io_uring"), 0);
    rawfront_close(&guest);
    EQ(daemon_stop(SIGTERM), 0);
    daemon_in_processes(false);
    domain_remove(GUEST);
    toolstack_close();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(no_process_has_a_ring_of_io_uring),
        TEST(a_worker_that_is_killed_at_any_step_is_replaced_and_leaves_nothing),
        TEST(a_keeper_that_is_killed_at_any_step_takes_its_children_along),
    };

    return harness_run("processes", tests, sizeof tests / sizeof *tests, argc, argv);
}

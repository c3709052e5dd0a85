/* SPDX-License-Identifier: MIT */
/* test_vchan.c: Debian's unmodified libxenvchan between two domains.  It uses nearly
 * all that hosted Xen has: notified pages, data rings, event channels, xenstore. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <libxenvchan.h>

#include "sim.h"

#define TOTAL (8u << 20)

static unsigned server_domid, client_domid;
static size_t ring_size;
static const char *client_mode;
static char path[64];

static unsigned char pattern(size_t i)
{
    return (unsigned char)(i * 31 + i / 4096);
}

/* Echoes everything, inverted, until the server is gone. */
static void client(int in, int out)
{
    struct libxenvchan *v;
    static unsigned char buf[65536];

    await_byte(in);
    xensim_become(client_domid);
    if (!(v = libxenvchan_client_init(NULL, (int)server_domid, path)))
        _exit(1);
    v->blocking = 1;
    say_byte(out);
    if (!strcmp(client_mode, "dies"))
        pause();
    for (int n; (n = libxenvchan_read(v, buf, sizeof buf)) > 0;) {
        for (int i = 0; i < n; i++)
            buf[i] = (unsigned char)~buf[i];
        for (int done = 0, rc; done < n; done += rc)
            if ((rc = libxenvchan_write(v, buf + done, (size_t)(n - done))) <= 0)
                _exit(1);
    }
    libxenvchan_close(v);
    _exit(0);
}

static struct libxenvchan *server_start(struct child *c)
{
    struct libxenvchan *v;

    snprintf(path, sizeof path, server_domid ? "/local/domain/%u/data/vchan-test"
                                             : "/local/domain/%u/vchan-test", server_domid);
    xensim_become(server_domid);
    *c = child_start(client);
    v = libxenvchan_server_init(NULL, (int)client_domid, path, ring_size, ring_size);
    REQUIRE(v != NULL);
    v->blocking = v->server_persist = 0;       /* the library leaves them unset */
    EQ(libxenvchan_is_open(v), 2);
    child_tell(c);
    child_await(c);
    EQ(libxenvchan_is_open(v), 1);
    return v;
}

/* Writes and reads in turn as far as the rings go, and compares every byte. */
static void exchange(struct libxenvchan *v)
{
    static unsigned char buf[70000];
    size_t sent = 0, got = 0;

    while (got < TOTAL) {
        size_t n = TOTAL - sent < 9973 ? TOTAL - sent : 9973;
        int rc;

        for (size_t i = 0; i < n; i++)
            buf[i] = pattern(sent + i);
        rc = n ? libxenvchan_write(v, buf, n) : 0;
        REQUIRE(rc >= 0);
        sent += (size_t)rc;
        if (rc == 0 && !libxenvchan_data_ready(v)) {
            struct pollfd pfd = { .fd = libxenvchan_fd_for_select(v), .events = POLLIN };

            REQUIRE(poll(&pfd, 1, PATIENCE_MS) == 1);
            libxenvchan_wait(v);
        }
        while ((rc = libxenvchan_read(v, buf, sizeof buf)) > 0) {
            for (int i = 0; i < rc; i++)
                if (buf[i] != (unsigned char)~pattern(got + (size_t)i))
                    CU_FAIL_FATAL("the data differ");
            got += (size_t)rc;
        }
        REQUIRE(rc == 0);
    }
}

static void run(unsigned server, unsigned far, size_t ring)
{
    long granted = count_of(server, "granted"), mapped = count_of(far, "mapped");
    long ports = count_of(server, "ports") + count_of(far, "ports"), nodes = count_of(server, "nodes");
    struct libxenvchan *v;
    struct child c;

    server_domid = server;
    client_domid = far;
    client_mode = "echoes";
    ring_size = ring;
    v = server_start(&c);
    exchange(v);
    libxenvchan_close(v);
    EQ(waitpid(c.pid, NULL, 0), c.pid);
    close(c.in);
    close(c.out);
    await_count(server, "granted", granted);
    await_count(far, "mapped", mapped);
    EQ(count_of(server, "ports") + count_of(far, "ports"), ports);
    EQ(count_of(server, "nodes") <= nodes + 1, 1);     /* libxenvchan leaves its directory */
}

static void guest_serves_host(void)       { run(1, 0, 4096); }
static void host_serves_guest(void)       { run(0, 1, 65536); }
static void guest_serves_guest(void)      { run(1, 2, 1 << 20); }
static void tiny_rings_live_in_one_page(void) { run(1, 2, 1024); }

static void a_killed_client_is_seen_by_the_server(void)
{
    struct libxenvchan *v;
    struct child c;
    char byte;

    server_domid = 1;
    client_domid = 2;
    client_mode = "dies";
    ring_size = 4096;
    v = server_start(&c);
    v->blocking = 1;
    child_kill(&c);
    EQ(libxenvchan_read(v, &byte, 1), -1);
    EQ(libxenvchan_is_open(v), 0);
    libxenvchan_close(v);
}

static const struct test tests[] = {
    TEST(guest_serves_host),
    TEST(host_serves_guest),
    TEST(guest_serves_guest),
    TEST(tiny_rings_live_in_one_page),
    TEST(a_killed_client_is_seen_by_the_server),
};

int main(int argc, char **argv)
{
    return harness_run("xensim-vchan", tests, sizeof tests / sizeof *tests, argc, argv);
}

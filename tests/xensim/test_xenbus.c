/* SPDX-License-Identifier: MIT */
/* test_xenbus.c: a guest's programs on its one xenstore ring, and what the real
 * xenstored makes of them. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "sim.h"

#include <xen/io/xs_wire.h>            /* wants stdint.h before it */

#define T XBT_NULL

static bool put(struct xs_handle *xs, const char *path, const char *value)
{
    return xs_write(xs, T, path, value, (unsigned)strlen(value));
}

static bool holds(struct xs_handle *xs, const char *path, const char *value)
{
    char *got = xs_read(xs, T, path, NULL);
    bool same = got && !strcmp(got, value);

    free(got);
    return same;
}

/* The next watch event within 'ms' as "path token", or "". */
static const char *next_watch(struct xs_handle *xs, int ms)
{
    static char text[512];
    struct pollfd pfd = { .fd = xs_fileno(xs), .events = POLLIN };
    char **event;

    text[0] = '\0';
    if (!(event = xs_check_watch(xs)) && poll(&pfd, 1, ms) == 1)
        event = xs_check_watch(xs);
    if (event)
        snprintf(text, sizeof text, "%s %s", event[XS_WATCH_PATH], event[XS_WATCH_TOKEN]);
    free(event);
    return text;
}

static void a_guest_finds_what_xl_would_have_laid_out(void)
{
    struct xs_handle *xs = xs_as(2), *host = xs_as(0);
    struct xs_permissions *perms;
    char *vm, path[128];
    unsigned n;

    CU_ASSERT(holds(xs, "domid", "2"));
    CU_ASSERT(holds(xs, "name", "dom2"));
    CU_ASSERT(holds(host, "/local/domain/0/domid", "0"));
    REQUIRE((vm = xs_read(xs, T, "vm", NULL)) != NULL);
    snprintf(path, sizeof path, "%s/name", vm);
    CU_ASSERT(holds(xs, path, "dom2"));
    free(vm);
    CU_ASSERT(put(xs, "device/vsock/0/state", "1"));
    CU_ASSERT(put(xs, "control/shutdown", ""));
    CU_ASSERT(put(xs, "data/note", "x"));
    REQUIRE((perms = xs_get_permissions(host, T, "/local/domain/2/device/vsock", &n)) != NULL);
    EQ(perms[0].id, 2);
    free(perms);
    REQUIRE((perms = xs_get_permissions(host, T, "/local/domain/0/backend", &n)) != NULL);
    EQ(perms[0].id, 0);
    EQ(n, 1);
    free(perms);
    CU_ASSERT(xs_rm(xs, T, "device/vsock"));
    CU_ASSERT(xs_rm(xs, T, "data/note"));
    xs_close(xs);
    xs_close(host);
}

static void xenstored_keeps_guests_to_their_own(void)
{
    struct xs_handle *xs = xs_as(2);

    CU_ASSERT_FALSE(put(xs, "/local/domain/0/backend/mine", "x"));
    EQ(errno, EACCES);
    CU_ASSERT_FALSE(put(xs, "/local/domain/1/device/mine", "x"));
    EQ(errno, EACCES);
    CU_ASSERT_PTR_NULL(xs_read(xs, T, "/local/domain/1/name", NULL));
    EQ(errno, EACCES);
    CU_ASSERT_FALSE(put(xs, "mine", "x"));
    EQ(errno, EACCES);
    CU_ASSERT_FALSE(xs_introduce_domain(xs, 9, 1, 1));
    EQ(errno, EACCES);
    xs_close(xs);
}

static void clients_share_the_ring_but_not_their_watches(void)
{
    struct xs_handle *a = xs_as(1), *b = xs_as(1);

    CU_ASSERT(put(a, "data/k", "0"));
    CU_ASSERT(xs_watch(a, "data/k", "token"));
    CU_ASSERT_STRING_EQUAL(next_watch(a, PATIENCE_MS), "data/k token");
    CU_ASSERT(xs_watch(b, "data/k", "token"));
    CU_ASSERT_STRING_EQUAL(next_watch(b, PATIENCE_MS), "data/k token");
    CU_ASSERT_FALSE(xs_watch(b, "data/k", "token"));
    EQ(errno, EEXIST);
    CU_ASSERT(put(a, "data/k", "1"));
    CU_ASSERT_STRING_EQUAL(next_watch(a, PATIENCE_MS), "data/k token");
    CU_ASSERT_STRING_EQUAL(next_watch(b, PATIENCE_MS), "data/k token");
    CU_ASSERT(xs_unwatch(a, "data/k", "token"));
    CU_ASSERT(put(a, "data/k", "2"));
    CU_ASSERT_STRING_EQUAL(next_watch(b, PATIENCE_MS), "data/k token");
    CU_ASSERT_STRING_EQUAL(next_watch(a, 0), "");
    CU_ASSERT_FALSE(xs_unwatch(a, "data/k", "token"));
    CU_ASSERT(xs_rm(a, T, "data/k"));
    xs_close(a);
    xs_close(b);
}

static void a_token_or_value_too_long_is_refused_and_the_rest_goes_on(void)
{
    struct xs_handle *xs = xs_as(1);
    char *big = calloc(1, 8192);

    memset(big, 'x', 4090);
    CU_ASSERT_FALSE(xs_watch(xs, "data", big));
    CU_ASSERT_FALSE(xs_write(xs, T, "data/big", big, 2049));   /* quota: 2048 a node */
    EQ(errno, ENOSPC);
    CU_ASSERT(xs_write(xs, T, "data/big", big, 1900));
    CU_ASSERT(xs_rm(xs, T, "data/big"));
    free(big);
    xs_close(xs);
}

/* 128 watches a domain: none of a dead client's may stay. */
static void a_dead_clients_watches_and_transactions_go(void)
{
    struct xs_handle *stays = xs_as(1), *xs;

    CU_ASSERT(put(stays, "data/k", "0"));
    for (int round = 0; round < 5; round++) {
        for (int i = 0; i < 5; i++) {
            char token[16];

            xs = xs_as(1);
            for (int j = 0; j < 20; j++) {
                snprintf(token, sizeof token, "t%d", j);
                CU_ASSERT(xs_watch(xs, "data/k", token));
            }
            REQUIRE(xs_transaction_start(xs) != 0);
            REQUIRE(xs_transaction_start(xs) != 0);
            xs_close(xs);
        }
    }
    CU_ASSERT(xs_rm(stays, T, "data/k"));
    xs_close(stays);
}

static void quotas_are_the_real_ones(void)
{
    struct xs_handle *xs = xs_as(3), *again;
    xs_transaction_t t[12];
    char name[64];
    int n;

    for (n = 0; n < 2000; n++) {
        snprintf(name, sizeof name, "data/q/%d/%d", n / 100, n);
        if (!put(xs, name, ""))
            break;
    }
    EQ(errno, ENOSPC);
    CU_ASSERT(n > 900 && n < 1000);
    EQ(count_of(3, "nodes"), 1000);
    CU_ASSERT(xs_rm(xs, T, "data/q"));
    for (n = 0; n < 12; n++)
        if (!(t[n] = xs_transaction_start(xs)))
            break;
    EQ(errno, ENOSPC);
    CU_ASSERT(n >= 10);
    while (n > 0)
        CU_ASSERT(xs_transaction_end(xs, t[--n], true));
    for (n = 0; n < 200; n++) {
        snprintf(name, sizeof name, "t%d", n);
        if (!xs_watch(xs, "device", name))
            break;
    }
    EQ(errno, E2BIG);
    CU_ASSERT(n > 100 && n <= 130);
    xs_close(xs);
    again = xs_as(3);
    CU_ASSERT(xs_watch(again, "device", "again"));
    xs_close(again);
}

static void a_transaction_that_lost_says_EAGAIN(void)
{
    struct xs_handle *a = xs_as(1), *b = xs_as(1);
    xs_transaction_t t;

    CU_ASSERT(put(a, "data/k", "0"));
    REQUIRE((t = xs_transaction_start(a)) != 0);
    CU_ASSERT(xs_write(a, t, "data/k", "a", 1));
    CU_ASSERT(holds(b, "data/k", "0"));
    CU_ASSERT(put(b, "data/k", "b"));
    CU_ASSERT_FALSE(xs_transaction_end(a, t, false));
    EQ(errno, EAGAIN);
    CU_ASSERT(holds(a, "data/k", "b"));
    CU_ASSERT(xs_rm(a, T, "data/k"));
    xs_close(a);
    xs_close(b);
}

/* More clients with more under way than the ring or the quota of 20 requests hold. */
static void chatter(int in, int out)
{
    struct xs_handle *xs = xs_as(1);
    char path[64], value[1500];

    memset(value, 'v', sizeof value);
    snprintf(path, sizeof path, "data/%d", getpid());
    (void)in;
    for (int i = 0; i < 100; i++) {
        unsigned len;
        char *got;

        snprintf(value, 16, "%d", i);
        if (!xs_write(xs, T, path, value, sizeof value)
            || !(got = xs_read(xs, T, path, &len)) || len != sizeof value
            || memcmp(got, value, len))
            _exit(1);
        free(got);
    }
    if (!xs_rm(xs, T, path))
        _exit(1);
    say_byte(out);
    pause();
}

static void many_clients_at_once_get_their_own_answers(void)
{
    struct child c[12];

    for (int i = 0; i < 12; i++)
        c[i] = child_start(chatter);
    for (int i = 0; i < 12; i++) {
        child_await(&c[i]);
        child_kill(&c[i]);
    }
}

/* A client that does not read must not stop the others.  libxenstore reads in a thread
 * of its own, so this one speaks the protocol itself. */
static int deaf_client(void)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    xensim_become(1);
    snprintf(sun.sun_path, sizeof sun.sun_path, "%s", getenv("XENSTORED_PATH"));
    REQUIRE(connect(fd, (struct sockaddr *)&sun, sizeof sun) == 0);
    for (unsigned i = 0; i < 50; i++) {
        struct xsd_sockmsg hdr = { .type = XS_WATCH, .req_id = i };
        char body[256];

        hdr.len = (unsigned)snprintf(body, sizeof body, "data/k%c%0200u", 1, i) + 1;
        *strchr(body, 1) = '\0';
        EQ(write(fd, &hdr, sizeof hdr), sizeof hdr);
        EQ(write(fd, body, hdr.len), hdr.len);
    }
    return fd;
}

static void a_client_that_never_reads_is_its_own_problem(void)
{
    struct xs_handle *xs = xs_as(1);
    int deaf;

    CU_ASSERT(put(xs, "data/k", "0"));
    deaf = deaf_client();
    for (int i = 0; i < 200; i++)      /* 10000 events of 230 bytes for the deaf one */
        CU_ASSERT(put(xs, "data/k", "1"));
    close(deaf);
    CU_ASSERT(xs_rm(xs, T, "data/k"));
    xs_close(xs);
}

static void a_client_that_breaks_the_protocol_is_dropped_alone(void)
{
    struct xs_handle *xs = xs_as(1);
    struct xsd_sockmsg hdr = { .type = XS_READ, .len = 5000 };
    char byte;
    int bad = deaf_client();

    EQ(write(bad, &hdr, sizeof hdr), sizeof hdr);
    while (read(bad, &byte, 1) > 0)
        ;
    close(bad);
    bad = deaf_client();
    hdr.len = 100;                     /* and goes in the middle of a message */
    EQ(write(bad, &hdr, sizeof hdr), sizeof hdr);
    close(bad);
    CU_ASSERT(holds(xs, "domid", "1"));
    xs_close(xs);
}

static const struct test tests[] = {
    TEST(a_guest_finds_what_xl_would_have_laid_out),
    TEST(xenstored_keeps_guests_to_their_own),
    TEST(clients_share_the_ring_but_not_their_watches),
    TEST(a_token_or_value_too_long_is_refused_and_the_rest_goes_on),
    TEST(a_dead_clients_watches_and_transactions_go),
    TEST(quotas_are_the_real_ones),
    TEST(a_transaction_that_lost_says_EAGAIN),
    TEST(many_clients_at_once_get_their_own_answers),
    TEST(a_client_that_never_reads_is_its_own_problem),
    TEST(a_client_that_breaks_the_protocol_is_dropped_alone),
};

int main(int argc, char **argv)
{
    return harness_run("xensim-xenbus", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_evtchn.c: event channels as Xen and Linux's /dev/xen/evtchn have them. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim.h"

#define FAILS(call, error) do { errno = 0; EQ((call), -1); EQ(errno, (error)); } while (0)

static void three_notifies_are_one_event(void)
{
    struct pair p = pair_open(1, 0);

    for (int i = 0; i < 3; i++)
        EQ(xenevtchn_notify(p.a, (evtchn_port_t)p.at_a), 0);
    EQ(xenevtchn_pending(p.b), p.at_b);
    EQ(fcntl(xenevtchn_fd(p.b), F_SETFL, O_RDWR | O_NONBLOCK), 0);
    FAILS(xenevtchn_pending(p.b), EAGAIN);
    pair_close(&p);
}

static void a_notify_while_masked_comes_with_the_unmask(void)
{
    struct pair p = pair_open(1, 2);

    EQ(xenevtchn_notify(p.a, (evtchn_port_t)p.at_a), 0);
    EQ(xenevtchn_pending(p.b), p.at_b);
    EQ(xenevtchn_notify(p.a, (evtchn_port_t)p.at_a), 0);
    EQ(xenevtchn_notify(p.a, (evtchn_port_t)p.at_a), 0);
    EQ(poll(&(struct pollfd){ .fd = xenevtchn_fd(p.b), .events = POLLIN }, 1, 0), 0);
    EQ(xenevtchn_unmask(p.b, (evtchn_port_t)p.at_b), 0);
    EQ(next_event(p.b, PATIENCE_MS), p.at_b);
    EQ(next_event(p.b, 0), -1);
    pair_close(&p);
}

/* On real Xen a notification needs none. */
static void a_notify_without_a_descriptor_left_arrives(void)
{
    struct pair p = pair_open(1, 0);
    struct rlimit was, none;

    REQUIRE(getrlimit(RLIMIT_NOFILE, &was) == 0);
    none = (struct rlimit){ 0, was.rlim_max };
    for (int i = 0; i < 3; i++) {
        REQUIRE(i == 2 || setrlimit(RLIMIT_NOFILE, &none) == 0);
        EQ(xenevtchn_notify(p.a, (evtchn_port_t)p.at_a), 0);
        REQUIRE(setrlimit(RLIMIT_NOFILE, &was) == 0);
        EQ(next_event(p.b, PATIENCE_MS), p.at_b);
        EQ(next_event(p.b, 0), -1);
    }
    pair_close(&p);
}

static void binding_leaves_one_spurious_event_here_and_none_there(void)
{
    xenevtchn_handle *a = evtchn_as(1), *b = evtchn_as(0);
    int at_a = xenevtchn_bind_unbound_port(a, 0);
    int at_b = xenevtchn_bind_interdomain(b, 1, (evtchn_port_t)at_a);

    REQUIRE(at_a > 0 && at_b > 0);
    EQ(next_event(b, PATIENCE_MS), at_b);
    EQ(next_event(b, 0), -1);
    EQ(next_event(a, 0), -1);
    xenevtchn_close(a);
    xenevtchn_close(b);
}

static void only_the_named_domain_binds_and_only_once(void)
{
    xenevtchn_handle *a = evtchn_as(1), *b = evtchn_as(2), *c = evtchn_as(3);
    int port = xenevtchn_bind_unbound_port(a, 2);

    FAILS(xenevtchn_bind_interdomain(c, 1, (evtchn_port_t)port), EINVAL);
    CU_ASSERT(xenevtchn_bind_interdomain(b, 1, (evtchn_port_t)port) > 0);
    FAILS(xenevtchn_bind_interdomain(b, 1, (evtchn_port_t)port), EINVAL);
    FAILS(xenevtchn_bind_interdomain(b, 1, 4000), EINVAL);
    FAILS(xenevtchn_bind_interdomain(b, 4711, 1), ESRCH);
    xenevtchn_close(a);
    xenevtchn_close(b);
    xenevtchn_close(c);
}

static void notify_reaches_nobody_without_an_error_but_not_from_a_foreign_port(void)
{
    xenevtchn_handle *a = evtchn_as(1), *other = evtchn_as(1), *b = evtchn_as(0);
    int port = xenevtchn_bind_unbound_port(a, 0);

    EQ(xenevtchn_notify(a, (evtchn_port_t)port), 0);
    CU_ASSERT(xenevtchn_bind_interdomain(b, 1, (evtchn_port_t)port) > 0);
    xenevtchn_close(b);
    EQ(xenevtchn_notify(a, (evtchn_port_t)port), 0);
    FAILS(xenevtchn_notify(other, (evtchn_port_t)port), ENOTCONN);
    FAILS(xenevtchn_notify(a, 3999), ENOTCONN);
    FAILS(xenevtchn_notify(a, 1u << 30), ENOTCONN);
    FAILS(xenevtchn_unbind(other, (evtchn_port_t)port), ENOTCONN);
    EQ(xenevtchn_unmask(other, (evtchn_port_t)port), 0);
    EQ(xenevtchn_unbind(a, (evtchn_port_t)port), 0);
    FAILS(xenevtchn_unbind(a, (evtchn_port_t)port), ENOTCONN);
    xenevtchn_close(a);
    xenevtchn_close(other);
}

static void binder(int in, int out)
{
    xenevtchn_handle *xce = evtchn_as(2);
    char port[16] = "";
    int n = (int)read(in, port, sizeof port);

    if (n > 0 && xenevtchn_bind_interdomain(xce, 1, (evtchn_port_t)atoi(port)) > 0)
        say_byte(out);
    pause();
}

static void a_dead_peers_port_can_be_bound_again_by_its_domain(void)
{
    xenevtchn_handle *a = evtchn_as(1), *again, *wrong;
    int port = xenevtchn_bind_unbound_port(a, 2), back;
    struct child c = child_start(binder);

    EQ(dprintf(c.out, "%d", port) > 0, 1);
    child_await(&c);
    child_kill(&c);
    await_count(2, "ports", 1);        /* its bridge's */
    EQ(xenevtchn_notify(a, (evtchn_port_t)port), 0);
    wrong = evtchn_as(3);
    FAILS(xenevtchn_bind_interdomain(wrong, 1, (evtchn_port_t)port), EINVAL);
    again = evtchn_as(2);
    CU_ASSERT((back = xenevtchn_bind_interdomain(again, 1, (evtchn_port_t)port)) > 0);
    EQ(next_event(again, PATIENCE_MS), back);
    EQ(xenevtchn_notify(a, (evtchn_port_t)port), 0);
    EQ(next_event(again, PATIENCE_MS), back);
    EQ(xenevtchn_notify(again, (evtchn_port_t)back), 0);
    EQ(next_event(a, PATIENCE_MS), port);
    xenevtchn_close(a);
    xenevtchn_close(again);
    xenevtchn_close(wrong);
}

static void nonblocking_says_EAGAIN_and_stays_the_readers_own_affair(void)
{
    struct pair p = pair_open(1, 0);

    EQ(fcntl(xenevtchn_fd(p.b), F_SETFL, O_RDWR | O_NONBLOCK), 0);
    FAILS(xenevtchn_pending(p.b), EAGAIN);
    EQ(fcntl(xenevtchn_fd(p.a), F_GETFL) & O_NONBLOCK, 0);
    EQ(xenevtchn_notify(p.a, (evtchn_port_t)p.at_a), 0);
    EQ(poll(&(struct pollfd){ .fd = xenevtchn_fd(p.b), .events = POLLIN }, 1, PATIENCE_MS), 1);
    EQ(xenevtchn_pending(p.b), p.at_b);
    pair_close(&p);
}

/* Linux does not take an event back out of its queue; the next pending() shows it. */
static void an_event_that_was_queued_outlives_its_port(void)
{
    struct pair p = pair_open(1, 0);

    EQ(xenevtchn_notify(p.a, (evtchn_port_t)p.at_a), 0);
    EQ(xenevtchn_unbind(p.b, (evtchn_port_t)p.at_b), 0);
    EQ(xenevtchn_pending(p.b), p.at_b);
    EQ(xenevtchn_unmask(p.b, (evtchn_port_t)p.at_b), 0);
    EQ(next_event(p.b, 0), -1);
    pair_close(&p);
}

static void a_restricted_handle_binds_for_one_domain_only(void)
{
    xenevtchn_handle *xce = evtchn_as(1);

    EQ(xenevtchn_restrict(xce, 2), 0);
    FAILS(xenevtchn_bind_unbound_port(xce, 3), EACCES);
    FAILS(xenevtchn_bind_virq(xce, VIRQ_DEBUG), EACCES);
    FAILS(xenevtchn_restrict(xce, 2), EACCES);
    CU_ASSERT(xenevtchn_bind_unbound_port(xce, 2) > 0);
    xenevtchn_close(xce);
}

static void a_virq_has_one_owner(void)
{
    xenevtchn_handle *xce = evtchn_as(0);

    FAILS(xenevtchn_bind_virq(xce, VIRQ_DOM_EXC), EEXIST);     /* xenstored's */
    FAILS(xenevtchn_bind_virq(xce, 24), EINVAL);
    CU_ASSERT(xenevtchn_bind_virq(xce, VIRQ_DEBUG) > 0);
    xenevtchn_close(xce);
}

static void a_handle_comes_back_from_its_descriptor(void)
{
    xenevtchn_handle *b = evtchn_as(0), *a, *again;
    int port, far, fd;

    xensim_become(1);
    REQUIRE((a = xenevtchn_open(NULL, XENEVTCHN_NO_CLOEXEC)) != NULL);
    EQ(fcntl(xenevtchn_fd(a), F_GETFD) & FD_CLOEXEC, 0);
    port = xenevtchn_bind_unbound_port(a, 0);
    far = xenevtchn_bind_interdomain(b, 1, (evtchn_port_t)port);
    CU_ASSERT_PTR_NULL(xenevtchn_fdopen(NULL, xenevtchn_fd(a), XENEVTCHN_NO_CLOEXEC));
    EQ(errno, EINVAL);
    CU_ASSERT_PTR_NULL(xenevtchn_fdopen(NULL, STDIN_FILENO, 0));
    fd = dup(xenevtchn_fd(a));
    REQUIRE((again = xenevtchn_fdopen(NULL, fd, 0)) != NULL);
    EQ(xenevtchn_fd(again), fd);
    xenevtchn_close(a);                /* as an exec would */
    EQ(xenevtchn_notify(b, (evtchn_port_t)far), 0);
    EQ(next_event(again, PATIENCE_MS), port);
    EQ(next_event(b, PATIENCE_MS), far);  /* of the bind */
    EQ(xenevtchn_notify(again, (evtchn_port_t)port), 0);
    EQ(next_event(b, PATIENCE_MS), far);
    xenevtchn_close(again);
    xenevtchn_close(b);
    EQ(xenevtchn_close(NULL), 0);
}

static void no_more_ports_is_ENOSPC_and_all_come_back(void)
{
    long before = count_of(3, "ports");
    xenevtchn_handle *xce = evtchn_as(3);
    int n = 0;

    while (xenevtchn_bind_unbound_port(xce, 0) > 0)
        n++;
    EQ(errno, ENOSPC);
    EQ(n, 1023 - before);
    xenevtchn_close(xce);
    EQ(count_of(3, "ports"), before);
}

/* Both processes sleep until the other's event: one lost event hangs the test. */
static void echo(int in, int out)
{
    xenevtchn_handle *xce = evtchn_as(2);
    char port[16] = "";
    int at;

    (void)!read(in, port, sizeof port - 1);
    at = xenevtchn_bind_interdomain(xce, 1, (evtchn_port_t)atoi(port));
    say_byte(out);
    for (;;) {
        int p = xenevtchn_pending(xce);

        xenevtchn_unmask(xce, (evtchn_port_t)p);
        xenevtchn_notify(xce, (evtchn_port_t)at);
    }
}

static void no_event_is_lost_between_two_processes(void)
{
    xenevtchn_handle *xce = evtchn_as(1);
    int port = xenevtchn_bind_unbound_port(xce, 2);
    struct child c = child_start(echo);

    EQ(dprintf(c.out, "%d", port) > 0, 1);
    child_await(&c);
    EQ(next_event(xce, PATIENCE_MS), port);      /* its answer to the bind's own event */
    for (int i = 0; i < 20000; i++) {
        xenevtchn_notify(xce, (evtchn_port_t)port);
        if (next_event(xce, PATIENCE_MS) != port) {
            CU_FAIL("an event was lost");
            break;
        }
    }
    child_kill(&c);
    xenevtchn_close(xce);
}

/* The shared word says "there is more", the event says "look": the protocol of every
 * Xen ring.  Without a full barrier in notify the reader sleeps on the last word. */
static struct pair race;
static uint32_t written;
#define WORDS 200000u

static void *writer(void *arg)
{
    for (uint32_t i = 1; i <= WORDS; i++) {
        __atomic_store_n(&written, i, __ATOMIC_RELAXED);
        xenevtchn_notify(race.a, (evtchn_port_t)race.at_a);
    }
    return arg;
}

static void a_coalesced_notify_still_publishes_what_was_written(void)
{
    pthread_t thread;
    uint32_t seen = 0;

    race = pair_open(1, 0);
    EQ(pthread_create(&thread, NULL, writer, NULL), 0);
    while (seen < WORDS) {
        struct pollfd pfd = { .fd = xenevtchn_fd(race.b), .events = POLLIN };

        if (poll(&pfd, 1, PATIENCE_MS) != 1)
            break;
        xenevtchn_unmask(race.b, (evtchn_port_t)xenevtchn_pending(race.b));
        seen = __atomic_load_n(&written, __ATOMIC_RELAXED);
    }
    EQ(seen, WORDS);
    pthread_join(thread, NULL);
    pair_close(&race);
}

/* One handle notified, bound and unbound from many threads at once. */
static void *churn(void *arg)
{
    xenevtchn_handle *xce = race.a;

    for (int i = 0; i < 300; i++) {
        int port = xenevtchn_bind_unbound_port(xce, 0);

        if (port < 0 || xenevtchn_notify(xce, (evtchn_port_t)race.at_a)
            || xenevtchn_notify(xce, (evtchn_port_t)port)
            || xenevtchn_unbind(xce, (evtchn_port_t)port))
            return NULL;
    }
    return arg;
}

static void threads_may_share_a_handle(void)
{
    pthread_t threads[4];
    void *ok;

    race = pair_open(1, 0);
    for (int i = 0; i < 4; i++)
        EQ(pthread_create(&threads[i], NULL, churn, &race), 0);
    for (int i = 0; i < 4; i++) {
        EQ(pthread_join(threads[i], &ok), 0);
        CU_ASSERT_PTR_EQUAL(ok, &race);
    }
    EQ(next_event(race.b, PATIENCE_MS), race.at_b);
    pair_close(&race);
}

static void only_close(int in, int out)
{
    await_byte(in);
    xenevtchn_close(race.a);
    say_byte(out);
    pause();
}

static void a_forked_childs_close_is_its_own(void)
{
    struct child c;

    race = pair_open(1, 0);
    c = child_start(only_close);
    child_tell(&c);
    child_await(&c);
    EQ(xenevtchn_notify(race.a, (evtchn_port_t)race.at_a), 0);
    EQ(next_event(race.b, PATIENCE_MS), race.at_b);
    child_kill(&c);
    pair_close(&race);
}

static void nothing_is_left_open(void)
{
    int before = open_fds();
    long ports0 = count_of(0, "ports"), ports1 = count_of(1, "ports");

    for (int i = 0; i < 20; i++) {
        struct pair p = pair_open(1, 0);

        EQ(xenevtchn_notify(p.a, (evtchn_port_t)p.at_a), 0);
        EQ(xenevtchn_notify(p.b, (evtchn_port_t)p.at_b), 0);
        pair_close(&p);
    }
    EQ(open_fds(), before);
    EQ(count_of(0, "ports"), ports0);
    EQ(count_of(1, "ports"), ports1);
}

/* A long-lived port whose peers come and go must not collect their pipes. */
static void a_ports_many_peers_leave_no_descriptors(void)
{
    xenevtchn_handle *a = evtchn_as(1);
    int port = xenevtchn_bind_unbound_port(a, 0), before = 0;

    for (int i = 0; i < 20; i++) {
        xenevtchn_handle *b = evtchn_as(0);
        int at = xenevtchn_bind_interdomain(b, 1, (evtchn_port_t)port);

        EQ(next_event(b, PATIENCE_MS), at);
        EQ(xenevtchn_notify(a, (evtchn_port_t)port), 0);
        EQ(next_event(b, PATIENCE_MS), at);
        xenevtchn_close(b);
        if (i == 2)
            before = open_fds();
    }
    EQ(open_fds(), before);
    xenevtchn_close(a);
}

static void without_a_host_open_says_ENOENT(void)
{
    char *dir = strdup(sim_dir());

    setenv("XENSIM_DIR", "/nowhere", 1);
    CU_ASSERT_PTR_NULL(xenevtchn_open(NULL, 0));
    EQ(errno, ENOENT);
    CU_ASSERT_PTR_NULL(xengnttab_open(NULL, 0));
    EQ(errno, ENOENT);
    unsetenv("XENSIM_DIR");
    CU_ASSERT_PTR_NULL(xengntshr_open(NULL, 0));
    EQ(errno, ENOENT);
    setenv("XENSIM_DIR", dir, 1);
    free(dir);
}

static const struct test tests[] = {
    TEST(three_notifies_are_one_event),
    TEST(a_notify_while_masked_comes_with_the_unmask),
    TEST(a_notify_without_a_descriptor_left_arrives),
    TEST(binding_leaves_one_spurious_event_here_and_none_there),
    TEST(only_the_named_domain_binds_and_only_once),
    TEST(notify_reaches_nobody_without_an_error_but_not_from_a_foreign_port),
    TEST(a_dead_peers_port_can_be_bound_again_by_its_domain),
    TEST(nonblocking_says_EAGAIN_and_stays_the_readers_own_affair),
    TEST(an_event_that_was_queued_outlives_its_port),
    TEST(a_restricted_handle_binds_for_one_domain_only),
    TEST(a_virq_has_one_owner),
    TEST(a_handle_comes_back_from_its_descriptor),
    TEST(no_more_ports_is_ENOSPC_and_all_come_back),
    TEST(no_event_is_lost_between_two_processes),
    TEST(a_coalesced_notify_still_publishes_what_was_written),
    TEST(threads_may_share_a_handle),
    TEST(a_forked_childs_close_is_its_own),
    TEST(nothing_is_left_open),
    TEST(a_ports_many_peers_leave_no_descriptors),
    TEST(without_a_host_open_says_ENOENT),
};

int main(int argc, char **argv)
{
    return harness_run("xensim-evtchn", tests, sizeof tests / sizeof *tests, argc, argv);
}

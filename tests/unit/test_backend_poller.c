/* SPDX-License-Identifier: MIT */
/* test_backend_poller.c: one batch of events, in which a callback removes and adds sources. */
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "harness.h"
#include "poller.h"

/* The clock is of no interest here. */
void uv_update_time(uv_loop_t *loop)
{
    (void)loop;
}

static struct poller poller;
static struct source a, b, c;
static int calls_of_a, calls_of_c;
static void (*meanwhile)(void);         /* b's callback */

static void on_a(struct source *s, uint32_t events)
{
    (void)s, (void)events;
    calls_of_a++;
}

static void on_b(struct source *s, uint32_t events)
{
    (void)s, (void)events;
    if (meanwhile)
        meanwhile();
}

static void on_c(struct source *s, uint32_t events)
{
    (void)s, (void)events;
    calls_of_c++;
}

static int new_fd(void)
{
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    REQUIRE(fd >= 0);
    return fd;
}

static void start(void (*act)(void))
{
    REQUIRE(poller_init(&poller, NULL) == 0);
    memset(&a, 0x55, sizeof a);         /* a source need not be zeroed */
    memset(&b, 0x55, sizeof b);
    memset(&c, 0x55, sizeof c);
    EQ(source_add(&poller, &a, new_fd(), EPOLLIN | EPOLLET, on_a), 0);
    EQ(source_add(&poller, &b, new_fd(), EPOLLIN | EPOLLET, on_b), 0);
    EQ(source_add(&poller, &c, new_fd(), EPOLLIN | EPOLLET, on_c), 0);
    calls_of_a = calls_of_c = 0;
    meanwhile = act;
}

static void stop(void)
{
    struct source *all[] = { &a, &b, &c };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        int fd = all[i]->fd;

        source_remove(&poller, all[i]);
        if (fd >= 0)
            close(fd);
    }
    poller_close(&poller);
}

/* They come in this order. */
static void fire(struct source *first, struct source *second)
{
    REQUIRE(eventfd_write(first->fd, 1) == 0);
    REQUIRE(eventfd_write(second->fd, 1) == 0);
    poller_wait(&poller, -1);
}

static void remove_a(void)
{
    int fd = a.fd;

    source_remove(&poller, &a);
    close(fd);
}

static void a_source_that_is_removed_in_a_batch_is_not_called_any_more(void)
{
    start(remove_a);
    fire(&b, &a);
    EQ(calls_of_a, 0);
    fire(&b, &c);
    EQ(calls_of_c, 1);
    stop();
}

/* a had the place that c has now. */
static void a_source_of_an_earlier_batch_takes_nobody_s_event_away(void)
{
    start(NULL);
    fire(&c, &a);
    EQ(calls_of_a, 1);
    EQ(calls_of_c, 1);
    meanwhile = remove_a;
    fire(&b, &c);
    EQ(calls_of_c, 2);
    stop();
}

/* What was in its memory before is no place in the batch. */
static void add_and_remove(void)
{
    struct source fresh = { .batch = 2 };
    int fd = new_fd();

    EQ(source_add(&poller, &fresh, fd, EPOLLIN, on_a), 0);
    source_remove(&poller, &fresh);
    close(fd);
}

static void a_source_that_is_new_takes_nobody_s_event_away(void)
{
    start(add_and_remove);
    fire(&b, &c);
    EQ(calls_of_c, 1);
    EQ(calls_of_a, 0);
    stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_source_that_is_removed_in_a_batch_is_not_called_any_more),
        TEST(a_source_of_an_earlier_batch_takes_nobody_s_event_away),
        TEST(a_source_that_is_new_takes_nobody_s_event_away),
    };

    return harness_run("poller", tests, sizeof tests / sizeof *tests, argc, argv);
}

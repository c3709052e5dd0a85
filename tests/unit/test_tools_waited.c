/* SPDX-License-Identifier: MIT */
/* test_tools_waited.c: an end as a channel whose calls wait: no wake-up is lost, whenever it comes. */
#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "harness.h"
#include "list.h"
#include "say.h"
#include "waited.h"

static struct loop loop;

/* ---- an end that is a pipe ---- */

struct pipe_end {
    struct end end;
    struct watch watch;
    int fds[2];
};

static void readable(struct watch *w)
{
    end_wake(&container_of(w, struct pipe_end, watch)->end);
}

static ssize_t read_pipe(struct end *e, void *bytes, size_t len)
{
    struct pipe_end *p = container_of(e, struct pipe_end, end);
    struct pollfd has = { .fd = p->fds[0], .events = POLLIN };

    if (poll(&has, 1, 0) == 1)
        return read(p->fds[0], bytes, len);
    p->watch.want = POLLIN;
    return -EAGAIN;
}

static const struct end_ops ops = { .read = read_pipe };

static void pipe_open(struct pipe_end *p)
{
    *p = (struct pipe_end){ .end.ops = &ops };
    REQUIRE(pipe(p->fds) == 0);
    watch_add(&loop, &p->watch, p->fds[0], readable);
}

static void pipe_close(struct pipe_end *p)
{
    watch_drop(&loop, &p->watch);
    close(p->fds[0]);
    close(p->fds[1]);
}

/* ---- waiting ---- */

struct limit {
    struct timer timer;
    bool over;
};

static void limit_due(struct timer *t)
{
    container_of(t, struct limit, timer)->over = true;
    loop_stop(&loop, 0);
}

/* True: it has come to an end by itself. */
static bool comes_back(struct waited *w)
{
    struct limit limit = { .over = false };

    timer_set(&loop, &limit.timer, clock_ns() + SECOND / 2, limit_due);
    EQ(w->channel.wait(&w->channel, false), 0);
    timer_drop(&limit.timer);
    return !limit.over;
}

/* A copy gives the loop a turn now and then, between trying in vain and waiting for it. */
static void a_wake_up_that_comes_in_a_turn_is_not_lost(void)
{
    struct pipe_end input, other;
    struct waited w, w2;
    char byte;

    REQUIRE(loop_begin(&loop) == 0);
    pipe_open(&input);
    pipe_open(&other);
    waited_init(&w, &loop, &input.end);
    waited_init(&w2, &loop, &other.end);
    EQ(w.channel.read(&w.channel, &byte, 1), -EAGAIN);
    EQ(write(input.fds[1], "x", 1), 1);
    EQ(waited_turn(&loop), 0);
    CU_ASSERT_TRUE(comes_back(&w));
    EQ(w.channel.read(&w.channel, &byte, 1), 1);
    /* It is told once. */
    EQ(w.channel.read(&w.channel, &byte, 1), -EAGAIN);
    CU_ASSERT_FALSE(comes_back(&w));
    /* While one is waited for another one's comes: both are told. */
    EQ(w2.channel.read(&w2.channel, &byte, 1), -EAGAIN);
    EQ(write(other.fds[1], "x", 1), 1);
    CU_ASSERT_TRUE(comes_back(&w));
    CU_ASSERT_TRUE(comes_back(&w2));
    pipe_close(&input);
    pipe_close(&other);
    EQ(loop_end(&loop, 0), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_wake_up_that_comes_in_a_turn_is_not_lost),
    };

    return harness_run("tools_waited", tests, sizeof tests / sizeof *tests, argc, argv);
}

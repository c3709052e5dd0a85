/* SPDX-License-Identifier: MIT */
/* test_tools_pump.c: bytes between two ends (pump.h), one of which goes while the pump looks at it. */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "pump.h"
#include "say.h"

static struct loop loop;
static struct pump pump;
static bool is_over;
static int result;

/* ---- ends that are as the test says ---- */

struct fake {
    struct end end;
    const char *says;           /* what is left of it; NULL: nothing more, and no end of it */
    size_t room;                /* bytes that it takes */
    bool goes;                  /* …at the next look whether it says more: it has said all, and takes nothing */
    bool is_gone;
};

static struct fake *fake_of(struct end *e)
{
    return container_of(e, struct fake, end);
}

static int fake_peek(struct end *e, struct iovec *iov, int max)
{
    struct fake *f = fake_of(e);

    (void)max;
    f->is_gone |= f->goes;
    if (f->is_gone)
        return 0;
    if (!f->says)
        return -EAGAIN;
    *iov = (struct iovec){ .iov_base = (char *)(uintptr_t)f->says, .iov_len = strlen(f->says) };
    return *f->says != '\0';
}

static void fake_done(struct end *e, size_t len)
{
    fake_of(e)->says += len;
}

static ssize_t fake_write(struct end *e, const struct iovec *iov, int count)
{
    struct fake *f = fake_of(e);
    size_t n = iov->iov_len < f->room ? iov->iov_len : f->room;

    (void)count;
    f->room -= n;
    return f->is_gone ? -EPIPE : n ? (ssize_t)n : -EAGAIN;
}

static int fake_finish(struct end *e)
{
    (void)e;
    return 0;
}

static void fake_stop(struct end *e)
{
    fake_of(e)->says = "";
}

static bool fake_is_cut(struct end *e)
{
    return fake_of(e)->is_gone;
}

static const struct end_ops ops = {
    .peek = fake_peek, .done = fake_done, .write = fake_write, .finish = fake_finish, .stop = fake_stop, .is_cut = fake_is_cut,
};

static void over(struct pump *p, int err)
{
    (void)p;
    is_over = true;
    result = err;
    loop_stop(&loop, 0);
}

static void late(struct timer *t)
{
    (void)t;
    loop_stop(&loop, 0);
}

static void run(struct fake *a, struct fake *b)
{
    struct timer limit = { 0 };

    a->end.ops = b->end.ops = &ops;
    is_over = false;
    pump = (struct pump){ 0 };
    REQUIRE(loop_begin(&loop) == 0);
    pump_start(&pump, &loop, &a->end, &b->end, over);
    timer_set(&loop, &limit, clock_ns() + SECOND, late);
    loop_run(&loop);
    timer_drop(&limit);
    pump_drop(&pump);
    loop_end(&loop, 0);
    EQ(is_over, true);
}

static void what_both_say_arrives(void)
{
    struct fake a = { .says = "hello", .room = 100 }, b = { .says = "you", .room = 100 };

    run(&a, &b);
    EQ(result, 0);
    EQ(pump.flow[0].bytes, 5);
    EQ(pump.flow[1].bytes, 3);
    EQ(pump.flow[0].lost || pump.flow[1].lost, false);
}

/* It was full when it was written to, and had gone when it was read: what was left for it was forgotten, and all was in order. */
static void what_is_left_for_who_goes_in_between_is_lost(void)
{
    struct fake a = { .says = "hello" }, b = { .room = 2, .goes = true };

    run(&a, &b);
    EQ(result, 0);
    EQ(pump.flow[0].bytes, 2);
    EQ(pump.flow[0].lost, true);
}

static void who_has_nothing_to_say_to_who_goes_has_lost_nothing(void)
{
    struct fake a = { .room = 100 }, b = { .room = 2, .goes = true };

    run(&a, &b);
    EQ(result, 0);
    EQ(pump.flow[0].lost, false);
}

/* So has who ended meanwhile. */
static void who_has_said_all_to_who_goes_has_lost_nothing(void)
{
    struct fake a = { .says = "hello", .room = 100 }, b = { .room = 5, .goes = true };

    run(&a, &b);
    EQ(result, 0);
    EQ(pump.flow[0].bytes, 5);
    EQ(pump.flow[0].lost, false);
}

static const struct test tests[] = {
    TEST(what_both_say_arrives), TEST(what_is_left_for_who_goes_in_between_is_lost),
    TEST(who_has_nothing_to_say_to_who_goes_has_lost_nothing), TEST(who_has_said_all_to_who_goes_has_lost_nothing)
};

int main(int argc, char **argv)
{
    return harness_run("pump", tests, sizeof tests / sizeof *tests, argc, argv);
}

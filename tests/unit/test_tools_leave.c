/* SPDX-License-Identifier: MIT */
/* test_tools_leave.c: the last words of a conversation (leave.h), at an end that takes as much as the test says. */
#include <errno.h>
#include <string.h>

#include "harness.h"
#include "leave.h"
#include "say.h"

static struct {
    struct end end;
    size_t room, count;         /* bytes that it takes before -EAGAIN; those that it has taken */
    char got[64];
    bool is_finished, is_closed, with_reset;
    int error, heard;           /* what write gives in place of -EAGAIN; what peek gives */
} caller;

static int fake_peek(struct end *e, struct iovec *iov, int max)
{
    (void)e;
    (void)max;
    *iov = (struct iovec){ .iov_base = caller.got, .iov_len = 1 };
    return caller.heard;
}

static void fake_done(struct end *e, size_t len)
{
    (void)e;
    (void)len;
}

static ssize_t fake_write(struct end *e, const struct iovec *iov, int count)
{
    size_t taken = 0;

    (void)e;
    for (int i = 0; i < count; i++)
        for (size_t at = 0; at < iov[i].iov_len && caller.room; at++, caller.room--, taken++)
            caller.got[caller.count++] = ((const char *)iov[i].iov_base)[at];
    return taken ? (ssize_t)taken : caller.error ? caller.error : -EAGAIN;
}

static int fake_finish(struct end *e)
{
    (void)e;
    caller.is_finished = true;
    return 0;
}

static void fake_close(struct end *e, bool reset)
{
    (void)e;
    caller.is_closed = true;
    caller.with_reset = reset;
}

static const struct end_ops ops = { .peek = fake_peek, .done = fake_done, .write = fake_write, .finish = fake_finish, .close = fake_close };

static struct loop loop;
static struct leaving leaving;

static struct end *begin(size_t room)
{
    memset(&caller, 0, sizeof caller);
    caller.end.ops = &ops;
    caller.room = room;
    caller.heard = -EAGAIN;
    REQUIRE(loop_begin(&loop) == 0);
    leaving_begin(&leaving, &loop);
    return &caller.end;
}

static void end(void)
{
    leaving_end(&leaving);
    EQ(leaving.count, 0);
    CU_ASSERT_TRUE(caller.is_closed);
    loop_end(&loop, 0);
}

static void more(size_t room)
{
    caller.room = room;
    caller.end.wake(caller.end.arg);
}

static void the_end_is_told_behind_what_was_said(void)
{
    leave_refused(&leaving, begin(100), "no");
    CU_ASSERT_STRING_EQUAL(caller.got, "-no\r\n");
    CU_ASSERT_TRUE(caller.is_finished);
    CU_ASSERT_FALSE(caller.is_closed);
    caller.heard = 0;                   /* the caller hangs up */
    more(0);
    CU_ASSERT_TRUE(caller.is_closed);
    CU_ASSERT_FALSE(caller.with_reset);
    end();
}

/* Its way is full of what others have said: it is not cut off for that. */
static void who_takes_nothing_now_is_told_later(void)
{
    struct iovec last[2] = { { .iov_base = "the rest, ", .iov_len = 10 }, { .iov_base = "and the end", .iov_len = 11 } };

    leave(&leaving, begin(0), last, 2);
    CU_ASSERT_FALSE(caller.is_finished || caller.is_closed);
    memset(&last, 0, sizeof last);      /* it was copied */
    more(7);
    CU_ASSERT_STRING_EQUAL(caller.got, "the res");
    CU_ASSERT_FALSE(caller.is_finished || caller.is_closed);
    more(9);
    CU_ASSERT_FALSE(caller.is_finished || caller.is_closed);
    more(9);
    CU_ASSERT_STRING_EQUAL(caller.got, "the rest, and the end");
    CU_ASSERT_TRUE(caller.is_finished);
    CU_ASSERT_FALSE(caller.is_closed);
    end();
}

static void nothing_may_be_left_to_say(void)
{
    leave(&leaving, begin(0), NULL, 0);
    CU_ASSERT_TRUE(caller.is_finished);
    end();
}

static void who_has_gone_is_let_go(void)
{
    leave_refused(&leaving, begin(2), "no");
    caller.error = -EPIPE;
    more(0);
    CU_ASSERT_TRUE(caller.is_closed && caller.with_reset);
    CU_ASSERT_FALSE(caller.is_finished);
    EQ(leaving.count, 0);
    end();
}

static const struct test tests[] = {
    TEST(the_end_is_told_behind_what_was_said), TEST(who_takes_nothing_now_is_told_later), TEST(nothing_may_be_left_to_say),
    TEST(who_has_gone_is_let_go)
};

int main(int argc, char **argv)
{
    return harness_run("leave", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_backend_refusals.c: what is told of refusals, and of how many pairs.  When it is told, tests/faults/test_daemon_clock.c says. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "harness.h"
#include "refusals.h"

static struct loop loop;
static struct refusals r;
static const struct journal_guest about = { .who = "guest a" };
static char log_text[65536];

/* What is written to the log from here on is in log_text after end(). */
static int log_fd, stderr_fd;

static void begin(void)
{
    log_fd = memfd_create("log", MFD_CLOEXEC);
    stderr_fd = dup(STDERR_FILENO);
    REQUIRE(log_fd >= 0 && stderr_fd >= 0 && dup2(log_fd, STDERR_FILENO) >= 0);
    REQUIRE(loop_init(&loop) == 0);
    refusals_init(&r, &loop);
}

static void end(void)
{
    ssize_t n;

    refusals_end(&r);
    loop_close(&loop);
    dup2(stderr_fd, STDERR_FILENO);
    n = pread(log_fd, log_text, sizeof log_text - 1, 0);
    log_text[n > 0 ? n : 0] = '\0';
    close(log_fd);
    close(stderr_fd);
}

static void refuse(uint64_t pair)
{
    char text[40];

    snprintf(text, sizeof text, "may not reach %llu", (unsigned long long)pair);
    if (!refusals_again(&r, pair))
        refusals_add(&r, (struct refusals_what){ EVENT_FORBIDDEN, "policy" }, &about, pair, text, "since it is so");
}

static int told(const char *text)
{
    int n = 0;

    for (const char *at = log_text; (at = strstr(at, text)); at++)
        n++;
    return n;
}

static void each_pair_is_told_once_and_counted_from_then_on(void)
{
    begin();
    for (int i = 0; i < 5; i++)
        refuse(1);
    refuse(2);
    end();
    EQ(told("guest a: may not reach 1: since it is so\n"), 1);
    EQ(told("guest a: may not reach 1: refused 4 times more\n"), 1);
    EQ(told("guest a: may not reach 2: since it is so\n"), 1);
    EQ(told("refused"), 1);
}

/* Lines are bounded as for all that a guest can provoke, and so are the pairs that are kept. */
static void more_pairs_than_there_is_room_for_are_told_by_their_number(void)
{
    begin();
    for (uint64_t pair = 0; pair < REFUSALS_MOST + 44; pair++)
        refuse(pair);
    EQ(r.count, REFUSALS_MOST);
    EQ(r.others, 44);
    end();
    CU_ASSERT_TRUE(told("since it is so") >= (int)JOURNAL_BURST);
    CU_ASSERT_TRUE(told("lines about this guest were left out") >= 1);
    EQ(r.count, 0);
}

static void what_found_no_room_is_told_when_there_are_lines_left(void)
{
    begin();
    r.count = REFUSALS_MOST;
    refuse(1);
    refuse(2);
    r.count = 0;
    end();
    EQ(told("the policy refused 2 connects more, of other pairs"), 1);
}

static const struct test tests[] = {
    TEST(each_pair_is_told_once_and_counted_from_then_on), TEST(more_pairs_than_there_is_room_for_are_told_by_their_number),
    TEST(what_found_no_room_is_told_when_there_are_lines_left)
};

int main(int argc, char **argv)
{
    return harness_run("refusals", tests, sizeof tests / sizeof *tests, argc, argv);
}

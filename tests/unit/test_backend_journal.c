/* SPDX-License-Identifier: MIT */
/* test_backend_journal.c: what a guest can provoke is bounded and counted, and no line says what a guest wrote unbridled. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"
#include "journal.h"

/* The journal's clock, which stands still until a test says otherwise. */
static time_t now = 1000;

int clock_gettime(clockid_t which, struct timespec *ts)
{
    if (which == CLOCK_MONOTONIC) {
        *ts = (struct timespec){ .tv_sec = now };
        return 0;
    }
    return (int)syscall(SYS_clock_gettime, which, ts);
}

static char text[65536];        /* what was logged */
static int stderr_fd = -1, file = -1;

static void begin(void)
{
    char path[] = "/tmp/xvs-journal.XXXXXX";

    REQUIRE((file = mkstemp(path)) >= 0);
    unlink(path);
    stderr_fd = dup(STDERR_FILENO);
    REQUIRE(stderr_fd >= 0 && dup2(file, STDERR_FILENO) >= 0);
}

static void end(void)
{
    ssize_t n;

    dup2(stderr_fd, STDERR_FILENO);
    close(stderr_fd);
    n = pread(file, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    close(file);
}

static int lines(const char *with)
{
    int n = 0;

    for (const char *at = text, *next; (next = strchr(at, '\n')); at = next + 1) {
        const char *found = strstr(at, with);

        n += found && found < next;
    }
    return n;
}

static void what_a_guest_provokes_is_bounded_and_counted(void)
{
    struct journal_guest g;

    begin();
    journal_guest_init(&g, "web1", 5, 0);
    for (int i = 0; i < 100; i++)
        journal_guest(&g, JOURNAL_ERROR, "rule %d is broken", i);
    end();
    EQ(lines("<3>guest web1 (domid 5): rule "), JOURNAL_BURST);
    EQ(lines(""), JOURNAL_BURST);
    EQ(g.errors, 100);
    EQ(g.left_out, 100 - JOURNAL_BURST);

    /* Time brings one line in two seconds, and before it the sum. */
    begin();
    now += 2 * JOURNAL_REFILL_MS / 1000;
    for (int i = 0; i < 10; i++)
        journal_guest(&g, JOURNAL_INFO, "again");
    end();
    EQ(lines("80 lines about this guest were left out"), 1);
    EQ(lines("again"), 2);

    /* The last words: nothing is left out without a word. */
    begin();
    journal_guest_end(&g);
    journal_guest_end(&g);
    end();
    EQ(lines("<4>guest web1 (domid 5): 8 lines about this guest were left out"), 1);
    EQ(lines(""), 1);
}

static void a_new_name_is_no_new_allowance(void)
{
    struct journal_guest g;

    begin();
    journal_guest_init(&g, "web1--incoming", 5, 3);
    for (int i = 0; i < 15; i++)
        journal_guest(&g, JOURNAL_INFO, "line");
    journal_guest_name(&g, "web1", 5, 3);
    for (int i = 0; i < 15; i++)
        journal_guest(&g, JOURNAL_INFO, "line");
    end();
    EQ(lines("guest web1--incoming (domid 5, device 3): line"), 15);
    EQ(lines("guest web1 (domid 5, device 3): line"), JOURNAL_BURST - 15);
}

static void lines_about_nobody_are_bounded_too(void)
{
    struct journal_guest g;

    begin();
    journal_nobody_init(&g);
    for (int i = 0; i < 100; i++)
        journal_guest(&g, JOURNAL_WARNING, "too many domains");
    journal_guest_end(&g);
    end();
    EQ(lines("<4>too many domains"), JOURNAL_BURST);
    EQ(lines("<4>80 lines like the last were left out"), 1);
}

static void what_is_not_shown_costs_nothing(void)
{
    struct journal_guest g;

    begin();
    journal_guest_init(&g, "web1", 5, 0);
    for (int i = 0; i < 100; i++)
        journal_guest(&g, JOURNAL_DEBUG, "detail");
    journal_guest(&g, JOURNAL_ERROR, "what counts");
    end();
    EQ(lines(""), 1);
    EQ(lines("what counts"), 1);
}

static void control_characters_do_not_reach_the_log(void)
{
    struct journal_guest g;

    begin();
    journal_guest_init(&g, "a\nb", 5, 0);
    journal_guest(&g, JOURNAL_INFO, "one\n<0>two\x1b[2J\x7f");
    end();
    EQ(lines(""), 1);
    EQ(lines("<6>guest a b (domid 5): one <0>two [2J "), 1);
}

static void a_line_that_is_too_long_is_cut_and_remains_one_line(void)
{
    static char much[20000];

    memset(much, 'x', sizeof much - 1);
    begin();
    journal(JOURNAL_ERROR, "%s and an end", much);
    journal(JOURNAL_ERROR, "another");
    end();
    EQ(lines("xxxx"), 1);
    EQ(lines("and an end"), 0);
    EQ(lines("another"), 1);
    EQ(lines(""), 2);
}

/* Nobody reads what we say: that is no reason to end, nor to say it elsewhere. */
static void without_a_log_the_daemon_goes_on(void)
{
    begin();
    close(STDERR_FILENO);
    journal(JOURNAL_ERROR, "nobody hears this");
    REQUIRE(dup2(file, STDERR_FILENO) >= 0);
    journal(JOURNAL_ERROR, "but this");
    end();
    EQ(lines(""), 1);
    EQ(lines("but this"), 1);
}

static const struct test tests[] = {
    TEST(what_a_guest_provokes_is_bounded_and_counted), TEST(a_new_name_is_no_new_allowance),
    TEST(lines_about_nobody_are_bounded_too), TEST(what_is_not_shown_costs_nothing),
    TEST(control_characters_do_not_reach_the_log), TEST(a_line_that_is_too_long_is_cut_and_remains_one_line),
    TEST(without_a_log_the_daemon_goes_on)
};

int main(int argc, char **argv)
{
    setenv("JOURNAL_STREAM", "1:1", 1);         /* priorities in place of the time */
    return harness_run("journal", tests, sizeof tests / sizeof *tests, argc, argv);
}

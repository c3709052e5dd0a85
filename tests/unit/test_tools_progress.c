/* SPDX-License-Identifier: MIT */
/* test_tools_progress.c: how far something is, as a line for people. */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "progress.h"

static void a_line_says_how_much_how_fast_and_how_long(void)
{
    static const struct {
        uint64_t bytes, total;
        double seconds;
        const char *text;
    } cases[] = {
        { 0, 0, 0, "0, 0/s" },
        { 0, 1000, 1, "0 of 1.0K, 0/s" },
        { 1 << 20, 0, 2, "1.0M, 512K/s" },
        { 1 << 20, 4 << 20, 2, "1.0M of 4.0M (25 %), 512K/s, 0:06 left" },
        { 4 << 20, 4 << 20, 2, "4.0M of 4.0M (100 %), 2.0M/s, 0:00 left" },
        { 5 << 20, 4 << 20, 1, "5.0M, 5.0M/s" },
        { 1 << 20, UINT64_MAX, 1000, "1.0M of 16E (0 %), 1.0K/s, 2777:46:39 left" },
    };
    char text[PROGRESS_TEXT];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        progress_text(text, cases[i].bytes, cases[i].total, cases[i].seconds);
        EQ(strcmp(text, cases[i].text), 0);
        if (strcmp(text, cases[i].text))
            printf("    '%s', not '%s'\n", text, cases[i].text);
    }
}

static void a_time_is_in_minutes_and_hours(void)
{
    char text[PROGRESS_TIME];

    EQ(strcmp(progress_time(text, 0), "0:00"), 0);
    EQ(strcmp(progress_time(text, 59.6), "1:00"), 0);
    EQ(strcmp(progress_time(text, 754), "12:34"), 0);
    EQ(strcmp(progress_time(text, 10921), "3:02:01"), 0);
    EQ(strcmp(progress_time(text, 1e300), "2777:46:39"), 0);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_line_says_how_much_how_fast_and_how_long),
        TEST(a_time_is_in_minutes_and_hours),
    };

    return harness_run("progress", tests, sizeof tests / sizeof *tests, argc, argv);
}

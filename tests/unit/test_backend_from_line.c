/* SPDX-License-Identifier: MIT */
/* test_backend_from_line.c: what a listener for all guests hears first. */
#include <stdio.h>
#include <string.h>

#include "from_line.h"
#include "harness.h"
#include "names.h"

static char line[FROM_LINE];

static void a_line_says_who_calls(void)
{
    EQ(from_line(line, 101, 1025, "web1"), 19);
    EQ(strcmp(line, "FROM 101 1025 web1\n"), 0);
    EQ(from_line(line, 4294967294u, 4294967294u, ":32751:255"), 38);
    EQ(strcmp(line, "FROM 4294967294 4294967294 :32751:255\n"), 0);
    from_line(line, 3, 0, "a:1");
    EQ(strcmp(line, "FROM 3 0 a:1\n"), 0);
}

/* The longest that there can be: it has its newline, and there is room for its end. */
static void the_longest_name_of_a_directory_fits(void)
{
    char name[80];
    int len;

    memset(name, 'n', sizeof name);
    snprintf(name + NAMES_MAX, sizeof name - NAMES_MAX, ":%u", UINT32_MAX);
    len = from_line(line, UINT64_MAX, UINT32_MAX, name);
    CU_ASSERT_TRUE(len > 0 && (unsigned)len < FROM_LINE);
    EQ(strlen(line), len);
    EQ(strchr(line, '\n') - line, len - 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, name));
}

/* What a name may be made of keeps the line a line of four words. */
static void no_good_name_breaks_the_line(void)
{
    for (int c = 1; c < 256; c++) {
        char name[] = { 'a', (char)c, 'b', '\0' }, words[3][FROM_LINE], rest;

        if (!names_is_good(name))
            continue;
        from_line(line, 3, 4, name);
        EQ(sscanf(line, "FROM %s %s %s%c", words[0], words[1], words[2], &rest), 4);
        EQ(strcmp(words[2], name), 0);
        EQ(rest, '\n');
    }
}

static const struct test tests[] = {
    TEST(a_line_says_who_calls), TEST(the_longest_name_of_a_directory_fits), TEST(no_good_name_breaks_the_line)
};

int main(int argc, char **argv)
{
    return harness_run("from line", tests, sizeof tests / sizeof *tests, argc, argv);
}

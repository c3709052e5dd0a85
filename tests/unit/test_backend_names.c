/* SPDX-License-Identifier: MIT */
/* test_backend_names.c: what is a name, and whose it is. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "titles.h"
#include "harness.h"
#include "names.h"

static void a_name_is_a_file_name_that_nothing_else_can_be(void)
{
    static const char *const good[] = {
        "a", "web1", "NAME--incoming", "x_y.z+1", "5", "dom5", "-", "_",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    };
    static const char *const bad[] = {
        "", ".", "..", ".a", ":5", "a:1", "a b", " a", "a/b", "/", "a\n", "a\x7f", "\xc3\xa4",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    };

    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        CU_ASSERT_TRUE(names_is_good(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(names_is_good(bad[i]));
}

static void a_uuid_is_read_in_lower_case_and_nothing_else_is_one(void)
{
    static const char *const bad[] = {
        "", "0", "01234567-89ab-cdef-0123-456789abcde", "01234567-89ab-cdef-0123-456789abcdef0",
        "0123456789ab-cdef-0123-456789abcdef-", "01234567-89ab-cdef-0123-456789abcdeg",
        "01234567 89ab-cdef-0123-456789abcdef", "01234567-89ab-cdef-0123_456789abcdef"
    };
    char out[NAMES_UUID] = "";

    CU_ASSERT_TRUE(names_read_uuid("01234567-89AB-cdeF-0123-456789abcdef", out));
    EQ(strcmp(out, "01234567-89ab-cdef-0123-456789abcdef"), 0);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        CU_ASSERT_FALSE(names_read_uuid(bad[i], out));
}

/* ---- whose ---- */

/* Judges titles of "name/uuid", oldest first; the answer has a letter each: n has its name, u its UUID, b both, - none. */
static const char *judge(const char *const *title, size_t count)
{
    static char answer[32];
    struct title titles[31], *list[31] = { NULL };
    char text[31][80];

    memset(titles, 0xff, sizeof titles);
    for (size_t i = 0; i < count; i++) {
        snprintf(text[i], sizeof text[i], "%s", title[i]);
        titles[i].name = text[i];
        titles[i].uuid = strchr(text[i], '/') + 1;
        *strchr(text[i], '/') = '\0';
        list[i] = &titles[i];
    }
    EQ(titles_judge(list, count), 0);
    for (size_t i = 0; i < count; i++)
        answer[i] = titles[i].has_name ? titles[i].has_uuid ? 'b' : 'n' : titles[i].has_uuid ? 'u' : '-';
    answer[count] = '\0';
    return answer;
}

#define JUDGED(expected, ...) do { const char *const c[] = { __VA_ARGS__ }; \
    const char *got = judge(c, sizeof c / sizeof *c); \
    if (strcmp(got, expected)) { fprintf(stderr, "%s, not %s\n", got, expected); CU_FAIL("judged otherwise"); } } while (0)

static void a_name_belongs_to_the_newest(void)
{
    JUDGED("b", "web1/1");
    JUDGED("bb", "web1/1", "db1/2");
    JUDGED("ub", "web1/1", "web1/2");
    JUDGED("uubb", "web1/1", "db1/2", "db1/3", "web1/4");
    JUDGED("n-n", "a/", "b/", "b/");
    JUDGED("-n", "b/", "b/");
}

static void what_is_no_name_belongs_to_nobody(void)
{
    JUDGED("uu", "My VM/1", ":5/2");
    JUDGED("--", "/", "/");
    JUDGED("u", "dom 2/1");
}

/* xl migrate, within one host: the UUID is that of both all the time. */
static void a_uuid_belongs_to_the_one_that_runs(void)
{
    JUDGED("bn", "web1/1", "web1--incoming/1");
    JUDGED("nb", "web1--migratedaway/1", "web1--incoming/1");
    JUDGED("nb", "web1--migratedaway/1", "web1/1");
    JUDGED("b", "web1/1");
    JUDGED("nb", "a/1", "b/1");         /* a toolstack that does otherwise: the newest */
    JUDGED("nbn", "a/1", "b/1", "c--incoming/1");
}

static void thousands_are_judged_at_once(void)
{
    enum { COUNT = 4096 };
    struct title *titles = calloc(COUNT, sizeof *titles), **list = calloc(COUNT, sizeof *list);
    char (*text)[16] = calloc(COUNT, sizeof *text);
    int held = 0;

    for (size_t i = 0; i < COUNT; i++) {
        snprintf(text[i], sizeof text[i], "vm%zu", i / 2);
        titles[i].name = titles[i].uuid = text[i];
        list[i] = &titles[i];
    }
    EQ(titles_judge(list, COUNT), 0);
    for (size_t i = 0; i < COUNT; i++)
        held += titles[i].has_name == (i % 2 == 1) && titles[i].has_uuid == (i % 2 == 1);
    EQ(held, COUNT);
    free(titles);
    free(list);
    free(text);
}

static const struct test tests[] = {
    TEST(a_name_is_a_file_name_that_nothing_else_can_be), TEST(a_uuid_is_read_in_lower_case_and_nothing_else_is_one),
    TEST(a_name_belongs_to_the_newest), TEST(what_is_no_name_belongs_to_nobody), TEST(a_uuid_belongs_to_the_one_that_runs),
    TEST(thousands_are_judged_at_once)
};

int main(int argc, char **argv)
{
    return harness_run("names", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_backend_names.c: what is a name, and whose it is. */
#include <string.h>

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

static const struct test tests[] = {
    TEST(a_name_is_a_file_name_that_nothing_else_can_be), TEST(a_uuid_is_read_in_lower_case_and_nothing_else_is_one)
};

int main(int argc, char **argv)
{
    return harness_run("names", tests, sizeof tests / sizeof *tests, argc, argv);
}

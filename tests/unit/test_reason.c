/* SPDX-License-Identifier: MIT */
/* test_reason.c: the closed list of reasons: what a peer says, what a guest may say, and the words. */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "reason.h"
#include "xvs.h"

static void a_number_that_is_not_on_the_list_is_no_reason(void)
{
    for (unsigned code = 0; code <= UINT8_MAX; code++)
        for (unsigned detail = 0; detail <= UINT8_MAX; detail++) {
            struct reason r = reason_heard(code, detail);

            REQUIRE(r.code < REASONS);
            REQUIRE(r.code == code || r.code == VSOCKIF_REASON_NONE);
            REQUIRE(code < REASONS ? r.code == code || reason_has_detail((struct reason){ (uint8_t)code, 0 })
                                   : r.code == VSOCKIF_REASON_NONE);
            REQUIRE(!r.detail || (reason_has_detail(r) && r.detail == detail));
            REQUIRE(!reason_has_detail(r) || r.detail);
        }
}

static void a_failure_without_a_number_that_can_be_is_none(void)
{
    EQ(reason_heard(VSOCKIF_REASON_STATUS, 255).detail, 255);
    EQ(reason_heard(VSOCKIF_REASON_STATUS, 0).code, VSOCKIF_REASON_NONE);
    EQ(reason_heard(VSOCKIF_REASON_SIGNAL, 127).detail, 127);
    EQ(reason_heard(VSOCKIF_REASON_SIGNAL, 128).code, VSOCKIF_REASON_NONE);
    EQ(reason_heard(VSOCKIF_REASON_POLICY, 7).code, VSOCKIF_REASON_POLICY);
    EQ(reason_heard(VSOCKIF_REASON_POLICY, 7).detail, 0);
}

static void a_guest_speaks_for_its_own_program_alone(void)
{
    static const uint8_t its_own[] = {
        VSOCKIF_REASON_NOBODY, VSOCKIF_REASON_BACKLOG, VSOCKIF_REASON_LIMIT, VSOCKIF_REASON_SHORT, VSOCKIF_REASON_TIMEOUT,
        VSOCKIF_REASON_UNUSABLE, VSOCKIF_REASON_ABORTED, VSOCKIF_REASON_UNREAD, VSOCKIF_REASON_STATUS, VSOCKIF_REASON_SIGNAL,
        VSOCKIF_REASON_TYPE, VSOCKIF_REASON_SIZE
    };

    for (unsigned code = 0; code <= UINT8_MAX; code++) {
        struct reason r = reason_of_guest((struct reason){ (uint8_t)code, 9 });

        EQ(r.code, memchr(its_own, (int)code, sizeof its_own) ? code : VSOCKIF_REASON_NONE);
    }
}

static void words_name_a_reason_and_are_read_back(void)
{
    char words[REASON_WORDS], line[REASON_LINE];
    struct reason r, back;

    for (unsigned code = 0; code < REASONS; code++) {
        r = reason_heard(code, 5);
        CU_ASSERT_TRUE(reason_parse(reason_words(words, r), &back));
        EQ(back.code, r.code);
        EQ(back.detail, r.detail);
        EQ(strcspn(reason_word(code), " ()\""), strlen(reason_word(code)));
        CU_ASSERT_TRUE(strlen(reason_line(line, r)) < REASON_LINE - 1);
    }
    CU_ASSERT_STRING_EQUAL(reason_words(words, reason_heard(VSOCKIF_REASON_STATUS, 255)), "status 255");
    CU_ASSERT_STRING_EQUAL(reason_line(line, REASON(POLICY)), "the policy of the host forbids it");
    CU_ASSERT_STRING_EQUAL(reason_line(line, reason_heard(VSOCKIF_REASON_SIGNAL, 9)),
                           "the command at the other end was killed: by signal number 9");
    CU_ASSERT_STRING_EQUAL(reason_word(REASONS), "unspecified");
    CU_ASSERT_STRING_EQUAL(reason_text(UINT32_MAX), "no reason was given");
}

static void words_that_name_none_are_refused(void)
{
    static const char *const wrong[] = {
        "", " ", "polic", "policy 1", "policyy", "status", "status 0", "status 256", "status -1", "status  3", "status 3 ", "status x",
        "signal 128", "unspecified 0x", "policy "
    };
    struct reason r = REASON(POLICY);

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (reason_parse(wrong[i], &r))
            printf("  \"%s\"\n", wrong[i]);
        CU_ASSERT_FALSE(reason_parse(wrong[i], &r));
        EQ(r.code, VSOCKIF_REASON_NONE);
    }
}

static void the_librarys_numbers_are_the_wires(void)
{
#define X(name, number, word, text)                          \
    EQ(XVS_REASON_##name, VSOCKIF_REASON_##name);             \
    CU_ASSERT_STRING_EQUAL(xvs_reason_text(XVS_REASON_##name), text);
    VSOCKIF_REASONS(X)
#undef X
    CU_ASSERT_STRING_EQUAL(xvs_reason_text(-1), "no reason was given");
    CU_ASSERT_STRING_EQUAL(xvs_reason_text(1000), "no reason was given");
}

static const struct test tests[] = {
    TEST(a_number_that_is_not_on_the_list_is_no_reason),
    TEST(a_failure_without_a_number_that_can_be_is_none),
    TEST(a_guest_speaks_for_its_own_program_alone),
    TEST(words_name_a_reason_and_are_read_back),
    TEST(words_that_name_none_are_refused),
    TEST(the_librarys_numbers_are_the_wires),
};

int main(int argc, char **argv)
{
    return harness_run("reason", tests, sizeof tests / sizeof *tests, argc, argv);
}

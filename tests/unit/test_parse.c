/* SPDX-License-Identifier: MIT */
/* test_parse.c: what a hostile domain may write into its nodes, and what we say of it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "parse.h"
#include "vsockif.h"

static char why[PARSE_WHY];

static int number(const char *text, uint32_t *out)
{
    return parse_u32("n", text, 0, UINT32_MAX, out, why);
}

static void numbers_are_taken_whole(void)
{
    static const struct { const char *text; uint64_t value; } good[] = {
        { "0", 0 }, { "1", 1 }, { "10", 10 }, { "4294967295", UINT32_MAX }, { "18446744073709551615", UINT64_MAX },
    };

    for (unsigned i = 0; i < sizeof good / sizeof *good; i++) {
        uint64_t out = 99;

        EQ(parse_u64("n", good[i].text, 0, UINT64_MAX, &out, why), 0);
        CU_ASSERT_TRUE(out == good[i].value);
    }
}

static void anything_else_is_refused(void)
{
    static const char *const bad[] = { "", " ", " 1", "1 ", "+1", "-1", "-0", "01", "00", "0x1", "1.0", "1e3", "1\n", "\t1",
                                       "1,", ",1", "x", "\xff", "٣", "1/2", "0b1", "1_000", "NaN" };

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t out = 99;

        why[0] = '\0';
        EQ(number(bad[i], &out), -EINVAL);
        EQ(out, 99);
        CU_ASSERT_TRUE(strlen(why) > 0);
    }
}

static void what_does_not_fit_is_refused_and_not_clamped(void)
{
    uint32_t out = 99;
    uint64_t wide = 99;

    EQ(number("4294967296", &out), -ERANGE);
    EQ(number("18446744073709551616", &out), -ERANGE);
    EQ(number("99999999999999999999999999999999999999999", &out), -ERANGE);
    EQ(parse_u64("n", "18446744073709551616", 0, UINT64_MAX, &wide, why), -ERANGE);
    EQ(parse_u64("n", "18446744073709551625", 0, UINT64_MAX, &wide, NULL), -ERANGE);
    EQ(parse_u32("n", "2", 3, 5, &out, why), -ERANGE);
    EQ(parse_u32("n", "6", 3, 5, &out, why), -ERANGE);
    EQ(out, 99);
    EQ(wide, 99);
    EQ(parse_u32("n", "3", 3, 5, &out, why), 0);
    EQ(parse_u32("n", "5", 3, 5, &out, why), 0);
    EQ(out, 5);
}

static void a_state_is_from_1_to_6(void)
{
    uint8_t state = 0;

    for (unsigned s = 1; s <= 6; s++) {
        char text[2] = { (char)('0' + s), '\0' };

        EQ(parse_state(text, &state, why), 0);
        EQ(state, s);
    }
    EQ(parse_state("x4", &state, why), -EINVAL);
    CU_ASSERT_STRING_EQUAL(why, "state: \"x4\" is not a number from 1 to 6");
    EQ(parse_state("0", &state, why), -ERANGE);
    EQ(parse_state("7", &state, why), -ERANGE);
    EQ(parse_state("262", &state, why), -ERANGE);
    EQ(state, 6);
}

static void versions_are_a_set(void)
{
    uint32_t set = 0;

    EQ(parse_versions("versions", "1", &set, why), 0);
    EQ(set, 2);
    EQ(parse_versions("versions", "7,1,1,31", &set, why), 0);
    EQ(set, 1u << 1 | 1u << 7 | 1u << 31);
    EQ(parse_versions("versions", "32,4294967295,2", &set, why), 0);
    EQ(set, 1u << 2);
    EQ(parse_versions("versions", "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16", &set, why), 0);
    EQ(parse_common_version(1u << 1 | 1u << 3, 1u << 1 | 1u << 2), 1);
    EQ(parse_common_version(1u << 1 | 1u << 3, 1u << 3 | 1u << 1), 3);
    EQ(parse_common_version(1u << 1, 1u << 2), 0);
    EQ(parse_common_version(UINT32_MAX, UINT32_MAX), 31);
    EQ(parse_common_version(1, 1), 0);
}

static void bad_lists_of_versions_are_refused(void)
{
    static const char *const bad[] = { "", ",", "1,", ",1", "1,,2", "1, 2", "0", "1,0", "01", "1;2", "4294967296", "-1",
                                       "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17" };

    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        uint32_t set = 99;

        EQ(parse_versions("versions", bad[i], &set, why), -EINVAL);
        EQ(set, 99);
    }
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "versions: \"1,2,3"));
}

static void features_are_words_and_those_we_do_not_know_are_skipped(void)
{
    static const char *const bad[] = { ",", "seqpacket,", ",seqpacket", "seqpacket,,x", "seqpacket, x", "a_b", "seq packet", "\"",
                                       "an-overlong-word-of-33-characters", "a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q" };
    uint32_t set = 99;

    EQ(parse_features("features", "", &set, why), 0);
    EQ(set, 0);
    EQ(parse_features("features", "seqpacket", &set, why), 0);
    EQ(set, VSOCKIF_FEATURE_SEQPACKET);
    EQ(parse_features("features", "seqpackets,Seqpacket,x-2", &set, why), 0);
    EQ(set, 0);
    EQ(parse_features("features", "a-word-of-as-many-as-32-letters0,seqpacket,b,c,d,e,f,g,h,i,j,k,l,m,n,seqpacket", &set, why), 0);
    EQ(set, VSOCKIF_FEATURE_SEQPACKET);
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        set = 99;
        EQ(parse_features("features", bad[i], &set, why), -EINVAL);
        EQ(set, 99);
    }
    CU_ASSERT_STRING_EQUAL(why, "features: \"a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,\" is not a list of at most 16 words such as \"seqpacket\"");
}

static void names_are_printable_and_no_paths(void)
{
    char longest[130];

    memset(longest, 'a', sizeof longest);
    longest[128] = '\0';
    EQ(parse_domain_name("web1", why), 0);
    EQ(parse_domain_name("Domain-0", why), 0);
    EQ(parse_domain_name("two words", why), 0);
    EQ(parse_domain_name(longest, why), 0);
    longest[128] = 'a';
    longest[129] = '\0';
    EQ(parse_domain_name(longest, why), -EINVAL);
    EQ(parse_domain_name("", why), -EINVAL);
    EQ(parse_domain_name("../web1", why), -EINVAL);
    EQ(parse_domain_name("a/b", why), -EINVAL);
    EQ(parse_domain_name(" a", why), -EINVAL);
    EQ(parse_domain_name("a ", why), -EINVAL);
    EQ(parse_domain_name("a\nb", why), -EINVAL);
    EQ(parse_domain_name("\x1b[2J", why), -EINVAL);
    EQ(parse_domain_name("caf\xc3\xa9", NULL), -EINVAL);
}

static void what_a_peer_wrote_is_shown_safely(void)
{
    uint8_t state;
    uint32_t out;
    char huge[5000];

    memset(huge, 'A', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    EQ(parse_state(huge, &state, why), -EINVAL);
    CU_ASSERT_TRUE(strlen(why) < 100);
    EQ(parse_u32(huge, huge, 0, 1, &out, why), -EINVAL);       /* even a node's name does not overflow */
    CU_ASSERT_TRUE(strlen(why) < PARSE_WHY);
    EQ(parse_state("\x1b]0;evil\x07\"\n", &state, why), -EINVAL);
    CU_ASSERT_STRING_EQUAL(why, "state: \"?]0;evil???\" is not a number from 1 to 6");
    EQ(parse_state("x", &state, NULL), -EINVAL);
}

static const struct test tests[] = {
    TEST(numbers_are_taken_whole),
    TEST(anything_else_is_refused),
    TEST(what_does_not_fit_is_refused_and_not_clamped),
    TEST(a_state_is_from_1_to_6),
    TEST(versions_are_a_set),
    TEST(bad_lists_of_versions_are_refused),
    TEST(features_are_words_and_those_we_do_not_know_are_skipped),
    TEST(names_are_printable_and_no_paths),
    TEST(what_a_peer_wrote_is_shown_safely),
};

int main(int argc, char **argv)
{
    return harness_run("parse", tests, sizeof tests / sizeof *tests, argc, argv);
}

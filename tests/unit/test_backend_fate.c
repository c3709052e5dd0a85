/* SPDX-License-Identifier: MIT */
/* test_backend_fate.c: numbers of streams, and how the last thousands ended. */
#include <errno.h>
#include <string.h>

#include "fate.h"
#include "harness.h"
#include "vsockif.h"

static struct fates all;

static enum fate_end end_of(uint32_t number)
{
    struct reason reason;
    enum fate_end end = FATE_DOWN;

    EQ(fates_recall(&all, number, &end, &reason), 0);
    return end;
}

static void a_stream_is_found_by_its_number_while_it_lives(void)
{
    struct fate f[100] = { 0 };

    REQUIRE(fates_init(&all) == 0);
    for (uint32_t i = 0; i < 100; i++)
        fate_open(&all, &f[i], (1u << 30) + i);
    for (uint32_t i = 0; i < 100; i++)
        CU_ASSERT_TRUE(fates_find(&all, (1u << 30) + i) == &f[i]);
    CU_ASSERT_TRUE(fates_find(&all, (1u << 30) + 100) == NULL);
    for (uint32_t i = 0; i < 100; i++) {
        fate_close(&all, &f[i]);
        EQ(fate_number(&f[i]), 0);
        CU_ASSERT_TRUE(fates_find(&all, (1u << 30) + i) == NULL);
    }
    fate_close(&all, &f[0]);
    fates_free(&all);
}

static void a_number_of_our_own_is_above_the_ports_and_is_free(void)
{
    struct fate f[1000] = { 0 };

    REQUIRE(fates_init(&all) == 0);
    for (int i = 0; i < 1000; i++) {
        uint32_t number = fates_number(&all);

        CU_ASSERT_TRUE(number >= FATE_FIRST && number != VSOCKIF_PORT_ANY && !fates_find(&all, number));
        fate_open(&all, &f[i], number);
    }
    for (int i = 0; i < 1000; i++)
        fate_close(&all, &f[i]);
    fates_free(&all);
}

static void the_last_ends_are_remembered_and_older_ones_are_not(void)
{
    enum fate_end end;
    struct reason reason;

    REQUIRE(fates_init(&all) == 0);
    EQ(fates_recall(&all, 1, &end, &reason), -ENOENT);
    for (uint32_t n = 1; n <= 3 * FATES_PAST + 5; n++) {
        fates_note(&all, n, n % 3 ? FATE_ORDER : FATE_STOPPED, REASON(NONE));
        EQ(end_of(n), n % 3 ? FATE_ORDER : FATE_STOPPED);
        if (n % 500 && n > 70)
            continue;           /* every one, now and then */
        for (uint32_t i = 1; i <= n; i++) {
            bool known = n - i < FATES_PAST;

            EQ(fates_recall(&all, i, &end, &reason), known ? 0 : -ENOENT);
            CU_ASSERT_TRUE(!known || end == (i % 3 ? FATE_ORDER : FATE_STOPPED));
        }
    }
    EQ(all.past.room, FATES_PAST);
    fates_free(&all);
}

static void a_number_that_was_used_twice_means_the_later_stream(void)
{
    enum fate_end end;
    struct reason reason;

    REQUIRE(fates_init(&all) == 0);
    fates_note(&all, 5, FATE_STOPPED, REASON(UNREAD));
    for (uint32_t n = 100; n < 200; n++)
        fates_note(&all, n, FATE_ORDER, REASON(NONE));
    fates_note(&all, 5, FATE_GUEST_RESET, (struct reason){ VSOCKIF_REASON_STATUS, 3 });
    EQ(end_of(5), FATE_GUEST_RESET);
    REQUIRE(fates_recall(&all, 5, &end, &reason) == 0);
    EQ(reason.code, VSOCKIF_REASON_STATUS);
    EQ(reason.detail, 3);
    fates_free(&all);
}

static void every_end_has_a_line_that_fits(void)
{
    char line[ENDED_LINE];
    int len;

    for (int end = FATE_ORDER; end <= FATE_FORBIDDEN; end++) {
        len = fate_line(line, UINT32_MAX, (enum fate_end)end, REASON(NONE));

        CU_ASSERT_TRUE(len > 0 && len < (int)ENDED_LINE && line[len - 1] == '\n' && strlen(line) == (size_t)len);
        CU_ASSERT_TRUE(strncmp(line, "ENDED 4294967295 ", 17) == 0);
        EQ(strcmp(line + 17, "order\n") == 0, end == FATE_ORDER);
        for (unsigned code = 1; code < REASONS; code++) {
            len = fate_line(line, UINT32_MAX, (enum fate_end)end, reason_heard(code, 127));
            CU_ASSERT_TRUE(len > 0 && len < (int)ENDED_LINE && line[len - 1] == '\n' && line[len - 2] == ')');
        }
    }
    fate_line(line, 7, FATE_GUEST_RESET, (struct reason){ VSOCKIF_REASON_STATUS, 28 });
    CU_ASSERT_STRING_EQUAL(line, "ENDED 7 reset by the guest's program (status 28)\n");
}

static const struct test tests[] = {
    TEST(a_stream_is_found_by_its_number_while_it_lives), TEST(a_number_of_our_own_is_above_the_ports_and_is_free),
    TEST(the_last_ends_are_remembered_and_older_ones_are_not), TEST(a_number_that_was_used_twice_means_the_later_stream),
    TEST(every_end_has_a_line_that_fits)
};

int main(int argc, char **argv)
{
    return harness_run("ends that are remembered", tests, sizeof tests / sizeof *tests, argc, argv);
}

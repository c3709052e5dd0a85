/* SPDX-License-Identifier: MIT */
/* test_backend_turned_away.c: who was refused lately, and who may learn of it. */
#include <string.h>

#include "harness.h"
#include "turned_away.h"

static struct turned_away all;

static struct ucred who(pid_t pid, uid_t uid)
{
    return (struct ucred){ .pid = pid, .uid = uid };
}

static void note(pid_t pid, uid_t uid, uint32_t port, struct reason reason)
{
    struct ucred u = who(pid, uid);

    turned_note(&all, &u, 0, port, reason);
}

static unsigned find(pid_t pid, uid_t uid, uint32_t port)
{
    struct ucred u = who(pid, uid);
    const struct turned *t = turned_find(&all, &u, 0, port);

    return t ? t->reason.code : 99;
}

static void a_program_hears_of_its_own_last_refusal(void)
{
    all = (struct turned_away){ 0 };
    EQ(find(10, 1, 80), 99);
    note(10, 1, 80, REASON(NOBODY));
    note(11, 1, 80, REASON(BACKLOG));
    EQ(find(10, 1, 80), VSOCKIF_REASON_NOBODY);
    EQ(find(11, 1, 80), VSOCKIF_REASON_BACKLOG);
    note(10, 1, 80, REASON(POLICY));
    EQ(find(10, 1, 80), VSOCKIF_REASON_POLICY);
    EQ(find(10, 1, 81), 99);
}

static void another_program_of_the_same_user_may_ask_for_it(void)
{
    all = (struct turned_away){ 0 };
    note(10, 1, 80, REASON(NOBODY));
    note(11, 1, 80, REASON(BACKLOG));
    EQ(find(12, 1, 80), VSOCKIF_REASON_BACKLOG);
    EQ(find(10, 2, 80), 99);
    EQ(find(10, 0, 80), 99);
}

/* As in a guest, whose agent knows more peers than the host. */
static void one_port_of_two_peers_is_two(void)
{
    struct ucred u = who(10, 1);

    all = (struct turned_away){ 0 };
    turned_note(&all, &u, 2, 80, REASON(NOBODY));
    turned_note(&all, &u, 102, 80, REASON(POLICY));
    CU_ASSERT_EQUAL(turned_find(&all, &u, 2, 80)->reason.code, VSOCKIF_REASON_NOBODY);
    CU_ASSERT_EQUAL(turned_find(&all, &u, 102, 80)->reason.code, VSOCKIF_REASON_POLICY);
    CU_ASSERT_PTR_NULL(turned_find(&all, &u, 3, 80));
}

static void whoever_was_let_in_since_is_told_of_no_refusal(void)
{
    struct ucred u = who(12, 1);

    all = (struct turned_away){ 0 };
    note(10, 1, 80, REASON(NOBODY));
    note(10, 1, 81, REASON(NOBODY));
    note(10, 2, 80, REASON(NOBODY));
    turned_let_in(&all, &u, 0, 80);
    EQ(find(12, 1, 80), 99);
    EQ(find(10, 1, 80), VSOCKIF_REASON_NOBODY);
    EQ(find(12, 1, 81), VSOCKIF_REASON_NOBODY);
    EQ(find(12, 2, 80), VSOCKIF_REASON_NOBODY);
    note(10, 1, 80, REASON(BACKLOG));
    EQ(find(12, 1, 80), VSOCKIF_REASON_BACKLOG);
}

static void only_the_last_are_remembered(void)
{
    all = (struct turned_away){ 0 };
    for (uint32_t n = 0; n < 10 * TURNED_AWAY; n++) {
        note(10, 1, n, REASON(NOBODY));
        EQ(find(10, 1, n), VSOCKIF_REASON_NOBODY);
        EQ(find(10, 1, n < TURNED_AWAY ? 0 : n - TURNED_AWAY), n < TURNED_AWAY ? VSOCKIF_REASON_NOBODY : 99);
    }
    EQ(all.count, TURNED_AWAY);
}

static void the_answer_is_one_line_that_fits(void)
{
    struct turned longest = { .reason = { VSOCKIF_REASON_STATUS, 255 } };
    char line[TURNED_LINE];

    CU_ASSERT_TRUE(turned_line(line, UINT32_MAX, &longest) < (int)TURNED_LINE - 8);
    CU_ASSERT_STRING_EQUAL(line, "REFUSED 4294967295 status 255\n");
    turned_line(line, 22, NULL);
    CU_ASSERT_STRING_EQUAL(line, "UNKNOWN 22\n");
}

static const struct test tests[] = {
    TEST(a_program_hears_of_its_own_last_refusal),
    TEST(another_program_of_the_same_user_may_ask_for_it),
    TEST(one_port_of_two_peers_is_two),
    TEST(whoever_was_let_in_since_is_told_of_no_refusal),
    TEST(only_the_last_are_remembered),
    TEST(the_answer_is_one_line_that_fits),
};

int main(int argc, char **argv)
{
    return harness_run("host programs that were refused", tests, sizeof tests / sizeof *tests, argc, argv);
}

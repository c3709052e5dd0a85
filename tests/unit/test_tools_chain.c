/* SPDX-License-Identifier: MIT */
/* test_tools_chain.c: where a connection breaks, and what to do, as a table. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "chain.h"
#include "harness.h"

/* All is well, and a case changes one thing. */
static struct chain_facts well(void)
{
    return (struct chain_facts){
        .guest = "web1", .has_port = true, .port = 5000, .has_device = true, .device = 0, .cid = 42, .use = "in use", .says = "in use",
        .to_guest = CHAIN_ALLOWS, .to_host = CHAIN_ALLOWS, .listens_here = true
    };
}

static struct chain_facts facts;
static struct chain_link links[CHAIN_LINKS];

/* The chain breaks there, says so, and has advice; nothing comes behind it. */
static void breaks(const char *name, const char *says, const char *advice)
{
    size_t n = chain_explain(&facts, links);
    const struct chain_link *l = chain_broken(links, n);

    REQUIRE(l != NULL);
    CU_ASSERT_PTR_EQUAL(l, &links[n - 1]);
    CU_ASSERT_STRING_EQUAL(l->name, name);
    if (!strstr(l->says, says) || !strstr(l->advice, advice))
        printf("  %s: %s; %s\n", l->name, l->says, l->advice);
    CU_ASSERT_PTR_NOT_NULL(strstr(l->says, says));
    CU_ASSERT_PTR_NOT_NULL(strstr(l->advice, advice));
}

static const struct chain_link *link_of(const char *name)
{
    size_t n = chain_explain(&facts, links);

    for (size_t i = 0; i < n; i++)
        if (!strcmp(links[i].name, name))
            return &links[i];
    return NULL;
}

static void where_all_is_well_nothing_is_broken(void)
{
    static const char *const names[] = { "daemon", "device", "program", "socket", "policy", "listener", "credit" };
    size_t n;

    facts = well();
    n = chain_explain(&facts, links);
    EQ(n, sizeof names / sizeof *names);
    for (size_t i = 0; i < n; i++) {
        CU_ASSERT_STRING_EQUAL(links[i].name, names[i]);
        EQ(links[i].verdict, CHAIN_GOOD);
        CU_ASSERT_STRING_EQUAL(links[i].advice, "");
    }
    CU_ASSERT_PTR_NULL(chain_broken(links, n));
    facts.has_port = false;
    EQ(chain_explain(&facts, links), 5);
}

static void it_breaks_at_the_first_link_that_does_not_hold(void)
{
    facts = well();
    facts.daemon_err = -ENOENT;
    facts.daemon_why = "xvsd is not running";
    facts.has_device = false;
    breaks("daemon", "xvsd is not running", "systemctl start xvsd");
    facts.daemon_err = -EACCES;
    breaks("daemon", "", "status_group");
    facts.daemon_err = -ETIMEDOUT;
    breaks("daemon", "", "journalctl");

    facts = well();
    facts.has_device = false;
    breaks("device", "knows no guest web1", "'xvs attach web1'");

    facts = well();
    facts.use = "idle";
    facts.says = "attached, no program has it open";
    facts.to_guest = CHAIN_DENIES;
    breaks("program", "attached, no program has it open", "start the agent");
    facts.use = "refused";
    facts.says = "refused: RW with flags";
    breaks("program", "was refused: RW with flags", "update xvs in the guest");

    facts = well();
    facts.socket_err = -EACCES;
    breaks("socket", "Permission denied", "socket_group");
    facts.socket_err = -ENOENT;
    breaks("socket", "No such file", "xvs attach web1");

    facts = well();
    facts.to_guest = facts.to_host = CHAIN_DENIES;
    facts.to_guest_line = "/etc/xvs/policy.d/50.policy:3: * @unix web1 deny";
    breaks("policy", "both directions: /etc/xvs/policy.d/50.policy:3: * @unix web1 deny", "'5000 @unix web1 allow'");
    facts.to_guest_line = NULL;
    breaks("policy", "no line of the policy allows it", "xvs reload");

    facts = well();
    facts.listens_here = false;
    facts.was_refused = true;
    facts.refusal = REASON(NOBODY);
    breaks("listener", "nobody listens at that port", "start what is to listen at port 5000 in the guest");
    facts.refusal = REASON(BACKLOG);
    breaks("listener", "its backlog is full", "does not accept");
    facts.refusal = REASON(LIMIT);
    breaks("listener", "", "xvs cat -z web1 5000");

    facts = well();
    facts.streams = 3;
    facts.standing = 2;
    facts.stands = "10 bytes of the guest's wait for the host's program, which does not read";
    breaks("credit", "2 streams stand still, of 3: 10 bytes of the guest's wait", "xvs dump web1");
}

static void what_is_not_known_does_not_break_it(void)
{
    facts = well();
    facts.listens_here = false;
    EQ(link_of("listener")->verdict, CHAIN_UNKNOWN);
    CU_ASSERT_PTR_NOT_NULL(strstr(link_of("listener")->advice, "xvs cat -z web1 5000"));
    facts.was_refused = true;                   /* by the policy, which has its own link, and allows it by now */
    facts.refusal = REASON(POLICY);
    EQ(link_of("listener")->verdict, CHAIN_UNKNOWN);

    facts = well();
    facts.to_host = CHAIN_DENIES;               /* one direction is enough */
    facts.to_host_line = "/p:1: 5000 web1 @unix deny";
    EQ(link_of("policy")->verdict, CHAIN_UNKNOWN);
    CU_ASSERT_PTR_NOT_NULL(strstr(link_of("policy")->says, "but not the guest port 5000 of this host: /p:1: 5000 web1 @unix deny"));
    CU_ASSERT_PTR_NOT_NULL(strstr(link_of("policy")->advice, "'5000 web1 @unix allow'"));
    facts = well();
    facts.to_guest = CHAIN_NOT_ASKED;
    EQ(link_of("policy")->verdict, CHAIN_UNKNOWN);
    facts = well();
    facts.use = "opening";
    facts.says = "a program is opening it";
    EQ(link_of("program")->verdict, CHAIN_UNKNOWN);
    CU_ASSERT_STRING_EQUAL(chain_word(CHAIN_UNKNOWN), "unknown");
    CU_ASSERT_STRING_EQUAL(chain_word(CHAIN_GOOD), "good");
    CU_ASSERT_STRING_EQUAL(chain_word(CHAIN_BROKEN), "broken");
}

static const struct test tests[] = {
    TEST(where_all_is_well_nothing_is_broken),
    TEST(it_breaks_at_the_first_link_that_does_not_hold),
    TEST(what_is_not_known_does_not_break_it),
};

int main(int argc, char **argv)
{
    return harness_run("why a connection is not made", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_backend_claim.c: one daemon a host.  The store is one node in memory here; the other daemon is a child of the test, since
 * a lock says nothing to its own holder. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "claim.h"
#include "rundir_lab.h"

/* ---- a store ---- */

static char node[STORE_VALUE];
static bool has_node;
static uint32_t node_owner, node_reader;
static int write_fails;

int store_read(struct store *s, const char *path, char *buf, size_t size)
{
    (void)s;
    CU_ASSERT_STRING_EQUAL(path, "/local/domain/7/data/xvsd");
    if (!has_node)
        return -ENOENT;
    return snprintf(buf, size, "%s", node);
}

int store_write(struct store *s, const char *path, const char *value)
{
    (void)s, (void)path;
    if (write_fails)
        return write_fails;
    snprintf(node, sizeof node, "%s", value);
    has_node = true;
    return 0;
}

int store_permit(struct store *s, const char *path, uint32_t owner, uint32_t reader)
{
    (void)s, (void)path;
    node_owner = owner;
    node_reader = reader;
    return 0;
}

int store_remove(struct store *s, const char *path)
{
    (void)s, (void)path;
    has_node = false;
    return 0;
}

int store_transact(struct store *s, int (*body)(struct store *s, void *arg), void *arg)
{
    return body(s, arg);
}

/* ---- the other daemon ---- */

static char other_dir[256];

static int other_claims(void)
{
    struct rundir r;
    char reason[RUNDIR_WHY];

    if (rundir_open(&r, other_dir, false, reason) || claim_take(NULL, 7, &r, reason))
        return 1;
    snprintf((char *)(uintptr_t)shared, STORE_VALUE, "%s", node);
    return 0;
}

/* It has the directory "other" and its claim stands in the node. */
static pid_t other_daemon(void)
{
    pid_t pid;

    snprintf(other_dir, sizeof other_dir, "%s", in("other"));
    pid = as_long(geteuid(), getegid(), other_claims);
    snprintf(node, sizeof node, "%s", (const char *)(uintptr_t)shared);
    has_node = true;
    return pid;
}

static void begin_without_a_claim(void)
{
    begin();
    has_node = false;
    write_fails = 0;
}

static void says_who(pid_t pid)
{
    char text[320];

    snprintf(text, sizeof text, "another xvsd (pid %d) serves this host's guests, in %s;", (int)pid, other_dir);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, text));
}

/* ---- */

static void a_claim_stands_until_it_is_dropped(void)
{
    char expected[300];

    begin_without_a_claim();
    EQ(rundir_open(&run, in("run"), false, why), 0);
    EQ(claim_check(NULL, 7, why), 0);
    EQ(claim_take(NULL, 7, &run, why), 0);
    snprintf(expected, sizeof expected, "%d %s", (int)getpid(), in("run"));
    CU_ASSERT_STRING_EQUAL(node, expected);
    EQ(node_owner, 7);
    EQ(node_reader, 7);
    EQ(claim_take(NULL, 7, &run, why), 0);      /* ours already */
    claim_drop(NULL, 7, &run);
    CU_ASSERT_FALSE(has_node);
    end();
}

static void a_second_daemon_sees_the_first_whatever_its_directory_is(void)
{
    char name[17];
    pid_t pid;

    begin_without_a_claim();
    pid = other_daemon();
    prctl(PR_GET_NAME, name);
    prctl(PR_SET_NAME, "another");      /* so that only its lock speaks for it */
    EQ(claim_check(NULL, 7, why), -EBUSY);
    says_who(pid);
    EQ(rundir_open(&run, in("run"), false, why), 0);
    EQ(claim_take(NULL, 7, &run, why), -EBUSY);
    says_who(pid);
    claim_drop(NULL, 7, &run);                  /* what is not ours stays */
    CU_ASSERT_TRUE(has_node);
    end_long(pid);
    EQ(claim_take(NULL, 7, &run, why), 0);
    prctl(PR_SET_NAME, name);
    end();
}

/* It has its lock and has not claimed yet: the node still has the claim of one before it there. */
static void a_daemon_that_is_about_to_claim_is_named_by_its_lock(void)
{
    pid_t pid;

    begin_without_a_claim();
    pid = other_daemon();
    snprintf(node, sizeof node, "1 %s", other_dir);
    EQ(claim_check(NULL, 7, why), -EBUSY);
    says_who(pid);
    end_long(pid);
    end();
}

static void a_killed_daemon_s_claim_holds_nobody_up(void)
{
    pid_t pid;

    begin_without_a_claim();
    pid = other_daemon();
    EQ(kill(pid, SIGKILL), 0);
    /* It may not even have been waited for. */
    EQ(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
    EQ(claim_check(NULL, 7, why), 0);
    EQ(rundir_open(&run, in("other"), false, why), 0);
    EQ(claim_take(NULL, 7, &run, why), 0);
    end_long(pid);
    end();
}

/* The directory of a daemon may be removed, by who cleans /tmp: then its process speaks for it. */
static void a_daemon_whose_directory_is_gone_is_seen_by_its_process(void)
{
    char name[17];
    pid_t pid;

    begin_without_a_claim();
    pid = other_daemon();
    EQ(unlink(in("other/xvsd.pid")), 0);
    EQ(claim_check(NULL, 7, why), -EBUSY);
    says_who(pid);
    /* A process of another name has that number only since. */
    prctl(PR_GET_NAME, name);
    prctl(PR_SET_NAME, "another");
    EQ(claim_check(NULL, 7, why), 0);
    prctl(PR_SET_NAME, name);
    EQ(kill(pid, SIGKILL), 0);
    EQ(waitid(P_PID, (id_t)pid, NULL, WEXITED | WNOWAIT), 0);
    EQ(claim_check(NULL, 7, why), 0);
    end_long(pid);
    end();
}

static void nonsense_in_the_node_holds_nobody_up(void)
{
    static const char *const values[] = { "", " ", "x", "1", "1 ", "1 relative", "4711 /nonexistent", "-1 /tmp", "99999999999999 /" };

    begin_without_a_claim();
    EQ(rundir_open(&run, in("run"), false, why), 0);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        snprintf(node, sizeof node, "%s", values[i]);
        has_node = true;
        EQ(claim_check(NULL, 7, why), 0);
        EQ(claim_take(NULL, 7, &run, why), 0);
    }
    end();
}

/* xenstored was started again, and knows nothing. */
static void a_claim_that_was_lost_is_made_again(void)
{
    begin_without_a_claim();
    EQ(rundir_open(&run, in("run"), false, why), 0);
    EQ(claim_take(NULL, 7, &run, why), 0);
    has_node = false;
    EQ(claim_take(NULL, 7, &run, why), 0);
    CU_ASSERT_TRUE(has_node);
    end();
}

static void a_store_that_does_not_take_it_is_said(void)
{
    begin_without_a_claim();
    EQ(rundir_open(&run, in("run"), false, why), 0);
    write_fails = -ENOSPC;
    EQ(claim_take(NULL, 7, &run, why), -ENOSPC);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "No space left"));
    end();
}

static const struct test tests[] = {
    TEST(a_claim_stands_until_it_is_dropped), TEST(a_second_daemon_sees_the_first_whatever_its_directory_is),
    TEST(a_daemon_that_is_about_to_claim_is_named_by_its_lock), TEST(a_killed_daemon_s_claim_holds_nobody_up),
    TEST(a_daemon_whose_directory_is_gone_is_seen_by_its_process),
    TEST(nonsense_in_the_node_holds_nobody_up), TEST(a_claim_that_was_lost_is_made_again),
    TEST(a_store_that_does_not_take_it_is_said)
};

int main(int argc, char **argv)
{
    return harness_run("claim", tests, sizeof tests / sizeof *tests, argc, argv);
}

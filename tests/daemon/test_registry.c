/* SPDX-License-Identifier: MIT */
/* test_registry.c: which devices there are, as the control socket is asked and xenstore says. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admitted.h"
#include "child.h"
#include "hosted.h"
#include "rawfront.h"
#include "toolstack.h"

#define GUEST 1u

static void start(const char *conf)
{
    toolstack_open();
    domain_make(GUEST, "web1", NULL);
    REQUIRE(daemon_start(conf) == 0);
}

static void stop(void)
{
    EQ(daemon_stop(SIGTERM), 0);
    toolstack_close();
}

static void attach(uint32_t domid, uint32_t number)
{
    REQUIRE(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":%u,\"device\":%u}", domid, number), "\"ok\":true") != NULL);
}

/* "main" is a part of "domain": such a key was taken and ignored. */
static void a_key_that_a_verb_does_not_have_is_refused(void)
{
    static const char *const keys[] = { "main", "domai", "in", "", " ", "e", "domain device", "devic", "ci", "verbs" };

    start("[daemon]\nattach = manual\n");
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const char *answer = daemon_ask("{\"verb\":\"attach\",\"domain\":%u,\"%s\":1}", GUEST, keys[i]);

        if (!strstr(answer, "it has no key"))
            fprintf(stderr, "\"%s\": %s\n", keys[i], answer);
        CU_ASSERT_PTR_NOT_NULL(strstr(answer, "it has no key"));
    }
    CU_ASSERT_PTR_NULL(record_of(GUEST, 0));
    stop();
}

static void detach_of_several_devices_asks_which_one(void)
{
    const char *answer;

    start("[daemon]\nattach = manual\n");
    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":%u}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "1 has no device"));
    attach(GUEST, 3);
    attach(GUEST, 0);
    attach(GUEST, 1);
    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":%u}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "1 has 3 devices, 0 1 3: name one of them (--device), or"));
    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":%u,\"device\":2}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "1 has no device 2"));
    for (uint32_t number = 0; number < 4; number++)
        EQ(domain_has_device(GUEST, number), number != 2);

    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":%u,\"device\":0,\"all\":true}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"ok\":false"));
    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":%u,\"device\":1}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"devices\":[1]"));
    UNTIL(!domain_has_device(GUEST, 1));
    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":%u,\"all\":true}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"devices\":[0,3]"));
    UNTIL(!domain_has_device(GUEST, 0) && !domain_has_device(GUEST, 3));

    /* One alone needs no number, and one that goes already does not count. */
    attach(GUEST, 2);
    answer = daemon_ask("{\"verb\":\"detach\",\"domain\":%u}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"devices\":[2]"));
    UNTIL(!domain_has_device(GUEST, 2));
    stop();
}

/* ---- what cannot be taken in ---- */

/* Something of an administrator's stands where the guest's directory would be. */
static void block(const char *dir)
{
    int fd = open(daemon_path("run/guest/%s", dir), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

    REQUIRE(fd >= 0);
    close(fd);
}

static void unblock(const char *dir)
{
    REQUIRE(unlink(daemon_path("run/guest/%s", dir)) == 0);
}

static void an_attach_that_fails_leaves_nothing_behind(void)
{
    const char *answer;

    start("[daemon]\nattach = manual\n");
    block("web1");
    answer = daemon_ask("{\"verb\":\"attach\",\"domain\":%u}", GUEST);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"ok\":false"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "guest/web1/vsock"));
    CU_ASSERT_PTR_NULL(record_of(GUEST, 0));
    CU_ASSERT_FALSE(domain_has_device(GUEST, 0));
    CU_ASSERT_FALSE(domain_has_frontend(GUEST, 0));
    unblock("web1");
    attach(GUEST, 0);
    CU_ASSERT_TRUE(record_has(GUEST, 0, "guest/web1\""));
    stop();
}

/* The device is not refused: it waits for its directory, says why, and is tried again ever more seldom, or when there is a reason. */
static void a_device_without_a_directory_waits_and_says_why_once(void)
{
    long mark;

    start("[daemon]\nlog_level = debug\n");
    domain_make(GUEST + 1, "a", NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    UNTIL(record_has(GUEST, 0, "guest/web1\"") && record_has(GUEST + 1, 0, "guest/a\""));
    block("web2");
    mark = daemon_log_mark();
    domain_rename(GUEST, "web2");
    UNTIL(record_has(GUEST, 0, "\"error\":\"cannot make the socket"));
    CU_ASSERT_TRUE(record_has(GUEST, 0, "guest/web1\""));         /* what it had, it keeps meanwhile */

    /* Whatever else happens, it is not tried at each occasion. */
    for (int i = 0; i < 30; i++) {
        domain_rename(GUEST + 1, i % 2 ? "a" : "b");
        UNTIL(record_has(GUEST + 1, 0, i % 2 ? "guest/a\"" : "guest/b\""));
    }
    EQ(daemon_log_count(mark, "cannot make the socket"), 1);
    CU_ASSERT_TRUE(daemon_log_count(mark, "its directory is tried again in") < 8);

    domain_rename(GUEST, "web3");               /* another name is another matter */
    UNTIL(record_has(GUEST, 0, "guest/web3\"") && record_has(GUEST, 0, "\"error\":\"\""));
    domain_rename(GUEST, "web2");
    UNTIL(record_has(GUEST, 0, "\"error\":\"cannot make the socket"));
    unblock("web2");
    daemon_ask("{\"verb\":\"reload\"}");
    CU_ASSERT_TRUE(record_has(GUEST, 0, "guest/web2\""));

    block("web4");
    mark = daemon_log_mark();
    domain_rename(GUEST, "web4");
    UNTIL(daemon_log_count(mark, "its directory is tried again in") >= 2);
    EQ(daemon_log_count(mark, "cannot make the socket"), 1);
    unblock("web4");
    UNTIL(record_has(GUEST, 0, "guest/web4\""));        /* by itself */
    stop();
}

static void a_new_device_without_a_directory_is_not_offered(void)
{
    struct rawfront f;

    toolstack_open();
    REQUIRE(daemon_start("[daemon]\nattach = manual\n") == 0);
    block("web1");
    EQ(daemon_stop(SIGTERM), 0);
    domain_make(GUEST, "web1", NULL);
    REQUIRE(daemon_start("") == 0);
    UNTIL(record_has(GUEST, 0, "\"error\":\"cannot make the socket"));
    CU_ASSERT_TRUE(record_has(GUEST, 0, "\"state\":\"Initialising\"") && record_has(GUEST, 0, "\"dir\":\"\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"dump\",\"domain\":%u}", GUEST), "\"ok\":true"));
    unblock("web1");
    daemon_ask("{\"verb\":\"reload\"}");
    REQUIRE(rawfront_open(&f, GUEST) == 0);     /* offered */
    rawfront_close(&f);

    /* One that waits can be detached. */
    block("web2");
    domain_make(GUEST + 1, "web2", NULL);
    UNTIL(strstr(daemon_ask("{\"verb\":\"reload\"}"), "true") && record_has(GUEST + 1, 0, "cannot make the socket"));
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"detach\",\"domain\":\"%u\"}", GUEST + 1), "\"devices\":[0]"));
    UNTIL(!record_of(GUEST + 1, 0) && !domain_has_device(GUEST + 1, 0));
    unblock("web2");
    stop();
}

/* ---- one device of an id ---- */

static int records(uint32_t domid, uint32_t number)
{
    const char *at = daemon_ask("{\"verb\":\"ls\"}");
    char id[64];
    int n = 0;

    snprintf(id, sizeof id, "\"domid\":%u,\"device\":%u,", domid, number);
    while ((at = strstr(at, id))) {
        n++;
        at++;
    }
    return n;
}

/* The guest's end is gone, and the daemon knows its own still: within half a second a second device of the id could be made. */
static void attaching_an_orphan_again_makes_no_second_device(void)
{
    struct rawfront f;
    char path[64];

    start("[daemon]\nattach = manual\n");
    attach(GUEST, 0);
    snprintf(path, sizeof path, "/local/domain/%u/device", GUEST);
    for (int i = 0; i < 10; i++) {
        REQUIRE(store_remove(dom0, path) == 0);
        attach(GUEST, 0);
        EQ(records(GUEST, 0), 1);
    }
    /* It works, and connected or not makes no difference. */
    REQUIRE(rawfront_open(&f, GUEST) == 0 && daemon_connect(&f) == 0);
    CU_ASSERT_TRUE(record_has(GUEST, 0, "\"state\":\"Connected\""));
    REQUIRE(store_remove(dom0, path) == 0);
    attach(GUEST, 0);
    EQ(records(GUEST, 0), 1);
    UNTIL(record_has(GUEST, 0, "\"state\":\"InitWait\""));
    rawfront_unshare(&f);
    rawfront_close(&f);
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":%u,\"device\":0}", GUEST),
                                  "it has that already"));
    stop();
}

static void a_cid_that_is_somebody_s_is_not_given_away(void)
{
    start("[daemon]\nattach = manual\n[guest web2]\ncid = 10\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":%u,\"cid\":10}", GUEST),
                                  "CID 10 is kept for the guest web2 by "));
    CU_ASSERT_FALSE(domain_has_device(GUEST, 0));
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":%u,\"cid\":5000}", GUEST), "\"cid\":5000,"));
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":%u,\"cid\":5000}", GUEST), "belongs to guest web1"));
    daemon_ask("{\"verb\":\"reload\"}");
    CU_ASSERT_TRUE(record_has(GUEST, 0, "\"cid\":5000,"));         /* given by a command, kept */
    stop();
}

/* ---- xenstore ---- */

/* Writes the states of all these devices as fast as it can, until it is killed. */
static pid_t write_states(uint32_t domains, uint32_t devices)
{
    pid_t pid = child_fork();
    struct store *s;

    if (pid)
        return pid;
    if (store_open(&s))
        _exit(1);
    for (;;)
        for (uint32_t domid = 1; domid <= domains; domid++)
            for (uint32_t number = 0; number < devices; number++) {
                char path[PATHS_MAX];

                snprintf(path, sizeof path, "/local/domain/%u/device/vsock/%u/state", domid, number);
                store_write(s, path, "1");
            }
}

/* More devices than one batch of events has: while they all changed their states, nothing else was done. */
static void guests_that_write_all_the_time_keep_nobody_waiting(void)
{
    enum { WRITERS = 3, DEVICES = 40 };
    pid_t writers[WRITERS];

    start("[daemon]\nattach = manual\n");
    for (uint32_t domid = 1; domid <= TOOLSTACK_GUESTS; domid++) {
        domain_make(domid, NULL, NULL);
        for (uint32_t number = 0; number < DEVICES; number++)
            attach(domid, number);
    }
    for (int i = 0; i < WRITERS; i++)
        REQUIRE((writers[i] = write_states(TOOLSTACK_GUESTS, DEVICES)) > 0);
    for (int i = 0; i < 5; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"stats\"}"), "\"ok\":true"));
    for (int i = 0; i < WRITERS; i++) {
        EQ(kill(writers[i], SIGKILL), 0);
        EQ(waitpid(writers[i], NULL, 0), writers[i]);
    }
    stop();
}

static const struct test tests[] = {
    TEST(a_key_that_a_verb_does_not_have_is_refused), TEST(detach_of_several_devices_asks_which_one),
    TEST(an_attach_that_fails_leaves_nothing_behind), TEST(a_device_without_a_directory_waits_and_says_why_once),
    TEST(a_new_device_without_a_directory_is_not_offered), TEST(attaching_an_orphan_again_makes_no_second_device),
    TEST(a_cid_that_is_somebody_s_is_not_given_away), TEST(guests_that_write_all_the_time_keep_nobody_waiting)
};

int main(int argc, char **argv)
{
    if (!hosted_is_here())
        return 2;
    return harness_run("registry", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_names.c: names follow domains: whatever a toolstack does to them, a guest's directory, CID and policy are those of the
 * newest living domain of its name. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "away.h"
#include "hosted.h"
#include "toolstack.h"

#define A 1u
#define B 2u
#define C 3u

static const char uuid[] = "01234567-89ab-cdef-0123-456789abcdef";

static bool node_says(uint32_t domid, uint32_t number, uint64_t cid)
{
    char path[PATHS_MAX], text[32];

    snprintf(path, sizeof path, "/local/domain/0/backend/vsock/%u/%u/cid", domid, number);
    return store_read(dom0, path, text, sizeof text) > 0 && strtoull(text, NULL, 10) == cid;
}

/* Of a device: its directory's name and its CID, as the daemon says, and as the guest will read it. */
static bool stands(uint32_t domid, uint32_t number, const char *dir, uint64_t cid)
{
    const char *record = record_of(domid, number), *at;
    char tail[100];

    snprintf(tail, sizeof tail, "/guest/%s\",", dir);
    return record && (at = strstr(record, "\"dir\":\"")) && strstr(at, tail) && daemon_number(record, "cid") == (long long)cid &&
           node_says(domid, number, cid);
}

#define STANDS(domid, dir, cid) do { int stands_n = 0; while (!stands(domid, 0, dir, cid)) { \
    if (stands_n++ == PATIENCE_MS / 10) { fprintf(stderr, "%s\n", record_of(domid, 0)); REQUIRE(stands(domid, 0, dir, cid)); } \
    toolstack_nap(); } } while (0)

/* What the link cid/N is to, "" without. */
static const char *link_to(uint64_t cid)
{
    static char target[128];
    ssize_t n = readlink(daemon_path("run/cid/%llu", (unsigned long long)cid), target, sizeof target - 1);

    target[n > 0 ? n : 0] = '\0';
    return target;
}

static bool links_to(uint64_t cid, const char *dir)
{
    char target[128];

    snprintf(target, sizeof target, "../guest/%s", dir);
    return !strcmp(link_to(cid), dir ? target : "");
}

/* Either of its two sockets, which come and go one after the other. */
static bool has(const char *dir, const char *name)
{
    return access(daemon_path("run/guest/%s/%s", dir, name), F_OK) == 0;
}

static bool is_there(const char *dir)
{
    return has(dir, "vsock") && has(dir, "vsock.seqpacket");
}

static bool is_gone(const char *dir)
{
    return !has(dir, "vsock") && !has(dir, "vsock.seqpacket");
}

static void start(const char *conf)
{
    toolstack_open();
    REQUIRE(daemon_start(conf) == 0);
}

static void stop(void)
{
    EQ(daemon_stop(SIGTERM), 0);
    toolstack_close();
}

/* ---- names that are none ---- */

static void a_domain_called_as_another_one_s_fallback_takes_nothing(void)
{
    char name[16];
    long mark;

    start("");
    mark = daemon_log_mark();
    snprintf(name, sizeof name, ":%u", B);
    domain_make(A, name, NULL);                 /* xl lets one be called so */
    snprintf(name, sizeof name, "dom%u", C);    /* what the fallback was once */
    domain_make(B, name, NULL);
    domain_make(C, "My VM", NULL);
    domain_make(C + 1, "a/b", NULL);
    domain_make(C + 2, NULL, NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(A, ":1", 1000 + A);
    STANDS(B, "dom3", 1000 + B);
    STANDS(C, ":3", 1000 + C);
    STANDS(C + 1, ":4", 1000 + C + 1);
    STANDS(C + 2, ":5", 1000 + C + 2);
    CU_ASSERT_TRUE(record_has(C + 2, 0, "\"name\":\":5\""));
    EQ(daemon_log_count(mark, "cannot"), 0);
    stop();
}

static void devices_beside_the_first_have_its_name(void)
{
    start("[guest web1]\ncid = 10\n");
    domain_make(A, "web1", NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(A, "web1", 10);
    REQUIRE(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":\"web1\",\"device\":3}"), "\"ok\":true") != NULL);
    CU_ASSERT_TRUE(stands(A, 3, "web1:3", 1000 + A + 3 * 32768));
    domain_rename(A, "My VM");
    UNTIL(stands(A, 3, ":1:3", 1000 + A + 3 * 32768) && stands(A, 0, ":1", 1000 + A));
    UNTIL(is_gone("web1"));
    UNTIL(is_gone("web1:3"));
    REQUIRE(strstr(daemon_ask("{\"verb\":\"detach\",\"domain\":\":1\",\"all\":true}"), "[0,3]") != NULL);
    stop();
}

/* ---- renamed ---- */

static void a_renamed_domain_has_its_new_name_at_once(void)
{
    start("[guest web1]\ncid = 10\n[guest web2]\ncid = 11\n");
    domain_make(A, "web1", NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(A, "web1", 10);
    UNTIL(links_to(10, "web1"));
    domain_rename(A, "web2");
    STANDS(A, "web2", 11);
    UNTIL(links_to(11, "web2") && links_to(10, NULL));
    UNTIL(is_gone("web1"));
    domain_rename(A, "other");
    STANDS(A, "other", 1000 + A);               /* what belongs to a name is not kept without it */
    UNTIL(links_to(1000 + A, "other") && links_to(11, NULL));
    CU_ASSERT_TRUE(record_has(A, 0, "\"name\":\"other\""));
    stop();
}

/* A program that reaches a guest by its CID does so while it is renamed, and while another one gets its name and CID. */
static void a_cid_has_a_link_all_the_time(void)
{
    int watch;

    start("[guest web1]\ncid = 10\n");
    domain_make(A, "db1", NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(A, "db1", 1000 + A);
    UNTIL(links_to(1000 + A, "db1"));
    REQUIRE((watch = away_watch(daemon_path("run/cid"))) >= 0);
    domain_rename(A, "db2");
    UNTIL(links_to(1000 + A, "db2"));
    UNTIL(is_gone("db1"));
    CU_ASSERT_FALSE(away_was(watch, "1001"));
    domain_rename(A, "web1");
    UNTIL(links_to(10, "web1") && links_to(1000 + A, NULL));
    CU_ASSERT_TRUE(away_was(watch, "1001"));
    domain_make(B, "web1", NULL);
    STANDS(B, "web1", 10);
    UNTIL(links_to(10, "web1") && links_to(1000 + A, ":1"));
    CU_ASSERT_FALSE(away_was(watch, "10"));
    close(watch);
    stop();
}

/* What xl migrate does, seen from either side: NAME--incoming is renamed when all is done. */
static void a_migrated_domain_has_its_name_and_cid(void)
{
    start("[guest web1]\ncid = 10\n[guest uuid:01234567-89ab-cdef-0123-456789abcdef]\ncid = 12\n");
    domain_make(A, "web1--incoming", NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(A, "web1--incoming", 1000 + A);
    domain_rename(A, "web1");
    STANDS(A, "web1", 10);

    /* Within one host: the UUID is both's. */
    domain_make(B, "web2", uuid);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(B, "web2", 12);
    domain_make(C, "web2--incoming", uuid);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(C, "web2--incoming", 1000 + C);
    CU_ASSERT_TRUE(links_to(12, "web2") && stands(B, 0, "web2", 12));
    domain_rename(B, "web2--migratedaway");
    STANDS(B, "web2--migratedaway", 1000 + B);
    domain_rename(C, "web2");
    STANDS(C, "web2", 12);
    UNTIL(links_to(12, "web2"));
    domain_remove(B);
    UNTIL(!record_of(B, 0));
    CU_ASSERT_TRUE(stands(C, 0, "web2", 12) && links_to(12, "web2") && is_there("web2"));
    stop();
}

/* on_crash = rename-restart gives the one that is kept another name and another UUID. */
static void a_section_by_uuid_is_followed_too(void)
{
    char path[64];

    start("[guest uuid:01234567-89AB-CDEF-0123-456789ABCDEF]\ncid = 12\n[guest web1]\ncid = 10\n");
    domain_make(A, "My VM", uuid);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(A, ":1", 12);
    UNTIL(links_to(12, ":1"));
    domain_rename(A, "web1");
    STANDS(A, "web1", 12);                      /* it comes before that of the name */
    snprintf(path, sizeof path, "/local/domain/%u/vm", A);
    REQUIRE(store_write(dom0, path, "/vm/00000000-0000-0000-0000-000000000001") == 0);
    STANDS(A, "web1", 10);
    REQUIRE(store_write(dom0, path, "nonsense") == 0);
    STANDS(A, "web1", 10);

    /* A link that goes from a newer device to an older one is made after it was taken away, not before. */
    domain_make(B, "web2", uuid);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(B, "web2", 12);
    daemon_freeze();
    REQUIRE(store_write(dom0, path, "/vm/01234567-89ab-cdef-0123-456789abcdef") == 0);
    snprintf(path, sizeof path, "/local/domain/%u/vm", B);
    REQUIRE(store_write(dom0, path, "nonsense") == 0);
    daemon_signal(SIGCONT);
    STANDS(A, "web1", 12);
    STANDS(B, "web2", 1000 + B);
    UNTIL(links_to(12, "web1") && links_to(1000 + B, "web2"));
    stop();
}

/* ---- made again ---- */

static void the_newest_of_a_name_has_it(void)
{
    long mark;

    start("[guest web1]\ncid = 10\n");
    domain_make(A, "web1", NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(A, "web1", 10);
    mark = daemon_log_mark();
    domain_make(B, "web1", NULL);               /* before the older one is gone */
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(B, "web1", 10);
    STANDS(A, ":1", 1000 + A);
    UNTIL(links_to(10, "web1"));
    domain_make(C, "web1", NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(C, "web1", 10);
    domain_remove(C);                           /* and if the newest goes, the next has it */
    UNTIL(!record_of(C, 0));
    STANDS(B, "web1", 10);
    domain_remove(A);
    UNTIL(!record_of(A, 0));
    CU_ASSERT_TRUE(stands(B, 0, "web1", 10) && links_to(10, "web1") && is_there("web1"));
    UNTIL(is_gone(":1"));
    EQ(daemon_log_count(mark, "cannot make"), 0);       /* the directory goes over, it is not fought for */
    stop();
}

/* The old domain is gone before the daemon sees that there is a new one, or sees both at once, or neither till it runs again. */
static void a_hundred_restarts_in_a_row(void)
{
    start("[guest web1]\ncid = 10\n");
    domain_make(A, "web1", NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(A, "web1", 10);
    for (uint32_t i = 0; i < 100; i++) {
        uint32_t old = A + i % 2, new = B - i % 2;

        if (i % 10 == 3) {
            daemon_stop(SIGKILL);
        } else if (i % 10 == 6) {
            EQ(daemon_stop(SIGTERM), 0);
        } else if (i % 3 == 0) {
            daemon_freeze();
        }
        domain_remove(old);
        domain_make(new, "web1", NULL);
        if (i % 10 == 3 || i % 10 == 6)
            REQUIRE(daemon_start("[guest web1]\ncid = 10\n") == 0);
        daemon_signal(SIGCONT);
        daemon_ask("{\"verb\":\"reload\"}");
        STANDS(new, "web1", 10);
        UNTIL(!record_of(old, 0));
        UNTIL(links_to(10, "web1") && is_there("web1"));
    }
    stop();
}

/* A domid that is used again at once, before the daemon has looked: the same number, another domain. */
static void a_domid_that_is_used_again_is_another_domain(void)
{
    start("[guest web1]\ncid = 10\n[guest web2]\ncid = 11\n");
    domain_make(A, "web1", NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(A, "web1", 10);
    daemon_freeze();
    domain_make(A, "web2", uuid);               /* as libxl does: what was there is removed in the same transaction */
    daemon_signal(SIGCONT);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(A, "web2", 11);
    UNTIL(domain_has_frontend(A, 0));
    stop();
}

/* ---- old paths ---- */

static void an_old_path_stays_while_somebody_listens_there(void)
{
    int fd;

    start("");
    domain_make(A, "web1--incoming", NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(A, "web1--incoming", 1000 + A);
    REQUIRE((fd = host_listen("web1--incoming", 5000)) >= 0);
    domain_rename(A, "web1");
    STANDS(A, "web1", 1000 + A);
    CU_ASSERT_TRUE(is_there("web1--incoming") && is_there("web1"));
    domain_rename(A, "web2");                   /* any occasion to look; there is one every 5 s */
    STANDS(A, "web2", 1000 + A);
    UNTIL(is_gone("web1"));
    CU_ASSERT_TRUE(is_there("web1--incoming"));
    close(fd);                                  /* its name stays, as that of a program that was killed */
    domain_rename(A, "web3");
    STANDS(A, "web3", 1000 + A);
    UNTIL(is_gone("web1--incoming"));
    REQUIRE(unlink(daemon_path("run/guest/web1--incoming/vsock_5000")) == 0);
    stop();
}

static void an_old_path_goes_to_who_has_the_name_next(void)
{
    int fd;

    start("");
    domain_make(A, "web1", NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(A, "web1", 1000 + A);
    REQUIRE((fd = host_listen("web1", 5000)) >= 0);
    domain_rename(A, "old");
    STANDS(A, "old", 1000 + A);
    CU_ASSERT_TRUE(is_there("web1"));
    domain_make(B, "web1", NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    STANDS(B, "web1", 1000 + B);
    domain_remove(A);
    UNTIL(!record_of(A, 0));
    CU_ASSERT_TRUE(is_there("web1"));           /* it is B's alone */
    close(fd);
    REQUIRE(unlink(daemon_path("run/guest/web1/vsock_5000")) == 0);
    stop();
    CU_ASSERT_TRUE(is_gone("web1"));
}

static const struct test tests[] = {
    TEST(a_domain_called_as_another_one_s_fallback_takes_nothing), TEST(devices_beside_the_first_have_its_name),
    TEST(a_renamed_domain_has_its_new_name_at_once), TEST(a_cid_has_a_link_all_the_time),
    TEST(a_migrated_domain_has_its_name_and_cid),
    TEST(a_section_by_uuid_is_followed_too), TEST(the_newest_of_a_name_has_it), TEST(a_hundred_restarts_in_a_row),
    TEST(a_domid_that_is_used_again_is_another_domain), TEST(an_old_path_stays_while_somebody_listens_there),
    TEST(an_old_path_goes_to_who_has_the_name_next)
};

int main(int argc, char **argv)
{
    if (!hosted_is_here())
        return 2;
    return harness_run("names", tests, sizeof tests / sizeof *tests, argc, argv);
}

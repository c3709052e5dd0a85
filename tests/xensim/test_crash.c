/* SPDX-License-Identifier: MIT */
/* test_crash.c: domains come and go, and who sees it.  A crash is no unmap: the
 * guest's kernel is gone, so no byte is cleared and no event sent; xenstored's
 * @releaseDomain is the news. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim.h"

#define RW (PROT_READ | PROT_WRITE)
#define FAILS(call, error) do { errno = 0; EQ((call), -1); EQ(errno, (error)); } while (0)

static unsigned domain_new(const char *options)
{
    EQ(sim("create %s %s", options, sim_dir()), 0);
    return (unsigned)strtoul(sim_out, NULL, 10);
}

/* Waits for a watch event on 'path'. */
static bool watch_fires(struct xs_handle *xs, const char *path)
{
    struct pollfd pfd = { .fd = xs_fileno(xs), .events = POLLIN };
    char **event;
    bool same;

    while (!(event = xs_check_watch(xs)))
        if (poll(&pfd, 1, PATIENCE_MS) != 1)
            return false;
    same = !strcmp(event[XS_WATCH_PATH], path);
    free(event);
    return same;
}

static void dom0_hears_of_domains_that_come_and_go(void)
{
    struct xs_handle *xs = xs_as(0);
    unsigned domid;
    char path[64];

    CU_ASSERT(xs_watch(xs, "@introduceDomain", "i"));
    CU_ASSERT(watch_fires(xs, "@introduceDomain"));
    CU_ASSERT(xs_watch(xs, "@releaseDomain", "r"));
    CU_ASSERT(watch_fires(xs, "@releaseDomain"));
    domid = domain_new("--name comes");
    CU_ASSERT(domid > 3);
    CU_ASSERT(watch_fires(xs, "@introduceDomain"));
    CU_ASSERT(xs_is_domain_introduced(xs, domid));
    EQ(sim("destroy %s comes", sim_dir()), 0);
    CU_ASSERT(watch_fires(xs, "@releaseDomain"));
    CU_ASSERT_FALSE(xs_is_domain_introduced(xs, domid));
    snprintf(path, sizeof path, "/local/domain/%u", domid);
    CU_ASSERT_PTR_NULL(xs_read(xs, XBT_NULL, path, NULL));
    EQ(errno, ENOENT);
    EQ(count_of(domid, "nodes"), -1);
    xs_close(xs);
}

static void a_killed_bridge_is_a_crash_to_xenstored_and_to_every_peer(void)
{
    unsigned domid = domain_new("");
    long mapped = count_of(0, "mapped"), ports = count_of(0, "ports");
    struct xs_handle *xs = xs_as(0);
    struct pair p = pair_open(domid, 0);
    xengntshr_handle *shr = gntshr_as(domid);
    xengnttab_handle *tab = gnttab_as(0);
    uint32_t ref;
    char *ours, *page;

    REQUIRE((ours = xengntshr_share_page_notify(shr, 0, &ref, 1, 0, (evtchn_port_t)p.at_a)) != NULL);
    REQUIRE((page = xengnttab_map_grant_ref(tab, domid, ref, RW)) != NULL);
    strcpy(ours, "last words");
    CU_ASSERT(xs_watch(xs, "@releaseDomain", "r"));
    CU_ASSERT(watch_fires(xs, "@releaseDomain"));
    EQ(kill((pid_t)count_of(domid, "pid"), SIGKILL), 0);
    CU_ASSERT(watch_fires(xs, "@releaseDomain"));
    while (xs_is_domain_introduced(xs, domid))
        CU_ASSERT(watch_fires(xs, "@releaseDomain"));

    /* The page stays, with what was in it; nothing was notified. */
    CU_ASSERT_STRING_EQUAL(page, "last words");
    EQ(next_event(p.b, 0), -1);
    EQ(xenevtchn_notify(p.b, (evtchn_port_t)p.at_b), 0);
    EQ(count_of(domid, "revoked"), 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(sim_out, "\"dying\""));
    CU_ASSERT_PTR_NULL(xengnttab_map_grant_ref(tab, domid, ref, RW));
    EQ(errno, EINVAL);
    FAILS(xenevtchn_bind_interdomain(p.b, domid, (evtchn_port_t)p.at_a), ESRCH);
    EQ(sim("create %s %u", sim_dir(), domid), 1);

    /* Its own programs have lost their kernel. */
    FAILS(xenevtchn_bind_unbound_port(p.a, 0), EIO);
    CU_ASSERT_PTR_NULL(xengntshr_share_pages(shr, 0, 1, &ref, 1));
    EQ(errno, EIO);
    xensim_become(domid);
    CU_ASSERT_PTR_NULL(xenevtchn_open(NULL, 0));
    EQ(errno, ENOENT);
    CU_ASSERT_PTR_NULL(xs_open(0));

    /* With the last page it is gone, and the number is free. */
    EQ(xengnttab_unmap(tab, page, 1), 0);
    await_count(domid, "revoked", -1);
    EQ(sim("create %s %u", sim_dir(), domid), 0);
    EQ(sim("destroy %s %u", sim_dir(), domid), 0);
    xengnttab_close(tab);
    xengntshr_close(shr);
    pair_close(&p);
    xs_close(xs);
    await_count(0, "mapped", mapped - 1);      /* its xenstore ring */
    await_count(0, "ports", ports - 1);
}

static void a_domains_programs_die_with_it_but_for_ghosts(void)
{
    unsigned domid = domain_new("--name mortal");
    char command[512];
    FILE *runs, *ghost;
    int status;

    snprintf(command, sizeof command, "%s/xensim run -d mortal %s sh -c 'echo up; exec sleep 1000'",
             getenv("XENSIM_BIN"), sim_dir());
    REQUIRE((runs = popen(command, "r")) != NULL);
    EQ(fgetc(runs), 'u');
    snprintf(command, sizeof command, "%s/xensim run --ghost -d mortal %s sh -c 'echo $$; exec sleep 1000'",
             getenv("XENSIM_BIN"), sim_dir());
    REQUIRE((ghost = popen(command, "r")) != NULL);
    EQ(fscanf(ghost, "%d", &status), 1);
    EQ(sim("destroy %s %u", sim_dir(), domid), 0);
    while (fgetc(runs) != EOF)
        ;
    CU_ASSERT(pclose(runs) != 0);
    EQ(kill(status, 0), 0);
    EQ(kill(status, SIGKILL), 0);
    pclose(ghost);
}

static void a_domain_may_be_allowed_fewer_pages(void)
{
    unsigned domid = domain_new("--grant-limit 10");
    xengntshr_handle *shr = gntshr_as(domid);
    uint32_t refs[11];

    CU_ASSERT_PTR_NULL(xengntshr_share_pages(shr, 0, 11, refs, 1));
    EQ(errno, ENOSPC);
    CU_ASSERT_PTR_NOT_NULL(xengntshr_share_pages(shr, 0, 10, refs, 1));
    xengntshr_close(shr);
    EQ(sim("destroy %s %u", sim_dir(), domid), 0);
}

/* A crashed mapper gives the owner its pages back, unnotified. */
static void a_crashed_mapper_frees_what_it_mapped(void)
{
    unsigned domid = domain_new("");
    xengntshr_handle *shr = gntshr_as(1);
    xengnttab_handle *tab = gnttab_as(domid);
    char *ours, *page;
    uint32_t ref;

    REQUIRE((ours = xengntshr_share_pages(shr, domid, 1, &ref, 1)) != NULL);
    REQUIRE((page = xengnttab_map_grant_ref_notify(tab, 1, ref, RW, 5, UINT32_MAX)) != NULL);
    page[5] = 1;
    EQ(xengntshr_unshare(shr, ours, 1), 0);
    EQ(count_of(1, "revoked"), 1);
    EQ(sim("destroy %s %u", sim_dir(), domid), 0);
    await_count(1, "revoked", 0);
    EQ(page[5], 1);
    xengnttab_close(tab);
    xengntshr_close(shr);
}

static void twenty_domains_come_and_go_without_a_trace(void)
{
    unsigned domids[20];
    long nodes = count_of(0, "nodes"), ports = count_of(0, "ports"), mapped = count_of(0, "mapped");

    for (int i = 0; i < 20; i++)
        CU_ASSERT((domids[i] = domain_new("")) > 3);
    for (int i = 0; i < 20; i++)
        EQ(sim("destroy %s %u", sim_dir(), domids[i]), 0);
    await_count(0, "nodes", nodes);
    await_count(0, "ports", ports);
    await_count(0, "mapped", mapped);
}

static const struct test tests[] = {
    TEST(dom0_hears_of_domains_that_come_and_go),
    TEST(a_killed_bridge_is_a_crash_to_xenstored_and_to_every_peer),
    TEST(a_domains_programs_die_with_it_but_for_ghosts),
    TEST(a_domain_may_be_allowed_fewer_pages),
    TEST(a_crashed_mapper_frees_what_it_mapped),
    TEST(twenty_domains_come_and_go_without_a_trace),
};

int main(int argc, char **argv)
{
    return harness_run("xensim-crash", tests, sizeof tests / sizeof *tests, argc, argv);
}

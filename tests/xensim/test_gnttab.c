/* SPDX-License-Identifier: MIT */
/* test_gnttab.c: grants as gntalloc gives them and gntdev maps them. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim.h"

#define RW (PROT_READ | PROT_WRITE)
#define PAGE 4096u
#define FAILS(call, error) do { errno = 0; EQ((call), -1); EQ(errno, (error)); } while (0)
#define REFUSED(call, error) do { errno = 0; CU_ASSERT_PTR_NULL(call); EQ(errno, (error)); } while (0)

/* Guest 1 shares with dom0: what most tests begin with. */
static xengntshr_handle *shr;
static xengnttab_handle *tab;

static void both_open(void)
{
    shr = gntshr_as(1);
    tab = gnttab_as(0);
}

static void both_close(void)
{
    EQ(xengnttab_close(tab), 0);
    EQ(xengntshr_close(shr), 0);
}

static void both_sides_see_one_memory_that_starts_zeroed(void)
{
    uint32_t refs[16];
    char *ours, *theirs;

    both_open();
    REQUIRE((ours = xengntshr_share_pages(shr, 0, 16, refs, 1)) != NULL);
    REQUIRE((theirs = xengnttab_map_domain_grant_refs(tab, 16, 1, refs, RW)) != NULL);
    for (size_t i = 0; i < 16 * PAGE; i++)
        if (ours[i] || theirs[i])
            CU_FAIL("not zero");
    for (int i = 0; i < 16; i++) {
        CU_ASSERT(refs[i] >= 8);
        memset(ours + (size_t)i * PAGE, 'a' + i, PAGE / 2);
        memset(theirs + (size_t)i * PAGE + PAGE / 2, 'A' + i, PAGE / 2);
    }
    EQ(memcmp(ours, theirs, 16 * PAGE), 0);
    EQ(xengnttab_unmap(tab, theirs, 16), 0);
    EQ(xengntshr_unshare(shr, ours, 16), 0);
    both_close();
}

static void only_the_grantee_maps_and_only_as_granted(void)
{
    xengnttab_handle *other;
    uint32_t refs[2];

    both_open();
    other = gnttab_as(2);
    REQUIRE(xengntshr_share_pages(shr, 0, 1, &refs[0], 1) != NULL);
    REQUIRE(xengntshr_share_pages(shr, 0, 1, &refs[1], 0) != NULL);
    REFUSED(xengnttab_map_grant_ref(other, 1, refs[0], RW), EINVAL);
    REFUSED(xengnttab_map_grant_ref(tab, 2, refs[0], RW), EINVAL);
    REFUSED(xengnttab_map_grant_ref(tab, 4711, refs[0], RW), EINVAL);
    REFUSED(xengnttab_map_grant_ref(tab, 1, 30000, RW), EINVAL);
    REFUSED(xengnttab_map_grant_ref(tab, 1, UINT32_MAX, RW), EINVAL);
    REFUSED(xengnttab_map_grant_ref(tab, 1, refs[1], RW), EINVAL);
    REFUSED(xengnttab_map_domain_grant_refs(tab, 0, 1, refs, RW), EINVAL);
    CU_ASSERT_PTR_NOT_NULL(xengnttab_map_grant_ref(tab, 1, refs[1], PROT_READ));
    xengnttab_close(other);
    both_close();
}

static void a_map_of_which_one_is_wrong_maps_none(void)
{
    uint32_t refs[3];
    long before = count_of(0, "mapped");

    both_open();
    REQUIRE(xengntshr_share_pages(shr, 0, 3, refs, 1) != NULL);
    refs[1] = 31000;
    REFUSED(xengnttab_map_domain_grant_refs(tab, 3, 1, refs, RW), EINVAL);
    EQ(count_of(0, "mapped"), before);
    both_close();
}

static void unmap_wants_the_count_that_was_mapped(void)
{
    uint32_t refs[4];
    char *p;

    both_open();
    REQUIRE(xengntshr_share_pages(shr, 0, 4, refs, 1) != NULL);
    REQUIRE((p = xengnttab_map_domain_grant_refs(tab, 4, 1, refs, RW)) != NULL);
    FAILS(xengnttab_unmap(tab, p, 3), EINVAL);
    FAILS(xengnttab_unmap(tab, p, 5), EINVAL);
    FAILS(xengnttab_unmap(tab, p, 0), EINVAL);
    FAILS(xengnttab_unmap(tab, p + PAGE, 3), EINVAL);
    p[0] = 1;
    EQ(xengnttab_unmap(tab, p, 4), 0);
    FAILS(xengnttab_unmap(tab, p, 4), EINVAL);
    both_close();
}

static void a_mapper_keeps_a_revoked_page_and_the_owner_pays_for_it(void)
{
    long granted = count_of(1, "granted");
    char *ours, *theirs;
    uint32_t ref;

    both_open();
    REQUIRE((ours = xengntshr_share_pages(shr, 0, 1, &ref, 1)) != NULL);
    REQUIRE((theirs = xengnttab_map_grant_ref(tab, 1, ref, RW)) != NULL);
    strcpy(ours, "still here");
    EQ(xengntshr_unshare(shr, ours, 1), 0);
    CU_ASSERT_STRING_EQUAL(theirs, "still here");
    EQ(count_of(1, "granted"), granted + 1);
    EQ(count_of(1, "revoked"), 1);
    REFUSED(xengnttab_map_grant_ref(tab, 1, ref, RW), EINVAL);
    EQ(xengnttab_unmap(tab, theirs, 1), 0);
    EQ(count_of(1, "granted"), granted);
    EQ(count_of(1, "revoked"), 0);
    both_close();
}

static void a_domain_grants_1024_pages_in_all(void)
{
    static uint32_t refs[1025];
    xengntshr_handle *second;
    void *most, *last;

    both_open();
    second = gntshr_as(1);
    REFUSED(xengntshr_share_pages(shr, 0, 1025, refs, 1), ENOSPC);
    REQUIRE((most = xengntshr_share_pages(shr, 0, 1000, refs, 1)) != NULL);
    REQUIRE((last = xengntshr_share_pages(second, 2, 24, refs, 1)) != NULL);
    REFUSED(xengntshr_share_pages(second, 0, 1, refs, 1), ENOSPC);
    EQ(xengntshr_unshare(shr, most, 1000), 0);
    CU_ASSERT_PTR_NOT_NULL(xengntshr_share_pages(second, 0, 1000, refs, 1));
    xengntshr_close(second);
    both_close();
}

static void revoked_but_mapped_pages_count_against_the_limit(void)
{
    static uint32_t refs[1024];
    void *ours, *theirs;

    both_open();
    REQUIRE((ours = xengntshr_share_pages(shr, 0, 1024, refs, 1)) != NULL);
    REQUIRE((theirs = xengnttab_map_domain_grant_refs(tab, 1024, 1, refs, RW)) != NULL);
    EQ(xengntshr_unshare(shr, ours, 1024), 0);
    REFUSED(xengntshr_share_pages(shr, 0, 1, refs, 1), ENOSPC);
    EQ(xengnttab_unmap(tab, theirs, 1024), 0);
    CU_ASSERT_PTR_NOT_NULL(xengntshr_share_pages(shr, 0, 1024, refs, 1));
    both_close();
}

/* ---- unmap notifications ---- */

struct watch {
    struct pair p;                     /* a: guest 1, b: dom0 */
    uint32_t ref;
    volatile char *page;
};

static void sharer(int in, int out)
{
    xengntshr_handle *xgs = gntshr_as(1);
    xenevtchn_handle *xce = evtchn_as(1);
    int port = xenevtchn_bind_unbound_port(xce, 0);
    uint32_t ref = 0;
    char *page = xengntshr_share_page_notify(xgs, 0, &ref, 1, 100, (evtchn_port_t)port);

    if (!page)
        _exit(1);
    page[99] = page[100] = page[101] = 1;
    dprintf(out, "%u %d", ref, port);
    await_byte(in);
    if (!fork()) {                     /* a child that only holds the descriptors */
        say_byte(out);
        pause();
    }
    pause();
}

static struct child sharer_start(struct watch *w, xengnttab_handle *xgt, xenevtchn_handle *xce, int *port)
{
    struct child c = child_start(sharer);
    char text[64] = "";
    int far;

    REQUIRE(read(c.in, text, sizeof text - 1) > 0);
    REQUIRE(sscanf(text, "%u %d", &w->ref, &far) == 2);
    REQUIRE((w->page = xengnttab_map_grant_ref(xgt, 1, w->ref, RW)) != NULL);
    *port = xenevtchn_bind_interdomain(xce, 1, (evtchn_port_t)far);
    EQ(next_event(xce, PATIENCE_MS), *port);
    EQ(w->page[100], 1);
    return c;
}

static void a_killed_sharer_leaves_byte_zero_and_one_event(void)
{
    xengnttab_handle *xgt = gnttab_as(0);
    xenevtchn_handle *xce = evtchn_as(0);
    struct watch w;
    struct child c;
    int port;

    c = sharer_start(&w, xgt, xce, &port);
    child_kill(&c);
    EQ(next_event(xce, PATIENCE_MS), port);
    EQ(w.page[100], 0);
    EQ(w.page[99] & w.page[101], 1);
    EQ(next_event(xce, 0), -1);
    xenevtchn_close(xce);
    xengnttab_close(xgt);
}

static void a_killed_sharers_child_delays_the_news(void)
{
    xengnttab_handle *xgt = gnttab_as(0);
    xenevtchn_handle *xce = evtchn_as(0);
    struct watch w;
    struct child c;
    char line[64] = "";
    int port, grandchild = 0;
    FILE *f;

    c = sharer_start(&w, xgt, xce, &port);
    child_tell(&c);
    child_await(&c);
    snprintf(line, sizeof line, "/proc/%d/task/%d/children", c.pid, c.pid);
    if (!(f = fopen(line, "r")) || fscanf(f, "%d", &grandchild) != 1 || grandchild <= 0) {
        if (f)
            fclose(f);
        child_kill(&c);
        xenevtchn_close(xce);
        xengnttab_close(xgt);
        SKIP("this kernel does not list a process's children");
    }
    fclose(f);
    child_kill(&c);
    EQ(next_event(xce, 50), -1);
    EQ(w.page[100], 1);
    kill(grandchild, SIGKILL);
    EQ(next_event(xce, PATIENCE_MS), port);
    EQ(w.page[100], 0);
    xenevtchn_close(xce);
    xengnttab_close(xgt);
}

static void mapper(int in, int out)
{
    xengnttab_handle *xgt = gnttab_as(0);
    xenevtchn_handle *xce = evtchn_as(0);
    char text[64] = "", *page;
    uint32_t ref;
    int far, port;

    if (read(in, text, sizeof text - 1) <= 0 || sscanf(text, "%u %d", &ref, &far) != 2)
        _exit(1);
    port = xenevtchn_bind_interdomain(xce, 1, (evtchn_port_t)far);
    page = xengnttab_map_grant_ref_notify(xgt, 1, ref, RW, 200, (evtchn_port_t)port);
    if (!page)
        _exit(1);
    page[200] = 1;
    say_byte(out);
    await_byte(in);
    xengnttab_unmap(xgt, page, 1);
    pause();
}

static void a_mapper_is_missed_when_it_unmaps_and_when_it_is_killed(void)
{
    for (int killed = 0; killed < 2; killed++) {
        xengntshr_handle *xgs = gntshr_as(1);
        xenevtchn_handle *xce = evtchn_as(1);
        int port = xenevtchn_bind_unbound_port(xce, 0);
        struct child c = child_start(mapper);
        volatile char *page;
        uint32_t ref;

        REQUIRE((page = xengntshr_share_pages(xgs, 0, 1, &ref, 1)) != NULL);
        EQ(dprintf(c.out, "%u %d", ref, port) > 0, 1);
        child_await(&c);
        EQ(page[200], 1);
        EQ(next_event(xce, 0), -1);
        if (killed)
            child_kill(&c);
        else
            child_tell(&c);
        EQ(next_event(xce, PATIENCE_MS), port);
        EQ(page[200], 0);
        if (!killed)
            child_kill(&c);
        EQ(next_event(xce, 0), -1);
        xenevtchn_close(xce);
        xengntshr_close(xgs);
    }
}

/* gntdev and gntalloc hold the port: an evtchn handle closed first does not silence them. */
static void a_notify_outlives_the_event_handle_it_names(void)
{
    struct pair p = pair_open(1, 0);
    volatile char *page;
    uint32_t ref;
    char *ours;

    both_open();
    REQUIRE((ours = xengntshr_share_page_notify(shr, 0, &ref, 1, 0, (evtchn_port_t)p.at_a)) != NULL);
    REQUIRE((page = xengnttab_map_grant_ref(tab, 1, ref, RW)) != NULL);
    ours[0] = 1;
    EQ(xenevtchn_close(p.a), 0);
    EQ(next_event(p.b, 0), -1);
    EQ(xengntshr_close(shr), 0);
    EQ(next_event(p.b, PATIENCE_MS), p.at_b);
    EQ(page[0], 0);
    xengnttab_close(tab);
    xenevtchn_close(p.b);
    EQ(count_of(1, "ports"), 1);       /* its bridge's */
}

static void a_notify_may_be_a_byte_alone_or_an_event_alone(void)
{
    struct pair p = pair_open(1, 0);
    volatile char *page;
    uint32_t ref[2];
    char *ours[2];

    both_open();
    REQUIRE((ours[0] = xengntshr_share_page_notify(shr, 0, &ref[0], 1, 4095, UINT32_MAX)) != NULL);
    REQUIRE((ours[1] = xengntshr_share_page_notify(shr, 0, &ref[1], 1, UINT32_MAX,
                                                   (evtchn_port_t)p.at_a)) != NULL);
    REQUIRE((page = xengnttab_map_grant_ref(tab, 1, ref[0], RW)) != NULL);
    ours[0][4095] = 1;
    EQ(xengntshr_unshare(shr, ours[0], 1), 0);
    EQ(page[4095], 0);
    EQ(next_event(p.b, 0), -1);
    EQ(xengntshr_unshare(shr, ours[1], 1), 0);
    EQ(next_event(p.b, PATIENCE_MS), p.at_b);
    both_close();
    pair_close(&p);
}

static void an_impossible_notify_maps_and_shares_nothing(void)
{
    long granted = count_of(1, "granted"), mapped = count_of(0, "mapped");
    uint32_t ref, ro;

    both_open();
    REQUIRE(xengntshr_share_pages(shr, 0, 1, &ref, 1) != NULL);
    REQUIRE(xengntshr_share_pages(shr, 0, 1, &ro, 0) != NULL);
    REFUSED(xengnttab_map_grant_ref_notify(tab, 1, ref, PROT_READ, 0, UINT32_MAX), EINVAL);
    REFUSED(xengnttab_map_grant_ref_notify(tab, 1, ro, PROT_READ, 0, UINT32_MAX), EINVAL);
    REFUSED(xengnttab_map_grant_ref_notify(tab, 1, ref, RW, 4096, UINT32_MAX), EINVAL);
    REFUSED(xengnttab_map_grant_ref_notify(tab, 1, ref, RW, 0, 3999), EINVAL);
    REFUSED(xengntshr_share_page_notify(shr, 0, &ref, 1, 4096, UINT32_MAX), EINVAL);
    REFUSED(xengntshr_share_page_notify(shr, 0, &ref, 1, 0, 3999), EINVAL);
    EQ(count_of(1, "granted"), granted + 2);
    EQ(count_of(0, "mapped"), mapped);
    both_close();
}

/* A host of its own, started with 'options', for the rest of the test. */
static char own_dir[64], *usual_dir;

static void own_host(const char *options)
{
    usual_dir = strdup(sim_dir());
    snprintf(own_dir, sizeof own_dir, "/tmp/xensim-own.XXXXXX");
    REQUIRE(mkdtemp(own_dir) != NULL);
    EQ(sim("start %s --while %d --guests 1 %s", options, getpid(), own_dir), 0);
    setenv("XENSIM_DIR", own_dir, 1);
}

static void own_host_end(void)
{
    EQ(sim("stop %s", own_dir), 0);
    rmdir(own_dir);
    setenv("XENSIM_DIR", usual_dir, 1);
    free(usual_dir);
}

/* Older kernels send the event before they clear the byte: whoever trusts that one
 * event sleeps for ever.  A host can be started to behave so. */
static bool the_event_comes_before_the_byte(void)
{
    struct pair p = pair_open(1, 0);
    volatile char *page;
    uint32_t ref;
    char *ours;
    int late;

    both_open();
    REQUIRE((ours = xengntshr_share_page_notify(shr, 0, &ref, 1, 0, (evtchn_port_t)p.at_a)) != NULL);
    REQUIRE((page = xengnttab_map_grant_ref(tab, 1, ref, RW)) != NULL);
    ours[0] = 1;
    if (!(late = fork())) {
        /* The close below waits for the daemon, so the event is met here. */
        next_event(p.b, PATIENCE_MS);
        _exit(page[0]);
    }
    xengntshr_close(shr);
    REQUIRE(waitpid(late, &late, 0) > 0);
    EQ(page[0], 0);
    xengnttab_close(tab);
    pair_close(&p);
    return WEXITSTATUS(late) == 1;
}

static void an_older_kernel_clears_the_byte_after_the_event(void)
{
    int tries = 1;

    own_host("--late-byte 200");
    while (!the_event_comes_before_the_byte() && tries < 50)
        tries++;                        /* it slept through 200 ms: the machine is busy */
    CU_ASSERT(tries < 50);
    own_host_end();
}

/* ---- protections, copies ---- */

static void a_read_only_map_of_a_writable_grant_stays_read_only(void)
{
    uint32_t ref;
    char *p;

    both_open();
    REQUIRE(xengntshr_share_pages(shr, 0, 1, &ref, 1) != NULL);
    REQUIRE((p = xengnttab_map_grant_ref(tab, 1, ref, PROT_READ)) != NULL);
    FAILS(mprotect(p, PAGE, RW), EACCES);
    EQ(xengnttab_unmap(tab, p, 1), 0);
    both_close();
}

static xengnttab_grant_copy_segment_t to_virt(uint32_t ref, uint16_t offset, void *virt, uint16_t len)
{
    xengnttab_grant_copy_segment_t s = { .len = len, .flags = GNTCOPY_source_gref, .status = 77 };

    s.source.foreign.domid = 1;
    s.source.foreign.ref = ref;
    s.source.foreign.offset = offset;
    s.dest.virt = virt;
    return s;
}

static xengnttab_grant_copy_segment_t from_virt(void *virt, uint32_t ref, uint16_t offset, uint16_t len)
{
    xengnttab_grant_copy_segment_t s = { .len = len, .flags = GNTCOPY_dest_gref, .status = 77 };

    s.source.virt = virt;
    s.dest.foreign.domid = 1;
    s.dest.foreign.ref = ref;
    s.dest.foreign.offset = offset;
    return s;
}

static void grant_copy_gives_each_segment_its_status(void)
{
    xengnttab_grant_copy_segment_t segs[6];
    char got[PAGE] = "", gave[] = "from dom0", *pages, *ro;
    uint32_t refs[2], ro_ref;

    both_open();
    REQUIRE((pages = xengntshr_share_pages(shr, 0, 2, refs, 1)) != NULL);
    REQUIRE((ro = xengntshr_share_pages(shr, 0, 1, &ro_ref, 0)) != NULL);
    strcpy(pages + 4090, "edge");
    strcpy(ro, "read me");
    segs[0] = to_virt(refs[0], 4090, got, 6);
    segs[1] = to_virt(31000, 0, got + 10, 4);
    segs[2] = from_virt(gave, refs[1], 8, sizeof gave);
    segs[3] = from_virt(gave, ro_ref, 0, sizeof gave);
    segs[4] = to_virt(ro_ref, 0, got + 20, 8);
    segs[5] = to_virt(70000, 0, got + 10, 4);
    EQ(xengnttab_grant_copy(tab, 6, segs), 0);
    EQ(segs[0].status, GNTST_okay);
    EQ(segs[1].status, GNTST_general_error);
    EQ(segs[2].status, GNTST_okay);
    EQ(segs[3].status, GNTST_general_error);
    EQ(segs[4].status, GNTST_okay);
    EQ(segs[5].status, GNTST_bad_gntref);
    CU_ASSERT_STRING_EQUAL(got, "edge");
    CU_ASSERT_STRING_EQUAL(got + 20, "read me");
    CU_ASSERT_STRING_EQUAL(pages + PAGE + 8, "from dom0");
    CU_ASSERT_STRING_EQUAL(ro, "read me");

    /* Between two grants, and past the end of a page. */
    segs[0] = to_virt(refs[1], 8, NULL, sizeof gave);
    segs[0].flags = GNTCOPY_source_gref | GNTCOPY_dest_gref;
    segs[0].dest.foreign.domid = 1;
    segs[0].dest.foreign.ref = refs[0];
    segs[0].dest.foreign.offset = 0;
    EQ(xengnttab_grant_copy(tab, 1, segs), 0);
    EQ(segs[0].status, GNTST_okay);
    CU_ASSERT_STRING_EQUAL(pages, "from dom0");
    segs[0] = to_virt(refs[0], 4090, got, 7);
    FAILS(xengnttab_grant_copy(tab, 1, segs), EINVAL);
    segs[0] = to_virt(refs[0], 0, got, 1);
    segs[0].source.foreign.domid = 4711;
    EQ(xengnttab_grant_copy(tab, 1, segs), 0);
    EQ(segs[0].status, GNTST_bad_domain);
    both_close();
}

/* ---- how pages are mapped ---- */

static int mappings(const char *from, size_t bytes)
{
    FILE *f = fopen("/proc/self/maps", "r");
    unsigned long a, b;
    char line[512];
    int n = 0;

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "%lx-%lx", &a, &b) == 2 && a < (unsigned long)from + bytes
            && b > (unsigned long)from)
            n++;
    if (f)
        fclose(f);
    return n;
}

static void consecutive_references_are_one_mapping(void)
{
    uint32_t refs[256];
    char *p;

    both_open();
    REQUIRE(xengntshr_share_pages(shr, 0, 256, refs, 1) != NULL);
    REQUIRE((p = xengnttab_map_domain_grant_refs(tab, 256, 1, refs, RW)) != NULL);
    EQ(mappings(p, 256 * PAGE), 1);
    both_close();
}

static void references_in_any_order_from_several_domains_map_side_by_side(void)
{
    enum { N = 600 };                  /* more than one reply can carry */
    static uint32_t refs[2 * N], domids[2 * N], up[N];
    static char *ours[2 * N];
    xengntshr_handle *shr2;
    char *p;

    both_open();
    shr2 = gntshr_as(2);
    for (int i = 0; i < 2 * N; i++) {
        int at = 2 * N - 1 - i;

        domids[at] = i % 2 ? 2 : 1;
        REQUIRE((ours[at] = xengntshr_share_pages(i % 2 ? shr2 : shr, 0, 1, &refs[at], 1)) != NULL);
        snprintf(ours[at], PAGE, "page %d", at);
    }
    REQUIRE((p = xengnttab_map_grant_refs(tab, 2 * N, domids, refs, RW)) != NULL);
    for (int i = 0; i < 2 * N; i++)
        if (strcmp(p + (size_t)i * PAGE, ours[i]))
            CU_FAIL("a page is at the wrong place");
    EQ(count_of(0, "mapped") >= 2 * N, 1);
    EQ(xengnttab_unmap(tab, p, 2 * N), 0);

    /* Guest 1's in ascending order: consecutive references of different shares. */
    for (int i = 0; i < N; i++)
        up[i] = refs[2 * N - 1 - 2 * i];
    EQ(up[N - 1] - up[0], N - 1);
    REQUIRE((p = xengnttab_map_domain_grant_refs(tab, N, 1, up, RW)) != NULL);
    for (int i = 0; i < N; i++)
        if (strcmp(p + (size_t)i * PAGE, ours[2 * N - 1 - 2 * i]))
            CU_FAIL("a page is at the wrong place");
    xengntshr_close(shr2);
    both_close();
}

static void pages_from_a_reverse_list_map_in_reverse(void)
{
    uint32_t refs[300], back[300];
    char *ours, *p;

    both_open();
    REQUIRE((ours = xengntshr_share_pages(shr, 0, 300, refs, 1)) != NULL);
    for (int i = 0; i < 300; i++) {
        back[i] = refs[299 - i];
        ours[(size_t)i * PAGE] = (char)i;
    }
    REQUIRE((p = xengnttab_map_domain_grant_refs(tab, 300, 1, back, RW)) != NULL);
    for (int i = 0; i < 300; i++)
        EQ(p[(size_t)i * PAGE], (char)(299 - i));
    both_close();
}

static void references_may_come_in_no_order(void)
{
    static uint32_t refs[1024];
    bool ordered = true;
    char *ours, *p;

    own_host("--scatter");
    both_open();
    REQUIRE((ours = xengntshr_share_pages(shr, 0, 1024, refs, 1)) != NULL);
    REQUIRE((p = xengnttab_map_domain_grant_refs(tab, 1024, 1, refs, RW)) != NULL);
    for (size_t i = 0; i < 1024; i++) {
        ordered &= !i || refs[i] == refs[i - 1] + 1;
        snprintf(ours + i * PAGE, PAGE, "page %zu", i);
        if (strcmp(ours + i * PAGE, p + i * PAGE))
            CU_FAIL("a page is at the wrong place");
    }
    CU_ASSERT_FALSE(ordered);
    both_close();
    own_host_end();
}

/* libxenvchan unmaps its data rings with munmap(). */
static void a_region_unmapped_behind_our_back_does_no_harm(void)
{
    long mapped = count_of(0, "mapped"), granted = count_of(1, "granted");
    uint32_t refs[8], more[8];
    char *ours, *theirs, *other;

    both_open();
    REQUIRE((ours = xengntshr_share_pages(shr, 0, 8, refs, 1)) != NULL);
    REQUIRE((theirs = xengnttab_map_domain_grant_refs(tab, 8, 1, refs, RW)) != NULL);
    munmap(theirs, 8 * PAGE);
    munmap(ours, 8 * PAGE);
    /* Something else may come to lie there: close must not unmap that. */
    other = mmap(theirs, 8 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    REQUIRE(other == theirs);
    other[0] = 'x';
    REQUIRE((ours = xengntshr_share_pages(shr, 0, 8, more, 1)) != NULL);
    REQUIRE((theirs = xengnttab_map_domain_grant_refs(tab, 8, 1, more, RW)) != NULL);
    ours[7 * PAGE] = 'y';
    EQ(theirs[7 * PAGE], 'y');
    EQ(xengnttab_unmap(tab, theirs, 8), 0);
    both_close();
    EQ(other[0], 'x');
    munmap(other, 8 * PAGE);
    EQ(count_of(0, "mapped"), mapped);
    EQ(count_of(1, "granted"), granted);
}

/* A page cannot be shrunk under its mappers' feet. */
static void closing_the_handle_keeps_the_memory_and_ends_the_grant(void)
{
    long granted = count_of(1, "granted");
    uint32_t ref;
    char *ours;

    both_open();
    REQUIRE((ours = xengntshr_share_pages(shr, 0, 1, &ref, 1)) != NULL);
    both_close();
    ours[0] = 1;
    EQ(count_of(1, "granted"), granted);
    munmap(ours, PAGE);
}

static void *share_and_map(void *arg)
{
    for (int i = 0; i < 100; i++) {
        uint32_t refs[4];
        char *a = xengntshr_share_pages(shr, 0, 4, refs, 1), *b;

        if (!a || !(b = xengnttab_map_domain_grant_refs(tab, 4, 1, refs, RW)))
            return NULL;
        a[PAGE] = (char)i;
        if (b[PAGE] != (char)i || xengnttab_unmap(tab, b, 4) || xengntshr_unshare(shr, a, 4))
            return NULL;
    }
    return arg;
}

static void threads_may_share_both_handles(void)
{
    pthread_t threads[4];
    void *ok;

    both_open();
    for (int i = 0; i < 4; i++)
        EQ(pthread_create(&threads[i], NULL, share_and_map, shr), 0);
    for (int i = 0; i < 4; i++) {
        EQ(pthread_join(threads[i], &ok), 0);
        CU_ASSERT_PTR_EQUAL(ok, shr);
    }
    both_close();
}

static void nothing_is_left(void)
{
    int before = open_fds();
    long granted = count_of(1, "granted"), mapped = count_of(0, "mapped");

    for (int i = 0; i < 10; i++) {
        uint32_t refs[8];

        both_open();
        REQUIRE(xengntshr_share_pages(shr, 0, 8, refs, 1) != NULL);
        REQUIRE(xengnttab_map_domain_grant_refs(tab, 8, 1, refs, RW) != NULL);
        both_close();
    }
    EQ(open_fds(), before);
    EQ(count_of(1, "granted"), granted);
    EQ(count_of(0, "mapped"), mapped);
}

static const struct test tests[] = {
    TEST(both_sides_see_one_memory_that_starts_zeroed),
    TEST(only_the_grantee_maps_and_only_as_granted),
    TEST(a_map_of_which_one_is_wrong_maps_none),
    TEST(unmap_wants_the_count_that_was_mapped),
    TEST(a_mapper_keeps_a_revoked_page_and_the_owner_pays_for_it),
    TEST(a_domain_grants_1024_pages_in_all),
    TEST(revoked_but_mapped_pages_count_against_the_limit),
    TEST(a_killed_sharer_leaves_byte_zero_and_one_event),
    TEST(a_killed_sharers_child_delays_the_news),
    TEST(a_mapper_is_missed_when_it_unmaps_and_when_it_is_killed),
    TEST(a_notify_outlives_the_event_handle_it_names),
    TEST(a_notify_may_be_a_byte_alone_or_an_event_alone),
    TEST(an_impossible_notify_maps_and_shares_nothing),
    TEST(an_older_kernel_clears_the_byte_after_the_event),
    TEST(a_read_only_map_of_a_writable_grant_stays_read_only),
    TEST(grant_copy_gives_each_segment_its_status),
    TEST(consecutive_references_are_one_mapping),
    TEST(references_in_any_order_from_several_domains_map_side_by_side),
    TEST(pages_from_a_reverse_list_map_in_reverse),
    TEST(references_may_come_in_no_order),
    TEST(a_region_unmapped_behind_our_back_does_no_harm),
    TEST(closing_the_handle_keeps_the_memory_and_ends_the_grant),
    TEST(threads_may_share_both_handles),
    TEST(nothing_is_left),
};

int main(int argc, char **argv)
{
    return harness_run("xensim-gnttab", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_device.c: a device from open to close: options, errors, who owns it, what happens when the other side goes away and
 * comes back, and that nothing of it stays. */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"

static struct far a, b;

static int open_fds(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Shared memory of the device that is mapped here. */
static int maps(void)
{
    FILE *f = fopen("/proc/self/maps", "r");
    char line[4400];
    int n = 0;

    while (f && fgets(line, sizeof line, f))
        n += strstr(line, " rw-s ") != NULL;
    fclose(f);
    return n;
}

struct books {
    long granted, ports, handles, revoked;
    int fds, maps;
};

static struct books books(void)
{
    return (struct books){ lab_count(GUEST, "granted"), lab_count(GUEST, "ports"), lab_count(GUEST, "handles"),
                           lab_count(GUEST, "revoked"), open_fds(), maps() };
}

static void expect_books(struct books before)
{
    struct books now = books();

    EQ(now.granted, before.granted);
    EQ(now.ports, before.ports);
    EQ(now.handles, before.handles);
    EQ(now.revoked, before.revoked);
    EQ(now.fds, before.fds);
    EQ(now.maps, before.maps);
}

static void refused_option(const char *words)
{
    EQ(lab_open(), -EINVAL);
    CU_ASSERT_PTR_NULL(x);
    if (!strstr(xvs_open_error(), words)) {
        fprintf(stderr, "%s (wanted: %s)\n", xvs_open_error(), words);
        CU_FAIL("the error does not name the option");
    }
    lab_stop();
}

static void options_out_of_range_are_refused_by_name(void)
{
    struct books before;

    lab_stop();
    CU_ASSERT_PTR_NOT_NULL(xvs_open_error());
    before = books();
    options.device = 256;           refused_option("device");
    options.buffer = 4095;          refused_option("buffer");
    options.buffer = (64 << 20) + 1; refused_option("buffer");
    options.tx_pool = 65535;        refused_option("tx_pool");
    options.tx_pool = 65537;        refused_option("tx_pool");
    options.tx_pool = (2 << 20) + 4096; refused_option("tx_pool");
    options.rx_pool = 61440;        refused_option("rx_pool");
    options.rx_pool = 1 << 30;      refused_option("rx_pool");
    options.tx_pool = options.rx_pool = 2 << 20; refused_option("together");
    options.max_streams = 0;        refused_option("max_streams");
    expect_books(before);
}

/* A program built with an older header, whose options end earlier; and one with a newer one. */
static void the_size_of_the_options_says_which_are_there(void)
{
    struct { struct xvs_options o; char more[64]; } newer;

    lab_stop();
    options.size = offsetof(struct xvs_options, rx_pool);
    options.tx_pool = 64u << 10;
    options.rx_pool = 1;
    options.max_streams = 0;
    lab_start();
    EQ(x->opt.tx_pool, 64u << 10);
    EQ(x->opt.rx_pool, 960u << 10);
    EQ(x->opt.max_streams, 65536);
    lab_stop();
    memset(&newer, 0xee, sizeof newer);
    xvs_options_init(&newer.o);
    newer.o.size = sizeof newer;
    lab_attach();
    hosted_become(GUEST);
    EQ(xvs_open(&newer.o, &x), 0);
    lab_stop();
    hosted_become(GUEST);
    EQ(xvs_open(NULL, &x), 0);
    EQ(x->opt.spin, XVS_SPIN_AUTO);
    EQ(x->opt.connect_timeout, 2000);
    hosted_become(0);
    lab_stop();
}

static void without_xen_open_says_so(void)
{
    struct books before;
    char *dir = strdup(getenv("XENSIM_DIR"));

    lab_stop();
    before = books();
    hosted_become(GUEST);
    setenv("XENSIM_DIR", "/nonexistent", 1);
    EQ(xvs_open(NULL, &x), -ENOENT);
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_open_error(), "xen-evtchn"));
    setenv("XENSIM_DIR", dir, 1);
    hosted_become(GUEST);
    setenv("XENSTORED_PATH", "/nonexistent", 1);
    CU_ASSERT_TRUE(xvs_open(NULL, &x) < 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_open_error(), "xenstore"));
    hosted_become(0);
    expect_books(before);
    free(dir);
}

/* For each number of descriptors that a process may have, until there are enough. */
static void without_descriptors_open_fails_clean(void)
{
    struct rlimit old, few;
    struct books before;
    int fds, failures = 0;

    lab_attach();
    before = books();
    fds = before.fds;
    getrlimit(RLIMIT_NOFILE, &old);
    for (int more = 0; ; more++) {
        int err, n;

        few = old;
        few.rlim_cur = (rlim_t)(fds + more);
        setrlimit(RLIMIT_NOFILE, &few);
        err = lab_open();
        setrlimit(RLIMIT_NOFILE, &old);
        if (err == 0)
            break;
        EQ(err, -EMFILE);
        CU_ASSERT_PTR_NOT_NULL(strstr(xvs_open_error(), "cannot "));
        CU_ASSERT_PTR_NOT_NULL(strstr(xvs_open_error(), "Too many open files; this process has no more descriptors"));
        CU_ASSERT_PTR_NULL(strstr(xvs_open_error(), "loaded"));
        n = open_fds();
        EQ(n, fds);
        REQUIRE(n == fds && failures++ < 30);
    }
    CU_ASSERT_TRUE(failures >= 6);
    REQUIRE(xvs_listen(x, PORT, 1, &listener) == 0);
    lab_handshake();
    rawback_unmap(&back);
    xvs_close(x);
    x = NULL;
    EQ(open_fds(), fds);
    lab_stop();
}

/* Enough to open, too few to share: it says so, and goes on when there are. */
static void without_descriptors_to_share_the_device_waits_for_them(void)
{
    struct rlimit old, few;
    int fds;

    lab_attach();
    REQUIRE(lab_open() == 0);
    UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISING);
    REQUIRE(rawback_offer(&back) == 0);
    fds = open_fds();
    getrlimit(RLIMIT_NOFILE, &old);
    few = old;
    few.rlim_cur = 3;
    setrlimit(RLIMIT_NOFILE, &few);
    for (int i = 0; i < 500 && !strstr(xvs_reason(x), "cannot"); i++) {
        lab_poll(10);
        lab_process();
    }
    setrlimit(RLIMIT_NOFILE, &old);
    if (!strstr(xvs_reason(x), "event channel"))
        fprintf(stderr, "%s\n", xvs_reason(x));
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_reason(x), "event channel"));
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_reason(x), "no more descriptors"));
    EQ(open_fds(), fds);
    UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISED);
    REQUIRE(rawback_map(&back) == 0);
    UNTIL(xvs_is_up(x));
    lab_stop();
}

static bool dump_has(const char *text)
{
    char *all = NULL;
    size_t len;
    FILE *to = open_memstream(&all, &len);
    bool has;

    REQUIRE(to != NULL);
    xvs_dump(x, to);
    fclose(to);
    has = strstr(all, text) != NULL;
    free(all);
    return has;
}

#define LEAST (1 + 2 + 2 * 16)  /* pages of a device with the smallest pools */

/* Other devices have taken gntalloc's pages: a device comes up with smaller pools, if there is room for these.  If there is not, the reason
 * names the limit, nothing stays behind, and when they are given back the device comes up, with all that it wants. */
static void without_pages_the_device_takes_fewer_or_names_the_limit_and_waits(void)
{
    struct books before;
    xengntshr_handle *hog;
    uint32_t refs[1000];
    void *pages;
    long taken;

    for (taken = 1015; taken > 200; taken -= 130) {
        bool fits = taken <= 1024 - LEAST;

        lab_attach();
        REQUIRE(lab_open() == 0);
        UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISING);
        hosted_become(GUEST);
        hog = xengntshr_open(NULL, 0);
        hosted_become(0);
        long n = taken - lab_count(GUEST, "granted");
        REQUIRE(hog && n > 0 && n <= 1000 * 2);
        void *first = n > 1000 ? xengntshr_share_pages(hog, 0, (int)(n - 1000), refs, 1) : NULL;
        uint32_t rest = n > 1000 ? 1000 : (uint32_t)n;
        REQUIRE((pages = xengntshr_share_pages(hog, 0, (int)rest, refs, 1)) != NULL);
        before = books();
        REQUIRE(rawback_offer(&back) == 0);
        if (!fits) {
            UNTIL(strstr(xvs_reason(x), "cannot share"));
            CU_ASSERT_PTR_NOT_NULL(strstr(xvs_reason(x), "'limit' of the module xen-gntalloc"));
            expect_books(before);
            EQ(rawback_front_state(&back), VSOCKIF_INITIALISING);
        }
        if (fits)
            UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISED);
        if (first)
            xengntshr_unshare(hog, first, (uint32_t)(n - 1000));
        xengntshr_unshare(hog, pages, rest);
        xengntshr_close(hog);
        UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISED);
        REQUIRE(rawback_map(&back) == 0);
        UNTIL(xvs_is_up(x));
        CU_ASSERT_PTR_NOT_NULL(strstr(xvs_reason(x), "connected"));
        EQ(dump_has("for want of gntalloc's pages"), fits && taken > 1024 - 1 - 32 - 480);
        if (!fits)
            CU_ASSERT_TRUE(dump_has("pools of 960 and 960 KiB\n"));
        lab_stop();
    }
}

/* Nodes that the toolstack gave to somebody else: the device says so, and goes on when they are ours. */
static void a_device_whose_nodes_are_not_ours_says_so(void)
{
    char path[PATHS_MAX];

    lab_attach();
    REQUIRE(rawback_offer(&back) == 0);
    REQUIRE(store_permit(back.store, paths_join(path, back.paths.front, "state"), 0, GUEST) == 0);     /* to read only */
    REQUIRE(lab_open() == 0);
    UNTIL(strstr(xvs_reason(x), "cannot write the device's nodes"));
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_reason(x), "Permission denied; they are not this domain's"));
    REQUIRE(store_permit(back.store, path, GUEST, 0) == 0);
    UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISED);
    REQUIRE(rawback_map(&back) == 0);
    UNTIL(xvs_is_up(x));
    lab_stop();
}

static void a_device_that_is_not_attached_yet_comes_up_when_it_is(void)
{
    struct xvs_event ev;

    lab_stop();
    REQUIRE(lab_open() == 0);
    lab_process();
    CU_ASSERT_FALSE(xvs_next_event(x, &ev));
    CU_ASSERT_FALSE(xvs_is_up(x));
    EQ(xvs_cid(x), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_reason(x), "no device/vsock/0"));
    REQUIRE(xvs_listen(x, PORT, 4, &listener) == 0);    /* need not be up */
    struct xvs *keep = x;
    x = NULL;
    lab_attach();
    x = keep;
    CU_ASSERT_TRUE(lab_poll(PATIENCE_MS));
    lab_handshake();
    REQUIRE(xvs_next_event(x, &ev));
    EQ(ev.what, XVS_EVENT_UP);
    CU_ASSERT_PTR_NULL(ev.stream);
    CU_ASSERT_PTR_NULL(ev.user);
    EQ(xvs_cid(x), CID);
    CU_ASSERT_FALSE(xvs_next_event(x, &ev));
    lab_stop();
}

/* An older kernel sends the event of an unmap notification before it clears the byte: so the event finds nothing, and nothing
 * else comes. */
static void a_backend_that_dies_is_noticed_when_its_event_comes_early(void)
{
    lab_start();
    lab_events();
    xenevtchn_notify(back.evtchn, back.port);
    CU_ASSERT_TRUE(lab_poll(0));
    lab_process();
    CU_ASSERT_TRUE(xvs_is_up(x));
    shm_store_byte(&back.control->back_live, 0);
    x->bus.store_check = LIFE_NEVER;                        /* the look every 10 s would be too late */
    while (xvs_is_up(x)) {
        REQUIRE(lab_poll(PATIENCE_MS));
        lab_process();
    }
    EQ(lab_device_events(), XVS_EVENT_DOWN);
    lab_stop();
}

static void a_device_comes_back_with_its_listeners(void)
{
    struct xvs_stats st = { .size = sizeof st };
    struct xvs_stream *s, *t;
    int fd;

    lab_start();
    fd = xvs_fd(x);
    EQ(lab_device_events(), XVS_EVENT_UP);
    for (int i = 0; i < 4; i++) {
        s = lab_accept(&a, 5, 65536);
        lab_send(&a, VSOCKIF_OP_RW, 100);
        lab_reset();
        EQ(lab_device_events(), XVS_EVENT_DOWN);
        EQ(xvs_stream_error(s), -ECONNRESET);
        EQ(xvs_connect(x, 2, 5, &t), -ENETDOWN);
        CU_ASSERT_PTR_NULL(t);
        xvs_stream_close(s);
        lab_handshake();
        EQ(lab_device_events(), XVS_EVENT_UP);
        EQ(xvs_fd(x), fd);
    }
    xvs_get_stats(x, &st);
    EQ(st.reconnects, 4);
    EQ(st.resets, 4);
    EQ(st.streams, 0);
    NO_LEAK();
    lab_stop();
}

static void fifty_openings_leave_nothing(void)
{
    struct books before;

    lab_start();
    lab_stop();
    before = books();
    lab_start();
    for (int i = 0; i < 50; i++) {
        struct xvs_stream *s = lab_accept(&a, 5, 65536);

        lab_send(&a, VSOCKIF_OP_RW, 30000);
        lab_process();
        EQ(xvs_send(s, "x", 1, i % 2 ? XVS_MORE : 0), 1);
        xvs_close(x);
        x = NULL;
        rawback_unmap(&back);
        REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSING) == 0);
        REQUIRE(lab_open() == 0);
        REQUIRE(xvs_listen(x, PORT, 16, &listener) == 0);
        lab_handshake();
    }
    lab_stop();
    expect_books(before);
}

/* Several devices of one guest in one process, each in a thread. */
struct second {
    struct rawback back;
    struct xvs *x;
    unsigned number;
};

static void *second_runs(void *arg)
{
    struct second *d = arg;

    for (int i = 0; i < 200; i++) {
        struct xvs_listener *l = NULL;
        struct xvs_stream *s = NULL, *t = NULL;
        char byte = 0;

        if (xvs_listen(d->x, 5, 1, &l) || xvs_connect_wait(d->x, XVS_CID_LOCAL, 5, PATIENCE_MS, &s) ||
            xvs_accept_wait(l, PATIENCE_MS, &t) || xvs_send_all(s, "y", 1, PATIENCE_MS) ||
            xvs_recv_wait(t, &byte, 1, PATIENCE_MS) != 1 || byte != 'y')
            return arg;
        xvs_stream_close(s);
        xvs_stream_close(t);
        xvs_listener_close(l);
    }
    return NULL;
}

static void devices_are_independent(void)
{
    static struct second d[3];
    pthread_t thread[3];

    lab_stop();
    for (unsigned i = 0; i < 3; i++) {
        d[i].number = i + 1;
        REQUIRE(rawback_open(&d[i].back, GUEST, i + 1, CID + i) == 0);
        options.device = i + 1;
        options.tx_pool = options.rx_pool = 64u << 10;
        REQUIRE(lab_open() == 0);
        d[i].x = x;
        REQUIRE(rawback_offer(&d[i].back) == 0);
        UNTIL(rawback_front_state(&d[i].back) == VSOCKIF_INITIALISED);
        REQUIRE(rawback_map(&d[i].back) == 0);
        UNTIL(xvs_is_up(x));
        EQ(xvs_cid(x), CID + i);
        x = NULL;
    }
    hosted_become(GUEST);
    for (int i = 0; i < 3; i++)
        REQUIRE(pthread_create(&thread[i], NULL, second_runs, &d[i]) == 0);
    for (int i = 0; i < 3; i++) {
        void *failed;

        pthread_join(thread[i], &failed);
        CU_ASSERT_PTR_NULL(failed);
    }
    hosted_become(0);
    for (int i = 0; i < 3; i++) {
        xvs_close(d[i].x);
        rawback_close(&d[i].back);
    }
    lab_stop();
}

static void the_owner_is_named_and_others_are_kept_out(void)
{
    struct xvs *second = x;
    char path[4200], pid[32];
    struct stat st;
    int fds;

    lab_start();
    hosted_become(GUEST);
    fds = open_fds();
    EQ(xvs_open(NULL, &second), -EBUSY);
    EQ(open_fds(), fds);
    CU_ASSERT_PTR_NULL(second);
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_open_error(), pid));
    snprintf(path, sizeof path, "%s/device-0.lock", getenv("XVS_RUN_DIR"));
    REQUIRE(stat(path, &st) == 0);
    EQ(st.st_mode & 0777, 0600);                        /* who can open it can lock it */
    xvs_close(x);
    x = NULL;
    options.run_dir = path;                             /* a file */
    EQ(xvs_open(&options, &second), -ENOTDIR);
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_open_error(), path));
    memset(path, 'x', 300);
    path[300] = '\0';
    CU_ASSERT_TRUE(xvs_open(&options, &second) < 0);
    snprintf(path, sizeof path, "/proc/self/nothing/here");
    CU_ASSERT_TRUE(xvs_open(&options, &second) < 0);
    hosted_become(0);
    xvs_close(NULL);
    lab_stop();
}

static void no_descriptor_goes_to_a_program_that_is_executed(void)
{
    int before[256];

    lab_stop();
    for (int fd = 0; fd < 256; fd++)
        before[fd] = fcntl(fd, F_GETFD);
    hosted_become(GUEST);
    REQUIRE(xvs_open(NULL, &x) == 0);
    for (int fd = 0; fd < 256; fd++) {
        int flags = fcntl(fd, F_GETFD);

        if (flags >= 0 && before[fd] < 0 && !(flags & FD_CLOEXEC)) {
            char link[64], what[128] = "";

            snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
            (void)!readlink(link, what, sizeof what - 1);
            fprintf(stderr, "%d: %s\n", fd, what);
            CU_FAIL("a descriptor is not closed on exec");
        }
    }
    hosted_become(0);
    lab_stop();
}

static void a_child_that_ends_changes_nothing(void)
{
    struct xvs_stream *s;
    char byte;
    pid_t pid;

    lab_start();
    s = lab_accept(&a, 5, 65536);
    if ((pid = fork()) == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    lab_send(&a, VSOCKIF_OP_RW, 1);
    CU_ASSERT_TRUE(lab_poll(PATIENCE_MS));
    lab_process();
    EQ(xvs_recv(s, &byte, 1, 0), 1);
    EQ(xvs_send(s, &byte, 1, 0), 1);
    lab_take(&a, false);
    EQ(a.got, 1);
    lab_stop();
}

/* The connection to xenstored dies without a word (libxenstore's descriptor is gone): the device finds out, connects again with
 * what may be the same number, and hears of what happens. */
static void a_dead_connection_to_xenstored_is_made_again(void)
{
    lab_start();
    lab_break_store();
    lab_process();
    UNTIL(x->bus.store_fd >= 0 && store_check(x->bus.store) == 0);
    CU_ASSERT_TRUE(xvs_is_up(x));
    lab_settle();
    x->bus.store_check = LIFE_NEVER;
    turn_set_timer(x);
    REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSING) == 0);
    CU_ASSERT_TRUE(lab_poll(PATIENCE_MS));
    UNTIL(!xvs_is_up(x));
    lab_stop();
}

/* What was counted is kept when the device goes down, each of it, and goes on when it is up again. */
static void counts_go_on_over_a_reconnect(void)
{
    struct xvs_stats before = { .size = sizeof before }, down = before, up = before;
    struct xvs_stream *s;
    char bytes[100] = "";

    lab_start();
    s = lab_accept(&a, 5, 65536);
    lab_send(&a, VSOCKIF_OP_RW, 30);
    lab_send(&a, VSOCKIF_OP_RW, 40);
    lab_process();
    EQ(xvs_recv(s, bytes, sizeof bytes, 0), 70);
    EQ(xvs_send(s, bytes, 25, 0), 25);
    lab_take(&a, false);
    lab_process();
    xvs_get_stats(x, &before);
    EQ(before.rx_bytes, 70);
    EQ(before.tx_bytes, 25);
    CU_ASSERT_TRUE(before.rx_packets >= 3 && before.tx_packets >= 2);
    lab_reset();
    xvs_get_stats(x, &down);
    EQ(down.rx_bytes, before.rx_bytes);
    EQ(down.tx_bytes, before.tx_bytes);
    EQ(down.rx_packets, before.rx_packets);
    EQ(down.tx_packets, before.tx_packets);
    lab_handshake();
    xvs_get_stats(x, &up);
    EQ(up.rx_bytes, before.rx_bytes);
    EQ(up.tx_bytes, before.tx_bytes);
    CU_ASSERT_TRUE(up.rx_packets >= before.rx_packets && up.tx_packets >= before.tx_packets);
    EQ(up.reconnects, 1);
    lab_stop();
}

static char logged[4096];

static void log_line(void *arg, const char *line)
{
    CU_ASSERT_PTR_EQUAL(arg, logged);
    CU_ASSERT_PTR_NULL(strchr(line, '\n'));
    if (strlen(logged) + strlen(line) + 2 < sizeof logged)
        strcat(strcat(logged, line), "\n");
}

static void the_log_tells_of_up_and_down_once(void)
{
    lab_stop();
    logged[0] = '\0';
    options.log = log_line;
    options.log_arg = logged;
    lab_start();
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, "vsock/0: connected, CID 1001"));
    lab_reset();
    CU_ASSERT_PTR_NOT_NULL(strstr(logged, "the backend went away"));
    EQ(strstr(strstr(logged, "went away") + 1, "went away") != NULL, 0);
    lab_stop();
}

/* In every state there is a dump, and numbers that make sense. */
static void dump(const char *words)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);
    struct xvs_stats st = { .size = sizeof st };

    xvs_dump(x, f);
    fclose(f);
    if (!strstr(text, words)) {
        fprintf(stderr, "%s(wanted: %s)\n", text, words);
        CU_FAIL("the dump does not say it");
    }
    free(text);
    xvs_get_stats(x, &st);
    CU_ASSERT_TRUE(st.memory >= sizeof *x);
    EQ(st.streams, vmux_count(x->trunk.mux));
}

static void there_is_a_dump_in_every_state(void)
{
    struct xvs_stats old = { .size = offsetof(struct xvs_stats, rx_bytes) };
    struct xvs_stream *s, *t, *u;
    void *piece;

    lab_stop();
    REQUIRE(lab_open() == 0);
    dump("down");
    struct xvs *keep = x;
    x = NULL;
    lab_attach();
    x = keep;
    REQUIRE(xvs_listen(x, PORT, 16, &listener) == 0);
    UNTIL(x->bus.found);
    dump("Initialising");
    REQUIRE(rawback_offer(&back) == 0);
    UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISED);
    dump("Initialised");
    REQUIRE(rawback_map(&back) == 0);
    UNTIL(xvs_is_up(x));
    dump("up, CID 1001");
    s = lab_accept(&a, 5, 65536);
    xvs_stream_close(lab_accept(&b, 6, 65536));
    dump("(released)");
    REQUIRE(xvs_reserve(s, 100, &piece) == 100);
    REQUIRE(xvs_send(s, "gather", 6, XVS_MORE) == 6);
    REQUIRE(xvs_connect(x, 2, 1, &t) == 0);
    dump("gathered 6");
    dump("CONNECTING");
    REQUIRE(xvs_connect(x, XVS_CID_LOCAL, PORT, &u) == 0);
    dump("(backlog)");
    lab_reset();
    dump("CLOSED");
    dump("down");
    xvs_get_stats(x, &old);
    CU_ASSERT_TRUE(old.tx_packets > 0);
    EQ(old.rx_bytes, 0);
    EQ(old.size, offsetof(struct xvs_stats, rx_bytes));
    CU_ASSERT_TRUE(strlen(xvs_version()) > 0);
    lab_stop();
}

/* Before a backend has mapped it: who comes later would find pages and a channel of nobody's, and blame this guest for them. */
static void who_leaves_before_it_is_up_says_so(void)
{
    lab_attach();
    REQUIRE(lab_open() == 0);
    UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISING);
    REQUIRE(rawback_offer(&back) == 0);
    UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISED);
    xvs_close(x);
    x = NULL;
    EQ(rawback_front_state(&back), VSOCKIF_CLOSING);

    /* The next one goes on from there. */
    REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSED) == 0);
    REQUIRE(lab_open() == 0);
    lab_handshake();
    lab_stop();
}

/* The frontend is asked for less than it wants, down to a page of data and 32 slots. */
static void a_backend_may_allow_little(void)
{
    struct back_nodes n = { .cid = CID, .versions = 1u << VSOCKIF_VERSION, .max_pool_pages = 1, .max_queues = 1 };
    struct xvs_stream *s;
    char data[20000];

    lab_attach();
    REQUIRE(lab_open() == 0);
    REQUIRE(xvs_listen(x, PORT, 16, &listener) == 0);
    UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISING);
    REQUIRE(nodes_offer(back.store, &back.paths, &n) == 0);
    UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISED);
    REQUIRE(rawback_map(&back) == 0);
    UNTIL(xvs_is_up(x));
    EQ(x->trunk.link.buffers, 1);
    s = lab_accept(&a, 5, 65536);
    for (uint32_t i = 0; i < 20; i++) {
        lab_send(&a, VSOCKIF_OP_RW, 1000);
        lab_process();
    }
    EQ(xvs_recv(s, data, sizeof data, 0), 20000);
    CU_ASSERT_TRUE(lab_matches(data, 0, 20000));
    for (uint32_t at = 0; at < 20000; ) {
        ssize_t m = xvs_send(s, data + at, 20000 - at, 0);

        if (m == -EAGAIN) {
            lab_take(&a, false);
            lab_process();
            continue;
        }
        REQUIRE(m > 0);
        at += (uint32_t)m;
    }
    lab_take(&a, false);
    EQ(a.got, 20000);
    CU_ASSERT_FALSE(a.bad);
    lab_stop();
}

static void a_backend_that_offers_nonsense_is_left_alone(void)
{
    struct back_nodes n = { .cid = CID, .versions = 1u << 5, .max_pool_pages = 100, .max_queues = 1 };

    lab_attach();
    REQUIRE(lab_open() == 0);
    UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISING);
    REQUIRE(nodes_offer(back.store, &back.paths, &n) == 0);
    UNTIL(strstr(xvs_reason(x), "does not speak version 1"));
    EQ(rawback_front_state(&back), VSOCKIF_INITIALISING);
    CU_ASSERT_FALSE(x->bus.life.shares);
    /* Nothing is agreed on: so a backend that goes on is not believed, and one that says what is right is taken. */
    REQUIRE(rawback_set_state(&back, VSOCKIF_CONNECTED) == 0);
    UNTIL(x->bus.life.peer == VSOCKIF_CONNECTED);
    lab_process();
    CU_ASSERT_FALSE(xvs_is_up(x));
    CU_ASSERT_TRUE(rawback_front_state(&back) != VSOCKIF_CONNECTED);
    n.versions = 1u << VSOCKIF_VERSION;
    REQUIRE(nodes_offer(back.store, &back.paths, &n) == 0);
    UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISED);
    lab_stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(options_out_of_range_are_refused_by_name),
        TEST(the_size_of_the_options_says_which_are_there),
        TEST(without_xen_open_says_so),
        TEST(without_descriptors_open_fails_clean),
        TEST(without_descriptors_to_share_the_device_waits_for_them),
        TEST(without_pages_the_device_takes_fewer_or_names_the_limit_and_waits),
        TEST(a_device_whose_nodes_are_not_ours_says_so),
        TEST(a_device_that_is_not_attached_yet_comes_up_when_it_is),
        TEST(a_backend_that_dies_is_noticed_when_its_event_comes_early),
        TEST(a_device_comes_back_with_its_listeners),
        TEST(fifty_openings_leave_nothing),
        TEST(devices_are_independent),
        TEST(the_owner_is_named_and_others_are_kept_out),
        TEST(no_descriptor_goes_to_a_program_that_is_executed),
        TEST(a_child_that_ends_changes_nothing),
        TEST(a_dead_connection_to_xenstored_is_made_again),
        TEST(counts_go_on_over_a_reconnect), TEST(the_log_tells_of_up_and_down_once),
        TEST(there_is_a_dump_in_every_state),
        TEST(who_leaves_before_it_is_up_says_so), TEST(a_backend_may_allow_little),
        TEST(a_backend_that_offers_nonsense_is_left_alone),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("library: the device", tests, sizeof tests / sizeof *tests, argc, argv);
}

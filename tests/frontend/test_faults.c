/* SPDX-License-Identifier: MIT */
/* test_faults.c: each allocation fails in turn.
 *
 * The linker puts the functions below in place of malloc() and its like, for the library and the backend of the test (not for
 * libxenstore and the others).  What is armed with fail_at(n) fails once: the n-th from then on.  A scene is played with n
 * = 1, 2, … until it needed fewer; each time it must end without a crash and, after everything is closed, with nothing left. */
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lab.h"

static unsigned countdown;              /* 0: nothing fails */
static bool for_ever;                   /* all later ones fail, too */
static bool failed;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *s);
int   __real_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *s);
int   __wrap_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev);

static bool is_deaf;            /* no descriptor more can be watched */

static bool fails(void)
{
    if (countdown == 0 || --countdown > 0)
        return false;
    if (for_ever)
        countdown = 1;
    failed = true;
    errno = ENOMEM;
    return true;
}

void *__wrap_malloc(size_t size)             { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t n, size_t size)   { return fails() ? NULL : __real_calloc(n, size); }
void *__wrap_realloc(void *old, size_t size) { return fails() ? NULL : __real_realloc(old, size); }
char *__wrap_strdup(const char *s)           { return fails() ? NULL : __real_strdup(s); }

int __wrap_epoll_ctl(int ep, int op, int fd, struct epoll_event *ev)
{
    if (op == EPOLL_CTL_ADD && is_deaf)
        errno = ENOSPC;
    return op == EPOLL_CTL_ADD && (is_deaf || fails()) ? -1 : __real_epoll_ctl(ep, op, fd, ev);
}

static void fail_at(unsigned n)
{
    countdown = n;
    failed = for_ever = false;
}

/* Plays the scene with each failure in turn; how many there were.  It ends by lab_stop() or leaves that to the next. */
static unsigned each(void (*scene)(unsigned n))
{
    unsigned n = 1;

    for (;; n++) {
        scene(n);
        countdown = 0;
        if (!failed)
            return n - 1;
        REQUIRE(n < 500);
    }
}

static uint8_t data[1 << 20];
static struct far a;

static void open_once(unsigned n)
{
    int err;

    lab_attach();
    hosted_become(GUEST);
    fail_at(n);
    err = xvs_open(NULL, &x);
    countdown = 0;
    hosted_become(0);
    if (err) {
        CU_ASSERT_TRUE(failed);
        EQ(err, -ENOMEM);
        CU_ASSERT_PTR_NULL(x);
        CU_ASSERT_TRUE(strlen(xvs_open_error()) > 0);
        EQ(lab_open(), 0);
    }
    lab_handshake();            /* also after a failure that open got over */
    lab_stop();
}

static void an_open_without_memory_fails_clean(void)
{
    CU_ASSERT_TRUE(each(open_once) >= 8);
    CU_ASSERT_TRUE(lab_count(GUEST, "granted") <= 1);
}

/* From the first look at xenstore to UP: what fails is tried again. */
static void come_up_once(unsigned n)
{
    lab_attach();
    REQUIRE(lab_open() == 0);
    REQUIRE(xvs_listen(x, PORT, 4, &listener) == 0);
    UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISING);
    REQUIRE(rawback_offer(&back) == 0);
    fail_at(n);
    for (int i = 0; i < 500 && rawback_front_state(&back) != VSOCKIF_INITIALISED; i++) {
        lab_process();
        lab_poll(10);
    }
    countdown = 0;
    UNTIL(rawback_front_state(&back) == VSOCKIF_INITIALISED);
    /* The guest's ring to xenstored, the control page, two rings, two pools: and none of an attempt that failed. */
    EQ(lab_count(GUEST, "granted"), 2 + 2 * x->bus.share.ring_pages + x->bus.share.tx_pages + x->bus.share.rx_pages);
    REQUIRE(rawback_map(&back) == 0);
    UNTIL(xvs_is_up(x));
    lab_stop();
}

static void a_device_without_memory_comes_up_later(void)
{
    CU_ASSERT_TRUE(each(come_up_once) >= 1);
}

/* It is attached while there is no memory to watch it with: nothing but the library itself will look again. */
static void appear_once(unsigned n)
{
    struct xvs *late;

    lab_stop();
    REQUIRE(lab_open() == 0);
    lab_settle();
    late = x;
    x = NULL;
    lab_attach();
    x = late;
    fail_at(n);
    for (int i = 0; i < 500 && !failed && !x->bus.back_watched; i++) {
        lab_poll(10);
        lab_process();
    }
    countdown = 0;
    lab_handshake();
    lab_stop();
}

static void a_device_that_appears_without_memory_is_found_later(void)
{
    CU_ASSERT_TRUE(each(appear_once) >= 1);
}

/* The connection to xenstored is made anew. */
static void reopen_once(unsigned n)
{
    lab_start();
    lab_break_store();
    fail_at(n);
    lab_process();
    countdown = 0;
    REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSING) == 0);
    UNTIL(!xvs_is_up(x));
    lab_stop();
}

static void xenstore_without_memory_is_asked_later(void)
{
    CU_ASSERT_TRUE(each(reopen_once) >= 1);
}

/* The new connection cannot be watched, for long: what happens is asked for instead. */
static void a_connection_to_xenstored_that_cannot_be_watched_is_asked(void)
{
    lab_start();
    lab_break_store();
    is_deaf = true;
    lab_process();
    UNTIL(!x->bus.stale);
    EQ(x->bus.store_fd, -1);
    CU_ASSERT_TRUE(xvs_is_up(x));
    REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSING) == 0);
    UNTIL(!xvs_is_up(x));
    is_deaf = false;
    UNTIL(x->bus.store_fd >= 0);
    lab_stop();
}

static void connect_once(unsigned n)
{
    struct xvs_stream *s[20] = { NULL }, *t = NULL;
    struct xvs_listener *l = NULL;
    int err, failures = 0;

    lab_start();
    fail_at(n);
    err = xvs_listen(x, 99, 4, &l);
    failures += err != 0;
    EQ(err, l ? 0 : -ENOMEM);
    for (int i = 0; i < 20; i++) {
        err = xvs_connect(x, i % 2 ? XVS_CID_LOCAL : XVS_CID_HOST, PORT, &s[i]);
        failures += err != 0;
        EQ(err, s[i] ? 0 : -ENOMEM);
        if (s[i] && xvs_stream_error(s[i]))
            EQ(xvs_stream_error(s[i]), -ECONNREFUSED);          /* the other end, in the same table, had no memory */
    }
    countdown = 0;
    CU_ASSERT_TRUE(failures <= 1);
    while (xvs_accept(listener, &t) == 0)
        xvs_stream_close(t);
    for (int i = 0; i < 20; i++)
        xvs_stream_close(s[i]);
    xvs_listener_close(l);
    CU_ASSERT_PTR_NULL(vmux_invariant(x->trunk.mux));
    lab_take(NULL, false);
    lab_process();
    NO_LEAK();
    lab_stop();
}

static void a_connect_or_listen_without_memory_fails_clean(void)
{
    CU_ASSERT_TRUE(each(connect_once) >= 5);
}

/* Data that must be copied, because readers hold half of the buffers.  What is lost ends the stream; what was before it can be
 * read, and nothing behind it. */
static void receive_once(unsigned n)
{
    struct xvs_stream *s;
    ssize_t got, all = 0;

    lab_stop();
    options.rx_pool = 64u << 10;
    lab_start();
    s = lab_accept(&a, 5, 65536);
    fail_at(n);
    for (int i = 0; i < 3; i++) {
        /* The second fills up the half of the buffers that may be held: parts of it are copied, and parts are not. */
        lab_send(&a, VSOCKIF_OP_RW, i < 2 ? 20480 : 12288);
        xvs_process(x);
    }
    countdown = 0;
    if (failed) {
        unsigned what = lab_stream_events(s);

        EQ(what, XVS_EVENT_IN | XVS_EVENT_HUP);
        EQ(xvs_stream_error(s), -ENOMEM);
        EQ(xvs_send(s, "x", 1, 0), -ENOMEM);
        lab_take(&a, false);
        CU_ASSERT_TRUE(a.ops & 1u << VSOCKIF_OP_RST);
    }
    while ((got = xvs_recv(s, data + all, 1000, 0)) > 0)
        all += got;
    EQ(got, failed ? -ENOMEM : -EAGAIN);
    CU_ASSERT_TRUE(lab_matches(data, 0, (size_t)all));
    EQ(xvs_is_up(x), true);
    if (!failed)
        EQ(all, 53248);
    CU_ASSERT_PTR_NULL(vmux_invariant(x->trunk.mux));
    xvs_stream_reset(s);
    lab_take(&a, false);
    lab_process();
    NO_LEAK();
    lab_stop();
}

static void a_reader_without_memory_ends_before_the_hole(void)
{
    CU_ASSERT_TRUE(each(receive_once) >= 4);
}

/* The same within the guest, where it may be the writer that has no memory, and the reader's end is the writer's, too. */
static void local_once(unsigned n)
{
    struct xvs_stream *s, *t;
    ssize_t got, sent, all = 0;
    int error;

    lab_start();
    REQUIRE(xvs_connect(x, XVS_CID_LOCAL, PORT, &s) == 0);
    REQUIRE(xvs_accept(listener, &t) == 0);
    lab_events();
    lab_fill(data, 0, 100000);
    fail_at(n);
    sent = xvs_send(s, data, 100000, XVS_MORE);
    EQ(sent, !failed || xvs_stream_error(t) ? 100000 : n == 1 ? -ENOMEM : 65536);
    got = xvs_send(t, "gather", 6, XVS_MORE);
    CU_ASSERT_TRUE(got == 6 || (failed && got == -ENOMEM));
    xvs_flush(x);
    countdown = 0;
    error = xvs_stream_error(t);
    for (bool over = false; !over; ) {
        struct xvs_event ev;

        over = true;
        while (xvs_next_event(x, &ev)) {
            over = false;
            if (failed && ev.stream == t)
                CU_ASSERT_TRUE(ev.what & XVS_EVENT_HUP || xvs_stream_error(t) == 0);
        }
    }
    memset(data, 0, sizeof data);
    while ((got = xvs_recv(t, data + all, 70000, 0)) > 0)
        all += got;
    CU_ASSERT_TRUE(lab_matches(data, 0, (size_t)all));
    EQ(got, error ? error : -EAGAIN);
    if (!error)
        EQ(all, sent > 0 ? sent : 0);
    xvs_stream_close(s);
    xvs_stream_close(t);
    CU_ASSERT_PTR_NULL(vmux_invariant(x->trunk.mux));
    lab_process();
    NO_LEAK();
    lab_stop();
}

static void a_local_reader_without_memory_ends_before_the_hole(void)
{
    CU_ASSERT_TRUE(each(local_once) >= 2);
}

/* The device goes down, and what lies in its pages would have to be copied. */
static void reset_once(unsigned n)
{
    struct xvs_stream *s;
    ssize_t got, all = 0;

    lab_stop();
    options.rx_pool = 64u << 10;
    lab_start();
    s = lab_accept(&a, 5, 65536);
    for (int i = 0; i < 7; i++) {
        lab_send(&a, VSOCKIF_OP_RW, 7000);
        lab_process();
    }
    lab_events();
    rawback_unmap(&back);
    REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSING) == 0);
    fail_at(n);
    UNTIL(!xvs_is_up(x));
    countdown = 0;
    EQ(lab_stream_events(s), XVS_EVENT_HUP);
    while ((got = xvs_recv(s, data + all, 1000, 0)) > 0)
        all += got;
    CU_ASSERT_TRUE(lab_matches(data, 0, (size_t)all));
    CU_ASSERT_TRUE(got == -ECONNRESET || (failed && got == -ENOMEM));
    if (got == -ECONNRESET)
        EQ(all, 49000);
    lab_handshake();
    xvs_stream_close(s);
    CU_ASSERT_PTR_NULL(vmux_invariant(x->trunk.mux));
    NO_LEAK();
    lab_stop();
}

static void a_reset_without_memory_keeps_what_is_in_order(void)
{
    CU_ASSERT_TRUE(each(reset_once) >= 5);
}

/* No memory at all from some point on: nothing crashes, and closing needs none. */
static void famine_once(unsigned n)
{
    struct xvs_stream *s, *t = NULL;

    lab_stop();
    options.rx_pool = 64u << 10;
    lab_start();
    s = lab_accept(&a, 5, 65536);
    fail_at(n);
    for_ever = true;
    for (int i = 0; i < 3; i++) {
        lab_send(&a, VSOCKIF_OP_RW, 32000);
        xvs_process(x);
    }
    xvs_connect(x, XVS_CID_LOCAL, PORT, &t);
    xvs_send(s, data, 5000, 0);
    xvs_stream_close(t);
    countdown = 0;
    rawback_unmap(&back);
    rawback_set_state(&back, VSOCKIF_CLOSING);
    countdown = 1;
    for (int i = 0; i < 3; i++)
        xvs_process(x);
    xvs_close(x);
    countdown = 0;
    x = NULL;
    lab_stop();
}

static void closing_needs_no_memory(void)
{
    unsigned n = 1;

    for (; n < 40; n++)
        famine_once(n);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(an_open_without_memory_fails_clean),
        TEST(a_device_without_memory_comes_up_later),
        TEST(a_device_that_appears_without_memory_is_found_later),
        TEST(xenstore_without_memory_is_asked_later),
        TEST(a_connection_to_xenstored_that_cannot_be_watched_is_asked),
        TEST(a_connect_or_listen_without_memory_fails_clean),
        TEST(a_reader_without_memory_ends_before_the_hole),
        TEST(a_local_reader_without_memory_ends_before_the_hole),
        TEST(a_reset_without_memory_keeps_what_is_in_order),
        TEST(closing_needs_no_memory),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("library: without memory", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_fork.c: who owns a device while the owner has children: a lock that ends with the owner, children that hold nothing of
 * it, and a handle that in a child does nothing.  A child of these tests lives until the test lets it go. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lab.h"

static struct far a;

/* In a child, where a failed test cannot be told to CUnit. */
#define MUST(cond) \
    do { \
        if (!(cond)) { \
            fprintf(stderr, "%s:%d: in a child: %s (%s)\n", __FILE__, __LINE__, #cond, xvs_open_error()); \
            _exit(1); \
        } \
    } while (0)

/* ---- children ---- */

struct child {
    pid_t pid;
    int go;                     /* the child waits for the end of this pipe, */
    int said;                   /* and says things through this one */
    int wait, say;              /* its ends */
};

static void pipes(struct child *c)
{
    int go[2], said[2];

    REQUIRE(pipe2(go, O_CLOEXEC) == 0 && pipe2(said, O_CLOEXEC) == 0);
    *c = (struct child){ .wait = go[0], .go = go[1], .said = said[0], .say = said[1] };
}

/* Which end is whose; in the parent true. */
static bool begun(struct child *c, pid_t pid)
{
    REQUIRE(pid >= 0);
    if (pid == 0) {
        close(c->go);
        close(c->said);
        return false;
    }
    c->pid = pid;
    close(c->wait);
    close(c->say);
    return true;
}

static bool forked(struct child *c)
{
    pipes(c);
    return begun(c, fork());
}

static void wait_to_go(const struct child *c)
{
    char byte;

    while (read(c->wait, &byte, 1) > 0)
        ;
}

static void say(const struct child *c, long value)
{
    MUST(write(c->say, &value, sizeof value) == sizeof value);
}

static long hear(const struct child *c)
{
    long value = -1;

    REQUIRE(read(c->said, &value, sizeof value) == sizeof value);
    return value;
}

/* Its exit status. */
static int let_go(struct child *c)
{
    int status = -1;

    close(c->go);
    REQUIRE(waitpid(c->pid, &status, 0) == c->pid);
    close(c->said);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void sleeper(struct child *c)
{
    if (forked(c))
        return;
    wait_to_go(c);
    _exit(0);
}

/* ---- the device is free for the next ---- */

static void a_child_that_lives_on_keeps_no_device_that_its_parent_closed(void)
{
    struct child c;
    long granted, ports;

    lab_attach();
    granted = lab_count(GUEST, "granted");
    ports = lab_count(GUEST, "ports");
    lab_start();
    sleeper(&c);
    for (int i = 0; i < 3; i++) {
        xvs_close(x);
        x = NULL;
        rawback_unmap(&back);
        EQ(lab_count(GUEST, "granted"), granted);
        EQ(lab_count(GUEST, "ports"), ports);
        REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSING) == 0);
        REQUIRE(lab_open() == 0);
        lab_handshake();
    }
    EQ(let_go(&c), 0);
    lab_stop();
}

/* Owns the device and has a child of its own, whose process id it says, until it is killed. */
static void own(const struct child *c)
{
    pid_t helper;

    hosted_become(GUEST);
    MUST(xvs_open(NULL, &x) == 0);
    say(c, getpid());
    MUST(xvs_wait_up(x, PATIENCE_MS) == 0);
    if ((helper = fork()) == 0) {
        alarm(5 * PATIENCE_MS / 1000);          /* should the test not get to the end */
        for (;;)
            pause();
    }
    say(c, helper);
    for (;;)
        xvs_wait(x, -1);
}

static void until_front_state(unsigned state)
{
    for (int n = 0; rawback_front_state(&back) != state; n++) {
        REQUIRE(n < PATIENCE_MS / 10);
        usleep(10000);
    }
}

static void an_owner_that_is_killed_leaves_no_device_to_its_children(void)
{
    struct child owner;
    long granted, helper;

    lab_attach();
    REQUIRE(lab_open() == 0);               /* xenstore's own page and port are counted from now on */
    granted = lab_count(GUEST, "granted");
    xvs_close(x);
    x = NULL;
    if (!forked(&owner))
        own(&owner);
    EQ(hear(&owner), owner.pid);
    until_front_state(VSOCKIF_INITIALISING);
    REQUIRE(rawback_offer(&back) == 0);
    until_front_state(VSOCKIF_INITIALISED);
    REQUIRE(rawback_map(&back) == 0);
    helper = hear(&owner);
    EQ(lab_open(), -EBUSY);
    kill(owner.pid, SIGKILL);
    EQ(let_go(&owner), 128 + SIGKILL);
    EQ(kill((pid_t)helper, 0), 0);

    /* Its backend hears of it, as if there were no child, and gets all pages back. */
    for (int n = 0; shm_load_byte(&back.control->front_live); n++) {
        REQUIRE(n < PATIENCE_MS / 10);
        usleep(10000);
    }
    rawback_unmap(&back);
    EQ(lab_count(GUEST, "granted"), granted);
    REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSING) == 0);
    REQUIRE(lab_open() == 0);
    lab_handshake();
    EQ(kill((pid_t)helper, 0), 0);
    kill((pid_t)helper, SIGKILL);
    lab_stop();
}

/* Not by fork(): what a program does that calls clone() by itself.  Nobody can tell the library of it. */
static void a_child_without_a_fork_handler_keeps_no_device_that_was_closed(void)
{
    struct child c;

    lab_start();
    pipes(&c);
    if (!begun(&c, (pid_t)syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, NULL))) {
        MUST(msync(x->trunk.link.mem.tx_pool, 4096, MS_ASYNC) < 0 && errno == ENOMEM);        /* nothing is mapped there */
        MUST(msync(x->bus.share.control, 4096, MS_ASYNC) < 0 && errno == ENOMEM);
        wait_to_go(&c);
        _exit(0);
    }
    xvs_close(x);
    x = NULL;
    rawback_unmap(&back);
    REQUIRE(rawback_set_state(&back, VSOCKIF_CLOSING) == 0);
    REQUIRE(lab_open() == 0);
    lab_handshake();
    EQ(let_go(&c), 0);
    lab_stop();
}

static void a_child_opens_the_device_when_its_parent_has_closed_it(void)
{
    struct xvs *own_x = NULL;
    struct child c;
    char owner[64];

#ifdef __SANITIZE_THREAD__
    SKIP("the thread sanitizer knows no threads in a forked child");
#endif
    lab_start();
    snprintf(owner, sizeof owner, "belongs to process %ld ", (long)getpid());
    if (!forked(&c)) {
        hosted_become(GUEST);
        MUST(xvs_open(NULL, &own_x) == -EBUSY);
        MUST(strstr(xvs_open_error(), owner));
        say(&c, 1);
        wait_to_go(&c);
        MUST(xvs_open(NULL, &own_x) == 0);
        xvs_close(own_x);
        xvs_close(x);
        _exit(0);
    }
    EQ(hear(&c), 1);
    xvs_close(x);
    x = NULL;
    EQ(let_go(&c), 0);
    lab_stop();
}

/* ---- who is told to be the owner ---- */

static void write_text(const char *text)
{
    char path[4200];
    int fd;

    /* In another process: to close the file in this one would drop the lock that tells who we are. */
    snprintf(path, sizeof path, "%s/device-0.lock", getenv("XVS_RUN_DIR"));
    MUST((fd = open(path, O_WRONLY | O_TRUNC)) >= 0);
    MUST(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void the_owner_is_named_by_the_kernel_and_not_by_the_file(void)
{
    static const char *const texts[] = { "", "1\n", "99999999\n", "-1\n", "0\n", "nobody\n", "99999999999999999999999\n" };
    struct xvs *own_x;
    struct child c;
    char owner[64];

    lab_start();
    snprintf(owner, sizeof owner, "belongs to process %ld ", (long)getpid());
    if (!forked(&c)) {
        hosted_become(GUEST);
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
            write_text(texts[i]);
            MUST(xvs_open(NULL, &own_x) == -EBUSY);
            MUST(strstr(xvs_open_error(), owner));
        }
        _exit(0);
    }
    EQ(let_go(&c), 0);
    lab_stop();
}

/* A library of before has the first of the two locks only, and writes its process id. */
static void an_owner_with_an_older_library_is_named_if_it_lives(void)
{
    char path[4200], text[64];
    struct child c;
    int fd;

    lab_attach();
    hosted_become(GUEST);
    snprintf(path, sizeof path, "%s/device-0.lock", getenv("XVS_RUN_DIR"));
    hosted_become(0);
    REQUIRE((fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) >= 0);
    REQUIRE(syscall(SYS_flock, fd, 2 | 4) == 0);        /* LOCK_EX | LOCK_NB */
    sleeper(&c);
    dprintf(fd, "%ld\n", (long)c.pid);
    EQ(lab_open(), -EBUSY);
    snprintf(text, sizeof text, "belongs to process %ld ", (long)c.pid);
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_open_error(), text));
    snprintf(text, sizeof text, "%ld", (long)c.pid);
    EQ(let_go(&c), 0);
    EQ(lab_open(), -EBUSY);
    CU_ASSERT_PTR_NULL(strstr(xvs_open_error(), text));
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_open_error(), "another process"));
    close(fd);
    EQ(lab_open(), 0);
    lab_stop();
}

/* A second opening in the owner's own process is refused without touching the file: that would drop the lock that tells. */
static void a_second_opening_in_one_process_is_refused_and_loses_nothing(void)
{
    struct xvs *second = x;
    struct child c;
    char owner[64];

    lab_start();
    hosted_become(GUEST);
    snprintf(owner, sizeof owner, "in this process %ld ", (long)getpid());
    EQ(xvs_open(NULL, &second), -EBUSY);
    CU_ASSERT_PTR_NULL(second);
    CU_ASSERT_PTR_NOT_NULL(strstr(xvs_open_error(), owner));
    snprintf(owner, sizeof owner, "belongs to process %ld ", (long)getpid());
    if (!forked(&c)) {
        write_text("");
        MUST(xvs_open(NULL, &second) == -EBUSY);
        MUST(strstr(xvs_open_error(), owner));
        _exit(0);
    }
    EQ(let_go(&c), 0);
    hosted_become(0);
    lab_stop();
}

/* As after a restore: bus.c puts the lock above the event channel. */
static void a_lock_that_moves_to_another_descriptor_still_keeps_out_and_tells(void)
{
    struct xvs *second;
    struct child c;
    char owner[64];

    lab_start();
    owner_raise(&x->lock, 100);
    CU_ASSERT_TRUE(x->lock.fd > 100);
    snprintf(owner, sizeof owner, "belongs to process %ld ", (long)getpid());
    if (!forked(&c)) {
        hosted_become(GUEST);
        write_text("");
        MUST(xvs_open(NULL, &second) == -EBUSY);
        MUST(strstr(xvs_open_error(), owner));
        _exit(0);
    }
    EQ(let_go(&c), 0);
    xvs_close(x);
    x = NULL;
    EQ(lab_open(), 0);
    lab_stop();
}

/* ---- the handle in a child ---- */

/* Everything that a program might do to what it has inherited, by its destructors for instance. */
static void use_all(struct xvs_stream *s, struct xvs_stream *calling)
{
    struct xvs_stats st = { .size = sizeof st };
    struct xvs_stream *t = NULL;
    struct xvs_listener *l;
    struct xvs_event ev;
    struct iovec iov[4];
    FILE *nothing = fopen("/dev/null", "w");
    char buffer[100];
    void *piece;

    MUST(!xvs_is_up(x));
    MUST(strstr(xvs_reason(x), "forked"));
    MUST(xvs_process(x) == -ESTALE);
    MUST(xvs_wait(x, 0) == -ESTALE && xvs_wait(x, -1) == -ESTALE);
    MUST(xvs_wait_up(x, 100) == -ESTALE);
    MUST(xvs_connect(x, 2, 1, &t) == -ENETDOWN && !t);
    MUST(xvs_connect_wait(x, 2, 1, 100, &t) == -ESTALE);
    MUST(xvs_accept(listener, &t) == -EAGAIN);
    MUST(xvs_accept_wait(listener, 100, &t) == -ESTALE);
    MUST(xvs_send(s, "child", 5, 0) == -ECONNRESET);
    MUST(xvs_send_all(s, "child", 5, 100) < 0);
    MUST(xvs_reserve(s, 100, &piece) == -ECONNRESET);
    MUST(xvs_commit(s, 1, 0) == -ECONNRESET);
    xvs_flush(x);
    while (xvs_next_event(x, &ev))
        ;
    xvs_recv(s, buffer, sizeof buffer, XVS_PEEK);
    xvs_peek(s, iov, 4);
    xvs_done(s, 10);
    xvs_recv_wait(s, buffer, sizeof buffer, 100);       /* all: so the close is an orderly one, which has a deadline */
    xvs_shutdown(s, SHUT_WR);
    xvs_stream_set_buffer(s, 65536);
    xvs_get_stats(x, &st);
    MUST(nothing);
    xvs_dump(x, nothing);
    MUST(xvs_listen(x, 999, 4, &l) == 0);
    xvs_listener_close(l);
    xvs_stream_close(s);
    xvs_stream_reset(calling);
    xvs_listener_close(listener);
    xvs_close(x);
}

static void what_a_child_does_with_the_handle_touches_nothing_of_its_parent(void)
{
    struct xvs_stream *s, *calling;
    struct itimerspec timer;
    uint8_t byte[200];
    struct child c;

    lab_stop();
    options.connect_timeout = 1000000;          /* the timer is set to that, and closing would set it to 8 s */
    lab_start();
    s = lab_accept(&a, 5, 65536);
    lab_send(&a, VSOCKIF_OP_RW, 100);
    lab_process();
    lab_fill(byte, 0, sizeof byte);
    EQ(xvs_send(s, byte, 70, XVS_MORE), 70);
    REQUIRE(xvs_connect(x, 2, 6, &calling) == 0);
    while (lab_poll(0))
        lab_process();
    x->bus.store_check = x->bus.byte_check = x->wake.timer_at = LIFE_NEVER;
    turn_set_timer(x);
    timerfd_gettime(x->wake.timer, &timer);
    CU_ASSERT_TRUE(timer.it_value.tv_sec > 500);
    if (!forked(&c)) {
        use_all(s, calling);
        /* As if the program went on with other things, for which the numbers of descriptors are used anew. */
        for (int i = 0; i < 20; i++)
            MUST(open("/dev/null", O_RDWR) >= 0);
        _exit(0);
    }
    EQ(let_go(&c), 0);
    EQ(shm_load_byte(&back.control->front_live), 1);
    timerfd_gettime(x->wake.timer, &timer);
    CU_ASSERT_TRUE(timer.it_value.tv_sec > 500);
    CU_ASSERT_FALSE(lab_poll(0));
    EQ(xvs_send(s, byte + 70, 30, 0), 30);
    lab_take(&a, false);
    EQ(a.got, 100);
    CU_ASSERT_FALSE(a.bad);
    EQ(xvs_recv(s, byte, sizeof byte, 0), 100);
    CU_ASSERT_TRUE(lab_matches(byte, 0, 100));
    lab_settle();
    /* The parent still hears: of the backend, and of xenstore. */
    lab_send(&a, VSOCKIF_OP_RW, 50);
    CU_ASSERT_TRUE(lab_poll(PATIENCE_MS));
    lab_settle();
    EQ(xvs_recv(s, byte, sizeof byte, 0), 50);
    REQUIRE(rawback_set_state(&back, VSOCKIF_CONNECTED) == 0);
    CU_ASSERT_TRUE(lab_poll(PATIENCE_MS));
    lab_settle();
    CU_ASSERT_TRUE(xvs_is_up(x));
    lab_close(&a, s);
    xvs_stream_close(calling);
    lab_stop();
}

/* No shared page is there for a child to look into or to write to, and the lock and the channel are not among its descriptors. */
static void a_child_inherits_no_shared_page_and_no_lock(void)
{
    char name[64], what[4200];
    struct child c;
    FILE *f;

    lab_start();
    x->trunk.link.mem.tx_pool[5] = 'S';
    if (!forked(&c)) {
        bool found = false;

        MUST(x->trunk.link.mem.tx_pool[5] == 0);
        x->trunk.link.mem.tx_pool[5] = 'C';
        MUST((f = fopen("/proc/self/maps", "r")));
        while (fgets(what, sizeof what, f)) {
            uintptr_t begin = strtoul(what, NULL, 16), end = strtoul(strchr(what, '-') + 1, NULL, 16);

            if ((uintptr_t)x->trunk.link.mem.tx_pool >= begin && (uintptr_t)x->trunk.link.mem.tx_pool < end)
                MUST(found = strstr(what, " rw-p ") != NULL);
        }
        MUST(found);
        for (int fd = 0; fd < 256; fd++) {
            ssize_t n;

            snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
            n = readlink(name, what, sizeof what - 1);
            what[n > 0 ? n : 0] = '\0';
            MUST(!strstr(what, "device-0.lock"));
        }
        _exit(0);
    }
    EQ(let_go(&c), 0);
    EQ(x->trunk.link.mem.tx_pool[5], 'S');
    x->trunk.link.mem.tx_pool[5] = 0;
    lab_stop();
}

/* Those of the libraries keep their numbers until the child has closed the handle, and not longer. */
static void a_child_that_closes_the_handle_has_its_descriptors_back(void)
{
    struct child c;

    lab_start();
    if (!forked(&c)) {
        int pages = xengntshr_fd(x->bus.share.gntshr), channel = xenevtchn_fd(x->bus.share.evtchn);

        MUST(fcntl(pages, F_GETFD) >= 0 && fcntl(channel, F_GETFD) >= 0);
        xvs_close(x);
        MUST(fcntl(pages, F_GETFD) < 0 && fcntl(channel, F_GETFD) < 0);
        _exit(0);
    }
    EQ(let_go(&c), 0);
    CU_ASSERT_TRUE(xvs_is_up(x));
    lab_stop();
}

/* ---- many at once ---- */

static atomic_bool over;

static void *opens_and_closes(void *arg)
{
    struct xvs_options o;
    long n = 0;

    (void)arg;
    xvs_options_init(&o);
    o.device = 3;
    while (!over) {
        struct xvs *other;

        if (xvs_open(&o, &other) || xvs_wait(other, 0) < 0)
            return NULL;
        xvs_close(other);
        n++;
    }
    return (void *)n;
}

static void forks_while_other_threads_open_and_close_all_end(void)
{
    pthread_t thread;
    void *rounds;

    lab_start();
    over = false;
    hosted_become(GUEST);
    REQUIRE(pthread_create(&thread, NULL, opens_and_closes, NULL) == 0);
    for (int i = 0; i < 200; i++) {
        struct child c;

        if (!forked(&c)) {
            alarm(PATIENCE_MS / 1000);
            _exit(x->wake.orphan ? 0 : 1);
        }
        EQ(let_go(&c), 0);
    }
    over = true;
    pthread_join(thread, &rounds);
    CU_ASSERT_PTR_NOT_NULL(rounds);
    hosted_become(0);
    lab_stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(a_child_that_lives_on_keeps_no_device_that_its_parent_closed),
        TEST(an_owner_that_is_killed_leaves_no_device_to_its_children),
        TEST(a_child_without_a_fork_handler_keeps_no_device_that_was_closed),
        TEST(a_child_opens_the_device_when_its_parent_has_closed_it),
        TEST(the_owner_is_named_by_the_kernel_and_not_by_the_file),
        TEST(an_owner_with_an_older_library_is_named_if_it_lives),
        TEST(a_second_opening_in_one_process_is_refused_and_loses_nothing),
        TEST(a_lock_that_moves_to_another_descriptor_still_keeps_out_and_tells),
        TEST(what_a_child_does_with_the_handle_touches_nothing_of_its_parent),
        TEST(a_child_inherits_no_shared_page_and_no_lock),
        TEST(a_child_that_closes_the_handle_has_its_descriptors_back),
        TEST(forks_while_other_threads_open_and_close_all_end),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("library: forks and owners", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_backend_dialer.c: in which directory a guest's call is answered: its present one's, an older one's, that of all guests. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "dialer.h"
#include "rundir_lab.h"

#define PORT 5000u

static struct loop loop;
static struct dialer dialer;
static struct wall keeper, worker;
static struct wall_msg answer;
static uint32_t answers;
static int answered_fd = -1;

static void hear(struct wall *w, const struct wall_msg *m, int fd)
{
    (void)w;
    answer = *m;
    answered_fd = fd;
    answers++;
}

static void gone(struct wall *w, const char *why_gone)
{
    (void)w;
    (void)why_gone;
}

static void work(void)
{
    for (int i = 0; i < 8; i++)
        poller_wait(&loop.poller, 0);
}

static void begin_dialer(void)
{
    int fds[2];

    begin();
    keeper = worker = (struct wall){ .source.fd = -1, .hear = hear, .gone = gone };
    REQUIRE(loop_init(&loop) == 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    REQUIRE(wall_open(&keeper, &loop, fds[0], true) == 0 && dialer_open(&dialer, &loop, fds[1]) == 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    REQUIRE(wall_open(&worker, &loop, fds[0], false) == 0);
    wall_send(&keeper, &(struct wall_msg){ .kind = WALL_PAIR }, fds[1]);
}

static void end_dialer(void)
{
    dialer_close(&dialer);
    wall_close(&worker);
    wall_close(&keeper);
    loop_close(&loop);
    end();
}

static int dir(const char *name)
{
    int fd;

    EQ(!mkdir(in(name), 0700) || errno == EEXIST, 1);
    REQUIRE((fd = open(in(name), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0);
    return fd;
}

/* With the directory, or of one that is known. */
static void door(uint32_t device, uint32_t number, const char *name)
{
    struct wall_msg m = { .kind = WALL_DOOR, .device = device, .door.door = number };

    snprintf(m.door.path, sizeof m.door.path, "%s", name ? name : "");
    wall_send(&keeper, &m, name ? dir(name) : -1);
}

static void say(uint32_t kind, uint32_t device, uint32_t number)
{
    wall_send(&keeper, &(struct wall_msg){ .kind = kind, .device = device, .number = number }, -1);
}

static void for_all(const char *name)
{
    struct wall_msg m = { .kind = WALL_ANY };

    snprintf(m.any.path, sizeof m.any.path, "%s", name);
    wall_send(&keeper, &m, dir(name));
}

/* The directory's name where somebody was reached, or "" and *err. */
static const char *dial(uint32_t device, int *err)
{
    static char path[WALL_PATH];
    uint32_t before = answers;

    wall_send(&worker, &(struct wall_msg){ .kind = WALL_DIAL, .device = device, .dial = { .request = 7, .port = PORT } }, -1);
    work();
    REQUIRE(answers == before + 1);
    EQ(answer.kind, WALL_DIALED);
    EQ(answer.device, device);
    EQ(answer.dialed.request, 7);
    EQ(answered_fd >= 0, answer.dialed.err == 0);
    if (answered_fd >= 0)
        close(answered_fd);
    *err = answer.dialed.err;
    snprintf(path, sizeof path, "%s", *err ? "" : answer.dialed.dir);
    return path;
}

static bool reaches(uint32_t device, const char *name)
{
    int err;
    bool right = !strcmp(dial(device, &err), name);

    if (!right)
        fprintf(stderr, "device %u: %s (%d), not %s\n", device, answer.dialed.dir, err, name);
    return right;
}

static int listen_in(const char *name)
{
    char path[200];

    snprintf(path, sizeof path, "%s/vsock_%u", in(name), PORT);
    unlink(path);
    return socket_at(path, true);
}

static void the_present_directory_comes_before_older_ones_and_that_of_all_last(void)
{
    int err, present, older, all;

    begin_dialer();
    door(1, 11, "older");
    door(1, 12, "present");
    door(2, 21, "other");
    say(WALL_PRESENT, 1, 12);
    for_all("all");
    all = listen_in("all");
    older = listen_in("older");
    present = listen_in("present");
    CU_ASSERT_TRUE(reaches(1, "present"));
    EQ(answer.dialed.for_all, 0);
    close(present);                             /* it has left its name */
    CU_ASSERT_TRUE(reaches(1, "older"));
    EQ(answer.dialed.for_all, 0);
    close(older);
    CU_ASSERT_TRUE(reaches(1, "all"));
    EQ(answer.dialed.for_all, 1);
    CU_ASSERT_TRUE(reaches(2, "all"));
    CU_ASSERT_TRUE(reaches(3, "all"));          /* whoever has no directory at all */
    close(all);
    dial(1, &err);
    EQ(err, -ECONNREFUSED);
    EQ(answer.dialed.for_all, 0);
    dial(2, &err);
    EQ(err, -ENOENT);
    end_dialer();
}

/* What stands at a guest's own name and is no listener's socket decides, and the message says where it is. */
static void what_is_no_socket_is_told_and_nobody_else_is_called(void)
{
    int err, all;

    begin_dialer();
    door(1, 11, "own");
    for_all("all");
    all = listen_in("all");
    EQ(mkdir(in("own/vsock_5000"), 0700), 0);
    dial(1, &err);
    EQ(err, -EACCES);
    EQ(strcmp(answer.dialed.dir, "own"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.dialed.why, "is a directory"));
    EQ(rmdir(in("own/vsock_5000")), 0);
    close(all);
    EQ(unlink(in("all/vsock_5000")), 0);
    EQ(mkfifo(in("all/vsock_5000"), 0600), 0);
    dial(1, &err);
    EQ(err, -EACCES);
    EQ(strcmp(answer.dialed.dir, "all"), 0);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer.dialed.why, "is a FIFO"));
    EQ(answer.dialed.for_all, 0);
    end_dialer();
}

static void a_directory_that_goes_to_another_guest_takes_its_listeners_along(void)
{
    int fd, err;

    begin_dialer();
    door(1, 11, "web");
    fd = listen_in("web");
    CU_ASSERT_TRUE(reaches(1, "web"));
    door(2, 11, NULL);
    dial(1, &err);
    EQ(err, -ENOENT);
    CU_ASSERT_TRUE(reaches(2, "web"));
    door(1, 12, "new");
    door(2, 11, "web");                         /* it is known: what comes with it is not needed */
    CU_ASSERT_TRUE(reaches(2, "web"));
    say(WALL_DOOR_SHUT, 2, 11);
    say(WALL_DOOR_SHUT, 2, 99);
    say(WALL_PRESENT, 2, 99);
    door(2, 98, NULL);
    dial(2, &err);
    EQ(err, -ENOENT);
    CU_ASSERT_FALSE(dialer.is_over);
    close(fd);
    end_dialer();
}

static void many_guests_have_each_their_own(void)
{
    int fd[40], err;
    char name[20];

    begin_dialer();
    for (uint32_t i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "guest%u", i);
        door(1 + i / 2, 100 + i, name);
        work();
        fd[i] = i % 4 < 2 ? listen_in(name) : -1;
    }
    for (uint32_t i = 0; i < 20; i++) {
        say(WALL_PRESENT, 1 + i, 100 + 2 * i + 1);
        snprintf(name, sizeof name, "guest%u", 2 * i + 1);
        CU_ASSERT_TRUE(i % 2 ? dial(1 + i, &err) && err == -ENOENT : reaches(1 + i, name));
    }
    for (uint32_t i = 0; i < 40; i += 3) {
        say(WALL_DOOR_SHUT, 1 + i / 2, 100 + i);
        if (fd[i] >= 0)
            close(fd[i]);
        fd[i] = -1;
    }
    for (uint32_t i = 0; i < 40; i++)
        if (fd[i] >= 0) {
            say(WALL_PRESENT, 1 + i / 2, 100 + i);
            snprintf(name, sizeof name, "guest%u", i);
            CU_ASSERT_TRUE(reaches(1 + i / 2, name));
            close(fd[i]);
        }
    end_dialer();
}

/* Without the directory of all it would refuse whom it should call. */
static void one_that_cannot_have_the_directory_of_all_is_started_again(void)
{
    begin_dialer();
    for_all("all");
    for_all("all");                             /* another one takes its place */
    work();
    CU_ASSERT_FALSE(dialer.is_over);
    wall_send(&keeper, &(struct wall_msg){ .kind = WALL_ANY }, -1);
    work();
    CU_ASSERT_TRUE(dialer.is_over);
    end_dialer();
}

static const struct test tests[] = {
    TEST(the_present_directory_comes_before_older_ones_and_that_of_all_last),
    TEST(what_is_no_socket_is_told_and_nobody_else_is_called),
    TEST(a_directory_that_goes_to_another_guest_takes_its_listeners_along), TEST(many_guests_have_each_their_own),
    TEST(one_that_cannot_have_the_directory_of_all_is_started_again)
};

int main(int argc, char **argv)
{
    /* libuv keeps what it opens for the first loop. */
    if (loop_init(&loop))
        return 2;
    loop_close(&loop);
    return harness_run("dialer", tests, sizeof tests / sizeof *tests, argc, argv);
}

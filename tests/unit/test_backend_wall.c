/* SPDX-License-Identifier: MIT */
/* test_backend_wall.c: messages between the daemon's processes: what is good, and what arrives. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "harness.h"
#include "wall.h"

#define MANY 3000u

static struct loop loop;
static struct wall keeper, worker;
static uint32_t heard, last;
static int last_fd = -1;
static unsigned ends;
static char said[200];

static void hear(struct wall *w, const struct wall_msg *m, int fd)
{
    (void)w;
    CU_ASSERT_TRUE(m->device == 0 || m->device == last + 1);    /* in order */
    last = m->device;
    heard++;
    if (last_fd >= 0)
        close(last_fd);
    last_fd = fd;
}

static void gone(struct wall *w, const char *why)
{
    CU_ASSERT_FALSE(wall_is_open(w));
    ends++;
    snprintf(said, sizeof said, "%s", why ? why : "");
}

/* Two ends; the bare one of the two is returned where a test wants to speak by itself. */
static int begin(bool bare)
{
    int fds[2];

    keeper = worker = (struct wall){ .source.fd = -1, .hear = hear, .gone = gone };
    heard = last = 0;
    ends = 0;
    *said = '\0';
    last_fd = -1;
    REQUIRE(loop_init(&loop) == 0);
    REQUIRE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
    REQUIRE(wall_open(&keeper, &loop, fds[0], true) == 0);
    if (!bare)
        REQUIRE(wall_open(&worker, &loop, fds[1], false) == 0);
    return fds[1];
}

static void end(void)
{
    wall_close(&keeper);
    wall_close(&worker);
    if (last_fd >= 0)
        close(last_fd);
    last_fd = -1;
    loop_close(&loop);
}

/* Until nothing is left to be heard. */
static void work(void)
{
    for (uint32_t before = UINT32_MAX; before != heard;) {
        before = heard;
        for (int i = 0; i < 4; i++)
            poller_wait(&loop.poller, 0);
    }
}

static size_t size_of(uint32_t kind, bool from_worker)
{
    static struct wall_msg m;

    m = (struct wall_msg){ .kind = kind };
    for (size_t len = 0; len <= sizeof m; len++)
        if (!wall_judge(&m, len, from_worker))
            return len;
    return 0;
}

static void each_kind_is_good_from_one_side_and_in_one_size(void)
{
    for (uint32_t kind = 0; kind < WALL_COUNT; kind++) {
        static struct wall_msg m;
        size_t sides = 0;

        for (int from_worker = 0; from_worker < 2; from_worker++) {
            size_t good = size_of(kind, from_worker);

            sides += good != 0;
            m = (struct wall_msg){ .kind = kind };
            for (size_t len = 0; good && len <= sizeof m; len++)
                EQ(wall_judge(&m, len, from_worker) == NULL, len == good);
        }
        EQ(sides, 1);
    }
    CU_ASSERT_PTR_NOT_NULL(wall_judge(&(struct wall_msg){ .kind = WALL_COUNT }, 9, true));
    CU_ASSERT_PTR_NOT_NULL(wall_judge(&(struct wall_msg){ .kind = UINT32_MAX }, 9, false));
}

static void a_text_without_an_end_is_no_good(void)
{
    static const uint32_t kinds[] = { WALL_ASK, WALL_BROKE, WALL_UPPED, WALL_DIAL };

    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        static struct wall_msg m;
        size_t size = size_of(kinds[i], true);

        memset(&m, 'x', sizeof m);
        m.kind = kinds[i];
        if (m.kind == WALL_ASK)
            m.ask.verb = WALL_ATTACH;
        CU_ASSERT_STRING_EQUAL(wall_judge(&m, size, true), "a text without an end");
        memset((char *)&m + size - 4, 0, 4);
        CU_ASSERT_PTR_NULL(wall_judge(&m, size, true));
    }
    CU_ASSERT_STRING_EQUAL(wall_judge(&(struct wall_msg){ .kind = WALL_ASK, .ask.verb = WALL_VERBS }, size_of(WALL_ASK, true), true),
                           "no verb");
}

static void a_message_arrives_with_its_descriptor(void)
{
    struct stat sent, got;
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    begin(false);
    REQUIRE(fd >= 0 && fstat(fd, &sent) == 0);
    wall_send(&keeper, &(struct wall_msg){ .kind = WALL_UP, .device = 1 }, fd);
    EQ(fcntl(fd, F_GETFD), -1);         /* it was taken */
    work();
    EQ(heard, 1);
    REQUIRE(last_fd >= 0 && fstat(last_fd, &got) == 0);
    EQ(sent.st_rdev, got.st_rdev);
    CU_ASSERT_TRUE(fcntl(last_fd, F_GETFD) & FD_CLOEXEC);
    wall_send(&worker, &(struct wall_msg){ .kind = WALL_LOOK, .device = 2 }, -1);
    work();
    EQ(heard, 2);
    EQ(last_fd, -1);
    end();
}

static void what_does_not_fit_waits_and_comes_in_order(void)
{
    begin(false);
    for (uint32_t i = 1; i <= MANY; i++)
        wall_send(&worker, &(struct wall_msg){ .kind = WALL_BROKE, .device = i },  -1);
    CU_ASSERT_TRUE(worker.waiting > 0);
    work();
    EQ(heard, MANY);
    EQ(worker.waiting, 0);
    end();
}

static void what_waits_is_dropped_with_the_wall_and_its_descriptor_closed(void)
{
    struct stat st;
    int fd = -1;

    begin(false);
    for (uint32_t i = 1; i <= MANY; i++)
        wall_send(&worker, &(struct wall_msg){ .kind = WALL_BROKE, .device = i },  -1);
    REQUIRE((fd = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
    wall_send(&worker, &(struct wall_msg){ .kind = WALL_LOOK }, fd);
    EQ(fstat(fd, &st), 0);              /* it waits with its message */
    wall_close(&worker);
    EQ(fstat(fd, &st), -1);
    EQ(worker.waiting, 0);
    end();
}

static void one_round_hears_a_part_of_a_flood(void)
{
    begin(false);
    for (uint32_t i = 1; i <= MANY; i++)
        wall_send(&worker, &(struct wall_msg){ .kind = WALL_LOOK, .device = i },  -1);
    poller_wait(&loop.poller, 0);
    CU_ASSERT_TRUE(heard > 0 && heard < MANY / 4);
    work();
    EQ(heard, MANY);
    end();
}

static void is_closed_for(const void *bytes, size_t len, const char *why)
{
    int fd = begin(true);

    EQ(send(fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
    work();
    EQ(heard, 0);
    EQ(ends, 1);
    CU_ASSERT_STRING_EQUAL(said, why);
    CU_ASSERT_FALSE(wall_is_open(&keeper));
    wall_send(&keeper, &(struct wall_msg){ .kind = WALL_STOP }, -1);    /* harmless */
    close(fd);
    end();
}

static void what_is_no_message_ends_the_wall_and_is_named(void)
{
    static char longer[sizeof(struct wall_msg) + 1];
    const struct wall_msg other = { .kind = WALL_STOP }, look = { .kind = WALL_LOOK };

    is_closed_for("x", 1, "a message of no kind");
    is_closed_for(&other, 12, "a message of no kind");
    is_closed_for(&look, 8, "a message of the wrong size");
    is_closed_for(&look, 200, "a message of the wrong size");
    is_closed_for("", 0, "");
    is_closed_for(longer, sizeof longer, "a message that is too long");
}

static void the_other_end_s_death_is_told_once(void)
{
    int fd = begin(true);

    close(fd);
    work();
    EQ(ends, 1);
    CU_ASSERT_STRING_EQUAL(said, "");
    end();
    EQ(ends, 1);
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(each_kind_is_good_from_one_side_and_in_one_size),
        TEST(a_text_without_an_end_is_no_good),
        TEST(a_message_arrives_with_its_descriptor),
        TEST(what_does_not_fit_waits_and_comes_in_order),
        TEST(what_waits_is_dropped_with_the_wall_and_its_descriptor_closed),
        TEST(one_round_hears_a_part_of_a_flood),
        TEST(what_is_no_message_ends_the_wall_and_is_named),
        TEST(the_other_end_s_death_is_told_once),
    };

    return harness_run("wall", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_channels.c: sockets that lead straight to a port of a guest, with no line before what is sent and none before what comes. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admitted.h"
#include "hosted.h"
#include "rawfront.h"
#include "toolstack.h"

#define WEB  1u
#define DB   2u
#define PORT 700u
#define CONTROL "[guest web*]\nchannel control = 700\n"

static struct rawfront web;

static void open_daemon(void)
{
    toolstack_open();
    domain_make(WEB, "web1", NULL);
}

static void start(const char *conf)
{
    REQUIRE(daemon_start(conf) == 0);
    REQUIRE(rawfront_open(&web, WEB) == 0 && daemon_connect(&web) == 0);
}

static void stop(void)
{
    rawfront_close(&web);
    EQ(daemon_stop(SIGTERM), 0);
    domain_remove(WEB);
    toolstack_close();
}

static void reloads(const char *conf)
{
    FILE *f = fopen(daemon_path("conf"), "w");

    REQUIRE(f != NULL);
    fputs(conf, f);
    fclose(f);
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"reload\"}"), "{\"ok\":true}"));
    daemon_rounds();
}

/* A program that has connected to a channel, or a negative errno. */
static int enter(const char *guest, const char *name)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    REQUIRE((size_t)snprintf(a.sun_path, sizeof a.sun_path, "%s", daemon_path("run/guest/%s/channel/%s", guest, name)) < sizeof a.sun_path);
    if (!connect(fd, (const struct sockaddr *)&a, sizeof a))
        return fd;
    close(fd);
    return -errno;
}

/* The guest is asked for this port; the header is that of the REQUEST. */
static struct vsockif_hdr asked(uint32_t port)
{
    struct vsockif_hdr h;

    REQUIRE(rawfront_recv(&web, &h, PATIENCE_MS));
    EQ(h.op, VSOCKIF_OP_REQUEST);
    EQ(h.dst_port, port);
    return h;
}

static void say(const struct vsockif_hdr *request, unsigned op, uint32_t flags, uint32_t len)
{
    struct vsockif_hdr h = rawfront_header(&web, op, request->dst_port, request->src_port);

    h.flags = flags;
    h.len = len;
    rawfront_send(&web, &h);
    rawfront_kick(&web);
}

static void hears(unsigned op, uint32_t len)
{
    struct vsockif_hdr h;

    do {
        REQUIRE(rawfront_recv(&web, &h, PATIENCE_MS));
    } while (h.op == VSOCKIF_OP_CREDIT_UPDATE);
    EQ(h.op, op);
    EQ(h.len, len);
}

/* The end, or a reset. */
static void is_closed(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };
    char c;

    REQUIRE(poll(&p, 1, PATIENCE_MS) == 1);
    CU_ASSERT_TRUE(read(fd, &c, 1) <= 0);
    close(fd);
}

/* ---- bytes ---- */

static void nothing_but_what_the_two_say_goes_through(void)
{
    struct vsockif_hdr first, second;
    char bytes[16];
    int fd, other;

    open_daemon();
    start(CONTROL "channel org.qemu.guest_agent.0 = 701\n");
    REQUIRE((fd = enter("web1", "control")) >= 0);
    first = asked(PORT);
    REQUIRE((other = enter("web1", "org.qemu.guest_agent.0")) >= 0);
    second = asked(701);
    say(&first, VSOCKIF_OP_RESPONSE, 0, 0);
    say(&second, VSOCKIF_OP_RESPONSE, 0, 0);
    say(&first, VSOCKIF_OP_RW, 0, 5);
    EQ(host_read(fd, bytes, 5), 5);
    EQ(write(fd, "CONNECT 5\n", 10), 10);
    hears(VSOCKIF_OP_RW, 10);
    EQ(write(other, "x", 1), 1);
    hears(VSOCKIF_OP_RW, 1);
    EQ(recv(other, bytes, 1, MSG_DONTWAIT), -1);
    close(fd);
    close(other);
    stop();
}

static void an_end_each_way_is_one_of_that_way_alone(void)
{
    struct vsockif_hdr h;
    char bytes[16];
    int fd;

    open_daemon();
    start(CONTROL);
    REQUIRE((fd = enter("web1", "control")) >= 0);
    h = asked(PORT);
    EQ(write(fd, "abc", 3), 3);
    EQ(shutdown(fd, SHUT_WR), 0);
    daemon_rounds();
    say(&h, VSOCKIF_OP_RESPONSE, 0, 0);
    hears(VSOCKIF_OP_RW, 3);
    hears(VSOCKIF_OP_SHUTDOWN, 0);
    say(&h, VSOCKIF_OP_RW, 0, 7);
    EQ(host_read(fd, bytes, 7), 7);
    say(&h, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_SEND, 0);
    EQ(read(fd, bytes, 1), 0);
    close(fd);
    stop();
}

/* It need not wait for anything, and does not know that it could. */
static void what_a_program_wrote_before_it_went_is_delivered(void)
{
    struct vsockif_hdr h;
    int fd;

    open_daemon();
    start(CONTROL);
    REQUIRE((fd = enter("web1", "control")) >= 0);
    EQ(write(fd, "abc", 3), 3);
    close(fd);
    h = asked(PORT);
    daemon_rounds();
    say(&h, VSOCKIF_OP_RESPONSE, 0, 0);
    hears(VSOCKIF_OP_RW, 3);
    hears(VSOCKIF_OP_SHUTDOWN, 0);
    stop();
}

static void who_is_refused_is_closed(void)
{
    struct vsockif_hdr h;
    int fd;

    open_daemon();
    start(CONTROL);
    REQUIRE((fd = enter("web1", "control")) >= 0);
    h = asked(PORT);
    say(&h, VSOCKIF_OP_RST, 0, 0);
    is_closed(fd);
    /* The policy is asked as for a CONNECT. */
    daemon_policy("700 @host @any deny\n* @host @any allow\n");
    reloads(CONTROL);
    REQUIRE((fd = enter("web1", "control")) >= 0);
    is_closed(fd);
    CU_ASSERT_TRUE(record_has(WEB, 0, "\"refused_by_policy\":1,"));
    daemon_policy(NULL);
    reloads(CONTROL);
    rawfront_unshare(&web);
    REQUIRE(rawfront_wait(&web, VSOCKIF_CLOSING) == 0);
    REQUIRE((fd = enter("web1", "control")) >= 0);
    is_closed(fd);
    stop();
}

static void many_come_at_once(void)
{
    enum { MANY = 200 };
    int fd[MANY];
    char c;

    open_daemon();
    start(CONTROL);
    for (int i = 0; i < MANY; i++) {
        struct vsockif_hdr h;

        REQUIRE((fd[i] = enter("web1", "control")) >= 0);
        h = asked(PORT);
        say(&h, VSOCKIF_OP_RESPONSE, 0, 0);
        say(&h, VSOCKIF_OP_RW, 0, 1);
        rawfront_reap(&web, 2, PATIENCE_MS);
    }
    for (int i = 0; i < MANY; i++) {
        EQ(host_read(fd[i], &c, 1), 1);
        close(fd[i]);
    }
    stop();
}

/* ---- names ---- */

static mode_t mode_of(const char *guest, const char *name)
{
    struct stat st;

    return lstat(daemon_path("run/guest/%s/channel/%s", guest, name), &st) ? 0 : st.st_mode;
}

static void a_reload_adds_removes_and_permits(void)
{
    struct stat st;
    int fd;

    open_daemon();
    start("[daemon]\n");
    EQ(mode_of("web1", ""), 0);
    reloads(CONTROL "channel a = 1\n[guest web1]\nsocket_mode = 0666\nchannel a = no\nchannel b = 2\n");
    EQ(mode_of("web1", "control"), S_IFSOCK | 0666);
    EQ(mode_of("web1", "b"), S_IFSOCK | 0666);
    EQ(mode_of("web1", "a"), 0);
    REQUIRE(lstat(daemon_path("run/guest/web1/channel"), &st) == 0);
    EQ(st.st_mode, S_IFDIR | 0711);
    /* Another port is another socket; who is connected stays. */
    REQUIRE((fd = enter("web1", "control")) >= 0);
    asked(PORT);
    reloads("[guest web1]\nchannel control = 710\n");
    EQ(mode_of("web1", "control"), S_IFSOCK | 0600);
    EQ(mode_of("web1", "b"), 0);
    close(fd);
    REQUIRE((fd = enter("web1", "control")) >= 0);
    {
        struct vsockif_hdr h;

        do {
            REQUIRE(rawfront_recv(&web, &h, PATIENCE_MS));
        } while (h.op != VSOCKIF_OP_REQUEST);
        EQ(h.dst_port, 710);
    }
    close(fd);
    reloads("[daemon]\n");
    CU_ASSERT_TRUE(lstat(daemon_path("run/guest/web1/channel"), &st) && errno == ENOENT);
    stop();
    CU_ASSERT_TRUE(lstat(daemon_path("run/guest/web1"), &st) && errno == ENOENT);
}

static void a_guest_that_is_renamed_has_those_of_its_new_name(void)
{
    struct vsockif_hdr h;
    struct stat st;
    int fd;

    open_daemon();
    start(CONTROL "[guest db*]\nchannel sql = 5432\n");
    REQUIRE((fd = enter("web1", "control")) >= 0);
    h = asked(PORT);
    domain_rename(WEB, "db1");
    UNTIL(mode_of("db1", "sql") == (S_IFSOCK | 0600));
    EQ(mode_of("db1", "control"), 0);
    UNTIL(mode_of("web1", "control") == 0);
    /* Who came by the old one is served. */
    say(&h, VSOCKIF_OP_RESPONSE, 0, 0);
    EQ(write(fd, "x", 1), 1);
    hears(VSOCKIF_OP_RW, 1);
    close(fd);
    UNTIL(lstat(daemon_path("run/guest/web1"), &st) && errno == ENOENT);
    REQUIRE((fd = enter("db1", "sql")) >= 0);
    do {
        REQUIRE(rawfront_recv(&web, &h, PATIENCE_MS));
    } while (h.op != VSOCKIF_OP_REQUEST);
    EQ(h.dst_port, 5432);
    close(fd);
    stop();
}

/* A daemon that was killed, and somebody who may write in the guest's directory. */
static void what_is_in_the_way_is_not_followed(void)
{
    struct stat st;

    open_daemon();
    REQUIRE(daemon_start(CONTROL "channel old = 1\n") == 0);
    UNTIL(mode_of("web1", "old") == (S_IFSOCK | 0600));
    daemon_stop(SIGKILL);
    EQ(mode_of("web1", "old"), S_IFSOCK | 0600);
    REQUIRE(daemon_start(CONTROL) == 0);
    UNTIL(mode_of("web1", "old") == 0 && mode_of("web1", "control") == (S_IFSOCK | 0600));
    EQ(daemon_stop(SIGTERM), 0);
    REQUIRE(mkdir(daemon_path("run/guest/web1"), 0700) == 0 && mkdir(daemon_path("away"), 0777) == 0);
    REQUIRE(symlink(daemon_path("away"), daemon_path("run/guest/web1/channel")) == 0);
    REQUIRE(daemon_start(CONTROL) == 0);
    UNTIL(mode_of("web1", "control") == (S_IFSOCK | 0600));
    CU_ASSERT_TRUE(lstat(daemon_path("run/guest/web1/channel"), &st) == 0 && S_ISDIR(st.st_mode));
    CU_ASSERT_TRUE(lstat(daemon_path("away/control"), &st) && errno == ENOENT);
    rmdir(daemon_path("away"));
    EQ(daemon_stop(SIGTERM), 0);
    domain_remove(WEB);
    toolstack_close();
}

static const struct test tests[] = {
    TEST(nothing_but_what_the_two_say_goes_through), TEST(an_end_each_way_is_one_of_that_way_alone),
    TEST(what_a_program_wrote_before_it_went_is_delivered), TEST(who_is_refused_is_closed), TEST(many_come_at_once),
    TEST(a_reload_adds_removes_and_permits), TEST(a_guest_that_is_renamed_has_those_of_its_new_name),
    TEST(what_is_in_the_way_is_not_followed)
};

int main(int argc, char **argv)
{
    if (!hosted_begin())
        return 2;
    return harness_run("channels", tests, sizeof tests / sizeof *tests, argc, argv);
}

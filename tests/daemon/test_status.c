/* SPDX-License-Identifier: MIT */
/* test_status.c: the socket that only tells, who may use it, and what the counters count. */
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "control.h"
#include "hosted.h"
#include "latency.h"
#include "rawstream.h"
#include "toolstack.h"

#define WEB   1u
#define DB    2u
#define PORT  500u
#define GROUP "games"           /* any that this machine has */

static const char metrics[] = "{\"verb\":\"metrics\"}";

static void start(const char *conf)
{
    toolstack_open();
    domain_make(WEB, "web1", NULL);
    domain_make(DB, "db1", NULL);
    REQUIRE(store_remove(dom0, "/local/domain/0/backend/vsock") == 0);
    daemon_policy(POLICY_OPEN);
    REQUIRE(daemon_start(conf) == 0);
}

static void stop(void)
{
    EQ(daemon_stop(SIGTERM), 0);
    domain_remove(WEB);
    domain_remove(DB);
    daemon_policy(NULL);
    toolstack_close();
}

static void says(const char *answer, const char *text)
{
    if (!strstr(answer, text))
        fprintf(stderr, "%snot\n%s\n", answer, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, text));
}

/* ---- what it tells ---- */

static void the_status_socket_tells_and_changes_nothing(void)
{
    static const char *const telling[] = {
        "{\"verb\":\"ls\"}", "{\"verb\":\"stats\"}", "{\"verb\":\"metrics\"}", "{\"verb\":\"dump\",\"domain\":\"web1\"}"
    };
    static const char *const others[] = {
        "{\"verb\":\"attach\",\"domain\":\"web1\"}", "{\"verb\":\"detach\",\"domain\":\"web1\"}", "{\"verb\":\"reload\"}",
        "{\"verb\":\"policy\"}"
    };
    long mark;

    start("[daemon]\n");
    UNTIL(domain_has_device(WEB, 0) && domain_has_device(DB, 0));
    mark = daemon_log_mark();
    for (size_t i = 0; i < sizeof telling / sizeof *telling; i++)
        says(daemon_ask_status("%s", telling[i]), "\"ok\":true");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        says(daemon_ask_status("%s", others[i]), "this socket only tells");
        says(daemon_ask_status("%s", others[i]), "\"denied\":true");
    }
    says(daemon_ask_status("{\"verb\":\"dance\"}"), "there is no verb");
    says(daemon_ask_status("{\"verb\":\"stats\",\"domain\":1}"), "it has no key");
    CU_ASSERT_TRUE(domain_has_device(WEB, 0) && !domain_has_device(WEB, 1));
    EQ(daemon_log_count(mark, "settings read again"), 0);
    stop();
    EQ(access(daemon_path("run/status.sock"), F_OK), -1);
}

/* All the places of one are taken: the other answers. */
static void watchers_do_not_keep_root_out(void)
{
    int fds[CONTROL_CLIENTS];

    start("[daemon]\nattach = manual\n");
    for (unsigned i = 0; i < CONTROL_CLIENTS; i++) {
        struct sockaddr_un a = { .sun_family = AF_UNIX };

        snprintf(a.sun_path, sizeof a.sun_path, "%s", daemon_path("run/status.sock"));
        fds[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        REQUIRE(connect(fds[i], (struct sockaddr *)&a, sizeof a) == 0);
    }
    daemon_rounds();
    says(daemon_ask("{\"verb\":\"stats\"}"), "\"ok\":true");
    for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
        close(fds[i]);
    says(daemon_ask_status("{\"verb\":\"stats\"}"), "\"ok\":true");
    stop();
}

/* ---- for whom ---- */

static struct stat look(const char *name)
{
    struct stat st = { .st_mode = 0 };

    REQUIRE(stat(daemon_path("%s", name), &st) == 0);
    return st;
}

static void reload(const char *conf)
{
    FILE *f = fopen(daemon_path("conf"), "w");

    REQUIRE(f != NULL);
    fputs(conf, f);
    fclose(f);
    says(daemon_ask("{\"verb\":\"reload\"}"), "{\"ok\":true}");
}

/* To where the daemon's directory is, which the test has made for itself alone. */
static void open_the_way(void)
{
    REQUIRE(chmod(daemon_path("."), 0711) == 0 && chmod(daemon_path(".."), 0711) == 0);
}

/* 0, or a negative errno: as somebody who is in no other group than this. */
static int reach(const char *name, gid_t gid)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err = 0;

    snprintf(a.sun_path, sizeof a.sun_path, "%s", daemon_path("%s", name));
    REQUIRE(setgroups(0, NULL) == 0 && setegid(gid) == 0 && seteuid(64001) == 0);
    if (connect(fd, (struct sockaddr *)&a, sizeof a))
        err = -errno;
    REQUIRE(seteuid(0) == 0 && setegid(0) == 0);
    close(fd);
    return err;
}

static void status_group_may_ask_there_and_nowhere_else(void)
{
    const struct group *group = getgrnam(GROUP);
    gid_t gid;

    if (geteuid() != 0)
        SKIP("it needs root, to be others");
    if (!group)
        SKIP("there is no group " GROUP);
    gid = group->gr_gid;
    start("[daemon]\n");
    open_the_way();
    EQ(look("run/status.sock").st_mode & 0777, 0600);
    EQ(look("run").st_mode & 0777, 0700);
    EQ(reach("run/status.sock", gid), -EACCES);

    reload("[daemon]\nstatus_group = " GROUP "\n");
    EQ(look("run/status.sock").st_mode & 0777, 0660);
    EQ(look("run/status.sock").st_gid, gid);
    EQ(look("run").st_mode & 0777, 0711);
    EQ(look("run/control.sock").st_mode & 0777, 0600);
    EQ(reach("run/status.sock", gid), 0);
    EQ(reach("run/status.sock", gid + 1), -EACCES);
    EQ(reach("run/control.sock", gid), -EACCES);
    EQ(reach("run/guest/web1/vsock", gid), -EACCES);

    reload("[daemon]\n");
    EQ(reach("run/status.sock", gid), -EACCES);
    EQ(look("run").st_mode & 0777, 0700);
    stop();

    start("[daemon]\nstatus_group = " GROUP "\n");
    open_the_way();
    EQ(reach("run/status.sock", gid), 0);
    stop();
}

/* ---- what is counted ---- */

/* The number behind "key": behind each of these words in turn. */
static long long counted(const char *guest, const char *group, const char *key)
{
    const char *at = daemon_ask_status("%s", metrics);

    at = strstr(at, guest);
    if (at && *group)
        at = strstr(at, group);
    return at ? daemon_number(at, key) : -1;
}

/* Counts of all steps of the histogram that follows. */
static long long steps(const char *guest, const char *direction)
{
    const char *at = daemon_ask_status("%s", metrics);
    long long sum = 0;

    REQUIRE((at = strstr(at, guest)) && (at = strstr(at, "\"connects\":")) && (at = strstr(at, direction)) && (at = strchr(at, '[')));
    for (unsigned i = 0; i < LATENCY_STEPS; i++) {
        char *end;

        sum += strtoll(at + 1, &end, 10);
        at = end;
    }
    EQ(*at, ']');
    return sum;
}

static void connections_are_counted_by_direction_and_time(void)
{
    static struct rawguest web;
    struct rawstream *s;
    int listener, stream;

    start("[daemon]\n");
    REQUIRE(rawguest_open(&web, WEB) == 0 && rawguest_connect(&web) == 0);
    EQ(steps("web1", "from_guest"), 0);
    REQUIRE((listener = host_listen("web1", PORT)) >= 0);
    REQUIRE((s = rawstream_connect(&web, VSOCKIF_CID_HOST, PORT)) != NULL);
    REQUIRE((stream = host_accept(listener)) >= 0);
    EQ(steps("web1", "from_guest"), 1);
    EQ(steps("web1", "to_guest"), 0);
    close(listener);
    CU_ASSERT_PTR_NULL(rawstream_connect(&web, VSOCKIF_CID_HOST, PORT + 1));
    EQ(steps("web1", "from_guest"), 1);         /* one that is refused is none */
    CU_ASSERT_TRUE(counted("web1", "", "sum_us") > 0);
    EQ(counted("db1", "", "handshakes"), 0);
    EQ(counted("web1", "", "handshakes"), 1);
    close(stream);
    rawguest_leave(&web);
    stop();
}

/* The count behind "direction" of "refused". */
static long long refused(const char *guest, const char *direction, const char *reason)
{
    const char *at = daemon_ask_status("%s", metrics);

    REQUIRE((at = strstr(at, guest)) && (at = strstr(at, "\"refused\":")) && (at = strstr(at, direction)));
    return daemon_number(at, reason);
}

static void refusals_are_counted_by_direction_and_reason(void)
{
    static struct rawguest web;
    struct vsockif_hdr hdr;
    int client;

    start("[daemon]\nmax_connections = 1\n");
    EQ(refused("web1", "from_guest", "nobody"), 0);
    REQUIRE((client = host_connect("web1")) >= 0);
    REQUIRE(write(client, "CONNECT 5\n", 10) == 10);
    EQ(host_read(client, &hdr, 1), 0);
    close(client);
    EQ(refused("web1", "to_guest", "absent"), 1);

    REQUIRE(rawguest_open(&web, WEB) == 0 && rawguest_connect(&web) == 0);
    CU_ASSERT_PTR_NULL(rawstream_connect(&web, VSOCKIF_CID_HOST, PORT));
    EQ(refused("web1", "from_guest", "nobody"), 1);
    CU_ASSERT_PTR_NULL(rawstream_connect(&web, 4242, PORT));
    EQ(refused("web1", "from_guest", "unknown"), 1);
    CU_ASSERT_PTR_NULL(rawstream_connect(&web, 1002, PORT));
    EQ(refused("web1", "from_guest", "absent"), 1);

    /* A call to the guest, which is one connection and all that there may be; the guest refuses it, and says nothing more. */
    REQUIRE((client = host_connect("web1")) >= 0);
    REQUIRE(write(client, "CONNECT 5\n", 10) == 10);
    REQUIRE(rawfront_recv(&web.f, &hdr, PATIENCE_MS) && hdr.op == VSOCKIF_OP_REQUEST);
    CU_ASSERT_PTR_NULL(rawstream_connect(&web, VSOCKIF_CID_HOST, PORT));
    EQ(refused("web1", "from_guest", "limit"), 1);
    hdr = rawfront_header(&web.f, VSOCKIF_OP_RST, 5, hdr.src_port);
    rawfront_send(&web.f, &hdr);
    rawfront_kick(&web.f);
    EQ(host_read(client, &hdr, 1), 0);
    close(client);
    UNTIL(refused("web1", "to_guest", "unspecified") == 1);

    daemon_policy("* @any @any deny\n");
    says(daemon_ask("{\"verb\":\"reload\"}"), "{\"ok\":true}");
    CU_ASSERT_PTR_NULL(rawstream_connect(&web, VSOCKIF_CID_HOST, PORT));
    EQ(refused("web1", "from_guest", "policy"), 1);
    REQUIRE((client = host_connect("web1")) >= 0);
    REQUIRE(write(client, "CONNECT 5\n", 10) == 10);
    EQ(host_read(client, &hdr, 1), 0);
    close(client);
    EQ(refused("web1", "to_guest", "policy"), 1);
    EQ(refused("web1", "to_guest", "absent"), 1);
    rawguest_leave(&web);
    stop();
}

/* Its reader takes nothing: that is one stall, however long it lasts and whatever else is sent. */
static void a_reader_that_stands_still_is_one_stall(void)
{
    static struct rawguest web;
    struct rawstream *s;
    int listener, stream;

    start("[daemon]\n");
    REQUIRE(rawguest_open(&web, WEB) == 0 && rawguest_connect(&web) == 0);
    REQUIRE((listener = host_listen("web1", PORT)) >= 0);
    REQUIRE((s = rawstream_connect(&web, VSOCKIF_CID_HOST, PORT)) != NULL);
    REQUIRE((stream = host_accept(listener)) >= 0);
    EQ(counted("web1", "", "stalls"), 0);
    CU_ASSERT_TRUE(rawstream_fill(&web, s, 1, 4096, 64u << 20) > 0);
    UNTIL(counted("web1", "", "stalls") > 0);   /* the daemon may not even have heard of it all yet */
    daemon_rounds();
    EQ(counted("web1", "", "stalls"), 1);
    CU_ASSERT_TRUE(counted("web1", "\"held\"", "sockets") > 0);
    close(listener);
    close(stream);
    rawguest_leave(&web);
    stop();
}

/* The guest's program reads nothing: the daemon waits for credit, once. */
static void a_guest_that_takes_nothing_is_one_wait_for_credit(void)
{
    static struct rawguest web;
    char bytes[65536] = "";
    int listener, stream;

    start("[daemon]\n");
    REQUIRE(rawguest_open(&web, WEB) == 0 && rawguest_connect(&web) == 0);
    REQUIRE((listener = host_listen("web1", PORT)) >= 0);
    REQUIRE(rawstream_connect(&web, VSOCKIF_CID_HOST, PORT) != NULL);
    REQUIRE((stream = host_accept(listener)) >= 0);
    EQ(counted("web1", "", "credit_waits"), 0);
    while (counted("web1", "", "credit_waits") == 0) {
        if (send(stream, bytes, sizeof bytes, MSG_DONTWAIT) < 0)
            REQUIRE(errno == EAGAIN);
        rawguest_hear(&web);
        toolstack_nap();
    }
    daemon_rounds();
    EQ(counted("web1", "", "credit_waits"), 1);
    EQ(counted("web1", "\"to_guest\"", "bytes"), 256 << 10);
    close(listener);
    close(stream);
    rawguest_leave(&web);
    stop();
}

static const struct test tests[] = {
    TEST(the_status_socket_tells_and_changes_nothing), TEST(watchers_do_not_keep_root_out), TEST(status_group_may_ask_there_and_nowhere_else),
    TEST(connections_are_counted_by_direction_and_time), TEST(refusals_are_counted_by_direction_and_reason),
    TEST(a_reader_that_stands_still_is_one_stall),
    TEST(a_guest_that_takes_nothing_is_one_wait_for_credit)
};

int main(int argc, char **argv)
{
    if (!hosted_begin())
        return 2;
    return harness_run("status", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_any.c: a listener for all guests, and what it hears of those who call: guests by hand, whose domains have any name. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "admitted.h"
#include "hosted.h"
#include "rawfront.h"
#include "toolstack.h"

#define A    1u
#define B    2u
#define PORT 5000u              /* in dom0 */
#define FROM 700u               /* of the guest's program, the first */

static struct rawfront guest;
static uint32_t from = FROM;

static void start(void)
{
    toolstack_open();
    REQUIRE(daemon_start("[guest web1]\ncid = 10\n") == 0);
}

static void stop(void)
{
    EQ(daemon_stop(SIGTERM), 0);
    toolstack_close();
}

static bool is_called(const char *dir)
{
    char tail[100];

    snprintf(tail, sizeof tail, "/guest/%s\",", dir);
    return record_has(A, 0, tail);
}

static void appear(const char *name, const char *dir)
{
    domain_make(A, name, NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    UNTIL(is_called(dir));
    REQUIRE(rawfront_open(&guest, A) == 0);
    REQUIRE(daemon_connect(&guest) == 0);
}

static void disappear(void)
{
    rawfront_close(&guest);
    domain_remove(A);
    UNTIL(!record_of(A, 0));
}

/* The guest calls, from the next port: what comes back. */
static unsigned call(void)
{
    struct vsockif_hdr hdr = { 0 }, request = rawfront_header(&guest, VSOCKIF_OP_REQUEST, ++from, PORT);

    rawfront_send(&guest, &request);
    rawfront_kick(&guest);
    REQUIRE(rawfront_recv(&guest, &hdr, PATIENCE_MS));
    EQ(hdr.dst_port, from);
    return hdr.op;
}

/* Of the call before. */
static void reset(void)
{
    struct vsockif_hdr hdr = rawfront_header(&guest, VSOCKIF_OP_RST, from, PORT);

    rawfront_send(&guest, &hdr);
    rawfront_kick(&guest);
}

/* The line is there when the guest has been answered, whole, and nothing with it. */
static void hears(int listener, const char *name)
{
    char heard[300], line[300];
    ssize_t n;
    int fd;

    snprintf(line, sizeof line, "FROM %llu %u %s\n", (unsigned long long)guest.cid, from, name);
    REQUIRE((fd = host_accept(listener)) >= 0);
    n = recv(fd, heard, sizeof heard - 1, MSG_DONTWAIT);
    heard[n > 0 ? n : 0] = '\0';
    if (strcmp(heard, line))
        fprintf(stderr, "heard %s", heard);
    EQ(strcmp(heard, line), 0);
    close(fd);
}

/* ---- names ---- */

static void whatever_a_domain_is_called_the_line_has_the_name_of_its_directory(void)
{
    static const char *const names[][2] = {
        { "web1", "web1" }, { "FROM 11 1 web1", ":1" }, { "web1\nFROM 11 1 web1\n", ":1" }, { "web1\n", ":1" }, { ":2", ":1" },
        { "../any", ":1" }, { "any", "any" }, { "a\tb", ":1" }, { "", ":1" },
        { "a-name-of-sixty-four-bytes-which-is-as-long-as-a-name-may-be.___", "a-name-of-sixty-four-bytes-which-is-as-long-as-a-name-may-be.___" },
        { "a-name-of-sixty-five-bytes-which-is-longer-than-a-name-may-be.____", ":1" },
    };
    int listener;

    start();
    REQUIRE((listener = host_listen("../any", PORT)) >= 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        appear(names[i][0], names[i][1]);
        EQ(call(), VSOCKIF_OP_RESPONSE);
        hears(listener, names[i][1]);
        disappear();
    }
    close(listener);
    stop();
}

static void a_guest_that_is_renamed_calls_by_its_new_name(void)
{
    int listener;

    start();
    REQUIRE((listener = host_listen("../any", PORT)) >= 0);
    appear("web1", "web1");
    domain_rename(A, "db1");
    UNTIL(is_called("db1"));
    EQ(call(), VSOCKIF_OP_RESPONSE);
    hears(listener, "db1");
    disappear();
    close(listener);
    stop();
}

/* Its name is a newer domain's, and the directory that it should have cannot be made: it has no name to be told by. */
static void a_guest_without_a_directory_is_not_connected_to_who_listens_for_all(void)
{
    int listener, fd;
    long mark;

    start();
    REQUIRE((listener = host_listen("../any", PORT)) >= 0);
    appear("web1", "web1");
    REQUIRE((fd = open(daemon_path("run/guest/:1"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) >= 0);
    close(fd);
    mark = daemon_log_mark();
    domain_make(B, "web1", NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    UNTIL(daemon_log_has(mark, "cannot make the socket"));
    EQ(call(), VSOCKIF_OP_RST);
    if ((fd = host_accept(listener)) >= 0) {        /* connected, and closed again without a word */
        char byte;

        EQ(host_read(fd, &byte, 1), 0);
        close(fd);
    }
    REQUIRE(unlink(daemon_path("run/guest/:1")) == 0);
    daemon_ask("{\"verb\":\"reload\"}");
    UNTIL(is_called(":1"));
    EQ(call(), VSOCKIF_OP_RESPONSE);
    hears(listener, ":1");
    domain_remove(B);
    disappear();
    close(listener);
    stop();
}

/* ---- who is let in ---- */

static mode_t mode_of(const char *below)
{
    struct stat st;

    return lstat(daemon_path("run%s", below), &st) ? 0 : st.st_mode & 07777;
}

static bool is_open_to(mode_t run, mode_t any, mode_t web1)
{
    if (mode_of("") == run && mode_of("/any") == any && mode_of("/guest/web1") == web1)
        return true;
    fprintf(stderr, "%o %o %o\n", mode_of(""), mode_of("/any"), mode_of("/guest/web1"));
    return false;
}

static void reload(const char *conf)
{
    FILE *f = fopen(daemon_path("conf"), "w");

    REQUIRE(f != NULL);
    fputs(conf, f);
    fclose(f);
    REQUIRE(strstr(daemon_ask("{\"verb\":\"reload\"}"), "\"ok\":true") != NULL);
}

/* The way to the directory, too; and each of the two sections opens what is its own. */
static void a_section_lets_others_in_with_a_reload_and_none_keeps_them_out(void)
{
    start();
    domain_make(A, "web1", NULL);
    daemon_ask("{\"verb\":\"reload\"}");
    UNTIL(is_called("web1"));
    CU_ASSERT_TRUE(is_open_to(0700, 0700, 0700));
    reload("[any]\nsocket_mode = 0666\n");
    CU_ASSERT_TRUE(is_open_to(0711, 01775, 0700));
    reload("[daemon]\nsocket_mode = 0666\n");
    CU_ASSERT_TRUE(is_open_to(0711, 0700, 01775));
    reload("");
    CU_ASSERT_TRUE(is_open_to(0700, 0700, 0700));
    EQ(daemon_stop(SIGTERM), 0);
    REQUIRE(daemon_start("[any]\nsocket_mode = 0660\n") == 0);
    EQ(mode_of(""), 0711);
    EQ(mode_of("/any"), 01770);
    domain_remove(A);
    stop();
}

/* ---- memory, and what is full ---- */

static long long in_sockets(void)
{
    return daemon_number(record_of(A, 0), "in_sockets");
}

/* What nobody has read yet is the guest's, as all that it brings about in dom0. */
static void the_line_is_counted_as_what_the_guest_has_sent(void)
{
    int listener, fd;
    char line[100];

    start();
    REQUIRE((listener = host_listen("../any", PORT)) >= 0);
    appear("web1", "web1");
    EQ(in_sockets(), 0);
    EQ(call(), VSOCKIF_OP_RESPONSE);
    CU_ASSERT_TRUE(in_sockets() > 0);
    REQUIRE((fd = host_accept(listener)) >= 0);
    reset();
    UNTIL(daemon_number(record_of(A, 0), "connections") == 0);
    CU_ASSERT_TRUE(in_sockets() > 0);           /* it is over, and not read */
    CU_ASSERT_TRUE(read(fd, line, sizeof line) > 0);
    UNTIL(in_sockets() == 0);
    close(fd);
    disappear();
    close(listener);
    stop();
}

/* The guest is not sent on from its own listener, which is there, and only busy. */
static void one_whose_own_listener_is_full_is_refused(void)
{
    int all, own;
    unsigned op = VSOCKIF_OP_RESPONSE;

    start();
    appear("web1", "web1");
    REQUIRE((all = host_listen("../any", PORT)) >= 0);
    REQUIRE((own = host_listen("web1", PORT)) >= 0);
    for (int i = 0; i < 5000 && op == VSOCKIF_OP_RESPONSE; i++)
        op = call();
    EQ(op, VSOCKIF_OP_RST);
    EQ(accept(all, NULL, NULL), -1);
    EQ(errno, EAGAIN);
    close(own);
    REQUIRE(unlink(daemon_path("run/guest/web1/vsock_%u", PORT)) == 0);
    disappear();
    close(all);
    stop();
}

static const struct test tests[] = {
    TEST(whatever_a_domain_is_called_the_line_has_the_name_of_its_directory),
    TEST(a_guest_that_is_renamed_calls_by_its_new_name),
    TEST(a_guest_without_a_directory_is_not_connected_to_who_listens_for_all),
    TEST(a_section_lets_others_in_with_a_reload_and_none_keeps_them_out),
    TEST(the_line_is_counted_as_what_the_guest_has_sent),
    TEST(one_whose_own_listener_is_full_is_refused),
};

int main(int argc, char **argv)
{
    if (!hosted_is_here())
        return 2;
    return harness_run("any", tests, sizeof tests / sizeof *tests, argc, argv);
}

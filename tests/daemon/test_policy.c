/* SPDX-License-Identifier: MIT */
/* test_policy.c: who may reach whom, as the daemon holds to it: guests, host programs by their users, the daemon's own services; and a
 * policy that changes while streams are open. */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admitted.h"
#include "child.h"
#include "hosted.h"
#include "rawfront.h"
#include "toolstack.h"

#define WEB   1u
#define DB    2u
#define PORT  500u
#define OTHER 501u
#define ECHO  7u

static struct rawfront web, db;

static void start_with(const char *conf, const char *policy)
{
    toolstack_open();
    domain_make(WEB, "web1", NULL);
    domain_make(DB, "db1", NULL);
    REQUIRE(store_remove(dom0, "/local/domain/0/backend/vsock") == 0);
    daemon_policy(policy);
    REQUIRE(daemon_start(conf) == 0);
    REQUIRE(rawfront_open(&web, WEB) == 0);
    REQUIRE(rawfront_open(&db, DB) == 0);
    REQUIRE(daemon_connect(&web) == 0);
    REQUIRE(daemon_connect(&db) == 0);
}

static void start(const char *policy)
{
    start_with("[daemon]\n", policy);
}

static void stop(void)
{
    rawfront_close(&web);
    rawfront_close(&db);
    EQ(daemon_stop(SIGTERM), 0);
    domain_remove(WEB);
    domain_remove(DB);
    toolstack_close();
}

static const char *reload(const char *conf, const char *policy)
{
    FILE *f = fopen(daemon_path("conf"), "w");

    REQUIRE(f != NULL);
    fputs(conf, f);
    fclose(f);
    daemon_policy(policy);
    return daemon_ask("{\"verb\":\"reload\"}");
}

static void reloads(const char *conf, const char *policy)
{
    const char *answer = reload(conf, policy);

    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "{\"ok\":true}"));
}

/* ---- guests ---- */

static void send_op(struct rawfront *from, unsigned op, uint64_t cid, uint32_t port, uint32_t to_port)
{
    struct vsockif_hdr hdr = rawfront_header(from, op, port, to_port);

    hdr.dst_cid = cid;
    rawfront_send(from, &hdr);
    rawfront_kick(from);
}

static unsigned hear(struct rawfront *f, struct vsockif_hdr *hdr)
{
    return rawfront_recv(f, hdr, PATIENCE_MS) ? hdr->op : 0;
}

/* What comes back when a guest calls the other: REQUEST only if the other is asked first, who resets it. */
static unsigned calls(struct rawfront *from, struct rawfront *to, uint32_t port)
{
    struct vsockif_hdr hdr;

    send_op(from, VSOCKIF_OP_REQUEST, to->cid, OTHER, port);
    daemon_rounds();
    if (ring_pending(&to->rx) > 0) {
        EQ(hear(to, &hdr), VSOCKIF_OP_REQUEST);
        send_op(to, VSOCKIF_OP_RST, from->cid, port, OTHER);
        EQ(hear(from, &hdr), VSOCKIF_OP_RST);
        return VSOCKIF_OP_REQUEST;
    }
    return hear(from, &hdr);
}

/* The same to the host: RESPONSE or RST; a stream is reset again. */
static unsigned calls_host(struct rawfront *from, uint32_t port)
{
    struct vsockif_hdr hdr;
    unsigned op;

    send_op(from, VSOCKIF_OP_REQUEST, VSOCKIF_CID_HOST, OTHER, port);
    op = hear(from, &hdr);
    if (op == VSOCKIF_OP_RESPONSE)
        send_op(from, VSOCKIF_OP_RST, VSOCKIF_CID_HOST, OTHER, port);
    return op;
}

static void guests_reach_one_another_as_the_policy_of_now_says(void)
{
    start(NULL);
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_RST);
    reloads("[daemon]\n", "500 web1 db1 allow\n");
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_REQUEST);
    EQ(calls(&web, &db, OTHER), VSOCKIF_OP_RST);
    EQ(calls(&db, &web, PORT), VSOCKIF_OP_RST);
    reloads("[daemon]\n[group g]\nguests = db1\n", "* @group:g web1 allow\n");
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_RST);
    EQ(calls(&db, &web, PORT), VSOCKIF_OP_REQUEST);
    reloads("[daemon]\n", "* web1 @any deny\n* @any @any allow\n");
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_RST);
    EQ(calls(&db, &web, PORT), VSOCKIF_OP_REQUEST);
    stop();
}

static void settings_and_policy_are_read_together_or_not_at_all(void)
{
    const char *answer;
    long mark;

    start("* web1 db1 allow\n");
    mark = daemon_log_mark();
    answer = reload("[daemon]\nlog_level = debug\n", "* @any @any deny\n* web1 db1\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"ok\":false"));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "policy.d/50-test.policy:2: a line is PORTS SOURCE DESTINATION ACTION"));
    CU_ASSERT_TRUE(daemon_log_has(mark, "the settings and the policy stay as they were: "));
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_REQUEST);
    answer = reload("[daemon]\nlog_level = loud\n", "* @any @any deny\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "conf:2: log_level = loud"));
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_REQUEST);
    answer = reload("[daemon]\npolicy_dir = /nonexistent/d\n", NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "cannot read the policies in /nonexistent/d: No such file"));
    answer = reload("[daemon]\n", "* @group:web db1 allow\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "50-test.policy:1: @group:web: there is no section [group web]"));
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_REQUEST);
    reloads("[daemon]\n", "* @any @any deny\n");
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_RST);
    stop();
}

static void a_directory_may_be_named_and_without_lines_nothing_is_allowed(void)
{
    char conf[400];
    long mark;

    start(NULL);
    mark = daemon_log_mark();
    reloads("[daemon]\n", "# nothing\n");
    CU_ASSERT_TRUE(daemon_log_has(mark, "there is no line of a policy in "));
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_RST);
    EQ(calls_host(&web, PORT), VSOCKIF_OP_RST);
    CU_ASSERT_TRUE(daemon_log_has(mark, "may not reach the host: port 500: no line of the policy allows it"));
    daemon_policy("* web1 db1 allow\n");
    snprintf(conf, sizeof conf, "[daemon]\npolicy_dir = %s\n", daemon_path("other.d"));
    REQUIRE(rename(daemon_path("policy.d"), daemon_path("other.d")) == 0);
    reloads(conf, NULL);
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_REQUEST);
    REQUIRE(rename(daemon_path("other.d"), daemon_path("policy.d")) == 0);
    stop();
}

/* The verb's answer is JSON whatever the directory is called. */
static void the_line_that_decides_is_told_with_its_file(void)
{
    const char *answer;
    char conf[400];

    start("5 web1 db1 allow # why\n\n* web1 @any deny\n6 @unix/group:70000 db1 allow\n");
    answer = daemon_ask("{\"verb\":\"policy\"}");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "{\"ok\":true,\"lines\":[{\"file\":\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "/policy.d/50-test.policy\",\"line\":1,\"text\":\"5 web1 db1 allow\"},{"));
    answer = daemon_ask("{\"verb\":\"policy\",\"source\":\"web1\",\"destination\":\"db1\",\"port\":5}");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "{\"ok\":true,\"allowed\":true,\"file\":\""));
    answer = daemon_ask("{\"verb\":\"policy\",\"source\":\":1\",\"destination\":\"nobody\",\"port\":5}");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"allowed\":false,\"file\":\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"line\":3,\"text\":\"* web1 @any deny\"}"));
    answer = daemon_ask("{\"verb\":\"policy\",\"source\":\"db1\",\"destination\":\"web1\",\"port\":5}");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "{\"ok\":true,\"allowed\":false}"));
    answer = daemon_ask("{\"verb\":\"policy\",\"source\":\"@unix\",\"destination\":\"db1\",\"port\":6,\"user\":1,\"groups\":[1,70000]}");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"allowed\":true"));
    answer = daemon_ask("{\"verb\":\"policy\",\"source\":\"@unix\",\"destination\":\"db1\",\"port\":6,\"user\":70000}");
    CU_ASSERT_PTR_NOT_NULL(strstr(answer, "\"allowed\":false"));
    snprintf(conf, sizeof conf, "[daemon]\npolicy_dir = %s\n", daemon_path("\xc3\xa4\x01.d"));
    REQUIRE(rename(daemon_path("policy.d"), daemon_path("\xc3\xa4\x01.d")) == 0);
    reloads(conf, NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"policy\"}"), "/???.d/50-test.policy\",\"line\":1,"));
    REQUIRE(rename(daemon_path("\xc3\xa4\x01.d"), daemon_path("policy.d")) == 0);
    stop();
}

/* A name is that of the newest domain: an older one of the same name gains nothing. */
static void the_policy_of_a_name_is_the_newest_domain_s(void)
{
    start("500 web1 db1 allow\n501 web1 @any deny\n501 @any @any allow\n");
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_REQUEST);
    domain_make(3, "web1", NULL);
    UNTIL(record_of(3, 0) != NULL);
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_RST);
    EQ(calls(&web, &db, OTHER), VSOCKIF_OP_RST);
    domain_remove(3);
    UNTIL(record_of(3, 0) == NULL);
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_REQUEST);
    stop();
}

/* ---- the host ---- */

static void guests_reach_host_programs_and_services_as_the_policy_says(void)
{
    int listener, other;

    start_with("[daemon]\nservices = yes\n", "500,7 web1 @unix allow\n* @any @unix deny\n");
    listener = host_listen("web1", PORT);
    other = host_listen("web1", OTHER);
    REQUIRE(listener >= 0 && other >= 0);
    EQ(calls_host(&web, PORT), VSOCKIF_OP_RESPONSE);
    EQ(calls_host(&web, OTHER), VSOCKIF_OP_RST);
    EQ(calls_host(&web, ECHO), VSOCKIF_OP_RESPONSE);
    EQ(calls_host(&db, ECHO), VSOCKIF_OP_RST);
    CU_ASSERT_TRUE(record_has(WEB, 0, "\"refused_by_policy\":1,"));
    CU_ASSERT_TRUE(record_has(DB, 0, "\"refused_by_policy\":1,"));
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_RST);
    CU_ASSERT_TRUE(record_has(WEB, 0, "\"refused_by_policy\":2,"));
    CU_ASSERT_TRUE(record_has(DB, 0, "\"refused_by_policy\":2,"));
    close(listener);
    close(other);
    stop();
}

/* A host program's line, and what comes back: "OK", where the guest is asked and resets it, "" for an end of file, or the line. */
static const char *program_says(const char *line)
{
    static char answer[64];
    struct vsockif_hdr hdr;
    int fd = host_connect("db1");

    memset(answer, 0, sizeof answer);
    REQUIRE(fd >= 0 && write(fd, line, strlen(line)) == (ssize_t)strlen(line));
    daemon_rounds();
    if (ring_pending(&db.rx) > 0) {
        EQ(hear(&db, &hdr), VSOCKIF_OP_REQUEST);
        send_op(&db, VSOCKIF_OP_RST, VSOCKIF_CID_HOST, hdr.dst_port, hdr.src_port);
        snprintf(answer, sizeof answer, "OK");
    } else {
        host_read(fd, answer, sizeof answer - 1);
    }
    close(fd);
    return answer;
}

static void host_programs_reach_guests_as_the_policy_says(void)
{
    long mark;

    start("500 @unix db1 allow\n* @unix @any deny\n");
    mark = daemon_log_mark();
    EQ(strcmp(program_says("CONNECT 500\n"), "OK"), 0);
    EQ(strcmp(program_says("CONNECT 501\n"), ""), 0);
    EQ(strcmp(program_says("CALL 500\n"), "OK"), 0);
    EQ(strcmp(program_says("CALL 501\n"), "REFUSED policy\n"), 0);
    CU_ASSERT_TRUE(record_has(DB, 0, "\"refused_by_policy\":2,"));
    CU_ASSERT_TRUE(record_has(WEB, 0, "\"refused_by_policy\":0,"));
    CU_ASSERT_TRUE(daemon_log_has(mark, "guest db1 (domid 2): a program of the host may not reach it: port 501: "));
    stop();
}

static void a_host_program_is_known_by_its_user_and_its_group(void)
{
    char policy[200];
    long mark;

    snprintf(policy, sizeof policy, "500 @unix/user:%u db1 allow\n501 @unix/group:%u db1 allow\n502 @unix/user:4000000000 db1 allow\n",
             geteuid(), getegid());
    start(policy);
    mark = daemon_log_mark();
    EQ(strcmp(program_says("CALL 500\n"), "OK"), 0);
    EQ(strcmp(program_says("CALL 501\n"), "OK"), 0);
    EQ(strcmp(program_says("CALL 502\n"), "REFUSED policy\n"), 0);
    snprintf(policy, sizeof policy, "a program of the host (user %u) may not reach it: port 502", geteuid());
    CU_ASSERT_TRUE(daemon_log_has(mark, policy));
    stop();
}

/* In a child that has this first group and these others; its exit status is 0 if it is let in. */
static int reaches_with_groups(gid_t first, const gid_t *groups, size_t count)
{
    struct vsockif_hdr hdr;
    int status, fd;
    pid_t pid = child_fork();
    char byte = 0;
    bool over;

    if (!pid) {
        if (setgroups(count, groups) || setgid(first) || (fd = host_connect("db1")) < 0 || write(fd, "CALL 500\n", 9) != 9)
            _exit(2);
        _exit(read(fd, &byte, 1) != 1 || byte != 'O');
    }
    UNTIL((over = waitpid(pid, &status, WNOHANG) == pid) || ring_pending(&db.rx) > 0);
    if (!over) {
        EQ(hear(&db, &hdr), VSOCKIF_OP_REQUEST);
        send_op(&db, VSOCKIF_OP_RESPONSE, VSOCKIF_CID_HOST, hdr.dst_port, hdr.src_port);
        REQUIRE(waitpid(pid, &status, 0) == pid);
        EQ(hear(&db, &hdr), VSOCKIF_OP_RST);    /* nobody vouched for it */
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void each_of_the_groups_of_a_program_counts_however_many_they_are(void)
{
    gid_t groups[300];

    if (geteuid())
        SKIP("only root can have groups that it chooses");
    for (size_t i = 0; i < 300; i++)
        groups[i] = (gid_t)(70000 + i);
    start("500 @unix/group:70299 db1 allow\n");
    EQ(reaches_with_groups(0, groups, 0), 1);
    EQ(reaches_with_groups(0, groups, 299), 1);
    EQ(reaches_with_groups(0, groups, 300), 0);
    EQ(reaches_with_groups(0, groups + 299, 1), 0);
    EQ(reaches_with_groups(0, groups + 236, 64), 0);
    EQ(reaches_with_groups(0, groups + 235, 65), 0);
    /* The first one, with few others and with many. */
    EQ(reaches_with_groups(70299, groups, 0), 0);
    EQ(reaches_with_groups(70299, groups, 299), 0);
    EQ(reaches_with_groups(70298, groups, 299), 1);
    stop();
}

/* ---- telling ---- */

static void a_pair_that_is_refused_again_and_again_is_told_once_a_second_with_a_count(void)
{
    long mark;
    int told;

    start(NULL);
    mark = daemon_log_mark();
    for (int i = 0; i < 50; i++)
        EQ(calls(&web, &db, PORT), VSOCKIF_OP_RST);
    EQ(calls(&db, &web, PORT), VSOCKIF_OP_RST);
    CU_ASSERT_TRUE(record_has(WEB, 0, "\"refused_by_policy\":51,"));
    CU_ASSERT_TRUE(daemon_log_has(mark, "guest db1 (domid 2): may not reach guest web1 (domid 1): port 500: "));
    CU_ASSERT_TRUE(daemon_log_has(mark, "guest web1 (domid 1): may not reach guest db1 (domid 2): refused "));
    EQ(daemon_stop(SIGTERM), 0);
    /* However long these 51 took, there were no more than two lines for each second of it. */
    told = daemon_log_count(mark, "guest web1 (domid 1): may not reach guest db1 (domid 2): port 500: ");
    CU_ASSERT_TRUE(told >= 1 && told < 25);
    rawfront_close(&web);
    rawfront_close(&db);
    domain_remove(WEB);
    domain_remove(DB);
    toolstack_close();
}

/* ---- a new policy, and streams that are open ---- */

static const char open_to_all[] = "* @any @any allow\n* @unix @any allow\n* @any @unix allow\n";

static uint32_t host_port;              /* of the stream that a host program has opened */

/* A stream from web1 to db1; one from a host program to db1, which is the result; one from web1 to the host's echo. */
static int open_streams(void)
{
    struct vsockif_hdr hdr;
    char line[32] = "";
    int fd;

    send_op(&web, VSOCKIF_OP_REQUEST, db.cid, OTHER, PORT);
    EQ(hear(&db, &hdr), VSOCKIF_OP_REQUEST);
    send_op(&db, VSOCKIF_OP_RESPONSE, web.cid, PORT, OTHER);
    EQ(hear(&web, &hdr), VSOCKIF_OP_RESPONSE);
    send_op(&web, VSOCKIF_OP_REQUEST, VSOCKIF_CID_HOST, OTHER, ECHO);
    EQ(hear(&web, &hdr), VSOCKIF_OP_RESPONSE);
    fd = host_connect("db1");
    REQUIRE(fd >= 0 && write(fd, "CONNECT 500\n", 12) == 12);
    EQ(hear(&db, &hdr), VSOCKIF_OP_REQUEST);
    host_port = hdr.src_port;
    send_op(&db, VSOCKIF_OP_RESPONSE, VSOCKIF_CID_HOST, PORT, host_port);
    EQ(host_read(fd, line, 3), 3);
    EQ(strncmp(line, "OK ", 3), 0);
    while (host_read(fd, line, 1) == 1 && *line != '\n')
        ;
    return fd;
}

static long long connections(void)
{
    return daemon_number(daemon_ask("{\"verb\":\"stats\"}"), "connections");
}

static void streams_outlive_a_policy_that_forbids_them_unless_it_cuts(void)
{
    struct vsockif_hdr hdr;
    char text[100], answer[100] = "";
    int fd, watcher;

    start_with("[daemon]\nservices = yes\n", open_to_all);
    fd = open_streams();
    EQ(connections(), 4);
    reloads("[daemon]\nservices = yes\n", "* @any @any deny\n");
    daemon_rounds();
    EQ(connections(), 4);
    EQ(ring_pending(&web.rx) + ring_pending(&db.rx), 0);
    reloads("[daemon]\nservices = yes\npolicy_cuts = yes\n", open_to_all);
    daemon_rounds();
    EQ(connections(), 4);
    watcher = host_connect("db1");
    snprintf(text, sizeof text, "WATCH %u\n", host_port);
    REQUIRE(watcher >= 0 && write(watcher, text, strlen(text)) == (ssize_t)strlen(text));
    /* What is allowed still, stays; the others end at all their ends. */
    reloads("[daemon]\nservices = yes\npolicy_cuts = yes\n", "7 web1 @host allow\n");
    EQ(hear(&web, &hdr), VSOCKIF_OP_RST);
    EQ(hdr.src_cid, db.cid);
    for (int i = 0; i < 2; i++)
        EQ(hear(&db, &hdr), VSOCKIF_OP_RST);
    UNTIL(connections() == 1);
    EQ(host_read(fd, answer, 1), 0);
    snprintf(text, sizeof text, "WATCHING %u\nENDED %u cut the policy forbids it now\n", host_port, host_port);
    EQ(host_read(watcher, answer, sizeof answer - 1), strlen(text));
    EQ(strcmp(answer, text), 0);
    reloads("[daemon]\nservices = yes\npolicy_cuts = yes\n", "* @any @any allow\n");
    EQ(hear(&web, &hdr), VSOCKIF_OP_RST);
    EQ(hdr.src_port, ECHO);
    UNTIL(connections() == 0);
    close(fd);
    close(watcher);
    stop();
}

/* One that waits for its guest's answer ends, too, and hears of the policy if it has said CALL. */
static void a_call_that_waits_is_ended_by_a_policy_that_cuts(void)
{
    char answer[40] = "";
    struct vsockif_hdr hdr;
    int fd;

    start_with("[daemon]\npolicy_cuts = yes\n", open_to_all);
    fd = host_connect("db1");
    REQUIRE(fd >= 0 && write(fd, "CALL 500\n", 9) == 9);
    EQ(hear(&db, &hdr), VSOCKIF_OP_REQUEST);
    send_op(&web, VSOCKIF_OP_REQUEST, db.cid, OTHER, PORT);
    EQ(hear(&db, &hdr), VSOCKIF_OP_REQUEST);
    reloads("[daemon]\npolicy_cuts = yes\n", "* @any @any deny\n");
    for (int i = 0; i < 2; i++)
        EQ(hear(&db, &hdr), VSOCKIF_OP_RST);
    EQ(hear(&web, &hdr), VSOCKIF_OP_RST);
    EQ(host_read(fd, answer, sizeof answer - 1), 15);
    EQ(strcmp(answer, "REFUSED policy\n"), 0);
    close(fd);
    UNTIL(connections() == 0);
    stop();
}

/* By user: what the kernel knows of a program's socket, it knows for as long as it is there. */
static void a_program_s_stream_is_judged_again_by_its_user(void)
{
    char policy[200], byte;
    int fd;

    snprintf(policy, sizeof policy, "* @unix/user:%u db1 allow\n", geteuid());
    start_with("[daemon]\nservices = yes\npolicy_cuts = yes\n", open_to_all);
    fd = open_streams();
    reloads("[daemon]\nservices = yes\npolicy_cuts = yes\n", policy);
    UNTIL(connections() == 1);
    EQ(poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, 0), 0);
    reloads("[daemon]\nservices = yes\npolicy_cuts = yes\n", "* @unix/user:4000000000 db1 allow\n");
    UNTIL(connections() == 0);
    EQ(host_read(fd, &byte, 1), 0);
    close(fd);
    stop();
}

/* ---- processes ---- */

/* A worker that comes later has the policy, too; and the users in it, though it cannot look them up. */
static void a_new_worker_has_the_policy(void)
{
    char policy[200];
    int first;

    snprintf(policy, sizeof policy, "500 web1 db1 allow\n500 @unix/user:%u db1 allow\n", geteuid());
    daemon_in_processes(true);
    start(policy);
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_REQUEST);
    EQ(calls(&web, &db, OTHER), VSOCKIF_OP_RST);
    first = daemon_child("worker", 0);
    REQUIRE(first > 0);
    kill(first, SIGKILL);
    REQUIRE(daemon_child("worker", first) > 0);
    rawfront_unshare(&web);
    rawfront_unshare(&db);
    REQUIRE(daemon_connect(&web) == 0);
    REQUIRE(daemon_connect(&db) == 0);
    EQ(calls(&web, &db, PORT), VSOCKIF_OP_REQUEST);
    EQ(calls(&web, &db, OTHER), VSOCKIF_OP_RST);
    EQ(strcmp(program_says("CALL 500\n"), "OK"), 0);
    EQ(strcmp(program_says("CALL 501\n"), "REFUSED policy\n"), 0);
    stop();
    daemon_in_processes(false);
}

static const struct test tests[] = {
    TEST(guests_reach_one_another_as_the_policy_of_now_says), TEST(settings_and_policy_are_read_together_or_not_at_all),
    TEST(a_directory_may_be_named_and_without_lines_nothing_is_allowed), TEST(the_policy_of_a_name_is_the_newest_domain_s),
    TEST(the_line_that_decides_is_told_with_its_file),
    TEST(guests_reach_host_programs_and_services_as_the_policy_says), TEST(host_programs_reach_guests_as_the_policy_says),
    TEST(a_host_program_is_known_by_its_user_and_its_group), TEST(each_of_the_groups_of_a_program_counts_however_many_they_are),
    TEST(a_pair_that_is_refused_again_and_again_is_told_once_a_second_with_a_count),
    TEST(streams_outlive_a_policy_that_forbids_them_unless_it_cuts), TEST(a_call_that_waits_is_ended_by_a_policy_that_cuts),
    TEST(a_program_s_stream_is_judged_again_by_its_user), TEST(a_new_worker_has_the_policy)
};

int main(int argc, char **argv)
{
    if (!hosted_begin())
        return 2;
    return harness_run("policy", tests, sizeof tests / sizeof *tests, argc, argv);
}

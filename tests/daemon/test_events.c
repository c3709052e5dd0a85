/* SPDX-License-Identifier: MIT */
/* test_events.c: what happens is told as it happens, to whoever subscribes, in bounded memory. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "events.h"
#include "hosted.h"
#include "rawstream.h"
#include "toolstack.h"

#define WEB  1u
#define DB   2u
#define PORT 500u
#define CONF "[daemon]\nservices = yes\nattach = manual\n"

static struct rawguest web;
static char line[4096];         /* the last event, or answer */

static void start_with(const char *conf, const char *policy)
{
    toolstack_open();
    REQUIRE(store_remove(dom0, "/local/domain/0/backend/vsock") == 0);
    daemon_policy(policy);
    REQUIRE(daemon_start(conf) == 0);
}

static void start(const char *conf)
{
    start_with(conf, POLICY_OPEN);
}

static void stop(void)
{
    EQ(daemon_stop(SIGTERM), 0);
    domain_remove(WEB);
    domain_remove(DB);
    daemon_policy(NULL);
    toolstack_close();
}

static void attach(uint32_t domid, const char *name)
{
    domain_make(domid, name, NULL);
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":%u}", domid), "\"ok\":true"));
}

static void web_comes(void)
{
    attach(WEB, "web1");
    REQUIRE(rawguest_open(&web, WEB) == 0 && rawguest_connect(&web) == 0);
}

static void web_goes(void)
{
    rawguest_leave(&web);
    rawfront_close(&web.f);
    domain_remove(WEB);
}

/* False if the daemon has closed, or nothing comes. */
static bool next(int fd)
{
    size_t at = 0;

    while (at < sizeof line - 1 && host_read(fd, line + at, 1) == 1 && line[at] != '\n')
        at++;
    line[at] = '\0';
    return at > 0;
}

static int subscribe(const char *request)
{
    int fd = daemon_control();

    REQUIRE(fd >= 0 && dprintf(fd, "%s\n", request) > 0 && next(fd));
    return fd;
}

static void has(const char *text)
{
    if (!strstr(line, text))
        fprintf(stderr, "%s\nhas not\n%s\n", line, text);
    CU_ASSERT_PTR_NOT_NULL(strstr(line, text));
}

/* The next event is this one. */
static void comes(int fd, const char *event, const char *text)
{
    char word[40];

    snprintf(word, sizeof word, "\"event\":\"%s\"", event);
    REQUIRE(next(fd));
    has(word);
    has(text);
}

/* ---- what is told ---- */

static void what_happens_to_a_guest_is_told_as_it_happens(void)
{
    struct rawstream *s;
    int fd, listener, stream;
    char bytes[8];

    start(CONF);
    fd = subscribe("{\"verb\":\"events\"}");
    has("\"ok\":true");
    web_comes();
    comes(fd, "attach", "\"guest\":\"web1\",\"domid\":1,\"device\":0,\"cid\":1001");
    has("\"message_id\":\"413c512d35ca4b74901760c48ae7215c\"");
    CU_ASSERT_EQUAL(strncmp(line, "{\"time\":\"20", 11), 0);
    CU_ASSERT_TRUE(daemon_number(line, "us") > 1600000000000000);
    comes(fd, "connect", "\"guest\":\"web1\"");

    /* Nobody listens there. */
    CU_ASSERT_PTR_NULL(rawstream_connect(&web, VSOCKIF_CID_HOST, PORT));
    comes(fd, "refuse", "\"to\":{\"cid\":2,\"port\":500},\"reason\":\"nobody\",\"code\":1,\"text\":\"nobody listens at that port\"");
    has("\"from\":{\"cid\":1001,\"port\":");

    /* A stream that ends in order, and one that its guest resets. */
    REQUIRE((listener = host_listen("web1", PORT)) >= 0);
    REQUIRE((s = rawstream_connect(&web, VSOCKIF_CID_HOST, PORT)) != NULL);
    REQUIRE((stream = host_accept(listener)) >= 0);
    comes(fd, "open", "\"to\":{\"cid\":2,\"port\":500}");
    rawstream_say(&web, s, VSOCKIF_OP_SHUTDOWN, VSOCKIF_SHUTDOWN_RCV | VSOCKIF_SHUTDOWN_SEND);
    EQ(host_read(stream, bytes, 1), 0);
    close(stream);
    comes(fd, "end", "\"to\":{\"cid\":2,\"port\":500}");
    REQUIRE((s = rawstream_connect(&web, VSOCKIF_CID_HOST, PORT)) != NULL);
    REQUIRE((stream = host_accept(listener)) >= 0);
    comes(fd, "open", "\"guest\":\"web1\"");
    rawstream_say(&web, s, VSOCKIF_OP_RST, 0);
    comes(fd, "reset", "\"by\":\"guest\",\"reason\":\"unspecified\"");
    close(stream);
    close(listener);

    /* One that is cut since the guest leaves. */
    REQUIRE(rawstream_connect(&web, VSOCKIF_CID_HOST, 7) != NULL);
    comes(fd, "open", "\"port\":7}");
    web_goes();
    comes(fd, "disconnect", "\"reason\":\"left\",\"code\":14");
    comes(fd, "reset", "\"by\":\"guest\",\"reason\":\"left\"");
    comes(fd, "detach", "\"guest\":\"web1\"");
    close(fd);
    stop();
}

static void what_a_host_program_is_refused_is_told(void)
{
    int fd, program;
    char byte;

    start(CONF);
    attach(WEB, "web1");
    UNTIL(record_has(WEB, 0, "/web1\""));
    fd = subscribe("{\"verb\":\"events\",\"guests\":[\"web1\"]}");
    REQUIRE((program = host_connect("web1")) >= 0 && dprintf(program, "CONNECT 80\n") > 0);
    EQ(host_read(program, &byte, 1), 0);
    comes(fd, "refuse", "\"from\":{\"cid\":2},\"to\":{\"cid\":1001,\"port\":80},\"reason\":\"absent\"");
    close(program);
    close(fd);
    stop();
}

static void what_the_policy_forbids_is_told_each_time_with_the_line_for_root_alone(void)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd, status;

    start_with(CONF, "22 @any @host deny\n" POLICY_OPEN);
    web_comes();
    fd = subscribe("{\"verb\":\"events\"}");
    snprintf(a.sun_path, sizeof a.sun_path, "%s", daemon_path("run/status.sock"));
    status = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(connect(status, (struct sockaddr *)&a, sizeof a) == 0);
    REQUIRE(dprintf(status, "{\"verb\":\"events\"}\n") > 0 && next(status));
    has("\"ok\":true");
    for (int i = 0; i < 3; i++) {
        CU_ASSERT_PTR_NULL(rawstream_connect(&web, VSOCKIF_CID_HOST, 22));
        comes(fd, "refuse", "\"reason\":\"policy\",\"code\":3,\"text\":\"may not reach the host");
        has("\"rule\":\"port 22: ");
        has("22 @any @host deny");
        has("\"message_id\":\"0b0c4ef6a40a430d8f19a0cb46fb4889\"");
        comes(status, "refuse", "\"reason\":\"policy\"");
        CU_ASSERT_PTR_NULL(strstr(line, "rule"));
        CU_ASSERT_PTR_NULL(strstr(line, "deny"));
    }
    close(status);
    close(fd);
    web_goes();
    stop();
}

static void storms_and_broken_rules_are_told(void)
{
    struct vsockif_slot bad = { .size = 0 };
    int fd;

    start(CONF "[guest web*]\nconnect_rate = 1, burst 1\n");
    web_comes();
    fd = subscribe("{\"verb\":\"events\",\"guests\":[\"web1\"]}");
    for (int i = 0; i < 5; i++)
        rawstream_ask(&web, VSOCKIF_CID_HOST, 7);
    do {
        REQUIRE(next(fd));
    } while (strstr(line, "\"event\":\"open\""));
    has("\"event\":\"storm\"");
    has("\"reason\":\"rate\"");
    comes(fd, "refuse", "\"reason\":\"rate\",\"code\":6");
    bad.hdr = rawfront_header(&web.f, 99, 7, 1);
    rawfront_put(&web.f, &bad);
    rawfront_kick(&web.f);
    do {
        REQUIRE(next(fd));
    } while (!strstr(line, "\"event\":\"disconnect\""));
    has("\"reason\":\"violation\"");
    do {
        REQUIRE(next(fd));
    } while (strstr(line, "\"event\":\"reset\""));
    has("\"event\":\"reject\"");
    has("op 99");
    close(fd);
    rawfront_close(&web.f);
    stop();
}

static void only_those_who_were_named_are_told_of(void)
{
    int fd, all;

    start(CONF);
    fd = subscribe("{\"verb\":\"events\",\"guests\":[\"db1\",\":7\"]}");
    all = subscribe("{\"verb\":\"events\"}");
    attach(WEB, "web1");
    comes(all, "attach", "web1");
    attach(DB, "db1");
    comes(all, "attach", "db1");
    comes(fd, "attach", "db1");
    domain_rename(DB, "db2");
    comes(all, "change", "\"guest\":\"db2\"");
    has("this was db1, CID 1002");
    domain_rename(DB, "db1");
    comes(all, "change", "\"guest\":\"db1\"");
    comes(fd, "change", "\"guest\":\"db1\"");
    CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("{\"verb\":\"reload\"}"), "\"ok\":true"));
    comes(all, "reload", "read again");
    domain_remove(DB);
    comes(fd, "detach", "\"reason\":\"gone\",\"code\":13");
    close(fd);
    close(all);
    stop();
}

/* ---- bounds ---- */

/* count calls that are refused, each an event. */
static void is_refused_often(unsigned count)
{
    web.count = 0;
    for (unsigned n = 0; n < count; n++)
        REQUIRE(rawstream_ask(&web, VSOCKIF_CID_HOST, PORT) != NULL);
    for (unsigned n = 0; n < count; n++)
        UNTIL((rawguest_hear(&web), web.stream[n].over));
}

/* Nobody waits for it, and it knows what it has missed. */
static void who_does_not_read_loses_events_and_hears_how_many(void)
{
    enum { MANY = 4000 };
    unsigned told = 0;
    long long lost = 0;
    int fd, good;

    start(CONF);
    web_comes();
    fd = subscribe("{\"verb\":\"events\"}");
    good = subscribe("{\"verb\":\"events\"}");
    for (int i = 0; i < MANY / 100; i++) {
        is_refused_often(100);
        for (int k = 0; k < 100; k++)
            comes(good, "refuse", "\"reason\":\"nobody\"");
    }
    while (told + lost < MANY && next(fd)) {
        if (strstr(line, "\"event\":\"lost\""))
            lost += daemon_number(line, "count");
        else
            told++;
    }
    CU_ASSERT_TRUE(told > 100 && lost > 100);
    EQ(told + lost, MANY);
    /* From here on it hears again. */
    is_refused_often(1);
    comes(fd, "refuse", "\"reason\":\"nobody\"");
    comes(good, "refuse", "\"reason\":\"nobody\"");
    close(fd);
    close(good);
    web_goes();
    stop();
}

static void there_are_no_more_subscriptions_than_there_may_be(void)
{
    int fds[EVENTS_MOST], one_more;

    start("[daemon]\nattach = manual\n");
    for (unsigned i = 0; i < EVENTS_MOST; i++) {
        fds[i] = subscribe("{\"verb\":\"events\"}");
        has("\"ok\":true");
    }
    one_more = subscribe("{\"verb\":\"events\"}");
    has("there are 16 subscriptions already");
    /* Who is refused may ask for something else; who has hung up counts no more. */
    close(fds[0]);
    daemon_rounds();
    REQUIRE(dprintf(one_more, "{\"verb\":\"events\"}\n") > 0 && next(one_more));
    has("\"ok\":true");
    for (unsigned i = 1; i < EVENTS_MOST; i++)
        close(fds[i]);
    close(one_more);
    stop();
}

static void a_wrong_subscription_is_refused(void)
{
    static const char *const wrong[] = {
        "{\"verb\":\"events\",\"guests\":\"web1\"}", "{\"verb\":\"events\",\"guests\":[1]}", "{\"verb\":\"events\",\"guests\":[\"\"]}",
        "{\"verb\":\"events\",\"guests\":[\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\",\"a\"]}",
        "{\"verb\":\"events\",\"domain\":\"a\"}"
    };

    start("[daemon]\nattach = manual\n");
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        CU_ASSERT_PTR_NOT_NULL(strstr(daemon_ask("%s", wrong[i]), "\"ok\":false,\"error\":\"events: "));
    stop();
}

static const struct test tests[] = {
    TEST(what_happens_to_a_guest_is_told_as_it_happens), TEST(what_a_host_program_is_refused_is_told),
    TEST(what_the_policy_forbids_is_told_each_time_with_the_line_for_root_alone), TEST(storms_and_broken_rules_are_told),
    TEST(only_those_who_were_named_are_told_of), TEST(who_does_not_read_loses_events_and_hears_how_many),
    TEST(there_are_no_more_subscriptions_than_there_may_be), TEST(a_wrong_subscription_is_refused)
};

int main(int argc, char **argv)
{
    if (!hosted_begin())
        return 2;
    harness_on_failure(daemon_show, NULL);
    return harness_run("events", tests, sizeof tests / sizeof *tests, argc, argv);
}

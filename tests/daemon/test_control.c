/* SPDX-License-Identifier: MIT */
/* test_control.c: clients of the control socket that are slow, many, rude, or gone. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control.h"
#include "hosted.h"
#include "toolstack.h"

static const char stats[] = "{\"verb\":\"stats\"}\n";

static void start(void)
{
    toolstack_open();
    REQUIRE(daemon_start("[daemon]\nattach = manual\n") == 0);
}

static void stop(void)
{
    EQ(daemon_stop(SIGTERM), 0);
    toolstack_close();
}

static void say(int fd, const char *text)
{
    REQUIRE(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
}

/* The next line that the daemon says, without its newline; "" if it closes. */
static const char *hear(int fd)
{
    static char line[CONTROL_LINE];
    size_t n = 0;

    while (n < sizeof line - 1 && host_read(fd, line + n, 1) == 1 && line[n] != '\n')
        n++;
    line[n] = '\0';
    return line;
}

static bool is_silent(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    daemon_rounds();
    return poll(&p, 1, 0) == 0;
}

/* It has been accepted, and answered. */
static int client(void)
{
    int fd = daemon_control();

    REQUIRE(fd >= 0);
    say(fd, stats);
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "\"ok\":true"));
    return fd;
}

static long long fds(void)
{
    return daemon_number(daemon_ask("%.*s", (int)strlen(stats) - 1, stats), "fds");
}

/* ---- lines ---- */

static void a_request_in_pieces_is_answered_when_its_line_ends(void)
{
    int fd;

    start();
    fd = client();
    for (size_t i = 0; i < strlen(stats) - 1; i++) {
        REQUIRE(write(fd, &stats[i], 1) == 1);
        if (i % 5 == 0)
            CU_ASSERT_TRUE(is_silent(fd));
    }
    CU_ASSERT_TRUE(is_silent(fd));
    say(fd, "\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "\"uptime_ms\":"));
    CU_ASSERT_TRUE(is_silent(fd));
    close(fd);
    stop();
}

static void requests_in_one_write_are_answered_in_order(void)
{
    int fd;

    start();
    fd = client();
    say(fd, "{\"verb\":\"one\"}\n\n{\"verb\":\"ls\"}\nnothing\n{\"verb\":\"two\"}\n{\"ver");
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "there is no verb \\\"one\\\""));
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "not a JSON object"));
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "\"guests\":[]"));
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "not a JSON object"));
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "there is no verb \\\"two\\\""));
    CU_ASSERT_TRUE(is_silent(fd));
    say(fd, "b\":\"three\"}\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "there is no verb \\\"three\\\""));
    close(fd);
    stop();
}

static void the_longest_line_is_answered_and_a_longer_one_ends_the_client(void)
{
    char *line = malloc(CONTROL_LINE + 1);
    int fd;

    start();
    REQUIRE(line != NULL);
    memset(line, ' ', CONTROL_LINE);
    memcpy(line, stats, strlen(stats) - 1);
    line[CONTROL_LINE - 1] = '\n';
    line[CONTROL_LINE] = '\0';
    fd = client();
    say(fd, line);
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "\"ok\":true"));

    line[CONTROL_LINE - 1] = ' ';
    say(fd, line);
    CU_ASSERT_STRING_EQUAL(hear(fd), "");
    close(fd);
    CU_ASSERT_TRUE(fds() > 0);
    free(line);
    stop();
}

static void a_request_with_a_nul_or_half_a_character_is_refused(void)
{
    static const char nul[] = "{\"verb\":\"l\0s\"}\n", half[] = "{\"verb\":\"l\xc3\"}\n";
    int fd;

    start();
    fd = client();
    REQUIRE(write(fd, nul, sizeof nul - 1) == sizeof nul - 1);
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "\"ok\":false"));
    say(fd, half);
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "\"ok\":false"));
    say(fd, "[\"verb\"]\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "an object with a string \\\"verb\\\""));
    say(fd, "{\"verb\":7}\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "an object with a string \\\"verb\\\""));
    say(fd, "{\"verb\":\"ls\",\"verb\":\"stats\"}\n");
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd), "\"ok\":false"));
    close(fd);
    stop();
}

/* ---- slow clients ---- */

/* Sends requests, and takes no answers, for as long as the daemon reads them: how many whole ones. */
static int flood(int fd)
{
    int sent = 0;

    for (int quiet = 0; quiet < 3; ) {
        ssize_t n = send(fd, stats, strlen(stats), MSG_DONTWAIT);

        REQUIRE(n == (ssize_t)strlen(stats) || (n < 0 && errno == EAGAIN));
        sent += n > 0;
        quiet = n > 0 ? 0 : quiet + 1;
        if (n < 0)
            daemon_rounds();
    }
    return sent;
}

static void a_client_that_takes_no_answers_holds_nobody_up_and_gets_them_all(void)
{
    long long before, after;
    int slow, sent;

    start();
    slow = client();
    before = daemon_number(daemon_ask("{\"verb\":\"stats\"}"), "resident_bytes");
    sent = flood(slow);
    CU_ASSERT_TRUE(sent > 100);
    close(client());
    after = daemon_number(daemon_ask("{\"verb\":\"stats\"}"), "resident_bytes");
#ifdef __SANITIZE_ADDRESS__
    (void)before, (void)after;          /* what was freed is kept for a while */
#else
    CU_ASSERT_TRUE(after - before < 1 << 20);
#endif
    for (int i = 0; i < sent; i++)
        if (!strstr(hear(slow), "\"ok\":true")) {
            fprintf(stderr, "answer %d of %d is not there\n", i, sent);
            CU_FAIL("an answer is not there");
            break;
        }
    CU_ASSERT_TRUE(is_silent(slow));
    say(slow, stats);
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(slow), "\"ok\":true"));
    close(slow);
    stop();
}

static void a_client_that_goes_without_its_answers_leaves_nothing(void)
{
    long long before;

    start();
    before = fds();
    for (int i = 0; i < 3; i++) {
        int fd = client();

        flood(fd);
        /* With answers unread it is an error, without them a hang-up: after the first read there is room for more of them. */
        if (i == 1)
            shutdown(fd, SHUT_RD);
        close(fd);
    }
    daemon_rounds();
    EQ(fds(), before);
    stop();
}

/* The daemon finds the request and the client's end at the same time. */
static void a_client_that_asks_and_goes_is_no_harm(void)
{
    static const char two[] = "{\"verb\":\"ls\"}\n{\"verb\":\"ls\"}\n";
    long long before;
    int asks, half;

    start();
    before = fds();
    asks = client();
    half = client();
    daemon_freeze();
    say(asks, two);
    close(asks);
    say(half, "{\"verb\":");
    close(half);
    daemon_signal(SIGCONT);
    daemon_rounds();
    EQ(fds(), before);
    stop();
}

/* ---- many clients ---- */

static void as_many_clients_as_may_be_and_the_next_waits_for_one_to_go(void)
{
    int fd[CONTROL_CLIENTS], late;

    start();
    for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
        fd[i] = client();
    late = daemon_control();
    REQUIRE(late >= 0);
    say(late, stats);
    for (int i = 0; i < 16; i++) {      /* daemon_rounds(), of which there can be none */
        say(fd[1], stats);
        CU_ASSERT_PTR_NOT_NULL(strstr(hear(fd[1]), "\"ok\":true"));
    }
    EQ(poll(&(struct pollfd){ .fd = late, .events = POLLIN }, 1, 0), 0);
    close(fd[0]);
    CU_ASSERT_PTR_NOT_NULL(strstr(hear(late), "\"ok\":true"));
    close(late);
    for (unsigned i = 1; i < CONTROL_CLIENTS; i++)
        close(fd[i]);
    CU_ASSERT_TRUE(fds() > 0);
    stop();
}

/* ---- the end ---- */

static void a_stop_ends_the_clients_and_takes_the_socket_away(void)
{
    int idle, within, fd;

    start();
    idle = client();
    within = client();
    say(within, "{\"verb\"");
    daemon_rounds();
    stop();
    CU_ASSERT_STRING_EQUAL(hear(idle), "");
    CU_ASSERT_STRING_EQUAL(hear(within), "");
    fd = daemon_control();
    EQ(fd, -1);
    EQ(errno, ENOENT);
    close(idle);
    close(within);
}

static const struct test tests[] = {
    TEST(a_request_in_pieces_is_answered_when_its_line_ends),
    TEST(requests_in_one_write_are_answered_in_order),
    TEST(the_longest_line_is_answered_and_a_longer_one_ends_the_client),
    TEST(a_request_with_a_nul_or_half_a_character_is_refused),
    TEST(a_client_that_takes_no_answers_holds_nobody_up_and_gets_them_all),
    TEST(a_client_that_goes_without_its_answers_leaves_nothing),
    TEST(a_client_that_asks_and_goes_is_no_harm),
    TEST(as_many_clients_as_may_be_and_the_next_waits_for_one_to_go),
    TEST(a_stop_ends_the_clients_and_takes_the_socket_away)
};

int main(int argc, char **argv)
{
    if (!hosted_is_here())
        return 2;
    signal(SIGPIPE, SIG_IGN);
    return harness_run("control", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_backend_connect_line.c: what is a line, what may become one, and what never will. */
#include <errno.h>
#include <string.h>

#include "connect_line.h"
#include "harness.h"

static uint32_t port;
static enum connect_verb verb;

static int parse_some(const char *text, size_t len)
{
    port = 12345;
    verb = CONNECT_STREAM;
    return connect_line_parse(text, len, &verb, &port);
}

static int parse(const char *text)
{
    return parse_some(text, strlen(text));
}

static void a_line_gives_its_port_and_its_length(void)
{
    EQ(parse("CONNECT 1\n"), 10);
    EQ(port, 1);
    EQ(parse("connect 4294967295\n"), 19);
    EQ(port, 4294967295u);
    EQ(parse("CoNnEcT 0080\r\n"), 14);
    EQ(port, 80);
    EQ(verb, CONNECT_STREAM);
}

static void the_end_of_a_stream_is_asked_for_by_its_number(void)
{
    EQ(parse("call 22\n"), 8);
    EQ(verb, CONNECT_CALL);
    EQ(port, 22);
    EQ(parse("why 22\n"), 7);
    EQ(verb, CONNECT_WHY);
    EQ(port, 22);
    EQ(parse("WATCH 1073741824\n"), 17);
    EQ(verb, CONNECT_WATCH);
    EQ(port, 1073741824);
    EQ(parse("vouch 4294967294\r\nEND\n"), 18);
    EQ(verb, CONNECT_VOUCH);
    EQ(port, 4294967294u);
}

static void what_follows_the_newline_is_not_looked_at(void)
{
    EQ(parse("CONNECT 7\nCONNECT x\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n\n"), 10);
    EQ(port, 7);
}

static void every_beginning_of_a_line_may_become_one(void)
{
    static const char *const lines[] = { "CONNECT 4294967295\n", "CALL 1\n", "WATCH 1\n", "VOUCH 1\r\n" };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        for (size_t n = 0; n < strlen(lines[i]); n++)
            EQ(parse_some(lines[i], n), 0);
}

static void what_can_become_no_line_is_refused_at_once(void)
{
    static const char *const lines[] = {
        "X", "CONNEXT", "GET / HTTP/1.1\r\n", "\n", "CONNECT\n", "CONNECT \n", "CONNECT  1\n", "CONNECT +1\n", "CONNECT -1\n",
        "CONNECT 0x10\n", "CONNECT 1 \n", "CONNECT 4294967296\n", "CONNECT 99999999999999999999\n", "CONNECT 1\r\r\n",
        " CONNECT 1\n", "CONNECT\t1\n", "WATCH\n", "WATCH x\n", "WATCHING 1\n", "VOUCH  1\n", "VOUCHE", "W\n", "CV", "CAL 1\n", "CALL\n"
    };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        EQ(parse(lines[i]), -EINVAL);
        EQ(port, 12345);
    }
}

static void a_cid_may_be_named_where_there_are_several(void)
{
    uint32_t cid = 2;

    EQ(connect_line_parse_cid("CONNECT 7\n", 10, &verb, &cid, &port), 10);
    EQ(cid, 2);
    EQ(port, 7);
    EQ(connect_line_parse_cid("WHY 9:80\n", 9, &verb, &cid, &port), 9);
    EQ(cid, 9);
    EQ(connect_line_parse_cid("CALL 4294967295:80\r\n", 20, &verb, &cid, &port), 20);
    EQ(cid, 4294967295u);
    EQ(port, 80);
    EQ(connect_line_parse_cid("CONNECT 1:", 10, &verb, &cid, &port), 0);
    EQ(connect_line_parse_cid("CONNECT :7\n", 11, &verb, &cid, &port), -EINVAL);
    EQ(connect_line_parse_cid("CONNECT 7:\n", 11, &verb, &cid, &port), -EINVAL);
    EQ(connect_line_parse_cid("CONNECT 1:2:3\n", 14, &verb, &cid, &port), -EINVAL);
    EQ(connect_line_parse_cid("WATCH 1:2\n", 10, &verb, &cid, &port), -EINVAL);
    EQ(parse("CONNECT 1:2\n"), -EINVAL);
}

static void a_line_has_32_bytes_at_most(void)
{
    EQ(parse("CONNECT 00000000000000000000001\n"), 32);
    EQ(parse("CONNECT 000000000000000000000001\n"), -EINVAL);
    EQ(parse("CONNECT 00000000000000000000000000000000000000"), -EINVAL);
}

static void a_nul_is_no_end(void)
{
    EQ(parse_some("CONNECT 1\0\n", 11), -EINVAL);
    EQ(parse_some("CONN\0CT 1\n", 10), -EINVAL);
}

static const struct test tests[] = {
    TEST(a_line_gives_its_port_and_its_length), TEST(the_end_of_a_stream_is_asked_for_by_its_number), TEST(what_follows_the_newline_is_not_looked_at),
    TEST(every_beginning_of_a_line_may_become_one), TEST(what_can_become_no_line_is_refused_at_once),
    TEST(a_cid_may_be_named_where_there_are_several), TEST(a_line_has_32_bytes_at_most), TEST(a_nul_is_no_end)
};

int main(int argc, char **argv)
{
    return harness_run("connect line", tests, sizeof tests / sizeof *tests, argc, argv);
}

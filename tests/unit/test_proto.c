/* SPDX-License-Identifier: MIT */
/* test_proto.c: what the guest's agent and its callers say to each other, as bytes. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"
#include "harness.h"
#include "message.h"
#include "start.h"
#include "tcpmux.h"

/* ---- frames ---- */

static uint8_t wire[2 * FRAME_MAX];
static size_t wire_len;
static struct frame_reader reader;
static struct frame frame;

static void begin(const struct frame_grammar *g)
{
    frame_reader_free(&reader);
    frame_reader_init(&reader, g);
    wire_len = 0;
}

static void say(enum frame_type type, const char *body, size_t len)
{
    frame_header(wire + wire_len, type, len);
    memcpy(wire + wire_len + FRAME_HEADER, body, len);
    wire_len += FRAME_HEADER + len;
}

/* All that was said, until there is something or an error. */
static ssize_t hear(void)
{
    ssize_t n = frame_read(&reader, wire, wire_len, &frame);

    if (n > 0) {
        wire_len -= (size_t)n;
        memmove(wire, wire + n, wire_len);
    }
    return n;
}

static void take(size_t len)
{
    frame_taken(&reader, len);
    wire_len -= len;
    memmove(wire, wire + len, wire_len);
}

static void refused(const char *words)
{
    EQ(hear(), -EPROTO);
    if (!strstr(reader.why, words)) {
        fprintf(stderr, "'%s' instead of '%s'\n", reader.why, words);
        CU_FAIL("another reason");
    }
    EQ(frame_read(&reader, "", 0, &frame), -EPROTO);
}

static void started(void)
{
    begin(&frame_exec_caller);
    say(FRAME_START, "{}", 2);
    EQ(hear(), 10);
    EQ(frame.type, FRAME_START);
    EQ(frame.len, 2);
}

static void a_frame_may_come_byte_by_byte(void)
{
    started();
    say(FRAME_RESIZE, "\x18\0\x50\0", 4);
    for (size_t i = 0; i < 11; i++) {
        EQ(frame_read(&reader, wire + i, 1, &frame), 1);
        EQ(frame.type, FRAME_NONE);
        CU_ASSERT_FALSE(frame_is_between(&reader));
    }
    EQ(frame_read(&reader, wire + 11, 1, &frame), 1);
    EQ(frame.type, FRAME_RESIZE);
    CU_ASSERT_TRUE(frame_is_between(&reader));
}

static void bytes_that_were_not_used_come_again(void)
{
    started();
    say(FRAME_STDIN, "abcdef", 6);
    say(FRAME_SIGNAL, "\2\0\0\0", 4);
    EQ(hear(), 8);
    EQ(frame.type, FRAME_STDIN);
    EQ(frame.len, 6);
    take(2);
    EQ(hear(), 0);
    EQ(frame.len, 4);
    EQ(memcmp(frame.data, "cdef", 4), 0);
    take(0);
    EQ(hear(), 0);
    EQ(frame.len, 4);
    take(4);
    EQ(hear(), 12);
    EQ(frame.type, FRAME_SIGNAL);
}

static void an_empty_frame_is_the_end_of_a_channel(void)
{
    started();
    say(FRAME_STDIN, "", 0);
    EQ(hear(), 8);
    EQ(frame.type, FRAME_STDIN);
    EQ(frame.len, 0);
    say(FRAME_STDIN, "x", 1);
    refused("STDIN after the end of its bytes");
}

static void what_does_not_fit_is_refused_by_name(void)
{
    started();
    say(FRAME_START, "{}", 2);
    refused("START for the second time");
    begin(&frame_exec_caller);
    say(FRAME_STDIN, "x", 1);
    refused("STDIN before the first one");
    started();
    say(FRAME_STDOUT, "x", 1);
    refused("STDOUT from the wrong end");
    started();
    say((enum frame_type)0, "", 0);
    refused("unknown type 0");
    started();
    say((enum frame_type)255, "", 0);
    refused("unknown type 255");
    started();
    say(FRAME_STDIN, "", 0);
    wire[6] = 1;
    refused("reserved bytes");
    started();
    say(FRAME_SIGNAL, "\2\0\0", 3);
    refused("SIGNAL of 3 bytes; 4 to 4");
    started();
    memcpy(wire, "\xff\xff\xff\xff\2\0\0\0", wire_len = 8);
    refused("of 4294967295 bytes; 0 to 65536");
    begin(&frame_exec_agent);
    say(FRAME_EXIT, "\0\0\0\0\0\0\0\0\0\0\0", 12);
    EQ(hear(), 20);
    say(FRAME_STDOUT, "x", 1);
    refused("STDOUT after the last one");
}

/* 64 KiB were announced and one byte has come: memory is for that byte. */
static void memory_is_for_what_has_come(void)
{
    begin(&frame_exec_caller);
    frame_header(wire, FRAME_START, FRAME_MAX);
    wire_len = FRAME_HEADER + 1;
    EQ(hear(), 9);
    EQ(frame.type, FRAME_NONE);
    CU_ASSERT_TRUE(reader.room <= 256);
    frame_reader_free(&reader);
}

/* ---- the bodies ---- */

static uint8_t body[MESSAGE_MAX];

static void numbers_have_their_bounds(void)
{
    struct message_size size;
    struct message_exit e;
    uint32_t n;

    CU_ASSERT_TRUE(message_put_size(body, 24, 80) == 12 && message_get_size(body + 8, 4, &size));
    EQ(size.rows, 24);
    EQ(size.columns, 80);
    message_put_size(body, 65535, 0);
    CU_ASSERT_FALSE(message_get_size(body + 8, 4, &size));
    for (n = 0; n < 70; n++) {
        uint32_t got = 0;

        message_put_signal(body, n);
        EQ(message_get_signal(body + 8, 4, &got), n >= 1 && n <= 64);
    }
    message_put_room(body, FRAME_CREDIT + 1);
    CU_ASSERT_FALSE(message_get_room(body + 8, 4, &n));
    message_put_exit(body, &(struct message_exit){ .signal = 9, .late = true });
    CU_ASSERT_TRUE(message_get_exit(body + 8, 12, &e) && e.signal == 9 && !e.status && e.late);
    message_put_exit(body, &(struct message_exit){ .status = 1, .signal = 9 });
    CU_ASSERT_FALSE(message_get_exit(body + 8, 12, &e));
    message_put_exit(body, &(struct message_exit){ .status = 256 });
    CU_ASSERT_FALSE(message_get_exit(body + 8, 12, &e));
}

static void an_error_is_one_line_whatever_its_text(void)
{
    struct message_error e;
    char text[2000];
    size_t len = message_put_error(body, 127, -ENOENT, "no such\ncommand\033[31m");

    CU_ASSERT_TRUE(message_get_error(body + 8, len - 8, &e));
    EQ(e.status, 127);
    EQ(strcmp(e.name, "ENOENT"), 0);
    EQ(strcmp(e.text, "no such?command?[31m"), 0);
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    len = message_put_error(body, 1, -EIO, text);
    CU_ASSERT_TRUE(len <= MESSAGE_MAX && message_get_error(body + 8, len - 8, &e));
    /* What the other end may make of it. */
    CU_ASSERT_TRUE(message_get_error("\1\0\0\0EIO a\0b", 11, &e) && strcmp(e.text, "a?b") == 0);
    CU_ASSERT_FALSE(message_get_error("\0\0\0\0EIO a", 9, &e));
    CU_ASSERT_FALSE(message_get_error("\1\0\0\0no a", 8, &e));
    CU_ASSERT_FALSE(message_get_error("\1\0\0\0ENOENT", 10, &e));
}

/* ---- START ---- */

static struct start start;
static char why[JSON_WHY];

static int parse(const char *text)
{
    start_free(&start);
    return start_parse(text, strlen(text), &start, why);
}

static void start_says_what_to_run(void)
{
    EQ(parse("{\"argv\":[\"cat\",{\"hex\":\"66ff\"}],\"env\":{\"A\":\"B=C\"},\"cwd\":\"/srv\",\"user\":\"www\","
             "\"tty\":[24,80],\"term\":\"xterm\",\"timeout\":1500,\"stdin\":true}"), 0);
    EQ(strcmp(start.argv[0], "cat"), 0);
    EQ(strcmp(start.argv[1], "f\xff"), 0);
    CU_ASSERT_PTR_NULL(start.argv[2]);
    EQ(strcmp(start.env[0], "A=B=C"), 0);
    CU_ASSERT_TRUE(start.tty && start.has_stdin && !start.detach && start.rows == 24 && start.columns == 80 &&
                   start.timeout == 1500 && !strcmp(start.user, "www"));
    EQ(parse("{\"shell\":true}"), 0);
    CU_ASSERT_TRUE(start.shell && start.argv != NULL && start.argv[0] == NULL);
    start_free(&start);
}

static void no_start_is_refused_with_a_reason(void)
{
    static const struct { const char *text, *words; } bad[] = {
        { "", "no JSON" }, { "{", "no JSON" }, { "[]", "no object" }, { "{}", "no command" },
        { "{\"argv\":[]}", "no command" }, { "{\"argv\":\"ls\"}", "no command" }, { "{\"argv\":[\"\"]}", "empty" },
        { "{\"argv\":[7]}", "no string" }, { "{\"argv\":[{\"hex\":\"00\"}]}", "no string" },
        { "{\"argv\":[{\"hex\":\"6\"}]}", "no string" }, { "{\"argv\":[\"a\\u0000b\"]}", "no JSON" },
        { "{\"argv\":[\"\xff\"]}", "no JSON" }, { "{\"argv\":[\"a\"],\"argv\":[\"b\"]}", "no JSON" },
        { "{\"argv\":[\"a\"],\"env\":{\"A=\":\"b\"}}", "'='" }, { "{\"argv\":[\"a\"],\"env\":{\"\":\"b\"}}", "'='" },
        { "{\"argv\":[\"a\"],\"env\":[]}", "env" }, { "{\"argv\":[\"a\"],\"cwd\":1}", "cwd" },
        { "{\"argv\":[\"a\"],\"tty\":[1]}", "tty" }, { "{\"argv\":[\"a\"],\"tty\":[65536,0]}", "tty" },
        { "{\"argv\":[\"a\"],\"timeout\":0}", "timeout" }, { "{\"argv\":[\"a\"],\"stdin\":1}", "stdin" },
        { "{\"argv\":[\"a\"],\"rights\":\"all\"}", "rights" }, { "{\"argv\":[\"a\",[[[\"b\"]]]]}", "levels" },
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        EQ(parse(bad[i].text), -EPROTO);
        if (!strstr(why, bad[i].words)) {
            fprintf(stderr, "%s: '%s' instead of '%s'\n", bad[i].text, why, bad[i].words);
            CU_FAIL("another reason");
        }
    }
    start_free(&start);
}

static void json_of_60000_levels_costs_nothing(void)
{
    char *text = malloc(60001);

    REQUIRE(text != NULL);
    memset(text, '[', 60000);
    text[60000] = '\0';
    EQ(parse(text), -EPROTO);
    CU_ASSERT_PTR_NOT_NULL(strstr(why, "levels"));
    free(text);
    /* Brackets and quotes within a string are none. */
    EQ(parse("{\"argv\":[\"[[[[{{\\\"[[[\"]}"), 0);
    start_free(&start);
}

/* ---- the line ---- */

static struct tcpmux_request request;
static const char *reason;

static ssize_t ask(const char *line)
{
    return tcpmux_request(line, strlen(line), &request, &reason);
}

static void a_line_names_a_service(void)
{
    EQ(ask("exec\r\nrest"), 6);
    EQ(strcmp(request.name, "exec"), 0);
    CU_ASSERT_FALSE(request.has_argument);
    EQ(ask("backup+daily+2\n"), 15);
    EQ(strcmp(request.argument, "daily+2"), 0);
    EQ(ask("a+\n"), 3);
    CU_ASSERT_TRUE(request.has_argument && !request.argument[0]);
    EQ(ask("exe"), 0);
    EQ(ask("exec\r"), 0);
}

static void a_line_that_is_none_is_refused_at_once(void)
{
    static const char *const bad[] = { "\n", "\r\n", ".hidden\n", "-x\n", "../x\n", "a/b\n", "a b\n", "a\rb\n", "+x\n", "a+../b\n",
                                       "a+b c\n", "a+$(x)\n", "\xc3\xa4\n", "a\t\n" };
    char line[70000];

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        EQ(ask(bad[i]), -EINVAL);
    memset(line, 'a', sizeof line);
    EQ(tcpmux_request(line, 64, &request, &reason), 0);
    EQ(tcpmux_request(line, 65, &request, &reason), -EINVAL);
    EQ(tcpmux_request(line, sizeof line, &request, &reason), -EINVAL);
    line[64] = '+';
    EQ(tcpmux_request(line, 65 + 128, &request, &reason), 0);
    EQ(tcpmux_request(line, 65 + 129, &request, &reason), -EINVAL);
}

static void a_question_is_judged_before_it_is_asked(void)
{
    char line[TCPMUX_LINE + 1], word[300];

    EQ(tcpmux_ask("backup+daily", line, &reason), 14);
    EQ(strcmp(line, "backup+daily\r\n"), 0);
    EQ(tcpmux_ask("", line, &reason), -EINVAL);
    EQ(tcpmux_ask("a\nb", line, &reason), -EINVAL);
    EQ(tcpmux_ask("a\r", line, &reason), -EINVAL);
    memset(word, 'a', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    EQ(tcpmux_ask(word, line, &reason), -EINVAL);
}

static void an_answer_is_one_line(void)
{
    char line[TCPMUX_ANSWER + 1], text[TCPMUX_ANSWER], word[1000];
    bool good = false;
    size_t len = tcpmux_answer(true, "exec\nx", line);

    EQ(strcmp(line, "+exec?x\r\n"), 0);
    EQ(tcpmux_answered(line, len, &good, text), 9);
    CU_ASSERT_TRUE(good && !strcmp(text, "exec?x"));
    EQ(tcpmux_answered("-no\nrest", 8, &good, text), 4);
    CU_ASSERT_TRUE(!good && !strcmp(text, "no"));
    EQ(tcpmux_answered("+", 1, &good, text), 0);
    EQ(tcpmux_answered("+\n", 2, &good, text), 2);
    EQ(tcpmux_answered("HTTP/1.1 400\n", 13, &good, text), -EPROTO);
    memset(word, 'x', sizeof word);
    word[0] = '+';
    EQ(tcpmux_answered(word, sizeof word, &good, text), -EPROTO);
    word[sizeof word - 1] = '\0';
    EQ(tcpmux_answer(false, word, line), TCPMUX_ANSWER);
    EQ(tcpmux_answered(line, TCPMUX_ANSWER, &good, text), TCPMUX_ANSWER);
}

static const struct test tests[] = {
    TEST(a_frame_may_come_byte_by_byte), TEST(bytes_that_were_not_used_come_again), TEST(an_empty_frame_is_the_end_of_a_channel),
    TEST(what_does_not_fit_is_refused_by_name), TEST(memory_is_for_what_has_come), TEST(numbers_have_their_bounds),
    TEST(an_error_is_one_line_whatever_its_text), TEST(start_says_what_to_run), TEST(no_start_is_refused_with_a_reason),
    TEST(json_of_60000_levels_costs_nothing), TEST(a_line_names_a_service), TEST(a_line_that_is_none_is_refused_at_once),
    TEST(a_question_is_judged_before_it_is_asked), TEST(an_answer_is_one_line),
};

int main(int argc, char **argv)
{
    int status = harness_run("proto", tests, sizeof tests / sizeof *tests, argc, argv);

    frame_reader_free(&reader);
    return status;
}

/* SPDX-License-Identifier: MIT */
/* fuzz_control.c: the daemon's control socket, byte by byte, on a mocked host (tests/mock).
 *
 * The first byte says in what pieces the rest arrives, the second which of two clients each piece comes from, and whether they
 * read; guests a and b are there.  Whatever comes, each line is answered with one line, in order: a JSON object with a
 * boolean "ok", and a string "error" if that is false.  A line that is too long ends the connection and nothing else.  Then the
 * daemon answers a client of ours, serves a new guest, stops, and leaves nothing. */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "front.h"
#include "host.h"
#include "mock.h"
#include "process.h"
#include "whole.h"
#include "world.h"

#define CLIENTS 2
#define LINE    65536u          /* control.h: the longest */
#define MANY    (LINE + 300u)

struct client {
    struct host_end end;
    uint32_t lines, answers;    /* sent whole, and received */
    bool too_long;              /* a line was: its connection ends */
    uint32_t open;              /* bytes of the line that is being sent */
    char text[LINE * 2];
    size_t len;
};

static struct client client[CLIENTS];

static void judge(const char *line, size_t len)
{
    json_error_t error;
    json_t *answer = json_loadb(line, len, 0, &error), *ok = json_object_get(answer, "ok");

    MOCK_MUST(json_is_boolean(ok), "an answer without \"ok\": %.*s", (int)len, line);
    MOCK_MUST(json_is_true(ok) || json_is_string(json_object_get(answer, "error")), "an error without words: %.*s", (int)len,
              line);
    json_decref(answer);
}

static void take_answers(struct client *c)
{
    ssize_t n;

    while (c->end.fd >= 0 && (n = recv(c->end.fd, c->text + c->len, sizeof c->text - c->len, MSG_DONTWAIT)) > 0) {
        char *newline;

        c->len += (size_t)n;
        while ((newline = memchr(c->text, '\n', c->len))) {
            size_t used = (size_t)(newline - c->text) + 1;

            judge(c->text, used - 1);
            c->answers++;
            memmove(c->text, c->text + used, c->len - used);
            c->len -= used;
        }
        MOCK_MUST(c->len < sizeof c->text, "an answer that does not end");
    }
    MOCK_MUST(c->answers <= c->lines, "%u answers to %u lines", c->answers, c->lines);
}

/* A piece, and what it means. */
static void send_piece(struct client *c, const uint8_t *bytes, uint32_t len)
{
    uint32_t sent;

    if (c->end.fd < 0 && !host_control(&c->end))
        return;
    sent = host_say(&c->end, bytes, len);
    for (uint32_t i = 0; i < sent; i++) {
        c->open++;
        if (bytes[i] == '\n') {
            c->lines++;
            c->open = 0;
        }
        c->too_long |= c->open >= LINE;
    }
}

static void finish(struct client *c)
{
    uint32_t before;

    do {
        before = c->answers;
        take_answers(c);
        process_rest();
        take_answers(c);
    } while (c->answers != before);
    if (c->end.fd >= 0 && !c->too_long)
        MOCK_MUST(c->answers == c->lines, "%u answers to %u lines", c->answers, c->lines);
    host_close(&c->end);
    process_rest();
}

static void run(const uint8_t *data, size_t size)
{
    static const uint32_t sizes[] = { 1, 2, 5, 17, 64, 1000, 5000, 70000 };
    uint8_t pieces = size > 0 ? data[0] : 0, who = size > 1 ? data[1] : 0;
    static struct front a;
    static uint8_t many[MANY];

    world_new();
    world_settings("[daemon]\nspin_us = 0\n");
    world_appear(1, "a");
    world_appear(2, "b");
    for (int i = 0; i < CLIENTS; i++) {
        memset(&client[i], 0, offsetof(struct client, text));
        client[i].len = 0;
        host_end_init(&client[i].end);
    }
    MOCK_MUST(world_daemon(), "it does not start: %s", process_log());
    front_init(&a, 1, 0);
    front_connect(&a);
    for (size_t at = 2, n; at < size; at += n) {
        uint32_t piece = sizes[pieces & 7];
        struct client *c = &client[who & 1];

        n = size - at < piece ? size - at : piece;
        if (pieces & 0x80 && n == 1) {
            memset(many, data[at], sizeof many);
            send_piece(c, many, data[at] == '\n' ? 300 : sizeof many);      /* lines, or one that is too long */
        } else {
            send_piece(c, data + at, (uint32_t)n);
        }
        if (!(who & 4))
            process_rest();
        if (!(who & 2))
            take_answers(c);
        pieces = (uint8_t)(pieces << 3 | pieces >> 5);
        who = (uint8_t)(who << 1 | who >> 7);
        MOCK_MUST(process_is_running(), "a request has ended it: %s", process_log());
    }
    process_rest();
    for (int i = 0; i < CLIENTS; i++)
        finish(&client[i]);
    client[0].lines = client[0].answers = client[0].open = 0;
    client[0].too_long = false;
    client[0].len = 0;
    send_piece(&client[0], (const uint8_t *)"{\"verb\":\"ls\"}\n", 14);
    process_rest();
    finish(&client[0]);
    MOCK_MUST(client[0].answers == 1, "the control socket does not answer any more");
    world_settings("[daemon]\nspin_us = 0\n");
    world_serves(3, "new");
    MOCK_MUST(process_end(), "it does not stop: %s", process_log());
    MOCK_MUST(!*mock_left_over(), "%s", mock_left_over());
    front_die(&a);
    world_over();
}

static void warm_up(void)
{
    world_open();
    atexit(world_close);
    run((const uint8_t *)"\5\0{\"verb\":\"stats\"}\n", 19);
}

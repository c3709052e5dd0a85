/* SPDX-License-Identifier: MIT */
/* fuzz_message.c: bodies of frames.  What is accepted can be said again, and is understood the same. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"
#include "start.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool what)
{
    if (!what)
        abort();
}

static bool same_list(char *const *a, char *const *b)
{
    for (; *a && *b; a++, b++)
        if (strcmp(*a, *b) != 0)
            return false;
    return !*a && !*b;
}

static size_t length(char *const *a)
{
    size_t n = 0;

    while (a[n])
        n++;
    return n;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static void a_start(const uint8_t *data, size_t size)
{
    struct start one, two;
    char why[JSON_WHY] = "", *text;
    size_t len;
    int err = start_parse(data, size, &one, why);

    must(err == 0 || err == -ENOMEM || (err == -EPROTO && why[0]));
    if (!err) {
        must(one.shell || one.argv[0][0]);
        text = start_text(&one, &len);
        must(text && start_parse(text, len, &two, why) == 0);
        must(same_list(one.argv, two.argv) && length(one.env) == length(two.env) && same_text(one.cwd, two.cwd) &&
             same_text(one.user, two.user) && same_text(one.term, two.term) && one.timeout == two.timeout &&
             one.tty == two.tty && one.rows == two.rows && one.columns == two.columns && one.has_stdin == two.has_stdin &&
             one.detach == two.detach && one.shell == two.shell);
        start_free(&two);
        free(text);
    }
    start_free(&one);
}

static void the_others(const uint8_t *data, size_t size)
{
    uint8_t frame[MESSAGE_MAX];
    struct message_size s;
    struct message_exit e;
    struct message_error r, again;
    uint32_t number;

    if (message_get_size(data, size, &s))
        must(message_put_size(frame, s.rows, s.columns) == FRAME_HEADER + size && memcmp(frame + FRAME_HEADER, data, size) == 0);
    if (message_get_signal(data, size, &number))
        must(number >= 1 && number <= 64 && message_put_signal(frame, number) == FRAME_HEADER + size);
    if (message_get_room(data, size, &number))
        must(number && number <= FRAME_CREDIT && message_put_room(frame, number) == FRAME_HEADER + size);
    if (message_get_exit(data, size, &e))
        must(message_put_exit(frame, &e) == FRAME_HEADER + size && memcmp(frame + FRAME_HEADER, data, size) == 0);
    if (message_get_error(data, size, &r)) {
        size_t len = message_put_error(frame, r.status, -ENOENT, r.text);

        must(len <= sizeof frame && message_get_error(frame + FRAME_HEADER, len - FRAME_HEADER, &again));
        must(again.status == r.status && strcmp(again.text, r.text) == 0 && strcmp(again.name, "ENOENT") == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size > FRAME_MAX)
        return 0;
    a_start(data, size);
    the_others(data, size);
    return 0;
}

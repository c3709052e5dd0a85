/* SPDX-License-Identifier: MIT */
/* fuzz_manage.c: a caller of the agent's service manage who says what he likes.  Each line of his has one answer, a JSON object, and those
 * that are no request of ours, or that ask for what cannot be, an error with its sentence.
 *
 * The first byte is how many bytes come at a time.  The guest has neither processors nor memory nor a qemu-guest-agent, so nothing of this
 * machine is touched, and whatever is asked for well is refused after that was judged. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"
#include "manage.h"
#include "say.h"

#define ABSENT "/nonexistent"

struct world {
    struct channel channel;
    const uint8_t *data;
    size_t size, piece;
    char *said;
    size_t said_len;
};

static ssize_t tell(struct channel *c, void *bytes, size_t len)
{
    struct world *w = container_of(c, struct world, channel);
    size_t n = w->size < w->piece ? w->size : w->piece;

    n = n < len ? n : len;
    memcpy(bytes, w->data, n);
    w->data += n;
    w->size -= n;
    return (ssize_t)n;
}

static ssize_t hear(struct channel *c, const struct iovec *iov, int count)
{
    struct world *w = container_of(c, struct world, channel);

    (void)count;
    if (!(w->said = realloc(w->said, w->said_len + iov->iov_len)))
        abort();
    memcpy(w->said + w->said_len, iov->iov_base, iov->iov_len);
    w->said_len += iov->iov_len;
    return (ssize_t)iov->iov_len;
}

static int wait_in_vain(struct lines *l, bool writes, int64_t until)
{
    (void)l;
    (void)writes;
    (void)until;
    return -ETIMEDOUT;
}

static size_t count_lines(const void *bytes, size_t len)
{
    size_t n = 0;

    for (size_t i = 0; i < len; i++)
        n += ((const char *)bytes)[i] == '\n';
    return n;
}

static void judge(const struct world *w)
{
    const char *newline;

    for (const char *at = w->said, *end = w->said_len ? at + w->said_len : at; at < end; at = newline + 1) {
        json_t *answer;
        const char *error;

        if (!(newline = memchr(at, '\n', (size_t)(end - at))) || !(answer = json_loadb(at, (size_t)(newline - at), JSON_REJECT_DUPLICATES, NULL)))
            abort();
        error = json_string_value(json_object_get(answer, "error"));
        if (!json_is_object(answer) || !error || !*error || !json_is_string(json_object_get(answer, "errno")))
            abort();
        json_decref(answer);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct world w = { .channel = { .read = tell, .write = hear }, .data = data + 1, .size = size ? size - 1 : 0, .piece = size ? data[0] + 1u : 1 };
    const char *path = getenv("PATH");
    char *before = path ? strdup(path) : NULL;
    struct lines lines;
    int err;

    if (!size || setenv("PATH", ABSENT, 1) || setenv("XVS_SYSTEM_ROOT", ABSENT, 1) || setenv("XVS_RUN_DIR", ABSENT, 1)) {
        free(before);
        return 0;
    }
    say_quiet();
    lines_init(&lines, &w.channel, wait_in_vain);
    err = manage_talk(&lines, NULL);
    if (err != -ECONNRESET && err != -EMSGSIZE)
        abort();
    if (err == -ECONNRESET && count_lines(data + 1, size - 1) != count_lines(w.said, w.said_len))
        abort();
    judge(&w);
    lines_free(&lines);
    free(w.said);
    setenv("PATH", before ? before : "", 1);
    free(before);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* fuzz_ga.c: a guest's qemu-guest-agent that says what it likes, before it is in step (up to a byte 0xfe) and after it; and what people
 * are shown of that.
 *
 * The first byte is how many bytes come at a time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ga.h"
#include "infotext.h"
#include "list.h"

struct world {
    struct channel channel;
    const uint8_t *data;
    size_t size, piece;
    char said[512], step[64];   /* what we were told; the answer to the first question */
    size_t said_len, step_len, step_at;
    bool stepped;
};

static ssize_t hear(struct channel *c, const struct iovec *iov, int count)
{
    struct world *w = container_of(c, struct world, channel);
    size_t n = iov->iov_len < sizeof w->said - 1 - w->said_len ? iov->iov_len : sizeof w->said - 1 - w->said_len;

    (void)count;
    memcpy(w->said + w->said_len, iov->iov_base, n);
    w->said_len += n;
    return (ssize_t)iov->iov_len;
}

static ssize_t give(struct world *w, void *bytes, const void *from, size_t have, size_t len)
{
    size_t n = have < len ? have : len;

    n = n < w->piece ? n : w->piece;
    memcpy(bytes, from, n);
    return (ssize_t)n;
}

static ssize_t tell(struct channel *c, void *bytes, size_t len)
{
    struct world *w = container_of(c, struct world, channel);
    const uint8_t *end = w->stepped ? NULL : memchr(w->data, 0xfe, w->size);
    ssize_t n;

    if (w->step_at < w->step_len) {
        n = give(w, bytes, w->step + w->step_at, w->step_len - w->step_at, len);
        w->step_at += (size_t)n;
        return n;
    }
    if (!w->size)
        return -EAGAIN;
    if (end == w->data) {
        const char *id = memmem(w->said, w->said_len, "\"id\":", 5);

        w->stepped = true;
        w->data++;
        w->size--;
        w->step_len = (size_t)snprintf(w->step, sizeof w->step, "\xff{\"return\": %ld}\n", id ? atol(id + 5) : -1);
        return tell(c, bytes, len);
    }
    n = give(w, bytes, w->data, end ? (size_t)(end - w->data) : w->size, len);
    w->data += n;
    w->size -= (size_t)n;
    return n;
}

static int wait_in_vain(struct lines *l, bool writes, int64_t until)
{
    (void)l;
    (void)writes;
    (void)until;
    return -ETIMEDOUT;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const names[] = { "system", "host_name", "time_zone", "vcpus", "interfaces", "users", "file_systems", "agent" };
    struct world w = { .channel = { .read = tell, .write = hear }, .data = data + 1, .size = size ? size - 1 : 0, .piece = size ? data[0] + 1u : 1 };
    json_t *info = json_object(), *value;
    struct lines lines;
    struct ga ga = { .lines = &lines };
    FILE *out;
    int err;

    if (!size) {
        json_decref(info);
        return 0;
    }
    if (!(out = fopen("/dev/null", "w")))
        abort();
    lines_init(&lines, &w.channel, wait_in_vain);
    err = ga_sync(&ga, INT64_MAX);
    for (size_t i = 0; i < sizeof names / sizeof *names && (!err || err == -EREMOTEIO); i++) {
        err = ga_call(&ga, names[i], NULL, INT64_MAX, &value);
        if (!err != !!value)
            abort();
        json_object_set_new(info, names[i], value ? value : json_null());
    }
    infotext_print(out, "guest", info);
    fclose(out);
    json_decref(info);
    lines_free(&lines);
    return 0;
}

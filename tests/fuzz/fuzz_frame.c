/* SPDX-License-Identifier: MIT */
/* fuzz_frame.c: a stream of frames may come in any pieces; what is read must be the same, and within bounds.  The first byte says which end
 * speaks, and in what pieces. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool what)
{
    if (!what)
        abort();
}

/* What was read, as one number, and where it ended. */
struct told {
    uint64_t sum;
    size_t taken;
    int err;
    bool between;
};

static void add(struct told *t, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;

    for (size_t i = 0; i < len; i++)
        t->sum = (t->sum ^ at[i]) * UINT64_C(1099511628211);
}

/* The type counts once a frame, or a channel's pieces would tell how they were cut. */
static void add_frame(struct told *t, const struct frame *f, bool first)
{
    uint8_t type = (uint8_t)f->type;

    if (first)
        add(t, &type, 1);
    add(t, f->data, f->len);
}

static struct told read_all(const struct frame_grammar *g, const uint8_t *data, size_t size, size_t piece, size_t most)
{
    struct told t = { .sum = UINT64_C(14695981039346656037) };
    struct frame_reader r;
    struct frame f;
    bool first = true, over = false;

    frame_reader_init(&r, g);
    while (t.taken < size) {
        size_t len = size - t.taken < piece ? size - t.taken : piece;
        ssize_t n = frame_read(&r, data + t.taken, len, &f);
        bool is_channel;

        if (n < 0) {
            must(n == -EPROTO && r.why[0] && memchr(r.why, 0, sizeof r.why));
            t.err = (int)n;
            break;
        }
        must((size_t)n <= len && f.len <= FRAME_MAX);
        t.taken += (size_t)n;
        if (!f.type) {
            must((size_t)n == len);
            continue;
        }
        must(!over && (g->first | g->then | g->last) & 1u << f.type);
        over = (g->last & 1u << f.type) != 0;
        is_channel = (FRAME_CHANNELS & 1u << f.type) != 0;
        if (is_channel) {
            must((size_t)n + f.len <= len && (!f.len || f.data == data + t.taken));
            if (f.len > most)
                f.len = most;
            frame_taken(&r, f.len);
            t.taken += f.len;
        }
        add_frame(&t, &f, first);
        first = frame_is_between(&r);
    }
    t.between = frame_is_between(&r);
    must(r.room <= 2 * FRAME_MAX);
    frame_reader_free(&r);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct frame_grammar *const grammars[] = { &frame_exec_caller, &frame_exec_agent, &frame_put_caller,
                                                            &frame_put_agent,   &frame_get_caller, &frame_get_agent };
    const struct frame_grammar *g;
    struct told whole, parts;

    if (!size)
        return 0;
    g = grammars[data[0] % 6];
    whole = read_all(g, data + 1, size - 1, size, SIZE_MAX);
    parts = read_all(g, data + 1, size - 1, 1 + data[0] / 6 % 9, 1 + data[0] / 54);
    must(whole.sum == parts.sum && whole.err == parts.err && whole.between == parts.between);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* frame.c: see frame.h. */
#include "frame.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SMALL 256u              /* room for a first piece of a body */

static const struct {
    const char *name;
    uint32_t least, most;
} types[FRAME_TYPES_END] = {
#define FRAME_ENTRY(number, name, least, most) [number] = { #name, least, most },
    FRAME_TYPES(FRAME_ENTRY)
#undef FRAME_ENTRY
};

#define LAST (FRAME_SET(EXIT) | FRAME_SET(ERROR))
const struct frame_grammar frame_exec_caller = { FRAME_SET(START), FRAME_SET(STDIN) | FRAME_SET(RESIZE) | FRAME_SET(SIGNAL), 0 };
const struct frame_grammar frame_exec_agent = { 0, FRAME_SET(STDOUT) | FRAME_SET(STDERR) | FRAME_SET(ROOM), LAST };
/* Who sends an archive, and what the agent says of it. */
#define ARCHIVE (FRAME_SET(DATA) | FRAME_SET(ROOT) | FRAME_SET(SUM) | FRAME_SET(TOTAL))
#define ABOUT   (FRAME_SET(PROBLEM) | FRAME_SET(DONE))
const struct frame_grammar frame_put_caller = { FRAME_SET(START), ARCHIVE, 0 };
const struct frame_grammar frame_put_agent = { 0, ABOUT, LAST };
const struct frame_grammar frame_get_caller = { FRAME_SET(START), 0, 0 };
const struct frame_grammar frame_get_agent = { 0, ARCHIVE | ABOUT, LAST };

const char *frame_name(unsigned type)
{
    return type < FRAME_TYPES_END && types[type].name ? types[type].name : "?";
}

static uint32_t le32(const uint8_t *b)
{
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

void frame_header(uint8_t header[FRAME_HEADER], enum frame_type type, size_t len)
{
    memset(header, 0, FRAME_HEADER);
    header[0] = (uint8_t)len;
    header[1] = (uint8_t)(len >> 8);
    header[2] = (uint8_t)(len >> 16);
    header[4] = (uint8_t)type;
}

void frame_reader_init(struct frame_reader *r, const struct frame_grammar *grammar)
{
    memset(r, 0, sizeof *r);
    r->grammar = grammar;
}

void frame_reader_free(struct frame_reader *r)
{
    free(r->body);
    r->body = NULL;
    r->have = r->room = 0;
}

/* ---- judging a header ---- */

static int wrong(struct frame_reader *r, const char *format, unsigned number)
{
    snprintf(r->why, sizeof r->why, format, number);
    return -EPROTO;
}

static int wrong_type(struct frame_reader *r, unsigned type, const char *what)
{
    snprintf(r->why, sizeof r->why, "a frame %s %s", frame_name(type), what);
    return -EPROTO;
}

static int judge(struct frame_reader *r)
{
    const struct frame_grammar *g = r->grammar;
    uint32_t len = le32(r->header);
    unsigned type = r->header[4], bit = type < FRAME_TYPES_END ? 1u << type : 0;

    if (type >= FRAME_TYPES_END || !types[type].name)
        return wrong(r, "a frame of the unknown type %u", type);
    if (r->header[5] || r->header[6] || r->header[7])
        return wrong_type(r, type, "whose reserved bytes are not 0");
    if (len < types[type].least || len > types[type].most) {
        snprintf(r->why, sizeof r->why, "a frame %s of %u bytes; %u to %u are allowed", types[type].name, len,
                 types[type].least, types[type].most);
        return -EPROTO;
    }
    if (!(bit & (g->first | g->then | g->last)))
        return wrong_type(r, type, "from the wrong end");
    if (r->over)
        return wrong_type(r, type, "after the last one");
    if (!r->begun && g->first && !(bit & g->first))
        return wrong_type(r, type, "before the first one, START");
    if (r->begun && (bit & g->first))
        return wrong_type(r, type, "for the second time");
    if (bit & r->ended)
        return wrong_type(r, type, "after the end of its bytes");
    r->begun = true;
    r->over = (bit & g->last) != 0;
    if ((bit & FRAME_CHANNELS) && !len)
        r->ended |= bit;
    r->type = (enum frame_type)type;
    r->left = len;
    r->have = 0;
    return 0;
}

/* ---- taking bytes ---- */

static size_t take_header(struct frame_reader *r, const uint8_t *bytes, size_t len)
{
    size_t n = FRAME_HEADER - r->header_have;

    if (n > len)
        n = len;
    memcpy(r->header + r->header_have, bytes, n);
    r->header_have += (unsigned)n;
    return n;
}

/* Memory is for what has come, not for what was announced. */
static int make_room(struct frame_reader *r, size_t need)
{
    size_t room = r->room ? r->room : SMALL;
    uint8_t *bigger;

    while (room < need)
        room *= 2;
    if (room == r->room)
        return 0;
    if (!(bigger = realloc(r->body, room)))
        return -ENOMEM;
    r->body = bigger;
    r->room = room;
    return 0;
}

static ssize_t take_body(struct frame_reader *r, const uint8_t *bytes, size_t len)
{
    size_t n = r->left < len ? r->left : len;
    int err = make_room(r, r->have + n);

    if (err)
        return err;
    if (n)
        memcpy(r->body + r->have, bytes, n);
    r->have += n;
    r->left -= (uint32_t)n;
    return (ssize_t)n;
}

static void frame_is_whole(struct frame_reader *r)
{
    r->type = FRAME_NONE;
    r->header_have = 0;
}

ssize_t frame_read(struct frame_reader *r, const void *bytes, size_t len, struct frame *f)
{
    const uint8_t *at = bytes, *end = at + len;
    ssize_t n;
    int err;

    *f = (struct frame){ 0 };
    if (r->why[0])
        return -EPROTO;
    if (!r->type) {
        at += take_header(r, at, len);
        if (r->header_have < FRAME_HEADER)
            return at - (const uint8_t *)bytes;
        if ((err = judge(r)))
            return err;
    }
    if ((1u << r->type) & FRAME_CHANNELS) {
        f->len = (size_t)(end - at) < r->left ? (size_t)(end - at) : r->left;
        f->data = at;
        if (f->len || !r->left)
            f->type = r->type;
        if (!r->left)
            frame_is_whole(r);
        return at - (const uint8_t *)bytes;
    }
    if ((n = take_body(r, at, (size_t)(end - at))) < 0)
        return n;
    at += n;
    if (!r->left) {
        *f = (struct frame){ .type = r->type, .data = r->body, .len = r->have };
        frame_is_whole(r);
    }
    return at - (const uint8_t *)bytes;
}

void frame_taken(struct frame_reader *r, size_t len)
{
    if (!len)
        return;
    r->left -= (uint32_t)len;
    if (!r->left)
        frame_is_whole(r);
}

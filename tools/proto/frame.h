/* SPDX-License-Identifier: MIT */
/* frame.h: frames, in which the services exec, put and get of a guest's agent speak.  This is their specification.
 *
 * A stream begins with the name of a service (tcpmux.h).  From then on each end sends frames and nothing else:
 *
 *     byte 0 to 3   length of what follows the header, little-endian, at most FRAME_MAX
 *          4        type
 *          5 to 7   0
 *          8 …      the body
 *
 *     type        from     body
 *     START   1   caller   JSON: what is to be done (start.h for exec)
 *     STDIN   2   caller   bytes; empty: the end of them
 *     STDOUT  3   agent    likewise
 *     STDERR  4   agent    likewise
 *     RESIZE  5   caller   u16 rows, u16 columns of the terminal, 1 to 65535 (these and all further numbers little-endian)
 *     SIGNAL  6   caller   u32, 1 to 64, as Linux numbers them
 *     DATA    7   either   bytes of put and get; empty: the end of them
 *     EXIT    8   agent    u32 status, u32 signal, u32 flags: how the command ended; the last frame (message.h)
 *     ERROR   9   agent    u32 exit status for the caller, then the errno's name, a space and a sentence; the last frame
 *     ROOM   10   agent    u32: so many more bytes of STDIN may come
 *
 * and beside DATA, of put and get alone (tools/copy/said.h):
 *
 *     ROOT    11   whoever sends the archive    which source its next entries belong to
 *     SUM     12   likewise                     a file's checksum
 *     TOTAL   13   likewise                     how much is to come
 *     PROBLEM 14   agent                        what could not be copied, and why
 *     DONE    15   agent                        how much was
 *
 * The caller begins with START.  A type of the wrong end, or one that comes too late, is a fault, as is a byte of the header that is
 * not as it should be: whoever finds one may say so with ERROR, if it is the agent, and ends the stream.
 *
 * The stream's credit holds back whoever sends faster than the other end reads, and neither end keeps more than a frame.  Only STDIN has
 * a credit of its own, ROOM, beginning with FRAME_CREDIT bytes: a command that does not read must not hold up the SIGNAL that
 * is to end it.  Whoever ends its direction before its last frame (EXIT or ERROR; the caller: before it has got one) has gone away.
 *
 * The code here is pure: no descriptor, no clock.  A reader belongs to one thread. */
#ifndef XVS_FRAME_H
#define XVS_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define FRAME_HEADER 8u
#define FRAME_MAX    65536u     /* bytes of a body */
#define FRAME_CREDIT 65536u     /* bytes of STDIN that may come before the first ROOM */

/* X(number, name, least, greatest length of the body) */
#define FRAME_TYPES(X)                 \
    X(1,  START,  2,  FRAME_MAX)       \
    X(2,  STDIN,  0,  FRAME_MAX)       \
    X(3,  STDOUT, 0,  FRAME_MAX)       \
    X(4,  STDERR, 0,  FRAME_MAX)       \
    X(5,  RESIZE, 4,  4)               \
    X(6,  SIGNAL, 4,  4)               \
    X(7,  DATA,   0,  FRAME_MAX)       \
    X(8,  EXIT,   12, 12)              \
    X(9,  ERROR,  4,  1024)            \
    X(10, ROOM,   4,  4)               \
    X(11, ROOT,   13, 268)             \
    X(12, SUM,    28, 28)              \
    X(13, TOTAL,  16, 16)              \
    X(14, PROBLEM, 2, 4352)            \
    X(15, DONE,   40, 40)

enum frame_type {
    FRAME_NONE = 0,
#define FRAME_ENUM(number, name, least, most) FRAME_##name = number,
    FRAME_TYPES(FRAME_ENUM)
#undef FRAME_ENUM
    FRAME_TYPES_END
};

/* "STDIN"; "?" for what is none. */
const char *frame_name(unsigned type);

/* A set of types. */
#define FRAME_SET(name) (1u << FRAME_##name)
/* Those whose bytes are taken as they come, and which an empty one ends; the others are taken whole. */
#define FRAME_CHANNELS  (FRAME_SET(STDIN) | FRAME_SET(STDOUT) | FRAME_SET(STDERR) | FRAME_SET(DATA))

/* What one end may say: first one of 'first' (if that is not 0), then any of 'then', and nothing after one of 'last'. */
struct frame_grammar {
    unsigned first, then, last;
};

extern const struct frame_grammar frame_exec_caller, frame_exec_agent;      /* what the one says, and what the other */
extern const struct frame_grammar frame_put_caller, frame_put_agent;
extern const struct frame_grammar frame_get_caller, frame_get_agent;

/* ---- writing ---- */

/* len: of the body, at most FRAME_MAX. */
void frame_header(uint8_t header[FRAME_HEADER], enum frame_type type, size_t len);

/* ---- reading ---- */

struct frame {
    enum frame_type type;       /* FRAME_NONE: none yet */
    const uint8_t *data;
    size_t len;
};

struct frame_reader {
    const struct frame_grammar *grammar;
    uint8_t header[FRAME_HEADER];
    unsigned header_have;
    enum frame_type type;       /* of the frame at hand; FRAME_NONE: its header is not whole */
    uint32_t left;              /* bytes of it that have yet to come */
    uint8_t *body;              /* of one that is taken whole */
    size_t have, room;
    unsigned ended;             /* the set of channels that have */
    bool begun, over;
    char why[120];              /* after an error: what was wrong, for a person */
};

void frame_reader_init(struct frame_reader *r, const struct frame_grammar *grammar);
/* Accepts a zeroed one. */
void frame_reader_free(struct frame_reader *r);

/* Looks at the next bytes of the stream.  Returns how many of them it has taken, and in f what they have brought:
 *     nothing        f->type is FRAME_NONE, and all bytes were taken
 *     a whole frame  its body is in the reader until the next call, all bytes of it were taken
 *     a channel      f->data are bytes of it, which begin behind those that were taken, or f->len is 0: its end.
 *                    frame_taken() is to say how many of them were used; the others are to be given again.
 * -EPROTO (with r->why) or -ENOMEM: the stream cannot go on. */
ssize_t frame_read(struct frame_reader *r, const void *bytes, size_t len, struct frame *f);
void frame_taken(struct frame_reader *r, size_t len);

/* No frame has begun and not ended: what an end of the stream may follow. */
static inline bool frame_is_between(const struct frame_reader *r)
{
    return !r->header_have && !r->type;
}

#endif

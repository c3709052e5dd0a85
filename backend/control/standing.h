/* SPDX-License-Identifier: MIT */
/* standing.h: of a stream that stands still, who waits for whom, as a sentence.  Pure: what is to be known of the stream is a value. */
#ifndef XVSD_STANDING_H
#define XVSD_STANDING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who is waited for. */
#define STANDINGS(X)                                                                             \
    X(NOBODY,  "nobody")        /* it moves, or nobody has anything to send */                   \
    X(GUEST,   "guest")         /* the program in the guest */                                   \
    X(END,     "end")           /* what is at the other end */                                   \
    X(BUFFERS, "buffers")       /* the guest's other programs, which hold all of its buffers */  \
    X(SOCKETS, "sockets")       /* …the readers of its other streams */                          \
    X(CLOSE,   "close")         /* a last word */

enum standing_for {
#define X(name, word) STANDING_##name,
    STANDINGS(X)
#undef X
};

struct standing {
    uint8_t state;              /* enum vconn_state */
    bool released;              /* our end has let go */
    bool open;                  /* both ends have agreed to it */
    bool called;                /* the guest was asked, and did not ask */
    bool stuck, dry;            /* stream.h */
    bool starves, thirsts;      /* it waits for room in all sockets together; for buffers of the guest's */
    uint32_t held;              /* bytes of the guest's that have not been taken */
    uint32_t window;            /* bytes that the guest's program lets us have on their way, … */
    uint32_t flying;            /* …and are */
    const char *end;            /* struct end_kind.name */
};

enum standing_for standing_judge(const struct standing *s);
const char *standing_word(enum standing_for whom);
#define STANDING_TEXT 200
/* The sentence, without the time; "" for NOBODY. */
void standing_text(char *text, size_t size, const struct standing *s);

#endif

/* SPDX-License-Identifier: MIT */
/* term.h: the terminal that we were called on, while its keys are another machine's. */
#ifndef XVS_TERM_H
#define XVS_TERM_H

#include <stdbool.h>
#include <stdint.h>
#include <termios.h>

struct term {                   /* zeroed: not raw */
    struct termios before;
    bool raw;
};

/* Keys come as they are, and nothing is printed of them.  0 or a negative errno; may be called again when something else has changed the
 * modes. */
int  term_raw(struct term *t);
/* As it was; accepts one that is not raw. */
void term_restore(struct term *t);
/* False if it has none. */
bool term_size(uint16_t *rows, uint16_t *columns);

#endif

/* SPDX-License-Identifier: MIT */
/* escape.h: "~." at the beginning of a line leaves, as with ssh(1): for when the other end does not answer any more.  "~~" is a '~'. */
#ifndef XVS_ESCAPE_H
#define XVS_ESCAPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct escape {                 /* zeroed: at the beginning of a line */
    bool within;                /* the line has begun */
    bool tilde;                 /* a '~' is held back */
};

/* What is to be sent of the keys that were pressed: at most len + 1 bytes in out, their number.  Behind a "~." is nothing. */
size_t escape_filter(struct escape *e, const uint8_t *keys, size_t len, uint8_t *out, bool *leave);

#endif

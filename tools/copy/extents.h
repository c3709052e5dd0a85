/* SPDX-License-Identifier: MIT */
/* extents.h: where a sparse file has data. */
#ifndef XVS_EXTENTS_H
#define XVS_EXTENTS_H

#include <stddef.h>
#include <stdint.h>

struct extents {                /* zeroed: none */
    struct extent {
        uint64_t begin, end;
    } *extent;
    size_t count, room;
};

/* The extents of data in the first 'size' bytes, ascending, none of them touching another; one that is empty, at size, if there is
 * no data at all.  count 0: all is data.  0; or a negative errno, and count 0, where the file system cannot say or there are too many to be worth
 * it. */
int  extents_find(struct extents *x, int fd, uint64_t size);
void extents_free(struct extents *x);

#endif

/* SPDX-License-Identifier: MIT */
/* extents.c: see extents.h. */
#include "extents.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define MOST 65536u             /* each costs both ends memory and the archive a line */

static int add(struct extents *x, uint64_t begin, uint64_t end)
{
    if (x->count == MOST)
        return -E2BIG;
    if (x->count == x->room) {
        size_t room = x->room ? 2 * x->room : 16;
        struct extent *more = realloc(x->extent, room * sizeof *more);

        if (!more)
            return -ENOMEM;
        x->extent = more;
        x->room = room;
    }
    x->extent[x->count++] = (struct extent){ begin, end };
    return 0;
}

int extents_find(struct extents *x, int fd, uint64_t size)
{
    uint64_t at = 0;
    int err = 0;

    x->count = 0;
    while (!err && at < size) {
        off_t begin = lseek(fd, (off_t)at, SEEK_DATA), end;

        if (begin < 0 && errno == ENXIO)
            break;
        if (begin < 0 || (end = lseek(fd, begin, SEEK_HOLE)) < 0) {
            err = -errno;
            break;
        }
        if ((uint64_t)begin >= size)
            break;
        if ((uint64_t)end > size)
            end = (off_t)size;
        /* A file that changes meanwhile may have said that two of them touch. */
        if (x->count && x->extent[x->count - 1].end == (uint64_t)begin)
            x->extent[x->count - 1].end = (uint64_t)end;
        else
            err = add(x, (uint64_t)begin, (uint64_t)end);
        at = (uint64_t)end;
    }
    if (!err && !x->count && size)
        err = add(x, size, size);
    if (err || (x->count == 1 && x->extent[0].begin == 0 && x->extent[0].end == size))
        x->count = 0;
    return err;
}

void extents_free(struct extents *x)
{
    free(x->extent);
    *x = (struct extents){ 0 };
}

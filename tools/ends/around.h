/* SPDX-License-Identifier: MIT */
/* around.h: an end around another one (end.h): whose calls go to that one, but for those that it has of its own.
 *
 * The struct is within that of the outer one, whose table of operations names what is passed on as it is. */
#ifndef XVS_AROUND_H
#define XVS_AROUND_H

#include "end.h"

struct around {
    struct end end;             /* the outer one */
    struct end *inner;
};

/* Its wake is the outer one's.  Takes the inner end, which the outer one's close has to close. */
void around_init(struct around *a, const struct end_ops *ops, struct end *inner);

void    around_done(struct end *e, size_t len);
ssize_t around_write(struct end *e, const struct iovec *iov, int count);
int     around_finish(struct end *e);
void    around_stop(struct end *e);
bool    around_is_cut(struct end *e);

#endif

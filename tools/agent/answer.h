/* SPDX-License-Identifier: MIT */
/* answer.h: the line that a caller gets who has named a service (proto/tcpmux.h). */
#ifndef XVS_ANSWER_H
#define XVS_ANSWER_H

#include <stdbool.h>

#include "end.h"

/* It is the first that is said on a stream, so it is taken whole or the stream is of no use: 0 or a negative errno. */
int answer(struct end *end, bool good, const char *text);

#endif

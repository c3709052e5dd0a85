/* SPDX-License-Identifier: MIT */
/* lstable.h: the table of xvs ls, as wide as there is room: columns that matter less go first, and then texts are cut.  Pure. */
#ifndef XVS_LSTABLE_H
#define XVS_LSTABLE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* guests: of the daemon's answer to "ls".  columns: of the terminal; 0: nothing is cut. */
void lstable_print(FILE *to, const json_t *guests, unsigned columns, bool colour);

#endif

/* SPDX-License-Identifier: MIT */
/* fit.h: text in so many columns of a terminal, cleaned and as UTF-8: a Chinese character takes two, a combining accent none. */
#ifndef XVS_FIT_H
#define XVS_FIT_H

#include <stdbool.h>
#include <stdio.h>

unsigned fit_columns(const char *text);
/* Without control characters; what is longer than width is cut and ends with an ellipsis.  pads: with blanks up to width. */
void fit_print(FILE *to, const char *text, unsigned width, bool pads);

#endif

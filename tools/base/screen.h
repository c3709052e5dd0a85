/* SPDX-License-Identifier: MIT */
/* screen.h: a terminal that is drawn on as a whole, and given back as it was at every end.
 *
 * It is the process's one terminal, at standard input and output.  What is drawn is put over what was there, line by line, so nothing
 * flickers.  It is given back by screen_close(), at exit(), when the process is stopped (and taken again when it goes on), and before a
 * signal that ends it does so. */
#ifndef XVS_SCREEN_H
#define XVS_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

/* 0, or a negative errno: -ENOTTY if the two are no terminal. */
int  screen_open(void);
/* Harmless when it is not open. */
void screen_close(void);
void screen_size(unsigned *rows, unsigned *columns);
/* Text in lines, of which there are no more than rows. */
void screen_draw(const char *text, size_t len);

enum screen_event { SCREEN_TIME, SCREEN_KEYS, SCREEN_REDRAW, SCREEN_END };
/* Until time is over (ms), keys have come (in bytes, at most 'most', *len of them), all has to be drawn again, or it is to end. */
enum screen_event screen_wait(int ms, char *bytes, size_t most, size_t *len);

#endif

/* SPDX-License-Identifier: MIT */
/* topdraw.h: xvs top's screen, as a function of what is to be seen and of the terminal's size; and what its keys do to it.
 *
 * Lines end with a newline and have no more columns than there are.  In colour there are escape sequences among them that change how
 * text looks, and nothing else: where lines go is the terminal's owner's to say.  Text from outside has no control characters. */
#ifndef XVS_TOPDRAW_H
#define XVS_TOPDRAW_H

#include <stdio.h>

#include "toprows.h"

enum top_page { TOP_GUESTS, TOP_GUEST, TOP_STREAMS, TOP_HELP };

struct top_view {
    enum top_page page;
    enum top_page behind;       /* of TOP_HELP: where it was called */
    enum top_value by;          /* TOP_VALUES: the name */
    bool reversed, paused, quits;
    size_t selected, first;     /* row; the first one that is shown */
    uint32_t domid, device;     /* of TOP_GUEST */
    char name[TOP_TEXT];        /* …and its name */
    unsigned rows, columns;     /* of the terminal; rows 0: as many as there are lines */
    double delay;               /* s */
    bool colour;
    char clock[16];             /* "14:02:11" */
    const char *trouble;        /* why the daemon does not answer; NULL */
};

/* Shows the rows, which are in their order; selected and first are put right. */
void top_draw(FILE *to, struct top_view *v, const struct top_rows *rows, const struct top_look *before, const struct top_look *now);

enum top_key { TOP_KEY_NONE, TOP_KEY_UP = 256, TOP_KEY_DOWN, TOP_KEY_PAGE_UP, TOP_KEY_PAGE_DOWN, TOP_KEY_HOME, TOP_KEY_END, TOP_KEY_ENTER,
               TOP_KEY_BACK };
/* The first key in what a terminal sent, and how many bytes it is: 0 for an escape sequence that may go on.  A character is itself. */
int  top_key(const char *bytes, size_t len, size_t *used);
/* What a key does, with these rows on the screen. */
void top_press(struct top_view *v, int key, const struct top_rows *rows);

#endif

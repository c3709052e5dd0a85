/* SPDX-License-Identifier: MIT */
/* eventline.h: an event of the daemon's (xvsd(8), verb "events") as a line for people.  Pure, but for the local time zone. */
#ifndef XVS_EVENTLINE_H
#define XVS_EVENTLINE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* It is an object with what each event has. */
bool eventline_is_event(const json_t *event);
/* One that is an event.  Whatever else is in it, or is not, it is one line without control characters of others. */
void eventline_print(FILE *to, const json_t *event, bool colour);

#endif

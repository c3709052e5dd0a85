/* SPDX-License-Identifier: MIT */
/* progress.h: how far something is, in one line for people: how much has moved, how fast, how long it still takes. */
#ifndef XVS_PROGRESS_H
#define XVS_PROGRESS_H

#include <stdint.h>

#define PROGRESS_TEXT 128
#define PROGRESS_TIME 32

/* total 0: it is not known.  Pure; returns text. */
const char *progress_text(char text[PROGRESS_TEXT], uint64_t bytes, uint64_t total, double seconds);
/* "0:07", "12:34", "3:02:01". */
const char *progress_time(char text[PROGRESS_TIME], double seconds);

#endif

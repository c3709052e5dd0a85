/* SPDX-License-Identifier: MIT */
/* words.h: an error for a person: "cannot DO IT [with]: why; what may help". */
#ifndef XVS_WORDS_H
#define XVS_WORDS_H

#include <stddef.h>

enum attempt {
    TRY_DESCRIPTOR, TRY_LOCK, TRY_XENSTORE, TRY_WATCH, TRY_LOOK, TRY_WRITE, TRY_CHANNELS, TRY_CHANNEL, TRY_GRANTS, TRY_PAGES,
    TRY_TABLE, TRY_FORK
};

/* with: a name, or "".  err: a negative errno. */
void words_of(char *text, size_t size, enum attempt what, const char *with, int err);
/* The same for xvs_open_error(), and words of one's own.  Both return err.  Any thread: each has its own last error. */
int  words_fail(enum attempt what, const char *with, int err);
__attribute__((format(printf, 2, 3)))
int  words_say(int err, const char *format, ...);

#endif

/* SPDX-License-Identifier: MIT */
/* appear.h: a name appears with all that belongs to it, or not at all.
 *
 * A file is written without a name (O_TMPFILE), so that nothing is left of it whenever and however we end, and gets its name when it is
 * whole.  Where that cannot be done, on a file system that has no such files, it is written under a name of its own, .xvs-XXXXXXXXXXXXXXXX,
 * which appear_drop() removes.  What has the name before is replaced in one step, but for a directory, which is not. */
#ifndef XVS_APPEAR_H
#define XVS_APPEAR_H

#include <stdbool.h>

#define APPEAR_TEMPORARY 24

struct appear {
    int fd;                     /* to write to; -1: none */
    int dirfd;                  /* where it will be; the caller's */
    bool named;
    char temporary[APPEAR_TEMPORARY];
};

/* All: 0 or a negative errno; -EISDIR if a directory has the name. */

/* A file that will be in dirfd, with the rights that mode and the umask leave it. */
int  appear_begin(struct appear *a, int dirfd, unsigned mode);
int  appear_finish(struct appear *a, const char *name);
/* Without a trace, unless it is finished.  Accepts a zeroed one with fd -1. */
void appear_drop(struct appear *a);

int appear_symlink(const char *target, int dirfd, const char *name);
/* old must be a file, not a link. */
int appear_hardlink(int olddirfd, const char *old, int dirfd, const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/* beneath.h: directories below one that is open, never by way of a link and never out of it.
 *
 * Where the kernel has openat2() it sees to that itself (RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS); else a name is walked one component after
 * the other.  What was opened stays what it is although somebody renames or replaces it: all that is made is made by descriptors.
 *
 * Names are good ones (name.h). */
#ifndef XVS_BENEATH_H
#define XVS_BENEATH_H

#include <stdbool.h>

#include "name.h"

struct beneath {
    int root;
    int fd;                     /* the directory that was asked for last; -1: none */
    char path[NAME_ROOM];
    bool walks;                 /* no openat2() here */
};

/* Takes root, a descriptor of a directory (O_PATH will do), -1 included. */
void beneath_open(struct beneath *b, int root);
/* Accepts a closed one. */
void beneath_close(struct beneath *b);

/* The directory that holds 'name' (not ""), and name's last component.  With make, directories that are missing are made.  A
 * descriptor (O_PATH) that stays b's, until the next call; or a negative errno, -ELOOP or -ENOTDIR where a link is in the way. */
int beneath_parent(struct beneath *b, const char *name, bool make, const char **last);

#endif

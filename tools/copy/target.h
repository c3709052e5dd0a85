/* SPDX-License-Identifier: MIT */
/* target.h: where an archive is unpacked, as the file system is at that moment; land.h has the rules.
 *
 * The path is the caller's own word, so links in it are followed, as everybody does.  What the archive brings goes below from there. */
#ifndef XVS_TARGET_H
#define XVS_TARGET_H

#include <stdbool.h>

#include "land.h"
#include "name.h"

struct target {
    const char *path;
    bool many, parents;         /* land.h */
};

struct spot {
    int root;                   /* a descriptor (O_PATH), the caller's; -1: none */
    char as[NAME_PART + 1];     /* what the source's name becomes below it; "": its content comes into root itself */
    char shown[NAME_ROOM];      /* root's path, for people; "": that of where we are */
};

/* 0 and a spot, or a negative errno with why, which begins with the path. */
int target_find(const struct target *t, enum land_kind kind, const char *name, struct spot *s, char *why, size_t room);

#endif

/* SPDX-License-Identifier: MIT */
/* land.h: where a source comes to stand below what it is copied to.  The rules are docker cp's, which are those of cp -r but for
 * SRC/. and for what does not exist:
 *
 *                        nothing at DST          a file at DST       a directory at DST
 *     a file             is DST                  takes its place     DST/NAME
 *       DST/             needs a directory       is no directory     DST/NAME
 *     a directory        is DST                  cannot be           DST/NAME
 *     what is in it      is DST's content        cannot be           is added to DST's content
 *       (SRC/.)
 *
 * One of several sources needs a directory at DST.  What holds DST must exist, too, unless parents are made (then DST itself is made,
 * where a directory is needed).
 *
 * Pure: who calls looks what there is. */
#ifndef XVS_LAND_H
#define XVS_LAND_H

#include <stdbool.h>
#include <stddef.h>

enum land_kind { LAND_NOTHING, LAND_FILE, LAND_DIRECTORY, LAND_CONTENT };

struct land_question {
    enum land_kind source;      /* a file is all that is no directory: a link, too */
    enum land_kind target;      /* what is at DST, through links; no LAND_CONTENT */
    bool slash;                 /* DST ends with a slash, or is "." or "..": it is meant to be a directory */
    bool many;                  /* there are other sources */
    bool parents;               /* missing directories are made */
};

enum land_where {
    LAND_AT,                    /* it gets DST's name, in the directory that holds DST */
    LAND_IN,                    /* it keeps its name, in DST */
    LAND_OVER,                  /* its content comes into DST */
    LAND_ABSENT,                /* cannot be: DST would have to be a directory, and there is none */
    LAND_NO_DIRECTORY,          /* cannot be: DST is a file, and would have to be a directory */
    LAND_ONTO_FILE,             /* cannot be: a directory onto a file */
};

struct landing {
    enum land_where where;
    bool make;                  /* DST is made first, a directory */
};

struct landing land(const struct land_question *q);

/* The name that a source's path ends with, without slashes behind it: what it is called in a directory.  *len is 0 for one that has none
 * ("/", ".", "..", and what ends with "/." or "/.."): then its content is meant. */
const char *land_name(const char *path, size_t *len);

#endif

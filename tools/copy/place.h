/* SPDX-License-Identifier: MIT */
/* place.h: what a word of the command line means: a path here, a path at a peer, or standard input and output as a tar stream.
 *
 *     PATH          here
 *     PEER:PATH     at the peer; the first colon ends its name, so a path may have more of them.  An empty PATH is the
 *                   agent's own directory, "."
 *     cid:N:PATH    likewise, of the peer cid:N
 *     -             the tar stream
 *
 * As with scp and docker cp, a word with a slash before its first colon is a path here: ./a:b is the file a:b. */
#ifndef XVS_PLACE_H
#define XVS_PLACE_H

#include <stddef.h>

#define PLACE_PEER 128          /* bytes of a peer's name, with its end */

struct place {
    enum { PLACE_HERE, PLACE_PEER_PATH, PLACE_STREAM } kind;
    char peer[PLACE_PEER];      /* "" here */
    const char *path;           /* within the word */
};

/* 0, or -EINVAL: an empty word, no name before the colon, or one that is too long. */
int place_read(const char *word, struct place *p);

#endif

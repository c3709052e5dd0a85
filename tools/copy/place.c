/* SPDX-License-Identifier: MIT */
/* place.c: see place.h. */
#include "place.h"

#include <errno.h>
#include <string.h>

int place_read(const char *word, struct place *p)
{
    const char *colon = strchr(word, ':'), *slash = strchr(word, '/');

    memset(p, 0, sizeof *p);
    p->path = word;
    if (!*word)
        return -EINVAL;
    if (strcmp(word, "-") == 0) {
        p->kind = PLACE_STREAM;
        return 0;
    }
    if (!colon || (slash && slash < colon))
        return 0;
    if (strncmp(word, "cid:", 4) == 0 && strchr(colon + 1, ':'))
        colon = strchr(colon + 1, ':');
    if (colon == word || (size_t)(colon - word) >= sizeof p->peer)
        return -EINVAL;
    p->kind = PLACE_PEER_PATH;
    memcpy(p->peer, word, (size_t)(colon - word));
    p->path = colon[1] ? colon + 1 : ".";
    return 0;
}

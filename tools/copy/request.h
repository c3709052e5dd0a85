/* SPDX-License-Identifier: MIT */
/* request.h: START of the services put and get: a JSON object.
 *
 *     { "paths": ["/srv/www"],        put: one, where to.  get: what, at least one
 *       "tar": true,                  the archive is anybody's, or goes to anybody: no ROOT and no SUM
 *       "zstd": true,                 it is compressed
 *       put: "many": true, "parents": true, "owner": true, "special": true, "quick": true, "uid": 33, "gid": 33, "mode": 420
 *       get: "follow": true, "measure": true }     measure: TOTAL is wanted
 *
 * All but paths may be left out.  What is not known is refused: it might mean that less is to be done.  Paths may be bytes (json.h). */
#ifndef XVS_REQUEST_H
#define XVS_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "json.h"
#include "pack.h"
#include "unpack.h"

struct request {
    char **paths;               /* ends with a NULL */
    size_t count;
    bool tar, many, parents, measure;
    struct pack_options pack;           /* what these are for is where they are declared; sums is !tar, and zstd the same in both */
    struct unpack_options unpack;
};

/* 0, or -EPROTO with why, or -ENOMEM. */
int  request_parse(const void *text, size_t len, struct request *r, char why[JSON_WHY]);
/* Frees what request_parse() has filled in; accepts a zeroed one. */
void request_free(struct request *r);
/* A body for START, to be freed, with its length; NULL: no memory.  It may be longer than a frame can be: the caller is to look. */
char *request_text(const struct request *r, size_t *len);

#endif

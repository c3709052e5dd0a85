/* SPDX-License-Identifier: MIT */
/* handler.h: a request of the service manage, by its name.
 *
 *     { "request": "set-cpus", "online": 2 }      →
 *     { … }   or   { "error": "a sentence", "errno": "EBUSY" }
 *
 * One object a line each way; a word that is not known is an error, for it may mean a lot.  The table is in manage.c. */
#ifndef XVS_HANDLER_H
#define XVS_HANDLER_H

#include <jansson.h>

#include "lines.h"

/* Requests that wait for the caller. */
#define HANDLER_PATIENCE (10 * SECOND)          /* for a caller to take an answer */

struct handler {
    const char *name;           /* NULL: the last */
    const char *const *words;   /* that may be in a request besides "request"; ends with a NULL */
    /* 0 and an answer, or a negative errno with why.  Whoever has answered by itself leaves *answer NULL.  It may hear the caller
     * by itself, too. */
    int (*run)(struct lines *caller, const json_t *request, json_t **answer, char why[LINES_WHY]);
};

#endif

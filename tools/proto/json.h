/* SPDX-License-Identifier: MIT */
/* json.h: JSON from the other end of a stream, within bounds, and strings that need be no UTF-8.
 *
 * A path or an argument may hold any bytes but 0, and JSON's strings are Unicode.  So one that is UTF-8 is a string, and any other is
 * an object { "hex": "66ff" } of its bytes. */
#ifndef XVS_JSON_H
#define XVS_JSON_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_WHY 160            /* bytes of an explanation, with its end */

/* An object; NULL with why: no JSON, no UTF-8, a name twice, more than 'depth' levels of brackets, no object. */
json_t *json_bounded(const void *text, size_t len, unsigned depth, char why[JSON_WHY]);
/* False if the object has a name that is not in 'names', which a NULL ends: a word that we do not know may mean a lot. */
bool    json_knows(const json_t *object, const char *const *names, char why[JSON_WHY]);

/* A sentence.  One that is no UTF-8, as when it was cut within a character, is told in ASCII: '?' for each other byte.  NULL: no memory. */
json_t *json_words(const char *text);

/* NULL: no memory. */
json_t *json_from_bytes(const char *text);
/* To be freed; NULL if it is neither, or no memory. */
char   *json_to_bytes(const json_t *value);

#endif

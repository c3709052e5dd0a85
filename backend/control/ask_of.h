/* SPDX-License-Identifier: MIT */
/* ask_of.h: what several verbs read out of a request. */
#ifndef XVSD_ASK_OF_H
#define XVSD_ASK_OF_H

#include <jansson.h>

#include "worker.h"

/* "domain" as a string or a number, into text; false if it is neither. */
bool ask_of_domain(const json_t *request, char *text, size_t size);
/* An optional number; false if it is there and out of bounds. */
bool ask_of_number(const json_t *request, const char *key, int64_t min, int64_t max, int64_t *out);

#endif

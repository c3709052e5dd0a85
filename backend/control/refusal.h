/* SPDX-License-Identifier: MIT */
/* refusal.h: the answer to a request that is refused. */
#ifndef XVSD_REFUSAL_H
#define XVSD_REFUSAL_H

#include <jansson.h>

/* With a sentence, which begins with the verb. */
__attribute__((format(printf, 1, 2)))
json_t *refusal(const char *format, ...);

#endif

/* SPDX-License-Identifier: MIT */
/* capture.h: the verb "capture": after its answer the client gets records of packets (tapif.h), and no more answers. */
#ifndef XVSD_CAPTURE_H
#define XVSD_CAPTURE_H

#include <jansson.h>

#include "tap.h"
#include "worker.h"

#define CAPTURE_MOST 16u        /* at a time */
#define CAPTURE_KEYS "domain device snap ports"

/* The answer.  *out: a tap that hears the device, which is the caller's; NULL, it is refused. */
json_t *capture_verb(struct worker *w, json_t *request, struct tap **out);
/* The caller's tap is no more. */
void capture_over(struct worker *w, struct tap *t);

#endif

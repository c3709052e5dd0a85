/* SPDX-License-Identifier: MIT */
/* verbs.h: what can be asked of the daemon and told to it, as JSON (xvsd(8), CONTROL SOCKET). */
#ifndef XVSD_VERBS_H
#define XVSD_VERBS_H

#include <jansson.h>

#include "worker.h"

/* What a verb has begun, which is the caller's then; both NULL most often. */
struct verbs_after {
    struct tap *tap;                    /* "capture" (capture.h) */
    struct subscription *events;        /* "events" (events.h) */
};

/* The answer, a new reference; NULL without memory, or with *asked, which is 0 else: the keeper was asked, and verbs_answer() has the
 * answer when it comes.  Every answer has "ok"; one that is not has "error".  tells_only: a verb that
 * changes something is refused, with "denied" true.
 * *after: what follows that answer, and no other one does. */
json_t *verbs_run(struct worker *w, json_t *request, bool tells_only, uint32_t *asked, struct verbs_after *after);
/* m: WALL_ANSWER to that; or NULL, there was none in time. */
json_t *verbs_answer(struct worker *w, const struct wall_msg *m);

#endif

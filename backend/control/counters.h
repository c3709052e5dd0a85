/* SPDX-License-Identifier: MIT */
/* counters.h: all that is counted, as JSON: what the verbs "stats" and "metrics" answer.  xvs-metrics(7) says what each means. */
#ifndef XVSD_COUNTERS_H
#define XVSD_COUNTERS_H

#include <jansson.h>

#include "worker.h"

/* Of the daemon as a whole: what "stats" answers besides "ok"; NULL without memory. */
json_t *counters_daemon(const struct worker *w);
/* {"packets":N, "bytes":N} each, both ways; of all times that the device was up. */
json_t *counters_from_guest(const struct lane *lane);
json_t *counters_to_guest(const struct lane *lane);
/* The answer to "metrics": of the daemon, and of each guest. */
json_t *counters_all(const struct worker *w);

#endif

/* SPDX-License-Identifier: MIT */
/* verbs.h: what can be asked of the daemon and told to it, as JSON (xvsd(8), CONTROL SOCKET). */
#ifndef XVSD_VERBS_H
#define XVSD_VERBS_H

#include <jansson.h>

#include "xvsd.h"

/* The answer, a new reference; NULL without memory.  Every answer has "ok"; one that is not has "error". */
json_t *verbs_run(struct xvsd *x, json_t *request);

#endif

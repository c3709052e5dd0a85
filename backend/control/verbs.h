/* SPDX-License-Identifier: MIT */
/* verbs.h: what can be asked of the daemon and told to it, as JSON (xvsd(8), CONTROL SOCKET). */
#ifndef XVSD_VERBS_H
#define XVSD_VERBS_H

#include <jansson.h>

#include "registry.h"

/* What is asked and told. */
struct verbs_about {
    struct registry *registry;
    uint64_t started;           /* ms */
    int (*reload)(struct verbs_about *about, char *why);        /* reads the settings anew; why: SETTINGS_WHY bytes */
};

/* The answer, a new reference; NULL without memory.  Every answer has "ok"; one that is not has "error". */
json_t *verbs_run(struct verbs_about *about, json_t *request);

#endif

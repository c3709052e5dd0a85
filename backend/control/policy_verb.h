/* SPDX-License-Identifier: MIT */
/* policy_verb.h: the verb "policy" of the control socket: the policy that is in force, or the line of it that decides. */
#ifndef XVSD_POLICY_VERB_H
#define XVSD_POLICY_VERB_H

#include <jansson.h>

#include "worker.h"

/* Beside "verb", for the table of verbs.c. */
#define POLICY_VERB_KEYS "source destination port user groups"

json_t *policy_verb(struct worker *w, json_t *request);

#endif

/* SPDX-License-Identifier: MIT */
/* ask.h: one question to the daemon, for verbs that do little else. */
#ifndef XVS_ASK_H
#define XVS_ASK_H

#include <jansson.h>

/* Takes the request's reference.  EXIT_OK and the answer, or an exit status after a message. */
int ask(json_t *request, json_t **answer);
/* Everything but "ok", as one line. */
void print_json(json_t *answer);

#endif

/* SPDX-License-Identifier: MIT */
/* policy_source.h: whose connection the daemon is asked about. */
#ifndef XVS_POLICY_SOURCE_H
#define XVS_POLICY_SOURCE_H

#include <jansson.h>

/* The source into the request: EXIT_OK, or the exit status after a message. */
int policy_source(json_t *request, const char *source);

#endif

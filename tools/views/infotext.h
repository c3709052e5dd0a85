/* SPDX-License-Identifier: MIT */
/* infotext.h: what a guest says of itself, for people.  Pure, but for the FILE. */
#ifndef XVS_INFOTEXT_H
#define XVS_INFOTEXT_H

#include <jansson.h>
#include <stdio.h>

/* info: an object with what qemu-guest-agent returned, each member as it came, and hostile:
 *     system, host_name, time_zone, vcpus, interfaces, users, file_systems, agent      of guest-get-osinfo, …
 * What is not there, or makes no sense, is left out. */
void infotext_print(FILE *to, const char *guest, const json_t *info);

#endif

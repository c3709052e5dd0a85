/* SPDX-License-Identifier: MIT */
/* traceline.h: a captured packet as a line for people.  Pure, but for the local time zone. */
#ifndef XVS_TRACELINE_H
#define XVS_TRACELINE_H

#include <stdio.h>

#include "tapif.h"

/* guest: the name of whose device it is, of any bytes.  What is shown of the data is printable. */
void traceline_print(FILE *to, const char *guest, const struct tapif_record *record, const uint8_t *data);
/* That so many packets are missing before this one. */
void traceline_print_dropped(FILE *to, const struct tapif_record *record, uint64_t dropped);

#endif

/* SPDX-License-Identifier: MIT */
/* from_line.h: the one line of text with which a connection to a listener for all guests begins.
 *
 *     FROM <cid> <port> <name>\n        FROM 101 1025 web1
 *
 * The address of the guest's program, in decimal, and the name of the guest's directory: its domain's if that can be one, else ":5";
 * and for a device above 0 with ":" and its number behind it (rundir.h).  So a name has neither blanks nor a newline, whatever the
 * domain is called, and is one guest's alone.  Pure. */
#ifndef XVSD_FROM_LINE_H
#define XVSD_FROM_LINE_H

#include <stdint.h>

#define FROM_LINE 128u          /* bytes, with its end, for a name that a directory can have */

/* Its length. */
int from_line(char line[FROM_LINE], uint64_t cid, uint32_t port, const char *name);

#endif

/* SPDX-License-Identifier: MIT */
/* connect_line.h: the one line of text in the conversation with a host program.
 *
 * Firecracker's convention: "CONNECT <port>\n", the keyword in any case, the line at most CONNECT_LINE_MAX bytes with
 * its newline.  Stricter than it looks there: one space, decimal digits only, no sign, at most 2^32 - 1; a carriage return
 * before the newline is forgiven.  Pure. */
#ifndef XVSD_CONNECT_LINE_H
#define XVSD_CONNECT_LINE_H

#include <stddef.h>
#include <stdint.h>

#define CONNECT_LINE_MAX 32

/* Looks at the first len bytes of what a client has sent.  Returns how many bytes the line has, its newline
 * included, and the port; 0 if the newline has yet to come; -EINVAL if this can become no such line.  What
 * follows the newline is not looked at: it belongs to the guest. */
int connect_line_parse(const char *bytes, size_t len, uint32_t *port);

#endif

/* SPDX-License-Identifier: MIT */
/* records.h: descriptors as an end that has messages (end.h), for a connection of type SEQPACKET.
 *
 *     lines      a message is a line, with its newline; the last one may lack it
 *     a number   …so many bytes; the last one may have fewer
 *     frames     …is preceded by its length, 4 bytes in the order of networks, in both directions
 *
 * Lines and numbers are about what is read: messages are written one behind the other, as they are.  Frames alone keep the boundaries in
 * both directions, and anything can be in them.  A descriptor that is a socket of packets has messages already: there each packet is
 * one, whatever the form. */
#ifndef XVS_RECORDS_H
#define XVS_RECORDS_H

#include <stdbool.h>
#include <stddef.h>

#include "end.h"

struct records_form {
    enum { RECORDS_LINES, RECORDS_BYTES, RECORDS_FRAMES } kind;
    size_t bytes;               /* RECORDS_BYTES: 1 to END_MESSAGE */
};

/* "lines", "frames", or a number of bytes, perhaps with K or M behind it.  False if it is none of these. */
bool records_parse(const char *text, struct records_form *form);

/* of: one of fdend.c's, which it takes in any case.  NULL: no memory; or 'of' is NULL, too. */
struct end *records_end(struct end *of, const struct records_form *form);

#endif

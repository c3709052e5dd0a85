/* SPDX-License-Identifier: MIT */
/* sum.h: the checksum of a file's content, taken while it is read and again while it is written.
 *
 * It is XXH3 with 128 bits: what it is to find is a byte that was lost or changed on the way, in the ring, in an archive's
 * framing or by us, and not a deceit, for whoever sends the file says its sum, too.  So it need not be a cryptographic one, which would
 * cost as much as all the rest of the copy; and a hardware's CRC32 is too short for a terabyte.
 *
 * Where a piece lies is a part of the sum: holes of a sparse file are not read and not written, and a piece that came to another
 * place is another content.  Pieces that follow one another are one, however they are cut. */
#ifndef XVS_SUM_H
#define XVS_SUM_H

#include <stddef.h>
#include <stdint.h>

#define SUM_SIZE 16             /* bytes */

struct sum;

/* NULL: no memory. */
struct sum *sum_new(void);
void sum_free(struct sum *s);
void sum_begin(struct sum *s);
/* In ascending order; len 0 is nothing. */
void sum_add(struct sum *s, uint64_t offset, const void *bytes, size_t len);
/* size: of the file. */
void sum_end(struct sum *s, uint64_t size, uint8_t out[SUM_SIZE]);

#endif

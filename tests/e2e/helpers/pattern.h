/* SPDX-License-Identifier: MIT */
/* pattern.h: bytes that tell where in a stream they belong.
 *
 * Byte 'at' of stream 'seed' is a function of both, so that a receiver notices a byte lost, doubled, out of
 * order, or from another stream, without having been sent anything beside the stream. */
#ifndef E2E_PATTERN_H
#define E2E_PATTERN_H

#include <stddef.h>
#include <stdint.h>

void pattern_fill(unsigned char *to, size_t len, uint64_t seed, uint64_t at);
/* The index of the first byte that is wrong, or len. */
size_t pattern_check(const unsigned char *data, size_t len, uint64_t seed, uint64_t at);

#endif

/* SPDX-License-Identifier: MIT */
/* pattern.c: see pattern.h. */
#include "pattern.h"

static unsigned char byte_at(uint64_t seed, uint64_t at)
{
    uint64_t x = (at / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ seed * UINT64_C(0xbf58476d1ce4e5b9);

    x ^= x >> 29;
    return (unsigned char)(x >> at % 8 * 8);
}

void pattern_fill(unsigned char *to, size_t len, uint64_t seed, uint64_t at)
{
    for (size_t i = 0; i < len; i++)
        to[i] = byte_at(seed, at + i);
}

size_t pattern_check(const unsigned char *data, size_t len, uint64_t seed, uint64_t at)
{
    for (size_t i = 0; i < len; i++)
        if (data[i] != byte_at(seed, at + i))
            return i;
    return len;
}

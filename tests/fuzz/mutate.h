/* SPDX-License-Identifier: MIT */
/* mutate.h: mutations for targets whose inputs are sequences of operations of MUTATE_UNIT bytes each, after a header of as many: they
 * keep operations whole.  The first byte is what is to be done, and when; OP_COUNT is how many there are.  Included once. */
#ifndef FUZZ_MUTATE_H
#define FUZZ_MUTATE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define MUTATE_UNIT 4u
#define MUTATE_MOST (300u * MUTATE_UNIT)    /* bytes of an input that count: longer ones say nothing new and cost time */

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

static unsigned next_random(unsigned *seed)
{
    return (*seed = *seed * 1103515245u + 12345u) >> 16;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    size_t unit = MUTATE_UNIT, ops = size / unit, at, n;

    max = max < MUTATE_MOST ? max : MUTATE_MOST;
    if (size > max)
        return max;
    if (ops < 2 || next_random(&seed) % 4 == 0) {
        size = LLVMFuzzerMutate(data, size, max);
        return size;
    }
    at = (1 + next_random(&seed) % (ops - 1)) * unit;   /* the header is not an operation */
    n = (1 + next_random(&seed) % 4) * unit;
    switch (next_random(&seed) % 6) {
    case 0:                     /* a new one */
        if (size + unit > max)
            break;
        memmove(data + at + unit, data + at, size - at);
        for (size_t i = 0; i < unit; i++)
            data[at + i] = (uint8_t)next_random(&seed);
        data[at] = (uint8_t)(next_random(&seed) % OP_COUNT | (next_random(&seed) & 0xc0));
        return size + unit;
    case 1:                     /* some less */
        if (at + n > size)
            break;
        memmove(data + at, data + at + n, size - at - n);
        return size - n;
    case 2:                     /* some twice */
        if (at + n > size || size + n > max)
            break;
        memmove(data + at + n, data + at, size - at);
        return size + n;
    case 3: {                   /* two change places */
        size_t other = (1 + next_random(&seed) % (ops - 1)) * unit;
        uint8_t one[MUTATE_UNIT];

        memcpy(one, data + at, unit);
        memmove(data + at, data + other, unit);
        memcpy(data + other, one, unit);
        return size;
    }
    case 4:                     /* done at another time */
        data[at] ^= (uint8_t)(next_random(&seed) & 0xc0);
        return size;
    default:                    /* another argument */
        data[at + 1 + next_random(&seed) % 3] = (uint8_t)next_random(&seed);
        return size;
    }
    data[at + next_random(&seed) % unit] ^= (uint8_t)(1u << next_random(&seed) % 8);
    return size;
}

#endif

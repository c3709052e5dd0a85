/* SPDX-License-Identifier: MIT */
/* histogram.c: see histogram.h. */
#include "histogram.h"

static unsigned index_of(uint64_t value)
{
    unsigned shift;

    if (value < HISTOGRAM_STEPS)
        return (unsigned)value;
    shift = 63u - (unsigned)__builtin_clzll(value) - 6u;        /* so that 64 <= value >> shift < 128 */
    return (shift + 1) * HISTOGRAM_STEPS + (unsigned)(value >> shift) - HISTOGRAM_STEPS;
}

/* The greatest value of a bucket. */
static uint64_t top_of(unsigned index)
{
    unsigned shift = index / HISTOGRAM_STEPS;

    if (!shift--)
        return index;
    return (((uint64_t)(index % HISTOGRAM_STEPS) + HISTOGRAM_STEPS + 1) << shift) - 1;
}

void histogram_add(struct histogram *h, uint64_t value)
{
    if (!h->count || value < h->min)
        h->min = value;
    if (value > h->max)
        h->max = value;
    h->count++;
    h->sum += (double)value;
    h->squares += (double)value * (double)value;
    h->bucket[index_of(value)]++;
}

double histogram_mean(const struct histogram *h)
{
    return h->count ? h->sum / (double)h->count : 0;
}

double histogram_deviation(const struct histogram *h)
{
    double mean = histogram_mean(h), variance, root;

    if (!h->count)
        return 0;
    variance = h->squares / (double)h->count - mean * mean;
    if (!(variance > 0))
        return 0;
    /* Newton, from above: saves the command a library for one root. */
    for (root = variance > 1 ? variance : 1;;) {
        double better = (root + variance / root) / 2;

        if (better >= root)
            return root;
        root = better;
    }
}

uint64_t histogram_quantile(const struct histogram *h, double q)
{
    uint64_t want = (uint64_t)(q * (double)h->count), seen = 0;

    if ((double)want < q * (double)h->count)
        want++;
    for (unsigned i = 0; i < sizeof h->bucket / sizeof *h->bucket; i++)
        if ((seen += h->bucket[i]) >= want && seen)
            return top_of(i) < h->max ? top_of(i) < h->min ? h->min : top_of(i) : h->max;
    return h->max;
}

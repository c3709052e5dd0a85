/* SPDX-License-Identifier: MIT */
/* histogram.h: times in little memory, however many: the exact least, greatest and mean, and quantiles to within 1.6 %.
 *
 * A value falls into one of 64 steps of its power of two.  A zeroed struct is empty. */
#ifndef XVS_HISTOGRAM_H
#define XVS_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS 64u

struct histogram {
    uint64_t count, min, max;
    double sum, squares;
    uint64_t bucket[64 * HISTOGRAM_STEPS];
};

void     histogram_add(struct histogram *h, uint64_t value);
double   histogram_mean(const struct histogram *h);
double   histogram_deviation(const struct histogram *h);
/* q from 0 to 1: a value that this part of all is not above. */
uint64_t histogram_quantile(const struct histogram *h, double q);

#endif

/* SPDX-License-Identifier: MIT */
/* bench.h: what the measuring programs share: a clock, the median of some runs, and a line of JSON for each result.
 *
 * A program measures one subject, with its processes where BENCH_CPUS puts them: "A,B" pins the near end to
 * processor A and the far end to B; unset leaves it to the scheduler.  run.py starts the programs in the right domains, adds the
 * placement, and makes the table. */
#ifndef XVS_BENCH_H
#define XVS_BENCH_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_NEAR 0
#define BENCH_FAR  1
#define BENCH_MAX_RUNS 31

double bench_now(void);                     /* seconds */
void bench_pin(int end);
/* Ends the program with a sentence. */
__attribute__((noreturn, format(printf, 1, 2)))
void bench_die(const char *format, ...);

/* BENCH_RUNS, 5 by default; BENCH_SCALE multiplies amounts (0.01 on emulated machines). */
int bench_runs(void);
uint64_t bench_amount(uint64_t full);

struct bench_series {
    double value[BENCH_MAX_RUNS];
    int count;
};

void bench_add(struct bench_series *s, double value);
double bench_median(const struct bench_series *s);
double bench_percentile(double *values, size_t count, double percent);
/* {"measure":…,"subject":…,"value":…,"unit":…,"min":…,"max":…,"runs":…} on stdout. */
void bench_report(const char *measure, const char *subject, const struct bench_series *s, const char *unit);
void bench_report_one(const char *measure, const char *subject, double value, const char *unit);

/* All bytes, or the end of the program. */
void bench_write(int fd, const void *data, size_t len);
void bench_read(int fd, void *data, size_t len);

#endif

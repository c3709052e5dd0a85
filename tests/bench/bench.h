/* SPDX-License-Identifier: MIT */
/* bench.h: what the measuring programs share: a clock, the median of some runs, and a line of JSON for each result.
 *
 * A program measures one subject, with its processes where BENCH_CPUS puts them: "A,B" pins the near end to
 * processor A and the far end to B; unset leaves it to the scheduler.  BENCH_ONLY="MEASURE/SUBJECT" leaves all else out of what a
 * program would measure.  Each measurement begins with a run that is not counted, in which pages are touched
 * for the first time.  run.py starts the programs in the right domains, adds the placement, and makes the table. */
#ifndef XVS_BENCH_H
#define XVS_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_NEAR 0
#define BENCH_FAR  1
#define BENCH_MAX_RUNS 31

double bench_now(void);                     /* seconds */
void bench_pin(int end);
/* Ends the program with a sentence. */
__attribute__((noreturn, format(printf, 1, 2)))
void bench_die(const char *format, ...);

/* A second process, which ends with this one, to be the far end: 0 there, its pid here, once it runs where it should. */
pid_t bench_fork(void);
void bench_join(pid_t far);
bool bench_wants(const char *measure, const char *subject);

/* BENCH_RUNS, 5 by default; BENCH_SCALE multiplies amounts (0.01 on emulated machines). */
int bench_runs(void);
uint64_t bench_amount(uint64_t full);
/* The same, in whole pieces of so many bytes, at least one. */
uint64_t bench_bytes(uint64_t full, uint64_t piece);
/* Of run -1, which is not counted. */
uint64_t bench_warm(uint64_t bytes, uint64_t piece);

struct bench_series {
    double value[BENCH_MAX_RUNS];
    int count;
};

void bench_add(struct bench_series *s, double value);
double bench_median(const struct bench_series *s);
double bench_percentile(double *values, size_t count, double percent);
/* {"measure":…,"subject":…,"value":the median,"unit":…,"values":[…]} on stdout. */
void bench_report(const char *measure, const char *subject, const struct bench_series *s, const char *unit);
void bench_report_one(const char *measure, const char *subject, double value, const char *unit);

/* All bytes, or the end of the program. */
void bench_write(int fd, const void *data, size_t len);
void bench_read(int fd, void *data, size_t len);

#endif

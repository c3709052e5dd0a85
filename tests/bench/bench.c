/* SPDX-License-Identifier: MIT */
/* bench.c: see bench.h. */
#include "bench.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

double bench_now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec * 1e-9;
}

void bench_die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

void bench_pin(int end)
{
    const char *text = getenv("BENCH_CPUS");
    cpu_set_t set;
    int cpu[2];

    if (!text || !*text)
        return;
    if (sscanf(text, "%d,%d", &cpu[0], &cpu[1]) != 2)
        bench_die("BENCH_CPUS=%s: it must be two processors, such as 0,1", text);
    CPU_ZERO(&set);
    CPU_SET(cpu[end], &set);
    if (sched_setaffinity(0, sizeof set, &set))
        bench_die("cannot run on processor %d: %s", cpu[end], strerror(errno));
}

pid_t bench_fork(void)
{
    int ready[2];
    pid_t pid;
    char c;

    if (pipe(ready) || (pid = fork()) < 0)
        bench_die("cannot make a second process: %s", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bench_pin(BENCH_FAR);
        bench_write(ready[1], "x", 1);
    } else {
        bench_read(ready[0], &c, 1);
    }
    close(ready[0]);
    close(ready[1]);
    return pid;
}

void bench_join(pid_t far)
{
    int status;

    if (waitpid(far, &status, 0) != far || status)
        bench_die("the far end failed");
}

/* BENCH_ONLY is a list of MEASURE or MEASURE/SUBJECT, with commas. */
bool bench_wants(const char *measure, const char *subject)
{
    const char *only = getenv("BENCH_ONLY");
    size_t len = strlen(measure);

    if (!only || !*only)
        return true;
    for (; only; only = (only = strchr(only, ',')) ? only + 1 : NULL) {
        size_t item = strcspn(only, ",");

        if (item < len || strncmp(only, measure, len))
            continue;
        if (item == len)
            return true;
        if (only[len] == '/' && item - len - 1 == strlen(subject) && !strncmp(only + len + 1, subject, item - len - 1))
            return true;
    }
    return false;
}

int bench_runs(void)
{
    const char *text = getenv("BENCH_RUNS");
    int n = text ? atoi(text) : 5;

    return n < 1 ? 1 : n > BENCH_MAX_RUNS ? BENCH_MAX_RUNS : n;
}

uint64_t bench_amount(uint64_t full)
{
    const char *text = getenv("BENCH_SCALE");
    double n = (double)full * (text ? atof(text) : 1.0);

    return n < 1 ? 1 : (uint64_t)n;
}

uint64_t bench_bytes(uint64_t full, uint64_t piece)
{
    uint64_t n = bench_amount(full) / piece * piece;

    return n ? n : piece;
}

uint64_t bench_warm(uint64_t bytes, uint64_t piece)
{
    uint64_t most = (UINT64_C(16) << 20) / piece * piece;

    return bytes < most ? bytes : most;
}

void bench_add(struct bench_series *s, double value)
{
    if (s->count < BENCH_MAX_RUNS)
        s->value[s->count++] = value;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

double bench_percentile(double *values, size_t count, double percent)
{
    size_t i = (size_t)((double)(count - 1) * percent / 100.0 + 0.5);

    qsort(values, count, sizeof *values, compare);
    return values[i < count ? i : count - 1];
}

double bench_median(const struct bench_series *s)
{
    struct bench_series copy = *s;

    return bench_percentile(copy.value, (size_t)copy.count, 50);
}

void bench_report(const char *measure, const char *subject, const struct bench_series *s, const char *unit)
{
    printf("{\"measure\":\"%s\",\"subject\":\"%s\",\"value\":%.6g,\"unit\":\"%s\",\"values\":[", measure, subject,
           bench_median(s), unit);
    for (int i = 0; i < s->count; i++)
        printf("%s%.6g", i ? "," : "", s->value[i]);
    puts("]}");
    fflush(stdout);
}

void bench_report_one(const char *measure, const char *subject, double value, const char *unit)
{
    struct bench_series s = { .value = { value }, .count = 1 };

    bench_report(measure, subject, &s, unit);
}

void bench_write(int fd, const void *data, size_t len)
{
    for (size_t done = 0; done < len; ) {
        ssize_t n = write(fd, (const char *)data + done, len - done);

        if (n < 0 && errno != EINTR)
            bench_die("write: %s", strerror(errno));
        done += n > 0 ? (size_t)n : 0;
    }
}

void bench_read(int fd, void *data, size_t len)
{
    for (size_t done = 0; done < len; ) {
        ssize_t n = read(fd, (char *)data + done, len - done);

        if (n == 0)
            bench_die("read: unexpected end of file after %zu of %zu bytes", done, len);
        if (n < 0 && errno != EINTR)
            bench_die("read: %s", strerror(errno));
        done += n > 0 ? (size_t)n : 0;
    }
}

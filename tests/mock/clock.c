/* SPDX-License-Identifier: MIT */
/* clock.c: clock_gettime(), for the whole process: libuv's, too, since a program's own symbol comes before libc's. */
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "mock.h"

#define COARSE UINT64_C(4000000)        /* ns: a tick of the coarse clock, which lags by up to that */

uint64_t mock_now_ns;
bool mock_clock;

__attribute__((visibility("default")))
int clock_gettime(clockid_t clock, struct timespec *ts)
{
    uint64_t now = mock_now_ns;

    switch (clock) {
    case CLOCK_MONOTONIC_COARSE:
        now -= now % COARSE;
        break;
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_BOOTTIME:
        break;
    default:
        return (int)syscall(SYS_clock_gettime, clock, ts);
    }
    if (!mock_clock)
        return (int)syscall(SYS_clock_gettime, clock, ts);
    ts->tv_sec = (time_t)(now / 1000000000);
    ts->tv_nsec = (long)(now % 1000000000);
    return 0;
}

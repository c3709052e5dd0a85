/* SPDX-License-Identifier: MIT */
/* flush.c: part of every program and library of VARIANT=cov.
 *
 * gcov writes its counters when a program ends by itself.  Many of ours end by a signal, or by _exit() in a child whose exec
 * failed; what those have run would count for nothing.  Only SIGKILL takes its counters along.
 *
 * Each module (a program, libxvs.so) has counters, a constructor and a handler of its own; the handlers form a chain. */
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

void __gcov_dump(void);
void __gcov_reset(void);
void __real__exit(int status) __attribute__((noreturn));
void __wrap__exit(int status) __attribute__((noreturn));
int  __real_raise(int number);
int  __wrap_raise(int number);

static const int deadly[] = { SIGHUP, SIGINT, SIGTERM, SIGALRM, SIGUSR1, SIGUSR2, SIGPIPE };
static struct sigaction before[sizeof deadly / sizeof *deadly];

void __wrap__exit(int status)
{
    __gcov_dump();
    __real__exit(status);
}

/* How a program ends that has caught a signal and cleaned up; but it may also go on, and what it runs then counts, too. */
int __wrap_raise(int number)
{
    __gcov_dump();
    __gcov_reset();             /* or this was the last time that it writes */
    return __real_raise(number);
}

static void on_signal(int number)
{
    struct sigaction fatal = { .sa_handler = SIG_DFL };

    __gcov_dump();
    __gcov_reset();
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        if (deadly[i] == number && before[i].sa_handler != SIG_DFL) {
            before[i].sa_handler(number);
            return;
        }
    sigaction(number, &fatal, NULL);
    __real_raise(number);              /* once the handler returns: the signal is blocked until then */
}

__attribute__((constructor))
static void watch(void)
{
    struct sigaction ours = { .sa_handler = on_signal };

    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) {
        sigaction(deadly[i], NULL, &before[i]);
        if (before[i].sa_handler != SIG_IGN)
            sigaction(deadly[i], &ours, NULL);
    }
}

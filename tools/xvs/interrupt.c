/* SPDX-License-Identifier: MIT */
/* interrupt.c: see interrupt.h. */
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t signalled;

static void on_signal(int number)
{
    signalled = number;
}

bool is_interrupted(void)
{
    return signalled;
}

void interrupts_catch(void)
{
    static const int numbers[] = { SIGINT, SIGTERM, SIGHUP };
    struct sigaction act = { .sa_handler = on_signal };
    sigset_t set;

    sigemptyset(&set);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        struct sigaction old;

        if (!sigaction(numbers[i], NULL, &old) && old.sa_handler == SIG_IGN)
            continue;
        sigaction(numbers[i], &act, NULL);
        sigaddset(&set, numbers[i]);
    }
    sigprocmask(SIG_BLOCK, &set, NULL);
}

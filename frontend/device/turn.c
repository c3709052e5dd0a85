/* SPDX-License-Identifier: MIT */
/* turn.c: what has come is taken in, what is due is done, and then there is sleep: packets (packets.h), what xenstore says
 * (bus.h), deadlines. */
#include "turn.h"

#include <errno.h>
#include <sched.h>

#include "clock.h"
#include "packets.h"

#define ROUNDS   16             /* of taking in and sending before others get the thread */
#define UNSLEPT  64u            /* waits without a sleep, after which xenstore and the timer are looked at */

/* Only before a sleep: the answer to what has come should not have to wait for this system call. */
static void unmask(struct xvs *x)
{
    if (x->masked && x->bus.share.evtchn)
        xenevtchn_unmask(x->bus.share.evtchn, x->bus.share.port);
    x->masked = false;
}

/* Waits up to timeout ms for what wakes us and takes it in: how much, or -EINTR. */
static int take_wakeups(struct xvs *x, int timeout)
{
    unsigned fired;
    int n = wake_take(&x->wake, timeout, &fired);

    if (fired & WAKE_STORE)
        x->store_fired = true;
    if (fired & WAKE_EVTCHN) {
        x->kicked = true;
        if (xenevtchn_pending(x->bus.share.evtchn) >= 0) {
            x->received_kicks++;
            x->masked = true;
        }
    }
    return n;
}

/* Takes in all that has come and sends all that is owed. */
static void work(struct xvs *x)
{
    uint64_t coarse = clock_coarse_ms(), now = coarse > x->wake.passed ? coarse : x->wake.passed;
    int got = x->trunk.up ? packets_receive(&x->trunk, now) : 0;

    if (got < 0)
        bus_fault(&x->bus, x->trunk.why);
    if (x->kicked && !got)
        bus_idle_notification(&x->bus);
    x->kicked = false;
    packets_expire(&x->trunk, now);
    bus_run(&x->bus, x->store_fired, now);
    x->store_fired = false;
    xvs_flush(x);
}

void turn_set_timer(struct xvs *x)
{
    uint64_t bus = bus_deadline(&x->bus), mux = vmux_next_deadline(x->trunk.mux);

    wake_at(&x->wake, bus < mux ? bus : mux, clock_coarse_ms());
}

/* False when something has come meanwhile: there is no sleeping yet. */
static bool prepare_sleep(struct xvs *x)
{
    if (x->trunk.up && !link_front_arm(&x->trunk.link, wants_room(&x->trunk)))
        return false;
    unmask(x);
    turn_set_timer(x);
    return true;
}

static bool has_come(struct xvs *x)
{
    return ring_pending(&x->trunk.link.rx) || (wants_room(&x->trunk) && ring_pending(&x->trunk.link.tx));
}

/* Looks at the rings for a while; true if something came. */
static bool spin(struct xvs *x)
{
    uint64_t end = clock_now_ns() + UINT64_C(1000) * spinner_time(&x->trunk.spinner, x->opt.spin);

    do {
        for (int i = 0; i < 64; i++) {
            if (has_come(x))
                return true;
            shm_relax();
        }
    } while (clock_now_ns() < end);
    return false;
}

/* Gives the processor to others; true if something came. */
static bool yield(struct xvs *x)
{
    uint64_t began = clock_now_ns();

    if (began < x->next_yield)
        return false;
    sched_yield();
    x->next_yield = spinner_next_yield(began, clock_now_ns());
    return has_come(x);
}

/* Tries what has paid, in place of a sleep; true if something came. */
static bool linger(struct xvs *x)
{
    bool hit = false;

    if (spinner_wants(&x->trunk.spinner)) {
        hit = spin(x);
        spinner_note(&x->trunk.spinner, hit);
    }
    if (!hit && spinner_wants(&x->yields)) {
        hit = yield(x);
        spinner_note(&x->yields, hit);
    }
    return hit;
}

/* What is never idle must not keep us from xenstore and the timer. */
static void note_unslept(struct xvs *x)
{
    if (++x->unslept % UNSLEPT == 0)
        take_wakeups(x, 0);
}

int turn_sleep(struct xvs *x, int timeout)
{
    int n = 1;

    if (x->trunk.up && x->opt.spin && timeout && linger(x)) {
        note_unslept(x);
        work(x);
        return 1;
    }
    if (prepare_sleep(x))
        n = take_wakeups(x, timeout);
    else
        note_unslept(x);
    if (n > 0)
        work(x);
    return n;
}

int xvs_process(struct xvs *x)
{
    if (x->wake.orphan)
        return -ESTALE;
    take_wakeups(x, 0);
    for (int i = 0; i < ROUNDS; i++) {
        work(x);
        if (prepare_sleep(x))
            return 0;
    }
    wake_again(&x->wake);
    return 0;
}

int xvs_wait(struct xvs *x, int timeout)
{
    uint64_t end = timeout <= 0 ? 0 : clock_now_ns() + (uint64_t)timeout * 1000000;
    int left = timeout;
    bool is_over = false;

    if (x->wake.orphan)
        return -ESTALE;
    work(x);
    while (list_is_empty(&x->trunk.events)) {
        int n;

        if (is_over)
            return 0;
        if ((n = turn_sleep(x, left)) < 0)
            return n;
        if (timeout > 0)
            left = clock_left_ms(end);
        is_over = left == 0;
    }
    note_unslept(x);
    return 1;
}

/* SPDX-License-Identifier: MIT */
/* asks.c: see asks.h. */
#include "asks.h"

#include <errno.h>
#include <stdio.h>

#include "clock.h"
#include "device.h"
#include "inforce.h"
#include "orders.h"

/* Whoever attaches a device at once after he has detached one is to have its number: he waits until that is gone.  In this order, and
 * each for so long at most; the worker's clients wait for longer (CONTROL_ASK_MS). */
#define ASK_WAITS_MS 3000u
#define ASK_LOOKS_MS 10u

static int attach(struct keeper *k, const struct wall_msg *m, struct wall_msg *answer)
{
    char *why = answer->answer.why;
    struct device *d;
    int err;

    if (m->ask.number < -1 || m->ask.number >= (int)PATHS_DEVICES) {
        snprintf(why, sizeof answer->answer.why, "there is no device %d", m->ask.number);
        return -EINVAL;
    }
    if (!(err = order_attach(&k->registry, m->ask.domain, m->ask.number, m->ask.cid, &d, why)))
        answer->device = d->born;
    return err;
}

static int detach(struct keeper *k, const struct wall_msg *m, struct wall_msg *answer)
{
    char *why = answer->answer.why;

    if (m->ask.number < WALL_EACH || m->ask.number >= (int)PATHS_DEVICES) {
        snprintf(why, sizeof answer->answer.why, "there is no device %d", m->ask.number);
        return -EINVAL;
    }
    return order_detach(&k->registry, m->ask.domain, m->ask.number, answer->answer.gone, why);
}

/* False: not yet. */
static bool answer_ask(struct keeper *k, const struct wall_msg *m, bool may_wait)
{
    struct wall_msg answer = { .kind = WALL_ANSWER, .answer = { .request = m->ask.request, .verb = m->ask.verb } };

    _Static_assert(sizeof answer.answer.why >= REGISTRY_WHY && sizeof answer.answer.why >= SETTINGS_WHY, "each reason fits");
    switch (m->ask.verb) {
    case WALL_ATTACH: answer.answer.result = attach(k, m, &answer); break;
    case WALL_DETACH: answer.answer.result = detach(k, m, &answer); break;
    default:          answer.answer.result = inforce_reload(k, answer.answer.why); break;
    }
    if (m->ask.verb == WALL_ATTACH && answer.answer.result == -EAGAIN && may_wait)
        return false;
    devices_tell(&k->registry);        /* what the answer shows */
    wall_send(&k->worker.wall, &answer, -1);
    return true;
}

static void look_at_asks(struct alarm *alarm, uint64_t now)
{
    struct keeper *k = container_of(alarm, struct keeper, asks_due);
    unsigned left = 0;

    for (unsigned i = 0; i < k->asks && !k->ending; i++)
        if (!answer_ask(k, &k->ask[i].m, now < k->ask[i].until))
            k->ask[left++] = k->ask[i];
    k->asks = left;
    if (left)
        alarm_at(&k->loop, alarm, clock_deadline_ms(ASK_LOOKS_MS));
}

void asks_hear(struct keeper *k, const struct wall_msg *m)
{
    if (answer_ask(k, m, k->asks < KEEPER_ASKS))
        return;
    k->ask[k->asks++] = (struct keeper_ask){ .m = *m, .until = clock_deadline_ms(ASK_WAITS_MS) };
    alarm_at(&k->loop, &k->asks_due, clock_deadline_ms(ASK_LOOKS_MS));
}

void asks_begin(struct keeper *k)
{
    alarm_init(&k->asks_due, look_at_asks);
}

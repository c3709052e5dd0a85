/* SPDX-License-Identifier: MIT */
/* loop.c: see loop.h. */
#include "loop.h"

#include <errno.h>

#include "clock.h"
#include "journal.h"

#define OUT_OF_FILES_MS 60000u  /* between two lines about that */

/* ---- deadlines ---- */

/* Whoever sets an alarm meanwhile is heard when all are through: a timer that starts itself again for at once, because
 * somebody has not got what it needs (xenstored is away), would never let go of the loop. */
static void on_timer(uv_timer_t *timer)
{
    struct loop *l = timer->data;
    struct list due, *link;
    uint64_t now = loop_now(l), next = UINT64_MAX;

    l->timer_at = 0;
    list_init(&due);
    while ((link = list_take(&l->alarms)))
        list_append(&due, link);
    while ((link = list_take(&due))) {
        struct alarm *alarm = container_of(link, struct alarm, link);

        if (alarm->at > now) {
            list_append(&l->alarms, link);
            continue;
        }
        alarm->at = UINT64_MAX;
        alarm->ring(alarm, now);
    }
    for (link = l->alarms.next; link != &l->alarms; link = link->next) {
        uint64_t at = container_of(link, struct alarm, link)->at;

        next = at < next ? at : next;
    }
    l->timer_at = next;
    if (next != UINT64_MAX)
        uv_timer_start(timer, on_timer, next > now ? next - now : 1, 0);
}

void alarm_init(struct alarm *alarm, void (*ring)(struct alarm *alarm, uint64_t now))
{
    list_init(&alarm->link);
    alarm->at = UINT64_MAX;
    alarm->ring = ring;
}

void alarm_at(struct loop *l, struct alarm *alarm, uint64_t at)
{
    uint64_t now;

    if (at >= alarm->at)
        return;
    alarm->at = at;
    list_remove(&alarm->link);
    list_append(&l->alarms, &alarm->link);
    if (at >= l->timer_at)
        return;
    now = loop_now(l);
    l->timer_at = at;
    uv_timer_start(&l->timer, on_timer, at > now ? at - now : 0, 0);
}

void alarm_stop(struct alarm *alarm)
{
    list_remove(&alarm->link);
    alarm->at = UINT64_MAX;
}

/* ---- turns ---- */

void turn_init(struct turn *turn, void (*take)(struct turn *turn))
{
    list_init(&turn->link);
    turn->take = take;
}

void turn_wait(struct loop *l, struct turn *turn)
{
    if (list_is_empty(&turn->link))
        list_append(&l->turns, &turn->link);
}

void turn_leave(struct turn *turn)
{
    list_remove(&turn->link);
}

bool turn_others_wait(const struct loop *l, const struct turn *turn)
{
    const struct list *turns = &l->turns;

    return !list_is_empty(&l->round) ||
           (turns->next != turns && !(turns->next == &turn->link && turns->prev == &turn->link));
}

void loop_take_turns(struct loop *l)
{
    struct list *link;

    while ((link = list_take(&l->turns)))
        list_append(&l->round, link);
    while ((link = list_take(&l->round))) {
        struct turn *turn = container_of(link, struct turn, link);

        turn->take(turn);
    }
}

/* ---- descriptors ---- */

void loop_out_of_files(struct loop *l)
{
    l->out_of_files++;
    if (l->out_of_files_at > loop_now(l))
        return;
    journal_event(NULL, EVENT_EXHAUSTED, NULL, "out of file descriptors, %u times: new connections wait; raise LimitNOFILE= in "
                  "xvsd.service", l->out_of_files);
    l->out_of_files = 0;
    l->out_of_files_at = clock_deadline_ms(OUT_OF_FILES_MS);
}

/* ---- rounds ---- */

static void on_uv(struct source *source, uint32_t events)
{
    (void)events;
    container_of(source, struct loop, uv_source)->uv_ready = true;
}

int loop_init(struct loop *l)
{
    int err;

    *l = (struct loop){ .timer_at = UINT64_MAX, .poller.fd = -1, .uv_source.fd = -1 };
    list_init(&l->alarms);
    list_init(&l->turns);
    list_init(&l->round);
    if ((err = uv_loop_init(&l->uv)))
        return err;
    l->begun = true;
    if ((err = poller_init(&l->poller, &l->uv)) ||
        (err = source_add(&l->poller, &l->uv_source, uv_backend_fd(&l->uv), EPOLLIN, on_uv)) ||
        (err = uv_timer_init(&l->uv, &l->timer)))
        return err;
    l->timer.data = l;
    l->uv_ready = true;         /* it registers what it watches when it runs */
    return 0;
}

/* ms, -1 for ever.  libuv itself would not sleep without a handle of its own. */
static int until_timer(const struct loop *l)
{
    return l->timer_at == UINT64_MAX ? -1 : uv_backend_timeout(&l->uv);
}

void loop_run(struct loop *l, bool (*chores)(struct loop *l))
{
    while (!l->is_over) {
        bool more;

        l->rounds++;
        if (l->uv_ready || until_timer(l) == 0) {
            l->uv_ready = false;
            uv_run(&l->uv, UV_RUN_NOWAIT);
        }
        loop_take_turns(l);
        more = chores(l);
        if (l->is_over)
            break;
        poller_wait(&l->poller, more || !list_is_empty(&l->turns) ? 0 : until_timer(l));
    }
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    uv_close(handle, NULL);
}

void loop_close(struct loop *l)
{
    if (!l->begun)
        return;
    source_remove(&l->poller, &l->uv_source);
    poller_close(&l->poller);
    uv_walk(&l->uv, close_handle, NULL);
    uv_run(&l->uv, UV_RUN_DEFAULT);         /* until the last of them is closed */
    uv_loop_close(&l->uv);
}

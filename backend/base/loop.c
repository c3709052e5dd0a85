/* SPDX-License-Identifier: MIT */
/* loop.c: see loop.h. */
#include "loop.h"

#include <errno.h>

#include "claim.h"
#include "control.h"
#include "farewell.h"
#include "journal.h"
#include "registry.h"
#include "serve.h"
#include "settle.h"

#define STORE_CHECK_MS 5000u    /* store.h: a dead connection to xenstored does not show by itself */

/* ---- xenstore ---- */

static void on_store(struct source *source, uint32_t events)
{
    (void)events;
    registry_on_store(container_of(source, struct xvsd, store_source));
}

static int watch_store(struct xvsd *x)
{
    return source_add(&x->poller, &x->store_source, store_fd(x->store), EPOLLIN, on_store);
}

int loop_watch_store(struct xvsd *x)
{
    x->store_check_at = clock_deadline_ms(STORE_CHECK_MS);
    xvsd_wake_at(x, x->store_check_at);
    return watch_store(x);
}

/* A xenstored that was started anew knows of no claim, and another daemon may have been quicker. */
static void claim_again(struct xvsd *x)
{
    char why[CLAIM_WHY];
    int err = claim_take(x->store, x->self, &x->rundir, why);

    x->unclaimed = err != 0;
    if (err)
        journal(JOURNAL_ERROR, "%s", why);
    if (err == -EBUSY)
        x->failed = x->is_over = true;
}

/* xenstored may have been restarted: a new connection has a new descriptor, and all watches fire.  So it is with one that could not
 * be put into the set: nothing would be heard of it. */
static void check_store(struct xvsd *x)
{
    x->store_check_at = clock_deadline_ms(STORE_CHECK_MS);
    if (!store_check(x->store) && x->store_source.fd >= 0) {
        if (x->unclaimed)
            claim_again(x);
        return;
    }
    if (x->store_source.fd >= 0)
        journal(JOURNAL_ERROR, "the connection to xenstored is lost; guests that are connected go on");
    source_remove(&x->poller, &x->store_source);
    if (store_reopen(x->store) || watch_store(x))
        return;
    journal(JOURNAL_NOTICE, "connected to xenstored again");
    claim_again(x);
    if (!x->is_over)
        registry_on_store(x);
}

/* ---- deadlines ---- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Whoever asks to be woken meanwhile is heard when all are through: a timer that starts itself again for at once, because
 * somebody has not got what it needs (xenstored is away), would never let go of the loop. */
static void on_timer(uv_timer_t *timer)
{
    struct xvsd *x = timer->data;
    uint64_t now = xvsd_now(x), next;

    x->timer_at = 0;
    if (x->store_check_at <= now) {
        check_store(x);
        control_listen_again(x);
        settle_soon(x);         /* programs that listened in an old directory may have left it (door.h) */
    }
    if (x->rescan_at <= now)
        registry_rescan(x);
    if (x->settle_at <= now)
        settle_soon(x);
    if (x->farewell_at <= now)
        farewell_due(x, now);
    for (struct list *l = x->devices.next; l != &x->devices; l = l->next)
        if (device_deadline(container_of(l, struct device, link)) <= now)
            device_due(container_of(l, struct device, link), now);
    next = earlier(earlier(x->store_check_at, x->farewell_at), earlier(x->rescan_at, x->settle_at));
    for (struct list *l = x->devices.next; l != &x->devices; l = l->next)
        next = earlier(next, device_deadline(container_of(l, struct device, link)));
    if (x->stop_at)
        next = earlier(next, x->stop_at);
    x->timer_at = UINT64_MAX;
    xvsd_wake_at(x, next > now ? next : now + 1);
}

void xvsd_wake_at(struct xvsd *x, uint64_t at)
{
    uint64_t now = xvsd_now(x);

    if (at >= x->timer_at)
        return;
    x->timer_at = at;
    uv_timer_start(&x->timer, on_timer, at > now ? at - now : 0, 0);
}

/* ---- rounds ---- */

static void on_uv(struct source *source, uint32_t events)
{
    (void)events;
    container_of(source, struct xvsd, uv_source)->uv_ready = true;
}

/* Each device that has something to do gets one piece of work. */
static void serve_round(struct xvsd *x)
{
    struct list *link;

    while ((link = list_take(&x->turns)))
        list_append(&x->round, link);
    while ((link = list_take(&x->round)))
        device_serve(container_of(link, struct device, turn));
}

int loop_init(struct xvsd *x)
{
    int err;

    if ((err = uv_loop_init(&x->uv)))
        return err;
    x->uv_begun = true;
    if ((err = poller_init(&x->poller, &x->uv)) ||
        (err = source_add(&x->poller, &x->uv_source, uv_backend_fd(&x->uv), EPOLLIN, on_uv)) ||
        (err = uv_timer_init(&x->uv, &x->timer)))
        return err;
    x->timer.data = x;
    x->uv_ready = true;         /* it registers what it watches when it runs */
    return 0;
}

void loop_run(struct xvsd *x)
{
    while (!x->is_over) {
        if (x->uv_ready || uv_backend_timeout(&x->uv) == 0) {
            x->uv_ready = false;
            uv_run(&x->uv, UV_RUN_NOWAIT);
        }
        serve_round(x);
        if (x->store_more)
            registry_on_store(x);
        registry_sweep(x);
        settle(x);
        if (x->stop_at && (list_is_empty(&x->devices) || xvsd_now(x) >= x->stop_at))
            break;
        poller_wait(&x->poller, list_is_empty(&x->turns) && !x->store_more ? uv_backend_timeout(&x->uv) : 0);
    }
}

static void close_handle(uv_handle_t *handle, void *arg)
{
    (void)arg;
    uv_close(handle, NULL);
}

void loop_close(struct xvsd *x)
{
    source_remove(&x->poller, &x->uv_source);
    poller_close(&x->poller);
    if (!x->uv_begun)
        return;
    uv_walk(&x->uv, close_handle, NULL);
    uv_run(&x->uv, UV_RUN_DEFAULT);         /* until the last of them is closed */
    uv_loop_close(&x->uv);
}

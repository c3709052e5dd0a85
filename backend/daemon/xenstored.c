/* SPDX-License-Identifier: MIT */
/* xenstored.c: see xenstored.h. */
#include "xenstored.h"

#include <errno.h>

#include "claim.h"
#include "clock.h"

#define CHECK_MS 5000u          /* store.h: a dead connection to xenstored does not show by itself */

static void on_store(struct source *source, uint32_t events)
{
    (void)events;
    registry_on_store(&container_of(source, struct xvsd, store_source)->registry);
}

static int watch(struct xvsd *x)
{
    return source_add(&x->loop.poller, &x->store_source, store_fd(x->registry.store), EPOLLIN, on_store);
}

/* A xenstored that was started anew knows of no claim, and another daemon may have been quicker. */
static void claim_again(struct xvsd *x)
{
    char why[CLAIM_WHY];
    int err = claim_take(x->registry.store, x->registry.self, &x->rundir, why);

    x->unclaimed = err != 0;
    if (err)
        journal(JOURNAL_ERROR, "%s", why);
    if (err == -EBUSY)
        x->failed = x->loop.is_over = true;
}

/* xenstored may have been restarted: a new connection has a new descriptor, and all watches fire.  So it is with one that could not
 * be put into the set: nothing would be heard of it. */
static void check(struct xvsd *x)
{
    struct store *store = x->registry.store;

    if (!store_check(store) && x->store_source.fd >= 0) {
        if (x->unclaimed)
            claim_again(x);
        return;
    }
    if (x->store_source.fd >= 0)
        journal(JOURNAL_ERROR, "the connection to xenstored is lost; guests that are connected go on");
    source_remove(&x->loop.poller, &x->store_source);
    if (store_reopen(store) || watch(x))
        return;
    journal(JOURNAL_NOTICE, "connected to xenstored again");
    claim_again(x);
    if (!x->loop.is_over)
        registry_on_store(&x->registry);
}

static void on_check(struct alarm *alarm, uint64_t now)
{
    struct xvsd *x = container_of(alarm, struct xvsd, store_check);

    (void)now;
    alarm_at(&x->loop, alarm, clock_deadline_ms(CHECK_MS));
    check(x);
    settle_soon(&x->registry);          /* programs that listened in an old directory may have left it (door.h) */
}

int xenstored_begin(struct xvsd *x)
{
    alarm_init(&x->store_check, on_check);
    alarm_at(&x->loop, &x->store_check, clock_deadline_ms(CHECK_MS));
    return watch(x);
}

void xenstored_end(struct xvsd *x)
{
    if (x->store_check.ring)
        alarm_stop(&x->store_check);
    source_remove(&x->loop.poller, &x->store_source);
}

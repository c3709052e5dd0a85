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
    registry_on_store(&container_of(source, struct keeper, store_source)->registry);
}

static int watch(struct keeper *k)
{
    return source_add(&k->loop.poller, &k->store_source, store_fd(k->registry.store), EPOLLIN, on_store);
}

/* A xenstored that was started anew knows of no claim, and another daemon may have been quicker. */
static void claim_again(struct keeper *k)
{
    char why[CLAIM_WHY];
    int err = claim_take(k->registry.store, k->registry.self, &k->rundir, why);

    k->unclaimed = err != 0;
    if (err)
        journal(JOURNAL_ERROR, "%s", why);
    if (err == -EBUSY)
        k->failed = k->loop.is_over = true;
}

/* xenstored may have been restarted: a new connection has a new descriptor, and all watches fire.  So it is with one that could not
 * be put into the set: nothing would be heard of it. */
static void check(struct keeper *k)
{
    struct store *store = k->registry.store;

    if (!store_check(store) && k->store_source.fd >= 0) {
        if (k->unclaimed)
            claim_again(k);
        return;
    }
    if (k->store_source.fd >= 0)
        journal_event(NULL, EVENT_ALONE, NULL, "the connection to xenstored is lost; guests that are connected go on");
    source_remove(&k->loop.poller, &k->store_source);
    if (store_reopen(store) || watch(k))
        return;
    journal(JOURNAL_NOTICE, "connected to xenstored again");
    claim_again(k);
    if (!k->loop.is_over)
        registry_on_store(&k->registry);
}

static void on_check(struct alarm *alarm, uint64_t now)
{
    struct keeper *k = container_of(alarm, struct keeper, store_check);

    (void)now;
    alarm_at(&k->loop, alarm, clock_deadline_ms(CHECK_MS));
    check(k);
    settle_soon(&k->registry);          /* programs that listened in an old directory may have left it (door.h) */
}

int xenstored_begin(struct keeper *k)
{
    alarm_init(&k->store_check, on_check);
    alarm_at(&k->loop, &k->store_check, clock_deadline_ms(CHECK_MS));
    return watch(k);
}

void xenstored_end(struct keeper *k)
{
    if (k->store_check.ring)
        alarm_stop(&k->store_check);
    source_remove(&k->loop.poller, &k->store_source);
}

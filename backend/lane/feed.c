/* SPDX-License-Identifier: MIT */
/* feed.c: see feed.h. */
#include "feed.h"

void feed_tell(struct lanes *all, const struct happening *h)
{
    for (struct list *l = all->listeners.next; l != &all->listeners; l = l->next) {
        struct feed_listener *listener = container_of(l, struct feed_listener, link);

        listener->hear(listener, h);
    }
}

void feed_refused(struct lane *lane, struct vaddr from, struct vaddr to, struct reason why)
{
    struct happening h = {
        .kind = EVENT_REFUSED, .lane = lane, .has_reason = true, .reason = why, .has_ends = true, .from = from, .to = to
    };

    feed_tell(lane->all, &h);
}

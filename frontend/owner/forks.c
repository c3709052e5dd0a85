/* SPDX-License-Identifier: MIT */
/* forks.c: see forks.h.
 *
 * A child inherits descriptors and shared memory, and would keep the owner's lock, event channel and grants for as long as it
 * lives.  So the list of devices is walked in each new child: their locks are closed, ordinary memory takes the place of
 * the shared pages, and the handle is an orphan, whose calls fail or do nothing.  (vfork(), posix_spawn() and a bare
 * clone() run no such handler.  The first two are followed by exec, which closes everything; the third has neither lock
 * that counts after xvs_close() nor pages: owner.c, share.c.) */
#include "forks.h"

#include <pthread.h>

/* Guards the list, and whatever a child must find whole or not at all: no fork happens between enter and leave. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list devices = { &devices, &devices };

void forks_enter(void)
{
    pthread_mutex_lock(&mutex);
}

void forks_leave(void)
{
    pthread_mutex_unlock(&mutex);
}

static void in_child(void)
{
    struct list *link;

    while ((link = list_take(&devices))) {
        struct owned *owned = container_of(link, struct owned, link);

        owned->orphan(owned);
    }
    forks_leave();
}

int forks_start(void)
{
    static bool started;
    int err = 0;

    forks_enter();
    if (!started)
        err = -pthread_atfork(forks_enter, forks_leave, in_child);
    started = started || !err;
    forks_leave();
    return err;
}

void forks_add(struct owned *owned)
{
    list_append(&devices, &owned->link);
}

void forks_remove(struct owned *owned)
{
    list_remove(&owned->link);
}

bool forks_owns(dev_t dev, ino_t ino)
{
    for (struct list *l = devices.next; l != &devices; l = l->next) {
        const struct owned *owned = container_of(l, struct owned, link);

        if (owned->dev == dev && owned->ino == ino)
            return true;
    }
    return false;
}

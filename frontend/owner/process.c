/* SPDX-License-Identifier: MIT */
/* process.c: the devices that this process owns, and what becomes of them in a process that is forked from it: nothing.
 *
 * A child inherits descriptors and shared memory, and would keep the owner's lock, event channel and grants for as long as it
 * lives.  So the list of devices is walked in each new child: their locks are closed, ordinary memory takes the place of
 * the shared pages, and the handle is an orphan, whose calls fail or do nothing.  (vfork(), posix_spawn() and a bare
 * clone() run no such handler.  The first two are followed by exec, which closes everything; the third has neither lock
 * that counts after xvs_close() nor pages: owner.c, share.c.) */
#include "internal.h"

#include <pthread.h>

/* Guards the list, and whatever a child must find whole or not at all: no fork happens between enter and leave. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct list devices = { &devices, &devices };

void process_enter(void)
{
    pthread_mutex_lock(&mutex);
}

void process_leave(void)
{
    pthread_mutex_unlock(&mutex);
}

static void in_child(void)
{
    struct list *link;

    while ((link = list_take(&devices)))
        device_orphan(container_of(link, struct xvs, process_link));
    process_leave();
}

int process_start(void)
{
    static bool started;
    int err = 0;

    process_enter();
    if (!started)
        err = -pthread_atfork(process_enter, process_leave, in_child);
    started = started || !err;
    process_leave();
    return err;
}

void process_add(struct xvs *x)
{
    list_append(&devices, &x->process_link);
}

void process_remove(struct xvs *x)
{
    list_remove(&x->process_link);
}

bool process_owns(dev_t dev, ino_t ino)
{
    for (struct list *l = devices.next; l != &devices; l = l->next) {
        struct xvs *x = container_of(l, struct xvs, process_link);

        if (x->lock.dev == dev && x->lock.ino == ino)
            return true;
    }
    return false;
}

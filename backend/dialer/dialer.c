/* SPDX-License-Identifier: MIT */
/* dialer.c: see dialer.h. */
#include "dialer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dial.h"

struct dialer_home {
    struct list link;
    uint32_t device, number;
    int fd;                     /* the directory */
    char path[WALL_PATH];
};

#define each_home(d, l) for (struct list *l = (d)->homes.next, *next = l->next; l != &(d)->homes; l = next, next = l->next)

static struct dialer_home *home_at(struct list *l)
{
    return container_of(l, struct dialer_home, link);
}

static struct dialer_home *find(struct dialer *d, uint32_t number)
{
    each_home(d, l)
        if (home_at(l)->number == number)
            return home_at(l);
    return NULL;
}

static void forget(struct dialer_home *h)
{
    list_remove(&h->link);
    close(h->fd);
    free(h);
}

/* ---- connecting ---- */

/* Nobody is there: an older directory may have somebody. */
static bool is_nobody(int err)
{
    return err == -ENOENT || err == -ECONNREFUSED;
}

/* In all of the device's directories, the present one first. */
static void dial(struct dialer *d, const struct wall_msg *m)
{
    struct wall_msg answer = { .kind = WALL_DIALED, .device = m->device, .dialed.request = m->dial.request };
    unsigned wishes = 0;
    int fd = -ENOENT, first = -ENOENT;
    bool met = false;

    each_home(d, l) {
        const struct dialer_home *h = home_at(l);

        if (h->device != m->device)
            continue;
        fd = dial_port(h->fd, m->dial.port, m->dial.own, &wishes, answer.dialed.why);
        snprintf(answer.dialed.dir, sizeof answer.dialed.dir, "%s", h->path);
        if (!is_nobody(fd))
            break;
        *answer.dialed.why = '\0';
        first = met ? first : fd;
        fd = first;
        met = true;
    }
    answer.dialed.err = fd < 0 ? fd : 0;
    answer.dialed.wishes = wishes;
    wall_send(&d->worker, &answer, fd < 0 ? -1 : fd);
}

static void hear_worker(struct wall *w, const struct wall_msg *m, int fd)
{
    if (fd >= 0)
        close(fd);              /* it has nothing to give */
    if (m->kind == WALL_DIAL)
        dial(container_of(w, struct dialer, worker), m);
}

static void lose_worker(struct wall *w, const char *why)
{
    /* A worker that is only gone, the keeper replaces.  What one has spoilt is begun anew. */
    container_of(w, struct dialer, worker)->is_over |= why != NULL;
}

/* ---- what the keeper says ---- */

static void on_door(struct dialer *d, const struct wall_msg *m, int fd)
{
    struct dialer_home *h = find(d, m->door.door);

    if (!h && fd >= 0 && (h = calloc(1, sizeof *h))) {
        h->fd = fd;
        h->number = m->door.door;
        snprintf(h->path, sizeof h->path, "%s", m->door.path);
        list_init(&h->link);
        list_append(&d->homes, &h->link);
    } else if (fd >= 0) {
        close(fd);
        d->is_over |= !h;       /* without memory: it is started again, and told of all */
    }
    if (h)
        h->device = m->device;
}

static void on_present(struct dialer *d, uint32_t number)
{
    struct dialer_home *h = find(d, number);

    if (!h)
        return;
    list_remove(&h->link);
    h->link.next = d->homes.next;
    h->link.prev = &d->homes;
    d->homes.next->prev = &h->link;
    d->homes.next = &h->link;
}

static void on_pair(struct dialer *d, int fd)
{
    wall_close(&d->worker);
    if (fd < 0 || wall_open(&d->worker, d->keeper.loop, fd, true))
        d->is_over = true;
}

static void hear_keeper(struct wall *w, const struct wall_msg *m, int fd)
{
    struct dialer *d = container_of(w, struct dialer, keeper);

    switch (m->kind) {
    case WALL_DOOR: on_door(d, m, fd); return;
    case WALL_PAIR: on_pair(d, fd); return;
    case WALL_PRESENT: on_present(d, m->number); break;
    case WALL_DOOR_SHUT:
        if (find(d, m->number))
            forget(find(d, m->number));
        break;
    case WALL_STOP: d->is_over = true; break;
    default: break;
    }
    if (fd >= 0)
        close(fd);
}

static void lose_keeper(struct wall *w, const char *why)
{
    (void)why;
    container_of(w, struct dialer, keeper)->is_over = true;
}

int dialer_open(struct dialer *d, struct loop *loop, int fd)
{
    *d = (struct dialer){
        .keeper = { .source.fd = -1, .hear = hear_keeper, .gone = lose_keeper },
        .worker = { .source.fd = -1, .hear = hear_worker, .gone = lose_worker }
    };
    list_init(&d->homes);
    return wall_open(&d->keeper, loop, fd, false);
}

void dialer_close(struct dialer *d)
{
    if (!d->keeper.hear)
        return;
    wall_close(&d->worker);
    wall_close(&d->keeper);
    each_home(d, l)
        forget(home_at(l));
    *d = (struct dialer){ 0 };
}

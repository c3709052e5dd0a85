/* SPDX-License-Identifier: MIT */
/* dialer.c: see dialer.h. */
#include "dialer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "dial.h"

struct dialer_home {
    struct list link;           /* in dialer.homes */
    struct hash_link by_number; /* in dialer.by_number */
    struct called *called;
    struct list of_called;      /* in called.homes */
    int fd;                     /* the directory */
    char path[WALL_PATH];
};

/* A device, as long as it has a directory. */
struct called {
    struct hash_link by_device; /* in dialer.by_device */
    struct list homes;          /* the present one first */
};

static struct dialer_home *home_of_called(struct list *l)
{
    return container_of(l, struct dialer_home, of_called);
}

static struct dialer_home *find(const struct dialer *d, uint32_t number)
{
    for (struct hash_link *l = hash_first(&d->by_number, number); l; l = l->next)
        if (l->key == number)
            return container_of(l, struct dialer_home, by_number);
    return NULL;
}

static struct called *find_called(const struct dialer *d, uint32_t device)
{
    for (struct hash_link *l = hash_first(&d->by_device, device); l; l = l->next)
        if (l->key == device)
            return container_of(l, struct called, by_device);
    return NULL;
}

static struct called *make_called(struct dialer *d, uint32_t device)
{
    struct called *c = calloc(1, sizeof *c);

    if (c) {
        list_init(&c->homes);
        hash_insert(&d->by_device, &c->by_device, device);
    }
    return c;
}

/* It is no device's now.  Harmless if it was none's. */
static void leave(struct dialer *d, struct dialer_home *h)
{
    struct called *c = h->called;

    list_remove(&h->of_called);
    h->called = NULL;
    if (!c || !list_is_empty(&c->homes))
        return;
    hash_remove(&d->by_device, &c->by_device);
    free(c);
}

static void forget(struct dialer *d, struct dialer_home *h)
{
    leave(d, h);
    list_remove(&h->link);
    hash_remove(&d->by_number, &h->by_number);
    close(h->fd);
    free(h);
}

/* ---- connecting ---- */

/* Nobody is there: an older directory may have somebody. */
static bool is_nobody(int err)
{
    return err == -ENOENT || err == -ECONNREFUSED;
}

/* In one directory; the path of the last that was tried is in the answer. */
static int dial_in(int dir_fd, const char *path, const struct wall_msg *m, struct wall_msg *answer)
{
    snprintf(answer->dialed.dir, sizeof answer->dialed.dir, "%s", path);
    return dial_port(dir_fd, m->dial.port, m->dial.messages ? SOCK_SEQPACKET : SOCK_STREAM, m->dial.own,
                     &answer->dialed.wishes, answer->dialed.why);
}

/* In all of the device's directories, the present one first; a descriptor, or the errno of the first where somebody might be. */
static int dial_own(struct dialer *d, const struct wall_msg *m, struct wall_msg *answer)
{
    struct called *c = find_called(d, m->device);
    int first = 0;

    for (struct list *l = c ? c->homes.next : NULL; l && l != &c->homes; l = l->next) {
        const struct dialer_home *h = home_of_called(l);
        int fd = dial_in(h->fd, h->path, m, answer);

        if (!is_nobody(fd))
            return fd;
        first = first ? first : fd;
    }
    return first ? first : -ENOENT;
}

/* …and then where somebody may listen for all guests. */
static void dial(struct dialer *d, const struct wall_msg *m)
{
    struct wall_msg answer = { .kind = WALL_DIALED, .device = m->device, .dialed.request = m->dial.request };
    int fd = dial_own(d, m, &answer);

    if (is_nobody(fd) && d->any_fd >= 0) {
        int any = dial_in(d->any_fd, d->any_path, m, &answer);

        answer.dialed.for_all = any >= 0;
        fd = is_nobody(any) ? fd : any;
    }
    answer.dialed.err = fd < 0 ? fd : 0;
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

/* Takes fd.  NULL without memory. */
static struct dialer_home *make_home(struct dialer *d, const struct wall_msg *m, int fd)
{
    struct dialer_home *h = calloc(1, sizeof *h);

    if (!h) {
        close(fd);
        return NULL;
    }
    h->fd = fd;
    snprintf(h->path, sizeof h->path, "%s", m->door.path);
    list_init(&h->link);
    list_init(&h->of_called);
    list_append(&d->homes, &h->link);
    hash_insert(&d->by_number, &h->by_number, m->door.door);
    return h;
}

static int enter(struct dialer *d, struct dialer_home *h, uint32_t device)
{
    struct called *c = find_called(d, device);

    if (h->called && h->called == c)
        return 0;
    leave(d, h);
    if (!c && !(c = make_called(d, device)))
        return -ENOMEM;
    h->called = c;
    list_append(&c->homes, &h->of_called);
    return 0;
}

/* A new one, or one that was another device's until now. */
static void on_door(struct dialer *d, const struct wall_msg *m, int fd)
{
    struct dialer_home *h = find(d, m->door.door);

    if (!h && fd < 0)
        return;
    if (!h)
        h = make_home(d, m, fd);
    else if (fd >= 0)
        close(fd);
    if (!h || enter(d, h, m->device))
        d->is_over = true;      /* without memory: it is started again, and told of all */
}

static void on_present(struct dialer *d, uint32_t number)
{
    struct dialer_home *h = find(d, number);

    if (!h || !h->called)
        return;
    list_remove(&h->of_called);
    list_append(h->called->homes.next, &h->of_called);
}

static void on_any(struct dialer *d, const struct wall_msg *m, int fd)
{
    if (d->any_fd >= 0)
        close(d->any_fd);
    d->any_fd = fd;
    snprintf(d->any_path, sizeof d->any_path, "%s", m->any.path);
    d->is_over |= fd < 0;       /* it is started again, and may get one then */
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
    case WALL_ANY: on_any(d, m, fd); return;
    case WALL_PAIR: on_pair(d, fd); return;
    case WALL_PRESENT: on_present(d, m->number); break;
    case WALL_DOOR_SHUT:
        if (find(d, m->number))
            forget(d, find(d, m->number));
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
    int err;

    *d = (struct dialer){
        .keeper = { .source.fd = -1, .hear = hear_keeper, .gone = lose_keeper },
        .worker = { .source.fd = -1, .hear = hear_worker, .gone = lose_worker },
        .any_fd = -1
    };
    list_init(&d->homes);
    if ((err = hash_init(&d->by_number)) || (err = hash_init(&d->by_device))) {
        close(fd);
        return err;
    }
    return wall_open(&d->keeper, loop, fd, false);
}

void dialer_close(struct dialer *d)
{
    if (!d->keeper.hear)
        return;
    wall_close(&d->worker);
    wall_close(&d->keeper);
    while (!list_is_empty(&d->homes))
        forget(d, container_of(d->homes.next, struct dialer_home, link));
    hash_free(&d->by_number);
    hash_free(&d->by_device);
    if (d->any_fd >= 0)
        close(d->any_fd);
    *d = (struct dialer){ 0 };
}

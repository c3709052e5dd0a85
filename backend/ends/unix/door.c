/* SPDX-License-Identifier: MIT */
/* door.c: see door.h. */
#include "door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "greet.h"
#include "settle.h"

#define OLD  0x8000u            /* the mark of one who came by an old door; below are those of the present one, in turn */

#define each_door(d, l) for (struct list *l = (d)->doors.next, *next = l->next; l != &(d)->doors; l = next, next = l->next)

static struct door *door_at(struct list *l)
{
    return container_of(l, struct door, link);
}

static uint32_t key_of(const struct xvsd *x, const char *name)
{
    uint64_t h = 0;

    for (; *name; name++)
        h = hash_fold(h ^ (unsigned char)*name ^ x->seed.word[0], x->seed.word[1]);
    return hash_words(&x->seed, h, 0, 0);
}

struct door *door_find(const struct xvsd *x, const char *name)
{
    uint32_t key = key_of(x, name);

    for (struct hash_link *l = hash_first(&x->doors, key); l; l = l->next) {
        struct door *door = container_of(l, struct door, by_name);

        if (l->key == key && !strcmp(door->dir.name, name))
            return door;
    }
    return NULL;
}

static void close_door(struct door *door)
{
    struct device *d = door->device;

    if (d->door == door)
        d->door = NULL;
    list_remove(&door->link);
    hash_remove(&d->x->doors, &door->by_name);
    greet_shut(door);
    guest_dir_close(&door->dir, &d->x->rundir);
    free(door);
}

static int open_door(struct device *d, const char *name, const struct settings_sockets *sockets, struct door **out, char *why)
{
    struct door *door = calloc(1, sizeof *door);
    int err;

    if (!door) {
        snprintf(why, RUNDIR_WHY, "out of memory");
        return -ENOMEM;
    }
    door->device = d;
    door->listener.fd = -1;
    list_init(&door->link);
    if ((err = guest_dir_open(&door->dir, &d->x->rundir, name, sockets, why))) {
        free(door);
        return err;
    }
    hash_insert(&d->x->doors, &door->by_name, key_of(d->x, name));
    list_append(&d->doors, &door->link);
    if ((err = greet_open(door))) {
        snprintf(why, RUNDIR_WHY, "cannot watch the socket %.160s/vsock: %s", door->dir.path, strerror(-err));
        close_door(door);
        return err;
    }
    *out = door;
    return 0;
}

/* From now on whoever came in by the present door has come by an old one. */
static void leave_present(struct device *d)
{
    d->door = NULL;
    d->by_old_door += d->by_door;
    d->by_door = 0;
    d->door_mark = d->door_mark % (OLD - 1) + 1;
}

static void take_door(struct door *door, struct device *d)
{
    struct device *loser = door->device;

    if (loser == d)
        return;
    if (loser->door == door)
        leave_present(loser);
    list_remove(&door->link);
    list_append(&d->doors, &door->link);
    door->device = d;
    greet_look(loser);
    greet_look(d);
}

int door_move(struct device *d, const char *name, const struct settings_sockets *sockets, char *why)
{
    struct door *door = door_find(d->x, name);
    int err;

    if (door)
        take_door(door, d);
    else if ((err = open_door(d, name, sockets, &door, why)))
        return err;
    if (d->door)
        leave_present(d);
    d->door = door;
    doors_tidy(d);
    return 0;
}

void doors_tidy(struct device *d)
{
    if (d->by_old_door)
        return;
    each_door(d, l)
        if (door_at(l) != d->door && !guest_dir_is_used(&door_at(l)->dir))
            close_door(door_at(l));
}

void doors_close(struct device *d)
{
    each_door(d, l)
        close_door(door_at(l));
}

int doors_permit(struct device *d, const struct settings_sockets *sockets)
{
    int first = 0;

    each_door(d, l) {
        int err = guest_dir_permit(&door_at(l)->dir, sockets);

        first = first ? first : err;
    }
    return first;
}

uint16_t door_enter(const struct door *door)
{
    struct device *d = door->device;

    if (door != d->door) {
        d->by_old_door++;
        return OLD;
    }
    d->by_door++;
    return d->door_mark;
}

void door_leave(struct device *d, uint16_t mark)
{
    if (!mark)
        return;
    if (mark == d->door_mark)
        d->by_door--;
    else if (--d->by_old_door == 0)
        settle_soon(d->x);
}

/* Nobody is there: an older directory may have somebody. */
static bool is_nobody(int err)
{
    return err == -ENOENT || err == -ECONNREFUSED;
}

int doors_connect(const struct device *d, uint32_t port, const char *own, const char **dir, unsigned *wishes, char *why)
{
    int first = -ENOENT;

    *wishes = 0;
    *why = '\0';
    *dir = device_dir(d);
    if (d->door && !is_nobody(first = guest_dir_connect(&d->door->dir, port, own, wishes, why)))
        return first;
    each_door(d, l) {
        int err = door_at(l) == d->door ? -ENOENT : guest_dir_connect(&door_at(l)->dir, port, own, wishes, why);

        *dir = door_at(l)->dir.path;
        if (!is_nobody(err))
            return err;
    }
    *why = '\0';
    return first;
}

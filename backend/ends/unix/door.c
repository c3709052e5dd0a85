/* SPDX-License-Identifier: MIT */
/* door.c: see door.h. */
#include "door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OLD  0x8000u            /* the mark of one who came by an old door; below are those of the present one, in turn */

#define each_door(host, l) for (struct list *l = (host)->doors.next, *next = l->next; l != &(host)->doors; l = next, next = l->next)

static struct door *door_at(struct list *l)
{
    return container_of(l, struct door, link);
}

static uint32_t key_of(const struct hostsides *all, const char *name)
{
    uint64_t h = 0;

    for (; *name; name++)
        h = hash_fold(h ^ (unsigned char)*name ^ all->seed.word[0], all->seed.word[1]);
    return hash_words(&all->seed, h, 0, 0);
}

struct door *door_find(const struct hostsides *all, const char *name)
{
    uint32_t key = key_of(all, name);

    for (struct hash_link *l = hash_first(&all->doors, key); l; l = l->next) {
        struct door *door = container_of(l, struct door, by_name);

        if (l->key == key && !strcmp(door->dir.name, name))
            return door;
    }
    return NULL;
}

const char *door_path(const struct hostside *host)
{
    return host->door ? host->door->dir.path : "";
}

static void close_door(struct door *door)
{
    struct hostside *host = door->host;

    if (host->door == door)
        host->door = NULL;
    list_remove(&door->link);
    hash_remove(&host->all->doors, &door->by_name);
    source_remove(&host->all->loop->poller, &door->listener);
    guest_dir_close(&door->dir, host->all->rundir);
    free(door);
}

static int open_door(struct hostside *host, const char *name, const struct settings_sockets *sockets, struct door **out, char *why)
{
    struct door *door = calloc(1, sizeof *door);
    int err;

    if (!door) {
        snprintf(why, RUNDIR_WHY, "out of memory");
        return -ENOMEM;
    }
    door->host = host;
    door->listener.fd = -1;
    list_init(&door->link);
    if ((err = guest_dir_open(&door->dir, host->all->rundir, name, sockets, why))) {
        free(door);
        return err;
    }
    hash_insert(&host->all->doors, &door->by_name, key_of(host->all, name));
    list_append(&host->doors, &door->link);
    if ((err = source_add(&host->all->loop->poller, &door->listener, door->dir.vsock.listen_fd, host->listens ? EPOLLIN : 0,
                          host->on_listener))) {
        snprintf(why, RUNDIR_WHY, "cannot watch the socket %.160s/vsock: %s", door->dir.path, strerror(-err));
        close_door(door);
        return err;
    }
    *out = door;
    return 0;
}

/* From now on whoever came in by the present door has come by an old one. */
static void leave_present(struct hostside *host)
{
    host->door = NULL;
    host->by_old_door += host->by_door;
    host->by_door = 0;
    host->door_mark = host->door_mark % (OLD - 1) + 1;
}

static void take_door(struct door *door, struct hostside *host)
{
    struct hostside *loser = door->host;

    if (loser == host)
        return;
    if (loser->door == door)
        leave_present(loser);
    list_remove(&door->link);
    list_append(&host->doors, &door->link);
    door->host = host;
    doors_listen(host);
}

int door_move(struct hostside *host, const char *name, const struct settings_sockets *sockets, char *why)
{
    struct door *door = door_find(host->all, name);
    int err;

    if (door)
        take_door(door, host);
    else if ((err = open_door(host, name, sockets, &door, why)))
        return err;
    if (host->door)
        leave_present(host);
    host->door = door;
    doors_tidy(host);
    return 0;
}

void doors_tidy(struct hostside *host)
{
    if (host->by_old_door)
        return;
    each_door(host, l)
        if (door_at(l) != host->door && !guest_dir_is_used(&door_at(l)->dir))
            close_door(door_at(l));
}

void doors_listen(struct hostside *host)
{
    each_door(host, l)
        source_change(&host->all->loop->poller, &door_at(l)->listener, host->listens ? EPOLLIN : 0);
}

void doors_close(struct hostside *host)
{
    each_door(host, l)
        close_door(door_at(l));
}

int doors_permit(struct hostside *host, const struct settings_sockets *sockets)
{
    int first = 0;

    each_door(host, l) {
        int err = guest_dir_permit(&door_at(l)->dir, sockets);

        first = first ? first : err;
    }
    return first;
}

uint16_t door_enter(const struct door *door)
{
    struct hostside *host = door->host;

    if (door != host->door) {
        host->by_old_door++;
        return OLD;
    }
    host->by_door++;
    return host->door_mark;
}

void door_leave(struct hostside *host, uint16_t mark)
{
    if (!mark)
        return;
    if (mark == host->door_mark)
        host->by_door--;
    else if (--host->by_old_door == 0)
        host->emptied(host);
}

/* Nobody is there: an older directory may have somebody. */
static bool is_nobody(int err)
{
    return err == -ENOENT || err == -ECONNREFUSED;
}

int doors_connect(const struct hostside *host, uint32_t port, const char *own, const char **dir, unsigned *wishes, char *why)
{
    int first = -ENOENT;

    *wishes = 0;
    *why = '\0';
    *dir = door_path(host);
    if (host->door && !is_nobody(first = guest_dir_connect(&host->door->dir, port, own, wishes, why)))
        return first;
    each_door(host, l) {
        int err = door_at(l) == host->door ? -ENOENT : guest_dir_connect(&door_at(l)->dir, port, own, wishes, why);

        *dir = door_at(l)->dir.path;
        if (!is_nobody(err))
            return err;
    }
    *why = '\0';
    return first;
}

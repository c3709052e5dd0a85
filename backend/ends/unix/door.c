/* SPDX-License-Identifier: MIT */
/* door.c: see door.h. */
#include "door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "hostsock.h"

#define OLD  0x8000u            /* the mark of one who came by an old door; below are those of the present one, in turn */

static struct door *door_at(struct list *l)
{
    return container_of(l, struct door, link);
}

static struct poller *poller_of(const struct hostside *host)
{
    return &host->all->loop->poller;
}

const char *door_path(const struct hostside *host)
{
    return host->door ? host->door->path : "";
}

struct door *door_find(const struct hostside *host, uint32_t number)
{
    for (struct list *l = host->doors.next; l != &host->doors; l = l->next)
        if (door_at(l)->number == number)
            return door_at(l);
    return NULL;
}

int door_open(struct hostside *host, uint32_t number, const char *name, const char *path, int fd)
{
    struct door *door = calloc(1, sizeof *door);
    int err = door ? 0 : -ENOMEM;

    if (!err)
        err = source_add(poller_of(host), &door->listener, fd, host->listens ? EPOLLIN : 0, host->on_listener);
    if (err) {
        close(fd);
        free(door);
        return err;
    }
    door->host = host;
    door->number = number;
    door->messages = hostsock_has_messages(fd);
    snprintf(door->name, sizeof door->name, "%s", name);
    snprintf(door->path, sizeof door->path, "%s", path);
    list_init(&door->link);
    list_append(&host->doors, &door->link);
    return 0;
}

void door_stand(struct door *door, uint32_t beside)
{
    door->beside = beside;
}

void door_lead(struct door *door, uint32_t port)
{
    door->is_channel = true;
    door->port = port;
}

void door_close(struct door *door)
{
    int fd = door->listener.fd;

    if (door->host->door == door)
        door->host->door = NULL;
    source_remove(poller_of(door->host), &door->listener);
    close(fd);
    list_remove(&door->link);
    free(door);
}

void doors_close(struct hostside *host)
{
    while (!list_is_empty(&host->doors))
        door_close(door_at(host->doors.next));
}

void doors_listen(struct hostside *host)
{
    for (struct list *l = host->doors.next; l != &host->doors; l = l->next)
        source_change(poller_of(host), &door_at(l)->listener, host->listens ? EPOLLIN : 0);
}

/* ---- who has come in ---- */

/* From now on whoever came in by the present door has come by an old one. */
static void leave_present(struct hostside *host)
{
    host->door = NULL;
    host->by_old_door += host->by_door;
    host->by_door = 0;
    host->door_mark = (uint16_t)(host->door_mark % (OLD - 1) + 1);
}

void door_move(struct door *door, struct hostside *host)
{
    if (door->host == host)
        return;
    if (door->host->door == door)
        leave_present(door->host);
    list_remove(&door->link);
    list_append(&host->doors, &door->link);
    door->host = host;
    doors_listen(host);
}

void door_choose(struct hostside *host, struct door *door)
{
    if (host->door && host->door != door)
        leave_present(host);
    host->door = door;
    host->all->old_used(host, host->by_old_door > 0);
}

/* One is as old as the door beside it. */
static bool is_present(const struct door *door)
{
    const struct door *present = door->host->door;

    return present && (door == present || door->beside == present->number);
}

uint16_t door_enter(const struct door *door)
{
    struct hostside *host = door->host;

    if (!is_present(door)) {
        if (host->by_old_door++ == 0)
            host->all->old_used(host, true);
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
        host->all->old_used(host, false);
}

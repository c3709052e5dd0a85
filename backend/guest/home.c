/* SPDX-License-Identifier: MIT */
/* home.c: see home.h. */
#include "home.h"

#include "cids.h"
#include "sidedir.h"
#include "sidedoors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define each_home(d, l) for (struct list *l = (d)->homes.next, *next = l->next; l != &(d)->homes; l = next, next = l->next)

static struct home *home_at(struct list *l)
{
    return container_of(l, struct home, link);
}

static uint32_t key_of(const struct registry *r, const char *name)
{
    uint64_t h = 0;

    for (; *name; name++)
        h = hash_fold(h ^ (unsigned char)*name ^ r->seed.word[0], r->seed.word[1]);
    return hash_words(&r->seed, h, 0, 0);
}

static struct home *find(const struct registry *r, const char *name)
{
    uint32_t key = key_of(r, name);

    for (struct hash_link *l = hash_first(&r->homes, key); l; l = l->next) {
        struct home *home = container_of(l, struct home, by_name);

        if (l->key == key && !strcmp(home->dir.name, name))
            return home;
    }
    return NULL;
}

const char *home_path(const struct device *d)
{
    return d->home ? d->home->dir.path : "";
}

/* ---- what the worker hears ---- */

/* Tells one of the two of it, with a descriptor of this if it is new to it.  0 or a negative errno. */
static int tell(struct wall *wall, const struct home *home, uint32_t number, int what)
{
    struct wall_msg m = { .kind = WALL_DOOR, .device = home->device->born, .door.door = number };
    int fd = -1;

    m.door.is_present = home == home->device->home && number == home->number;
    if (number == home->messages) {
        m.door.beside = home->number;
        m.door.port = WALL_LINES;
    }

    if (what >= 0 && (fd = fcntl(what, F_DUPFD_CLOEXEC, 0)) < 0)
        return -errno;
    snprintf(m.door.name, sizeof m.door.name, "%s", home->dir.name);
    snprintf(m.door.path, sizeof m.door.path, "%s", home->dir.path);
    wall_send(wall, &m, fd);
    return 0;
}

static int tell_worker(const struct home *home, bool is_new)
{
    struct wall *wall = home->device->r->wall;
    int err = tell(wall, home, home->number, is_new ? home->dir.vsock.listen_fd : -1);

    return err ? err : tell(wall, home, home->messages, is_new ? home->dir.messages.listen_fd : -1);
}

static int tell_dialer(const struct home *home, bool is_new)
{
    return tell(home->device->r->dialer, home, home->number, is_new ? home->dir.fd : -1);
}

static int tell_both(const struct home *home, bool is_new)
{
    int err = tell_worker(home, is_new);

    return err ? err : tell_dialer(home, is_new);
}

/* Both hear of it. */
static void say(const struct device *d, uint32_t kind, uint32_t number)
{
    const struct wall_msg m = { .kind = kind, .device = d->born, .number = number };

    wall_send(d->r->wall, &m, -1);
    wall_send(d->r->dialer, &m, -1);
}

static void tell_present(const struct device *d)
{
    say(d, WALL_PRESENT, d->home ? d->home->number : 0);
}

void homes_tell_dialer(struct device *d)
{
    each_home(d, l)
        if (tell_dialer(home_at(l), true))
            home_failed(d, home_at(l)->number);
    tell_present(d);
}

void homes_tell(struct device *d)
{
    each_home(d, l) {
        if (tell_worker(home_at(l), true))
            home_failed(d, home_at(l)->number);
        else
            sidedoors_tell(home_at(l), true);
    }
    tell_present(d);
}

/* ---- opening, closing ---- */

static void close_home(struct home *home)
{
    struct device *d = home->device;
    struct registry *r = d->r;

    sidedoors_close(home);
    wall_send(r->wall, &(struct wall_msg){ .kind = WALL_DOOR_SHUT, .device = d->born, .number = home->messages }, -1);
    say(d, WALL_DOOR_SHUT, home->number);
    if (d->home == home)
        d->home = NULL;
    list_remove(&home->link);
    hash_remove(&r->homes, &home->by_name);
    guest_dir_close(&home->dir, r->rundir);
    free(home);
}

static int open_home(struct device *d, const char *name, const struct settings_sockets *sockets, char *why)
{
    struct home *home = calloc(1, sizeof *home), *was = d->home;
    struct registry *r = d->r;
    int err;

    if (!home) {
        snprintf(why, RUNDIR_WHY, "out of memory");
        return -ENOMEM;
    }
    home->device = d;
    home->number = ++r->last_home;
    home->messages = ++r->last_home;
    home->side_fd = -1;
    list_init(&home->link);
    list_init(&home->sidedoors);
    if ((err = guest_dir_open(&home->dir, r->rundir, name, sockets, why))) {
        free(home);
        return err;
    }
    sidedir_forget(&home->dir);
    hash_insert(&r->homes, &home->by_name, key_of(r, name));
    list_append(&d->homes, &home->link);
    d->home = home;
    if ((err = tell_both(home, true))) {
        snprintf(why, RUNDIR_WHY, "cannot watch the sockets of %.160s: %s", home->dir.path, strerror(-err));
        close_home(home);
        d->home = was;
        tell_present(d);
    }
    return err;
}

void home_failed(struct device *d, uint32_t number)
{
    each_home(d, l) {
        if (home_at(l)->number == number || home_at(l)->messages == number)
            close_home(home_at(l));
        else
            sidedoor_failed(home_at(l), number);
    }
}

static void take_home(struct home *home, struct device *d)
{
    struct device *loser = home->device;

    d->home = home;
    if (loser == d)
        return;
    if (cid_owner(d->r, home->dir.cid) != d)
        guest_dir_link(&home->dir, d->r->rundir, 0);    /* a CID of the loser's, which leads to d from the next message on */
    if (loser->home == home) {
        loser->home = NULL;
        tell_present(loser);
    }
    list_remove(&home->link);
    list_append(&d->homes, &home->link);
    home->device = d;
    tell_both(home, false);
    sidedoors_tell(home, false);
}

int home_move(struct device *d, const char *name, const struct settings_sockets *sockets, char *why)
{
    struct home *home = find(d->r, name);
    bool had = d->home != NULL;
    int err;

    if (home)
        take_home(home, d);
    else if ((err = open_home(d, name, sockets, why)))
        return err;
    d->old_used |= had;         /* the worker says so if not */
    tell_present(d);
    return 0;
}

void homes_tidy(struct device *d)
{
    if (d->old_used)
        return;
    each_home(d, l)
        if (home_at(l) != d->home && !guest_dir_is_used(&home_at(l)->dir))
            close_home(home_at(l));
}

void homes_channels(struct device *d, const struct settings_channel *channels, size_t count, const struct settings_sockets *sockets)
{
    each_home(d, l)
        sidedoors_make(home_at(l), channels, home_at(l) == d->home ? count : 0, sockets);
}

void homes_close(struct device *d)
{
    each_home(d, l)
        close_home(home_at(l));
}

int homes_permit(struct device *d, const struct settings_sockets *sockets)
{
    int first = 0;

    each_home(d, l) {
        int err = guest_dir_permit(&home_at(l)->dir, sockets), side_err = sidedoors_permit(home_at(l), sockets);

        first = first ? first : err ? err : side_err;
    }
    return first;
}

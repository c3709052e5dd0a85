/* SPDX-License-Identifier: MIT */
/* sidedoors.c: see sidedoors.h. */
#include "sidedoors.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sidedir.h"

struct sidedoor {
    struct list link;
    struct settings_channel is;
    struct sockfile file;
    uint32_t number;            /* at the wall */
};

#define each_sidedoor(home, l) for (struct list *l = (home)->sidedoors.next, *next = l->next; l != &(home)->sidedoors; l = next, next = l->next)

static struct sidedoor *sidedoor_at(struct list *l)
{
    return container_of(l, struct sidedoor, link);
}

static int tell(const struct home *home, const struct sidedoor *s, bool is_new)
{
    struct wall_msg m = { .kind = WALL_DOOR, .device = home->device->born };
    int fd = -1;

    if (is_new && (fd = fcntl(s->file.listen_fd, F_DUPFD_CLOEXEC, 0)) < 0)
        return -errno;
    m.door.door = s->number;
    m.door.beside = home->number;
    m.door.port = s->is.port;
    snprintf(m.door.name, sizeof m.door.name, "%s", home->dir.name);
    snprintf(m.door.path, sizeof m.door.path, "%s", home->dir.path);
    wall_send(home->device->r->wall, &m, fd);
    return 0;
}

static void close_one(struct home *home, struct sidedoor *s)
{
    const struct wall_msg m = { .kind = WALL_DOOR_SHUT, .device = home->device->born, .number = s->number };

    wall_send(home->device->r->wall, &m, -1);
    sockfile_close(&s->file, home->side_fd, s->is.name);
    list_remove(&s->link);
    free(s);
}

static int open_one(struct home *home, const struct settings_channel *c, const struct settings_sockets *sockets)
{
    struct sidedoor *s = calloc(1, sizeof *s);
    int err = s ? 0 : -ENOMEM;

    if (!err && home->side_fd < 0)
        err = sidedir_open(&home->dir, &home->side_fd);
    if (!err)
        err = sidedir_listen(&home->dir, home->side_fd, c, sockets, &s->file);
    if (err) {
        free(s);
        return err;
    }
    s->is = *c;
    s->number = ++home->device->r->last_home;
    list_init(&s->link);
    list_append(&home->sidedoors, &s->link);
    if ((err = tell(home, s, true)))
        close_one(home, s);
    return err;
}

static bool is_wanted(const struct sidedoor *s, const struct settings_channel *channels, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(channels[i].name, s->is.name))
            return channels[i].port == s->is.port && channels[i].messages == s->is.messages;
    return false;
}

static bool is_there(struct home *home, const char *name)
{
    each_sidedoor(home, l)
        if (!strcmp(sidedoor_at(l)->is.name, name))
            return true;
    return false;
}

/* Once, and again when it is another one. */
static void say_failed(struct home *home, const char *name, int err)
{
    char why[RUNDIR_WHY];

    snprintf(why, sizeof why, "cannot make the channel %.80s/channel/%.64s: %s", home->dir.path, name, strerror(-err));
    if (strcmp(why, home->side_error))
        journal_guest(&home->device->journal, JOURNAL_WARNING, "%s", why);
    memcpy(home->side_error, why, sizeof why);
}

void sidedoors_make(struct home *home, const struct settings_channel *channels, size_t count, const struct settings_sockets *sockets)
{
    bool failed = false;
    int err;

    each_sidedoor(home, l)
        if (!is_wanted(sidedoor_at(l), channels, count))
            close_one(home, sidedoor_at(l));
    for (size_t i = 0; i < count; i++)
        if (!is_there(home, channels[i].name) && (err = open_one(home, &channels[i], sockets))) {
            if (!failed)
                say_failed(home, channels[i].name, err);
            failed = true;
        }
    if (!failed)
        *home->side_error = '\0';
    if (list_is_empty(&home->sidedoors)) {
        sidedir_close(&home->dir, home->side_fd);
        home->side_fd = -1;
    }
}

int sidedoors_permit(struct home *home, const struct settings_sockets *sockets)
{
    struct access access = { sockets->mode, sockets->user, sockets->group };
    int first = 0;

    each_sidedoor(home, l) {
        int err = access_set(sidedoor_at(l)->file.name_fd, &access);

        first = first ? first : err;
    }
    return first;
}

void sidedoors_tell(struct home *home, bool is_new)
{
    each_sidedoor(home, l)
        if (tell(home, sidedoor_at(l), is_new))
            close_one(home, sidedoor_at(l));
}

void sidedoor_failed(struct home *home, uint32_t number)
{
    each_sidedoor(home, l)
        if (sidedoor_at(l)->number == number)
            close_one(home, sidedoor_at(l));
}

void sidedoors_close(struct home *home)
{
    static const struct settings_sockets none;

    sidedoors_make(home, NULL, 0, &none);
}

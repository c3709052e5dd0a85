/* SPDX-License-Identifier: MIT */
/* target.c: see target.h. */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int look(const char *path, enum land_kind *kind)
{
    struct stat st;

    *kind = LAND_NOTHING;
    if (stat(path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    *kind = S_ISDIR(st.st_mode) ? LAND_DIRECTORY : LAND_FILE;
    return 0;
}

/* The directory and what is above it, as far as they are missing. */
static int make_directories(char *path)
{
    for (char *at = path + 1; ; at++) {
        char was = *at;

        if (was && was != '/')
            continue;
        *at = '\0';
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            return -errno;
        *at = was;
        if (!was)
            return 0;
    }
}

static int open_root(const char *path, bool make, struct spot *s)
{
    int n = snprintf(s->shown, sizeof s->shown, "%s", path), err;

    if (n >= (int)sizeof s->shown)
        return -ENAMETOOLONG;
    if (make && (err = make_directories(s->shown)))
        return err;
    s->root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    return s->root < 0 ? -errno : 0;
}

/* The directory that holds path, and its last component. */
static int open_above(const char *path, bool make, struct spot *s)
{
    size_t len, before;
    const char *name = land_name(path, &len);
    char above[NAME_ROOM];
    int err;

    if (!len)
        return -ENOENT;         /* "." or "/" that is not there */
    if (len > NAME_PART || (before = (size_t)(name - path)) >= sizeof above)
        return -ENAMETOOLONG;
    memcpy(s->as, name, len);
    s->as[len] = '\0';
    memcpy(above, path, before);
    while (before > 1 && above[before - 1] == '/')
        before--;
    above[before] = '\0';
    err = open_root(before ? above : ".", make && before, s);
    if (!before)
        s->shown[0] = '\0';
    return err;
}

int target_find(const struct target *t, enum land_kind kind, const char *name, struct spot *s, char *why, size_t room)
{
    size_t end = strlen(t->path), len;
    struct land_question q = { .source = kind, .many = t->many, .parents = t->parents };
    struct landing l;
    int err;

    memset(s, 0, sizeof *s);
    s->root = -1;
    land_name(t->path, &len);
    q.slash = !len || t->path[end - 1] == '/';
    if ((err = look(t->path, &q.target))) {
        snprintf(why, room, "%s: %s", t->path, strerror(-err));
        return err;
    }
    l = land(&q);
    switch (l.where) {
    case LAND_AT:
        err = open_above(t->path, t->parents, s);
        break;
    case LAND_IN:
    case LAND_OVER:
        snprintf(s->as, sizeof s->as, "%s", l.where == LAND_IN ? name : "");
        err = open_root(t->path, l.make, s);
        break;
    case LAND_ABSENT:
        snprintf(why, room, "%s: there is no such directory; -p makes it", t->path);
        return -ENOENT;
    case LAND_NO_DIRECTORY:
        snprintf(why, room, "%s: it is no directory", t->path);
        return -ENOTDIR;
    case LAND_ONTO_FILE:
        snprintf(why, room, "%s: a directory cannot take the place of a file", t->path);
        return -EEXIST;
    }
    if (err == -ENOENT)
        snprintf(why, room, "%s: the directory that is to hold it does not exist; -p makes it", t->path);
    else if (err)
        snprintf(why, room, "%s: %s", t->path, strerror(-err));
    return err;
}

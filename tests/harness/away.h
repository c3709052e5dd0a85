/* SPDX-License-Identifier: MIT */
/* away.h: whether a name in a directory was away, if only for a moment. */
#ifndef XVS_TEST_AWAY_H
#define XVS_TEST_AWAY_H

#include <stdbool.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

/* From now on: a descriptor, or -1. */
static inline int away_watch(const char *directory)
{
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

    if (fd >= 0 && inotify_add_watch(fd, directory, IN_DELETE | IN_MOVED_FROM) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* True if the name has been removed, or given to nobody, since the last call.  What is put in its place at once is no matter. */
static inline bool away_was(int fd, const char *name)
{
    char events[8192] __attribute__((aligned(__alignof__(struct inotify_event))));
    bool away = false;
    ssize_t n;

    while ((n = read(fd, events, sizeof events)) > 0)
        for (ssize_t at = 0; at < n;) {
            const struct inotify_event *e = (const void *)(events + at);

            away |= e->len && !strcmp(e->name, name);
            at += (ssize_t)(sizeof *e + e->len);
        }
    return away;
}

#endif

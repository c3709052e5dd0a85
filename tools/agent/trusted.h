/* SPDX-License-Identifier: MIT */
/* trusted.h: whether a file says what the administrator has said: it is root's (or ours, if we are somebody else), and nobody
 * else can write it. */
#ifndef XVS_TRUSTED_H
#define XVS_TRUSTED_H

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

static inline bool trusted(const struct stat *st)
{
    return (st->st_uid == 0 || st->st_uid == geteuid()) && !(st->st_mode & (S_IWGRP | S_IWOTH));
}

/* 0, -EPERM, or another negative errno. */
static inline int trusted_fd(int fd)
{
    struct stat st;

    return fstat(fd, &st) < 0 ? -errno : trusted(&st) ? 0 : -EPERM;
}

#endif

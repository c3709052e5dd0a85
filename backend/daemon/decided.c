/* SPDX-License-Identifier: MIT */
/* decided.c: see decided.h. */
#include "decided.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "policy_dir.h"

/* A copy of a file, which nobody changes; a negative errno. */
static int copy_of(const char *path)
{
    int from = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY), to, err = 0;
    char bytes[4096];
    ssize_t n;

    if (from < 0)
        return -errno;
    if ((to = memfd_create("settings", MFD_CLOEXEC)) < 0)
        err = -errno;
    while (!err && (n = read(from, bytes, sizeof bytes)))
        if (n < 0 ? errno != EINTR : write(to, bytes, (size_t)n) != n)
            err = n < 0 ? -errno : -EIO;
    close(from);
    if (err && to >= 0)
        close(to);
    return err ? err : to;
}

int decided_again(int fd)
{
    char path[40];

    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

void decided_drop(struct decided *d)
{
    settings_free(d->settings);
    if (d->settings_fd >= 0)
        close(d->settings_fd);
    if (d->policy_fd >= 0)
        close(d->policy_fd);
}

/* Of what is read here the worker reads a copy, whatever happens to the file.  0 or a negative errno with why. */
static int read_settings(const struct options *o, struct decided *d, char *why)
{
    int fd = copy_of(o->config), ours;

    if (fd == -ENOENT && !o->config_given) {
        snprintf(why, SETTINGS_WHY, "out of memory");
        return (d->settings = settings_default()) ? 0 : -ENOMEM;
    }
    ours = fd < 0 ? fd : decided_again(fd);
    d->settings_fd = fd < 0 ? -1 : fd;
    if (ours < 0) {
        snprintf(why, SETTINGS_WHY, "cannot read %.300s: %s", o->config, strerror(-ours));
        return ours;
    }
    return settings_read(ours, o->config, true, &d->settings, why);
}

/* Beside the settings, if these do not say where. */
static void find_policies(const struct options *o, struct decided *d)
{
    const char *slash = strrchr(o->config, '/');

    if (d->settings->policy_dir)
        snprintf(d->dir, sizeof d->dir, "%s", d->settings->policy_dir);
    else
        snprintf(d->dir, sizeof d->dir, "%.*spolicy.d", slash ? (int)(slash + 1 - o->config) : 0, o->config);
}

/* A file of these bytes; a negative errno. */
static int file_of(const struct policy_pack *pack)
{
    int fd = memfd_create("policy", MFD_CLOEXEC), err = 0;
    size_t at = 0;
    ssize_t n;

    if (fd < 0)
        return -errno;
    while (!err && at < pack->len)
        if ((n = write(fd, pack->bytes + at, pack->len - at)) >= 0)
            at += (size_t)n;
        else if (errno != EINTR)
            err = -errno;
    if (err)
        close(fd);
    return err ? err : fd;
}

static int read_policy(const struct options *o, struct decided *d, char *why)
{
    struct policy_pack pack = { 0 };
    struct policy *policy = NULL;
    int err;

    find_policies(o, d);
    if ((err = policy_load(d->dir, d->settings->policy_dir, d->settings, &pack, &policy, why)))
        return err;
    d->lines = policy->count;
    d->built_in = policy_is_built_in(policy);
    policy_free(policy);
    if ((d->policy_fd = file_of(&pack)) < 0) {
        err = d->policy_fd;
        snprintf(why, SETTINGS_WHY, "cannot keep a copy of the policy: %s", strerror(-err));
    }
    policy_pack_free(&pack);
    return err;
}

int decided_read(const struct options *o, struct decided *d, char *why)
{
    int err;

    *d = (struct decided){ .settings_fd = -1, .policy_fd = -1 };
    if ((err = read_settings(o, d, why)) || (err = read_policy(o, d, why)))
        decided_drop(d);
    return err;
}

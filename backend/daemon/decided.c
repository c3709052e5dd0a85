/* SPDX-License-Identifier: MIT */
/* decided.c: see decided.h. */
#include "decided.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "journal.h"
#include "policy_dir.h"
#include "settings_files.h"

/* A file of these bytes, which nobody changes; a negative errno. */
static int file_of(const char *name, const char *bytes, size_t len)
{
    int fd = memfd_create(name, MFD_CLOEXEC), err = 0;
    size_t at = 0;
    ssize_t n;

    if (fd < 0)
        return -errno;
    while (!err && at < len)
        if ((n = write(fd, bytes + at, len - at)) >= 0)
            at += (size_t)n;
        else if (errno != EINTR)
            err = -errno;
    if (err)
        close(fd);
    return err ? err : fd;
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

/* Of what is read here the worker reads a copy, whatever happens to the files.  0 or a negative errno. */
static int keep_settings(struct decided *d, const struct conf_texts *texts)
{
    size_t len;
    char *bytes;

    d->files = texts->count - 1;        /* one names ports */
    if (!(bytes = settings_pack(texts, &len)))
        return -ENOMEM;
    d->settings_fd = file_of("settings", bytes, len);
    free(bytes);
    return d->settings_fd < 0 ? d->settings_fd : 0;
}

static int read_settings(const struct options *o, struct decided *d, struct complaints *c)
{
    struct conf_texts texts = { 0 };
    int err = settings_load(o->config, o->config_given, &d->settings, &texts, c);

    if (!err && (err = keep_settings(d, &texts)))
        complain(c, "cannot keep a copy of the settings: %s", strerror(-err));
    conf_texts_free(&texts);
    return err;
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

static int read_policy(const struct options *o, struct decided *d, struct complaints *c)
{
    struct policy_pack pack = { 0 };
    struct policy *policy = NULL;
    int err;

    find_policies(o, d);
    if ((err = policy_load(d->dir, d->settings->policy_dir, d->settings, &pack, &policy, c)))
        return err;
    d->lines = policy->count;
    d->built_in = policy_is_built_in(policy);
    policy_free(policy);
    if ((d->policy_fd = file_of("policy", pack.bytes, pack.len)) < 0) {
        err = d->policy_fd;
        complain(c, "cannot keep a copy of the policy: %s", strerror(-err));
    }
    policy_pack_free(&pack);
    return err;
}

int decided_read(const struct options *o, struct decided *d, struct complaints *c)
{
    int err, policy_err = 0;

    *d = (struct decided){ .settings_fd = -1, .policy_fd = -1 };
    err = read_settings(o, d, c);
    /* The policy is judged by what could be read of the settings, so that all is said at once. */
    if (d->settings)
        policy_err = read_policy(o, d, c);
    err = err ? err : policy_err;
    if (err)
        decided_drop(d);
    return err;
}

static void say_error(const char *line, void *arg)
{
    (void)arg;
    journal(JOURNAL_ERROR, "%s", line);
}

void decided_say(struct complaints *c)
{
    complaints_tell(c, say_error, NULL);
    complaints_free(c);
}

/* SPDX-License-Identifier: MIT */
/* claim.c: see claim.h. */
#include "claim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "paths.h"

struct claim {
    uint32_t self;
    const struct rundir *rundir;        /* NULL: to look only */
    char *why;
};

static void path_of(uint32_t self, char *path)
{
    snprintf(path, PATHS_MAX, "/local/domain/%u/data/xvsd", self);
}

/* What we write: the directory by its real path, as the other may have another folder to begin from. */
static void text_of(const struct rundir *r, char *text, size_t size)
{
    char link[32], path[RUNDIR_PATH];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/self/fd/%d", r->fd);
    n = readlink(link, path, sizeof path);
    snprintf(text, size, "%d %.*s", (int)getpid(), n > 0 ? (int)n : 0, path);
}

/* A last resort, where the run directory was removed under its daemon: is there a process of that number and our
 * name? */
static bool is_running(long pid)
{
    char path[40], text[128] = "", name[17], ours[17] = "", state = 'Z';
    FILE *f;

    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    if (!(f = fopen(path, "re")))
        return false;
    if (fgets(text, sizeof text, f))
        sscanf(text, "%*d (%16[^)]) %c", name, &state);
    fclose(f);
    prctl(PR_GET_NAME, ours);
    return state != 'Z' && state != 'X' && !strcmp(name, ours);
}

/* *pid: as the node has it; if the lock's file has another, that is the living one. */
static bool lives(long *pid, const char *dir, const struct rundir *r)
{
    long holder;

    switch (rundir_is_in_use(dir, r, &holder)) {
    case 0:  return false;
    case 1:  *pid = holder ? holder : *pid; return true;
    default: return *pid != getpid() && is_running(*pid);
    }
}

/* -EBUSY if the claim that stands there is another's who lives. */
static int look(struct store *s, const struct claim *c, char *text, size_t size)
{
    char path[PATHS_MAX], *dir;
    long pid;

    path_of(c->self, path);
    if (store_read(s, path, text, size) < 0 || !(dir = strchr(text, ' ')))
        return 0;
    pid = strtol(text, NULL, 10);
    if (!lives(&pid, dir + 1, c->rundir))
        return 0;
    snprintf(c->why, CLAIM_WHY, "another xvsd (pid %ld) serves this host's guests, in %.160s; stop it first", pid, dir + 1);
    return -EBUSY;
}

static int take(struct store *s, void *arg)
{
    const struct claim *c = arg;
    char old[STORE_VALUE] = "", text[RUNDIR_PATH + 16], path[PATHS_MAX];
    int err = look(s, c, old, sizeof old);

    text_of(c->rundir, text, sizeof text);
    if (err || !strcmp(old, text))
        return err;
    path_of(c->self, path);
    if (!(err = store_write(s, path, text)))
        err = store_permit(s, path, c->self, c->self);
    return err;
}

int claim_check(struct store *s, uint32_t self, char *why)
{
    struct claim c = { self, NULL, why };
    char text[STORE_VALUE];

    return look(s, &c, text, sizeof text);
}

int claim_take(struct store *s, uint32_t self, const struct rundir *r, char *why)
{
    struct claim c = { self, r, why };
    int err;

    *why = '\0';
    err = store_transact(s, take, &c);
    if (err && !*why)
        snprintf(why, CLAIM_WHY, "cannot write to xenstore that we serve this host's guests: %s", strerror(-err));
    return err;
}

void claim_drop(struct store *s, uint32_t self, const struct rundir *r)
{
    char old[STORE_VALUE], text[RUNDIR_PATH + 16], path[PATHS_MAX];

    path_of(self, path);
    if (store_read(s, path, old, sizeof old) < 0)
        return;
    text_of(r, text, sizeof text);
    if (!strcmp(old, text))
        store_remove(s, path);
}

/* SPDX-License-Identifier: MIT */
/* services.c: see services.h. */
#include "services.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "functions.h"
#include "say.h"
#include "trusted.h"

#define TCP_LINK "/dev/tcp/"

static int wrong(char *why, int err, const char *format, const char *name)
{
    snprintf(why, CALL_WHY, format, name);
    return err;
}

/* ---- sockets ---- */

static int as_socket(struct service *s, int err)
{
    s->kind = SERVICE_SOCKET;
    return err;
}

/* ---- files ---- */

static int open_dir(const char *dir)
{
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err;

    if (fd < 0)
        return -errno;
    if (!(err = trusted_fd(fd)))
        return fd;
    close(fd);
    return err;
}

static int find_file(const char *dir, const char *name, struct service *s, char *why)
{
    int dirfd = open_dir(dir), err;
    char link[SERVICES_TARGET];
    struct stat st, real;
    ssize_t len = 0;

    if (dirfd == -EPERM)
        return wrong(why, dirfd, "others than root can write %.100s", dir);
    if (dirfd < 0)
        return wrong(why, -ENOENT, "there is no such service%s", "");
    err = fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ? -errno : 0;
    if (!err && S_ISLNK(st.st_mode) && (len = readlinkat(dirfd, name, link, sizeof link - 1)) < 0)
        err = -errno;
    link[len > 0 ? len : 0] = '\0';
    if (!err && strncmp(link, TCP_LINK, strlen(TCP_LINK)) != 0 && fstatat(dirfd, name, &real, 0) < 0)
        err = -errno;
    close(dirfd);
    if (err)
        return wrong(why, -ENOENT, S_ISLNK(st.st_mode) && err != -ENOENT ? "its file cannot be read%s" : "there is no such service%s", "");
    if (!S_ISLNK(st.st_mode) && !S_ISSOCK(st.st_mode) && !trusted(&st))
        return wrong(why, -EPERM, "its file is not root's, or others can write it%s", "");
    if (strncmp(link, TCP_LINK, strlen(TCP_LINK)) == 0)
        return as_socket(s, destination_tcp(link + strlen(TCP_LINK), '/', &s->target, why));
    if ((size_t)snprintf(s->path, sizeof s->path, "%s/%s", dir, name) >= sizeof s->path)
        return wrong(why, -ENAMETOOLONG, "its path is too long%s", "");
    if (S_ISSOCK(real.st_mode))
        return as_socket(s, destination_unix(s->path, &s->target, why));
    if (!S_ISREG(real.st_mode) || !trusted(&real))
        return wrong(why, -EPERM, "what it leads to is no program of root's, or others can write it%s", "");
    if (!(real.st_mode & 0111))
        return wrong(why, -EACCES, "its file is not executable%s", "");
    s->kind = SERVICE_PROGRAM;
    return 0;
}

/* ---- all of them ---- */

static const char *const builtin[] = { "exec", "HELP", NULL };

int services_find(const char *dir, const struct call *c, struct service *s, char why[CALL_WHY])
{
    const char *name = c->request.name, *absent;
    const struct function *f;

    memset(s, 0, sizeof *s);
    if (strcmp(name, "exec") == 0)
        s->kind = SERVICE_EXEC;
    else if (strcmp(name, "HELP") == 0)
        s->kind = SERVICE_HELP;
    else if (c->settings && c->settings->connect[0])
        return as_socket(s, destination_read(c->settings->connect, &s->target, why));
    else if (!(f = function_find(name)))
        return find_file(dir, name, s, why);
    else if (f->absent && (absent = f->absent()))
        return wrong(why, -ENOENT, "%s", absent);
    else
        s->kind = SERVICE_FUNCTION;
    return 0;
}

struct text {
    char *bytes;
    size_t len;
    bool failed;
};

static void add(struct text *t, const struct conf *conf, uint64_t cid, const char *name)
{
    char *more;

    if (t->failed || !conf_allows(conf_find(conf, name), cid))
        return;
    if (!(more = realloc(t->bytes, t->len + strlen(name) + 3))) {
        t->failed = true;
        return;
    }
    t->bytes = more;
    t->len += (size_t)sprintf(more + t->len, "%s\r\n", name);
}

static bool is_builtin(const char *name)
{
    for (const char *const *at = builtin; *at; at++)
        if (strcmp(*at, name) == 0)
            return true;
    return function_find(name) != NULL;
}

char *services_list(const char *dir, const struct conf *conf, uint64_t cid, size_t *len)
{
    struct text t = { 0 };
    int fd = open_dir(dir);
    DIR *files = fd < 0 ? NULL : fdopendir(fd);
    struct dirent *entry;

    for (const char *const *at = builtin; *at; at++)
        add(&t, conf, cid, *at);
    for (const struct function *f = functions; f->name; f++)
        add(&t, conf, cid, f->name);
    for (size_t i = 0; i < conf->count; i++)
        if (conf->services[i].connect[0] && !is_builtin(conf->services[i].name))
            add(&t, conf, cid, conf->services[i].name);
    while (files && (entry = readdir(files))) {
        const struct conf_service *s = conf_find(conf, entry->d_name);

        if (tcpmux_name_is_good(entry->d_name) && !is_builtin(entry->d_name) && !(s && s->connect[0]))
            add(&t, conf, cid, entry->d_name);
    }
    if (files)
        closedir(files);
    else if (fd >= 0)
        close(fd);
    if (t.failed) {
        free(t.bytes);
        return NULL;
    }
    *len = t.len;
    return t.bytes ? t.bytes : calloc(1, 1);
}

/* SPDX-License-Identifier: MIT */
/* confdir.c: see confdir.h. */
#include "confdir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- names ---- */

struct names {
    char **name;
    size_t count;
};

static bool is_one(const char *name, const char *ends)
{
    size_t len = strlen(name), end = strlen(ends);

    return *name != '.' && len > end && !strcmp(name + len - end, ends);
}

/* It is shown, to people and as JSON. */
static bool is_printable(const char *name)
{
    for (; *name; name++)
        if (*name < ' ' || *name > '~')
            return false;
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(struct names *n)
{
    for (size_t i = 0; i < n->count; i++)
        free(n->name[i]);
    free(n->name);
}

/* 0, or a negative errno. */
static int list_names(DIR *dir, const char *ends, struct names *n)
{
    const struct dirent *entry;

    while (errno = 0, (entry = readdir(dir))) {
        char **more;

        if (!is_one(entry->d_name, ends))
            continue;
        if (!(more = reallocarray(n->name, n->count + 1, sizeof *more)))
            return -ENOMEM;
        n->name = more;
        if (!(more[n->count] = strdup(entry->d_name)))
            return -ENOMEM;
        n->count++;
    }
    if (n->count)
        qsort(n->name, n->count, sizeof *n->name, by_name);
    return -errno;
}

/* ---- texts ---- */

int conf_text_add(struct conf_texts *to, const char *path, const char *text, size_t len)
{
    struct conf_text *more = reallocarray(to->files, to->count + 1, sizeof *more);

    if (!more)
        return -ENOMEM;
    to->files = more;
    more += to->count;
    if (!(more->text = malloc(len + 1)))
        return -ENOMEM;
    memcpy(more->text, text, len);
    more->text[len] = '\0';
    more->len = len;
    more->is_ports = false;
    snprintf(more->path, sizeof more->path, "%s", path);
    to->bytes += len;
    to->count++;
    return 0;
}

void conf_texts_free(struct conf_texts *t)
{
    for (size_t i = 0; i < t->count; i++)
        free(t->files[i].text);
    free(t->files);
    *t = (struct conf_texts){ 0 };
}

/* ---- reading ---- */

/* 0, -EFBIG for more than 'most', or another negative errno; *text is the caller's in any case. */
static int read_bytes(int fd, size_t most, char **text, size_t *len)
{
    size_t room = 0;

    for (;;) {
        ssize_t n;

        if (room - *len < 4096) {
            char *more = realloc(*text, room = 2 * room + 8192);

            if (!more)
                return -ENOMEM;
            *text = more;
        }
        if ((n = read(fd, *text + *len, room - *len)) < 0 && errno != EINTR)
            return -errno;
        if (!n)
            return 0;
        if (n > 0 && (*len += (size_t)n) > most)
            return -EFBIG;
    }
}

/* Somebody else than root and we could have written it. */
static bool is_others(const struct stat *st)
{
    return (st->st_uid && st->st_uid != geteuid()) || st->st_mode & 02;
}

static int complain_others(const struct stat *st, const char *path, struct complaints *c)
{
    if (st->st_mode & 02)
        complain(c, "%.300s: everybody may write it (mode %04o), and we obey it as root: chmod o-w", path, st->st_mode & 07777);
    else
        complain(c, "%.300s: it belongs to user %u, and we obey it as root: chown root", path, st->st_uid);
    return -EINVAL;
}

int conf_fd_read(int fd, size_t most, const char *path, struct conf_texts *to, struct complaints *c)
{
    char *text = NULL;
    size_t len = 0;
    int err = fd < 0 ? fd : read_bytes(fd, most, &text, &len);

    if (!err)
        err = conf_text_add(to, path, text, len);
    else if (err == -EFBIG)
        complain(c, "%.300s: such files have at most %u bytes together", path, CONFDIR_BYTES);
    else if (err != -ENOMEM)
        complain(c, "cannot read %.300s: %s", path, strerror(-err));
    free(text);
    if (fd >= 0)
        close(fd);
    return !err || err == -ENOMEM ? err : -EINVAL;
}

static int read_all(int fd, const char *path, struct conf_texts *to, struct complaints *c)
{
    return conf_fd_read(fd, CONFDIR_BYTES - to->bytes, path, to, c);
}

/* One that lies there, whoever has put it there. */
static int read_found(int dir, const char *name, const char *path, struct conf_texts *to, struct complaints *c)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err = fd < 0 ? -errno : 0;
    struct stat st;

    if (err == -ENOENT && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) && errno == ENOENT)
        return 0;               /* it has gone since the directory was read; a link to nothing has not */
    if (!err && fstat(fd, &st)) {
        err = -errno;
        close(fd);
    }
    if (err)
        return read_all(err, path, to, c);
    if (!S_ISREG(st.st_mode) || !is_printable(name))
        complain(c, "%.300s: it is to be a regular file, with a name of printable ASCII characters", path);
    else if (is_others(&st))
        complain_others(&st, path, c);
    else
        return read_all(fd, path, to, c);
    close(fd);
    return -EINVAL;
}

static int read_named(DIR *dir, const char *path, const struct names *names, struct conf_texts *to, struct complaints *c)
{
    int first = 0;

    for (size_t i = 0; i < names->count; i++) {
        char file[CONFDIR_PATH];
        int err;

        snprintf(file, sizeof file, "%.300s/%s", path, names->name[i]);
        err = read_found(dirfd(dir), names->name[i], file, to, c);
        if (err == -ENOMEM)
            return err;
        first = first ? first : err;
    }
    return first;
}

int conf_dir_read(const char *path, const char *ends, struct conf_texts *to, struct complaints *c)
{
    DIR *dir = opendir(path);
    struct names names = { 0 };
    struct stat st;
    int err;

    if (!dir && errno == ENOENT)
        return -ENOENT;
    err = !dir || fstat(dirfd(dir), &st) ? -errno : 0;
    if (!err && is_others(&st))
        err = complain_others(&st, path, c);
    else if (err || (err = list_names(dir, ends, &names)))
        complain(c, "cannot read %.300s: %s", path, strerror(-err));
    else
        err = read_named(dir, path, &names, to, c);
    free_names(&names);
    if (dir)
        closedir(dir);
    return err == -ENOMEM || !err ? err : -EINVAL;
}

int conf_file_read(const char *path, struct conf_texts *to, struct complaints *c)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

    if (fd < 0 && errno == ENOENT)
        return -ENOENT;
    return read_all(fd < 0 ? -errno : fd, path, to, c);
}

/* SPDX-License-Identifier: MIT */
/* pack.c: see pack.h.  Directories are walked by descriptors, so nobody who moves them about leads us elsewhere, and no path is too long. */
#include "pack.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "extents.h"
#include "land.h"
#include "lib.h"
#include "said.h"
#include "sum.h"

#define PIECE (256u << 10)
#define NOTHING ((size_t)16 << 20)      /* bytes of a hole that libarchive is shown at a time */

struct pack {
    struct wire *wire;
    struct report *report;
    struct pack_options options;
    struct archive *archive;
    struct archive_entry *entry;
    struct archive_entry_linkresolver *links;
    struct sum *sum;
    uint8_t *piece;
    void *nothing;              /* never written, so it costs an address and no memory */
    uint64_t entries;
    char *path;                 /* what we are at, as the caller named it; in the archive from 'base' on */
    size_t len, room, base;
};

/* Whom a directory is in: links that are followed may lead back. */
struct above {
    const struct above *up;
    dev_t device;
    ino_t inode;
};

static void tell(struct pack *p, const char *why)
{
    report_problem(p->report, p->path, why);
}

/* ---- the path ---- */

static int path_push(struct pack *p, const char *name, size_t *before)
{
    size_t n = strlen(name);

    *before = p->len;
    if (p->len + n + 2 > p->room) {
        size_t room = 2 * (p->len + n + 2);
        char *bigger = realloc(p->path, room);

        if (!bigger)
            return -ENOMEM;
        p->path = bigger;
        p->room = room;
    }
    if (p->len)
        p->path[p->len++] = '/';
    memcpy(p->path + p->len, name, n + 1);
    p->len += n;
    return 0;
}

static void path_pop(struct pack *p, size_t before)
{
    p->len = before;
    p->path[before] = '\0';
}

static bool ends_with_dot(const struct pack *p)
{
    return p->len && p->path[p->len - 1] == '.' && (p->len == 1 || p->path[p->len - 2] == '/');
}

/* "/srv/www/" is www in the archive; "/srv/www/.", "/" and ".." are ".". */
static int path_begin(struct pack *p, const char *path, char name[NAME_PART + 1])
{
    size_t len, end = strlen(path), before;
    const char *last = land_name(path, &len);
    int err;

    if (len > NAME_PART)
        return -ENAMETOOLONG;
    memcpy(name, last, len);
    name[len] = '\0';
    while (end && path[end - 1] == '/')
        end--;
    p->len = 0;
    if ((err = path_push(p, path, &before)))
        return err;
    path_pop(p, end);
    if (!len && !ends_with_dot(p) && (err = path_push(p, end ? "." : "/.", &before)))
        return err;
    p->base = p->len - (len ? len : 1);
    return 0;
}

/* ---- an entry ---- */

static ssize_t to_wire(struct archive *a, void *arg, const void *bytes, size_t len)
{
    struct pack *p = arg;

    if (wire_data(p->wire, bytes, len)) {
        lib.archive_set_error(a, EIO, "the stream");
        return -1;
    }
    return (ssize_t)len;
}

/* The wire's error if it has one; what libarchive finds wrong with an entry by itself is this entry's problem alone. */
static int result(struct pack *p, int ret)
{
    const char *why;

    if (p->wire->err)
        return p->wire->err;
    if (ret == ARCHIVE_OK || ret == ARCHIVE_WARN)
        return 0;
    why = lib.archive_error_string(p->archive);
    tell(p, why ? why : "the archive cannot hold it");
    return ret == ARCHIVE_FATAL ? -EIO : 1;
}

/* The entry as it will be; true if it is a hard link to one that was there before. */
static bool describe(struct pack *p, const struct stat *st)
{
    struct archive_entry *e = p->entry, *spare = NULL;

    lib.archive_entry_copy_pathname(e, p->path + p->base);
    lib.archive_entry_copy_stat(e, st);
    lib.archive_entry_unset_atime(e);
    lib.archive_entry_unset_ctime(e);
    if (!S_ISREG(st->st_mode))
        lib.archive_entry_set_size(e, 0);
    else if (st->st_nlink > 1)
        lib.archive_entry_linkify(p->links, &e, &spare);
    return lib.archive_entry_hardlink(p->entry) != NULL;
}

/* 0, 1: this one is left out, or an error. */
static int header(struct pack *p)
{
    int err = result(p, lib.archive_write_header(p->archive, p->entry));

    if (err == 1)
        lib.archive_entry_clear(p->entry);
    return err;
}

/* An entry that has no content, or has had it; as header(). */
static int finish(struct pack *p)
{
    int err = result(p, lib.archive_write_finish_entry(p->archive));

    lib.archive_entry_clear(p->entry);
    p->entries++;
    return err;
}

/* One without content. */
static int bare(struct pack *p, uint64_t *count)
{
    int err = header(p);

    if (!err && !(err = finish(p)))
        ++*count;
    return err;
}

/* ---- a file's content ---- */

static int skip_hole(struct pack *p, uint64_t len)
{
    int err = 0;

    while (!err && len) {
        size_t n = len < NOTHING ? (size_t)len : NOTHING;

        err = result(p, lib.archive_write_data(p->archive, p->nothing, n) == (ssize_t)n ? ARCHIVE_OK : ARCHIVE_FATAL);
        len -= n;
    }
    return err;
}

/* 0; 1: it cannot be read to its end, with why; or an error. */
static int data(struct pack *p, int fd, uint64_t at, uint64_t end, const char **why)
{
    int err = 0;

    while (!err && at < end) {
        size_t want = end - at < PIECE ? (size_t)(end - at) : PIECE;
        ssize_t n = pread(fd, p->piece, want, (off_t)at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            *why = n ? strerror(errno) : "it became shorter while it was read";
            return 1;
        }
        if (p->options.sums)
            sum_add(p->sum, at, p->piece, (size_t)n);
        err = result(p, lib.archive_write_data(p->archive, p->piece, (size_t)n) == n ? ARCHIVE_OK : ARCHIVE_FATAL);
        p->report->bytes += (uint64_t)n;
        at += (uint64_t)n;
    }
    return err;
}

static int content(struct pack *p, int fd, uint64_t size, const struct extents *x, const char **why)
{
    uint64_t at = 0;
    int err = 0;

    if (!x->count)
        return data(p, fd, 0, size, why);
    for (size_t i = 0; !err && i < x->count; i++) {
        if (!(err = skip_hole(p, x->extent[i].begin - at)))
            err = data(p, fd, x->extent[i].begin, x->extent[i].end, why);
        at = x->extent[i].end;
    }
    return err ? err : skip_hole(p, size - at);
}

static int say_sum(struct pack *p, uint64_t entry, uint64_t size, bool drop)
{
    uint8_t body[SAID_SUM];
    struct said_sum s = { .entry = entry, .flags = drop ? SAID_DROP : 0 };

    if (!p->options.sums)
        return 0;
    sum_end(p->sum, size, s.sum);
    return wire_send(p->wire, FRAME_SUM, body, said_put_sum(body, &s));
}

static bool has_changed(int fd, const struct stat *before)
{
    struct stat now;

    return fstat(fd, &now) < 0 || now.st_size != before->st_size || now.st_mtim.tv_sec != before->st_mtim.tv_sec ||
           now.st_mtim.tv_nsec != before->st_mtim.tv_nsec;
}

static int file_content(struct pack *p, int fd, const struct stat *st, const struct extents *x)
{
    const char *why = NULL;
    uint64_t number = p->entries;
    int err = header(p);
    bool drop;

    if (err)
        return err;
    sum_begin(p->sum);
    if ((err = content(p, fd, (uint64_t)st->st_size, x, &why)) < 0)
        return err;
    drop = err == 1;
    if (why)
        tell(p, why);
    else if (has_changed(fd, st))
        tell(p, "it changed while it was read; what arrives is a mixture");
    p->report->files += !drop;
    /* What is missing libarchive fills with zeros. */
    return (err = finish(p)) ? err : say_sum(p, number, (uint64_t)st->st_size, drop);
}

static int file_open(struct pack *p, int fd, const struct stat *st)
{
    struct extents x = { 0 };
    int err;

    if (describe(p, st))
        return bare(p, &p->report->links);
    if ((uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size && !extents_find(&x, fd, (uint64_t)st->st_size))
        for (size_t i = 0; i < x.count; i++)
            lib.archive_entry_sparse_add_entry(p->entry, (la_int64_t)x.extent[i].begin,
                                               (la_int64_t)(x.extent[i].end - x.extent[i].begin));
    err = file_content(p, fd, st, &x);
    extents_free(&x);
    return err;
}

static int file(struct pack *p, int dirfd, const char *name)
{
    struct stat st;
    int fd = openat(dirfd, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (p->options.follow ? 0 : O_NOFOLLOW)), err = 0;

    if (fd < 0 || fstat(fd, &st) < 0)
        tell(p, errno == ENOENT ? "it has vanished" : strerror(errno));
    else if (!S_ISREG(st.st_mode))
        tell(p, "it became something else while it was looked at");
    else
        err = file_open(p, fd, &st);
    if (fd >= 0)
        close(fd);
    return err;
}

static int symlink_(struct pack *p, int dirfd, const char *name, const struct stat *st)
{
    char target[NAME_ROOM];
    ssize_t n = readlinkat(dirfd, name, target, sizeof target);

    if (n < 0 || (size_t)n >= sizeof target) {
        tell(p, n < 0 ? strerror(errno) : "the link is too long");
        return 0;
    }
    target[n] = '\0';
    describe(p, st);
    lib.archive_entry_copy_symlink(p->entry, target);
    return bare(p, &p->report->links);
}

/* ---- the tree ---- */

static int any(struct pack *p, int dirfd, const char *name, unsigned char type, const struct above *up);

static bool is_above(const struct above *up, const struct stat *st)
{
    for (; up; up = up->up)
        if (up->device == st->st_dev && up->inode == st->st_ino)
            return true;
    return false;
}

static int children(struct pack *p, DIR *dir, const struct above *here)
{
    const struct dirent *d;
    int err = 0;

    while (!err && (errno = 0, d = readdir(dir))) {
        size_t before;

        if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0)
            continue;
        if ((err = path_push(p, d->d_name, &before)))
            break;
        if ((err = any(p, dirfd(dir), d->d_name, d->d_type, here)) == 1)
            err = 0;
        path_pop(p, before);
    }
    if (!err && errno)
        tell(p, strerror(errno));
    return err;
}

static int directory(struct pack *p, int dirfd, const char *name, const struct stat *st, const struct above *up)
{
    struct above here = { up, st->st_dev, st->st_ino };
    int fd, err;
    DIR *dir = NULL;

    if (p->options.follow && is_above(up, st)) {
        tell(p, "the link leads back to a directory that it is in");
        return 0;
    }
    describe(p, st);
    if ((err = bare(p, &p->report->directories)))
        return err;
    fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (p->options.follow || !up ? 0 : O_NOFOLLOW));
    if (fd < 0 || !(dir = fdopendir(fd))) {
        tell(p, strerror(errno));
        if (fd >= 0)
            close(fd);
        return 0;
    }
    err = children(p, dir, &here);
    closedir(dir);
    return err;
}

/* 0, 1: it was left out, or an error. */
static int any(struct pack *p, int dirfd, const char *name, unsigned char type, const struct above *up)
{
    struct stat st;

    if (p->len - p->base >= NAME_ROOM) {
        tell(p, "the name is too long");
        return 0;
    }
    if (type == DT_REG)
        return file(p, dirfd, name);
    if (fstatat(dirfd, name, &st, p->options.follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0) {
        tell(p, errno == ENOENT ? type == DT_LNK ? "the link leads to nothing" : "it has vanished" : strerror(errno));
        return 0;
    }
    switch (st.st_mode & S_IFMT) {
    case S_IFREG:
        return file(p, dirfd, name);
    case S_IFLNK:
        return symlink_(p, dirfd, name, &st);
    case S_IFDIR:
        return directory(p, dirfd, name, &st, up);
    default:
        tell(p, "left out: it is no file, directory or link");
        return 0;
    }
}

int pack_source(struct pack *p, const char *path, uint32_t number)
{
    struct said_root root = { .first = p->entries, .source = number };
    uint8_t body[SAID_ROOT];
    struct stat st;
    int err = path_begin(p, path, root.name);

    if (err == -ENAMETOOLONG) {
        report_problem(p->report, path, "the name is too long");
        return 0;
    }
    if (err)
        return err;
    if (fstatat(AT_FDCWD, path, &st, p->options.follow ? 0 : AT_SYMLINK_NOFOLLOW) < 0) {
        report_problem(p->report, path, strerror(errno));
        return 0;
    }
    root.kind = !S_ISDIR(st.st_mode) ? LAND_FILE : root.name[0] ? LAND_DIRECTORY : LAND_CONTENT;
    if (p->options.sums && (err = wire_send(p->wire, FRAME_ROOT, body, said_put_root(body, &root))))
        return err;
    /* Hard links are between files of one source. */
    if (p->links)
        lib.archive_entry_linkresolver_free(p->links);
    if (!(p->links = lib.archive_entry_linkresolver_new()))
        return -ENOMEM;
    lib.archive_entry_linkresolver_set_strategy(p->links, ARCHIVE_FORMAT_TAR_PAX_INTERCHANGE);
    return (err = any(p, AT_FDCWD, path, DT_UNKNOWN, NULL)) == 1 ? 0 : err;
}

/* ---- beginning and end ---- */

int pack_open(struct pack **out, struct wire *w, struct report *r, const struct pack_options *o, const char **why)
{
    struct pack *p;
    int err = lib_load(why);

    if (err)
        return err;
    if (!(p = calloc(1, sizeof *p)))
        return -ENOMEM;
    p->wire = w;
    p->report = r;
    p->options = *o;
    p->nothing = mmap(NULL, NOTHING, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p->nothing == MAP_FAILED)
        p->nothing = NULL;
    if (!p->nothing || !(p->piece = malloc(PIECE)) || !(p->sum = sum_new()) || !(p->entry = lib.archive_entry_new()) ||
        !(p->archive = lib.archive_write_new()))
        goto no_memory;
    lib.archive_write_set_format_pax(p->archive);
    if (o->zstd && lib.archive_write_add_filter_zstd(p->archive) == ARCHIVE_FATAL)
        goto no_memory;
    lib.archive_write_set_bytes_per_block(p->archive, 0);
    lib.archive_write_set_bytes_in_last_block(p->archive, 1);
    if (lib.archive_write_open(p->archive, p, NULL, to_wire, NULL) != ARCHIVE_OK)
        goto no_memory;
    *out = p;
    return 0;
no_memory:
    pack_close(p);
    return -ENOMEM;
}

int pack_end(struct pack *p)
{
    int err = result(p, lib.archive_write_close(p->archive));

    return err ? err : wire_data_end(p->wire);
}

void pack_close(struct pack *p)
{
    if (!p)
        return;
    if (p->links)
        lib.archive_entry_linkresolver_free(p->links);
    if (p->archive)
        lib.archive_write_free(p->archive);
    if (p->entry)
        lib.archive_entry_free(p->entry);
    if (p->nothing)
        munmap(p->nothing, NOTHING);
    sum_free(p->sum);
    free(p->piece);
    free(p->path);
    free(p);
}

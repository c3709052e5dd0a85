/* SPDX-License-Identifier: MIT */
/* unpack.c: see unpack.h.
 *
 * A file appears when the header behind it was read, for its checksum is then known to have come, and by then libarchive has let go of
 * all that the wire lent to it.  A directory gets its rights and times when the archive has left it. */
#include "unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "appear.h"
#include "beneath.h"
#include "judge.h"
#include "lib.h"
#include "queue.h"
#include "sum.h"

#define SUMS_MOST   (1u << 18)          /* that wait for their files: -z holds back as many */
#define ROOTS_MOST  (1u << 16)
#define DURABLE     (16u << 20)         /* bytes; a file from this size on is on the disk before it appears */
#define BOUND       ((rlim_t)512 << 20)

/* What an entry has besides its content. */
struct rights {
    mode_t mode;
    uid_t uid;
    gid_t gid;
    bool has_time;
    struct timespec time;
};

/* A directory that the archive is in. */
struct open_directory {
    size_t len;                 /* of its name, which the current one begins with */
    struct rights rights;
    bool made;                  /* by us: it gets its rights */
};

struct unpack {
    struct wire *wire;
    struct report *report;
    struct unpack_options options;
    const struct target *target;
    int (*expect)(void *arg, const struct said_root *root);
    void *expect_arg;
    struct archive *archive;
    struct queue roots, sums;           /* struct said_root, struct said_sum */
    uint64_t last_root, next_sum;       /* what is announced ascends */
    uint64_t entry;                     /* the number of the current one */
    bool privileged;
    mode_t umask;
    int sync;                           /* a file system that is to be on the disk in the end; -1: none */
    dev_t sync_device;

    struct said_root root;              /* the current one */
    struct spot spot;
    struct beneath beneath;
    struct judgement judged;

    struct open_directory *directories;
    size_t depth, directories_room;
    char inside[NAME_ROOM];             /* the name of the deepest of them */

    /* The file that has yet to appear. */
    struct appear file;
    bool pending;
    char pending_name[NAME_ROOM];       /* whole, for people */
    char pending_last[NAME_PART + 1];
    uint64_t pending_entry, pending_size;
    struct sum *sum;

    char shown[2 * NAME_ROOM + 1], why[512];
};

/* ---- problems ---- */

static const char *path_of(struct unpack *u, const char *name)
{
    const char *above = u->spot.shown;

    snprintf(u->shown, sizeof u->shown, "%s%s%s", above, *above && *name && above[strlen(above) - 1] != '/' ? "/" : "", name);
    return u->shown;
}

static int fatal(struct unpack *u, int err, const char *what, const char *why)
{
    if (!u->why[0])
        snprintf(u->why, sizeof u->why, "%s%s%s", what, *what ? ": " : "", why);
    return err;
}

static bool is_everybodys(int err)
{
    return err == -ENOSPC || err == -EDQUOT || err == -EROFS || err == -EIO || err == -ENOMEM || err == -EMFILE || err == -ENFILE;
}

/* What one entry met: 0 if the rest can go on. */
static int problem(struct unpack *u, const char *name, int err)
{
    const char *why = err == -ELOOP || err == -ENOTDIR ? "a link or a file is in its way, where a directory should be" :
                      err == -EISDIR ? "there is a directory of this name" : strerror(-err);

    if (is_everybodys(err))
        return fatal(u, err, path_of(u, name), why);
    report_problem(u->report, path_of(u, name), why);
    return 0;
}

/* ---- what is said beside the archive ---- */

int unpack_hear(struct unpack *u, const struct frame *f)
{
    struct said_root root;
    struct said_sum sum;

    if (!u->options.sums)
        return -EPROTO;
    if (f->type == FRAME_SUM) {
        if (!said_get_sum(f->data, f->len, &sum) || sum.entry < u->next_sum || u->sums.count == SUMS_MOST)
            return -EPROTO;
        u->next_sum = sum.entry + 1;
        return queue_put(&u->sums, &sum);
    }
    if (!said_get_root(f->data, f->len, &root) || root.first < u->last_root || u->roots.count == ROOTS_MOST ||
        (u->expect && u->expect(u->expect_arg, &root)))
        return -EPROTO;
    u->last_root = root.first;
    return queue_put(&u->roots, &root);
}

/* The sum of the file that waits. */
static bool take_sum(struct unpack *u, struct said_sum *sum)
{
    while (queue_take(&u->sums, sum))
        if (sum->entry >= u->pending_entry)
            return sum->entry == u->pending_entry;
    return false;
}

/* ---- rights and times ---- */

static void rights_of(struct unpack *u, struct archive_entry *e, mode_t mode, struct rights *r)
{
    const struct unpack_options *o = &u->options;

    *r = (struct rights){ .mode = mode, .uid = (uid_t)-1, .gid = (gid_t)-1, .has_time = lib.archive_entry_mtime_is_set(e) };
    if (o->owner && u->privileged) {
        r->uid = (uid_t)lib.archive_entry_uid(e);
        r->gid = (gid_t)lib.archive_entry_gid(e);
    }
    if (o->has_uid)
        r->uid = o->uid;
    if (o->has_gid)
        r->gid = o->gid;
    r->time = (struct timespec){ .tv_sec = lib.archive_entry_mtime(e), .tv_nsec = lib.archive_entry_mtime_nsec(e) };
    if (r->time.tv_nsec < 0 || r->time.tv_nsec > 999999999)
        r->time.tv_nsec = 0;
}

static bool has_owner(const struct rights *r)
{
    return r->uid != (uid_t)-1 || r->gid != (gid_t)-1;
}

static void times_of(const struct rights *r, struct timespec times[2])
{
    times[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
    times[1] = r->time;
}

/* The owner first: a change of it takes set-user bits away. */
static int give_rights(int fd, const struct rights *r, bool has_mode)
{
    struct timespec times[2];

    times_of(r, times);
    if (has_owner(r) && fchown(fd, r->uid, r->gid) < 0)
        return -errno;
    if (!has_mode && fchmod(fd, r->mode) < 0)
        return -errno;
    return r->has_time && futimens(fd, times) < 0 ? -errno : 0;
}

/* ---- directories ---- */

static int leave_one(struct unpack *u)
{
    const struct open_directory d = u->directories[--u->depth];
    const char *last;
    int err = 0, dirfd, fd;

    u->inside[d.len] = '\0';
    if (d.made) {
        fd = dirfd = d.len ? beneath_parent(&u->beneath, u->inside, false, &last) : u->beneath.root;
        if (dirfd >= 0 && (fd = openat(dirfd, d.len ? last : ".", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
            fd = -errno;
        err = fd < 0 ? fd : give_rights(fd, &d.rights, false);
        if (fd >= 0)
            close(fd);
        if (err)
            err = problem(u, u->inside, err);
    }
    u->inside[u->depth ? u->directories[u->depth - 1].len : 0] = '\0';
    return err;
}

static bool is_in(const struct unpack *u, const char *name)
{
    size_t len = u->directories[u->depth - 1].len;

    return !len || (strncmp(u->inside, name, len) == 0 && name[len] == '/');
}

/* Those that the name is not in; NULL: all. */
static int leave(struct unpack *u, const char *name)
{
    int err = 0;

    while (!err && u->depth && !(name && is_in(u, name)))
        err = leave_one(u);
    return err;
}

static int enter(struct unpack *u, const char *name, const struct rights *r, bool made)
{
    if (u->depth == u->directories_room) {
        size_t room = u->directories_room ? 2 * u->directories_room : 16;
        struct open_directory *more = realloc(u->directories, room * sizeof *more);

        if (!more)
            return fatal(u, -ENOMEM, "", "out of memory");
        u->directories = more;
        u->directories_room = room;
    }
    u->directories[u->depth++] = (struct open_directory){ .len = strlen(name), .rights = *r, .made = made };
    memcpy(u->inside, name, strlen(name) + 1);
    return 0;
}

static int make_directory(struct unpack *u, struct archive_entry *e)
{
    const char *name = u->judged.name, *last;
    struct rights r;
    struct stat st;
    int dirfd, err = 0;
    bool made = false;

    rights_of(u, e, u->judged.mode, &r);
    if (!*name)
        return enter(u, name, &r, u->options.owner);
    if ((dirfd = beneath_parent(&u->beneath, name, !u->options.sums, &last)) < 0)
        return problem(u, name, dirfd);
    if (mkdirat(dirfd, last, 0700) == 0)
        made = true;
    else if (errno != EEXIST)
        err = -errno;
    else if (fstatat(dirfd, last, &st, AT_SYMLINK_NOFOLLOW) < 0)
        err = -errno;
    else if (!S_ISDIR(st.st_mode))
        err = -ENOTDIR;
    if (err)
        return problem(u, name, err);
    u->report->directories++;
    return enter(u, name, &r, made || u->options.owner);
}

/* ---- links ---- */

static int make_symlink(struct unpack *u, struct archive_entry *e)
{
    const char *name = u->judged.name, *last;
    struct timespec times[2];
    struct rights r;
    int dirfd = beneath_parent(&u->beneath, name, !u->options.sums, &last), err;

    if (dirfd < 0)
        return problem(u, name, dirfd);
    if ((err = appear_symlink(u->judged.link, dirfd, last)))
        return problem(u, name, err);
    u->report->links++;
    rights_of(u, e, 0, &r);
    times_of(&r, times);
    if (has_owner(&r) && fchownat(dirfd, last, r.uid, r.gid, AT_SYMLINK_NOFOLLOW) < 0)
        return problem(u, name, -errno);
    if (r.has_time && utimensat(dirfd, last, times, AT_SYMLINK_NOFOLLOW) < 0)
        return problem(u, name, -errno);
    return 0;
}

static int make_hardlink(struct unpack *u)
{
    const char *name = u->judged.name, *last, *old;
    int found = beneath_parent(&u->beneath, u->judged.link, false, &old), olddirfd, dirfd, err;

    if (found < 0)
        return problem(u, name, found);
    if ((olddirfd = fcntl(found, F_DUPFD_CLOEXEC, 3)) < 0)
        return problem(u, name, -errno);
    dirfd = beneath_parent(&u->beneath, name, !u->options.sums, &last);
    err = dirfd < 0 ? dirfd : appear_hardlink(olddirfd, old, dirfd, last);
    close(olddirfd);
    if (err)
        return problem(u, name, err);
    u->report->links++;
    return 0;
}

/* ---- files ---- */

static int write_at(int fd, const uint8_t *bytes, size_t len, uint64_t offset)
{
    while (len) {
        ssize_t n = pwrite(fd, bytes, len, (off_t)offset);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        bytes += n;
        len -= (size_t)n;
        offset += (uint64_t)n;
    }
    return 0;
}

/* What libarchive, or the wire below it, finds wrong with the archive itself. */
static int archive_failed(struct unpack *u)
{
    const char *why = lib.archive_error_string(u->archive);

    if (u->wire->err)
        return fatal(u, u->wire->err, "", u->wire->err == -EPROTO && u->wire->reader.why[0] ? u->wire->reader.why
                                                                                              : strerror(-u->wire->err));
    return fatal(u, lib.archive_errno(u->archive) == ENOMEM ? -ENOMEM : -EPROTO, "what comes is no good archive",
                 why ? why : "it is none");
}

/* The content of the current entry.  1: it could not be written, and was told. */
static int take_content(struct unpack *u, const char *name, int fd, uint64_t size)
{
    const void *bytes;
    la_int64_t offset;
    uint64_t end = 0;
    size_t len;
    int ret, err = 0;

    sum_begin(u->sum);
    while ((ret = lib.archive_read_data_block(u->archive, &bytes, &len, &offset)) == ARCHIVE_OK) {
        if (!len)
            continue;
        if (offset < 0 || (uint64_t)offset < end || (uint64_t)offset > size || len > size - (uint64_t)offset)
            return fatal(u, -EPROTO, "what comes is no good archive", "a piece of a file lies outside of it");
        if ((err = write_at(fd, bytes, len, (uint64_t)offset)))
            break;
        if (u->options.sums)
            sum_add(u->sum, (uint64_t)offset, bytes, len);
        end = (uint64_t)offset + len;
        u->report->bytes += len;
    }
    if (!err && ret != ARCHIVE_EOF)
        return archive_failed(u);
    if (!err && end < size && ftruncate(fd, (off_t)size) < 0)
        err = -errno;
    if (!err)
        return 0;
    return (err = problem(u, name, err)) ? err : 1;
}

/* Ready but for its checksum and its name. */
static int make_file(struct unpack *u, struct archive_entry *e)
{
    const char *name = u->judged.name, *last;
    uint64_t size = (uint64_t)lib.archive_entry_size(e);
    int dirfd = beneath_parent(&u->beneath, name, !u->options.sums, &last), err;
    struct rights r;
    bool has_mode;

    if (dirfd < 0)
        return problem(u, name, dirfd);
    rights_of(u, e, u->judged.mode, &r);
    /* It has them from the beginning where that can be: so it is made with one call less. */
    has_mode = !has_owner(&r) && !(r.mode & (u->umask | ~0777u));
    if ((err = appear_begin(&u->file, dirfd, has_mode ? r.mode : 0600)))
        return problem(u, name, err);
    if ((err = take_content(u, name, u->file.fd, size)) == 0 && (err = give_rights(u->file.fd, &r, has_mode)))
        err = (err = problem(u, name, err)) ? err : 1;
    if (err == 0 && size >= DURABLE && !u->options.quick && fdatasync(u->file.fd) < 0)
        err = (err = problem(u, name, -errno)) ? err : 1;
    if (err) {
        appear_drop(&u->file);
        return err < 0 ? err : 0;
    }
    u->pending = true;
    u->pending_entry = u->entry;
    u->pending_size = size;
    memcpy(u->pending_name, name, strlen(name) + 1);
    memcpy(u->pending_last, last, strlen(last) + 1);
    return 0;
}

static int appear_now(struct unpack *u)
{
    int err = appear_finish(&u->file, u->pending_last);

    if (err)
        return problem(u, u->pending_name, err);
    u->report->files++;
    return 0;
}

/* The header behind it has been read. */
static int finish_file(struct unpack *u)
{
    uint8_t here[SUM_SIZE];
    struct said_sum sum = { .flags = 0 };
    int err = 0;

    if (!u->pending)
        return 0;
    u->pending = false;
    sum_end(u->sum, u->pending_size, here);
    if (u->options.sums && !take_sum(u, &sum))
        err = fatal(u, -EPROTO, path_of(u, u->pending_name), "its checksum has not come");
    else if (sum.flags & SAID_DROP)
        ;                       /* the other end has told why */
    else if (u->options.sums && memcmp(here, sum.sum, SUM_SIZE) != 0)
        report_problem(u->report, path_of(u, u->pending_name), "its checksum is not that of what was read; it was changed on the way");
    else
        err = appear_now(u);
    appear_drop(&u->file);
    return err;
}

/* ---- an entry ---- */

/* All of a file system at once: a sync for each of a million files would take hours. */
static void sync_now(struct unpack *u)
{
    if (u->sync < 0)
        return;
    syncfs(u->sync);
    close(u->sync);
    u->sync = -1;
}

static void sync_later(struct unpack *u)
{
    struct stat st;

    if (u->options.quick || fstat(u->beneath.root, &st) < 0 || (u->sync >= 0 && st.st_dev == u->sync_device))
        return;
    sync_now(u);
    u->sync = openat(u->beneath.root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    u->sync_device = st.st_dev;
}

static int go_to(struct unpack *u, const struct said_root *root)
{
    char why[512] = "";
    int err = leave(u, NULL);

    if (err)
        return err;
    beneath_close(&u->beneath);
    u->root = *root;
    if ((err = target_find(u->target, root->kind, root->name, &u->spot, why, sizeof why)))
        return fatal(u, err, "", why);
    beneath_open(&u->beneath, u->spot.root);
    sync_later(u);
    return 0;
}

/* Whose the current entry is. */
static int find_root(struct unpack *u)
{
    const struct said_root *next;
    struct said_root root;
    int err = 0;

    while (!err && (next = queue_first(&u->roots)) && next->first <= u->entry) {
        queue_take(&u->roots, &root);
        err = go_to(u, &root);
    }
    if (!err && u->beneath.root < 0)
        err = fatal(u, -EPROTO, "", "an entry of the archive belongs to no source");
    return err;
}

static const char *either(const char *plain, const char *utf8)
{
    return plain ? plain : utf8;
}

static void judge_entry(struct unpack *u, struct archive_entry *e)
{
    const struct judge_entry facts = {
        .name = either(lib.archive_entry_pathname(e), lib.archive_entry_pathname_utf8(e)),
        .hardlink = either(lib.archive_entry_hardlink(e), lib.archive_entry_hardlink_utf8(e)),
        .symlink = either(lib.archive_entry_symlink(e), lib.archive_entry_symlink_utf8(e)),
        .type = lib.archive_entry_filetype(e),
        .mode = lib.archive_entry_perm(e),
        .size = lib.archive_entry_size(e),
    };
    const struct judge_rules rules = {
        .first = u->root.name, .first_len = strlen(u->root.name), .as = u->spot.as, .special = u->options.special,
        .has_mode = u->options.has_mode, .mode = u->options.mode,
    };

    judge(&facts, &rules, &u->judged);
    if (u->judged.what == JUDGE_NO)
        report_problem(u->report, facts.name ? facts.name : "?", u->judged.why);
}

static int take_entry(struct unpack *u, struct archive_entry *e)
{
    int err = find_root(u);

    if (err)
        return err;
    judge_entry(u, e);
    if (u->judged.what == JUDGE_NO)
        return 0;
    if ((err = leave(u, u->judged.name)))
        return err;
    switch (u->judged.what) {
    case JUDGE_FILE:
        return make_file(u, e);
    case JUDGE_DIRECTORY:
        return make_directory(u, e);
    case JUDGE_SYMLINK:
        return make_symlink(u, e);
    default:
        return make_hardlink(u);
    }
}

static la_ssize_t from_wire(struct archive *a, void *arg, const void **bytes)
{
    struct unpack *u = arg;
    ssize_t n = wire_data_next(u->wire, bytes);

    if (n < 0)
        lib.archive_set_error(a, EIO, "the stream: %s", strerror((int)-n));
    return n < 0 ? -1 : n;
}

/* What is left of DATA: an archive may end before its stream does. */
static int drain(struct unpack *u)
{
    const void *bytes;
    ssize_t n;

    while ((n = wire_data_next(u->wire, &bytes)) > 0)
        ;
    return n < 0 ? archive_failed(u) : 0;
}

int unpack_run(struct unpack *u)
{
    struct archive_entry *e;
    int ret, err = 0;

    if (lib.archive_read_open(u->archive, u, NULL, from_wire, NULL) != ARCHIVE_OK)
        return archive_failed(u);
    if (!u->options.sums) {
        const struct said_root any_root = { .kind = LAND_CONTENT };

        if ((err = go_to(u, &any_root)))
            return err;
    }
    for (;;) {
        ret = lib.archive_read_next_header(u->archive, &e);
        if (ret != ARCHIVE_OK && ret != ARCHIVE_WARN && ret != ARCHIVE_EOF)
            return archive_failed(u);
        if ((err = finish_file(u)))
            return err;
        if (ret == ARCHIVE_EOF)
            break;
        if ((err = take_entry(u, e)))
            return err;
        u->entry++;
    }
    if ((err = leave(u, NULL)) || (err = drain(u)))
        return err;
    sync_now(u);
    return 0;
}

const char *unpack_why(const struct unpack *u)
{
    return u->why;
}

/* ---- beginning and end ---- */

int unpack_open(struct unpack **out, struct wire *w, struct report *r, const struct unpack_options *o, const struct target *t,
                const char **why)
{
    struct unpack *u;
    int err = lib_load(why);

    if (err)
        return err;
    if (!(u = calloc(1, sizeof *u)))
        return -ENOMEM;
    u->wire = w;
    u->report = r;
    u->options = *o;
    u->target = t;
    u->privileged = geteuid() == 0;
    umask(u->umask = umask(0777));
    u->file = (struct appear){ .fd = -1, .dirfd = -1 };
    u->spot.root = u->sync = -1;
    beneath_open(&u->beneath, -1);
    queue_init(&u->roots, sizeof(struct said_root));
    queue_init(&u->sums, sizeof(struct said_sum));
    if (!(u->sum = sum_new()) || !(u->archive = lib.archive_read_new()) ||
        lib.archive_read_support_format_tar(u->archive) == ARCHIVE_FATAL ||
        (o->zstd && lib.archive_read_support_filter_zstd(u->archive) == ARCHIVE_FATAL)) {
        unpack_close(u);
        return -ENOMEM;
    }
    *out = u;
    return 0;
}

void unpack_expect(struct unpack *u, int (*expect)(void *arg, const struct said_root *root), void *arg)
{
    u->expect = expect;
    u->expect_arg = arg;
}

void unpack_close(struct unpack *u)
{
    if (!u)
        return;
    appear_drop(&u->file);
    if (u->sync >= 0)
        close(u->sync);
    if (u->archive)
        lib.archive_read_free(u->archive);
    beneath_close(&u->beneath);
    queue_free(&u->roots);
    queue_free(&u->sums);
    sum_free(u->sum);
    free(u->directories);
    free(u);
}

void unpack_bound(void)
{
#ifndef __SANITIZE_ADDRESS__
    struct rlimit limit;

    if (getrlimit(RLIMIT_DATA, &limit) == 0 && limit.rlim_cur > BOUND) {
        limit.rlim_cur = BOUND;
        setrlimit(RLIMIT_DATA, &limit);
    }
#endif
}

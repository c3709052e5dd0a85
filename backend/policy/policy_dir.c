/* SPDX-License-Identifier: MIT */
/* policy_dir.c: see policy_dir.h. */
#include "policy_dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "list.h"

#define BUILT_IN "(built in)/90-default.policy"
#define ENDS     ".policy"

/* Relative to the folder in which all is compiled (the Makefile says so, too). */
__asm__(".pushsection .rodata\n"
        ".globl policy_default, policy_default_end\n"
        "policy_default: .incbin \"dist/90-default.policy\"\n"
        "policy_default_end: .byte 0\n"
        ".popsection\n");

/* ---- users and groups ---- */

struct host_ids {
    struct policy_ids ids;
    struct policy_pack found;   /* the pack's records of them */
};

/* A name that is none may be a number. */
static int find_number(const char *name, uint32_t *id)
{
    char *end;
    unsigned long long value = strtoull(name, &end, 10);

    if (*name < '0' || *name > '9' || *end || value >= UINT32_MAX)
        return -ENOENT;
    *id = (uint32_t)value;
    return 0;
}

static int find_id(struct policy_ids *ids, bool group, const char *name, uint32_t *id)
{
    const struct passwd *pw = group ? NULL : getpwnam(name);
    const struct group *gr = group ? getgrnam(name) : NULL;
    int err = 0;

    if (pw)
        *id = pw->pw_uid;
    else if (gr)
        *id = gr->gr_gid;
    else
        err = find_number(name, id);
    return err ? err : policy_pack_id(&container_of(ids, struct host_ids, ids)->found, group, name, *id);
}

/* ---- files ---- */

static bool is_policy(const char *name)
{
    size_t len = strlen(name), end = strlen(ENDS);

    return *name != '.' && len > end && !strcmp(name + len - end, ENDS);
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

static void free_names(char **names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(names[i]);
    free(names);
}

/* 0, or a negative errno. */
static int list_names(DIR *dir, char ***names, size_t *count)
{
    const struct dirent *entry;

    while (errno = 0, (entry = readdir(dir))) {
        char **more;

        if (!is_policy(entry->d_name))
            continue;
        if (!(more = reallocarray(*names, *count + 1, sizeof *more)))
            return -ENOMEM;
        *names = more;
        if (!(more[*count] = strdup(entry->d_name)))
            return -ENOMEM;
        ++*count;
    }
    if (*count)
        qsort(*names, *count, sizeof **names, by_name);
    return -errno;
}

/* 0, -EFBIG for more than 'most', or another negative errno. */
static int read_bytes(int fd, size_t most, struct policy_pack *to)
{
    char bytes[4096];
    ssize_t n = 0;
    int err = 0;

    while (!err && (n = read(fd, bytes, sizeof bytes))) {
        if (n < 0)
            err = errno == EINTR ? 0 : -errno;
        else
            err = (size_t)n > most - to->len ? -EFBIG : policy_pack_bytes(to, bytes, (size_t)n);
    }
    return err;
}

/* All of a file into the pack, as far as there is room. */
static int read_whole(int fd, const char *path, struct policy_pack *pack)
{
    struct policy_pack text = { 0 };
    int err = pack->len > POLICY_BYTES ? -EFBIG : read_bytes(fd, POLICY_BYTES - pack->len, &text);

    if (!err)
        err = policy_pack_file(pack, path, text.bytes, text.len);
    policy_pack_free(&text);
    return err;
}

static int read_one(int dir, const char *dir_path, const char *name, struct policy_pack *pack, char *why)
{
    char path[600];
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), err = 0;
    struct stat st;

    snprintf(path, sizeof path, "%.300s/%s", dir_path, name);
    if (fd < 0 || fstat(fd, &st))
        err = -errno;
    else if (!S_ISREG(st.st_mode) || !is_printable(name))
        err = -EINVAL;
    else
        err = read_whole(fd, path, pack);
    if (fd >= 0)
        close(fd);
    if (err == -EFBIG)
        snprintf(why, POLICY_WHY, "%.300s: the files of a policy have at most %u bytes together", path, POLICY_BYTES);
    else if (err == -EINVAL)
        snprintf(why, POLICY_WHY, "%.300s: a policy is a regular file, with a name of printable ASCII characters", path);
    else if (err)
        snprintf(why, POLICY_WHY, "cannot read %.300s: %s", path, strerror(-err));
    return err;
}

static int pack_files(DIR *dir, const char *path, struct policy_pack *pack, char *why)
{
    char **names = NULL;
    size_t count = 0;
    int err = list_names(dir, &names, &count);

    if (err)
        snprintf(why, POLICY_WHY, "cannot read %.300s: %s", path, strerror(-err));
    for (size_t i = 0; !err && i < count; i++)
        err = read_one(dirfd(dir), path, names[i], pack, why);
    free_names(names, count);
    return err;
}

static int pack_all(const char *path, bool given, struct policy_pack *pack, char *why)
{
    DIR *dir = opendir(path);
    int err;

    if (!dir && errno == ENOENT && !given)
        return policy_pack_file(pack, BUILT_IN, policy_default, (size_t)(policy_default_end - policy_default));
    if (!dir) {
        err = -errno;
        snprintf(why, POLICY_WHY, "cannot read the policies in %.300s: %s", path, strerror(-err));
        return err;
    }
    err = pack_files(dir, path, pack, why);
    closedir(dir);
    return err;
}

int policy_load(const char *dir, bool given, const struct settings *settings, struct policy_pack *pack, struct policy **out, char *why)
{
    struct host_ids ids = { .ids.find = find_id };
    struct policy *p = NULL;
    int err = pack_all(dir, given, pack, why);

    if (!err)
        err = policy_pack_read(pack, settings, &ids.ids, &p, why);
    if (!err)
        err = policy_pack_bytes(pack, ids.found.bytes, ids.found.len);
    if (err == -ENOMEM)
        snprintf(why, POLICY_WHY, "out of memory");
    policy_pack_free(&ids.found);
    if (err) {
        policy_free(p);
        policy_pack_free(pack);
    } else {
        *out = p;
    }
    return err;
}

bool policy_is_built_in(const struct policy *p)
{
    return p->count && !strcmp(p->lines->file, BUILT_IN);
}

int policy_take(int fd, const struct settings *settings, struct policy **out, char *why)
{
    struct policy_pack pack = { 0 };
    int err = read_bytes(fd, SIZE_MAX, &pack);

    if (err)
        snprintf(why, POLICY_WHY, "the policy cannot be read: %s", strerror(-err));
    else
        err = policy_pack_read(&pack, settings, NULL, out, why);
    policy_pack_free(&pack);
    return err;
}

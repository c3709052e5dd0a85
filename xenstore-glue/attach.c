/* SPDX-License-Identifier: MIT */
/* attach.c: see attach.h. */
#include "attach.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "domains.h"
#include "parse.h"
#include "vsockif.h"

#define MAX_GUESTS 4096

/* ---- finding ------------------------------------------------------------------------------------------- */

/* What is there is no value that we would have written: a node that is missing, or nothing of ours. */
static bool is_foreign(int err)
{
    return err == -ENOENT || err == -EACCES || err == -EMSGSIZE || err == -EINVAL;
}

/* 1 if dir/leaf holds exactly this text, 0 if not; a negative errno when that cannot be told. */
static int holds(struct store *s, const char *dir, const char *leaf, const char *text)
{
    char path[PATHS_MAX], value[PATHS_MAX];
    int len = store_read(s, paths_join(path, dir, leaf), value, sizeof value);

    if (len < 0)
        return is_foreign(len) ? 0 : len;
    return strcmp(value, text) == 0;
}

/* The same of a CID, which goes to *cid. */
static int holds_cid(struct store *s, const char *dir, uint64_t *cid)
{
    char path[PATHS_MAX], text[32];
    int len = store_read(s, paths_join(path, dir, "cid"), text, sizeof text);

    if (len < 0)
        return is_foreign(len) ? 0 : len;
    return !parse_u64("cid", text, VSOCKIF_CID_FIRST, VSOCKIF_CID_LAST, cid, NULL);
}

static int find(struct store *s, void *arg)
{
    struct attach_device *d = arg;
    struct paths p;
    char front_id[12];
    int good;

    paths_of(&p, &d->id);
    if ((good = store_exists(s, p.back)) <= 0)
        return good ? good : -ENOENT;
    snprintf(front_id, sizeof front_id, "%u", d->id.front);
    d->cid = 0;
    if ((good = holds(s, p.back, "frontend-id", front_id)) > 0 && (good = holds(s, p.back, "frontend", p.front)) > 0 &&
        (good = holds(s, p.front, "backend", p.back)) > 0)
        good = holds_cid(s, p.back, &d->cid);
    d->orphan = !good;
    return good < 0 ? good : 0;
}

int attach_find(struct store *s, const struct device_id *id, struct attach_device *out)
{
    struct attach_device d = { .id = *id };
    int err = store_transact(s, find, &d);

    if (!err)
        *out = d;
    return err;
}

/* The children of a directory of ours that are numbers below limit; a missing directory has none. */
static int numbers_in(struct store *s, const char *path, uint32_t limit, uint32_t *out, size_t max, bool *more)
{
    char (*names)[STORE_NAME] = malloc(max * sizeof *names);
    int count, stored = 0;

    if (!names)
        return -ENOMEM;
    count = store_list(s, path, names, max, more);
    for (int i = 0; i < count; i++)
        if (!parse_u32("", names[i], 0, limit - 1, &out[stored], NULL))
            stored++;
    free(names);
    return count == -ENOENT ? 0 : count < 0 ? count : stored;
}

int attach_list(struct store *s, uint32_t back, struct attach_device *out, size_t max, bool *more)
{
    uint32_t *guests = malloc(MAX_GUESTS * sizeof *guests), numbers[PATHS_DEVICES];
    char path[PATHS_MAX];
    bool rest = false;
    size_t stored = 0;
    int guest_count, err;

    if (!guests)
        return -ENOMEM;
    snprintf(path, sizeof path, "/local/domain/%u/backend/vsock", back);
    err = guest_count = numbers_in(s, path, PATHS_DOMID, guests, MAX_GUESTS, &rest);
    for (int g = 0; g < guest_count && err >= 0; g++) {
        int count;

        snprintf(path, sizeof path, "/local/domain/%u/backend/vsock/%u", back, guests[g]);
        err = count = numbers_in(s, path, PATHS_DEVICES, numbers, PATHS_DEVICES, &rest);
        for (int i = 0; i < count && err >= 0; i++) {
            struct device_id id = { guests[g], back, numbers[i] };

            if (stored == max) {
                rest = true;
                break;
            }
            err = attach_find(s, &id, &out[stored]);
            if (!err)
                stored++;
            else if (err == -ENOENT)
                err = 0;                        /* removed while we looked */
        }
    }
    free(guests);
    if (more)
        *more = rest;
    return err < 0 ? err : (int)stored;
}

int attach_free_number(struct store *s, uint32_t front, uint32_t back)
{
    for (uint32_t number = 0; number < PATHS_DEVICES; number++) {
        struct device_id id = { front, back, number };
        struct paths p;
        int there;

        paths_of(&p, &id);
        if (!(there = store_exists(s, p.front)))
            there = store_exists(s, p.back);
        if (there <= 0)
            return there ? there : (int)number;
    }
    return -ENOSPC;
}

/* ---- making and removing --------------------------------------------------------------------------------- */

static int write_leaf(struct store *s, const char *dir, const char *leaf, const char *value)
{
    char path[PATHS_MAX];

    return store_write(s, paths_join(path, dir, leaf), value);
}

/* An empty directory with its permissions, ready for contents that inherit them. */
static int make_dir(struct store *s, const char *path, uint32_t owner, uint32_t reader)
{
    int err = store_make(s, path);

    return err ? err : store_permit(s, path, owner, reader);
}

static int create(struct store *s, void *arg)
{
    const struct attach_device *d = arg;
    struct attach_device found = { .id = d->id };
    uint32_t F = d->id.front, B = d->id.back;
    char guest_dir[PATHS_MAX], front_id[12], back_id[12], cid[24];
    struct paths p;
    int err;

    if ((err = domains_exists(s, F)) <= 0)
        return err ? err : -ENOENT;
    err = find(s, &found);
    if (err != -ENOENT && (err || !found.orphan))
        return err ? err : -EEXIST;
    paths_of(&p, &d->id);
    snprintf(guest_dir, sizeof guest_dir, "/local/domain/%u/backend/vsock/%u", B, F);
    snprintf(front_id, sizeof front_id, "%u", F);
    snprintf(back_id, sizeof back_id, "%u", B);
    snprintf(cid, sizeof cid, "%" PRIu64, d->cid);
    if ((err = store_remove(s, p.front)) ||
        (err = store_remove(s, p.back)) ||
        (err = store_remove(s, p.error)) ||
        (err = make_dir(s, p.front, F, B)) ||
        (err = write_leaf(s, p.front, "backend", p.back)) ||
        (err = write_leaf(s, p.front, "backend-id", back_id)) ||
        (err = write_leaf(s, p.front, "state", "1")) ||
        (err = make_dir(s, guest_dir, B, F)) ||
        (err = make_dir(s, p.back, B, F)) ||
        (err = write_leaf(s, p.back, "frontend", p.front)) ||
        (err = write_leaf(s, p.back, "frontend-id", front_id)) ||
        (err = write_leaf(s, p.back, "cid", cid)) ||
        (err = write_leaf(s, p.back, "state", "1")))
        return err;
    return 0;
}

int attach_create(struct store *s, const struct attach_device *d)
{
    struct attach_device copy = *d;

    if (d->cid < VSOCKIF_CID_FIRST || d->cid > VSOCKIF_CID_LAST || d->id.number >= PATHS_DEVICES ||
        d->id.front >= PATHS_DOMID || d->id.back >= PATHS_DOMID)
        return -EINVAL;
    return store_transact(s, create, &copy);
}

/* Removes path and its parents up to the device type's, as long as nothing else is in them. */
static int prune(struct store *s, const char *path, unsigned parents)
{
    char dir[PATHS_MAX], names[1][STORE_NAME];
    int err;

    snprintf(dir, sizeof dir, "%s", path);
    for (err = store_remove(s, dir); !err && parents; parents--) {
        bool more;
        int count;

        *strrchr(dir, '/') = '\0';
        count = store_list(s, dir, names, 1, &more);
        if (count > 0 || more || count == -ENOENT)
            break;
        err = count < 0 ? count : store_remove(s, dir);
    }
    return err;
}

static int drop(struct store *s, void *arg)
{
    const struct device_id *id = arg;
    struct paths p;
    int err;

    paths_of(&p, id);
    if ((err = prune(s, p.front, 1)) ||             /* …/device/vsock */
        (err = prune(s, p.back, 2)) ||          /* …/backend/vsock/F, …/backend/vsock */
        (err = prune(s, p.error, 2)))
        return err;
    return 0;
}

static int drop_error(struct store *s, void *arg)
{
    struct paths p;

    paths_of(&p, arg);
    return prune(s, p.error, 2);
}

int attach_remove_error(struct store *s, const struct device_id *id)
{
    struct device_id copy = *id;

    return store_transact(s, drop_error, &copy);
}

int attach_remove(struct store *s, const struct device_id *id)
{
    struct device_id copy = *id;

    return store_transact(s, drop, &copy);
}

/* SPDX-License-Identifier: MIT */
/* measure.c: what a source has, for the progress; beside pack.c, which finds out by itself as it goes. */
#include <ftw.h>
#include <sys/stat.h>

#include "pack.h"

#define DIRECTORIES 64          /* open at a time */

static _Thread_local uint64_t total_bytes, total_entries;

static int count(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
    (void)path;
    (void)ftw;
    if (type == FTW_NS)
        return 0;
    total_entries++;
    if (S_ISREG(st->st_mode))
        total_bytes += (uint64_t)st->st_blocks * 512 < (uint64_t)st->st_size ? (uint64_t)st->st_blocks * 512 : (uint64_t)st->st_size;
    return 0;
}

void pack_measure(const char *path, bool follow, uint64_t *bytes, uint64_t *entries)
{
    total_bytes = total_entries = 0;
    nftw(path, count, DIRECTORIES, follow ? 0 : FTW_PHYS);
    *bytes += total_bytes;
    *entries += total_entries;
}

/* SPDX-License-Identifier: MIT */
/* judge.h: what becomes of an entry of an archive, which may come from anybody.
 *
 * The judgement is about the entry alone: its kind, its name, its rights.  What there is in the target's file system already, links above
 * all, is seen where names are opened (beneath.h).  Pure, and fuzzed. */
#ifndef XVS_JUDGE_H
#define XVS_JUDGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "name.h"

struct judge_entry {            /* as the archive has it; NULL: it has none */
    const char *name, *hardlink, *symlink;
    mode_t type;                /* S_IFREG, …; 0 for some hard links */
    mode_t mode;                /* 07777 */
    int64_t size;
};

struct judge_rules {
    /* Names begin with 'first' (length first_len; 0: any), in place of which they get 'as'; name_move(). */
    const char *first, *as;
    size_t first_len;
    bool special;               /* set-user, set-group and sticky bits are kept */
    bool has_mode;              /* files get this one */
    mode_t mode;
};

enum judge_what { JUDGE_NO, JUDGE_FILE, JUDGE_DIRECTORY, JUDGE_SYMLINK, JUDGE_HARDLINK };

struct judgement {
    enum judge_what what;
    char name[NAME_ROOM];       /* good (name.h); "" for the target itself, which only a directory can be */
    char link[NAME_ROOM];       /* JUDGE_HARDLINK: good; JUDGE_SYMLINK: as it is */
    mode_t mode;
    const char *why;            /* JUDGE_NO */
};

void judge(const struct judge_entry *e, const struct judge_rules *r, struct judgement *j);

#endif

/* SPDX-License-Identifier: MIT */
/* unpack.h: an archive out of the frames of a wire, into the file system.  Whoever sends it is taken for hostile:
 *
 *     - nothing is made, changed or read outside of the directory where it is unpacked (judge.h, beneath.h);
 *     - neither a device nor a FIFO is made, and no set-user bit without 'special';
 *     - a file is there whole, with the checksum that its sender found, or not at all (appear.h);
 *     - memory is bounded, whatever comes (unpack_bound()).
 *
 * Links are made as they are, wherever they point to; none is ever followed.
 *
 * libarchive reads the archive and nothing else: its own way to write files has the same aims (ARCHIVE_EXTRACT_SECURE_…), but it walks to
 * each file by its name, with a time between looking and making, and knows no file that appears whole. */
#ifndef XVS_UNPACK_H
#define XVS_UNPACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "report.h"
#include "said.h"
#include "target.h"
#include "wire.h"

struct unpack;

struct unpack_options {
    bool owner;                 /* owner and group are kept, by number (root alone can) */
    bool special;               /* set-user, set-group and sticky bits, too */
    bool has_uid, has_gid, has_mode;
    uid_t uid;                  /* for all; they outdo 'owner' */
    gid_t gid;
    mode_t mode;                /* for files */
    bool zstd;
    bool sums;                  /* ROOT and SUM come with the archive; else it is anybody's, unpacked into the target, a directory */
    bool quick;                 /* do not wait until all is on the disk */
};

/* 0, -ENOMEM, or -ENOPKG with why.  Everything is borrowed. */
int  unpack_open(struct unpack **out, struct wire *w, struct report *r, const struct unpack_options *o, const struct target *t,
                 const char **why);
/* For wire.hear: frames ROOT and SUM.  0 or -EPROTO. */
int  unpack_hear(struct unpack *u, const struct frame *f);
/* Which source this is: 0, or -EPROTO if that was not asked for; NULL takes any.  Before unpack_run(). */
void unpack_expect(struct unpack *u, int (*expect)(void *arg, const struct said_root *root), void *arg);
/* All of it.  0, also where single files had problems; or a negative errno, with unpack_why(): the wire's, -EPROTO for what is no archive,
 * or what would befall every further file, too. */
int  unpack_run(struct unpack *u);
const char *unpack_why(const struct unpack *u);
/* Accepts NULL. */
void unpack_close(struct unpack *u);

/* Bounds the memory of this process, for an archive can be such that libarchive takes any amount. */
void unpack_bound(void);

#endif

/* SPDX-License-Identifier: MIT */
/* pack.h: files and directories into an archive (pax), and the archive into the frames of a wire.
 *
 * Names are bytes.  Links are kept, or followed; hard links within a source stay such; of a sparse file only the data goes.  What cannot be
 * read is told (report.h), and the rest goes on.  A file that becomes shorter while it is read is marked such that it does not
 * appear at the other end; one that changed otherwise arrives as it was read, and is told.
 *
 * With sums the frames ROOT and SUM tell about the archive what said.h says. */
#ifndef XVS_PACK_H
#define XVS_PACK_H

#include <stdbool.h>
#include <stdint.h>

#include "report.h"
#include "wire.h"

struct pack;

struct pack_options {
    bool follow;                /* symbolic links are what they point to */
    bool zstd;
    bool sums;
};

/* 0, -ENOMEM, or -ENOPKG with why.  wire and report are borrowed. */
int  pack_open(struct pack **out, struct wire *w, struct report *r, const struct pack_options *o, const char **why);
/* Packs the file or directory at path, and all below it.  0, also when some of it, or all, could not be read; or the wire's error. */
int  pack_source(struct pack *p, const char *path, uint32_t number);
/* The archive's end, and that of DATA.  0 or the wire's error. */
int  pack_end(struct pack *p);
/* Accepts NULL. */
void pack_close(struct pack *p);

/* What pack_source() would bring, about; *bytes and *entries are added to. */
void pack_measure(const char *path, bool follow, uint64_t *bytes, uint64_t *entries);

#endif

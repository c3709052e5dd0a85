/* SPDX-License-Identifier: MIT */
/* said.h: what is said beside the archive (frame.h), as structs.
 *
 *     ROOT     u64 the number of its first entry, u32 which source, u8 kind (enum land_kind), its name: the entries that follow belong to
 *              this source
 *     SUM      u64 an entry's number, u32 flags, 16 bytes: the checksum of a file (sum.h).  It comes before a byte of the next entry is
 *              in the archive
 *     PROBLEM  a name, a zero byte, why: something could not be copied
 *     TOTAL    u64 bytes, u64 entries: what is to come, about; for who watches
 *     DONE     u64 files, u64 directories, u64 links, u64 bytes, u64 problems, of the agent's end
 *
 * Each said_put_… fills a body and returns its length; each said_get_… judges one.  Pure. */
#ifndef XVS_SAID_H
#define XVS_SAID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "land.h"
#include "name.h"
#include "report.h"
#include "sum.h"

#define SAID_ROOT    (13 + NAME_PART)
#define SAID_SUM     (12 + SUM_SIZE)
#define SAID_TOTAL   16
#define SAID_DONE    40
#define SAID_WHY     256            /* bytes of a reason, with its end */
#define SAID_PROBLEM (NAME_ROOM + SAID_WHY)

struct said_root {
    uint64_t first;
    uint32_t source;
    enum land_kind kind;
    char name[NAME_PART + 1];       /* one component; "" if kind is LAND_CONTENT, and not otherwise */
};

#define SAID_DROP 1u                /* not all of it could be read: it must not appear */

struct said_sum {
    uint64_t entry;
    uint32_t flags;
    uint8_t sum[SUM_SIZE];
};

struct said_problem {
    char name[NAME_ROOM], why[SAID_WHY];
};

struct said_total {
    uint64_t bytes, entries;
};

size_t said_put_root(uint8_t body[SAID_ROOT], const struct said_root *s);
bool   said_get_root(const uint8_t *body, size_t len, struct said_root *s);
size_t said_put_sum(uint8_t body[SAID_SUM], const struct said_sum *s);
bool   said_get_sum(const uint8_t *body, size_t len, struct said_sum *s);
/* What is too long is cut. */
size_t said_put_problem(uint8_t body[SAID_PROBLEM], const char *name, const char *why);
bool   said_get_problem(const uint8_t *body, size_t len, struct said_problem *s);
size_t said_put_total(uint8_t body[SAID_TOTAL], const struct said_total *s);
bool   said_get_total(const uint8_t *body, size_t len, struct said_total *s);
size_t said_put_done(uint8_t body[SAID_DONE], const struct report *r);
/* Fills the numbers of r. */
bool   said_get_done(const uint8_t *body, size_t len, struct report *r);

#endif

/* SPDX-License-Identifier: MIT */
/* copy_lab.h: archives made by hand, entry by entry, and unpacked into a directory of the test's.
 *
 * The directory has target/, where things are unpacked, and beside it outside/ with a file 'secret', which nothing may touch.  A test fails
 * if it did. */
#ifndef XVS_COPY_LAB_H
#define XVS_COPY_LAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unpack.h"

/* A new directory and an empty archive; the working directory is the new one. */
void lab_begin(void);
/* Checks that outside is as it was. */
void lab_end(void);

/* ---- the archive ---- */

struct lab_entry {
    const char *name;
    char type;                  /* '0' file, '1' hard link, '2' symbolic link, '3' device, '5' directory, '6' FIFO */
    const char *link;
    unsigned mode;              /* 0: 0644 */
    const char *content;        /* of a file */
    size_t size;                /* where it is not the content's */
};

void lab_tar(const struct lab_entry *e);
/* A pax header, which gives the next entry an attribute. */
void lab_pax(const char *key, const char *value);
/* The tar's end. */
void lab_tar_end(void);
/* A frame. */
void lab_frame(enum frame_type type, const void *body, size_t len);
void lab_root(uint64_t first, uint32_t source, enum land_kind kind, const char *name);
/* The checksum of an entry's content. */
void lab_sum(uint64_t entry, const char *content, uint32_t flags);
/* The end of DATA. */
void lab_data_end(void);

/* ---- unpacking it ---- */

#define LAB_PROBLEMS 16

struct lab_outcome {
    int err;
    char why[512];
    struct report report;
    char problem[LAB_PROBLEMS][512];    /* "NAME: WHY" */
};

/* Into the target's path; NULL: "target". */
const struct lab_outcome *lab_unpack(const struct unpack_options *o, const char *path);
/* The same, of an archive without sums. */
const struct lab_outcome *lab_unpack_anybodys(void);

/* True if one of the problems has this text in it. */
bool lab_told(const char *text);
/* The file's content is this. */
bool lab_has(const char *path, const char *content);
/* Nothing is there, not even a link. */
bool lab_has_not(const char *path);
/* Names in a directory, "." and ".." apart. */
unsigned lab_count(const char *path);

#endif

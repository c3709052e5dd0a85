/* SPDX-License-Identifier: MIT */
/* toprows.h: what xvs top shows, as rows of numbers: guests or streams, what they did between two looks at the daemon.
 *
 * A look is two answers of the daemon's, "metrics" and one "dump" a guest whose streams are shown, in which nothing is taken for granted.
 * Pure. */
#ifndef XVS_TOPROWS_H
#define XVS_TOPROWS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Columns of numbers.  Rates are a second; a negative number is one that is not known yet. */
enum top_value { TOP_DOMID, TOP_CONNECTIONS, TOP_FROM, TOP_TO, TOP_BOTH, TOP_PACKETS, TOP_NEW, TOP_REFUSED, TOP_STALLS, TOP_DROPS, TOP_HELD, TOP_ROOM, TOP_VALUES };

#define TOP_TEXT 80             /* bytes of a text, with its end */

struct top_row {
    char name[TOP_TEXT];        /* of the guest */
    char state[TOP_TEXT];       /* …or of the stream */
    char what[TOP_TEXT];        /* of a stream: its two ends */
    char waits[TOP_TEXT];       /* …and who waits for whom, "" for nobody */
    uint32_t device;
    double value[TOP_VALUES];
};

struct top_look {
    const json_t *metrics;      /* the answer to "metrics"; NULL: there was none */
    const json_t *dumps;        /* an array of answers to "dump"; NULL: none */
    uint64_t at;                /* ns, of any fixed moment */
};

struct top_rows {
    struct top_row *row;        /* top_rows_free() */
    size_t count;
};

/* 0 or -ENOMEM.  before: may be empty; then rates are not known. */
int  top_guests(struct top_rows *rows, const struct top_look *before, const struct top_look *now);
/* All streams in now->dumps. */
int  top_streams(struct top_rows *rows, const struct top_look *before, const struct top_look *now);
void top_rows_free(struct top_rows *rows);

/* The greatest first, or by name (by == TOP_VALUES) from a to z; reversed: the other way round. */
void top_sort(struct top_rows *rows, enum top_value by, bool reversed);

/* The daemon's own numbers: what follows "key" in "daemon", and how much more it is a second. */
double top_daemon(const struct top_look *now, const char *key);
double top_daemon_rate(const struct top_look *before, const struct top_look *now, const char *key);

#endif

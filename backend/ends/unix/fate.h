/* SPDX-License-Identifier: MIT */
/* fate.h: the streams of a device to host programs have numbers, and how each of them ended is remembered.
 *
 * A UNIX socket has one word for every end, so its program cannot tell a whole transfer from one that was cut off.  The number names
 * the stream: the program asks for its end by it, at the guest's socket (watchers.h).
 *
 *     fate_open(), fate_close()      a stream's number is in use
 *     fates_find()                   the living stream of a number
 *     fates_note(), fates_recall()   the ends of the last FATES_PAST streams
 *
 * "order" means that every byte got to where it was going: what the guest's program sent is in the host program's socket, its end
 * behind it; what the host program wrote was consumed by the guest's program, by what the guest's end says (vsockif.h, section 7), and
 * one of the two ended that direction.  A struct fate belongs to its stream, or to what is left of it (unread.h).  Pure but for memory;
 * one thread. */
#ifndef XVSD_FATE_H
#define XVSD_FATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ended.h"
#include "hash.h"
#include "list.h"
#include "reason.h"

#define FATES(X)                                                             \
    X(ORDER,       "order",  "")                                             \
    X(GUEST_RESET, "reset",  " by the guest's program")                      \
    X(HOST_RESET,  "reset",  " by the host program")                         \
    X(GUEST_LEFT,  "unread", " the guest's program did not read everything") \
    X(HOST_LEFT,   "unread", " the host program did not read everything")    \
    X(STOPPED,     "cut",    " the daemon stops")                            \
    X(DETACHED,    "cut",    " the device was taken away")                   \
    X(GONE,        "cut",    " the guest is gone")                           \
    X(REFUSED,     "cut",    " the guest broke a rule")                      \
    X(DOWN,        "cut",    " the guest's program gave up the device")      \
    X(FORBIDDEN,   "cut",    " the policy forbids it now")

enum fate_end {
#define X(name, word, text) FATE_##name,
    FATES(X)
#undef X
};

#define FATES_PAST 4096u        /* ends remembered for a device; 12 bytes each, taken as they come */
#define FATE_FIRST (1u << 31)   /* numbers of streams that the guest opened; those of the others are ports of ours, below it (updown.h) */

struct watched;

/* What those who vouch for a stream have to say of it (watchers.h). */
struct watched_kind {
    void (*vouched)(struct watched *w);         /* one has come */
    void (*said_end)(struct watched *w);        /* its host program has sent all */
    void (*said_reset)(struct watched *w, struct reason why);   /* …and it ends with a reset behind that */
    void (*abandoned)(struct watched *w);       /* one of them has gone before its end */
    bool (*gives_place)(struct watched *w);     /* there is a place for one (account.h), and the caller is to have it */
};

struct watched {
    struct list list;           /* struct watcher.link */
    const struct watched_kind *kind;            /* NULL: nobody listens to them any more */
};

struct fate {
    struct hash_link link;      /* key: the number, 0 while it has none */
    struct watched watched;     /* those who wait for its end */
};

struct fates {
    struct hash living;
    struct ended_all past;
    uint32_t watchers;          /* clients that wait for the end of a stream (watchers.c) */
};

static inline uint32_t fate_number(const struct fate *f)
{
    return f->link.key;
}

/* 0 or -ENOMEM. */
int  fates_init(struct fates *all);
/* Accepts a zeroed one.  No stream may be in it any more. */
void fates_free(struct fates *all);

void fate_init(struct fate *f, const struct watched_kind *kind);
/* f has no number. */
void fate_open(struct fates *all, struct fate *f, uint32_t number);
/* The number is free; watchers stay.  Harmless without a number. */
void fate_close(struct fates *all, struct fate *f);
struct fate *fates_find(const struct fates *all, uint32_t number);
/* A free number from FATE_FIRST up that nobody can guess. */
uint32_t fates_number(const struct fates *all);

/* Without memory the oldest end is forgotten earlier. */
void fates_note(struct fates *all, uint32_t number, enum fate_end end, struct reason reason);
/* The last end of a stream of that number: 0, or -ENOENT. */
int  fates_recall(const struct fates *all, uint32_t number, enum fate_end *end, struct reason *reason);

/* "ENDED <number> <word>[ <words>][ (<reason>)]\n": its length.  The reason is reason_words(). */
int  fate_line(char line[ENDED_LINE], uint32_t number, enum fate_end end, struct reason reason);

#endif

/* SPDX-License-Identifier: MIT */
/* book.h: the broker's streams by their numbers, who asks how each ends, and how the last ones ended; as xvsd(8) has it, "HOW A STREAM
 * ENDED", for programs of this guest.
 *
 *     WATCH <number>      WATCHING <number>, and later ENDED <number> <how>; or ENDED or UNKNOWN at once
 *     VOUCH <number>      the same, and this connection stands for the program of the stream: END and RESET <reason> are said there, and if
 *                         it goes before ENDED, so does the stream
 *
 * A stream is known to its own user and to root; to all others it is UNKNOWN. */
#ifndef XVS_BOOK_H
#define XVS_BOOK_H

#include <stdint.h>

#include "ended.h"
#include "holders.h"
#include "loop.h"
#include "reason.h"

#define BOOK_ENDS(X)                                                          \
    X(ORDER,        "order",  "")                                             \
    X(RESET_THERE,  "reset",  " by the program at the other end")             \
    X(RESET_HERE,   "reset",  " by this guest's program")                     \
    X(UNREAD_THERE, "unread", " the program at the other end did not read everything") \
    X(UNREAD_HERE,  "unread", " this guest's program did not read everything") \
    X(CUT,          "cut",    " the vsock device went down, or the agent stops")

enum book_end {
#define X(name, word, text) BOOK_##name,
    BOOK_ENDS(X)
#undef X
};

#define BOOK_PAST 1024u         /* ends remembered */
#define BOOK_MOST 8u            /* connections that ask about one stream */

struct entry;

/* What those who vouch for a stream have to say of it. */
struct entry_kind {
    void (*vouched)(struct entry *e);           /* one has come */
    void (*said_end)(struct entry *e);          /* its program has sent all */
    void (*said_reset)(struct entry *e, struct reason why);     /* …and it ends with a reset behind that */
    void (*abandoned)(struct entry *e);         /* one of them has gone before the end */
};

struct entry {
    struct list link;
    uint32_t number;
    uid_t uid;
    const struct entry_kind *kind;
    struct list watchers;       /* struct watcher.link (book.c) */
};

struct book {
    struct loop *loop;
    struct holders *holders;    /* who has the connections */
    struct list all;            /* struct entry.link */
    struct ended_all past;
};

void book_begin(struct book *b, struct loop *l, struct holders *holders);
/* No stream may be in it any more. */
void book_free(struct book *b);
/* A number that nobody can guess and that no stream has had lately. */
uint32_t book_number(struct book *b);
/* The entry's user and kind are the caller's. */
void entry_open(struct book *b, struct entry *e, uint32_t number);
/* The end: whoever asks is told, and it is remembered. */
void entry_end(struct book *b, struct entry *e, enum book_end end, struct reason reason);
/* Takes fd, of a program of this user's, and what it holds. */
void book_ask(struct book *b, int fd, struct holder *holder, uint32_t number, bool vouches);

#endif

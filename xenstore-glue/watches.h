/* SPDX-License-Identifier: MIT */
/* watches.h: which watches we hold, and which of them have fired.
 *
 * xenstore queues one event per change.  Here a watch is a key and one bit: however often a guest writes its nodes,
 * the set does not grow and the caller hears of that device once (XSA-349).  The key travels in xenstore as the
 * token, "xvs/KIND/DOMID/NUMBER"; an event whose token is not in the set (a watch just removed, or not ours) is
 * dropped.  No I/O: store.c feeds it.  One thread. */
#ifndef XVS_WATCHES_H
#define XVS_WATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WATCH_KINDS(X)                                                          \
    X(INTRODUCE, "introduce", "@introduceDomain: a domain appeared")            \
    X(RELEASE,   "release",   "@releaseDomain: a domain died or is gone")       \
    X(FRONT,     "front",     "the backend watches a frontend's state")         \
    X(BACK,      "back",      "the frontend watches its backend's state")       \
    X(OWN,       "own",       "an end watches its own directory")               \
    X(NAME,      "name",      "what a domain is called: 0 its name, 1 its UUID") \
    X(OTHER,     "other",     "whatever else the caller has")

enum watch_kind {
#define X(name, word, text) WATCH_##name,
    WATCH_KINDS(X)
#undef X
    WATCH_KIND_COUNT
};

struct watch_key {
    enum watch_kind kind;
    uint32_t domid;             /* the frontend's, 0 where it means nothing */
    uint32_t number;            /* the device's, likewise */
};

#define WATCH_TOKEN 48          /* bytes of a token, with its end */

void watch_format(char *token, const struct watch_key *key);
/* 0, or -EINVAL for anything that watch_format() does not write. */
int watch_parse(const char *token, struct watch_key *out);

struct watches {
    struct watch_entry *entries;    /* owned, sorted by key */
    size_t count, room;
    size_t fired;                   /* entries with the bit set */
    size_t next;                    /* where watches_take() goes on, so that nobody starves */
};

struct watch_entry {
    uint64_t key;
    char    *path;              /* owned */
    bool     fired;
};

/* All zero is an empty set. */
void watches_free(struct watches *w);
/* 0, -EEXIST if the key is there, -ENOMEM.  path is copied. */
int watches_add(struct watches *w, const struct watch_key *key, const char *path);
/* The path of a key, or NULL; valid until the next call that changes the set. */
const char *watches_path(const struct watches *w, const struct watch_key *key);
/* The key of entry i < count, in ascending order. */
void watches_key(const struct watches *w, size_t i, struct watch_key *out);
/* 0 or -ENOENT.  An event that has not been taken is forgotten. */
int watches_remove(struct watches *w, const struct watch_key *key);
/* An event came.  False if the token is none of ours. */
bool watches_fire(struct watches *w, const char *token);
/* Sets the bit of every watch: after reopening, anything may have changed. */
void watches_fire_all(struct watches *w);
/* Takes one fired watch; false if there is none.  Fair: goes round the set. */
bool watches_take(struct watches *w, struct watch_key *out);

#endif

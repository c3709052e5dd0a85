/* SPDX-License-Identifier: MIT */
/* store.h: xenstore, in the few calls that we need.  store.c is the only caller of libxenstore.
 *
 *     store_open(), store_close(), store_reopen(), store_check()
 *     store_read(), store_write(), store_remove(), store_make(), store_permit(), store_list()
 *     store_transact()              the same calls within one transaction, retried when it conflicts
 *     store_watch(), _unwatch(), _fd(), _drain()
 *
 * A path is absolute, or relative to the caller's own domain.  Results are 0, a count, or -errno; whoever owns a node
 * may be hostile, so what is read goes into the caller's buffer, within its bounds, or not at all.
 *
 * -ECONNRESET always means: the connection to xenstored is dead (xenstored restarted, or the kernel closed a
 * guest's connection, which it does when a watch goes over quota).  store_reopen() makes a new one with the same watches
 * and lets every watch fire.  Note that libxenstore does not make store_fd() readable when its connection dies: a caller that only
 * waits must call store_drain() now and then; that costs no round trip, and every 5 s will do.
 * Calls block until xenstored answers.
 *
 * Threads: a struct store belongs to one thread.  Inside, libxenstore starts a reader thread with the first
 * watch, with every signal blocked; it never runs our code.  After fork() the child must not use or close it.
 * Every request sets SIGPIPE to ignored and back for the whole process, so a daemon ignores SIGPIPE from its start. */
#ifndef XVS_STORE_H
#define XVS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "watches.h"

#define STORE_VALUE    4096     /* bytes: xenstore's payload; a buffer of this size holds any value but the longest */
#define STORE_NAME     64       /* bytes of a child's name in store_list(), with its end */
#define STORE_TRIES    16       /* of a transaction, before -EAGAIN: a guest can make each one conflict */

struct store;

/* Owned by the caller until store_close(), which accepts NULL.  -ENOENT or -ECONNREFUSED without a xenstored,
 * -EACCES when it does not let us in. */
int  store_open(struct store **out);
void store_close(struct store *s);
/* As store_close() in a process that was forked from the one that opened it: not a word to xenstored. */
void store_forget(struct store *s);
/* A new connection in place of the old one, watches registered again, all of them fired.  On an error the store
 * stays dead (every call gives -ECONNRESET): try again later. */
int  store_reopen(struct store *s);
/* 0 if xenstored answers, else -ECONNRESET. */
int  store_check(struct store *s);

/* The value into buf, ended by a NUL.  Returns its length; -ENOENT, -EACCES, -EMSGSIZE if it does not fit in
 * size, -EINVAL if it contains a NUL. */
int store_read(struct store *s, const char *path, char *buf, size_t size);
/* 1 if the node is there, 0 if it is not, or is not for us to see; a negative errno when that cannot be told. */
int store_exists(struct store *s, const char *path);
/* Creates the node if need be.  -EACCES, -ENOSPC or -EDQUOT over quota. */
int store_write(struct store *s, const char *path, const char *value);
__attribute__((format(printf, 3, 4)))
int store_writef(struct store *s, const char *path, const char *format, ...);
/* Creates an empty node; 0 if it exists. */
int store_make(struct store *s, const char *path);
/* Removes the node and all below; 0 if it did not exist. */
int store_remove(struct store *s, const char *path);
/* owner may do everything, reader (unless equal to owner) may read, others nothing.  New children inherit it. */
int store_permit(struct store *s, const char *path, uint32_t owner, uint32_t reader);
/* Reads them back: *owner, and *reader (== *owner if there is none).  -EPROTO if they are of another form. */
int store_permissions(struct store *s, const char *path, uint32_t *owner, uint32_t *reader);

/* Names of children: at most max of them, those of STORE_NAME bytes or more left out.  Returns how many were
 * stored; *more (or NULL) says whether some were not. */
int store_list(struct store *s, const char *path, char (*names)[STORE_NAME], size_t max, bool *more);

/* Runs body with all calls above inside a transaction.  body returns 0 or more to commit, a negative errno to give up;
 * that is the result.  It is run again from its start on a conflict, STORE_TRIES times, then -EAGAIN; that is so as well if it
 * gives up before it has written anything, for xenstored lets it read what another has changed meanwhile.  Within a
 * transaction this just calls body, so functions that use one may be combined. */
int store_transact(struct store *s, int (*body)(struct store *s, void *arg), void *arg);

/* A watch fires once at once.  -EEXIST for a key that is held; -E2BIG or -ENOSPC over quota (then, in a guest, the
 * connection is often dead as well: the next call says). */
int store_watch(struct store *s, const char *path, const struct watch_key *key);
int store_unwatch(struct store *s, const struct watch_key *key);
/* For poll(): readable when there is something to drain; changes with store_reopen().  -errno. */
int store_fd(struct store *s);
/* Takes every event that is queued, merges them by key, and stores up to max keys.  Returns how many; if that is max,
 * call again.  The rest is kept: at most one per watch. */
int store_drain(struct store *s, struct watch_key *out, size_t max);

#endif

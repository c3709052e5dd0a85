/* SPDX-License-Identifier: MIT */
/* store.c: see store.h.  The one file that calls libxenstore, so that what that library does behind one's back is known in
 * one place:
 *
 *   - its reader thread, when the connection breaks, sets the handle's descriptor to -1 and ends, without a word on the
 *     pipe that xs_fileno() gave out.  Requests under way then fail with EINVAL, later ones with EBADF;
 *   - a request that cannot be written (Linux refuses an XS_WATCH over quota that way, in a guest) closes the handle;
 *   - XS_UNWATCH_FILTER leaks the events that it filters; watches.c drops them instead;
 *   - xs_write() creates what does not exist, parents included. */
#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xenstore.h>

#define DRAIN_MAX 4096                  /* events in one store_drain(): a fast guest must not keep us there */

struct store {
    struct xs_handle *xs;               /* NULL when dead */
    xs_transaction_t tx;
    bool has_written;                   /* in this transaction */
    struct watches watches;
};

static bool answers(struct store *s)
{
    unsigned len;
    char *value = xs_read(s->xs, XBT_NULL, "/", &len);

    if (!value)
        return errno == EACCES || errno == ENOENT;      /* a guest may not read it: an answer all the same */
    free(value);
    return true;
}

static void die(struct store *s)
{
    xs_close(s->xs);
    s->xs = NULL;
    s->tx = XBT_NULL;
}

/* The error of the call that has just failed; finds out whether the connection is dead. */
static int failure(struct store *s)
{
    int err = errno;

    switch (err) {
    case ENOENT: case EACCES: case EEXIST: case EAGAIN: case ENOTEMPTY: case EROFS: case EISDIR: case EPERM:
        return -err;
    default:
        if (answers(s))
            return -err;
        die(s);
        return -ECONNRESET;
    }
}

int store_open(struct store **out)
{
    struct store *s = calloc(1, sizeof *s);

    if (!s)
        return -ENOMEM;
    s->xs = xs_open(0);
    if (!s->xs) {
        int err = errno ? -errno : -EIO;

        free(s);
        return err;
    }
    *out = s;
    return 0;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    xs_close(s->xs);
    watches_free(&s->watches);
    free(s);
}

void store_forget(struct store *s)
{
    if (!s)
        return;
    if (s->xs)
        xs_daemon_destroy_postfork(s->xs);
    watches_free(&s->watches);
    free(s);
}

static int watch(struct store *s, const char *path, const struct watch_key *key)
{
    char token[WATCH_TOKEN];

    watch_format(token, key);
    return xs_watch(s->xs, path, token) ? 0 : failure(s);
}

int store_reopen(struct store *s)
{
    if (s->xs)
        die(s);
    s->xs = xs_open(0);
    if (!s->xs)
        return errno ? -errno : -EIO;
    watches_fire_all(&s->watches);
    for (size_t i = 0; i < s->watches.count; i++) {
        struct watch_key key;
        int err;

        watches_key(&s->watches, i, &key);
        err = watch(s, s->watches.entries[i].path, &key);
        if (err) {
            if (s->xs)
                die(s);
            return err;
        }
    }
    return 0;
}

int store_check(struct store *s)
{
    if (s->xs && !answers(s))
        die(s);
    return s->xs ? 0 : -ECONNRESET;
}

int store_read(struct store *s, const char *path, char *buf, size_t size)
{
    unsigned len;
    char *value;
    int result;

    if (!s->xs)
        return -ECONNRESET;
    value = xs_read(s->xs, s->tx, path, &len);
    if (!value)
        return failure(s);
    if (len >= size) {
        result = -EMSGSIZE;
    } else if (memchr(value, '\0', len)) {
        result = -EINVAL;
    } else {
        memcpy(buf, value, len);
        buf[len] = '\0';
        result = (int)len;
    }
    free(value);
    return result;
}

int store_exists(struct store *s, const char *path)
{
    unsigned len;
    char *value;
    int err;

    if (!s->xs)
        return -ECONNRESET;
    value = xs_read(s->xs, s->tx, path, &len);
    if (!value) {
        err = failure(s);
        return err == -ENOENT || err == -EACCES ? 0 : err;
    }
    free(value);
    return 1;
}

int store_write(struct store *s, const char *path, const char *value)
{
    if (!s->xs)
        return -ECONNRESET;
    s->has_written = true;
    return xs_write(s->xs, s->tx, path, value, (unsigned)strlen(value)) ? 0 : failure(s);
}

int store_writef(struct store *s, const char *path, const char *format, ...)
{
    char value[1024];
    va_list args;
    int len;

    va_start(args, format);
    len = vsnprintf(value, sizeof value, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= sizeof value)
        return -EMSGSIZE;
    return store_write(s, path, value);
}

int store_make(struct store *s, const char *path)
{
    if (!s->xs)
        return -ECONNRESET;
    s->has_written = true;
    return xs_mkdir(s->xs, s->tx, path) ? 0 : failure(s);
}

int store_remove(struct store *s, const char *path)
{
    int err;

    if (!s->xs)
        return -ECONNRESET;
    s->has_written = true;
    err = xs_rm(s->xs, s->tx, path) ? 0 : failure(s);
    return err == -ENOENT ? 0 : err;
}

int store_permit(struct store *s, const char *path, uint32_t owner, uint32_t reader)
{
    struct xs_permissions perms[2] = {
        { .id = owner, .perms = XS_PERM_NONE },         /* the owner; for everyone else: nothing */
        { .id = reader, .perms = XS_PERM_READ },
    };

    if (!s->xs)
        return -ECONNRESET;
    s->has_written = true;
    return xs_set_permissions(s->xs, s->tx, path, perms, owner == reader ? 1 : 2) ? 0 : failure(s);
}

int store_permissions(struct store *s, const char *path, uint32_t *owner, uint32_t *reader)
{
    struct xs_permissions *perms;
    unsigned count;
    int err = -EPROTO;

    if (!s->xs)
        return -ECONNRESET;
    perms = xs_get_permissions(s->xs, s->tx, path, &count);
    if (!perms)
        return failure(s);
    if (count >= 1 && count <= 2 && perms[0].perms == XS_PERM_NONE && (count == 1 || perms[1].perms == XS_PERM_READ)) {
        *owner = perms[0].id;
        *reader = perms[count - 1].id;
        err = 0;
    }
    free(perms);
    return err;
}

int store_list(struct store *s, const char *path, char (*names)[STORE_NAME], size_t max, bool *more)
{
    unsigned count;
    size_t stored = 0;
    char **all;

    if (more)
        *more = false;
    if (!s->xs)
        return -ECONNRESET;
    all = xs_directory(s->xs, s->tx, path, &count);
    if (!all)
        return failure(s);
    for (unsigned i = 0; i < count; i++) {
        size_t len = strlen(all[i]);

        if (stored < max && len < STORE_NAME)
            memcpy(names[stored++], all[i], len + 1);
        else if (more)
            *more = true;
    }
    free(all);
    return (int)stored;
}

int store_transact(struct store *s, int (*body)(struct store *s, void *arg), void *arg)
{
    if (s->tx)
        return body(s, arg);
    for (unsigned i = 0; i < STORE_TRIES; i++) {
        xs_transaction_t tx;
        bool gives_up;
        int result;

        if (!s->xs)
            return -ECONNRESET;
        tx = s->tx = xs_transaction_start(s->xs);
        if (!tx)
            return failure(s);
        s->has_written = false;
        result = body(s, arg);
        s->tx = XBT_NULL;
        if (!s->xs)
            return -ECONNRESET;
        gives_up = result < 0 && s->has_written;        /* what was only read must have fitted together, whatever came of it */
        if (xs_transaction_end(s->xs, tx, gives_up) || gives_up)
            return result;
        if (errno != EAGAIN)
            return failure(s);
    }
    return -EAGAIN;
}

/* xenstored has one already that we do not know of: store_unwatch() could not tell it.  It fires when it is made, so it is made anew. */
static int watch_anew(struct store *s, const char *path, const struct watch_key *key)
{
    char token[WATCH_TOKEN];

    watch_format(token, key);
    return xs_unwatch(s->xs, path, token) ? watch(s, path, key) : failure(s);
}

int store_watch(struct store *s, const char *path, const struct watch_key *key)
{
    int err;

    if (!s->xs)
        return -ECONNRESET;
    err = watches_add(&s->watches, key, path);
    if (err)
        return err;
    err = watch(s, path, key);
    if (err == -EEXIST)
        err = watch_anew(s, path, key);
    if (err)
        watches_remove(&s->watches, key);
    return err;
}

int store_unwatch(struct store *s, const struct watch_key *key)
{
    const char *path = watches_path(&s->watches, key);
    char token[WATCH_TOKEN];
    int err = 0;

    if (!path)
        return -ENOENT;
    watch_format(token, key);
    if (s->xs && !xs_unwatch(s->xs, path, token))
        err = failure(s);
    watches_remove(&s->watches, key);
    return err == -ENOENT || err == -ECONNRESET ? 0 : err;
}

int store_fd(struct store *s)
{
    int fd = s->xs ? xs_fileno(s->xs) : -1;

    return fd >= 0 ? fd : -ECONNRESET;
}

int store_drain(struct store *s, struct watch_key *out, size_t max)
{
    size_t count = 0;

    for (unsigned i = 0; s->xs && i < DRAIN_MAX; i++) {
        char **event = xs_check_watch(s->xs);

        if (!event) {
            if (errno != EAGAIN)
                die(s);
            break;
        }
        watches_fire(&s->watches, event[XS_WATCH_TOKEN]);
        free(event);
    }
    while (count < max && watches_take(&s->watches, &out[count]))
        count++;
    return count || s->xs ? (int)count : -ECONNRESET;
}

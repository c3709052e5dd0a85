/* SPDX-License-Identifier: MIT */
/* store.c: libxenstore; see mock.h.
 *
 * A transaction writes in place and keeps what was there before, because the product is the only one that runs while it is open.
 * A test that wants to change something meanwhile waits until mock_store_in_transaction() is over, and lets it
 * conflict; to the product that is the same. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <xenstore.h>

#include "list.h"
#include "mock.h"

#define BUCKETS 256
#define PATH    256             /* bytes of any path here, with its end */
#define PERMS   4

struct node {
    struct node *next;          /* in its bucket */
    char *value;                /* ended by a NUL that does not count */
    uint32_t len;
    uint32_t perm_count;
    struct xs_permissions perms[PERMS];
    char path[];
};

/* What a transaction has changed: the node as it was, or that there was none. */
struct undo {
    struct undo *next;
    struct node *was;           /* NULL: there was none */
    char path[PATH];
};

struct watch {
    struct list link;
    char path[PATH], token[64];
    size_t prefix;              /* bytes of path that are the domain's own directory, which a relative path left out */
};

struct event {
    struct list link;
    char path[PATH], token[64];
};

struct xs_handle {
    struct list link;
    struct list watches, events;
    uint32_t domid;
    int fd;
    bool dead;
};

static struct node *bucket[BUCKETS];
static struct list handles = { &handles, &handles };
static struct undo *undone;             /* of the open transaction, the last change first */
static struct list fired = { &fired, &fired };  /* …and what it will fire */
static bool in_transaction, conflicts, away;
static unsigned queued;

/* ---- nodes ---- */

static struct node **place(const char *path)
{
    uint32_t hash = 2166136261u;
    struct node **at;

    for (const char *c = path; *c; c++)
        hash = (hash ^ (unsigned char)*c) * 16777619u;
    for (at = &bucket[hash % BUCKETS]; *at && strcmp((*at)->path, path); at = &(*at)->next)
        ;
    return at;
}

static struct node *node_new(const char *path, const void *value, size_t len)
{
    struct node *n = calloc(1, sizeof *n + strlen(path) + 1);

    MOCK_MUST(n && strlen(path) < PATH, "a path that is too long: %s", path);
    strcpy(n->path, path);
    n->value = malloc(len + 1);
    if (len)
        memcpy(n->value, value, len);
    n->value[len] = '\0';
    n->len = (uint32_t)len;
    return n;
}

static void node_free(struct node *n)
{
    if (n)
        free(n->value);
    free(n);
}

static struct node *node_copy(const struct node *n)
{
    struct node *copy = node_new(n->path, n->value, n->len);

    copy->perm_count = n->perm_count;
    memcpy(copy->perms, n->perms, sizeof n->perms);
    return copy;
}

/* Within a transaction: keeps how the path is now. */
static void keep(const char *path)
{
    struct node *n = *place(path);
    struct undo *u;

    if (!in_transaction)
        return;
    u = calloc(1, sizeof *u);
    snprintf(u->path, sizeof u->path, "%s", path);
    u->was = n ? node_copy(n) : NULL;
    u->next = undone;
    undone = u;
}

static void take_out(const char *path)
{
    struct node **at = place(path), *n = *at;

    if (!n)
        return;
    *at = n->next;
    node_free(n);
}

static void put_in(struct node *n)
{
    struct node **at;

    take_out(n->path);
    at = place(n->path);
    n->next = NULL;
    *at = n;
}

static bool parent_of(char *parent, const char *path)
{
    char *slash;

    snprintf(parent, PATH, "%s", path);
    slash = strrchr(parent, '/');
    if (!slash || slash == parent)
        return false;
    *slash = '\0';
    return true;
}

/* Makes the node and those above it, which inherit their permissions. */
static struct node *make(const char *path, const void *value, size_t len)
{
    struct node *n = *place(path), *above = NULL;
    char parent[PATH];

    if (n)
        return n;
    if (parent_of(parent, path))
        above = make(parent, "", 0);
    keep(path);
    n = node_new(path, value, len);
    if (above) {
        n->perm_count = above->perm_count;
        memcpy(n->perms, above->perms, sizeof n->perms);
    } else {
        n->perm_count = 1;
    }
    put_in(n);
    return n;
}

static bool is_below(const char *path, const char *dir)
{
    size_t len = strlen(dir);

    return !strncmp(path, dir, len) && (path[len] == '/' || path[len] == '\0' || !strcmp(dir, "/"));
}

/* ---- watches ---- */

static void free_list(struct list *l, size_t offset)
{
    struct list *link;

    while ((link = list_take(l)))
        free((char *)link - offset);
}

static void queue(struct xs_handle *h, const char *path, const char *token)
{
    struct event *e = calloc(1, sizeof *e);
    uint64_t one = 1;

    snprintf(e->path, sizeof e->path, "%s", path);
    snprintf(e->token, sizeof e->token, "%s", token);
    list_init(&e->link);
    if (list_is_empty(&h->events))
        MOCK_MUST(write(h->fd, &one, sizeof one) == sizeof one, "xenstore: cannot signal");
    list_append(&h->events, &e->link);
    queued++;
}

static void fire_now(const char *path, bool removed)
{
    for (struct list *l = handles.next; l != &handles; l = l->next) {
        struct xs_handle *h = container_of(l, struct xs_handle, link);

        if (h->dead)
            continue;
        for (struct list *k = h->watches.next; k != &h->watches; k = k->next) {
            struct watch *w = container_of(k, struct watch, link);

            if (is_below(path, w->path))
                queue(h, path + (w->prefix && strlen(path) > w->prefix ? w->prefix : 0), w->token);
            else if (removed && is_below(w->path, path))
                queue(h, w->path + w->prefix, w->token);
        }
    }
}

static void fire(const char *path, bool removed)
{
    struct event *e;

    if (!in_transaction) {
        fire_now(path, removed);
        return;
    }
    e = calloc(1, sizeof *e);
    snprintf(e->path, sizeof e->path, "%s", path);
    e->token[0] = removed ? 'r' : 'w';
    list_init(&e->link);
    list_append(&fired, &e->link);
}

/* ---- changes ---- */

static void write_node(const char *path, const void *value, size_t len)
{
    struct node *n = make(path, "", 0);
    char *copy = malloc(len + 1);

    keep(path);
    if (len)
        memcpy(copy, value, len);
    copy[len] = '\0';
    free(n->value);
    n->value = copy;
    n->len = (uint32_t)len;
    fire(path, false);
}

static bool remove_tree(const char *path)
{
    char copy[PATH];

    snprintf(copy, sizeof copy, "%s", path);
    if (!*place(copy))
        return false;
    for (unsigned i = 0; i < BUCKETS; i++)
        for (struct node **at = &bucket[i]; *at; ) {
            struct node *n = *at;

            if (!is_below(n->path, copy)) {
                at = &n->next;
                continue;
            }
            keep(n->path);
            *at = n->next;
            node_free(n);
        }
    fire(copy, true);
    return true;
}

static void end_transaction(bool commit)
{
    struct list *link;

    in_transaction = false;
    while (undone) {
        struct undo *u = undone;

        undone = u->next;
        if (commit)
            node_free(u->was);
        else if (u->was)
            put_in(u->was);
        else
            take_out(u->path);
        free(u);
    }
    while ((link = list_take(&fired))) {
        struct event *e = container_of(link, struct event, link);

        if (commit)
            fire_now(e->path, e->token[0] == 'r');
        free(e);
    }
}

/* ---- for the test ---- */

void mock_store_write_bytes(const char *path, const void *bytes, size_t len)
{
    MOCK_MUST(!in_transaction, "%s is written within the product's transaction", path);
    write_node(path, bytes, len);
}

void mock_store_write(const char *path, const char *format, ...)
{
    char value[1024];
    va_list args;

    va_start(args, format);
    vsnprintf(value, sizeof value, format, args);
    va_end(args);
    mock_store_write_bytes(path, value, strlen(value));
}

void mock_store_remove(const char *path)
{
    MOCK_MUST(!in_transaction, "%s is removed within the product's transaction", path);
    remove_tree(path);
}

const char *mock_store_read(const char *path)
{
    const struct node *n = *place(path);

    return n ? n->value : NULL;
}

uint32_t mock_store_number(const char *dir, const char *leaf)
{
    char path[PATH];
    const char *value;

    snprintf(path, sizeof path, "%s/%s", dir, leaf);
    value = mock_store_read(path);
    return value ? (uint32_t)strtoul(value, NULL, 10) : 0;
}

const char *mock_store_state(const char *dir)
{
    char path[PATH];
    const char *value;

    snprintf(path, sizeof path, "%.240s/state", dir);
    value = mock_store_read(path);
    return value ? value : "none";
}

void mock_store_fire(const char *special)
{
    fire_now(special, false);
}

const char *mock_store_next(const char *prefix, const char *after)
{
    bool seen = !after;

    for (unsigned i = 0; i < BUCKETS; i++)
        for (const struct node *n = bucket[i]; n; n = n->next) {
            if (seen && !strncmp(n->path, prefix, strlen(prefix)))
                return n->path;
            seen = seen || !strcmp(n->path, after);
        }
    return NULL;
}

bool mock_store_in_transaction(void)
{
    return in_transaction;
}

void mock_store_conflict(void)
{
    conflicts = true;
}

void mock_store_lose(bool is_away)
{
    away = is_away;
    if (in_transaction)
        end_transaction(false);
    for (struct list *l = handles.next; l != &handles; l = l->next) {
        struct xs_handle *h = container_of(l, struct xs_handle, link);

        h->dead = true;
    }
}

bool mock_store_is_away(void)
{
    return away;
}

unsigned mock_store_events(void)
{
    return queued;
}

void mock_store_reset(void)
{
    MOCK_MUST(list_is_empty(&handles), "xenstore: a handle is open");
    if (in_transaction)
        end_transaction(false);
    for (unsigned i = 0; i < BUCKETS; i++)
        while (bucket[i]) {
            struct node *n = bucket[i];

            bucket[i] = n->next;
            node_free(n);
        }
    in_transaction = conflicts = away = false;
    queued = 0;
}

const char *mock_store_left_over(void)
{
    return list_is_empty(&handles) ? "" : "a connection to xenstored is open";
}

/* ---- the product's calls ---- */

/* A dead connection: what libxenstore says then. */
#define ALIVE(h, failed) if ((h)->dead) { errno = EBADF; return failed; }

/* Relative paths are below the domain's own directory. */
static const char *absolute(const struct xs_handle *h, const char *path, char *buffer)
{
    if (*path == '/' || *path == '@')
        return path;
    snprintf(buffer, PATH, "/local/domain/%u/%s", h->domid, path);
    return buffer;
}

struct xs_handle *xs_open(unsigned long flags)
{
    MOCK_ENTER(xs_open, NULL);
    struct xs_handle *h;

    (void)flags;
    if (away) {
        errno = ECONNREFUSED;
        return NULL;
    }
    h = calloc(1, sizeof *h);
    h->domid = mock_self;
    h->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    MOCK_MUST(h->fd >= 0, "xenstore: no descriptor");
    list_init(&h->link);
    list_init(&h->watches);
    list_init(&h->events);
    list_append(&handles, &h->link);
    return h;
}

void xs_close(struct xs_handle *h)
{
    MOCK_INSIDE();

    if (!h)
        return;
    if (in_transaction)
        end_transaction(false);
    while (!list_is_empty(&h->events)) {
        free(container_of(list_take(&h->events), struct event, link));
        queued--;
    }
    free_list(&h->watches, offsetof(struct watch, link));
    list_remove(&h->link);
    close(h->fd);
    free(h);
}

/* In a child: here the same process goes on. */
void xs_daemon_destroy_postfork(struct xs_handle *h)
{
    xs_close(h);
}

int xs_fileno(struct xs_handle *h)
{
    return h->fd;
}

void *xs_read(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *len)
{
    MOCK_ENTER(xs_request, NULL);
    const struct node *n;
    char buffer[PATH], *copy;

    (void)t;
    ALIVE(h, NULL);
    n = *place(absolute(h, path, buffer));
    if (!n && strcmp(path, "/")) {
        errno = ENOENT;
        return NULL;
    }
    *len = n ? n->len : 0;
    copy = malloc(*len + 1);
    if (n)
        memcpy(copy, n->value, n->len);
    copy[*len] = '\0';
    return copy;
}

bool xs_write(struct xs_handle *h, xs_transaction_t t, const char *path, const void *data, unsigned int len)
{
    MOCK_ENTER(xs_request, false);
    char buffer[PATH];

    (void)t;
    ALIVE(h, false);
    write_node(absolute(h, path, buffer), data, len);
    return true;
}

bool xs_mkdir(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    MOCK_ENTER(xs_request, false);
    char buffer[PATH];

    (void)t;
    ALIVE(h, false);
    path = absolute(h, path, buffer);
    if (!*place(path)) {
        make(path, "", 0);
        fire(path, false);
    }
    return true;
}

bool xs_rm(struct xs_handle *h, xs_transaction_t t, const char *path)
{
    MOCK_ENTER(xs_request, false);
    char buffer[PATH], parent[PATH];

    (void)t;
    ALIVE(h, false);
    path = absolute(h, path, buffer);
    if (remove_tree(path) || (parent_of(parent, path) && *place(parent)))
        return true;
    errno = ENOENT;
    return false;
}

/* One piece of memory: the pointers, then the names. */
char **xs_directory(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *count)
{
    MOCK_ENTER(xs_request, NULL);
    size_t bytes = 0, prefix;
    unsigned names = 0;
    char buffer[PATH], **all = NULL, *at = NULL;

    (void)t;
    ALIVE(h, NULL);
    path = absolute(h, path, buffer);
    if (!*place(path)) {
        errno = ENOENT;
        return NULL;
    }
    prefix = strlen(path) + 1;
    for (int pass = 0; pass < 2; pass++) {
        names = 0;
        for (unsigned i = 0; i < BUCKETS; i++)
            for (const struct node *n = bucket[i]; n; n = n->next) {
                if (!is_below(n->path, path) || strlen(n->path) < prefix || strchr(n->path + prefix, '/'))
                    continue;
                if (all) {
                    all[names] = at;
                    at = stpcpy(at, n->path + prefix) + 1;
                } else {
                    bytes += strlen(n->path + prefix) + 1;
                }
                names++;
            }
        if (!all) {
            all = malloc(names * sizeof *all + bytes + 1);
            at = (char *)(all + names);
        }
    }
    *count = names;
    return all;
}

struct xs_permissions *xs_get_permissions(struct xs_handle *h, xs_transaction_t t, const char *path, unsigned int *count)
{
    MOCK_ENTER(xs_request, NULL);
    struct xs_permissions *copy;
    const struct node *n;
    char buffer[PATH];

    (void)t;
    ALIVE(h, NULL);
    n = *place(absolute(h, path, buffer));
    if (!n) {
        errno = ENOENT;
        return NULL;
    }
    *count = n->perm_count;
    copy = calloc(PERMS, sizeof *copy);
    memcpy(copy, n->perms, sizeof n->perms);
    return copy;
}

bool xs_set_permissions(struct xs_handle *h, xs_transaction_t t, const char *path, struct xs_permissions *perms,
                        unsigned int count)
{
    MOCK_ENTER(xs_request, false);
    struct node *n;
    char buffer[PATH];

    (void)t;
    ALIVE(h, false);
    n = *place(absolute(h, path, buffer));
    if (!n || count > PERMS) {
        errno = n ? ENOSPC : ENOENT;
        return false;
    }
    keep(n->path);
    memcpy(n->perms, perms, count * sizeof *perms);
    n->perm_count = count;
    fire(n->path, false);
    return true;
}

static struct watch *find_watch(struct xs_handle *h, const char *path, const char *token)
{
    for (struct list *l = h->watches.next; l != &h->watches; l = l->next) {
        struct watch *w = container_of(l, struct watch, link);

        if (!strcmp(w->path, path) && !strcmp(w->token, token))
            return w;
    }
    return NULL;
}

bool xs_watch(struct xs_handle *h, const char *path, const char *token)
{
    MOCK_ENTER(xs_request, false);
    const char *whole;
    char buffer[PATH];
    struct watch *w;

    ALIVE(h, false);
    whole = absolute(h, path, buffer);
    if (find_watch(h, whole, token)) {
        errno = EEXIST;
        return false;
    }
    w = calloc(1, sizeof *w);
    snprintf(w->path, sizeof w->path, "%s", whole);
    snprintf(w->token, sizeof w->token, "%s", token);
    w->prefix = strlen(whole) - strlen(path);
    list_init(&w->link);
    list_append(&h->watches, &w->link);
    queue(h, path, token);
    return true;
}

bool xs_unwatch(struct xs_handle *h, const char *path, const char *token)
{
    MOCK_ENTER(xs_request, false);
    char buffer[PATH];
    struct watch *w;

    ALIVE(h, false);
    w = find_watch(h, absolute(h, path, buffer), token);
    if (!w) {
        errno = ENOENT;
        return false;
    }
    list_remove(&w->link);
    free(w);
    return true;
}

char **xs_check_watch(struct xs_handle *h)
{
    MOCK_INSIDE();
    struct list *link = list_take(&h->events);
    struct event *e;
    uint64_t count;
    char **pair, *at;

    if (!link) {
        errno = h->dead ? EINVAL : EAGAIN;
        return NULL;
    }
    queued--;
    if (list_is_empty(&h->events))
        MOCK_MUST(read(h->fd, &count, sizeof count) == sizeof count, "xenstore: the descriptor was not readable");
    e = container_of(link, struct event, link);
    pair = malloc(2 * sizeof *pair + strlen(e->path) + strlen(e->token) + 2);
    at = (char *)(pair + 2);
    pair[XS_WATCH_PATH] = at;
    at = stpcpy(at, e->path) + 1;
    pair[XS_WATCH_TOKEN] = at;
    strcpy(at, e->token);
    free(e);
    return pair;
}

xs_transaction_t xs_transaction_start(struct xs_handle *h)
{
    MOCK_ENTER(xs_request, XBT_NULL);

    ALIVE(h, XBT_NULL);
    MOCK_MUST(!in_transaction, "xenstore: two transactions at a time");
    in_transaction = true;
    return 1;
}

bool xs_transaction_end(struct xs_handle *h, xs_transaction_t t, bool abort)
{
    __attribute__((cleanup(mock_end))) struct mock_scope mock_scope = mock_begin(MOCK_xs_transaction_end);
    int err = mock_scope.err;

    (void)t;
    ALIVE(h, false);
    MOCK_MUST(in_transaction, "xenstore: no transaction to end");
    if (!err && conflicts && !abort)
        err = EAGAIN;
    conflicts = false;
    end_transaction(!abort && !err);    /* it is over in any case */
    errno = err;
    return !err;
}

/* ---- the rest of the ABI that the product may use ---- */

char *xs_get_domain_path(struct xs_handle *h, unsigned int domid)
{
    MOCK_ENTER(xs_request, NULL);
    char *path = malloc(40);

    (void)h;
    snprintf(path, 40, "/local/domain/%u", domid);
    return path;
}

bool xs_is_domain_introduced(struct xs_handle *h, unsigned int domid)
{
    MOCK_ENTER(xs_request, false);
    char path[40];

    ALIVE(h, false);
    snprintf(path, sizeof path, "/local/domain/%u", domid);
    return *place(path) != NULL;
}

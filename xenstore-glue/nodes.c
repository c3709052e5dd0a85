/* SPDX-License-Identifier: MIT */
/* nodes.c: see nodes.h. */
#include "nodes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "parse.h"
#include "vsockif.h"

#define SHORT 64                        /* bytes of a number or a list; a longer value is wrong whatever it is */
#define LIST  544                       /* …of the longest list of features that parse_features() takes */

/* xenstored says EACCES for a missing node whose parent the caller may not read. */
static bool is_missing(int err)
{
    return err == -ENOENT || err == -EACCES;
}

static int read_leaf(struct store *s, const char *dir, const char *leaf, char *buf, size_t size)
{
    char path[PATHS_MAX];

    return store_read(s, paths_join(path, dir, leaf), buf, size);
}

/* What read_leaf() said of a value that must be there, as text.  Errors of the peer's making become -EPROTO. */
static int judge_leaf(int len, const char *leaf, char *why)
{
    if (len >= 0)
        return 0;
    if (!is_missing(len) && len != -EMSGSIZE && len != -EINVAL)
        return len;
    if (why)
        snprintf(why, PARSE_WHY, "%s: %s", leaf, is_missing(len) ? "there is no such node" : "the value is too long, or not text");
    return -EPROTO;
}

static int need(struct store *s, const char *dir, const char *leaf, char *buf, size_t size, char *why)
{
    return judge_leaf(read_leaf(s, dir, leaf, buf, size), leaf, why);
}

/* The same of a number, whose text is what was read. */
static int judge_u32(int len, const char *leaf, const char *text, uint32_t min, uint32_t max, uint32_t *out, char *why)
{
    int err = judge_leaf(len, leaf, why);

    return err ? err : parse_u32(leaf, text, min, max, out, why) ? -EPROTO : 0;
}

static int need_u32(struct store *s, const char *dir, const char *leaf, uint32_t min, uint32_t max, uint32_t *out, char *why)
{
    char text[SHORT];

    return judge_u32(read_leaf(s, dir, leaf, text, sizeof text), leaf, text, min, max, out, why);
}

/* As need_u32(), but 1 if there is no such node. */
static int queues_of(struct store *s, const char *dir, const char *leaf, uint32_t *out, char *why)
{
    char text[SHORT];
    int len = read_leaf(s, dir, leaf, text, sizeof text);

    *out = 1;
    return is_missing(len) ? 0 : judge_u32(len, leaf, text, 1, NODES_MAX_QUEUES, out, why);
}

/* The state node in dir: 0 if it is missing or wrong. */
static int state_of(struct store *s, const char *dir, uint8_t *out, char *why)
{
    char text[SHORT];
    int len = read_leaf(s, dir, "state", text, sizeof text);

    *out = VSOCKIF_UNKNOWN;
    if (len >= 0) {
        parse_state(text, out, why);
        return 0;
    }
    if (len == -EMSGSIZE || len == -EINVAL) {
        if (why)
            snprintf(why, PARSE_WHY, "state: the value is too long, or not text");
        return 0;
    }
    return is_missing(len) ? 0 : len;
}

/* -EAGAIN unless it is as given. */
static int expect_state(struct store *s, const char *dir, unsigned state, char *why)
{
    uint8_t found;
    int err = state_of(s, dir, &found, why);

    return err ? err : found == state ? 0 : -EAGAIN;
}

/* For the start of a transaction that writes: -ENOENT unless dir exists, -EAGAIN unless the peer's state is as given
 * (0: any). */
static int expect(struct store *s, const char *dir, const char *peer, unsigned state)
{
    char path[PATHS_MAX];
    int err = store_exists(s, paths_join(path, dir, "state"));

    if (err <= 0)
        return err ? err : -ENOENT;
    return state ? expect_state(s, peer, state, NULL) : 0;
}

static int write_u32(struct store *s, const char *dir, const char *leaf, uint32_t value)
{
    char path[PATHS_MAX];

    return store_writef(s, paths_join(path, dir, leaf), "%" PRIu32, value);
}

int nodes_look(struct store *s, const char *own, const char *peer, uint8_t *own_state, uint8_t *peer_state, char *why)
{
    int err;

    if (why)
        why[0] = '\0';
    err = state_of(s, own, own_state, NULL);
    return err ? err : state_of(s, peer, peer_state, why);
}

/* ---- acts that only write a state ------------------------------------------------------------------ */

struct set_state { const char *dir; unsigned state; };

static int set_state(struct store *s, void *arg)
{
    const struct set_state *a = arg;
    int err = expect(s, a->dir, NULL, 0);

    return err ? err : write_u32(s, a->dir, "state", a->state);
}

int nodes_set_state(struct store *s, const char *dir, unsigned state)
{
    struct set_state a = { dir, state };

    return store_transact(s, set_state, &a);
}

/* ---- the backend's nodes ----------------------------------------------------------------------------- */

static void format_features(uint32_t features, char *text, size_t size)
{
    size_t len = 0;

    text[0] = '\0';
#define X(name, bit, word)                                                                           \
    if (features & VSOCKIF_FEATURE_##name && len < size)                                             \
        len += (size_t)snprintf(text + len, size - len, "%s%s", len ? "," : "", word);
    VSOCKIF_FEATURES(X)
#undef X
}

/* Where there are features, the node is always written: one that an earlier end has left is never believed. */
static int write_features(struct store *s, const char *dir, bool has_any, uint32_t features)
{
    char path[PATHS_MAX], text[LIST];

    if (!has_any)
        return 0;
    format_features(features, text, sizeof text);
    return store_write(s, paths_join(path, dir, "features"), text);
}

static int read_features(struct store *s, const char *dir, bool has_any, uint32_t *out, char *why)
{
    char text[LIST];
    int err;

    *out = 0;
    if (!has_any)
        return 0;
    err = need(s, dir, "features", text, sizeof text, why);
    return err ? err : parse_features("features", text, out, why) ? -EPROTO : 0;
}

#define HAS_FEATURES(versions) ((versions) >> VSOCKIF_VERSION_FEATURES & 1)

struct back_arg { const struct paths *p; const struct back_nodes *in; struct back_nodes *out; char *why; };

static void format_versions(uint32_t versions, char *text, size_t size)
{
    size_t len = 0;

    text[0] = '\0';
    for (unsigned v = 1; v <= PARSE_VERSIONS; v++)
        if (versions >> v & 1 && len < size)
            len += (size_t)snprintf(text + len, size - len, "%s%u", len ? "," : "", v);
}

static int offer(struct store *s, void *arg)
{
    const struct back_arg *a = arg;
    const char *dir = a->p->back;
    char path[PATHS_MAX], versions[128];
    int err;

    format_versions(a->in->versions, versions, sizeof versions);
    if ((err = expect(s, dir, a->p->front, VSOCKIF_INITIALISING)) ||
        (err = a->in->cid ? store_writef(s, paths_join(path, dir, "cid"), "%" PRIu64, a->in->cid) : 0) ||
        (err = store_write(s, paths_join(path, dir, "versions"), versions)) ||
        (err = write_features(s, dir, HAS_FEATURES(a->in->versions), a->in->features)) ||
        (err = write_u32(s, dir, "max-ring-page-order", a->in->max_ring_page_order)) ||
        (err = write_u32(s, dir, "max-pool-pages", a->in->max_pool_pages)) ||
        (err = a->in->max_queues > 1 ? write_u32(s, dir, "multi-queue-max-queues", a->in->max_queues)
                                     : store_remove(s, paths_join(path, dir, "multi-queue-max-queues"))) ||
        (err = write_u32(s, dir, "state", VSOCKIF_INITWAIT)))
        return err;
    return 0;
}

int nodes_offer(struct store *s, const struct paths *p, const struct back_nodes *n)
{
    struct back_arg a = { .p = p, .in = n };

    return store_transact(s, offer, &a);
}

static int cid_of(struct store *s, const char *dir, uint64_t *cid, char *why)
{
    char text[SHORT];
    int err = need(s, dir, "cid", text, sizeof text, why);

    return err ? err : parse_u64("cid", text, VSOCKIF_CID_FIRST, VSOCKIF_CID_LAST, cid, why) ? -EPROTO : 0;
}

int nodes_cid(struct store *s, const struct paths *p, uint64_t *cid)
{
    *cid = 0;
    return cid_of(s, p->back, cid, NULL);
}

static int read_back(struct store *s, void *arg)
{
    const struct back_arg *a = arg;
    const char *dir = a->p->back;
    char text[SHORT];
    int err;

    if ((err = expect_state(s, dir, VSOCKIF_INITWAIT, a->why)) ||
        (err = cid_of(s, dir, &a->out->cid, a->why)) ||
        (err = need(s, dir, "versions", text, sizeof text, a->why)) ||
        (err = parse_versions("versions", text, &a->out->versions, a->why) ? -EPROTO : 0) ||
        (err = read_features(s, dir, HAS_FEATURES(a->out->versions), &a->out->features, a->why)) ||
        (err = need_u32(s, dir, "max-ring-page-order", 0, VSOCKIF_MAX_RING_PAGE_ORDER, &a->out->max_ring_page_order, a->why)) ||
        (err = need_u32(s, dir, "max-pool-pages", 1, VSOCKIF_MAX_POOL_PAGES, &a->out->max_pool_pages, a->why)) ||
        (err = queues_of(s, dir, "multi-queue-max-queues", &a->out->max_queues, a->why)))
        return err;
    return 0;
}

int nodes_read_back(struct store *s, const struct paths *p, struct back_nodes *out, char *why)
{
    struct back_arg a = { .p = p, .out = out, .why = why };

    return store_transact(s, read_back, &a);
}

/* ---- the frontend's nodes ---------------------------------------------------------------------------- */

struct front_arg { const struct paths *p; const struct front_nodes *in; struct front_nodes *out; char *why; };

/* Where control-ref and event-channel are: of the device, or of its queue 0. */
static const char *queue_dir(const char *dir, uint32_t queues, char *path)
{
    return queues > 1 ? paths_join(path, dir, "queue-0") : dir;
}

/* The backend may have changed its offer since it was read, and be in 2 again. */
static int expect_cid(struct store *s, const char *back, uint64_t wanted)
{
    char text[SHORT];
    uint64_t cid;
    int err;

    if (!wanted)
        return 0;
    err = need(s, back, "cid", text, sizeof text, NULL);
    return err ? err : parse_u64("cid", text, 0, UINT64_MAX, &cid, NULL) || cid != wanted ? -EAGAIN : 0;
}

static int share(struct store *s, void *arg)
{
    const struct front_arg *a = arg;
    const char *dir = a->p->front;
    char queue_path[PATHS_MAX], path[PATHS_MAX];
    const char *queue = queue_dir(dir, a->in->queues, queue_path);
    int err;

    if ((err = expect(s, dir, a->p->back, VSOCKIF_INITWAIT)) ||
        (err = expect_state(s, dir, VSOCKIF_INITIALISING, NULL)) ||    /* or another frontend of this guest has shared */
        (err = expect_cid(s, a->p->back, a->in->cid)) ||
        (err = write_u32(s, dir, "version", a->in->version)) ||
        (err = write_features(s, dir, a->in->version >= VSOCKIF_VERSION_FEATURES, a->in->features)) ||
        (err = write_u32(s, queue, "control-ref", a->in->control_ref)) ||
        (err = write_u32(s, queue, "event-channel", a->in->event_channel)) ||
        (err = a->in->queues > 1 ? write_u32(s, dir, "multi-queue-num-queues", a->in->queues)
                                 : store_remove(s, paths_join(path, dir, "multi-queue-num-queues"))) ||
        (err = write_u32(s, dir, "state", VSOCKIF_INITIALISED)))
        return err;
    return 0;
}

int nodes_share(struct store *s, const struct paths *p, const struct front_nodes *n)
{
    struct front_arg a = { .p = p, .in = n };

    return store_transact(s, share, &a);
}

static int read_front(struct store *s, void *arg)
{
    const struct front_arg *a = arg;
    const char *dir = a->p->front, *queue;
    char queue_path[PATHS_MAX];
    int err;

    if ((err = expect_state(s, dir, VSOCKIF_INITIALISED, a->why)) ||
        (err = need_u32(s, dir, "version", 1, PARSE_VERSIONS, &a->out->version, a->why)) ||
        (err = read_features(s, dir, a->out->version == VSOCKIF_VERSION_FEATURES, &a->out->features, a->why)) ||
        (err = queues_of(s, dir, "multi-queue-num-queues", &a->out->queues, a->why)))
        return err;
    queue = queue_dir(dir, a->out->queues, queue_path);
    if ((err = need_u32(s, queue, "control-ref", 0, UINT32_MAX, &a->out->control_ref, a->why)) ||
        (err = need_u32(s, queue, "event-channel", 1, UINT32_MAX, &a->out->event_channel, a->why)))
        return err;
    return 0;
}

int nodes_read_front(struct store *s, const struct paths *p, struct front_nodes *out, char *why)
{
    struct front_arg a = { .p = p, .out = out, .why = why };

    return store_transact(s, read_front, &a);
}

/* ---- refusing ------------------------------------------------------------------------------------------ */

struct refuse_arg { const struct paths *p; const struct device_id *id; char reason[1000]; };

static int refuse(struct store *s, void *arg)
{
    const struct refuse_arg *a = arg;
    char path[PATHS_MAX];
    int err;

    if ((err = expect(s, a->p->back, NULL, 0)) ||
        (err = store_make(s, a->p->error)) ||
        (err = store_permit(s, a->p->error, a->id->back, a->id->front)) ||     /* the guest may read why */
        (err = store_write(s, paths_join(path, a->p->error, "error"), a->reason)) ||
        (err = write_u32(s, a->p->back, "state", VSOCKIF_CLOSING)))
        return err;
    return 0;
}

int nodes_refuse(struct store *s, const struct paths *p, const char *reason)
{
    struct device_id id;
    struct refuse_arg a = { .p = p, .id = &id };

    if (paths_parse_back(p->back, &id))
        return -EINVAL;
    snprintf(a.reason, sizeof a.reason, "%s", reason);
    for (char *c = a.reason; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
    return store_transact(s, refuse, &a);
}

int nodes_clear_error(struct store *s, const struct paths *p)
{
    return store_remove(s, p->error);
}

/* ---- finding ------------------------------------------------------------------------------------------- */

struct find_arg { uint32_t number; struct paths *p; struct device_id *id; char *why; };

static int find(struct store *s, void *arg)
{
    const struct find_arg *a = arg;
    char dir[PATHS_MAX], back[PATHS_MAX];
    uint32_t back_id;
    int len, err;

    paths_front_own(dir, a->number);
    len = read_leaf(s, dir, "backend", back, sizeof back);
    if (is_missing(len)) {
        if (a->why)
            snprintf(a->why, PARSE_WHY, "%s: this domain has no such device; \"xvs attach\" in dom0 makes one", dir);
        return -ENOENT;
    }
    if ((err = judge_leaf(len, "backend", a->why)) ||
        (err = need_u32(s, dir, "backend-id", 0, PATHS_DOMID - 1, &back_id, a->why)) ||
        (err = paths_of_guest(a->p, a->number, back, back_id, a->id, a->why) ? -EPROTO : 0))
        return err;
    return 0;
}

/* At one moment: a device that goes between two requests would be one without a backend-id. */
int nodes_find(struct store *s, uint32_t number, struct paths *p, struct device_id *id, char *why)
{
    struct find_arg a = { .number = number, .p = p, .id = id, .why = why };

    return store_transact(s, find, &a);
}

/* SPDX-License-Identifier: MIT */
/* test_life.c: the xenbus life cycle, in every order in which it can happen.
 *
 * The main test is a search.  A world holds both machines, the two state nodes, the generation of pages that each side
 * has, and what each has not yet noticed.  A step is the smallest thing that one process can do between two that the other can
 * see: reading the nodes, then reading the live byte, one act, the two halves of MAP, a moment of time.  Faults
 * (a crash, a close, a failing write, a restored domain) are steps too, from a budget.  The search visits every
 * world that any order of steps can reach and checks:
 *
 *     safety     the frontend never takes pages back that the backend maps or is about to map; the backend never
 *                writes 2, 5 or 6 while it maps, nor maps what answers an offer (a CID) that is not its own any more; the machines know what they hold; the frontend waits for no timer
 *                of its own when it is the backend that has gone, or refused it
 *     progress   from every world, once there are no more faults, every order of steps ends, and ends with both
 *                Connected over the same pages: no deadlock, and no loop either
 *
 * The tests named "..._is_caught" break one rule in the hands that serve the machines and demand that the search objects. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "life.h"

/* ---- the world ----------------------------------------------------------------------------------- */

#define T0 UINT64_C(1000000)            /* it is always now: time passes by moving the deadlines nearer */

enum fault { CRASH_F, CRASH_B, CLOSE_F, CLOSE_B, FAULT_F, FAULT_B, FAIL_F, FAIL_B, VANISH, CHANGE, FAULTS };

enum broken {
    SOUND,
    SHARE_WITHOUT_LOOKING,              /* SHARE does not check that the backend is in 2 */
    OFFER_WITHOUT_LOOKING,
    LIVE_READ_FIRST,                    /* the byte is read before the states */
    UNMAP_LATE,                         /* UNMAP is reported done, and done with the next act */
    MAP_WITHOUT_LIVE,                   /* the backend forgets to set back_live */
    BACK_DEAF_TO_DEATH,                 /* the backend never looks at front_live */
    FRONT_DEAF_TO_DEATH,
    CHANGE_SILENTLY                     /* the backend's offer changes, and what it has offered stays */
};

struct rules {
    uint8_t budget[FAULTS];
    enum broken broken;
    bool stay_down;                     /* who crashes or closes does not come back */
};

struct half_look { bool begun; uint8_t own, peer, live; };

struct world {
    struct life_front f;
    struct life_back b;
    struct half_look fl, bl;            /* a look that has read the states and not yet the byte */
    uint8_t fs, bs;                     /* the state nodes */
    uint8_t f_gen;                      /* the pages that the frontend's process shares, 0 for none */
    uint8_t b_gen;                      /* the pages that the backend maps */
    uint8_t node_gen;                   /* the pages that the frontend's nodes name */
    uint8_t pending;                    /* the pages that the backend is about to map: MAP is half done */
    bool f_up, b_up;
    bool f_event, b_event;              /* something has changed since the last look */
    bool f_due, b_due;                  /* woken by its deadline: it looks before it acts */
    bool ghost;                         /* f_gen came from another life of the domain: back_live stays set */
    bool late;                          /* UNMAP_LATE: b_gen must still go */
    bool cid, node_cid, front_cid;      /* what the backend offers, as it is, as it was written, and as the frontend took it */
    uint8_t left[FAULTS];
};

static struct rules rules;
static const char *objection;           /* set by a step that breaks a rule */

static bool object_if(bool bad, const char *what)
{
    if (bad && !objection)
        objection = what;
    return bad;
}

static bool back_live(const struct world *w)
{
    if (rules.broken == MAP_WITHOUT_LIVE || rules.broken == FRONT_DEAF_TO_DEATH)
        return rules.broken == FRONT_DEAF_TO_DEATH;
    return w->ghost || !w->f_gen || w->b_gen == w->f_gen;
}

static bool front_live(const struct world *w)
{
    return rules.broken == BACK_DEAF_TO_DEATH || !w->b_gen || w->b_gen == w->f_gen;
}

static uint8_t fresh_gen(const struct world *w)
{
    uint8_t g = 1;

    while (g == w->b_gen || g == w->node_gen || g == w->pending || g == w->f_gen)
        g++;
    return g;
}

static void front_writes(struct world *w, unsigned state)
{
    w->fs = (uint8_t)state;
    w->b_event = true;
}

static void back_writes(struct world *w, unsigned state)
{
    object_if(state != VSOCKIF_CONNECTED && w->b_gen, "the backend wrote 2, 5 or 6 while it maps pages");
    w->bs = (uint8_t)state;
    w->f_event = true;
}

static void front_acts(struct world *w, enum life_act act, int err)
{
    static const uint8_t writes[] = { [LIFE_CONNECT] = 4, [LIFE_CLOSING] = 5, [LIFE_CLOSED] = 6, [LIFE_RESTART] = 1 };

    if (act == LIFE_RESET || act == LIFE_UNSHARE) {
        err = 0;
        if (act == LIFE_UNSHARE) {
            object_if(!w->ghost && (w->b_gen == w->f_gen || w->pending == w->f_gen),
                      "the frontend took back pages that the backend maps");
            object_if(w->f.used, "pages were taken back before the connections were reset");
            w->f_gen = 0;
            w->ghost = false;
            w->b_event = true;
        }
    } else if (!err && !w->fs) {
        err = -ENOENT;
    } else if (!err && act == LIFE_SHARE) {
        if (w->fs != VSOCKIF_INITIALISING || (w->bs != VSOCKIF_INITWAIT && rules.broken != SHARE_WITHOUT_LOOKING)) {
            err = -EAGAIN;
        } else {
            object_if(w->f_gen, "pages were shared twice");
            w->f_gen = w->node_gen = fresh_gen(w);
            w->front_cid = w->node_cid;
            front_writes(w, VSOCKIF_INITIALISED);
        }
    } else if (!err) {
        front_writes(w, writes[act]);
    }
    life_front_done(&w->f, act, err, T0);
}

static void back_acts(struct world *w, enum life_act act, int err)
{
    static const uint8_t writes[] = { [LIFE_OFFER] = 2, [LIFE_CONNECT] = 4, [LIFE_REFUSE] = 5, [LIFE_CLOSING] = 5,
                                      [LIFE_CLOSED] = 6 };

    if (act == LIFE_UNMAP) {
        err = 0;
        if (rules.broken == UNMAP_LATE) {
            w->late = true;
        } else {
            w->b_gen = 0;
            w->f_event = true;
        }
    } else if (!err && !w->bs) {
        err = -ENOENT;
    } else if (!err && act == LIFE_MAP) {
        if (w->fs == VSOCKIF_INITIALISED) {
            w->pending = w->node_gen;
            return;                             /* the second half is a step of its own */
        }
        err = -EAGAIN;
    } else if (!err && act == LIFE_OFFER && w->fs != VSOCKIF_INITIALISING && rules.broken != OFFER_WITHOUT_LOOKING) {
        err = -EAGAIN;
    } else if (!err) {
        if (act == LIFE_OFFER)
            w->node_cid = w->cid;
        back_writes(w, writes[act]);
    }
    if (w->late && act != LIFE_UNMAP) {
        w->late = false;
        w->b_gen = 0;
        w->f_event = true;
    }
    life_back_done(&w->b, act, err, T0);
}

static void back_maps(struct world *w)
{
    bool works = w->pending == w->f_gen;        /* else the grants are gone with their process */

    if (works) {
        object_if(w->front_cid != w->cid, "the backend maps pages for a CID that is not the frontend's any more");
        w->b_gen = w->pending;
        w->f_event = true;
    }
    w->pending = 0;
    life_back_done(&w->b, LIFE_MAP, works ? 0 : -EINVAL, T0);
    if (works)
        w->b_event = true;                      /* the live byte now counts */
}

static bool look_begins(struct half_look *l, bool *event, uint8_t own, uint8_t peer, bool live)
{
    if (!*event)
        return false;
    *event = false;
    *l = (struct half_look){ true, own, peer, live };
    return true;
}

static struct life_look look_ends(struct half_look *l, uint8_t own, uint8_t peer, bool live)
{
    struct life_look look = { l->own, l->peer, live };

    if (rules.broken == LIVE_READ_FIRST)
        look = (struct life_look){ own, peer, l->live };
    *l = (struct half_look){ false, 0, 0, 0 };
    return look;
}

static void front_goes(struct world *w)
{
    w->f_up = w->f_due = false;
    w->f_gen = 0;
    w->ghost = false;
    w->b_event = true;
    w->fl = (struct half_look){ false, 0, 0, 0 };
    memset(&w->f, 0, sizeof w->f);
    w->f.not_before = w->f.retry_at = T0;
    w->f.connected_at = LIFE_NEVER;
}

static void back_goes(struct world *w)
{
    w->b_up = w->b_due = false;
    w->b_gen = w->pending = 0;
    w->late = false;
    w->f_event = true;
    w->bl = (struct half_look){ false, 0, 0, 0 };
    memset(&w->b, 0, sizeof w->b);
    w->b.not_before = w->b.retry_at = T0;
    w->b.connected_at = LIFE_NEVER;
}

static void nearer(uint64_t *t, uint64_t by)
{
    if (*t != LIFE_NEVER)
        *t = *t > T0 + by ? *t - by : T0;
}

static bool time_passes(struct world *w)
{
    uint64_t f = w->f_up ? life_front_deadline(&w->f) : LIFE_NEVER, b = w->b_up ? life_back_deadline(&w->b) : LIFE_NEVER;
    uint64_t by;

    f = f > T0 ? f : LIFE_NEVER;
    b = b > T0 ? b : LIFE_NEVER;
    if (f == LIFE_NEVER && b == LIFE_NEVER)
        return false;
    by = (f < b ? f : b) - T0;
    if (f - T0 == by)
        w->f_due = w->f_event = true;
    if (b - T0 == by)
        w->b_due = w->b_event = true;
    nearer(&w->f.not_before, by);
    nearer(&w->f.retry_at, by);
    nearer(&w->b.not_before, by);
    nearer(&w->b.retry_at, by);
    return true;
}

/* ---- steps ----------------------------------------------------------------------------------------- */

#define STEPS(X)                                                                                                  \
    X(F_LOOKS) X(F_SEES_BYTE) X(F_ACTS) X(B_LOOKS) X(B_SEES_BYTE) X(B_ACTS) X(B_MAPS) X(TIME) X(F_STARTS) X(B_STARTS) \
    X(F_EXITS) X(B_EXITS) X(TREE_APPEARS)                                                                          \
    X(F_CRASHES) X(B_CRASHES) X(F_IS_CLOSED) X(B_IS_CLOSED) X(F_FAULTS) X(B_REFUSES) X(F_ACT_FAILS) X(B_ACT_FAILS) X(TREE_VANISHES) \
    X(OFFER_CHANGES)

enum step {
#define X(name) name,
    STEPS(X)
#undef X
    STEP_COUNT,
    FIRST_FAULT = F_CRASHES
};

static const char *const step_names[] = {
#define X(name) #name,
    STEPS(X)
#undef X
};

/* Changes w and returns true, or returns false if the step cannot happen in it. */
static bool take(struct world *w, enum step step)
{
    bool f_free = w->f_up && !w->fl.begun, b_free = w->b_up && !w->bl.begun && !w->pending;
    enum life_act fa = f_free && !w->f_due ? life_front_next(&w->f, T0) : LIFE_WAIT;
    enum life_act ba = b_free && !w->b_due ? life_back_next(&w->b, T0) : LIFE_WAIT;

    if (step >= FIRST_FAULT) {
        if (!w->left[step - FIRST_FAULT])
            return false;
        w->left[step - FIRST_FAULT]--;
    }
    switch (step) {
    case F_LOOKS:
        return f_free && look_begins(&w->fl, &w->f_event, w->fs, w->bs, back_live(w));
    case F_SEES_BYTE: {
        struct life_look look;

        if (!w->fl.begun)
            return false;
        look = look_ends(&w->fl, w->fs, w->bs, back_live(w));
        w->f_due = false;
        life_front_look(&w->f, &look, T0);
        return true;
    }
    case F_ACTS:
        if (fa == LIFE_WAIT)
            return false;
        front_acts(w, fa, 0);
        return true;
    case B_LOOKS:
        return b_free && look_begins(&w->bl, &w->b_event, w->bs, w->fs, front_live(w));
    case B_SEES_BYTE: {
        struct life_look look;

        if (!w->bl.begun)
            return false;
        look = look_ends(&w->bl, w->bs, w->fs, front_live(w));
        w->b_due = false;
        life_back_look(&w->b, &look, T0);
        return true;
    }
    case B_ACTS:
        if (ba == LIFE_WAIT)
            return false;
        back_acts(w, ba, 0);
        return true;
    case B_MAPS:
        if (!w->pending)
            return false;
        back_maps(w);
        return true;
    case TIME:
        return time_passes(w);
    case F_STARTS:
        if (w->f_up || rules.stay_down)
            return false;
        life_front_init(&w->f, w->fs, T0);
        w->f_up = w->f_event = true;
        return true;
    case B_STARTS:
        if (w->b_up || !w->bs || rules.stay_down)
            return false;
        life_back_init(&w->b, w->bs, T0);
        w->b_up = w->b_event = true;
        return true;
    case F_EXITS:
        if (!f_free || !w->f.leaving || !life_front_is_over(&w->f))
            return false;
        object_if(w->f_gen, "the frontend was over and shared pages");
        front_goes(w);
        return true;
    case B_EXITS:
        if (!b_free || !life_back_is_over(&w->b))
            return false;
        object_if(w->b_gen, "the backend was over and mapped pages");
        back_goes(w);
        return true;
    case TREE_APPEARS:
        if (w->fs || w->bs || w->b_up)
            return false;
        w->fs = w->bs = VSOCKIF_INITIALISING;
        w->f_event = w->b_event = true;
        return true;
    case F_CRASHES:
        if (!w->f_up)
            return false;
        front_goes(w);
        return true;
    case B_CRASHES:
        if (!w->b_up)
            return false;
        back_goes(w);
        return true;
    case F_IS_CLOSED:
        if (!f_free || w->f.leaving)
            return false;
        life_front_close(&w->f);
        return true;
    case B_IS_CLOSED:
        if (!b_free || w->b.leaving)
            return false;
        life_back_close(&w->b);
        return true;
    case F_FAULTS:
        if (!f_free || w->f.fault)
            return false;
        life_front_fault(&w->f, "told so", T0);
        return w->f.fault;
    case B_REFUSES:
        if (!b_free || w->b.refuse)
            return false;
        life_back_refuse(&w->b, "told so", T0);
        return w->b.refuse;
    case F_ACT_FAILS:
        if (fa == LIFE_WAIT || fa == LIFE_RESET || fa == LIFE_UNSHARE)
            return false;
        front_acts(w, fa, -EIO);
        return true;
    case B_ACT_FAILS:
        if (ba == LIFE_WAIT || ba == LIFE_UNMAP)
            return false;
        back_acts(w, ba, -EIO);
        return true;
    case TREE_VANISHES:                         /* the domain is saved; another backend life begins with it elsewhere */
        if (!w->fs)
            return false;
        back_goes(w);
        w->fs = w->bs = 0;
        w->ghost = w->f_gen != 0;
        return true;
    case OFFER_CHANGES:
        if (!b_free || w->b.mapped)
            return false;
        w->cid = !w->cid;
        if (rules.broken != CHANGE_SILENTLY)
            life_back_offer_again(&w->b);
        return true;
    case STEP_COUNT:
        break;
    }
    return false;
}

static void check_world(const struct world *w)
{
    object_if(w->f_up && w->f.shares != (w->f_gen != 0), "the frontend does not know what it shares");
    object_if(w->b_up && !w->late && w->b.mapped != (w->b_gen != 0), "the backend does not know what it maps");
    object_if(w->b_up && life_back_is_connected(&w->b) && !w->b_gen, "the backend is connected over nothing");
    object_if(w->f_up && life_front_is_connected(&w->f) && !w->f_gen, "the frontend is connected over nothing");
    /* However often the backend crashes, closes or refuses: what brings the device back is the backend's next 2.  (A domain
     * that is restored may answer the old backend in the new one's nodes, and so find fault once.) */
    object_if(w->f_up && w->f.strikes && !rules.budget[FAULT_F] && !rules.budget[VANISH] && rules.broken == SOUND,
              "an honest backend is found at fault");
    object_if(w->f_up && !w->f.strikes && w->f.not_before > T0 + LIFE_GAP_MS, "the frontend waits without having found a fault");
}

/* Nothing can happen any more without a fault: is that how it should be? */
static void check_end(const struct world *w)
{
    if (!w->f_up || !w->b_up) {
        object_if(!rules.stay_down, "someone is down and does not come back");
        object_if(w->b_gen && !w->f_up, "pages of a dead frontend stay mapped");
        object_if(!w->f_up && w->b_up && w->bs == VSOCKIF_CONNECTED, "the backend stays in 4 without a frontend");
        object_if(!w->b_up && w->f_up && life_front_is_connected(&w->f), "the frontend stays connected to nobody");
        return;
    }
    object_if(w->fs != VSOCKIF_CONNECTED || w->bs != VSOCKIF_CONNECTED, "both are up, and not in 4");
    object_if(!w->f_gen || w->f_gen != w->b_gen, "both are in 4 without common pages");
    object_if(!life_front_is_connected(&w->f) || !life_back_is_connected(&w->b), "one does not believe in the connection");
}

/* ---- worlds as keys --------------------------------------------------------------------------------- */

#define KEY 40

static uint8_t *put16(uint8_t *p, uint64_t t)
{
    uint64_t v = t == LIFE_NEVER ? 0xffff : t - T0;

    *p++ = (uint8_t)v;
    *p++ = (uint8_t)(v >> 8);
    return p;
}

static const uint8_t *get16(const uint8_t *p, uint64_t *t)
{
    unsigned v = p[0] | (unsigned)p[1] << 8;

    *t = v == 0xffff ? LIFE_NEVER : T0 + v;
    return p + 2;
}

static uint8_t rename_gen(uint8_t gen, uint8_t *names, uint8_t *next)
{
    if (gen && !names[gen])
        names[gen] = (*next)++;
    return gen ? names[gen] : 0;
}

static void pack(const struct world *w, uint8_t *key)
{
    uint8_t *p = key, names[8] = { 0 }, next = 1;

    memset(key, 0, KEY);
    p = put16(p, w->f.not_before);
    p = put16(p, w->f.retry_at);
    *p++ = w->f.connected_at != LIFE_NEVER;
    *p++ = (uint8_t)(w->f.own << 4 | w->f.peer);
    *p++ = (uint8_t)(w->f.strikes << 4 | w->f.shares << 3 | w->f.answered << 2 | w->f.used << 1 | w->f.free);
    *p++ = (uint8_t)(w->f_due << 2 | w->f.fault << 1 | w->f.leaving);
    p = put16(p, w->b.not_before);
    p = put16(p, w->b.retry_at);
    *p++ = w->b.connected_at != LIFE_NEVER;
    *p++ = (uint8_t)(w->b.own << 4 | w->b.peer);
    *p++ = (uint8_t)(w->b.strikes << 4 | w->b.offered << 3 | w->b.mapped << 2 | w->b.drop << 1 | w->b.refuse);
    *p++ = (uint8_t)(w->b_due << 2 | w->b.leaving << 1 | w->b.dead);
    *p++ = (uint8_t)(w->fl.begun << 7 | w->fl.live << 6 | w->fl.own << 3 | w->fl.peer);
    *p++ = (uint8_t)(w->bl.begun << 7 | w->bl.live << 6 | w->bl.own << 3 | w->bl.peer);
    *p++ = (uint8_t)(w->fs << 4 | w->bs);
    *p++ = rename_gen(w->f_gen, names, &next);
    *p++ = rename_gen(w->b_gen, names, &next);
    *p++ = rename_gen(w->node_gen, names, &next);
    *p++ = rename_gen(w->pending, names, &next);
    *p++ = (uint8_t)(w->cid << 2 | w->node_cid << 1 | w->front_cid);
    *p++ = (uint8_t)(w->f_up << 5 | w->b_up << 4 | w->f_event << 3 | w->b_event << 2 | w->ghost << 1 | w->late);
    memcpy(p, w->left, FAULTS);
}

static void unpack(const uint8_t *key, struct world *w)
{
    const uint8_t *p = key;

    memset(w, 0, sizeof *w);
    p = get16(p, &w->f.not_before);
    p = get16(p, &w->f.retry_at);
    w->f.connected_at = *p++ ? T0 : LIFE_NEVER;
    w->f.own = *p >> 4, w->f.peer = *p & 15, p++;
    w->f.strikes = *p >> 4, w->f.shares = *p >> 3 & 1, w->f.answered = *p >> 2 & 1, w->f.used = *p >> 1 & 1, w->f.free = *p & 1, p++;
    w->f_due = *p >> 2 & 1, w->f.fault = *p >> 1 & 1, w->f.leaving = *p & 1, p++;
    p = get16(p, &w->b.not_before);
    p = get16(p, &w->b.retry_at);
    w->b.connected_at = *p++ ? T0 : LIFE_NEVER;
    w->b.own = *p >> 4, w->b.peer = *p & 15, p++;
    w->b.strikes = *p >> 4, w->b.offered = *p >> 3 & 1, w->b.mapped = *p >> 2 & 1, w->b.drop = *p >> 1 & 1, w->b.refuse = *p & 1, p++;
    w->b_due = *p >> 2 & 1, w->b.leaving = *p >> 1 & 1, w->b.dead = *p & 1, p++;
    w->fl = (struct half_look){ *p >> 7, *p >> 3 & 7, *p & 7, *p >> 6 & 1 }, p++;
    w->bl = (struct half_look){ *p >> 7, *p >> 3 & 7, *p & 7, *p >> 6 & 1 }, p++;
    w->fs = *p >> 4, w->bs = *p & 15, p++;
    w->f_gen = *p++, w->b_gen = *p++, w->node_gen = *p++, w->pending = *p++;
    w->cid = *p >> 2 & 1, w->node_cid = *p >> 1 & 1, w->front_cid = *p & 1, p++;
    w->f_up = *p >> 5 & 1, w->b_up = *p >> 4 & 1, w->f_event = *p >> 3 & 1, w->b_event = *p >> 2 & 1;
    w->ghost = *p >> 1 & 1, w->late = *p & 1, p++;
    memcpy(w->left, p, FAULTS);
}

/* ---- the search ---------------------------------------------------------------------------------------- */

struct visit { uint8_t key[KEY]; uint32_t parent; uint8_t step, colour, next; };

static struct visit *visits;
static uint32_t *slots, visit_count, slot_count;
static const uint32_t none = UINT32_MAX;

static uint64_t hash(const uint8_t *key)
{
    uint64_t h = UINT64_C(1469598103934665603), word;

    for (unsigned i = 0; i < KEY; i += 8) {
        memcpy(&word, key + i, 8);
        h = (h ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        h ^= h >> 29;
    }
    return h;
}

static uint32_t *slot_of(const uint8_t *key)
{
    uint32_t i = (uint32_t)hash(key) & (slot_count - 1);

    while (slots[i] != none && memcmp(visits[slots[i]].key, key, KEY) != 0)
        i = (i + 1) & (slot_count - 1);
    return &slots[i];
}

static void grow(void)
{
    slot_count = slot_count ? slot_count * 2 : 1u << 16;
    slots = realloc(slots, slot_count * sizeof *slots);
    visits = realloc(visits, slot_count / 2 * sizeof *visits);
    if (!slots || !visits)
        abort();
    memset(slots, 0xff, slot_count * sizeof *slots);
    for (uint32_t i = 0; i < visit_count; i++)
        *slot_of(visits[i].key) = i;
}

static void visit(const struct world *w, uint32_t parent, enum step step)
{
    struct visit v = { .parent = parent, .step = (uint8_t)step };
    uint32_t *slot;

    pack(w, v.key);
    if (visit_count == slot_count / 2)
        grow();
    slot = slot_of(v.key);
    if (*slot == none) {
        *slot = visit_count;
        visits[visit_count++] = v;
    }
}

static void forget(void)
{
    free(visits);
    free(slots);
    visits = NULL;
    slots = NULL;
    visit_count = slot_count = 0;
}

static void print_world(const struct world *w)
{
    printf("front %s %u own %u peer %u%s%s%s%s%s%s | back %s %u own %u peer %u%s%s%s%s%s | pages f %u b %u nodes %u map %u%s\n",
           w->f_up ? "up" : "down", w->fs, w->f.own, w->f.peer, w->f.shares ? " shares" : "", w->f.answered ? " answered" : "",
           w->f.used ? " used" : "", w->f.free ? " free" : "", w->f.fault ? " fault" : "", w->f_event ? " event" : "",
           w->b_up ? "up" : "down", w->bs, w->b.own, w->b.peer, w->b.offered ? " offered" : "", w->b.mapped ? " mapped" : "",
           w->b.drop ? " drop" : "", w->b.refuse ? " refuse" : "", w->b_event ? " event" : "",
           w->f_gen, w->b_gen, w->node_gen, w->pending, w->ghost ? " ghost" : "");
}

static void print_way(uint32_t last)
{
    uint32_t way[256];
    unsigned n = 0;
    struct world w;

    for (uint32_t i = last; i != none && n < 256; i = visits[i].parent)
        way[n++] = i;
    while (n--) {
        unpack(visits[way[n]].key, &w);
        printf("#  %-14s ", visits[way[n]].parent == none ? "start" : step_names[visits[way[n]].step]);
        print_world(&w);
    }
}

/* Every order of steps without a fault must end: a depth-first search for a circle. */
static bool has_circle(uint32_t *where)
{
    uint32_t *stack = malloc((visit_count + 1) * sizeof *stack), depth = 0;
    bool found = false;

    for (uint32_t root = 0; root < visit_count && !found; root++) {
        if (visits[root].colour)
            continue;
        stack[depth++] = root;
        visits[root].colour = 1;
        while (depth && !found) {
            struct visit *v = &visits[stack[depth - 1]];
            struct world w;
            uint8_t key[KEY];
            uint32_t to;

            if (v->next == FIRST_FAULT) {
                v->colour = 2;
                depth--;
                continue;
            }
            unpack(v->key, &w);
            if (!take(&w, (enum step)v->next++))
                continue;
            pack(&w, key);
            to = *slot_of(key);
            if (visits[to].colour == 1) {
                found = true;
                *where = to;
            } else if (!visits[to].colour) {
                visits[to].colour = 1;
                stack[depth++] = to;
            }
        }
    }
    free(stack);
    return found;
}

/* NULL if no rule can be broken, else what happened; the way there is printed if 'show'. */
static const char *search(const struct rules *r, bool show)
{
    struct world w, to;
    uint32_t i, where;

    rules = *r;
    objection = NULL;
    memset(&w, 0, sizeof w);
    front_goes(&w);
    back_goes(&w);
    w.fs = w.bs = VSOCKIF_INITIALISING;
    memcpy(w.left, r->budget, FAULTS);
    life_front_init(&w.f, w.fs, T0);
    life_back_init(&w.b, w.bs, T0);
    w.f_up = w.b_up = w.f_event = w.b_event = true;
    visit(&w, none, STEP_COUNT);

    for (i = 0; i < visit_count && !objection; i++) {
        bool ends = true;

        unpack(visits[i].key, &w);
        for (enum step step = 0; step < STEP_COUNT && !objection; step++) {
            to = w;
            if (!take(&to, step))
                continue;
            ends = ends && step >= FIRST_FAULT;
            check_world(&to);
            visit(&to, i, step);
        }
        if (ends && !objection)
            check_end(&w);
    }
    where = i - 1;
    if (!objection && has_circle(&where))
        objection = "a circle: the steps need never end";
    if (show)
        printf("# %u worlds\n", visit_count);
    if (objection && show) {
        printf("# %s, after:\n", objection);
        print_way(where);
    }
    forget();
    return objection;
}

static void expect_sound(struct rules r)
{
    const char *what = search(&r, true);

    CU_ASSERT_PTR_NULL(what);
}

static void expect_caught(enum broken broken, struct rules r)
{
    const char *what;

    r.broken = broken;
    what = search(&r, false);
    CU_ASSERT_PTR_NOT_NULL(what);
    printf("# %s\n", what ? what : "nothing was found");
}

static void both_connect_in_every_order_of_steps(void)
{
    expect_sound((struct rules){ .broken = SOUND });
}

static void crashes_at_any_point_are_healed(void)
{
    expect_sound((struct rules){ .budget = { [CRASH_F] = 3, [CRASH_B] = 3 } });
}

static void closes_and_crashes_mix(void)
{
    expect_sound((struct rules){ .budget = { [CLOSE_F] = 1, [CLOSE_B] = 1, [CRASH_F] = 1, [CRASH_B] = 1 } });
}

static void faults_refusals_and_crashes_mix(void)
{
    expect_sound((struct rules){ .budget = { [FAULT_F] = 1, [FAULT_B] = 1, [CRASH_F] = 1, [CRASH_B] = 1 } });
}

static void failed_writes_are_tried_again(void)
{
    expect_sound((struct rules){ .budget = { [FAIL_F] = 1, [FAIL_B] = 1, [CRASH_F] = 1, [CRASH_B] = 1 } });
}

static void a_restored_domain_connects_again(void)
{
    expect_sound((struct rules){ .budget = { [VANISH] = 2, [CRASH_F] = 1, [CRASH_B] = 1 } });
}

static void what_is_offered_may_change_at_any_point(void)
{
    expect_sound((struct rules){ .budget = { [CHANGE] = 2, [CRASH_F] = 1, [CRASH_B] = 1 } });
    expect_sound((struct rules){ .budget = { [CHANGE] = 1, [CLOSE_F] = 1, [FAULT_B] = 1, [FAIL_B] = 1 } });
}

static void an_offer_that_changes_silently_is_caught(void)
{
    expect_caught(CHANGE_SILENTLY, (struct rules){ .budget = { [CHANGE] = 1 } });
}

static void whoever_stays_down_leaves_nothing_behind(void)
{
    expect_sound((struct rules){ .budget = { [CRASH_F] = 1, [CLOSE_F] = 1, [FAULT_B] = 1 }, .stay_down = true });
    expect_sound((struct rules){ .budget = { [CRASH_B] = 1, [FAULT_F] = 1 }, .stay_down = true });
    expect_sound((struct rules){ .budget = { [CLOSE_B] = 1, [FAULT_F] = 1 }, .stay_down = true });
}

static void sharing_on_a_stale_2_costs_a_round_and_no_page(void)
{
    expect_sound((struct rules){ .budget = { [FAULT_B] = 1, [CRASH_F] = 1, [CRASH_B] = 1 }, .broken = SHARE_WITHOUT_LOOKING });
}

static void offering_to_a_frontend_not_in_1_is_caught(void)
{
    expect_caught(OFFER_WITHOUT_LOOKING, (struct rules){ .budget = { [FAULT_B] = 1, [CRASH_F] = 1, [CRASH_B] = 1 } });
}

static void reading_the_byte_before_the_states_is_caught(void)
{
    expect_caught(LIVE_READ_FIRST, (struct rules){ .budget = { 0 } });
}

static void unmapping_after_the_state_was_written_is_caught(void)
{
    expect_caught(UNMAP_LATE, (struct rules){ .budget = { [CLOSE_F] = 1 } });
}

static void a_backend_that_never_says_it_lives_is_caught(void)
{
    expect_caught(MAP_WITHOUT_LIVE, (struct rules){ .budget = { 0 } });
}

static void deafness_to_the_peers_death_is_caught(void)
{
    expect_caught(BACK_DEAF_TO_DEATH, (struct rules){ .budget = { [CRASH_F] = 2 }, .stay_down = true });
    expect_caught(FRONT_DEAF_TO_DEATH, (struct rules){ .budget = { [CRASH_B] = 1 }, .stay_down = true });
}

static const struct test tests[] = {
    TEST(both_connect_in_every_order_of_steps),
    TEST(crashes_at_any_point_are_healed),
    TEST(closes_and_crashes_mix),
    TEST(faults_refusals_and_crashes_mix),
    TEST(failed_writes_are_tried_again),
    TEST(a_restored_domain_connects_again),
    TEST(what_is_offered_may_change_at_any_point),
    TEST(an_offer_that_changes_silently_is_caught),
    TEST(whoever_stays_down_leaves_nothing_behind),
    TEST(sharing_on_a_stale_2_costs_a_round_and_no_page),
    TEST(offering_to_a_frontend_not_in_1_is_caught),
    TEST(reading_the_byte_before_the_states_is_caught),
    TEST(unmapping_after_the_state_was_written_is_caught),
    TEST(a_backend_that_never_says_it_lives_is_caught),
    TEST(deafness_to_the_peers_death_is_caught),
};

int main(int argc, char **argv)
{
    return harness_run("life", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* model_wake.c: every interleaving of two ring ends, on three memory models.
 *
 * The threads are the frontend and the backend of one ring.  Each runs the loop that all users of ring.h run: look,
 * consume, fill, publish, notify, arm, sleep.  A step of a thread is a line of ring.c (STEPS names which)
 * that touches memory the peer can see; private variables are the members of struct ring.  Requests carry a
 * buffer (written by the frontend as in the tx ring, or by the backend as in the rx ring) that is
 * used again after its slot comes round.  Events coalesce: one pending bit for each end.
 *
 * The orders of the accesses are not written here: code_edges.c takes them from ring.c by running it.
 *
 * The memory model is one rule: which pairs of steps of one thread must take effect in program order.
 *
 *     sc         all of them
 *     x86-tso    all but a store and a later load of another place (a FIFO store buffer); a sequentially
 *                consistent store (xchg) empties the buffer.  A load sees the youngest such store to its own place
 *     relaxed    as C11 and Armv8: only what acquire, release and sequential consistency say, accesses to one
 *                place, and a store after the loads that decided whether to make it.  Loads run ahead of branches
 *
 * Each thread has a window of steps that were begun in order and take effect in any order the rule allows.
 * A load that decides a branch and lets later steps run ahead is guessed when it is begun and checked when it
 * takes effect; a wrong guess is a path that does not exist.  Stores become visible to both ends at once (x86 and Arm do
 * that; a machine that does not is beyond this model).
 *
 * A state is bad when both ends sleep although work is left (lost wake-up), when a slot or buffer is read that is
 * not filled yet (stale) or was filled anew while its reader still had it (reused), or when an index of this honest
 * peer would be judged impossible (judged).  The search is exhaustive and breadth first, so a
 * counterexample is a shortest one.  The protocol must have none; with any one edge weakened there must be one
 * on the models that can see it.  What is expected of each is in the table 'cases'.
 *
 *     model_wake [-v] [requests slots window]      -v prints every counterexample in full */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "code_edges.h"

enum { FRONT, BACK };
static const char *const side_name[] = { "front", "back " };
static const char *const direction_name[] = { "req", "rsp" };

#define MAX_SLOTS  4u
#define MAX_WINDOW 8u
static unsigned requests = 5, slots = 2, window = 8;

/* ---- the lines of ring.c, and what they do to memory ---- */

#define STEPS(X)                                                                                     \
    X(FILL,    "the owner of the data fills buffer %u with packet %u")                               \
    X(PUT,     "ring_put: slot %u, index %u")                                                        \
    X(PUBLISH, "ring_publish: shm_store(%s_prod, %u)")                                               \
    X(EVENT,   "ring_publish: shm_load(%s_event) = %u, so %s")                                       \
    X(NOTIFY,  "notify: the peer's port becomes pending")                                            \
    X(PENDING, "ring_pending: shm_load(%s_prod) = %u, so %u to read")                                \
    X(GET,     "ring_get: slot %u, index %u")                                                        \
    X(USE,     "the reader of the data uses buffer %u for packet %u")                                \
    X(ARM,     "ring_arm: shm_store(%s_event, %u)")                                                  \
    X(AGAIN,   "ring_arm: shm_load(%s_prod) = %u, so %s")                                            \
    X(CLEAR,   "the port is cleared")                                                                \
    X(SLEEP,   "wakes: the port was pending, and is cleared")
enum step {
#define X(name, text) name,
    STEPS(X)
#undef X
};
static const char *const step_text[] = {
#define X(name, text) text,
    STEPS(X)
#undef X
};

/* A step that was begun.  a, b: its numbers. */
struct op {
    uint8_t step, a, b;
    uint8_t guess : 7;      /* for a load that decides: what was guessed, or OPEN */
    uint8_t wrong : 1;      /* the load took effect and found wrong data (in b): a bad state if the path is real */
};
#define OPEN 127u           /* nothing can run ahead of this load, so there is no need to guess */

enum pc {
    LOOK, READ, READ_DATA, TAKE, ROOM, WRITE_SLOT, SHOW, ASK, TELL, NEXT, REQUEST_EVENT, SECOND_LOOK, CLEAR_LATE, BLOCK,
    DONE
};

struct end {
    uint8_t pc;
    uint8_t out, published, in;             /* as in struct ring */
    uint8_t pending, armed;
    uint8_t most;                           /* what judge() allowed at the last look */
    uint8_t n;                              /* steps in the window */
    struct op w[MAX_WINDOW];
};

/* The memory, by place. */
enum { PROD, EVENT_OF = 2, PORT = 4, SLOT = 6, BUF = SLOT + MAX_SLOTS, PLACES = BUF + MAX_SLOTS };
#define NOWHERE PLACES

struct state {
    uint8_t mem[PLACES + 2];                /* PROD + d and EVENT_OF + d: direction d; PORT + s: what wakes side s */
    struct end e[2];
};

/* ---- what is weakened ---- */

enum memory { SC, TSO, RELAXED, MODELS };
static const char *const memory_name[] = { "sc", "x86-tso", "relaxed" };

enum weak {
    NOTHING,
    W_STORE_RELEASE,        /* ring_publish's store is a release and no more */
    W_LOAD_ACQUIRE,         /* ring_publish's load of event is an acquire and no more */
    W_STORE_UNORDERED,      /* ring_publish's store is no release */
    W_STORE_WMB,            /* it orders earlier stores but not earlier loads */
    R_ARM_RELEASE,          /* ring_arm's store is a release and no more */
    R_AGAIN_ACQUIRE,        /* ring_arm's load is an acquire and no more */
    R_NO_AGAIN,             /* ring_arm does not look a second time */
    R_AGAIN_RELAXED,        /* ring_arm's load is no acquire: allowed, ring_pending() follows */
    R_PENDING_RELAXED,      /* ring_pending's load is no acquire */
    LATE_CLEAR,             /* the port is cleared after the second look */
    ONE_BUFFER              /* the buffer is used again before its response was read */
};

static enum memory memory;
static enum weak weak;
static int weak_side;
static bool data_comes_back;    /* false: the frontend fills the buffers (tx); true: the backend does (rx) */

enum bad { FINE, LOST, STALE, REUSED, JUDGED };
static const char *const bad_name[] = { "no bad state", "lost wake-up", "stale read", "buffer reused", "good index judged impossible" };

#define ACQUIRE 1u
#define RELEASE 2u
#define SEQ_CST 4u      /* ordered with every other SEQ_CST step of this thread */
#define WMB     8u      /* earlier stores first */
#define DECIDES 16u     /* a branch depends on this load */
#define STORE   32u
#define FENCE   64u     /* a system call that sleeps */

static unsigned buffer_of(unsigned index)
{
    return weak == ONE_BUFFER ? 0 : index % slots;
}

static unsigned place(int s, struct op op)
{
    switch (op.step) {
    case FILL: case USE:      return BUF + buffer_of(op.a);
    case PUT: case GET:       return SLOT + op.a % slots;
    case PUBLISH:             return PROD + (unsigned)s;
    case EVENT:               return EVENT_OF + (unsigned)s;
    case NOTIFY:              return PORT + (unsigned)!s;
    case PENDING: case AGAIN: return PROD + (unsigned)!s;
    case ARM:                 return EVENT_OF + (unsigned)!s;
    default:                  return PORT + (unsigned)s;
    }
}

static struct code_edges code;

static unsigned order_flags(int order, bool store)
{
    unsigned own = store ? RELEASE : ACQUIRE;

    return order == __ATOMIC_SEQ_CST ? SEQ_CST | own : order == __ATOMIC_ACQ_REL || order == __ATOMIC_ACQUIRE ||
           order == __ATOMIC_RELEASE || order == __ATOMIC_CONSUME ? own : 0;
}

static unsigned flags(int s, struct op op)
{
    enum weak w = s == weak_side ? weak : NOTHING;

    switch (op.step) {
    case FILL: case PUT: case NOTIFY:
        return STORE;
    case PUBLISH:
        return (STORE | order_flags(code.publish_store, true) | (w == W_STORE_WMB ? WMB : 0)) &
               ~(w == W_STORE_RELEASE ? SEQ_CST : w == W_STORE_UNORDERED || w == W_STORE_WMB ? RELEASE : 0u);
    case EVENT:
        return (DECIDES | order_flags(code.publish_load, false)) & ~(w == W_LOAD_ACQUIRE ? SEQ_CST : 0u);
    case PENDING:
        return (DECIDES | order_flags(code.pending_load, false)) & ~(w == R_PENDING_RELAXED ? SEQ_CST | ACQUIRE : 0u);
    case ARM:
        return (STORE | order_flags(code.arm_store, true)) & ~(w == R_ARM_RELEASE ? SEQ_CST : 0u);
    case AGAIN:
        return (DECIDES | order_flags(code.arm_load, false)) &
               ~(w == R_AGAIN_RELAXED ? ACQUIRE : w == R_AGAIN_ACQUIRE ? SEQ_CST : 0u);
    case CLEAR: case SLEEP:
        return STORE | FENCE;
    default:
        return 0;
    }
}

/* The rule: must the earlier step a take effect before the later b? */
static bool comes_first(int s, struct op a, struct op b)
{
    unsigned fa = flags(s, a), fb = flags(s, b);
    bool same = place(s, a) == place(s, b);

    if (a.wrong)
        return b.wrong;
    if (b.wrong)                            /* it has taken effect; is the path real? */
        return fa & DECIDES;
    if (memory == SC || (fa | fb) & FENCE)
        return true;
    if (memory == TSO)
        return !(fa & STORE) || fb & STORE || fa & SEQ_CST;
    return (same && !(fa & STORE && !(fb & STORE))) || fa & ACQUIRE || fb & RELEASE || (fa & fb & SEQ_CST) ||
           (fa & STORE && fb & WMB) || (fa & DECIDES && fb & STORE);
}

/* ---- the search ---- */

struct node {
    struct state st;
    uint32_t parent;
    uint8_t side, slot, value;              /* which step of the parent's window took effect, and what a load saw */
};

static struct node *nodes;
static uint32_t node_count, node_room, *table, table_size;
static uint32_t from;                       /* what is being explored */
static uint8_t from_side, from_slot, from_value;
static uint64_t ends, sleeps, wakes, suppressed;

static uint32_t hash(const struct state *st)
{
    const uint8_t *p = (const uint8_t *)st;
    uint64_t h = 0xcbf29ce484222325u, word;

    for (size_t i = 0; i + 8 <= sizeof *st; i += 8) {
        memcpy(&word, p + i, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 29;
    }
    return (uint32_t)(h >> 32);
}

static void *need(void *p)
{
    if (!p) {
        fprintf(stderr, "model_wake: out of memory after %u states\n", node_count);
        exit(2);
    }
    return p;
}

static void table_grow(void)
{
    table_size = table_size ? table_size * 2 : 1u << 16;
    free(table);
    table = need(calloc(table_size, sizeof *table));
    for (uint32_t i = 0; i < node_count; i++) {
        uint32_t h = hash(&nodes[i].st) & (table_size - 1);

        while (table[h])
            h = (h + 1) & (table_size - 1);
        table[h] = i + 1;
    }
}

static void found(const struct state *st)
{
    uint32_t h;

    if (node_count >= table_size / 2)
        table_grow();
    for (h = hash(st) & (table_size - 1); table[h]; h = (h + 1) & (table_size - 1))
        if (memcmp(&nodes[table[h] - 1].st, st, sizeof *st) == 0)
            return;
    if (node_count == node_room) {
        node_room = node_room ? node_room * 2 : 1u << 14;
        nodes = need(realloc(nodes, node_room * sizeof *nodes));
    }
    nodes[node_count] = (struct node){ .st = *st, .parent = from, .side = from_side, .slot = from_slot, .value = from_value };
    table[h] = ++node_count;
}

/* ---- a thread begins steps, as far as its window reaches, with every choice and every guess ---- */

static void begin(struct state st, int s, bool other_too);

static void go(struct state st, int s, bool other_too, enum pc next)
{
    st.e[s].pc = (uint8_t)next;
    begin(st, s, other_too);
}

static bool fills_buffers(int s)
{
    return (s == BACK) == data_comes_back;
}

static unsigned room(const struct end *e, int s)
{
    unsigned most = s == FRONT ? slots + e->in : e->in;

    return (most < requests ? most : requests) - e->out;
}

/* What a deciding load says once its value is known. */
static unsigned decision(struct op op, uint8_t value)
{
    switch (op.step) {
    case PENDING: return (unsigned)(value - op.a);                                      /* "prod - r->in" */
    case EVENT:   return (uint32_t)op.b - value < (uint32_t)op.b - op.a;                /* "out - event < out - old" */
    default:      return (uint32_t)value - op.a < op.b;                                 /* "prod - r->in < slots" */
    }
}

static void decide(struct end *e, int s, struct op op, unsigned d)
{
    switch (op.step) {
    case PENDING:
        e->pending = (uint8_t)d;
        e->pc = d ? READ : ROOM;
        break;
    case EVENT:
        e->pc = d ? TELL : NEXT;
        break;
    default:
        e->pc = !d ? LOOK : weak == LATE_CLEAR && s == weak_side ? CLEAR_LATE : BLOCK;
        break;
    }
}

/* True if no later step can take effect before this one. */
static bool holds_all(int s, struct op op)
{
    unsigned f = flags(s, op);

    return !op.wrong && (memory == SC || f & (FENCE | ACQUIRE) || (memory == TSO && !(f & STORE)));
}

/* Begins a load that decides: at once, or with a guess for each decision from least to most. */
static void begin_load(struct state st, int s, bool other_too, struct op op, unsigned least, unsigned most)
{
    struct end *e = &st.e[s];

    if (holds_all(s, op)) {
        op.guess = OPEN;
        e->w[e->n++] = op;
        begin(st, s, other_too);
        return;
    }
    for (unsigned d = least; d <= most; d++) {
        struct state other = st;

        op.guess = d & 127;
        other.e[s].w[other.e[s].n++] = op;
        decide(&other.e[s], s, op, d);
        begin(other, s, other_too);
    }
}

static void begin(struct state st, int s, bool other_too)
{
    struct end *e = &st.e[s];
    enum weak w = s == weak_side ? weak : NOTHING;

    while (e->n < window && e->pc != DONE && !(e->n && holds_all(s, e->w[e->n - 1]))) {
        switch ((enum pc)e->pc) {
        case LOOK:          /* ring_pending() and judge(): "slots - ahead + published - in" */
            e->most = (uint8_t)((s == FRONT ? 0 : slots) + e->published - e->in);
            begin_load(st, s, other_too, (struct op){ .step = PENDING, .a = e->in },
                       st.mem[PROD + !s] > e->in ? st.mem[PROD + !s] - e->in : 0, requests - e->in);
            return;
        case READ:          /* ring_get() */
            e->w[e->n++] = (struct op){ .step = GET, .a = e->in };
            e->pc = fills_buffers(s) ? TAKE : READ_DATA;
            break;
        case READ_DATA:
            e->w[e->n++] = (struct op){ .step = USE, .a = e->in };
            e->pc = TAKE;
            break;
        case TAKE:          /* ring_take() */
            e->in++;
            e->pc = --e->pending ? READ : s == FRONT && e->in == requests ? DONE : ROOM;
            break;
        case ROOM:          /* fill one more, or show what was filled */
            if (e->out != e->published)
                go(st, s, other_too, SHOW);
            if (room(e, s)) {
                if (fills_buffers(s))
                    e->w[e->n++] = (struct op){ .step = FILL, .a = e->out };
                e->pc = WRITE_SLOT;
                break;
            }
            if (e->out != e->published)
                return;
            e->pc = NEXT;
            break;
        case WRITE_SLOT:    /* ring_put() */
            e->w[e->n++] = (struct op){ .step = PUT, .a = e->out++ };
            e->pc = ROOM;
            break;
        case SHOW:          /* ring_publish() */
            e->w[e->n++] = (struct op){ .step = PUBLISH, .a = e->out };
            e->pc = ASK;
            break;
        case ASK: {
            struct op op = { .step = EVENT, .a = e->published, .b = e->out };

            e->published = e->out;
            begin_load(st, s, other_too, op, 0, 1);
            return;
        }
        case TELL:
            e->w[e->n++] = (struct op){ .step = NOTIFY };
            e->pc = NEXT;
            break;
        case NEXT:          /* look again at once, or fill more, or else sleep */
            go(st, s, other_too, LOOK);
            e->pc = room(e, s) ? ROOM : REQUEST_EVENT;
            break;
        case REQUEST_EVENT: /* ring_arm(r, n), n at most what the peer will still publish on its own */
            for (unsigned n = s == FRONT ? (unsigned)(e->out - e->in) : 1; n; n--) {
                struct state other = st;

                other.e[s].armed = (uint8_t)n;
                other.e[s].w[other.e[s].n++] = (struct op){ .step = ARM, .a = (e->in + n) & 255 };
                go(other, s, other_too, w == R_NO_AGAIN || code.arm_load < 0 ? BLOCK : SECOND_LOOK);
            }
            return;
        case SECOND_LOOK: {
            struct op op = { .step = AGAIN, .a = e->in, .b = e->armed };

            e->armed = 0;
            begin_load(st, s, other_too, op, 0, 1);
            return;
        }
        case CLEAR_LATE:
            e->w[e->n++] = (struct op){ .step = CLEAR };
            e->pc = BLOCK;
            break;
        case BLOCK:
            e->w[e->n++] = (struct op){ .step = SLEEP };
            e->pc = LOOK;
            break;
        case DONE:
            break;
        }
    }
    if (other_too)
        begin(st, !s, false);
    else
        found(&st);
}

/* ---- a step takes effect ---- */

static uint8_t stored_value(int s, struct op op)
{
    switch (op.step) {
    case FILL:    return (uint8_t)(op.a + 1);
    case PUT:     return (uint8_t)(op.a + 1 + 100 * s);
    case PUBLISH:
    case ARM:     return op.a;
    case NOTIFY:  return 1;
    default:      return 0;
    }
}

/* What GET and USE must find. */
static uint8_t right_value(int s, struct op op)
{
    return op.step == GET ? stored_value(!s, (struct op){ .step = PUT, .a = op.a })
                          : stored_value(!s, (struct op){ .step = FILL, .a = op.a });
}

static enum bad take_effect(const struct node *node, int s, unsigned i)
{
    struct state st = node->st;
    struct end *e = &st.e[s];
    struct op op = e->w[i];
    unsigned at = place(s, op), d;

    for (unsigned j = 0; j < i; j++)
        if (comes_first(s, e->w[j], op))
            return FINE;
    if (op.wrong)
        return op.b > right_value(s, op) ? REUSED : STALE;
    if (op.step == SLEEP && !st.mem[at])
        return FINE;
    from_value = st.mem[at];
    for (unsigned j = 0; j < i; j++)        /* its own store that is still on its way */
        if (flags(s, e->w[j]) & STORE && place(s, e->w[j]) == at)
            from_value = stored_value(s, e->w[j]);
    memmove(&e->w[i], &e->w[i + 1], (e->n - i - 1) * sizeof *e->w);
    memset(&e->w[--e->n], 0, sizeof *e->w);
    if (flags(s, op) & STORE) {
        if (op.step != SLEEP || !(weak == LATE_CLEAR && s == weak_side))
            st.mem[at] = stored_value(s, op);
        wakes += op.step == SLEEP;
    } else if (flags(s, op) & DECIDES) {
        d = decision(op, from_value);
        if (op.guess != OPEN && op.guess != d)
            return FINE;
        if (op.step == PENDING && d > e->most)
            return JUDGED;
        suppressed += op.step == EVENT && !d;
        if (op.guess == OPEN)
            decide(e, s, op, d);
    } else if (from_value != right_value(s, op)) {
        st = node->st;
        e->w[i].wrong = 1;
        e->w[i].b = from_value;
        found(&st);
        return FINE;
    }
    begin(st, s, false);
    return FINE;
}

static bool is_asleep(const struct state *st, int s)
{
    return st->e[s].n == 1 && st->e[s].w[0].step == SLEEP && !st->mem[PORT + s];
}

static enum bad search(void)
{
    struct state start;

    node_count = 0;
    if (table)
        memset(table, 0, table_size * sizeof *table);
    else
        table_grow();
    from = UINT32_MAX;
    ends = sleeps = wakes = suppressed = 0;
    memset(&start, 0, sizeof start);
    start.mem[EVENT_OF] = start.mem[EVENT_OF + 1] = 1;      /* ring_init() */
    start.e[FRONT].pc = ROOM;
    start.e[BACK].pc = LOOK;
    begin(start, FRONT, true);
    for (from = 0; from < node_count; from++) {
        bool done = nodes[from].st.e[FRONT].pc == DONE && !nodes[from].st.e[FRONT].n;
        bool asleep[2] = { is_asleep(&nodes[from].st, FRONT), is_asleep(&nodes[from].st, BACK) };

        sleeps += asleep[FRONT] || asleep[BACK];
        if (asleep[BACK] && asleep[FRONT])
            return LOST;
        ends += done && asleep[BACK];
        for (int s = FRONT; s <= BACK; s++)
            for (unsigned i = 0; i < nodes[from].st.e[s].n; i++) {
                struct node node = nodes[from];     /* nodes may move */
                enum bad bad;

                from_side = (uint8_t)s;
                from_slot = (uint8_t)i;
                if ((bad = take_effect(&node, s, i)))
                    return bad;
            }
    }
    return FINE;
}

/* ---- telling ---- */

static void print_op(int s, struct op op, uint8_t value)
{
    const char *text = step_text[op.step], *ours = direction_name[s], *theirs = direction_name[!s];

    printf("      %s  ", side_name[s]);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    switch (op.step) {
    case FILL: case USE: printf(text, buffer_of(op.a), op.a); break;
    case PUT: case GET:  printf(text, op.a % slots, op.a); break;
    case PUBLISH:        printf(text, ours, op.a); break;
    case EVENT:          printf(text, ours, value, decision(op, value) ? "notify" : "no notification"); break;
    case PENDING:        printf(text, theirs, value, decision(op, value)); break;
    case ARM:            printf(text, theirs, op.a); break;
    case AGAIN:          printf(text, theirs, value, decision(op, value) ? "sleep" : "look"); break;
    default:             printf("%s", text);
    }
#pragma GCC diagnostic pop
}

static void print_trace(enum bad bad)
{
    uint32_t path[512];
    unsigned n = 0;

    for (uint32_t at = from; at != UINT32_MAX && n < 512; at = nodes[at].parent)
        path[n++] = at;
    while (n-- > 1) {
        const struct node *node = &nodes[path[n - 1]];
        const struct end *e = &nodes[path[n]].st.e[node->side];

        print_op(node->side, e->w[node->slot], node->value);
        for (unsigned j = 0; j < node->slot; j++)
            printf("%s%s", j ? ", " : "    <- ahead of: ", e->w[j].step == PUBLISH ? "store prod" :
                   e->w[j].step == ARM ? "store event" : e->w[j].step == PUT ? "put" : e->w[j].step == FILL ? "fill" :
                   e->w[j].step == USE ? "use" : e->w[j].step == GET ? "get" : "load");
        printf("\n");
    }
    printf("      => %s\n", bad_name[bad]);
}

/* ---- what must hold ---- */

/* seen: on which memory models the weakening must be caught.  On the others it must not be: a machine as
 * strong as that does not need the edge, and a model that found something there would be wrong itself. */
#define ON(m) (1u << (m))
#define ALL   (ON(SC) | ON(TSO) | ON(RELAXED))
static const struct weakening {
    const char *name;
    enum weak weak;
    bool data_comes_back;
    int side;               /* -1: each in turn */
    enum bad bad;
    unsigned seen;
} cases[] = {
    { "the protocol",                               NOTHING,           false, FRONT, FINE,   0 },
    { "the protocol, data from the backend",        NOTHING,           true,  FRONT, FINE,   0 },
    { "WAKE writer: store prod only a release",     W_STORE_RELEASE,   false, -1,    LOST,   ON(TSO) | ON(RELAXED) },
    { "WAKE writer: load event only an acquire",    W_LOAD_ACQUIRE,    false, -1,    LOST,   ON(RELAXED) },
    { "WAKE reader: store event only a release",    R_ARM_RELEASE,     false, -1,    LOST,   ON(TSO) | ON(RELAXED) },
    { "WAKE reader: second look only an acquire",   R_AGAIN_ACQUIRE,   false, -1,    LOST,   ON(RELAXED) },
    { "WAKE reader: no second look",                R_NO_AGAIN,        false, -1,    LOST,   ALL },
    { "WAKE reader: port cleared after that look",  LATE_CLEAR,        false, -1,    LOST,   ALL },
    { "DATA writer: store prod no release",         W_STORE_UNORDERED, false, -1,    STALE,  ON(RELAXED) },
    { "DATA reader: load prod no acquire",          R_PENDING_RELAXED, false, -1,    STALE,  ON(RELAXED) },
    { "FREE reader: response orders only stores",   W_STORE_WMB,       false, BACK,  REUSED, ON(RELAXED) },
    { "FREE reader: likewise, data from the backend", W_STORE_WMB,     true,  FRONT, REUSED, ON(RELAXED) },
    { "FREE owner: buffer filled before its response", ONE_BUFFER,     false, FRONT, REUSED, ALL },
    { "the second look need not be an acquire",     R_AGAIN_RELAXED,     false, -1,    FINE,   0 },
};

static unsigned passed, failed;

static void check(const struct weakening *c, int side, bool verbose)
{
    for (memory = SC; memory < MODELS; memory++) {
        enum bad expected = c->seen & ON(memory) ? c->bad : FINE, bad;
        bool good, vacuous;

        weak = c->weak;
        weak_side = side;
        data_comes_back = c->data_comes_back;
        bad = search();
        /* a search that finds nothing must have been where things could go wrong */
        vacuous = !bad && (!ends || !sleeps || !wakes || !suppressed);
        good = bad == expected && !vacuous;
        passed += good;
        failed += !good;
        printf("%s %s%s, %s: %s in %u states%s\n", good ? "ok" : "FAIL", c->name,
               c->side >= 0 ? "" : side == FRONT ? " (front)" : " (back)", memory_name[memory], bad_name[bad], node_count,
               vacuous ? ", but it went nowhere" : good ? "" : expected ? ", but the weakening must be caught" : "");
        if (bad && (verbose || !good || (memory == RELAXED && side == (c->side >= 0 ? c->side : FRONT))))
            print_trace(bad);
        fflush(stdout);
    }
}

int main(int argc, char **argv)
{
    const char *why = code_edges_read(&code);
    bool verbose = argc > 1 && strcmp(argv[1], "-v") == 0;

    argc -= verbose;
    argv += verbose;
    if (argc == 4) {
        requests = (unsigned)atoi(argv[1]);
        slots = (unsigned)atoi(argv[2]);
        window = (unsigned)atoi(argv[3]);
    }
    if (argc != 1 && argc != 4)
        return 2;
    if (slots < 2 || slots > MAX_SLOTS || window < 4 || window > MAX_WINDOW || requests < 1 || requests > 60) {
        fprintf(stderr, "model_wake: requests 1 to 60, slots 2 to %u, window 4 to %u\n", MAX_SLOTS, MAX_WINDOW);
        return 2;
    }
    printf("# model_wake: %u requests, %u slots, windows of %u steps\n", requests, slots, window);
    printf("%s ring.c makes the steps of the model%s%s\n", why ? "FAIL" : "ok", why ? ": " : "", why ? why : "");
    passed += !why;
    failed += !!why;
    for (size_t i = 0; !why && i < sizeof cases / sizeof *cases; i++)
        for (int side = FRONT; side <= BACK; side++)
            if (cases[i].side < 0 || cases[i].side == side)
                check(&cases[i], side, verbose);
    free(nodes);
    free(table);
    printf("%u passed, %u failed, 0 skipped\n", passed, failed);
    return failed ? 1 : 0;
}

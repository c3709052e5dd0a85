/* SPDX-License-Identifier: MIT */
/* verbs.c: see verbs.h.  One function a verb; a table says which keys each takes, and anything else is refused. */
#include "verbs.h"

#include <stdio.h>
#include <string.h>

#include "ask_of.h"
#include "capture.h"
#include "events.h"
#include "counters.h"
#include "door.h"
#include "life.h"
#include "paths.h"
#include "policy_verb.h"
#include "refusal.h"
#include "standing.h"
#include "stream.h"
#include "use.h"
#include "who.h"

/* ---- ls ---- */

static json_t *guest_json(const struct guest *g)
{
    const struct lane *lane = &g->lane;
    const struct held *held = &g->account->held;
    json_t *limited = json_pack("{s:I, s:I}", "connects", (json_int_t)lane->limits.refused, "holds", (json_int_t)lane->limits.holds);
    enum use use = use_of(g->state, lane_is_connected(lane), g->error);
    char says[sizeof g->error + USE_TEXT];

    use_text(says, sizeof says, use, g->error);
    return json_pack("{s:s, s:I, s:I, s:I, s:s, s:s, s:s, s:I, s:I, s:o, s:o, s:{s:I, s:I}, s:{s:I, s:I, s:I, s:I}, s:I, s:I, s:I, s:I, s:o, s:b, s:s, s:s, s:s, s:{s:I, s:I}}",
                     "name", g->name, "domid", (json_int_t)g->domid, "device", (json_int_t)g->device,
                     "cid", (json_int_t)g->cid, "use", use_word(use), "says", says, "state", life_state_name(g->state),
                     "connections", (json_int_t)(lane->mux ? vmux_count(lane->mux) : 0), "files", (json_int_t)g->account->files,
                     "from_guest", counters_from_guest(lane), "to_guest", counters_to_guest(lane),
                     "notifications", "sent", (json_int_t)lane->count.notify_sent,
                     "received", (json_int_t)lane->count.notify_received,
                     "held", "packets", (json_int_t)(lane->mux ? lane->inboxes.held_packets : 0),
                     "bytes", (json_int_t)(lane->mux ? lane->inboxes.held_bytes : 0),
                     "spilled", (json_int_t)held->chunks, "in_sockets", (json_int_t)held->in_sockets,
                     "connects", (json_int_t)(lane->count.connects + (lane->mux != NULL)),
                     "refusals", (json_int_t)g->refusals, "storms", (json_int_t)lane->count.storms,
                     "refused_by_policy", (json_int_t)lane->count.refused, "limited", limited,
                     "af_vsock", lane->kernel != NULL, "dir", door_path(&g->host), "error", g->error, "uuid", g->uuid,
                     "pools", "tx", (json_int_t)(lane->mux ? lane->map.mem.tx_bytes : 0), "rx", (json_int_t)(lane->mux ? lane->map.mem.rx_bytes : 0));
}

static json_t *verb_ls(struct worker *w, json_t *request)
{
    json_t *guests = json_array();

    (void)request;
    each_guest(w, l)
        json_array_append_new(guests, guest_json(guest_at(l)));
    return json_pack("{s:b, s:s, s:o}", "ok", 1, "version", XVS_VERSION, "guests", guests);
}

/* ---- attach, detach ---- */

/* NULL: the keeper's answer is to be waited for. */
static json_t *ask(struct worker *w, struct wall_msg *m)
{
    m->kind = WALL_ASK;
    if (!++w->last_asked)
        w->last_asked = 1;
    m->ask.request = w->last_asked;
    wall_send(&w->wall, m, -1);
    return NULL;
}

/* "domain" and "device", of which the first may have the second with it, into m.  'number' is what it is without.  NULL, or why not. */
static json_t *get_device(const struct worker *w, json_t *request, const char *verb, int64_t number, struct wall_msg *m)
{
    const struct guest *g;
    int64_t given = -1;
    struct who who;

    if (!ask_of_domain(request, m->ask.domain, sizeof m->ask.domain) || !who_read(m->ask.domain, &who))
        return refusal("%s: \"domain\" must be " WHO_WORDS, verb);
    if (!ask_of_number(request, "device", 0, PATHS_DEVICES - 1, &given))
        return refusal("%s: \"device\" must be a number from 0 to %u", verb, PATHS_DEVICES - 1);
    if (given >= 0 && who.device >= 0 && given != who.device)
        return refusal("%s: %.100s is device %d, and \"device\" is %d", verb, m->ask.domain, who.device, (int)given);
    m->ask.number = (int32_t)(given >= 0 ? given : who.device >= 0 ? who.device : number);
    who.device = -1;
    if (*who.uuid && !(g = who_find(w, &who, NULL)))
        return refusal("%s: no domain with a device has the %.60s; say its name or its domid", verb, m->ask.domain);
    /* The keeper knows a domain by its name or its domid. */
    if (*who.uuid)
        snprintf(m->ask.domain, sizeof m->ask.domain, ":%u", g->domid);
    else if (*who.name)
        snprintf(m->ask.domain, sizeof m->ask.domain, "%s", who.name);
    else
        snprintf(m->ask.domain, sizeof m->ask.domain, ":%u", who.domid);
    return NULL;
}

static json_t *verb_attach(struct worker *w, json_t *request)
{
    struct wall_msg m = { .ask.verb = WALL_ATTACH };
    json_t *no = get_device(w, request, "attach", -1, &m);
    int64_t cid = 0;

    if (no)
        return no;
    if (!ask_of_number(request, "cid", VSOCKIF_CID_FIRST, VSOCKIF_CID_LAST, &cid))
        return refusal("attach: \"cid\" must be a number from 3 to 4294967294");
    m.ask.cid = (uint64_t)cid;
    return ask(w, &m);
}

static json_t *verb_detach(struct worker *w, json_t *request)
{
    const json_t *all = json_object_get(request, "all");
    struct wall_msg m = { .ask.verb = WALL_DETACH };
    json_t *no = get_device(w, request, "detach", WALL_ONLY, &m);

    if (no)
        return no;
    if (all && !json_is_boolean(all))
        return refusal("detach: \"all\" must be true or false");
    if (json_is_true(all) && m.ask.number >= 0)
        return refusal("detach: \"device\" is one and \"all\" is all: give one of the two");
    if (json_is_true(all))
        m.ask.number = WALL_EACH;
    return ask(w, &m);
}

static json_t *verb_reload(struct worker *w, json_t *request)
{
    (void)request;
    return ask(w, &(struct wall_msg){ .ask.verb = WALL_RELOAD });
}

static json_t *detached(const struct wall_msg *m)
{
    json_t *numbers = json_array();

    for (int i = 0; i < m->answer.result && i < (int)WALL_ALL; i++)
        json_array_append_new(numbers, json_integer(m->answer.gone[i]));
    return json_pack("{s:b, s:o}", "ok", 1, "devices", numbers);
}

json_t *verbs_answer(struct worker *w, const struct wall_msg *m)
{
    static const char *const names[WALL_VERBS] = { [WALL_ATTACH] = "attach", [WALL_DETACH] = "detach", [WALL_RELOAD] = "reload" };
    const struct guest *g;

    if (!m)
        return refusal("xenstored does not answer; what was asked for is done when it does");
    if (m->answer.result < 0)
        return refusal("%s: %s", m->answer.verb < WALL_VERBS ? names[m->answer.verb] : "?", m->answer.why);
    if (m->answer.verb == WALL_DETACH)
        return detached(m);
    if (m->answer.verb == WALL_ATTACH && (g = worker_guest(w, m->device)))
        return json_pack("{s:b, s:o}", "ok", 1, "guest", guest_json(g));
    return json_pack("{s:b}", "ok", 1);
}

/* ---- dump ---- */

static json_t *address(const struct vaddr *a)
{
    return json_pack("{s:I, s:I}", "cid", (json_int_t)a->cid, "port", (json_int_t)a->port);
}

/* In which list it waits for a turn. */
static bool is_in(const struct list *all, const struct list *link)
{
    for (const struct list *l = all->next; l != all; l = l->next)
        if (l == link)
            return true;
    return false;
}

/* Who waits for whom, if it stands still, and since when as far as that is known. */
static void add_standing(json_t *object, const struct stream *s)
{
    const struct lane *lane = s->lane;
    const struct vconn *c = &s->v.c;
    struct standing look = {
        .state = c->state, .released = s->v.released, .open = s->open, .called = s->called, .stuck = s->stuck, .dry = s->dry,
        .starves = is_in(&lane->starved, &s->turn), .thirsts = is_in(&lane->thirst, &s->turn), .held = s->inbox.bytes,
        .window = c->peer_alloc, .flying = c->tx_cnt - c->peer_fwd, .end = s->kind ? s->kind->name : ""
    };
    enum standing_for whom = standing_judge(&look);
    uint32_t now = (uint32_t)loop_now(lane->all->loop);
    char says[STANDING_TEXT];

    standing_text(says, sizeof says, &look);
    json_object_set_new(object, "waits_for", json_string(standing_word(whom)));
    json_object_set_new(object, "says", json_string(says));
    if (s->stuck || s->dry)
        json_object_set_new(object, "for_ms", json_integer((json_int_t)(uint32_t)(now - s->stands_at)));
}

/* Both indices of both ends: "they" is the guest, as its index was seen last. */
static json_t *ring_json(const struct ring *r)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "slots", (json_int_t)ring_slots(r), "out", (json_int_t)r->out, "published",
                     (json_int_t)r->published, "in", (json_int_t)r->in, "in_seen", (json_int_t)r->in_seen);
}

static json_t *rings_json(const struct lane *lane)
{
    return json_pack("{s:o, s:o, s:I, s:I}", "tx", ring_json(&lane->back.tx), "rx", ring_json(&lane->back.rx),
                     "tx_held", (json_int_t)lane->back.held_count, "rx_buffers", (json_int_t)lane->back.count);
}

static void add_stream(struct vmux_conn *conn, void *arg)
{
    const struct stream *s = stream_of(conn);
    const struct vconn *c = &conn->c;
    unsigned ready = !conn->released && s->kind->ready ? s->kind->ready(s) : 0;

    json_array_append_new(arg, json_pack(
        "{s:o, s:o, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:s}",
        "local", address(&conn->local), "peer", address(&conn->peer),
        "type", vconn_is_seqpacket(c) ? "seqpacket" : "stream", "state", vconn_state_name(c->state),
        "buf_alloc", (json_int_t)c->buf_alloc, "fwd_cnt", (json_int_t)c->fwd_cnt, "rx_cnt", (json_int_t)c->rx_cnt,
        "peer_buf_alloc", (json_int_t)c->peer_alloc, "peer_fwd_cnt", (json_int_t)c->peer_fwd,
        "tx_cnt", (json_int_t)c->tx_cnt, "room", (json_int_t)vconn_room(c),
        "shut_here", (json_int_t)c->shut_here, "shut_peer", (json_int_t)c->shut_peer,
        "readable", (int)(ready & END_READABLE), "writable", (int)(ready & END_WRITABLE),
        "end", conn->released ? "released" : s->kind->name));
    if (conn->released)
        return;
    json_object_set_new(json_array_get(arg, json_array_size(arg) - 1), "held", json_integer(s->inbox.bytes));
    add_standing(json_array_get(arg, json_array_size(arg) - 1), s);
}

static json_t *dump_of(const struct guest *g)
{
    json_t *guest = guest_json(g), *streams = json_array();

    if (g->lane.mux)
        vmux_each(g->lane.mux, add_stream, streams);
    if (g->lane.mux)
        json_object_set_new(guest, "rings", rings_json(&g->lane));
    json_object_set_new(guest, "streams", streams);
    return guest;
}

static json_t *verb_dump(struct worker *w, json_t *request)
{
    char domain[WALL_NAME];
    json_t *guests;
    struct who who;

    if (!ask_of_domain(request, domain, sizeof domain))
        return refusal("dump: \"domain\" must be " WHO_WORDS);
    guests = json_array();
    if (who_read(domain, &who))
        for (const struct guest *g = NULL; (g = who_find(w, &who, g));)
            json_array_append_new(guests, dump_of(g));
    if (json_array_size(guests))
        return json_pack("{s:b, s:o}", "ok", 1, "guests", guests);
    json_decref(guests);
    return refusal("dump: there is no %s %.100s with a device", who.device < 0 ? "domain" : "device", domain);
}

/* ---- stats, metrics ---- */

static json_t *verb_stats(struct worker *w, json_t *request)
{
    json_t *answer = counters_daemon(w);

    (void)request;
    json_object_set_new(answer, "ok", json_true());
    return answer;
}

static json_t *verb_metrics(struct worker *w, json_t *request)
{
    (void)request;
    return counters_all(w);
}

/* ---- capture, events ---- */

static json_t *verb_capture(struct worker *w, json_t *request)
{
    return capture_verb(w, request, &w->captured);
}

static json_t *verb_events(struct worker *w, json_t *request)
{
    return events_verb(w, request, &w->subscribed);
}

/* ---- the table ---- */

static const struct verb {
    const char *name;
    const char *keys;           /* besides "verb", with spaces between them */
    bool tells;                 /* …and changes nothing, and shows nothing that streams carry, nor the policy */
    json_t *(*run)(struct worker *w, json_t *request);
} verbs[] = {
    { "ls",      "",                  true,  verb_ls },
    { "attach",  "domain device cid", false, verb_attach },
    { "detach",  "domain device all", false, verb_detach },
    { "dump",    "domain",            true,  verb_dump },
    { "stats",   "",                  true,  verb_stats },
    { "metrics", "",                  true,  verb_metrics },
    { "capture", CAPTURE_KEYS,        false, verb_capture },
    { "events",  EVENTS_KEYS,         true,  verb_events },
    { "reload",  "",                  false, verb_reload },
    { "policy",  POLICY_VERB_KEYS,    false, policy_verb },
};

static bool takes(const struct verb *verb, const char *key)
{
    size_t len = strlen(key);

    if (!strcmp(key, "verb"))
        return true;
    for (const char *word = verb->keys; *word; word += strcspn(word, " "), word += strspn(word, " "))
        if (strcspn(word, " ") == len && !memcmp(word, key, len))
            return true;
    return false;
}

static json_t *denied(const char *verb)
{
    json_t *answer = refusal("%s: this socket only tells; ask at control.sock, as root", verb);

    json_object_set_new(answer, "denied", json_true());
    return answer;
}

json_t *verbs_run(struct worker *w, json_t *request, bool tells_only, uint32_t *asked, struct verbs_after *after)
{
    const char *name = json_string_value(json_object_get(request, "verb")), *key;
    json_t *value, *answer;
    uint32_t before;

    *asked = 0;
    *after = (struct verbs_after){ .tap = NULL };
    if (!name)
        return refusal("a request is an object with a string \"verb\"");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(name, verbs[i].name))
            continue;
        json_object_foreach(request, key, value)
            if (!takes(&verbs[i], key))
                return refusal("%s: it has no key \"%.40s\"", name, key);
        if (tells_only && !verbs[i].tells)
            return denied(name);
        before = w->last_asked;
        answer = verbs[i].run(w, request);
        *asked = w->last_asked == before ? 0 : w->last_asked;
        *after = (struct verbs_after){ .tap = w->captured, .events = w->subscribed };
        w->captured = NULL;
        w->subscribed = NULL;
        if (after->events)
            after->events->tells_only = tells_only;
        return answer;
    }
    return refusal("there is no verb \"%.40s\"; there are ls, attach, detach, dump, stats, metrics, capture, events, reload, policy", name);
}

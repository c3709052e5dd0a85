/* SPDX-License-Identifier: MIT */
/* events.c: see events.h. */
#include "events.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "refusal.h"

/* ---- what waits ---- */

/* False if there is no room for it. */
static bool put(struct subscription *s, const char *line, size_t len)
{
    if (len > sizeof s->bytes - s->used)
        return false;
    if (len > sizeof s->bytes - s->first - s->used) {
        memmove(s->bytes, s->bytes + s->first, s->used);
        s->first = 0;
    }
    memcpy(s->bytes + s->first + s->used, line, len);
    s->used += len;
    return true;
}

/* Takes the reference.  False if it found no room, or no memory. */
static bool put_object(struct subscription *s, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_PRESERVE_ORDER) : NULL;
    size_t len = text ? strlen(text) : 0;
    bool done = false;

    json_decref(object);
    if (text) {
        text[len] = '\n';       /* in place of the NUL */
        done = put(s, text, len + 1);
    }
    free(text);
    return done;
}

/* ---- an event ---- */

static json_t *begin(enum event_kind kind)
{
    struct timespec now;
    struct tm tm;
    char text[40];
    size_t n;

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof text - n, ".%06ldZ", now.tv_nsec / 1000);
    return json_pack("{s:s, s:I, s:s}", "time", text, "us", (json_int_t)now.tv_sec * 1000000 + now.tv_nsec / 1000, "event",
                     event_word(kind));
}

static json_t *address(const struct vaddr *a)
{
    if (a->port == VSOCKIF_PORT_ANY)
        return json_pack("{s:I}", "cid", (json_int_t)a->cid);
    return json_pack("{s:I, s:I}", "cid", (json_int_t)a->cid, "port", (json_int_t)a->port);
}

static void add(json_t *o, const char *key, const char *text)
{
    json_object_set_new(o, key, json_string(text));
}

static void add_guest(json_t *o, const struct guest *g)
{
    add(o, "guest", g->name);
    json_object_set_new(o, "domid", json_integer(g->domid));
    json_object_set_new(o, "device", json_integer(g->device));
    json_object_set_new(o, "cid", json_integer((json_int_t)g->cid));
}

static void add_reason(json_t *o, const struct happening *h)
{
    char words[REASON_WORDS];

    add(o, "reason", reason_words(words, h->reason));
    json_object_set_new(o, "code", json_integer(h->reason.code));
}

static json_t *object_of(const struct subscription *s, const struct happening *h)
{
    json_t *o = begin(h->kind);
    char line[REASON_LINE];

    if (!o)
        return NULL;
    if (h->lane)
        add_guest(o, container_of(h->lane, struct guest, lane));
    if (h->has_ends) {
        json_object_set_new(o, "from", address(&h->from));
        json_object_set_new(o, "to", address(&h->to));
    }
    if (h->kind == EVENT_RESET)
        add(o, "by", h->by_guest ? "guest" : "host");
    if (h->has_reason)
        add_reason(o, h);
    if (h->text || h->has_reason)
        add(o, "text", h->text ? h->text : reason_line(line, h->reason));
    if (h->rule && !s->tells_only)
        add(o, "rule", h->rule);
    if (*event_id(h->kind))
        add(o, "message_id", event_id(h->kind));
    return o;
}

static bool put_lost(struct subscription *s)
{
    json_t *o = begin(EVENT_LOST);
    char text[100];

    snprintf(text, sizeof text, "%llu events are missing here: they were not taken in time", (unsigned long long)s->lost);
    if (o) {
        json_object_set_new(o, "count", json_integer((json_int_t)s->lost));
        add(o, "text", text);
    }
    if (!put_object(s, o))
        return false;
    s->lost = 0;
    return true;
}

static bool is_for(const struct subscription *s, const struct happening *h)
{
    if (!s->guest_count)
        return true;
    for (size_t i = 0; h->lane && i < s->guest_count; i++)
        if (who_is(&s->guests[i], container_of(h->lane, struct guest, lane)))
            return true;
    return false;
}

static void on_event(struct feed_listener *listener, const struct happening *h)
{
    struct subscription *s = container_of(listener, struct subscription, listener);
    bool was_empty = !s->used;

    if (!is_for(s, h))
        return;
    if ((s->lost && !put_lost(s)) || !put_object(s, object_of(s, h)))
        s->lost++;
    if (was_empty && s->used)
        s->filled(s);
}

void events_taken(struct subscription *s, size_t len)
{
    s->first += len;
    s->used -= len;
    if (s->used)
        return;
    s->first = 0;
    if (s->lost)
        put_lost(s);
}

/* ---- the verb ---- */

/* NULL, or what is wrong. */
static json_t *read_guests(const json_t *list, struct subscription *s)
{
    const json_t *guest;
    size_t i;

    if (list && (!json_is_array(list) || json_array_size(list) > EVENTS_GUESTS))
        return refusal("events: \"guests\" must be a list of at most %u", EVENTS_GUESTS);
    json_array_foreach(list, i, guest)
        if (!json_is_string(guest) || !who_read(json_string_value(guest), &s->guests[s->guest_count++]))
            return refusal("events: a guest must be " WHO_WORDS);
    return NULL;
}

json_t *events_verb(struct worker *w, json_t *request, struct subscription **out)
{
    struct subscription *s;
    json_t *wrong;

    *out = NULL;
    if (w->subscriptions == EVENTS_MOST)
        return refusal("events: there are %u subscriptions already, and no more at a time", EVENTS_MOST);
    if (!(s = malloc(sizeof *s)))
        return refusal("events: out of memory");
    memset(s, 0, offsetof(struct subscription, bytes));
    if ((wrong = read_guests(json_object_get(request, "guests"), s))) {
        free(s);
        return wrong;
    }
    s->worker = w;
    s->listener.hear = on_event;
    list_init(&s->listener.link);
    list_append(&w->lanes.listeners, &s->listener.link);
    w->subscriptions++;
    *out = s;
    return json_pack("{s:b, s:s}", "ok", 1, "version", XVS_VERSION);
}

void events_over(struct subscription *s)
{
    if (!s)
        return;
    list_remove(&s->listener.link);
    s->worker->subscriptions--;
    free(s);
}

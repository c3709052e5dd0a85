/* SPDX-License-Identifier: MIT */
/* toprows.c: see toprows.h. */
#include "toprows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- out of the answers ---- */

static const json_t *inner(const json_t *object, const char *path)
{
    char key[40];

    for (; *path; path += strcspn(path, "."), path += *path == '.') {
        snprintf(key, sizeof key, "%.*s", (int)strcspn(path, "."), path);
        object = json_object_get(object, key);
    }
    return object;
}

/* "from_guest.bytes"; 0 if it is not there. */
static uint64_t number(const json_t *object, const char *path)
{
    return (uint64_t)json_integer_value(inner(object, path));
}

static void copy(char text[TOP_TEXT], const json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));

    snprintf(text, TOP_TEXT, "%s", value ? value : "");
}

/* All numbers in a list or object, added. */
static uint64_t sum(const json_t *values)
{
    uint64_t all = 0;
    const char *key;
    json_t *value;
    size_t i;

    json_array_foreach(values, i, value)
        all += (uint64_t)json_integer_value(value);
    json_object_foreach((json_t *)(uintptr_t)values, key, value)
        all += (uint64_t)json_integer_value(value);
    return all;
}

static double seconds(const struct top_look *before, const struct top_look *now)
{
    return now->at > before->at ? (double)(now->at - before->at) / 1e9 : 0;
}

/* A count that is smaller than it was has begun anew. */
static double rate(uint64_t before, uint64_t now, double time)
{
    return time > 0 ? (double)(now >= before ? now - before : now) / time : -1;
}

static int make(struct top_rows *rows, size_t most)
{
    *rows = (struct top_rows){ .row = calloc(most ? most : 1, sizeof *rows->row) };
    return rows->row ? 0 : -ENOMEM;
}

void top_rows_free(struct top_rows *rows)
{
    free(rows->row);
    *rows = (struct top_rows){ .row = NULL };
}

/* ---- guests ---- */

static const json_t *find_guest(const json_t *guests, const json_t *like)
{
    json_t *guest;
    size_t i;

    json_array_foreach(guests, i, guest)
        if (number(guest, "domid") == number(like, "domid") && number(guest, "device") == number(like, "device"))
            return guest;
    return NULL;
}

static uint64_t opened(const json_t *guest)
{
    return sum(inner(guest, "connects.from_guest.steps")) + sum(inner(guest, "connects.to_guest.steps"));
}

static uint64_t refused(const json_t *guest)
{
    return sum(inner(guest, "refused.from_guest")) + sum(inner(guest, "refused.to_guest"));
}

static void fill_guest(struct top_row *r, const json_t *old, const json_t *g, double time)
{
    time = old ? time : 0;
    copy(r->name, g, "name");
    copy(r->state, g, json_object_get(g, "use") ? "use" : "state");
    r->device = (uint32_t)number(g, "device");
    r->value[TOP_DOMID] = (double)number(g, "domid");
    r->value[TOP_CONNECTIONS] = (double)number(g, "connections");
    r->value[TOP_FROM] = rate(number(old, "from_guest.bytes"), number(g, "from_guest.bytes"), time);
    r->value[TOP_TO] = rate(number(old, "to_guest.bytes"), number(g, "to_guest.bytes"), time);
    r->value[TOP_BOTH] = r->value[TOP_FROM] + r->value[TOP_TO];
    r->value[TOP_PACKETS] = rate(number(old, "from_guest.packets") + number(old, "to_guest.packets"),
                                 number(g, "from_guest.packets") + number(g, "to_guest.packets"), time);
    r->value[TOP_NEW] = rate(opened(old), opened(g), time);
    r->value[TOP_REFUSED] = rate(refused(old), refused(g), time);
    r->value[TOP_STALLS] = rate(number(old, "stalls") + number(old, "credit_waits"), number(g, "stalls") + number(g, "credit_waits"), time);
    r->value[TOP_DROPS] = rate(number(old, "drops"), number(g, "drops"), time);
    r->value[TOP_HELD] = (double)sum(inner(g, "held"));
    r->value[TOP_ROOM] = -1;
}

int top_guests(struct top_rows *rows, const struct top_look *before, const struct top_look *now)
{
    const json_t *guests = inner(now->metrics, "guests"), *old = inner(before->metrics, "guests");
    double time = before->metrics ? seconds(before, now) : 0;
    json_t *guest;
    size_t i;

    if (make(rows, json_array_size(guests)))
        return -ENOMEM;
    json_array_foreach(guests, i, guest)
        if (json_is_object(guest))
            fill_guest(&rows->row[rows->count++], find_guest(old, guest), guest, time);
    return 0;
}

/* ---- streams ---- */

static bool is_same(const json_t *a, const json_t *b)
{
    return number(a, "local.cid") == number(b, "local.cid") && number(a, "local.port") == number(b, "local.port") &&
           number(a, "peer.cid") == number(b, "peer.cid") && number(a, "peer.port") == number(b, "peer.port");
}

/* The same stream a look ago.  Most often it has the place that it had, or one shortly before: *hint. */
static const json_t *find_stream(const json_t *streams, const json_t *like, size_t *hint)
{
    size_t count = json_array_size(streams);

    for (size_t n = 0; n < count; n++) {
        size_t i = (*hint + n) % count;

        if (is_same(json_array_get(streams, i), like)) {
            *hint = i + 1;
            return json_array_get(streams, i);
        }
    }
    return NULL;
}

/* Counts are u32 and wrap. */
static double rate32(const json_t *old, const json_t *s, const char *key, double time)
{
    return old && time > 0 ? (double)(uint32_t)(number(s, key) - number(old, key)) / time : -1;
}

/* guest:1025 > host:5000 is "1025 > host:5000": the name has a column of its own. */
static void say_ends(char text[TOP_TEXT], const json_t *s)
{
    uint64_t cid = number(s, "local.cid");
    char other[24] = "host";

    if (cid != 2)
        snprintf(other, sizeof other, "cid%llu", (unsigned long long)cid);
    snprintf(text, TOP_TEXT, "%llu - %s:%llu", (unsigned long long)number(s, "peer.port"), other, (unsigned long long)number(s, "local.port"));
}

static void say_waits(char text[TOP_TEXT], const json_t *s)
{
    bool writable = json_is_true(json_object_get(s, "writable")), readable = json_is_true(json_object_get(s, "readable"));

    if (number(s, "held") && !writable)
        snprintf(text, TOP_TEXT, "guest waits for its reader");
    else if (readable && !number(s, "room"))
        snprintf(text, TOP_TEXT, "waits for the guest's program");
}

static void fill_stream(struct top_row *r, const json_t *guest, const json_t *old, const json_t *s, double time)
{
    for (int i = 0; i < TOP_VALUES; i++)
        r->value[i] = -1;
    copy(r->name, guest, "name");
    copy(r->state, s, "state");
    r->device = (uint32_t)number(guest, "device");
    say_ends(r->what, s);
    say_waits(r->waits, s);
    r->value[TOP_DOMID] = (double)number(guest, "domid");
    r->value[TOP_FROM] = rate32(old, s, "rx_cnt", time);
    r->value[TOP_TO] = rate32(old, s, "tx_cnt", time);
    r->value[TOP_BOTH] = r->value[TOP_FROM] + r->value[TOP_TO];
    r->value[TOP_HELD] = (double)number(s, "held");
    r->value[TOP_ROOM] = (double)number(s, "room");
}

/* The streams of this guest's device, in any of these dumps; NULL. */
static const json_t *streams_of(const json_t *dumps, const json_t *like)
{
    json_t *dump;
    size_t i;

    json_array_foreach(dumps, i, dump) {
        const json_t *guest = find_guest(json_object_get(dump, "guests"), like);

        if (guest)
            return json_object_get(guest, "streams");
    }
    return NULL;
}

static void fill_guests_streams(struct top_rows *rows, size_t most, const struct top_look *before, const json_t *guest, double time)
{
    const json_t *old = streams_of(before->dumps, guest);
    json_t *stream;
    size_t i, hint = 0;

    json_array_foreach(json_object_get(guest, "streams"), i, stream)
        if (rows->count < most && json_is_object(stream))
            fill_stream(&rows->row[rows->count++], guest, find_stream(old, stream, &hint), stream, time);
}

int top_streams(struct top_rows *rows, const struct top_look *before, const struct top_look *now)
{
    double time = before->dumps ? seconds(before, now) : 0;
    json_t *dump, *guest;
    size_t i, n, most = 0;

    json_array_foreach(now->dumps, i, dump)
        json_array_foreach(json_object_get(dump, "guests"), n, guest)
            most += json_array_size(json_object_get(guest, "streams"));
    if (make(rows, most))
        return -ENOMEM;
    json_array_foreach(now->dumps, i, dump)
        json_array_foreach(json_object_get(dump, "guests"), n, guest)
            fill_guests_streams(rows, most, before, guest, time);
    return 0;
}

/* ---- in which order ---- */

struct order {
    enum top_value by;
    bool reversed;
};

/* What is equal has an order, too, so that rows stay where they are. */
static int compare(const void *a, const void *b, void *arg)
{
    const struct top_row *r = a, *s = b;
    const struct order *o = arg;
    int sign = o->reversed ? -1 : 1, by_name = strcmp(r->name, s->name);

    if (o->by < TOP_VALUES && r->value[o->by] != s->value[o->by])
        return r->value[o->by] > s->value[o->by] ? -sign : sign;
    if (by_name)
        return o->by == TOP_VALUES ? sign * by_name : by_name;
    if (r->value[TOP_DOMID] != s->value[TOP_DOMID])
        return r->value[TOP_DOMID] < s->value[TOP_DOMID] ? -1 : 1;
    if (r->device != s->device)
        return r->device < s->device ? -1 : 1;
    return strcmp(r->what, s->what);
}

void top_sort(struct top_rows *rows, enum top_value by, bool reversed)
{
    struct order o = { by, reversed };

    qsort_r(rows->row, rows->count, sizeof *rows->row, compare, &o);
}

/* ---- the daemon ---- */

double top_daemon(const struct top_look *now, const char *key)
{
    return (double)number(inner(now->metrics, "daemon"), key);
}

double top_daemon_rate(const struct top_look *before, const struct top_look *now, const char *key)
{
    double time = before->metrics ? seconds(before, now) : 0;

    return rate(number(inner(before->metrics, "daemon"), key), number(inner(now->metrics, "daemon"), key), time);
}

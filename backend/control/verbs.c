/* SPDX-License-Identifier: MIT */
/* verbs.c: see verbs.h.  One function a verb; a table says which keys each takes, and anything else is refused. */
#include "verbs.h"

#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "domain.h"
#include "door.h"
#include "farewell.h"
#include "stream.h"

__attribute__((format(printf, 1, 2)))
static json_t *refusal(const char *format, ...)
{
    char text[REGISTRY_WHY];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return json_pack("{s:b, s:s}", "ok", 0, "error", text);
}

/* ---- ls ---- */

static json_t *flow(uint64_t packets, uint64_t bytes)
{
    return json_pack("{s:I, s:I}", "packets", (json_int_t)packets, "bytes", (json_int_t)bytes);
}

static json_t *device_json(const struct device *d)
{
    static const struct link_counters none;
    const struct lane *lane = &d->lane;
    const struct link_counters *now = lane->mux ? &lane->back.counters : &none;
    const struct held *held = &d->account->held;

    return json_pack("{s:s, s:I, s:I, s:I, s:s, s:I, s:I, s:o, s:o, s:{s:I, s:I}, s:{s:I, s:I, s:I, s:I}, s:I, s:I, s:I, s:s, s:s}",
                     "name", d->domain->name, "domid", (json_int_t)d->id.front, "device", (json_int_t)d->id.number,
                     "cid", (json_int_t)d->cid, "state", life_state_name(d->life.own),
                     "connections", (json_int_t)(lane->mux ? vmux_count(lane->mux) : 0), "files", (json_int_t)d->account->files,
                     "from_guest", flow(lane->count.from_packets + now->rx_packets, lane->count.from_bytes + now->rx_bytes),
                     "to_guest", flow(lane->count.to_packets + now->tx_packets, lane->count.to_bytes + now->tx_bytes),
                     "notifications", "sent", (json_int_t)lane->count.notify_sent,
                     "received", (json_int_t)lane->count.notify_received,
                     "held", "packets", (json_int_t)(lane->mux ? lane->inboxes.held_packets : 0),
                     "bytes", (json_int_t)(lane->mux ? lane->inboxes.held_bytes : 0),
                     "spilled", (json_int_t)held->chunks, "in_sockets", (json_int_t)held->in_sockets,
                     "connects", (json_int_t)(lane->count.connects + (lane->mux != NULL)),
                     "refusals", (json_int_t)d->refusals, "storms", (json_int_t)lane->count.storms,
                     "dir", door_path(&d->host), "error", *d->error ? d->error : d->door_error);
}

static json_t *verb_ls(struct verbs_about *about, json_t *request)
{
    json_t *guests = json_array();

    (void)request;
    each_device(about->registry, l)
        json_array_append_new(guests, device_json(device_at(l)));
    return json_pack("{s:b, s:s, s:o}", "ok", 1, "version", XVS_VERSION, "guests", guests);
}

/* ---- attach, detach ---- */

/* "domain" as a string or a number, into text. */
static bool get_domain(json_t *request, char *text, size_t size)
{
    const json_t *domain = json_object_get(request, "domain");

    if (json_is_string(domain))
        snprintf(text, size, "%s", json_string_value(domain));
    else if (json_is_integer(domain))
        snprintf(text, size, "%lld", (long long)json_integer_value(domain));
    else
        return false;
    return *text != '\0';
}

/* An optional number; false if it is there and out of bounds. */
static bool get_number(json_t *request, const char *key, int64_t min, int64_t max, int64_t *out)
{
    const json_t *value = json_object_get(request, key);

    if (!value)
        return true;
    if (!json_is_integer(value) || json_integer_value(value) < min || json_integer_value(value) > max)
        return false;
    *out = json_integer_value(value);
    return true;
}

static json_t *verb_attach(struct verbs_about *about, json_t *request)
{
    char domain[DOMAINS_NAME], why[REGISTRY_WHY] = "";
    int64_t number = -1, cid = 0;
    struct device *d;

    if (!get_domain(request, domain, sizeof domain))
        return refusal("attach: \"domain\" must be a name or a domid");
    if (!get_number(request, "device", 0, PATHS_DEVICES - 1, &number))
        return refusal("attach: \"device\" must be a number from 0 to %u", PATHS_DEVICES - 1);
    if (!get_number(request, "cid", VSOCKIF_CID_FIRST, VSOCKIF_CID_LAST, &cid))
        return refusal("attach: \"cid\" must be a number from 3 to 4294967294");
    if (registry_attach(about->registry, domain, (int)number, (uint64_t)cid, &d, why))
        return refusal("attach: %s", why);
    return json_pack("{s:b, s:o}", "ok", 1, "guest", device_json(d));
}

static json_t *verb_detach(struct verbs_about *about, json_t *request)
{
    const json_t *all = json_object_get(request, "all");
    char domain[DOMAINS_NAME], why[REGISTRY_WHY] = "";
    uint8_t gone[PATHS_DEVICES];
    int64_t number = REGISTRY_ONLY;
    json_t *numbers;
    int n;

    if (!get_domain(request, domain, sizeof domain))
        return refusal("detach: \"domain\" must be a name or a domid");
    if (!get_number(request, "device", 0, PATHS_DEVICES - 1, &number))
        return refusal("detach: \"device\" must be a number from 0 to %u", PATHS_DEVICES - 1);
    if (all && !json_is_boolean(all))
        return refusal("detach: \"all\" must be true or false");
    if (json_is_true(all) && number >= 0)
        return refusal("detach: \"device\" is one and \"all\" is all: give one of the two");
    if (json_is_true(all))
        number = REGISTRY_ALL;
    if ((n = registry_detach(about->registry, domain, (int)number, gone, why)) < 0)
        return refusal("detach: %s", why);
    numbers = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(numbers, json_integer(gone[i]));
    return json_pack("{s:b, s:o}", "ok", 1, "devices", numbers);
}

/* ---- dump ---- */

static json_t *address(const struct vaddr *a)
{
    return json_pack("{s:I, s:I}", "cid", (json_int_t)a->cid, "port", (json_int_t)a->port);
}

static void add_stream(struct vmux_conn *conn, void *arg)
{
    const struct stream *s = stream_of(conn);
    const struct vconn *c = &conn->c;
    unsigned ready = !conn->released && s->kind->ready ? s->kind->ready(s) : 0;

    json_array_append_new(arg, json_pack(
        "{s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:b, s:b, s:s}",
        "local", address(&conn->local), "peer", address(&conn->peer), "state", vconn_state_name(c->state),
        "buf_alloc", (json_int_t)c->buf_alloc, "fwd_cnt", (json_int_t)c->fwd_cnt, "rx_cnt", (json_int_t)c->rx_cnt,
        "peer_buf_alloc", (json_int_t)c->peer_alloc, "peer_fwd_cnt", (json_int_t)c->peer_fwd,
        "tx_cnt", (json_int_t)c->tx_cnt, "room", (json_int_t)vconn_room(c),
        "shut_here", (json_int_t)c->shut_here, "shut_peer", (json_int_t)c->shut_peer,
        "readable", (int)(ready & END_READABLE), "writable", (int)(ready & END_WRITABLE),
        "end", conn->released ? "released" : s->kind->name));
    if (!conn->released)
        json_object_set_new(json_array_get(arg, json_array_size(arg) - 1), "held", json_integer(s->inbox.bytes));
}

static json_t *verb_dump(struct verbs_about *about, json_t *request)
{
    char domain[DOMAINS_NAME];
    json_t *guests;
    uint32_t domid;

    if (!get_domain(request, domain, sizeof domain))
        return refusal("dump: \"domain\" must be a name or a domid");
    if (domain_resolve(about->registry, domain, &domid))
        return refusal("dump: there is no domain %s", domain);
    guests = json_array();
    each_device(about->registry, l) {
        struct device *d = device_at(l);
        json_t *guest, *streams;

        if (d->id.front != domid)
            continue;
        guest = device_json(d);
        streams = json_array();
        if (d->lane.mux)
            vmux_each(d->lane.mux, add_stream, streams);
        json_object_set_new(guest, "streams", streams);
        json_array_append_new(guests, guest);
    }
    return json_pack("{s:b, s:o}", "ok", 1, "guests", guests);
}

/* ---- stats ---- */

static json_int_t open_files(void)
{
    DIR *dir = opendir("/proc/self/fd");
    json_int_t n = -3;          /* ".", ".." and this directory itself */

    if (!dir)
        return -1;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static json_int_t resident_bytes(void)
{
    FILE *f = fopen("/proc/self/statm", "r");
    long long pages = 0;

    if (!f)
        return -1;
    if (fscanf(f, "%*s %lld", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * 4096;
}

static json_t *verb_stats(struct verbs_about *about, json_t *request)
{
    json_int_t guests = 0, connected = 0, connections = 0, tables = 0, spilled = 0, in_sockets = 0, mapped = 0;
    struct registry *r = about->registry;

    (void)request;
    each_device(r, l) {
        const struct lane *lane = &device_at(l)->lane;

        guests++;
        if (!lane->mux)
            continue;
        connected++;
        connections += vmux_count(lane->mux);
        tables += (json_int_t)vmux_memory(lane->mux);
        for (int i = 0; i < 4; i++)
            mapped += (json_int_t)lane->map.group[i].pages * VSOCKIF_PAGE_SIZE;
    }
    for (struct list *l = r->accounts.list.next; l != &r->accounts.list; l = l->next) {
        const struct held *h = &container_of(l, struct account, link)->held;

        spilled += (json_int_t)h->chunks;
        in_sockets += (json_int_t)h->in_sockets;
    }
    return json_pack("{s:b, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "ok", 1,
                     "version", XVS_VERSION, "uptime_ms", (json_int_t)(loop_now(r->loop) - about->started),
                     "guests", guests, "connected", connected, "connections", connections,
                     "bytes_per_guest", (json_int_t)sizeof(struct device),
                     "bytes_per_connection", (json_int_t)end_record_size(r->lanes->ends), "table_bytes", tables,
                     "spilled_bytes", spilled, "socket_bytes", in_sockets,
                     "farewells", (json_int_t)r->lanes->farewells->count,
                     "mapped_bytes", mapped, "resident_bytes", resident_bytes(),
                     "fds", open_files(), "wakeups", (json_int_t)r->loop->poller.wakeups);
}

static json_t *verb_reload(struct verbs_about *about, json_t *request)
{
    char why[SETTINGS_WHY];

    (void)request;
    if (about->reload(about, why))
        return refusal("reload: %s", why);
    return json_pack("{s:b}", "ok", 1);
}

/* ---- the table ---- */

static const struct verb {
    const char *name;
    const char *keys;           /* besides "verb", with spaces between them */
    json_t *(*run)(struct verbs_about *about, json_t *request);
} verbs[] = {
    { "ls",     "",                    verb_ls },
    { "attach", "domain device cid",   verb_attach },
    { "detach", "domain device all",   verb_detach },
    { "dump",   "domain",              verb_dump },
    { "stats",  "",                    verb_stats },
    { "reload", "",                    verb_reload },
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

json_t *verbs_run(struct verbs_about *about, json_t *request)
{
    const char *name = json_string_value(json_object_get(request, "verb")), *key;
    json_t *value;

    if (!name)
        return refusal("a request is an object with a string \"verb\"");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(name, verbs[i].name))
            continue;
        json_object_foreach(request, key, value)
            if (!takes(&verbs[i], key))
                return refusal("%s: it has no key \"%.40s\"", name, key);
        return verbs[i].run(about, request);
    }
    return refusal("there is no verb \"%.40s\"; there are ls, attach, detach, dump, stats, reload", name);
}

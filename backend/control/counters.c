/* SPDX-License-Identifier: MIT */
/* counters.c: see counters.h.  Nothing is counted here: it is read where it was counted. */
#include "counters.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "life.h"
#include "stream.h"
#include "use.h"

/* ---- the daemon ---- */

static json_int_t open_files(const struct worker *w)
{
    int fd = openat(w->proc_fd, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    json_int_t n = -3;          /* ".", ".." and this directory itself */

    if (!dir) {
        if (fd >= 0)
            close(fd);
        return -1;
    }
    while (readdir(dir))
        n++;
    closedir(dir);
    return n;
}

static json_int_t resident_bytes(const struct worker *w)
{
    int fd = openat(w->proc_fd, "statm", O_RDONLY | O_CLOEXEC);
    char text[80] = "";
    long long pages = 0;

    if (fd < 0)
        return -1;
    if (read(fd, text, sizeof text - 1) < 0 || sscanf(text, "%*s %lld", &pages) != 1)
        pages = 0;
    close(fd);
    return pages * 4096;
}

json_t *counters_daemon(const struct worker *w)
{
    json_int_t guests = 0, connected = 0, connections = 0, tables = 0, spilled = 0, in_sockets = 0, mapped = 0;

    each_guest(w, l) {
        const struct lane *lane = &guest_at(l)->lane;

        guests++;
        if (!lane->mux)
            continue;
        connected++;
        connections += vmux_count(lane->mux);
        tables += (json_int_t)vmux_memory(lane->mux);
        for (int i = 0; i < 4; i++)
            mapped += (json_int_t)lane->map.group[i].pages * VSOCKIF_PAGE_SIZE;
    }
    for (struct list *l = w->accounts.list.next; l != &w->accounts.list; l = l->next) {
        const struct held *h = &container_of(l, struct account, link)->held;

        spilled += (json_int_t)h->chunks;
        in_sockets += (json_int_t)h->in_sockets;
    }
    return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "version", XVS_VERSION,
                     "uptime_ms", (json_int_t)(loop_now(w->loop) - w->started),
                     "guests", guests, "connected", connected, "connections", connections,
                     "bytes_per_guest", (json_int_t)sizeof(struct guest),
                     "bytes_per_connection", (json_int_t)end_record_size(w->lanes.ends), "table_bytes", tables,
                     "spilled_bytes", spilled, "socket_bytes", in_sockets, "farewells", (json_int_t)w->farewells.count,
                     "mapped_bytes", mapped, "resident_bytes", resident_bytes(w),
                     "fds", open_files(w), "wakeups", (json_int_t)w->loop->poller.wakeups,
                     "rounds", (json_int_t)w->loop->rounds);
}

/* ---- a guest ---- */

static const struct link_counters *now(const struct lane *lane)
{
    static const struct link_counters none;

    return lane->mux ? &lane->back.counters : &none;
}

static json_t *flow(uint64_t packets, uint64_t bytes)
{
    return json_pack("{s:I, s:I}", "packets", (json_int_t)packets, "bytes", (json_int_t)bytes);
}

json_t *counters_from_guest(const struct lane *lane)
{
    return flow(lane->count.from_packets + now(lane)->rx_packets, lane->count.from_bytes + now(lane)->rx_bytes);
}

json_t *counters_to_guest(const struct lane *lane)
{
    return flow(lane->count.to_packets + now(lane)->tx_packets, lane->count.to_bytes + now(lane)->tx_bytes);
}

static json_t *numbers(const uint64_t *values, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_integer((json_int_t)values[i]));
    return list;
}

static json_t *times(const struct latency *l)
{
    return json_pack("{s:o, s:I}", "steps", numbers(l->count, LATENCY_STEPS), "sum_us", (json_int_t)l->sum);
}

/* Those that refuse, with 0 as well, so that each has a beginning; and whatever else a guest has given as one. */
static json_t *refusals(const uint64_t *counts)
{
    json_t *object = json_object();

    for (unsigned code = 0; code < REASONS; code++)
        if (code <= VSOCKIF_REASON_UNUSABLE || counts[code])
            json_object_set_new(object, reason_word(code), json_integer((json_int_t)counts[code]));
    return object;
}

static json_t *guest(const struct guest *g)
{
    const struct lane *lane = &g->lane;
    const struct held *held = &g->account->held;

    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:s, s:s, s:b, s:I, s:I, s:o, s:o, s:{s:I, s:I}, s:{s:I, s:I, s:I}, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I,"
                     " s:{s:o, s:o}, s:{s:o, s:o}}",
                     "name", g->name, "uuid", g->uuid, "domid", (json_int_t)g->domid, "device", (json_int_t)g->device,
                     "cid", (json_int_t)g->cid, "use", use_word(use_of(g->state, lane_is_connected(lane), g->error)),
                     "state", life_state_name(g->state), "connected", (int)lane_is_connected(lane),
                     "connections", (json_int_t)(lane->mux ? vmux_count(lane->mux) : 0), "files", (json_int_t)g->account->files,
                     "from_guest", counters_from_guest(lane), "to_guest", counters_to_guest(lane),
                     "notifications", "from_guest", (json_int_t)lane->count.notify_received,
                     "to_guest", (json_int_t)lane->count.notify_sent,
                     "held", "pool", (json_int_t)(lane->mux ? lane->inboxes.held_bytes : 0),
                     "daemon", (json_int_t)held->chunks, "sockets", (json_int_t)held->in_sockets,
                     "handshakes", (json_int_t)(lane->count.connects + (lane->mux != NULL)), "violations", (json_int_t)g->refusals,
                     "storms", (json_int_t)lane->count.storms, "spills", (json_int_t)lane->count.spills,
                     "stalls", (json_int_t)lane->count.stalls, "credit_waits", (json_int_t)lane->count.credit_waits,
                     "buffer_waits", (json_int_t)lane->count.buffer_waits,
                     "drops", (json_int_t)lane->count.drops,
                     "refused", "from_guest", refusals(lane->count.refusals[0]), "to_guest", refusals(lane->count.refusals[1]),
                     "connects", "from_guest", times(&lane->count.calls), "to_guest", times(&lane->count.called));
}

json_t *counters_all(const struct worker *w)
{
    static const uint64_t bounds[LATENCY_STEPS - 1] = LATENCY_BOUNDS;
    json_t *guests = json_array();

    each_guest(w, l)
        json_array_append_new(guests, guest(guest_at(l)));
    return json_pack("{s:b, s:o, s:o, s:o}", "ok", 1, "daemon", counters_daemon(w), "connect_bounds_us", numbers(bounds, LATENCY_STEPS - 1),
                     "guests", guests);
}

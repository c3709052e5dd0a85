/* SPDX-License-Identifier: MIT */
/* settings.c: see settings.h. */
#include "settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal.h"
#include "portnames.h"
#include "spinner.h"
#include "vsockif.h"

struct settings *settings_default(void)
{
    struct settings *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->attach_auto = true;
    s->af_vsock = AF_VSOCK_NO;
    s->log_level = JOURNAL_INFO;
    s->limits = (struct settings_limits){
        .connects.per_second = SETTINGS_NO_LIMIT, .bytes.per_second = SETTINGS_NO_LIMIT, .max_connections = 16384, .max_files = UINT32_MAX
    };
    s->max_ring_page_order = VSOCKIF_MAX_RING_PAGE_ORDER;
    s->max_pool_pages = 512;
    s->held_spill_bytes = 4u << 20;
    s->farewell_seconds = 600;
    s->spin_us = SPINNER_AUTO;
    s->status_group = (gid_t)-1;
    s->sockets = s->any = (struct settings_sockets){ .mode = 0600, .user = (uid_t)-1, .group = (gid_t)-1 };
    return s;
}

void settings_free(struct settings *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->guest_count; i++) {
        free(s->guests[i].name);
        free(s->guests[i].channels);
    }
    for (size_t i = 0; i < s->group_count; i++) {
        free(s->groups[i].name);
        free(s->groups[i].guests);
    }
    if (s->ports)
        portnames_free(s->ports);
    free(s->ports);
    free(s->guests);
    free(s->groups);
    free(s->run_dir);
    free(s->policy_dir);
    free(s);
}

/* ---- questions ---- */

const struct settings_guest *settings_guest(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->guest_count; i++)
        if (!strcmp(s->guests[i].name, name))
            return &s->guests[i];
    return NULL;
}

const struct settings_guest *settings_by_cid(const struct settings *s, uint64_t cid)
{
    for (size_t i = 0; i < s->guest_count; i++)
        if (s->guests[i].cid == cid)
            return &s->guests[i];
    return NULL;
}

static const struct settings_guest *by_uuid(const struct settings *s, const struct title *title)
{
    char name[SETTINGS_NAME];

    return title->has_uuid && (size_t)snprintf(name, sizeof name, "uuid:%s", title->uuid) < sizeof name ? settings_guest(s, name) : NULL;
}

/* Also if a newer domain has its name. */
static bool is_called(const struct settings_guest *g, const struct title *title)
{
    return names_is_good(title->name) && (g->is_pattern ? names_fit(g->name, title->name) : !strcmp(g->name, title->name));
}

static bool is_each(const struct settings_guest *g)
{
    return !strcmp(g->name, NAMES_EACH);
}

const struct settings_guest *settings_section(const struct settings *s, const struct title *title, const struct settings_guest *after)
{
    const struct settings_guest *uuid = by_uuid(s, title);
    size_t first = after && after->is_pattern ? (size_t)(after - s->guests) + 1 : 0;

    if (uuid && !after)
        return uuid;
    for (size_t i = first; i < s->guest_count; i++) {
        const struct settings_guest *g = &s->guests[i];

        if (g->is_pattern ? is_each(g) || (title->has_name && is_called(g, title)) : !after && title->has_name && is_called(g, title))
            return g;
    }
    return NULL;
}

/* It goes by a name that a newer domain has. */
static bool is_nobody(const struct settings *s, const struct title *title)
{
    if (title->has_name || by_uuid(s, title))
        return false;
    for (size_t i = 0; i < s->guest_count; i++)
        if (!is_each(&s->guests[i]) && is_called(&s->guests[i], title))
            return true;
    return false;
}

static void inherit_limits(struct settings_limits *own, const struct settings_limits *from)
{
    if (!own->connects.per_second)
        own->connects = from->connects;
    if (!own->bytes.per_second)
        own->bytes = from->bytes;
    if (!own->max_connections)
        own->max_connections = from->max_connections;
    if (!own->max_files)
        own->max_files = from->max_files;
}

static void inherit_sockets(struct settings_sockets *own, const struct settings_sockets *from, bool all)
{
    if (!own->has_mode && (all || from->has_mode))
        own->mode = from->mode;
    if (!own->has_user && (all || from->has_user))
        own->user = from->user;
    if (!own->has_group && (all || from->has_group))
        own->group = from->group;
    own->has_mode |= all || from->has_mode;
    own->has_user |= all || from->has_user;
    own->has_group |= all || from->has_group;
}

static void own_limits(const struct settings *s, const struct title *title, struct settings_limits *own)
{
    struct title called = *title;

    called.has_name = true;
    for (const struct settings_guest *g = NULL; (g = settings_section(s, &called, g));)
        inherit_limits(own, &g->limits);
    inherit_limits(own, &s->limits);
}

void settings_own(const struct settings *s, const struct title *title, struct settings_own *out)
{
    static const struct settings_sockets ours = { .mode = 0600, .user = (uid_t)-1, .group = (gid_t)-1 };

    *out = (struct settings_own){ 0 };
    own_limits(s, title, &out->limits);
    if (is_nobody(s, title)) {
        out->af_vsock = AF_VSOCK_NO;
        inherit_sockets(&out->sockets, &ours, true);
        return;
    }
    for (const struct settings_guest *g = NULL; (g = settings_section(s, title, g));) {
        if (!out->cid)
            out->cid = g->cid;
        if (out->af_vsock == AF_VSOCK_INHERIT)
            out->af_vsock = g->af_vsock;
        inherit_sockets(&out->sockets, &g->sockets, false);
    }
    if (out->af_vsock == AF_VSOCK_INHERIT)
        out->af_vsock = s->af_vsock;
    inherit_sockets(&out->sockets, &s->sockets, true);
}

static void inherit_channel(const struct settings_channel *from, struct settings_channel *out, size_t *count, size_t room)
{
    for (size_t i = 0; i < *count; i++)
        if (!strcmp(out[i].name, from->name))
            return;
    if (*count < room)
        out[(*count)++] = *from;
}

size_t settings_channels(const struct settings *s, const struct title *title, struct settings_channel *out, size_t room)
{
    size_t found = 0, count = 0;

    if (is_nobody(s, title))
        return 0;
    for (const struct settings_guest *g = NULL; (g = settings_section(s, title, g));)
        for (size_t i = 0; i < g->channel_count; i++)
            inherit_channel(&g->channels[i], out, &found, room);
    for (size_t i = 0; i < found; i++)
        if (out[i].port != SETTINGS_NO_CHANNEL)
            out[count++] = out[i];
    return count;
}

/* Each mode with each user: which go together is another's question. */
bool settings_may_let_in(const struct settings *s, bool (*lets_in)(const struct settings_sockets *sockets))
{
    bool may = lets_in(&s->sockets);

    for (size_t i = 0; i < s->guest_count; i++) {
        struct settings_sockets sockets = s->guests[i].sockets;

        sockets.mode = sockets.has_mode ? sockets.mode : 0;
        sockets.user = sockets.has_user ? sockets.user : (uid_t)-1;
        may |= lets_in(&sockets);
    }
    return may;
}

/* SPDX-License-Identifier: MIT */
/* policy.c: see policy.h. */
#include "policy.h"

#include <stdlib.h>
#include <string.h>

/* 'claims': to be called so is enough. */
static bool is_called(const struct title *guest, const char *name, bool claims)
{
    if (!strncmp(name, "uuid:", 5))
        return (claims || guest->has_uuid) && !strcmp(name + 5, guest->uuid);
    return (claims || guest->has_name) && !strcmp(name, guest->name);
}

static bool is_listed(const struct title *guest, const char *names, bool claims)
{
    for (; *names; names += strlen(names) + 1)
        if (is_called(guest, names, claims))
            return true;
    return false;
}

static bool is_in(const struct policy_peer *peer, gid_t group)
{
    for (size_t i = 0; i < peer->group_count; i++)
        if (peer->groups[i] == group)
            return true;
    return false;
}

void policy_means(struct policy_who *who)
{
    static const struct { uint8_t kinds; bool all; } means[] = {
        [POLICY_ANY] = { 1 << POLICY_GUEST, true },
        [POLICY_NAMED] = { 1 << POLICY_GUEST, false },
        [POLICY_LISTED] = { 1 << POLICY_GUEST, false },
        [POLICY_HOST] = { 1 << POLICY_UNIX | 1 << POLICY_VSOCK, true },
        [POLICY_SOCKETS] = { 1 << POLICY_UNIX, true },
        [POLICY_USER] = { 1 << POLICY_UNIX, false },
        [POLICY_USERS] = { 1 << POLICY_UNIX, false },
        [POLICY_KERNEL] = { 1 << POLICY_VSOCK, true }
    };

    who->kinds = means[who->means].kinds;
    who->all = means[who->means].all;
}

/* Of its kind it is; and not of all. */
static bool is_meant(const struct policy_who *who, const struct policy_end *end, bool denies)
{
    switch (who->means) {
    case POLICY_NAMED:  return is_called(end->guest, who->names, denies);
    case POLICY_LISTED: return is_listed(end->guest, who->names, denies);
    case POLICY_USER:   return end->peer && end->peer->user == who->id;
    default:            return end->peer && is_in(end->peer, who->id);
    }
}

static inline bool fits(const struct policy_who *who, const struct policy_end *end, bool denies)
{
    return who->all || is_meant(who, end, denies);
}

static bool has_port(const struct policy_line *line, uint32_t port)
{
    for (size_t i = 0; i < line->port_count; i++)
        if (port >= line->ports[i].first && port <= line->ports[i].last)
            return true;
    return false;
}

const struct policy_line *policy_search(const struct policy *p, const struct policy_end *from, const struct policy_end *to,
                                        uint32_t port)
{
    const struct policy_line *const *lines = p->from_to[from->kind][to->kind].lines;

    for (size_t i = 0; i < p->from_to[from->kind][to->kind].count; i++)
        if (has_port(lines[i], port) && fits(&lines[i]->from, from, !lines[i]->allows) && fits(&lines[i]->to, to, !lines[i]->allows))
            return lines[i];
    return NULL;
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    free(p->lines);
    free(p->sorted);
    free(p->ports);
    free(p->bytes);
    free(p);
}

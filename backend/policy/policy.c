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

static bool fits(const struct policy_who *who, const struct policy_end *end, bool denies)
{
    switch (who->means) {
    case POLICY_ANY:     return end->kind == POLICY_GUEST;
    case POLICY_NAMED:   return end->kind == POLICY_GUEST && is_called(end->guest, who->names, denies);
    case POLICY_LISTED:  return end->kind == POLICY_GUEST && is_listed(end->guest, who->names, denies);
    case POLICY_HOST:    return end->kind != POLICY_GUEST;
    case POLICY_SOCKETS: return end->kind == POLICY_UNIX;
    case POLICY_USER:    return end->kind == POLICY_UNIX && end->peer && end->peer->user == who->id;
    case POLICY_USERS:   return end->kind == POLICY_UNIX && end->peer && is_in(end->peer, who->id);
    default:             return end->kind == POLICY_VSOCK;
    }
}

static bool has_port(const struct policy_line *line, uint32_t port)
{
    for (size_t i = 0; i < line->port_count; i++)
        if (port >= line->ports[i].first && port <= line->ports[i].last)
            return true;
    return false;
}

const struct policy_line *policy_decide(const struct policy *p, const struct policy_end *from, const struct policy_end *to,
                                        uint32_t port)
{
    for (const struct policy_line *line = p->lines; line < p->lines + p->count; line++)
        if (fits(&line->from, from, !line->allows) && fits(&line->to, to, !line->allows) && has_port(line, port))
            return line;
    return NULL;
}

void policy_free(struct policy *p)
{
    if (!p)
        return;
    free(p->lines);
    free(p->ports);
    free(p->bytes);
    free(p);
}

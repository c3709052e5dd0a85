/* SPDX-License-Identifier: MIT */
/* said.c: see said.h. */
#include "said.h"

#include <string.h>

static void put(uint8_t *to, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (uint8_t)(number >> 8 * i);
}

static uint64_t get(const uint8_t *from, size_t bytes)
{
    uint64_t number = 0;

    for (size_t i = 0; i < bytes; i++)
        number |= (uint64_t)from[i] << 8 * i;
    return number;
}

size_t said_put_root(uint8_t body[SAID_ROOT], const struct said_root *s)
{
    size_t len = strlen(s->name);

    put(body, s->first, 8);
    put(body + 8, s->source, 4);
    body[12] = (uint8_t)s->kind;
    memcpy(body + 13, s->name, len);
    return 13 + len;
}

bool said_get_root(const uint8_t *body, size_t len, struct said_root *s)
{
    char name[NAME_ROOM];

    if (len < 13 || len > SAID_ROOT)
        return false;
    *s = (struct said_root){ .first = get(body, 8), .source = (uint32_t)get(body + 8, 4), .kind = (enum land_kind)body[12] };
    memcpy(s->name, body + 13, len - 13);
    if (strlen(s->name) != len - 13 || strchr(s->name, '/') || name_judge(s->name, name))
        return false;
    switch (s->kind) {
    case LAND_FILE:
    case LAND_DIRECTORY:
        return name[0] != '\0';
    case LAND_CONTENT:
        return s->name[0] == '\0';
    default:
        return false;
    }
}

size_t said_put_sum(uint8_t body[SAID_SUM], const struct said_sum *s)
{
    put(body, s->entry, 8);
    put(body + 8, s->flags, 4);
    memcpy(body + 12, s->sum, SUM_SIZE);
    return SAID_SUM;
}

bool said_get_sum(const uint8_t *body, size_t len, struct said_sum *s)
{
    if (len != SAID_SUM)
        return false;
    s->entry = get(body, 8);
    s->flags = (uint32_t)get(body + 8, 4);
    memcpy(s->sum, body + 12, SUM_SIZE);
    return true;
}

size_t said_put_problem(uint8_t body[SAID_PROBLEM], const char *name, const char *why)
{
    size_t n = strnlen(name, NAME_ROOM - 1), m = strnlen(why, SAID_WHY - 1);

    memcpy(body, name, n);
    body[n] = '\0';
    memcpy(body + n + 1, why, m);
    return n + 1 + m;
}

bool said_get_problem(const uint8_t *body, size_t len, struct said_problem *s)
{
    const uint8_t *end = len ? memchr(body, 0, len) : NULL;
    size_t n, m;

    if (!end)
        return false;
    n = (size_t)(end - body);
    m = len - n - 1;
    if (n >= sizeof s->name || m >= sizeof s->why || !m || memchr(end + 1, 0, m))
        return false;
    memcpy(s->name, body, n + 1);
    memcpy(s->why, end + 1, m);
    s->why[m] = '\0';
    return true;
}

size_t said_put_total(uint8_t body[SAID_TOTAL], const struct said_total *s)
{
    put(body, s->bytes, 8);
    put(body + 8, s->entries, 8);
    return SAID_TOTAL;
}

bool said_get_total(const uint8_t *body, size_t len, struct said_total *s)
{
    if (len != SAID_TOTAL)
        return false;
    s->bytes = get(body, 8);
    s->entries = get(body + 8, 8);
    return true;
}

size_t said_put_done(uint8_t body[SAID_DONE], const struct report *r)
{
    const uint64_t numbers[] = { r->files, r->directories, r->links, r->bytes, r->problems };

    for (size_t i = 0; i < 5; i++)
        put(body + 8 * i, numbers[i], 8);
    return SAID_DONE;
}

bool said_get_done(const uint8_t *body, size_t len, struct report *r)
{
    uint64_t *const numbers[] = { &r->files, &r->directories, &r->links, &r->bytes, &r->problems };

    if (len != SAID_DONE)
        return false;
    for (size_t i = 0; i < 5; i++)
        *numbers[i] = get(body + 8 * i, 8);
    return true;
}

/* SPDX-License-Identifier: MIT */
/* request.c: see request.h. */
#include "request.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>

/* The flags and the numbers, by name and place: one list for both directions. */
static const struct {
    const char *name;
    size_t at;
} flags[] = {
    { "tar", offsetof(struct request, tar) },
    { "many", offsetof(struct request, many) },
    { "parents", offsetof(struct request, parents) },
    { "measure", offsetof(struct request, measure) },
    { "zstd", offsetof(struct request, pack.zstd) },
    { "follow", offsetof(struct request, pack.follow) },
    { "owner", offsetof(struct request, unpack.owner) },
    { "special", offsetof(struct request, unpack.special) },
    { "quick", offsetof(struct request, unpack.quick) },
};
#define FLAGS (sizeof flags / sizeof *flags)

static const struct {
    const char *name;
    size_t has, at;             /* a bool, and an unsigned of 32 bits */
    json_int_t most;
} numbers[] = {
    { "uid", offsetof(struct request, unpack.has_uid), offsetof(struct request, unpack.uid), UINT32_MAX - 1 },
    { "gid", offsetof(struct request, unpack.has_gid), offsetof(struct request, unpack.gid), UINT32_MAX - 1 },
    { "mode", offsetof(struct request, unpack.has_mode), offsetof(struct request, unpack.mode), 07777 },
};
#define NUMBERS (sizeof numbers / sizeof *numbers)

_Static_assert(sizeof(uid_t) == 4 && sizeof(gid_t) == 4 && sizeof(mode_t) == 4, "numbers[] has places for 32 bits");

static int wrong(char why[JSON_WHY], const char *name, const char *what)
{
    snprintf(why, JSON_WHY, "'%s' %s", name, what);
    return -EPROTO;
}

static int parse_paths(const json_t *paths, struct request *r, char why[JSON_WHY])
{
    size_t count = json_array_size(paths);

    if (!count)
        return wrong(why, "paths", "is no list of at least one");
    if (!(r->paths = calloc(count + 1, sizeof *r->paths)))
        return -ENOMEM;
    for (; r->count < count; r->count++) {
        if (!(r->paths[r->count] = json_to_bytes(json_array_get(paths, r->count))))
            return wrong(why, "paths", "has something that is no path");
        if (!*r->paths[r->count]) {
            r->count++;
            return wrong(why, "paths", "has an empty one");
        }
    }
    return 0;
}

static int parse_flags(const json_t *o, struct request *r, char why[JSON_WHY])
{
    for (size_t i = 0; i < FLAGS; i++) {
        const json_t *value = json_object_get(o, flags[i].name);

        if (value && !json_is_boolean(value))
            return wrong(why, flags[i].name, "is neither true nor false");
        *(bool *)(void *)((char *)r + flags[i].at) = json_is_true(value);
    }
    return 0;
}

static int parse_numbers(const json_t *o, struct request *r, char why[JSON_WHY])
{
    for (size_t i = 0; i < NUMBERS; i++) {
        const json_t *value = json_object_get(o, numbers[i].name);

        if (!value)
            continue;
        if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > numbers[i].most)
            return wrong(why, numbers[i].name, "is no number that it can be");
        *(bool *)(void *)((char *)r + numbers[i].has) = true;
        *(uint32_t *)(void *)((char *)r + numbers[i].at) = (uint32_t)json_integer_value(value);
    }
    return 0;
}

static bool knows(const json_t *o, char why[JSON_WHY])
{
    const char *names[FLAGS + NUMBERS + 2] = { "paths" };
    size_t n = 1;

    for (size_t i = 0; i < FLAGS; i++)
        names[n++] = flags[i].name;
    for (size_t i = 0; i < NUMBERS; i++)
        names[n++] = numbers[i].name;
    return json_knows(o, names, why);
}

int request_parse(const void *text, size_t len, struct request *r, char why[JSON_WHY])
{
    json_t *o = json_bounded(text, len, 3, why);
    int err = -EPROTO;

    memset(r, 0, sizeof *r);
    if (!o)
        return err;
    if (knows(o, why) && !(err = parse_paths(json_object_get(o, "paths"), r, why)) && !(err = parse_flags(o, r, why)))
        err = parse_numbers(o, r, why);
    r->unpack.zstd = r->pack.zstd;
    r->unpack.sums = r->pack.sums = !r->tar;
    json_decref(o);
    return err;
}

void request_free(struct request *r)
{
    for (size_t i = 0; i < r->count; i++)
        free(r->paths[i]);
    free(r->paths);
    memset(r, 0, sizeof *r);
}

char *request_text(const struct request *r, size_t *len)
{
    json_t *o = json_object(), *paths = json_array();
    char *text = NULL;
    int bad = 0;

    for (size_t i = 0; i < r->count; i++)
        bad |= json_array_append_new(paths, json_from_bytes(r->paths[i]));
    bad |= json_object_set_new(o, "paths", paths);
    for (size_t i = 0; i < FLAGS; i++)
        if (*(const bool *)(const void *)((const char *)r + flags[i].at))
            bad |= json_object_set_new(o, flags[i].name, json_true());
    for (size_t i = 0; i < NUMBERS; i++)
        if (*(const bool *)(const void *)((const char *)r + numbers[i].has))
            bad |= json_object_set_new(o, numbers[i].name,
                                       json_integer(*(const uint32_t *)(const void *)((const char *)r + numbers[i].at)));
    if (!bad)
        text = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    *len = text ? strlen(text) : 0;
    return text;
}

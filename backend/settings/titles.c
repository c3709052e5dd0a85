/* SPDX-License-Identifier: MIT */
/* titles.c: see titles.h. */
#include "titles.h"

#include <string.h>

#include "list.h"
#include "names.h"

static uint32_t hash_of(const struct hash_seed *seed, const char *text)
{
    uint64_t h = 0;

    for (; *text; text++)
        h = hash_fold(h ^ (unsigned char)*text ^ seed->word[0], seed->word[1]);
    return hash_words(seed, h, 0, 0);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);

    return len >= end_len && !strcmp(text + len - end_len, end);
}

/* How much a domain of this name is the one that runs, among those of one UUID. */
static int standing(const char *name)
{
    return ends_with(name, "--migratedaway") ? 0 : ends_with(name, "--incoming") ? 1 : 2;
}

static void take_name(struct hash *names, const struct hash_seed *seed, struct title *c)
{
    uint32_t key;

    c->has_name = false;
    if (!names_is_good(c->name))
        return;
    key = hash_of(seed, c->name);
    for (struct hash_link *l = hash_first(names, key); l; l = l->next)
        if (l->key == key && !strcmp(container_of(l, struct title, by_name)->name, c->name))
            return;
    c->has_name = true;
    hash_insert(names, &c->by_name, key);
}

/* Whoever stands higher than the newest takes it from him. */
static void take_uuid(struct hash *uuids, const struct hash_seed *seed, struct title *c)
{
    uint32_t key = hash_of(seed, c->uuid);

    c->has_uuid = false;
    if (!*c->uuid)
        return;
    for (struct hash_link *l = hash_first(uuids, key); l; l = l->next) {
        struct title *other = container_of(l, struct title, by_uuid);

        if (l->key != key || strcmp(other->uuid, c->uuid))
            continue;
        if (standing(c->name) <= standing(other->name))
            return;
        other->has_uuid = false;
        hash_remove(uuids, l);
        break;
    }
    c->has_uuid = true;
    hash_insert(uuids, &c->by_uuid, key);
}

int titles_judge(struct title *const *titles, size_t count)
{
    struct hash names, uuids = { 0 };
    struct hash_seed seed;
    int err;

    hash_seed(&seed);
    if ((err = hash_init(&names)))
        return err;
    if (!(err = hash_init(&uuids)))
        for (size_t i = count; i-- > 0;) {
            take_name(&names, &seed, titles[i]);
            take_uuid(&uuids, &seed, titles[i]);
        }
    hash_free(&uuids);
    hash_free(&names);
    return err;
}

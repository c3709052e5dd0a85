/* SPDX-License-Identifier: MIT */
/* watches.c: see watches.h.  A sorted array: a daemon has a few watches per device, looks them up by the event and changes them
 * when a device comes or goes. */
#include "watches.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "paths.h"

static const char *const words[] = {
#define X(name, word, text) word,
    WATCH_KINDS(X)
#undef X
};

/* kind, domid, number: in this order, and back. */
static uint64_t pack(const struct watch_key *key)
{
    return (uint64_t)key->kind << 56 | (uint64_t)(key->domid & 0xffffffu) << 32 | key->number;
}

static void unpack(uint64_t packed, struct watch_key *out)
{
    out->kind = (enum watch_kind)(packed >> 56);
    out->domid = (uint32_t)(packed >> 32) & 0xffffffu;
    out->number = (uint32_t)packed;
}

void watch_format(char *token, const struct watch_key *key)
{
    snprintf(token, WATCH_TOKEN, "xvs/%s/%u/%u", words[key->kind], key->domid & 0xffffffu, key->number);
}

int watch_parse(const char *token, struct watch_key *out)
{
    char word[12], domid[12], number[12], end;
    uint32_t d, n;

    /* %n and widths: nothing is longer than its field, nothing follows. */
    if (sscanf(token, "xvs/%11[a-z]/%11[0-9]/%11[0-9]%c", word, domid, number, &end) != 3 ||
        parse_u32("", domid, 0, 0xffffffu, &d, NULL) || parse_u32("", number, 0, UINT32_MAX, &n, NULL))
        return -EINVAL;
    for (unsigned kind = 0; kind < WATCH_KIND_COUNT; kind++)
        if (strcmp(word, words[kind]) == 0) {
            *out = (struct watch_key){ (enum watch_kind)kind, d, n };
            return 0;
        }
    return -EINVAL;
}

/* Where the key is, or would be. */
static size_t find(const struct watches *w, uint64_t key)
{
    size_t low = 0, high = w->count;

    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (w->entries[mid].key < key)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static struct watch_entry *at(const struct watches *w, uint64_t key)
{
    size_t i = find(w, key);

    return i < w->count && w->entries[i].key == key ? &w->entries[i] : NULL;
}

void watches_free(struct watches *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->entries[i].path);
    free(w->entries);
    *w = (struct watches){ 0 };
}

int watches_add(struct watches *w, const struct watch_key *key, const char *path)
{
    uint64_t packed = pack(key);
    size_t i = find(w, packed);
    char *copy;

    if (i < w->count && w->entries[i].key == packed)
        return -EEXIST;
    if (w->count == w->room) {
        size_t room = w->room ? w->room * 2 : 8;
        struct watch_entry *entries = realloc(w->entries, room * sizeof *entries);

        if (!entries)
            return -ENOMEM;
        w->entries = entries;
        w->room = room;
    }
    copy = strdup(path);
    if (!copy)
        return -ENOMEM;
    memmove(&w->entries[i + 1], &w->entries[i], (w->count - i) * sizeof *w->entries);
    w->entries[i] = (struct watch_entry){ .key = packed, .path = copy };
    w->count++;
    return 0;
}

const char *watches_path(const struct watches *w, const struct watch_key *key)
{
    const struct watch_entry *e = at(w, pack(key));

    return e ? e->path : NULL;
}

void watches_key(const struct watches *w, size_t i, struct watch_key *out)
{
    unpack(w->entries[i].key, out);
}

int watches_remove(struct watches *w, const struct watch_key *key)
{
    struct watch_entry *e = at(w, pack(key));

    if (!e)
        return -ENOENT;
    w->fired -= e->fired;
    free(e->path);
    memmove(e, e + 1, (size_t)(w->entries + w->count - (e + 1)) * sizeof *e);
    w->count--;
    return 0;
}

bool watches_fire(struct watches *w, const char *token)
{
    struct watch_key key;
    struct watch_entry *e;

    if (watch_parse(token, &key) || !(e = at(w, pack(&key))))
        return false;
    w->fired += !e->fired;
    e->fired = true;
    return true;
}

void watches_fire_all(struct watches *w)
{
    for (size_t i = 0; i < w->count; i++)
        w->entries[i].fired = true;
    w->fired = w->count;
}

bool watches_take(struct watches *w, struct watch_key *out)
{
    if (!w->fired)
        return false;
    for (;; w->next++) {
        if (w->next >= w->count)
            w->next = 0;
        if (w->entries[w->next].fired)
            break;
    }
    w->entries[w->next].fired = false;
    w->fired--;
    unpack(w->entries[w->next++].key, out);
    return true;
}

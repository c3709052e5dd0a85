/* SPDX-License-Identifier: MIT */
/* policy_pack.c: see policy_pack.h. */
#include "policy_pack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "list.h"

/* ---- making one ---- */

int policy_pack_bytes(struct policy_pack *pack, const char *bytes, size_t len)
{
    if (len > pack->room - pack->len) {
        size_t room = 2 * (pack->len + len);
        char *more = realloc(pack->bytes, room);

        if (!more)
            return -ENOMEM;
        pack->bytes = more;
        pack->room = room;
    }
    if (len)
        memcpy(pack->bytes + pack->len, bytes, len);
    pack->len += len;
    return 0;
}

int policy_pack_file(struct policy_pack *pack, const char *path, const char *text, size_t len)
{
    char head[64];
    int n = snprintf(head, sizeof head, "file %zu %zu\n", strlen(path), len), err;

    if ((err = policy_pack_bytes(pack, head, (size_t)n)) || (err = policy_pack_bytes(pack, path, strlen(path))))
        return err;
    return policy_pack_bytes(pack, text, len);
}

int policy_pack_id(struct policy_pack *pack, bool group, const char *name, uint32_t id)
{
    char head[64];
    int n = snprintf(head, sizeof head, "%s %u ", group ? "group" : "user", id), err;

    if ((err = policy_pack_bytes(pack, head, (size_t)n)) || (err = policy_pack_bytes(pack, name, strlen(name))))
        return err;
    return policy_pack_bytes(pack, "\n", 1);
}

void policy_pack_free(struct policy_pack *pack)
{
    free(pack->bytes);
    *pack = (struct policy_pack){ 0 };
}

/* ---- reading one ---- */

struct record {
    enum { A_FILE, A_USER, A_GROUP } is;
    size_t number[2];           /* FILE: bytes of the path and the text; else the first is the id */
    const char *bytes;          /* path and text, or the name */
    size_t len;
};

static const char *begin(const struct policy_pack *pack)
{
    return pack->bytes ? pack->bytes : "";
}

static bool is_number(const char **at, const char *end, size_t *out)
{
    const char *digits = *at;

    for (*out = 0; *at < end && **at >= '0' && **at <= '9'; ++*at)
        if ((*out = *out * 10 + (size_t)(**at - '0')) > UINT32_MAX)
            return false;
    return *at > digits;
}

static bool is_word(const char **at, const char *end, const char *word)
{
    size_t len = strlen(word);

    if ((size_t)(end - *at) < len || memcmp(*at, word, len))
        return false;
    *at += len;
    return true;
}

/* The record at *at, which goes on to the next one.  False if there is none. */
static bool next(const char **at, const char *end, struct record *r)
{
    const char *newline = memchr(*at, '\n', (size_t)(end - *at));

    if (!newline)
        return false;
    if (is_word(at, newline, "file ")) {
        r->is = A_FILE;
        if (!is_number(at, newline, &r->number[0]) || !is_word(at, newline, " ") || !is_number(at, newline, &r->number[1]) ||
            *at != newline || r->number[0] + r->number[1] > (size_t)(end - newline - 1))
            return false;
        r->bytes = newline + 1;
        r->len = r->number[0] + r->number[1];
        *at = r->bytes + r->len;
        return true;
    }
    r->is = is_word(at, newline, "user ") ? A_USER : A_GROUP;
    if ((r->is == A_GROUP && !is_word(at, newline, "group ")) || !is_number(at, newline, &r->number[0]) ||
        !is_word(at, newline, " "))
        return false;
    r->bytes = *at;
    r->len = (size_t)(newline - *at);
    *at = newline + 1;
    return true;
}

/* The pack's own users and groups. */
struct own_ids {
    struct policy_ids ids;
    const struct policy_pack *pack;
};

static int find_own(struct policy_ids *ids, bool group, const char *name, uint32_t *id)
{
    const struct policy_pack *pack = container_of(ids, struct own_ids, ids)->pack;
    const char *at = begin(pack), *end = at + pack->len;
    struct record r;

    while (next(&at, end, &r))
        if (r.is == (group ? A_GROUP : A_USER) && r.len == strlen(name) && !memcmp(r.bytes, name, r.len)) {
            *id = (uint32_t)r.number[0];
            return 0;
        }
    return -ENOENT;
}

/* How many files; -EPROTO. */
static int count_files(const struct policy_pack *pack)
{
    const char *at = begin(pack), *end = at + pack->len;
    struct record r;
    int count = 0;

    while (at < end) {
        if (!next(&at, end, &r))
            return -EPROTO;
        count += r.is == A_FILE;
    }
    return count;
}

/* Of so many files: those, and their paths in 'paths', which the caller frees; NULL without memory. */
static struct policy_file *list_files(const struct policy_pack *pack, int count, char **paths)
{
    struct policy_file *files = calloc((size_t)count + 1, sizeof *files), *f = files;
    const char *at = begin(pack), *end = at + pack->len;
    char *path = *paths = malloc(pack->len + (size_t)count + 1);
    struct record r;

    while (files && path && next(&at, end, &r)) {
        if (r.is != A_FILE)
            continue;
        *f++ = (struct policy_file){ path, r.bytes + r.number[0], r.number[1] };
        memcpy(path, r.bytes, r.number[0]);
        path[r.number[0]] = '\0';
        path += r.number[0] + 1;
    }
    if (files && *paths)
        return files;
    free(files);
    free(*paths);
    return NULL;
}

int policy_pack_read(const struct policy_pack *pack, const struct settings *settings, struct policy_ids *ids, struct policy **out,
                     struct complaints *c)
{
    struct own_ids own = { { find_own }, pack };
    int count = count_files(pack), err;
    struct policy_file *files;
    char *paths;

    if (count < 0) {
        complain(c, "the policy was not handed over whole");
        return count;
    }
    if (!(files = list_files(pack, count, &paths))) {
        complain(c, "out of memory");
        return -ENOMEM;
    }
    err = policy_read(files, (size_t)count, settings, ids ? ids : &own.ids, out, c);
    free(files);
    free(paths);
    return err;
}

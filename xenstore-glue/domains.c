/* SPDX-License-Identifier: MIT */
/* domains.c: see domains.h. */
#include "domains.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"
#include "paths.h"

#define MAX_DOMAINS 4096

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return (x > y) - (x < y);
}

int domains_list(struct store *s, uint32_t *out, size_t max, bool *more)
{
    char (*names)[STORE_NAME] = malloc(MAX_DOMAINS * sizeof *names);
    bool rest = false;
    size_t stored = 0;
    int count;

    if (!names)
        return -ENOMEM;
    count = store_list(s, "/local/domain", names, MAX_DOMAINS, &rest);
    for (int i = 0; i < count; i++) {
        uint32_t domid;

        if (parse_u32("", names[i], 0, PATHS_DOMID - 1, &domid, NULL))
            continue;
        if (stored < max)
            out[stored++] = domid;
        else
            rest = true;
    }
    free(names);
    if (more)
        *more = rest;
    if (count < 0)
        return count;
    if (stored)
        qsort(out, stored, sizeof *out, by_number);
    return (int)stored;
}

int domains_exists(struct store *s, uint32_t domid)
{
    char path[PATHS_MAX];

    snprintf(path, sizeof path, "/local/domain/%u", domid);
    return store_exists(s, path);
}

int domains_name(struct store *s, uint32_t domid, char name[DOMAINS_NAME])
{
    char path[PATHS_MAX], text[DOMAINS_NAME];
    int len;

    snprintf(path, sizeof path, "/local/domain/%u/name", domid);
    len = store_read(s, path, text, sizeof text);
    if (len == -EMSGSIZE)
        return -EINVAL;
    if (len < 0)
        return len;
    if (parse_domain_name(text, NULL))
        return -EINVAL;
    memcpy(name, text, (size_t)len + 1);
    return 0;
}

int domains_uuid(struct store *s, uint32_t domid, char uuid[DOMAINS_UUID])
{
    static const char before[] = "/vm/";
    char path[PATHS_MAX], text[sizeof before + DOMAINS_UUID];
    int len;

    snprintf(path, sizeof path, "/local/domain/%u/vm", domid);
    len = store_read(s, path, text, sizeof text);
    if (len == -EMSGSIZE)
        return -EINVAL;
    if (len < 0)
        return len;
    if (strncmp(text, before, sizeof before - 1) || (size_t)len != sizeof before - 1 + DOMAINS_UUID - 1)
        return -EINVAL;
    memcpy(uuid, text + sizeof before - 1, DOMAINS_UUID);
    return 0;
}

static int find_name(struct store *s, const char *wanted, uint32_t *domid)
{
    uint32_t *ids = malloc(MAX_DOMAINS * sizeof *ids);
    int count, err = -ENOENT;

    if (!ids)
        return -ENOMEM;
    count = domains_list(s, ids, MAX_DOMAINS, NULL);
    if (count < 0)
        err = count;
    for (int i = count; i-- > 0 && err == -ENOENT;) {
        char name[DOMAINS_NAME];
        int result = domains_name(s, ids[i], name);

        if (result == -ECONNRESET)
            err = result;
        else if (!result && strcmp(name, wanted) == 0) {
            *domid = ids[i];
            err = 0;
        }
    }
    free(ids);
    return err;
}

int domains_resolve(struct store *s, const char *text, uint32_t *domid)
{
    uint32_t number;

    if (!parse_u32("", text, 0, PATHS_DOMID - 1, &number, NULL)) {
        int there = domains_exists(s, number);

        if (there <= 0)
            return there ? there : -ENOENT;
        *domid = number;
        return 0;
    }
    return parse_domain_name(text, NULL) ? -EINVAL : find_name(s, text, domid);
}

int domains_self(struct store *s, uint32_t *domid)
{
    char text[16];
    int len = store_read(s, "domid", text, sizeof text);

    if (len < 0)
        return len == -EMSGSIZE ? -EINVAL : len;
    return parse_u32("domid", text, 0, PATHS_DOMID - 1, domid, NULL) ? -EINVAL : 0;
}

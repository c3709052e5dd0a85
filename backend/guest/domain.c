/* SPDX-License-Identifier: MIT */
/* domain.c: see domain.h. */
#include "domain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parse.h"

enum { WATCH_OF_NAME, WATCH_OF_UUID };
static const char *const leaves[] = { [WATCH_OF_NAME] = "name", [WATCH_OF_UUID] = "vm" };

static struct watch_key key_of(const struct domain *dom, uint32_t which)
{
    return (struct watch_key){ .kind = WATCH_NAME, .domid = dom->domid, .number = which };
}

static int watch(struct domain *dom, uint32_t which)
{
    struct watch_key key = key_of(dom, which);
    char path[PATHS_MAX];
    int err;

    snprintf(path, sizeof path, "/local/domain/%u/%s", dom->domid, leaves[which]);
    err = store_watch(dom->r->store, path, &key);
    return err == -EEXIST ? 0 : err;
}

static void unwatch(struct domain *dom, uint32_t which)
{
    struct watch_key key = key_of(dom, which);

    store_unwatch(dom->r->store, &key);
}

struct domain *domain_find(const struct registry *r, uint32_t domid)
{
    for (struct hash_link *l = hash_first(&r->domains_by_domid, domid); l; l = l->next)
        if (l->key == domid)
            return container_of(l, struct domain, by_domid);
    return NULL;
}

int domain_get(struct registry *r, uint32_t domid, struct domain **out)
{
    struct domain *dom = domain_find(r, domid);
    int err;

    if (dom) {
        *out = dom;
        return 0;
    }
    if (!(dom = calloc(1, sizeof *dom)))
        return -ENOMEM;
    dom->r = r;
    dom->domid = domid;
    list_init(&dom->link);
    list_init(&dom->devices);
    dom->title.name = dom->name;
    dom->title.uuid = dom->uuid;
    list_append(&r->domains, &dom->link);
    hash_insert(&r->domains_by_domid, &dom->by_domid, domid);
    if ((err = watch(dom, WATCH_OF_NAME)) || (err = watch(dom, WATCH_OF_UUID))) {
        domain_put(dom);
        return err;
    }
    domain_look(dom);
    *out = dom;
    return 0;
}

void domain_put(struct domain *dom)
{
    if (!list_is_empty(&dom->devices))
        return;
    unwatch(dom, WATCH_OF_NAME);
    unwatch(dom, WATCH_OF_UUID);
    hash_remove(&dom->r->domains_by_domid, &dom->by_domid);
    list_remove(&dom->link);
    settle_soon(dom->r);
    free(dom);
}

/* What is not there or cannot be repeated is as good as none. */
static bool is_told(int err)
{
    return !err || err == -ENOENT || err == -EACCES || err == -EINVAL || err == -EMSGSIZE;
}

bool domain_look(struct domain *dom)
{
    struct store *s = dom->r->store;
    char name[DOMAINS_NAME], text[DOMAINS_UUID], uuid[NAMES_UUID] = "";
    int err = domains_name(s, dom->domid, name), uuid_err;
    int there = err == -ENOENT ? domains_exists(s, dom->domid) : 1;
    bool changed;

    uuid_err = domains_uuid(s, dom->domid, text);
    dom->is_doubtful = there < 0 || !is_told(err) || (there && !is_told(uuid_err));
    if (dom->is_doubtful) {
        if (!*dom->name)
            names_of_domid(dom->name, dom->domid);      /* it is new: so it is called until we know more */
        return false;
    }
    if (!there) {
        changed = !dom->is_dead;
        dom->is_dead = true;
        return changed;
    }
    if (err)
        names_of_domid(name, dom->domid);
    if (uuid_err || !names_read_uuid(text, uuid))
        *uuid = '\0';
    changed = dom->is_dead || strcmp(name, dom->name) || strcmp(uuid, dom->uuid);
    dom->is_dead = false;
    strcpy(dom->name, name);
    strcpy(dom->uuid, uuid);
    return changed;
}

int domain_resolve(const struct registry *r, const char *text, uint32_t *domid)
{
    if (*text == ':')
        return parse_u32("", text + 1, 0, PATHS_DOMID - 1, domid, NULL) ? -EINVAL
                                                                        : domains_resolve(r->store, text + 1, domid);
    for (struct list *l = r->domains.next; l != &r->domains; l = l->next) {
        const struct domain *dom = container_of(l, struct domain, link);

        if (dom->title.has_name && !strcmp(dom->name, text)) {
            *domid = dom->domid;
            return 0;
        }
    }
    return domains_resolve(r->store, text, domid);
}

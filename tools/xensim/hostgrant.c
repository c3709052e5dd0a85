/* SPDX-License-Identifier: MIT */
/* hostgrant.c: grants as gntalloc gives them and gntdev maps them.
 *
 * The mapper's pages are the share's memfd, so revoking cannot take them away: as
 * on Xen, the references stay taken, and charged to the granting domain, until the
 * last peer unmaps. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <stdint.h>
#include <xen/grant_table.h>

#include "host.h"

/* ---- unmap notifications ---- */

static int notify_take(struct domain *dom, struct notify *n, uint32_t offset, uint32_t port)
{
    if (offset != SIM_NONE && offset >= SIM_PAGE)
        return -EINVAL;
    if (port != SIM_NONE && port_hold(dom, port) < 0)
        return -EINVAL;
    *n = (struct notify){ offset, port };
    return 0;
}

static void clear_byte(const struct notify *n, const struct share *share, uint32_t page)
{
    if (n->offset != SIM_NONE
        && pwrite(share->fd, "", 1, (off_t)page * SIM_PAGE + n->offset) != 1)
        say("cannot clear a notify byte: %s", strerror(errno));
}

/* First the byte, then the event; unless this host plays an older kernel. */
static void notify_fire(struct domain *dom, struct notify *n, const struct share *share,
                        uint32_t page, bool crashed)
{
    struct timespec late = { .tv_nsec = (long)host.late_byte_ms * 1000000 };

    if (!crashed && !host.late_byte_ms)
        clear_byte(n, share, page);
    if (!crashed && n->port != SIM_NONE)
        port_kick_peer(dom, n->port);
    if (!crashed && host.late_byte_ms) {
        nanosleep(&late, NULL);
        clear_byte(n, share, page);
    }
    if (n->port != SIM_NONE)
        port_unhold(dom, n->port);
    *n = (struct notify){ SIM_NONE, SIM_NONE };
}

/* ---- shares ---- */

static void share_free(struct share *share)
{
    struct domain *dom = share->dom;

    for (uint32_t i = 0; i < share->count; i++)
        dom->grants[share->refs[i]].share = NULL;
    if (share->charged)
        dom->charged -= share->count;
    LIST_REMOVE(share, link);
    close(share->fd);
    free(share->refs);
    free(share);
}

static void share_revoke(struct share *share, bool crashed)
{
    notify_fire(share->dom, &share->notify, share, 0, crashed);
    share->conn = NULL;
    if (!share->mapped)
        share_free(share);
}

/* Consecutive free references from 'from' on, so that the mapper can use one mmap. */
static bool take_run(struct domain *dom, uint32_t from, uint32_t count, uint32_t *refs)
{
    uint32_t run = 0;

    for (uint32_t ref = from; ref < SIM_REFS_MAX; ref++) {
        run = dom->grants[ref].share ? 0 : run + 1;
        if (run == count) {
            for (uint32_t i = 0; i < count; i++)
                refs[i] = ref - count + 1 + i;
            dom->next_ref = ref + 1;
            return true;
        }
    }
    return false;
}

/* As on a host that has run for long: programs must not count on any order. */
static void scatter(uint32_t *refs, uint32_t count)
{
    for (uint32_t i = count; i > 1; i--) {
        uint32_t other = (uint32_t)random() % i, ref = refs[i - 1];

        refs[i - 1] = refs[other];
        refs[other] = ref;
    }
}

/* 'count' free references into refs.  0 or -ENOSPC. */
static int take_refs(struct domain *dom, uint32_t count, uint32_t *refs)
{
    uint32_t found = 0;

    if (dom->next_ref < SIM_RESERVED_REFS)
        dom->next_ref = SIM_RESERVED_REFS;
    if (take_run(dom, dom->next_ref, count, refs)
        || take_run(dom, SIM_RESERVED_REFS, count, refs)) {
        if (host.scatter)
            scatter(refs, count);
        return 0;
    }
    for (uint32_t ref = SIM_RESERVED_REFS; ref < SIM_REFS_MAX && found < count; ref++)
        if (!dom->grants[ref].share)
            refs[found++] = ref;
    return found == count ? 0 : -ENOSPC;
}

static int put_refs(struct sim_msg *msg, uint32_t domid, const uint32_t *refs, uint32_t count)
{
    struct sim_run run = { 0 };

    msg->len = 0;
    for (uint32_t i = 0; i <= count; i++) {
        if (i < count && run.count && refs[i] == run.ref + run.count) {
            run.count++;
            continue;
        }
        if (run.count) {
            if (msg->len + sizeof run > SIM_DATA_MAX)
                return -ENOSPC;
            memcpy(msg->data + msg->len, &run, sizeof run);
            msg->len += sizeof run;
        }
        if (i < count)
            run = (struct sim_run){ domid, refs[i], 1 };
    }
    return 0;
}

int grant_share(struct conn *conn, struct sim_msg *msg, int *fds, int *nfds)
{
    uint32_t count = msg->arg[1], fixed = msg->arg[5];
    struct domain *dom = conn->dom;
    struct share *share;
    int err;

    if (!count || count > SIM_REFS_MAX || fixed >= SIM_RESERVED_REFS || (fixed && count != 1))
        return -EINVAL;
    if (!fixed && count > dom->grant_limit - dom->charged)
        return -ENOSPC;
    if (fixed && dom->grants[fixed].share)
        return -EBUSY;
    if (!(share = calloc(1, sizeof *share)) || !(share->refs = calloc(count, sizeof(uint32_t)))) {
        free(share);
        return -ENOMEM;
    }
    share->refs[0] = fixed;
    if (!fixed && (err = take_refs(dom, count, share->refs)) < 0)
        goto fail;
    if ((err = put_refs(msg, dom->domid, share->refs, count)) < 0)
        goto fail;
    share->fd = memfd_create("xensim-grant", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (share->fd < 0 || ftruncate(share->fd, (off_t)count * SIM_PAGE) < 0
        || fcntl(share->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0) {
        err = -errno;
        goto fail_fd;
    }
    if ((err = notify_take(dom, &share->notify, msg->arg[3], msg->arg[4])) < 0)
        goto fail_fd;
    share->dom = dom;
    share->conn = conn;
    share->id = ++host.next_id;
    share->grantee = msg->arg[0];
    share->count = count;
    share->writable = msg->arg[2];
    share->charged = !fixed;
    for (uint32_t i = 0; i < count; i++)
        dom->grants[share->refs[i]] = (struct grant){ share, i };
    if (share->charged)
        dom->charged += count;
    LIST_INSERT_HEAD(&dom->shares, share, link);
    msg->arg[0] = share->id;
    fds[0] = share->fd;
    *nfds = 1;
    return 0;
fail_fd:
    if (share->fd >= 0)
        close(share->fd);
fail:
    free(share->refs);
    free(share);
    return err;
}

int grant_unshare(struct conn *conn, struct sim_msg *msg)
{
    struct share *share;

    LIST_FOREACH(share, &conn->dom->shares, link)
        if (share->conn == conn && share->id == msg->arg[0]) {
            share_revoke(share, false);
            return 0;
        }
    return -ENOENT;
}

/* ---- maps ---- */

/* The share behind a reference, if 'dom' may have it: GNTST_*. */
static int grant_find(struct domain *dom, uint32_t domid, uint32_t ref, bool write,
                      struct share **share, uint32_t *page)
{
    struct domain *owner = domain_find(domid);
    struct grant *g;

    if (!owner || owner->state == SIM_DYING)
        return GNTST_bad_domain;
    if (ref >= SIM_REFS_MAX)
        return GNTST_bad_gntref;
    g = &owner->grants[ref];
    if (!g->share || !g->share->conn || g->share->grantee != dom->domid
        || (write && !g->share->writable))
        return GNTST_general_error;
    *share = g->share;
    *page = g->page;
    return GNTST_okay;
}

static int lend(const struct share *share, bool write)
{
    char path[32];
    int fd;

    snprintf(path, sizeof path, "/proc/self/fd/%d", share->fd);
    fd = open(path, (write ? O_RDWR : O_RDONLY) | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static void map_free(struct conn *conn, struct map *map, bool crashed)
{
    notify_fire(conn->dom, &map->notify, map->parts ? map->part[0].share : NULL,
                map->parts ? map->part[0].page : 0, crashed || !map->parts);
    for (uint32_t i = 0; i < map->parts; i++) {
        struct share *share = map->part[i].share;

        share->mapped -= map->part[i].count;
        if (!share->mapped && !share->conn)
            share_free(share);
    }
    conn->dom->mapped -= map->pages;
    LIST_REMOVE(map, link);
    free(map->part);
    free(map);
}

static struct map *map_find(struct conn *conn, uint32_t id)
{
    struct map *map;

    LIST_FOREACH(map, &conn->maps, link)
        if (map->id == id)
            break;
    return map;
}

/* Adds a page; to the last part if that is of this request and the page follows. */
static int map_add(struct conn *conn, struct map *map, uint32_t first, struct share *share,
                   uint32_t page)
{
    struct part *last = map->parts > first ? &map->part[map->parts - 1] : NULL;

    if (!last || last->share != share || last->page + last->count != page) {
        struct part *more = realloc(map->part, (map->parts + 1) * sizeof *more);

        if (!more)
            return -ENOMEM;
        map->part = more;
        last = &more[map->parts++];
        *last = (struct part){ share, page, 0 };
    }
    last->count++;
    share->mapped++;
    map->pages++;
    conn->dom->mapped++;
    return 0;
}

/* Appends the map's parts from 'first' on to the reply, lending one descriptor per
 * neighbouring share. */
static int put_segs(struct map *map, uint32_t first, bool write, struct sim_msg *msg, int *fds,
                    int *nfds)
{
    struct share *last = NULL;

    msg->len = 0;
    for (uint32_t i = first; i < map->parts; i++) {
        struct part *p = &map->part[i];
        struct sim_seg seg;
        int fd;

        if (p->share != last) {
            if ((fd = lend(p->share, write)) < 0)
                return fd;
            fds[(*nfds)++] = fd;
            last = p->share;
        }
        seg = (struct sim_seg){ *nfds - 1, p->page, (int)p->count };
        memcpy(msg->data + msg->len, &seg, sizeof seg);
        msg->len += sizeof seg;
    }
    return 0;
}

/* Maps as much of the request as one reply can carry; the caller asks again. */
int grant_map(struct conn *conn, struct sim_msg *msg, int *fds, int *nfds)
{
    uint32_t id = msg->arg[0], first, before;
    bool write = msg->arg[1];
    struct map *map = id ? map_find(conn, id) : calloc(1, sizeof *map);
    int err = 0;

    if (!map)
        return id ? -ENOENT : -ENOMEM;
    if (!id) {
        map->id = ++host.next_id;
        map->notify = (struct notify){ SIM_NONE, SIM_NONE };
        LIST_INSERT_HEAD(&conn->maps, map, link);
        if (msg->arg[2] != SIM_NONE && !write)
            err = -EINVAL;
        else
            err = notify_take(conn->dom, &map->notify, msg->arg[2], msg->arg[3]);
    }
    first = map->parts;
    before = map->pages;
    for (uint32_t at = 0; !err && at < msg->len; at += sizeof(struct sim_run)) {
        struct sim_run run;

        memcpy(&run, msg->data + at, sizeof run);
        for (uint32_t i = 0; !err && i < run.count && map->parts - first < SIM_FDS_MAX; i++) {
            struct share *share;
            uint32_t page;

            if (grant_find(conn->dom, run.domid, run.ref + i, write, &share, &page) != GNTST_okay)
                err = -EINVAL;
            else
                err = map_add(conn, map, first, share, page);
        }
        if (map->parts - first >= SIM_FDS_MAX)
            break;
    }
    if (!err)
        err = put_segs(map, first, write, msg, fds, nfds);
    if (err) {
        while (*nfds > 0)
            close(fds[--*nfds]);
        if (!id) {
            /* Never mapped as far as the caller knows: nobody is to be told. */
            map_free(conn, map, true);
        }
        return err;
    }
    msg->arg[0] = map->id;
    msg->arg[1] = map->pages - before;
    return 0;
}

int grant_unmap(struct conn *conn, struct sim_msg *msg)
{
    struct map *map = map_find(conn, msg->arg[0]);

    if (!map)
        return -ENOENT;
    map_free(conn, map, false);
    return 0;
}

int grant_resolve(struct conn *conn, struct sim_msg *msg, int *fds, int *nfds)
{
    bool write = msg->arg[0];
    struct share *share;
    struct sim_run run;
    struct sim_seg seg = { -1, 0, 0 };

    if (msg->len != sizeof run)
        return -EINVAL;
    memcpy(&run, msg->data, sizeof run);
    seg.pages = grant_find(conn->dom, run.domid, run.ref, write, &share, &seg.page);
    if (seg.pages == GNTST_okay) {
        if ((fds[0] = lend(share, write)) < 0)
            return fds[0];
        *nfds = 1;
        seg.fd = 0;
    }
    memcpy(msg->data, &seg, sizeof seg);
    msg->len = sizeof seg;
    return 0;
}

/* The end of a handle.  After a crash there is no kernel left to notify anybody. */
void grants_release(struct conn *conn, bool crashed)
{
    struct share *share, *next;
    struct map *map;

    while ((map = LIST_FIRST(&conn->maps)))
        map_free(conn, map, crashed);
    for (share = conn->dom ? LIST_FIRST(&conn->dom->shares) : NULL; share; share = next) {
        next = LIST_NEXT(share, link);
        if (share->conn == conn)
            share_revoke(share, crashed);
    }
}

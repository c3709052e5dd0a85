/* SPDX-License-Identifier: MIT */
/* map.c: see map.h.  The only file of the daemon that calls xengnttab and xenevtchn. */
#include "map.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/mman.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "shm.h"

static const char *const group_names[4] = { "tx ring", "rx ring", "tx pool", "rx pool" };

static int fail(char *why, int err, const char *what, const char *advice)
{
    if (!err)
        err = -EIO;             /* a library that sets no errno is no success */
    if (err == -EMFILE)
        advice = "raise LimitNOFILE= in xvsd.service";
    else if (err == -ENFILE)
        advice = "raise fs.file-max";
    snprintf(why, MAP_WHY, "cannot %s: %s%s%s", what, strerror(-err), *advice ? "; " : "", advice);
    return err;
}

/* ---- judging the copy of the control page ---- */

static int judge_ring(const char *name, uint32_t pages, uint32_t max_order, uint32_t *order, char *why)
{
    if (!pages || pages & (pages - 1) || pages > 1u << max_order) {
        snprintf(why, MAP_WHY, "control page: %s_ring_pages is %u, not a power of two up to %u", name, pages,
                 1u << max_order);
        return -EPROTO;
    }
    *order = (uint32_t)__builtin_ctz(pages);
    return 0;
}

static int judge_pool(const char *name, uint32_t pages, uint32_t max, uint32_t *bytes, char *why)
{
    if (!pages || pages > max) {
        snprintf(why, MAP_WHY, "control page: %s_pool_pages is %u, not from 1 to %u", name, pages, max);
        return -EPROTO;
    }
    *bytes = pages * VSOCKIF_PAGE_SIZE;
    return 0;
}

static int judge_control(struct guest_map *m, const struct vsockif_control *c, const struct map_limits *limits,
                         char *why)
{
    int err;

    if (c->magic != VSOCKIF_CONTROL_MAGIC || c->version != VSOCKIF_VERSION) {
        snprintf(why, MAP_WHY, "control page: magic 0x%x and version %u, not 0x%x and %u", c->magic, c->version,
                 VSOCKIF_CONTROL_MAGIC, VSOCKIF_VERSION);
        return -EPROTO;
    }
    if (c->front_live != 1) {
        snprintf(why, MAP_WHY, "control page: front_live is %u, not 1: the frontend has gone again", c->front_live);
        return -EPROTO;
    }
    if ((err = judge_ring("tx", c->tx_ring_pages, limits->ring_page_order, &m->mem.tx_order, why)) ||
        (err = judge_ring("rx", c->rx_ring_pages, limits->ring_page_order, &m->mem.rx_order, why)) ||
        (err = judge_pool("tx", c->tx_pool_pages, limits->pool_pages, &m->mem.tx_bytes, why)) ||
        (err = judge_pool("rx", c->rx_pool_pages, limits->pool_pages, &m->mem.rx_bytes, why)))
        return err;
    m->group[0].pages = c->tx_ring_pages;
    m->group[1].pages = c->rx_ring_pages;
    m->group[2].pages = c->tx_pool_pages;
    m->group[3].pages = c->rx_pool_pages;
    if (c->tx_ring_pages + c->rx_ring_pages + c->tx_pool_pages + c->rx_pool_pages > VSOCKIF_CONTROL_REFS) {
        snprintf(why, MAP_WHY, "control page: it names more than %u pages", VSOCKIF_CONTROL_REFS);
        return -EPROTO;
    }
    return 0;
}

/* ---- mapping ---- */

static int take_channel(struct guest_map *m, int channel, uint32_t port, char *why)
{
    int err;

    if (channel < 0)
        return fail(why, -EMFILE, "take the event channel", "no descriptor is free");
    m->evt = xenevtchn_fdopen(NULL, channel, 0);
    if (!m->evt) {
        err = -errno;
        close(channel);
        return fail(why, err, "take the event channel", "");
    }
    m->port = (int)port;
    return 0;
}

static int map_control(struct guest_map *m, uint32_t domid, uint32_t ref, struct vsockif_control *copy, char *why)
{
    m->control = xengnttab_map_grant_ref_notify(m->gnt, domid, ref, PROT_READ | PROT_WRITE,
                                                offsetof(struct vsockif_control, back_live),
                                                (evtchn_port_t)m->port);
    if (!m->control) {
        char what[64];
        int err = -errno;

        snprintf(what, sizeof what, "map the control page, grant %u", ref);
        return fail(why, err, what, "the guest must grant it writable to this domain");
    }
    memcpy(copy, m->control, sizeof *copy);
    __asm__ volatile("" : : : "memory");        /* what is judged below is the copy and nothing else */
    return 0;
}

static int map_groups(struct guest_map *m, uint32_t domid, uint32_t *refs, char *why)
{
    for (int i = 0; i < 4; i++) {
        struct map_group *g = &m->group[i];

        g->at = xengnttab_map_domain_grant_refs(m->gnt, g->pages, domid, refs, i == 2 ? PROT_READ
                                                                                      : PROT_READ | PROT_WRITE);
        if (!g->at) {
            char what[64];
            int err = -errno;

            snprintf(what, sizeof what, "map the %u pages of the %s, grants from %u", g->pages, group_names[i], *refs);
            return fail(why, err, what, err == -ENOMEM || err == -ENOSPC
                                            ? "raise gnttab_max_maptrack_frames on Xen's command line"
                                            : "the guest must grant them to this domain, and the parameter 'limit' of "
                                              "xen-gntdev allow so many at once");
        }
        refs += g->pages;
    }
    return 0;
}

int map_open(struct guest_map *m, struct xengntdev_handle *gnt, uint32_t domid, uint32_t control_ref, int channel, uint32_t port,
             const struct map_limits *limits, char *why)
{
    struct vsockif_control copy;
    int err;

    memset(m, 0, sizeof *m);
    m->port = -1;
    m->gnt = gnt;
    if ((err = take_channel(m, channel, port, why)) ||
        (err = map_control(m, domid, control_ref, &copy, why)) ||
        (err = judge_control(m, &copy, limits, why)) ||
        (err = map_groups(m, domid, copy.ref, why))) {
        map_close(m);
        return err ? err : -EIO;
    }
    m->mem.tx_ring = m->group[0].at;
    m->mem.rx_ring = m->group[1].at;
    m->mem.tx_pool = m->group[2].at;
    m->mem.rx_pool = m->group[3].at;
    shm_store_byte(&m->control->back_live, 1);
    return 0;
}

void map_close(struct guest_map *m)
{
    for (int i = 0; i < 4; i++)
        if (m->group[i].at)
            xengnttab_unmap(m->gnt, m->group[i].at, m->group[i].pages);
    if (m->control)
        xengnttab_unmap(m->gnt, m->control, 1);         /* back_live falls, and the channel tells the guest */
    if (m->evt && m->port >= 0)
        xenevtchn_unbind(m->evt, (evtchn_port_t)m->port);
    if (m->evt)
        xenevtchn_close(m->evt);
    memset(m, 0, sizeof *m);
    m->port = -1;
}

/* ---- the channel ---- */

bool map_is_live(const struct guest_map *m)
{
    return !m->control || shm_load_byte(&m->control->front_live) != 0;
}

int map_fd(const struct guest_map *m)
{
    return xenevtchn_fd(m->evt);
}

bool map_take_event(struct guest_map *m)
{
    return xenevtchn_pending(m->evt) == m->port;
}

void map_unmask(struct guest_map *m)
{
    xenevtchn_unmask(m->evt, (evtchn_port_t)m->port);
}

void map_notify(struct guest_map *m)
{
    xenevtchn_notify(m->evt, (evtchn_port_t)m->port);
}

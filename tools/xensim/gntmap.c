/* SPDX-License-Identifier: MIT */
/* gntmap.c: xengnttab_map_* and unmap, as Linux's gntdev behaves.
 *
 * Addresses are reserved first; then the daemon is asked for the pages, as runs of
 * consecutive references, and answers with descriptors: each run of pages that lies
 * in one share costs one mmap.  A read-only map gets a descriptor opened read-only,
 * so that mprotect() cannot upgrade it. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xengnttab.h>

#include "gnttab.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    return gnt_open(logger, SIM_UNMAP, NULL, open_flags);
}

EXPORT int xengnttab_close(xengnttab_handle *xgt)
{
    return gnt_close(xgt);
}

EXPORT int xengnttab_fd(xengnttab_handle *xgt)
{
    return xgt->conn.fd;
}

EXPORT int xengnttab_set_max_grants(xengnttab_handle *xgt, uint32_t nr_grants)
{
    (void)xgt;
    (void)nr_grants;           /* as Linux since 4.x: there is none to set */
    return 0;
}

/* Where the references come from: one domain for all, or one each. */
struct want {
    uint32_t count;
    const uint32_t *domids;
    uint32_t domid;
    const uint32_t *refs;
};

static uint32_t want_domid(const struct want *w, uint32_t i)
{
    return w->domids ? w->domids[i] : w->domid;
}

/* Fills msg->data with runs from reference 'first' on, as many as fit. */
static void put_runs(struct sim_msg *msg, const struct want *w, uint32_t first)
{
    struct sim_run run = { 0 };

    msg->len = 0;
    for (uint32_t i = first; i < w->count; i++) {
        if (run.count && run.domid == want_domid(w, i) && run.ref + run.count == w->refs[i]) {
            run.count++;
        } else {
            if (run.count) {
                memcpy(msg->data + msg->len, &run, sizeof run);
                msg->len += sizeof run;
            }
            if (msg->len + sizeof run > SIM_DATA_MAX)
                return;
            run = (struct sim_run){ want_domid(w, i), w->refs[i], 1 };
        }
    }
    memcpy(msg->data + msg->len, &run, sizeof run);
    msg->len += sizeof run;
}

/* Maps the segments of one reply at 'at'.  0 or -errno. */
static int map_segs(const struct sim_msg *msg, const int *fds, int nfds, char *at, int prot)
{
    struct sim_seg seg;

    for (uint32_t off = 0; off < msg->len; off += sizeof seg) {
        size_t bytes;

        memcpy(&seg, msg->data + off, sizeof seg);
        bytes = (size_t)seg.pages * SIM_PAGE;
        if (seg.fd < 0 || seg.fd >= nfds)
            return -EPROTO;
        if (mmap(at, bytes, prot, MAP_SHARED | MAP_FIXED, fds[seg.fd],
                 (off_t)seg.page * SIM_PAGE) == MAP_FAILED)
            return -errno;
        at += bytes;
    }
    return 0;
}

static void *map(xengnttab_handle *xgt, const struct want *w, int prot, uint32_t offset,
                 uint32_t port)
{
    size_t bytes = (size_t)w->count * SIM_PAGE;
    uint32_t id = 0;
    char *addr;
    int err;

    if (!w->count) {
        gnt_fail(xgt, -EINVAL, "cannot map no grant at all");
        return NULL;
    }
    addr = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (addr == MAP_FAILED) {
        gnt_fail(xgt, -errno, "cannot reserve addresses");
        return NULL;
    }
    for (uint32_t done = 0; done < w->count;) {
        struct sim_msg msg;
        int fds[SIM_FDS_MAX], nfds = 0;

        msg.op = SIM_MAP;
        msg.arg[0] = id;
        msg.arg[1] = prot & PROT_WRITE ? 1 : 0;
        msg.arg[2] = offset;
        msg.arg[3] = port;
        put_runs(&msg, w, done);
        if ((err = sim_call(&xgt->conn, &msg, fds, &nfds)) < 0)
            goto fail;
        id = msg.arg[0];
        err = map_segs(&msg, fds, nfds, addr + (size_t)done * SIM_PAGE, prot);
        while (nfds > 0)
            close(fds[--nfds]);
        if (err)
            goto fail;
        done += msg.arg[1];
    }
    if ((err = gnt_remember(xgt, addr, w->count, id)) < 0)
        goto fail;
    return addr;
fail:
    munmap(addr, bytes);
    if (id)
        gnt_discard(xgt, id);
    gnt_fail(xgt, err, "cannot map grant references");
    return NULL;
}

EXPORT void *xengnttab_map_grant_ref(xengnttab_handle *xgt, uint32_t domid, uint32_t ref, int prot)
{
    struct want w = { .count = 1, .domid = domid, .refs = &ref };

    return map(xgt, &w, prot, SIM_NONE, SIM_NONE);
}

EXPORT void *xengnttab_map_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t *domids,
                                      uint32_t *refs, int prot)
{
    struct want w = { .count = count, .domids = domids, .refs = refs };

    return map(xgt, &w, prot, SIM_NONE, SIM_NONE);
}

EXPORT void *xengnttab_map_domain_grant_refs(xengnttab_handle *xgt, uint32_t count, uint32_t domid,
                                             uint32_t *refs, int prot)
{
    struct want w = { .count = count, .domid = domid, .refs = refs };

    return map(xgt, &w, prot, SIM_NONE, SIM_NONE);
}

EXPORT void *xengnttab_map_grant_ref_notify(xengnttab_handle *xgt, uint32_t domid, uint32_t ref,
                                            int prot, uint32_t notify_offset,
                                            evtchn_port_t notify_port)
{
    struct want w = { .count = 1, .domid = domid, .refs = &ref };

    return map(xgt, &w, prot, notify_offset, notify_port);
}

EXPORT int xengnttab_unmap(xengnttab_handle *xgt, void *start_address, uint32_t count)
{
    int err = gnt_release(xgt, start_address, count);

    if (err) {
        errno = -err;
        return -1;
    }
    return 0;
}

/* ---- dmabuf: there is no such driver here ---- */

static int no_dmabuf(void)
{
    errno = ENOSYS;
    return -1;
}

EXPORT int xengnttab_dmabuf_exp_from_refs(xengnttab_handle *xgt, uint32_t domid, uint32_t flags,
                                          uint32_t count, const uint32_t *refs, uint32_t *fd)
{
    (void)xgt, (void)domid, (void)flags, (void)count, (void)refs, (void)fd;
    return no_dmabuf();
}

EXPORT int xengnttab_dmabuf_exp_wait_released(xengnttab_handle *xgt, uint32_t fd,
                                              uint32_t wait_to_ms)
{
    (void)xgt, (void)fd, (void)wait_to_ms;
    return no_dmabuf();
}

EXPORT int xengnttab_dmabuf_imp_to_refs(xengnttab_handle *xgt, uint32_t domid, uint32_t fd,
                                        uint32_t count, uint32_t *refs)
{
    (void)xgt, (void)domid, (void)fd, (void)count, (void)refs;
    return no_dmabuf();
}

EXPORT int xengnttab_dmabuf_imp_release(xengnttab_handle *xgt, uint32_t fd)
{
    (void)xgt, (void)fd;
    return no_dmabuf();
}

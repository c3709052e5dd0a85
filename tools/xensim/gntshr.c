/* SPDX-License-Identifier: MIT */
/* gntshr.c: xengntshr_*, as Linux's gntalloc behaves: the daemon makes one memfd of
 * zeroed pages per call, counts it against the domain's limit, and hands out the
 * references. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xengnttab.h>

#include "gnttab.h"

#define EXPORT __attribute__((visibility("default")))

EXPORT xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger, unsigned open_flags)
{
    return gnt_open(logger, SIM_UNSHARE, NULL, open_flags);
}

EXPORT int xengntshr_close(xengntshr_handle *xgs)
{
    return gnt_close(xgs);
}

EXPORT int xengntshr_fd(xengntshr_handle *xgs)
{
    return xgs->conn.fd;
}

void *gnt_share(struct xengntdev_handle *gnt, uint32_t domid, uint32_t count, uint32_t *refs,
                int writable, uint32_t offset, uint32_t port, uint32_t fixed)
{
    struct sim_msg msg = { .op = SIM_SHARE,
        .arg = { domid, count, writable ? 1 : 0, offset, port, fixed } };
    int fds[SIM_FDS_MAX], nfds = 0, err;
    struct sim_run run;
    uint32_t id, done = 0;
    void *addr;

    if ((err = sim_call(&gnt->conn, &msg, fds, &nfds)) < 0) {
        gnt_fail(gnt, err, "cannot share pages");
        return NULL;
    }
    id = msg.arg[0];
    for (uint32_t at = 0; at < msg.len; at += sizeof run) {
        memcpy(&run, msg.data + at, sizeof run);
        for (uint32_t i = 0; i < run.count; i++)
            refs[done++] = run.ref + i;
    }
    addr = nfds ? mmap(NULL, (size_t)count * SIM_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fds[0], 0) : MAP_FAILED;
    err = addr != MAP_FAILED ? 0 : nfds ? -errno : -EMFILE;     /* the kernel leaves out what we have no number for */
    if (nfds)
        close(fds[0]);
    if (!err && (err = gnt_remember(gnt, addr, count, id)) < 0)
        munmap(addr, (size_t)count * SIM_PAGE);
    if (err) {
        gnt_discard(gnt, id);
        gnt_fail(gnt, err, "cannot map the shared pages");
        return NULL;
    }
    return addr;
}

EXPORT void *xengntshr_share_pages(xengntshr_handle *xgs, uint32_t domid, int count,
                                   uint32_t *refs, int writable)
{
    return gnt_share(xgs, domid, count < 0 ? 0 : (uint32_t)count, refs, writable,
                     SIM_NONE, SIM_NONE, 0);
}

EXPORT void *xengntshr_share_page_notify(xengntshr_handle *xgs, uint32_t domid, uint32_t *ref,
                                         int writable, uint32_t notify_offset,
                                         evtchn_port_t notify_port)
{
    return gnt_share(xgs, domid, 1, ref, writable, notify_offset, notify_port, 0);
}

EXPORT int xengntshr_unshare(xengntshr_handle *xgs, void *start_address, uint32_t count)
{
    int err = gnt_release(xgs, start_address, count);

    if (err) {
        errno = -err;
        return -1;
    }
    return 0;
}

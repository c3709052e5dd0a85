/* SPDX-License-Identifier: MIT */
/* gntcopy.c: xengnttab_grant_copy.  The hypervisor copies without mapping; here the
 * daemon lends the page's memfd for a pread() or a pwrite().  A segment that is
 * wrong in itself fails the call, a grant that is wrong fails its segment. */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <xengnttab.h>

#include "gnttab.h"

#define EXPORT __attribute__((visibility("default")))

/* One end of a segment: memory, or a page behind a descriptor. */
struct end {
    int fd;
    char *virt;
    off_t offset;
};

static bool fits(const xengnttab_grant_copy_segment_t *s)
{
    return (!(s->flags & GNTCOPY_source_gref)
            || (uint32_t)s->source.foreign.offset + s->len <= SIM_PAGE)
        && (!(s->flags & GNTCOPY_dest_gref)
            || (uint32_t)s->dest.foreign.offset + s->len <= SIM_PAGE);
}

/* GNTST_*; a lost daemon is a general error. */
static int resolve(xengnttab_handle *xgt, const union xengnttab_copy_ptr *ptr, bool gref, bool write,
                   struct end *end)
{
    struct sim_msg msg = { .op = SIM_RESOLVE, .arg = { write }, .len = sizeof(struct sim_run) };
    struct sim_run run = { ptr->foreign.domid, ptr->foreign.ref, 1 };
    int fds[SIM_FDS_MAX], nfds = 0;
    struct sim_seg seg;

    *end = (struct end){ .fd = -1, .virt = ptr->virt };
    if (!gref)
        return GNTST_okay;
    memcpy(msg.data, &run, sizeof run);
    if (sim_call(&xgt->conn, &msg, fds, &nfds) < 0)
        return GNTST_general_error;
    memcpy(&seg, msg.data, sizeof seg);
    if (seg.pages != GNTST_okay)
        return seg.pages;
    end->fd = fds[0];
    end->offset = (off_t)seg.page * SIM_PAGE + ptr->foreign.offset;
    return GNTST_okay;
}

static bool transfer(const struct end *from, const struct end *to, size_t len)
{
    char page[SIM_PAGE];

    if (from->fd < 0 && to->fd < 0) {
        memmove(to->virt, from->virt, len);
        return true;
    }
    if (to->fd < 0)
        return pread(from->fd, to->virt, len, from->offset) == (ssize_t)len;
    if (from->fd < 0)
        return pwrite(to->fd, from->virt, len, to->offset) == (ssize_t)len;
    return pread(from->fd, page, len, from->offset) == (ssize_t)len
        && pwrite(to->fd, page, len, to->offset) == (ssize_t)len;
}

EXPORT int xengnttab_grant_copy(xengnttab_handle *xgt, uint32_t count,
                                xengnttab_grant_copy_segment_t *segs)
{
    for (uint32_t i = 0; i < count; i++)
        if (!fits(&segs[i])) {
            errno = EINVAL;
            return -1;
        }
    for (uint32_t i = 0; i < count; i++) {
        xengnttab_grant_copy_segment_t *s = &segs[i];
        struct end from = { .fd = -1 }, to = { .fd = -1 };
        int status;

        status = resolve(xgt, &s->source, s->flags & GNTCOPY_source_gref, false, &from);
        if (status == GNTST_okay)
            status = resolve(xgt, &s->dest, s->flags & GNTCOPY_dest_gref, true, &to);
        if (status == GNTST_okay && s->len && !transfer(&from, &to, s->len))
            status = GNTST_bad_copy_arg;
        s->status = (int16_t)status;
        if (from.fd >= 0)
            close(from.fd);
        if (to.fd >= 0)
            close(to.fd);
    }
    return 0;
}

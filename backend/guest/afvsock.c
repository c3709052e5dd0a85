/* SPDX-License-Identifier: MIT */
/* afvsock.c: see afvsock.h. */
#include "afvsock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/vhost.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define VHOST_VSOCK "/dev/vhost-vsock"

/* ---- letting go ---- */

struct closing {
    uv_work_t work;
    struct registry *r;
    int fd;
};

static void close_it(uv_work_t *work)
{
    close(container_of(work, struct closing, work)->fd);
}

/* Its CID is free now, and somebody may have waited for that. */
static void closed(uv_work_t *work, int status)
{
    struct closing *c = container_of(work, struct closing, work);
    struct registry *r = c->r;

    (void)status;
    free(c);
    r->vhosts_closing--;
    if (r->stopping)
        return;
    each_device(r, l)
        if (device_at(l)->vhost_waits)
            afvsock_connected(device_at(l));
}

void afvsock_close(struct device *d)
{
    struct registry *r = d->r;
    struct closing *c = r->stopping || d->vhost_fd < 0 ? NULL : calloc(1, sizeof *c);

    d->vhost_waits = false;
    if (c) {
        *c = (struct closing){ .r = r, .fd = d->vhost_fd };
        if (uv_queue_work(&r->loop->uv, &c->work, close_it, closed)) {
            free(c);
            c = NULL;
        }
    }
    if (c)
        r->vhosts_closing++;
    else if (d->vhost_fd >= 0)
        close(d->vhost_fd);
    d->vhost_fd = -1;
}

/* ---- opening ---- */

/* Of the host and not of a guest, so once for all of them. */
static void say_missing(struct device *d, bool wanted, int err)
{
    struct registry *r = d->r;

    if (r->vhost_error == err)
        return;
    r->vhost_error = err;
    journal(wanted ? JOURNAL_WARNING : JOURNAL_INFO, "no guest is reached by AF_VSOCK, but by UNIX sockets as ever: cannot open " VHOST_VSOCK
            ": %s%s", strerror(err), err == ENOENT || err == ENODEV ? "; modprobe vhost_vsock" : "");
}

static void say_failed(struct device *d, int err)
{
    journal_guest(&d->journal, JOURNAL_WARNING, "it is not reached by AF_VSOCK, but by UNIX sockets as ever: CID %llu %s%s",
                  (unsigned long long)d->cid, err == EADDRINUSE ? "belongs to another virtual machine of this host" : "cannot be had: ",
                  err == EADDRINUSE ? "" : strerror(err));
}

/* The descriptor, or a negative errno. */
static int open_vhost(struct device *d, enum settings_af_vsock wanted)
{
    int fd = open(VHOST_VSOCK, O_RDWR | O_CLOEXEC), err;

    if (fd < 0) {
        err = errno;
        say_missing(d, wanted == AF_VSOCK_YES, err);
        return -err;
    }
    d->r->vhost_error = 0;
    if (!ioctl(fd, VHOST_VSOCK_SET_GUEST_CID, &d->cid))
        return fd;
    err = errno;
    close(fd);
    d->vhost_waits = err == EADDRINUSE && (d->r->vhosts_closing || d->vhost_retired);
    if (!d->vhost_waits)
        say_failed(d, err);
    return -err;
}

static void hand_over(const struct device *d)
{
    struct wall_msg m = { .kind = WALL_VHOST, .device = d->born, .cid = d->vhost_cid };

    wall_send(d->r->wall, &m, fcntl(d->vhost_fd, F_DUPFD_CLOEXEC, 0));
}

/* The worker's goes on over a short absence of the guest's: it is to come to an end, of which afvsock_over() hears. */
static void retire(struct device *d)
{
    afvsock_close(d);
    d->vhost_retired = true;
    wall_send(d->r->wall, &(struct wall_msg){ .kind = WALL_VHOST, .device = d->born }, -1);
}

void afvsock_connected(struct device *d)
{
    enum settings_af_vsock wanted = d->domain->own.af_vsock;
    int fd;

    d->vhost_waits = false;
    if (d->vhost_fd >= 0 && wanted == AF_VSOCK_NO)
        retire(d);
    else if (d->vhost_fd >= 0 && d->vhost_cid != d->cid)
        afvsock_close(d);       /* the worker puts the next one in its place */
    if (wanted == AF_VSOCK_NO || d->vhost_fd >= 0 || !d->up || (fd = open_vhost(d, wanted)) < 0)
        return;
    d->vhost_fd = fd;
    d->vhost_cid = d->cid;
    d->vhost_retired = false;
    hand_over(d);
}

void afvsock_over(struct device *d, bool failed)
{
    d->vhost_retired = false;
    afvsock_close(d);
    /* The guest may have connected meanwhile, with a device that both of us thought to be there. */
    if (!failed && d->up && d->life.own == VSOCKIF_CONNECTED)
        afvsock_connected(d);
}

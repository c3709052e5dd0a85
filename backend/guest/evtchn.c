/* SPDX-License-Identifier: MIT */
/* evtchn.c: see evtchn.h. */
#include "evtchn.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <xenevtchn.h>

#include "xenlog.h"

int channel_open(uint32_t domid, uint32_t remote_port, struct xenevtchn_handle **out, uint32_t *port, char *why)
{
    struct xenevtchn_handle *channel = xenevtchn_open(xenlog(), 0);
    int bound, err;

    if (!channel) {
        err = -errno;
        snprintf(why, CHANNEL_WHY, "cannot open the event channel driver: %s; is xen-evtchn loaded?", strerror(-err));
        return err;
    }
    /* The library opens it to block; and an event that poll has announced may be gone when it is to be read. */
    if (fcntl(xenevtchn_fd(channel), F_SETFL, O_NONBLOCK)) {
        err = -errno;
        snprintf(why, CHANNEL_WHY, "cannot make the event channel's descriptor one that does not block: %s", strerror(-err));
    } else if ((bound = xenevtchn_bind_interdomain(channel, domid, remote_port)) < 0) {
        err = -errno;
        snprintf(why, CHANNEL_WHY, "cannot bind the guest's event channel %u: %s; the guest must allocate it unbound, for this domain",
                 remote_port, strerror(-err));
    } else {
        *port = (uint32_t)bound;
        *out = channel;
        return 0;
    }
    xenevtchn_close(channel);
    return err ? err : -EIO;
}

int channel_fd(struct xenevtchn_handle *channel)
{
    int fd = fcntl(xenevtchn_fd(channel), F_DUPFD_CLOEXEC, 0);

    return fd < 0 ? -errno : fd;
}

void channel_close(struct xenevtchn_handle *channel)
{
    if (channel)
        xenevtchn_close(channel);
}

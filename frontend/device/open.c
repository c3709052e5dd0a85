/* SPDX-License-Identifier: MIT */
/* open.c: a device from open to close. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"
#include "handle.h"
#include "options.h"
#include "table.h"
#include "turn.h"
#include "words.h"

/* In a forked child: the handle becomes one that does nothing.  Calls only what a signal handler may. */
static void orphan(struct owned *owned)
{
    struct xvs *x = container_of(owned, struct xvs, lock.owned);

    x->wake.orphan = true;
    x->trunk.up = false;
    owner_orphan(&x->lock);
    bus_orphan(&x->bus);
}

static int lock_device(struct xvs *x)
{
    char path[256] = "";
    long pid;
    int err;

    forks_enter();
    err = owner_lock(&x->lock, options_run_dir(&x->opt), x->opt.device, &pid, path, sizeof path);
    forks_leave();
    if (!err)
        return 0;
    if (err == -EBUSY && pid == getpid())
        return words_say(err, "device/vsock/%u is open already, in this process %ld (%s)", x->opt.device, pid, path);
    if (err == -EBUSY && pid == OWNER_UNKNOWN)
        return words_say(err, "device/vsock/%u belongs to another process, of another PID namespace perhaps (%s)",
                         x->opt.device, path);
    if (err == -EBUSY)
        return words_say(err, "device/vsock/%u belongs to process %ld (%s)", x->opt.device, pid, path);
    return words_fail(TRY_LOCK, path, err);
}

/* Both would write the device's nodes. */
static int leave_to_kernel(unsigned device)
{
    if (!owner_is_kernel(device))
        return 0;
    return words_say(-EBUSY, "device/vsock/%u belongs to this guest's kernel (xen_vsock): use AF_VSOCK sockets, or take it from "
                             "the kernel: echo vsock-%u >/sys/bus/xen/drivers/xen_vsock/unbind", device, device);
}

static int open_parts(struct xvs *x)
{
    enum attempt what;
    int err;

    if ((err = leave_to_kernel(x->opt.device)))
        return err;
    if ((err = wake_open(&x->wake)))
        return words_fail(TRY_DESCRIPTOR, "", err);
    if ((err = share_probe(&what)))
        return words_fail(what, "", err);
    if ((err = lock_device(x)))
        return err;
    if ((err = table_open(&x->trunk, &x->wake, &x->opt)))
        return words_fail(TRY_TABLE, "", err);
    if ((err = bus_open(&x->bus, &what)))
        return words_fail(what, "", err);
    return 0;
}

static int follow_forks(void)
{
    int err = forks_start();

    return err ? words_fail(TRY_FORK, "", err) : 0;
}

int xvs_open(const struct xvs_options *options, struct xvs **out)
{
    struct xvs *x = calloc(1, sizeof *x);
    int err;

    *out = NULL;
    if (!x)
        return words_say(-ENOMEM, "out of memory");
    options_of(&x->opt, options);
    x->report = (struct report){ .device = x->opt.device, .log = x->opt.log, .log_arg = x->opt.log_arg };
    wake_init(&x->wake);
    owner_init(&x->lock, orphan);
    bus_init(&x->bus, &x->opt, &x->trunk, &x->report, &x->wake, &x->lock);
    snprintf(x->report.reason, sizeof x->report.reason, "not connected yet");
    if ((err = options_check(&x->opt)) || (err = follow_forks()) || (err = open_parts(x))) {
        xvs_close(x);
        return err;
    }
    bus_run(&x->bus, true, clock_coarse_ms());
    turn_set_timer(x);
    *out = x;
    return 0;
}

void xvs_close(struct xvs *x)
{
    if (!x)
        return;
    /* An orderly close needs the backend's answer, which we cannot wait for: going away is one, too.
     * The backend hears of it by front_live and the channel, and the kernel keeps what it still maps. */
    while (x->trunk.listeners.next && !list_is_empty(&x->trunk.listeners))
        xvs_listener_close(container_of(x->trunk.listeners.next, struct xvs_listener, link));
    if (x->trunk.up)
        table_reset(&x->trunk);
    table_close(&x->trunk);
    bus_close(&x->bus);
    wake_close(&x->wake);
    forks_enter();
    owner_unlock(&x->lock);
    forks_leave();
    free(x);
}

int xvs_fd(const struct xvs *x)
{
    return x->wake.epoll;
}

bool xvs_is_up(const struct xvs *x)
{
    return x->trunk.up;
}

uint64_t xvs_cid(const struct xvs *x)
{
    return x->trunk.cid;
}

const char *xvs_reason(const struct xvs *x)
{
    return x->wake.orphan ? "this process was forked from the one that owns the device" : x->report.reason;
}

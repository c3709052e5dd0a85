/* SPDX-License-Identifier: MIT */
/* look.c: how a device is, from what xenstore and the lock's holder say.  Takes nothing: whoever owns the device goes on, and whoever
 * wants to own it may, meanwhile. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "nodes.h"
#include "options.h"
#include "owner.h"
#include "parse.h"
#include "vsockif.h"
#include "words.h"

/* The daemon's reason for refusing the device, if it gave one and has not taken it back; else empty. */
static void read_refusal(struct store *s, const struct paths *paths, char *text, size_t size)
{
    char path[PATHS_MAX];

    if (store_read(s, paths_join(path, paths->error, "error"), text, size) < 0)
        *text = '\0';
    for (char *c = text; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            *c = ' ';
}

static const char *owner_text(long owner, char *text, size_t size)
{
    if (owner == OWNER_UNKNOWN)
        snprintf(text, size, "a process that cannot be named from here");
    else
        snprintf(text, size, "process %ld", owner);
    return text;
}

/* One line.  Nobody looks after the frontend's state while nobody owns the device, so without an owner it says little: only a 1
 * is a question that a daemon would have answered. */
static void explain(struct xvs_device_info *info, const char *refusal)
{
    bool waits = info->state == VSOCKIF_INITIALISING, serves = info->backend_state == VSOCKIF_INITWAIT;
    char owner[64];
    const char *who = owner_text(info->owner, owner, sizeof owner);

    if (info->is_kernels && info->is_up)
        snprintf(info->reason, sizeof info->reason, "this guest's kernel has it (xen_vsock), for all programs: AF_VSOCK");
    else if (info->is_up)
        snprintf(info->reason, sizeof info->reason, "%s has it", who);
    else if (*refusal && info->backend_state >= VSOCKIF_CLOSING)
        snprintf(info->reason, sizeof info->reason, "xvsd has closed it: %s", refusal);
    else if (info->is_kernels)
        snprintf(info->reason, sizeof info->reason, "this guest's kernel has it (xen_vsock), and is not connected: is xvsd running "
                                                    "in dom0?");
    else if (info->owner)
        snprintf(info->reason, sizeof info->reason, "%s has it, and is not connected: is xvsd running in dom0?", who);
    else if (waits && !serves)
        snprintf(info->reason, sizeof info->reason, "nothing in dom0 serves it: is xvsd running?");
    else
        snprintf(info->reason, sizeof info->reason, "no program of this guest has it open%s", waits ? ", and xvsd is ready" : "");
}

static int look_into(struct store *s, unsigned device, const char *run_dir, struct xvs_device_info *info)
{
    char why[PARSE_WHY] = "", refusal[200];
    struct paths paths;
    uint8_t own, peer;
    int err = nodes_find(s, device, &paths, NULL, why);

    if (err == -ENOENT || err == -EPROTO) {
        snprintf(info->reason, sizeof info->reason, err == -ENOENT ? "there is no device/vsock/%u: nothing in dom0 has attached "
                 "one (is xvsd running?)" : "device/vsock/%u is not a device: %s", device, why);
        return 0;
    }
    if (err || (err = nodes_look(s, paths.front, paths.back, &own, &peer, NULL)))
        return words_fail(TRY_LOOK, "", err);
    nodes_cid(s, &paths, &info->cid);
    read_refusal(s, &paths, refusal, sizeof refusal);
    forks_enter();
    info->owner = owner_find(run_dir, device);
    forks_leave();
    info->is_attached = true;
    info->state = own;
    info->backend_state = peer;
    info->is_kernels = owner_is_kernel(device);
    info->is_up = (info->owner || info->is_kernels) && own == VSOCKIF_CONNECTED && peer == VSOCKIF_CONNECTED;
    explain(info, refusal);
    return 0;
}

int xvs_look(const struct xvs_options *options, struct xvs_device_info *out)
{
    struct xvs_device_info info = { .size = out->size < sizeof info ? out->size : sizeof info };
    struct xvs_options o;
    struct store *s;
    int err;

    options_of(&o, options);
    if ((err = options_check_device(&o)))
        return err;
    if ((err = store_open(&s)))
        return words_fail(TRY_XENSTORE, "", err);
    err = look_into(s, o.device, options_run_dir(&o), &info);
    store_close(s);
    if (!err)
        memcpy(out, &info, info.size);
    return err;
}

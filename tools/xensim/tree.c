/* SPDX-License-Identifier: MIT */
/* tree.c: xenstore as the toolstack lays it out, for dom0 and for each guest. */
#define _GNU_SOURCE
#include "tree.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

static void nap(void)
{
    struct timespec ms = { .tv_nsec = 1000000 };

    nanosleep(&ms, NULL);
}

/* xenstored has no word for "ready" when it runs in the foreground: its socket is. */
struct xs_handle *tree_open(void)
{
    struct xs_handle *xs = NULL;

    for (int tries = 0; tries < 10000 && !(xs = xs_open(0)); tries++)
        nap();
    return xs;
}

/* Writes a node; 'owner' gets it, 'reader' (or -1) may read it. */
static bool put(struct xs_handle *xs, xs_transaction_t t, int owner, int reader, const char *value,
                const char *format, ...) __attribute__((format(printf, 6, 7)));
static bool put(struct xs_handle *xs, xs_transaction_t t, int owner, int reader, const char *value,
                const char *format, ...)
{
    struct xs_permissions perms[2] = {
        { .id = (unsigned)owner, .perms = XS_PERM_NONE },
        { .id = (unsigned)reader, .perms = XS_PERM_READ } };
    char path[256];
    va_list al;

    va_start(al, format);
    vsnprintf(path, sizeof path, format, al);
    va_end(al);
    return (value ? xs_write(xs, t, path, value, (unsigned)strlen(value)) : xs_mkdir(xs, t, path))
        && xs_set_permissions(xs, t, path, perms, reader < 0 ? 1 : 2);
}

int tree_init(struct xs_handle *xs)
{
    /* libxenvchan's server reads the relative node "domid", in dom0 as well. */
    if (!put(xs, XBT_NULL, 0, -1, "0", "/local/domain/0/domid")
        || !put(xs, XBT_NULL, 0, -1, "Domain-0", "/local/domain/0/name")
        || !put(xs, XBT_NULL, 0, -1, NULL, "/local/domain/0/backend")
        || !put(xs, XBT_NULL, 0, -1, NULL, "/vm")
        || !put(xs, XBT_NULL, 0, -1, NULL, "/libxl")
        || !put(xs, XBT_NULL, 0, -1, NULL, "/tool"))
        return -errno;
    return 0;
}

static void uuid_make(char *text, size_t size)
{
    uint8_t b[16] = { 0 };

    if (getrandom(b, sizeof b, 0) != (ssize_t)sizeof b)
        b[15] = 1;
    snprintf(text, size,
             "%02x%02x%02x%02x-%02x%02x-4%01x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6] & 15, b[7], (b[8] & 0x3f) | 0x80, b[9], b[10], b[11],
             b[12], b[13], b[14], b[15]);
}

static bool add(struct xs_handle *xs, xs_transaction_t t, int domid, const char *name,
                const char *uuid)
{
    static const char *const writable[] = { "device", "control/shutdown", "control/sysrq",
        "control/feature-poweroff", "control/feature-reboot", "control/feature-suspend",
        "data", "drivers", "feature", "attr", "error" };
    char vm[64], number[16];

    snprintf(vm, sizeof vm, "/vm/%s", uuid);
    snprintf(number, sizeof number, "%d", domid);
    if (!put(xs, t, 0, domid, NULL, "/local/domain/%d", domid)
        || !put(xs, t, 0, domid, NULL, "%s", vm)
        || !put(xs, t, 0, domid, uuid, "%s/uuid", vm)
        || !put(xs, t, 0, domid, name, "%s/name", vm)
        || !put(xs, t, 0, domid, number, "/local/domain/%d/domid", domid)
        || !put(xs, t, 0, domid, name, "/local/domain/%d/name", domid)
        || !put(xs, t, 0, domid, vm, "/local/domain/%d/vm", domid)
        || !put(xs, t, 0, domid, "1", "/local/domain/%d/store/ring-ref", domid)
        || !put(xs, t, 0, domid, NULL, "/local/domain/%d/control", domid))
        return false;
    for (size_t i = 0; i < sizeof writable / sizeof *writable; i++)
        if (!put(xs, t, domid, -1, i == 0 || strchr(writable[i], '/') == NULL ? NULL : "",
                 "/local/domain/%d/%s", domid, writable[i]))
            return false;
    return true;
}

int tree_add(struct xs_handle *xs, uint32_t domid, const char *name)
{
    xs_transaction_t t;
    char uuid[40];
    bool ok;

    uuid_make(uuid, sizeof uuid);
    do {
        if (!(t = xs_transaction_start(xs)))
            return -errno;
        ok = add(xs, t, (int)domid, name, uuid);
        if (!ok) {
            int err = -errno;

            xs_transaction_end(xs, t, true);
            return err;
        }
        ok = xs_transaction_end(xs, t, false);
    } while (!ok && errno == EAGAIN);
    return ok ? 0 : -errno;
}

/* What xl does for a domain that died, once xenstored has noticed. */
int tree_bury(struct xs_handle *xs, uint32_t domid)
{
    char path[64];
    char *vm;

    for (int tries = 0; tries < 5000 && xs_is_domain_introduced(xs, domid); tries++)
        nap();
    snprintf(path, sizeof path, "/local/domain/%u/vm", domid);
    if ((vm = xs_read(xs, XBT_NULL, path, NULL)) && *vm)
        xs_rm(xs, XBT_NULL, vm);
    free(vm);
    snprintf(path, sizeof path, "/local/domain/%u", domid);
    xs_rm(xs, XBT_NULL, path);
    return 0;
}

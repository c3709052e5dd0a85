/* SPDX-License-Identifier: MIT */
/* ctrl.c: the three calls of libxenctrl that xenstored and vchan-socket-proxy make,
 * and an open() that shows them the two files by which a kernel introduces dom0 to
 * xenstored.  Only those two programs have this library on their path. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <xenctrl.h>

#include "client.h"

#define EXPORT __attribute__((visibility("default")))

struct xc_interface_core {
    struct sim_conn conn;
};

EXPORT xc_interface *xc_interface_open(xentoollog_logger *logger, xentoollog_logger *dombuild_logger,
                                       unsigned open_flags)
{
    xc_interface *xch = calloc(1, sizeof *xch);
    int err;

    (void)logger, (void)dombuild_logger, (void)open_flags;
    if (xch && (err = sim_connect(&xch->conn, NULL, NULL, true)) < 0) {
        free(xch);
        errno = -err;
        return NULL;
    }
    return xch;
}

EXPORT int xc_interface_close(xc_interface *xch)
{
    if (xch)
        sim_close(&xch->conn);
    free(xch);
    return 0;
}

EXPORT int xc_domain_getinfo(xc_interface *xch, uint32_t first_domid, unsigned int max_doms,
                             xc_dominfo_t *info)
{
    struct sim_msg msg = { .op = SIM_DOMINFO, .arg = { first_domid, max_doms } };
    int err = sim_call(&xch->conn, &msg, NULL, NULL), count;

    if (err) {
        errno = -err;
        return -1;
    }
    count = (int)(msg.len / sizeof(struct sim_dominfo));
    memset(info, 0, max_doms * sizeof *info);
    for (int i = 0; i < count; i++) {
        struct sim_dominfo d;

        memcpy(&d, msg.data + (size_t)i * sizeof d, sizeof d);
        info[i].domid = d.domid;
        info[i].dying = d.state == SIM_DYING;
        info[i].running = !info[i].dying;
        info[i].nr_online_vcpus = 1;
    }
    return count;
}

EXPORT int open(const char *path, int flags, ...)
{
    const char *dir = getenv(SIM_ENV_DIR);
    char instead[4096];
    mode_t mode = 0;

    if (flags & (O_CREAT | __O_TMPFILE)) {
        va_list al;

        va_start(al, flags);
        mode = va_arg(al, mode_t);
        va_end(al);
    }
    if (dir && (!strcmp(path, "/proc/xen/xsd_port") || !strcmp(path, "/proc/xen/xsd_kva"))) {
        snprintf(instead, sizeof instead, "%s/%s", dir, path + strlen("/proc/xen/"));
        path = instead;
    }
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

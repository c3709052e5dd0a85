/* SPDX-License-Identifier: MIT */
/* gnttab.c: handles and regions, common to sharing (gntshr.c), mapping (gntmap.c)
 * and copying (gntcopy.c). */
#define _GNU_SOURCE
#include "gnttab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xentoollog.h>

struct xengntdev_handle *gnt_open(struct xentoollog_logger *logger, uint32_t release_op,
                                  const char *who, unsigned flags)
{
    struct xengntdev_handle *gnt;
    int err;

    if (flags) {
        errno = EINVAL;
        return NULL;
    }
    if (!(gnt = calloc(1, sizeof *gnt)))
        return NULL;
    if ((err = sim_connect(&gnt->conn, NULL, who, true)) < 0) {
        free(gnt);
        errno = -err;
        return NULL;
    }
    gnt->logger = logger;
    gnt->release_op = release_op;
    pthread_mutex_init(&gnt->lock, NULL);
    return gnt;
}

/* As Linux: the caller's mappings stay readable, the grants behind them end. */
int gnt_close(struct xengntdev_handle *gnt)
{
    struct region *r;

    if (!gnt)
        return 0;
    sim_close(&gnt->conn);
    while ((r = gnt->regions)) {
        gnt->regions = r->next;
        free(r);
    }
    pthread_mutex_destroy(&gnt->lock);
    free(gnt);
    return 0;
}

static void log_to(struct xentoollog_logger *logger, int err, const char *format, ...)
{
    va_list al;

    va_start(al, format);
    logger->vmessage(logger, XTL_ERROR, err, "xengnttab", format, al);
    va_end(al);
}

int gnt_fail(struct xengntdev_handle *gnt, int err, const char *what)
{
    if (gnt->logger)
        log_to(gnt->logger, -err, "%s", what);
    else
        fprintf(stderr, "xengnttab: error: %s: %s\n", what, strerror(-err));
    errno = -err;
    return -1;
}

void gnt_discard(struct xengntdev_handle *gnt, uint32_t id)
{
    struct sim_msg msg = { .op = gnt->release_op, .arg = { id } };

    sim_call(&gnt->conn, &msg, NULL, NULL);
}

int gnt_remember(struct xengntdev_handle *gnt, void *addr, uint32_t count, uint32_t id)
{
    struct region *r = malloc(sizeof *r), **p, *stale;
    char *start = addr, *end = start + (size_t)count * SIM_PAGE;

    if (!r)
        return -ENOMEM;
    pthread_mutex_lock(&gnt->lock);
    for (p = &gnt->regions; *p;) {
        stale = *p;
        if (stale->addr < end && start < stale->addr + (size_t)stale->count * SIM_PAGE) {
            *p = stale->next;
            gnt_discard(gnt, stale->id);
            free(stale);
        } else {
            p = &stale->next;
        }
    }
    *r = (struct region){ .next = gnt->regions, .addr = start, .count = count, .id = id };
    gnt->regions = r;
    pthread_mutex_unlock(&gnt->lock);
    return 0;
}

int gnt_release(struct xengntdev_handle *gnt, void *addr, uint32_t count)
{
    struct region *r = NULL, **p;

    pthread_mutex_lock(&gnt->lock);
    for (p = &gnt->regions; *p; p = &(*p)->next)
        if ((*p)->addr == addr) {
            if ((*p)->count == count) {
                r = *p;
                *p = r->next;
            }
            break;
        }
    pthread_mutex_unlock(&gnt->lock);
    if (!r)
        return -EINVAL;
    munmap(addr, (size_t)count * SIM_PAGE);
    gnt_discard(gnt, r->id);
    free(r);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* joined_xen.c: what Xen's libraries would do, where both ends are one process; and what is counted.  See joined.h. */
#include "joined.h"

#include <errno.h>
#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <xenevtchn.h>
#include <xengnttab.h>

#include "vsockif.h"

uint64_t joined_kicks, joined_copied;
bool joined_counting;

void joined_fail(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

size_t joined_heap(void)
{
    struct mallinfo2 all = mallinfo2();

    return all.uordblks + all.hblkhd;
}

/* ---- copies: linked with --wrap ---- */

void *__real_memcpy(void *to, const void *from, size_t len);
void *__wrap_memcpy(void *to, const void *from, size_t len);
void *__wrap___memcpy_chk(void *to, const void *from, size_t len, size_t room);

void *__wrap_memcpy(void *to, const void *from, size_t len)
{
    if (joined_counting)
        joined_copied += len;
    return __real_memcpy(to, from, len);
}

void *__wrap___memcpy_chk(void *to, const void *from, size_t len, size_t room)
{
    if (len > room)
        joined_fail("memcpy of %zu bytes into %zu", len, room);
    return __wrap_memcpy(to, from, len);
}

/* ---- event channels ---- */

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
    (void)logger;
    (void)flags;
    return calloc(1, sizeof(struct xenevtchn_handle));
}

int xenevtchn_close(xenevtchn_handle *channel)
{
    free(channel);
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *channel)
{
    (void)channel;
    return -1;
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(xenevtchn_handle *channel, uint32_t domid)
{
    (void)channel;
    (void)domid;
    return 1;
}

int xenevtchn_unbind(xenevtchn_handle *channel, evtchn_port_t port)
{
    (void)channel;
    (void)port;
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *channel)
{
    (void)channel;
    errno = EAGAIN;
    return -1;
}

int xenevtchn_unmask(xenevtchn_handle *channel, evtchn_port_t port)
{
    (void)channel;
    (void)port;
    return 0;
}

/* The guest's: the daemon's is in joined_back.c. */
int xenevtchn_notify(xenevtchn_handle *channel, evtchn_port_t port)
{
    (void)port;
    joined_kicks++;
    channel->to_daemon = true;
    return 0;
}

/* ---- grants ---- */

static char grants;

xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger, unsigned flags)
{
    (void)logger;
    (void)flags;
    return (xengntshr_handle *)(void *)&grants;
}

int xengntshr_close(xengntshr_handle *handle)
{
    (void)handle;
    return 0;
}

void *xengntshr_share_pages(xengntshr_handle *handle, uint32_t domid, int count, uint32_t *refs, int writable)
{
    void *pages = mmap(NULL, (size_t)count * VSOCKIF_PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    (void)handle;
    (void)domid;
    (void)writable;
    memset(refs, 0, (size_t)count * sizeof *refs);
    return pages == MAP_FAILED ? NULL : pages;
}

void *xengntshr_share_page_notify(xengntshr_handle *handle, uint32_t domid, uint32_t *ref, int writable,
                                  uint32_t notify_offset, evtchn_port_t notify_port)
{
    (void)notify_offset;
    (void)notify_port;
    return xengntshr_share_pages(handle, domid, 1, ref, writable);
}

int xengntshr_unshare(xengntshr_handle *handle, void *pages, uint32_t count)
{
    (void)handle;
    return munmap(pages, count * VSOCKIF_PAGE_SIZE);
}

/* SPDX-License-Identifier: MIT */
/* share.c: see share.h.  The port comes first, because the control page's unmap notification names it. */
#include "share.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xentoollog.h>

#include "shm.h"

#define PAGE VSOCKIF_PAGE_SIZE
#define POOL_LEAST 16u          /* pages: with less than 64 KiB there would be no room for a packet */

/* Xen's libraries write to standard error when a call fails, which is the program's.  Who calls us hears what failed, and why. */
__attribute__((format(printf, 5, 0)))
static void drop(struct xentoollog_logger *logger, xentoollog_level level, int err, const char *context, const char *format, va_list args)
{
    (void)logger;
    (void)level;
    (void)err;
    (void)context;
    (void)format;
    (void)args;
}

static struct xentoollog_logger silent = { .vmessage = drop };

/* No child has them: it would keep the grants alive after our end, and could write into what the backend reads. */
static void *keep_from_children(void *memory, uint32_t pages)
{
    if (memory)
        madvise(memory, pages * (size_t)PAGE, MADV_DONTFORK);
    return memory;
}

/* Grants 'pages' pages and appends their references to the control page. */
static void *grant(struct share *s, uint32_t domid, uint32_t pages, bool writable, uint32_t *used)
{
    uint32_t refs[VSOCKIF_MAX_POOL_PAGES];
    void *memory;

    errno = ENOSPC;
    memory = keep_from_children(xengntshr_share_pages(s->gntshr, domid, (int)pages, refs, writable), pages);
    if (memory) {
        memcpy(&s->control->ref[*used], refs, pages * sizeof refs[0]);
        *used += pages;
    }
    return memory;
}

static uint32_t ring_order(uint32_t slots_wanted, uint32_t max_order)
{
    uint32_t order = 0;

    while (order < max_order && vsockif_ring_slots(order) < slots_wanted)
        order++;
    return order;
}

static uint32_t pages_within(uint32_t bytes, uint32_t max_pages)
{
    return bytes / PAGE < max_pages ? bytes / PAGE : max_pages;
}

static int share_pages(struct share *s, uint32_t domid)
{
    uint32_t used = 0;

    errno = ENOSPC;
    s->control = keep_from_children(xengntshr_share_page_notify(s->gntshr, domid, &s->control_ref, true,
                                                                offsetof(struct vsockif_control, front_live), s->port), 1);
    if (!s->control)
        return -errno;
    if (!(s->mem.tx_ring = grant(s, domid, s->ring_pages, true, &used)) ||
        !(s->mem.rx_ring = grant(s, domid, s->ring_pages, true, &used)) ||
        !(s->mem.tx_pool = grant(s, domid, s->tx_pages, false, &used)) ||
        !(s->mem.rx_pool = grant(s, domid, s->rx_pages, true, &used)))
        return -errno;
    s->control->magic = VSOCKIF_CONTROL_MAGIC;
    s->control->version = VSOCKIF_VERSION;
    s->control->tx_ring_pages = s->control->rx_ring_pages = s->ring_pages;
    s->control->tx_pool_pages = s->tx_pages;
    s->control->rx_pool_pages = s->rx_pages;
    shm_store_byte(&s->control->front_live, 1);
    return 0;
}

static void unshare_pages(struct share *s)
{
    if (s->mem.rx_pool)
        xengntshr_unshare(s->gntshr, s->mem.rx_pool, s->rx_pages);
    if (s->mem.tx_pool)
        xengntshr_unshare(s->gntshr, s->mem.tx_pool, s->tx_pages);
    if (s->mem.rx_ring)
        xengntshr_unshare(s->gntshr, s->mem.rx_ring, s->ring_pages);
    if (s->mem.tx_ring)
        xengntshr_unshare(s->gntshr, s->mem.tx_ring, s->ring_pages);
    if (s->control && !s->restored) {
        shm_store_byte(&s->control->front_live, 0);
        xengntshr_unshare(s->gntshr, s->control, 1);
        s->control = NULL;
    }
}

int share_probe(enum attempt *what)
{
    xenevtchn_handle *evtchn;
    xengntshr_handle *gntshr;
    int err = 0;

    errno = ENOENT;
    *what = TRY_CHANNELS;
    if (!(evtchn = xenevtchn_open(&silent, 0)))
        return errno ? -errno : -EIO;
    errno = ENOENT;
    *what = TRY_GRANTS;
    if ((gntshr = xengntshr_open(&silent, 0)))
        xengntshr_close(gntshr);
    else
        err = errno ? -errno : -EIO;
    xenevtchn_close(evtchn);
    return err;
}

static void set_sizes(struct share *s, uint32_t tx_pages, uint32_t rx_pages, const struct back_nodes *limits)
{
    s->tx_pages = tx_pages;
    s->rx_pages = rx_pages;
    s->mem = (struct link_memory){ .tx_bytes = tx_pages * PAGE, .rx_bytes = rx_pages * PAGE, .rx_buffer = LINK_MIN_RX_BUFFER };
    s->mem.tx_order = s->mem.rx_order = ring_order(rx_pages, limits->max_ring_page_order);
    s->ring_pages = 1u << s->mem.tx_order;
}

static uint32_t half_of(uint32_t pages)
{
    return pages / 2 > POOL_LEAST ? pages / 2 : pages < POOL_LEAST ? pages : POOL_LEAST;
}

/* Other devices, and other programs, have gntalloc's pages: fewer may still be there.  What was wanted is tried first. */
static int share_what_fits(struct share *s, uint32_t domid, const struct back_nodes *limits)
{
    uint32_t tx = s->tx_pages, rx = s->rx_pages;
    int err;

    while ((err = share_pages(s, domid)) == -ENOSPC && (half_of(tx) < tx || half_of(rx) < rx)) {
        unshare_pages(s);
        tx = half_of(tx);
        rx = half_of(rx);
        set_sizes(s, tx, rx, limits);
        s->is_small = true;
    }
    return err;
}

int share_open(struct share *s, const struct xvs_options *opt, const struct back_nodes *limits, uint32_t back_domid,
               enum attempt *what)
{
    xenevtchn_port_or_error_t port;
    int err;

    memset(s, 0, sizeof *s);
    set_sizes(s, pages_within(opt->tx_pool, limits->max_pool_pages), pages_within(opt->rx_pool, limits->max_pool_pages), limits);

    *what = TRY_CHANNELS;
    errno = ENOENT;
    if (!(s->evtchn = xenevtchn_open(&silent, 0)))
        goto fail;
    *what = TRY_CHANNEL;
    if ((port = xenevtchn_bind_unbound_port(s->evtchn, back_domid)) < 0)
        goto fail;
    s->port = (evtchn_port_t)port;
    s->has_port = true;
    *what = TRY_GRANTS;
    errno = ENOENT;
    if (!(s->gntshr = xengntshr_open(&silent, 0)))
        goto fail;
    *what = TRY_PAGES;
    if ((err = share_what_fits(s, back_domid, limits)))
        goto fail_err;
    return 0;
fail:
    err = errno ? -errno : -EIO;
fail_err:
    share_close(s);
    return err;
}

bool share_is_live(const struct share *s)
{
    return !s->control || shm_load_byte(&s->control->back_live) != 0;
}

/* ---- in a forked child ---- */

static void each_area(const struct share *s, void (*act)(void *memory, size_t bytes))
{
    const struct { void *memory; uint32_t pages; } areas[] = {
        { s->control, 1 }, { s->mem.tx_ring, s->ring_pages }, { s->mem.rx_ring, s->ring_pages },
        { s->mem.tx_pool, s->tx_pages }, { s->mem.rx_pool, s->rx_pages },
    };

    for (size_t i = 0; i < sizeof areas / sizeof *areas; i++)
        if (areas[i].memory)
            act(areas[i].memory, areas[i].pages * (size_t)PAGE);
}

/* What lies where the shared pages were in the parent is a hole, or was shared after all if madvise() failed. */
static void put_ordinary(void *memory, size_t bytes)
{
    mmap(memory, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

static void drop_ordinary(void *memory, size_t bytes)
{
    munmap(memory, bytes);
}

void share_orphan(struct share *s, int inert)
{
    each_area(s, put_ordinary);
    /* The libraries' handles may only be closed here, and not yet: they free memory.  Their numbers stay taken until then. */
    if (s->evtchn)
        dup3(inert, xenevtchn_fd(s->evtchn), O_CLOEXEC);
    if (s->gntshr)
        dup3(inert, xengntshr_fd(s->gntshr), O_CLOEXEC);
    s->orphan = true;
}

static void close_orphan(struct share *s)
{
    each_area(s, drop_ordinary);
    if (s->gntshr)
        xengntshr_close(s->gntshr);
    if (s->evtchn)
        xenevtchn_close(s->evtchn);
    memset(s, 0, sizeof *s);
}

/* ---- the end ---- */

void share_close(struct share *s)
{
    if (s->orphan) {
        close_orphan(s);
        return;
    }
    unshare_pages(s);
    if (s->gntshr)
        xengntshr_close(s->gntshr);
    if (s->has_port && !s->restored)
        xenevtchn_unbind(s->evtchn, s->port);
    if (s->evtchn && !s->restored)
        xenevtchn_close(s->evtchn);
    memset(s, 0, sizeof *s);
}

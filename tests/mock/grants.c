/* SPDX-License-Identifier: MIT */
/* grants.c: libxengnttab, both halves; see mock.h.
 *
 * A page is where it was last mapped: mapping moves its content into the new heap object, and unmapping moves it back.  So both ends see
 * the same bytes, and the object can be freed.  A page that is mapped twice at a time is a copy in the second place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xengnttab.h>

#include "list.h"
#include "mock.h"

#define PAGE  4096u
#define PAGES 2048u             /* of a domain */
#define REFS  2048u

struct group {
    struct list link;
    struct xengntdev_handle *handle;
    uint32_t domid;             /* whose pages these are */
    uint32_t count;
    uint8_t *at;
    uint32_t notify_offset, notify_port, notify_domid;  /* at unmapping; port 0: nobody is told */
    bool shared;                /* by the owner's own call: xengntshr */
    uint16_t page[];
};

struct page {
    uint8_t *at;
    struct group *in;           /* NULL: at is an object of the page's own */
};

struct grant {
    uint16_t page;
    bool granted, writable;
};

struct memory {
    struct list link;
    uint32_t domid;
    struct page page[PAGES];
    struct grant grant[REFS];
    uint32_t next_page, next_ref;       /* for xengntshr */
};

struct xengntdev_handle {
    struct list link;
    uint32_t domid;
};

static struct list memories = { &memories, &memories }, groups = { &groups, &groups }, handles = { &handles, &handles };

static struct memory *memory_of(uint32_t domid)
{
    struct memory *m;

    for (struct list *l = memories.next; l != &memories; l = l->next)
        if (container_of(l, struct memory, link)->domid == domid)
            return container_of(l, struct memory, link);
    m = calloc(1, sizeof *m);
    MOCK_MUST(m, "no memory");
    m->domid = domid;
    list_init(&m->link);
    list_append(&memories, &m->link);
    return m;
}

static uint8_t *new_page(void)
{
    uint8_t *at = aligned_alloc(64, PAGE);

    MOCK_MUST(at, "no memory");
    return at;
}

/* ---- for the test ---- */

uint8_t *mock_page(uint32_t domid, uint32_t page)
{
    struct page *p;

    MOCK_MUST(page < PAGES, "page %u", page);
    p = &memory_of(domid)->page[page];
    if (!p->at) {
        p->at = new_page();
        memset(p->at, 0, PAGE);
    }
    return p->at;
}

void mock_page_clear(uint32_t domid, uint32_t page)
{
    memset(mock_page(domid, page), 0, PAGE);
}

void mock_grant(uint32_t domid, uint32_t ref, uint32_t page, bool writable)
{
    MOCK_MUST(ref < REFS && page < PAGES, "grant %u of page %u", ref, page);
    memory_of(domid)->grant[ref] = (struct grant){ .page = (uint16_t)page, .granted = true, .writable = writable };
}

void mock_revoke(uint32_t domid, uint32_t ref)
{
    MOCK_MUST(ref < REFS, "grant %u", ref);
    memory_of(domid)->grant[ref].granted = false;
}

uint32_t mock_page_of(uint32_t domid, uint32_t ref)
{
    const struct grant *g = ref < REFS ? &memory_of(domid)->grant[ref] : NULL;

    return g && g->granted ? g->page : UINT32_MAX;
}

unsigned mock_mappings(uint32_t domid)
{
    unsigned n = 0;

    for (struct list *l = groups.next; l != &groups; l = l->next)
        n += container_of(l, struct group, link)->domid == domid && !container_of(l, struct group, link)->shared;
    return n;
}

void mock_grants_reset(void)
{
    struct list *link;

    MOCK_MUST(list_is_empty(&groups) && list_is_empty(&handles), "grants: something is still mapped, shared or open");
    while ((link = list_take(&memories))) {
        struct memory *m = container_of(link, struct memory, link);

        for (uint32_t i = 0; i < PAGES; i++)
            free(m->page[i].at);
        free(m);
    }
}

const char *mock_grants_left_over(void)
{
    if (!list_is_empty(&groups))
        return "pages are mapped or shared";
    return list_is_empty(&handles) ? "" : "a handle of the grant table is open";
}

/* ---- mapping ---- */

static struct group *group_new(struct xengntdev_handle *h, uint32_t domid, uint32_t count, size_t alignment)
{
    struct group *g = calloc(1, sizeof *g + count * sizeof g->page[0]);

    MOCK_MUST(g, "no memory");
    g->handle = h;
    g->domid = domid;
    g->count = count;
    g->at = aligned_alloc(alignment, (size_t)count * PAGE);
    MOCK_MUST(g->at, "no memory");
    list_init(&g->link);
    list_append(&groups, &g->link);
    return g;
}

/* The page's content is at its place in the group from now on. */
static void move_in(struct group *g, uint32_t i, uint32_t page)
{
    struct page *p = &memory_of(g->domid)->page[page];

    g->page[i] = (uint16_t)page;
    memcpy(g->at + i * PAGE, mock_page(g->domid, page), PAGE);
    if (p->in)
        return;
    free(p->at);
    p->at = g->at + i * PAGE;
    p->in = g;
}

static void dissolve(struct group *g)
{
    struct memory *m = memory_of(g->domid);

    if (g->notify_port || g->notify_offset)
        g->at[g->notify_offset] = 0;
    for (uint32_t i = 0; i < g->count; i++) {
        struct page *p = &m->page[g->page[i]];

        if (p->in != g)
            continue;
        p->in = NULL;
        p->at = new_page();
        memcpy(p->at, g->at + i * PAGE, PAGE);
    }
    if (g->notify_port)
        mock_port_send(g->notify_domid, g->notify_port);
    list_remove(&g->link);
    free(g->at);
    free(g);
}

static struct group *group_at(struct xengntdev_handle *h, void *at, uint32_t count)
{
    for (struct list *l = groups.next; l != &groups; l = l->next) {
        struct group *g = container_of(l, struct group, link);

        if (g->at == at) {
            MOCK_MUST(g->count == count && g->handle == h, "%u pages are unmapped, of %u that were mapped there", count,
                      g->count);
            return g;
        }
    }
    MOCK_MUST(false, "pages are unmapped that are not mapped");
}

static struct xengntdev_handle *handle_new(void)
{
    struct xengntdev_handle *h = calloc(1, sizeof *h);

    MOCK_MUST(h, "no memory");
    h->domid = mock_self;
    list_init(&h->link);
    list_append(&handles, &h->link);
    return h;
}

static int handle_close(struct xengntdev_handle *h)
{
    for (struct list *l = groups.next; h && l != &groups; l = l->next)
        MOCK_MUST(container_of(l, struct group, link)->handle != h, "a grant handle is closed with pages mapped");
    if (h)
        list_remove(&h->link);
    free(h);
    return 0;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned flags)
{
    MOCK_ENTER(xengnttab_open, NULL);

    (void)logger;
    (void)flags;
    return handle_new();
}

int xengnttab_close(xengnttab_handle *h)
{
    MOCK_INSIDE();

    return handle_close(h);
}

static struct group *map(xengnttab_handle *h, uint32_t count, uint32_t domid, const uint32_t *refs, bool writable)
{
    const struct memory *m = memory_of(domid);
    struct group *g;

    for (uint32_t i = 0; i < count; i++)
        if (refs[i] >= REFS || !m->grant[refs[i]].granted || (writable && !m->grant[refs[i]].writable)) {
            errno = EINVAL;
            return NULL;
        }
    g = group_new(h, domid, count, 64);         /* as a cache line: what lies beside it is not ours */
    for (uint32_t i = 0; i < count; i++)
        move_in(g, i, m->grant[refs[i]].page);
    return g;
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *h, uint32_t count, uint32_t domid, uint32_t *refs, int prot)
{
    MOCK_ENTER(xengnttab_map, NULL);
    struct group *g = map(h, count, domid, refs, prot & 2);

    return g ? g->at : NULL;
}

void *xengnttab_map_grant_ref(xengnttab_handle *h, uint32_t domid, uint32_t ref, int prot)
{
    return xengnttab_map_domain_grant_refs(h, 1, domid, &ref, prot);
}

void *xengnttab_map_grant_ref_notify(xengnttab_handle *h, uint32_t domid, uint32_t ref, int prot, uint32_t notify_offset,
                                     evtchn_port_t notify_port)
{
    MOCK_ENTER(xengnttab_map, NULL);
    struct group *g = map(h, 1, domid, &ref, prot & 2);

    if (!g)
        return NULL;
    g->notify_offset = notify_offset;
    g->notify_port = notify_port;
    g->notify_domid = h->domid;
    return g->at;
}

int xengnttab_unmap(xengnttab_handle *h, void *at, uint32_t count)
{
    MOCK_INSIDE();

    dissolve(group_at(h, at, count));
    return 0;
}

/* ---- sharing ---- */

xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger, unsigned flags)
{
    MOCK_ENTER(xengntshr_open, NULL);

    (void)logger;
    (void)flags;
    return handle_new();
}

int xengntshr_close(xengntshr_handle *h)
{
    MOCK_INSIDE();

    return handle_close(h);
}

int xengntshr_fd(xengntshr_handle *h)
{
    (void)h;
    return -1;
}

int xengnttab_fd(xengnttab_handle *h)
{
    (void)h;
    return -1;
}

static struct group *share(xengntshr_handle *h, int count, uint32_t *refs, bool writable)
{
    struct memory *m = memory_of(h->domid);
    struct group *g;

    if (m->next_page + (uint32_t)count > PAGES)
        m->next_page = m->next_ref = 0;
    MOCK_MUST(m->next_page + (uint32_t)count <= PAGES, "%d pages are too many", count);
    g = group_new(h, h->domid, (uint32_t)count, PAGE);
    g->shared = true;
    memset(g->at, 0, (size_t)count * PAGE);
    for (int i = 0; i < count; i++) {
        uint32_t page = m->next_page++, ref = m->next_ref++;

        MOCK_MUST(!m->page[page].in, "page %u is still shared", page);
        mock_page_clear(h->domid, page);
        move_in(g, (uint32_t)i, page);
        mock_grant(h->domid, ref, page, writable);
        refs[i] = ref;
    }
    return g;
}

void *xengntshr_share_pages(xengntshr_handle *h, uint32_t domid, int count, uint32_t *refs, int writable)
{
    MOCK_ENTER(xengntshr_share, NULL);

    (void)domid;
    return share(h, count, refs, writable)->at;
}

void *xengntshr_share_page_notify(xengntshr_handle *h, uint32_t domid, uint32_t *ref, int writable, uint32_t notify_offset,
                                  evtchn_port_t notify_port)
{
    MOCK_ENTER(xengntshr_share, NULL);
    struct group *g = share(h, 1, ref, writable);

    (void)domid;
    g->notify_offset = notify_offset;
    g->notify_port = notify_port;
    g->notify_domid = h->domid;
    return g->at;
}

/* Whoever has the page mapped keeps it: mock_page() goes on to give it. */
int xengntshr_unshare(xengntshr_handle *h, void *at, uint32_t count)
{
    MOCK_INSIDE();
    struct group *g = group_at(h, at, count);
    struct memory *m = memory_of(g->domid);

    for (uint32_t i = 0; i < count; i++)
        for (uint32_t ref = 0; ref < REFS; ref++)
            if (m->grant[ref].granted && m->grant[ref].page == g->page[i])
                m->grant[ref].granted = false;
    dissolve(g);
    return 0;
}

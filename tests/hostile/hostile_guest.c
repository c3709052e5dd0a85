/* SPDX-License-Identifier: MIT */
/* hostile_guest.c: a program in a real guest, with the kernel's own gntalloc and event channels, that breaks the handshake in one way
 * (tests/xenlab/groups/45-hostile.sh).
 *
 *     hostile_guest connect          does it right, and ends in order
 *     hostile_guest twice            one page is granted as all pages of the rx pool, and the tx ring's are the rx ring's, too
 *     hostile_guest control          the control page is the tx ring, too
 *     hostile_guest other DOMID      rings and pools are granted to another domain
 *     hostile_guest read-only        they are granted for reading alone
 *     hostile_guest gone             they were taken back before the daemon is told of them
 *     hostile_guest revoked          they are taken back while the daemon has them mapped and reads them
 *     hostile_guest stays            the same, and stays until it is killed
 *     hostile_guest killed STEP      is killed in the middle: init, share, nodes, told, mapped, connected, busy, closing
 *
 * Prints the backend's last state, where it waits for one: "backend 4".  Status 0, or 1 with a sentence. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hosted.h"
#include "parse.h"
#include "rawfront.h"

#define PAGES(f) (2u * (1u << (f)->order) + 2u * (f)->pool)
#define PORT     70u

static struct rawfront f;
static const char *kill_at = "";

/* There is nothing to become: this is a domain. */
void hosted_become(uint32_t domid)
{
    (void)domid;
}

static void check(int err, const char *what)
{
    if (!err)
        return;
    fprintf(stderr, "hostile_guest: %s: %s\n", what, strerror(-err));
    exit(1);
}

static void step(const char *name)
{
    if (!strcmp(name, kill_at))
        kill(getpid(), SIGKILL);
}

/* As rawfront_open(), from whatever state an earlier one has left. */
static void open_device(void)
{
    struct back_nodes nodes;
    char why[PARSE_WHY] = "";

    f.port = -1;
    f.order = RAWFRONT_ORDER;
    f.pool = RAWFRONT_POOL;
    check(store_open(&f.store), "xenstore");
    check(nodes_find(f.store, 0, &f.paths, &f.id, why), "the device");
    check(rawfront_set_state(&f, "1"), "state 1");
    check(rawfront_wait(&f, VSOCKIF_INITWAIT), "the backend's 2");
    check(nodes_read_back(f.store, &f.paths, &nodes, why), "the backend's nodes");
    f.cid = nodes.cid;
    step("init");
}

/* Rings and pools are other pages: granted to domid, and for writing or not. */
static void share_others(uint32_t domid, int writable)
{
    uint32_t count = PAGES(&f), *refs = calloc(count, sizeof *refs);
    void *pages = refs ? xengntshr_share_pages(f.gntshr, domid, (int)count, refs, writable) : NULL;

    check(pages ? 0 : -errno, "other pages");
    memset(pages, 0, count * VSOCKIF_PAGE_SIZE);
    memcpy(f.control->ref, refs, count * sizeof *refs);
    free(refs);
}

static void take_back(void)
{
    xengntshr_unshare(f.gntshr, f.pages, PAGES(&f));
    f.pages = NULL;
}

/* What the backend makes of it: it connects, or closes. */
static unsigned outcome(void)
{
    uint8_t own, back = 0;
    char why[PARSE_WHY];

    for (int i = 0; i < 12000; i++) {
        check(nodes_look(f.store, f.paths.front, f.paths.back, &own, &back, why), "the states");
        if (back == VSOCKIF_CONNECTED || back >= VSOCKIF_CLOSING)
            break;
        usleep(10000);
    }
    printf("backend %u\n", back);
    fflush(stdout);
    return back;
}

static void flood(void)
{
    for (uint32_t i = 0; i < 16; i++) {
        struct vsockif_hdr hdr = rawfront_header(&f, VSOCKIF_OP_REQUEST, PORT + i, 4);

        rawfront_send(&f, &hdr);
    }
    rawfront_kick(&f);
}

static void post_all(void)
{
    for (uint32_t id = 0; id < ring_slots(&f.rx); id++)
        rawfront_post(&f, id);
}

static void leave(void)
{
    check(rawfront_set_state(&f, "5"), "state 5");
    step("closing");
    check(rawfront_wait(&f, VSOCKIF_CLOSED), "the backend's 6");
    rawfront_close(&f);
}

/* What is spoilt before the backend is told. */
static void spoil(const char *how, const char *argument)
{
    uint32_t ring = 1u << f.order, *ref = f.control->ref;

    if (!strcmp(how, "twice")) {
        memcpy(ref + ring, ref, ring * sizeof *ref);
        for (uint32_t i = 1; i < f.pool; i++)
            ref[2 * ring + f.pool + i] = ref[2 * ring + f.pool];
    } else if (!strcmp(how, "control")) {
        ref[0] = f.control_ref;
    } else if (!strcmp(how, "other")) {
        share_others((uint32_t)atoi(argument), 1);
    } else if (!strcmp(how, "read-only")) {
        share_others(0, 0);
    } else if (!strcmp(how, "gone")) {
        take_back();
    }
}

static void tell(void)
{
    struct front_nodes nodes = { .version = VSOCKIF_VERSION, .control_ref = f.control_ref,
                                 .event_channel = (uint32_t)f.port, .queues = 1 };

    if (!strcmp(kill_at, "nodes")) {
        check(rawfront_write(&f, "control-ref", "1"), "a node");
        step("nodes");
    }
    check(nodes_share(f.store, &f.paths, &nodes), "state 3");
    step("told");
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "connect", *argument = argc > 2 ? argv[2] : "";

    if (!strcmp(how, "killed"))
        kill_at = argument;
    open_device();
    check(rawfront_share(&f), "sharing pages");
    step("share");
    spoil(how, argument);
    tell();
    if (outcome() != VSOCKIF_CONNECTED) {
        check(rawfront_set_state(&f, "6"), "state 6");
        rawfront_close(&f);
        return 0;
    }
    step("mapped");
    check(rawfront_set_state(&f, "4"), "state 4");
    step("connected");
    if (f.pages && strcmp(how, "twice") && strcmp(how, "control"))
        post_all();
    if (f.pages)
        flood();
    step("busy");
    if (!strcmp(how, "revoked") || !strcmp(how, "stays")) {
        take_back();
        xenevtchn_notify(f.evtchn, (evtchn_port_t)f.port);
    }
    if (!strcmp(how, "stays")) {
        puts("taken back");
        fflush(stdout);
        for (;;)
            pause();
    }
    leave();
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* test_store.c: store.c, nodes.c, attach.c and domains.c before a real xenstored, as dom0 and as guests.
 *
 * Run by "make check-hosted" in the dom0 of a hosted Xen with guests 1 to 4.  Every test cleans up after itself, so that
 * each can run alone; the last ones end a connection and a domain. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "../../tools/xensim/become.h"
#include "attach.h"
#include "clock.h"
#include "domains.h"
#include "harness.h"
#include "life.h"
#include "nodes.h"
#include "parse.h"
#include "store.h"
#include "vsockif.h"

static char why[PARSE_WHY];

static struct store *store_as(unsigned domid)
{
    struct store *s = NULL;

    xensim_become(domid);
    REQUIRE(store_open(&s) == 0);
    return s;
}

/* The next keys that fire, waiting for at most ms. */
static int wait_for(struct store *s, struct watch_key *out, size_t max, int ms)
{
    uint64_t end = clock_now_ms() + (uint64_t)ms;
    int count;

    while ((count = store_drain(s, out, max)) == 0 && clock_now_ms() < end) {
        struct pollfd p = { .fd = store_fd(s), .events = POLLIN };

        poll(&p, 1, 20);
    }
    return count;
}

/* Those that have fired for what has been done so far.  xenstored tells of a change before it answers whoever made it, and in
 * the order of what it answers this connection. */
static int fired(struct store *s, struct watch_key *out, size_t max)
{
    EQ(store_check(s), 0);
    return store_drain(s, out, max);
}

static void quiet(struct store *s)
{
    struct watch_key key;

    while (fired(s, &key, 1) > 0)
        ;
}

static struct attach_device device(uint32_t front, uint32_t number)
{
    return (struct attach_device){ .id = { front, 0, number }, .cid = 100 + front };
}

static bool holds(struct store *s, const char *path, const char *value)
{
    char text[256];

    return store_read(s, path, text, sizeof text) >= 0 && strcmp(text, value) == 0;
}

/* ---- devices -------------------------------------------------------------------------------------------- */

static void a_device_has_the_nodes_and_permissions_of_the_wire(void)
{
    static const struct { const char *path, *value; uint32_t owner, reader; } nodes[] = {
        { "/local/domain/1/device/vsock/0/backend", "/local/domain/0/backend/vsock/1/0", 1, 0 },
        { "/local/domain/1/device/vsock/0/backend-id", "0", 1, 0 },
        { "/local/domain/1/device/vsock/0/state", "1", 1, 0 },
        { "/local/domain/0/backend/vsock/1", "", 0, 1 },
        { "/local/domain/0/backend/vsock/1/0/frontend", "/local/domain/1/device/vsock/0", 0, 1 },
        { "/local/domain/0/backend/vsock/1/0/frontend-id", "1", 0, 1 },
        { "/local/domain/0/backend/vsock/1/0/cid", "101", 0, 1 },
        { "/local/domain/0/backend/vsock/1/0/state", "1", 0, 1 },
    };
    struct store *host = store_as(0);
    struct attach_device d = device(1, 0);

    EQ(attach_create(host, &d), 0);
    for (unsigned i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        uint32_t owner = 99, reader = 99;

        CU_ASSERT_TRUE(holds(host, nodes[i].path, nodes[i].value));
        EQ(store_permissions(host, nodes[i].path, &owner, &reader), 0);
        EQ(owner, nodes[i].owner);
        EQ(reader, nodes[i].reader);
    }
    EQ(attach_create(host, &d), -EEXIST);
    EQ(attach_remove(host, &d.id), 0);
    CU_ASSERT_FALSE(store_exists(host, "/local/domain/1/device/vsock"));
    CU_ASSERT_FALSE(store_exists(host, "/local/domain/0/backend/vsock"));
    EQ(attach_remove(host, &d.id), 0);
    store_close(host);
}

static void a_device_needs_a_domain_and_a_cid(void)
{
    struct store *host = store_as(0);
    struct attach_device d = device(999, 0);

    EQ(attach_create(host, &d), -ENOENT);
    CU_ASSERT_FALSE(store_exists(host, "/local/domain/999"));
    d = device(1, 0);
    d.cid = 2;
    EQ(attach_create(host, &d), -EINVAL);
    d = device(1, 256);
    EQ(attach_create(host, &d), -EINVAL);
    store_close(host);
}

static void what_an_earlier_domain_left_is_replaced(void)
{
    struct store *host = store_as(0), *guest = store_as(1);
    struct attach_device d = device(1, 0), found;

    EQ(attach_create(host, &d), 0);
    EQ(store_write(host, "/local/domain/0/backend/vsock/1/0/state", "4"), 0);
    EQ(store_remove(host, "/local/domain/1/device/vsock/0"), 0);
    EQ(attach_find(host, &d.id, &found), 0);
    CU_ASSERT_TRUE(found.orphan);
    d.cid = 77;
    EQ(attach_create(host, &d), 0);
    CU_ASSERT_TRUE(holds(host, "/local/domain/0/backend/vsock/1/0/state", "1"));
    EQ(attach_find(host, &d.id, &found), 0);
    CU_ASSERT_FALSE(found.orphan);
    EQ(found.cid, 77);
    /* A guest that lies about its backend harms its own device alone. */
    EQ(store_write(guest, "device/vsock/0/backend", "/local/domain/0/backend/vsock/2/0"), 0);
    EQ(nodes_find(guest, 0, &(struct paths){ .front = "" }, NULL, why), 0);
    EQ(attach_find(host, &d.id, &found), 0);
    CU_ASSERT_TRUE(found.orphan);
    EQ(attach_create(host, &d), 0);
    EQ(attach_remove(host, &d.id), 0);
    store_close(guest);
    store_close(host);
}

static void devices_are_listed_and_numbered(void)
{
    struct store *host = store_as(0);
    struct attach_device list[8], a = device(1, 0), b = device(1, 1), c = device(2, 0);
    bool more;

    EQ(attach_list(host, 0, list, 8, &more), 0);
    EQ(attach_free_number(host, 1, 0), 0);
    EQ(attach_create(host, &a), 0);
    EQ(attach_create(host, &b), 0);
    EQ(attach_create(host, &c), 0);
    EQ(attach_free_number(host, 1, 0), 2);
    EQ(attach_remove(host, &a.id), 0);
    EQ(attach_free_number(host, 1, 0), 0);
    EQ(attach_list(host, 0, list, 8, &more), 2);
    CU_ASSERT_FALSE(more);
    EQ(list[0].id.front + list[1].id.front, 3);
    CU_ASSERT_FALSE(list[0].orphan || list[1].orphan);
    EQ(attach_list(host, 0, list, 1, &more), 1);
    CU_ASSERT_TRUE(more);
    EQ(attach_remove(host, &b.id), 0);
    EQ(attach_remove(host, &c.id), 0);
    EQ(attach_list(host, 0, list, 8, &more), 0);
    store_close(host);
}

static void the_wrong_guest_is_kept_out(void)
{
    struct store *host = store_as(0), *one = store_as(1), *two = store_as(2);
    struct attach_device d = device(1, 0);
    struct paths p;
    char text[64];
    uint8_t own, peer;

    EQ(attach_create(host, &d), 0);
    paths_of(&p, &d.id);
    EQ(store_read(two, "/local/domain/1/device/vsock/0/state", text, sizeof text), -EACCES);
    EQ(store_read(two, "/local/domain/0/backend/vsock/1/0/cid", text, sizeof text), -EACCES);
    EQ(store_write(two, "/local/domain/1/device/vsock/0/state", "3"), -EACCES);
    EQ(store_write(one, "/local/domain/0/backend/vsock/1/0/state", "2"), -EACCES);
    EQ(store_write(one, "/local/domain/0/backend/vsock/1/0/cid", "3"), -EACCES);
    EQ(store_remove(one, "/local/domain/0/backend/vsock/1/0"), -EACCES);
    EQ(attach_remove(two, &d.id), -EACCES);
    EQ(attach_create(two, &d), -ENOENT);            /* it does not even see the domain */
    EQ(nodes_look(two, p.front, p.back, &own, &peer, why), 0);
    EQ(own + peer, 0);
    EQ(nodes_find(two, 0, &p, NULL, why), -ENOENT);
    EQ(attach_remove(host, &d.id), 0);
    store_close(two);
    store_close(one);
    store_close(host);
}

/* ---- nodes ----------------------------------------------------------------------------------------------- */

static const struct back_nodes offer = { .versions = 1u << 1, .max_ring_page_order = 4, .max_pool_pages = 400, .max_queues = 1 };
static const struct front_nodes shared = { .version = 1, .control_ref = 8, .event_channel = 5, .queues = 1 };

static void the_two_ends_read_what_the_other_wrote(void)
{
    struct store *host = store_as(0), *guest = store_as(1);
    struct attach_device d = device(1, 0);
    struct back_nodes back, again = offer;
    struct front_nodes front, answer = shared;
    struct paths hp, gp;
    struct device_id id;
    uint8_t own, peer;

    EQ(attach_create(host, &d), 0);
    paths_of(&hp, &d.id);
    EQ(nodes_find(guest, 0, &gp, &id, why), 0);
    CU_ASSERT_STRING_EQUAL(gp.back, hp.back);
    EQ(id.front, 1);
    EQ(nodes_share(guest, &gp, &shared), -EAGAIN);           /* the backend is in 1 */
    EQ(nodes_read_back(guest, &gp, &back, why), -EAGAIN);
    EQ(nodes_read_front(host, &hp, &front, why), -EAGAIN);
    EQ(nodes_offer(host, &hp, &offer), 0);
    EQ(nodes_read_back(guest, &gp, &back, why), 0);
    EQ(back.cid, 101);
    EQ(back.versions, 2);
    EQ(back.max_ring_page_order, 4);
    EQ(back.max_pool_pages, 400);
    EQ(back.max_queues, 1);
    again.cid = 107;                                         /* offered again meanwhile, with another CID */
    EQ(nodes_offer(host, &hp, &again), 0);
    answer.cid = back.cid;
    EQ(nodes_share(guest, &gp, &answer), -EAGAIN);
    EQ(nodes_read_back(guest, &gp, &back, why), 0);
    EQ(back.cid, 107);
    answer.cid = back.cid;
    EQ(nodes_share(guest, &gp, &answer), 0);
    EQ(nodes_share(guest, &gp, &shared), -EAGAIN);           /* another frontend of the guest has shared already */
    EQ(nodes_offer(host, &hp, &offer), -EAGAIN);             /* the frontend is in 3 */
    EQ(nodes_read_front(host, &hp, &front, why), 0);
    EQ(front.version, 1);
    EQ(front.control_ref, 8);
    EQ(front.event_channel, 5);
    EQ(front.queues, 1);
    EQ(nodes_set_state(host, hp.back, 4), 0);
    EQ(nodes_look(guest, gp.front, gp.back, &own, &peer, why), 0);
    EQ(own, 3);
    EQ(peer, 4);
    EQ(nodes_refuse(host, &hp, "no\nroom"), 0);
    CU_ASSERT_TRUE(holds(guest, "/local/domain/0/error/backend/vsock/1/0/error", "no room"));
    CU_ASSERT_TRUE(holds(guest, "/local/domain/0/backend/vsock/1/0/state", "5"));
    EQ(nodes_clear_error(host, &hp), 0);
    CU_ASSERT_FALSE(store_exists(host, hp.error));
    EQ(attach_remove(host, &d.id), 0);
    store_close(guest);
    store_close(host);
}

/* An older end does not know the node, and one that a newer end has left behind must not speak for it. */
static void features_are_those_of_ends_that_have_them_now(void)
{
    const struct back_nodes newer = { .versions = 1u << 1 | 1u << 2, .features = VSOCKIF_FEATURE_SEQPACKET, .max_pool_pages = 400,
                                      .max_queues = 1 };
    struct store *host = store_as(0), *guest = store_as(1);
    struct attach_device d = device(1, 0);
    struct front_nodes front, answer = { .version = 2, .features = VSOCKIF_FEATURE_SEQPACKET, .control_ref = 8, .event_channel = 5,
                                         .queues = 1 };
    struct back_nodes back;
    struct paths p, gp;

    EQ(attach_create(host, &d), 0);
    paths_of(&p, &d.id);
    EQ(nodes_offer(host, &p, &newer), 0);
    EQ(nodes_find(guest, 0, &gp, NULL, why), 0);
    EQ(nodes_read_back(guest, &gp, &back, why), 0);
    EQ(back.versions, 1u << 1 | 1u << 2);
    EQ(back.features, VSOCKIF_FEATURE_SEQPACKET);
    CU_ASSERT_TRUE(holds(guest, "/local/domain/0/backend/vsock/1/0/features", "seqpacket"));
    EQ(nodes_share(guest, &gp, &answer), 0);
    EQ(nodes_read_front(host, &p, &front, why), 0);
    EQ(front.version, 2);
    EQ(front.features, VSOCKIF_FEATURE_SEQPACKET);
    EQ(nodes_set_state(guest, gp.front, 1), 0);
    EQ(nodes_share(guest, &gp, &shared), 0);                 /* version 1 again: the node is still there */
    CU_ASSERT_TRUE(holds(guest, "/local/domain/1/device/vsock/0/features", "seqpacket"));
    EQ(nodes_read_front(host, &p, &front, why), 0);
    EQ(front.version, 1);
    EQ(front.features, 0);
    EQ(store_write(guest, "/local/domain/1/device/vsock/0/state", "1"), 0);
    EQ(nodes_offer(host, &p, &offer), 0);
    CU_ASSERT_TRUE(holds(guest, "/local/domain/0/backend/vsock/1/0/features", "seqpacket"));
    EQ(nodes_read_back(guest, &gp, &back, why), 0);
    EQ(back.features, 0);
    answer.features = 0;                                     /* it knows features, and none of these */
    EQ(nodes_share(guest, &gp, &answer), 0);
    EQ(nodes_read_front(host, &p, &front, why), 0);
    EQ(front.features, 0);
    EQ(store_remove(guest, "/local/domain/1/device/vsock/0/features"), 0);
    EQ(nodes_read_front(host, &p, &front, why), -EPROTO);
    CU_ASSERT_STRING_EQUAL(why, "features: there is no such node");
    EQ(store_write(guest, "/local/domain/1/device/vsock/0/features", "seq packet"), 0);
    EQ(nodes_read_front(host, &p, &front, why), -EPROTO);
    EQ(attach_remove(host, &d.id), 0);
    store_close(guest);
    store_close(host);
}

static void what_is_missing_or_wrong_is_named(void)
{
    static const struct { const char *leaf, *value, *why; } wrong[] = {
        { "control-ref", "-1", "control-ref: \"-1\" is not a number from 0 to 4294967295" },
        { "event-channel", "0", "event-channel: \"0\" is not a number from 1 to 4294967295" },
        { "version", NULL, "version: there is no such node" },
        { "multi-queue-num-queues", "65", "multi-queue-num-queues: \"65\" is not a number from 1 to 64" },
    };
    struct store *host = store_as(0), *guest = store_as(1);
    struct attach_device d = device(1, 0);
    struct front_nodes front;
    struct paths p, gp;
    char path[PATHS_MAX], big[2001];
    uint8_t own, peer;

    EQ(attach_create(host, &d), 0);
    paths_of(&p, &d.id);
    EQ(nodes_offer(host, &p, &offer), 0);
    EQ(nodes_find(guest, 0, &gp, NULL, why), 0);
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        EQ(nodes_set_state(guest, gp.front, 1), 0);
        EQ(nodes_share(guest, &gp, &shared), 0);
        paths_join(path, gp.front, wrong[i].leaf);
        EQ(wrong[i].value ? store_write(guest, path, wrong[i].value) : store_remove(guest, path), 0);
        EQ(nodes_read_front(host, &p, &front, why), -EPROTO);
        CU_ASSERT_STRING_EQUAL(why, wrong[i].why);
    }
    memset(big, '1', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    EQ(store_write(guest, "device/vsock/0/state", big), 0);
    EQ(nodes_look(host, p.back, p.front, &own, &peer, why), 0);
    EQ(peer, 0);
    CU_ASSERT_STRING_EQUAL(why, "state: the value is too long, or not text");
    EQ(store_write(guest, "device/vsock/0/state", "x4"), 0);
    EQ(nodes_look(host, p.back, p.front, &own, &peer, why), 0);
    EQ(peer, 0);
    CU_ASSERT_STRING_EQUAL(why, "state: \"x4\" is not a number from 1 to 6");
    EQ(store_remove(guest, "device/vsock/0/state"), 0);
    EQ(nodes_look(host, p.back, p.front, &own, &peer, why), 0);
    EQ(peer, 0);
    CU_ASSERT_STRING_EQUAL(why, "");
    EQ(attach_remove(host, &d.id), 0);
    store_close(guest);
    store_close(host);
}

static void a_removed_device_is_not_half_made_again(void)
{
    struct store *host = store_as(0), *guest = store_as(1);
    struct attach_device d = device(1, 0);
    struct paths p, gp;

    EQ(attach_create(host, &d), 0);
    paths_of(&p, &d.id);
    EQ(nodes_find(guest, 0, &gp, NULL, why), 0);
    EQ(attach_remove(host, &d.id), 0);
    EQ(nodes_set_state(host, p.back, 5), -ENOENT);
    EQ(nodes_offer(host, &p, &offer), -ENOENT);
    EQ(nodes_refuse(host, &p, "late"), -ENOENT);
    EQ(nodes_set_state(guest, gp.front, 6), -ENOENT);
    EQ(nodes_share(guest, &gp, &shared), -ENOENT);
    CU_ASSERT_FALSE(store_exists(host, p.back));
    CU_ASSERT_FALSE(store_exists(host, p.front));
    CU_ASSERT_FALSE(store_exists(host, p.error));
    store_close(guest);
    store_close(host);
}

struct comer { struct store *s; struct attach_device d; atomic_bool stop; };

static void *come_and_go(void *arg)
{
    struct comer *c = arg;

    while (!atomic_load(&c->stop)) {
        attach_create(c->s, &c->d);
        attach_remove(c->s, &c->d.id);
    }
    return NULL;
}

/* However the requests of the two fall between each other. */
static void a_device_that_comes_and_goes_is_there_or_not(void)
{
    struct comer host = { .s = store_as(0), .d = device(1, 0) };
    struct store *guest = store_as(1);
    unsigned there = 0, absent = 0, other = 0;
    uint64_t end = clock_now_ms() + PATIENCE_MS;
    struct device_id id;
    pthread_t thread;
    struct paths p;

    REQUIRE(pthread_create(&thread, NULL, come_and_go, &host) == 0);
    while ((there < 500 || absent < 500) && !other && clock_now_ms() < end) {
        int err = nodes_find(guest, 0, &p, &id, why);

        there += err == 0;
        absent += err == -ENOENT;
        other += err && err != -ENOENT && err != -EAGAIN;
    }
    atomic_store(&host.stop, true);
    pthread_join(thread, NULL);
    CU_ASSERT_TRUE(there >= 500 && absent >= 500);
    if (other)
        CU_ASSERT_STRING_EQUAL(why, "");
    store_close(guest);
    store_close(host.s);
}

static void the_number_of_nodes_is_constant(void)
{
    struct store *host = store_as(0), *guest = store_as(1);
    struct attach_device d = device(1, 0);
    char names[32][STORE_NAME];
    struct paths p, gp;

    EQ(attach_create(host, &d), 0);
    paths_of(&p, &d.id);
    EQ(nodes_find(guest, 0, &gp, NULL, why), 0);
    for (unsigned i = 0; i < 10; i++) {
        EQ(nodes_offer(host, &p, &offer), 0);
        EQ(nodes_share(guest, &gp, &shared), 0);
        EQ(nodes_set_state(host, p.back, 4), 0);
        EQ(nodes_set_state(guest, gp.front, 4), 0);
        EQ(nodes_refuse(host, &p, "again"), 0);
        EQ(nodes_set_state(guest, gp.front, 6), 0);
        EQ(nodes_set_state(guest, gp.front, 1), 0);
    }
    EQ(store_list(host, p.front, names, 32, NULL), 6);
    EQ(store_list(host, p.back, names, 32, NULL), 7);
    EQ(attach_remove(host, &d.id), 0);
    store_close(guest);
    store_close(host);
}

/* ---- transactions, bounds ------------------------------------------------------------------------------------ */

struct conflict { struct store *other; unsigned runs, disturbed; };

static int disturbed_body(struct store *s, void *arg)
{
    struct conflict *c = arg;
    char text[16];

    if (store_read(s, "/local/domain/1/data/x", text, sizeof text) < 0 || store_write(s, "/local/domain/1/data/y", "1"))
        return -EIO;
    if (c->runs++ < c->disturbed)
        store_writef(c->other, "/local/domain/1/data/x", "%u", c->runs);
    return (int)c->runs;
}

static int failing_body(struct store *s, void *arg)
{
    (void)arg;
    return store_write(s, "/local/domain/1/data/y", "never") ? -EIO : -EDOM;
}

static void a_conflict_is_retried_but_not_for_ever(void)
{
    struct store *host = store_as(0), *guest = store_as(1);
    struct conflict c = { .other = guest, .disturbed = 3 };

    EQ(store_write(guest, "data/x", "0"), 0);
    EQ(store_transact(host, disturbed_body, &c), 4);
    c = (struct conflict){ .other = guest, .disturbed = 1000 };
    EQ(store_transact(host, disturbed_body, &c), -EAGAIN);
    EQ(c.runs, STORE_TRIES);
    EQ(store_transact(host, failing_body, NULL), -EDOM);
    CU_ASSERT_TRUE(holds(host, "/local/domain/1/data/y", "1"));
    EQ(store_remove(guest, "data/x"), 0);
    EQ(store_remove(host, "/local/domain/1/data/y"), 0);
    store_close(guest);
    store_close(host);
}

/* Two nodes that another writes together: half of what was before and half of what is now is a reason to give up. */
static int torn_body(struct store *s, void *arg)
{
    struct conflict *c = arg;
    char x[16], y[16];

    if (store_read(s, "/local/domain/1/data/x", x, sizeof x) < 0)
        return -EIO;
    if (c->runs++ < c->disturbed) {
        store_writef(c->other, "/local/domain/1/data/x", "%u", c->runs);
        store_writef(c->other, "/local/domain/1/data/y", "%u", c->runs);
    }
    return store_read(s, "/local/domain/1/data/y", y, sizeof y) < 0 || strcmp(x, y) ? -EPROTO : 0;
}

static void nobody_gives_up_for_what_was_read_of_two_moments(void)
{
    struct store *host = store_as(0), *guest = store_as(1);
    struct conflict c = { .other = guest, .disturbed = 3 };

    EQ(store_write(guest, "data/x", "0"), 0);
    EQ(store_write(guest, "data/y", "0"), 0);
    EQ(store_transact(host, torn_body, &c), 0);
    EQ(c.runs, 4);
    EQ(store_write(guest, "data/y", "other"), 0);
    EQ(store_transact(host, torn_body, &c), -EPROTO);       /* they do not fit, and were read at one moment */
    EQ(c.runs, 5);
    EQ(store_remove(guest, "data/x"), 0);
    EQ(store_remove(guest, "data/y"), 0);
    store_close(guest);
    store_close(host);
}

static void values_and_lists_are_bounded(void)
{
    struct store *host = store_as(0), *guest = store_as(1);
    char text[8], names[4][STORE_NAME], longest[81] = "data/";
    bool more;

    EQ(store_write(guest, "data/v", "1234567"), 0);
    EQ(store_read(host, "/local/domain/1/data/v", text, sizeof text), 7);
    EQ(store_write(guest, "data/v", "12345678"), 0);
    EQ(store_read(host, "/local/domain/1/data/v", text, sizeof text), -EMSGSIZE);
    memset(longest + 5, 'n', 75);
    EQ(store_write(guest, longest, ""), 0);
    for (unsigned i = 0; i < 10; i++) {
        char path[32];

        snprintf(path, sizeof path, "data/c%u", i);
        EQ(store_write(guest, path, ""), 0);
    }
    EQ(store_list(host, "/local/domain/1/data", names, 4, &more), 4);
    CU_ASSERT_TRUE(more);
    EQ(store_list(host, "/local/domain/1/nothing", names, 4, &more), -ENOENT);
    EQ(store_remove(guest, longest), 0);
    EQ(store_remove(guest, "data/v"), 0);
    for (unsigned i = 0; i < 10; i++) {
        char path[32];

        snprintf(path, sizeof path, "data/c%u", i);
        EQ(store_remove(guest, path), 0);
    }
    store_close(guest);
    store_close(host);
}

static void a_guest_over_quota_is_told_so(void)
{
    struct store *guest = store_as(2);
    int err = 0;
    unsigned i;

    for (i = 0; i < 2000 && !err; i++) {
        char path[32];

        snprintf(path, sizeof path, "data/d%u/n%u", i / 100, i);
        err = store_write(guest, path, "");
    }
    EQ(err, -ENOSPC);
    EQ(store_check(guest), 0);
    for (i = 0; i < 20; i++) {
        char path[32];

        snprintf(path, sizeof path, "data/d%u", i);
        EQ(store_remove(guest, path), 0);
    }
    store_close(guest);
}

static void a_watch_over_quota_fails_and_the_store_can_go_on(void)
{
    struct store *guest = store_as(2);
    struct watch_key key = { WATCH_OTHER, 0, 0 };
    char text[16];
    int err = 0;

    for (key.number = 0; key.number < 300 && !err; key.number++)
        err = store_watch(guest, "data", &key);
    CU_ASSERT_TRUE(err == -E2BIG || err == -ENOSPC || err == -ECONNRESET);
    if (err == -ECONNRESET)
        EQ(store_reopen(guest), 0);
    EQ(store_read(guest, "domid", text, sizeof text), 1);
    for (; key.number > 1; key.number--)
        store_unwatch(guest, &(struct watch_key){ WATCH_OTHER, 0, key.number - 2 });
    EQ(store_watch(guest, "data", &(struct watch_key){ WATCH_OTHER, 0, 0 }), 0);
    store_close(guest);
}

/* ---- watches -------------------------------------------------------------------------------------------------- */

static void a_thousand_writes_are_one_event(void)
{
    struct store *host = store_as(0), *guest = store_as(1);
    struct attach_device d = device(1, 0);
    struct watch_key key = { WATCH_FRONT, 1, 0 }, out[4];
    struct paths p;
    char path[PATHS_MAX];

    EQ(attach_create(host, &d), 0);
    paths_of(&p, &d.id);
    EQ(store_watch(host, paths_join(path, p.front, "state"), &key), 0);
    EQ(store_watch(host, path, &key), -EEXIST);
    EQ(wait_for(host, out, 4, PATIENCE_MS), 1);        /* a watch fires at once */
    EQ(out[0].kind, WATCH_FRONT);
    EQ(out[0].domid, 1);
    quiet(host);
    for (unsigned i = 0; i < 1000; i++)
        EQ(store_writef(guest, "device/vsock/0/state", "%u", 1 + i % 6), 0);
    EQ(fired(host, out, 4), 1);
    EQ(fired(host, out, 4), 0);
    EQ(store_unwatch(host, &key), 0);
    EQ(store_unwatch(host, &key), -ENOENT);
    EQ(store_write(guest, "device/vsock/0/state", "1"), 0);
    EQ(fired(host, out, 4), 0);
    EQ(attach_remove(host, &d.id), 0);
    store_close(guest);
    store_close(host);
}

static void a_guest_hears_of_its_device_coming_and_going(void)
{
    struct store *host = store_as(0), *guest = store_as(1);
    struct attach_device d = device(1, 0);
    struct watch_key key = { WATCH_OWN, 0, 0 }, out;
    char dir[PATHS_MAX];

    paths_front_own(dir, 0);
    EQ(store_watch(guest, dir, &key), 0);
    quiet(guest);
    EQ(attach_create(host, &d), 0);
    EQ(wait_for(guest, &out, 1, PATIENCE_MS), 1);
    EQ(out.kind, WATCH_OWN);
    quiet(guest);
    EQ(attach_remove(host, &d.id), 0);
    EQ(wait_for(guest, &out, 1, PATIENCE_MS), 1);
    store_close(guest);
    store_close(host);
}

/* ---- domains --------------------------------------------------------------------------------------------------- */

static void domains_have_uuids(void)
{
    struct store *host = store_as(0);
    char vm[64], uuid[DOMAINS_UUID];

    REQUIRE(store_read(host, "/local/domain/1/vm", vm, sizeof vm) > 0);
    EQ(domains_uuid(host, 1, uuid), 0);
    CU_ASSERT_STRING_EQUAL(uuid, vm + 4);
    EQ(domains_uuid(host, 999, uuid), -ENOENT);
    for (size_t i = 0; i < 4; i++) {
        static const char *const bad[] = { "", "/vm/", "/vm/01234567-89ab-cdef-0123-456789abcdef-1", "/vn/01234567-89ab-cdef-0123-456789abcdef" };

        EQ(store_write(host, "/local/domain/1/vm", bad[i]), 0);
        EQ(domains_uuid(host, 1, uuid), -EINVAL);
    }
    EQ(store_write(host, "/local/domain/1/vm", vm), 0);
    store_close(host);
}

static void domains_have_numbers_and_names(void)
{
    struct store *host = store_as(0), *guest = store_as(2);
    uint32_t ids[16], id = 99;
    char name[DOMAINS_NAME];
    bool more;

    EQ(domains_list(host, ids, 16, &more), 5);
    CU_ASSERT_FALSE(more);
    for (uint32_t i = 0; i < 5; i++)
        EQ(ids[i], i);
    EQ(domains_list(host, ids, 2, &more), 2);
    CU_ASSERT_TRUE(more);
    EQ(domains_name(host, 2, name), 0);
    CU_ASSERT_STRING_EQUAL(name, "dom2");
    EQ(domains_name(host, 999, name), -ENOENT);
    EQ(domains_resolve(host, "dom2", &id), 0);
    EQ(id, 2);
    EQ(domains_resolve(host, "1", &id), 0);
    EQ(id, 1);
    EQ(domains_resolve(host, "999", &id), -ENOENT);
    EQ(domains_resolve(host, "nobody", &id), -ENOENT);
    EQ(domains_resolve(host, "a/b", &id), -EINVAL);
    EQ(domains_self(guest, &id), 0);
    EQ(id, 2);

    /* Namesakes: the newest is meant. */
    EQ(store_write(host, "/local/domain/3/name", "dom2"), 0);
    EQ(domains_resolve(host, "dom2", &id), 0);
    EQ(id, 3);
    EQ(store_write(host, "/local/domain/3/name", "dom3"), 0);
    EQ(store_write(host, "/local/domain/2/name", "x\x1b[2J"), 0);
    EQ(domains_name(host, 2, name), -EINVAL);
    EQ(store_write(host, "/local/domain/2/name", "dom2"), 0);
    store_close(guest);
    store_close(host);
}

/* ---- both machines, over a real xenstored, with pages of air ----------------------------------------------------- */

struct pages { bool front_live, back_live, mapped; };

struct end {
    struct store *s;
    struct paths p;
    struct pages *pages;
    struct life_front f;
    struct life_back b;
};

static int front_performs(struct end *e, enum life_act act)
{
    struct back_nodes offered;
    int err;

    switch (act) {
    case LIFE_SHARE:
        if ((err = nodes_read_back(e->s, &e->p, &offered, why)))
            return err;
        *e->pages = (struct pages){ .front_live = true };
        return nodes_share(e->s, &e->p, &shared);
    case LIFE_RESET:   return 0;
    case LIFE_UNSHARE: CU_ASSERT_FALSE(e->pages->mapped); e->pages->front_live = false; return 0;
    case LIFE_CONNECT: return nodes_set_state(e->s, e->p.front, 4);
    case LIFE_CLOSING: return nodes_set_state(e->s, e->p.front, 5);
    case LIFE_CLOSED:  return nodes_set_state(e->s, e->p.front, 6);
    case LIFE_RESTART: return nodes_set_state(e->s, e->p.front, 1);
    default:           return -EINVAL;
    }
}

static int back_performs(struct end *e, enum life_act act)
{
    struct front_nodes front;
    int err;

    switch (act) {
    case LIFE_OFFER: return nodes_offer(e->s, &e->p, &offer);
    case LIFE_MAP:
        if ((err = nodes_read_front(e->s, &e->p, &front, why)))
            return err;
        if (!e->pages->front_live)
            return -EINVAL;
        e->pages->mapped = e->pages->back_live = true;
        return 0;
    case LIFE_UNMAP:   e->pages->mapped = e->pages->back_live = false; return 0;
    case LIFE_CONNECT: return nodes_set_state(e->s, e->p.back, 4);
    case LIFE_REFUSE:  return nodes_refuse(e->s, &e->p, e->b.why);
    case LIFE_CLOSING: return nodes_set_state(e->s, e->p.back, 5);
    case LIFE_CLOSED:  return nodes_set_state(e->s, e->p.back, 6);
    default:           return -EINVAL;
    }
}

static void drive_front(struct end *e)
{
    struct life_look look = { .live = true };
    enum life_act act;
    int err;

    EQ(nodes_look(e->s, e->p.front, e->p.back, &look.own, &look.peer, why), 0);
    look.live = !e->f.shares || e->pages->back_live;
    life_front_look(&e->f, &look, clock_now_ms());
    while ((act = life_front_next(&e->f, clock_now_ms())) != LIFE_WAIT) {
        err = front_performs(e, act);
        life_front_done(&e->f, act, err, clock_now_ms());
    }
}

static void drive_back(struct end *e)
{
    struct life_look look = { .live = true };
    enum life_act act;
    int err;

    EQ(nodes_look(e->s, e->p.back, e->p.front, &look.own, &look.peer, why), 0);
    look.live = !e->b.mapped || e->pages->front_live;
    life_back_look(&e->b, &look, clock_now_ms());
    while ((act = life_back_next(&e->b, clock_now_ms())) != LIFE_WAIT) {
        err = back_performs(e, act);
        life_back_done(&e->b, act, err, clock_now_ms());
    }
}

static bool connect_within(struct end *guest, struct end *host, int ms)
{
    uint64_t end = clock_now_ms() + (uint64_t)ms;

    while (clock_now_ms() < end) {
        drive_front(guest);
        drive_back(host);
        drive_front(guest);
        if (life_front_is_connected(&guest->f) && life_back_is_connected(&host->b))
            return true;
        usleep(1000);
    }
    return false;
}

static void both_machines_connect_close_crash_and_come_back(void)
{
    struct attach_device d = device(1, 0);
    struct pages pages = { .front_live = false };
    struct end host = { .s = store_as(0), .pages = &pages }, guest = { .s = store_as(1), .pages = &pages };

    EQ(attach_create(host.s, &d), 0);
    paths_of(&host.p, &d.id);
    EQ(nodes_find(guest.s, 0, &guest.p, NULL, why), 0);
    life_front_init(&guest.f, 1, clock_now_ms());
    life_back_init(&host.b, 1, clock_now_ms());
    CU_ASSERT_TRUE(connect_within(&guest, &host, PATIENCE_MS));

    pages.mapped = pages.back_live = false;         /* the daemon is killed, and started again */
    life_back_init(&host.b, 4, clock_now_ms());
    CU_ASSERT_TRUE(connect_within(&guest, &host, PATIENCE_MS));

    pages.front_live = false;                       /* the agent is killed, and started again */
    life_front_init(&guest.f, 4, clock_now_ms());
    CU_ASSERT_TRUE(connect_within(&guest, &host, PATIENCE_MS));

    life_back_refuse(&host.b, "the test says so", clock_now_ms());
    drive_back(&host);
    CU_ASSERT_TRUE(holds(guest.s, "/local/domain/0/error/backend/vsock/1/0/error", "the test says so"));
    CU_ASSERT_TRUE(connect_within(&guest, &host, PATIENCE_MS));

    life_back_close(&host.b);                       /* detached in the middle, and attached again */
    drive_back(&host);
    CU_ASSERT_TRUE(life_back_is_over(&host.b));
    EQ(attach_remove(host.s, &d.id), 0);
    drive_front(&guest);
    CU_ASSERT_TRUE(life_front_is_gone(&guest.f));
    EQ(attach_create(host.s, &d), 0);
    life_back_init(&host.b, 1, clock_now_ms());
    CU_ASSERT_TRUE(connect_within(&guest, &host, PATIENCE_MS));

    life_front_close(&guest.f);
    drive_front(&guest);
    drive_back(&host);
    drive_front(&guest);
    CU_ASSERT_TRUE(life_front_is_over(&guest.f));
    CU_ASSERT_FALSE(pages.mapped);
    EQ(attach_remove(host.s, &d.id), 0);
    store_close(guest.s);
    store_close(host.s);
}

/* ---- the end of a connection, and of a domain ---------------------------------------------------------------------- */

/* Shuts every socket of this process that leads to dom0's xenstored, as its restart would. */
static void cut_connections(void)
{
    for (int fd = 3; fd < 64; fd++) {
        struct sockaddr_un peer;
        socklen_t len = sizeof peer;

        memset(&peer, 0, sizeof peer);
        if (getpeername(fd, (struct sockaddr *)&peer, &len) == 0 && peer.sun_family == AF_UNIX &&
            strstr(peer.sun_path, "/xenstored/socket"))
            shutdown(fd, SHUT_RDWR);
    }
}

static void a_dead_connection_is_noticed_and_reopened(void)
{
    struct store *host = store_as(0);
    struct watch_key keys[] = { { WATCH_INTRODUCE, 0, 0 }, { WATCH_RELEASE, 0, 0 }, { WATCH_FRONT, 1, 0 } }, out[8];
    char text[16];
    int fd;

    EQ(store_watch(host, "@introduceDomain", &keys[0]), 0);
    EQ(store_watch(host, "@releaseDomain", &keys[1]), 0);
    EQ(store_watch(host, "/local/domain/1/device/vsock/0/state", &keys[2]), 0);
    fd = store_fd(host);
    CU_ASSERT_TRUE(fd >= 0);
    quiet(host);
    cut_connections();
    EQ(wait_for(host, out, 8, PATIENCE_MS), -ECONNRESET);      /* without a request of our own */
    EQ(store_read(host, "domid", text, sizeof text), -ECONNRESET);
    EQ(store_write(host, "data", "x"), -ECONNRESET);
    EQ(store_transact(host, failing_body, NULL), -ECONNRESET);
    EQ(store_check(host), -ECONNRESET);
    EQ(store_fd(host), -ECONNRESET);
    EQ(store_reopen(host), 0);
    EQ(wait_for(host, out, 8, PATIENCE_MS), 3);                /* all of them: anything may have changed */
    CU_ASSERT_TRUE(store_read(host, "domid", text, sizeof text) >= 0);
    quiet(host);
    EQ(store_write(host, "/local/domain/1/data/x", "1"), 0);
    EQ(store_remove(host, "/local/domain/1/data/x"), 0);
    cut_connections();
    EQ(store_read(host, "domid", text, sizeof text), -ECONNRESET);  /* and when a request finds out */
    EQ(store_reopen(host), 0);
    store_close(host);
}

static void without_a_xenstored_opening_fails(void)
{
    struct store *s = NULL;

    xensim_become(0);
    setenv("XENSTORED_RUNDIR", "/nonexistent", 1);
    setenv("XENSTORED_PATH", "/nonexistent/xenbus", 1);
    EQ(store_open(&s), -ENOENT);
    CU_ASSERT_PTR_NULL(s);
    xensim_become(0);
}

static void a_dead_domain_is_heard_of_and_its_device_removed(void)
{
    struct store *host = store_as(0);
    struct attach_device d = device(4, 0), list[4];
    struct watch_key key = { WATCH_RELEASE, 0, 0 }, out;
    char command[512];
    uint64_t end = clock_now_ms() + PATIENCE_MS;

    EQ(attach_create(host, &d), 0);
    EQ(store_watch(host, "@releaseDomain", &key), 0);
    quiet(host);
    snprintf(command, sizeof command, "LSAN_OPTIONS= %s/xensim destroy %s 4", getenv("XENSIM_BIN"), getenv("XENSIM_DIR"));
    EQ(system(command), 0);
    EQ(wait_for(host, &out, 1, PATIENCE_MS), 1);
    EQ(out.kind, WATCH_RELEASE);
    while (domains_exists(host, 4) && clock_now_ms() < end)
        usleep(1000);
    CU_ASSERT_FALSE(domains_exists(host, 4));
    EQ(attach_list(host, 0, list, 4, NULL), 1);
    CU_ASSERT_TRUE(list[0].orphan);
    EQ(attach_remove(host, &d.id), 0);
    EQ(attach_list(host, 0, list, 4, NULL), 0);
    CU_ASSERT_FALSE(store_exists(host, "/local/domain/4"));
    store_close(host);
}

static const struct test tests[] = {
    TEST(a_device_has_the_nodes_and_permissions_of_the_wire),
    TEST(a_device_needs_a_domain_and_a_cid),
    TEST(what_an_earlier_domain_left_is_replaced),
    TEST(devices_are_listed_and_numbered),
    TEST(the_wrong_guest_is_kept_out),
    TEST(the_two_ends_read_what_the_other_wrote),
    TEST(features_are_those_of_ends_that_have_them_now),
    TEST(what_is_missing_or_wrong_is_named),
    TEST(a_removed_device_is_not_half_made_again),
    TEST(a_device_that_comes_and_goes_is_there_or_not),
    TEST(the_number_of_nodes_is_constant),
    TEST(a_conflict_is_retried_but_not_for_ever),
    TEST(nobody_gives_up_for_what_was_read_of_two_moments),
    TEST(values_and_lists_are_bounded),
    TEST(a_guest_over_quota_is_told_so),
    TEST(a_watch_over_quota_fails_and_the_store_can_go_on),
    TEST(a_thousand_writes_are_one_event),
    TEST(a_guest_hears_of_its_device_coming_and_going),
    TEST(domains_have_numbers_and_names),
    TEST(domains_have_uuids),
    TEST(both_machines_connect_close_crash_and_come_back),
    TEST(a_dead_connection_is_noticed_and_reopened),
    TEST(without_a_xenstored_opening_fails),
    TEST(a_dead_domain_is_heard_of_and_its_device_removed),
};

int main(int argc, char **argv)
{
    return harness_run("store", tests, sizeof tests / sizeof *tests, argc, argv);
}

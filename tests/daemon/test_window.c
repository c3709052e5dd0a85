/* SPDX-License-Identifier: MIT */
/* test_window.c: how much of its pool the daemon promises to a stream of a guest that has one, and when it takes that back.
 *
 * A guest by hand with the library's usual pool; it writes to the daemon's own service, which takes everything. */
#include <signal.h>

#include "admitted.h"
#include "hosted.h"
#include "rawfront.h"
#include "toolstack.h"

#define GUEST   1u
#define PORT    600u
#define DISCARD 9u
#define PIECE   (512u << 10)        /* promise.h: so much is looked at */
#define PACKETS 4u                  /* at once, which the first promise allows */

static struct rawfront guest;
static uint32_t sent;

static void start(void)
{
    struct vsockif_hdr hdr;

    toolstack_open();
    domain_make(GUEST, "web1", NULL);
    REQUIRE(daemon_start("[daemon]\nservices = yes\n") == 0);
    REQUIRE(rawfront_open(&guest, GUEST) == 0);
    guest.pool = 240;
    REQUIRE(daemon_connect(&guest) == 0);
    sent = 0;
    hdr = rawfront_header(&guest, VSOCKIF_OP_REQUEST, PORT, DISCARD);
    rawfront_send(&guest, &hdr);
    rawfront_kick(&guest);
    REQUIRE(rawfront_recv(&guest, &hdr, PATIENCE_MS) == 1 && hdr.op == VSOCKIF_OP_RESPONSE);
    EQ(hdr.buf_alloc, 256u << 10);
    EQ(rawfront_reap(&guest, 1, PATIENCE_MS), 1);
}

static void stop(void)
{
    rawfront_close(&guest);
    EQ(daemon_stop(SIGTERM), 0);
    domain_remove(GUEST);
    toolstack_close();
}

/* The buf_alloc that the daemon tells when it has taken so much more. */
static uint32_t told_after(uint32_t bytes)
{
    struct vsockif_hdr hdr;

    for (uint32_t end = sent + bytes; sent < end; ) {
        for (uint32_t i = 0; i < PACKETS; i++) {
            struct vsockif_slot slot = { .id = guest.next_id++ % ring_slots(&guest.tx), .off = i * VSOCKIF_MAX_PACKET,
                                         .size = VSOCKIF_MAX_PACKET };

            slot.hdr = rawfront_header(&guest, VSOCKIF_OP_RW, PORT, DISCARD);
            slot.hdr.len = slot.size;
            rawfront_put(&guest, &slot);
            sent += slot.size;
        }
        rawfront_kick(&guest);
        for (uint32_t n = 0, got; n < PACKETS; n += got)
            REQUIRE((got = rawfront_reap(&guest, 1, PATIENCE_MS)) > 0);
        hdr = rawfront_header(&guest, VSOCKIF_OP_CREDIT_REQUEST, PORT, DISCARD);
        rawfront_send(&guest, &hdr);
        rawfront_kick(&guest);
        EQ(rawfront_reap(&guest, 1, PATIENCE_MS), 1);
        do {
            REQUIRE(rawfront_recv(&guest, &hdr, PATIENCE_MS) == 1 && hdr.op == VSOCKIF_OP_CREDIT_UPDATE);
        } while (hdr.fwd_cnt != sent);
    }
    return hdr.buf_alloc;
}

static void a_stream_alone_is_promised_all_of_the_pool_but_a_packet(void)
{
    start();
    EQ(told_after(PIECE), 480u << 10);
    EQ(told_after(PIECE), 896u << 10);
    EQ(told_after(8 * PIECE), 896u << 10);
    stop();
}

/* The guest asks to be notified of a completion: somebody waits for it. */
static void what_is_more_than_half_goes_back_when_the_guest_waits_for_memory(void)
{
    start();
    EQ(told_after(2 * PIECE), 896u << 10);
    CU_ASSERT_TRUE(ring_arm(&guest.tx, 1));
    EQ(told_after(PIECE), 480u << 10);
    EQ(told_after(8 * PIECE), 480u << 10);
    EQ(told_after(100 * PIECE), 896u << 10);
    stop();
}

static void who_always_waits_for_memory_never_has_more_than_half(void)
{
    start();
    for (int i = 0; i < 20; i++) {
        ring_arm(&guest.tx, 1);
        EQ(told_after(PIECE), 480u << 10);
    }
    stop();
}

static const struct test tests[] = {
    TEST(a_stream_alone_is_promised_all_of_the_pool_but_a_packet), TEST(what_is_more_than_half_goes_back_when_the_guest_waits_for_memory),
    TEST(who_always_waits_for_memory_never_has_more_than_half)
};

int main(int argc, char **argv)
{
    int err;

    if (!hosted_is_here())
        return 2;
    hosted_become(0);
    err = harness_run("daemon: what one stream is promised", tests, sizeof tests / sizeof *tests, argc, argv);
    daemon_stop(SIGKILL);
    return err;
}

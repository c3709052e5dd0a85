/* SPDX-License-Identifier: MIT */
/* test_many.c: thousands of streams on one device whose readers sleep: they cost what they were promised, and stop nobody. */
#include "lab.h"

#define MANY   5000u
#define BUFFER 4096u

static struct xvs_stream *s[MANY];
static struct far far[MANY], other;
static uint8_t data[1 << 17];

static void send_when_there_is_room(struct far *f, unsigned op, uint32_t len)
{
    REQUIRE(link_back_refill(&back.link) == 0);
    for (int i = 0; i < 10 && back.link.count < LINK_PIECES; i++) {
        lab_process();
        REQUIRE(link_back_refill(&back.link) == 0);
    }
    lab_send(f, op, len);
}

static void five_thousand_slow_readers_cost_what_they_were_promised(void)
{
    struct xvs_stats st = { .size = sizeof st };
    struct xvs_stream *t;
    uint64_t empty, full;

    lab_stop();
    options.buffer = BUFFER;
    lab_start();
    xvs_get_stats(x, &st);
    empty = st.memory;
    for (uint32_t i = 0; i < MANY; i++)
        s[i] = lab_accept(&far[i], 10000 + i, 65536);
    xvs_get_stats(x, &st);
    EQ(st.streams, MANY);
    CU_ASSERT_TRUE(st.memory - empty <= MANY * 640);
    full = st.memory;
    for (uint32_t sent = 0; sent < BUFFER; sent += 1024)
        for (uint32_t i = 0; i < MANY; i++)
            send_when_there_is_room(&far[i], VSOCKIF_OP_RW, 1024);
    lab_process();
    xvs_get_stats(x, &st);
    CU_ASSERT_TRUE(st.memory - full <= MANY * (uint64_t)(2 * BUFFER));
    CU_ASSERT_TRUE(st.rx_buffers_held <= options.rx_pool / 4096 / 2 + 1);
    t = lab_accept(&other, 5, 65536);
    for (uint32_t i = 0; i < 300; i++) {
        send_when_there_is_room(&other, VSOCKIF_OP_RW, BUFFER);
        lab_process();
        EQ(xvs_recv(t, data, sizeof data, 0), BUFFER);
        CU_ASSERT_TRUE(lab_matches(data, (uint64_t)i * BUFFER, BUFFER));
        EQ(xvs_send(t, data, 100, 0), 100);
        lab_take(NULL, false);
        other.fwd = 100 * (i + 1);
    }
    for (uint32_t i = 0; i < MANY; i++) {
        EQ(xvs_recv(s[i], data, sizeof data, 0), BUFFER);
        CU_ASSERT_TRUE(lab_matches(data, 0, BUFFER));
        xvs_stream_reset(s[i]);
        if (i % 64 == 0) {
            lab_take(NULL, false);
            lab_process();
        }
    }
    xvs_stream_reset(t);
    for (int i = 0; i < 10; i++) {
        lab_take(NULL, false);
        lab_process();
    }
    NO_LEAK();
    lab_stop();
}

/* All of them want to write at the same time, and there are some 250 slots. */
static void two_thousand_writers_all_get_their_turn(void)
{
    uint32_t written = 0, of[2000] = { 0 };
    struct xvs_event ev;

    lab_start();
    for (uint32_t i = 0; i < 2000; i++) {
        s[i] = lab_accept(&far[i], 10000 + i, 65536);
        xvs_stream_set_user(s[i], &of[i]);
    }
    for (uint32_t i = 0; i < 2000; i++)
        while (of[i] < 6 && xvs_send(s[i], "z", 1, 0) == 1)
            of[i]++;
    for (int turn = 0; turn < 2000 && written < 2000; turn++) {
        written = 0;
        lab_take(NULL, false);
        lab_process();
        while (xvs_next_event(x, &ev)) {
            uint32_t *count = ev.user;

            if (ev.what & XVS_EVENT_OUT)
                while (*count < 6 && xvs_send(ev.stream, "z", 1, 0) == 1)
                    ++*count;
        }
        for (uint32_t i = 0; i < 2000; i++)
            written += of[i] == 6;
    }
    EQ(written, 2000);
    lab_stop();
}

int main(int argc, char **argv)
{
    static const struct test tests[] = {
        TEST(five_thousand_slow_readers_cost_what_they_were_promised),
        TEST(two_thousand_writers_all_get_their_turn),
    };

    if (!hosted_is_here())
        return 2;
    return harness_run("library: many streams", tests, sizeof tests / sizeof *tests, argc, argv);
}

/* SPDX-License-Identifier: MIT */
/* test_backend_standing.c: who waits for whom, as a table; and how a device is, likewise. */
#include <stdio.h>
#include <string.h>

#include "harness.h"
#include "standing.h"
#include "use.h"
#include "vconn.h"

#define OPEN .state = VCONN_ESTABLISHED, .open = true

static void a_stream_that_stands_still_waits_for_one_of_them(void)
{
    static const struct { struct standing s; enum standing_for whom; const char *says; } cases[] = {
        { { OPEN, .end = "host" }, STANDING_NOBODY, "" },
        { { OPEN, .end = "host", .stuck = true }, STANDING_NOBODY, "" },                /* all has been taken since */
        { { OPEN, .end = "host", .held = 10 }, STANDING_NOBODY, "" },                   /* it has just come */
        { { OPEN, .end = "host", .stuck = true, .held = 10 }, STANDING_END,
          "10 bytes of the guest's wait for the host's program, which does not read" },
        { { OPEN, .end = "guest", .stuck = true, .held = 10, .dry = true }, STANDING_END,
          "10 bytes of the guest's wait for the other guest's program, which does not read" },
        { { OPEN, .end = "AF_VSOCK", .dry = true, .window = 4096, .flying = 4096 }, STANDING_GUEST,
          "data of the host's AF_VSOCK program waits for the guest's program, which does not read: 4096 bytes are on their way to it, of 4096 that it takes" },
        { { OPEN, .end = "host", .thirsts = true }, STANDING_BUFFERS,
          "data of the host's program waits for an empty buffer of the guest's: its programs hold all of them and do not read" },
        { { OPEN, .end = "host", .starves = true, .stuck = true, .held = 7 }, STANDING_SOCKETS,
          "7 bytes of the guest's wait for readers of its other streams, which hold what the guest may hold here (held_spill_bytes)" },
        { { .state = VCONN_OFFERED, .end = "host" }, STANDING_END, "the guest has asked, and the host's program has not answered yet" },
        { { .state = VCONN_CONNECTING, .end = "host", .called = true }, STANDING_GUEST,
          "the host's program has asked, and the guest's program has not answered yet" },
        { { .state = VCONN_CLOSING, .end = "released", .released = true }, STANDING_CLOSE,
          "it is over, and the guest's program has not read everything, or not said so; it has 8 seconds" },
        { { OPEN, .end = "released", .released = true, .held = 7, .stuck = true }, STANDING_CLOSE,     /* its end is not even sent */
          "it is over, and the guest's program has not read everything, or not said so; it has 8 seconds" },
        { { .state = VCONN_CLOSED, .end = "host", .held = 3 }, STANDING_END,
          "3 bytes of the guest's wait for the host's program, which does not read" },
        { { OPEN, .end = "something new", .stuck = true, .held = 1 }, STANDING_END,
          "1 bytes of the guest's wait for the other end, which does not read" },
    };
    char text[256];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        EQ(standing_judge(&cases[i].s), cases[i].whom);
        standing_text(text, sizeof text, &cases[i].s);
        if (strcmp(text, cases[i].says))
            printf("  case %zu: %s\n", i, text);
        CU_ASSERT_STRING_EQUAL(text, cases[i].says);
    }
    CU_ASSERT_STRING_EQUAL(standing_word(STANDING_SOCKETS), "sockets");
}

static void a_device_is_in_use_idle_being_opened_or_refused(void)
{
    static const struct { unsigned state; bool connected; const char *error, *word, *says; } cases[] = {
        { VSOCKIF_CONNECTED, true, "", "in use", "in use" },
        { VSOCKIF_CONNECTED, true, "cannot watch the socket", "in use", "in use" },
        { VSOCKIF_CONNECTED, false, "", "opening", "a program is opening it" },
        { VSOCKIF_INITIALISED, false, "", "opening", "a program is opening it" },
        { VSOCKIF_INITIALISING, false, "", "idle", "attached, no program has it open" },
        { VSOCKIF_INITWAIT, false, "", "idle", "attached, no program has it open" },
        { VSOCKIF_CLOSING, false, "", "idle", "attached, no program has it open" },
        { VSOCKIF_CLOSED, false, "", "idle", "attached, no program has it open" },
        { VSOCKIF_CLOSING, false, "RW with flags", "refused", "refused: RW with flags" },
        { VSOCKIF_CLOSED, false, "RW with flags", "refused", "refused: RW with flags" },
    };
    char text[USE_TEXT + 32];

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        enum use use = use_of(cases[i].state, cases[i].connected, cases[i].error);

        CU_ASSERT_STRING_EQUAL(use_word(use), cases[i].word);
        use_text(text, sizeof text, use, cases[i].error);
        CU_ASSERT_STRING_EQUAL(text, cases[i].says);
    }
}

static const struct test tests[] = {
    TEST(a_stream_that_stands_still_waits_for_one_of_them),
    TEST(a_device_is_in_use_idle_being_opened_or_refused),
};

int main(int argc, char **argv)
{
    return harness_run("what stands still, and how a device is", tests, sizeof tests / sizeof *tests, argc, argv);
}

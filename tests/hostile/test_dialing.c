/* SPDX-License-Identifier: MIT */
/* test_dialing.c: what a host program, its guest and the worker do between the dialer's connection and its word: the dialer stands still there,
 * traced.  A guest by hand at one end, host programs by hand at the other. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "admitted.h"
#include "daemon.h"
#include "harness.h"
#include "hosted.h"

#define GUEST "dom1"
#define PORT  5000u             /* in dom0: of a listener for this guest, */
#define ALL   5001u             /* …and of one for all */
#define FROM  700u              /* of the guest's program, the first */
#define KEPT  16                /* streams */
#define TIMES 200               /* far more than there are chains in the table of their numbers (common/base/hash.c) */

/* A stream more may be vouched for. */
static const char conf[] = "[guest " GUEST "]\nmax_files = 18\n";

static struct rawfront guest;
static uint32_t from = FROM, to;
static int dialer;

/* ---- the dialer ---- */

/* To its next stop: false if it has none. */
static bool goes_on(int request)
{
    int status;

    return ptrace(request, dialer, NULL, NULL) == 0 && waitpid(dialer, &status, __WALL) == dialer && WIFSTOPPED(status);
}

static void hold_dialer(void)
{
    REQUIRE(ptrace(PTRACE_SEIZE, dialer, NULL, PTRACE_O_TRACESYSGOOD) == 0);
    REQUIRE(goes_on(PTRACE_INTERRUPT));
}

/* It has connected, and is about to say so. */
static void let_it_connect(void)
{
    struct __ptrace_syscall_info info = { 0 };

    do {
        REQUIRE(goes_on(PTRACE_SYSCALL));
        REQUIRE(ptrace(PTRACE_GET_SYSCALL_INFO, dialer, sizeof info, &info) > 0);
    } while (info.op != PTRACE_SYSCALL_INFO_ENTRY || info.entry.nr != SYS_sendmsg);
}

static void let_dialer_go(void)
{
    EQ(ptrace(PTRACE_DETACH, dialer, NULL, NULL), 0);
}

/* ---- the guest ---- */

static void says(unsigned op)
{
    struct vsockif_hdr hdr = rawfront_header(&guest, op, from, to);

    rawfront_send(&guest, &hdr);
    rawfront_kick(&guest);
    rawfront_reap(&guest, 0, 0);
}

static unsigned hears(void)
{
    struct vsockif_hdr hdr = { 0 };

    REQUIRE(rawfront_recv(&guest, &hdr, PATIENCE_MS));
    EQ(hdr.dst_port, from);
    return hdr.op;
}

static void call(uint32_t port)
{
    from++;
    to = port;
    says(VSOCKIF_OP_REQUEST);
}

/* The guest calls, and the dialer has connected, and stands still. */
static void call_and_hold(uint32_t port)
{
    hold_dialer();
    call(port);
    let_it_connect();
}

/* ---- host programs ---- */

/* By which the stream is known. */
static uint32_t number_of(int stream)
{
    struct sockaddr_un name = { 0 };
    socklen_t size = sizeof name - 1;
    const char *number;

    REQUIRE(getpeername(stream, (struct sockaddr *)&name, &size) == 0);
    REQUIRE((number = strrchr(name.sun_path + 1, '/')) != NULL);
    return (uint32_t)strtoul(number + 1, NULL, 10);
}

static void expect(int fd, const char *format, uint32_t number)
{
    char expected[100], heard[100] = "";

    snprintf(expected, sizeof expected, format, number);
    EQ(host_read(fd, heard, strlen(expected)), strlen(expected));
    if (strcmp(heard, expected))
        printf("heard '%s', not '%s'\n", heard, expected);
    EQ(strcmp(heard, expected), 0);
}

static int vouch(uint32_t number)
{
    char line[40];
    int fd = host_connect(GUEST), len = snprintf(line, sizeof line, "VOUCH %u\n", number);

    REQUIRE(fd >= 0);
    REQUIRE(send(fd, line, (size_t)len, MSG_NOSIGNAL) == len);
    expect(fd, "WATCHING %u\n", number);
    return fd;
}

/* ---- before the dialer's word ---- */

/* The host program's end of it. */
static int accept_held(int listener)
{
    int stream;

    REQUIRE(listener >= 0);
    call_and_hold(PORT);
    REQUIRE((stream = host_accept(listener)) >= 0);
    return stream;
}

/* The guest calls, and its host program vouches before the dialer has said that there is one; then something happens. */
static void expect_after(void (*happens)(void), const char *end)
{
    int listener = host_listen(GUEST, PORT), stream = accept_held(listener);
    uint32_t number = number_of(stream);
    int voucher = vouch(number);
    char byte;

    happens();
    expect(voucher, end, number);
    let_dialer_go();
    EQ(host_read(stream, &byte, 1), 0);
    close(voucher);
    close(stream);
    close(listener);
}

static void guest_resets(void)
{
    says(VSOCKIF_OP_RST);
}

static void guest_closes(void)
{
    rawfront_set_state(&guest, "6");
}

/* Its stream was forgotten, and it was not: when it went, the daemon took it for the voucher of whichever stream had the memory then. */
static void who_vouches_for_a_stream_that_does_not_come_is_told_so(void)
{
    expect_after(guest_resets, "ENDED %u reset by the guest's program\n");
}

static void who_vouches_for_a_stream_whose_device_goes_is_told_so(void)
{
    expect_after(guest_closes, "ENDED %u cut the guest's program gave up the device\n");
}

/* It was taken for one that somebody vouches for: when its program went, that was a reset. */
static void a_stream_that_is_dialled_anew_has_no_voucher_of_the_connection_before(void)
{
    int listener = host_listen(GUEST, PORT), stream = accept_held(listener);
    uint32_t number = number_of(stream);
    int voucher = vouch(number), status;

    EQ(kill(dialer, SIGKILL), 0);
    EQ(waitpid(dialer, &status, __WALL), dialer);
    expect(voucher, "ENDED %u cut the daemon stops\n", number);
    close(voucher);
    close(stream);
    REQUIRE((stream = host_accept(listener)) >= 0);
    EQ(hears(), VSOCKIF_OP_RESPONSE);
    close(stream);
    EQ(hears(), VSOCKIF_OP_SHUTDOWN);
    says(VSOCKIF_OP_RST);
    close(listener);
    REQUIRE((dialer = daemon_child("dialer", dialer)) > 0);
}

/* So many streams of the guest's. */
static void open_streams(int streams[KEPT])
{
    int listener = host_listen(GUEST, PORT);

    REQUIRE(listener >= 0);
    for (int i = 0; i < KEPT; i++) {
        call(PORT);
        REQUIRE((streams[i] = host_accept(listener)) >= 0);
        EQ(hears(), VSOCKIF_OP_RESPONSE);
    }
    close(listener);
}

static void end_streams(const int streams[KEPT], uint32_t first)
{
    to = PORT;
    from = first;
    for (int i = 0; i < KEPT; i++, from++) {
        int voucher = vouch(number_of(streams[i]));

        says(VSOCKIF_OP_RST);
        expect(voucher, "ENDED %u reset by the guest's program\n", number_of(streams[i]));
        close(voucher);
        close(streams[i]);
    }
}

/* He had a place in the guest's share, and another one was kept for him: there was none, and his stream was refused. */
static void who_vouches_before_the_dialers_word_has_the_place_that_is_kept_for_him(void)
{
    uint32_t first = from + 1;
    int streams[KEPT], listener, stream, voucher;

    open_streams(streams);
    REQUIRE((listener = host_listen(GUEST, PORT)) >= 0);
    REQUIRE(chmod(daemon_path("run/guest/" GUEST "/vsock_%u", PORT), 01700) == 0);
    stream = accept_held(listener);
    voucher = vouch(number_of(stream));
    let_dialer_go();
    EQ(hears(), VSOCKIF_OP_RESPONSE);
    close(voucher);
    EQ(hears(), VSOCKIF_OP_RST);
    close(stream);
    close(listener);
    end_streams(streams, first);
}

/* The number of such a stream stayed in the table, in memory that was another stream's soon: others were not found by theirs any more,
 * and their end was the daemon's. */
static void who_is_called_for_all_and_goes_at_once_takes_no_other_streams_number_away(void)
{
    uint32_t first = from + 1;
    int streams[KEPT], listener;

    open_streams(streams);
    for (int i = 0; i < TIMES; i++) {
        REQUIRE((listener = host_listen("../any", ALL)) >= 0);
        call_and_hold(ALL);
        close(listener);
        let_dialer_go();
        EQ(hears(), VSOCKIF_OP_RST);
    }
    end_streams(streams, first);
}

static const struct test tests[] = {
    TEST(who_vouches_for_a_stream_that_does_not_come_is_told_so),
    TEST(a_stream_that_is_dialled_anew_has_no_voucher_of_the_connection_before),
    TEST(who_vouches_before_the_dialers_word_has_the_place_that_is_kept_for_him),
    TEST(who_is_called_for_all_and_goes_at_once_takes_no_other_streams_number_away),
    TEST(who_vouches_for_a_stream_whose_device_goes_is_told_so)
};

int main(int argc, char **argv)
{
    int err;

    if (!hosted_begin())
        return 2;
    daemon_in_processes(true);
    if ((err = daemon_start(conf)) || (err = rawfront_open(&guest, 1)) || (err = daemon_connect(&guest))) {
        fprintf(stderr, "the daemon does not come up: %s\n", strerror(-err));
        daemon_stop(SIGKILL);
        return 1;
    }
    dialer = daemon_child("dialer", 0);
    err = harness_run("dialing", tests, sizeof tests / sizeof *tests, argc, argv);
    daemon_stop(SIGKILL);
    return err;
}

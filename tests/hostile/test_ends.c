/* SPDX-License-Identifier: MIT */
/* test_ends.c: the daemon tells truthfully how a stream to a host program ended: by its socket as far as that can, and to those who
 * WATCH or VOUCH in full.  A guest by hand at one end, host programs by hand at the other. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "admitted.h"
#include "daemon.h"
#include "harness.h"
#include "hosted.h"
#include "rawfront.h"

#define DOMID 1u
#define GUEST "dom1"
#define PORT  500u              /* where the guest listens */
#define CALLS 5000u             /* whom it calls */
#define LONG  PATIENCE_MS

#define RCV  VSOCKIF_SHUTDOWN_RCV
#define SEND VSOCKIF_SHUTDOWN_SEND
#define BOTH (RCV | SEND)

static const char conf[] = "[daemon]\n";

static struct rawfront guest;
static int stream = -1;         /* of the host program */
static uint32_t number;         /* by which the stream is known */
static uint32_t port, host_port;        /* its two addresses, as the guest sees them */
static uint32_t got, fwd;       /* bytes that the guest has received, and says that it has consumed */
static uint32_t sent, allowed;  /* bytes that it has sent, and may have sent by now */

/* ---- host programs ---- */

static int say(const char *format, uint32_t value)
{
    char line[40];
    int fd = host_connect(GUEST), len = snprintf(line, sizeof line, format, value);

    REQUIRE(fd >= 0);
    REQUIRE(send(fd, line, (size_t)len, MSG_NOSIGNAL) == len);
    return fd;
}

/* The next line, "" at an end of file, "ECONNRESET" for that. */
static const char *hear(int fd)
{
    static char line[200];
    struct pollfd p = { .fd = fd, .events = POLLIN };
    size_t at = 0;

    while (at < sizeof line - 1 && poll(&p, 1, LONG) == 1) {
        ssize_t n = recv(fd, line + at, 1, 0);

        if (n < 0)
            return errno == ECONNRESET ? "ECONNRESET" : strerror(errno);
        if (n == 0 || line[at] == '\n')
            break;
        at++;
    }
    line[at] = '\0';
    return line;
}

static bool hears(int fd, const char *format, uint32_t value)
{
    char expected[200];
    const char *heard = hear(fd);

    snprintf(expected, sizeof expected, format, value);
    if (strcmp(heard, expected)) {
        printf("heard '%s', not '%s'\n", heard, expected);
        return false;
    }
    return true;
}

static bool is_quiet(int fd)
{
    struct pollfd p = { .fd = fd, .events = POLLIN };

    return poll(&p, 1, 0) == 0;
}

/* Asks afterwards: how it ended, once it has. */
static bool ended(const char *how)
{
    int fd = say("WATCH %u\n", number);
    const char *heard = hear(fd);
    char expected[200];

    if (strncmp(heard, "WATCHING ", 9) == 0)
        heard = hear(fd);
    snprintf(expected, sizeof expected, "ENDED %u %s", number, how);
    close(fd);
    if (!strcmp(heard, expected))
        return true;
    printf("heard '%s', not '%s'\n", heard, expected);
    return false;
}

static int vouch(void)
{
    int fd = say("VOUCH %u\n", number);

    CU_ASSERT_TRUE(hears(fd, "WATCHING %u", number));
    return fd;
}

/* The daemon has done all that came from either side. */
static void settle(void)
{
    rawfront_kick(&guest);
    daemon_rounds();
}

/* ---- the guest ---- */

static void guest_says(unsigned op, uint32_t value)
{
    struct vsockif_hdr hdr = rawfront_header(&guest, op, port, host_port);

    hdr.fwd_cnt = fwd;
    sent += op == VSOCKIF_OP_RW ? value : 0;
    if (op == VSOCKIF_OP_SHUTDOWN)
        hdr.flags = value;
    else
        hdr.len = value;
    rawfront_send(&guest, &hdr);
    rawfront_kick(&guest);
    rawfront_reap(&guest, 0, 0);
}

static int hear_packet(struct vsockif_hdr *hdr, int ms)
{
    if (!rawfront_recv(&guest, hdr, ms))
        return 0;
    if (hdr->src_port == host_port && hdr->buf_alloc)
        allowed = hdr->fwd_cnt + hdr->buf_alloc;
    got += hdr->op == VSOCKIF_OP_RW ? hdr->len : 0;
    return 1;
}

/* The next packet that is neither data, which is counted, nor credit: its op, with a SHUTDOWN's flags above. */
static unsigned guest_hears(void)
{
    struct vsockif_hdr hdr;

    while (hear_packet(&hdr, LONG)) {
        if (hdr.op != VSOCKIF_OP_RW && hdr.op != VSOCKIF_OP_CREDIT_UPDATE && hdr.op != VSOCKIF_OP_CREDIT_REQUEST) {
            host_port = hdr.src_port;
            return hdr.op | hdr.flags << 8;
        }
    }
    return 0;
}

#define SHUT(flags) (VSOCKIF_OP_SHUTDOWN | (flags) << 8)

static bool guest_gets(uint32_t len)
{
    struct vsockif_hdr hdr;

    while (got < len && hear_packet(&hdr, LONG))
        ;
    return got == len;
}

static void guest_connects(void)
{
    if (guest.control) {
        rawfront_set_state(&guest, "6");
        REQUIRE(rawfront_wait(&guest, VSOCKIF_CLOSED) == 0);
        rawfront_unshare(&guest);
    }
    REQUIRE(daemon_connect(&guest) == 0);
}

static void forget(void)
{
    if (stream >= 0)
        close(stream);
    stream = -1;
    got = fwd = sent = allowed = 0;
}

/* The host opens a stream, and the guest has not answered yet. */
static void host_says(const char *line)
{
    unsigned op;

    forget();
    if (!guest.control)
        guest_connects();
    port = PORT;
    stream = say(line, PORT);
    while ((op = guest_hears()) && op != VSOCKIF_OP_REQUEST)
        ;                       /* what an earlier stream still had to say */
    REQUIRE(op == VSOCKIF_OP_REQUEST);
}

static void open_by(const char *line)
{
    host_says(line);
    guest_says(VSOCKIF_OP_RESPONSE, 0);
    number = (uint32_t)strtoul(hear(stream) + 3, NULL, 10);
    EQ(number, host_port);
}

static void open_from_host(void)
{
    open_by("CONNECT %u\n");
}

static void open_to(int listener)
{
    struct sockaddr_un name;
    socklen_t size = sizeof name;
    char expected[60];
    unsigned op;

    forget();
    if (!guest.control)
        guest_connects();
    host_port = CALLS;
    port++;
    REQUIRE(listener >= 0);
    guest_says(VSOCKIF_OP_REQUEST, 0);
    stream = host_accept(listener);
    close(listener);
    REQUIRE(stream >= 0);
    while ((op = guest_hears()) && op != VSOCKIF_OP_RESPONSE)
        ;
    REQUIRE(op == VSOCKIF_OP_RESPONSE);
    memset(&name, 0, sizeof name);
    REQUIRE(getpeername(stream, (struct sockaddr *)&name, &size) == 0);
    snprintf(expected, sizeof expected, "xvs/" GUEST "/%llu:%u/", (unsigned long long)guest.cid, port);
    EQ(name.sun_path[0], 0);
    CU_ASSERT_TRUE(strncmp(name.sun_path + 1, expected, strlen(expected)) == 0);
    number = (uint32_t)strtoul(name.sun_path + 1 + strlen(expected), NULL, 10);
}

/* A stream that the guest opened. */
static void open_from_guest(void)
{
    open_to(host_listen(GUEST, CALLS));
}

static void host_writes(size_t len)
{
    static char zeros[65536];

    REQUIRE(send(stream, zeros, len, MSG_NOSIGNAL) == (ssize_t)len);
}

static bool host_reads(size_t len)
{
    static char sink[65536];

    return host_read(stream, sink, len) == len;
}

/* ---- in order ---- */

static void whole_both_ways(void)
{
    host_writes(1000);
    shutdown(stream, SHUT_WR);
    EQ(guest_hears(), SHUT(SEND));
    EQ(got, 1000);
    guest_says(VSOCKIF_OP_RW, 300);
    guest_says(VSOCKIF_OP_SHUTDOWN, SEND);
    CU_ASSERT_TRUE(host_reads(300));
    CU_ASSERT_TRUE(hears(stream, "", 0));
    fwd = 1000;
    guest_says(VSOCKIF_OP_RST, 0);
    CU_ASSERT_TRUE(ended("order"));
    CU_ASSERT_TRUE(hears(stream, "", 0));       /* and no error, ever */
}

static void a_whole_stream_of_the_host_s_ended_in_order(void)
{
    open_from_host();
    whole_both_ways();
}

static void a_whole_stream_of_the_guest_s_ended_in_order(void)
{
    open_from_guest();
    whole_both_ways();
}

static void who_watches_is_told_when_it_ends(void)
{
    int watch;

    open_from_host();
    watch = say("WATCH %u\n", number);
    CU_ASSERT_TRUE(hears(watch, "WATCHING %u", number));
    whole_both_ways();
    CU_ASSERT_TRUE(hears(watch, "ENDED %u order", number));
    CU_ASSERT_TRUE(hears(watch, "", 0));
    close(watch);
}

static void a_plain_program_that_writes_and_closes_ends_in_order(void)
{
    open_from_host();
    host_writes(1000);
    close(stream);
    stream = -1;
    EQ(guest_hears(), SHUT(BOTH));
    EQ(got, 1000);
    fwd = 1000;
    guest_says(VSOCKIF_OP_RST, 0);
    CU_ASSERT_TRUE(ended("order"));
}

/* The client of a service that ends the conversation: it has nothing more to say, and has not said so. */
static void a_guest_that_closes_when_it_has_read_all_ends_in_order(void)
{
    open_from_host();
    host_writes(10);
    CU_ASSERT_TRUE(guest_gets(10));
    fwd = 10;
    guest_says(VSOCKIF_OP_RW, 20);
    guest_says(VSOCKIF_OP_SHUTDOWN, BOTH);
    CU_ASSERT_TRUE(host_reads(20));
    CU_ASSERT_TRUE(hears(stream, "", 0));
    CU_ASSERT_TRUE(ended("order"));
}

/* Both have shut, nobody waits for the end, and the program reads late. */
static void a_program_that_reads_late_what_ended_in_order_hears_of_no_error(void)
{
    open_from_host();
    guest_says(VSOCKIF_OP_RW, 10);
    guest_says(VSOCKIF_OP_SHUTDOWN, SEND);
    settle();
    shutdown(stream, SHUT_WR);
    EQ(guest_hears() & 0xff, VSOCKIF_OP_SHUTDOWN);
    settle();
    guest_says(VSOCKIF_OP_RST, 0);
    CU_ASSERT_TRUE(ended("order"));
    CU_ASSERT_TRUE(host_reads(10));
    CU_ASSERT_TRUE(hears(stream, "", 0));
}

static void a_number_that_nobody_has_is_unknown(void)
{
    int fd = say("WATCH %u\n", 7);

    CU_ASSERT_TRUE(hears(fd, "UNKNOWN %u", 7));
    CU_ASSERT_TRUE(hears(fd, "", 0));
    close(fd);
    fd = say("VOUCH %u\n", 4294967295u);
    CU_ASSERT_TRUE(hears(fd, "UNKNOWN %u", 4294967295u));
    close(fd);
}

/* "OK" comes first, and then the number is good. */
static void a_stream_that_is_not_open_has_no_number(void)
{
    int fd;

    host_says("CONNECT %u\n");
    fd = say("WATCH %u\n", host_port);
    CU_ASSERT_TRUE(hears(fd, "UNKNOWN %u", host_port));
    close(fd);
    guest_says(VSOCKIF_OP_RST, 0);
    CU_ASSERT_TRUE(hears(stream, "", 0));       /* a refusal is an end and no reset */
    fd = say("WATCH %u\n", host_port);
    CU_ASSERT_TRUE(hears(fd, "UNKNOWN %u", host_port));
    close(fd);
}

/* ---- not all arrived ---- */

static void a_guest_that_resets_is_told_of(void)
{
    open_from_host();
    guest_says(VSOCKIF_OP_RW, 50);
    guest_says(VSOCKIF_OP_RST, 0);
    CU_ASSERT_TRUE(host_reads(50));
    CU_ASSERT_TRUE(hears(stream, "ECONNRESET", 0));     /* it had sent nothing: the newline of its line did that */
    CU_ASSERT_TRUE(ended("reset by the guest's program"));
}

static void a_program_with_data_on_its_way_hears_of_a_reset(void)
{
    struct vsockif_hdr hdr;

    open_from_guest();
    host_writes(1);
    CU_ASSERT_TRUE(guest_gets(1));
    /* More than the guest takes: it has granted 256 KiB. */
    do {
        while (send(stream, &(char[65536]){ 0 }, 65536, MSG_NOSIGNAL | MSG_DONTWAIT) > 0)
            ;
    } while (got < 262144 && hear_packet(&hdr, LONG));
    EQ(got, 262144);
    guest_says(VSOCKIF_OP_RST, 0);
    CU_ASSERT_TRUE(hears(stream, "ECONNRESET", 0));
    CU_ASSERT_TRUE(ended("reset by the guest's program"));
}

/* What cannot be told by the socket can be asked. */
static void a_program_that_has_sent_all_sees_an_end_and_may_ask(void)
{
    open_from_host();
    host_writes(100);
    CU_ASSERT_TRUE(guest_gets(100));
    guest_says(VSOCKIF_OP_RST, 0);
    CU_ASSERT_TRUE(hears(stream, "", 0));
    CU_ASSERT_TRUE(ended("reset by the guest's program"));

    open_from_guest();
    guest_says(VSOCKIF_OP_RST, 0);
    CU_ASSERT_TRUE(hears(stream, "", 0));
    CU_ASSERT_TRUE(ended("reset by the guest's program"));
}

static void a_guest_that_has_not_read_all_is_told_of(void)
{
    /* Both have shut, and it resets. */
    open_from_host();
    host_writes(100);
    shutdown(stream, SHUT_WR);
    EQ(guest_hears(), SHUT(SEND));
    guest_says(VSOCKIF_OP_SHUTDOWN, SEND);
    fwd = 99;
    guest_says(VSOCKIF_OP_RST, 0);
    CU_ASSERT_TRUE(ended("unread the guest's program did not read everything"));

    /* It closes; data was on its way. */
    open_from_host();
    host_writes(100);
    CU_ASSERT_TRUE(guest_gets(100));
    fwd = 60;
    guest_says(VSOCKIF_OP_SHUTDOWN, BOTH);
    CU_ASSERT_TRUE(ended("unread the guest's program did not read everything"));

    /* It stops reading, and the program writes on. */
    open_from_host();
    guest_says(VSOCKIF_OP_SHUTDOWN, RCV);
    settle();
    (void)!send(stream, "more", 4, MSG_NOSIGNAL);
    shutdown(stream, SHUT_WR);
    settle();
    guest_says(VSOCKIF_OP_SHUTDOWN, BOTH);
    CU_ASSERT_TRUE(ended("order"));             /* it could write nothing any more, and knows */
}

static void a_host_program_that_has_not_read_all_is_told_of(void)
{
    int watch;

    /* It closes with data unread: a reset. */
    open_from_host();
    guest_says(VSOCKIF_OP_RW, 100);
    CU_ASSERT_TRUE(host_reads(1));
    close(stream);
    stream = -1;
    EQ(guest_hears(), VSOCKIF_OP_RST);
    CU_ASSERT_TRUE(ended("reset by the host program"));

    /* It reads no more, and data comes. */
    open_from_host();
    watch = say("WATCH %u\n", number);
    CU_ASSERT_TRUE(hears(watch, "WATCHING %u", number));
    shutdown(stream, SHUT_RD);
    guest_says(VSOCKIF_OP_RW, 100);
    EQ(guest_hears(), SHUT(RCV));
    guest_says(VSOCKIF_OP_SHUTDOWN, BOTH);
    CU_ASSERT_TRUE(hears(watch, "ENDED %u unread the host program did not read everything", number));
    close(watch);
}

/* ---- who vouches ---- */

static void the_end_of_a_vouched_stream_is_passed_on_when_both_have_said_so(void)
{
    int voucher;

    open_from_host();
    voucher = vouch();
    host_writes(1000);
    shutdown(stream, SHUT_WR);
    CU_ASSERT_TRUE(guest_gets(1000));
    settle();
    CU_ASSERT_TRUE(is_quiet(voucher));
    (void)!send(voucher, "EN", 2, MSG_NOSIGNAL);
    settle();
    (void)!send(voucher, "D\n", 2, MSG_NOSIGNAL);
    EQ(guest_hears(), SHUT(SEND));
    guest_says(VSOCKIF_OP_SHUTDOWN, SEND);
    CU_ASSERT_TRUE(hears(stream, "", 0));
    settle();
    CU_ASSERT_TRUE(is_quiet(voucher));          /* both ways shut, but the guest has not read it yet */
    fwd = 1000;
    guest_says(VSOCKIF_OP_RST, 0);
    CU_ASSERT_TRUE(hears(voucher, "ENDED %u order", number));
    close(voucher);
}

/* SIGKILL closes descriptors in some order. */
static void a_vouched_sender_that_dies_resets_the_stream(void)
{
    for (int first = 0; first < 2; first++) {
        int voucher;

        open_from_host();
        voucher = vouch();
        host_writes(1000);
        CU_ASSERT_TRUE(guest_gets(1000));
        close(first ? voucher : stream);
        settle();
        close(first ? stream : voucher);
        stream = -1;
        EQ(guest_hears(), VSOCKIF_OP_RST);      /* without any SHUTDOWN before it */
        CU_ASSERT_TRUE(ended("reset by the host program"));
    }
}

static void a_vouched_sender_that_dies_after_its_end_resets_what_is_not_over(void)
{
    int voucher;

    open_from_guest();
    voucher = vouch();
    host_writes(10);
    shutdown(stream, SHUT_WR);
    (void)!send(voucher, "END\n", 4, MSG_NOSIGNAL);
    EQ(guest_hears(), SHUT(SEND));
    close(voucher);
    EQ(guest_hears(), VSOCKIF_OP_RST);
    CU_ASSERT_TRUE(ended("reset by the host program"));
}

/* It is killed after OK and before it could vouch. */
static void a_caller_that_dies_before_it_vouches_resets_the_stream(void)
{
    open_by("CALL %u\n");
    close(stream);
    stream = -1;
    EQ(guest_hears(), VSOCKIF_OP_RST);
    CU_ASSERT_TRUE(ended("reset by the host program"));

    open_by("CALL %u\n");
    host_writes(1000);
    close(stream);
    stream = -1;
    EQ(guest_hears(), VSOCKIF_OP_RST);
    CU_ASSERT_TRUE(ended("reset by the host program"));
}

/* So it knows that the daemon is not one that does not know the word. */
static void a_caller_is_told_who_refuses(void)
{
    host_says("CALL %u\n");
    guest_says(VSOCKIF_OP_RST, 0);
    CU_ASSERT_TRUE(hears(stream, "REFUSED port", 0));
    CU_ASSERT_TRUE(hears(stream, "", 0));

    host_says("CALL %u\n");
    CU_ASSERT_TRUE(hears(stream, "REFUSED time", 0));
    CU_ASSERT_TRUE(hears(stream, "", 0));

    host_says("CALL %u\n");
    rawfront_set_state(&guest, "6");
    REQUIRE(rawfront_wait(&guest, VSOCKIF_CLOSED) == 0);
    CU_ASSERT_TRUE(hears(stream, "REFUSED guest left", 0));
    close(stream);
    stream = say("CALL %u\n", PORT);
    CU_ASSERT_TRUE(hears(stream, "REFUSED guest absent", 0));
    CU_ASSERT_TRUE(hears(stream, "", 0));
    rawfront_unshare(&guest);
}

static bool why_is(const char *words)
{
    int fd = say("WHY %u\n", PORT);
    bool is = hears(fd, words, PORT);

    close(fd);
    return is;
}

/* What it says of its own program is passed on, as a word of the list; a lie about the host, or a number that is on no list, is not. */
static void a_guest_says_why_it_refuses_and_cannot_lie_of_the_host(void)
{
    static const struct { uint8_t says[2]; const char *called, *why; } cases[] = {
        { { VSOCKIF_REASON_NOBODY, 0 }, "REFUSED port nobody", "REFUSED %u nobody" },
        { { VSOCKIF_REASON_BACKLOG, 99 }, "REFUSED port backlog", "REFUSED %u backlog" },
        { { VSOCKIF_REASON_STATUS, 255 }, "REFUSED port status 255", "REFUSED %u status 255" },
        { { VSOCKIF_REASON_STATUS, 0 }, "REFUSED port", "REFUSED %u unspecified" },
        { { VSOCKIF_REASON_POLICY, 0 }, "REFUSED port", "REFUSED %u unspecified" },
        { { VSOCKIF_REASON_STOPPED, 0 }, "REFUSED port", "REFUSED %u unspecified" },
        { { VSOCKIF_REASONS_END, 0 }, "REFUSED port", "REFUSED %u unspecified" },
        { { 255, 255 }, "REFUSED port", "REFUSED %u unspecified" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        host_says("CALL %u\n");
        memcpy(guest.says, cases[i].says, sizeof guest.says);
        guest_says(VSOCKIF_OP_RST, 0);
        CU_ASSERT_TRUE(hears(stream, cases[i].called, 0));
        CU_ASSERT_TRUE(why_is(cases[i].why));

        host_says("CONNECT %u\n");              /* whoever said so hears nothing, and may ask */
        guest_says(VSOCKIF_OP_RST, 0);
        CU_ASSERT_TRUE(hears(stream, "", 0));
        CU_ASSERT_TRUE(why_is(cases[i].why));
        memset(guest.says, 0, sizeof guest.says);
    }
    close(stream);
    stream = say("WHY %u\n", PORT + 1);
    CU_ASSERT_TRUE(hears(stream, "UNKNOWN %u", PORT + 1));
}

static void a_guest_says_why_it_resets(void)
{
    static const struct { uint8_t says[2]; const char *how; } cases[] = {
        { { VSOCKIF_REASON_STATUS, 28 }, "reset by the guest's program (status 28)" },
        { { VSOCKIF_REASON_UNREAD, 0 }, "reset by the guest's program (unread)" },
        { { VSOCKIF_REASON_DETACHED, 0 }, "reset by the guest's program" },
        { { 200, 3 }, "reset by the guest's program" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        open_from_host();
        memcpy(guest.says, cases[i].says, sizeof guest.says);
        guest_says(VSOCKIF_OP_RW, 50);          /* of which only an RST's counts */
        guest_says(VSOCKIF_OP_RST, 0);
        memset(guest.says, 0, sizeof guest.says);
        CU_ASSERT_TRUE(host_reads(50));
        CU_ASSERT_TRUE(ended(cases[i].how));
    }
}

/* A command that fails: what it had to say arrives, and then its reason. */
static void a_voucher_says_why_the_stream_is_reset_behind_what_was_sent(void)
{
    static const struct { const char *line, *how; uint8_t heard[2]; } cases[] = {
        { "RESET status 3\n", "reset by the host program (status 3)", { VSOCKIF_REASON_STATUS, 3 } },
        { "RESET signal 9\n", "reset by the host program (signal 9)", { VSOCKIF_REASON_SIGNAL, 9 } },
        { "RESET policy\n", "reset by the host program", { VSOCKIF_REASON_NONE, 0 } },   /* nor is it the administrator */
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t cut = 1; cut < strlen(cases[i].line); cut += 6) {
            int voucher;

            open_from_host();
            voucher = vouch();
            host_writes(1000);
            (void)!send(voucher, cases[i].line, cut, MSG_NOSIGNAL);
            settle();
            (void)!send(voucher, cases[i].line + cut, strlen(cases[i].line) - cut, MSG_NOSIGNAL);
            close(voucher);
            shutdown(stream, SHUT_WR);
            CU_ASSERT_TRUE(guest_gets(1000));
            EQ(guest_hears(), VSOCKIF_OP_RST);
            EQ(guest.heard[0], cases[i].heard[0]);
            EQ(guest.heard[1], cases[i].heard[1]);
            CU_ASSERT_TRUE(ended(cases[i].how));
        }
}

static void a_voucher_that_gives_no_reason_that_is_one_has_gone(void)
{
    static const char *const lines[] = { "RESET \n", "RESET x\n", "RESET status 300\n", "RESET aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "RESE\n" };

    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        int voucher;

        open_from_host();
        voucher = vouch();
        (void)!send(voucher, lines[i], strlen(lines[i]), MSG_NOSIGNAL);
        EQ(guest_hears(), VSOCKIF_OP_RST);
        EQ(guest.heard[0], VSOCKIF_REASON_ABORTED);
        close(voucher);
    }
}

static void a_listener_with_the_sticky_bit_is_waited_for_to_vouch(void)
{
    for (int dies = 0; dies < 2; dies++) {
        int listener = host_listen(GUEST, CALLS), voucher;
        struct sockaddr_un a;
        socklen_t size = sizeof a;

        REQUIRE(listener >= 0 && getsockname(listener, (struct sockaddr *)&a, &size) == 0);
        REQUIRE(chmod(a.sun_path, 01755) == 0);
        open_to(listener);
        if (dies) {
            host_writes(1000);
            close(stream);
            stream = -1;
            EQ(guest_hears(), VSOCKIF_OP_RST);
            CU_ASSERT_TRUE(ended("reset by the host program"));
            continue;
        }
        host_writes(1000);
        shutdown(stream, SHUT_WR);
        CU_ASSERT_TRUE(guest_gets(1000));
        settle();
        voucher = vouch();
        (void)!send(voucher, "END\n", 4, MSG_NOSIGNAL);
        EQ(guest_hears(), SHUT(SEND));
        guest_says(VSOCKIF_OP_SHUTDOWN, SEND);
        fwd = 1000;
        guest_says(VSOCKIF_OP_RST, 0);
        CU_ASSERT_TRUE(hears(voucher, "ENDED %u order", number));
        close(voucher);
    }
}

static void a_voucher_that_says_anything_but_end_has_gone(void)
{
    int voucher;

    open_from_host();
    voucher = vouch();
    (void)!send(voucher, "ENX\n", 4, MSG_NOSIGNAL);
    EQ(guest_hears(), VSOCKIF_OP_RST);
    close(voucher);
}

static void who_only_watches_may_go_at_any_time(void)
{
    int watch;

    open_from_host();
    watch = say("WATCH %u\n", number);
    CU_ASSERT_TRUE(hears(watch, "WATCHING %u", number));
    close(watch);
    settle();
    whole_both_ways();
}

/* The guest's program may take its time. */
static void a_closed_vouched_stream_waits_for_the_guest_s_last_word(void)
{
    int voucher;

    open_from_host();
    voucher = vouch();
    host_writes(10);
    shutdown(stream, SHUT_WR);
    (void)!send(voucher, "END\n", 4, MSG_NOSIGNAL);
    EQ(guest_hears(), SHUT(SEND));
    close(stream);
    stream = -1;
    EQ(guest_hears(), SHUT(BOTH));
    guest_says(VSOCKIF_OP_CREDIT_UPDATE, 0);
    settle();
    CU_ASSERT_TRUE(is_quiet(voucher));
    fwd = 10;
    guest_says(VSOCKIF_OP_RST, 0);
    CU_ASSERT_TRUE(hears(voucher, "ENDED %u order", number));
    close(voucher);
}

/* ---- bounds ---- */

static void watchers_are_bounded_and_keep_nobody_from_connecting(void)
{
    int watch[9], i;

    open_from_host();
    for (i = 0; i < 8; i++) {
        watch[i] = say("WATCH %u\n", number);
        CU_ASSERT_TRUE(hears(watch[i], "WATCHING %u", number));
    }
    watch[8] = say("VOUCH %u\n", number);
    CU_ASSERT_TRUE(hears(watch[8], "", 0));
    close(watch[8]);
    whole_both_ways();
    for (i = 0; i < 8; i++) {
        CU_ASSERT_TRUE(hears(watch[i], "ENDED %u order", number));
        close(watch[i]);
    }
}

static void the_ends_of_the_last_thousands_are_remembered(void)
{
    uint32_t first = 0, last;
    int fd;

    for (int i = 0; i < 300; i++) {
        open_from_host();
        if (!i)
            first = number;
        close(stream);
        stream = -1;
        EQ(guest_hears(), SHUT(BOTH));
        guest_says(VSOCKIF_OP_RST, 0);
    }
    CU_ASSERT_TRUE(ended("order"));
    last = number;
    number = first;
    CU_ASSERT_TRUE(ended("order"));
    EQ(last - first, 299);
    fd = say("WATCH %u\n", last + 1);
    CU_ASSERT_TRUE(hears(fd, "UNKNOWN %u", last + 1));
    close(fd);
}

/* ---- what is between them goes ---- */

static void the_device_goes(void (*how)(void), const char *words)
{
    char line[100];
    int watch, voucher;

    snprintf(line, sizeof line, "ENDED %%u cut %s", words);
    open_from_host();
    watch = say("WATCH %u\n", number);
    CU_ASSERT_TRUE(hears(watch, "WATCHING %u", number));
    voucher = vouch();
    guest_says(VSOCKIF_OP_RW, 100);
    CU_ASSERT_TRUE(host_reads(100));
    how();
    CU_ASSERT_TRUE(hears(watch, line, number));
    CU_ASSERT_TRUE(hears(voucher, line, number));
    CU_ASSERT_TRUE(hears(stream, "ECONNRESET", 0));
    close(watch);
    close(voucher);
}

static void give_up(void)
{
    rawfront_set_state(&guest, "5");
    REQUIRE(rawfront_wait(&guest, VSOCKIF_CLOSED) == 0);
    rawfront_unshare(&guest);
}

static void break_a_rule(void)
{
    guest_says(0, 0);
    REQUIRE(rawfront_wait(&guest, VSOCKIF_CLOSING) == 0);
}

static void detach(void)
{
    CU_ASSERT_TRUE(strstr(daemon_ask("{\"verb\":\"detach\",\"domain\":%u}", DOMID), "\"ok\":true") != NULL);
}

static void stop(void)
{
    EQ(daemon_stop(SIGTERM), 0);
}

static void start_again(void)
{
    REQUIRE(daemon_start(conf) == 0);
    guest_connects();
}

static void a_device_that_its_guest_gives_up_is_told_of(void)
{
    the_device_goes(give_up, "the guest's program gave up the device");
    CU_ASSERT_TRUE(ended("cut the guest's program gave up the device"));     /* still known */
}

static void a_guest_that_breaks_a_rule_is_told_of(void)
{
    the_device_goes(break_a_rule, "the guest broke a rule");
    guest_connects();
}

static void a_device_that_is_detached_is_told_of(void)
{
    the_device_goes(detach, "the device was taken away");
    rawfront_close(&guest);
    for (int waited = 0; waited < LONG && strstr(daemon_ask("{\"verb\":\"ls\"}"), "\"domid\":1,"); waited += 20)
        usleep(20000);
    REQUIRE(strstr(daemon_ask("{\"verb\":\"attach\",\"domain\":%u}", DOMID), "\"ok\":true") != NULL);
    REQUIRE(rawfront_open(&guest, DOMID) == 0);
}

static void a_daemon_that_stops_says_so(void)
{
    the_device_goes(stop, "the daemon stops");
    start_again();
}

/* Nobody says anything; but the kernel closes its sockets. */
static void a_daemon_that_is_killed_resets_who_only_reads(void)
{
    int voucher;

    open_from_host();
    voucher = vouch();
    EQ(daemon_stop(SIGKILL), 128 + SIGKILL);
    CU_ASSERT_TRUE(hears(stream, "ECONNRESET", 0));
    CU_ASSERT_TRUE(hears(voucher, "", 0));
    close(voucher);
    start_again();
}

static void a_daemon_does_not_answer_for_its_predecessor_s_streams(void)
{
    int fd;

    open_from_host();
    EQ(daemon_stop(SIGTERM), 0);
    start_again();
    fd = say("WATCH %u\n", number);
    CU_ASSERT_TRUE(hears(fd, "UNKNOWN %u", number));
    close(fd);
}

/* ---- a guest that says all it has to say, and goes ---- */

/* All that it may, until the socket takes no more and the rest waits in the daemon. */
static void say_much_and_go(uint32_t flags)
{
    struct vsockif_hdr hdr;

    guest_says(VSOCKIF_OP_CREDIT_REQUEST, 0);
    for (int idle = 0; idle < 3; idle++) {
        settle();
        while (hear_packet(&hdr, 0))
            ;
        for (; sent + 4096 <= allowed; idle = 0)
            guest_says(VSOCKIF_OP_RW, 4096);
    }
    guest_says(VSOCKIF_OP_SHUTDOWN, flags);
    settle();
    give_up();
}

static void what_a_guest_left_is_delivered_and_then_it_ended_in_order(void)
{
    int voucher;

    open_from_guest();
    voucher = vouch();
    shutdown(stream, SHUT_WR);
    (void)!send(voucher, "END\n", 4, MSG_NOSIGNAL);
    EQ(guest_hears(), SHUT(SEND));
    say_much_and_go(SEND);
    CU_ASSERT_TRUE(is_quiet(voucher));
    for (uint32_t read = 0; read < sent; read += 4096)
        CU_ASSERT_TRUE(host_reads(4096));
    CU_ASSERT_TRUE(hears(stream, "", 0));
    CU_ASSERT_TRUE(hears(voucher, "ENDED %u order", number));
    close(voucher);
    CU_ASSERT_TRUE(ended("order"));
    rawfront_set_state(&guest, "1");
}

static void what_a_guest_left_and_nobody_reads_is_told_of(void)
{
    int watch;

    open_from_guest();
    watch = say("WATCH %u\n", number);
    CU_ASSERT_TRUE(hears(watch, "WATCHING %u", number));
    say_much_and_go(BOTH);
    CU_ASSERT_TRUE(host_reads(4096));
    close(stream);
    stream = -1;
    CU_ASSERT_TRUE(hears(watch, "ENDED %u unread the host program did not read everything", number));
    close(watch);
}

/* It had read nothing of what the program sent. */
static void what_a_guest_left_is_delivered_but_what_it_had_not_read_is_cut(void)
{
    int voucher;

    open_from_guest();
    voucher = vouch();
    host_writes(1);
    CU_ASSERT_TRUE(guest_gets(1));
    say_much_and_go(SEND);
    for (uint32_t read = 0; read < sent; read += 4096)
        CU_ASSERT_TRUE(host_reads(4096));
    CU_ASSERT_TRUE(hears(voucher, "ENDED %u cut the guest's program gave up the device", number));
    close(voucher);
}

static void the_daemon_stops_in_order_and_tells_of_what_it_still_had(void)
{
    int watch;

    open_from_guest();
    watch = say("WATCH %u\n", number);
    CU_ASSERT_TRUE(hears(watch, "WATCHING %u", number));
    say_much_and_go(BOTH);
    EQ(daemon_stop(SIGTERM), 0);
    CU_ASSERT_TRUE(hears(watch, "ENDED %u cut the daemon stops", number));
    close(watch);
    forget();
    rawfront_close(&guest);
}

static const struct test tests[] = {
    TEST(a_whole_stream_of_the_host_s_ended_in_order), TEST(a_whole_stream_of_the_guest_s_ended_in_order),
    TEST(who_watches_is_told_when_it_ends), TEST(a_plain_program_that_writes_and_closes_ends_in_order),
    TEST(a_guest_that_closes_when_it_has_read_all_ends_in_order),
    TEST(a_program_that_reads_late_what_ended_in_order_hears_of_no_error), TEST(a_number_that_nobody_has_is_unknown),
    TEST(a_stream_that_is_not_open_has_no_number),
    TEST(a_guest_that_resets_is_told_of), TEST(a_program_with_data_on_its_way_hears_of_a_reset),
    TEST(a_program_that_has_sent_all_sees_an_end_and_may_ask), TEST(a_guest_that_has_not_read_all_is_told_of),
    TEST(a_host_program_that_has_not_read_all_is_told_of),
    TEST(the_end_of_a_vouched_stream_is_passed_on_when_both_have_said_so),
    TEST(a_vouched_sender_that_dies_resets_the_stream),
    TEST(a_vouched_sender_that_dies_after_its_end_resets_what_is_not_over),
    TEST(a_caller_that_dies_before_it_vouches_resets_the_stream), TEST(a_caller_is_told_who_refuses),
    TEST(a_guest_says_why_it_refuses_and_cannot_lie_of_the_host), TEST(a_guest_says_why_it_resets),
    TEST(a_voucher_says_why_the_stream_is_reset_behind_what_was_sent),
    TEST(a_voucher_that_gives_no_reason_that_is_one_has_gone),
    TEST(a_listener_with_the_sticky_bit_is_waited_for_to_vouch),
    TEST(a_voucher_that_says_anything_but_end_has_gone), TEST(who_only_watches_may_go_at_any_time),
    TEST(a_closed_vouched_stream_waits_for_the_guest_s_last_word),
    TEST(watchers_are_bounded_and_keep_nobody_from_connecting), TEST(the_ends_of_the_last_thousands_are_remembered),
    TEST(a_device_that_its_guest_gives_up_is_told_of), TEST(a_guest_that_breaks_a_rule_is_told_of),
    TEST(a_device_that_is_detached_is_told_of), TEST(a_daemon_that_stops_says_so),
    TEST(a_daemon_that_is_killed_resets_who_only_reads), TEST(a_daemon_does_not_answer_for_its_predecessor_s_streams),
    TEST(what_a_guest_left_is_delivered_and_then_it_ended_in_order), TEST(what_a_guest_left_and_nobody_reads_is_told_of),
    TEST(what_a_guest_left_is_delivered_but_what_it_had_not_read_is_cut),
    TEST(the_daemon_stops_in_order_and_tells_of_what_it_still_had)
};

int main(int argc, char **argv)
{
    int err;

    if (!hosted_begin())
        return 2;
    if ((err = daemon_start(conf)) || (err = rawfront_open(&guest, DOMID))) {
        fprintf(stderr, "the daemon does not come up: %s\n", strerror(-err));
        daemon_stop(SIGKILL);
        return 1;
    }
    err = harness_run("ends of streams", tests, sizeof tests / sizeof *tests, argc, argv);
    daemon_stop(SIGKILL);
    return err;
}

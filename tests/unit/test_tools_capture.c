/* SPDX-License-Identifier: MIT */
/* test_tools_capture.c: a capture's records, in any pieces, as pcapng and as lines. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "pcapng.h"
#include "tapread.h"
#include "traceline.h"

static char *text;
static size_t size;
static FILE *out;

static void begin(void)
{
    free(text);
    REQUIRE((out = open_memstream(&text, &size)) != NULL);
}

static void is(const char *expected)
{
    fclose(out);
    if (strcmp(text, expected))
        fprintf(stderr, "%snot\n%s", text, expected);
    CU_ASSERT_STRING_EQUAL(text, expected);
}

static struct tapif_record packet(enum tapif_kind kind, unsigned op)
{
    return (struct tapif_record){
        .size = sizeof(struct tapif_record), .time = UINT64_C(1700000000123456789), .seen = 1, .kind = (uint8_t)kind,
        .hdr = { .src_cid = kind == TAPIF_FROM_GUEST ? 10 : 2, .dst_cid = kind == TAPIF_FROM_GUEST ? 2 : 10, .src_port = 1025, .dst_port = 5000,
                 .type = VSOCKIF_TYPE_STREAM, .op = (uint16_t)op, .buf_alloc = 262144, .fwd_cnt = 7 }
    };
}

/* ---- pcapng ---- */

/* Bytes as they are written, in hexadecimal digits with blanks between them. */
static void bytes_are(const char *name, const char *expected)
{
    size_t at = 0;

    fclose(out);
    for (const char *p = expected; *p; p += strspn(p, " ") + 2, at++) {
        unsigned byte;

        p += strspn(p, " ");
        REQUIRE(sscanf(p, "%2x", &byte) == 1);
        if (at >= size || (uint8_t)text[at] != byte) {
            fprintf(stderr, "%s: byte %zu of %zu is %02x, not %02x\n", name, at, size, at < size ? (uint8_t)text[at] : 0u, byte);
            CU_FAIL("bytes");
            return;
        }
        p -= strspn(p, " ");
    }
    EQ(at, size);
}

/* The first block is the section, with the program's version in it. */
static void skip_section(void)
{
    uint32_t len;

    fflush(out);
    memcpy(&len, text + 4, sizeof len);
    REQUIRE(memcmp(text, "\x0a\x0d\x0d\x0a", 4) == 0 && memcmp(text + 8, "\x4d\x3c\x2b\x1a\x01\x00\x00\x00", 8) == 0);
    memmove(text, text + len, size - len);
    size -= len;
}

/* This is little-endian, as every machine is on which Xen's dom0 runs; the file says so itself. */
static void the_section_and_the_interface_are_as_the_draft_has_them(void)
{
    struct pcapng p;

    begin();
    pcapng_begin(&p, out, "web1:0", "port 5", 100);
    fclose(out);
    out = fmemopen(text, size, "r");
    skip_section();
    bytes_are("interface",
              "01000000 38000000 0f010000 b0000000"             /* type, length, LINKTYPE_VSOCK, 76 + 100 */
              "02000600 776562313a300000"                       /* web1:0 */
              "09000100 09000000"                               /* nanoseconds */
              "0b000700 00706f727420350000000000 38000000");    /* a filter in words; the end; the length again */
}

static void a_packet_is_vsockmons_header_virtios_and_its_data(void)
{
    struct tapif_record r = packet(TAPIF_FROM_GUEST, VSOCKIF_OP_RW);
    struct pcapng p = { .written = 3, .dropped = 2 };

    begin();
    p.to = out;
    r.hdr.len = 9;
    r.captured = 5;
    r.dropped = 4;
    pcapng_packet(&p, &r, (const uint8_t *)"hello");
    bytes_are("packet",
              "06000000 8c000000 00000000 fe9c9717 15cd853d 51000000 55000000"      /* type, length, interface, time, 81 bytes of 85 */
              "0a00000000000000 0200000000000000 01040000 88130000 0400 0200 2c00 0000"     /* vsockmon: payload, virtio, 44 bytes */
              "0a00000000000000 0200000000000000 01040000 88130000 09000000 0100 0500 00000000 00000400 07000000"
              "68656c6c6f 000000"
              "02000400 01000000"                               /* inbound */
              "04000800 0200000000000000"                       /* two were dropped since the last one */
              "00000000 8c000000");
    EQ(p.written, 4);
}

static void each_operation_has_the_kind_that_linux_gives_it(void)
{
    static const uint8_t kinds[] = { 0, 1, 1, 2, 2, 4, 3, 3 };

    for (unsigned op = 0; op < sizeof kinds; op++) {
        struct tapif_record r = packet(TAPIF_TO_GUEST, op);
        struct pcapng p = { 0 };

        begin();
        p.to = out;
        pcapng_packet(&p, &r, NULL);
        fclose(out);
        REQUIRE(size > 28 + 32);
        EQ(text[28 + 24], kinds[op]);
    }
}

/* Wireshark shows a comment beside the packet. */
static void a_reset_has_its_reason_as_a_comment(void)
{
    struct tapif_record r = packet(TAPIF_TO_GUEST, VSOCKIF_OP_RST);
    struct pcapng p = { 0 };

    begin();
    p.to = out;
    r.reason = VSOCKIF_REASON_POLICY;
    pcapng_packet(&p, &r, NULL);
    fclose(out);
    CU_ASSERT_PTR_NOT_NULL(memmem(text, size, "the policy of the host forbids it", 33));
}

static void the_end_has_the_sums(void)
{
    struct tapif_record end = { .size = sizeof end, .time = 0x200000003, .seen = 10, .dropped = 3, .kind = TAPIF_END };
    struct pcapng p = { .began = 0x100000002, .written = 7 };

    begin();
    p.to = out;
    pcapng_end(&p, &end);
    bytes_are("statistics",
              "05000000 58000000 00000000 02000000 03000000"
              "02000800 01000000 02000000 03000800 02000000 03000000"
              "04000800 0a00000000000000 05000800 0300000000000000 08000800 0700000000000000 00000000 58000000");
}

/* ---- lines ---- */

static void each_packet_is_a_line(void)
{
    struct tapif_record r = packet(TAPIF_FROM_GUEST, VSOCKIF_OP_REQUEST);

    begin();
    traceline_print(out, "web1", &r, NULL);
    r = packet(TAPIF_TO_GUEST, VSOCKIF_OP_RESPONSE);
    traceline_print(out, "web1", &r, NULL);
    r = packet(TAPIF_FROM_GUEST, VSOCKIF_OP_RW);
    r.hdr.len = 70;
    traceline_print(out, "web1", &r, NULL);
    r.captured = 12;
    traceline_print(out, "web1", &r, (const uint8_t *)"GET \"/\\\r\n\033[31");
    r.hdr.len = 12;
    r.hdr.dst_cid = 12;
    traceline_print(out, "we\033[1mb", &r, (const uint8_t *)"GET / HTTP/1");
    r = packet(TAPIF_TO_GUEST, VSOCKIF_OP_CREDIT_UPDATE);
    traceline_print(out, "web1", &r, NULL);
    r = packet(TAPIF_TO_GUEST, VSOCKIF_OP_SHUTDOWN);
    r.hdr.flags = VSOCKIF_SHUTDOWN_SEND;
    traceline_print(out, "web1", &r, NULL);
    r = packet(TAPIF_TO_GUEST, VSOCKIF_OP_RST);
    traceline_print(out, "web1", &r, NULL);
    r.reason = VSOCKIF_REASON_STATUS;
    r.detail = 3;
    traceline_print(out, "web1", &r, NULL);
    r.dropped = 5;
    traceline_print_dropped(out, &r, 5);
    r = packet(TAPIF_FROM_GUEST, 99);
    traceline_print(out, "web1", &r, NULL);
    r = packet(TAPIF_FROM_GUEST, VSOCKIF_OP_REQUEST);
    r.hdr.type = VSOCKIF_TYPE_SEQPACKET;
    traceline_print(out, "web1", &r, NULL);
    r.hdr.op = VSOCKIF_OP_RW;
    r.hdr.len = 5;
    traceline_print(out, "web1", &r, NULL);
    r.hdr.flags = VSOCKIF_SEQ_EOM;
    traceline_print(out, "web1", &r, NULL);
    r.hdr.flags |= VSOCKIF_SEQ_EOR;
    traceline_print(out, "web1", &r, NULL);
    is("22:13:20.123456 web1:1025 > host:5000 REQUEST, takes 262144\n"
       "22:13:20.123456 host:1025 > web1:5000 RESPONSE, takes 262144\n"
       "22:13:20.123456 web1:1025 > host:5000 RW, 70 bytes\n"
       "22:13:20.123456 web1:1025 > host:5000 RW, 70 bytes: \"GET \\\"/\\\\.\\n.[3\"...\n"
       "22:13:20.123456 we?[1mb:1025 > cid12:5000 RW, 12 bytes: \"GET / HTTP/1\"\n"
       "22:13:20.123456 host:1025 > web1:5000 CREDIT_UPDATE, takes 262144, has taken 7\n"
       "22:13:20.123456 host:1025 > web1:5000 SHUTDOWN, sends no more\n"
       "22:13:20.123456 host:1025 > web1:5000 RST\n"
       "22:13:20.123456 host:1025 > web1:5000 RST, the command at the other end has failed: its exit status 3\n"
       "22:13:20.123456 (5 packets are missing here)\n"
       "22:13:20.123456 web1:1025 > host:5000 op 99, 0 bytes\n"
       "22:13:20.123456 web1:1025 > host:5000 REQUEST of messages, takes 262144\n"
       "22:13:20.123456 web1:1025 > host:5000 RW, 5 bytes\n"
       "22:13:20.123456 web1:1025 > host:5000 RW EOM, 5 bytes\n"
       "22:13:20.123456 web1:1025 > host:5000 RW EOM EOR, 5 bytes\n");
}

/* ---- records in pieces ---- */

static struct tapread reader;

static void start_reading(void)
{
    free(reader.bytes);
    reader = (struct tapread){ .bytes = malloc(TAPREAD_BYTES) };
    REQUIRE(reader.bytes != NULL);
}

static void feed(const void *bytes, size_t len)
{
    size_t room;
    void *to = tapread_room(&reader, &room);

    REQUIRE(room >= len);
    memcpy(to, bytes, len);
    tapread_added(&reader, len);
}

static void records_come_in_any_pieces(void)
{
    uint8_t stream[5 * (sizeof(struct tapif_record) + 24)];
    size_t len = 0;

    for (uint32_t i = 0; i < 5; i++) {
        struct tapif_record r = packet(TAPIF_FROM_GUEST, VSOCKIF_OP_RW);

        r.captured = r.hdr.len = 4 * i;
        r.size = tapif_size(r.captured);
        r.hdr.src_port = i;
        memcpy(stream + len, &r, sizeof r);
        memset(stream + len + sizeof r, 'a' + (int)i, r.size - sizeof r);
        len += r.size;
    }
    for (size_t piece = 1; piece <= len; piece += piece < 8 ? 1 : 37) {
        uint32_t n = 0;

        start_reading();
        for (size_t at = 0; at < len; at += piece) {
            const struct tapif_record *r;
            const uint8_t *data;

            feed(stream + at, piece < len - at ? piece : len - at);
            while (tapread_next(&reader, &r, &data) == 1) {
                EQ(r->hdr.src_port, n);
                EQ(r->captured, 4 * n);
                CU_ASSERT_TRUE(!n || data[4 * n - 1] == 'a' + n);
                n++;
            }
        }
        EQ(n, 5);
    }
}

static void what_is_no_record_is_refused(void)
{
    const struct tapif_record good = packet(TAPIF_FROM_GUEST, VSOCKIF_OP_RW);
    const struct tapif_record *r;
    struct tapif_record bad[5];
    const uint8_t *data;

    for (int i = 0; i < 5; i++)
        bad[i] = good;
    bad[0].size = 0;
    bad[1].size = 1u << 30;
    bad[2].captured = 8;                        /* more than the packet has */
    bad[2].size = tapif_size(8);
    bad[3].kind = TAPIF_END + 1;
    bad[4].captured = bad[4].hdr.len = TAPIF_SNAP_MOST + 8;
    bad[4].size = tapif_size(bad[4].captured);
    for (int i = 0; i < 5; i++) {
        start_reading();
        feed(&bad[i], sizeof bad[i]);
        EQ(tapread_next(&reader, &r, &data), -EPROTO);
    }
}

static const struct test tests[] = {
    TEST(the_section_and_the_interface_are_as_the_draft_has_them), TEST(a_packet_is_vsockmons_header_virtios_and_its_data),
    TEST(each_operation_has_the_kind_that_linux_gives_it), TEST(a_reset_has_its_reason_as_a_comment), TEST(the_end_has_the_sums),
    TEST(each_packet_is_a_line), TEST(records_come_in_any_pieces), TEST(what_is_no_record_is_refused)
};

int main(int argc, char **argv)
{
    int status;

    setenv("TZ", "UTC", 1);
    status = harness_run("capture", tests, sizeof tests / sizeof *tests, argc, argv);
    free(text);
    free(reader.bytes);
    return status;
}

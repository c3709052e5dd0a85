/* SPDX-License-Identifier: MIT */
/* pcapng.c: see pcapng.h.  A block is made whole but for a packet's data, since its length comes first. */
#include "pcapng.h"

#include <endian.h>
#include <string.h>

#include "reason.h"

enum { SECTION = 0x0a0d0d0a, INTERFACE = 1, STATISTICS = 5, PACKET = 6 };
enum { END = 0, COMMENT = 1 };                                  /* options of every block */
enum { SECTION_PROGRAM = 4 };
enum { INTERFACE_NAME = 2, INTERFACE_RESOLUTION = 9, INTERFACE_FILTER = 11 };
enum { PACKET_FLAGS = 2, PACKET_DROPPED = 4 };
enum { STATISTICS_BEGAN = 2, STATISTICS_ENDED = 3, STATISTICS_RECEIVED = 4, STATISTICS_DROPPED = 5, STATISTICS_DELIVERED = 8 };
#define LINKTYPE_VSOCK 271
#define NANOSECONDS    9        /* ten to the power of minus nine */
#define INBOUND        1u
#define OUTBOUND       2u

#define TEXT 200                /* bytes of any text in an option, at most */

/* linux/vsockmon.h's, which not every build machine has. */
struct vsockmon {
    uint64_t src_cid, dst_cid;
    uint32_t src_port, dst_port;
    uint16_t op;
    uint16_t transport;         /* 2: virtio */
    uint16_t len;               /* of the header behind */
    uint8_t  reserved[2];
} __attribute__((packed));
enum { MON_UNKNOWN, MON_CONNECT, MON_DISCONNECT, MON_CONTROL, MON_PAYLOAD };
#define MON_VIRTIO 2

#define HEAD ((uint32_t)(sizeof(struct vsockmon) + sizeof(struct vsockif_hdr)))

/* ---- blocks ---- */

struct block {
    size_t len;
    uint8_t bytes[1024];        /* more than the options of any block here */
};

static void put(struct block *b, const void *bytes, size_t len)
{
    memcpy(b->bytes + b->len, bytes, len);
    b->len += len;
}

static void put16(struct block *b, uint16_t value)
{
    put(b, &value, sizeof value);
}

static void put32(struct block *b, uint32_t value)
{
    put(b, &value, sizeof value);
}

/* A time: the upper half first, whatever the order of bytes. */
static void put_time(struct block *b, uint64_t ns)
{
    put32(b, (uint32_t)(ns >> 32));
    put32(b, (uint32_t)ns);
}

static void pad(struct block *b)
{
    while (b->len % 4)
        b->bytes[b->len++] = 0;
}

static void put_option(struct block *b, uint16_t code, const void *bytes, size_t len)
{
    put16(b, code);
    put16(b, (uint16_t)len);
    put(b, bytes, len);
    pad(b);
}

static void put_text(struct block *b, uint16_t code, const char *text)
{
    put_option(b, code, text, strnlen(text, TEXT));
}

static void put_number(struct block *b, uint16_t code, uint64_t value)
{
    put_option(b, code, &value, sizeof value);
}

static void write_block(FILE *to, const struct block *head, const uint8_t *data, uint32_t data_len, const struct block *tail)
{
    static const uint8_t zeros[4];
    uint32_t padding = -data_len & 3, len = (uint32_t)(head->len + data_len + padding + (tail ? tail->len : 0) + sizeof len);
    uint32_t type;

    memcpy(&type, head->bytes, sizeof type);
    fwrite(&type, sizeof type, 1, to);
    fwrite(&len, sizeof len, 1, to);
    fwrite(head->bytes + 8, 1, head->len - 8, to);
    if (data_len)
        fwrite(data, 1, data_len, to);
    fwrite(zeros, 1, padding, to);
    if (tail)
        fwrite(tail->bytes, 1, tail->len, to);
    fwrite(&len, sizeof len, 1, to);
}

static struct block begin_block(uint32_t type)
{
    struct block b = { .len = 0 };

    put32(&b, type);
    put32(&b, 0);               /* its length: write_block() */
    return b;
}

/* ---- what is in them ---- */

void pcapng_begin(struct pcapng *p, FILE *to, const char *name, const char *filter, uint32_t snap)
{
    struct block section = begin_block(SECTION), interface = begin_block(INTERFACE);
    const uint8_t resolution = NANOSECONDS;
    char text[TEXT] = "";       /* the first byte: it is text */

    *p = (struct pcapng){ .to = to };
    put32(&section, 0x1a2b3c4d);
    put16(&section, 1);
    put16(&section, 0);
    put32(&section, UINT32_MAX);        /* how long it is will only be known at its end */
    put32(&section, UINT32_MAX);
    put_text(&section, SECTION_PROGRAM, "xvs " XVS_VERSION);
    put32(&section, END);
    write_block(to, &section, NULL, 0, NULL);

    put16(&interface, LINKTYPE_VSOCK);
    put16(&interface, 0);
    put32(&interface, HEAD + snap);
    put_text(&interface, INTERFACE_NAME, name);
    put_option(&interface, INTERFACE_RESOLUTION, &resolution, 1);
    if (*filter) {
        snprintf(text + 1, sizeof text - 1, "%s", filter);
        put_option(&interface, INTERFACE_FILTER, text, 1 + strlen(text + 1));
    }
    put32(&interface, END);
    write_block(to, &interface, NULL, 0, NULL);
}

/* As Linux's virtio transport tells it. */
static uint16_t kind_of(uint16_t op)
{
    switch (op) {
    case VSOCKIF_OP_REQUEST:
    case VSOCKIF_OP_RESPONSE:       return MON_CONNECT;
    case VSOCKIF_OP_RST:
    case VSOCKIF_OP_SHUTDOWN:       return MON_DISCONNECT;
    case VSOCKIF_OP_CREDIT_UPDATE:
    case VSOCKIF_OP_CREDIT_REQUEST: return MON_CONTROL;
    case VSOCKIF_OP_RW:             return MON_PAYLOAD;
    default:                        return MON_UNKNOWN;
    }
}

static void put_head(struct block *b, const struct vsockif_hdr *h)
{
    /* h is little-endian as it is. */
    struct vsockmon mon = {
        .src_cid = h->src_cid, .dst_cid = h->dst_cid, .src_port = h->src_port, .dst_port = h->dst_port,
        .op = htole16(kind_of(le16toh(h->op))), .transport = htole16(MON_VIRTIO), .len = htole16(sizeof *h)
    };

    put(b, &mon, sizeof mon);
    put(b, h, sizeof *h);
}

void pcapng_packet(struct pcapng *p, const struct tapif_record *r, const uint8_t *data)
{
    struct block head = begin_block(PACKET), tail = { .len = 0 };
    uint32_t flags = r->kind == TAPIF_FROM_GUEST ? INBOUND : OUTBOUND;
    const struct reason reason = reason_heard(r->reason, r->detail);
    char line[REASON_LINE];

    if (!p->written++)
        p->began = r->time;
    put32(&head, 0);            /* the interface */
    put_time(&head, r->time);
    put32(&head, HEAD + r->captured);
    put32(&head, HEAD + r->hdr.len);
    put_head(&head, &r->hdr);
    put_option(&tail, PACKET_FLAGS, &flags, sizeof flags);
    if (r->dropped > p->dropped)
        put_number(&tail, PACKET_DROPPED, r->dropped - p->dropped);
    p->dropped = r->dropped;
    if (r->hdr.op == VSOCKIF_OP_RST && reason.code)
        put_text(&tail, COMMENT, reason_line(line, reason));
    put32(&tail, END);
    write_block(p->to, &head, data, r->captured, &tail);
}

void pcapng_end(struct pcapng *p, const struct tapif_record *r)
{
    struct block b = begin_block(STATISTICS), began = { .len = 0 }, ended = { .len = 0 };

    put32(&b, 0);
    put_time(&b, r->time);
    put_time(&began, p->began ? p->began : r->time);
    put_time(&ended, r->time);
    put_option(&b, STATISTICS_BEGAN, began.bytes, began.len);
    put_option(&b, STATISTICS_ENDED, ended.bytes, ended.len);
    put_number(&b, STATISTICS_RECEIVED, r->seen);
    put_number(&b, STATISTICS_DROPPED, r->dropped);
    put_number(&b, STATISTICS_DELIVERED, p->written);
    put32(&b, END);
    write_block(p->to, &b, NULL, 0, NULL);
}

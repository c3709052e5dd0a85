/* SPDX-License-Identifier: MIT */
/* traceline.c: see traceline.h. */
#include "traceline.h"

#include <time.h>

#include "reason.h"
#include "say.h"

static void print_time(FILE *to, uint64_t ns)
{
    time_t seconds = (time_t)(ns / 1000000000u);
    char text[16] = "??:??:??";
    struct tm tm;

    if (localtime_r(&seconds, &tm))
        strftime(text, sizeof text, "%H:%M:%S", &tm);
    fprintf(to, "%s.%06u ", text, (unsigned)(ns % 1000000000u / 1000u));
}

static void print_address(FILE *to, const char *guest, uint64_t cid, uint32_t port)
{
    if (guest)
        say_clean(to, guest);
    else if (cid == VSOCKIF_CID_HOST)
        fputs("host", to);
    else
        fprintf(to, "cid%llu", (unsigned long long)cid);
    fprintf(to, ":%u", port);
}

static void print_data(FILE *to, const struct tapif_record *r, const uint8_t *data)
{
    fprintf(to, ", %u bytes", r->hdr.len);
    if (!r->captured)
        return;
    fputs(": \"", to);
    for (uint32_t i = 0; i < r->captured; i++) {
        if (data[i] == '\n')
            fputs("\\n", to);
        else if (data[i] == '"' || data[i] == '\\')
            fprintf(to, "\\%c", data[i]);
        else
            putc(data[i] >= ' ' && data[i] <= '~' ? data[i] : '.', to);
    }
    fputs(r->captured < r->hdr.len ? "\"..." : "\"", to);
}

/* "RW", or where a message ends "RW EOM", "RW EOM EOR". */
static void print_flags(FILE *to, const struct vsockif_hdr *h)
{
    bool has_messages = h->type == VSOCKIF_TYPE_SEQPACKET;

    fprintf(to, "RW%s%s", has_messages && h->flags & VSOCKIF_SEQ_EOM ? " EOM" : "",
            has_messages && h->flags & VSOCKIF_SEQ_EOR ? " EOR" : "");
}

static void print_rest(FILE *to, const struct tapif_record *r, const uint8_t *data)
{
    static const char *const ends[] = { "nothing", "receives no more", "sends no more", "neither sends nor receives any more" };
    const struct reason reason = reason_heard(r->reason, r->detail);
    const struct vsockif_hdr *h = &r->hdr;
    char line[REASON_LINE];

    switch (h->op) {
    case VSOCKIF_OP_REQUEST:        fprintf(to, "REQUEST%s, takes %u", h->type == VSOCKIF_TYPE_SEQPACKET ? " of messages" : "",
                                            h->buf_alloc); break;
    case VSOCKIF_OP_RESPONSE:       fprintf(to, "RESPONSE, takes %u", h->buf_alloc); break;
    case VSOCKIF_OP_RST:            fprintf(to, "RST%s%s", reason.code ? ", " : "", reason.code ? reason_line(line, reason) : ""); break;
    case VSOCKIF_OP_SHUTDOWN:       fprintf(to, "SHUTDOWN, %s", ends[h->flags & 3]); break;
    case VSOCKIF_OP_RW:             print_flags(to, h); print_data(to, r, data); break;
    case VSOCKIF_OP_CREDIT_UPDATE:  fprintf(to, "CREDIT_UPDATE, takes %u, has taken %u", h->buf_alloc, h->fwd_cnt); break;
    case VSOCKIF_OP_CREDIT_REQUEST: fputs("CREDIT_REQUEST", to); break;
    default:                        fprintf(to, "op %u, %u bytes", h->op, h->len); break;
    }
}

void traceline_print(FILE *to, const char *guest, const struct tapif_record *r, const uint8_t *data)
{
    bool from = r->kind == TAPIF_FROM_GUEST;

    print_time(to, r->time);
    print_address(to, from ? guest : NULL, r->hdr.src_cid, r->hdr.src_port);
    fputs(" > ", to);
    print_address(to, from ? NULL : guest, r->hdr.dst_cid, r->hdr.dst_port);
    putc(' ', to);
    print_rest(to, r, data);
    putc('\n', to);
}

void traceline_print_dropped(FILE *to, const struct tapif_record *r, uint64_t dropped)
{
    print_time(to, r->time);
    fprintf(to, "(%llu packets are missing here)\n", (unsigned long long)dropped);
}
